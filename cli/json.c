/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How is a string written as JSON? See json.h. */
#include "cli/json.h"

#include <stdint.h>
#include <string.h>

/* Bytes of the UTF-8 character that begins `text`; 0: none does (RFC 3629: no overlong form, no surrogate). */
static size_t utf8_length(const unsigned char *text, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = text[0] < 0x80 ? 1 : text[0] >> 5 == 6 ? 2 : text[0] >> 4 == 14 ? 3 : text[0] >> 3 == 30 ? 4 : 0;
	uint32_t code;

	if (n < 2 || n > len)
		return n == 1;
	code = text[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (text[i] >> 6 != 2)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	return n;
}

static void put_escaped(FILE *file, unsigned char c)
{
	switch (c) {
	case '"':
	case '\\':
		putc_unlocked('\\', file);
		putc_unlocked(c, file);
		break;
	case '\n':
		fputs_unlocked("\\n", file);
		break;
	default:
		fprintf(file, "\\u%04x", c);
	}
}

void json_put_bytes(FILE *file, const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + len;

	putc_unlocked('"', file);
	while (p < end) {
		size_t n = utf8_length(p, (size_t)(end - p));

		if (!n)
			fputs_unlocked("\\ufffd", file);
		else if (n == 1 && (*p < 0x20 || *p == 0x7f || *p == '"' || *p == '\\'))
			put_escaped(file, *p);
		else if (n == 1)
			putc_unlocked(*p, file);
		else
			fwrite_unlocked(p, 1, n, file);
		p += n ? n : 1;
	}
	putc_unlocked('"', file);
}

void json_put_string(FILE *file, const char *text)
{
	json_put_bytes(file, text, strlen(text));
}
