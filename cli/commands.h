/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Which commands are there? One row each, from which dispatch, usage, man page and completion are made.
 * Neighbours: main.c, help.c, man.c, completion.c (its readers), cmd_*.c (the commands), args.h (the options). */
#ifndef GL_CLI_COMMANDS_H
#define GL_CLI_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct cli;

/* One of the words that a command's first operand may be. */
struct word {
	const char *name, *help;
};

struct example {
	const char *line; /* without "guestlane " */
	const char *what;
};

#define MAX_EXAMPLES 5

struct command {
	const char *name;
	const char *operands; /* as usage shows them; "" */
	const char *summary; /* one line */
	const char *text; /* what else there is to know; sentences */
	unsigned options; /* beside OPTIONS_GLOBAL */
	unsigned min, max; /* operands */
	bool files; /* operands are files */
	/* The i-th word that the first operand may be, false at the end; NULL: free text. */
	bool (*word)(size_t i, struct word *ret);
	int (*run)(struct cli *cli);
	struct example examples[MAX_EXAMPLES + 1];
};

extern const struct command commands[]; /* ends with name NULL */

const struct command *command_find(const char *name); /* NULL: none */
/* For nearest(): the i-th name of a command; of `arg`, a struct command, the i-th word. */
const char *command_name(void *arg, size_t i);
const char *command_word(void *arg, size_t i);

int cmd_check(struct cli *cli);
int cmd_plan(struct cli *cli);
int cmd_apply(struct cli *cli);
int cmd_delete(struct cli *cli);
int cmd_status(struct cli *cli);
int cmd_show(struct cli *cli);
int cmd_flows(struct cli *cli);
int cmd_advertise(struct cli *cli);
int cmd_dump(struct cli *cli);
int cmd_version(struct cli *cli);
int cmd_help(struct cli *cli);

bool show_word(size_t i, struct word *ret);
bool dump_word(size_t i, struct word *ret);

/* help.c: what -h prints; `command` NULL: the overview. */
void help_print(FILE *file, const struct command *command);
/* man.c, completion.c */
void man_print(FILE *file);
void completion_print(FILE *file);

#endif
