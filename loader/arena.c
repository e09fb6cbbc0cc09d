/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How is memory handed out that is freed all at once? Chunks that double in size; see arena.h. */
#include "loader/arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_FIRST 4096u
#define CHUNK_MOST (1u << 20)
#define ALIGN 16u

struct gl_chunk {
	struct gl_chunk *next;
	size_t size, used;
	_Alignas(ALIGN) unsigned char bytes[];
};

void *gl_arena_alloc(struct gl_arena *arena, size_t size)
{
	struct gl_chunk *chunk = arena->chunks;
	void *mem;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (!size)
		size = ALIGN;
	if (!chunk || chunk->size - chunk->used < size) {
		size_t room = chunk ? chunk->size * 2 : CHUNK_FIRST;

		if (room > CHUNK_MOST)
			room = CHUNK_MOST;
		if (room < size)
			room = size;
		chunk = malloc(sizeof(*chunk) + room);
		if (!chunk)
			return NULL;
		chunk->size = room;
		chunk->used = 0;
		chunk->next = arena->chunks;
		arena->chunks = chunk;
	}
	mem = chunk->bytes + chunk->used;
	chunk->used += size;
	return memset(mem, 0, size);
}

void *gl_arena_array(struct gl_arena *arena, size_t count, size_t size)
{
	if (size && count > SIZE_MAX / 2 / size)
		return NULL;
	return gl_arena_alloc(arena, count * size);
}

char *gl_arena_strdup(struct gl_arena *arena, const char *s, size_t len)
{
	char *copy = gl_arena_alloc(arena, len + 1);

	if (copy && len)
		memcpy(copy, s, len);
	return copy;
}

void gl_arena_clear(struct gl_arena *arena)
{
	while (arena->chunks) {
		struct gl_chunk *next = arena->chunks->next;

		free(arena->chunks);
		arena->chunks = next;
	}
}

/* ---- table -------------------------------------------------------------------------------------------------- */

struct gl_table_slot {
	const void *key; /* NULL: free */
	size_t len;
	uint64_t hash;
	const void *val;
};

uint64_t gl_hash(const void *bytes, size_t len, uint64_t seed)
{
	const unsigned char *p = bytes;
	uint64_t h = 0xcbf29ce484222325u ^ seed;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	/* FNV mixes its upper bits poorly; this is the finish of MurmurHash3. */
	h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdu;
	h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53u;
	return h ^ (h >> 33);
}

static struct gl_table_slot *table_slot(const struct gl_table *table, const void *key, size_t len, uint64_t hash)
{
	size_t i = hash & (table->size - 1);

	while (table->slots[i].key) {
		struct gl_table_slot *slot = &table->slots[i];

		if (slot->hash == hash && slot->len == len && !memcmp(slot->key, key, len))
			return slot;
		i = (i + 1) & (table->size - 1);
	}
	return &table->slots[i];
}

static int table_grow(struct gl_table *table, struct gl_arena *arena)
{
	struct gl_table bigger = { .size = table->size ? table->size * 2 : 16, .count = table->count };

	bigger.slots = gl_arena_array(arena, bigger.size, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < table->size; i++) {
		const struct gl_table_slot *slot = &table->slots[i];

		if (slot->key)
			*table_slot(&bigger, slot->key, slot->len, slot->hash) = *slot;
	}
	*table = bigger;
	return 0;
}

int gl_table_put(struct gl_table *table, struct gl_arena *arena, const void *key, size_t len, const void *val,
		 const void **had)
{
	uint64_t hash = gl_hash(key, len, 0);
	struct gl_table_slot *slot;
	char *copy;

	if (table->count * 2 >= table->size && table_grow(table, arena))
		return -ENOMEM;
	slot = table_slot(table, key, len, hash);
	if (slot->key) {
		*had = slot->val;
		return 0;
	}
	copy = gl_arena_strdup(arena, key, len);
	if (!copy)
		return -ENOMEM;
	*slot = (struct gl_table_slot){ .key = copy, .len = len, .hash = hash, .val = val };
	table->count++;
	*had = NULL;
	return 0;
}

const void *gl_table_get(const struct gl_table *table, const void *key, size_t len)
{
	if (!table->size)
		return NULL;
	return table_slot(table, key, len, gl_hash(key, len, 0))->val;
}
