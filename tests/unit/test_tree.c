/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What security groups become: the trees themselves, where their lines stand, and what a policy's lines say.
 * Neighbours: tree.h, compile_line.c, compile_rule.c; tests/prog/test_rules.c asks the programs the same. */
#include "lab.h"

#include <errno.h>

#include "loader/compile_int.h"
#include "maps/tree.h"

static uint32_t chance(uint32_t below)
{
	static uint32_t state = 5;

	state = state * 1664525 + 1013904223;
	return (state >> 8) % below;
}

/* As bpf/policy.h does. */
static uint32_t search_tree(const struct gl_tree_val *lines, size_t count, const struct gl_tree_ref *tree,
			    uint32_t number)
{
	uint32_t at = tree->root;

	if (!tree->levels)
		return 0;
	assert_true(tree->levels <= GL_TREE_LEVELS);
	for (uint32_t i = 1; i < tree->levels; i++) {
		assert_true(at < count);
		at = gl_tree_child(&lines[at], number);
	}
	assert_true(at < count);
	return lines[at].word[2 * gl_tree_interval(&lines[at], number) + 1];
}

static uint32_t search(const struct gl_tree_val *lines, size_t count, const struct gl_tree_ref *tree,
		       const struct gl_number *number, unsigned words)
{
	uint32_t at = tree->root | GL_TREE_FURTHER;

	if (words == 1)
		return search_tree(lines, count, tree, number->word[0]);
	if (!tree->levels)
		return 0;
	for (unsigned i = 0; at & GL_TREE_FURTHER; i++) {
		struct gl_tree_window window;
		int order;

		assert_true(i < GL_TREE_WINDOWS);
		assert_true((at & ~GL_TREE_FURTHER) < count);
		memcpy(&window, &lines[at & ~GL_TREE_FURTHER], sizeof(window));
		order = gl_window_compare(&window, number->word);
		if (order)
			return order < 0 ? window.below : window.above;
		at = search_tree(lines, count, &window.tree, gl_window_number(number->word, window.bits));
	}
	return at;
}

static uint32_t one_by_one(const struct gl_intervals *list, const struct gl_number *number)
{
	size_t i = 0;

	while (gl_number_compare(&list->items[i].last, number, list->words) < 0)
		i++;
	return list->items[i].val;
}

/* `count` of them, small and large gaps between. */
static void some_intervals(struct gl_intervals *list, unsigned words, size_t count)
{
	struct gl_number last = { { 0 } };

	gl_intervals_begin(list, words);
	for (size_t i = 0; i + 1 < count; i++) {
		last.word[words - 1] += 1 + (chance(2) ? 0 : chance(90000));
		if (words > 1 && !chance(3))
			last.word[chance(words - 1)] += 1 + chance(1000);
		assert_int_equal(gl_intervals_add(list, &last, 1 + (i & 1)), 0);
	}
	assert_int_equal(gl_intervals_end(list), 0);
}

static void test_trees_find_what_a_list_holds(void **state)
{
	static const size_t counts[] = { 2, 3, 4, 7, 8, 9, 12, 13, 48, 49, 127, 128, 129, 2048, 2049, 5000 };

	(void)state;
	for (unsigned words = 1; words <= 4; words += 3) {
		struct gl_intervals list = { 0 };

		for (size_t c = 0; c < sizeof(counts) / sizeof(*counts); c++) {
			struct gl_lines lines = { 0 };
			struct gl_tree_ref tree;

			some_intervals(&list, words, counts[c]);
			assert_int_equal(list.count, counts[c]);
			assert_int_equal(gl_tree_build(&lines, &list, &tree), 0);
			for (unsigned n = 0; n < 2000; n++) {
				struct gl_number number = list.items[n < counts[c] ? n : chance(counts[c])].last;

				/* The last one of an interval, the first one behind it, the one before. */
				number.word[words - 1] += chance(3) - 1;
				assert_int_equal(search(lines.items, lines.count, &tree, &number, words),
						 one_by_one(&list, &number));
			}
			free(lines.items);
		}
		gl_intervals_clear(&list);
	}
}

/* The number of 128 bits after, or before, this one; they wrap around. */
static void step(struct gl_number *number, bool up)
{
	for (unsigned i = 4; i--;)
		if (up ? ++number->word[i] : number->word[i]--)
			return;
}

static int number_compare(const void *a, const void *b)
{
	return gl_number_compare(a, b, 4);
}

/* Borders that begin alike up to any bit, at windows' borders and at either end of all numbers. */
static void some_borders(struct gl_intervals *list, size_t count)
{
	static struct gl_number borders[600];
	struct gl_number base = { { 0 } };

	for (unsigned i = 0; i < 4; i++)
		base.word[i] = chance(3) ? chance(1 << 24) << 8 | chance(256) : chance(2) ? UINT32_MAX : 0;
	for (size_t i = 0; i < count; i++) {
		unsigned bit = chance(4) ? chance(128) : 32 * chance(4) + (chance(2) ? 31 : 0), rest = chance(4);

		/* Another bit, and behind it zeros, ones or what there was; or a neighbour of the border before. */
		borders[i] = i && !chance(3) ? borders[i - 1] : base;
		if (i && !chance(4)) {
			step(&borders[i], chance(2));
			continue;
		}
		borders[i].word[bit / 32] ^= 1u << (31 - bit % 32);
		for (unsigned k = bit + 1; k < 128 && rest < 2; k++) {
			borders[i].word[k / 32] &= ~(1u << (31 - k % 32));
			borders[i].word[k / 32] |= rest << (31 - k % 32);
		}
	}
	qsort(borders, count, sizeof(*borders), number_compare);
	gl_intervals_begin(list, 4);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(gl_intervals_add(list, &borders[i], chance(4)), 0);
	assert_int_equal(gl_intervals_end(list), 0);
}

static void test_windows_find_what_a_list_holds(void **state)
{
	struct gl_intervals list = { 0 };
	size_t trees = 0;

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		struct gl_lines lines = { 0 };
		struct gl_tree_ref tree;

		some_borders(&list, 1 + chance(round % 50 ? 12 : 600));
		assert_int_equal(gl_tree_build(&lines, &list, &tree), 0);
		trees += tree.levels;
		for (size_t i = 0; i < 3 * list.count; i++) {
			struct gl_number number = list.items[i / 3].last;

			if (i % 3)
				step(&number, i % 3 == 1);
			assert_int_equal(search(lines.items, lines.count, &tree, &number, 4),
					 one_by_one(&list, &number));
		}
		for (unsigned n = 0; n < 50; n++) {
			struct gl_number number = list.items[chance(list.count)].last;

			number.word[chance(4)] ^= 1u << chance(32);
			assert_int_equal(search(lines.items, lines.count, &tree, &number, 4),
					 one_by_one(&list, &number));
		}
		free(lines.items);
	}
	assert_true(trees > 2500);
	gl_intervals_clear(&list);
}

/* Addresses in a prefix of their own each: a tree of their windows finds them, and each node says whether it is its. */
static void test_nodes_tell_what_is_near(void **state)
{
	struct gl_intervals list = { 0 };
	struct gl_lines lines = { 0 };
	struct gl_tree_ref tree;
	const uint32_t count = 200;
	uint32_t first;

	(void)state;
	assert_int_equal(gl_lines_add(&lines, count, &first), 0);
	gl_intervals_begin(&list, 4);
	for (uint32_t i = 0; i < count; i++) {
		struct gl_number number = { { 0x20010db8, 1 + i * 7, i % 3, i == 5 ? UINT32_MAX : i % 4 } };
		struct gl_tree_node node = { .len = 128 };

		memcpy(node.prefix, number.word, sizeof(node.prefix));
		memcpy(&lines.items[i], &node, sizeof(node));
		step(&number, false);
		assert_int_equal(gl_intervals_add(&list, &number, 0), 0);
		step(&number, true);
		assert_int_equal(gl_intervals_add(&list, &number, i + 1), 0);
	}
	assert_int_equal(gl_intervals_end(&list), 0);
	list.nodes = true;
	assert_int_equal(gl_tree_build(&lines, &list, &tree), 0);
	/* One window: as deep as a tree of so many short numbers. */
	assert_true(lines.count < count + 1 + 2 * count / 8 + 10);
	for (size_t i = 0; i < 3 * list.count; i++) {
		struct gl_number number = list.items[i / 3].last;
		struct gl_tree_node node;
		uint32_t at;

		if (i % 3)
			step(&number, i % 3 == 1);
		at = search(lines.items, lines.count, &tree, &number, 4);
		if (at) {
			memcpy(&node, &lines.items[at - 1], sizeof(node));
			at = gl_node_holds(&node, number.word) ? at : node.around;
		}
		assert_int_equal(at, one_by_one(&list, &number));
	}
	gl_intervals_clear(&list);
	free(lines.items);
}

static void test_intervals_join_and_leave_no_gap(void **state)
{
	const struct gl_number ten = { { 10 } }, twenty = { { 20 } }, most = { { UINT32_MAX } };
	struct gl_intervals list = { 0 };
	struct gl_lines lines = { 0 };
	struct gl_tree_ref tree = { .levels = 9 };
	struct gl_number zero = { { 0, 0, 1, 0 } };

	(void)state;
	gl_intervals_begin(&list, 1);
	assert_int_equal(gl_intervals_end(&list), 0);
	assert_int_equal(gl_tree_build(&lines, &list, &tree), 0);
	assert_int_equal(tree.levels, 0);
	assert_int_equal(lines.count, 0);

	gl_intervals_begin(&list, 1);
	assert_int_equal(gl_intervals_add(&list, &ten, 7), 0);
	assert_int_equal(gl_intervals_add(&list, &twenty, 7), 0);
	assert_int_equal(gl_intervals_add(&list, &ten, 8), 0);
	assert_int_equal(gl_intervals_end(&list), 0);
	assert_int_equal(list.count, 2);
	assert_int_equal(gl_tree_build(&lines, &list, &tree), 0);
	assert_int_equal(search(lines.items, lines.count, &tree, &ten, 1), 7);
	assert_int_equal(search(lines.items, lines.count, &tree, &most, 1), 0);

	assert_true(gl_number_before(&zero, 4));
	assert_int_equal(zero.word[2], 0);
	assert_int_equal(zero.word[3], UINT32_MAX);
	zero = (struct gl_number){ { 0 } };
	assert_false(gl_number_before(&zero, 4));
	gl_intervals_clear(&list);
	free(lines.items);
}

static void apart(const struct gl_c_place *places, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		assert_true(places[i].room >= places[i].count);
		assert_true(places[i].first + places[i].room <= GL_MAX_TREE_LINES);
		for (size_t k = 0; k < i; k++)
			assert_true(!places[i].room || !places[k].room ||
				    places[i].first >= places[k].first + places[k].room ||
				    places[k].first >= places[i].first + places[i].room);
	}
}

static void test_policies_keep_their_lines(void **state)
{
	struct gl_c_place places[64] = { 0 };

	(void)state;
	for (size_t i = 0; i < 64; i++)
		places[i].count = i % 7 ? 1 + chance(3000) : 0;
	for (unsigned round = 0; round < 20; round++) {
		const struct gl_c_place before[2] = { places[1], places[2] };

		assert_int_equal(gl_c_place_lines(places, 64), 0);
		apart(places, 64);
		for (size_t i = 0; i < 64; i++) {
			places[i].live_first = places[i].first;
			places[i].live_room = places[i].room;
		}
		if (round) {
			assert_int_equal(places[1].first, before[0].first);
			assert_int_equal(places[2].first, before[1].first);
		}
		/* All others change. */
		for (size_t i = 3; i < 64; i++)
			places[i].count = chance(4) ? 1 + chance(3000) : places[i].count;
	}
	/* One that hardly uses what it has gives it back. */
	places[1].count = 1;
	places[1].live_first = 0;
	places[1].live_room = 1024;
	assert_int_equal(gl_c_place_lines(places, 64), 0);
	assert_int_equal(places[1].room, 1);
}

static void test_lines_that_are_in_the_way_move(void **state)
{
	const uint32_t half = GL_MAX_TREE_LINES / 2;
	/* In the middle of each half something small is live: there is no room for a half but by moving it. */
	struct gl_c_place places[3] = {
		{ .count = 1, .live_first = half / 2, .live_room = 1 },
		{ .count = 1, .live_first = half + half / 2, .live_room = 1 },
		{ .count = half },
	};

	(void)state;
	assert_int_equal(gl_c_place_lines(places, 3), 0);
	apart(places, 3);
	assert_int_equal(places[2].room, half);
	places[0].count = places[1].count = half / 2 + 1;
	assert_int_equal(gl_c_place_lines(places, 3), -ENOSPC);
}

/* ---- definitions ------------------------------------------------------------------------------------------ */

#define HEAD "version: 1\ntenants:\n"
#define TENANT(name, tap, groups)                                                                                      \
	"  - name: " name "\n    networks: [{name: n, mode: isolated, subnets: [10.0.0.0/24]}]\n"                      \
	"    guests: [{name: g, interfaces: [{tap: " tap ", mac: '52:54:00:00:00:01', network: n, "                    \
	"addresses: [10.0.0.9], security_groups: [g]}]}]\n"                                                            \
	"    security_groups:\n      - name: g\n        ingress:\n" groups
#define RULE(text) "          - {" text "}\n"

static const struct gl_policy_val *policy_of(const struct gl_desired *d, const char *tap)
{
	const struct gl_policy_val *val = value(d, GL_MAP_POLICY, &port_of(d, tap)->policy);

	assert_non_null(val);
	return val;
}

/* Its lines; caller frees. */
static struct gl_tree_val *lines_of(const struct gl_desired *d, const struct gl_policy_val *policy)
{
	struct gl_tree_val *lines = calloc(policy->room + 1, sizeof(*lines));

	assert_non_null(lines);
	for (uint32_t i = 0; i < policy->room; i++) {
		uint32_t line = policy->first + i;
		const struct gl_tree_val *val = value(d, GL_MAP_TREE, &line);

		if (val)
			lines[i] = *val;
	}
	return lines;
}

/* The rule's number that lets UDP to the port in, from an address; 0: none. `asked`: nodes that were. */
static unsigned admitted(const struct gl_desired *d, const char *tap, const char *from, uint16_t port, unsigned *asked)
{
	const struct gl_policy_val *policy = policy_of(d, tap);
	const struct gl_policy_dir *dir = &policy->dir[GL_INGRESS];
	struct gl_tree_val *lines = lines_of(d, policy);
	const bool six = strchr(from, ':');
	const struct gl_number number = { { GL_RULE_NUMBER(17, port) } };
	struct gl_number addr = { { 0 } };
	uint32_t at, admits = search(lines, policy->room, &dir->any, &number, 1);

	assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, from, addr.word), 1);
	for (int i = 0; i < 4; i++)
		addr.word[i] = ntohl(addr.word[i]);
	at = search(lines, policy->room, six ? &dir->remote6 : &dir->remote4, &addr, six ? 4 : 1);
	for (*asked = 0; at && !admits;) {
		struct gl_tree_node node;

		assert_true(at <= policy->room);
		memcpy(&node, &lines[at - 1], sizeof(node));
		if (six && node.len && !gl_node_holds(&node, addr.word)) {
			at = node.around;
			continue;
		}
		++*asked;
		for (uint32_t i = 0; i < node.count; i++)
			if (number.word[0] >= node.part[i].first && number.word[0] <= node.part[i].last)
				admits = node.part[i].admits;
		if (!admits)
			admits = search(lines, policy->room, &node.more, &number, 1);
		at = node.wider;
	}
	free(lines);
	return admits & 0xffff;
}

static void test_families_are_apart(void **state)
{
	static const char text[] = HEAD TENANT(
		"a", "tap-a",
		RULE("proto: udp, ports: 1, remote_ip: 0.0.0.0/0") RULE("proto: udp, ports: 2, remote_ip: '::/0'")
			RULE("proto: udp, ports: 3") RULE("proto: udp, ports: 4, remote_ip: 10.1.0.0/16")
				RULE("proto: udp, ports: 5, remote_ip: '2001:db8::/33'")
					RULE("proto: icmpv6, icmp_type: 128, icmp_code: 0"));
	static const struct {
		const char *from;
		uint16_t port;
		unsigned rule;
	} asks[] = {
		{ "192.0.2.1", 1, 1 },
		{ "192.0.2.1", 2, 0 },
		{ "192.0.2.1", 3, 3 },
		{ "192.0.2.1", 4, 0 },
		{ "10.0.255.255", 4, 0 },
		{ "10.1.0.0", 4, 4 },
		{ "10.1.255.255", 4, 4 },
		{ "10.2.0.0", 4, 0 },
		{ "10.1.2.3", 1, 1 },
		{ "::", 1, 0 },
		{ "::", 2, 2 },
		{ "ffff::", 3, 3 },
		{ "2001:db8::", 5, 5 },
		{ "2001:db8::", 2, 2 },
		{ "2001:db8:7fff:ffff::", 5, 5 },
		{ "2001:db8:8000::", 5, 0 },
		{ "2001:db7:ffff::", 5, 0 },
		{ "2001:db8:8000::", 2, 2 },
	};
	struct lab lab = { 0 };
	struct gl_desired *d;
	struct gl_remote6_key all6 = { 0 };
	unsigned asked;

	(void)state;
	lab_link(&lab, "tap-a", 5, NULL);
	d = lab_compile(&lab, text, NULL);
	for (size_t i = 0; i < sizeof(asks) / sizeof(*asks); i++)
		if (admitted(d, "tap-a", asks[i].from, asks[i].port, &asked) != asks[i].rule)
			fail_msg("%s to port %u: not by rule %u", asks[i].from, asks[i].port, asks[i].rule);
	all6.policy_dir = GL_POLICY_DIR(port_of(d, "tap-a")->policy, GL_INGRESS);
	assert_non_null(value(d, GL_MAP_REMOTE6, &all6));
	gl_desired_free(d);
	lab_clear(&lab);
}

/* 300 rules for everybody and 300 addresses inside: what would multiply is linked. Without that many, one node answers.
 */
static void test_wide_prefixes_are_taken_over_within_bounds(void **state)
{
	static char text[65536];

	(void)state;
	for (unsigned many = 2; many <= 300; many += 298) {
		struct lab lab = { 0 };
		size_t len = snprintf(text, sizeof(text), HEAD TENANT("a", "tap-a", ""));
		struct gl_desired *d;
		unsigned asked;

		for (unsigned i = 0; i < many; i++)
			len += snprintf(text + len, sizeof(text) - len,
					RULE("proto: udp, ports: %u, remote_ip: 0.0.0.0/0"), 1000 + 2 * i);
		for (unsigned i = 0; i < 300; i++)
			len += snprintf(text + len, sizeof(text) - len,
					RULE("proto: udp, ports: 53, remote_ip: 10.1.%u.%u/32"), i / 256, i % 256);
		lab_link(&lab, "tap-a", 5, NULL);
		d = lab_compile(&lab, text, NULL);
		assert_int_equal(admitted(d, "tap-a", "10.1.1.43", 53, &asked), many + 300);
		assert_int_equal(asked, 1);
		assert_int_equal(admitted(d, "tap-a", "10.1.1.43", 1000 + 2 * (many - 1), &asked), many);
		assert_int_equal(asked, many == 2 ? 1 : 2);
		assert_int_equal(admitted(d, "tap-a", "10.1.1.44", 53, &asked), 0);
		assert_true(policy_of(d, "tap-a")->room <= 2048);
		gl_desired_free(d);
		lab_clear(&lab);
	}
}

static void test_a_tenant_s_change_leaves_the_others_lines(void **state)
{
#define BLUE TENANT("b", "tap-b", RULE("proto: udp, ports: 1-9, remote_ip: 192.0.2.0/24"))
	static const char was[] = HEAD TENANT("a", "tap-a", RULE("proto: udp, ports: 7")) BLUE;
	static char text[65536];
	struct lab lab = { 0 };
	size_t len = snprintf(text, sizeof(text), HEAD TENANT("a", "tap-a", ""));
	struct gl_desired *before, *after;
	unsigned asked;

	(void)state;
	for (unsigned i = 0; i < 500; i++)
		len += snprintf(text + len, sizeof(text) - len, RULE("proto: udp, ports: %u"), 1 + 2 * i);
	snprintf(text + len, sizeof(text) - len, BLUE);
	lab_link(&lab, "tap-a", 5, NULL);
	lab_link(&lab, "tap-b", 6, NULL);
	before = lab_compile(&lab, was, NULL);
	after = lab_compile(&lab, text, before);
	assert_memory_equal(policy_of(before, "tap-b"), policy_of(after, "tap-b"), sizeof(struct gl_policy_val));
	assert_int_equal(port_of(before, "tap-b")->gen, port_of(after, "tap-b")->gen);
	assert_int_not_equal(port_of(before, "tap-a")->gen, port_of(after, "tap-a")->gen);
	assert_int_equal(admitted(after, "tap-a", "192.0.2.1", 999, &asked), 500);
	assert_int_equal(admitted(after, "tap-a", "192.0.2.1", 998, &asked), 0);
	assert_int_equal(admitted(after, "tap-b", "192.0.2.255", 9, &asked), 1);
	assert_int_equal(admitted(after, "tap-b", "192.0.3.0", 9, &asked), 0);
	gl_desired_free(before);
	gl_desired_free(after);
	lab_clear(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trees_find_what_a_list_holds),
		cmocka_unit_test(test_windows_find_what_a_list_holds),
		cmocka_unit_test(test_nodes_tell_what_is_near),
		cmocka_unit_test(test_intervals_join_and_leave_no_gap),
		cmocka_unit_test(test_policies_keep_their_lines),
		cmocka_unit_test(test_lines_that_are_in_the_way_move),
		cmocka_unit_test(test_families_are_apart),
		cmocka_unit_test(test_wide_prefixes_are_taken_over_within_bounds),
		cmocka_unit_test(test_a_tenant_s_change_leaves_the_others_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
