/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What bytes is a packet in words? All checksums are reckoned from nothing: what comes out of the programs must be
 * right by itself, not merely differ from what went in by the right amount. Neighbours: model.h. */
#include <netinet/in.h>
#include <string.h>

#include "model.h"

bool pk_is_fragment(const struct pk *pk)
{
	return pk->frag & 0x3fff;
}

bool pk_is_tail(const struct pk *pk)
{
	return pk->frag & 0x1fff;
}

bool pk_is_head(const struct pk *pk)
{
	return (pk->frag & 0x3fff) == 0x2000;
}

uint8_t icmp_proto(unsigned family)
{
	return family == 6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
}

bool pk_is_icmp(const struct pk *pk)
{
	return pk->proto == icmp_proto(pk->family) && !pk_is_tail(pk);
}

/* Of a query the type that asks, 0: it is none. */
uint8_t pk_asks(const struct pk *pk)
{
	if (!pk_is_icmp(pk))
		return 0;
	if (pk->family == 6)
		return pk->type == ECHO6 || pk->type == ECHOED6 ? ECHO6 : 0;
	if (pk->type == ECHO4 || pk->type == ECHOED4)
		return ECHO4;
	return pk->type >= 13 && pk->type <= 18 ? pk->type - !(pk->type & 1) : 0;
}

bool pk_is_error(const struct pk *pk)
{
	if (!pk_is_icmp(pk))
		return false;
	if (pk->family == 6)
		return pk->type < 128;
	return pk->type == 3 || pk->type == 4 || pk->type == 5 || pk->type == 11 || pk->type == 12;
}

/* Names the MTU that did not do. */
bool pk_is_too_big(const struct pk *pk)
{
	return pk_is_icmp(pk) && (pk->family == 6 ? pk->type == 2 : pk->type == 3 && pk->code == 4);
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
	put16(l4 + 4, pk_is_too_big(pk) && pk->family == 6 ? 0 : pk->sport);
	put16(l4 + 6, pk_is_too_big(pk) ? pk->mtu : pk->dport);
	return 8;
}

/* Behind the IP header; *check is where the checksum stands. */
static size_t build_transport(const struct pk *pk, uint8_t *l4, size_t *check)
{
	*check = 0;
	if (pk_is_tail(pk))
		return 0;
	if (pk_is_icmp(pk)) {
		*check = 2;
		return build_icmp(pk, l4);
	}
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
	const size_t head = pk_head_len(pk), field = head + (pk->proto == IPPROTO_TCP ? 16 : 6);
	uint16_t c, host, v;

	if ((pk->proto != IPPROTO_TCP && (pk->proto != IPPROTO_UDP || pk->nocheck)) || quote < field + 2)
		return;
	put16(ip + field, 0);
	c = ~sum_of(ip + head, quote - head, 0);
	host = htons(c);
	v = ntohs((uint16_t)(host >> 1 | host << 15));
	put16(ip + field, v);
}

/* ---- IP --------------------------------------------------------------------------------------------------------- */

/* Extension headers, in words: pk.ext names them by letters, and where the fragment header stands. */
struct ext {
	char letter;
	uint8_t proto, len;
	const char *bytes; /* behind the next header's number */
};
static const struct ext exts[] = {
	{ 'H', 0, 8, "\0\1\4\0\0\0\0" }, /* hop-by-hop: padding */
	{ 'M', 0, 8, "\0\5\2\0\0\1\0" }, /* hop-by-hop: router alert, MLD (RFC 2711) */
	{ 'D', 60, 8, "\0\1\4\0\0\0\0" }, /* destination options */
	{ 'R', 43, 8, "\0\0\0\0\0\0\0" }, /* routing (RFC 5095) */
	{ 'A', 51, 24, "\4\0\0\0\0\0\7\0\0\0\1auth auth au" },
	{ 'F', 44, 8, "\0\0\0\0\0\0" },
};

static const struct ext *ext_of(char letter)
{
	for (size_t i = 0; i < sizeof(exts) / sizeof(*exts); i++)
		if (exts[i].letter == letter)
			return &exts[i];
	return NULL;
}

/* All of a packet's, in their order. Those behind the fragment header are in the first fragment alone. */
static void ext_letters(const struct pk *pk, char to[M_EXT + 2])
{
	char *behind;

	snprintf(to, M_EXT + 2, "%.*s%s", M_EXT, pk->ext, pk_is_fragment(pk) && !strchr(pk->ext, 'F') ? "F" : "");
	behind = strchr(to, 'F');
	if (behind && pk_is_tail(pk))
		behind[1] = 0;
}

/* Bytes before the transport header. `whole`: before what fragments are counted in. */
static size_t head_len(const struct pk *pk, bool whole)
{
	char letters[M_EXT + 2];
	size_t len = 40;

	if (pk->family != 6)
		return 20;
	ext_letters(pk, letters);
	for (const char *at = letters; *at; at++) {
		len += ext_of(*at)->len;
		if (whole && *at == 'F')
			break;
	}
	return len;
}

size_t pk_head_len(const struct pk *pk)
{
	return head_len(pk, false);
}

/* All fragments name what stands behind the first one's header. */
uint8_t pk_part_proto(const struct pk *pk)
{
	const char *at = pk->family == 6 ? strchr(pk->ext, 'F') : NULL;

	return at && at[1] ? ext_of(at[1])->proto : pk->proto;
}

/* Bytes of extension headers behind the fragment header. */
size_t pk_behind_len(const struct pk *pk)
{
	const char *at = strchr(pk->ext, 'F');
	size_t len = 0;

	while (at && *++at)
		len += ext_of(*at)->len;
	return len;
}

size_t pk_part_len(const struct pk *pk)
{
	return pk_l3_len(pk) - head_len(pk, true);
}

/* Hop-by-hop options come first, routing headers never (RFC 5095), one fragment header is enough. */
bool pk_exts_pass(const struct pk *pk)
{
	char letters[M_EXT + 2];
	unsigned bytes = 0, count = 0, fragments = 0;

	if (pk->family != 6)
		return true;
	ext_letters(pk, letters);
	for (const char *at = letters; *at; at++) {
		bytes += ext_of(*at)->len;
		fragments += *at == 'F';
		if (++count > GL_EXT_HEADERS || bytes > GL_EXT_BYTES || fragments > 1 || *at == 'R' ||
		    (!ext_of(*at)->proto && count > 1))
			return false;
	}
	return true;
}

/* Bytes 6 and following of the header, and all extension headers. */
static void build_exts(const struct pk *pk, uint8_t *ip)
{
	uint8_t *next = ip + 6, *at = ip + 40;
	char letters[M_EXT + 2];

	ext_letters(pk, letters);
	for (const char *letter = letters; *letter; letter++) {
		const struct ext *ext = ext_of(*letter);

		*next = ext->proto;
		next = at;
		memcpy(at + 1, ext->bytes, ext->len - 1);
		if (*letter == 'F') {
			put16(at + 2, (pk->frag & 0x1fff) << 3 | (pk->frag & 0x2000 ? 1 : 0));
			put32(at + 4, pk->id);
		}
		at += ext->len;
	}
	*next = pk_is_tail(pk) ? pk_part_proto(pk) : pk->proto;
}

static uint32_t build_header(const struct pk *pk, uint8_t *ip, size_t head, size_t len)
{
	const uint8_t proto = pk->proto;

	if (pk->family == 6) {
		memset(ip, 0, 40);
		ip[0] = 0x60;
		put16(ip + 4, head - 40 + len);
		ip[7] = pk->ttl;
		addr_bytes(6, pk->src, ip + 8);
		addr_bytes(6, pk->dst, ip + 24);
		build_exts(pk, ip);
		return sum_of(ip + 8, 32, proto + len);
	}
	memcpy(ip, "\x45\0", 2);
	put16(ip + 2, 20 + len);
	put16(ip + 4, pk->id);
	put16(ip + 6, pk->frag);
	ip[8] = pk->ttl;
	ip[9] = proto;
	put16(ip + 10, 0);
	addr_bytes(4, pk->src, ip + 12);
	addr_bytes(4, pk->dst, ip + 16);
	put16(ip + 10, ~sum_of(ip, 20, 0));
	return proto == IPPROTO_ICMP ? 0 : sum_of(ip + 12, 8, proto + len);
}

static size_t build_ip(const struct pk *pk, uint8_t *ip)
{
	const size_t head = pk_head_len(pk);
	uint8_t *l4 = ip + head;
	size_t check, len = build_transport(pk, l4, &check);
	uint32_t pseudo;
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
	pseudo = build_header(pk, ip, head, len);
	if (check) {
		sum = ~sum_of(l4, len, pseudo);
		if (pk->proto == IPPROTO_UDP && !sum)
			sum = 0xffff;
		put16(l4 + check, sum);
	}
	return head + len;
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
	memcpy(buf + 12, pk->family == 6 ? "\x86\xdd" : "\x08\0", 2);
	return 14 + build_ip(pk, buf + 14);
}
