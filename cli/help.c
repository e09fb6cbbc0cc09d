/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What does -h print? The overview, or one command, from the command table. Neighbours: man.c, completion.c. */
#include <string.h>

#include "cli/args.h"
#include "cli/commands.h"

#define WIDTH 100
#define LABEL 23 /* columns of the longest option with its argument */

static void print_row(FILE *file, size_t column, const char *name, const char *help)
{
	fprintf(file, "  %-*s  %s\n", (int)column, name, help);
}

static void option_label(const struct option_row *row, char *buf, size_t size)
{
	char letter[8] = "    ";

	if (row->letter)
		snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	snprintf(buf, size, "%s--%s%s%s", letter, row->name, row->value ? " " : "", row->value ? row->value : "");
}

static void print_options(FILE *file, const char *title, unsigned options)
{
	bool any = false;
	char label[64];

	for (int id = 0; id < OPT_COUNT; id++) {
		if (!(options & OPTION(id)) || option_rows[id].hidden)
			continue;
		if (!any)
			fprintf(file, "\n%s:\n", title);
		any = true;
		option_label(&option_rows[id], label, sizeof(label));
		print_row(file, LABEL, label, option_rows[id].help);
	}
}

/* Filled to WIDTH columns. */
static void print_text(FILE *file, const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t len = strcspn(text, " ");

		if (column && column + 1 + len > WIDTH) {
			putc('\n', file);
			column = 0;
		}
		column += (size_t)fprintf(file, "%s%.*s", column ? " " : "", (int)len, text);
		text += len + strspn(text + len, " ");
	}
	putc('\n', file);
}

static void print_examples(FILE *file, const struct command *command)
{
	for (const struct example *example = command->examples; example->line; example++)
		fprintf(file, "  # %s\n  guestlane %s\n", example->what, example->line);
}

static void print_overview(FILE *file)
{
	char usage[64];

	fputs("Usage: guestlane [OPTIONS] COMMAND ...\n\n", file);
	print_text(file, "A network dataplane for KVM guests: tenant networks go in, XDP and TC programs on taps and "
			 "uplinks come out, and nothing has to keep running.");
	fputs("\nCommands:\n", file);
	for (const struct command *command = commands; command->name; command++) {
		snprintf(usage, sizeof(usage), "%s%s%s", command->name, *command->operands ? " " : "",
			 command->operands);
		print_row(file, 26, usage, command->summary);
	}
	print_options(file, "Options, before or after the command", OPTIONS_GLOBAL);
	fputs("\nguestlane help COMMAND explains a command, with examples.\n", file);
}

static size_t widest_word(const struct command *command)
{
	struct word word;
	size_t widest = 0;

	for (size_t i = 0; command->word(i, &word); i++)
		if (strlen(word.name) > widest)
			widest = strlen(word.name);
	return widest;
}

static void print_command(FILE *file, const struct command *command)
{
	struct word word;

	fprintf(file, "Usage: guestlane [OPTIONS] %s%s%s\n\n%s: %s\n\n", command->name, *command->operands ? " " : "",
		command->operands, command->name, command->summary);
	print_text(file, command->text);
	if (command->word) {
		fputc('\n', file);
		for (size_t i = 0; command->word(i, &word); i++)
			print_row(file, widest_word(command), word.name, word.help);
	}
	print_options(file, "Options", command->options);
	print_options(file, "Options of all commands", OPTIONS_GLOBAL);
	fputs("\nExamples:\n", file);
	print_examples(file, command);
}

void help_print(FILE *file, const struct command *command)
{
	if (command)
		print_command(file, command);
	else
		print_overview(file);
}
