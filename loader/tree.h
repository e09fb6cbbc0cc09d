/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The search trees that rules become. Pure. Neighbours: maps/tree.h (searches), compile_rule.c (who builds). */
#ifndef GL_LOADER_TREE_H
#define GL_LOADER_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maps/abi.h"

/* A number in host order, the highest word first. Of one word: word[0]. */
struct gl_number {
	uint32_t word[GL_TREE_NUMBER];
};

/* From behind the one before it up to `last`. */
struct gl_interval {
	struct gl_number last;
	uint32_t val; /* 0: none */
};

/* They follow each other from 0, and no two neighbours have the same value. Begins zeroed. */
struct gl_intervals {
	struct gl_interval *items;
	size_t count, capacity;
	unsigned words; /* of a number: 1 or 4 */
	bool nodes; /* values are lines of nodes, plus 1, that say whether a number is theirs */
};

/* All is reset but the memory. */
void gl_intervals_begin(struct gl_intervals *list, unsigned words);
/* What is left up to `last`, which is not before the last one's end, has the value. -ENOMEM. */
int gl_intervals_add(struct gl_intervals *list, const struct gl_number *last, uint32_t val);
/* Nothing has a value behind the last one. -ENOMEM. */
int gl_intervals_end(struct gl_intervals *list);
void gl_intervals_clear(struct gl_intervals *list);

int gl_number_compare(const struct gl_number *a, const struct gl_number *b, unsigned words);
/* 1 less; false: it was 0. */
bool gl_number_before(struct gl_number *number, unsigned words);

/* The lines of a policy. Begins zeroed. */
struct gl_lines {
	struct gl_tree_val *items;
	size_t count, capacity;
};

/* `count` lines more, zeroed; their first in *first. -ENOMEM; -E2BIG when there were more than GL_MAX_TREE_LINES. */
int gl_lines_add(struct gl_lines *lines, size_t count, uint32_t *first);
/* A tree of the intervals, which have been ended; of four words, where its first window is. Without any value in them:
 * none. */
int gl_tree_build(struct gl_lines *lines, const struct gl_intervals *list, struct gl_tree_ref *ret);

#endif
