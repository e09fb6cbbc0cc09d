/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Which entries should be, or are, in the maps, and where do two such sets differ?
 * Entries live in chunks that never move; sealing sorts them once, after which a diff is one merge.
 * Neighbours: mapset.h, registry.c (sizes of keys and values). */
#include "loader/mapset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (256 * 1024)

struct chunk {
	struct chunk *next;
	size_t used;
	_Alignas(8) unsigned char bytes[CHUNK_BYTES];
};

/* The key's first eight bytes as a number that sorts as the bytes do: most comparisons end there. */
struct item {
	uint64_t head;
	struct gl_entry entry;
};

struct gl_mapset {
	struct chunk *chunks;
	struct item *items; /* until sealed */
	struct gl_entry *entries; /* once sealed */
	size_t count, capacity;
	size_t first[GL_MAP_COUNT + 1]; /* once sealed: where each map's entries begin */
};

int gl_mapset_new(struct gl_mapset **ret)
{
	struct gl_mapset *set = calloc(1, sizeof(*set));

	if (!set)
		return -ENOMEM;
	*ret = set;
	return 0;
}

void gl_mapset_free(struct gl_mapset *set)
{
	if (!set)
		return;
	while (set->chunks) {
		struct chunk *chunk = set->chunks;

		set->chunks = chunk->next;
		free(chunk);
	}
	free(set->items);
	free(set->entries);
	free(set);
}

static void *chunk_take(struct gl_mapset *set, size_t size)
{
	struct chunk *chunk = set->chunks;
	void *at;

	size = (size + 7) & ~(size_t)7;
	if (!chunk || CHUNK_BYTES - chunk->used < size) {
		chunk = malloc(sizeof(*chunk));
		if (!chunk)
			return NULL;
		chunk->next = set->chunks;
		chunk->used = 0;
		set->chunks = chunk;
	}
	at = chunk->bytes + chunk->used;
	chunk->used += size;
	return at;
}

static uint64_t key_head(const void *key, size_t size)
{
	unsigned char bytes[8] = { 0 };
	uint64_t head = 0;

	memcpy(bytes, key, size < sizeof(bytes) ? size : sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		head = head << 8 | bytes[i];
	return head;
}

int gl_mapset_add(struct gl_mapset *set, enum gl_map_id map, uint32_t tenant, const void *key, const void *val)
{
	const struct gl_map_info *info = gl_map_info(map);
	unsigned char *copy_key, *copy_val;

	if (!info || set->entries)
		return -EINVAL;
	if (set->count == set->capacity) {
		size_t capacity = set->capacity ? 2 * set->capacity : 256;
		struct item *items = realloc(set->items, capacity * sizeof(*items));

		if (!items)
			return -ENOMEM;
		set->items = items;
		set->capacity = capacity;
	}
	copy_key = chunk_take(set, info->key_size);
	copy_val = chunk_take(set, info->val_size);
	if (!copy_key || !copy_val)
		return -ENOMEM;
	memcpy(copy_key, key, info->key_size);
	memcpy(copy_val, val, info->val_size);
	set->items[set->count++] = (struct item){
		.head = key_head(key, info->key_size),
		.entry = { .map = map, .tenant = tenant, .key = copy_key, .val = copy_val },
	};
	return 0;
}

static int entry_compare(const struct gl_entry *a, const struct gl_entry *b)
{
	if (a->map != b->map)
		return a->map < b->map ? -1 : 1;
	return memcmp(a->key, b->key, gl_map_info(a->map)->key_size);
}

static int item_compare(const void *left, const void *right)
{
	const struct item *a = left, *b = right;

	if (a->entry.map == b->entry.map && a->head != b->head)
		return a->head < b->head ? -1 : 1;
	return entry_compare(&a->entry, &b->entry);
}

int gl_mapset_seal(struct gl_mapset *set)
{
	struct gl_entry *entries;
	size_t at = 0;

	if (set->entries)
		return 0;
	entries = malloc((set->count + 1) * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	if (set->count)
		qsort(set->items, set->count, sizeof(*set->items), item_compare);
	for (size_t i = 0; i < set->count; i++) {
		if (i && !item_compare(&set->items[i - 1], &set->items[i])) {
			free(entries);
			return -EEXIST;
		}
		entries[i] = set->items[i].entry;
	}
	for (unsigned map = 0; map <= GL_MAP_COUNT; map++) {
		while (at < set->count && entries[at].map < map)
			at++;
		set->first[map] = at;
	}
	free(set->items);
	set->items = NULL;
	set->entries = entries;
	return 0;
}

size_t gl_mapset_count(const struct gl_mapset *set)
{
	return set->count;
}

const struct gl_entry *gl_mapset_at(const struct gl_mapset *set, size_t i)
{
	if (i >= set->count)
		return NULL;
	return set->entries ? &set->entries[i] : &set->items[i].entry;
}

size_t gl_mapset_range(const struct gl_mapset *set, enum gl_map_id map, size_t *first)
{
	*first = set->first[map];
	return set->first[map + 1] - set->first[map];
}

const struct gl_entry *gl_mapset_find(const struct gl_mapset *set, enum gl_map_id map, const void *key)
{
	size_t low = set->first[map], high = set->first[map + 1];
	size_t size = gl_map_info(map)->key_size;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(set->entries[middle].key, key, size);

		if (!order)
			return &set->entries[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

void *gl_mapset_edit(struct gl_mapset *set, size_t i)
{
	/* The value's storage is the set's own and writable; only its readers see it as const. */
	return (void *)gl_mapset_at(set, i)->val;
}

static int change_add(struct gl_changes *changes, size_t *capacity, const struct gl_entry *was,
		      const struct gl_entry *want)
{
	if (changes->count == *capacity) {
		size_t more = *capacity ? 2 * *capacity : 64;
		struct gl_change *items = realloc(changes->items, more * sizeof(*items));

		if (!items)
			return -ENOMEM;
		changes->items = items;
		*capacity = more;
	}
	changes->items[changes->count++] = (struct gl_change){ .was = was, .want = want };
	return 0;
}

int gl_mapset_diff(const struct gl_mapset *live, const struct gl_mapset *desired, struct gl_changes *ret)
{
	struct gl_changes changes = { 0 };
	size_t capacity = 0, i = 0, j = 0;
	int err = 0;

	while (!err && (i < live->count || j < desired->count)) {
		const struct gl_entry *was = i < live->count ? &live->entries[i] : NULL;
		const struct gl_entry *want = j < desired->count ? &desired->entries[j] : NULL;
		int order = !was ? 1 : !want ? -1 : entry_compare(was, want);

		if (order < 0) {
			err = change_add(&changes, &capacity, was, NULL);
			i++;
		} else if (order > 0) {
			err = change_add(&changes, &capacity, NULL, want);
			j++;
		} else {
			if (memcmp(was->val, want->val, gl_map_info(was->map)->val_size))
				err = change_add(&changes, &capacity, was, want);
			i++;
			j++;
		}
	}
	if (err) {
		free(changes.items);
		return err;
	}
	*ret = changes;
	return 0;
}
