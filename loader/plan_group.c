/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Which rules do the maps hold of each security group, in words? Put together again from the prefixes that they became.
 * A rule that an interface's other groups hold as well stands in the maps once, for one of them.
 * Neighbours: plan.h, plan_object.c (who asks), compile_rule.c (the way here). */
#include "loader/ipentry.h"
#include "loader/plan.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What rules name as the other end, in the order of the words. */
enum end { END_ANY, END_PREFIX, END_GROUP };

/* What they let through: all there is, any protocol, all of one, or single ports and ranges. */
enum what { WHAT_ALL, WHAT_ANY, WHAT_PROTO, WHAT_PORTS };

struct gl_plan_rule {
	uint32_t group;
	uint8_t direction, end;
	uint8_t what;
	uint16_t number; /* as in gl_rule_val; not part of the comparison in words */
	uint32_t remote; /* END_GROUP: number */
	struct gl_prefix prefix; /* END_PREFIX */
	uint8_t proto;
	uint16_t first, last;
};

/* Where in gl_remote4 or gl_remote6 a node's prefix is. */
struct node {
	uint32_t policy_dir, node;
	struct gl_prefix prefix;
};

/* A policy that a group is part of, by one of the interfaces that have it. */
struct gl_plan_member {
	uint32_t group, policy;
	const struct gl_port_val *port;
};

static int member_compare(const void *left, const void *right)
{
	const struct gl_plan_member *a = left, *b = right;

	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	return a->policy < b->policy ? -1 : a->policy > b->policy;
}

static int list_members(const struct gl_mapset *set, struct gl_plan_rules *ret)
{
	size_t first, count = gl_mapset_range(set, GL_MAP_PORT, &first), used = 0, kept = 0;
	struct gl_plan_member *members = malloc((count * GL_PORT_GROUPS + 1) * sizeof(*members));

	if (!members)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct gl_port_val *port = gl_mapset_at(set, first + i)->val;

		for (unsigned k = 0; k < port->group_count && k < GL_PORT_GROUPS; k++)
			members[used++] = (struct gl_plan_member){ port->group[k], port->policy, port };
	}
	if (used)
		qsort(members, used, sizeof(*members), member_compare);
	for (size_t i = 0; i < used; i++)
		if (!kept || member_compare(&members[kept - 1], &members[i]))
			members[kept++] = members[i];
	ret->members = members;
	ret->member_count = kept;
	return 0;
}

static int node_compare(const void *left, const void *right)
{
	const struct node *a = left, *b = right;

	if (a->policy_dir != b->policy_dir)
		return a->policy_dir < b->policy_dir ? -1 : 1;
	return a->node < b->node ? -1 : a->node > b->node;
}

static int rule_compare(const void *left, const void *right)
{
	const struct gl_plan_rule *a = left, *b = right;
	int order;

	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	if (a->direction != b->direction)
		return a->direction < b->direction ? -1 : 1;
	if (a->end != b->end)
		return a->end < b->end ? -1 : 1;
	if (a->remote != b->remote)
		return a->remote < b->remote ? -1 : 1;
	order = gl_prefix_compare(&a->prefix, &b->prefix);
	if (order)
		return order;
	if (a->what != b->what)
		return a->what < b->what ? -1 : 1;
	if (a->proto != b->proto)
		return a->proto < b->proto ? -1 : 1;
	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return a->last < b->last ? -1 : a->last > b->last;
}

static bool same_but_ports(const struct gl_plan_rule *a, const struct gl_plan_rule *b)
{
	return a->group == b->group && a->direction == b->direction && a->end == b->end && a->remote == b->remote &&
	       !gl_prefix_compare(&a->prefix, &b->prefix) && a->what == b->what && a->proto == b->proto;
}

static struct gl_plan_rule to_rule(const struct gl_rule_key *key, const struct gl_rule_val *val,
				   const struct node *nodes, size_t node_count)
{
	struct gl_plan_rule rule = {
		.group = val->group,
		.number = val->number,
		.direction = key->policy_dir & 1,
		.what = key->len == GL_RULE_ANY	    ? WHAT_ANY
			: key->len == GL_RULE_PROTO ? WHAT_PROTO
						    : WHAT_PORTS,
		.proto = key->proto,
	};
	struct node wanted = { .policy_dir = key->policy_dir, .node = key->node };
	const struct node *found;

	if (rule.what == WHAT_PORTS) {
		rule.first = key->port;
		rule.last = (uint16_t)(rule.first | ((1u << (GL_RULE_PORT - key->len)) - 1));
	}
	if (key->node & GL_NODE_GROUP) {
		rule.end = END_GROUP;
		rule.remote = key->node & ~GL_NODE_GROUP;
	} else if (key->node != GL_NODE_ANY) {
		found = node_count ? bsearch(&wanted, nodes, node_count, sizeof(*nodes), node_compare) : NULL;
		rule.end = END_PREFIX;
		if (found)
			rule.prefix = found->prefix;
	}
	return rule;
}

static int list_nodes(const struct gl_mapset *set, struct node **ret, size_t *ret_count)
{
	/* The two maps stand one behind the other. */
	size_t first, first6,
		count = gl_mapset_range(set, GL_MAP_REMOTE4, &first) + gl_mapset_range(set, GL_MAP_REMOTE6, &first6);
	struct node *nodes = malloc((count + 1) * sizeof(*nodes));

	if (!nodes)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct gl_remote remote = gl_remote_of(gl_mapset_at(set, first + i));
		const struct gl_remote_val *val = gl_mapset_at(set, first + i)->val;

		nodes[i] = (struct node){ .policy_dir = remote.policy_dir, .node = val->node, .prefix = remote.prefix };
	}
	if (count)
		qsort(nodes, count, sizeof(*nodes), node_compare);
	*ret = nodes;
	*ret_count = count;
	return 0;
}

/* Each rule once, whatever number of policies holds it, and ports that follow each other as one range. */
static size_t join(struct gl_plan_rule *rules, size_t count)
{
	size_t kept = 0;

	if (count)
		qsort(rules, count, sizeof(*rules), rule_compare);
	for (size_t i = 0; i < count; i++) {
		struct gl_plan_rule *last = kept ? &rules[kept - 1] : NULL;
		bool icmp = rules[i].proto == IPPROTO_ICMP || rules[i].proto == IPPROTO_ICMPV6;

		if (last && same_but_ports(last, &rules[i]) && rules[i].last <= last->last)
			continue;
		if (last && same_but_ports(last, &rules[i]) && !icmp && rules[i].first <= (uint32_t)last->last + 1)
			last->last = rules[i].last;
		else
			rules[kept++] = rules[i];
	}
	return kept;
}

int gl_plan_rules_list(const struct gl_mapset *set, struct gl_plan_rules *ret)
{
	size_t first, first_policy, count = gl_mapset_range(set, GL_MAP_RULE, &first);
	size_t policies = gl_mapset_range(set, GL_MAP_POLICY, &first_policy), node_count = 0, used = 0;
	struct gl_plan_rule *rules = calloc(count + 2 * policies + 1, sizeof(*rules));
	struct node *nodes = NULL;
	int err = rules ? list_nodes(set, &nodes, &node_count) : -ENOMEM;

	if (err) {
		free(rules);
		return err;
	}
	for (size_t i = 0; i < count; i++) {
		const struct gl_rule_key *key = gl_mapset_at(set, first + i)->key;
		const struct gl_rule_val *val = gl_mapset_at(set, first + i)->val;

		rules[used++] = to_rule(key, val, nodes, node_count);
	}
	for (size_t i = 0; i < policies; i++) {
		const struct gl_policy_val *val = gl_mapset_at(set, first_policy + i)->val;

		for (uint8_t direction = GL_INGRESS; direction <= GL_EGRESS; direction++)
			if (val->flags[direction] & GL_POLICY_F_ALL)
				rules[used++] = (struct gl_plan_rule){ .group = val->all_group[direction],
								       .direction = direction };
	}
	free(nodes);
	ret->items = rules;
	ret->count = join(rules, used);
	err = list_members(set, ret);
	if (err)
		gl_plan_rules_clear(ret);
	return err;
}

void gl_plan_rules_clear(struct gl_plan_rules *rules)
{
	free(rules->items);
	free(rules->members);
	*rules = (struct gl_plan_rules){ 0 };
}

static void tell_proto(FILE *file, const struct gl_plan_rule *rule)
{
	static const struct {
		uint8_t proto;
		const char *name;
	} names[] = { { IPPROTO_TCP, "tcp" },
		      { IPPROTO_UDP, "udp" },
		      { IPPROTO_SCTP, "sctp" },
		      { IPPROTO_ICMP, "icmp" },
		      { IPPROTO_ICMPV6, "icmpv6" } };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].proto == rule->proto) {
			fprintf(file, "%s", names[i].name);
			return;
		}
	fprintf(file, "protocol %u", rule->proto);
}

static void tell_rule(FILE *file, const struct gl_mapset *set, const struct gl_plan_rule *rule)
{
	struct gl_name_key key = { .kind = GL_NAME_GROUP, .index = rule->remote };
	const struct gl_entry *entry;
	char buf[50];
	const char *name, *slash;

	if (rule->what <= WHAT_ANY)
		fprintf(file, "%s", rule->what == WHAT_ANY ? "any" : "all");
	else
		tell_proto(file, rule);
	if (rule->what == WHAT_PORTS) {
		if (rule->proto != IPPROTO_ICMP && rule->proto != IPPROTO_ICMPV6)
			fprintf(file, " %u", rule->first);
		else
			fprintf(file, " type %u", rule->first >> 8);
		if (rule->proto != IPPROTO_ICMP && rule->proto != IPPROTO_ICMPV6 && rule->last != rule->first)
			fprintf(file, "-%u", rule->last);
		else if ((rule->proto == IPPROTO_ICMP || rule->proto == IPPROTO_ICMPV6) && rule->last == rule->first)
			fprintf(file, " code %u", rule->first & 0xff);
	}
	if (rule->end == END_ANY)
		return;
	fprintf(file, rule->direction == GL_INGRESS ? " from " : " to ");
	if (rule->end == END_PREFIX) {
		fprintf(file, "%s", gl_prefix_format(&rule->prefix, buf));
		return;
	}
	entry = gl_mapset_find(set, GL_MAP_NAME, &key);
	name = entry ? ((const struct gl_name_val *)entry->val)->name : "";
	slash = strchr(name, '/'); /* of the same tenant */
	fprintf(file, "group %s", slash ? slash + 1 : name);
}

/* The group's first rule of that direction goes to *ret. */
static size_t own_rules(const struct gl_plan_rules *rules, uint32_t group, enum gl_direction direction,
			const struct gl_plan_rule **ret)
{
	size_t low = 0, high = rules->count, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct gl_plan_rule *rule = &rules->items[middle];

		if (rule->group < group || (rule->group == group && rule->direction < direction))
			low = middle + 1;
		else
			high = middle;
	}
	end = low;
	while (end < rules->count && rules->items[end].group == group && rules->items[end].direction == direction)
		end++;
	*ret = &rules->items[low];
	return end - low;
}

static char *rules_text(const struct gl_mapset *set, const struct gl_plan_rule *rules, size_t count)
{
	size_t size = 0;
	char *buf = NULL;
	FILE *file = open_memstream(&buf, &size);
	bool bad;

	if (!file)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (i)
			fputc('\n', file);
		tell_rule(file, set, &rules[i]);
	}
	bad = ferror(file);
	if (fclose(file) || bad) {
		free(buf);
		return NULL;
	}
	return buf;
}

char *gl_plan_rules_text(const struct gl_mapset *set, const struct gl_plan_rules *rules, uint32_t group,
			 enum gl_direction direction)
{
	const struct gl_plan_rule *own;
	size_t count = own_rules(rules, group, direction, &own);

	return rules_text(set, own, count);
}

/* What the policy's other groups have; *all when one of them lets everything through. */
static size_t others_rules(const struct gl_plan_rules *rules, const struct gl_plan_member *member,
			   enum gl_direction direction, struct gl_plan_rule **ret, bool *all)
{
	struct gl_plan_rule *list = malloc((rules->count + 1) * sizeof(*list));
	size_t count = 0, kept = 0;

	*ret = list;
	*all = false;
	for (unsigned k = 0; list && k < member->port->group_count && k < GL_PORT_GROUPS; k++) {
		const struct gl_plan_rule *own;
		size_t own_count = own_rules(rules, member->port->group[k], direction, &own);

		if (member->port->group[k] == member->group)
			continue;
		for (size_t i = 0; i < own_count; i++) {
			list[count] = own[i];
			list[count++].group = member->group;
			*all |= own[i].what == WHAT_ALL;
		}
	}
	if (count)
		qsort(list, count, sizeof(*list), rule_compare);
	for (size_t i = 0; i < count; i++)
		if (!kept || rule_compare(&list[kept - 1], &list[i]))
			list[kept++] = list[i];
	return kept;
}

static size_t keep_common(struct gl_plan_rule *list, size_t count, const struct gl_plan_rule *other, size_t other_count)
{
	size_t kept = 0, j = 0;

	for (size_t i = 0; i < count; i++) {
		while (j < other_count && rule_compare(&other[j], &list[i]) < 0)
			j++;
		if (j < other_count && !rule_compare(&other[j], &list[i]))
			list[kept++] = list[i];
	}
	return kept;
}

char *gl_plan_rules_beside(const struct gl_mapset *set, const struct gl_plan_rules *rules, uint32_t group,
			   enum gl_direction direction)
{
	struct gl_plan_rule *common = NULL, *others;
	size_t count = 0, low = 0, high = rules->member_count;
	bool everything = true, all; /* in all policies so far */
	char *text;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (rules->members[middle].group < group)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == rules->member_count || rules->members[low].group != group)
		everything = false;
	for (; low < rules->member_count && rules->members[low].group == group; low++) {
		size_t other_count = others_rules(rules, &rules->members[low], direction, &others, &all);

		if (!others) {
			free(common);
			return NULL;
		}
		if (all) {
			free(others);
		} else if (everything) {
			everything = false;
			common = others;
			count = other_count;
		} else {
			count = keep_common(common, count, others, other_count);
			free(others);
		}
	}
	text = everything ? strdup("*") : rules_text(set, common, count);
	free(common);
	return text;
}

/* ---- lists in words ----------------------------------------------------------------------------------------- */

/* Cuts `text` into its lines, in place. */
static size_t cut(char *text, char **lines)
{
	size_t count = 0;

	for (char *at = *text ? text : NULL, *next; at; at = next) {
		next = strchr(at, '\n');
		if (next)
			*next++ = 0;
		lines[count++] = at;
	}
	return count;
}

static int line_compare(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

void gl_plan_list_tell(FILE *file, const char *text)
{
	size_t told = 0, more = 0;

	for (const char *at = text; *at; at += *at == '\n') {
		size_t len = strcspn(at, "\n");

		if (told < GL_PLAN_LIST_MOST)
			fprintf(file, "%s%.*s", told++ ? ", " : "", (int)len, at);
		else
			more++;
		at += len;
	}
	if (more)
		fprintf(file, " and %zu more", more);
}

/* Whether a list that was cut holds a line, or all. */
static bool holds(char **lines, size_t count, const char *line)
{
	return (count == 1 && !strcmp(*lines, "*")) ||
	       (count && bsearch(&line, lines, count, sizeof(*lines), line_compare));
}

struct lines {
	char *text, **items;
	size_t count;
};

static int lines_open(struct lines *lines, const char *text)
{
	size_t most = 1;

	for (const char *at = text; at && *at; at++)
		most += *at == '\n';
	lines->text = strdup(text ? text : "");
	lines->items = malloc(most * sizeof(*lines->items));
	if (!lines->text || !lines->items)
		return -ENOMEM;
	lines->count = cut(lines->text, lines->items);
	if (lines->count)
		qsort(lines->items, lines->count, sizeof(*lines->items), line_compare);
	return 0;
}

int gl_plan_list_differ(FILE *file, const char *was, const char *was_beside, const char *want, const char *want_beside)
{
	struct lines all[4] = { { 0 } }, *old = &all[0], *old_beside = &all[1], *new = &all[2], *new_beside = &all[3];
	size_t i = 0, j = 0, told = 0, more = 0;
	int err = lines_open(old, was);

	if (!err)
		err = lines_open(old_beside, was_beside);
	if (!err)
		err = lines_open(new, want);
	if (!err)
		err = lines_open(new_beside, want_beside);
	while (!err && (i < old->count || j < new->count)) {
		int order = i == old->count ? 1 : j == new->count ? -1 : strcmp(old->items[i], new->items[j]);
		const struct lines *other = order < 0 ? new_beside : old_beside;
		const char *line = order < 0 ? old->items[i] : order > 0 ? new->items[j] : NULL;

		i += order <= 0;
		j += order >= 0;
		if (!line || holds(other->items, other->count, line))
			continue;
		if (told == GL_PLAN_LIST_MOST)
			more++;
		else
			fprintf(file, "%s%s %s", told++ ? ", " : "", order < 0 ? "without" : "with", line);
	}
	if (more)
		fprintf(file, " and %zu more", more);
	for (unsigned k = 0; k < 4; k++) {
		free(all[k].text);
		free(all[k].items);
	}
	return err;
}
