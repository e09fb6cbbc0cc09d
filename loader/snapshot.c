/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How maps are read and written in bulk. Neighbours: snapshot.h. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "loader/fail.h"
#include "loader/snapshot.h"

#define BATCH 4096
#define KEY_MAX 64

/* ---- sides ------------------------------------------------------------------------------------------------- */

void gl_key_on_side(enum gl_map_id map, unsigned side, const void *key, void *ret)
{
	const struct gl_map_info *row = gl_map_info(map);
	uint32_t word;

	memcpy(ret, key, row->key_size);
	if (row->role != GL_ROLE_SIDED)
		return;
	if (row->shape == GL_SHAPE_ARRAY) {
		memcpy(&word, key, sizeof(word));
		word = row->side_offset ? word + side * row->side_offset : GL_SIDED(word, side);
		memcpy(ret, &word, sizeof(word));
	} else if (row->shape == GL_SHAPE_LPM) {
		memcpy(&word, (const char *)key + row->side_offset, sizeof(word));
		word = htonl(ntohl(word) | side);
		memcpy((char *)ret + row->side_offset, &word, sizeof(word));
	} else {
		((uint8_t *)ret)[row->side_offset] = side;
	}
}

/* The reverse: returns the side and leaves the key as in a mapset. */
static unsigned take_side(const struct gl_map_info *row, const void *key, void *ret)
{
	unsigned side;
	uint32_t word;

	memcpy(ret, key, row->key_size);
	if (row->role != GL_ROLE_SIDED)
		return 0;
	if (row->shape == GL_SHAPE_ARRAY) {
		memcpy(&word, key, sizeof(word));
		side = row->side_offset ? word >= row->side_offset : word & 1;
		word = row->side_offset ? word - side * row->side_offset : word >> 1;
		memcpy(ret, &word, sizeof(word));
	} else if (row->shape == GL_SHAPE_LPM) {
		memcpy(&word, (const char *)key + row->side_offset, sizeof(word));
		side = ntohl(word) & 1;
		word &= htonl(~1u);
		memcpy((char *)ret + row->side_offset, &word, sizeof(word));
	} else {
		side = ((const uint8_t *)key)[row->side_offset] & 1;
		((uint8_t *)ret)[row->side_offset] = 0;
	}
	return side;
}

/* ---- reading ----------------------------------------------------------------------------------------------- */

static int walk_one_by_one(int fd, uint32_t key_size, uint32_t val_size, gl_entry_fn each, void *arg)
{
	unsigned char key[KEY_MAX], next[KEY_MAX];
	void *val = malloc(val_size), *at = NULL;
	int err = val && key_size <= KEY_MAX ? 0 : -ENOMEM;

	while (!err) {
		if (bpf_map_get_next_key(fd, at, next)) {
			err = errno == ENOENT ? 0 : -errno;
			break;
		}
		memcpy(key, next, key_size);
		at = key;
		/* Gone since: the programs write some maps all the time. */
		if (bpf_map_lookup_elem(fd, key, val))
			continue;
		err = each(arg, key, val);
	}
	free(val);
	return err;
}

int gl_map_walk(int fd, uint32_t key_size, uint32_t val_size, gl_entry_fn each, void *arg)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	/* A batch's cursor is 4 bytes for a hash and a key for the others. */
	unsigned char in[KEY_MAX], out[KEY_MAX];
	uint32_t room = BATCH, count;
	char *keys = NULL, *vals = NULL;
	void *at = NULL;
	int err = 0, last = 0;

	while (!last && !err) {
		if (!keys) {
			keys = calloc(room, key_size);
			vals = calloc(room, val_size);
			if (!keys || !vals) {
				err = -ENOMEM;
				break;
			}
		}
		count = room;
		if (bpf_map_lookup_batch(fd, at, out, keys, vals, &count, &opts)) {
			last = errno;
			/* One bucket holds more than the buffers do. */
			if (last == ENOSPC && room < (1u << 22)) {
				room *= 2;
				free(keys);
				free(vals);
				keys = vals = NULL;
				last = 0;
				continue;
			}
			/* 524: the kernel's ENOTSUPP. */
			if (!at && (last == EINVAL || last == EOPNOTSUPP || last == 524)) {
				free(keys);
				free(vals);
				return walk_one_by_one(fd, key_size, val_size, each, arg);
			}
			if (last != ENOENT) {
				err = -last;
				break;
			}
		}
		for (uint32_t i = 0; i < count && !err; i++)
			err = each(arg, keys + (size_t)i * key_size, vals + (size_t)i * val_size);
		memcpy(in, out, sizeof(in));
		at = in;
	}
	free(keys);
	free(vals);
	return err;
}

struct reader {
	const struct gl_map_info *row;
	enum gl_map_id map;
	struct gl_mapset **sets;
	uint8_t *slots; /* bits: those that some entry names */
};

static bool all_zero(const void *p, size_t len)
{
	const unsigned char *b = p;

	return !len || (!b[0] && !memcmp(b, b + 1, len - 1));
}

static void note_slot(struct reader *r, const void *key)
{
	struct gl_name_key name = { 0 };

	if (r->map == GL_MAP_PORT)
		memcpy(&name.index, key, sizeof(name.index));
	else if (r->map == GL_MAP_NAME)
		memcpy(&name, key, sizeof(name));
	if ((r->map == GL_MAP_PORT || (r->map == GL_MAP_NAME && name.kind == GL_NAME_PORT)) &&
	    name.index < GL_PORT_SLOTS)
		r->slots[name.index / 8] |= 1 << name.index % 8;
}

static int on_entry(void *arg, const void *key, const void *val)
{
	struct reader *r = arg;
	unsigned char plain[KEY_MAX];
	unsigned side;
	int err;

	if (r->row->shape == GL_SHAPE_ARRAY && all_zero(val, r->row->val_size))
		return 0;
	side = take_side(r->row, key, plain);
	note_slot(r, plain);
	if (r->row->role == GL_ROLE_SIDED)
		return gl_mapset_add(r->sets[side], r->map, GL_ENTRY_SHARED, plain, val);
	err = gl_mapset_add(r->sets[0], r->map, GL_ENTRY_SHARED, plain, val);
	return err ? err : gl_mapset_add(r->sets[1], r->map, GL_ENTRY_SHARED, plain, val);
}

static int read_array(int fd, struct reader *r)
{
	size_t step = (r->row->val_size + 7) & ~7u, size = step * r->row->max_entries;
	char *mem = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	int err = 0;

	if (mem == MAP_FAILED)
		return gl_map_walk(fd, r->row->key_size, r->row->val_size, on_entry, r);
	for (uint32_t i = 0; i < r->row->max_entries && !err; i++)
		err = on_entry(r, &i, mem + i * step);
	munmap(mem, size);
	return err;
}

/* A devmap cannot be read in bulk: ask for the slots that either side or a name uses. */
static int read_devmap(int fd, struct reader *r)
{
	int err = 0;

	for (uint32_t slot = 0; slot < GL_PORT_SLOTS && !err; slot++) {
		uint32_t ifindex;

		if ((r->slots[slot / 8] & (1 << slot % 8)) && !bpf_map_lookup_elem(fd, &slot, &ifindex))
			err = on_entry(r, &slot, &ifindex);
	}
	return err;
}

int gl_snapshot_read(const struct gl_object *obj, uint32_t maps, struct gl_mapset *sets[2], struct gl_diag *diag)
{
	struct gl_mapset *s[2] = { 0 };
	uint8_t *slots = calloc(GL_PORT_SLOTS / 8, 1);
	int err = slots ? gl_mapset_new(&s[0]) : -ENOMEM, devmap = -1;

	if (!err)
		err = gl_mapset_new(&s[1]);
	for (int i = 0; i <= GL_MAP_COUNT && !err; i++) {
		int map = i == GL_MAP_COUNT ? devmap : i;
		struct reader r = { .sets = s, .map = map, .slots = slots };

		if (map < 0 || obj->map[map] < 0 || !(maps & GL_MAPS_ONE(map)))
			continue;
		r.row = gl_map_info(map);
		if (r.row->role != GL_ROLE_SIDED && r.row->role != GL_ROLE_PLAIN)
			continue;
		if (r.row->shape == GL_SHAPE_DEVMAP && i < GL_MAP_COUNT)
			devmap = map;
		else if (r.row->shape == GL_SHAPE_DEVMAP)
			err = read_devmap(obj->map[map], &r);
		else if (r.row->shape == GL_SHAPE_ARRAY)
			err = read_array(obj->map[map], &r);
		else
			err = gl_map_walk(obj->map[map], r.row->key_size, r.row->val_size, on_entry, &r);
		if (err)
			gl_fail(diag, err, "cannot read the map %s", r.row->name);
	}
	for (int i = 0; i < 2 && !err; i++) {
		err = gl_mapset_seal(s[i]);
		if (err)
			gl_fail(diag, err, "cannot sort the maps' entries");
	}
	free(slots);
	if (err) {
		gl_mapset_free(s[0]);
		gl_mapset_free(s[1]);
		return err;
	}
	sets[0] = s[0];
	sets[1] = s[1];
	return 0;
}

/* ---- writing ----------------------------------------------------------------------------------------------- */

static int put_batch(int fd, const struct gl_map_info *row, const char *keys, const char *vals, uint32_t count)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t done = count;

	if (row->shape != GL_SHAPE_DEVMAP && count > 1) {
		if (!bpf_map_update_batch(fd, keys, vals, &done, &opts))
			return 0;
		if (errno != EINVAL && errno != EOPNOTSUPP && errno != 524)
			return -errno;
	}
	for (uint32_t i = 0; i < count; i++)
		if (bpf_map_update_elem(fd, keys + (size_t)i * row->key_size, vals + (size_t)i * row->val_size,
					BPF_ANY))
			return -errno;
	return 0;
}

/* The kernel takes an entry's memory without waiting for any: for a moment there may be none at hand. */
static int put_patiently(int fd, const struct gl_map_info *row, const char *keys, const char *vals, uint32_t count)
{
	int err = -ENOMEM;

	for (int ms = 1; ms <= 512 && (err == -ENOMEM || err == -EAGAIN || err == -EINTR); ms *= 2) {
		const struct timespec nap = { .tv_nsec = ms * 1000000L };

		if (ms > 1)
			nanosleep(&nap, NULL);
		err = put_batch(fd, row, keys, vals, count);
	}
	return err;
}

static int remove_batch(int fd, const struct gl_map_info *row, const char *keys, uint32_t count)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t done = count;

	if (row->shape != GL_SHAPE_DEVMAP && count > 1 && !bpf_map_delete_batch(fd, keys, &done, &opts))
		return 0;
	/* One by one: what is gone already does not matter. */
	for (uint32_t i = 0; i < count; i++)
		if (bpf_map_delete_elem(fd, keys + (size_t)i * row->key_size) && errno != ENOENT)
			return -errno;
	return 0;
}

int gl_map_write(const struct gl_write *w, struct gl_diag *diag)
{
	const struct gl_map_info *row = gl_map_info(w->map);
	bool zeroes = row->shape == GL_SHAPE_ARRAY;
	char *keys = calloc(BATCH, row->key_size), *vals = calloc(BATCH, row->val_size);
	int fd = w->obj->map[w->map], err = keys && vals ? 0 : -ENOMEM;

	/* Removals make room for what comes; an array's removal is a write of zeroes. */
	for (int pass = 0; pass < 2 && !err; pass++) {
		uint32_t n = 0;

		for (size_t i = 0; i <= w->count && !err; i++) {
			const struct gl_change *c = i < w->count ? &w->changes[i] : NULL;

			if (c && (pass == 0) == !c->want) {
				gl_key_on_side(w->map, w->side, c->want ? c->want->key : c->was->key,
					       keys + (size_t)n * row->key_size);
				if (c->want)
					memcpy(vals + (size_t)n * row->val_size, c->want->val, row->val_size);
				else
					memset(vals + (size_t)n * row->val_size, 0, row->val_size);
				n++;
			}
			if (n == BATCH || (!c && n)) {
				err = pass == 0 && !zeroes ? remove_batch(fd, row, keys, n)
							   : put_patiently(fd, row, keys, vals, n);
				n = 0;
			}
		}
	}
	free(keys);
	free(vals);
	if (err == -E2BIG)
		return gl_refuse(diag, err,
				 "the map %s is full (%u entries): the definition needs more than this host can hold",
				 row->name, row->max_entries);
	return err ? gl_fail(diag, err, "cannot write the map %s", row->name) : 0;
}
