/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Addresses of either family as numbers. IPv4's are themselves. Of IPv6, a.b.c.d stands for 2001:db8:aabb:cc00::d, so
 * that an IPv4 prefix of up to 24 bits is one of up to 64 there, and longer ones lie in the last byte. The uplink's
 * subnet and public addresses are where tests/prog has them, 2001:db8::a.b.c.d. A few have a meaning of their own, and
 * what else turns up gets a number of its own. Neighbours: model.h, pk.c (bytes). */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

#define LINK 0xa9fe0000 /* 169.254.0.0/16, of IPv6 fe80::/10 */
#define OTHERS 0xa9fe8000 /* given out as they turn up */

static uint8_t others[4096][16];
static unsigned other_count;

static bool is_near(uint32_t addr)
{
	return addr >> 8 == 0xc00002 || addr >> 8 == 0xcb0071;
}

void addr_bytes(unsigned family, uint32_t addr, uint8_t *to)
{
	const uint8_t b[4] = { addr >> 24, addr >> 16, addr >> 8, addr };

	if (family != 6)
		return (void)memcpy(to, b, 4);
	memset(to, 0, 16);
	if (addr >= OTHERS && addr < OTHERS + other_count) {
		memcpy(to, others[addr - OTHERS], 16);
	} else if (!addr || b[0] == 127) {
		to[15] = b[3];
	} else if (b[0] >> 4 == 0xe) {
		memcpy(to, "\xff\x05", 2);
		memcpy(to + 13, b + 1, 3);
	} else if ((addr & 0xffff0000) == LINK) {
		memcpy(to, "\xfe\x80", 2);
		memcpy(to + 14, b + 2, 2);
	} else {
		memcpy(to, "\x20\x01\x0d\xb8", 4);
		memcpy(to + (is_near(addr) ? 12 : 4), b, 3);
		to[15] = b[3];
	}
}

uint32_t addr_number(unsigned family, const uint8_t *bytes)
{
	uint32_t addr = (uint32_t)bytes[4] << 24 | bytes[5] << 16 | bytes[6] << 8 | bytes[15];
	uint8_t back[16];

	if (family != 6)
		return (uint32_t)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
	if (!memcmp(bytes, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0", 12))
		addr = (uint32_t)bytes[12] << 24 | bytes[13] << 16 | bytes[14] << 8 | bytes[15];
	else if (bytes[0] == 0)
		addr = bytes[15] ? 0x7f000000 | bytes[15] : 0;
	else if (bytes[0] == 0xff)
		addr = 0xe0000000 | bytes[13] << 16 | bytes[14] << 8 | bytes[15];
	else if (bytes[0] == 0xfe)
		addr = LINK | bytes[14] << 8 | bytes[15];
	addr_bytes(6, addr, back);
	if (!memcmp(back, bytes, 16))
		return addr;
	for (unsigned i = 0; i < other_count; i++)
		if (!memcmp(others[i], bytes, 16))
			return OTHERS + i;
	if (other_count == sizeof(others) / sizeof(*others))
		abort();
	memcpy(others[other_count], bytes, 16);
	return OTHERS + other_count++;
}

/* The numbers that were given out mean nothing any more. */
void addr_reset(void)
{
	other_count = 0;
}

bool addr_is_link(unsigned family, uint32_t addr)
{
	uint8_t b[16];

	addr_bytes(family, addr, b);
	return family == 6 && b[0] == 0xfe && (b[1] & 0xc0) == 0x80;
}

/* What may be on no wire (RFC 6890). */
bool addr_is_martian(unsigned family, uint32_t addr)
{
	static const uint8_t mapped[12] = { [10] = 0xff, 0xff };
	uint8_t b[16];

	addr_bytes(family, addr, b);
	if (family != 6)
		return b[0] == 0 || b[0] == 127 || b[0] >> 4 == 0xf;
	return !memcmp(b, mapped, 12) || (!memcmp(b, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15) && b[15] <= 1);
}

bool addr_is_multicast(unsigned family, uint32_t addr)
{
	return addr >> 28 == 0xe && (family != 6 || addr < OTHERS || addr >= OTHERS + other_count);
}

/* The address that a MAC gives in a subnet (RFC 4291 appendix A), 0: among link-local ones. */
uint32_t addr_eui64(uint32_t subnet, const uint8_t mac[6])
{
	uint8_t b[16];

	addr_bytes(6, subnet ? subnet : LINK, b);
	memcpy(b + 8, mac, 3);
	b[8] ^= 2;
	b[11] = 0xff;
	b[12] = 0xfe;
	memcpy(b + 13, mac + 3, 3);
	return addr_number(6, b);
}

void addr_print(unsigned family, uint32_t addr, char *to)
{
	uint8_t b[16];

	addr_bytes(family, addr, b);
	inet_ntop(family == 6 ? AF_INET6 : AF_INET, b, to, ADDR_TEXT);
}

bool addr_parse(const char *text, uint32_t *ret)
{
	const unsigned family = strchr(text, ':') ? 6 : 4;
	uint8_t b[16];

	if (inet_pton(family == 6 ? AF_INET6 : AF_INET, text, b) != 1)
		return false;
	*ret = addr_number(family, b);
	return true;
}

bool prefix_holds(const struct gl_prefix *prefix, unsigned family, uint32_t addr)
{
	uint8_t b[16];

	if (prefix->family != (family == 6 ? AF_INET6 : AF_INET))
		return false;
	addr_bytes(family, addr, b);
	for (unsigned i = 0; i < prefix->len; i++)
		if ((prefix->bytes[i / 8] ^ b[i / 8]) << i % 8 & 0x80)
			return false;
	return true;
}

/* ---- definitions as text ---------------------------------------------------------------------------------------- */

/* An IPv4 address or prefix at the beginning of the text; its length, 0: there is none. */
static size_t scan(const char *text, uint32_t *addr, unsigned *len)
{
	unsigned b[4];
	int n = 0, more = 0;

	if (sscanf(text, "%3u.%3u.%3u.%3u%n", &b[0], &b[1], &b[2], &b[3], &n) != 4)
		return 0;
	*addr = b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
	*len = 32;
	if (sscanf(text + n, "/%2u%n", len, &more) != 1)
		more = 0;
	return n + more;
}

static void print6(FILE *to, uint32_t addr, unsigned len)
{
	char text[ADDR_TEXT];

	if (!len)
		addr = 0;
	if ((addr & 0xffff0000) == LINK && len == 16)
		return (void)fputs("fe80::/10", to);
	addr_print(6, addr, text);
	fputs(len && !addr ? "2001:db8::" : text, to);
	if (len < 32)
		fprintf(to, "/%u", !len ? 0 : is_near(addr) || len > 24 ? 96 + len : len < 24 ? 32 + len : 64);
}

static const char *word(const char *at, const char *from, const char *instead, FILE *to)
{
	if (strncmp(at, from, strlen(from)) || isalnum(at[strlen(from)]))
		return at;
	fputs(instead, to);
	return at + strlen(from);
}

/* The same in IPv6: every address, prefix and range, and ICMP. Caller frees. */
char *text6(const char *text)
{
	const char *at = text;
	char *ret = NULL;
	size_t size;
	FILE *f = open_memstream(&ret, &size);

	while (f && *at) {
		const char *was = at;
		uint32_t addr;
		unsigned len;
		size_t n = isdigit(*at) && (at == text || !isalnum(at[-1])) ? scan(at, &addr, &len) : 0;

		if (n) {
			fputc('\'', f);
			print6(f, addr, len);
			at += n;
			n = *at == '-' ? scan(at + 1, &addr, &len) : 0;
			if (n) {
				fputc('-', f);
				print6(f, addr, len);
				at += 1 + n;
			}
			fputc('\'', f);
			continue;
		}
		at = word(at, "proto: icmp", "proto: icmpv6", f);
		at = word(at, "icmp_type: 8", "icmp_type: 128", f);
		if (at == was)
			fputc(*at++, f);
	}
	if (f)
		fclose(f);
	return ret;
}
