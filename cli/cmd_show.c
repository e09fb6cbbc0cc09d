/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* `guestlane show`: which subjects are there? Neighbours: show.h. */
#include <errno.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/show.h"

static const struct subject {
	struct word word;
	int (*show)(struct cli *cli, struct gl_host *host);
	unsigned options; /* beside those that all take */
} subjects[] = {
	{ { "tenants", "tenants, how much they have and how many flows they use" }, show_tenants, 0 },
	{ { "networks", "networks with their mode, subnets and gateways" }, show_networks, 0 },
	{ { "interfaces", "guests' interfaces, their addresses and whether they are attached" }, show_interfaces, 0 },
	{ { "flows", "connections with their translation, state, counters and the rules that let them through" },
	  show_flows,
	  OPTIONS_FLOW },
	{ { "nat", "translated flows and mappings, public addresses with their ports, and what was refused" },
	  show_nat,
	  0 },
	{ { "drops", "packets not delivered, by interface and reason" }, show_drops, OPTION(OPT_REASONS) },
	{ { "counters", "packets and bytes from and to each interface" }, show_counters, 0 },
	{ { "groups", "security groups: rules, members, and the flows that each rule let through" },
	  show_groups,
	  OPTION(OPT_GROUP) },
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
	unsigned foreign;
	int err;

	while (strcmp(subject->word.name, cli->operands[0]))
		subject++; /* main.c has seen that it is there */
	foreign = cli->args.given & ~(OPTIONS_GLOBAL | OPTIONS_WHO | subject->options);
	for (int id = 0; id < OPT_COUNT; id++)
		if (foreign & OPTION(id))
			return cli_usage(cli, "show %s takes no option '--%s'", subject->word.name,
					 option_rows[id].name);
	if (cli->args.reasons)
		return show_reasons(cli);
	err = cli_open(cli, &host);
	if (!err)
		err = subject->show(cli, host);
	gl_host_close(host);
	return err;
}
