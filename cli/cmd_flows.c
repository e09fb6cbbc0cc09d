/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* `guestlane flows delete`: cut flows on request. Neighbours: flow_filter.c, loader/flowcut.c. */
#include <inttypes.h>

#include "cli/cli.h"
#include "cli/commands.h"

int cmd_flows(struct cli *cli)
{
	const bool filtered = cli->args.given & (OPTIONS_WHO | OPTIONS_FLOW);
	struct gl_flow_filter filter;
	struct gl_host *host = NULL;
	struct out *o = &cli->out;
	uint64_t deleted = 0;
	int err;

	if (cli->args.all && filtered)
		return cli_usage(cli, "flows delete takes either --all or options that say which flows");
	if (!cli->args.all && !filtered)
		return cli_usage(cli, "flows delete needs --all, or an option that says which flows");
	err = cli_flow_filter(cli, &filter);
	if (!err)
		err = cli_open(cli, &host);
	if (!err)
		err = gl_delete_flows(host, filtered ? &filter : NULL, &deleted, &cli->diag);
	gl_host_close(host);
	if (err < 0 && deleted)
		gl_diag_add(&cli->diag, (struct gl_loc){ 0 }, "%" PRIu64 " flows had been deleted by then", deleted);
	if (err)
		return err;
	cli->changed = deleted;
	out_object(o);
	out_member(o, "deleted", json_integer((json_int_t)deleted));
	out_line(o, "%" PRIu64 " flow%s deleted", deleted, deleted == 1 ? "" : "s");
	return out_close(o, 0);
}
