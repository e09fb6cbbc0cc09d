/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What TCP and ICMP tell of a way: MSS of SYNs, errors that were forged, errors of the gateway's own.
 * Neighbours: prog.h, definition.c, rows_errors.c (errors as they should be). */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "prog.h"

#define GWN "gw:narrow/net"
#define GW "gw:acme/front"
#define OUT "198.18.0.1"
#define NARROW "203.0.113.13"
#define NAT "203.0.113.10"
#define SUBNET "subnets: [10.0.0.0/24],\n         nat: {addresses: [203.0.113.13]"

/* ---- MSS -------------------------------------------------------------------------------------------------- */

#define OPT(text) text, sizeof(text) - 1
#define NOP4 "\x01\x01\x01\x01"
#define NOP32 NOP4 NOP4 NOP4 NOP4 NOP4 NOP4 NOP4 NOP4
static const struct {
	const char *name, *options;
	uint8_t len;
	const char *becomes; /* NULL: stays */
} layouts[] = {
	{ "alone", OPT("\x02\x04\x05\xb4"), "\x02\x04\x04\xb0" },
	{ "at an odd place", OPT("\x01\x02\x04\x05\xb4\x01\x01\x00"), "\x01\x02\x04\x04\xb0\x01\x01\x00" },
	{ "at another odd place", OPT("\x03\x03\x07\x02\x04\xff\xff\x00"), "\x03\x03\x07\x02\x04\x04\xb0\x00" },
	{ "behind others", OPT("\x03\x03\x07\x01\x04\x02\x02\x04\x23\x28\x01\x01"),
	  "\x03\x03\x07\x01\x04\x02\x02\x04\x04\xb0\x01\x01" },
	{ "at the very end", OPT(NOP32 NOP4 "\x02\x04\x05\xb4"), NOP32 NOP4 "\x02\x04\x04\xb0" },
	{ "the limit itself", OPT("\x02\x04\x04\xb0"), NULL },
	{ "below the limit", OPT("\x02\x04\x02\x18"), NULL },
	{ "behind the end of options", OPT("\x00\x02\x04\x05\xb4\x00\x00\x00"), NULL },
	{ "behind one of no length", OPT("\x05\x00\x02\x04\x05\xb4\x00\x00"), NULL },
	{ "of another length", OPT("\x02\x03\x05\xb4\x00\x00\x00\x00"), NULL },
	{ "beyond the header", OPT("\x01\x01\x02\x04"), NULL },
	{ "jumped over", OPT("\x08\x06\x02\x04\x05\xb4\x00\x00"), NULL },
	{ "none", "", 0, NULL },
};

/* Is the packet what it should be, but for the port that translation chose? */
static void check_options(const struct run *run, const struct frame *f, const char *want)
{
	size_t len = (f->options_len + 3) / 4 * 4;

	const size_t l4 = 14 + ip_hlen();

	if (run->out_len != l4 + 20 + len + f->len ||
	    (f->options_len && memcmp(run->out + l4 + 20, want ? want : f->options, f->options_len)))
		complain("the options are others"), hex("out", run->out, run->out_len);
	if (!sum_is_good(run->out, run->out_len))
		complain("the checksum is wrong"), hex("out", run->out, run->out_len);
}

static void mss(enum hook hook)
{
	struct run run;

	apply_with(SUBNET, "mss: 1200, " SUBNET);
	for (size_t i = 0; i < sizeof(layouts) / sizeof(*layouts); i++) {
		struct frame syn = { ETH(GWN, "p1"), TCP("p1", 1000, OUT, 80, SYN), .len = i % 3 };
		struct frame ack = { ETH("wan", "hop"), TCP(OUT, 80, NARROW, 0, SYN | ACK) };

		flows_clear();
		syn.options = ack.options = layouts[i].options;
		syn.options_len = ack.options_len = layouts[i].len;
		if (packet("p1", hook, &syn, &run) != SEND)
			complain("the SYN was dropped");
		check_options(&run, &syn, layouts[i].becomes);
		ack.dport = sport_of(run.out);
		ack.exact = true;
		ack.seq = FRAME_ISN;
		ack.ack = FRAME_ISN + 1 + syn.len;
		ack.win = 0x2000;
		if (packet("wan", hook, &ack, &run) != SEND)
			complain("the SYN's answer was dropped");
		check_options(&run, &ack, layouts[i].becomes);
		/* Elsewhere it means nothing. */
		syn.flags = ACK;
		if (packet("p1", hook, &syn, &run) != SEND)
			complain("data was dropped");
		check_options(&run, &syn, NULL);
		result(true, "%s MSS %s", hook_name(hook), layouts[i].name);
	}
	back();
}

static void mss_of_the_path(enum hook hook)
{
	struct frame syn = { ETH(GW, "n1"), TCP("n1", 1000, "slow", 80, SYN), .options = "\x02\x04\x05\xb4",
			     .options_len = 4 };
	struct frame out = { ETH(GWN, "p1"), TCP("p1", 1000, OUT, 80, SYN), .options = "\x02\x04\x23\x28",
			     .options_len = 4 };
	struct run run;

	flows_clear();
	apply_with(SUBNET, "mss: path, " SUBNET);
	if (packet("p1", hook, &out, &run) != SEND)
		complain("the SYN was dropped");
	check_options(&run, &out, world.family == 6 ? "\x02\x04\x05\xa0" : "\x02\x04\x05\xb4");
	/* To an interface of 1,300 bytes, between networks of which one keeps what is announced. */
	apply_with("subnets: [10.0.1.0/24], open_to: tenant", "mss: path, subnets: [10.0.1.0/24], open_to: tenant");
	if (packet("n1", hook, &syn, &run) != SEND)
		complain("the SYN to a guest was dropped");
	check_options(&run, &syn, world.family == 6 ? "\x02\x04\x04\xd8" : "\x02\x04\x04\xec");
	back();
	syn.sport = 1001;
	if (packet("n1", hook, &syn, &run) != SEND)
		complain("the SYN without a limit was dropped");
	check_options(&run, &syn, NULL);
	result(true, "%s MSS of the narrower way", hook_name(hook));
}

/* ---- errors ----------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	const char *src, *dst; /* of the quoted packet */
	uint16_t sport, dport;
	uint32_t seq;
	uint8_t proto;
	bool fits;
} quotes[] = {
	{ "what is under way", NAT, OUT, 40000, 80, FRAME_ISN + 1, 6, true },
	{ "its last byte", NAT, OUT, 40000, 80, FRAME_ISN + 100, 6, true },
	{ "a bare acknowledgement", NAT, OUT, 40000, 80, FRAME_ISN + 101, 6, true },
	{ "what is acknowledged", NAT, OUT, 40000, 80, FRAME_ISN, 6, false },
	{ "what was not sent", NAT, OUT, 40000, 80, FRAME_ISN + 102, 6, false },
	{ "half the numbers away", NAT, OUT, 40000, 80, FRAME_ISN + 0x80000000, 6, false },
	{ "number 0", NAT, OUT, 40000, 80, 0, 6, false },
	{ "another port of ours", NAT, OUT, 40001, 80, FRAME_ISN + 1, 6, false },
	{ "another port of the outside", NAT, OUT, 40000, 81, FRAME_ISN + 1, 6, false },
	{ "another destination", NAT, "198.18.0.2", 40000, 80, FRAME_ISN + 1, 6, false },
	{ "another source", "203.0.113.11", OUT, 40000, 80, FRAME_ISN + 1, 6, false },
	{ "another protocol", NAT, OUT, 40000, 80, FRAME_ISN + 1, 17, false },
	{ "no ports at all", NAT, OUT, 40000, 80, FRAME_ISN + 1, 47, false },
};

static void forged(enum hook hook)
{
	struct frame ask = { ETH(GW, "n1"), TCP("n1", 1000, OUT, 80, SYN) };
	struct frame answer = { ETH("wan", "hop"), TCP(OUT, 80, NAT, 40000, SYN | ACK) };

	flows_clear();
	expect(SEND, "n1", hook, ask, "SYN");
	expect(SEND, "wan", hook, answer, "SYN and ACK");
	ask.flags = ACK;
	ask.len = 100;
	expect(SEND, "n1", hook, ask, "100 bytes");
	for (size_t i = 0; i < sizeof(quotes) / sizeof(*quotes); i++) {
		struct frame quote = { IP(quotes[i].src, quotes[i].dst, quotes[i].proto),
				       .sport = quotes[i].sport,
				       .dport = quotes[i].dport,
				       .exact = true,
				       .seq = quotes[i].seq,
				       .flags = ACK,
				       .len = 100 };
		struct frame error = { ETH("wan", "hop"), IP("198.51.100.200", NAT, 1),
				       .type = 3,	  .code = 4,
				       .mtu = 1400,	  .quote = &quote,
				       .quote_len = 8 };
		struct run run;
		enum verdict verdict = packet("wan", hook, &error, &run);

		if (verdict != (quotes[i].fits ? SEND : DROP))
			complain("was %s", verdict == SEND ? "let through" : "dropped");
		else if (!quotes[i].fits && !drops("wan", GL_DROP_ICMP_ERROR) && !drops("wan", GL_DROP_NO_FLOW))
			complain("was dropped for another reason");
		else if (verdict == SEND && !sum_is_good(run.out, run.out_len))
			complain("the checksum is wrong");
		counts_clear();
		result(true, "%s an error that quotes %s", hook_name(hook), quotes[i].name);
	}
}

static void rate(enum hook hook)
{
	const struct frame f = { ETH(GW, "n1"), UDP("n1", 1000, "nb", 53), .ttl = 1 };
	const struct frame other = { ETH("gw:tiny/net", "t1"), UDP("t1", 1000, OUT, 53), .ttl = 1 };
	uint32_t index = tenant_by_name("acme");
	struct gl_tenant_stat stat = { 0 };
	struct timespec now;
	bool held = false;
	struct run run;

	flows_clear();
	/* The second may end between the two. */
	for (int i = 0; i < 5 && !held; i++) {
		clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
		stat.icmp_second = now.tv_sec;
		stat.icmp_sent = GL_ICMP_ERRORS - 1;
		bpf_map_update_elem(world.obj.map[GL_MAP_TENANT_STAT], &index, &stat, BPF_ANY);
		if (packet("n1", hook, &f, &run) != SEND)
			complain("the last error of the second was not sent");
		held = packet("n1", hook, &f, &run) == DROP;
	}
	if (!held)
		complain("errors are sent without end");
	if (packet("t1", hook, &other, &run) != SEND)
		complain("another tenant gets none");
	stat.icmp_second--;
	bpf_map_update_elem(world.obj.map[GL_MAP_TENANT_STAT], &index, &stat, BPF_ANY);
	if (packet("n1", hook, &f, &run) != SEND)
		complain("none in the next second");
	result(true, "%s %d errors a second for a tenant", hook_name(hook), GL_ICMP_ERRORS);
}

void test_edges(void)
{
	for (int hook = HOOK_XDP; hook <= HOOK_TC; hook++) {
		mss(hook);
		mss_of_the_path(hook);
		forged(hook);
		rate(hook);
	}
}
