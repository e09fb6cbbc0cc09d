/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What do the security groups of an interface, taken together, admit?
 * First which distinct sets of groups there are (policies), so that they can be numbered; then their entries. Groups
 * that no interface on the host has cost nothing. Neighbours: compile_index.c (the numbers), compile_rule.c (what the
 * rules of a policy become), compile_port.c (who has which). */
#include "loader/compile_int.h"

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
struct gl_c_secgroup *gl_c_find_group(struct gl_c *c, const struct gl_c_tenant *tenant, const char *name)
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
		struct gl_c_secgroup *group = gl_c_find_group(c, port->tenant, name->s);

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

/* ---- their entries ---------------------------------------------------------------------------------------- */

/* A policy, before it is known where its lines stand. */
struct built {
	struct gl_policy_val val;
	struct gl_lines lines;
};

static int build_policy(struct gl_c *c, const struct gl_c_policy *policy, struct gl_c_rules *rules, struct built *built)
{
	struct gl_policy_val *val = &built->val;
	int err = 0;

	val->tenant = policy->tenant->index;
	for (size_t i = 0; i < policy->count; i++)
		if (!policy->groups[i]->def->egress_given && !val->flags[GL_EGRESS]) {
			val->flags[GL_EGRESS] = GL_POLICY_F_ALL;
			val->all_group[GL_EGRESS] = policy->groups[i]->number;
		}
	for (int direction = GL_INGRESS; direction <= GL_EGRESS && !err; direction++)
		if (!val->flags[direction])
			err = gl_c_rules(c, policy, direction, rules, &built->lines, val);
	return err;
}

/* Where they are now they stay, if they can: a change of one tenant's rules leaves the others' alone. */
static int place_policies(struct gl_c *c, struct built *built)
{
	struct gl_c_place *places = calloc(c->policy_count + 1, sizeof(*places));
	int err = places ? 0 : -ENOMEM;

	for (size_t i = 0; i < c->policy_count && !err; i++) {
		const struct gl_entry *live = gl_mapset_find(c->live, GL_MAP_POLICY, &c->policies[i].index);
		const struct gl_policy_val *val = live ? live->val : NULL;

		places[i].count = built[i].lines.count;
		places[i].live_first = val ? val->first : 0;
		places[i].live_room = val ? val->room : 0;
	}
	if (!err)
		err = gl_c_place_lines(places, c->policy_count);
	if (err == -ENOSPC) {
		gl_c_refuse(c, c->policies[0].loc,
			    "the security groups need more than %u entries of map %s (%s), which has no room for them",
			    GL_MAX_TREE_LINES, gl_map_info(GL_MAP_TREE)->name, gl_map_info(GL_MAP_TREE)->help);
		err = -EINVAL;
	}
	for (size_t i = 0; i < c->policy_count && !err; i++) {
		built[i].val.first = places[i].first;
		built[i].val.room = places[i].room;
	}
	free(places);
	return err;
}

static int emit_policy(struct gl_c *c, const struct gl_c_policy *policy, const struct built *built)
{
	const uint32_t tenant = policy->tenant->index;
	int err = gl_c_emit(c, GL_MAP_POLICY, tenant, &policy->index, &built->val);

	for (uint32_t i = 0; i < built->lines.count && !err; i++) {
		uint32_t line = built->val.first + i;

		err = gl_c_emit(c, GL_MAP_TREE, tenant, &line, &built->lines.items[i]);
	}
	return err ? err : gl_c_emit_name(c, GL_NAME_POLICY, policy->index, tenant, policy->name);
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
	struct built *built = calloc(c->policy_count + 1, sizeof(*built));
	struct gl_c_rules rules = { 0 };
	int err = built ? 0 : -ENOMEM;

	for (size_t i = 0; i < c->tenant_count && !err; i++)
		err = emit_groups(c, &c->tenants[i]);
	for (size_t i = 0; i < c->policy_count && !err; i++)
		err = build_policy(c, &c->policies[i], &rules, &built[i]);
	if (!err)
		err = place_policies(c, built);
	for (size_t i = 0; i < c->policy_count && !err; i++)
		err = emit_policy(c, &c->policies[i], &built[i]);
	for (size_t i = 0; i < c->policy_count && built; i++)
		free(built[i].lines.items);
	free(built);
	gl_c_rules_clear(&rules);
	/* What was reported is in c->bad. */
	return c->bad && err == -EINVAL ? 0 : err;
}
