/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Whatever a guest sends, it reaches no interface of a tenant that opened nothing, and never the host; and what an
 * uplink's program leaves to the host is untouched. Thousands of packets: good ones with a few bytes changed, and with
 * others' names in the place of their own. GL_SEED repeats a run. Neighbours: prog.h, definition.c. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "prog.h"

#define GW "gw:acme/front"
#define OUT "198.18.0.1"
#define PACKETS 6000

static uint64_t state;

/* xorshift64* */
static uint32_t dice(uint32_t sides)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull) >> 32) % sides;
}

static const struct frame from_n1[] = {
	{ ETH("n2", "n1"), UDP("n1", 1000, "n2", 53), .len = 40 },
	{ ETH("n2", "n1"), TCP("n1", 1000, "n2", 53, SYN), .len = 40 },
	{ ETH(GW, "n1"), UDP("n1", 1000, "nb", 53), .len = 40 },
	{ ETH(GW, "n1"), UDP("n1", 1000, OUT, 53), .len = 40 },
	{ ETH(GW, "n1"), TCP("n1", 1000, OUT, 80, SYN), .option = 0x94040000, .len = 40 },
	{ ETH(GW, "n1"), ECHO("n1", OUT, 80), .len = 40 },
	{ ETH(GW, "n1"), UDP("n1", 1000, "203.0.113.12", 50050), .len = 40 },
	{ ETH(GW, "n1"), TCP("n1", 1000, "203.0.113.13", 50050, SYN), .len = 40 },
	{ ETH(GW, "n1"), TCP("n1", 1000, "203.0.113.10", 8080, SYN), .len = 40 },
	{ ETH(GW, "n1"), TCP("n1", 1000, "192.0.2.1", 22, SYN), .len = 40 },
	{ ETH(GW, "n1"), UDP("n1", 1000, "172.16.0.11", 22), .len = 40 },
	{ ETH("b1", "n1"), UDP("n1", 1000, "b1", 22), .len = 40 },
	{ ETH(ALL, "n1"), UDP("n1", 1000, "255.255.255.255", 22), .len = 40 },
	{ ETH(ALL, "n1"), ARP(1, "n1", "n1", NULL, GW) },
	{ ETH(ALL, "n1"), ARP(1, "n1", "n1", NULL, "b1") },
	{ ETH(ALL, "n1"), ARP(1, "n1", "10.0.0.100", NULL, "10.0.0.100") },
	{ ETH("n2", "n1"), ARP(2, "n1", "n1", "n2", "n2") },
	{ ETH("n2", "n1"), UDP("n1", 1000, "n2", 53), .id = 5, .frag = MF, .len = 72 },
	{ ETH("n2", "n1"), UDP("n1", 1000, "n2", 53), .id = 5, .frag = 10, .len = 72 },
	{ ETH(GW, "n1"), IP("n1", OUT, 1), .type = 3, .code = 3, .quote_len = 8,
	  .quote = &(const struct frame){ UDP(OUT, 53, "n1", 1000), .len = 5 } },
	{ ETH("n2", "n1"), .ethertype = 0x86dd, .len = 60 },
	{ ETH("n2", "n1"), .vlan = 20, UDP("n1", 1000, "n2", 53), .len = 40 },
	{ ETH("n2", "n1"), IP("n1", "n2", 132), .sport = 1, .dport = 2, .len = 40 },
};
static const struct frame from_b1[] = {
	{ ETH("b2", "b1"), UDP("b1", 1000, "b2", 53), .len = 40 },
	{ ETH("hop", "b1"), TCP("b1", 1000, OUT, 53, SYN), .len = 40 },
	{ ETH("n1", "b1"), TCP("b1", 1000, "n1", 53, SYN), .len = 40 },
	{ ETH(GW, "b1"), TCP("b1", 1000, "n1", 53, SYN), .len = 40 },
	{ ETH("lan", "b1"), TCP("b1", 1000, "172.16.0.1", 53, SYN), .len = 40 },
	{ ETH(ALL, "b1"), ARP(1, "b1", "b1", NULL, "172.16.0.254") },
	{ ETH(ALL, "b1"), UDP("0.0.0.0", 68, "255.255.255.255", 67), .chaddr = "b1" },
	{ ETH(ALL, "b1"), UDP("b1", 9, "172.16.0.255", 9), .len = 30 },
};
static const struct frame from_wan[] = {
	{ ETH("wan", "hop"), UDP(OUT, 53, "203.0.113.10", 53), .len = 40 },
	{ ETH("wan", "hop"), TCP(OUT, 53, "203.0.113.10", 8080, SYN), .len = 40 },
	{ ETH("wan", "hop"), TCP(OUT, 53, "203.0.113.20", 8080, SYN), .len = 40 },
	{ ETH("wan", "hop"), TCP("neighbour", 53, "192.0.2.1", 22, SYN), .len = 40 },
	{ ETH("wan", "hop"), UDP("neighbour", 53, "192.0.2.1", 8081), .id = 9, .frag = MF, .len = 40 },
	{ ETH(ALL, "hop"), ARP(1, "hop", "hop", NULL, "192.0.2.21") },
	{ ETH("wan", "hop"), IP("neighbour", "192.0.2.1", 1), .type = 3, .code = 3, .quote_len = 8,
	  .quote = &(const struct frame){ UDP("192.0.2.1", 777, "neighbour", 53) } },
	{ ETH("wan", "hop"), .ethertype = 0x86dd, .len = 60 },
};
static const struct frame from_lan[] = {
	{ ETH("b1", "hop"), UDP("172.16.0.77", 53, "b1", 53), .len = 40 },
	{ ETH("v1", "hop"), .vlan = 20, UDP("172.16.20.77", 53, "v1", 53), .len = 40 },
	{ ETH("lan", "hop"), UDP("172.16.0.77", 53, "172.16.0.5", 53), .len = 40 },
	{ ETH(ALL, "hop"), ARP(1, "hop", "172.16.0.254", NULL, "b1") },
};

/* Names that are put in the place of addresses and MACs. */
static const char *const people[] = { "n1", "n2", "n3", "nb", "g1", "t1", "t2", "p1", "b1", "v1", "wan", "lan", GW };
static const char *const places[] = { "n1",	      "n2",	      "nb",	      "t1",	   "b1",
				      "203.0.113.11", "203.0.113.12", "203.0.113.13", "192.0.2.1", "172.16.0.255",
				      "224.0.0.1",    "10.0.0.255",   "127.0.0.1",    "10.0.0.100" };

static size_t mutate(uint8_t *frame, size_t len)
{
	const size_t l4 = 14 + ip_hlen();
	struct ip ip;

	for (uint32_t n = dice(4); n; n--) {
		switch (dice(9)) {
		case 0:
			name_mac(people[dice(sizeof(people) / sizeof(*people))], frame);
			break;
		case 1:
			ip = name_ip(places[dice(sizeof(places) / sizeof(*places))]);
			memcpy(frame + l4 - ip.len, ip.bytes, ip.len);
			break;
		case 2:
			ip = name_ip(places[dice(sizeof(places) / sizeof(*places))]);
			memcpy(frame + l4 - 2 * ip.len, ip.bytes, ip.len);
			break;
		case 3:
			len = len < l4 ? len : l4 + dice(len - l4 + 1);
			break;
		case 4:
			len += dice(80);
			break;
		case 5: /* a length that fits again */
			frame[world.family == 6 ? 18 : 16] = (len - (world.family == 6 ? l4 : 14)) >> 8;
			frame[world.family == 6 ? 19 : 17] = len - (world.family == 6 ? l4 : 14);
			break;
		default:
			frame[dice(len < 80 ? len : 80)] = dice(3) ? dice(256) : 1u << dice(8);
			break;
		}
	}
	return len;
}

static uint64_t sent_to(const char *name)
{
	int cpus = libbpf_num_possible_cpus();
	struct gl_traffic_val *vals = calloc(cpus, sizeof(*vals));
	uint64_t sum = 0;

	bpf_map_lookup_elem(world.obj.map[GL_MAP_TRAFFIC], &dev_by_name(name)->slot, vals);
	for (int i = 0; i < cpus; i++)
		sum += vals[i].to_guest.packets;
	free(vals);
	return sum;
}

static void nothing_reached(const char *const *names)
{
	uint8_t frame[FRAME_MAX];

	for (; *names; names++) {
		if (sent_to(*names))
			complain("%s was sent %llu packets", *names, (unsigned long long)sent_to(*names));
		if (read(dev_by_name(*names)->tap, frame, sizeof(frame)) > 0)
			complain("%s got a copy", *names);
	}
}

static void hostile(const char *on, const struct frame *frames, size_t count, bool guest)
{
	const struct dev *dev = dev_by_name(on);
	unsigned ran = 0;

	for (int i = 0; i < PACKETS; i++) {
		uint8_t in[2 * FRAME_MAX];
		size_t len = frame_build(&frames[dice(count)], in);
		enum hook hook = 1 << dice(3);
		struct run run;
		bool passed_on;
		int err;

		len = mutate(in, len);
		err = prog_run(prog_of(dev, hook), hook, dev, in, len, NULL, &run);
		if (!err && hook != HOOK_TC && run.verdict == XDP_PASS) {
			if (run.out_len != len || memcmp(run.out, in, len)) {
				complain("XDP has changed what it passes");
				hex("in", in, len);
			}
			hook = HOOK_TC;
			err = prog_run(prog_of(dev, hook), hook, dev, in, len, NULL, &run);
		}
		/* What the kernel does not make an skb of, for want of an IP header. */
		if (err)
			continue;
		passed_on = hook != HOOK_TC ? run.verdict == XDP_PASS
					    : run.verdict != TC_ACT_SHOT && run.verdict != TC_ACT_REDIRECT;
		ran++;
		if (hook != HOOK_TC && run.verdict == XDP_ABORTED)
			complain("packet %d: aborted", i);
		if (guest && passed_on) {
			complain("packet %d went to the host", i);
			hex("in", in, len);
		}
		if (!guest && passed_on && in[12] != 0x81 && (run.out_len != len || memcmp(run.out, in, len))) {
			complain("packet %d for the host was changed", i);
			hex("in", in, len);
		}
	}
	if (ran < PACKETS / 2)
		complain("only %u packets were run at all", ran);
}

void test_isolation(void)
{
	static const char *const closed_to_acme[] = { "t1", "t2", "p1", "p2", "b1", "b2", "v1", "v2", "lan", NULL };
	static const char *const closed_to_bridged[] = { "n1", "n2", "n3", "nb", "r1", "i1",  "g1",
							 "g2", "t1", "p1", "v1", "v2", "wan", NULL };
	static const char *const closed_to_all[] = { "t1", "t2", "p1", "p2", "i1", "i2", "q1", NULL };
	const char *seed = getenv("GL_SEED");

	state = seed ? strtoull(seed, NULL, 0) : 0x9e3779b97f4a7c15ull;
	state = state ? state : 1;
	flows_clear();
	hostile("n1", from_n1, sizeof(from_n1) / sizeof(*from_n1), true);
	nothing_reached(closed_to_acme);
	if (flow_count("tiny") || flow_count("narrow") || flow_count("bridged"))
		complain("another tenant has got flows");
	result(true, "%d packets of acme's reach no closed tenant and never the host", PACKETS);
	flows_clear();
	hostile("b1", from_b1, sizeof(from_b1) / sizeof(*from_b1), true);
	nothing_reached(closed_to_bridged);
	result(true, "%d packets of a bridge network's reach nobody else's and never the host", PACKETS);
	flows_clear();
	hostile("wan", from_wan, sizeof(from_wan) / sizeof(*from_wan), false);
	hostile("lan", from_lan, sizeof(from_lan) / sizeof(*from_lan), false);
	nothing_reached(closed_to_all);
	result(true, "%d packets of the uplinks' are left as they are where the host gets them", 2 * PACKETS);
}
