/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What was asked for? Every option that any command takes stands in one table, bound to a member of struct args.
 * Usage, man page and completion read the same table. Neighbours: commands.h (which command takes which). */
#ifndef GL_CLI_ARGS_H
#define GL_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>

struct args {
	bool json, pretty, help, version;
	bool all, reasons, man;
	const char *bpffs, *state;
	const char *tenant, *network, *tap;
	const char *proto, *src, *dst, *sport, *dport, *flow_state, *group;
	const char *completion;
	unsigned given; /* OPTION() of each option found */
	char **operands; /* the command's name and what follows it */
	size_t count;
};

enum option_id {
	OPT_JSON,
	OPT_PRETTY,
	OPT_BPFFS,
	OPT_STATE,
	OPT_HELP,
	OPT_VERSION,
	OPT_ALL,
	OPT_TENANT,
	OPT_NETWORK,
	OPT_TAP,
	OPT_PROTO,
	OPT_SRC,
	OPT_DST,
	OPT_SPORT,
	OPT_DPORT,
	OPT_FLOW_STATE,
	OPT_GROUP,
	OPT_REASONS,
	OPT_MAN,
	OPT_COMPLETION,
	OPT_COUNT
};
#define OPTION(id) (1u << (id))
/* Taken before and after every command. */
#define OPTIONS_GLOBAL                                                                                                 \
	(OPTION(OPT_JSON) | OPTION(OPT_PRETTY) | OPTION(OPT_BPFFS) | OPTION(OPT_STATE) | OPTION(OPT_HELP) |            \
	 OPTION(OPT_VERSION))

/* Whose flows, and which of them. */
#define OPTIONS_WHO (OPTION(OPT_TENANT) | OPTION(OPT_NETWORK) | OPTION(OPT_TAP))
#define OPTIONS_FLOW                                                                                                   \
	(OPTION(OPT_PROTO) | OPTION(OPT_SRC) | OPTION(OPT_DST) | OPTION(OPT_SPORT) | OPTION(OPT_DPORT) |               \
	 OPTION(OPT_FLOW_STATE) | OPTION(OPT_GROUP))

struct option_row {
	const char *name;
	char letter; /* 0: none */
	const char *value; /* what its argument is called: DIR, NAME, TAP; NULL: takes none */
	const char *help;
	size_t offset; /* of a bool, or of a const char * where it takes an argument */
	bool hidden; /* from usage, man page and completion */
};

extern const struct option_row option_rows[OPT_COUNT];

/* 0, or -EINVAL with *error: what is wrong, to be freed. operands point into argv. */
int args_parse(int argc, char **argv, struct args *args, char **error);

#endif
