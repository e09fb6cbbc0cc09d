/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How is one value of a definition read: a number, a name, an address? Neighbours: parse.c (which value stands
 * where), parse.h (the contract). */
#include "loader/parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define QUOTED_MOST 60 /* bytes of a definition's text that a message repeats */

enum plain_type { PLAIN_TEXT, PLAIN_NULL, PLAIN_BOOL, PLAIN_NUMBER };

static bool one_of(const char *text, const char *const *words)
{
	for (; *words; words++) {
		if (!strcmp(text, *words))
			return true;
	}
	return false;
}

static bool is_number(const char *s)
{
	size_t digits = 0;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'o'))
		return s[2] && !s[2 + strspn(s + 2, s[1] == 'x' ? "0123456789abcdefABCDEF" : "01234567")];
	s += *s == '-' || *s == '+';
	for (; *s >= '0' && *s <= '9'; s++)
		digits++;
	if (*s == '.') {
		for (s++; *s >= '0' && *s <= '9'; s++)
			digits++;
	}
	if (digits && (*s == 'e' || *s == 'E')) {
		s++;
		s += *s == '-' || *s == '+';
		digits = strspn(s, "0123456789");
		s += digits;
	}
	return digits && !*s;
}

/* What an unquoted scalar is, by the core schema of YAML 1.2. */
static enum plain_type plain_type(const struct gl_node *node)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
	static const char *const bools[] = { "true", "True", "TRUE", "false", "False", "FALSE", NULL };

	if (!node->plain)
		return PLAIN_TEXT;
	if (one_of(node->text, nulls))
		return PLAIN_NULL;
	if (one_of(node->text, bools))
		return PLAIN_BOOL;
	return is_number(node->text) ? PLAIN_NUMBER : PLAIN_TEXT;
}

const char *gl_quote(const char *text, char buf[96])
{
	size_t len = strlen(text);

	if (len <= QUOTED_MOST)
		return text;
	len = QUOTED_MOST;
	while (len && (text[len] & 0xc0) == 0x80) /* not in the middle of a character */
		len--;
	memcpy(buf, text, len);
	strcpy(buf + len, "...");
	return buf;
}

const char *gl_describe(const struct gl_node *node, char buf[96])
{
	char quoted[96];

	if (node->kind == GL_NODE_LIST)
		return "a list";
	if (node->kind == GL_NODE_MAP)
		return "a mapping";
	switch (plain_type(node)) {
	case PLAIN_NULL:
		return "nothing";
	case PLAIN_BOOL:
		snprintf(buf, 96, "the truth value %s", node->text);
		return buf;
	case PLAIN_NUMBER:
		snprintf(buf, 96, "the number %s", gl_quote(node->text, quoted));
		return buf;
	default:
		snprintf(buf, 96, "\"%s\"", gl_quote(node->text, quoted));
		return buf;
	}
}

void gl_mismatch(struct gl_reader *r, const struct gl_node *node, const char *expected)
{
	char found[96];

	GL_REPORT(r, node->loc, "expected %s, found %s", expected, gl_describe(node, found));
}

bool gl_is_number(const struct gl_node *node)
{
	return node->kind == GL_NODE_SCALAR && plain_type(node) == PLAIN_NUMBER;
}

bool gl_expect_list(struct gl_reader *r, const struct gl_node *node, const char *of)
{
	if (node->kind == GL_NODE_LIST)
		return true;
	gl_mismatch(r, node, of);
	return false;
}

/* The text of a string; NULL and reported where something else stands there. */
static const char *text_of(struct gl_reader *r, const struct gl_node *node, const char *expected)
{
	if (node->kind != GL_NODE_SCALAR) {
		gl_mismatch(r, node, expected);
		return NULL;
	}
	if (plain_type(node) == PLAIN_TEXT)
		return node->text;
	gl_mismatch(r, node, expected);
	return NULL;
}

/* Names that look like something else: an unquoted `10` or `true`. */
static const char *name_of(struct gl_reader *r, const struct gl_node *node, const char *expected)
{
	enum plain_type type = node->kind == GL_NODE_SCALAR ? plain_type(node) : PLAIN_TEXT;
	char found[96], quoted[96];

	if (type != PLAIN_BOOL && type != PLAIN_NUMBER)
		return text_of(r, node, expected);
	GL_REPORT(r, node->loc, "expected %s, found %s; quote it if it is meant as text: \"%s\"", expected,
		  gl_describe(node, found), gl_quote(node->text, quoted));
	return NULL;
}

bool gl_read_int(struct gl_reader *r, const struct gl_node *node, uint32_t min, uint32_t max, uint32_t *ret)
{
	char expected[64];
	unsigned long long value;
	size_t digits;

	snprintf(expected, sizeof(expected), "a number from %u to %u", min, max);
	if (node->kind != GL_NODE_SCALAR || !node->plain) {
		gl_mismatch(r, node, expected);
		return false;
	}
	digits = strspn(node->text, "0123456789");
	value = digits && digits <= 10 ? strtoull(node->text, NULL, 10) : 0;
	if (!digits || node->text[digits] || (digits > 1 && *node->text == '0') || digits > 10 || value < min ||
	    value > max) {
		gl_mismatch(r, node, expected);
		return false;
	}
	*ret = (uint32_t)value;
	return true;
}

int gl_read_word(struct gl_reader *r, const struct gl_node *node, const char *const *words)
{
	char expected[128] = "";
	int i;

	if (node->kind == GL_NODE_SCALAR) {
		for (i = 0; words[i]; i++) {
			if (!strcmp(node->text, words[i]))
				return i;
		}
	}
	for (i = 0; words[i]; i++) {
		size_t len = strlen(expected);

		snprintf(expected + len, sizeof(expected) - len, "%s%s",
			 !i		? ""
			 : words[i + 1] ? ", "
					: " or ",
			 words[i]);
	}
	gl_mismatch(r, node, expected);
	return -1;
}

void gl_read_bool(struct gl_reader *r, const struct gl_node *node, void *field)
{
	static const char *const yes[] = { "true", "True", "TRUE", NULL };

	if (node->kind != GL_NODE_SCALAR || plain_type(node) != PLAIN_BOOL)
		gl_mismatch(r, node, "true or false");
	else
		*(bool *)field = one_of(node->text, yes);
}

static void keep_string(struct gl_reader *r, const struct gl_node *node, const char *text, struct gl_string *ret)
{
	char *copy = gl_arena_strdup(r->arena, text, strlen(text));

	if (!copy)
		r->err = -ENOMEM;
	else
		*ret = (struct gl_string){ .s = copy, .loc = node->loc };
}

static bool alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void gl_read_name(struct gl_reader *r, const struct gl_node *node, void *field)
{
	const char *text = name_of(r, node, "a name");
	char quoted[96];
	size_t i = 0;

	if (!text)
		return;
	while (alnum(text[i]) || (text[i] && i && strchr("._-", text[i])))
		i++;
	if (!i || text[i] || i >= GL_NAME_LEN) {
		GL_REPORT(r, node->loc,
			  "\"%s\" is no name; expected 1 to %d letters, digits, dots, underscores or hyphens, the "
			  "first a "
			  "letter or digit",
			  gl_quote(text, quoted), GL_NAME_LEN - 1);
		return;
	}
	keep_string(r, node, text, field);
}

void gl_read_ifname(struct gl_reader *r, const struct gl_node *node, void *field)
{
	const char *text = name_of(r, node, "the name of a network interface");
	char quoted[96];
	bool bad;

	if (!text)
		return;
	bad = !*text || strlen(text) > 15 || !strcmp(text, ".") || !strcmp(text, "..");
	for (const char *p = text; *p && !bad; p++)
		bad = (unsigned char)*p <= ' ' || *p == 0x7f || *p == '/' || *p == ':';
	if (bad) {
		GL_REPORT(r, node->loc,
			  "\"%s\" cannot be the name of a network interface; expected 1 to 15 characters without "
			  "blanks, `/` "
			  "and `:`",
			  gl_quote(text, quoted));
		return;
	}
	if (!strcmp(text, "lo")) {
		GL_REPORT(r, node->loc, "\"lo\" is the host's loopback; expected another interface");
		return;
	}
	keep_string(r, node, text, field);
}

/* ---- addresses ------------------------------------------------------------------------------------------------ */

/* `len` characters of text; the prefix gets its whole length. */
static bool to_address(const char *text, size_t len, struct gl_prefix *ret)
{
	char buf[INET6_ADDRSTRLEN];

	if (!len || len >= sizeof(buf))
		return false;
	memcpy(buf, text, len);
	buf[len] = 0;
	memset(ret->bytes, 0, sizeof(ret->bytes));
	if (inet_pton(AF_INET, buf, ret->bytes) == 1) {
		ret->family = AF_INET;
		ret->len = 32;
	} else if (inet_pton(AF_INET6, buf, ret->bytes) == 1) {
		ret->family = AF_INET6;
		ret->len = 128;
	} else {
		return false;
	}
	return true;
}

static bool to_prefix(const char *text, enum gl_prefix_form form, struct gl_prefix *ret)
{
	const char *slash = strchr(text, '/');
	unsigned long bits;
	size_t digits;

	if (!slash)
		return form != GL_FORM_SUBNET && to_address(text, strlen(text), ret);
	if (form == GL_FORM_ADDRESS || form == GL_FORM_GUEST || !to_address(text, (size_t)(slash - text), ret))
		return false;
	digits = strspn(slash + 1, "0123456789");
	if (!digits || digits > 3 || slash[1 + digits] || (digits > 1 && slash[1] == '0'))
		return false;
	bits = strtoul(slash + 1, NULL, 10);
	if (bits > ret->len)
		return false;
	ret->len = (uint8_t)bits;
	return true;
}

void gl_read_prefix(struct gl_reader *r, const struct gl_node *node, enum gl_prefix_form form, struct gl_prefix *ret)
{
	static const char *const expected[] = {
		[GL_FORM_ADDRESS] = "an address such as 10.0.0.1 or 2001:db8::1",
		[GL_FORM_SUBNET] = "a subnet such as 10.0.0.0/24 or 2001:db8::/64",
		[GL_FORM_EITHER] = "an address or a prefix such as 10.0.0.0/24 or 2001:db8::/64",
		[GL_FORM_GUEST] = "slaac or an address such as 10.0.0.1 or 2001:db8::1",
	};
	struct gl_prefix prefix = { 0 };
	const char *text;

	*ret = (struct gl_prefix){ .loc = node->loc };
	text = text_of(r, node, expected[form]);
	if (!text)
		return;
	if (!to_prefix(text, form, &prefix)) {
		gl_mismatch(r, node, expected[form]);
		return;
	}
	prefix.loc = node->loc;
	*ret = prefix;
}

void gl_read_address(struct gl_reader *r, const struct gl_node *node, void *field)
{
	gl_read_prefix(r, node, GL_FORM_ADDRESS, field);
}

void gl_read_prefixes(struct gl_reader *r, const struct gl_node *node, enum gl_prefix_form form, struct gl_prefix **ret,
		      size_t *count)
{
	struct gl_prefix *list;

	if (!gl_expect_list(r, node, form == GL_FORM_ADDRESS ? "a list of addresses" : "a list of prefixes"))
		return;
	list = gl_arena_array(r->arena, node->count, sizeof(*list));
	if (!list) {
		r->err = -ENOMEM;
		return;
	}
	r->nodes += node->count;
	for (size_t i = 0; i < node->count; i++)
		gl_read_prefix(r, node->items[i], form, &list[i]);
	*ret = list;
	*count = node->count;
}

static bool to_range(const char *text, struct gl_range *ret)
{
	const char *dash = strchr(text, '-');

	if (!dash) {
		if (!to_address(text, strlen(text), &ret->first))
			return false;
		ret->last = ret->first;
		return true;
	}
	return to_address(text, (size_t)(dash - text), &ret->first) &&
	       to_address(dash + 1, strlen(dash + 1), &ret->last) && ret->first.family == ret->last.family;
}

static void read_range(struct gl_reader *r, const struct gl_node *node, struct gl_range *ret)
{
	static const char expected[] = "an address or a range of them such as 203.0.113.10-203.0.113.11";
	struct gl_range range = { 0 };
	const char *text;

	ret->first.loc = ret->last.loc = node->loc;
	text = text_of(r, node, expected);
	if (!text)
		return;
	if (!to_range(text, &range)) {
		gl_mismatch(r, node, expected);
		return;
	}
	if (memcmp(range.first.bytes, range.last.bytes, 16) > 0) {
		GL_REPORT(r, node->loc, "the range %s is backwards; expected the lower address first", text);
		return;
	}
	range.first.loc = range.last.loc = node->loc;
	*ret = range;
}

void gl_read_ranges(struct gl_reader *r, const struct gl_node *node, struct gl_range **ret, size_t *count)
{
	struct gl_range *list;

	if (!gl_expect_list(r, node, "a list of addresses"))
		return;
	list = gl_arena_array(r->arena, node->count, sizeof(*list));
	if (!list) {
		r->err = -ENOMEM;
		return;
	}
	r->nodes += node->count;
	for (size_t i = 0; i < node->count; i++)
		read_range(r, node->items[i], &list[i]);
	*ret = list;
	*count = node->count;
}

static bool to_port(const char *text, size_t len, uint16_t least, uint16_t *ret)
{
	unsigned value = 0;

	if (!len || len > 5 || (len > 1 && *text == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	if (value < least || value > 65535)
		return false;
	*ret = (uint16_t)value;
	return true;
}

static bool read_ports(struct gl_reader *r, const struct gl_node *node, uint16_t least, struct gl_port_span *ret)
{
	char expected[80];
	const char *text = node->text, *dash;
	uint16_t first, last;

	snprintf(expected, sizeof(expected), "a port or ports such as %s, none below %u",
		 least > 1 ? "32768-60999" : "8000-8080", least);
	/* Unlike elsewhere, both a number and a text do. */
	if (node->kind != GL_NODE_SCALAR || !*text) {
		gl_mismatch(r, node, expected);
		return false;
	}
	dash = strchr(text, '-');
	if ((!dash && !node->plain) || !to_port(text, dash ? (size_t)(dash - text) : strlen(text), least, &first) ||
	    (dash && !to_port(dash + 1, strlen(dash + 1), least, &last))) {
		gl_mismatch(r, node, expected);
		return false;
	}
	if (!dash)
		last = first;
	if (last < first) {
		GL_REPORT(r, node->loc, "the port range %s is backwards; expected %u-%u", text, last, first);
		return false;
	}
	*ret = (struct gl_port_span){ first, last };
	return true;
}

void gl_read_ports(struct gl_reader *r, const struct gl_node *node, uint16_t least, struct gl_port_span **ret,
		   size_t *count)
{
	size_t items = node->kind == GL_NODE_LIST ? node->count : 1;
	struct gl_port_span *list;

	if (!items)
		GL_REPORT(r, node->loc, "ports is empty; expected at least one, or no such key");
	list = gl_arena_array(r->arena, items, sizeof(*list));
	if (!list) {
		r->err = -ENOMEM;
		return;
	}
	r->nodes += items;
	*ret = list;
	*count = 0;
	for (size_t i = 0; i < items; i++) {
		if (read_ports(r, node->kind == GL_NODE_LIST ? node->items[i] : node, least, &list[*count]))
			++*count;
	}
}

bool gl_read_mac(struct gl_reader *r, const struct gl_node *node, uint8_t mac[6])
{
	static const char expected[] = "a MAC address such as 52:54:00:00:00:01";
	const char *text = text_of(r, node, expected);
	uint8_t bytes[6];

	if (!text)
		return false;
	if (strlen(text) != 17) {
		gl_mismatch(r, node, expected);
		return false;
	}
	for (size_t i = 0; i < 6; i++) {
		char hex[3] = { text[3 * i], text[3 * i + 1], 0 };

		if (strspn(hex, "0123456789abcdefABCDEF") != 2 || (i < 5 && text[3 * i + 2] != ':')) {
			gl_mismatch(r, node, expected);
			return false;
		}
		bytes[i] = (uint8_t)strtoul(hex, NULL, 16);
	}
	if (bytes[0] & 1) {
		GL_REPORT(r, node->loc,
			  "%s is a group's MAC address; expected one of a single interface (an even first byte)", text);
		return false;
	}
	if (!memcmp(bytes, "\0\0\0\0\0\0", 6)) {
		GL_REPORT(r, node->loc, "%s cannot be an interface's MAC address", text);
		return false;
	}
	memcpy(mac, bytes, 6);
	return true;
}
