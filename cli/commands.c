/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Which commands are there? See commands.h. */
#include <stdint.h>
#include <string.h>

#include "cli/args.h"
#include "cli/commands.h"

static bool delete_word(size_t i, struct word *ret)
{
	*ret = (struct word){ "tenant", "one tenant, with its networks, guests and state" };
	return i == 0;
}

static bool flows_word(size_t i, struct word *ret)
{
	*ret = (struct word){ "delete", "cut flows: their next packet is judged as a new flow's first" };
	return i == 0;
}

static bool help_word(size_t i, struct word *ret)
{
	*ret = (struct word){ commands[i].name, commands[i].summary };
	return ret->name;
}

const struct command commands[] = {
	{
		.name = "check",
		.operands = "FILE...",
		.summary = "validate a definition",
		.text = "Reads and validates the files, which add up to one definition; - is standard input. "
			"Needs no privileges and looks at nothing but the files. "
			"All errors are reported at once, each as FILE:LINE:COLUMN.",
		.min = 1,
		.max = UINT32_MAX,
		.files = true,
		.run = cmd_check,
		.examples = { { "check lab.yaml", "validate one file" },
			      { "-j check tenants.yaml uplinks.yaml", "validate two files that belong together" } },
	},
	{
		.name = "plan",
		.operands = "FILE...",
		.summary = "print what apply would add, change and remove",
		.text = "Compares the definition with what is on the host and changes nothing. "
			"Directly after apply it prints no change.",
		.min = 1,
		.max = UINT32_MAX,
		.files = true,
		.run = cmd_plan,
		.examples = { { "plan lab.yaml", "what would apply do?" } },
	},
	{
		.name = "apply",
		.operands = "FILE...",
		.summary = "make the host match a definition",
		.text = "All or nothing: when it fails, the host is as it was before. "
			"The definition is the whole truth: what it no longer names is removed. "
			"Interfaces that do not exist yet are pending; apply again once they do. "
			"Nothing has to keep running afterwards.",
		.min = 1,
		.max = UINT32_MAX,
		.files = true,
		.run = cmd_apply,
		.examples = { { "apply lab.yaml", "make the host match lab.yaml" },
			      { "-j apply -", "read the definition from standard input and report in JSON" } },
	},
	{
		.name = "delete",
		.operands = "--all | tenant NAME",
		.summary = "detach, and remove state",
		.text = "With --all everything of guestlane leaves the host. "
			"With tenant NAME the last definition is applied without that tenant.",
		.options = OPTION(OPT_ALL),
		.min = 0,
		.max = 2,
		.word = delete_word,
		.run = cmd_delete,
		.examples = { { "delete tenant acme", "remove one tenant" }, { "delete --all", "remove everything" } },
	},
	{
		.name = "status",
		.operands = "",
		.summary = "show where programs are attached and how full maps are",
		.text = "One row for each uplink and guest interface, with the hook its programs run at and why, "
			"and one row for each map.",
		.run = cmd_status,
		.examples = { { "status", "what is attached where?" }, { "-p status", "the same in JSON, indented" } },
	},
	{
		.name = "show",
		.operands = "SUBJECT",
		.summary = "show live state",
		.text = "Everything of the SUBJECT, or what belongs to one tenant, network or interface; flows also by "
			"protocol, ends, state and group. --json has further columns, and numbers as they are.",
		.options = OPTIONS_WHO | OPTIONS_FLOW | OPTION(OPT_REASONS),
		.min = 1,
		.max = 1,
		.word = show_word,
		.run = cmd_show,
		.examples = { { "show interfaces --tenant acme", "one tenant's interfaces" },
			      { "show flows --tap tap-web1 --proto tcp --dport 443",
				"some connections of an interface" },
			      { "-j show flows", "all connections as JSON, streamed" },
			      { "show drops", "what was dropped, and why" },
			      { "show drops --reasons", "every reason there is" } },
	},
	{
		.name = "flows",
		.operands = "delete",
		.summary = "cut flows, by filter or all of them",
		.text = "Takes away what is known of the flows that the options name, in both directions, and prints "
			"how "
			"many they were. At least one option is needed, or --all. Their next packet is judged like the "
			"first of a new flow: what the definition still lets through goes on, but a TCP connection "
			"ends, as "
			"it must begin with its SYN (where the tenant does not say tcp_pickup). "
			"Endpoint-independent mappings of ports stay.",
		.options = OPTIONS_WHO | OPTIONS_FLOW | OPTION(OPT_ALL),
		.min = 1,
		.max = 1,
		.word = flows_word,
		.run = cmd_flows,
		.examples = { { "flows delete --tenant acme --src 10.0.0.11", "cut what one address has opened" },
			      { "flows delete --proto tcp --dport 22", "cut every connection to port 22" } },
	},
	{
		.name = "advertise",
		.operands = "",
		.summary = "send IPv6 router advertisements now",
		.text = "Guests are told about their router when they ask, and again with other traffic once the "
			"network's interval has gone by; nothing runs in the background for that. This tells them "
			"now: those of one tenant, network or interface, or all, and prints how many interfaces they "
			"were. A timer may call it where a strict period is wanted.",
		.options = OPTIONS_WHO,
		.run = cmd_advertise,
		.examples = { { "advertise", "tell all guests" },
			      { "advertise --network front", "tell the guests of one network" } },
	},
	{
		.name = "dump",
		.operands = "[MAP]",
		.summary = "print every entry of the raw maps, typed",
		.text = "One map, or all of them. The prefix gl_ of a map's name may be left out.",
		.max = 1,
		.word = dump_word,
		.run = cmd_dump,
		.examples = { { "dump gl_port", "interfaces as the programs see them" },
			      { "-j dump", "all maps as JSON, streamed" } },
	},
	{
		.name = "version",
		.operands = "",
		.summary = "print the version",
		.text = "With --json also the version of the map layout and every limit.",
		.run = cmd_version,
		.examples = { { "-p version", "all limits" } },
	},
	{
		.name = "help",
		.operands = "[COMMAND]",
		.summary = "explain a command",
		.text = "Without COMMAND: the list of commands.",
		.options = OPTION(OPT_MAN) | OPTION(OPT_COMPLETION),
		.max = 1,
		.word = help_word,
		.run = cmd_help,
		.examples = { { "help show", "what can be shown?" } },
	},
	{ 0 },
};

const struct command *command_find(const char *name)
{
	for (const struct command *command = commands; command->name; command++)
		if (!strcmp(command->name, name))
			return command;
	return NULL;
}

const char *command_name(void *arg, size_t i)
{
	(void)arg;
	return commands[i].name;
}

const char *command_word(void *arg, size_t i)
{
	const struct command *command = arg;
	struct word word;

	return command->word(i, &word) ? word.name : NULL;
}
