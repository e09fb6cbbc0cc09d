/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What only IPv6 has: extension headers, alone and in every order, lengths that lie, link-local addresses, DHCPv6; and
 * IPv4 in networks that have none. Neighbours: prog.h, definition.c, frame.c (letters of extension headers). */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "prog.h"

#define GW "gw:acme/front"
#define GWO "gw:acme/open"
#define OUT "198.18.0.1"
#define NAT "203.0.113.10"
#define TO_N2 ETH("n2", "n1")
#define PASSES(...) .on = "n1", .verdict = SEND, .to = "n2", .in = { TO_N2, __VA_ARGS__ }
#define REFUSED(...) .on = "n1", .drop = GL_DROP_EXTENSION_HEADERS, .in = { TO_N2, __VA_ARGS__ }
#define DATAGRAM UDP("n1", 1, "n2", 2), .len = 20

static const struct row extensions[] = {
	{ .name = "hop-by-hop options", PASSES(DATAGRAM, .ext = "h") },
	{ .name = "destination options", PASSES(DATAGRAM, .ext = "d") },
	{ .name = "destination options twice", PASSES(DATAGRAM, .ext = "hdd") },
	{ .name = "authentication", PASSES(DATAGRAM, .ext = "a") },
	{ .name = "a fragment header in a whole packet", PASSES(DATAGRAM, .ext = "f") },
	{ .name = "in the recommended order", PASSES(DATAGRAM, .ext = "hdfad") },
	{ .name = "eight of them", PASSES(DATAGRAM, .ext = "hddddddd") },
	{ .name = "as many bytes as may be", PASSES(DATAGRAM, .ext = "d15") },
	{ .name = "nine of them", REFUSED(DATAGRAM, .ext = "hdddddddd") },
	{ .name = "more bytes than may be", REFUSED(DATAGRAM, .ext = "d16") },
	{ .name = "more bytes than may be, by several", REFUSED(DATAGRAM, .ext = "d7d7d") },
	{ .name = "one that is very long", REFUSED(DATAGRAM, .ext = "d255") },
	{ .name = "hop-by-hop options that are not first", REFUSED(DATAGRAM, .ext = "dh") },
	{ .name = "hop-by-hop options twice", REFUSED(DATAGRAM, .ext = "hh") },
	{ .name = "a routing header", REFUSED(DATAGRAM, .ext = "r") },
	{ .name = "a routing header behind others", REFUSED(DATAGRAM, .ext = "hdr") },
	{ .name = "a routing header behind a fragment header", REFUSED(DATAGRAM, .ext = "fr") },
	{ .name = "two fragment headers", REFUSED(DATAGRAM, .ext = "ff") },
	{ .name = "two fragment headers, one of a fragment", REFUSED(DATAGRAM, .ext = "fF", .frag = MF) },
	{ .name = "authentication of an odd length", REFUSED(DATAGRAM, .ext = "a5") },
	{ .name = "a header longer than the packet",
	  REFUSED(DATAGRAM, .ext = "d7", .payload = 1 + 16, .cut = 54 + 16) },
	{ .name = "half a header", REFUSED(DATAGRAM, .ext = "d", .payload = 1 + 4, .cut = 54 + 4) },
	{ .name = "no next header, and something behind it", PASSES(IP("n1", "n2", 59), .len = 8) },
	{ .name = "no next header behind others", PASSES(IP("n1", "n2", 59), .ext = "d") },
	{ .name = "ESP", PASSES(DATAGRAM, .ext = "e") },
	{ .name = "ESP behind others", PASSES(DATAGRAM, .ext = "hde") },
	{ .name = "mobility", PASSES(DATAGRAM, .ext = "o") },
	{ .name = "HIP", PASSES(DATAGRAM, .ext = "i") },
	{ .name = "an unknown number", PASSES(IP("n1", "n2", 253), .len = 20) },
	{ .name = "TCP behind some", PASSES(TCP("n1", 1, "n2", 2, SYN), .ext = "hd") },
	{ .name = "echo behind some", PASSES(ECHO("n1", "n2", 2), .ext = "d") },
	{ .name = "translated, behind some",
	  .on = "n1",
	  .verdict = SEND,
	  .to = "wan",
	  .in = { ETH(GW, "n1"), UDP("n1", 1000, OUT, 53), .ext = "hd", .len = 9 },
	  .out = { ETH("hop", "wan"), UDP(NAT, 40000, OUT, 53), .ext = "hd", .len = 9, .ttl = 63 } },
	{ .name = "its answer, as one fragment",
	  .on = "wan",
	  .verdict = SEND,
	  .to = "n1",
	  .in = { ETH("wan", "hop"), UDP(OUT, 53, NAT, 40000), .ext = "f", .id = 9, .len = 9 },
	  .out = { ETH("n1", GW), UDP(OUT, 53, "n1", 1000), .ext = "f", .id = 9, .len = 9, .ttl = 63 } },
	{ .name = "ESP behind a shared address",
	  .on = "n1",
	  .drop = GL_DROP_NAT_PROTOCOL,
	  .in = { ETH(GW, "n1"), UDP("n1", 1000, OUT, 53), .ext = "e", .len = 9 } },
	{ .name = "a routing header from outside",
	  .on = "wan",
	  .drop = GL_DROP_EXTENSION_HEADERS,
	  .in = { ETH("wan", "hop"), UDP(OUT, 53, "r1", 1000), .ext = "r", .len = 9 } },
	{ .name = "too many from outside",
	  .on = "wan",
	  .drop = GL_DROP_EXTENSION_HEADERS,
	  .in = { ETH("wan", "hop"), UDP(OUT, 53, NAT, 8080), .ext = "hdddddddd", .len = 9 } },
	{ .name = "too many for the host",
	  .on = "wan",
	  .verdict = PASS,
	  .in = { ETH("wan", "hop"), UDP(OUT, 53, "192.0.2.50", 8080), .ext = "hdddddddd", .len = 9 } },
	{ .name = "a routing header for the host",
	  .on = "wan",
	  .verdict = PASS,
	  .in = { ETH("wan", "hop"), UDP(OUT, 53, "192.0.2.50", 8080), .ext = "r", .len = 9 } },
};

static const struct row lengths[] = {
	{ .name = "no payload at all",
	  .on = "n1",
	  .drop = GL_DROP_IP_MALFORMED,
	  .in = { TO_N2, DATAGRAM, .payload = 1 } },
	{ .name = "a jumbogram",
	  .on = "n1",
	  .drop = GL_DROP_IP_MALFORMED,
	  .in = { TO_N2, DATAGRAM, .ext = "j", .payload = 1 } },
	{ .name = "a payload beyond the frame",
	  .on = "n1",
	  .drop = GL_DROP_IP_MALFORMED,
	  .in = { TO_N2, DATAGRAM, .payload = 1 + 29 } },
	{ .name = "much behind the payload",
	  .on = "n1",
	  .drop = GL_DROP_IP_MALFORMED,
	  .in = { TO_N2, DATAGRAM, .payload = 1 + 27 } },
	{ .name = "half the header",
	  .on = "n1",
	  .drop = GL_DROP_IP_MALFORMED,
	  .only = HOOK_XDP | HOOK_GENERIC,
	  .in = { TO_N2, DATAGRAM, .payload = 1 + 28, .cut = 53 } },
	{ .name = "UDP without a checksum",
	  .on = "n1",
	  .drop = GL_DROP_L4_TRUNCATED,
	  .in = { TO_N2, DATAGRAM, .check = CHECK_NONE } },
	{ .name = "UDP without a checksum, behind a fragment header",
	  .on = "n1",
	  .drop = GL_DROP_L4_TRUNCATED,
	  .in = { TO_N2, DATAGRAM, .check = CHECK_NONE, .ext = "f" } },
	{ .name = "the head of UDP without a checksum",
	  .on = "n1",
	  .drop = GL_DROP_L4_TRUNCATED,
	  .in = { TO_N2, UDP("n1", 1, "n2", 2), .check = CHECK_NONE, .frag = MF, .len = 72 } },
	{ .name = "UDP without a checksum from outside",
	  .on = "wan",
	  .drop = GL_DROP_L4_TRUNCATED,
	  .in = { ETH("wan", "hop"), UDP(OUT, 53, "r1", 1000), .check = CHECK_NONE, .len = 9 } },
	{ .name = "UDP without a checksum for the host",
	  .on = "wan",
	  .verdict = PASS,
	  .in = { ETH("wan", "hop"), UDP(OUT, 53, "192.0.2.50", 1000), .check = CHECK_NONE, .len = 9 } },
	{ .name = "a first fragment that ends in a header",
	  .on = "n1",
	  .drop = GL_DROP_FRAGMENT_TINY,
	  .in = { TO_N2, DATAGRAM, .ext = "Fd7", .frag = MF, .payload = 1 + 8 + 16, .cut = 54 + 8 + 16 } },
	{ .name = "a first fragment that ends behind a header",
	  .on = "n1",
	  .drop = GL_DROP_FRAGMENT_TINY,
	  .in = { TO_N2, DATAGRAM, .ext = "Fd", .frag = MF, .payload = 1 + 8 + 8, .cut = 54 + 8 + 8 } },
	{ .name = "a first fragment that ends in UDP",
	  .on = "n1",
	  .drop = GL_DROP_FRAGMENT_TINY,
	  .in = { TO_N2, DATAGRAM, .ext = "Fd", .frag = MF, .payload = 1 + 8 + 8 + 4, .cut = 54 + 8 + 8 + 4 } },
	{ .name = "a first fragment with all headers",
	  .slow = true,
	  PASSES(UDP("n1", 1, "n2", 2), .ext = "hFd", .frag = MF, .id = 70, .len = 72) },
	{ .name = "its end", .slow = true, PASSES(IP("n1", "n2", 60), .ext = "hF", .frag = 11, .id = 70, .len = 20) },
	{ .name = "a fragment of 64 KiB and more",
	  .on = "n1",
	  .drop = GL_DROP_IP_MALFORMED,
	  .in = { TO_N2, UDP("n1", 1, "n2", 2), .ext = "dF", .frag = 0x1fff, .len = 100 } },
};

/* Addresses of the link, which every interface of a network with IPv6 has by its MAC. */
static const struct row link_local[] = {
	{ .name = "to a neighbour's", PASSES(UDP("ll:n1", 1, "ll:n2", 2), .len = 9) },
	{ .name = "and back",
	  .on = "n2",
	  .verdict = SEND,
	  .to = "n1",
	  .in = { ETH("n1", "n2"), UDP("ll:n2", 2, "ll:n1", 1), .len = 9 } },
	{ .name = "from the link to a neighbour's address", PASSES(UDP("ll:n1", 1, "n2", 2), .len = 9) },
	{ .name = "of a neighbour",
	  .on = "n1",
	  .drop = GL_DROP_SPOOF_IP,
	  .in = { TO_N2, UDP("ll:n3", 1, "ll:n2", 2), .len = 9 } },
	{ .name = "of the gateway",
	  .on = "n1",
	  .drop = GL_DROP_SPOOF_IP,
	  .in = { TO_N2, UDP("ll:gw:acme/front", 1, "ll:n2", 2), .len = 9 } },
	{ .name = "of nobody",
	  .on = "n1",
	  .drop = GL_DROP_SPOOF_IP,
	  .in = { TO_N2, UDP("fe80::1", 1, "ll:n2", 2), .len = 9 } },
	{ .name = "echo to the gateway's",
	  .on = "n1",
	  .verdict = BACK,
	  .in = { ETH(GW, "n1"), ECHO("ll:n1", "ll:gw:acme/front", 3), .len = 9 },
	  .out = { ETH("n1", GW), ECHOED("ll:gw:acme/front", "ll:n1", 3), .len = 9 } },
	{ .name = "echo to the gateway's global one",
	  .on = "n1",
	  .verdict = BACK,
	  .in = { ETH(GW, "n1"), ECHO("ll:n1", GW, 3), .len = 9 },
	  .out = { ETH("n1", GW), ECHOED(GW, "ll:n1", 3), .len = 9 } },
	{ .name = "the gateway's own services",
	  .on = "n1",
	  .drop = GL_DROP_GATEWAY_PROTOCOL,
	  .in = { ETH(GW, "n1"), TCP("ll:n1", 1, "ll:gw:acme/front", 22, SYN) } },
	{ .name = "another network's gateway's",
	  .on = "n1",
	  .drop = GL_DROP_UNKNOWN_HOST,
	  .in = { ETH(GW, "n1"), ECHO("ll:n1", "ll:gw:acme/back", 3), .len = 9 } },
	{ .name = "from the link to the outside",
	  .on = "n1",
	  .drop = GL_DROP_MARTIAN,
	  .in = { ETH(GW, "n1"), UDP("ll:n1", 1, OUT, 2), .len = 9 } },
	{ .name = "from the link to another network",
	  .on = "n1",
	  .drop = GL_DROP_MARTIAN,
	  .in = { ETH(GW, "n1"), UDP("ll:n1", 1, "nb", 2), .len = 9 } },
	{ .name = "from the link of a routed network",
	  .on = "r1",
	  .drop = GL_DROP_MARTIAN,
	  .in = { ETH(GWO, "r1"), UDP("ll:r1", 1, OUT, 2), .len = 9 } },
	{ .name = "to a link's address by the gateway",
	  .on = "n1",
	  .drop = GL_DROP_UNKNOWN_HOST,
	  .in = { ETH(GW, "n1"), UDP("n1", 1, "ll:n2", 2), .len = 9 } },
	{ .name = "from outside, from its link",
	  .on = "wan",
	  .drop = GL_DROP_MARTIAN,
	  .in = { ETH("wan", "hop"), UDP("ll:hop", 1, "r1", 2), .len = 9 } },
	{ .name = "of the uplink itself",
	  .on = "wan",
	  .verdict = PASS,
	  .in = { ETH("wan", "hop"), UDP("ll:hop", 1, "ll:wan", 2), .len = 9 } },
	{ .name = "to a bridge network's segment",
	  .on = "b1",
	  .verdict = SEND,
	  .to = "lan",
	  .in = { ETH("hop", "b1"), UDP("ll:b1", 1, "ll:hop", 2), .len = 9 } },
	{ .name = "from a bridge network's segment",
	  .on = "lan",
	  .verdict = SEND,
	  .to = "b1",
	  .in = { ETH("b1", "hop"), UDP("ll:hop", 2, "ll:b1", 1), .len = 9 } },
};

static const struct row addresses[] = {
	{ .name = "from loopback", .on = "n1", .drop = GL_DROP_SPOOF_IP, .in = { TO_N2, UDP("::1", 1, "n2", 2) } },
	{ .name = "from a group", .on = "n1", .drop = GL_DROP_SPOOF_IP, .in = { TO_N2, UDP("ff02::1", 1, "n2", 2) } },
	{ .name = "to an IPv4 address in the place of one",
	  .on = "n1",
	  .drop = GL_DROP_MARTIAN,
	  .in = { ETH(GW, "n1"), UDP("n1", 1, "::ffff:198.18.0.1", 2) } },
	{ .name = "to nobody", .on = "n1", .drop = GL_DROP_MARTIAN, .in = { ETH(GW, "n1"), UDP("n1", 1, "::", 2) } },
	{ .name = "from outside as an IPv4 address",
	  .on = "wan",
	  .drop = GL_DROP_MARTIAN,
	  .in = { ETH("wan", "hop"), UDP("::ffff:198.18.0.1", 1, "r1", 2) } },
	{ .name = "a group of the site",
	  .on = "n1",
	  .verdict = DROP,
	  .slow = true,
	  .copies = "n2 n3",
	  .in = { ETH(ALL, "n1"), UDP("n1", 9, "ff05::2", 9), .len = 20 } },
	{ .name = "a group of everybody by the gateway",
	  .on = "n1",
	  .drop = GL_DROP_BROADCAST_FOREIGN,
	  .in = { ETH(GW, "n1"), UDP("n1", 9, "ff0e::2", 9), .len = 20 } },
	{ .name = "IPv4 where there is none",
	  .ip = V6_ALONE,
	  .on = "n1",
	  .drop = GL_DROP_SPOOF_IP,
	  .in = { TO_N2, .ipv4 = true, UDP("10.0.0.11", 1, "10.0.0.12", 2) } },
	{ .name = "ARP where there is none",
	  .ip = V6_ALONE,
	  .on = "n1",
	  .drop = GL_DROP_SPOOF_ARP,
	  .in = { ETH(ALL, "n1"), .ipv4 = true, ARP(1, "n1", "10.0.0.11", NULL, "10.0.0.1") } },
	{ .name = "IPv4 for the host",
	  .on = "wan",
	  .verdict = PASS,
	  .in = { ETH("wan", "hop"), .ipv4 = true, UDP("10.0.0.11", 1, "192.0.2.1", 2) } },
};

static const struct row dhcp[] = {
	{ .name = "a client where no server is",
	  .on = "n1",
	  .drop = GL_DROP_DHCP_CLIENT,
	  .in = { ETH(ALL, "n1"), UDP("ll:n1", 546, "ff02::1:2", 547), .len = 20 } },
	{ .name = "a server",
	  .on = "n1",
	  .drop = GL_DROP_DHCP_SERVER,
	  .in = { TO_N2, UDP("ll:n1", 547, "ll:n2", 546), .len = 20 } },
	{ .name = "a server of a bridge network",
	  .on = "b1",
	  .drop = GL_DROP_DHCP_SERVER,
	  .in = { ETH("b2", "b1"), UDP("ll:b1", 547, "ll:b2", 546), .len = 20 } },
	{ .name = "a client of a bridge network",
	  .on = "b1",
	  .verdict = SEND,
	  .to = "lan",
	  .slow = true,
	  .copies = "b2",
	  .in = { ETH(ALL, "b1"), UDP("ll:b1", 546, "ff02::1:2", 547), .len = 20 } },
	{ .name = "the segment's server",
	  .on = "lan",
	  .verdict = SEND,
	  .to = "b1",
	  .slow = true,
	  .in = { ETH("b1", "hop"), UDP("ll:hop", 547, "ll:b1", 546), .len = 20 } },
};

/* ---- every order ------------------------------------------------------------------------------------------ */

#define KINDS "hdarf"
#define DEPTH 4

/* Hop-by-hop options stand first, there is one fragment header, and no routing header. */
static bool is_good(const char *ext)
{
	const char *fragment = strchr(ext, 'f');

	return !strchr(ext, 'r') && !strchr(ext + 1, 'h') && !(fragment && strchr(fragment + 1, 'f'));
}

/* Every sequence of up to DEPTH extension headers: a datagram behind it passes or does not, a router's message behind
 * it reaches nobody, whatever it is counted as. */
static void every_order(enum hook hook)
{
	const struct frame datagram = { TO_N2, DATAGRAM };
	const struct frame router = { ETH(ALL, "n1"), IP("ll:n1", "ff02::1", 58), .ttl = 255, .type = 134 };
	unsigned sequences = 0;

	flows_clear();
	for (unsigned n = 1, of = strlen(KINDS); n <= DEPTH; n++, of *= strlen(KINDS))
		for (unsigned i = 0; i < of; i++, sequences++) {
			struct frame f = datagram, ra = router;
			char ext[DEPTH + 1] = "";
			struct run run;

			for (unsigned k = 0, rest = i; k < n; k++, rest /= strlen(KINDS))
				ext[k] = KINDS[rest % strlen(KINDS)];
			f.ext = ra.ext = ext;
			if (packet("n1", hook, &f, &run) != (is_good(ext) ? SEND : DROP))
				complain("a datagram behind %s %s", ext, is_good(ext) ? "is dropped" : "passes");
			if (packet("n1", hook, &ra, &run) != DROP)
				complain("a router advertisement behind %s passes", ext);
		}
	for (size_t i = 0; i < world.dev_count; i++) {
		uint8_t frame[FRAME_MAX];

		if (read(world.devs[i].tap, frame, sizeof(frame)) > 0)
			complain("%s has got a copy", world.devs[i].name);
	}
	result(true, "%s %u sequences of extension headers", hook_name(hook), sequences);
}

/* The uplink has no address, and the network none of its own. */
static void no_address(enum hook hook)
{
	apply_with("mode: isolated, subnets: [192.168.8.0/24]", "mode: nat, uplink: lan, subnets: [192.168.8.0/24]");
	flows_clear();
	expect(DROP, "q1", hook, (struct frame){ ETH("gw:acme/quiet", "q1"), UDP("q1", 1, OUT, 2) }, "a datagram");
	if (drops("q1", GL_DROP_NAT_NO_ADDRESS) != 1)
		complain("it was dropped for another reason");
	else
		provoked[GL_DROP_NAT_NO_ADDRESS] = true;
	back();
	result(true, "%s nothing is translated where there is no address to translate to", hook_name(hook));
}

void rows_ipv6(void)
{
	ROWS(extensions);
	ROWS(lengths);
	ROWS(link_local);
	ROWS(addresses);
	ROWS(dhcp);
}

void test_extensions(void)
{
	for (int hook = HOOK_XDP; hook <= HOOK_GENERIC; hook <<= 1)
		every_order(hook);
	for (int hook = HOOK_XDP; hook <= HOOK_TC; hook++)
		no_address(hook);
}
