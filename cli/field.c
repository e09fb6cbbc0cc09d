/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How is one field of a raw map entry shown? See field.h. */
#include "cli/field.h"

#include <arpa/inet.h>
#include <endian.h>
#include <inttypes.h>
#include <string.h>

#include "cli/human.h"

#define LIST_LEN 2048 /* a router advertisement, byte by byte */

static uint64_t read_host(const void *p, size_t size)
{
	uint8_t b1;
	uint16_t b2;
	uint32_t b4;
	uint64_t b8 = 0;

	switch (size) {
	case 1:
		memcpy(&b1, p, 1);
		return b1;
	case 2:
		memcpy(&b2, p, 2);
		return b2;
	case 4:
		memcpy(&b4, p, 4);
		return b4;
	default:
		memcpy(&b8, p, size < 8 ? size : 8);
		return b8;
	}
}

static uint64_t read_be(const uint8_t *p, size_t size)
{
	uint64_t n = 0;

	for (size_t i = 0; i < size; i++)
		n = n << 8 | p[i];
	return n;
}

static bool shows_number(enum gl_field_kind kind)
{
	return kind == GL_FIELD_UINT || kind == GL_FIELD_UINT_BE || kind == GL_FIELD_PREFIXLEN ||
	       kind == GL_FIELD_SIDED_BE;
}

enum out_kind field_kind(const struct gl_field *field)
{
	if (field->repeat > 1)
		return shows_number(field->kind) ? OUT_NUMBERS : OUT_WORDS;
	if (field->kind == GL_FIELD_FLAGS)
		return OUT_WORDS;
	return shows_number(field->kind) ? OUT_NUMBER : OUT_TEXT;
}

static uint64_t field_number(const struct gl_field *field, const void *p)
{
	switch (field->kind) {
	case GL_FIELD_UINT_BE:
		return read_be(p, field->size);
	case GL_FIELD_SIDED_BE:
		return read_be(p, field->size) >> 1;
	case GL_FIELD_PREFIXLEN: {
		uint64_t bits = read_host(p, field->size);

		return bits < 32 ? 0 : bits - 32;
	}
	default:
		return read_host(p, field->size);
	}
}

/* Joins a word to a list; one that no longer fits is left out. */
static void append(char *buf, const char *word)
{
	size_t len = strlen(buf), more = strlen(word);

	if (len + more + 2 > LIST_LEN)
		return;
	if (len)
		buf[len++] = ',';
	memcpy(buf + len, word, more + 1);
}

/* Bits without a name are shown as one number. */
static void flag_words(const struct gl_field *field, uint64_t value, char *buf)
{
	char rest[HUMAN_LEN];

	for (size_t bit = 0; field->names[bit]; bit++) {
		if (value >> bit & 1)
			append(buf, field->names[bit]);
		value &= ~(1ULL << bit);
	}
	if (!value)
		return;
	snprintf(rest, sizeof(rest), "0x%" PRIx64, value);
	append(buf, rest);
}

static void enum_word(const struct gl_field *field, uint64_t value, char *buf)
{
	size_t known = 0;

	while (field->names[known])
		known++;
	if (value < known)
		snprintf(buf, LIST_LEN, "%s", field->names[value]);
	else
		snprintf(buf, LIST_LEN, "%" PRIu64, value);
}

static void element_text(const struct gl_field *field, const void *p, char *buf)
{
	char number[HUMAN_LEN];
	uint32_t addr_be;
	gl_ip6 addr;

	*buf = 0;
	switch (field->kind) {
	case GL_FIELD_HEX:
		snprintf(buf, LIST_LEN, "0x%" PRIx64, read_host(p, field->size));
		break;
	case GL_FIELD_MAC:
		append(buf, human_mac(p, number));
		break;
	case GL_FIELD_IPV4:
		memcpy(&addr_be, p, sizeof(addr_be));
		append(buf, human_ipv4(addr_be, number));
		break;
	case GL_FIELD_IPV6:
		memcpy(&addr, p, sizeof(addr));
		append(buf, human_ip(&addr, number));
		break;
	case GL_FIELD_STRING:
		snprintf(buf, LIST_LEN, "%.*s", (int)strnlen(p, field->size), (const char *)p);
		break;
	case GL_FIELD_ENUM:
		enum_word(field, read_host(p, field->size), buf);
		break;
	case GL_FIELD_FLAGS:
		flag_words(field, read_host(p, field->size), buf);
		break;
	default:
		snprintf(buf, LIST_LEN, "%" PRIu64, field_number(field, p));
		break;
	}
}

static bool is_zero(const uint8_t *p, size_t size)
{
	while (size--)
		if (*p++)
			return false;
	return true;
}

/* Elements behind the last one that is used are not shown. */
static void list_text(const struct gl_field *field, const uint8_t *first, char *buf)
{
	char word[LIST_LEN];
	size_t used = field->repeat;

	*buf = 0;
	while (used && is_zero(first + (used - 1) * field->stride, field->size))
		used--;
	for (size_t i = 0; i < used; i++) {
		element_text(field, first + i * field->stride, word);
		append(buf, word);
	}
}

void field_put(struct out *o, const struct gl_field *field, const void *entry)
{
	const uint8_t *p = (const uint8_t *)entry + field->offset;
	char buf[LIST_LEN];

	if (field_kind(field) == OUT_NUMBER) {
		out_number(o, field->name, field_number(field, p));
		return;
	}
	if (field->repeat > 1)
		list_text(field, p, buf);
	else
		element_text(field, p, buf);
	out_text(o, field->name, buf);
}
