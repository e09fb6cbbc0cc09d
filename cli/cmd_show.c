/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* `guestlane show`: which subjects are there? Neighbours: show.h. */
#include <errno.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/show.h"

static const struct out_column group_columns[] = {
	{ "tenant", "TENANT", OUT_TEXT, NULL },
	{ "group", "GROUP", OUT_TEXT, NULL },
	{ 0 },
};

/* A definition with groups is refused, so there is nothing to list. */
static int show_groups(struct cli *cli, struct gl_host *host)
{
	struct out *o = &cli->out;

	(void)host;
	out_array(o);
	if (cli->args.json) {
		out_table(o, NULL, NULL, group_columns);
		out_table_end(o, 0);
	}
	out_line(o, "security groups are not supported yet");
	return out_close(o, 0);
}

static const struct subject {
	struct word word;
	int (*show)(struct cli *cli, struct gl_host *host);
} subjects[] = {
	{ { "tenants", "tenants, how much they have and how many flows they use" }, show_tenants },
	{ { "networks", "networks with their mode, subnets and gateways" }, show_networks },
	{ { "interfaces", "guests' interfaces, their addresses and whether they are attached" }, show_interfaces },
	{ { "flows", "connections, their translation and their counters" }, show_flows },
	{ { "nat", "public addresses: shares of ports, port forwards and floating IPs" }, show_nat },
	{ { "drops", "packets not delivered, by interface and reason" }, show_drops },
	{ { "counters", "packets and bytes from and to each interface" }, show_counters },
	{ { "groups", "security groups" }, show_groups },
};

#define SUBJECTS (sizeof(subjects) / sizeof(subjects[0]))

bool show_word(size_t i, struct word *ret)
{
	if (i >= SUBJECTS)
		return false;
	*ret = subjects[i].word;
	return true;
}

int show_applied(struct cli *cli, struct gl_host *host, const struct gl_definition **ret)
{
	int err = gl_applied(host, ret, &cli->diag);

	if (err != -ENOENT)
		return err;
	gl_diag_clear(&cli->diag);
	*ret = NULL;
	return 0;
}

int cmd_show(struct cli *cli)
{
	const struct subject *subject = subjects;
	struct gl_host *host = NULL;
	int err;

	while (strcmp(subject->word.name, cli->operands[0]))
		subject++; /* main.c has seen that it is there */
	if (cli->args.reasons && subject->show != show_drops)
		return cli_usage(cli, "--reasons goes with show drops alone");
	if (cli->args.reasons)
		return show_reasons(cli);
	err = cli_open(cli, &host);
	if (!err)
		err = subject->show(cli, host);
	gl_host_close(host);
	return err;
}
