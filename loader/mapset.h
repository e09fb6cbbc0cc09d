/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A set of map entries as values: what the compiler emits, what the snapshot reads, what the plan compares.
 * Entries of sided maps are held with side 0 (array keys: the plain index); apply.c puts the side in.
 * Sorted by map, then key bytes; one entry per key. Pure. Neighbours: maps/registry.h (sizes), plan.c (the diff). */
#ifndef GL_MAPSET_H
#define GL_MAPSET_H

#include <stddef.h>
#include <stdint.h>

#include "maps/registry.h"

struct gl_entry {
	enum gl_map_id map;
	uint32_t tenant; /* index of the tenant it belongs to, GL_ENTRY_SHARED: of none. Not part of the comparison. */
	const void *key; /* gl_map_info(map)->key_size bytes, owned by the set */
	const void *val; /* gl_map_info(map)->val_size bytes, owned by the set */
};
#define GL_ENTRY_SHARED 0xffffffff

struct gl_mapset;

int gl_mapset_new(struct gl_mapset **ret);
void gl_mapset_free(struct gl_mapset *set);
/* Copies key and value in. -ENOMEM. Order does not matter until gl_mapset_seal(). */
int gl_mapset_add(struct gl_mapset *set, enum gl_map_id map, uint32_t tenant, const void *key, const void *val);
/* Sorts. -EEXIST when two entries have one map and key. */
int gl_mapset_seal(struct gl_mapset *set);
size_t gl_mapset_count(const struct gl_mapset *set);
const struct gl_entry *gl_mapset_at(const struct gl_mapset *set, size_t i);
/* After seal: the entry, or NULL. */
const struct gl_entry *gl_mapset_find(const struct gl_mapset *set, enum gl_map_id map, const void *key);
/* The entries of one map: [*first, *first + return). After seal. */
size_t gl_mapset_range(const struct gl_mapset *set, enum gl_map_id map, size_t *first);
/* The value of entry i, to be changed in place. */
void *gl_mapset_edit(struct gl_mapset *set, size_t i);

/* One difference between two sealed sets: `was` NULL: to add; `want` NULL: to remove; both: to change. */
struct gl_change {
	const struct gl_entry *was, *want;
};
struct gl_changes {
	struct gl_change *items;
	size_t count;
};
/* The differences from `live` to `desired`, by one merge; entries stay owned by the sets. -ENOMEM. */
int gl_mapset_diff(const struct gl_mapset *live, const struct gl_mapset *desired, struct gl_changes *ret);

#endif
