/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Memory that is freed all at once, and a table of byte strings on top of it. Depends on nothing of ours.
 * Users: yaml.c, parse.c (the tree and the definition), model.c, validate.c (who had a name first). */
#ifndef GL_ARENA_H
#define GL_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct gl_chunk;
struct gl_arena {
	struct gl_chunk *chunks;
};

void *gl_arena_alloc(struct gl_arena *arena, size_t size); /* zeroed; NULL: no memory */
void *gl_arena_array(struct gl_arena *arena, size_t count, size_t size);
char *gl_arena_strdup(struct gl_arena *arena, const char *s, size_t len);
void gl_arena_clear(struct gl_arena *arena);

/* From byte strings to pointers. Starts zeroed; keys are copied into the arena given to gl_table_put(). */
struct gl_table {
	struct gl_table_slot *slots;
	size_t size, count;
};

/* Puts `val` in unless the key is there already. 0 and *had NULL, 0 and *had what was there, or -ENOMEM. */
int gl_table_put(struct gl_table *table, struct gl_arena *arena, const void *key, size_t len, const void *val,
		 const void **had);
const void *gl_table_get(const struct gl_table *table, const void *key, size_t len); /* NULL: not there */

uint64_t gl_hash(const void *bytes, size_t len, uint64_t seed); /* one and the same on every machine */

#endif
