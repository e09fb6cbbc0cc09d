/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What does a command have at hand, and how does it say that it failed? Neighbours: main.c (who calls commands),
 * report.c (who prints errors), commands.h (the table). */
#ifndef GL_CLI_CLI_H
#define GL_CLI_CLI_H

#include "cli/args.h"
#include "cli/out.h"
#include "loader/loader.h"

struct command;

struct cli {
	const struct command *command;
	struct args args;
	char **operands; /* after the command's name */
	size_t count;
	struct out out; /* standard output */
	struct gl_diag diag;
	bool changed; /* the host was changed; what fails now is only the telling */
};

/* What a command returns: 0; a negative errno, with the findings in cli->diag; or CLI_USAGE, already reported. */
#define CLI_USAGE 2

int cli_usage(struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints the findings, and a line of its own when there are none. Returns the exit status. */
int cli_report(struct cli *cli, int err);

/* Opens the instance that the options name. */
int cli_open(struct cli *cli, struct gl_host **ret);
/* Loads the definition that the operands name. */
int cli_load(struct cli *cli, struct gl_definition **ret);
struct gl_filter cli_filter(const struct cli *cli);
/* flow_filter.c: what the options say about flows. 0, or CLI_USAGE after saying which option is wrong. */
int cli_flow_filter(struct cli *cli, struct gl_flow_filter *ret);

#endif
