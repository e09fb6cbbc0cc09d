/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Completion for bash, from the command table: `guestlane help --completion bash`. It needs no other script and never
 * runs guestlane. Neighbours: help.c, man.c. */
#include <string.h>

#include "cli/args.h"
#include "cli/commands.h"
#include "maps/registry.h"

/* What completes an option's argument, by what the argument is called. */
static void complete_value(FILE *file, const char *value)
{
	if (!strcmp(value, "DIR")) {
		fputs("mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")", file);
	} else if (!strcmp(value, "TAP")) {
		fputs("mapfile -t COMPREPLY < <(compgen -W \"$(ls /sys/class/net)\" -- \"$cur\")", file);
	} else if (!strcmp(value, "PROTO")) {
		fputs("mapfile -t COMPREPLY < <(compgen -W 'tcp udp icmp icmpv6 sctp' -- \"$cur\")", file);
	} else if (!strcmp(value, "STATES")) {
		fputs("mapfile -t COMPREPLY < <(compgen -W '", file);
		for (unsigned state = 0; state < GL_FLOW_STATES; state++)
			fprintf(file, "%s%s", state ? " " : "", gl_flow_state_name(state));
		fputs("' -- \"$cur\")", file);
	} else {
		fputs("COMPREPLY=()", file);
	}
}

static void options(FILE *file, unsigned mask)
{
	for (int id = 0; id < OPT_COUNT; id++)
		if (mask & OPTION(id) && !option_rows[id].hidden)
			fprintf(file, " --%s", option_rows[id].name);
}

static void values(FILE *file)
{
	for (int id = 0; id < OPT_COUNT; id++) {
		const struct option_row *row = &option_rows[id];

		if (!row->value || row->hidden)
			continue;
		fprintf(file, "\t--%s) ", row->name);
		complete_value(file, row->value);
		fputs("; return ;;\n", file);
	}
}

/* Options that swallow the next word, as a pattern. */
static void value_pattern(FILE *file)
{
	const char *bar = "";

	for (int id = 0; id < OPT_COUNT; id++) {
		if (!option_rows[id].value)
			continue;
		fprintf(file, "%s--%s", bar, option_rows[id].name);
		bar = " | ";
	}
}

static void command_case(FILE *file, const struct command *command)
{
	struct word word;

	fprintf(file, "\t%s)\n\t\topts=\"", command->name);
	options(file, OPTIONS_GLOBAL | command->options);
	fputs("\"\n", file);
	if (command->files)
		fputs("\t\tfiles=1\n", file);
	if (command->word) {
		fputs("\t\twords=\"", file);
		for (size_t i = 0; command->word(i, &word); i++)
			fprintf(file, "%s%s", i ? " " : "", word.name);
		fputs("\"\n", file);
	}
	fputs("\t\t;;\n", file);
}

void completion_print(FILE *file)
{
	fputs("# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0\n"
	      "# Completion of guestlane for bash. Made by `guestlane help --completion bash`.\n"
	      "_guestlane() {\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev='' command='' operands=0 opts='' words='' files='' i\n"
	      "\t[ \"$COMP_CWORD\" -gt 0 ] && prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
	      "\tcase $prev in\n",
	      file);
	values(file);
	fputs("\tesac\n"
	      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	      "\t\tcase ${COMP_WORDS[i]} in\n\t\t",
	      file);
	value_pattern(file);
	fputs(") i=$((i + 1)) ;;\n"
	      "\t\t-?*) ;;\n"
	      "\t\t*) if [ -z \"$command\" ]; then command=${COMP_WORDS[i]}; else operands=$((operands + 1)); fi ;;\n"
	      "\t\tesac\n"
	      "\tdone\n"
	      "\tcase $command in\n"
	      "\t'')\n\t\topts=\"",
	      file);
	options(file, OPTIONS_GLOBAL);
	fputs("\"\n\t\twords=\"", file);
	for (const struct command *command = commands; command->name; command++)
		fprintf(file, "%s%s", command == commands ? "" : " ", command->name);
	fputs("\"\n\t\t;;\n", file);
	for (const struct command *command = commands; command->name; command++)
		command_case(file, command);
	fputs("\tesac\n"
	      "\t[ \"$operands\" = 0 ] || words=''\n"
	      "\t[[ $cur != -* ]] || words=$opts\n"
	      "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	      "\tif [ -n \"$files\" ] && [[ $cur != -* ]]; then\n"
	      "\t\tcompopt -o filenames 2>/dev/null\n"
	      "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
	      "\tfi\n"
	      "}\n"
	      "complete -F _guestlane guestlane\n",
	      file);
}
