/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Which blocks of ports of one public address are whose, when several tenants translate to it?
 * Each gets one run of equal length, at most GL_NAT_SHARE_BLOCKS. What a tenant has, it keeps from its first block on,
 * so that its flows live through the coming and going of others; what is too much is given back from the tail.
 * Neighbours: compile_public.c (the caller). */
#include "loader/compile_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct blocks {
	bool taken[GL_C_BLOCKS];
};

static bool is_free(const struct blocks *blocks, const bool *may, uint16_t at)
{
	return !blocks->taken[at] && (!may || may[at]);
}

static uint16_t take(struct blocks *blocks, const bool *may, uint16_t low, uint16_t end)
{
	uint16_t at = low;

	while (at < end && is_free(blocks, may, at))
		blocks->taken[at++] = true;
	return at;
}

/* The first run of `want` free blocks, or the longest there is. `may`: of these alone; NULL: any. */
static void find_run(const struct blocks *blocks, const bool *may, uint16_t low, uint16_t end, uint16_t want,
		     uint16_t *run_low, uint16_t *run_end)
{
	*run_low = *run_end = low;
	for (uint16_t at = low; at < end;) {
		uint16_t from = at;

		while (at < end && at - from < want && is_free(blocks, may, at))
			at++;
		if (at - from > *run_end - *run_low) {
			*run_low = from;
			*run_end = at;
		}
		if (at - from == want)
			return;
		at++;
	}
}

static int by_end(const void *left, const void *right)
{
	const struct gl_c_share *a = *(struct gl_c_share *const *)left, *b = *(struct gl_c_share *const *)right;

	if (a->end != b->end)
		return a->end < b->end ? -1 : 1;
	return a->tenant < b->tenant ? -1 : a->tenant > b->tenant;
}

/* One attempt with at most `size` blocks each; false when somebody went without. */
static bool place(struct blocks *blocks, struct gl_c_share *shares, struct gl_c_share **order, size_t count,
		  uint16_t size, bool keep)
{
	memset(blocks, 0, sizeof(*blocks));
	for (size_t i = 0; i < count; i++) {
		struct gl_c_share *s = &shares[i];
		uint16_t low = s->live_low > s->low ? s->live_low : s->low;
		uint16_t end = s->live_end < s->end ? s->live_end : s->end;

		s->got_low = s->got_end = 0;
		if (!keep || low >= end)
			continue;
		s->got_low = low;
		s->got_end = take(blocks, s->may, low, end - low > size ? low + size : end);
	}
	for (size_t i = 0; i < count; i++) {
		struct gl_c_share *s = order[i];

		if (s->got_low < s->got_end)
			continue;
		find_run(blocks, s->may, s->low, s->end, size, &s->got_low, &s->got_end);
		if (s->got_low == s->got_end)
			return false;
		take(blocks, NULL, s->got_low, s->got_end);
	}
	return true;
}

int gl_c_share_out(struct gl_c_share *shares, size_t count, size_t *room)
{
	struct gl_c_share **order = NULL;
	struct blocks blocks = { { false } };
	size_t all = 0;
	uint16_t size;
	bool done = false;
	int err = 0;

	for (size_t i = 0; i < count; i++)
		for (uint16_t at = shares[i].low; at < shares[i].end && at < GL_C_BLOCKS; at++) {
			if (is_free(&blocks, shares[i].may, at)) {
				all++;
				blocks.taken[at] = true;
			}
		}
	*room = all;
	if (count > all)
		return -ENOSPC;
	size = all / count < GL_NAT_SHARE_BLOCKS ? all / count : GL_NAT_SHARE_BLOCKS;

	order = malloc(count * sizeof(*order));
	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		order[i] = &shares[i];
	/* Whoever has the least choice comes first. */
	qsort(order, count, sizeof(*order), by_end);
	for (int keep = 1; keep >= 0 && !done; keep--)
		for (uint16_t less = size; less && !done; less--)
			done = place(&blocks, shares, order, count, less, keep);
	if (!done) {
		err = -ENOSPC;
		goto out;
	}
	/* Room that others left; in the tenants' order, so that a second look finds nothing more to do. */
	for (size_t i = 0; i < count; i++) {
		struct gl_c_share *s = &shares[i];
		uint16_t end = s->end - s->got_low > size ? s->got_low + size : s->end;

		if (s->got_end < end)
			s->got_end = take(&blocks, s->may, s->got_end, end);
	}
out:
	free(order);
	return err;
}

bool gl_c_gap(uint16_t low, uint16_t end, const uint16_t *ports, size_t count, uint16_t *gap_low, uint16_t *gap_end)
{
	struct blocks blocks = { { false } };

	for (size_t i = 0; i < count; i++)
		blocks.taken[ports[i] >> GL_NAT_BLOCK_SHIFT] = true;
	find_run(&blocks, NULL, low, end, end - low, gap_low, gap_end);
	return *gap_low < *gap_end;
}
