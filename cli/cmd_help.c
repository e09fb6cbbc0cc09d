/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* `guestlane help`: explains a command. The install script asks it for the man page and the completion, too. */
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"

int cmd_help(struct cli *cli)
{
	const char *shell = cli->args.completion;

	if (shell && strcmp(shell, "bash"))
		return cli_usage(cli, "there is a completion for bash alone, not for '%s'", shell);
	if (shell)
		completion_print(stdout);
	else if (cli->args.man)
		man_print(stdout);
	else
		help_print(stdout, cli->count ? command_find(cli->operands[0]) : NULL);
	return 0;
}
