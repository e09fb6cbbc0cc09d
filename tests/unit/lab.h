/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A host made of values, for tests of the compiler and the plan: links, addresses, and definitions as text.
 * Tests are written with IPv4 addresses. A lab of AF_INET6 puts each of them, wherever it stands, into the last 32 bits
 * of 2001:db8::/96, prefixes by 96 bits longer: what holds for the one family has to hold for the other. */
#ifndef GL_TEST_LAB_H
#define GL_TEST_LAB_H

#include <arpa/inet.h>
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loader/compile.h"
#include "loader/ipentry.h"

struct lab {
	uint8_t family; /* 0: AF_INET */
	struct gl_facts facts;
	struct gl_diag diag;
};

static inline uint32_t ip(const char *text)
{
	struct in_addr in;

	assert_int_equal(inet_pton(AF_INET, text, &in), 1);
	return in.s_addr;
}

/* The address, or prefix, that stands for an IPv4 one in this lab. */
static inline struct gl_prefix lab_ip(const struct lab *lab, const char *text)
{
	char addr[INET_ADDRSTRLEN] = "";
	const char *slash = strchr(text, '/');
	struct gl_prefix p = { .family = AF_INET, .len = 32 };

	memcpy(addr, text, slash ? (size_t)(slash - text) : strlen(text));
	assert_int_equal(inet_pton(AF_INET, addr, p.bytes), 1);
	if (slash)
		p.len = (uint8_t)atoi(slash + 1);
	if (lab->family != AF_INET6)
		return p;
	p.family = AF_INET6;
	if (!p.len)
		return p;
	p.len += 96;
	memcpy(p.bytes + 12, p.bytes, 4);
	memcpy(p.bytes, (const uint8_t[12]){ 0x20, 0x01, 0x0d, 0xb8 }, 12);
	return p;
}

/* A text with all its IPv4 addresses as they are in this lab; the caller frees. */
static inline char *lab_text(const struct lab *lab, const char *text)
{
	char *ret = NULL;
	size_t size;
	FILE *file = open_memstream(&ret, &size);

	assert_non_null(file);
	while (*text) {
		char word[24] = "", buf[50];
		unsigned a, b, c, d, len;
		int used = 0, more = 0;

		if (isdigit((unsigned char)*text))
			sscanf(text, "%3u.%3u.%3u.%3u%n", &a, &b, &c, &d, &used);
		if (used && sscanf(text + used, "/%2u%n", &len, &more) == 1)
			used += more;
		if (used) {
			const struct gl_prefix p = lab_ip(lab, memcpy(word, text, (size_t)used));

			/* With a port. */
			bool bracket =
				p.family == AF_INET6 && text[used] == ':' && isdigit((unsigned char)text[used + 1]);

			fprintf(file, bracket ? "[%s]" : "%s", gl_prefix_format(&p, buf));
			text += used;
			continue;
		}
		/* Numbers as a whole, so that none is begun in its middle. */
		do
			fputc(*text, file);
		while (isalnum((unsigned char)*text++) && isalnum((unsigned char)*text));
	}
	fclose(file);
	return ret;
}

/* `addrs`: "192.0.2.1/24 198.51.100.1/32", or NULL. */
static inline struct gl_link *lab_link(struct lab *lab, const char *name, uint32_t ifindex, const char *addrs)
{
	struct gl_link *link;
	char copy[256], *at = copy, *word;

	lab->facts.links = realloc(lab->facts.links, (lab->facts.link_count + 1) * sizeof(*link));
	assert_non_null(lab->facts.links);
	link = &lab->facts.links[lab->facts.link_count++];
	*link = (struct gl_link){ .ifindex = ifindex, .mtu = 1500, .mac = { 2, 0, 0, 0, 0, (uint8_t)ifindex } };
	snprintf(link->name, sizeof(link->name), "%s", name);
	snprintf(copy, sizeof(copy), "%s", addrs ? addrs : "");
	while ((word = strtok_r(at, " ", &at))) {
		assert_non_null(strchr(word, '/'));
		link->addrs = realloc(link->addrs, (link->addr_count + 1) * sizeof(*link->addrs));
		assert_non_null(link->addrs);
		link->addrs[link->addr_count++] = (struct gl_link_addr){ .addr = lab_ip(lab, word) };
	}
	return link;
}

static inline void lab_clear(struct lab *lab)
{
	gl_facts_clear(&lab->facts);
	gl_diag_clear(&lab->diag);
}

static inline void lab_show(const struct lab *lab)
{
	for (size_t i = 0; i < lab->diag.count; i++)
		print_message("%s:%u:%u: %s\n", lab->diag.findings[i].loc.file ? lab->diag.findings[i].loc.file : "-",
			      lab->diag.findings[i].loc.line, lab->diag.findings[i].loc.col,
			      lab->diag.findings[i].text);
}

/* Parses, validates, compiles. `live` NULL: nothing there yet. */
static inline int lab_try(struct lab *lab, const char *text, const struct gl_desired *live, struct gl_desired **ret)
{
	struct gl_definition *def = NULL;
	struct gl_mapset *empty = NULL;
	char *here = lab_text(lab, text);
	int err;

	gl_diag_clear(&lab->diag);
	assert_int_equal(gl_definition_new(&def), 0);
	assert_int_equal(gl_mapset_new(&empty), 0);
	assert_int_equal(gl_mapset_seal(empty), 0);
	err = gl_parse(def, "lab.yaml", here, strlen(here), &lab->diag);
	if (!err)
		err = gl_validate(def, &lab->diag);
	if (err) {
		lab_show(lab);
		fail_msg("the definition itself is bad");
	}
	err = gl_compile(def, &lab->facts, live ? live->entries : empty, ret, &lab->diag);
	gl_mapset_free(empty);
	gl_definition_free(def);
	free(here);
	return err;
}

static inline struct gl_desired *lab_compile(struct lab *lab, const char *text, const struct gl_desired *live)
{
	struct gl_desired *desired = NULL;
	int err = lab_try(lab, text, live, &desired);

	if (err)
		lab_show(lab);
	assert_int_equal(err, 0);
	return desired;
}

/* The compiler refuses, and some finding says `words` at `line` (0: any). */
static inline void lab_refuses(struct lab *lab, const char *text, const struct gl_desired *live, unsigned line,
			       const char *words)
{
	struct gl_desired *desired = NULL;
	char *here = lab_text(lab, words);
	bool said = false;

	assert_int_equal(lab_try(lab, text, live, &desired), -22);
	assert_null(desired);
	for (size_t i = 0; i < lab->diag.count; i++)
		said |= strstr(lab->diag.findings[i].text, here) && (!line || lab->diag.findings[i].loc.line == line);
	free(here);
	if (said)
		return;
	lab_show(lab);
	fail_msg("no finding says \"%s\" at line %u", words, line);
}

/* ---- looking things up ------------------------------------------------------------------------------------ */

static inline uint32_t name_index(const struct gl_desired *d, enum gl_name_kind kind, const char *name)
{
	size_t first, count = gl_mapset_range(d->entries, GL_MAP_NAME, &first);

	for (size_t i = first; i < first + count; i++) {
		const struct gl_name_key *key = gl_mapset_at(d->entries, i)->key;
		const struct gl_name_val *val = gl_mapset_at(d->entries, i)->val;

		if (key->kind == kind && !strcmp(val->name, name))
			return key->index;
	}
	return UINT32_MAX;
}

static inline uint32_t slot_of(const struct gl_desired *d, const char *tap)
{
	return name_index(d, GL_NAME_PORT, tap);
}

static inline const void *value(const struct gl_desired *d, enum gl_map_id map, const void *key)
{
	const struct gl_entry *entry = gl_mapset_find(d->entries, map, key);

	return entry ? entry->val : NULL;
}

static inline const struct gl_port_val *port_of(const struct gl_desired *d, const char *tap)
{
	uint32_t slot = slot_of(d, tap);

	return value(d, GL_MAP_PORT, &slot);
}

static inline const struct gl_network_val *network_of(const struct gl_desired *d, const char *name)
{
	uint32_t index = name_index(d, GL_NAME_NETWORK, name);

	return value(d, GL_MAP_NETWORK, &index);
}

static inline size_t count_of(const struct lab *lab, const struct gl_desired *d, enum gl_map_id four)
{
	size_t first;

	return gl_mapset_range(d->entries, gl_map_of(four, lab->family), &first);
}

static inline const struct gl_entry *find_ip(const struct gl_desired *d, struct gl_ip_entry entry)
{
	return gl_mapset_find(d->entries, entry.map, entry.key);
}

/* Until the next call; NULL: there is none. */
static inline const struct gl_public *addr_of(const struct lab *lab, const struct gl_desired *d, const char *addr,
					      uint16_t block)
{
	const struct gl_public key = { .addr = lab_ip(lab, addr), .block = block };
	const struct gl_entry *entry = find_ip(d, gl_public_entry(&key));
	static struct gl_public ret;

	if (entry)
		ret = gl_public_of(entry);
	return entry ? &ret : NULL;
}

static inline const struct gl_forwarded *forward_of(const struct lab *lab, const struct gl_desired *d, const char *addr,
						    uint16_t port, uint8_t proto)
{
	const struct gl_forwarded key = { .addr = lab_ip(lab, addr), .port = port, .proto = proto };
	const struct gl_entry *entry = find_ip(d, gl_forwarded_entry(&key));
	static struct gl_forwarded ret;

	if (entry)
		ret = gl_forwarded_of(entry);
	return entry ? &ret : NULL;
}

static inline const struct gl_reach *route_of(const struct lab *lab, const struct gl_desired *d, uint32_t tenant,
					      const char *prefix)
{
	const struct gl_reach key = { .owner = tenant, .prefix = lab_ip(lab, prefix) };
	const struct gl_entry *entry = find_ip(d, gl_route_entry(&key));
	static struct gl_reach ret;

	if (entry)
		ret = gl_reach_of(entry);
	return entry ? &ret : NULL;
}

/* The slot, or GL_NO_SLOT. */
static inline uint32_t holder_of(const struct gl_desired *d, uint32_t segment, const struct gl_prefix *addr)
{
	const struct gl_held key = { .segment = segment, .addr = *addr };
	const struct gl_entry *entry = find_ip(d, gl_held_entry(&key));

	return entry ? gl_held_of(entry).slot : GL_NO_SLOT;
}

static inline unsigned pools_of(const struct gl_desired *d, const char *network,
				struct gl_pool_range ret[GL_FAMILIES * GL_NET_POOL])
{
	return gl_pools_of(network_of(d, network), ret);
}

/* Of the network's pool, which is all of the lab's family. */
static inline struct gl_pool_range pool_of(const struct gl_desired *d, const char *network, unsigned i)
{
	struct gl_pool_range pools[GL_FAMILIES * GL_NET_POOL];

	assert_true(i < pools_of(d, network, pools));
	return pools[i];
}

static inline unsigned pool_count(const struct gl_desired *d, const char *network)
{
	struct gl_pool_range pools[GL_FAMILIES * GL_NET_POOL];

	return pools_of(d, network, pools);
}

static inline void assert_ip(const struct lab *lab, const struct gl_prefix *p, const char *text)
{
	const struct gl_prefix want = lab_ip(lab, text);
	char buf[50], want_buf[50];

	assert_string_equal(gl_prefix_format(p, buf), gl_prefix_format(&want, want_buf));
}

static inline bool same_entries(const struct gl_desired *a, const struct gl_desired *b)
{
	struct gl_changes changes = { 0 };
	bool same;

	assert_int_equal(gl_mapset_diff(a->entries, b->entries, &changes), 0);
	same = !changes.count;
	free(changes.items);
	return same;
}

/* ---- both families ---------------------------------------------------------------------------------------- */

__attribute__((unused)) static uint8_t lab_families[GL_FAMILIES] = { AF_INET, AF_INET6 };
#define LAB(state)                                                                                                     \
	{                                                                                                              \
		.family = *(const uint8_t *)*(state)                                                                   \
	}
/* The test once for each. */
#define TEST_BOTH(f)                                                                                                   \
	{ .name = #f, .test_func = f, .initial_state = &lab_families[0] },                                             \
	{                                                                                                              \
		.name = #f "_ipv6", .test_func = f, .initial_state = &lab_families[1]                                  \
	}

#endif
