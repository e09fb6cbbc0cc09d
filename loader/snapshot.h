/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* From pinned maps to values, and back: reading both sides of the configuration, and writing differences.
 * Neighbours: mapset.h, object.h, apply.c. */
#ifndef GL_SNAPSHOT_H
#define GL_SNAPSHOT_H

#include "loader/mapset.h"
#include "loader/object.h"

#define GL_MAPS_ALL 0xffffffff
#define GL_MAPS_ONE(map) (1u << (map))

/* Reads the sided and plain ones of `maps` (GL_MAPS_ONE() of each) once. sets[s]: the entries of side s with the plain
 * ones, sealed. Maps that are not there give empty sets. */
int gl_snapshot_read(const struct gl_object *obj, uint32_t maps, struct gl_mapset *sets[2], struct gl_diag *diag);

/* Calls `each` for every entry of a map of any shape but LPM, per-CPU and map of maps included as far as the caller
 * gives the value's size. Batched. A non-zero return ends the walk and is returned. */
typedef int (*gl_entry_fn)(void *arg, const void *key, const void *val);
int gl_map_walk(int fd, uint32_t key_size, uint32_t val_size, gl_entry_fn each, void *arg);

/* Writes changes of one map to side `side` (plain maps: any). Batched; removals first. */
struct gl_write {
	const struct gl_object *obj;
	enum gl_map_id map;
	unsigned side;
	const struct gl_change *changes; /* of that map alone */
	size_t count;
};
int gl_map_write(const struct gl_write *w, struct gl_diag *diag);

/* The key of an entry (as in a mapset) on a side. */
void gl_key_on_side(enum gl_map_id map, unsigned side, const void *key, void *ret);

#endif
