/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Neighbour, router and multicast listener discovery, and DHCPv6: what is answered, with which bytes; what a guest may
 * not say, however it is wrapped. What ARP has too stands in the tables of both families.
 * Neighbours: prog.h, definition.c, test_ra.c (router advertisements), bpf/nd.h. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "prog.h"

#define GW "gw:acme/front"
#define NODES "ff02::1"
#define ROUTERS "ff02::2"
#define MLD_ROUTERS "ff02::16"
#define ICMP6(s, d, t) IP(s, d, 58), .type = (t), .ttl = 255
#define NS(s, d, t, mac) ICMP6(s, d, 135), .target = (t), .lladdr = (mac)
#define NA(s, d, t, mac, fl) ICMP6(s, d, 136), .target = (t), .lladdr = (mac), .nd_flags = (fl)
#define OPTIONS(text) .options = (text), .options_len = sizeof(text) - 1
#define ROUTER 0x80
#define SOLICITED 0x40
#define OVERRIDE 0x20
/* RFC 7527: Linux marks its probes with it */
#define NONCE "\x0e\x01\1\2\3\4\5\6"

/* ---- answers ---------------------------------------------------------------------------------------------- */

static const struct row asked[] = {
	{ .name = "the gateway's link-local address",
	  .on = "n1",
	  .verdict = BACK,
	  .in = { ETH(ALL, "n1"), NS("ll:n1", "sn:ll:" GW, "ll:" GW, "n1") },
	  .out = { ETH("n1", GW), NA("ll:" GW, "ll:n1", "ll:" GW, GW, ROUTER | SOLICITED | OVERRIDE) } },
	{ .name = "by a global address",
	  .on = "n1",
	  .verdict = BACK,
	  .in = { ETH(ALL, "n1"), NS("n1", "sn:" GW, GW, "n1") },
	  .out = { ETH("n1", GW), NA(GW, "n1", GW, GW, ROUTER | SOLICITED | OVERRIDE) } },
	{ .name = "is it still there?",
	  .on = "n1",
	  .verdict = BACK,
	  .in = { ETH(GW, "n1"), NS("ll:n1", "ll:" GW, "ll:" GW, "n1") },
	  .out = { ETH("n1", GW), NA("ll:" GW, "ll:n1", "ll:" GW, GW, ROUTER | SOLICITED | OVERRIDE) } },
	{ .name = "without telling its own MAC",
	  .on = "n1",
	  .verdict = BACK,
	  .in = { ETH(GW, "n1"), NS("n1", GW, GW, NULL) },
	  .out = { ETH("n1", GW), NA(GW, "n1", GW, GW, ROUTER | SOLICITED | OVERRIDE) } },
	{ .name = "a neighbour's link-local address",
	  .on = "n1",
	  .verdict = BACK,
	  .in = { ETH(ALL, "n1"), NS("ll:n1", "sn:ll:n2", "ll:n2", "n1") },
	  .out = { ETH("n1", "n2"), NA("ll:n2", "ll:n1", "ll:n2", "n2", SOLICITED | OVERRIDE) } },
	{ .name = "with options that nobody knows",
	  .on = "n1",
	  .verdict = BACK,
	  .in = { ETH(ALL, "n1"), NS("n1", "sn:n2", "n2", "n1"), OPTIONS(NONCE "\xfd\2abcdefghijklmn") },
	  .out = { ETH("n1", "n2"), NA("n2", "n1", "n2", "n2", SOLICITED | OVERRIDE) } },
	{ .name = "as many of them as are read",
	  .on = "n1",
	  .verdict = BACK,
	  .in = { ETH(ALL, "n1"), NS("n1", "sn:n2", "n2", "n1"), OPTIONS(NONCE NONCE NONCE NONCE NONCE NONCE NONCE) },
	  .out = { ETH("n1", "n2"), NA("n2", "n1", "n2", "n2", SOLICITED | OVERRIDE) } },
	{ .name = "by a device that takes no frames from XDP",
	  .on = "i2",
	  .verdict = BACK,
	  .slow = true,
	  .in = { ETH(ALL, "i2"), NS("ll:i2", "sn:ll:i1", "ll:i1", "i2") },
	  .out = { ETH("i2", "i1"), NA("ll:i1", "ll:i2", "ll:i1", "i1", SOLICITED | OVERRIDE) } },
	{ .name = "another network's link-local address",
	  .on = "n1",
	  .slow = true,
	  .drop = GL_DROP_ND_UNKNOWN,
	  .in = { ETH(ALL, "n1"), NS("ll:n1", "sn:ll:nb", "ll:nb", "n1") } },
	{ .name = "where nothing is spread either",
	  .on = "q1",
	  .slow = true,
	  .drop = GL_DROP_ND_UNKNOWN,
	  .in = { ETH(ALL, "q1"), NS("q1", "sn:192.168.8.77", "192.168.8.77", "q1") } },
};

static const struct row probes[] = {
	{ .name = "its own link-local address is free",
	  .on = "n1",
	  .in = { ETH(ALL, "n1"), NS("::", "sn:ll:n1", "ll:n1", NULL), OPTIONS(NONCE) } },
	{ .name = "its own address is free", .on = "n1", .in = { ETH(ALL, "n1"), NS("::", "sn:n1", "n1", NULL) } },
	{ .name = "a neighbour's is not, and only the prober hears that",
	  .on = "n1",
	  .verdict = BACK,
	  .in = { ETH(ALL, "n1"), NS("::", "sn:n2", "n2", NULL) },
	  .out = { ETH(ALL, "n2"), NA("n2", NODES, "n2", "n2", OVERRIDE) } },
	{ .name = "a neighbour's link-local address",
	  .on = "n1",
	  .verdict = BACK,
	  .in = { ETH(ALL, "n1"), NS("::", "sn:ll:n2", "ll:n2", NULL), OPTIONS(NONCE) },
	  .out = { ETH(ALL, "n2"), NA("ll:n2", NODES, "ll:n2", "n2", OVERRIDE) } },
	{ .name = "the gateway's",
	  .on = "n1",
	  .verdict = BACK,
	  .in = { ETH(ALL, "n1"), NS("::", "sn:ll:" GW, "ll:" GW, NULL) },
	  .out = { ETH(ALL, GW), NA("ll:" GW, NODES, "ll:" GW, GW, ROUTER | OVERRIDE) } },
	{ .name = "one that another may hold",
	  .on = "n1",
	  .slow = true,
	  .copies = "n2",
	  .in = { ETH(ALL, "n1"), NS("::", "sn:10.0.0.100", "10.0.0.100", NULL), OPTIONS(NONCE) } },
	{ .name = "one that nobody may have",
	  .on = "n1",
	  .slow = true,
	  .drop = GL_DROP_ND_UNKNOWN,
	  .in = { ETH(ALL, "n1"), NS("::", "sn:fe80::77", "fe80::77", NULL) } },
	{ .name = "with a MAC",
	  .on = "n1",
	  .drop = GL_DROP_SPOOF_ND,
	  .in = { ETH(ALL, "n1"), NS("::", "sn:n1", "n1", "n1") } },
	{ .name = "sent to one node",
	  .on = "n1",
	  .drop = GL_DROP_ND_MALFORMED,
	  .in = { ETH("n2", "n1"), NS("::", "n2", "n2", NULL) } },
	{ .name = "sent to all nodes",
	  .on = "n1",
	  .drop = GL_DROP_ND_MALFORMED,
	  .in = { ETH(ALL, "n1"), NS("::", NODES, "n2", NULL) } },
};

/* ---- claims ----------------------------------------------------------------------------------------------- */

static const struct row told[] = {
	{ .name = "its own link-local address, which everybody knows",
	  .on = "n1",
	  .in = { ETH(ALL, "n1"), NA("ll:n1", NODES, "ll:n1", "n1", OVERRIDE) } },
	{ .name = "an allowed address pair, to all",
	  .on = "n1",
	  .slow = true,
	  .copies = "n2 n3",
	  .in = { ETH(ALL, "n1"), NA("ll:n1", NODES, "10.0.0.100", "n1", OVERRIDE) } },
	{ .name = "to who asked",
	  .on = "n1",
	  .verdict = SEND,
	  .to = "n2",
	  .slow = true,
	  .in = { ETH("n2", "n1"), NA("10.0.0.100", "ll:n2", "10.0.0.100", "n1", SOLICITED | OVERRIDE) } },
	{ .name = "to a MAC that nobody has",
	  .on = "n1",
	  .drop = GL_DROP_UNKNOWN_MAC,
	  .in = { ETH("stranger", "n1"), NA("n1", "ll:n2", "n1", "n1", SOLICITED) } },
	{ .name = "the gateway's address",
	  .on = "n1",
	  .drop = GL_DROP_SPOOF_ND,
	  .in = { ETH(ALL, "n1"), NA("ll:n1", NODES, GW, "n1", OVERRIDE) } },
	{ .name = "the gateway's link-local address, as a router, to one neighbour",
	  .on = "n1",
	  .drop = GL_DROP_SPOOF_ND,
	  .in = { ETH("n2", "n1"), NA("ll:n1", "ll:n2", "ll:" GW, "n1", ROUTER | OVERRIDE) } },
	{ .name = "as the gateway",
	  .on = "n1",
	  .drop = GL_DROP_SPOOF_ND,
	  .in = { ETH("n2", "n1"), NA("ll:" GW, "ll:n2", "ll:" GW, "n1", ROUTER | OVERRIDE) } },
	{ .name = "a neighbour's address",
	  .on = "n1",
	  .drop = GL_DROP_SPOOF_ND,
	  .in = { ETH(ALL, "n1"), NA("n1", NODES, "n2", "n1", OVERRIDE) } },
	{ .name = "its own, by a neighbour's",
	  .on = "n1",
	  .drop = GL_DROP_SPOOF_ND,
	  .in = { ETH(ALL, "n1"), NA("n2", NODES, "n1", "n1", OVERRIDE) } },
	{ .name = "its own, with a neighbour's MAC",
	  .on = "n1",
	  .drop = GL_DROP_SPOOF_ND,
	  .in = { ETH(ALL, "n1"), NA("n1", NODES, "n1", "n2", OVERRIDE) } },
	{ .name = "denying a neighbour's probe",
	  .on = "n1",
	  .drop = GL_DROP_SPOOF_ND,
	  .in = { ETH(ALL, "n1"), NA("ll:n2", NODES, "ll:n2", "n1", OVERRIDE) } },
	{ .name = "from nobody",
	  .on = "n1",
	  .drop = GL_DROP_SPOOF_ND,
	  .in = { ETH(ALL, "n1"), NA("::", NODES, "n1", NULL, OVERRIDE) } },
	{ .name = "to all, as if all had asked",
	  .on = "n1",
	  .drop = GL_DROP_ND_MALFORMED,
	  .in = { ETH(ALL, "n1"), NA("n1", NODES, "n1", "n1", SOLICITED | OVERRIDE) } },
	{ .name = "a group's address",
	  .on = "n1",
	  .drop = GL_DROP_ND_MALFORMED,
	  .in = { ETH(ALL, "n1"), NA("n1", NODES, NODES, "n1", OVERRIDE) } },
};

/* ---- what is refused -------------------------------------------------------------------------------------- */

#define GOOD_NS NS("n1", "sn:n2", "n2", "n1")
#define BARE_NS NS("n1", "sn:n2", "n2", NULL)

static const struct row malformed[] = {
	{ .name = "asking as a neighbour",
	  .on = "n1",
	  .drop = GL_DROP_SPOOF_ND,
	  .in = { ETH(ALL, "n1"), NS("n2", "sn:n3", "n3", "n1") } },
	{ .name = "as another link-local address",
	  .on = "n1",
	  .drop = GL_DROP_SPOOF_ND,
	  .in = { ETH(ALL, "n1"), NS("fe80::66", "sn:n3", "n3", "n1") } },
	{ .name = "with a neighbour's MAC",
	  .on = "n1",
	  .drop = GL_DROP_SPOOF_ND,
	  .in = { ETH(ALL, "n1"), NS("n1", "sn:n3", "n3", "n2") } },
	{ .name = "with a neighbour's MAC as the target's",
	  .on = "n1",
	  .drop = GL_DROP_SPOOF_ND,
	  .in = { ETH(ALL, "n1"), BARE_NS, OPTIONS("\2\1\x52\x54\0\0\0\2") } },
	{ .name = "with two MACs",
	  .on = "n1",
	  .drop = GL_DROP_ND_MALFORMED,
	  .in = { ETH(ALL, "n1"), GOOD_NS, OPTIONS("\1\1\x52\x54\0\0\0\2") } },
	{ .name = "from farther than the link",
	  .on = "n1",
	  .drop = GL_DROP_ND_MALFORMED,
	  .in = { ETH(ALL, "n1"), IP("n1", "sn:n2", 58), .type = 135, .target = "n2", .lladdr = "n1", .ttl = 254 } },
	{ .name = "with a code",
	  .on = "n1",
	  .drop = GL_DROP_ND_MALFORMED,
	  .in = { ETH(ALL, "n1"), GOOD_NS, .code = 1 } },
	{ .name = "for a group's address",
	  .on = "n1",
	  .drop = GL_DROP_ND_MALFORMED,
	  .in = { ETH(ALL, "n1"), NS("n1", NODES, NODES, "n1") } },
	{ .name = "without a target",
	  .on = "n1",
	  .drop = GL_DROP_ND_MALFORMED,
	  .in = { ETH(ALL, "n1"), NS("n1", "sn:n2", NULL, NULL) } },
	{ .name = "an option of no length",
	  .on = "n1",
	  .drop = GL_DROP_ND_MALFORMED,
	  .in = { ETH(ALL, "n1"), GOOD_NS, OPTIONS("\x0e\0abcdef") } },
	{ .name = "an option that is longer than the message",
	  .on = "n1",
	  .drop = GL_DROP_ND_MALFORMED,
	  .in = { ETH(ALL, "n1"), GOOD_NS, OPTIONS("\x0e\2abcdef") } },
	{ .name = "half an option",
	  .on = "n1",
	  .drop = GL_DROP_ND_MALFORMED,
	  .in = { ETH(ALL, "n1"), GOOD_NS, OPTIONS("\x0e\1ab") } },
	{ .name = "a MAC of two words",
	  .on = "n1",
	  .drop = GL_DROP_ND_MALFORMED,
	  .in = { ETH(ALL, "n1"), BARE_NS, OPTIONS("\1\2\x52\x54\0\0\0\1abcdefgh") } },
	{ .name = "more options than anybody has",
	  .on = "n1",
	  .drop = GL_DROP_ND_MALFORMED,
	  .in = { ETH(ALL, "n1"), GOOD_NS, OPTIONS(NONCE NONCE NONCE NONCE NONCE NONCE NONCE NONCE) } },
	{ .name = "a false MAC behind other options",
	  .on = "n1",
	  .drop = GL_DROP_SPOOF_ND,
	  .in = { ETH(ALL, "n1"), BARE_NS, OPTIONS(NONCE NONCE NONCE "\1\1\x52\x54\0\0\0\2") } },
	{ .name = "to a group in a frame for one",
	  .on = "n1",
	  .drop = GL_DROP_BROADCAST_FOREIGN,
	  .in = { ETH("n2", "n1"), GOOD_NS } },
	{ .name = "behind destination options",
	  .on = "n1",
	  .drop = GL_DROP_ND_MALFORMED,
	  .in = { ETH(ALL, "n1"), GOOD_NS, .ext = "d" } },
	{ .name = "as an atomic fragment",
	  .on = "n1",
	  .drop = GL_DROP_ND_MALFORMED,
	  .in = { ETH(ALL, "n1"), GOOD_NS, .ext = "f" } },
	{ .name = "in a first fragment",
	  .on = "n1",
	  .drop = GL_DROP_ND_MALFORMED,
	  .in = { ETH(ALL, "n1"), GOOD_NS, .ext = "F", .frag = MF } },
	{ .name = "an advertisement behind a hop-by-hop header",
	  .on = "n1",
	  .drop = GL_DROP_ND_MALFORMED,
	  .in = { ETH(ALL, "n1"), NA("n1", NODES, "n1", "n1", OVERRIDE), .ext = "h" } },
	{ .name = "a tag in front of it",
	  .on = "n1",
	  .drop = GL_DROP_VLAN_TAGGED,
	  .in = { ETH(ALL, "n1"), .vlan = 0x2000, GOOD_NS } },
};

static const struct row routers[] = {
	{ .name = "an advertisement",
	  .on = "n1",
	  .drop = GL_DROP_ROUTER,
	  .in = { ETH(ALL, "n1"), ICMP6("ll:n1", NODES, 134), .lladdr = "n1" } },
	{ .name = "as the gateway",
	  .on = "n1",
	  .drop = GL_DROP_ROUTER,
	  .in = { ETH(ALL, "n1"), ICMP6("ll:" GW, NODES, 134), .lladdr = GW } },
	{ .name = "to one neighbour",
	  .on = "n1",
	  .drop = GL_DROP_ROUTER,
	  .in = { ETH("n2", "n1"), ICMP6("ll:n1", "ll:n2", 134) } },
	{ .name = "a redirect, as the gateway",
	  .on = "n1",
	  .drop = GL_DROP_ROUTER,
	  .in = { ETH("n2", "n1"), ICMP6("ll:" GW, "n2", 137), .target = "ll:n1", .lladdr = "n1" } },
	{ .name = "behind destination options",
	  .on = "n1",
	  .drop = GL_DROP_ROUTER,
	  .in = { ETH(ALL, "n1"), ICMP6("ll:n1", NODES, 134), .ext = "d" } },
	{ .name = "behind an atomic fragment's header",
	  .on = "n1",
	  .drop = GL_DROP_ROUTER,
	  .in = { ETH(ALL, "n1"), ICMP6("ll:n1", NODES, 134), .ext = "f" } },
	{ .name = "with its head in one fragment",
	  .on = "n1",
	  .drop = GL_DROP_ROUTER,
	  .in = { ETH(ALL, "n1"), ICMP6("ll:n1", NODES, 134), .ext = "F", .frag = MF } },
	{ .name = "and the rest in another",
	  .on = "n1",
	  .slow = true,
	  .drop = GL_DROP_FRAGMENT_NO_HEAD,
	  .in = { ETH(ALL, "n1"), IP("ll:n1", NODES, 58), .ttl = 255, .frag = 2, .len = 16 } },
	{ .name = "in a second fragment, behind options that fill the first",
	  .on = "n1",
	  .drop = GL_DROP_FRAGMENT_TINY,
	  .in = { ETH(ALL, "n1"), ICMP6("ll:n1", NODES, 134), .ext = "Fd3", .frag = MF, .cut = 14 + 40 + 8 + 16,
		  .payload = 25 } },
	{ .name = "behind a routing header",
	  .on = "n1",
	  .drop = GL_DROP_EXTENSION_HEADERS,
	  .in = { ETH(ALL, "n1"), ICMP6("ll:n1", NODES, 134), .ext = "r" } },
	{ .name = "behind more headers than are walked",
	  .on = "n1",
	  .drop = GL_DROP_EXTENSION_HEADERS,
	  .in = { ETH(ALL, "n1"), ICMP6("ll:n1", NODES, 134), .ext = "ddddddddd" } },
	{ .name = "behind longer headers than are walked",
	  .on = "n1",
	  .drop = GL_DROP_EXTENSION_HEADERS,
	  .in = { ETH(ALL, "n1"), ICMP6("ll:n1", NODES, 134), .ext = "d20" } },
	{ .name = "behind a tag",
	  .on = "n1",
	  .drop = GL_DROP_VLAN_TAGGED,
	  .in = { ETH(ALL, "n1"), .vlan = 0x2000, ICMP6("ll:n1", NODES, 134) } },
	{ .name = "behind two tags",
	  .on = "n1",
	  .drop = GL_DROP_VLAN_TAGGED,
	  .in = { ETH(ALL, "n1"), .service_tag = 0x2000, .vlan = 0x2000, ICMP6("ll:n1", NODES, 134) } },
	{ .name = "in a frame of LLC",
	  .on = "n1",
	  .drop = GL_DROP_ETHERTYPE,
	  .in = { ETH(ALL, "n1"), .ethertype = 64, ICMP6("ll:n1", NODES, 134) } },
	{ .name = "in a bridge network",
	  .on = "b1",
	  .drop = GL_DROP_ROUTER,
	  .in = { ETH(ALL, "b1"), ICMP6("ll:b1", NODES, 134) } },
};

/* Every kind of extension header, in every order, up to four of them: whatever the reason, nobody gets any of it. */
static const char letters[] = "hHdfFra";
#define DEPTH 4

static void wrapped_one(enum hook hook, uint8_t type, const char *ext, uint16_t frag)
{
	static const enum gl_drop reasons[] = { GL_DROP_ROUTER, GL_DROP_EXTENSION_HEADERS, GL_DROP_FRAGMENT_NO_HEAD,
						GL_DROP_IP_MALFORMED };
	const struct frame f = { ETH(ALL, "n1"), ICMP6("ll:n1", NODES, type), .target = type == 137 ? "n1" : NULL,
				 .ext = ext, .frag = frag };
	uint64_t before = 0, after = 0;
	struct run run;

	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		before += drops("n1", reasons[i]);
	if (packet("n1", hook, &f, &run) != DROP)
		complain("type %u behind %s, fragment %x: was not dropped", type, ext, frag);
	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		after += drops("n1", reasons[i]);
	if (after != before + 1)
		complain("type %u behind %s, fragment %x: counted under another reason", type, ext, frag);
}

static void test_wrapped(enum hook hook)
{
	const size_t kinds = sizeof(letters) - 1;
	size_t total = kinds;

	counts_clear();
	for (int depth = 1; depth <= DEPTH; depth++, total *= kinds)
		for (size_t n = 0; n < total; n++) {
			char ext[DEPTH + 1] = "";
			size_t rest = n;

			for (int i = 0; i < depth; i++, rest /= kinds)
				ext[i] = letters[rest % kinds];
			wrapped_one(hook, 134, ext, strchr(ext, 'F') ? MF : 0);
			if (depth < DEPTH)
				wrapped_one(hook, 137, ext, strchr(ext, 'F') ? MF : 0);
			if (depth < DEPTH && strchr(ext, 'F'))
				wrapped_one(hook, 134, ext, 3);
		}
	for (size_t i = 0; i < world.dev_count; i++) {
		uint8_t frame[FRAME_MAX];

		if (read(world.devs[i].tap, frame, sizeof(frame)) > 0)
			complain("%s got a frame", world.devs[i].name);
	}
	result(true, "%s routers' messages behind extension headers of every kind in every order", hook_name(hook));
}

void test_nd(void)
{
	ROWS(asked);
	ROWS(probes);
	ROWS(told);
	ROWS(malformed);
	ROWS(routers);
	for (int hook = HOOK_XDP; hook <= HOOK_GENERIC; hook <<= 1)
		test_wrapped(hook);
}
