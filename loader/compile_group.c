/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What do the security groups of an interface, taken together, admit?
 * First which distinct sets of groups there are (policies), so that they can be numbered; then, for each of them and
 * either direction, its nodes and what they admit, as abi.h says. Groups that no interface on the host has cost
 * nothing. Neighbours: compile_index.c (the numbers), compile_port.c (who has which), bpf/policy.h (who asks). */
#include "loader/compile_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- which policies there are ----------------------------------------------------------------------------- */

/* The groups of one interface, before it is known whether another one has the same. */
struct set {
	struct gl_c_port *port;
	struct gl_c_secgroup *groups[GL_PORT_GROUPS];
	size_t count;
};

static int secgroup_compare(const void *left, const void *right)
{
	return strcmp(((const struct gl_c_secgroup *)left)->name, ((const struct gl_c_secgroup *)right)->name);
}

static int secgroup_find(const void *name, const void *group)
{
	return strcmp(name, ((const struct gl_c_secgroup *)group)->def->name.s);
}

/* A tenant's groups are sorted by "TENANT/GROUP", so by their own names too. */
static struct gl_c_secgroup *find_group(struct gl_c *c, const struct gl_c_tenant *tenant, const char *name)
{
	if (!tenant->group_count)
		return NULL;
	return bsearch(name, c->secgroups + tenant->first_group, tenant->group_count, sizeof(*c->secgroups),
		       secgroup_find);
}

static void collect_groups(struct gl_c *c, struct gl_c_tenant *tenant)
{
	struct gl_c_secgroup *first = &c->secgroups[c->secgroup_count];

	tenant->first_group = c->secgroup_count;
	tenant->group_count = tenant->def->group_count;
	for (size_t i = 0; i < tenant->group_count; i++) {
		struct gl_c_secgroup *group = &c->secgroups[c->secgroup_count++];

		group->def = &tenant->def->groups[i];
		if (group->def->rule_count[GL_INGRESS] > GL_GROUP_RULES ||
		    group->def->rule_count[GL_EGRESS] > GL_GROUP_RULES)
			gl_c_refuse(c, group->def->loc, "a security group has at most %d rules of a direction",
				    GL_GROUP_RULES);
		if (strlen(tenant->def->name.s) >= GL_NAME_LEN || strlen(group->def->name.s) >= GL_NAME_LEN)
			gl_c_refuse(c, group->def->loc, "names have at most %d characters", GL_NAME_LEN - 1);
		snprintf(group->name, sizeof(group->name), "%s/%s", tenant->def->name.s, group->def->name.s);
	}
	if (tenant->group_count)
		qsort(first, tenant->group_count, sizeof(*first), secgroup_compare);
}

static int pointer_compare(const void *left, const void *right)
{
	const char *a = *(const char *const *)left, *b = *(const char *const *)right;

	return a < b ? -1 : a > b;
}

static void collect_set(struct gl_c *c, struct gl_c_port *port, struct set *set)
{
	set->port = port;
	set->count = 0;
	for (size_t i = 0; i < port->def->group_count; i++) {
		const struct gl_string *name = &port->def->groups[i];
		struct gl_c_secgroup *group = find_group(c, port->tenant, name->s);

		if (!group) {
			gl_c_refuse(c, name->loc, "tenant %s has no security group %s", port->tenant->def->name.s,
				    name->s);
			return;
		}
		if (set->count == GL_PORT_GROUPS) {
			gl_c_refuse(c, name->loc, "an interface has at most %d security groups", GL_PORT_GROUPS);
			return;
		}
		group->used = true;
		set->groups[set->count++] = group;
	}
	/* In memory they stand by name. */
	qsort(set->groups, set->count, sizeof(*set->groups), pointer_compare);
}

static int set_compare(const void *left, const void *right)
{
	const struct set *a = left, *b = right;

	for (size_t i = 0; i < a->count && i < b->count; i++)
		if (a->groups[i] != b->groups[i])
			return a->groups[i] < b->groups[i] ? -1 : 1;
	if (a->count != b->count)
		return a->count < b->count ? -1 : 1;
	return a->port < b->port ? -1 : a->port > b->port;
}

static bool same_groups(const struct gl_c_policy *policy, const struct set *set)
{
	return policy->count == set->count && !memcmp(policy->groups, set->groups, set->count * sizeof(*set->groups));
}

/* FNV-1a over the names, each with its NUL. */
static void name_policy(struct gl_c_policy *policy)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < policy->count; i++) {
		const char *at = policy->groups[i]->def->name.s;

		do
			hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
		while (*at++);
	}
	snprintf(policy->name, sizeof(policy->name), "%s/%016llx", policy->tenant->def->name.s,
		 (unsigned long long)hash);
}

static int policy_name_compare(const void *left, const void *right)
{
	return strcmp((*(const struct gl_c_policy *const *)left)->name,
		      (*(const struct gl_c_policy *const *)right)->name);
}

/* Two sets with one hash would share a number: not by accident, but names can be chosen. */
static int check_names(struct gl_c *c)
{
	const struct gl_c_policy **sorted = malloc((c->policy_count + 1) * sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < c->policy_count; i++)
		sorted[i] = &c->policies[i];
	qsort(sorted, c->policy_count, sizeof(*sorted), policy_name_compare);
	for (size_t i = 1; i < c->policy_count; i++)
		if (!strcmp(sorted[i - 1]->name, sorted[i]->name))
			gl_c_refuse(c, sorted[i]->loc,
				    "these security groups and those at %s:%u cannot be told apart: their names have "
				    "the same hash; give one of them another name",
				    sorted[i - 1]->loc.file ? sorted[i - 1]->loc.file : "", sorted[i - 1]->loc.line);
	free(sorted);
	return 0;
}

int gl_c_groups(struct gl_c *c)
{
	struct set *sets = calloc(c->port_count + 1, sizeof(*sets));
	size_t groups = 0, count = 0;
	int err = 0;

	for (size_t i = 0; i < c->tenant_count; i++)
		groups += c->tenants[i].def->group_count;
	c->secgroups = calloc(groups + 1, sizeof(*c->secgroups));
	c->policies = calloc(c->port_count + 1, sizeof(*c->policies));
	if (!sets || !c->secgroups || !c->policies) {
		err = -ENOMEM;
		goto out;
	}
	for (size_t i = 0; i < c->tenant_count; i++)
		collect_groups(c, &c->tenants[i]);
	for (size_t i = 0; i < c->port_count; i++)
		if (c->ports[i].link && c->ports[i].def->group_count)
			collect_set(c, &c->ports[i], &sets[count++]);
	if (c->bad)
		goto out;
	qsort(sets, count, sizeof(*sets), set_compare);
	for (size_t i = 0; i < count; i++) {
		struct gl_c_policy *policy = &c->policies[c->policy_count];

		if (!i || !same_groups(policy - 1, &sets[i])) {
			c->policy_count++;
			policy->tenant = sets[i].port->tenant;
			policy->loc = sets[i].port->def->loc;
			policy->count = sets[i].count;
			memcpy(policy->groups, sets[i].groups, sizeof(policy->groups));
			name_policy(policy);
		} else {
			policy--;
		}
		sets[i].port->policy = policy;
	}
	err = check_names(c);
out:
	free(sets);
	return err;
}

/* ---- what a policy admits --------------------------------------------------------------------------------- */

enum remote_kind { REMOTE_ANY, REMOTE_PREFIX, REMOTE_GROUP };

/* A rule and its remote end. */
struct rule {
	const struct gl_rule *def;
	enum remote_kind kind;
	uint32_t addr, len; /* REMOTE_PREFIX, host order */
	uint32_t node;
	uint32_t order; /* the policy's groups by name, each group's rules as they are written */
	struct gl_rule_val val;
};

/* An entry of gl_rule, before it is known whether an earlier rule has the same. */
struct cell {
	uint32_t node, order;
	uint8_t prefixlen, proto;
	uint16_t port;
	struct gl_rule_val val;
};

/* One direction of one policy. */
struct building {
	struct gl_c *c;
	const struct gl_c_policy *policy;
	uint32_t policy_side_be;
	uint8_t flags;
	struct rule *rules;
	struct cell *cells;
	size_t rule_count, cell_count, cell_capacity;
	size_t rules_emitted, remotes_emitted; /* of all policies */
};

static int rule_compare(const void *left, const void *right)
{
	const struct rule *a = left, *b = right;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static int cell_key_compare(const struct cell *a, const struct cell *b)
{
	if (a->node != b->node)
		return a->node < b->node ? -1 : 1;
	if (a->proto != b->proto)
		return a->proto < b->proto ? -1 : 1;
	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	return a->prefixlen < b->prefixlen ? -1 : a->prefixlen > b->prefixlen;
}

static int cell_compare(const void *left, const void *right)
{
	const struct cell *a = left, *b = right;
	int order = cell_key_compare(a, b);

	return order ? order : a->order < b->order ? -1 : a->order > b->order;
}

/* Of cells with one key the first rule's stays. */
static void sift_cells(struct building *b)
{
	size_t kept = 0;

	if (b->cell_count)
		qsort(b->cells, b->cell_count, sizeof(*b->cells), cell_compare);
	for (size_t i = 0; i < b->cell_count; i++)
		if (!kept || cell_key_compare(&b->cells[kept - 1], &b->cells[i]))
			b->cells[kept++] = b->cells[i];
	b->cell_count = kept;
}

static int full(struct building *b, enum gl_map_id map, size_t room)
{
	gl_c_refuse(b->c, b->policy->loc,
		    "the definition needs more than %zu entries of map %s (%s), which has no room for them", room,
		    gl_map_info(map)->name, gl_map_info(map)->help);
	return -EINVAL;
}

static int add_cell(struct building *b, const struct rule *rule, uint8_t prefixlen, uint16_t port)
{
	if (b->cell_count == b->cell_capacity) {
		size_t capacity = b->cell_capacity ? 2 * b->cell_capacity : 256;
		struct cell *cells;

		/* Definitions that repeat themselves do not take memory without end. */
		if (b->cell_count > GL_MAX_RULES) {
			sift_cells(b);
			if (b->cell_count > GL_MAX_RULES)
				return full(b, GL_MAP_RULE, GL_MAX_RULES);
		}
		if (b->cell_count >= b->cell_capacity / 2) {
			cells = realloc(b->cells, capacity * sizeof(*cells));
			if (!cells)
				return -ENOMEM;
			b->cells = cells;
			b->cell_capacity = capacity;
		}
	}
	b->cells[b->cell_count++] = (struct cell){
		.node = rule->node,
		.order = rule->order,
		.prefixlen = prefixlen,
		.proto = prefixlen == GL_RULE_ANY ? 0 : rule->def->proto,
		.port = port,
		.val = rule->val,
	};
	return 0;
}

/* first..last as the fewest prefixes of 16 bits. */
static int add_span(struct building *b, const struct rule *rule, uint32_t first, uint32_t last)
{
	int err = 0;

	while (first <= last && !err) {
		unsigned bits = 0;

		while (bits < 16 && !(first & (1u << bits)) && first + (2u << bits) - 1 <= last)
			bits++;
		err = add_cell(b, rule, GL_RULE_PORT - bits, first);
		first += 1u << bits;
	}
	return err;
}

static int add_rule_cells(struct building *b, const struct rule *rule)
{
	const struct gl_rule *def = rule->def;
	int err = 0;

	if (!def->port_count)
		return add_cell(b, rule, def->any_proto ? GL_RULE_ANY : GL_RULE_PROTO, 0);
	for (size_t i = 0; i < def->port_count && !err; i++)
		err = add_span(b, rule, def->ports[i].first, def->ports[i].last);
	return err;
}

/* A member of no interface's group can be nobody, and an IPv6 address no end of an IPv4 flow: no rule. */
static int add_rule(struct building *b, const struct gl_c_secgroup *group, const struct gl_rule *def, uint16_t number)
{
	struct rule *rule = &b->rules[b->rule_count];

	*rule = (struct rule){ .def = def,
			       .order = b->rule_count,
			       .val = { .group = group->number, .number = number } };
	if (def->remote_group.s) {
		const struct gl_c_secgroup *remote = find_group(b->c, b->policy->tenant, def->remote_group.s);

		if (!remote) {
			gl_c_refuse(b->c, def->remote_group.loc, "tenant %s has no security group %s",
				    b->policy->tenant->def->name.s, def->remote_group.s);
			return -EINVAL;
		}
		if (!remote->used)
			return 0;
		rule->kind = REMOTE_GROUP;
		rule->node = GL_NODE_GROUP | remote->number;
	} else if (def->remote_ip.family == AF_INET) {
		uint32_t addr_be;

		memcpy(&addr_be, def->remote_ip.bytes, sizeof(addr_be));
		rule->kind = REMOTE_PREFIX;
		rule->len = def->remote_ip.len;
		rule->addr = rule->len ? ntohl(addr_be) & ~0u << (32 - rule->len) : 0;
	} else if (def->remote_ip.family) {
		return 0;
	} else {
		rule->kind = REMOTE_ANY;
		rule->node = GL_NODE_ANY;
	}
	b->rule_count++;
	return 0;
}

/* Numbers the prefixes in the order of their first addresses, wider ones first, and links each to the next wider. */
static int emit_remotes(struct building *b)
{
	struct {
		uint32_t addr, len;
	} open[33];
	size_t depth = 0;
	uint32_t node = 0;
	int err = 0;

	for (size_t i = 0; i < b->rule_count && !err; i++) {
		struct rule *rule = &b->rules[i];
		struct gl_remote4_key key = { .prefixlen = 32 + rule->len,
					      .policy_side_be = b->policy_side_be,
					      .addr_be = htonl(rule->addr) };
		struct gl_remote4_val val = { 0 };

		if (rule->kind != REMOTE_PREFIX)
			continue;
		if (depth && open[depth - 1].addr == rule->addr && open[depth - 1].len == rule->len) {
			rule->node = node;
			continue;
		}
		while (depth && open[depth - 1].len &&
		       (open[depth - 1].addr ^ rule->addr) >> (32 - open[depth - 1].len))
			depth--;
		if (depth)
			val.wider = open[depth - 1].len + 1;
		open[depth].addr = rule->addr;
		open[depth++].len = rule->len;
		rule->node = val.node = ++node;
		if (++b->remotes_emitted > GL_MAX_REMOTES)
			return full(b, GL_MAP_REMOTE4, GL_MAX_REMOTES);
		err = gl_c_emit(b->c, GL_MAP_REMOTE4, b->policy->tenant->index, &key, &val);
	}
	return err;
}

static int emit_rules(struct building *b)
{
	int err = 0;

	for (size_t i = 0; i < b->rule_count && !err; i++)
		err = add_rule_cells(b, &b->rules[i]);
	if (err)
		return err;
	sift_cells(b);
	for (size_t i = 0; i < b->cell_count && !err; i++) {
		const struct cell *cell = &b->cells[i];
		struct gl_rule_key key = { .prefixlen = cell->prefixlen,
					   .policy_side_be = b->policy_side_be,
					   .node_be = htonl(cell->node),
					   .proto = cell->proto,
					   .port = { cell->port >> 8, cell->port & 0xff } };

		if (++b->rules_emitted > GL_MAX_RULES)
			return full(b, GL_MAP_RULE, GL_MAX_RULES);
		err = gl_c_emit(b->c, GL_MAP_RULE, b->policy->tenant->index, &key, &cell->val);
	}
	return err;
}

static int build(struct building *b, enum gl_direction direction)
{
	static const uint8_t kinds[] = { [REMOTE_ANY] = GL_POLICY_F_ANY,
					 [REMOTE_PREFIX] = GL_POLICY_F_REMOTE4,
					 [REMOTE_GROUP] = GL_POLICY_F_GROUP };
	const struct gl_c_policy *policy = b->policy;
	size_t count = 0;
	int err = 0;

	b->policy_side_be = htonl(GL_TENANT_SIDE(GL_POLICY_DIR(policy->index, direction), 0));
	b->flags = 0;
	b->rule_count = b->cell_count = 0;
	for (size_t i = 0; i < policy->count; i++)
		count += policy->groups[i]->def->rule_count[direction];
	b->rules = malloc((count + 1) * sizeof(*b->rules));
	if (!b->rules)
		return -ENOMEM;
	for (size_t i = 0; i < policy->count && !err; i++) {
		const struct gl_group *group = policy->groups[i]->def;

		for (size_t k = 0; k < group->rule_count[direction] && !err; k++)
			err = add_rule(b, policy->groups[i], &group->rules[direction][k], k + 1);
	}
	if (!err && b->rule_count)
		qsort(b->rules, b->rule_count, sizeof(*b->rules), rule_compare);
	for (size_t i = 0; i < b->rule_count; i++)
		b->flags |= kinds[b->rules[i].kind];
	if (!err)
		err = emit_remotes(b);
	if (!err)
		err = emit_rules(b);
	free(b->rules);
	b->rules = NULL;
	return err;
}

static int emit_policy(struct building *b)
{
	const struct gl_c_policy *policy = b->policy;
	struct gl_policy_val val = { .tenant = policy->tenant->index };
	int err = 0;

	for (size_t i = 0; i < policy->count; i++)
		if (!policy->groups[i]->def->egress_given && !val.flags[GL_EGRESS]) {
			val.flags[GL_EGRESS] = GL_POLICY_F_ALL;
			val.all_group[GL_EGRESS] = policy->groups[i]->number;
		}
	for (int direction = GL_INGRESS; direction <= GL_EGRESS && !err; direction++) {
		if (val.flags[direction])
			continue;
		err = build(b, direction);
		val.flags[direction] = b->flags;
	}
	if (!err)
		err = gl_c_emit(b->c, GL_MAP_POLICY, policy->tenant->index, &policy->index, &val);
	if (!err)
		err = gl_c_emit_name(b->c, GL_NAME_POLICY, policy->index, policy->tenant->index, policy->name);
	return err;
}

static int emit_groups(struct gl_c *c, const struct gl_c_tenant *tenant)
{
	int err = 0;

	for (size_t i = 0; i < tenant->group_count && !err; i++) {
		const struct gl_c_secgroup *group = &c->secgroups[tenant->first_group + i];

		if (group->used)
			err = gl_c_emit_name(c, GL_NAME_GROUP, group->number, tenant->index, group->name);
	}
	return err;
}

int gl_c_policies(struct gl_c *c)
{
	struct building b = { .c = c };
	int err = 0;

	for (size_t i = 0; i < c->tenant_count && !err; i++)
		err = emit_groups(c, &c->tenants[i]);
	for (size_t i = 0; i < c->policy_count && !err; i++) {
		b.policy = &c->policies[i];
		err = emit_policy(&b);
	}
	free(b.cells);
	/* What was reported is in c->bad. */
	return c->bad && err == -EINVAL ? 0 : err;
}
