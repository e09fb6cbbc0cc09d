/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The real programs over the real maps, one packet at a time. Two definitions are applied one after the other, which
 * leaves one on each side of the maps: changing between them is the one word that apply writes last.
 * Neighbours: model.h, tests/prog/world.c (devices, programs, definitions). */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "model.h"
#include "sweep.skel.h"
#include "tests/prog/prog.h"

static unsigned sides[2];
static int sweep_fd = -1;
static struct gl_tenant_stat *stats;
static struct gl_tenant_val *tenants;
static unsigned tenant_index[M_TENANTS], net_index[M_NETS], uplink_index;
#define GROUP_NUMBERS 64
static unsigned groups[2][GROUP_NUMBERS]; /* N of a group sN, by number, in both definitions */
static uint64_t sent[M_PORTS + 1]; /* packets that were sent to each port, as far as is known */
#define M_FRAG_KEYS 64
static struct gl_frag4_key frag_keys[M_FRAG_KEYS]; /* of the datagrams that this sequence has sent parts of */
static unsigned frag_count;

static const struct dev *dev_of(unsigned port)
{
	return dev_by_name(port_name(port));
}

/* ---- setting up --------------------------------------------------------------------------------------------- */

static int load_sweeper(void)
{
	struct sweep_bpf *skel = sweep_bpf__open();
	struct bpf_map *map;
	int err = skel ? 0 : -errno;

	if (err)
		return err;
	bpf_object__for_each_map(map, skel->obj) for (int id = 0; id < GL_MAP_COUNT;
						      id++) if (!strcmp(bpf_map__name(map), gl_map_info(id)->name) &&
								!err) err = bpf_map__reuse_fd(map, world.obj.map[id]);
	bpf_program__set_autoload(skel->progs.sweep_tc, false);
	if (!err)
		err = sweep_bpf__load(skel);
	if (!err)
		sweep_fd = dup(bpf_program__fd(skel->progs.sweep_now));
	sweep_bpf__destroy(skel);
	return err;
}

int real_open(void)
{
	int err = world_open();

	if (!err)
		err = load_sweeper();
	if (err)
		return err;
	stats = mmap(NULL, sizeof(*stats) * GL_MAX_TENANTS, PROT_READ | PROT_WRITE, MAP_SHARED,
		     world.obj.map[GL_MAP_TENANT_STAT], 0);
	tenants = mmap(NULL, sizeof(*tenants) * 2 * GL_MAX_TENANTS, PROT_READ | PROT_WRITE, MAP_SHARED,
		       world.obj.map[GL_MAP_TENANT], 0);
	return stats == MAP_FAILED || tenants == MAP_FAILED ? -errno : 0;
}

void real_close(void)
{
	world_close();
}

void real_mac(unsigned port, uint8_t mac[6])
{
	name_mac(port_name(port), mac);
}

/* What the loader has made of names, for the definition in force. */
static void read_numbers(struct m_def *def)
{
	for (unsigned t = 0; t < M_TENANTS; t++)
		if (def->tenants[t])
			tenant_index[t] = tenant_by_name(tenant_name(t));
	uplink_index = port_read("wan").uplink;
	/* So few that sequences reach it. */
	for (unsigned t = 0; t < M_TENANTS; t++)
		if (def->tenants[t])
			for (unsigned side = 0; side < 2; side++)
				tenants[GL_SIDED(tenant_index[t], side)].max_fragments = M_FRAG_SHARE;
	for (unsigned i = 0; i < M_PORTS; i++) {
		struct gl_port_val val;

		if (!def->ports[i].def)
			continue;
		val = port_read(port_name(i));
		net_index[def->ports[i].net] = val.network;
		def->gen[def->ports[i].tenant] = val.gen;
		def->ports[i].mtu = dev_of(i)->mtu;
	}
}

/* Names of groups are "TENANT/sN", as universe.c calls them. */
static void read_groups(unsigned numbers[GROUP_NUMBERS])
{
	for (uint32_t i = 0; i < GROUP_NUMBERS; i++) {
		const struct gl_name_key key = { .kind = GL_NAME_GROUP, .index = i };
		struct gl_name_val name;

		numbers[i] = M_ADMIT_GROUPS;
		if (!bpf_map_lookup_elem(world.obj.map[GL_MAP_NAME], &key, &name))
			sscanf(name.name, "%*[^/]/s%u", &numbers[i]);
	}
}

static uint64_t sent_to(unsigned port)
{
	struct gl_traffic_val vals[64];
	const uint32_t slot = dev_of(port)->slot;
	uint64_t sum = 0;

	if (slot == GL_NO_SLOT || bpf_map_lookup_elem(world.obj.map[GL_MAP_TRAFFIC], &slot, vals))
		return 0;
	for (int i = 0; i < libbpf_num_possible_cpus() && i < 64; i++)
		sum += vals[i].to_guest.packets;
	return sum;
}

void real_count(void)
{
	struct gl_drops_key key;

	for (unsigned i = 0; i < port_count(); i++)
		sent[i] = sent_to(i);
	sent[M_PORTS] = sent_to(M_UPLINK);
	while (!bpf_map_get_next_key(world.obj.map[GL_MAP_DROPS], NULL, &key))
		bpf_map_delete_elem(world.obj.map[GL_MAP_DROPS], &key);
}

int real_define(const char *a, const char *b, struct m_def defs[2])
{
	const char *texts[2] = { a, b };
	int err = 0;

	names_reset();
	flows_clear();
	/* Numbers of tenants go from one to another, whose tables have other sizes. */
	for (unsigned i = 0; i < sizeof(world.tables) / sizeof(*world.tables); i++) {
		if (world.tables[i] >= 0)
			close(world.tables[i]);
		world.tables[i] = -1;
	}
	for (int i = 0; i < 2 && !err; i++) {
		err = def_read(texts[i], &defs[i]);
		if (!err)
			err = world_apply(texts[i]);
		sides[i] = world.side;
		if (!err)
			read_numbers(&defs[i]);
		if (!err)
			read_groups(groups[i]);
	}
	/* The map that XDP redirects by has no sides: what only the first definition has was taken out of it. */
	for (unsigned i = 0; i < port_count() && !err; i++)
		if (dev_of(i)->slot != GL_NO_SLOT && dev_of(i)->xdp_out)
			bpf_map_update_elem(world.obj.map[GL_MAP_DEVMAP], &dev_of(i)->slot, &dev_of(i)->ifindex,
					    BPF_ANY);
	real_count();
	if (!err)
		real_use(&defs[0], 0);
	return err;
}

void real_use(const struct m_def *def, unsigned which)
{
	struct gl_control_val control = { .side = sides[which], .abi = GL_ABI_VERSION };
	uint32_t zero = 0;

	(void)def;
	world.side = sides[which];
	bpf_map_update_elem(world.obj.map[GL_MAP_CONTROL], &zero, &control, BPF_ANY);
}

/* ---- one packet ----------------------------------------------------------------------------------------------- */

void real_run(unsigned port, bool xdp, const uint8_t *bytes, size_t len, struct m_verdict *ret)
{
	const struct dev *dev = dev_of(port);
	enum hook hook = xdp ? HOOK_XDP : HOOK_TC;
	struct run run;
	int err = prog_run(prog_of(dev, hook), hook, dev, bytes, len, NULL, &run);

	if (!err && xdp && run.verdict == XDP_PASS) {
		hook = HOOK_TC;
		err = prog_run(prog_of(dev, hook), hook, dev, bytes, len, NULL, &run);
	}
	if (err) {
		printf("cannot run a program: %s\n", strerror(-err));
		abort();
	}
	if (hook == HOOK_XDP)
		ret->end = run.verdict == XDP_REDIRECT ? M_SEND : M_DROP;
	else
		ret->end = run.verdict == TC_ACT_REDIRECT ? M_SEND : run.verdict == TC_ACT_SHOT ? M_DROP : M_PASS;
	ret->len = run.out_len;
	memcpy(ret->bytes, run.out, run.out_len < PK_MAX ? run.out_len : PK_MAX);
}

/* Was one packet dropped for that reason? Takes it off the count. */
static bool take_drop(unsigned port, enum gl_drop reason)
{
	struct gl_drops_key key = { .slot = dev_of(port)->slot, .reason = reason };
	struct gl_count_val vals[64];
	uint64_t sum = 0;

	if (bpf_map_lookup_and_delete_elem(world.obj.map[GL_MAP_DROPS], &key, vals))
		return false;
	for (int i = 0; i < libbpf_num_possible_cpus() && i < 64; i++)
		sum += vals[i].packets;
	return sum == 1;
}

enum gl_drop real_reason(unsigned port, enum gl_drop wanted)
{
	if (wanted && take_drop(port, wanted))
		return wanted;
	for (int reason = 1; reason < GL_DROP_COUNT; reason++)
		if (take_drop(port, reason))
			return reason;
	return GL_DROP_NONE;
}

bool real_sent(unsigned port)
{
	uint64_t *count = &sent[port == M_UPLINK ? M_PORTS : port];
	uint64_t now = sent_to(port);
	bool one = now == *count + 1;

	*count = now;
	return one;
}

/* ---- flow tables ------------------------------------------------------------------------------------------------ */

static struct gl_flow4_key real_key(const struct m_key *key)
{
	return (struct gl_flow4_key){
		.src_be = htonl(key->src),
		.dst_be = htonl(key->dst),
		.sport_be = htons(key->sport),
		.dport_be = htons(key->dport),
		.scope = key->scope == M_SCOPE_UPLINK ? GL_SCOPE_UPLINK | uplink_index : net_index[key->scope],
		.proto = key->proto,
		.kind = key->kind,
	};
}

static bool chosen(unsigned tenant, const struct m_key *opener, uint32_t *addr, uint16_t *port)
{
	struct gl_flow4_key key = real_key(opener);
	struct gl_flow4_val val;

	if (bpf_map_lookup_elem(world.tables[tenant_index[tenant]], &key, &val))
		return false;
	*addr = ntohl(val.new_src_be);
	*port = ntohs(val.new_sport_be);
	return true;
}

const struct m_oracle real_oracle = { chosen };

#define MOST 1024
static struct gl_flow4_key keys[MOST];
static struct gl_flow4_val vals[MOST];

/* All entries of a tenant; empties the table where asked to. */
static uint32_t dump(unsigned tenant, bool empty)
{
	const int fd = world.tables[tenant_index[tenant]];
	uint32_t count = MOST, batch;
	int err = empty ? bpf_map_lookup_and_delete_batch(fd, NULL, &batch, keys, vals, &count, NULL)
			: bpf_map_lookup_batch(fd, NULL, &batch, keys, vals, &count, NULL);

	if (err && errno != ENOENT) {
		printf("cannot read a flow table: %s\n", strerror(errno));
		abort();
	}
	return count;
}

/* Is there a flow that goes by the mapping? Then the sweeper, which comes every few seconds, keeps it young. */
static bool is_needed(uint32_t count, uint32_t mapping)
{
	for (uint32_t i = 0; i < count; i++)
		if (!keys[i].kind && (vals[i].flags & (GL_FLOW_F_MAPPED | GL_FLOW_F_REPLY)) == GL_FLOW_F_MAPPED &&
		    keys[i].src_be == vals[mapping].new_dst_be && keys[i].sport_be == vals[mapping].new_dport_be &&
		    keys[i].proto == keys[mapping].proto)
			return true;
	return false;
}

void real_age(uint32_t seconds)
{
	const int frags = world.obj.map[GL_MAP_FRAG4];
	struct gl_frag_val val;

	for (unsigned t = 0; t < M_TENANTS && strcmp(tenant_name(t), "?"); t++)
		for (uint32_t i = 0, count = dump(t, false); i < count; i++) {
			if (keys[i].kind && is_needed(count, i))
				continue;
			vals[i].last_seen -= seconds;
			bpf_map_update_elem(world.tables[tenant_index[t]], &keys[i], &vals[i], BPF_EXIST);
		}
	for (unsigned i = 0; i < frag_count; i++) {
		if (bpf_map_lookup_elem(frags, &frag_keys[i], &val))
			continue;
		val.seen -= seconds;
		bpf_map_update_elem(frags, &frag_keys[i], &val, BPF_EXIST);
	}
}

/* The sweeper takes datagrams away that were not finished, every few seconds of the real time. Here at once. */
static void sweep_frags(void)
{
	const int frags = world.obj.map[GL_MAP_FRAG4];
	struct timespec now;
	struct gl_frag_val val;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	for (unsigned i = 0; i < frag_count; i++) {
		if (bpf_map_lookup_elem(frags, &frag_keys[i], &val) ||
		    (int32_t)((uint32_t)now.tv_sec - val.seen) <= GL_SECONDS_FRAGMENT)
			continue;
		bpf_map_delete_elem(frags, &frag_keys[i]);
		stats[val.tenant].fragments--;
	}
}

void real_sweep(void)
{
	sweep_frags();
	for (unsigned t = 0; t < M_TENANTS && strcmp(tenant_name(t), "?"); t++) {
		uint8_t packet[64] = { 0 };
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet), .repeat = 1);

		memcpy(packet + 14, &tenant_index[t], sizeof(uint32_t));
		for (int i = 0; i < M_SWEEPS; i++)
			if (bpf_prog_test_run_opts(sweep_fd, &opts))
				printf("cannot sweep: %s\n", strerror(errno));
	}
}

void real_delete(unsigned tenant, uint8_t proto)
{
	for (uint32_t i = 0, count = dump(tenant, false); i < count; i++)
		if (keys[i].proto == proto) {
			bpf_map_delete_elem(world.tables[tenant_index[tenant]], &keys[i]);
			stats[tenant_index[tenant]].freed++;
		}
}

void real_frags(unsigned port, const struct pk *pk)
{
	const struct m_key k = { .scope = port == M_UPLINK ? M_SCOPE_UPLINK : 0 };
	struct gl_frag4_key key = { .src_be = htonl(pk->src),
				    .dst_be = htonl(pk->dst),
				    .id_be = htons(pk->id),
				    .scope = port == M_UPLINK ? real_key(&k).scope : port_read(port_name(port)).network,
				    .proto = pk->proto };

	for (unsigned i = 0; i < frag_count; i++)
		if (!memcmp(&frag_keys[i], &key, sizeof(key)))
			return;
	if (frag_count < M_FRAG_KEYS)
		frag_keys[frag_count++] = key;
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
		if (groups[i][by->group] < M_ADMIT_GROUPS && (admits & M_ADMIT(groups[i][by->group], rule)))
			return true;
	return false;
}

static bool same_entry(const struct m_entry *e, const struct gl_flow4_key *key, const struct gl_flow4_val *val,
		       char *what, size_t size)
{
	char src[INET_ADDRSTRLEN], dst[INET_ADDRSTRLEN];
	const char *difference = NULL;
	unsigned long long want = 0, have = 0;

#define HOLD(name, a, b)                                                                                               \
	if (!difference && (a) != (b)) {                                                                               \
		difference = name;                                                                                     \
		want = a;                                                                                              \
		have = b;                                                                                              \
	}
	HOLD("state", e->state, val->state);
	HOLD("packets", e->packets, val->packets);
	HOLD("bytes", e->bytes, val->bytes);
	HOLD("direction", (unsigned)e->reply, (unsigned)(val->flags & GL_FLOW_F_REPLY ? 1 : 0));
	HOLD("new source", e->nsrc, ntohl(val->new_src_be));
	HOLD("new destination", e->ndst, ntohl(val->new_dst_be));
	HOLD("new source port", e->nsport, ntohs(val->new_sport_be));
	HOLD("new destination port", e->ndport, ntohs(val->new_dport_be));
	for (int dir = 0; dir < 2; dir++) {
		HOLD("kind of admission", e->how[dir], val->admitted[dir].how);
		HOLD("admission by such a rule", true, is_admitted(e->admits[dir], &val->admitted[dir]));
	}
#undef HOLD
	if (!difference)
		return true;
	inet_ntop(AF_INET, &key->src_be, src, sizeof(src));
	inet_ntop(AF_INET, &key->dst_be, dst, sizeof(dst));
	snprintf(what, size, "%s of the entry %s:%u to %s:%u, protocol %u: %llx, not %llx", difference, src,
		 ntohs(key->sport_be), dst, ntohs(key->dport_be), key->proto, have, want);
	return false;
}

bool real_finish(const struct m_state *state, char *what, size_t size)
{
	bool good = true;

	*what = 0;
	for (unsigned t = 0; t < M_TENANTS && strcmp(tenant_name(t), "?"); t++) {
		uint32_t count = dump(t, true), found = 0;

		memset(&stats[tenant_index[t]], 0, sizeof(*stats));
		for (unsigned i = 0; i < state->top && good; i++) {
			const struct m_entry *e = &state->entries[i];
			const struct gl_flow4_key k = real_key(&e->key);
			uint32_t j = 0;

			if (!e->used || e->tenant != t)
				continue;
			while (j < count && memcmp(&keys[j], &k, sizeof(k)))
				j++;
			found++;
			if (j < count) {
				if (!k.kind)
					good = same_entry(e, &k, &vals[j], what, size);
				continue;
			}
			snprintf(what, size, "an entry is missing: protocol %u, ports %u %u, kind %u", k.proto,
				 e->key.sport, e->key.dport, k.kind);
			good = false;
		}
		if (good && found != count) {
			snprintf(what, size, "%u entries of %s, not %u", count, tenant_name(t), found);
			good = false;
		}
	}
	while (frag_count)
		bpf_map_delete_elem(world.obj.map[GL_MAP_FRAG4], &frag_keys[--frag_count]);
	return good;
}
