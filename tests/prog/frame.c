/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What bytes is a packet in words? Neighbours: prog.h (the words), world.c (what names stand for). */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prog.h"

struct writer {
	uint8_t *at;
};

static void put(struct writer *w, const void *bytes, size_t len)
{
	memcpy(w->at, bytes, len);
	w->at += len;
}

static void put16(struct writer *w, uint16_t value)
{
	put(w, (uint8_t[]){ value >> 8, value }, 2);
}

static void put_mac(struct writer *w, const char *name)
{
	uint8_t mac[6] = { 0 };

	if (name)
		name_mac(name, mac);
	put(w, mac, sizeof(mac));
}

static void put_ip(struct writer *w, const char *name)
{
	const struct ip ip = name_ip(name ? name : "0.0.0.0");

	put(w, ip.bytes, ip.len);
}

static void set16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

uint16_t sum16(const void *bytes, size_t len, uint32_t sum)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? b[i] : b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

void hex(const char *title, const uint8_t *bytes, size_t len)
{
	printf("    %s, %zu bytes", title, len);
	for (size_t i = 0; i < len && i < 160; i++)
		printf("%s%02x", i % 16 ? " " : "\n      ", bytes[i]);
	printf("%s\n", len > 160 ? " ..." : "");
}

/* An IP header that is written: what the transport has to know of it. */
struct head {
	uint8_t *ip, *l4;
	bool v6;
};

static struct head put_head(struct writer *w, const struct frame *f);
static size_t build_ip(const struct frame *f, uint8_t *buf, size_t *l4);

static void put_quote(struct writer *w, const struct frame *f)
{
	uint8_t inner[FRAME_MAX];
	const size_t most = 40 + GL_EXT_BYTES + 20; /* as many bytes as bpf/pkt.h keeps */
	size_t l4, field, whole = build_ip(f->quote, inner, &l4), quote_len = f->quote_len;

	if (f->quote_own && inner[0] >> 4 == 6)
		quote_len = (whole < most ? whole & ~(size_t)3 : most) - l4;
	if (f->quote_fix) {
		uint16_t value;

		field = l4 + (f->quote->proto == 6 ? 16 : 6);
		if (field + 2 <= l4 + quote_len) {
			set16(inner + field, 0);
			value = ~sum16(inner + l4, quote_len, 0);
			/* Rotated in memory order on the machine that runs the programs. */
			value = ntohs((uint16_t)(htons(value) >> 1 | htons(value) << 15));
			set16(inner + field, value);
		}
	}
	put(w, inner, l4 + quote_len);
}

static uint32_t pseudo_sum(const struct head *h, uint8_t proto, size_t l4_len)
{
	return h->v6 ? sum16(h->ip + 8, 32, proto + l4_len) : sum16(h->ip + 12, 8, proto + l4_len);
}

/* From the sequence number on. Both ends begin with the same one. */
static void put_tcp(struct writer *w, const struct frame *f, uint8_t **check)
{
	size_t options = (f->options_len + 3) / 4 * 4;
	uint32_t seq = f->exact ? f->seq : f->flags & SYN ? FRAME_ISN : FRAME_ISN + 1;
	uint32_t ack = f->exact ? f->ack : f->flags & ACK ? FRAME_ISN + 1 : 0;

	put16(w, seq >> 16);
	put16(w, seq);
	put16(w, ack >> 16);
	put16(w, ack);
	put(w, (uint8_t[]){ (f->offset ? f->offset : 5 + options / 4) << 4, f->flags }, 2);
	put16(w, f->exact ? f->win : 0x2000);
	*check = w->at;
	put(w, "\0\0\0", 4);
	if (options) {
		memset(w->at, 0, options);
		memcpy(w->at, f->options, f->options_len);
		w->at += options;
	}
}

/* Behind type, code and checksum (RFC 4861 4). */
static void put_discovery(struct writer *w, const struct frame *f)
{
	put(w, (uint8_t[]){ f->nd_flags, 0, 0, 0 }, 4);
	if (f->type == 134)
		put(w, "\0\0\0\0\0\0\0\0", 8);
	if (f->target)
		put_ip(w, f->target);
	if (f->type == 137)
		put_ip(w, f->target);
	if (f->lladdr) {
		put(w, (uint8_t[]){ f->type == 136 || f->type == 137 ? 2 : 1, 1 }, 2);
		put_mac(w, f->lladdr);
	}
	put(w, f->options, f->options_len);
}

static void put_icmp(struct writer *w, const struct frame *f, bool v6, uint8_t **check)
{
	uint8_t type = f->type, code = f->code;

	if (v6 && f->proto == 1)
		family_icmp(&type, &code);
	put(w, (uint8_t[]){ type, code }, 2);
	*check = w->at;
	put16(w, 0);
	if (v6 && type >= 133 && type <= 137)
		return put_discovery(w, f);
	put16(w, f->sport);
	put16(w, f->mtu ? f->mtu : f->dport);
}

/* A packet that fills its way in IPv4 does so in IPv6: one segment, or two. */
static size_t payload_len(const struct frame *f, bool v6)
{
	const size_t longer = !v6 || f->exact ? 0 : f->len > 2000 ? 40 : f->len > 1000 ? 20 : 0;

	return f->chaddr ? 240 : f->len - longer;
}

static void put_transport(struct writer *w, const struct frame *f, const struct head *h)
{
	uint8_t *l4 = w->at, *check = NULL, proto = h->v6 ? family_proto(f->proto) : f->proto;
	size_t len = payload_len(f, h->v6), l4_len;
	bool pseudo = proto != 1;

	if ((f->frag & 0x1fff) == 0) {
		switch (proto) {
		case 6:
			put16(w, f->sport);
			put16(w, f->dport);
			put_tcp(w, f, &check);
			break;
		case 17:
		case 136:
			put16(w, f->sport);
			put16(w, f->dport);
			put16(w, f->udp_len ? f->udp_len : 8 + len);
			check = w->at;
			put16(w, 0);
			break;
		case 132:
			put16(w, f->sport);
			put16(w, f->dport);
			put(w, "\0\0\0\x01\x12\x34\x56\x78", 8);
			break;
		case 1:
		case 58:
			put_icmp(w, f, h->v6, &check);
			break;
		default:
			break;
		}
	}
	if (f->quote) {
		put_quote(w, f);
	} else if (f->chaddr) {
		memset(w->at, 0, len);
		name_mac(f->chaddr, w->at + 28);
		w->at += len;
	} else {
		for (size_t i = 0; i < len; i++)
			*w->at++ = i * 7;
	}
	l4_len = w->at - l4;
	if (!check || f->check == CHECK_NONE)
		return;
	if (f->check == CHECK_PARTIAL) {
		set16(check, sum16(NULL, 0, pseudo_sum(h, proto, l4_len)));
		return;
	}
	set16(check, ~sum16(l4, l4_len, pseudo ? pseudo_sum(h, proto, l4_len) : 0));
	if (proto == 17 && !check[0] && !check[1])
		set16(check, 0xffff);
}

static struct head put_ipv4(struct writer *w, const struct frame *f)
{
	struct head h = { .ip = w->at };
	size_t ihl = f->option ? 24 : 20;
	uint32_t option_be = htonl(f->option);

	put(w, (uint8_t[]){ f->version_ihl ? f->version_ihl : (f->version ? f->version : 4) << 4 | ihl / 4, 0, 0, 0 },
	    4);
	put16(w, f->id);
	put16(w, f->frag);
	put(w, (uint8_t[]){ f->ttl ? f->ttl : 64, f->proto0 ? 0 : f->proto, 0, 0 }, 4);
	put_ip(w, f->src);
	put_ip(w, f->dst);
	if (f->option)
		put(w, &option_be, 4);
	h.l4 = w->at;
	return h;
}

/* Extension headers by letter (RFC 8200 4, 4302), each with its length field behind it where it is not the least:
 *   h hop-by-hop   H hop-by-hop with router alert   j hop-by-hop with a jumbo payload   d destination options
 *   r routing      f fragment of a whole packet     F fragment, by `frag` and `id`      a authentication
 *   e ESP          n no next header                 o mobility                          i HIP */
static const struct {
	char letter;
	uint8_t number, least;
	const char *bytes; /* behind next header and length, as far as they are not padding */
	uint8_t len;
} kinds[] = {
	{ 'h', 0, 0, NULL, 0 },
	{ 'H', 0, 0, "\5\2\0\0\1\0", 6 },
	{ 'j', 0, 0, "\xc2\4\0\1\0\0", 6 },
	{ 'd', 60, 0, NULL, 0 },
	{ 'r', 43, 2, "\0\1\0\0\0\0", 6 },
	{ 'f', 44, 0, "\0\0\0\0\0\0", 6 },
	{ 'F', 44, 0, "\0\0\0\0\0\0", 6 },
	{ 'a', 51, 4, "\0\0\0\0\1\0\0\0\0\1", 10 },
	{ 'e', 50, 1, "\0\0\0\1", 4 },
	{ 'n', 59, 0, NULL, 0 },
	{ 'o', 135, 0, "\0\0\0\0\0\0", 6 },
	{ 'i', 139, 4, NULL, 0 },
};

/* Where the number of what follows it has to be written. */
static uint8_t *put_extension(struct writer *w, const struct frame *f, const char **letters, uint8_t *next)
{
	uint8_t *at = w->at;
	size_t i = 0, len;
	char *end;

	while (kinds[i].letter != **letters)
		if (++i == sizeof(kinds) / sizeof(*kinds)) {
			printf("no extension header %c\n", **letters);
			abort();
		}
	*next = kinds[i].number;
	len = strtoul(++*letters, &end, 10);
	len = end != *letters ? len : kinds[i].least;
	*letters = end;
	if (kinds[i].number == 59)
		return at;
	at[1] = kinds[i].number == 44 ? 0 : len;
	len = kinds[i].number == 51 ? (len + 2) * 4 : (len + 1) * 8;
	if (kinds[i].bytes) {
		memcpy(at + 2, kinds[i].bytes, kinds[i].len);
	} else {
		at[2] = 1; /* PadN; its length is a byte */
		at[3] = len - 4 < 256 ? len - 4 : 255;
	}
	if (kinds[i].letter == 'F') {
		set16(at + 2, (f->frag & 0x1fff) << 3 | !!(f->frag & 0x2000));
		set16(at + 6, f->id);
	}
	w->at += len;
	return at;
}

static struct head put_ipv6(struct writer *w, const struct frame *f)
{
	struct head h = { .ip = w->at, .v6 = true };
	const char *ext = f->ext ? f->ext : f->option ? "H" : "";
	uint8_t *next = w->at + 6;

	put(w, (uint8_t[]){ (f->version ? f->version : 6) << 4, 0, 0, 0, 0, 0, 0, f->ttl ? f->ttl : 64 }, 8);
	put_ip(w, f->src);
	put_ip(w, f->dst);
	while (*ext)
		next = put_extension(w, f, &ext, next);
	if (f->frag & 0x3fff && (!f->ext || !strchr(f->ext, 'F'))) {
		ext = "F";
		next = put_extension(w, f, &ext, next);
	}
	if (next != w->at)
		*next = f->proto0 ? 0 : family_proto(f->proto);
	h.l4 = w->at;
	return h;
}

static struct head put_head(struct writer *w, const struct frame *f)
{
	const uint8_t was = world.family;
	struct head h;

	world.family = f->ipv4 ? 4 : world.family;
	h = world.family == 4 ? put_ipv4(w, f) : put_ipv6(w, f);
	world.family = was;
	return h;
}

/* Lengths are given as IPv4 has them: what stands before the transport is added here. */
static size_t build_ip(const struct frame *f, uint8_t *buf, size_t *l4)
{
	struct writer w = { buf };
	struct head h = put_head(&w, f);
	size_t hlen = h.l4 - buf, total;

	put_transport(&w, f, &h);
	if (h.v6) {
		total = f->total ? f->total - (f->option ? 24 : 20) + hlen : (size_t)(w.at - buf);
		set16(buf + 4, f->payload ? f->payload - 1 : total - 40);
	} else {
		set16(buf + 2, f->total ? f->total : w.at - buf);
		set16(buf + 10, ~sum16(buf, hlen, 0));
	}
	if (l4)
		*l4 = hlen;
	return w.at - buf;
}

/* In IPv6's turn too: of IPv4. */
static void put_arp(struct writer *w, const struct frame *f)
{
	const uint8_t was = world.family;

	world.family = 4;
	put(w, "\0\x01\x08\0\x06\x04", 6);
	put16(w, f->arp_op);
	put_mac(w, f->arp_smac);
	put_ip(w, f->arp_sip);
	put_mac(w, f->arp_tmac);
	put_ip(w, f->arp_tip);
	world.family = was;
}

/* What ARP asks and says, as neighbour discovery does (RFC 4861 7.2, 4862 5.4): a question from nobody is the test of
 * an address, one for the sender's own address an announcement. */
static struct frame discovery_of(const struct frame *f, char dst[80])
{
	struct frame nd = *f;
	const bool probe = !strcmp(f->arp_sip, "0.0.0.0"), to_probe = !strcmp(f->arp_tip, "0.0.0.0");
	const bool announcement = !strcmp(f->arp_sip, f->arp_tip);

	nd.arp_op = 0;
	nd.proto = 58;
	nd.ttl = 255;
	nd.src = f->arp_sip;
	nd.lladdr = f->arp_smac;
	if (f->arp_op == 1 && !announcement) {
		snprintf(dst, 80, "%s%s", !strcmp(f->dmac, ALL) ? "sn:" : "", f->arp_tip);
		nd.type = 135;
		nd.target = f->arp_tip;
		nd.lladdr = probe ? NULL : f->arp_smac;
	} else {
		snprintf(dst, 80, "%s", announcement || to_probe ? "ff02::1" : f->arp_tip);
		nd.type = 136;
		nd.dmac = to_probe ? ALL : f->dmac;
		nd.target = f->arp_sip;
		nd.nd_flags = 0x20 | (announcement || to_probe ? 0 : 0x40) | (strncmp(f->arp_sip, "gw:", 3) ? 0 : 0x80);
	}
	nd.dst = dst;
	return nd;
}

/* Groups of Ethernet are those of the group that is meant (RFC 2464 7). */
static void put_dmac(struct writer *w, const struct frame *f)
{
	uint8_t mac[6] = { 0 };

	if (f->dmac)
		name_mac(f->dmac, mac);
	if (world.family == 6 && !f->ipv4 && f->dst && (mac[0] == 0xff || !memcmp(mac, "\x01\0\x5e", 3))) {
		const struct ip dst = name_ip(f->dst);

		memcpy(mac, "\x33\x33\0\0\0\1", 6);
		if (dst.bytes[0] == 0xff)
			memcpy(mac + 2, dst.bytes + 12, 4);
	}
	put(w, mac, sizeof(mac));
}

size_t frame_build(const struct frame *f, uint8_t *buf)
{
	struct writer w = { buf };
	const bool arp = f->arp_op && (world.family == 4 || f->ipv4);
	size_t cut = f->cut, l4;
	struct frame nd;
	char dst[80];

	if (f->arp_op && !arp) {
		nd = discovery_of(f, dst);
		f = &nd;
	}
	memset(buf, 0, FRAME_MAX);
	put_dmac(&w, f);
	put_mac(&w, f->smac);
	if (f->service_tag) {
		put16(&w, 0x88a8);
		put16(&w, f->service_tag);
	}
	if (f->vlan) {
		put16(&w, 0x8100);
		put16(&w, f->vlan);
	}
	put16(&w, f->ethertype ? f->ethertype : arp ? 0x0806 : world.family == 4 || f->ipv4 ? 0x0800 : 0x86dd);
	if (arp) {
		put_arp(&w, f);
	} else if (f->src) {
		w.at += build_ip(f, w.at, &l4);
		cut += cut >= 34 && !f->payload ? l4 - (f->option ? 24 : 20) : 0;
	} else {
		w.at += f->len;
	}
	w.at += f->pad;
	return cut ? cut : (size_t)(w.at - buf);
}
