/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What bytes is a packet in words? All checksums are reckoned from nothing: what comes out of the programs must be
 * right by itself, not merely differ from what went in by the right amount. Neighbours: model.h. */
#include <netinet/in.h>
#include <string.h>

#include "model.h"

bool pk_is_tail(const struct pk *pk)
{
	return pk->frag & 0x1fff;
}

bool pk_is_head(const struct pk *pk)
{
	return (pk->frag & 0x3fff) == 0x2000;
}

bool pk_is_query(const struct pk *pk)
{
	return pk->proto == IPPROTO_ICMP && !pk_is_tail(pk) &&
	       (pk->type == 8 || pk->type == 0 || (pk->type >= 13 && pk->type <= 18));
}

bool pk_is_error(const struct pk *pk)
{
	return pk->proto == IPPROTO_ICMP && !pk_is_tail(pk) &&
	       (pk->type == 3 || pk->type == 4 || pk->type == 5 || pk->type == 11 || pk->type == 12);
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

/* RFC 1071; not complemented. */
static uint32_t sum_of(const uint8_t *bytes, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? bytes[i] : bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static size_t build_ip(const struct pk *pk, uint8_t *ip);

static size_t build_tcp(const struct pk *pk, uint8_t *l4)
{
	size_t at = 20;

	put16(l4, pk->sport);
	put16(l4 + 2, pk->dport);
	put32(l4 + 4, pk->seq);
	put32(l4 + 8, pk->ack);
	l4[13] = pk->flags;
	put16(l4 + 14, pk->win);
	put32(l4 + 16, 0);
	if (pk->mss) {
		l4[at++] = 2;
		l4[at++] = 4;
		put16(l4 + at, pk->mss);
		at += 2;
	}
	if (pk->scale >= 0) {
		l4[at++] = 1;
		l4[at++] = 3;
		l4[at++] = 3;
		l4[at++] = pk->scale;
	}
	l4[12] = at / 4 << 4;
	return at;
}

static size_t build_icmp(const struct pk *pk, uint8_t *l4)
{
	l4[0] = pk->type;
	l4[1] = pk->code;
	put16(l4 + 2, 0);
	put16(l4 + 4, pk->sport);
	put16(l4 + 6, pk->type == 3 && pk->code == 4 ? pk->mtu : pk->dport);
	return 8;
}

/* Behind the IP header; *check is where the checksum stands. */
static size_t build_transport(const struct pk *pk, uint8_t *l4, size_t *check)
{
	*check = 0;
	if (pk_is_tail(pk))
		return 0;
	switch (pk->proto) {
	case IPPROTO_TCP:
		*check = 16;
		return build_tcp(pk, l4);
	case IPPROTO_UDP:
		put16(l4, pk->sport);
		put16(l4 + 2, pk->dport);
		put16(l4 + 4, 8 + pk->len);
		put16(l4 + 6, 0);
		*check = pk->nocheck ? 0 : 6;
		return 8;
	case IPPROTO_ICMP:
		*check = 2;
		return build_icmp(pk, l4);
	case IPPROTO_SCTP:
		put16(l4, pk->sport);
		put16(l4 + 2, pk->dport);
		memcpy(l4 + 4, "\0\0\0\1crc!", 8);
		return 12;
	default:
		return 0;
	}
}

/* A quoted checksum that a device may still complete, and that is right either way: with C the complement of all else
 * behind the IP header, V + V = C. */
static void fix_quote(const struct pk *pk, uint8_t *ip, size_t quote)
{
	size_t field = pk->proto == IPPROTO_TCP ? 36 : 26;
	uint16_t c, host, v;

	if ((pk->proto != IPPROTO_TCP && (pk->proto != IPPROTO_UDP || pk->nocheck)) || quote < field + 2)
		return;
	put16(ip + field, 0);
	c = ~sum_of(ip + 20, quote - 20, 0);
	host = htons(c);
	v = ntohs((uint16_t)(host >> 1 | host << 15));
	put16(ip + field, v);
}

static size_t build_ip(const struct pk *pk, uint8_t *ip)
{
	uint8_t *l4 = ip + 20;
	size_t check, len = build_transport(pk, l4, &check);
	uint16_t sum;

	if (pk->inner) {
		uint8_t inner[PK_MAX];
		size_t whole = build_ip(pk->inner, inner), quote = pk->quote < whole ? pk->quote : whole;

		if (pk->inner->fix)
			fix_quote(pk->inner, inner, quote);
		memcpy(l4 + len, inner, quote);
		len += quote;
	} else {
		for (size_t i = 0; i < pk->len; i++)
			l4[len++] = (pk->first + i) * 7 + ((pk->first + i) >> 8);
	}
	memcpy(ip, "\x45\0", 2);
	put16(ip + 2, 20 + len);
	put16(ip + 4, pk->id);
	put16(ip + 6, pk->frag);
	ip[8] = pk->ttl;
	ip[9] = pk->proto;
	put16(ip + 10, 0);
	put32(ip + 12, pk->src);
	put32(ip + 16, pk->dst);
	put16(ip + 10, ~sum_of(ip, 20, 0));
	if (check) {
		uint32_t pseudo = pk->proto == IPPROTO_ICMP ? 0 : sum_of(ip + 12, 8, pk->proto + len);

		sum = ~sum_of(l4, len, pseudo);
		if (pk->proto == IPPROTO_UDP && !sum)
			sum = 0xffff;
		put16(l4 + check, sum);
	}
	return 20 + len;
}

uint16_t pk_l3_len(const struct pk *pk)
{
	uint8_t ip[PK_MAX];

	return build_ip(pk, ip);
}

size_t pk_build(const struct pk *pk, uint8_t *buf)
{
	memcpy(buf, pk->dmac, 6);
	memcpy(buf + 6, pk->smac, 6);
	memcpy(buf + 12, "\x08\0", 2);
	return 14 + build_ip(pk, buf + 14);
}
