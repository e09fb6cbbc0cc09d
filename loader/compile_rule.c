/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What do the rules of one direction of a policy become?
 * Each remote end that they name is a node; what its rules admit become cells, none of which covers another. A narrower
 * prefix takes the cells of the wider ones over, so that one node answers for all of them; where that would multiply
 * (many rules for a prefix that has many others inside), it links to the wider one instead. Then the signposts that the
 * search by lengths needs. Neighbours: abi.h (the entries), compile_group.c (who calls), bpf/policy.h (who asks),
 * docs/security-groups.md (why it is so). */
#include "loader/compile_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SPREAD 16 /* cells that are taken over, at most, for each that the rules ask for themselves */
#define NO_NODE SIZE_MAX

enum remote_kind { REMOTE_ANY, REMOTE_PREFIX, REMOTE_GROUP };

/* A rule and its remote end. */
struct rule {
	const struct gl_rule *def;
	enum remote_kind kind;
	uint32_t addr, len; /* REMOTE_PREFIX, host order */
	uint32_t remote; /* REMOTE_GROUP: its number */
	uint32_t order; /* the policy's groups by name, each group's rules as they are written */
	struct gl_rule_val val;
};

/* A remote end; prefixes that lie in one another stand behind it. */
struct node {
	const struct rule *rules;
	size_t count;
	uint32_t number; /* as in gl_rule_key */
	uint32_t lengths; /* of its entries in gl_rule */
	size_t cells; /* that its own rules ask for, at most */
	size_t parent; /* the next wider prefix */
	size_t link; /* the next one whose cells are not taken over */
	size_t below; /* prefixes that lie in it */
	bool heavy; /* its cells are not taken over */
	uint8_t few; /* cells that stand with the prefix */
	struct gl_rule_cell few_cells[GL_REMOTE_CELLS];
};

struct gl_c_cell {
	uint32_t order;
	uint16_t port;
	uint8_t proto, len;
	bool taken_over; /* from a wider prefix */
	bool covered; /* by another cell: stands there for people alone, no search looks at it */
	struct gl_rule_val val;
};

/* One direction of one policy. */
struct building {
	struct gl_c *c;
	const struct gl_c_policy *policy;
	struct gl_c_rules *all;
	uint32_t policy_dir;
	struct rule *rules;
	struct node *nodes; /* any, prefixes by their first addresses and wider ones first, groups */
	size_t rule_count, node_count;
};

/* ---- rules ------------------------------------------------------------------------------------------------ */

static int rule_remote_compare(const struct rule *a, const struct rule *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->remote != b->remote)
		return a->remote < b->remote ? -1 : 1;
	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	return a->len < b->len ? -1 : a->len > b->len;
}

static int rule_compare(const void *left, const void *right)
{
	const struct rule *a = left, *b = right;
	int order = rule_remote_compare(a, b);

	return order ? order : a->order < b->order ? -1 : a->order > b->order;
}

/* A group that no interface has means nobody, and no IPv6 address is an end of an IPv4 flow: no rule. 0.0.0.0/0 is a
 * prefix like any other, so that it will never mean IPv6. */
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
		rule->remote = remote->number;
	} else if (def->remote_ip.family == AF_INET) {
		uint32_t addr_be;

		memcpy(&addr_be, def->remote_ip.bytes, sizeof(addr_be));
		rule->kind = REMOTE_PREFIX;
		rule->len = def->remote_ip.len;
		rule->addr = rule->len ? ntohl(addr_be) & ~0u << (32 - rule->len) : 0;
	} else if (def->remote_ip.family) {
		return 0;
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

/* How many bits of the port are left open by the largest prefix that begins at `first` and ends by `last`. */
static unsigned open_bits(uint32_t first, uint32_t last)
{
	unsigned bits = 0;

	while (bits < 16 && !(first & (1u << bits)) && first + (2u << bits) - 1 <= last)
		bits++;
	return bits;
}

static size_t count_cells(const struct gl_rule *def)
{
	size_t count = !def->port_count;

	for (size_t i = 0; i < def->port_count; i++)
		for (uint32_t at = def->ports[i].first; at <= def->ports[i].last;
		     at += 1u << open_bits(at, def->ports[i].last))
			count++;
	return count;
}

static bool holds(const struct rule *outer, const struct rule *inner)
{
	return !outer->len || (outer->len <= inner->len && !((outer->addr ^ inner->addr) >> (32 - outer->len)));
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
			node[-1].cells += count_cells(rule->def);
			continue;
		}
		*node = (struct node){
			.rules = rule, .count = 1, .cells = count_cells(rule->def), .parent = NO_NODE, .link = NO_NODE
		};
		node->number = rule->kind == REMOTE_ANY	    ? GL_NODE_ANY
			       : rule->kind == REMOTE_GROUP ? GL_NODE_GROUP | rule->remote
							    : ++number;
		if (rule->kind == REMOTE_PREFIX) {
			while (last != NO_NODE && !holds(b->nodes[last].rules, rule))
				last = b->nodes[last].parent;
			node->parent = last;
			last = b->node_count;
		}
		b->node_count++;
	}
	for (size_t i = b->node_count; i--;)
		if (b->nodes[i].parent != NO_NODE)
			b->nodes[b->nodes[i].parent].below += b->nodes[i].below + 1;
}

static int cost_compare(const void *left, const void *right)
{
	const struct node *a = *(const struct node *const *)left, *b = *(const struct node *const *)right;
	const uint64_t cost_a = (uint64_t)a->cells * a->below, cost_b = (uint64_t)b->cells * b->below;

	if (cost_a != cost_b)
		return cost_a < cost_b ? -1 : 1;
	return a < b ? -1 : a > b;
}

/* The cheapest are taken over, as long as there is room for them. */
static int choose_links(struct building *b)
{
	struct node **wide = malloc((b->node_count + 1) * sizeof(struct node *));
	uint64_t room = 0;
	size_t count = 0;

	if (!wide)
		return -ENOMEM;
	for (size_t i = 0; i < b->node_count; i++) {
		room += SPREAD * b->nodes[i].cells;
		if (b->nodes[i].below)
			wide[count++] = &b->nodes[i];
	}
	if (count)
		qsort(wide, count, sizeof(*wide), cost_compare);
	for (size_t i = 0; i < count; i++) {
		uint64_t cost = (uint64_t)wide[i]->cells * wide[i]->below;

		wide[i]->heavy = cost > room;
		room -= cost > room ? room : cost;
	}
	free(wide);
	for (size_t i = 0; i < b->node_count; i++) {
		struct node *node = &b->nodes[i];

		if (node->parent != NO_NODE)
			node->link = b->nodes[node->parent].heavy ? node->parent : b->nodes[node->parent].link;
	}
	return 0;
}

/* ---- cells ------------------------------------------------------------------------------------------------ */

/* Wider ones first; of equal ones, the node's own. */
static int cell_compare(const void *left, const void *right)
{
	const struct gl_c_cell *a = left, *b = right;

	if (!a->len != !b->len)
		return a->len ? 1 : -1;
	if (a->proto != b->proto)
		return a->proto < b->proto ? -1 : 1;
	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	if (a->taken_over != b->taken_over)
		return a->taken_over ? 1 : -1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static bool covers(const struct gl_c_cell *wide, const struct gl_c_cell *cell)
{
	if (wide->len == GL_RULE_ANY)
		return true;
	return wide->proto == cell->proto && wide->len <= cell->len &&
	       !((wide->port ^ cell->port) >> (GL_RULE_PORT - wide->len));
}

/* Of equal ones the first rule's stays. Of those that are covered, the node's own stay, so that the maps tell of every
 * rule. */
static void sift_cells(struct gl_c_rules *all)
{
	struct gl_c_cell *wide = NULL;
	size_t kept = 0;

	if (all->cell_count)
		qsort(all->cells, all->cell_count, sizeof(*all->cells), cell_compare);
	for (size_t i = 0; i < all->cell_count; i++) {
		struct gl_c_cell *cell = &all->cells[i], *last = kept ? &all->cells[kept - 1] : NULL;

		if (last && last->len == cell->len && last->proto == cell->proto && last->port == cell->port)
			continue;
		cell->covered = wide && covers(wide, cell);
		if (cell->covered && cell->taken_over)
			continue;
		all->cells[kept] = *cell;
		if (!cell->covered)
			wide = &all->cells[kept];
		kept++;
	}
	all->cell_count = kept;
}

static int full(struct building *b, enum gl_map_id map, size_t room)
{
	gl_c_refuse(b->c, b->policy->loc,
		    "with these security groups the definition needs more than %zu entries of map %s (%s), which has "
		    "no room for them",
		    room, gl_map_info(map)->name, gl_map_info(map)->help);
	return -EINVAL;
}

static int add_cell(struct building *b, const struct rule *rule, bool taken_over, uint8_t len, uint16_t port)
{
	struct gl_c_rules *all = b->all;

	if (all->cell_count == all->cell_capacity) {
		size_t capacity = all->cell_capacity ? 2 * all->cell_capacity : 256;
		struct gl_c_cell *cells;

		/* Definitions that repeat themselves do not take memory without end. */
		if (all->cell_count > GL_MAX_RULES) {
			sift_cells(all);
			if (all->cell_count > GL_MAX_RULES)
				return full(b, GL_MAP_RULE, GL_MAX_RULES);
		}
		if (all->cell_count >= all->cell_capacity / 2) {
			cells = realloc(all->cells, capacity * sizeof(*cells));
			if (!cells)
				return -ENOMEM;
			all->cells = cells;
			all->cell_capacity = capacity;
		}
	}
	all->cells[all->cell_count++] = (struct gl_c_cell){
		.order = rule->order,
		.len = len,
		.proto = len == GL_RULE_ANY ? 0 : rule->def->proto,
		.port = port,
		.taken_over = taken_over,
		.val = rule->val,
	};
	return 0;
}

static int add_rule_cells(struct building *b, const struct rule *rule, bool taken_over)
{
	const struct gl_rule *def = rule->def;
	int err = 0;

	if (!def->port_count)
		return add_cell(b, rule, taken_over, def->any_proto ? GL_RULE_ANY : GL_RULE_PROTO, 0);
	for (size_t i = 0; i < def->port_count; i++)
		for (uint32_t at = def->ports[i].first; at <= def->ports[i].last && !err;) {
			unsigned bits = open_bits(at, def->ports[i].last);

			err = add_cell(b, rule, taken_over, GL_RULE_PORT - bits, at);
			at += 1u << bits;
		}
	return err;
}

/* The node's own, and those of the wider prefixes that it takes over. */
static int gather_cells(struct building *b, struct node *node)
{
	const struct node *from = node;
	int err = 0;

	b->all->cell_count = 0;
	for (;;) {
		for (size_t i = 0; i < from->count && !err; i++)
			err = add_rule_cells(b, &from->rules[i], from != node);
		if (err || from->parent == NO_NODE || from->parent == node->link)
			break;
		from = &b->nodes[from->parent];
	}
	if (err)
		return err;
	sift_cells(b->all);
	for (size_t i = 0; i < b->all->cell_count; i++)
		if (!b->all->cells[i].covered)
			node->lengths |= 1u << b->all->cells[i].len;
	return 0;
}

static uint16_t port_bits(uint16_t port, unsigned len)
{
	return len <= GL_RULE_PROTO ? 0 : port & 0xffffu << (GL_RULE_PORT - len);
}

static int emit_rule(struct building *b, const struct node *node, const struct gl_c_cell *cell, uint8_t len,
		     const struct gl_rule_val *val)
{
	struct gl_rule_key key = {
		.policy_dir = b->policy_dir,
		.node = node->number,
		.port = port_bits(cell->port, len),
		.proto = len == GL_RULE_ANY ? 0 : cell->proto,
		.len = len,
	};

	if (++b->all->rules_emitted > GL_MAX_RULES)
		return full(b, GL_MAP_RULE, GL_MAX_RULES);
	return gl_c_emit(b->c, GL_MAP_RULE, b->policy->tenant->index, &key, val);
}

/* The cells of a node and, on the way that the search takes to each of them, signposts. Cells that share a signpost
 * stand together. */
static int emit_cells(struct building *b, const struct node *node, const struct gl_rule_lengths *lengths)
{
	static const struct gl_rule_val signpost;
	const struct gl_c_cell *last[GL_RULE_PORT + 1] = { NULL };
	int err = 0;

	for (size_t i = 0; i < b->all->cell_count && !err; i++) {
		const struct gl_c_cell *cell = &b->all->cells[i];

		for (unsigned low = 0, high = cell->covered ? 0 : lengths->count; low < high && !err;) {
			unsigned middle = (low + high) / 2, len = lengths->len[middle];

			if (len >= cell->len) {
				high = len == cell->len ? low : middle;
				continue;
			}
			low = middle + 1;
			if (last[len] &&
			    (len == GL_RULE_ANY || (last[len]->proto == cell->proto &&
						    port_bits(last[len]->port, len) == port_bits(cell->port, len))))
				continue;
			last[len] = cell;
			err = emit_rule(b, node, cell, len, &signpost);
		}
		if (!err)
			err = emit_rule(b, node, cell, cell->len, &cell->val);
	}
	return err;
}

static struct gl_rule_lengths rule_lengths(uint32_t set)
{
	struct gl_rule_lengths lengths = { 0 };

	for (unsigned len = 0; len <= GL_RULE_PORT; len++)
		if (set >> len & 1)
			lengths.len[lengths.count++] = len;
	return lengths;
}

/* ---- prefixes --------------------------------------------------------------------------------------------- */

static int emit_remote(struct building *b, uint32_t addr, unsigned len, const struct node *node)
{
	struct gl_remote4_key key = {
		.policy_dir = b->policy_dir,
		.addr_be = htonl(len ? addr & ~0u << (32 - len) : 0),
		.len = len,
	};
	struct gl_remote_val val = { 0 };

	if (node) {
		val.node = node->number;
		val.lengths = rule_lengths(node->lengths);
		val.cell_count = node->few;
		memcpy(val.cell, node->few_cells, sizeof(val.cell));
		val.wider = node->link == NO_NODE ? 0 : b->nodes[node->link].rules->len + 1;
	}
	if (++b->all->remotes_emitted > GL_MAX_REMOTES)
		return full(b, GL_MAP_REMOTE4, GL_MAX_REMOTES);
	return gl_c_emit(b->c, GL_MAP_REMOTE4, b->policy->tenant->index, &key, &val);
}

/* The prefixes, and signposts that say what the longest prefix up to there says. */
static int emit_prefix(struct building *b, const struct node *node, const struct gl_remote4_lengths *lengths,
		       const struct rule **last)
{
	const struct rule *rule = node->rules;
	int err = 0;

	for (unsigned low = 0, high = lengths->count; low < high && !err;) {
		unsigned middle = (low + high) / 2, len = lengths->len[middle];
		size_t above = node->parent;

		if (len >= rule->len) {
			high = len == rule->len ? low : middle;
			continue;
		}
		low = middle + 1;
		if (last[len] && (!len || !((last[len]->addr ^ rule->addr) >> (32 - len))))
			continue;
		last[len] = rule;
		while (above != NO_NODE && b->nodes[above].rules->len > len)
			above = b->nodes[above].parent;
		if (above != NO_NODE && b->nodes[above].rules->len == len)
			continue; /* a prefix of its own */
		err = emit_remote(b, rule->addr, len, above == NO_NODE ? NULL : &b->nodes[above]);
	}
	return err ? err : emit_remote(b, rule->addr, rule->len, node);
}

/* In the prefix's own entry: no second look is needed. */
static void keep_cells(const struct building *b, struct node *node)
{
	node->lengths = 0;
	for (size_t i = 0; i < b->all->cell_count; i++) {
		const struct gl_c_cell *cell = &b->all->cells[i];

		node->few_cells[node->few++] = (struct gl_rule_cell){
			.val = cell->val, .port = cell->port, .proto = cell->proto, .len = cell->len
		};
	}
}

static int emit_nodes(struct building *b, enum gl_direction direction, struct gl_policy_val *val)
{
	struct gl_remote4_lengths *remote4 = &val->remote4[direction];
	const struct rule *last[33] = { NULL };
	struct gl_rule_lengths lengths;
	uint64_t prefixes = 0;
	uint32_t groups = 0;
	int err = 0;

	for (size_t i = 0; i < b->node_count && !err; i++) {
		struct node *node = &b->nodes[i];

		err = gather_cells(b, node);
		if (err)
			break;
		if (node->rules->kind == REMOTE_GROUP) {
			groups |= node->lengths;
			continue;
		}
		if (node->rules->kind == REMOTE_PREFIX) {
			prefixes |= 1ull << node->rules->len;
			if (b->all->cell_count <= GL_REMOTE_CELLS) {
				keep_cells(b, node);
				continue;
			}
		} else {
			val->any[direction] = rule_lengths(node->lengths);
		}
		lengths = rule_lengths(node->lengths);
		err = emit_cells(b, node, &lengths);
	}
	val->group[direction] = rule_lengths(groups);
	for (unsigned len = 0; len <= 32; len++)
		if (prefixes >> len & 1)
			remote4->len[remote4->count++] = len;
	for (size_t i = 0; i < b->node_count && !err; i++) {
		struct node *node = &b->nodes[i];

		if (node->rules->kind == REMOTE_PREFIX)
			err = emit_prefix(b, node, remote4, last);
		if (node->rules->kind != REMOTE_GROUP)
			continue;
		err = gather_cells(b, node);
		if (!err)
			err = emit_cells(b, node, &val->group[direction]);
	}
	return err;
}

int gl_c_rules(struct gl_c *c, const struct gl_c_policy *policy, enum gl_direction direction, struct gl_c_rules *rules,
	       struct gl_policy_val *val)
{
	struct building b = {
		.c = c, .policy = policy, .all = rules, .policy_dir = GL_POLICY_DIR(policy->index, direction)
	};
	int err = collect_rules(&b, direction);

	if (!err) {
		collect_nodes(&b);
		err = choose_links(&b);
	}
	if (!err)
		err = emit_nodes(&b, direction, val);
	free(b.rules);
	free(b.nodes);
	return err;
}
