/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Sets of map entries: order, look-up, and what a diff of two random sets says against a plain comparison. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loader/mapset.h"

static void add_slot(struct gl_mapset *set, uint8_t last, uint32_t slot)
{
	struct gl_l2_key key = { .segment = 1, .mac = { 2, 0, 0, 0, 0, last } };
	struct gl_l2_val val = { .slot = slot };

	assert_int_equal(gl_mapset_add(set, GL_MAP_L2, 0, &key, &val), 0);
}

static void test_entries_sort_by_map_then_key(void **state)
{
	struct gl_mapset *set = NULL;
	struct gl_route4_key route = { .prefixlen = 56 };
	struct gl_route4_val route_val = { .kind = GL_ROUTE_SUBNET };
	struct gl_l2_key key = { .segment = 1, .mac = { 2, 0, 0, 0, 0, 9 } };
	size_t first;

	(void)state;
	assert_int_equal(gl_mapset_new(&set), 0);
	assert_int_equal(gl_mapset_add(set, GL_MAP_ROUTE4, 3, &route, &route_val), 0);
	add_slot(set, 200, 1);
	add_slot(set, 9, 2);
	add_slot(set, 30, 3);
	assert_int_equal(gl_mapset_seal(set), 0);
	assert_int_equal(gl_mapset_count(set), 4);
	assert_int_equal(gl_mapset_range(set, GL_MAP_L2, &first), 3);
	assert_int_equal(first, 0);
	assert_int_equal(((const struct gl_l2_val *)gl_mapset_at(set, 0)->val)->slot, 2);
	assert_int_equal(((const struct gl_l2_val *)gl_mapset_at(set, 2)->val)->slot, 1);
	assert_int_equal(gl_mapset_at(set, 3)->map, GL_MAP_ROUTE4);
	assert_int_equal(gl_mapset_at(set, 3)->tenant, 3);
	assert_null(gl_mapset_at(set, 4));
	assert_int_equal(gl_mapset_range(set, GL_MAP_PORT, &first), 0);
	assert_ptr_equal(gl_mapset_find(set, GL_MAP_L2, &key), gl_mapset_at(set, 0));
	key.mac[5] = 10;
	assert_null(gl_mapset_find(set, GL_MAP_L2, &key));
	assert_null(gl_mapset_find(set, GL_MAP_HOST4, &key));
	/* Sealed is sealed. */
	assert_int_equal(gl_mapset_add(set, GL_MAP_ROUTE4, 3, &route, &route_val), -EINVAL);
	gl_mapset_free(set);
}

static void test_one_key_twice_is_refused(void **state)
{
	struct gl_mapset *set = NULL;

	(void)state;
	assert_int_equal(gl_mapset_new(&set), 0);
	add_slot(set, 1, 1);
	add_slot(set, 2, 1);
	add_slot(set, 1, 5);
	assert_int_equal(gl_mapset_seal(set), -EEXIST);
	gl_mapset_free(set);
	gl_mapset_free(NULL);
}

static void test_an_empty_set_is_a_set(void **state)
{
	struct gl_mapset *a = NULL, *b = NULL;
	struct gl_changes changes = { 0 };
	uint32_t key = 0;
	size_t first;

	(void)state;
	assert_int_equal(gl_mapset_new(&a), 0);
	assert_int_equal(gl_mapset_new(&b), 0);
	assert_int_equal(gl_mapset_seal(a), 0);
	assert_int_equal(gl_mapset_seal(b), 0);
	assert_int_equal(gl_mapset_count(a), 0);
	assert_null(gl_mapset_find(a, GL_MAP_PORT, &key));
	assert_int_equal(gl_mapset_range(a, GL_MAP_SWEEP, &first), 0);
	assert_int_equal(gl_mapset_diff(a, b, &changes), 0);
	assert_int_equal(changes.count, 0);
	free(changes.items);
	gl_mapset_free(a);
	gl_mapset_free(b);
}

static void test_a_value_can_be_edited_in_place(void **state)
{
	struct gl_mapset *set = NULL;

	(void)state;
	assert_int_equal(gl_mapset_new(&set), 0);
	add_slot(set, 1, 1);
	assert_int_equal(gl_mapset_seal(set), 0);
	((struct gl_l2_val *)gl_mapset_edit(set, 0))->slot = 77;
	assert_int_equal(((const struct gl_l2_val *)gl_mapset_at(set, 0)->val)->slot, 77);
	gl_mapset_free(set);
}

#define KEYS 200

static void test_diff_agrees_with_a_plain_comparison(void **state)
{
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 200; round++) {
		int was[KEYS], want[KEYS], seen = 0;
		struct gl_mapset *live = NULL, *desired = NULL;
		struct gl_changes changes = { 0 };

		assert_int_equal(gl_mapset_new(&live), 0);
		assert_int_equal(gl_mapset_new(&desired), 0);
		for (int i = KEYS - 1; i >= 0; i--) {
			was[i] = rand_r(&seed) % 4 - 1;
			want[i] = rand_r(&seed) % 4 - 1;
			if (was[i] >= 0)
				add_slot(live, (uint8_t)i, (uint32_t)was[i]);
			if (want[i] >= 0)
				add_slot(desired, (uint8_t)i, (uint32_t)want[i]);
		}
		assert_int_equal(gl_mapset_seal(live), 0);
		assert_int_equal(gl_mapset_seal(desired), 0);
		assert_int_equal(gl_mapset_diff(live, desired, &changes), 0);
		for (size_t i = 0; i < changes.count; i++) {
			const struct gl_change *change = &changes.items[i];
			const struct gl_entry *any = change->was ? change->was : change->want;
			int key = ((const struct gl_l2_key *)any->key)->mac[5];

			assert_int_not_equal(was[key], want[key]);
			assert_int_equal(change->was != NULL, was[key] >= 0);
			assert_int_equal(change->want != NULL, want[key] >= 0);
			if (change->was)
				assert_int_equal(((const struct gl_l2_val *)change->was->val)->slot, was[key]);
			if (change->want)
				assert_int_equal(((const struct gl_l2_val *)change->want->val)->slot, want[key]);
		}
		for (int i = 0; i < KEYS; i++)
			seen += was[i] != want[i];
		assert_int_equal(changes.count, seen);
		free(changes.items);
		gl_mapset_free(live);
		gl_mapset_free(desired);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries_sort_by_map_then_key),
		cmocka_unit_test(test_one_key_twice_is_refused),
		cmocka_unit_test(test_an_empty_set_is_a_set),
		cmocka_unit_test(test_a_value_can_be_edited_in_place),
		cmocka_unit_test(test_diff_agrees_with_a_plain_comparison),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
