/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Router advertisements as guests get them: the bytes that the loader has prepared, with a checksum that is right; to
 * who asks for one, to who has not heard one for long, and to whom the loader tells.
 * Neighbours: prog.h, test_nd.c, bpf/ra.h. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "prog.h"

#define GW "gw:acme/front"
#define HEADERS 54 /* Ethernet and IPv6 */

static struct gl_ra_val *ra_of(const char *tap)
{
	static struct gl_ra_val val;
	struct gl_ra_key key;

	memset(&key, 0, sizeof(key));
	key.network = port_read(tap).network;
	key.side = world.side;
	return bpf_map_lookup_elem(world.obj.map[GL_MAP_RA], &key, &val) ? NULL : &val;
}

static struct gl_ra_sent_val sent_read(const char *tap)
{
	struct gl_ra_sent_val val = { 0 };

	bpf_map_lookup_elem(world.obj.map[GL_MAP_RA_SENT], &dev_by_name(tap)->slot, &val);
	return val;
}

static void sent_write(const char *tap, uint32_t seconds)
{
	const struct gl_ra_sent_val val = { .seconds = seconds };

	bpf_map_update_elem(world.obj.map[GL_MAP_RA_SENT], &dev_by_name(tap)->slot, &val, BPF_ANY);
}

static uint32_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec;
}

/* Is it the advertisement of the tap's network, to `dst`? */
static void check_ra(const uint8_t *frame, size_t len, const char *tap, const char *dmac, const char *dst)
{
	const struct gl_ra_val *ra = ra_of(tap);
	const struct frame like = {
		.dmac = dmac, .smac = GW, .src = "ll:" GW, .dst = dst, .proto = 58, .ttl = 255, .type = 134
	};
	uint8_t want[FRAME_MAX];

	if (!ra) {
		complain("the network has no advertisement");
		return;
	}
	frame_build(&like, want);
	want[18] = 0;
	want[19] = ra->len;
	memcpy(want + HEADERS, ra->body, ra->len);
	if (len != HEADERS + (size_t)ra->len) {
		complain("an advertisement of %zu bytes instead of %d", len, HEADERS + ra->len);
		return;
	}
	if (!sum_is_good(frame, len))
		complain("its checksum is wrong");
	memcpy(want + HEADERS + 2, frame + HEADERS + 2, 2);
	if (memcmp(frame, want, len)) {
		complain("another advertisement");
		hex("got", frame, len);
		hex("wanted", want, len);
	}
}

static size_t tap_read(const char *tap, uint8_t *frame)
{
	ssize_t got = read(dev_by_name(tap)->tap, frame, FRAME_MAX);

	return got > 0 ? got : 0;
}

/* Nobody else hears anything. */
static void check_silence(void)
{
	uint8_t frame[FRAME_MAX];

	for (size_t i = 0; i < world.dev_count; i++)
		while (read(world.devs[i].tap, frame, sizeof(frame)) > 0)
			complain("%s got a frame", world.devs[i].name);
}

static void test_solicited(enum hook hook)
{
	struct frame f = { ETH(ALL, "n1"), IP("ll:n1", "ff02::2", 58), .type = 133, .ttl = 255, .lladdr = "n1" };
	struct run run;

	counts_clear();
	sent_write("n1", now());
	expect(SEND, "n1", hook, f, "a solicitation");
	packet("n1", hook, &f, &run);
	check_ra(run.out, run.out_len, "n1", "n1", "ll:n1");
	f.src = "n1";
	packet("n1", hook, &f, &run);
	check_ra(run.out, run.out_len, "n1", "n1", "n1");
	f.src = "::";
	f.lladdr = NULL;
	packet("n1", hook, &f, &run);
	check_ra(run.out, run.out_len, "n1", ALL, "ff02::1");
	if (sent_read("n1").count != 4)
		complain("it is not remembered");
	check_silence();
	f.lladdr = "n1";
	expect(DROP, "n1", hook, f, "from nobody, with a MAC");
	f.src = "ll:n1";
	f.lladdr = "n2";
	expect(DROP, "n1", hook, f, "with a neighbour's MAC");
	f.src = "ll:n2";
	f.lladdr = "n1";
	expect(DROP, "n1", hook, f, "as a neighbour");
	if (drops("n1", GL_DROP_SPOOF_ND) != 3)
		complain("SPOOF_ND counted %llu times", (unsigned long long)drops("n1", GL_DROP_SPOOF_ND));
	result(true, "%s a router's solicitation is answered to its sender", hook_name(hook));
}

/* An answer about a neighbour, of either family, and the advertisement behind it. */
static void test_due(enum hook hook, const struct frame *ask, const struct frame *answer, const char *what)
{
	uint8_t frame[FRAME_MAX], want[FRAME_MAX];
	const struct gl_ra_val *ra = ra_of("n1");
	uint32_t at = now();
	struct run run;
	size_t len;

	counts_clear();
	sent_write("n1", 0);
	packet("n1", hook, ask, &run);
	check_ra(run.out, run.out_len, "n1", ALL, "ff02::1");
	len = frame_build(answer, want);
	if (tap_read("n1", frame) != len || memcmp(frame, want, len))
		complain("never told: the answer did not come with it");
	if (sent_read("n1").seconds + 1 < at || sent_read("n1").count != 1)
		complain("it is not remembered");
	packet("n1", hook, ask, &run);
	if (run.out_len != len || memcmp(run.out, want, len))
		complain("just told: the answer is another one");
	check_silence();
	sent_write("n1", at - (ra ? ra->interval : 0) + 10);
	packet("n1", hook, ask, &run);
	if (run.out_len != len || memcmp(run.out, want, len))
		complain("told within the interval: the answer is another one");
	check_silence();
	sent_write("n1", at - (ra ? ra->interval : 0));
	packet("n1", hook, ask, &run);
	check_ra(run.out, run.out_len, "n1", ALL, "ff02::1");
	tap_read("n1", frame);
	check_silence();
	result(true, "%s %s brings the advertisement that is due", hook_name(hook), what);
}

static int advertise(const char *tap, uint32_t slot)
{
	uint8_t in[64] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = sizeof(in), .repeat = 1);

	memcpy(in + 14, &slot, sizeof(slot));
	if (bpf_prog_test_run_opts(world.obj.prog[GL_PROG_ADVERTISE_TC], &opts))
		complain("%s: the program cannot be run", tap);
	return (int)opts.retval;
}

static void test_told(void)
{
	uint8_t frame[FRAME_MAX];

	counts_clear();
	sent_write("n1", 0);
	if (advertise("n1", dev_by_name("n1")->slot) != TC_ACT_OK)
		complain("it was not sent");
	check_ra(frame, tap_read("n1", frame), "n1", ALL, "ff02::1");
	if (sent_read("n1").count != 1)
		complain("it is not remembered");
	if (advertise("b1", dev_by_name("b1")->slot) != TC_ACT_SHOT)
		complain("a bridge network has one");
	if (advertise("wan", dev_by_name("wan")->slot) != TC_ACT_SHOT)
		complain("the uplink is told");
	if (advertise("nobody", GL_PORT_SLOTS - 1) != TC_ACT_SHOT || advertise("beyond", ~0u) != TC_ACT_SHOT)
		complain("nobody is told");
	check_silence();
	result(true, "the loader tells an interface of its router");
}

static void test_none(enum hook hook)
{
	const struct frame rs = { ETH(ALL, "n1"), IP("ll:n1", "ff02::2", 58), .type = 133, .ttl = 255, .lladdr = "n1" };
	const struct frame ns = { ETH(ALL, "n1"), ARP(1, "n1", "n1", NULL, GW) };
	struct run run;

	counts_clear();
	sent_write("n1", 0);
	expect(DROP, "n1", hook, rs, "a solicitation");
	expect(SEND, "n1", hook, ns, "a question");
	packet("n1", hook, &ns, &run);
	check_silence();
	if (sent_read("n1").count)
		complain("an advertisement was sent");
	if (drops("n1", GL_DROP_SPOOF_ND) || drops("n1", GL_DROP_REWRITE_FAILED) || drops("n1", GL_DROP_MAP_MISSING))
		complain("the solicitation counts as dropped");
	result(true, "%s a network without advertisements sends none", hook_name(hook));
}

/* ARP is a sign of life, too. */
static void test_dual_stack(enum hook hook)
{
	const struct frame asks = { .ipv4 = true, ETH(ALL, "n1"), ARP(1, "n1", "0.0.0.0", NULL, "10.0.0.12") };
	const struct frame answers = { .ipv4 = true, ETH("n1", "n2"), ARP(2, "n2", "10.0.0.12", "n1", "0.0.0.0") };
	struct gl_host4_key key = { .segment = port_read("n1").network, .side = world.side };
	const struct gl_host4_val val = { .slot = dev_by_name("n2")->slot };

	key.addr_be = htonl(0x0a00000c);
	bpf_map_update_elem(world.obj.map[GL_MAP_HOST4], &key, &val, BPF_ANY);
	test_due(hook, &asks, &answers, "ARP");
	bpf_map_delete_elem(world.obj.map[GL_MAP_HOST4], &key);
}

void test_ra(void)
{
	const struct frame asks = { ETH(ALL, "n1"), ARP(1, "n1", "n1", NULL, GW) };
	const struct frame answers = { ETH("n1", GW), ARP(2, GW, GW, "n1", "n1") };

	for (int hook = HOOK_XDP; hook <= HOOK_GENERIC; hook <<= 1) {
		test_solicited(hook);
		test_due(hook, &asks, &answers, "a neighbour solicitation");
		test_dual_stack(hook);
	}
	test_told();
	apply_with("{name: front, mode: nat,", "{name: front, mode: nat, router_advertisements: {mode: 'off'},");
	for (int hook = HOOK_XDP; hook <= HOOK_GENERIC; hook <<= 1)
		test_none(hook);
	back();
}
