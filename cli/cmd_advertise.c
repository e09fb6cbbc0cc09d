/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* `guestlane advertise`: tell guests about their router now. Neighbours: loader.h, bpf/ra.h (who tells them by itself).
 */
#include "cli/cli.h"
#include "cli/commands.h"

int cmd_advertise(struct cli *cli)
{
	struct gl_filter filter = cli_filter(cli);
	struct gl_host *host = NULL;
	struct out *o = &cli->out;
	size_t told = 0;
	int err = cli_open(cli, &host);

	if (!err)
		err = gl_advertise(host, &filter, &told, &cli->diag);
	gl_host_close(host);
	if (err < 0 && told)
		gl_diag_add(&cli->diag, (struct gl_loc){ 0 }, "%zu interfaces had been told by then", told);
	if (err)
		return err;
	cli->changed = told;
	out_object(o);
	out_member(o, "told", json_integer((json_int_t)told));
	out_line(o, "%zu interface%s told", told, told == 1 ? "" : "s");
	return out_close(o, 0);
}
