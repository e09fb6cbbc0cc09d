/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Translation: every port of every range is used, with parity; what is exhausted is refused, counted and remembered
 * until a port is free; endpoint-independent mappings; MSS; forged ICMP errors. Neighbours: prog.h, definition.c. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "loader/flowtable.h"
#include "prog.h"

#define GW "gw:narrow/net"
#define OUT "198.18.0.1"
#define OTHER "198.18.0.2"
#define NARROW "203.0.113.13"
#define POOL "addresses: [203.0.113.13], ports: 50048-50111"

/* Sends UDP from a guest of narrow's; the translated port, or 0: dropped. */
static uint16_t udp_out(enum hook hook, const char *guest, uint16_t sport, const char *dst, uint16_t dport)
{
	const struct frame f = { ETH(GW, guest), UDP(guest, sport, dst, dport), .len = 3 };
	struct run run;

	if (packet(guest, hook, &f, &run) != SEND)
		return 0;
	if (!sum_is_good(run.out, run.out_len))
		complain("the checksum of what came out is wrong");
	return sport_of(run.out);
}

static struct gl_tenant_stat stat_of(const char *tenant)
{
	struct gl_tenant_stat stat = { 0 };
	uint32_t index = tenant_by_name(tenant);

	bpf_map_lookup_elem(world.obj.map[GL_MAP_TENANT_STAT], &index, &stat);
	return stat;
}

/* As a flow goes that is cut, or not counted. */
static void take_away(const char *tenant, const char *guest, uint16_t sport, uint16_t port, bool counted)
{
	uint32_t index = tenant_by_name(tenant);
	struct gl_tenant_stat stat = stat_of(tenant);
	struct flow ask, answer;

	if (!flow_find(tenant, 17, guest, sport, OUT, 53, &ask) ||
	    !flow_find(tenant, 17, OUT, 53, NARROW, port, &answer)) {
		complain("flow %u is not there", sport);
		return;
	}
	flow_delete(tenant, &ask);
	flow_delete(tenant, &answer);
	stat.freed += counted;
	bpf_map_update_elem(world.obj.map[GL_MAP_TENANT_STAT], &index, &stat, BPF_ANY);
}

static void exhaustion(enum hook hook)
{
	const struct gl_ip6 narrow = ip_in_stat(name_ip(NARROW)), out = ip_in_stat(name_ip(OUT));
	uint16_t ports[64];
	struct gl_tenant_stat stat;
	struct timespec now;

	flows_clear();
	for (int i = 0; i < 64; i++) {
		ports[i] = udp_out(hook, "p1", 1000 + i, OUT, 53);
		if ((ports[i] ^ i) & 1)
			complain("port %d became %u", 1000 + i, ports[i]);
	}
	for (int i = 1; i <= 3; i++)
		if (udp_out(hook, i & 1 ? "p2" : "p1", 2000 + i, OUT, 53) ||
		    stat_of("narrow").nat_exhausted != (unsigned)i)
			complain("flow %d was not refused and counted", 64 + i);
	stat = stat_of("narrow");
	clock_gettime(CLOCK_BOOTTIME, &now);
	if (memcmp(&stat.nat_src_be, &narrow, sizeof(narrow)) || memcmp(&stat.nat_dst_be, &out, sizeof(out)) ||
	    stat.nat_dport_be != htons(53) || stat.nat_proto != 17 ||
	    (uint64_t)now.tv_sec - stat.nat_exhausted_ns / 1000000000 > 2)
		complain("what is remembered of the refusal is wrong");
	/* Not searched again before something has been freed; other destinations are not meant. */
	take_away("narrow", "p1", 1007, ports[7], false);
	if (udp_out(hook, "p2", 2000, OUT, 53))
		complain("an exhausted destination was searched anew");
	if (!udp_out(hook, "p2", 2000, OTHER, 53) || !udp_out(hook, "p2", 2000, OUT, 54))
		complain("another destination is refused");
	take_away("narrow", "p1", 1008, ports[8], true);
	for (int i = 7; i <= 8; i++) {
		uint16_t port = udp_out(hook, "p2", 2000 + i, OUT, 53);

		if (port != ports[i])
			complain("freed port %u: port %u instead", ports[i], port);
	}
	if (udp_out(hook, "p2", 3000, OUT, 53))
		complain("a port too many");
	result(true, "%s an exhausted destination is counted, remembered, and good again with a freed port",
	       hook_name(hook));
}

static void parity(enum hook hook)
{
	unsigned odd = 0, even = 0;

	flows_clear();
	for (int i = 0; i < 33; i++)
		*(udp_out(hook, "p1", 1001 + 2 * i, OUT, 53) & 1 ? &odd : &even) += 1;
	if (odd != 32 || even != 1)
		complain("33 odd ports became %u odd and %u even ones", odd, even);
	result(true, "%s parity is kept until none of its ports is left", hook_name(hook));
}

static void ranges(enum hook hook)
{
	static const uint16_t want[] = { 50049, 51000, 51001, 51002, 52345, 60000 };
	unsigned seen = 0;

	apply_with(POOL, "addresses: [203.0.113.13], ports: [51000-51002, 50049, 60000, 52345]");
	flows_clear();
	for (unsigned i = 0; i < 6; i++) {
		uint16_t port = udp_out(hook, "p1", 1000 + 2 * i, OUT, 53);

		for (unsigned k = 0; k < 6; k++)
			if (want[k] == port)
				seen |= 1u << k;
	}
	if (seen != 63)
		complain("the ports used are %#x of 0x3f", seen);
	if (udp_out(hook, "p1", 3000, OUT, 53))
		complain("a seventh port of six");
	back();
	result(true, "%s every port of several ranges is used, and no other", hook_name(hook));
}

static void thousand(enum hook hook)
{
	static bool used[65536];
	unsigned low = 0;

	memset(used, 0, sizeof(used));
	apply_with(POOL, "addresses: [203.0.113.13], ports: 40000-40999");
	flows_clear();
	for (int i = 0; i < 1000; i++) {
		uint16_t port = udp_out(hook, i % 2 ? "p1" : "p2", 1000 + i / 2, OUT, 53);

		if (port < 40000 || port > 40999 || used[port]) {
			complain("flow %d got port %u", i + 1, port);
			break;
		}
		used[port] = true;
		low += i < 20 && port < 40030;
	}
	if (low > 15)
		complain("ports are given out in order");
	if (udp_out(hook, "p1", 5000, OUT, 53))
		complain("flow 1001 of 1000");
	back();
	result(true, "%s 1,000 flows of two guests to one destination have ports of their own", hook_name(hook));
}

/* ---- endpoint-independent mappings ------------------------------------------------------------------------ */

#define EIM POOL ", mapping: endpoint-independent"

static enum verdict udp_in(enum hook hook, const char *src, uint16_t sport, uint16_t dport)
{
	const struct frame f = { ETH("wan", "hop"), UDP(src, sport, NARROW, dport), .len = 3 };
	struct run run;

	return packet("wan", hook, &f, &run);
}

static void mappings(enum hook hook)
{
	bool used[64] = { false };
	uint16_t port, other;

	apply_with(POOL, EIM);
	flows_clear();
	port = udp_out(hook, "p1", 1000, OUT, 53);
	other = udp_out(hook, "p2", 1000, OUT, 53);
	if (!port || !other || port == other)
		complain("two guests have ports %u and %u", port, other);
	if (udp_out(hook, "p1", 1000, OTHER, 99) != port || udp_out(hook, "p1", 1000, OUT, 54) != port)
		complain("another destination sees another port");
	if (udp_in(hook, OUT, 53, port) != SEND || udp_in(hook, OTHER, 99, port) != SEND)
		complain("an answer was dropped");
	if (udp_in(hook, OTHER, 98, port) != DROP || udp_in(hook, "198.18.0.3", 53, port) != DROP ||
	    udp_in(hook, OTHER, 99, other) != DROP)
		complain("somebody else's packet came in");
	/* Two entries a flow and two a mapping. */
	if (flow_count("narrow") != 2 * 4 + 2 * 2)
		complain("%zu entries", flow_count("narrow"));
	/* Ports are the mappings' alone, whatever the destination. */
	used[port - 50048] = used[other - 50048] = true;
	for (int i = 0; i < 62; i++) {
		uint16_t next = udp_out(hook, "p1", 2000 + i, i % 2 ? OUT : OTHER, 1000 + i);

		if (!next || used[next - 50048])
			complain("mapping %d has port %u", i + 3, next);
		else
			used[next - 50048] = true;
	}
	if (udp_out(hook, "p1", 3000, "198.18.0.9", 1) || udp_out(hook, "p2", 3000, OUT, 1) ||
	    stat_of("narrow").nat_exhausted != 2)
		complain("a mapping too many");
	if (udp_out(hook, "p2", 1000, "198.18.0.9", 1) != other)
		complain("a mapping that stands is refused");
	back();
	result(true, "%s a mapping is a guest's for all destinations, and lets in who was asked", hook_name(hook));
}

/* Both learn the other's mapped end from a third, and send there at the same time. */
static void hole_punching(enum hook hook)
{
	struct frame from_p1 = { ETH(GW, "p1"), UDP("p1", 1000, NARROW, 0), .len = 3 };
	struct frame from_p2 = { ETH(GW, "p2"), UDP("p2", 1000, NARROW, 0), .len = 3 };
	const struct ip narrow = name_ip(NARROW), p1 = name_ip("p1");
	struct run run;

	apply_with(POOL, EIM);
	flows_clear();
	from_p2.dport = udp_out(hook, "p1", 1000, OUT, 53);
	from_p1.dport = udp_out(hook, "p2", 1000, OUT, 53);
	expect(DROP, "p1", hook, from_p1, "the first packet");
	if (packet("p2", hook, &from_p2, &run) != SEND || sport_of(run.out) != from_p1.dport ||
	    dport_of(run.out) != 1000 || memcmp(addr_at(run.out, 0), narrow.bytes, narrow.len) ||
	    memcmp(addr_at(run.out, 1), p1.bytes, p1.len))
		complain("the other one's did not arrive, or not as from its mapped end");
	expect(SEND, "p1", hook, from_p1, "the second packet");
	expect(SEND, "p2", hook, from_p2, "and back");
	back();
	result(true, "%s two guests reach each other by their mapped ends", hook_name(hook));
}

static void mapping_changes(enum hook hook)
{
	uint16_t port, moved;

	apply_with(POOL, EIM);
	flows_clear();
	port = udp_out(hook, "p1", 1000, OUT, 53);
	apply_with(POOL, "addresses: [203.0.113.14, 203.0.113.13], ports: 50048-50111, mapping: endpoint-independent");
	if (udp_out(hook, "p1", 1000, OUT, 53) != port || udp_out(hook, "p1", 1000, OTHER, 53) != port ||
	    flow_count("narrow") != 6)
		complain("a mapping that is still good was given up");
	if (udp_in(hook, OUT, 53, port) != SEND)
		complain("its answer was dropped");
	apply_with(POOL, "addresses: [203.0.113.13], ports: 60032-60095, mapping: endpoint-independent");
	if (udp_in(hook, OUT, 53, port) != DROP)
		complain("an answer to a port that is no longer ours came in");
	moved = udp_out(hook, "p1", 1000, OUT, 53);
	if (moved < 60032 || moved > 60095 || udp_out(hook, "p1", 1000, OTHER, 53) != moved)
		complain("port %u became %u", port, moved);
	if (flow_count("narrow") != 6)
		complain("%zu entries after the move", flow_count("narrow"));
	back();
	result(true, "%s a mapping stays while its port is the network's", hook_name(hook));
}

/* ---- expiry ----------------------------------------------------------------------------------------------- */

/* The mapping's two entries by the guest's port; false: not both are there. */
static bool mapping_find(uint16_t sport, struct flow ret[2])
{
	bool found = false;

	for (bool first = true; !found && flow_next("narrow", &ret[0], first); first = false)
		found = ret[0].key.kind == GL_FLOW_MAPPING && ret[0].key.sport_be == htons(sport);
	ret[1].key = (struct gl_flow6_key){ .dst_be = ret[0].val.new_src_be,
					    .dport_be = ret[0].val.new_sport_be,
					    .scope = ret[0].val.peer_scope,
					    .proto = ret[0].key.proto,
					    .kind = GL_FLOW_MAPPED };
	return found && flow_read("narrow", &ret[1]);
}

/* A mapping without packets for so long, with its flow or without. */
static void mapping_leave(uint16_t sport, uint32_t idle, bool with_flow)
{
	uint16_t port = udp_out(HOOK_TC, "p1", sport, OUT, 53);
	struct flow flows[2];

	if (!with_flow)
		take_away("narrow", "p1", sport, port, false);
	if (!mapping_find(sport, flows)) {
		complain("mapping %u is not there", sport);
		return;
	}
	for (int i = 0; i < 2; i++) {
		flows[i].val.last_seen -= idle;
		flow_put("narrow", &flows[i]);
	}
}

/* A datagram of acme's whose end never comes, and one that is young. */
static void leave_fragments(void)
{
	struct frame head = { ETH("n2", "n1"), UDP("n1", 1000, "n2", 2000), .id = 1, .frag = MF, .len = 72 };
	struct frag frag;
	struct run run;

	packet("n1", HOOK_TC, &head, &run);
	if (!frag_next(&frag, true))
		complain("there is no fragment");
	frag.val.seen -= GL_SECONDS_FRAGMENT + 1;
	frag_write(&frag);
	head.id = 2;
	packet("n1", HOOK_TC, &head, &run);
}

static void expiry(void)
{
	uint32_t tenant = tenant_by_name("narrow"), first = 0;
	struct gl_sweep_val before = { 0 }, after = { 0 }, none = { 0 };
	struct frag frag;
	struct gl_diag diag = { 0 };
	struct flow flows[2];

	apply_with(POOL, EIM);
	flows_clear();
	mapping_leave(1000, GL_SECONDS_UDP_ASSURED - 20, true);
	mapping_leave(1001, GL_SECONDS_UDP_ASSURED - 20, false);
	mapping_leave(1002, GL_SECONDS_UDP_ASSURED + 1, false);
	leave_fragments();
	/* The walk over fragments is at most as often as the sweeper's. */
	bpf_map_lookup_elem(world.obj.map[GL_MAP_SWEEP], &first, &before);
	if (!before.fragments)
		complain("nobody knows that there are fragments");
	bpf_map_lookup_elem(world.obj.map[GL_MAP_SWEEP], &tenant, &before);
	if (gl_sweep_start(&world.obj, tenant, &diag))
		complain("the timer did not start");
	for (int i = 0; i < 150 && after.runs < before.runs + 2; i++) {
		usleep(100000);
		bpf_map_lookup_elem(world.obj.map[GL_MAP_SWEEP], &tenant, &after);
	}
	result(after.runs > before.runs, "the sweeper runs for mappings");
	result(mapping_find(1000, flows) && flows[0].val.last_seen + 30 > flows[0].val.created,
	       "the sweeper: a mapping stays with its flow");
	result(mapping_find(1001, flows), "the sweeper: a mapping outlives its flow for a while");
	result(!mapping_find(1002, flows) && flow_count("narrow") == 2 + 2 + 2 && stat_of("narrow").freed == 1,
	       "the sweeper: a mapping goes, and counts as freed");
	result(frag_next(&frag, true) && frag_id(&frag) == 2 && !frag_next(&frag, false) &&
		       stat_of("acme").fragments == 1,
	       "the sweeper: an unfinished datagram goes, of whatever tenant");
	gl_diag_clear(&diag);
	bpf_map_update_elem(world.obj.map[GL_MAP_SWEEP], &tenant, &none, BPF_ANY);
	back();
}

void test_nat(void)
{
	for (int hook = HOOK_XDP; hook <= HOOK_TC; hook++) {
		exhaustion(hook);
		parity(hook);
		ranges(hook);
		thousand(hook);
		mappings(hook);
		hole_punching(hook);
		mapping_changes(hook);
	}
	expiry();
}
