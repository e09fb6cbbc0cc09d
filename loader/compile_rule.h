/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The rules of one direction of a policy, by their remote ends: what compile_rule.c and compile_cell.c share. */
#ifndef GL_COMPILE_RULE_H
#define GL_COMPILE_RULE_H

#include "loader/compile_int.h"

#include <errno.h>
#include <stdlib.h>

#define NO_NODE SIZE_MAX

enum remote_kind { REMOTE_ANY, REMOTE_PREFIX4, REMOTE_PREFIX6, REMOTE_GROUP };

/* A rule and its remote end. */
struct rule {
	const struct gl_rule *def;
	enum remote_kind kind;
	struct gl_number remote; /* a prefix's first address, a group's number */
	uint8_t len; /* of a prefix */
	uint32_t order; /* the policy's groups by name, each group's rules as they are written */
	struct gl_rule_val val;
};

/* A remote end; prefixes that lie in one another stand behind it. */
struct node {
	const struct rule *rules;
	size_t count;
	uint32_t number; /* as in gl_rule_key */
	uint32_t line; /* plus 1, once it has one */
	size_t ranges; /* that its own rules ask for, at most */
	size_t parent; /* the next wider prefix */
	size_t link; /* the next one whose intervals are not taken over */
	size_t below; /* prefixes that lie in it and in none between */
	uint64_t all; /* ranges, with those that are taken over */
	bool heavy; /* its intervals are not taken over */
};

/* One direction of one policy. */
struct building {
	struct gl_c *c;
	const struct gl_c_policy *policy;
	struct gl_c_rules *all;
	struct gl_lines *lines;
	uint32_t policy_dir;
	struct rule *rules;
	struct node *nodes; /* any, prefixes by their first addresses and wider ones first, groups */
	size_t rule_count, node_count;
};

/* Words of a number that stands for the remote end. */
static inline unsigned words_of(enum remote_kind kind)
{
	return kind == REMOTE_PREFIX6 ? 4 : 1;
}

static inline bool is_prefix(const struct node *node)
{
	return node->rules->kind == REMOTE_PREFIX4 || node->rules->kind == REMOTE_PREFIX6;
}

/* Room for one more; items of `size` bytes. */
static inline int make_room(void **items, size_t *capacity, size_t count, size_t size)
{
	size_t more = *capacity ? 2 * *capacity : 256;
	void *moved;

	if (count < *capacity)
		return 0;
	moved = realloc(*items, more * size);
	if (!moved)
		return -ENOMEM;
	*items = moved;
	*capacity = more;
	return 0;
}

/* Says so; -EINVAL. */
int gl_c_rules_full(struct building *b, enum gl_map_id map, size_t room);
/* compile_cell.c: the node's own rules as they are written, in gl_rule and gl_remote4, 6. */
int gl_c_describe(struct building *b, const struct node *node);

#endif
