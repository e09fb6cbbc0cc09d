/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What does a row in the words of IPv4 mean in IPv6? Addresses, protocols, types of ICMP, reasons, the definition's
 * text; and where things stand in a frame of either. Neighbours: prog.h, frame.c (builds frames of it). */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prog.h"

#define PREFIX "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0" /* 2001:db8::/96 */
#define PREFIX_BITS 96

/* ---- addresses -------------------------------------------------------------------------------------------- */

static struct ip ip6_of(uint32_t v4_be)
{
	uint32_t v4 = ntohl(v4_be);
	struct ip ip = { .len = 16 };

	if (v4 == 0x7f000001) {
		ip.bytes[15] = 1;
	} else if (v4 == 0xffffffff) {
		memcpy(ip.bytes, "\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
	} else if (v4 >> 28 == 0xe) {
		ip.bytes[0] = 0xff;
		ip.bytes[1] = 0x02;
		v4_be &= htonl(0xffffff);
		memcpy(ip.bytes + 12, &v4_be, 4);
	} else if (v4) {
		memcpy(ip.bytes, PREFIX, 12);
		memcpy(ip.bytes + 12, &v4_be, 4);
	}
	return ip;
}

struct ip ip_of(uint32_t v4_be)
{
	struct ip ip = { .len = 4 };

	if (world.family == 6)
		return ip6_of(v4_be);
	memcpy(ip.bytes, &v4_be, 4);
	return ip;
}

struct gl_ip6 ip_in_stat(struct ip ip)
{
	struct gl_ip6 ret = { .w = { 0, 0, htonl(0xffff) } };

	if (ip.len == 4)
		memcpy(&ret.w[3], ip.bytes, 4);
	else
		memcpy(&ret, ip.bytes, 16);
	return ret;
}

/* ---- the definition --------------------------------------------------------------------------------------- */

/* An address at the text's beginning: its length there, 0: there is none. */
static size_t read_address(const char *s, uint32_t *ret_be)
{
	char buf[INET_ADDRSTRLEN];
	size_t len = strspn(s, "0123456789.");

	if (len < 7 || len >= sizeof(buf))
		return 0;
	memcpy(buf, s, len);
	buf[len] = 0;
	return inet_pton(AF_INET, buf, ret_be) == 1 ? len : 0;
}

static void add_address(FILE *f, uint32_t v4_be)
{
	const struct ip ip = ip6_of(v4_be);
	char buf[INET6_ADDRSTRLEN];

	fputs(inet_ntop(AF_INET6, ip.bytes, buf, sizeof(buf)), f);
}

/* Colons end words of YAML: an address is quoted, with its length or as a range. */
static size_t add_addresses(FILE *f, const char *s, size_t len, uint32_t first_be, bool quoted)
{
	uint32_t last_be;
	char *end;

	fputs(quoted ? "" : "'", f);
	add_address(f, first_be);
	if (s[len] == '/') {
		unsigned long bits = strtoul(s + len + 1, &end, 10);

		/* 0.0.0.0/0 is everybody */
		fprintf(f, "/%lu", first_be || bits ? bits + PREFIX_BITS : 0);
		len = end - s;
	} else if (s[len] == '-' && read_address(s + len + 1, &last_be)) {
		fputc('-', f);
		len += 1 + read_address(s + len + 1, &last_be);
		add_address(f, last_be);
	}
	fputs(quoted ? "" : "'", f);
	return len;
}

/* One word of a definition; how much of the text it was. */
static size_t add_word(FILE *f, const char *s, char before)
{
	static const struct {
		const char *four, *six;
	} words[] = {
		{ "proto: icmp,", "proto: icmpv6," },	{ "proto: icmp}", "proto: icmpv6}" },
		{ "icmp_type: 8,", "icmp_type: 128," }, { "icmp_type: 8}", "icmp_type: 128}" },
		{ "icmp_type: 0,", "icmp_type: 129," }, { "icmp_type: 0}", "icmp_type: 129}" },
	};
	uint32_t v4_be;
	size_t len;

	for (size_t w = 0; w < sizeof(words) / sizeof(*words); w++)
		if (!strncmp(s, words[w].four, strlen(words[w].four))) {
			fputs(words[w].six, f);
			return strlen(words[w].four);
		}
	if (isdigit(*s) && read_address(s, &v4_be))
		return add_addresses(f, s, read_address(s, &v4_be), v4_be, before == '\'');
	len = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
	len = len ? len : 1;
	fwrite(s, 1, len, f);
	return len;
}

/* Where the definition has both families, a list of addresses has each twice, and a port is forwarded twice. */
static size_t add_both(FILE *f, const char *text, const char *s, char before)
{
	const char *end = strncmp(s, "{proto: ", 8) ? NULL : strchr(s, '}'), *line = s;
	uint32_t v4_be;
	size_t len;

	if (end && memmem(s, end - s, " address: ", 10)) {
		while (line > text && line[-1] != '\n')
			line--;
		fwrite(s, 1, end + 1 - s, f);
		if (!strncmp(line + strspn(line, " "), "- {proto: ", 10))
			fprintf(f, "\n%.*s", (int)(s - line), line);
		else
			fputs(", ", f);
		for (const char *at = s; at <= end; at += len)
			len = add_word(f, at, at == s ? ' ' : at[-1]);
		return end + 1 - s;
	}
	len = isdigit(*s) ? strspn(s, "0123456789./-") : 0;
	if (len && read_address(s, &v4_be) && (before == '[' || before == ' ')) {
		const char *last = s;

		while (last > text && last[-1] == ' ')
			last--;
		if (last > text && (last[-1] == '[' || last[-1] == ',')) {
			fprintf(f, "%.*s, ", (int)len, s);
			return add_word(f, s, before);
		}
	}
	len = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
	len = len ? len : 1;
	fwrite(s, 1, len, f);
	return len;
}

char *family_text(const char *text)
{
	char *ret = NULL;
	size_t size;
	FILE *f;

	if (world.family == 4 && !world.both)
		return strdup(text);
	f = open_memstream(&ret, &size);
	for (const char *s = text; f && *s;) {
		const char before = s == text ? ' ' : s[-1];

		s += world.both ? add_both(f, text, s, before) : add_word(f, s, before);
	}
	if (f)
		fclose(f);
	return ret;
}

/* ---- numbers ---------------------------------------------------------------------------------------------- */

uint8_t family_proto(uint8_t proto)
{
	return world.family == 6 && proto == 1 ? 58 : proto;
}

enum gl_drop family_drop(enum gl_drop drop)
{
	if (world.family == 4)
		return drop;
	switch (drop) {
	case GL_DROP_SPOOF_ARP:
		return GL_DROP_SPOOF_ND;
	case GL_DROP_ARP_MALFORMED:
		return GL_DROP_ND_MALFORMED;
	case GL_DROP_ARP_UNKNOWN:
		return GL_DROP_ND_UNKNOWN;
	default:
		return drop;
	}
}

/* The two families' maps stand side by side. */
enum gl_map_id family_map(enum gl_map_id of_ipv4)
{
	return of_ipv4 + (world.family == 6);
}

/* RFC 7915 4.2, as far as the rows go. */
void family_icmp(uint8_t *type, uint8_t *code)
{
	static const uint8_t unreachable[] = { [0] = 0, [1] = 3, [3] = 4, [13] = 1 };

	switch (*type) {
	case 0:
		*type = 129;
		break;
	case 8:
		*type = 128;
		break;
	case 11:
		*type = 3;
		break;
	case 3:
		*type = *code == 4 ? 2 : 1;
		*code = *code == 4 ? 0 : *code < sizeof(unreachable) ? unreachable[*code] : 0;
		break;
	default:
		printf("ICMP type %u has no counterpart\n", *type);
		abort();
	}
}

/* ---- frames ----------------------------------------------------------------------------------------------- */

size_t ip_hlen(void)
{
	return world.family == 6 ? 40 : 20;
}

uint16_t get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

/* The last protocol number too; of an IPv6 packet what is behind all extension headers. */
static size_t find_l4(const uint8_t *frame, uint8_t *proto)
{
	size_t at = 14;

	if (get16(frame + 12) != 0x86dd) {
		*proto = frame[at + 9];
		return at + (frame[at] & 0xf) * 4;
	}
	*proto = frame[at + 6];
	at += 40;
	while ((*proto == 0 || *proto == 60 || *proto == 44) && at + 2 < FRAME_MAX) {
		const uint8_t *header = frame + at;

		at += *proto == 44 ? 8 : 8 * (header[1] + 1);
		*proto = header[0];
	}
	return at;
}

size_t l4_at(const uint8_t *frame)
{
	uint8_t proto;

	return find_l4(frame, &proto);
}

uint16_t sport_of(const uint8_t *frame)
{
	return get16(frame + l4_at(frame));
}

uint16_t dport_of(const uint8_t *frame)
{
	return get16(frame + l4_at(frame) + 2);
}

uint8_t *addr_at(const uint8_t *frame, int which)
{
	return (uint8_t *)frame + (get16(frame + 12) == 0x86dd ? 22 + which * 16 : 26 + which * 4);
}

bool sum_is_good(const uint8_t *frame, size_t len)
{
	bool v6 = get16(frame + 12) == 0x86dd;
	uint8_t proto;
	size_t l4 = find_l4(frame, &proto), l4_len = len - l4;
	uint32_t pseudo = v6 || proto != 1 ? sum16(addr_at(frame, 0), v6 ? 32 : 8, proto + l4_len) : 0;

	return sum16(frame + l4, l4_len, pseudo) == 0xffff;
}
