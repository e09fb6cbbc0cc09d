/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The man page guestlane(8), in mdoc, from the command table: `guestlane help --man`. Neighbours: help.c, drops.def. */
#include <ctype.h>
#include <string.h>

#include "cli/args.h"
#include "cli/commands.h"
#include "maps/registry.h"

#define MAN_DATE "November 22, 2026" /* of the text below */
#define WIDTH 76

/* Running text: lines of bounded length, every sentence on a line of its own, nothing that looks like a request. */
static void text(FILE *file, const char *s)
{
	size_t column = 0;

	while (*s) {
		size_t len = strcspn(s, " ");

		if (column && column + 1 + len > WIDTH) {
			putc('\n', file);
			column = 0;
		} else if (column) {
			putc(' ', file);
			column++;
		}
		if (!column && (*s == '.' || *s == '\''))
			fputs("\\&", file);
		for (size_t i = 0; i < len; i++) {
			if (s[i] == '\\')
				fputs("\\e", file);
			else
				putc(s[i], file);
		}
		column += len;
		if (len && strchr(".?!", s[len - 1])) {
			putc('\n', file);
			column = 0;
		}
		s += len + strspn(s + len, " ");
	}
	if (column)
		putc('\n', file);
}

/* "--all | tenant NAME" as macros: options, words, and arguments in capitals; [ and ] make them optional. */
static void synopsis(FILE *file, const char *s)
{
	while (*s) {
		size_t len = strcspn(s, " ");
		bool opens = *s == '[', closes = s[len - 1] == ']', many;
		const char *word = s + opens;
		size_t n = len - opens - closes;

		many = n > 3 && !strncmp(word + n - 3, "...", 3);
		n -= many ? 3 : 0;
		if (opens)
			fputs(" Oo", file);
		if (!strncmp(word, "--", 2))
			fprintf(file, " Fl %.*s", (int)n - 1, word + 1);
		else if (isupper((unsigned char)*word))
			fprintf(file, " Ar %.*s%s", (int)n, word, many ? " ..." : "");
		else if (*word == '|')
			fputs(" |", file);
		else
			fprintf(file, " Cm %.*s", (int)n, word);
		if (closes)
			fputs(" Oc", file);
		s += len + strspn(s + len, " ");
	}
}

static void option(FILE *file, const struct option_row *row)
{
	fputs(".It", file);
	if (row->letter)
		fprintf(file, " Fl %c ,", row->letter);
	fprintf(file, " Fl -%s", row->name);
	if (row->value)
		fprintf(file, " Ar %s", row->value);
	putc('\n', file);
	text(file, row->help);
}

static bool visible(unsigned options, int id)
{
	return options & OPTION(id) && !option_rows[id].hidden;
}

static void option_list(FILE *file, unsigned options)
{
	bool any = false;

	for (int id = 0; id < OPT_COUNT; id++) {
		if (!visible(options, id))
			continue;
		if (!any)
			fputs(".Bl -tag -width Ds\n", file);
		any = true;
		option(file, &option_rows[id]);
	}
	if (any)
		fputs(".El\n", file);
}

static void word_list(FILE *file, const struct command *command)
{
	struct word word;

	fputs(".Bl -tag -width interfaces\n", file);
	for (size_t i = 0; command->word(i, &word); i++) {
		fprintf(file, ".It Cm %s\n", word.name);
		text(file, word.help);
	}
	fputs(".El\n", file);
}

static void command_entry(FILE *file, const struct command *command)
{
	fprintf(file, ".It Cm %s", command->name);
	synopsis(file, command->operands);
	putc('\n', file);
	fprintf(file, "%c", toupper((unsigned char)*command->summary));
	fprintf(file, "%s.\n", command->summary + 1);
	text(file, command->text);
	/* help's words are the commands, which stand here already. */
	if (command->word && command->run != cmd_help)
		word_list(file, command);
	option_list(file, command->options);
}

static void drop_list(FILE *file)
{
	fputs(".Bl -tag -width Ds\n", file);
	for (uint32_t reason = GL_DROP_NONE + 1; reason < GL_DROP_COUNT; reason++) {
		fprintf(file, ".It %s\n", gl_drop_name(reason));
		text(file, gl_drop_help(reason));
	}
	fputs(".El\n", file);
}

static void example_list(FILE *file)
{
	const char *paragraph = ""; /* none at the head of the section */

	for (const struct command *command = commands; command->name; command++) {
		for (const struct example *example = command->examples; example->line; example++) {
			fprintf(file, "%s%c%s:\n", paragraph, toupper((unsigned char)*example->what),
				example->what + 1);
			paragraph = ".Pp\n";
			fprintf(file, ".Dl # guestlane %s\n", example->line);
		}
	}
}

void man_print(FILE *file)
{
	fputs(".\\\" SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0\n"
	      ".\\\" Made by `guestlane help --man`.\n"
	      ".Dd " MAN_DATE "\n.Dt GUESTLANE 8\n.Os\n"
	      ".Sh NAME\n.Nm guestlane\n.Nd network dataplane for KVM guests\n"
	      ".Sh SYNOPSIS\n",
	      file);
	for (const struct command *command = commands; command->name; command++) {
		fprintf(file, ".Nm\n.Op Ar OPTIONS\n.Cm %s", command->name);
		synopsis(file, command->operands);
		putc('\n', file);
	}
	fputs(".Sh DESCRIPTION\n.Nm\n", file);
	text(file,
	     "makes a host's guests part of the networks of a definition: isolated from other tenants, switched, "
	     "routed, translated to public addresses or bridged to the wire. "
	     "It compiles the definition to maps and attaches XDP and TC programs to the guests' interfaces and the "
	     "uplinks. From then on the kernel alone does the work, and nothing has to keep running.");
	fputs(".Pp\n", file);
	text(file, "The definition is YAML or JSON. The folder doc/guestlane describes it and holds a JSON schema and "
		   "examples.");
	fputs(".Pp\nThe commands are:\n.Bl -tag -width Ds\n", file);
	for (const struct command *command = commands; command->name; command++)
		command_entry(file, command);
	fputs(".El\n.Pp\nThe options of all commands may stand before or after the command:\n", file);
	option_list(file, OPTIONS_GLOBAL);
	fputs(".Sh DROP REASONS\n.Nm Cm show drops\nnames the reason of every packet that was not delivered:\n", file);
	drop_list(file);
	fputs(".Sh ENVIRONMENT\n.Bl -tag -width NO_COLOR\n.It Ev NO_COLOR\nNo colors, also on a terminal.\n.El\n"
	      ".Sh FILES\n.Bl -tag -width Ds\n"
	      ".It Pa /sys/fs/bpf/guestlane\nPinned maps, programs and links.\n"
	      ".It Pa /run/guestlane\nThe definition last applied, and the lock.\n.El\n"
	      ".Sh EXIT STATUS\n.Bl -tag -width Ds\n"
	      ".It 0\nDone.\n.It 1\nIt failed, and nothing changed.\n.It 2\nWrong usage, or a bad definition.\n.El\n"
	      ".Sh EXAMPLES\n",
	      file);
	example_list(file);
	fputs(".Sh DIAGNOSTICS\nErrors go to standard error, one a line, beginning with\n.Ql guestlane:\\&\n"
	      "or with their place in the definition,\n.Ql FILE:LINE:COLUMN:\\& .\n"
	      "With\n.Fl j\nthey are a JSON document on standard output as well.\n"
	      ".Sh SEE ALSO\n.Xr bpftool 8 ,\n.Xr ip 8 ,\n.Xr tc 8\n",
	      file);
}
