/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How do rules stand in the maps for people? Each by its remote end, its ports cut into prefixes; no program looks at
 * it. Neighbours: abi.h (gl_rule, gl_remote4), compile_rule.c (who calls), plan_group.c (the way back). */
#include "loader/compile_rule.h"

#include <arpa/inet.h>
#include <string.h>

/* As an entry of gl_rule. */
struct gl_c_cell {
	uint32_t order;
	uint16_t port;
	uint8_t proto, len;
	struct gl_rule_val val;
};

int gl_c_rules_full(struct building *b, enum gl_map_id map, size_t room)
{
	gl_c_refuse(b->c, b->policy->loc,
		    "with these security groups the definition needs more than %zu entries of map %s (%s), which has "
		    "no room for them",
		    room, gl_map_info(map)->name, gl_map_info(map)->help);
	return -EINVAL;
}

static int cell_compare(const void *left, const void *right)
{
	const struct gl_c_cell *a = left, *b = right;

	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	if (a->proto != b->proto)
		return a->proto < b->proto ? -1 : 1;
	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* Of equal ones the first rule's stays. */
static void sift_cells(struct gl_c_rules *all)
{
	size_t kept = 0;

	if (all->cell_count)
		qsort(all->cells, all->cell_count, sizeof(*all->cells), cell_compare);
	for (size_t i = 0; i < all->cell_count; i++) {
		const struct gl_c_cell *cell = &all->cells[i], *last = kept ? &all->cells[kept - 1] : NULL;

		if (!last || last->len != cell->len || last->proto != cell->proto || last->port != cell->port)
			all->cells[kept++] = *cell;
	}
	all->cell_count = kept;
}

static int add_cell(struct building *b, const struct rule *rule, uint8_t len, uint16_t port)
{
	struct gl_c_rules *all = b->all;

	/* Definitions that repeat themselves do not take memory without end. */
	if (all->cell_count == all->cell_capacity && all->cell_count > GL_MAX_RULES) {
		sift_cells(all);
		if (all->cell_count > GL_MAX_RULES)
			return gl_c_rules_full(b, GL_MAP_RULE, GL_MAX_RULES);
	}
	if (make_room((void **)&all->cells, &all->cell_capacity, all->cell_count, sizeof(*all->cells)))
		return -ENOMEM;
	all->cells[all->cell_count++] = (struct gl_c_cell){
		.order = rule->order,
		.len = len,
		.proto = len == GL_RULE_ANY ? 0 : rule->def->proto,
		.port = port,
		.val = rule->val,
	};
	return 0;
}

/* How many bits of the port are left open by the largest prefix that begins at `first` and ends by `last`. */
static unsigned open_bits(uint32_t first, uint32_t last)
{
	unsigned bits = 0;

	while (bits < 16 && !(first & (1u << bits)) && first + (2u << bits) - 1 <= last)
		bits++;
	return bits;
}

static int add_rule_cells(struct building *b, const struct rule *rule)
{
	const struct gl_rule *def = rule->def;
	int err = 0;

	if (!def->port_count)
		return add_cell(b, rule, def->any_proto ? GL_RULE_ANY : GL_RULE_PROTO, 0);
	for (size_t i = 0; i < def->port_count; i++)
		for (uint32_t at = def->ports[i].first; at <= def->ports[i].last && !err;) {
			unsigned bits = open_bits(at, def->ports[i].last);

			err = add_cell(b, rule, GL_RULE_PORT - bits, at);
			at += 1u << bits;
		}
	return err;
}

static int emit_remote(struct building *b, const struct node *node)
{
	const struct rule *rule = node->rules;
	const enum gl_map_id map = rule->kind == REMOTE_PREFIX6 ? GL_MAP_REMOTE6 : GL_MAP_REMOTE4;
	struct gl_remote4_key key4 = { .policy_dir = b->policy_dir,
				       .addr_be = htonl(rule->remote.word[0]),
				       .len = rule->len };
	struct gl_remote6_key key6 = { .policy_dir = b->policy_dir, .len = rule->len };
	struct gl_remote_val val = { .node = node->number };

	for (unsigned i = 0; i < GL_TREE_NUMBER; i++)
		key6.addr_be.w[i] = htonl(rule->remote.word[i]);
	if (++b->all->remotes_emitted[map == GL_MAP_REMOTE6] > GL_MAX_REMOTES)
		return gl_c_rules_full(b, map, GL_MAX_REMOTES);
	return gl_c_emit(b->c, map, b->policy->tenant->index,
			 map == GL_MAP_REMOTE6 ? (const void *)&key6 : (const void *)&key4, &val);
}

/* The node's own rules. */
int gl_c_describe(struct building *b, const struct node *node)
{
	int err = is_prefix(node) ? emit_remote(b, node) : 0;

	b->all->cell_count = 0;
	for (size_t i = 0; i < node->count && !err; i++)
		err = add_rule_cells(b, &node->rules[i]);
	if (err)
		return err;
	sift_cells(b->all);
	b->all->rules_emitted += b->all->cell_count;
	if (b->all->rules_emitted > GL_MAX_RULES)
		return gl_c_rules_full(b, GL_MAP_RULE, GL_MAX_RULES);
	for (size_t i = 0; i < b->all->cell_count && !err; i++) {
		const struct gl_c_cell *cell = &b->all->cells[i];
		struct gl_rule_key key = {
			.policy_dir = b->policy_dir,
			.node = node->number,
			.port = cell->port,
			.proto = cell->proto,
			.len = cell->len,
		};

		err = gl_c_emit(b->c, GL_MAP_RULE, b->policy->tenant->index, &key, &cell->val);
	}
	return err;
}
