/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What bytes is a packet in words? Neighbours: prog.h (the words), world.c (what names stand for). */
#include <arpa/inet.h>
#include <stdio.h>
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
	uint32_t addr_be = name ? name_ip(name) : 0;

	put(w, &addr_be, sizeof(addr_be));
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

static size_t build_ipv4(const struct frame *f, uint8_t *buf);

static void put_quote(struct writer *w, const struct frame *f)
{
	uint8_t inner[FRAME_MAX];
	size_t ihl, field;

	build_ipv4(f->quote, inner);
	ihl = (inner[0] & 0xf) * 4;
	if (f->quote_fix) {
		uint16_t value;

		field = ihl + (f->quote->proto == 6 ? 16 : 6);
		if (field + 2 <= ihl + f->quote_len) {
			set16(inner + field, 0);
			value = ~sum16(inner + ihl, f->quote_len, 0);
			/* Rotated in memory order on the machine that runs the programs. */
			value = ntohs((uint16_t)(htons(value) >> 1 | htons(value) << 15));
			set16(inner + field, value);
		}
	}
	put(w, inner, ihl + f->quote_len);
}

static uint32_t pseudo_sum(const uint8_t *ip, size_t l4_len)
{
	return sum16(ip + 12, 8, ip[9] + l4_len);
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

static void put_transport(struct writer *w, const struct frame *f, const uint8_t *ip)
{
	uint8_t *l4 = w->at, *check = NULL;
	size_t len = f->chaddr ? 240 : f->len, l4_len;
	bool pseudo = true;

	if ((f->frag & 0x1fff) == 0) {
		switch (f->proto) {
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
			pseudo = false;
			put(w, &f->type, 1);
			put(w, &f->code, 1);
			check = w->at;
			put16(w, 0);
			put16(w, f->sport);
			put16(w, f->mtu ? f->mtu : f->dport);
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
		set16(check, sum16(NULL, 0, pseudo_sum(ip, l4_len)));
		return;
	}
	set16(check, ~sum16(l4, l4_len, pseudo ? pseudo_sum(ip, l4_len) : 0));
	if (f->proto == 17 && !check[0] && !check[1])
		set16(check, 0xffff);
}

static size_t build_ipv4(const struct frame *f, uint8_t *buf)
{
	struct writer w = { buf };
	size_t ihl = f->option ? 24 : 20;
	uint32_t option_be = htonl(f->option);

	put(&w, (uint8_t[]){ f->version_ihl ? f->version_ihl : 0x40 | ihl / 4, 0, 0, 0 }, 4);
	put16(&w, f->id);
	put16(&w, f->frag);
	put(&w, (uint8_t[]){ f->ttl ? f->ttl : 64, f->proto0 ? 0 : f->proto, 0, 0 }, 4);
	put_ip(&w, f->src);
	put_ip(&w, f->dst);
	if (f->option)
		put(&w, &option_be, 4);
	put_transport(&w, f, buf);
	set16(buf + 2, f->total ? f->total : w.at - buf);
	set16(buf + 10, ~sum16(buf, ihl, 0));
	return w.at - buf;
}

size_t frame_build(const struct frame *f, uint8_t *buf)
{
	struct writer w = { buf };

	memset(buf, 0, FRAME_MAX);
	put_mac(&w, f->dmac);
	put_mac(&w, f->smac);
	if (f->service_tag) {
		put16(&w, 0x88a8);
		put16(&w, f->service_tag);
	}
	if (f->vlan) {
		put16(&w, 0x8100);
		put16(&w, f->vlan);
	}
	put16(&w, f->ethertype ? f->ethertype : f->arp_op ? 0x0806 : 0x0800);
	if (f->arp_op) {
		put(&w, "\0\x01\x08\0\x06\x04", 6);
		put16(&w, f->arp_op);
		put_mac(&w, f->arp_smac);
		put_ip(&w, f->arp_sip);
		put_mac(&w, f->arp_tmac);
		put_ip(&w, f->arp_tip);
	} else if (f->src) {
		w.at += build_ipv4(f, w.at);
	} else {
		w.at += f->len;
	}
	w.at += f->pad;
	return f->cut ? f->cut : (size_t)(w.at - buf);
}
