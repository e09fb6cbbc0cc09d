/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The programs' flow tables and datagrams in fragments: what the loader's and the sweeper's work does to them, and are
 * they what the model has? Neighbours: model.h, real.h, tables_ip.h (the shapes of a family). */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "real.h"

/* An entry, in numbers. */
struct seen {
	uint32_t src, dst, nsrc, ndst;
	uint16_t sport, dport, nsport, ndport;
	uint8_t proto, kind, flags, state;
	uint64_t packets, bytes;
	struct gl_admitted admitted[2];
};

struct shape {
	enum gl_map_id flows, frags;
	size_t key_size, val_size, frag_size;
	void (*key)(const struct m_key *key, void *to);
	void (*seen)(const void *key, const void *val, struct seen *ret);
	void (*age)(void *val, uint32_t seconds);
	void (*frag)(const struct pk *pk, uint16_t scope, void *to);
};

#define KEY_MOST sizeof(struct gl_flow6_key)
#define VAL_MOST sizeof(struct gl_flow6_val)
#define MOST 1024
static uint8_t keys[MOST * KEY_MOST], vals[MOST * VAL_MOST];

#define FRAGS 64 /* datagrams that a sequence has sent parts of */
static struct {
	unsigned family;
	uint8_t key[sizeof(struct gl_frag6_key)];
} frags[FRAGS];
static unsigned frag_count;

static int tables[2][M_TENANTS] = { { -1, -1, -1, -1 }, { -1, -1, -1, -1 } };
static bool used[2]; /* families, by this sequence */

static uint16_t scope_of(const struct m_key *key)
{
	return key->scope == M_SCOPE_UPLINK ? GL_SCOPE_UPLINK | real.uplink_index : real.net_index[key->scope];
}

#define GL_IP 4
#include "tables_ip.h"
#undef GL_IP
#define GL_IP 6
#include "tables_ip.h"
#undef GL_IP

static const struct shape *shape_of(unsigned family)
{
	return family == 6 ? &shape6 : &shape4;
}

void tables_forget(void)
{
	for (unsigned i = 0; i < 2 * M_TENANTS; i++) {
		int *fd = &tables[i / M_TENANTS][i % M_TENANTS];

		if (*fd >= 0)
			close(*fd);
		*fd = -1;
	}
}

static int table_of(unsigned tenant, unsigned family)
{
	int *fd = &tables[M_FAMILY(family)][tenant];
	uint32_t id;

	if (*fd < 0 && !bpf_map_lookup_elem(world.obj.map[shape_of(family)->flows], &real.tenant_index[tenant], &id))
		*fd = bpf_map_get_fd_by_id(id);
	return *fd;
}

void real_begin(bool ipv4, bool ipv6)
{
	used[0] = ipv4;
	used[1] = ipv6;
}

/* The next tenant and family whose table may hold something; both begin at 0. */
static bool next_table(unsigned *tenant, unsigned *family)
{
	if (!*family) {
		*family = 4;
	} else if (*family == 4) {
		*family = 6;
	} else {
		*family = 4;
		++*tenant;
	}
	if (*tenant >= M_TENANTS || !strcmp(tenant_name(*tenant), "?"))
		return false;
	return used[M_FAMILY(*family)] && table_of(*tenant, *family) >= 0 ? true : next_table(tenant, family);
}

static bool chosen(unsigned tenant, const struct m_key *opener, uint32_t *addr, uint16_t *port)
{
	const struct shape *shape = shape_of(opener->family);
	uint8_t key[KEY_MOST], val[VAL_MOST];
	struct seen seen;

	shape->key(opener, key);
	if (bpf_map_lookup_elem(table_of(tenant, opener->family), key, val))
		return false;
	shape->seen(key, val, &seen);
	*addr = seen.nsrc;
	*port = seen.nsport;
	return true;
}

const struct m_oracle real_oracle = { chosen };

/* All entries of a tenant; empties the table where asked to. */
static uint32_t dump(unsigned tenant, unsigned family, bool empty)
{
	const int fd = table_of(tenant, family);
	uint32_t count = MOST, batch;
	int err = empty ? bpf_map_lookup_and_delete_batch(fd, NULL, &batch, keys, vals, &count, NULL)
			: bpf_map_lookup_batch(fd, NULL, &batch, keys, vals, &count, NULL);

	if (err && errno != ENOENT) {
		printf("cannot read a flow table: %s\n", strerror(errno));
		abort();
	}
	return count;
}

static void seen_at(unsigned family, uint32_t i, struct seen *ret)
{
	const struct shape *shape = shape_of(family);

	shape->seen(keys + i * shape->key_size, vals + i * shape->val_size, ret);
}

/* Is there a flow that goes by the mapping? Then the sweeper, which comes every few seconds, keeps it young. */
static bool is_needed(unsigned family, uint32_t count, const struct seen *mapping)
{
	for (uint32_t i = 0; i < count; i++) {
		struct seen flow;

		seen_at(family, i, &flow);
		if (!flow.kind && (flow.flags & (GL_FLOW_F_MAPPED | GL_FLOW_F_REPLY)) == GL_FLOW_F_MAPPED &&
		    flow.src == mapping->ndst && flow.sport == mapping->ndport && flow.proto == mapping->proto)
			return true;
	}
	return false;
}

void real_age(uint32_t seconds)
{
	struct gl_frag_val val;

	for (unsigned t = 0, family = 0; next_table(&t, &family);)
		for (uint32_t i = 0, count = dump(t, family, false); i < count; i++) {
			const struct shape *shape = shape_of(family);
			struct seen seen;

			seen_at(family, i, &seen);
			if (seen.kind && is_needed(family, count, &seen))
				continue;
			shape->age(vals + i * shape->val_size, seconds);
			bpf_map_update_elem(table_of(t, family), keys + i * shape->key_size, vals + i * shape->val_size,
					    BPF_EXIST);
		}
	for (unsigned i = 0; i < frag_count; i++) {
		const int map = world.obj.map[shape_of(frags[i].family)->frags];

		if (bpf_map_lookup_elem(map, frags[i].key, &val))
			continue;
		val.seen -= seconds;
		bpf_map_update_elem(map, frags[i].key, &val, BPF_EXIST);
	}
}

/* The sweeper takes datagrams away that were not finished, every few seconds of the real time. Here at once. */
void real_sweep_frags(void)
{
	struct timespec now;
	struct gl_frag_val val;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	for (unsigned i = 0; i < frag_count; i++) {
		const int map = world.obj.map[shape_of(frags[i].family)->frags];

		if (bpf_map_lookup_elem(map, frags[i].key, &val) ||
		    (int32_t)((uint32_t)now.tv_sec - val.seen) <= GL_SECONDS_FRAGMENT)
			continue;
		bpf_map_delete_elem(map, frags[i].key);
		real.stats[val.tenant].fragments--;
	}
}

void real_delete(unsigned tenant, unsigned family, uint8_t proto)
{
	const struct shape *shape = shape_of(family);

	if (!used[M_FAMILY(family)] || table_of(tenant, family) < 0)
		return;
	for (uint32_t i = 0, count = dump(tenant, family, false); i < count; i++) {
		struct seen seen;

		seen_at(family, i, &seen);
		if (seen.proto != proto)
			continue;
		bpf_map_delete_elem(table_of(tenant, family), keys + i * shape->key_size);
		real.stats[real.tenant_index[tenant]].freed++;
	}
}

void real_frags(unsigned port, const struct pk *pk)
{
	const struct m_key uplink = { .scope = M_SCOPE_UPLINK };
	const uint16_t scope = port == M_UPLINK ? scope_of(&uplink) : port_read(port_name(port)).network;
	const struct shape *shape = shape_of(pk->family);
	uint8_t key[sizeof(struct gl_frag6_key)];

	shape->frag(pk, scope, key);
	for (unsigned i = 0; i < frag_count; i++)
		if (frags[i].family == pk->family && !memcmp(frags[i].key, key, shape->frag_size))
			return;
	if (frag_count == FRAGS)
		return;
	frags[frag_count].family = pk->family;
	memcpy(frags[frag_count++].key, key, shape->frag_size);
}

/* Is the group and rule that the programs name one of those that admit the flow? */
static bool is_admitted(uint64_t admits, const struct gl_admitted *by)
{
	const unsigned rule = by->how == GL_ADMIT_ALL ? M_ADMIT_ALL : by->number - 1u;

	if (by->how != GL_ADMIT_RULE && by->how != GL_ADMIT_ALL)
		return true;
	if (by->group >= GROUP_NUMBERS || rule > M_ADMIT_ALL)
		return false;
	/* A number may have gone to another group with the second definition. */
	for (int i = 0; i < 2; i++)
		if (real.groups[i][by->group] < M_ADMIT_GROUPS && (admits & M_ADMIT(real.groups[i][by->group], rule)))
			return true;
	return false;
}

static bool same_entry(const struct m_entry *e, const struct seen *seen, char *what, size_t size)
{
	char src[ADDR_TEXT], dst[ADDR_TEXT];
	const char *difference = NULL;
	unsigned long long want = 0, have = 0;

#define HOLD(name, a, b)                                                                                               \
	if (!difference && (a) != (b)) {                                                                               \
		difference = name;                                                                                     \
		want = a;                                                                                              \
		have = b;                                                                                              \
	}
	HOLD("state", e->state, seen->state);
	HOLD("packets", e->packets, seen->packets);
	HOLD("bytes", e->bytes, seen->bytes);
	HOLD("direction", (unsigned)e->reply, (unsigned)(seen->flags & GL_FLOW_F_REPLY ? 1 : 0));
	HOLD("new source", e->nsrc, seen->nsrc);
	HOLD("new destination", e->ndst, seen->ndst);
	HOLD("new source port", e->nsport, seen->nsport);
	HOLD("new destination port", e->ndport, seen->ndport);
	for (int dir = 0; dir < 2; dir++) {
		HOLD("kind of admission", e->how[dir], seen->admitted[dir].how);
		HOLD("admission by such a rule", true, is_admitted(e->admits[dir], &seen->admitted[dir]));
	}
#undef HOLD
	if (!difference)
		return true;
	addr_print(e->key.family, e->key.src, src);
	addr_print(e->key.family, e->key.dst, dst);
	snprintf(what, size, "%s of the entry %s:%u to %s:%u, protocol %u: %llx, not %llx", difference, src,
		 e->key.sport, dst, e->key.dport, e->key.proto, have, want);
	return false;
}

static bool same_table(const struct m_state *state, unsigned tenant, unsigned family, char *what, size_t size)
{
	const struct shape *shape = shape_of(family);
	const uint32_t count = dump(tenant, family, true);
	uint32_t found = 0;

	for (unsigned i = 0; i < state->top; i++) {
		const struct m_entry *e = &state->entries[i];
		uint8_t key[KEY_MOST];
		struct seen seen;
		uint32_t j = 0;

		if (!e->used || e->tenant != tenant || e->key.family != family)
			continue;
		shape->key(&e->key, key);
		while (j < count && memcmp(keys + j * shape->key_size, key, shape->key_size))
			j++;
		found++;
		if (j == count) {
			snprintf(what, size, "an entry is missing: protocol %u, ports %u %u, kind %u", e->key.proto,
				 e->key.sport, e->key.dport, e->key.kind);
			return false;
		}
		seen_at(family, j, &seen);
		if (!e->key.kind && !same_entry(e, &seen, what, size))
			return false;
	}
	if (found != count)
		snprintf(what, size, "%u entries of %s, not %u", count, tenant_name(tenant), found);
	return found == count;
}

bool real_finish(const struct m_state *state, char *what, size_t size)
{
	char rest[256];
	bool good = true;

	*what = 0;
	for (unsigned t = 0, family = 0; next_table(&t, &family);) {
		good &= same_table(state, t, family, good ? what : rest, good ? size : sizeof(rest));
		memset(&real.stats[real.tenant_index[t]], 0, sizeof(*real.stats));
	}
	while (frag_count--)
		bpf_map_delete_elem(world.obj.map[shape_of(frags[frag_count].family)->frags], frags[frag_count].key);
	frag_count = 0;
	return good;
}
