/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How do intervals become a tree whose lines are cache lines? Leaves first, then level upon level until one line is
 * left. Addresses of four words are looked at through windows of 32 bits, each with such a tree, so that theirs are no
 * deeper than trees of short numbers: what all borders have in common is asked once, and what follows it decides.
 * Neighbours: tree.h, maps/abi.h (gl_tree_val, gl_tree_window), maps/tree.h (searches). */
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
	list->nodes = false;
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

static int add_leaves(struct gl_lines *lines, const struct gl_intervals *list, uint32_t *first, size_t *count)
{
	int err;

	*count = (list->count + GL_TREE_LEAF - 1) / GL_TREE_LEAF;
	err = gl_lines_add(lines, *count, first);
	for (size_t i = 0; i < *count * GL_TREE_LEAF && !err; i++) {
		uint32_t *word = &lines->items[*first + i / GL_TREE_LEAF].word[i % GL_TREE_LEAF * 2];
		const struct gl_interval *interval = i < list->count ? &list->items[i] : NULL;

		word[0] = interval ? interval->last.word[0] : UINT32_MAX;
		if (interval)
			word[1] = interval->val;
	}
	return err;
}

/* `beneath` intervals are beneath each of the children but the last. */
static int add_level(struct gl_lines *lines, const struct gl_intervals *list, size_t beneath, uint32_t *first,
		     size_t *count)
{
	const size_t children = *count;
	const uint32_t child = *first;
	int err;

	*count = (children + GL_TREE_FAN - 1) / GL_TREE_FAN;
	err = gl_lines_add(lines, *count, first);
	for (size_t i = 0; i < *count * GL_TREE_FAN && !err; i++) {
		struct gl_tree_val *line = &lines->items[*first + i / GL_TREE_FAN];

		if (i % GL_TREE_FAN == 0)
			line->word[0] = child + i;
		if (i % GL_TREE_FAN < GL_TREE_FAN - 1)
			line->word[1 + i % GL_TREE_FAN] =
				i + 1 < children ? list->items[(i + 1) * beneath - 1].last.word[0] : UINT32_MAX;
	}
	return err;
}

/* Of intervals of one word. */
static int build_tree(struct gl_lines *lines, const struct gl_intervals *list, struct gl_tree_ref *ret)
{
	size_t count, beneath = GL_TREE_LEAF;
	uint32_t first;
	int err;

	*ret = (struct gl_tree_ref){ 0 };
	if (list->count <= 1 && (!list->count || !list->items[0].val))
		return 0;
	err = add_leaves(lines, list, &first, &count);
	for (ret->levels = 1; !err && count > 1; ret->levels++) {
		err = add_level(lines, list, beneath, &first, &count);
		beneath *= GL_TREE_FAN;
	}
	ret->root = first;
	return err;
}

/* ---- windows ---------------------------------------------------------------------------------------------- */

/* Where a window begins that holds the first bit in which two numbers differ. */
static uint32_t first_difference(const struct gl_number *a, const struct gl_number *b)
{
	for (uint32_t i = 0; i < GL_TREE_NUMBER - 1; i++)
		if (a->word[i] != b->word[i])
			return 32 * i + __builtin_clz(a->word[i] ^ b->word[i]);
	return 32 * (GL_TREE_NUMBER - 1);
}

/* Is it the last of all numbers that are the same up to the window's end? */
static bool ends_window(const struct gl_number *number, uint32_t bits)
{
	for (uint32_t bit = bits + 32; bit < 32 * GL_TREE_NUMBER; bit++)
		if (!(number->word[bit / 32] & 1u << (31 - bit % 32)))
			return false;
	return true;
}

/* Do the intervals from..to have but a node and what is around it as values? Then the node says which one it is. */
static uint32_t told_by_node(const struct gl_lines *lines, const struct gl_intervals *list, size_t from, size_t to)
{
	const uint32_t vals[] = { list->items[from].val, list->items[from + 1].val };

	for (size_t i = from + 2; i <= to; i++)
		if (list->items[i].val != vals[0] && list->items[i].val != vals[1])
			return 0;
	for (int i = 0; i < 2; i++) {
		struct gl_tree_node node;

		if (!vals[i])
			continue;
		memcpy(&node, &lines->items[vals[i] - 1], sizeof(node));
		if (node.len && node.around == vals[!i])
			return vals[i];
	}
	return 0;
}

static int add_window(struct gl_lines *lines, const struct gl_intervals *list, size_t from, size_t to, uint32_t *line);

/* A value for numbers that the intervals from..to hold. */
static int cell(struct gl_lines *lines, const struct gl_intervals *list, size_t from, size_t to, uint32_t *val)
{
	int err;

	*val = from == to ? list->items[from].val : list->nodes ? told_by_node(lines, list, from, to) : 0;
	if (from == to || *val)
		return 0;
	err = add_window(lines, list, from, to, val);
	*val |= GL_TREE_FURTHER;
	return err;
}

static int add_short(struct gl_intervals *list, uint32_t last, uint32_t val)
{
	const struct gl_number number = { { last } };

	return gl_intervals_add(list, &number, val);
}

/* The intervals from..to as those of the window's 32 bits. */
static int cut(struct gl_lines *lines, const struct gl_intervals *list, size_t from, size_t to, uint32_t bits,
	       struct gl_intervals *ret)
{
	int err = 0;

	gl_intervals_begin(ret, 1);
	for (size_t i = from, next; i < to && !err; i = next) {
		const uint32_t at = gl_window_number(list->items[i].last.word, bits);
		uint32_t val;

		for (next = i + 1; next < to && gl_window_number(list->items[next].last.word, bits) == at;)
			next++;
		/* Up to here what holds the number before it; `next` is the first interval that goes on behind it. */
		if (at)
			err = add_short(ret, at - 1, list->items[i].val);
		if (!err)
			err = cell(lines, list, i, ends_window(&list->items[next - 1].last, bits) ? next - 1 : next,
				   &val);
		if (!err)
			err = add_short(ret, at, val);
	}
	return err ? err : add_short(ret, UINT32_MAX, list->items[to].val);
}

/* At most GL_TREE_WINDOWS beneath each other: each begins behind the one above, as its borders are the same up to
 * there. */
static int add_window(struct gl_lines *lines, const struct gl_intervals *list, size_t from, size_t to, uint32_t *line)
{
	const struct gl_number *first = &list->items[from].last;
	struct gl_tree_window window = { .bits = first_difference(first, &list->items[to > from ? to - 1 : from].last),
					 .below = list->items[from].val,
					 .above = list->items[to].val };
	struct gl_intervals shorts = { 0 };
	int err = gl_lines_add(lines, 1, line);

	for (uint32_t i = 0; i < GL_TREE_NUMBER - 1; i++) {
		window.mask[i] = window.bits >= 32 * (i + 1) ? ~0u
				 : window.bits > 32 * i	     ? ~0u << (32 * (i + 1) - window.bits)
							     : 0;
		window.common[i] = first->word[i] & window.mask[i];
	}
	if (!err)
		err = cut(lines, list, from, to, window.bits, &shorts);
	if (!err)
		err = build_tree(lines, &shorts, &window.tree);
	if (!err)
		memcpy(&lines->items[*line], &window, sizeof(window));
	gl_intervals_clear(&shorts);
	return err;
}

int gl_tree_build(struct gl_lines *lines, const struct gl_intervals *list, struct gl_tree_ref *ret)
{
	if (list->words == 1)
		return build_tree(lines, list, ret);
	*ret = (struct gl_tree_ref){ 0 };
	if (list->count <= 1 && (!list->count || !list->items[0].val))
		return 0;
	ret->levels = 1;
	return add_window(lines, list, 0, list->count - 1, &ret->root);
}
