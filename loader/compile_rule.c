/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What do the rules of one direction of a policy become?
 * Each remote end that they name is a node; what its rules admit become intervals of protocols and ports. A narrower
 * prefix takes the intervals of the wider ones over, so that one node answers for all of them; where that would
 * multiply (many rules for a prefix that has many others inside), it links to the wider one instead. Nodes and trees
 * are lines of the policy's; the rules themselves stand in gl_rule and gl_remote, for people. Neighbours: abi.h (the
 * entries), tree.c (builds trees), compile_group.c (who calls), bpf/policy.h (who asks), docs/security-groups.md (why
 * it is so). */
#include "loader/compile_rule.h"

#include <arpa/inet.h>
#include <string.h>

#define SPREAD 32 /* intervals that are taken over, at most, for each that the rules ask for themselves */

/* What one rule admits of a node: GL_RULE_NUMBER(), both included. */
struct gl_c_range {
	uint32_t first, last;
	uint32_t order;
	uint32_t admits;
	bool taken_over; /* from a wider prefix */
};

/* ---- rules ------------------------------------------------------------------------------------------------ */

static int rule_remote_compare(const struct rule *a, const struct rule *b)
{
	int order;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	order = gl_number_compare(&a->remote, &b->remote, words_of(a->kind));
	return order ? order : a->len < b->len ? -1 : a->len > b->len;
}

static int rule_compare(const void *left, const void *right)
{
	const struct rule *a = left, *b = right;
	int order = rule_remote_compare(a, b);

	return order ? order : a->order < b->order ? -1 : a->order > b->order;
}

/* The bits of a prefix as they are, all others as `ones` says: its first or its last address. */
static struct gl_number end_of_prefix(const struct gl_number *in, unsigned len, bool ones)
{
	struct gl_number out = { { 0 } };

	for (unsigned i = 0; i < GL_TREE_NUMBER; i++) {
		unsigned bits = len < 32 * i ? 0 : len - 32 * i;
		uint32_t mask = bits >= 32 ? ~0u : bits ? ~0u << (32 - bits) : 0;

		out.word[i] = (in->word[i] & mask) | (ones ? ~mask : 0);
	}
	return out;
}

/* A group that no interface has means nobody: no rule. 0.0.0.0/0 and ::/0 are prefixes like any other, each of its
 * family alone. */
static int add_rule(struct building *b, const struct gl_c_secgroup *group, const struct gl_rule *def, uint16_t number)
{
	struct rule *rule = &b->rules[b->rule_count];

	*rule = (struct rule){
		.def = def,
		.order = b->rule_count,
		.val = { .group = group->number, .number = number },
	};
	if (def->remote_group.s) {
		const struct gl_c_secgroup *remote = gl_c_find_group(b->c, b->policy->tenant, def->remote_group.s);

		if (!remote) {
			gl_c_refuse(b->c, def->remote_group.loc, "tenant %s has no security group %s",
				    b->policy->tenant->def->name.s, def->remote_group.s);
			return -EINVAL;
		}
		if (!remote->used)
			return 0;
		rule->kind = REMOTE_GROUP;
		rule->remote.word[0] = remote->number;
	} else if (def->remote_ip.family) {
		struct gl_number remote = { { 0 } };

		rule->kind = def->remote_ip.family == AF_INET6 ? REMOTE_PREFIX6 : REMOTE_PREFIX4;
		memcpy(remote.word, def->remote_ip.bytes, words_of(rule->kind) * sizeof(remote.word[0]));
		for (unsigned i = 0; i < GL_TREE_NUMBER; i++)
			remote.word[i] = ntohl(remote.word[i]);
		rule->len = def->remote_ip.len;
		rule->remote = end_of_prefix(&remote, rule->len, false);
	}
	b->rule_count++;
	return 0;
}

static int collect_rules(struct building *b, enum gl_direction direction)
{
	const struct gl_c_policy *policy = b->policy;
	size_t count = 0;
	int err = 0;

	for (size_t i = 0; i < policy->count; i++)
		count += policy->groups[i]->def->rule_count[direction];
	b->rules = malloc((count + 1) * sizeof(*b->rules));
	b->nodes = calloc(count + 1, sizeof(*b->nodes));
	if (!b->rules || !b->nodes)
		return -ENOMEM;
	for (size_t i = 0; i < policy->count && !err; i++) {
		const struct gl_group *group = policy->groups[i]->def;

		for (size_t k = 0; k < group->rule_count[direction] && !err; k++)
			err = add_rule(b, policy->groups[i], &group->rules[direction][k], k + 1);
	}
	if (!err && b->rule_count)
		qsort(b->rules, b->rule_count, sizeof(*b->rules), rule_compare);
	return err;
}

/* ---- nodes ------------------------------------------------------------------------------------------------ */

static size_t count_ranges(const struct gl_rule *def)
{
	return def->port_count ? def->port_count : 1;
}

static bool holds(const struct rule *outer, const struct rule *inner)
{
	struct gl_number first = end_of_prefix(&inner->remote, outer->len, false);

	return outer->kind == inner->kind && outer->len <= inner->len &&
	       !gl_number_compare(&outer->remote, &first, words_of(outer->kind));
}

static void collect_nodes(struct building *b)
{
	uint32_t number = 0;
	size_t last = NO_NODE;

	for (size_t i = 0; i < b->rule_count; i++) {
		const struct rule *rule = &b->rules[i];
		struct node *node = &b->nodes[b->node_count];

		if (i && !rule_remote_compare(rule - 1, rule)) {
			node[-1].count++;
			node[-1].ranges += count_ranges(rule->def);
			continue;
		}
		*node = (struct node){
			.rules = rule, .count = 1, .ranges = count_ranges(rule->def), .parent = NO_NODE, .link = NO_NODE
		};
		node->number = rule->kind == REMOTE_ANY	    ? GL_NODE_ANY
			       : rule->kind == REMOTE_GROUP ? GL_NODE_GROUP | rule->remote.word[0]
							    : ++number;
		if (is_prefix(node)) {
			while (last != NO_NODE && !holds(b->nodes[last].rules, rule))
				last = b->nodes[last].parent;
			node->parent = last;
			last = b->node_count;
		}
		b->node_count++;
	}
	for (size_t i = 0; i < b->node_count; i++)
		if (b->nodes[i].parent != NO_NODE)
			b->nodes[b->nodes[i].parent].below++;
}

/* What all nodes take over, when those are linked to for whom that costs more than `most`: as many intervals as they
 * have, with those that they take over themselves, for each prefix right beneath. */
static uint64_t cut_links(struct building *b, uint64_t most)
{
	uint64_t taken = 0;

	for (size_t i = 0; i < b->node_count; i++) {
		struct node *node = &b->nodes[i];
		const struct node *parent = node->parent == NO_NODE ? NULL : &b->nodes[node->parent];

		node->all = node->ranges;
		if (parent && !parent->heavy) {
			node->all += parent->all;
			taken += parent->all;
		}
		node->heavy = node->all * node->below > most;
	}
	return taken;
}

/* Nodes are linked to as rarely as there is room for the others to be taken over. So of prefixes that lie in one
 * another every so-manieth is linked to, with all that are between. */
static void choose_links(struct building *b)
{
	uint64_t room = 0, low = 0, high;

	for (size_t i = 0; i < b->node_count; i++)
		room += SPREAD * b->nodes[i].ranges;
	/* `low` fits: at 0 all are linked to. */
	for (high = room; low < high;) {
		uint64_t most = high - (high - low) / 2;

		if (cut_links(b, most) <= room)
			low = most;
		else
			high = most - 1;
	}
	cut_links(b, low);
	for (size_t i = 0; i < b->node_count; i++) {
		struct node *node = &b->nodes[i];

		if (node->parent != NO_NODE)
			node->link = b->nodes[node->parent].heavy ? node->parent : b->nodes[node->parent].link;
	}
}

/* ---- for the programs ------------------------------------------------------------------------------------- */

static int add_range(struct building *b, const struct rule *rule, bool taken_over, uint32_t first, uint32_t last)
{
	struct gl_c_rules *all = b->all;

	if (make_room((void **)&all->ranges, &all->range_capacity, all->range_count, sizeof(*all->ranges)))
		return -ENOMEM;
	all->ranges[all->range_count++] = (struct gl_c_range){
		.first = first,
		.last = last,
		.order = rule->order,
		.admits = GL_ADMITS(rule->val.group, rule->val.number),
		.taken_over = taken_over,
	};
	return 0;
}

static int add_rule_ranges(struct building *b, const struct rule *rule, bool taken_over)
{
	const struct gl_rule *def = rule->def;
	int err = 0;

	if (def->any_proto)
		return add_range(b, rule, taken_over, 0, GL_RULE_NUMBERS);
	if (!def->port_count)
		return add_range(b, rule, taken_over, GL_RULE_NUMBER(def->proto, 0),
				 GL_RULE_NUMBER(def->proto, 0xffff));
	for (size_t i = 0; i < def->port_count && !err; i++)
		err = add_range(b, rule, taken_over, GL_RULE_NUMBER(def->proto, def->ports[i].first),
				GL_RULE_NUMBER(def->proto, def->ports[i].last));
	return err;
}

/* Wider ones first; of equal ones, the node's own. */
static int range_compare(const void *left, const void *right)
{
	const struct gl_c_range *a = left, *b = right;

	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	if (a->last != b->last)
		return a->last > b->last ? -1 : 1;
	if (a->taken_over != b->taken_over)
		return a->taken_over ? 1 : -1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static int add_interval(struct gl_intervals *list, uint32_t last, uint32_t val)
{
	struct gl_number number = { { last } };

	return gl_intervals_add(list, &number, val);
}

/* What the node's own rules admit, and those of the wider prefixes that it takes over, as intervals. Each is named for
 * the rule that begins first. */
static int gather_intervals(struct building *b, const struct node *node)
{
	struct gl_intervals *list = &b->all->intervals;
	const struct node *from = node;
	uint32_t next = 0; /* what is before it is done */
	int err = 0;

	b->all->range_count = 0;
	for (;;) {
		for (size_t i = 0; i < from->count && !err; i++)
			err = add_rule_ranges(b, &from->rules[i], from != node);
		if (err || from->parent == NO_NODE || from->parent == node->link)
			break;
		from = &b->nodes[from->parent];
	}
	gl_intervals_begin(list, 1);
	if (!err && b->all->range_count)
		qsort(b->all->ranges, b->all->range_count, sizeof(*b->all->ranges), range_compare);
	for (size_t i = 0; i < b->all->range_count && !err; i++) {
		const struct gl_c_range *range = &b->all->ranges[i];

		if (range->last < next)
			continue;
		if (range->first > next)
			err = add_interval(list, range->first - 1, 0);
		next = range->last + 1;
		if (!err)
			err = add_interval(list, range->last == GL_RULE_NUMBERS ? UINT32_MAX : range->last,
					   range->admits);
	}
	return err ? err : gl_intervals_end(list);
}

/* Its line, and its tree where the line does not hold its intervals. */
static int emit_node(struct building *b, struct node *node)
{
	const struct gl_intervals *list = &b->all->intervals;
	const struct rule *rule = node->rules;
	struct gl_tree_node val = { .wider = node->link == NO_NODE ? 0 : b->nodes[node->link].line };
	int err = gather_intervals(b, node);
	size_t count = 0, room = GL_NODE_PARTS;

	if (rule->kind == REMOTE_PREFIX6 && rule->len) {
		val.len = rule->len;
		val.around = node->parent == NO_NODE ? 0 : b->nodes[node->parent].line;
		memcpy(val.prefix, rule->remote.word, sizeof(val.prefix));
		room = GL_NODE_FEW_PARTS;
	}
	for (size_t i = 0; i < list->count && !err; i++)
		count += list->items[i].val != 0;
	if (!err)
		err = gl_lines_add(b->lines, 1, &node->line);
	if (!err && count > room)
		err = gl_tree_build(b->lines, list, &val.more);
	for (size_t i = 0; i < list->count && count <= room && !err; i++)
		if (list->items[i].val) {
			val.part[val.count].first = i ? list->items[i - 1].last.word[0] + 1 : 0;
			val.part[val.count].last = list->items[i].last.word[0];
			val.part[val.count++].admits = list->items[i].val;
		}
	if (!err)
		memcpy(&b->lines->items[node->line++], &val, sizeof(val));
	return err;
}

/* Up to the number before `number` it is `val`. */
static int add_before(struct gl_intervals *list, struct gl_number number, uint32_t val)
{
	return gl_number_before(&number, list->words) ? gl_intervals_add(list, &number, val) : 0;
}

/* The tree of the nodes [from, to), all of a kind: which one is the narrowest that holds a number? */
static int emit_remotes(struct building *b, size_t from, size_t to, struct gl_tree_ref *ret)
{
	struct gl_intervals *list = &b->all->intervals;
	size_t open = NO_NODE;
	int err = 0;

	gl_intervals_begin(list, words_of(b->nodes[from].rules->kind));
	list->nodes = true;
	for (size_t i = from; i <= to && !err; i++) {
		const struct node *node = i < to ? &b->nodes[i] : NULL;

		/* Those that end before it. */
		while (open != NO_NODE && (!node || node->parent != open) && !err) {
			const struct rule *rule = b->nodes[open].rules;
			struct gl_number last = rule->kind == REMOTE_GROUP
							? rule->remote
							: end_of_prefix(&rule->remote, rule->len, true);

			err = gl_intervals_add(list, &last, b->nodes[open].line);
			open = b->nodes[open].parent;
		}
		if (!node || err)
			break;
		err = add_before(list, node->rules->remote, open == NO_NODE ? 0 : b->nodes[open].line);
		open = i;
	}
	if (!err)
		err = gl_intervals_end(list);
	return err ? err : gl_tree_build(b->lines, list, ret);
}

static int emit_lines(struct building *b, enum gl_direction direction, struct gl_policy_val *val)
{
	struct gl_tree_ref *refs[] = {
		[REMOTE_ANY] = &val->dir[direction].any,
		[REMOTE_PREFIX4] = &val->dir[direction].remote4,
		[REMOTE_PREFIX6] = &val->dir[direction].remote6,
		[REMOTE_GROUP] = &val->dir[direction].group,
	};
	int err = 0;

	for (size_t from = 0, to; from < b->node_count && !err; from = to) {
		const enum remote_kind kind = b->nodes[from].rules->kind;

		for (to = from; to < b->node_count && b->nodes[to].rules->kind == kind && !err; to++)
			err = kind == REMOTE_ANY ? gather_intervals(b, &b->nodes[to]) : emit_node(b, &b->nodes[to]);
		if (!err)
			err = kind == REMOTE_ANY ? gl_tree_build(b->lines, &b->all->intervals, refs[kind])
						 : emit_remotes(b, from, to, refs[kind]);
	}
	return err == -E2BIG ? gl_c_rules_full(b, GL_MAP_TREE, GL_MAX_TREE_LINES) : err;
}

int gl_c_rules(struct gl_c *c, const struct gl_c_policy *policy, enum gl_direction direction, struct gl_c_rules *rules,
	       struct gl_lines *lines, struct gl_policy_val *val)
{
	struct building b = {
		.c = c,
		.policy = policy,
		.all = rules,
		.lines = lines,
		.policy_dir = GL_POLICY_DIR(policy->index, direction),
	};
	int err = collect_rules(&b, direction);

	if (!err) {
		collect_nodes(&b);
		choose_links(&b);
	}
	for (size_t i = 0; i < b.node_count && !err; i++)
		err = gl_c_describe(&b, &b.nodes[i]);
	if (!err)
		err = emit_lines(&b, direction, val);
	free(b.rules);
	free(b.nodes);
	return err;
}

void gl_c_rules_clear(struct gl_c_rules *rules)
{
	free(rules->cells);
	free(rules->ranges);
	gl_intervals_clear(&rules->intervals);
	*rules = (struct gl_c_rules){ 0 };
}
