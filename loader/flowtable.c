/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How flow tables come and go. Neighbours: flowtable.h. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "loader/bpffs.h"
#include "loader/fail.h"
#include "loader/flowtable.h"
#include "loader/ipentry.h"
#include "loader/snapshot.h"

/* What `bpftool map dump` needs to print a flow by itself. */
struct member {
	const char *name;
	uint16_t offset, size, repeat;
};
#define MEMBER(type, field, elem, count)                                                                               \
	{                                                                                                              \
#field, offsetof(struct type, field), sizeof(elem), count                                              \
	}
/* Of one family; an address is one word or an array of them. */
#define KEY_MEMBERS(type, words)                                                                                       \
	{                                                                                                              \
		MEMBER(type, src_be, uint32_t, words), MEMBER(type, dst_be, uint32_t, words),                          \
			MEMBER(type, sport_be, uint16_t, 0), MEMBER(type, dport_be, uint16_t, 0),                      \
			MEMBER(type, scope, uint16_t, 0), MEMBER(type, proto, uint8_t, 0),                             \
			MEMBER(type, kind, uint8_t, 0),                                                                \
		{                                                                                                      \
			0                                                                                              \
		}                                                                                                      \
	}
#define VAL_MEMBERS(type, words)                                                                                       \
	{                                                                                                              \
		MEMBER(type, gen, uint32_t, 0), MEMBER(type, flags, uint8_t, 0), MEMBER(type, state, uint8_t, 0),      \
			MEMBER(type, mtu, uint16_t, 0), MEMBER(type, out_slot, uint32_t, 0),                           \
			MEMBER(type, out_ifindex, uint32_t, 0), MEMBER(type, dmac, uint8_t, GL_MAC_LEN),               \
			MEMBER(type, smac, uint8_t, GL_MAC_LEN), MEMBER(type, new_src_be, uint32_t, words),            \
			MEMBER(type, new_dst_be, uint32_t, words), MEMBER(type, new_sport_be, uint16_t, 0),            \
			MEMBER(type, new_dport_be, uint16_t, 0), MEMBER(type, last_seen, uint32_t, 0),                 \
			MEMBER(type, nh_seen, uint32_t, 0), MEMBER(type, packets, uint64_t, 0),                        \
			MEMBER(type, bytes, uint64_t, 0), MEMBER(type, peer_scope, uint16_t, 0),                       \
			MEMBER(type, vlan, uint16_t, 0), MEMBER(type, created, uint32_t, 0),                           \
			MEMBER(type, in_slot, uint32_t, 0), MEMBER(type, mss, uint16_t, 0),                            \
			MEMBER(type, tcp_flags, uint8_t, 0), MEMBER(type, tcp_scale, uint8_t, 0),                      \
			MEMBER(type, seq_end, uint32_t, 0), MEMBER(type, ack, uint32_t, 0),                            \
			MEMBER(type, window, uint32_t, 0), MEMBER(type, pending, uint32_t, 0),                         \
			MEMBER(type, admitted, uint32_t, 4), MEMBER(type, syn_scale, uint8_t, 0),                      \
		{                                                                                                      \
			0                                                                                              \
		}                                                                                                      \
	}
static const struct member members[GL_FAMILIES][2][34] = {
	{ KEY_MEMBERS(gl_flow4_key, 0), VAL_MEMBERS(gl_flow4_val, 0) },
	{ KEY_MEMBERS(gl_flow6_key, 4), VAL_MEMBERS(gl_flow6_val, 4) },
};

static int add_struct(struct btf *btf, const char *name, size_t size, const struct member *list, const int *ints)
{
	int arrays[16], id, n = 0;

	for (const struct member *m = list; m->name; m++)
		if (m->repeat)
			arrays[n++] = btf__add_array(btf, ints[0], ints[m->size], m->repeat);
	id = btf__add_struct(btf, name, size);
	n = 0;
	for (const struct member *m = list; m->name; m++)
		if (btf__add_field(btf, m->name, m->repeat ? arrays[n++] : ints[m->size], 8 * m->offset, 0))
			return -ENOMEM;
	return id;
}

static struct btf *flow_btf(enum gl_map_id map, int *key, int *val)
{
	static const char *const names[GL_FAMILIES][2] = { { "gl_flow4_key", "gl_flow4_val" },
							   { "gl_flow6_key", "gl_flow6_val" } };
	const struct gl_map_info *info = gl_map_info(map);
	const unsigned family = gl_family_index(gl_map_family(map));
	static const struct {
		const char *name;
		int size;
	} types[] = { { "__u8", 1 }, { "__u16", 2 }, { "__u32", 4 }, { "__u64", 8 } };
	struct btf *btf = btf__new_empty();
	int ints[9] = { 0 };

	if (!btf)
		return NULL;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		ints[types[i].size] = btf__add_int(btf, types[i].name, types[i].size, 0);
	ints[0] = ints[4];
	*key = add_struct(btf, names[family][0], info->key_size, members[family][0], ints);
	*val = add_struct(btf, names[family][1], info->val_size, members[family][1], ints);
	if (*key < 0 || *val < 0 || btf__load_into_kernel(btf)) {
		btf__free(btf);
		return NULL;
	}
	return btf;
}

uint32_t gl_flow_table_entries(uint32_t max_flows)
{
	return 2 * max_flows;
}

int gl_flow_table_create(enum gl_map_id map, const char *name, uint32_t max_entries)
{
	const struct gl_map_info *info = gl_map_info(map);
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	int key, val, fd;
	struct btf *btf = flow_btf(map, &key, &val);

	/* Without type information the table works all the same. */
	if (btf) {
		opts.btf_fd = btf__fd(btf);
		opts.btf_key_type_id = key;
		opts.btf_value_type_id = val;
	}
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, name, info->key_size, info->val_size, max_entries, &opts);
	if (fd < 0)
		fd = -errno;
	btf__free(btf);
	return fd;
}

static int by_tenant(const void *a, const void *b)
{
	const struct gl_table *x = a, *y = b;

	if (x->tenant != y->tenant)
		return x->tenant < y->tenant ? -1 : 1;
	if (x->map != y->map)
		return x->map < y->map ? -1 : 1;
	return strcmp(x->pin, y->pin);
}

int gl_tables_read(const char *dir, const struct gl_object *obj, struct gl_tables *ret)
{
	struct gl_tables tables = { 0 };
	struct gl_names names;
	int err = gl_pin_list(dir, "flows", &names);

	if (err)
		return err;
	tables.items = calloc(names.count + 1, sizeof(*tables.items));
	if (!tables.items) {
		gl_names_clear(&names);
		return -ENOMEM;
	}
	for (size_t i = 0; i < names.count; i++) {
		struct gl_table *t = &tables.items[tables.count++];
		struct bpf_map_info info = { 0 };
		uint32_t len = sizeof(info), linked = 0;
		char *colon = strchr(names.items[i], ':'), *behind;
		int fd = gl_pin_open(dir, "flows", names.items[i]);

		t->tenant = strtoul(names.items[i], &behind, 10);
		t->map = *behind == 'v' ? GL_MAP_FLOW6 : GL_MAP_FLOW4;
		snprintf(t->pin, sizeof(t->pin), "%s", names.items[i]);
		if (colon)
			gl_pin_name_decode(colon + 1, t->name, sizeof(t->name));
		if (fd < 0)
			continue;
		if (!bpf_obj_get_info_by_fd(fd, &info, &len)) {
			t->max_entries = info.max_entries;
			t->map_id = info.id;
		}
		close(fd);
		if (obj->map[t->map] >= 0 && !bpf_map_lookup_elem(obj->map[t->map], &t->tenant, &linked))
			t->linked = linked == t->map_id;
	}
	gl_names_clear(&names);
	if (tables.count)
		qsort(tables.items, tables.count, sizeof(*tables.items), by_tenant);
	*ret = tables;
	return 0;
}

void gl_tables_clear(struct gl_tables *tables)
{
	free(tables->items);
	*tables = (struct gl_tables){ 0 };
}

#define COPY_BATCH 1024

/* Copies flows that `to` does not hold yet; those beyond its room stay behind. */
static int copy_flows(enum gl_map_id map, int from, int to)
{
	const struct gl_map_info *info = gl_map_info(map);
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	char *keys = calloc(COPY_BATCH, info->key_size), *vals = calloc(COPY_BATCH, info->val_size);
	uint32_t in, out, *at = NULL, room = COPY_BATCH;
	int err = 0;

	while (keys && vals) {
		uint32_t count = room;

		err = bpf_map_lookup_batch(from, at, &out, keys, vals, &count, &opts) ? -errno : 0;
		if (err == -ENOSPC && room < 65536) {
			/* One bucket holds more than the buffer does. */
			char *k = reallocarray(keys, 2 * room, info->key_size), *v;

			keys = k ? k : keys;
			v = k ? reallocarray(vals, 2 * room, info->val_size) : NULL;
			vals = v ? v : vals;
			if (!v)
				break;
			room *= 2;
			continue;
		}
		if (err && err != -ENOENT)
			break;
		for (uint32_t i = 0; i < count; i++)
			if (bpf_map_update_elem(to, keys + (size_t)i * info->key_size,
						vals + (size_t)i * info->val_size, BPF_NOEXIST) &&
			    errno == E2BIG)
				goto out;
		if (err)
			break;
		in = out;
		at = &in;
	}
out:
	if (err == -ENOENT)
		err = 0;
	if (!keys || !vals)
		err = -ENOMEM;
	free(keys);
	free(vals);
	return err;
}

/* What one tenant was refused and has lost does not count for the next one with its index. */
static int begin_stat(const struct gl_object *obj, uint32_t tenant)
{
	const struct gl_tenant_stat none = { 0 };

	return bpf_map_update_elem(obj->map[GL_MAP_TENANT_STAT], &tenant, &none, BPF_ANY) ? -errno : 0;
}

int gl_flow_table_add(const char *dir, const struct gl_object *obj, const struct gl_flow_table *want,
		      const struct gl_table *was, struct gl_diag *diag)
{
	const bool ipv6 = want->map == GL_MAP_FLOW6;
	char pin[256], fresh[300], escaped[3 * GL_NAME_LEN];
	int old = -1, err = 0, fd;

	gl_pin_name(want->name, escaped, sizeof(escaped));
	snprintf(pin, sizeof(pin), "%u%s:%s", want->tenant, ipv6 ? "v6" : "", escaped);
	snprintf(fresh, sizeof(fresh), "%s:new", pin);
	fd = gl_flow_table_create(want->map, ipv6 ? "gl_flow6_tenant" : "gl_flow4_tenant",
				  gl_flow_table_entries(want->max_flows));
	if (fd < 0)
		return gl_fail(diag, fd, "cannot make room for %u flows of tenant %s", want->max_flows, want->name);
	if (!was) {
		if (!ipv6)
			err = begin_stat(obj, want->tenant);
		if (err) {
			gl_fail(diag, err, "cannot write the map gl_tenant_stat");
			goto out;
		}
	} else {
		old = gl_pin_open(dir, "flows", was->pin);
		if (old >= 0)
			copy_flows(want->map, old, fd);
	}
	err = gl_pin(fd, dir, "flows", fresh);
	if (err) {
		gl_fail(diag, err, "cannot pin %s/flows/%s", dir, fresh);
		goto out;
	}
	if (bpf_map_update_elem(obj->map[want->map], &want->tenant, &fd, BPF_ANY)) {
		err = gl_fail(diag, -errno, "cannot hand the flow table of tenant %s to the programs", want->name);
		gl_unpin(dir, "flows", fresh);
		goto out;
	}
	/* What was opened between the first copy and the swap. */
	if (old >= 0)
		copy_flows(want->map, old, fd);
	err = gl_pin_rename(dir, "flows", fresh, pin);
	if (err)
		gl_fail(diag, err, "cannot pin %s/flows/%s", dir, pin);
	else if (was && strcmp(was->pin, pin))
		gl_unpin(dir, "flows", was->pin);
out:
	close(fd);
	if (old >= 0)
		close(old);
	return err;
}

struct fragments {
	int fd;
	uint32_t tenant;
};

static int remove_fragment(void *arg, const void *key, const void *val)
{
	const struct fragments *f = arg;

	if (((const struct gl_frag_val *)val)->tenant == f->tenant)
		bpf_map_delete_elem(f->fd, key);
	return 0;
}

/* Those that expire later would be taken off the count of the next tenant with this index. */
static void remove_fragments(const struct gl_object *obj, uint32_t tenant)
{
	struct gl_tenant_stat stat;

	if (bpf_map_lookup_elem(obj->map[GL_MAP_TENANT_STAT], &tenant, &stat) || !stat.fragments)
		return;
	for (unsigned family = 0; family < GL_FAMILIES; family++) {
		const enum gl_map_id map = gl_map_of(GL_MAP_FRAG4, gl_family_at(family));
		struct fragments f = { .fd = obj->map[map], .tenant = tenant };

		gl_map_walk(f.fd, gl_map_info(map)->key_size, sizeof(struct gl_frag_val), remove_fragment, &f);
	}
}

int gl_flow_table_remove(const char *dir, const struct gl_object *obj, const struct gl_table *table)
{
	struct gl_sweep_val none = { 0 };
	uint32_t linked = 0;

	/* Another pin of the same index may be the one in use. */
	if (!bpf_map_lookup_elem(obj->map[table->map], &table->tenant, &linked) && linked == table->map_id) {
		/* Writing the element cancels its timer. */
		if (table->map == GL_MAP_FLOW4 &&
		    bpf_map_update_elem(obj->map[GL_MAP_SWEEP], &table->tenant, &none, BPF_ANY))
			return -errno;
		if (bpf_map_delete_elem(obj->map[table->map], &table->tenant) && errno != ENOENT)
			return -errno;
		if (table->map == GL_MAP_FLOW4)
			remove_fragments(obj, table->tenant);
	}
	return gl_unpin(dir, "flows", table->pin);
}

int gl_sweep_start(const struct gl_object *obj, uint32_t tenant, struct gl_diag *diag)
{
	unsigned char packet[64] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet), .repeat = 1);

	memcpy(packet + 14, &tenant, sizeof(tenant));
	/* The kernel takes a timer's memory without waiting for locks (Linux 6.18), so that it may fail just so. */
	for (int ms = 1; ms <= 1024; ms *= 2) {
		const struct timespec nap = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

		if (!bpf_prog_test_run_opts(obj->prog[GL_PROG_SWEEP_TC], &opts)) {
			if (!opts.retval)
				return 0;
		} else if (errno != ENOMEM && errno != EINTR && errno != EAGAIN) {
			return gl_fail(diag, -errno, "cannot start the sweep timer of tenant %u", tenant);
		}
		nanosleep(&nap, NULL);
	}
	return gl_refuse(diag, -EIO, "the sweep timer of tenant %u did not start (%d)", tenant, (int)opts.retval);
}
