/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* `guestlane show groups`: which rules are in force, for whom, and which flows has each let through? The definition
 * last applied, joined with the flows alive. In JSON one array, whose rows tell their `kind`. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "cli/human.h"
#include "cli/show.h"

#define PREFIX_LEN 64
#define MEMBERS_SHOWN 4

/* Flows alive; packets and bytes of both directions. */
struct tally {
	uint64_t flows, stale; /* stale: of these, let through by a configuration before this one */
	uint64_t packets, bytes;
};

struct group {
	const struct gl_tenant *tenant;
	const struct gl_group *def;
	struct tally all;
	struct tally *rules[2]; /* by enum gl_direction; [0]: without a rule, then by number */
};

struct groups {
	struct group *items; /* by tenant, then name */
	size_t count;
};

static int compare(const void *va, const void *vb)
{
	const struct group *a = va, *b = vb;
	int by = strcmp(a->tenant->name.s, b->tenant->name.s);

	return by ? by : strcmp(a->def->name.s, b->def->name.s);
}

static bool wanted(const char *wish, const char *name)
{
	return !wish || !strcmp(wish, name);
}

static bool is_member(const struct gl_interface *iface, const char *group)
{
	for (size_t i = 0; i < iface->group_count; i++)
		if (!strcmp(iface->groups[i].s, group))
			return true;
	return false;
}

/* Members that --network and --tap leave; their names in `ret`, joined by commas, the first `most` of them. */
static size_t members(const struct cli *cli, const struct group *group, size_t most, FILE *ret)
{
	size_t n = 0;

	for (size_t g = 0; g < group->tenant->guest_count; g++) {
		const struct gl_guest *guest = &group->tenant->guests[g];

		for (size_t i = 0; i < guest->interface_count; i++) {
			const struct gl_interface *iface = &guest->interfaces[i];

			if (!is_member(iface, group->def->name.s) || !wanted(cli->args.network, iface->network.s) ||
			    !wanted(cli->args.tap, iface->tap.s))
				continue;
			if (ret && n < most)
				fprintf(ret, "%s%s", n ? "," : "", iface->tap.s);
			n++;
		}
	}
	if (ret && n > most)
		fprintf(ret, " and %zu more", n - most);
	return n;
}

static void groups_free(struct groups *groups)
{
	for (size_t i = 0; i < groups->count; i++)
		for (int dir = 0; dir < 2; dir++)
			free(groups->items[i].rules[dir]);
	free(groups->items);
}

static int groups_make(const struct cli *cli, const struct gl_definition *def, struct groups *ret)
{
	bool filtered = cli->args.network || cli->args.tap;
	size_t total = 0;

	for (size_t t = 0; def && t < def->tenant_count; t++)
		total += def->tenants[t].group_count;
	ret->items = calloc(total + 1, sizeof(*ret->items));
	if (!ret->items)
		return -ENOMEM;
	for (size_t t = 0; def && t < def->tenant_count; t++) {
		const struct gl_tenant *tenant = &def->tenants[t];

		for (size_t g = 0; g < tenant->group_count && wanted(cli->args.tenant, tenant->name.s); g++) {
			struct group group = { .tenant = tenant, .def = &tenant->groups[g] };

			if (!wanted(cli->args.group, group.def->name.s) || (filtered && !members(cli, &group, 0, NULL)))
				continue;
			for (int dir = 0; dir < 2; dir++)
				group.rules[dir] = calloc(group.def->rule_count[dir] + 1, sizeof(struct tally));
			ret->items[ret->count++] = group;
			if (!group.rules[0] || !group.rules[1])
				return -ENOMEM;
		}
	}
	if (ret->count)
		qsort(ret->items, ret->count, sizeof(*ret->items), compare);
	return 0;
}

/* ---- the flows ---------------------------------------------------------------------------------------------- */

static struct group *find(const struct groups *groups, const char *tenant, const char *name)
{
	const struct gl_tenant t = { .name = { .s = (char *)tenant } };
	const struct gl_group g = { .name = { .s = (char *)name } };
	const struct group like = { .tenant = &t, .def = &g };

	return groups->count ? bsearch(&like, groups->items, groups->count, sizeof(like), compare) : NULL;
}

static void add_flow(struct tally *tally, const struct gl_flow_row *row)
{
	tally->flows++;
	tally->stale += row->stale;
	tally->packets += row->packets + row->reply_packets;
	tally->bytes += row->bytes + row->reply_bytes;
}

static int count_flow(void *arg, const struct gl_flow_row *row)
{
	const struct groups *groups = arg;
	const struct group *seen = NULL;

	for (int dir = 0; dir < 2; dir++) {
		const struct gl_flow_end *end = &row->admitted[dir];
		struct group *group = end->group ? find(groups, row->tenant, end->group) : NULL;

		if (!group)
			continue;
		/* A stale flow may name a rule that is no more. */
		if (end->rule <= group->def->rule_count[dir])
			add_flow(&group->rules[dir][end->rule], row);
		if (group != seen)
			add_flow(&group->all, row);
		seen = group;
	}
	return 0;
}

/* ---- the tables --------------------------------------------------------------------------------------------- */

static const struct out_column group_columns[] = {
	{ "kind", NULL, OUT_TEXT, NULL },
	{ "tenant", "TENANT", OUT_TEXT, NULL },
	{ "group", "GROUP", OUT_TEXT, NULL },
	{ "ingress_rules", "INGRESS RULES", OUT_NUMBER, NULL },
	{ "egress_rules", NULL, OUT_NUMBER, NULL },
	{ NULL, "EGRESS RULES", OUT_TEXT, NULL },
	{ "flows", "FLOWS", OUT_COUNT, NULL },
	{ "stale_flows", "STALE", OUT_COUNT, NULL },
	{ "packets", "PACKETS", OUT_COUNT, NULL },
	{ "bytes", "BYTES", OUT_COUNT, NULL },
	{ "members", NULL, OUT_WORDS, NULL },
	{ NULL, "MEMBERS", OUT_TEXT, NULL },
	{ 0 },
};

static void put_tally(struct out *o, const struct tally *tally)
{
	out_number(o, "flows", tally->flows);
	out_number(o, "stale_flows", tally->stale);
	out_number(o, "packets", tally->packets);
	out_number(o, "bytes", tally->bytes);
}

static int put_members(struct cli *cli, const char *name, const struct group *group, size_t most)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return -ENOMEM;
	members(cli, group, most, file);
	if (fclose(file)) {
		free(text);
		return -ENOMEM;
	}
	out_text(&cli->out, name, text);
	free(text);
	return 0;
}

static int group_row(struct cli *cli, const struct group *group)
{
	struct out *o = &cli->out;
	int err;

	out_text(o, "kind", "group");
	out_text(o, "tenant", group->tenant->name.s);
	out_text(o, "group", group->def->name.s);
	out_number(o, "ingress_rules", group->def->rule_count[GL_INGRESS]);
	if (group->def->egress_given) {
		out_number(o, "egress_rules", group->def->rule_count[GL_EGRESS]);
		out_format(o, "EGRESS RULES", "%zu", group->def->rule_count[GL_EGRESS]);
	} else {
		out_none(o, "egress_rules");
		out_text(o, "EGRESS RULES", "all");
	}
	put_tally(o, &group->all);
	err = put_members(cli, "members", group, SIZE_MAX);
	if (!err)
		err = put_members(cli, "MEMBERS", group, MEMBERS_SHOWN);
	return err ? err : out_row(o);
}

static const struct out_column rule_columns[] = {
	{ "kind", NULL, OUT_TEXT, NULL },
	{ "tenant", "TENANT", OUT_TEXT, NULL },
	{ "group", "GROUP", OUT_TEXT, NULL },
	{ "direction", "DIRECTION", OUT_TEXT, NULL },
	{ "rule", NULL, OUT_NUMBER, NULL },
	{ NULL, "RULE", OUT_TEXT, NULL },
	{ "proto", "PROTO", OUT_TEXT, NULL },
	{ "ports", NULL, OUT_WORDS, NULL },
	{ "icmp_type", NULL, OUT_NUMBER, NULL },
	{ "icmp_code", NULL, OUT_NUMBER, NULL },
	{ NULL, "PORTS", OUT_TEXT, NULL },
	{ "remote_ip", NULL, OUT_TEXT, NULL },
	{ "remote_group", NULL, OUT_TEXT, NULL },
	{ NULL, "REMOTE", OUT_TEXT, NULL },
	{ "flows", "FLOWS", OUT_COUNT, NULL },
	{ "stale_flows", "STALE", OUT_COUNT, NULL },
	{ "packets", "PACKETS", OUT_COUNT, NULL },
	{ "bytes", "BYTES", OUT_COUNT, NULL },
	{ 0 },
};

/* "80,8000-8010" */
static int put_port_list(struct out *o, const char *name, const struct gl_rule *rule)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return -ENOMEM;
	for (size_t i = 0; i < rule->port_count; i++) {
		const struct gl_port_span *span = &rule->ports[i];

		fprintf(file, "%s%u", i ? "," : "", span->first);
		if (span->last != span->first)
			fprintf(file, "-%u", span->last);
	}
	if (fclose(file)) {
		free(text);
		return -ENOMEM;
	}
	out_text(o, name, text);
	free(text);
	return 0;
}

/* ICMP has a type and a code where the others have ports. */
static int put_icmp(struct out *o, const struct gl_rule *rule)
{
	const struct gl_port_span *span = rule->ports;
	bool code = span->first == span->last;

	out_none(o, "ports");
	out_number(o, "icmp_type", span->first >> 8);
	if (code) {
		out_number(o, "icmp_code", span->first & 0xff);
		out_format(o, "PORTS", "type %u code %u", span->first >> 8, span->first & 0xff);
	} else {
		out_none(o, "icmp_code");
		out_format(o, "PORTS", "type %u", span->first >> 8);
	}
	return 0;
}

static int put_ports(struct out *o, const struct gl_rule *rule)
{
	int err;

	if (rule && rule->port_count && (rule->proto == IPPROTO_ICMP || rule->proto == IPPROTO_ICMPV6))
		return put_icmp(o, rule);
	if (!rule || !rule->port_count) {
		out_none(o, "ports");
		out_none(o, "icmp_type");
		out_none(o, "icmp_code");
		out_text(o, "PORTS", "all");
		return 0;
	}
	err = put_port_list(o, "ports", rule);
	out_none(o, "icmp_type");
	out_none(o, "icmp_code");
	return err ? err : put_port_list(o, "PORTS", rule);
}

static void put_remote(struct out *o, const struct gl_rule *rule)
{
	bool group = rule && rule->remote_group.s, prefix = rule && rule->remote_ip.family;
	char buf[PREFIX_LEN];

	out_text(o, "remote_ip", prefix ? gl_prefix_format(&rule->remote_ip, buf) : NULL);
	out_text(o, "remote_group", group ? rule->remote_group.s : NULL);
	if (group)
		out_format(o, "REMOTE", "group %s", rule->remote_group.s);
	else
		out_text(o, "REMOTE", prefix ? gl_prefix_format(&rule->remote_ip, buf) : "any");
}

/* Number 0: what holds without a rule. */
static int rule_row(struct out *o, const struct group *group, enum gl_direction dir, size_t number)
{
	const struct gl_rule *rule = number ? &group->def->rules[dir][number - 1] : NULL;
	char buf[HUMAN_LEN];
	int err;

	out_text(o, "kind", "rule");
	out_text(o, "tenant", group->tenant->name.s);
	out_text(o, "group", group->def->name.s);
	out_text(o, "direction", dir == GL_INGRESS ? "ingress" : "egress");
	if (rule) {
		out_number(o, "rule", number);
		out_format(o, "RULE", "%zu", number);
	} else {
		out_none(o, "rule");
		out_text(o, "RULE", "all");
	}
	out_text(o, "proto", rule && !rule->any_proto ? human_proto(rule->proto, buf) : "any");
	err = put_ports(o, rule);
	if (err)
		return err;
	put_remote(o, rule);
	put_tally(o, &group->rules[dir][number]);
	return out_row(o);
}

static int rule_rows(struct out *o, const struct group *group)
{
	int err = 0;

	for (size_t i = 1; i <= group->def->rule_count[GL_INGRESS] && !err; i++)
		err = rule_row(o, group, GL_INGRESS, i);
	if (!err && !group->def->egress_given)
		err = rule_row(o, group, GL_EGRESS, 0);
	for (size_t i = 1; i <= group->def->rule_count[GL_EGRESS] && !err; i++)
		err = rule_row(o, group, GL_EGRESS, i);
	return err;
}

static int print_groups(struct cli *cli, const struct groups *groups)
{
	struct out *o = &cli->out;
	int err = 0;

	out_array(o);
	out_table(o, NULL, "Groups", group_columns);
	for (size_t i = 0; i < groups->count && !err; i++)
		err = group_row(cli, &groups->items[i]);
	out_table_end(o, err);
	if (!err) {
		out_table_if_any(o, NULL, "Rules", rule_columns);
		for (size_t i = 0; i < groups->count && !err; i++)
			err = rule_rows(o, &groups->items[i]);
		out_table_end(o, err);
	}
	return out_close(o, err);
}

int show_groups(struct cli *cli, struct gl_host *host)
{
	struct gl_flow_filter filter = { .who = cli_filter(cli), .group = cli->args.group };
	const struct gl_definition *def = NULL;
	struct groups groups = { 0 };
	int err = show_applied(cli, host, &def);

	/* The members of --network and --tap choose the groups; the rules' figures are of all their flows. */
	filter.who.network = filter.who.tap = NULL;
	if (!err)
		err = groups_make(cli, def, &groups);
	if (!err && groups.count)
		err = gl_each_flow(host, &filter, count_flow, &groups, &cli->diag);
	if (!err)
		err = print_groups(cli, &groups);
	groups_free(&groups);
	return err;
}
