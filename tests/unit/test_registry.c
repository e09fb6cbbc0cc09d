/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The table of maps against the two things it describes: the declarations in maps.bpf.h, and the entries of abi.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "maps/registry.h"

/* The declarations' own text, so that a map cannot be declared without a row here. */
__asm__(".pushsection .rodata\n"
	"declarations:\n"
	".incbin \"maps/maps.bpf.h\"\n"
	".byte 0\n"
	".popsection\n");
extern const char declarations[];

struct declared {
	const char *name, *type;
	uint32_t key_size, val_size, max_entries;
};

/* What the declarations say, in sizes. */
#define ROW(n, t, k, v, e)                                                                                             \
	{                                                                                                              \
		.name = #n, .type = #t, .key_size = sizeof(k), .val_size = sizeof(v), .max_entries = (e)               \
	}
/* gl_flow4, 6 are arrays of maps outside; the registry describes the entries of the tables inside. */
#define FAMILY(n)                                                                                                      \
	ROW(gl_host##n, HASH, struct gl_host##n##_key, struct gl_host##n##_val, 2 * GL_MAX_HOSTS),                     \
		ROW(gl_route##n, LPM_TRIE, struct gl_route##n##_key, struct gl_route##n##_val, 2 * GL_MAX_ROUTES),     \
		ROW(gl_allow##n, LPM_TRIE, struct gl_allow##n##_key, struct gl_allow##n##_val, 2 * GL_MAX_ALLOWED),    \
		ROW(gl_addr##n, HASH, struct gl_addr##n##_key, struct gl_addr##n##_val, 2 * GL_MAX_PUBLIC),            \
		ROW(gl_forward##n, HASH, struct gl_forward##n##_key, struct gl_forward##n##_val, 2 * GL_MAX_FORWARDS), \
		ROW(gl_remote##n, HASH, struct gl_remote##n##_key, struct gl_remote_val, 2 * GL_MAX_REMOTES),          \
		ROW(gl_frag##n, HASH, struct gl_frag##n##_key, struct gl_frag_val, GL_MAX_FRAGMENTS),                  \
		ROW(gl_flow##n, ARRAY_OF_MAPS, struct gl_flow##n##_key, struct gl_flow##n##_val, GL_MAX_TENANTS)
static const struct declared table[] = {
	FAMILY(4),
	FAMILY(6),
	ROW(gl_ra, HASH, struct gl_ra_key, struct gl_ra_val, 2 * GL_MAX_NETWORKS),
	ROW(gl_ra_sent, ARRAY, __u32, struct gl_ra_sent_val, GL_PORT_SLOTS),
	ROW(gl_control, ARRAY, __u32, struct gl_control_val, 1),
	ROW(gl_port, ARRAY, __u32, struct gl_port_val, 2 * GL_PORT_SLOTS),
	ROW(gl_network, ARRAY, __u32, struct gl_network_val, 2 * GL_MAX_NETWORKS),
	ROW(gl_l2, HASH, struct gl_l2_key, struct gl_l2_val, 2 * GL_MAX_L2),
	ROW(gl_name, HASH, struct gl_name_key, struct gl_name_val, GL_MAX_NAMES),
	ROW(gl_drops, PERCPU_HASH, struct gl_drops_key, struct gl_count_val, GL_MAX_DROP_CELLS),
	ROW(gl_traffic, PERCPU_ARRAY, __u32, struct gl_traffic_val, GL_PORT_SLOTS),
	ROW(gl_policy, ARRAY, __u32, struct gl_policy_val, 2 * GL_MAX_POLICIES),
	ROW(gl_tree, ARRAY, __u32, struct gl_tree_val, 2 * GL_MAX_TREE_LINES),
	ROW(gl_rule, HASH, struct gl_rule_key, struct gl_rule_val, 2 * GL_MAX_RULES),
	ROW(gl_tenant, ARRAY, __u32, struct gl_tenant_val, 2 * GL_MAX_TENANTS),
	ROW(gl_tenant_stat, ARRAY, __u32, struct gl_tenant_stat, GL_MAX_TENANTS),
	ROW(gl_devmap, DEVMAP, __u32, __u32, GL_PORT_SLOTS),
	ROW(gl_sweep, ARRAY, __u32, struct gl_sweep_val, GL_MAX_TENANTS),
};
#define TABLE_COUNT (sizeof(table) / sizeof(table[0]))

static const char *const shape_types[] = {
	[GL_SHAPE_ARRAY] = "ARRAY",
	[GL_SHAPE_HASH] = "HASH",
	[GL_SHAPE_LPM] = "LPM_TRIE",
	[GL_SHAPE_PERCPU_ARRAY] = "PERCPU_ARRAY",
	[GL_SHAPE_PERCPU_HASH] = "PERCPU_HASH",
	[GL_SHAPE_DEVMAP] = "DEVMAP",
	[GL_SHAPE_MAP_OF_MAPS] = "ARRAY_OF_MAPS",
};

static unsigned declared_has_row(const char *name, const char *type)
{
	size_t i = 0;

	while (i < TABLE_COUNT && strcmp(table[i].name, name))
		i++;
	if (i == TABLE_COUNT)
		fail_msg("map %s has no row in this test", name);
	assert_string_equal(table[i].type, type);
	if (gl_map_by_name(name) == GL_MAP_COUNT)
		fail_msg("map %s has no row in the registry", name);
	return 1;
}

/* Counts the GL_MAP() lines, those of a family's (gl_NAME##n) twice; each has a row above that names its type, key,
 * value and size as the text does. */
static void test_every_declared_map_has_a_row(void **state)
{
	unsigned count = 0;

	(void)state;
	for (const char *at = declarations; (at = strstr(at, "\tGL_MAP(gl_")); at++) {
		char name[32], type[32];

		assert_int_equal(sscanf(at, "\tGL_MAP(%30[a-z0-9_]##n, BPF_MAP_TYPE_%31[A-Z_]", name, type), 2);
		count += declared_has_row(strcat(name, "4"), type);
		name[strlen(name) - 1] = '6';
		count += declared_has_row(name, type);
	}
	for (const char *at = declarations; (at = strstr(at, "\nGL_MAP(gl_")); at++) {
		char name[32], type[32];

		assert_int_equal(sscanf(at, "\nGL_MAP(%31[a-z0-9_], BPF_MAP_TYPE_%31[A-Z_]", name, type), 2);
		count += declared_has_row(name, type);
	}
	assert_int_equal(count, GL_MAP_COUNT);
	assert_int_equal(count, TABLE_COUNT);
}
static void test_rows_have_the_declared_sizes(void **state)
{
	(void)state;
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		const struct gl_map_info *info = gl_map_info(gl_map_by_name(table[i].name));
		const char *type = strcmp(table[i].type, "LRU_HASH") ? table[i].type : "HASH";

		assert_non_null(info);
		assert_string_equal(info->name, table[i].name);
		assert_string_equal(shape_types[info->shape], type);
		assert_int_equal(info->key_size, table[i].key_size);
		assert_int_equal(info->val_size, table[i].val_size);
		assert_int_equal(info->max_entries, table[i].max_entries);
		assert_true(strlen(info->name) < 16);
		assert_true(*info->help);
	}
	assert_null(gl_map_info(GL_MAP_COUNT));
	assert_int_equal(gl_map_by_name("gl_nothing"), GL_MAP_COUNT);
}

static void test_sides_are_where_the_keys_have_them(void **state)
{
	(void)state;
	for (unsigned id = 0; id < GL_MAP_COUNT; id++) {
		const struct gl_map_info *info = gl_map_info(id);
		uint32_t want = 0;

		switch (id) {
		case GL_MAP_L2:
			want = offsetof(struct gl_l2_key, side);
			break;
		case GL_MAP_HOST4:
			want = offsetof(struct gl_host4_key, side);
			break;
		case GL_MAP_HOST6:
			want = offsetof(struct gl_host6_key, side);
			break;
		case GL_MAP_ADDR4:
			want = offsetof(struct gl_addr4_key, side);
			break;
		case GL_MAP_ADDR6:
			want = offsetof(struct gl_addr6_key, side);
			break;
		case GL_MAP_FORWARD4:
			want = offsetof(struct gl_forward4_key, side);
			break;
		case GL_MAP_FORWARD6:
			want = offsetof(struct gl_forward6_key, side);
			break;
		case GL_MAP_REMOTE4:
			want = offsetof(struct gl_remote4_key, side);
			break;
		case GL_MAP_REMOTE6:
			want = offsetof(struct gl_remote6_key, side);
			break;
		case GL_MAP_TREE:
			want = GL_MAX_TREE_LINES;
			break;
		case GL_MAP_RULE:
			want = offsetof(struct gl_rule_key, side);
			break;
		case GL_MAP_RA:
			want = offsetof(struct gl_ra_key, side);
			break;
		case GL_MAP_ROUTE4:
		case GL_MAP_ROUTE6:
		case GL_MAP_ALLOW4:
		case GL_MAP_ALLOW6:
			want = sizeof(uint32_t);
			break;
		}
		assert_int_equal(info->side_offset, want);
		if (want)
			assert_int_equal(info->role, GL_ROLE_SIDED);
	}
}

/* No field leaves its entry, no two overlap, and what no field shows is padding, a side or a timer. */
static size_t cover(const struct gl_field *fields, size_t size)
{
	unsigned char *shown = calloc(size, 1);
	size_t hidden = 0;

	assert_non_null(shown);
	for (; fields->name; fields++) {
		unsigned repeat = fields->repeat ? fields->repeat : 1;

		assert_true(fields->size > 0);
		assert_int_equal(fields->names != NULL,
				 fields->kind == GL_FIELD_ENUM || fields->kind == GL_FIELD_FLAGS);
		if (fields->kind == GL_FIELD_MAC)
			assert_int_equal(fields->size, 6);
		if (fields->kind == GL_FIELD_IPV6)
			assert_int_equal(fields->size, 16);
		if (fields->kind == GL_FIELD_IPV4 || fields->kind == GL_FIELD_SIDED_BE)
			assert_int_equal(fields->size, 4);
		for (unsigned i = 0; i < repeat; i++)
			for (size_t at = fields->offset + i * fields->stride;
			     at < fields->offset + i * fields->stride + fields->size; at++) {
				assert_true(at < size);
				assert_false(shown[at]);
				shown[at] = 1;
			}
	}
	for (size_t i = 0; i < size; i++)
		hidden += !shown[i];
	free(shown);
	return hidden;
}

static void test_fields_show_all_of_an_entry(void **state)
{
	static const struct {
		enum gl_map_id id;
		size_t key, val; /* bytes that are not shown */
	} hidden[] = {
		{ GL_MAP_PORT, 0, 49 },
		{ GL_MAP_NETWORK, 0, 3 },
		{ GL_MAP_L2, 2, 0 },
		{ GL_MAP_HOST4, 4, 0 },
		{ GL_MAP_HOST6, 4, 0 },
		{ GL_MAP_ADDR4, 1, 0 },
		{ GL_MAP_ADDR6, 1, 0 },
		{ GL_MAP_FORWARD4, 4, 2 },
		{ GL_MAP_FORWARD6, 4, 2 },
		{ GL_MAP_POLICY, 0, 42 },
		{ GL_MAP_REMOTE4, 3, 0 },
		{ GL_MAP_REMOTE6, 3, 0 },
		{ GL_MAP_RULE, 4, 2 },
		{ GL_MAP_FLOW4, 0, 17 },
		{ GL_MAP_FLOW6, 0, 17 },
		{ GL_MAP_RA, 4, 4 },
		{ GL_MAP_TENANT, 0, 24 },
		{ GL_MAP_TENANT_STAT, 0, 1 + 8 * GL_NO_PORT_SLOTS },
		{ GL_MAP_SWEEP, 0, 24 },
		/* The lock and the hashes are the programs' own. */
		{ GL_MAP_FRAG4, 1, 5 },
		{ GL_MAP_FRAG6, 1, 5 },
	};

	(void)state;
	for (unsigned id = 0; id < GL_MAP_COUNT; id++) {
		const struct gl_map_info *info = gl_map_info(id);
		size_t key = 0, val = 0;

		for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
			if (hidden[i].id == id) {
				key = hidden[i].key;
				val = hidden[i].val;
			}
		assert_int_equal(cover(info->key_fields, info->key_size), key);
		assert_int_equal(cover(info->val_fields, info->val_size), val);
	}
}

static void test_every_drop_has_a_name_and_help(void **state)
{
	(void)state;
	for (uint32_t reason = 0; reason < GL_DROP_COUNT; reason++) {
		assert_true(strlen(gl_drop_name(reason)) > 1);
		assert_true(strlen(gl_drop_help(reason)) > 1);
		for (uint32_t other = 0; other < reason; other++)
			assert_string_not_equal(gl_drop_name(other), gl_drop_name(reason));
	}
	assert_string_equal(gl_drop_name(GL_DROP_SPOOF_MAC), "SPOOF_MAC");
	assert_string_equal(gl_drop_name(GL_DROP_NAT_PROTOCOL), "NAT_PROTOCOL");
	assert_string_equal(gl_drop_name(GL_DROP_COUNT), "?");
	assert_string_equal(gl_drop_help(UINT32_MAX), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_declared_map_has_a_row),
		cmocka_unit_test(test_rows_have_the_declared_sizes),
		cmocka_unit_test(test_sides_are_where_the_keys_have_them),
		cmocka_unit_test(test_fields_show_all_of_an_entry),
		cmocka_unit_test(test_every_drop_has_a_name_and_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
