/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How are errors told? One a line on standard error, beginning with the place in the definition or `guestlane: `; with
 * --json also as a document on standard output, unless that has something else already. Neighbours: cli.h, diag.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"

int cli_usage(struct cli *cli, const char *fmt, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	fprintf(stderr, "guestlane: %s\n", text ? text : "wrong usage");
	free(text);
	if (cli->command)
		fprintf(stderr, "guestlane: see `guestlane help %s`\n", cli->command->name);
	else
		fprintf(stderr, "guestlane: see `guestlane help`\n");
	return CLI_USAGE;
}

static bool has_place(const struct gl_finding *finding)
{
	return finding->loc.file && finding->loc.line;
}

static void print_finding(const struct gl_finding *finding)
{
	const struct gl_loc *loc = &finding->loc;

	if (has_place(finding))
		fprintf(stderr, "%s:%u:%u: error: %s\n", loc->file, loc->line, loc->col, finding->text);
	else if (loc->file)
		fprintf(stderr, "guestlane: %s: %s\n", loc->file, finding->text);
	else
		fprintf(stderr, "guestlane: %s\n", finding->text);
}

static const struct out_column finding_columns[] = {
	{ "file", NULL, OUT_TEXT, NULL },
	{ "line", NULL, OUT_NUMBER, NULL },
	{ "column", NULL, OUT_NUMBER, NULL },
	{ "message", NULL, OUT_TEXT, NULL },
	{ 0 },
};

static void write_findings(struct cli *cli)
{
	struct out *o = &cli->out;

	out_object(o);
	out_table(o, "errors", NULL, finding_columns);
	for (size_t i = 0; i < cli->diag.count; i++) {
		const struct gl_finding *finding = &cli->diag.findings[i];

		out_text(o, "file", finding->loc.file);
		if (has_place(finding)) {
			out_number(o, "line", finding->loc.line);
			out_number(o, "column", finding->loc.col);
		} else {
			out_none(o, "line");
			out_none(o, "column");
		}
		out_text(o, "message", finding->text);
		out_row(o);
	}
	out_table_end(o, 0);
	out_close(o, 0);
}

int cli_report(struct cli *cli, int err)
{
	bool definition = false;

	if (!cli->diag.count)
		gl_diag_add(&cli->diag, (struct gl_loc){ 0 }, "%s: %s%s", cli->command->name, strerror(-err),
			    err == -EPERM || err == -EACCES ? " (needs root)" : "");
	gl_diag_sort(&cli->diag);
	fflush(stdout);
	for (size_t i = 0; i < cli->diag.count; i++) {
		print_finding(&cli->diag.findings[i]);
		definition |= has_place(&cli->diag.findings[i]);
	}
	if (cli->args.json && !cli->out.started)
		write_findings(cli);
	return definition && err == -EINVAL ? 2 : 1;
}

int cli_open(struct cli *cli, struct gl_host **ret)
{
	struct gl_paths paths = { .bpffs = cli->args.bpffs, .state = cli->args.state };

	return gl_host_open(&paths, ret, &cli->diag);
}

int cli_load(struct cli *cli, struct gl_definition **ret)
{
	return gl_definition_load((const char *const *)cli->operands, cli->count, ret, &cli->diag);
}

struct gl_filter cli_filter(const struct cli *cli)
{
	return (struct gl_filter){ .tenant = cli->args.tenant, .network = cli->args.network, .tap = cli->args.tap };
}
