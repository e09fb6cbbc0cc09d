/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What the programs keep, of either family: flows, datagrams in fragments, counters; and the ports that they read.
 * Neighbours: prog.h, maps/abi_ip.h (the shapes). */
#include <arpa/inet.h>
#include <assert.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "prog.h"

static void clear_hash(int fd)
{
	uint8_t key[64];

	while (!bpf_map_get_next_key(fd, NULL, key))
		bpf_map_delete_elem(fd, key);
}

/* As if every interface had been told of its router just now: nobody is told again with what a row asks. */
static void router_is_known(uint32_t slot)
{
	struct gl_ra_sent_val val = { .count = 1 };
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	val.seconds = now.tv_sec;
	bpf_map_update_elem(world.obj.map[GL_MAP_RA_SENT], &slot, &val, BPF_ANY);
}

void counts_clear(void)
{
	struct gl_traffic_val *zero = calloc(libbpf_num_possible_cpus(), sizeof(*zero));
	uint8_t frame[FRAME_MAX];

	clear_hash(world.obj.map[GL_MAP_DROPS]);
	for (size_t i = 0; i < world.dev_count; i++) {
		if (world.devs[i].slot != GL_NO_SLOT) {
			bpf_map_update_elem(world.obj.map[GL_MAP_TRAFFIC], &world.devs[i].slot, zero, BPF_ANY);
			router_is_known(world.devs[i].slot);
		}
		while (read(world.devs[i].tap, frame, sizeof(frame)) > 0)
			;
	}
	free(zero);
}

void flows_clear(void)
{
	for (uint32_t i = 0; i < sizeof(world.tables) / sizeof(*world.tables); i++) {
		const struct gl_tenant_stat none = { 0 };

		if (world.tables[i] >= 0)
			clear_hash(world.tables[i]);
		if (world.tables6[i] >= 0)
			clear_hash(world.tables6[i]);
		bpf_map_update_elem(world.obj.map[GL_MAP_TENANT_STAT], &i, &none, BPF_ANY);
	}
	clear_hash(world.obj.map[GL_MAP_FRAG4]);
	clear_hash(world.obj.map[GL_MAP_FRAG6]);
	counts_clear();
}

/* ---- flows ------------------------------------------------------------------------------------------------ */

/* The two shapes differ in their addresses alone, which are put into the wider one here. */
#define KEY4 offsetof(struct gl_flow4_key, sport_be)
#define KEY6 offsetof(struct gl_flow6_key, sport_be)
#define BEFORE offsetof(struct gl_flow4_val, new_src_be)
#define VAL4 offsetof(struct gl_flow4_val, new_sport_be)
#define VAL6 offsetof(struct gl_flow6_val, new_sport_be)
static_assert(sizeof(struct gl_flow4_key) - KEY4 == sizeof(struct gl_flow6_key) - KEY6, "what follows is the same");
static_assert(BEFORE == offsetof(struct gl_flow6_val, new_src_be), "what comes first is the same");
static_assert(sizeof(struct gl_flow4_val) - VAL4 == sizeof(struct gl_flow6_val) - VAL6, "what follows is the same");

static void key_widen(const struct gl_flow4_key *key, struct gl_flow6_key *ret)
{
	*ret = (struct gl_flow6_key){ .src_be.w = { key->src_be }, .dst_be.w = { key->dst_be } };
	memcpy((uint8_t *)ret + KEY6, (const uint8_t *)key + KEY4, sizeof(*key) - KEY4);
}

static void key_narrow(const struct gl_flow6_key *key, struct gl_flow4_key *ret)
{
	*ret = (struct gl_flow4_key){ .src_be = key->src_be.w[0], .dst_be = key->dst_be.w[0] };
	memcpy((uint8_t *)ret + KEY4, (const uint8_t *)key + KEY6, sizeof(*ret) - KEY4);
}

static void val_widen(const struct gl_flow4_val *val, struct gl_flow6_val *ret)
{
	memcpy(ret, val, BEFORE);
	ret->new_src_be = (struct gl_ip6){ .w = { val->new_src_be } };
	ret->new_dst_be = (struct gl_ip6){ .w = { val->new_dst_be } };
	memcpy((uint8_t *)ret + VAL6, (const uint8_t *)val + VAL4, sizeof(*val) - VAL4);
}

static void val_narrow(const struct gl_flow6_val *val, struct gl_flow4_val *ret)
{
	memcpy(ret, val, BEFORE);
	ret->new_src_be = val->new_src_be.w[0];
	ret->new_dst_be = val->new_dst_be.w[0];
	memcpy((uint8_t *)ret + VAL4, (const uint8_t *)val + VAL6, sizeof(*ret) - VAL4);
}

int flow_table(const char *tenant)
{
	return (world.family == 6 ? world.tables6 : world.tables)[tenant_by_name(tenant)];
}

bool flow_read(const char *tenant, struct flow *flow)
{
	struct gl_flow4_key key;
	struct gl_flow4_val val;

	if (world.family == 6)
		return !bpf_map_lookup_elem(flow_table(tenant), &flow->key, &flow->val);
	key_narrow(&flow->key, &key);
	if (bpf_map_lookup_elem(flow_table(tenant), &key, &val))
		return false;
	val_widen(&val, &flow->val);
	return true;
}

bool flow_next(const char *tenant, struct flow *flow, bool first)
{
	struct gl_flow4_key key, next;
	int fd = flow_table(tenant);

	if (world.family == 6)
		return !bpf_map_get_next_key(fd, first ? NULL : &flow->key, &flow->key) && flow_read(tenant, flow);
	key_narrow(&flow->key, &key);
	if (bpf_map_get_next_key(fd, first ? NULL : &key, &next))
		return false;
	key_widen(&next, &flow->key);
	return flow_read(tenant, flow);
}

size_t flow_count(const char *tenant)
{
	struct flow flow = { 0 };
	size_t n = 0;

	while (flow_next(tenant, &flow, !n))
		n++;
	return n;
}

bool flow_find(const char *tenant, uint8_t proto, const char *src, uint16_t sport, const char *dst, uint16_t dport,
	       struct flow *ret)
{
	const struct ip src_ip = name_ip(src), dst_ip = name_ip(dst);

	*ret = (struct flow){ 0 };
	for (bool first = true; flow_next(tenant, ret, first); first = false)
		if (ret->key.proto == family_proto(proto) && !memcmp(&ret->key.src_be, src_ip.bytes, 16) &&
		    !memcmp(&ret->key.dst_be, dst_ip.bytes, 16) && ret->key.sport_be == htons(sport) &&
		    ret->key.dport_be == htons(dport))
			return true;
	return false;
}

bool flow_put(const char *tenant, const struct flow *flow)
{
	struct gl_flow4_key key;
	struct gl_flow4_val val;

	if (world.family == 6)
		return !bpf_map_update_elem(flow_table(tenant), &flow->key, &flow->val, BPF_ANY);
	key_narrow(&flow->key, &key);
	val_narrow(&flow->val, &val);
	return !bpf_map_update_elem(flow_table(tenant), &key, &val, BPF_ANY);
}

bool flow_delete(const char *tenant, const struct flow *flow)
{
	struct gl_flow4_key key;

	if (world.family == 6)
		return !bpf_map_delete_elem(flow_table(tenant), &flow->key);
	key_narrow(&flow->key, &key);
	return !bpf_map_delete_elem(flow_table(tenant), &key);
}

/* ---- fragments -------------------------------------------------------------------------------------------- */

bool frag_next(struct frag *frag, bool first)
{
	int fd = world.obj.map[family_map(GL_MAP_FRAG4)];

	return !bpf_map_get_next_key(fd, first ? NULL : frag->key, frag->key) &&
	       !bpf_map_lookup_elem(fd, frag->key, &frag->val);
}

void frag_write(const struct frag *frag)
{
	bpf_map_update_elem(world.obj.map[family_map(GL_MAP_FRAG4)], frag->key, &frag->val, BPF_EXIST);
}

uint32_t frag_id(const struct frag *frag)
{
	uint32_t id_be;

	if (world.family == 6)
		memcpy(&id_be, frag->key + offsetof(struct gl_frag6_key, id_be), sizeof(id_be));
	else
		memcpy(&id_be, frag->key + offsetof(struct gl_frag4_key, id_be), sizeof(id_be));
	return world.family == 6 ? ntohl(id_be) : ntohs((uint16_t)id_be);
}

/* ---- ports ------------------------------------------------------------------------------------------------ */

struct gl_port_val port_read(const char *dev)
{
	uint32_t index = GL_SIDED(dev_by_name(dev)->slot, world.side);
	struct gl_port_val val = { 0 };

	bpf_map_lookup_elem(world.obj.map[GL_MAP_PORT], &index, &val);
	return val;
}

void port_write(const char *dev, const struct gl_port_val *val)
{
	uint32_t index = GL_SIDED(dev_by_name(dev)->slot, world.side);

	bpf_map_update_elem(world.obj.map[GL_MAP_PORT], &index, val, BPF_ANY);
}
