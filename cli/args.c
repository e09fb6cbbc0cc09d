/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What was asked for? See args.h. */
#include "cli/args.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/nearest.h"

#define FLAG(id, long_name, short_name, text, member)                                                                  \
	[id] = { .name = (long_name), .letter = (short_name), .help = (text), .offset = offsetof(struct args, member) }
#define VALUE(id, long_name, value_name, text, member)                                                                 \
	[id] = { .name = (long_name), .value = (value_name), .help = (text), .offset = offsetof(struct args, member) }
#define HIDDEN(id, long_name, value_name, text, member)                                                                \
	[id] = { .name = (long_name),                                                                                  \
		 .value = (value_name),                                                                                \
		 .help = (text),                                                                                       \
		 .offset = offsetof(struct args, member),                                                              \
		 .hidden = true }

const struct option_row option_rows[OPT_COUNT] = {
	FLAG(OPT_JSON, "json", 'j', "print one JSON document", json),
	FLAG(OPT_PRETTY, "pretty", 'p', "print JSON indented; implies --json", pretty),
	VALUE(OPT_BPFFS, "bpffs", "DIR", "where maps and links are pinned; default /sys/fs/bpf/guestlane", bpffs),
	VALUE(OPT_STATE, "state", "DIR", "where the applied definition and the lock are; default /run/guestlane",
	      state),
	FLAG(OPT_HELP, "help", 'h', "print help for the command", help),
	FLAG(OPT_VERSION, "version", 'V', "print the version", version),
	FLAG(OPT_ALL, "all", 0, "everything", all),
	VALUE(OPT_TENANT, "tenant", "NAME", "only what belongs to this tenant", tenant),
	VALUE(OPT_NETWORK, "network", "NAME", "only what belongs to networks of this name", network),
	VALUE(OPT_TAP, "tap", "TAP", "only what belongs to this interface of the host", tap),
	VALUE(OPT_PROTO, "proto", "PROTO", "only flows of this protocol: tcp, udp, icmp, icmpv6, sctp or a number",
	      proto),
	VALUE(OPT_SRC, "src", "ADDRESS", "only flows opened from this address or prefix, before or after translation",
	      src),
	VALUE(OPT_DST, "dst", "ADDRESS", "only flows opened to this address or prefix, before or after translation",
	      dst),
	VALUE(OPT_SPORT, "sport", "PORTS", "only flows opened from this port, or range A-B of ports", sport),
	VALUE(OPT_DPORT, "dport", "PORTS", "only flows opened to this port, or range A-B of ports", dport),
	VALUE(OPT_FLOW_STATE, "flow-state", "STATES", "only flows in one of these states, as the output names them",
	      flow_state),
	VALUE(OPT_GROUP, "group", "NAME", "only this security group, or flows that it let through", group),
	FLAG(OPT_REASONS, "reasons", 0, "list every reason there is, with its meaning", reasons),
	HIDDEN(OPT_MAN, "man", NULL, "print the man page", man),
	HIDDEN(OPT_COMPLETION, "completion", "SHELL", "print the completion for a shell", completion),
};

/* getopt's answer for option `id`: above every letter. */
#define LONG(id) (256 + (id))

static void make_tables(struct option *longs, char *shorts)
{
	size_t n = 0;

	shorts[n++] = ':'; /* a missing argument is not an unknown option */
	for (int id = 0; id < OPT_COUNT; id++) {
		const struct option_row *row = &option_rows[id];

		longs[id] = (struct option){ .name = row->name, .has_arg = row->value != NULL, .val = LONG(id) };
		if (!row->letter)
			continue;
		shorts[n++] = row->letter;
		if (row->value)
			shorts[n++] = ':';
	}
	longs[OPT_COUNT] = (struct option){ 0 };
	shorts[n] = 0;
}

static const char *option_name(void *arg, size_t i)
{
	(void)arg;
	return i < OPT_COUNT ? option_rows[i].name : NULL;
}

/* getopt_long leaves the rejected letter in optopt, or 0 for a long option. */
static int say_unknown(char **argv, char **error)
{
	const char *word = argv[optind - 1];
	const char *near;

	if (optopt && optopt < LONG(0)) {
		if (asprintf(error, "unknown option '-%c'", optopt) < 0)
			*error = NULL;
		return -EINVAL;
	}
	if (optopt) {
		if (asprintf(error, "option '--%s' takes no value", option_rows[optopt - LONG(0)].name) < 0)
			*error = NULL;
		return -EINVAL;
	}
	near = nearest(strncmp(word, "--", 2) ? word : word + 2, option_name, NULL);
	if (asprintf(error, "unknown option '%s'%s%s%s", word, near ? "; did you mean '--" : "", near ? near : "",
		     near ? "'?" : "") < 0)
		*error = NULL;
	return -EINVAL;
}

static int say_missing(const struct option_row *row, char **error)
{
	if (asprintf(error, "option '--%s' needs a value: %s", row->name, row->value) < 0)
		*error = NULL;
	return -EINVAL;
}

static int find_letter(int letter)
{
	for (int id = 0; id < OPT_COUNT; id++)
		if (option_rows[id].letter == letter)
			return id;
	return OPT_COUNT;
}

int args_parse(int argc, char **argv, struct args *args, char **error)
{
	struct option longs[OPT_COUNT + 1];
	char shorts[2 * OPT_COUNT + 2];
	int found;

	*args = (struct args){ 0 };
	make_tables(longs, shorts);
	opterr = 0;
	while ((found = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct option_row *row;
		int id;

		if (found == '?')
			return say_unknown(argv, error);
		if (found == ':')
			return say_missing(&option_rows[optopt - LONG(0)], error);
		id = found >= LONG(0) ? found - LONG(0) : find_letter(found);
		row = &option_rows[id];
		args->given |= OPTION(id);
		if (!row->value)
			*(bool *)((char *)args + row->offset) = true;
		else if (!*optarg)
			return say_missing(row, error);
		else
			*(const char **)((char *)args + row->offset) = optarg;
	}
	args->json |= args->pretty;
	args->operands = argv + optind;
	args->count = (size_t)(argc - optind);
	return 0;
}
