/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How do intervals become a tree whose lines are cache lines? Leaves first, then level upon level until one line is
 * left. Neighbours: tree.h, maps/abi.h (gl_tree_val). */
#include "loader/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "maps/tree.h"

static const struct gl_number largest = { { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX } };

int gl_number_compare(const struct gl_number *a, const struct gl_number *b, unsigned words)
{
	for (unsigned i = 0; i < words; i++)
		if (a->word[i] != b->word[i])
			return a->word[i] < b->word[i] ? -1 : 1;
	return 0;
}

bool gl_number_before(struct gl_number *number, unsigned words)
{
	while (words--)
		if (number->word[words]--)
			return true;
	return false;
}

/* ---- intervals -------------------------------------------------------------------------------------------- */

void gl_intervals_begin(struct gl_intervals *list, unsigned words)
{
	list->count = 0;
	list->words = words;
}

int gl_intervals_add(struct gl_intervals *list, const struct gl_number *last, uint32_t val)
{
	struct gl_interval *before = list->count ? &list->items[list->count - 1] : NULL;

	if (before && gl_number_compare(last, &before->last, list->words) <= 0)
		return 0;
	if (before && before->val == val) {
		before->last = *last;
		return 0;
	}
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 64;
		struct gl_interval *items = realloc(list->items, capacity * sizeof(*items));

		if (!items)
			return -ENOMEM;
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->count++] = (struct gl_interval){ .last = *last, .val = val };
	return 0;
}

int gl_intervals_end(struct gl_intervals *list)
{
	return gl_intervals_add(list, &largest, 0);
}

void gl_intervals_clear(struct gl_intervals *list)
{
	free(list->items);
	*list = (struct gl_intervals){ 0 };
}

/* ---- lines ------------------------------------------------------------------------------------------------ */

int gl_lines_add(struct gl_lines *lines, size_t count, uint32_t *first)
{
	size_t capacity = lines->capacity ? lines->capacity : 16;

	if (count > GL_MAX_TREE_LINES - lines->count)
		return -E2BIG;
	while (capacity < lines->count + count)
		capacity *= 2;
	if (capacity != lines->capacity) {
		struct gl_tree_val *items = realloc(lines->items, capacity * sizeof(*items));

		if (!items)
			return -ENOMEM;
		lines->items = items;
		lines->capacity = capacity;
	}
	memset(lines->items + lines->count, 0, count * sizeof(*lines->items));
	*first = lines->count;
	lines->count += count;
	return 0;
}

static void put(struct gl_tree_val *line, size_t at, const struct gl_number *number, unsigned words)
{
	memcpy(&line->word[at], number->word, words * sizeof(number->word[0]));
}

static int add_leaves(struct gl_lines *lines, const struct gl_intervals *list, uint32_t *first, size_t *count)
{
	const size_t words = list->words, leaf = GL_TREE_LEAF(words);
	int err;

	*count = (list->count + leaf - 1) / leaf;
	err = gl_lines_add(lines, *count, first);
	for (size_t i = 0; i < *count * leaf && !err; i++) {
		struct gl_tree_val *line = &lines->items[*first + i / leaf];
		const struct gl_interval *interval = i < list->count ? &list->items[i] : NULL;

		put(line, i % leaf * (words + 1), interval ? &interval->last : &largest, words);
		if (interval)
			line->word[i % leaf * (words + 1) + words] = interval->val;
	}
	return err;
}

/* `beneath` intervals are beneath each of the children but the last. */
static int add_level(struct gl_lines *lines, const struct gl_intervals *list, size_t beneath, uint32_t *first,
		     size_t *count)
{
	const size_t words = list->words, fan = GL_TREE_FAN(words), children = *count;
	const uint32_t child = *first;
	int err;

	*count = (children + fan - 1) / fan;
	err = gl_lines_add(lines, *count, first);
	for (size_t i = 0; i < *count * fan && !err; i++) {
		struct gl_tree_val *line = &lines->items[*first + i / fan];

		if (i % fan == 0)
			line->word[0] = child + i;
		if (i % fan < fan - 1)
			put(line, 1 + i % fan * words,
			    i + 1 < children ? &list->items[(i + 1) * beneath - 1].last : &largest, words);
	}
	return err;
}

int gl_tree_build(struct gl_lines *lines, const struct gl_intervals *list, struct gl_tree_ref *ret)
{
	size_t count, beneath = GL_TREE_LEAF(list->words);
	uint32_t first;
	int err;

	*ret = (struct gl_tree_ref){ 0 };
	if (list->count <= 1 && (!list->count || !list->items[0].val))
		return 0;
	err = add_leaves(lines, list, &first, &count);
	for (ret->levels = 1; !err && count > 1; ret->levels++) {
		err = add_level(lines, list, beneath, &first, &count);
		beneath *= GL_TREE_FAN(list->words);
	}
	ret->root = first;
	return err;
}
