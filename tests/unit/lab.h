/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A host made of values, for tests of the compiler and the plan: links, addresses, and definitions as text. */
#ifndef GL_TEST_LAB_H
#define GL_TEST_LAB_H

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loader/compile.h"

struct lab {
	struct gl_facts facts;
	struct gl_diag diag;
};

static inline uint32_t ip(const char *text)
{
	struct in_addr in;

	assert_int_equal(inet_pton(AF_INET, text, &in), 1);
	return in.s_addr;
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
		char *slash = strchr(word, '/');

		assert_non_null(slash);
		*slash = 0;
		link->addrs = realloc(link->addrs, (link->addr_count + 1) * sizeof(*link->addrs));
		assert_non_null(link->addrs);
		link->addrs[link->addr_count++] =
			(struct gl_link_addr){ .addr_be = ip(word), .mask_be = htonl(~0u << (32 - atoi(slash + 1))) };
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
	int err;

	gl_diag_clear(&lab->diag);
	assert_int_equal(gl_definition_new(&def), 0);
	assert_int_equal(gl_mapset_new(&empty), 0);
	assert_int_equal(gl_mapset_seal(empty), 0);
	err = gl_parse(def, "lab.yaml", text, strlen(text), &lab->diag);
	if (!err)
		err = gl_validate(def, &lab->diag);
	if (err) {
		lab_show(lab);
		fail_msg("the definition itself is bad");
	}
	err = gl_compile(def, &lab->facts, live ? live->entries : empty, ret, &lab->diag);
	gl_mapset_free(empty);
	gl_definition_free(def);
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

	assert_int_equal(lab_try(lab, text, live, &desired), -22);
	assert_null(desired);
	for (size_t i = 0; i < lab->diag.count; i++)
		if (strstr(lab->diag.findings[i].text, words) && (!line || lab->diag.findings[i].loc.line == line))
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

static inline const struct gl_addr4_val *addr4_of(const struct gl_desired *d, const char *addr, uint16_t block)
{
	struct gl_addr4_key key = { .addr_be = ip(addr), .block = block };

	return value(d, GL_MAP_ADDR4, &key);
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

#endif
