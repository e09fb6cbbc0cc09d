/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Do the questions that can be asked of a definition have the right answers? */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "loader/arena.h"
#include "tests/unit/definition.h"

static struct gl_prefix prefix(const char *text, uint8_t len)
{
	struct gl_prefix p = { .family = strchr(text, ':') ? AF_INET6 : AF_INET, .len = len };

	assert_int_equal(inet_pton(p.family, text, p.bytes), 1);
	return p;
}

static void contains(void **state)
{
	static const struct {
		const char *outer;
		uint8_t outer_len;
		const char *inner;
		uint8_t inner_len;
		bool expected;
	} rows[] = {
		{ "10.0.0.0", 24, "10.0.0.255", 32, true },	  { "10.0.0.0", 24, "10.0.1.0", 32, false },
		{ "10.0.0.0", 25, "10.0.0.127", 32, true },	  { "10.0.0.0", 25, "10.0.0.128", 32, false },
		{ "0.0.0.0", 0, "255.255.255.255", 32, true },	  { "10.0.0.1", 32, "10.0.0.1", 32, true },
		{ "10.0.0.1", 32, "10.0.0.0", 32, false },	  { "10.0.0.0", 24, "10.0.0.0", 23, false },
		{ "10.0.0.0", 24, "10.0.0.0", 24, true },	  { "10.0.0.0", 9, "10.127.255.255", 32, true },
		{ "10.0.0.0", 9, "10.128.0.0", 32, false },	  { "fd00::", 64, "fd00::ffff", 128, true },
		{ "fd00::", 65, "fd00::8000:0:0:0", 128, false }, { "::", 0, "10.0.0.1", 32, false },
		{ "fd00::1", 128, "fd00::1", 128, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct gl_prefix outer = prefix(rows[i].outer, rows[i].outer_len);
		struct gl_prefix inner = prefix(rows[i].inner, rows[i].inner_len);

		if (gl_prefix_contains(&outer, &inner) != rows[i].expected)
			fail_msg("%s/%u contains %s/%u", rows[i].outer, outer.len, rows[i].inner, inner.len);
	}
}

static void format(void **state)
{
	struct gl_prefix p = prefix("10.0.0.0", 24);
	char buf[50];

	(void)state;
	assert_string_equal(gl_prefix_format(&p, buf), "10.0.0.0/24");
	p = prefix("255.255.255.255", 32);
	assert_string_equal(gl_prefix_format(&p, buf), "255.255.255.255");
	p = prefix("fd00:1111:2222:3333:4444:5555:255.255.255.255", 127);
	assert_string_equal(gl_prefix_format(&p, buf), "fd00:1111:2222:3333:4444:5555:ffff:ffff/127");
	p = prefix("::1", 128);
	assert_string_equal(gl_prefix_format(&p, buf), "::1");
}

static void gateways(void **state)
{
	struct gl_prefix subnets[] = { prefix("10.0.0.0", 24),	 prefix("10.0.1.0", 24),  prefix("10.0.2.2", 31),
				       prefix("10.0.2.4", 30),	 prefix("fd00:1::", 64),  prefix("fd00:2::", 64),
				       prefix("fd00:3::2", 127), prefix("fd00:3::4", 126) };
	struct gl_prefix given[] = { prefix("fd00:2::fe", 128), prefix("10.0.1.254", 32) };
	struct gl_network network = { .subnets = subnets, .subnet_count = 8, .gateways = given, .gateway_count = 2 };
	static const char *const expected[] = { "10.0.0.1",  "10.0.1.254", "10.0.2.2",	"10.0.2.5",
						"fd00:1::1", "fd00:2::fe", "fd00:3::2", "fd00:3::5" };
	char buf[50];

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		struct gl_prefix gateway = gl_network_gateway(&network, i);

		assert_string_equal(gl_prefix_format(&gateway, buf), expected[i]);
	}
}

/* RFC 4291 appendix A: the bit that says "universal" is turned around. */
static void eui64(void **state)
{
	static const uint8_t universal[6] = { 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde };
	static const uint8_t local[6] = { 0x52, 0x54, 0, 0, 0, 1 };
	struct gl_prefix subnet = prefix("2001:db8:a:b::", 64), longer = prefix("2001:db8:a:b::", 65), made;
	char buf[50];

	(void)state;
	made = gl_eui64(&subnet, universal);
	assert_string_equal(gl_prefix_format(&made, buf), "2001:db8:a:b:3656:78ff:fe9a:bcde");
	made = gl_eui64(NULL, universal);
	assert_string_equal(gl_prefix_format(&made, buf), "fe80::3656:78ff:fe9a:bcde");
	made = gl_eui64(NULL, local);
	assert_string_equal(gl_prefix_format(&made, buf), "fe80::5054:ff:fe00:1");
	assert_true(gl_is_slaac_subnet(&subnet));
	assert_false(gl_is_slaac_subnet(&longer));
	subnet.family = AF_INET;
	assert_false(gl_is_slaac_subnet(&subnet));
}

/* The MAC must be one and the same over versions too: guests remember it. */
static void gateway_mac(void **state)
{
	static const uint8_t known[6] = { 0xa2, 0x38, 0x16, 0xc3, 0x56, 0xc9 };
	uint8_t a[6], b[6];

	(void)state;
	gl_gateway_mac("acme", "front", a);
	assert_memory_equal(a, known, 6);
	assert_int_equal(a[0] & 3, 2);
	gl_gateway_mac("acme", "back", b);
	assert_memory_not_equal(a, b, 6);
	gl_gateway_mac("acmef", "ront", b);
	assert_memory_not_equal(a, b, 6);
	gl_gateway_mac("globex", "front", b);
	assert_memory_not_equal(a, b, 6);
}

static void finding(void **state)
{
	struct gl_definition *def = load_good("version: 1\n"
					      "uplinks: [{name: a, interface: e0}, {name: b, interface: e1}]\n"
					      "tenants:\n"
					      "  - name: t\n"
					      "    networks: [{name: n1, mode: isolated, subnets: [10.0.0.0/24]},\n"
					      "               {name: n2, mode: isolated, subnets: [10.0.0.0/24]}]\n");
	struct gl_tenant by_hand = def->tenants[0];

	(void)state;
	assert_ptr_equal(gl_find_uplink(def, "b"), &def->uplinks[1]);
	assert_null(gl_find_uplink(def, "c"));
	assert_ptr_equal(gl_find_network(&def->tenants[0], "n2"), &def->tenants[0].networks[1]);
	assert_null(gl_find_network(&def->tenants[0], "n3"));
	by_hand.network_index = NULL;
	assert_ptr_equal(gl_find_network(&by_hand, "n2"), &def->tenants[0].networks[1]);
	assert_null(gl_find_network(&by_hand, "n3"));
	gl_definition_free(def);
	gl_definition_free(NULL);
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(gl_mode_name(GL_MODE_ISOLATED), "isolated");
	assert_string_equal(gl_mode_name(GL_MODE_NAT), "nat");
	assert_string_equal(gl_mode_name(GL_MODE_ROUTED), "routed");
	assert_string_equal(gl_mode_name(GL_MODE_BRIDGE), "bridge");
	assert_string_equal(gl_open_name(GL_OPEN_NETWORK), "network");
	assert_string_equal(gl_open_name(GL_OPEN_TENANT), "tenant");
	assert_string_equal(gl_open_name(GL_OPEN_ANYWHERE), "anywhere");
}

static void table(void **state)
{
	struct gl_arena arena = { 0 };
	struct gl_table t = { 0 };
	const void *had;
	static char values[20000];

	(void)state;
	for (uint32_t i = 0; i < 20000; i++) {
		assert_int_equal(gl_table_put(&t, &arena, &i, sizeof(i), &values[i], &had), 0);
		assert_null(had);
	}
	for (uint32_t i = 0; i < 20000; i++) {
		assert_ptr_equal(gl_table_get(&t, &i, sizeof(i)), &values[i]);
		assert_int_equal(gl_table_put(&t, &arena, &i, sizeof(i), values, &had), 0);
		assert_ptr_equal(had, &values[i]);
	}
	assert_null(gl_table_get(&t, "nothing", 7));
	assert_int_equal(t.count, 20000);
	assert_null(gl_arena_array(&arena, SIZE_MAX / 4, 8));
	gl_arena_clear(&arena);
}

/* Files in the order of their first findings, then lines, then columns; the one without a place where it came. */
static void findings_sorted(void **state)
{
	struct gl_diag diag = { 0 };
	char name[] = "b";

	(void)state;
	gl_diag_add(&diag, (struct gl_loc){ name, 9, 1 }, "3");
	gl_diag_add(&diag, (struct gl_loc){ "a", 1, 1 }, "4");
	gl_diag_add(&diag, (struct gl_loc){ "b", 2, 7 }, "2");
	gl_diag_add(&diag, (struct gl_loc){ "b", 2, 3 }, "%d", 1);
	gl_diag_add(&diag, (struct gl_loc){ "b", 2, 3 }, "1");
	gl_diag_add(&diag, (struct gl_loc){ 0 }, "5");
	name[0] = 'x'; /* findings keep their own */
	gl_diag_sort(&diag);
	assert_int_equal(diag.count, 5);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(diag.findings[i].text[0], '1' + (int)i);
	assert_string_equal(diag.findings[2].loc.file, "b");
	gl_diag_clear(&diag);
	assert_int_equal(diag.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contains), cmocka_unit_test(format),	   cmocka_unit_test(gateways),
		cmocka_unit_test(eui64),    cmocka_unit_test(gateway_mac), cmocka_unit_test(finding),
		cmocka_unit_test(names),    cmocka_unit_test(table),	   cmocka_unit_test(findings_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
