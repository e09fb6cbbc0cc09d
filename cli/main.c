/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* From arguments to an exit status: 0 done; 1 it failed and nothing changed; 2 usage or a bad definition.
 * Neighbours: commands.c (the commands), args.c (the options), report.c (errors). */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/nearest.h"

static int say_unknown(struct cli *cli, const char *what, const char *word, const char *near)
{
	if (near)
		return cli_usage(cli, "unknown %s '%s'; did you mean '%s'?", what, word, near);
	return cli_usage(cli, "unknown %s '%s'", what, word);
}

static int check_options(struct cli *cli)
{
	unsigned foreign = cli->args.given & ~(OPTIONS_GLOBAL | cli->command->options);

	for (int id = 0; id < OPT_COUNT; id++)
		if (foreign & OPTION(id))
			return cli_usage(cli, "%s takes no option '--%s'", cli->command->name, option_rows[id].name);
	return 0;
}

static int check_operands(struct cli *cli)
{
	const struct command *command = cli->command;
	struct word word;

	if (cli->count < command->min && command->word)
		return cli_usage(cli, "%s needs a word: what to %s", command->name, command->name);
	if (cli->count < command->min)
		return cli_usage(cli, "%s needs a FILE, or - for standard input", command->name);
	if (cli->count > command->max)
		return cli_usage(cli, "%s: '%s' is one word too many", command->name, cli->operands[command->max]);
	if (!command->word || !cli->count)
		return 0;
	for (size_t i = 0; command->word(i, &word); i++)
		if (!strcmp(word.name, cli->operands[0]))
			return 0;
	/* The raw maps are known by a second name, too; dump looks itself. */
	if (command->run == cmd_dump)
		return 0;
	return say_unknown(cli, command->run == cmd_help ? "command" : "word", cli->operands[0],
			   nearest(cli->operands[0], command_word, (void *)command));
}

static int find_command(struct cli *cli)
{
	const struct args *args = &cli->args;
	int status;

	if (args->version) {
		cli->command = command_find("version");
		return 0;
	}
	if (!args->count && args->help) {
		cli->command = command_find("help");
		return 0;
	}
	if (!args->count) {
		help_print(stderr, NULL);
		fputs("guestlane: a command is missing\n", stderr);
		return CLI_USAGE;
	}
	cli->command = command_find(args->operands[0]);
	if (!cli->command)
		return say_unknown(cli, "command", args->operands[0], nearest(args->operands[0], command_name, NULL));
	cli->operands = args->operands + 1;
	cli->count = args->count - 1;
	status = check_options(cli);
	if (!status && !args->help)
		status = check_operands(cli);
	return status;
}

static int run(struct cli *cli)
{
	int err = find_command(cli);

	if (err)
		return err;
	if (cli->args.help) {
		help_print(stdout, cli->args.count ? cli->command : NULL);
		return 0;
	}
	return cli->command->run(cli);
}

/* Writing to a reader that has gone is no failure: it had enough. */
static int finish(struct cli *cli, int err)
{
	bool lost;

	errno = 0;
	lost = fflush(stdout) || ferror(stdout);
	if (lost && !cli->out.error)
		cli->out.error = errno ? -errno : -EIO;
	if (cli->out.error == -EPIPE)
		return err > 0 ? err : 0;
	if (cli->out.error) {
		fprintf(stderr, "guestlane: cannot write the output: %s%s\n", strerror(-cli->out.error),
			cli->changed ? " (the change itself was made)" : "");
		return cli->changed ? 0 : 1;
	}
	return err < 0 ? cli_report(cli, err) : err;
}

int main(int argc, char **argv)
{
	static char buffer[1 << 16];
	struct cli cli = { 0 };
	char *error = NULL;
	int status;

	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	if (args_parse(argc, argv, &cli.args, &error)) {
		status = cli_usage(&cli, "%s", error ? error : strerror(ENOMEM));
	} else {
		out_init(&cli.out, stdout, cli.args.json, cli.args.pretty, out_wants_color(stdout));
		status = finish(&cli, run(&cli));
	}
	free(error);
	out_free(&cli.out);
	gl_diag_clear(&cli.diag);
	return status;
}
