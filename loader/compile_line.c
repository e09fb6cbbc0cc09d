/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Where in gl_tree do the lines of each policy stand?
 * A policy has a power of two of them at a multiple of itself, so that it can grow for a while without moving, and that
 * what one leaves another can use. Neighbours: compile_group.c (who asks), compile_rule.c (makes the lines). */
#include "loader/compile_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t room_for(uint32_t count)
{
	uint32_t room = count ? 1 : 0;

	while (room < count)
		room *= 2;
	return room;
}

static bool is_free(const bool *used, uint32_t first, uint32_t room)
{
	for (uint32_t i = 0; i < room; i++)
		if (used[first + i])
			return false;
	return true;
}

static void take(bool *used, struct gl_c_place *place, uint32_t first, uint32_t room)
{
	place->first = first;
	place->room = room;
	memset(used + first, true, room);
}

/* Whoever has enough now, and not far more than that, keeps it. */
static void keep(bool *used, struct gl_c_place *place)
{
	uint32_t room = place->live_room, first = place->live_first;

	place->room = 0;
	if (place->count && room >= place->count && room / 4 <= place->count && !(room & (room - 1)) &&
	    room <= GL_MAX_TREE_LINES && !(first & (room - 1)) && first <= GL_MAX_TREE_LINES - room &&
	    is_free(used, first, room))
		take(used, place, first, room);
}

/* The large ones first: then what is left over is never in too small pieces, where nothing was kept. */
static int find(bool *used, struct gl_c_place *places, size_t count)
{
	for (uint32_t room = GL_MAX_TREE_LINES; room; room /= 2) {
		uint32_t at = 0;

		for (size_t i = 0; i < count; i++) {
			if (places[i].room || room_for(places[i].count) != room)
				continue;
			while (at <= GL_MAX_TREE_LINES - room && !is_free(used, at, room))
				at += room;
			if (at > GL_MAX_TREE_LINES - room)
				return -ENOSPC;
			take(used, &places[i], at, room);
		}
	}
	return 0;
}

int gl_c_place_lines(struct gl_c_place *places, size_t count)
{
	bool *used = calloc(GL_MAX_TREE_LINES, sizeof(*used));
	int err;

	if (!used)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		places[i].first = 0;
		keep(used, &places[i]);
	}
	err = find(used, places, count);
	if (err) {
		memset(used, 0, GL_MAX_TREE_LINES * sizeof(*used));
		for (size_t i = 0; i < count; i++)
			places[i].first = places[i].room = 0;
		err = find(used, places, count);
	}
	free(used);
	return err;
}
