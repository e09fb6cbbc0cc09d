/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Public addresses: whose they are, and how tenants share their ports. Neighbours: test_compile.c, two_tenants.h. */
#include "two_tenants.h"

static void test_public_addresses_say_whose_they_are(void **state)
{
	struct lab lab = LAB(state);
	struct gl_desired *d;
	const struct gl_public *val;
	const struct gl_forwarded *forward;

	host(&lab);
	d = lab_compile(&lab, two_tenants, NULL);
	val = addr_of(&lab, d, "192.0.2.1", GL_BLOCK_WHOLE);
	assert_non_null(val);
	assert_int_equal(val->flags, GL_ADDR_F_NAT | GL_ADDR_F_FORWARD | GL_ADDR_F_HOST);
	val = addr_of(&lab, d, "192.0.2.20", GL_BLOCK_WHOLE);
	assert_non_null(val);
	assert_int_equal(val->flags, GL_ADDR_F_FLOATING | GL_ADDR_F_ANSWER);
	assert_int_equal(val->slot, slot_of(d, "tap-b1"));
	assert_ip(&lab, &val->inner, "10.0.0.11");
	assert_int_equal(val->tenant, name_index(d, GL_NAME_TENANT, "blue"));
	assert_int_equal(val->gen, port_of(d, "tap-b1")->gen);
	val = addr_of(&lab, d, "203.0.113.7", GL_BLOCK_WHOLE);
	assert_non_null(val);
	assert_int_equal(val->flags, GL_ADDR_F_FLOATING);
	/* The host's other addresses are known as such: guests do not reach them. */
	val = addr_of(&lab, d, "198.51.100.9", GL_BLOCK_WHOLE);
	assert_non_null(val);
	assert_int_equal(val->flags, GL_ADDR_F_HOST);

	forward = forward_of(&lab, d, "192.0.2.1", 8080, IPPROTO_TCP);
	assert_non_null(forward);
	assert_int_equal(forward->slot, slot_of(d, "tap-a1"));
	assert_ip(&lab, &forward->inner, "10.0.0.11");
	assert_int_equal(forward->inner_port, 80);
	assert_int_equal(forward->gen, port_of(d, "tap-a1")->gen);

	/* The whole default range and the forwarded port are kept from the host's sockets. */
	assert_int_equal(d->reserved_count, 2);
	assert_int_equal(d->reserved[0].min, 8080);
	assert_int_equal(d->reserved[0].max, 8080);
	assert_int_equal(d->reserved[1].min, 16384);
	assert_int_equal(d->reserved[1].max, 32767);
	gl_desired_free(d);
	lab_clear(&lab);
}

static void test_tenants_on_one_address_get_blocks_of_their_own(void **state)
{
	struct lab lab = LAB(state);
	struct gl_desired *d;
	struct gl_pool_range acme, blue;

	host(&lab);
	d = lab_compile(&lab, two_tenants, NULL);
	acme = pool_of(d, "acme/front", 0);
	blue = pool_of(d, "blue/front", 0);
	assert_int_equal(pool_count(d, "acme/front"), 1);
	assert_ip(&lab, &acme.addr, "192.0.2.1");
	assert_int_equal(acme.max - acme.min + 1, GL_NAT_SHARE_BLOCKS * 64);
	assert_int_equal(blue.max - blue.min + 1, GL_NAT_SHARE_BLOCKS * 64);
	assert_int_equal(acme.min, 16384);
	assert_int_equal(blue.min, 16384 + 1024);
	check_pools(d);
	gl_desired_free(d);
	lab_clear(&lab);
}

static void test_several_ranges_of_ports(void **state)
{
	static const char two[] = ", nat: {addresses: [203.0.113.1, 203.0.113.2], ports: [40000-40009, 30000-30127]}";
	char text[1024];
	struct lab lab = LAB(state);
	struct gl_desired *d;
	struct gl_pool_range pools[GL_FAMILIES * GL_NET_POOL];

	host(&lab);
	/* Alone: each range of each address, a guest's ranges side by side. */
	snprintf(text, sizeof(text), "%s" NET("a", "%s"), HEAD, two);
	d = lab_compile(&lab, text, NULL);
	assert_int_equal(pools_of(d, "a/n", pools), 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_ip(&lab, &pools[i].addr, i < 2 ? "203.0.113.1" : "203.0.113.2");
		assert_int_equal(pools[i].min, i % 2 ? 30000 : 40000);
		assert_int_equal(pools[i].max, i % 2 ? 30127 : 40009);
	}
	check_pools(d);
	gl_desired_free(d);
	/* One address shared: there it is one run of whole blocks out of the ranges, the other stays as it is. */
	snprintf(text, sizeof(text),
		 "%s" NET("a", "%s") NET("b", ", nat: {addresses: [203.0.113.1], ports: 30000-30400}"), HEAD, two);
	d = lab_compile(&lab, text, NULL);
	assert_int_equal(pools_of(d, "a/n", pools), 3);
	assert_ip(&lab, &pools[0].addr, "203.0.113.1");
	assert_int_equal(pools[0].min, 30016);
	assert_int_equal(pools[0].max, 30079);
	assert_ip(&lab, &pools[1].addr, "203.0.113.2");
	assert_ip(&lab, &pools[2].addr, "203.0.113.2");
	assert_int_equal(pools_of(d, "b/n", pools), 1);
	assert_true(pools[0].min > 30079);
	check_pools(d);
	gl_desired_free(d);
	lab_clear(&lab);
}

static void test_one_tenant_alone_gets_the_range_as_it_stands(void **state)
{
	static const struct {
		const char *text;
		uint16_t min, max;
		size_t blocks;
	} rows[] = {
		{ HEAD NET("a", ""), 16384, 32767, 256 },
		{ HEAD NET("a", ", nat: {ports: 32768-32831}"), 32768, 32831, 1 },
		{ HEAD NET("a", ", nat: {ports: 40010-40063}"), 40010, 40063, 1 },
		{ HEAD NET("a", ", nat: {addresses: [203.0.113.1]}"), 1024, 65535, 1008 },
		{ HEAD NET("a", ", nat: {addresses: [203.0.113.1], ports: 32768-60999}"), 32768, 60999, 442 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lab lab = LAB(state);
		struct gl_desired *d;
		size_t first, count, blocks;

		host(&lab);
		d = lab_compile(&lab, rows[i].text, NULL);
		assert_int_equal(pool_of(d, "a/n", 0).min, rows[i].min);
		assert_int_equal(pool_of(d, "a/n", 0).max, rows[i].max);
		blocks = 0;
		count = gl_mapset_range(d->entries, gl_map_of(GL_MAP_ADDR4, lab.family), &first);
		for (size_t j = first; j < first + count; j++)
			blocks += gl_public_of(gl_mapset_at(d->entries, j)).block != GL_BLOCK_WHOLE;
		assert_int_equal(blocks, rows[i].blocks);
		check_pools(d);
		gl_desired_free(d);
		lab_clear(&lab);
	}
}

static void test_the_hosts_own_addresses_are_marked(void **state)
{
	struct lab lab = LAB(state);
	struct gl_desired *d;

	host(&lab);
	lab_link(&lab, "lo", 1, "127.0.0.1/8");
	/* No network uses the uplink: guests still do not reach the host. IPv6 addresses come and go by themselves, and
	 * are written down where some network has IPv6. */
	d = lab_compile(&lab, "version: 1\nuplinks: [{name: wan, interface: eth0}]\n", NULL);
	assert_int_equal(count_of(&lab, d, GL_MAP_ADDR4), lab.family == AF_INET6 ? 0 : 3);
	gl_desired_free(d);
	d = lab_compile(&lab,
			"version: 1\nuplinks: [{name: wan, interface: eth0}]\ntenants: [{name: a, networks: [{name: n, "
			"mode: routed, uplink: wan, subnets: [10.0.0.0/24]}]}]\n",
			NULL);
	assert_int_equal(count_of(&lab, d, GL_MAP_ADDR4), 3);
	assert_int_equal(addr_of(&lab, d, "127.0.0.1", GL_BLOCK_WHOLE)->flags, GL_ADDR_F_HOST);
	assert_int_equal(addr_of(&lab, d, "192.0.2.1", GL_BLOCK_WHOLE)->flags, GL_ADDR_F_HOST);
	assert_int_equal(addr_of(&lab, d, "198.51.100.9", GL_BLOCK_WHOLE)->flags, GL_ADDR_F_HOST);
	gl_desired_free(d);
	lab_clear(&lab);
}

static void test_the_default_range_steps_aside_for_forwards(void **state)
{
	struct lab lab = LAB(state);
	struct gl_desired *d;

	host(&lab);
	d = lab_compile(
		&lab,
		HEAD NET("a", ", nat: {addresses: [203.0.113.1]}") "    guests:\n"
								   "      - name: g\n"
								   "        interfaces: [{tap: tap-a1, mac: "
								   "'52:54:00:00:00:01', network: n, addresses: "
								   "[10.0.0.2]}]\n"
								   "        port_forwards: [{proto: tcp, address: "
								   "203.0.113.1, port: 8080, to: 80}, "
								   "{proto: udp, address: 203.0.113.1, port: 60000, "
								   "to: 53}]\n",
		NULL);
	assert_int_equal(pool_of(d, "a/n", 0).min, 8128);
	assert_int_equal(pool_of(d, "a/n", 0).max, 59967);
	check_pools(d);
	gl_desired_free(d);
	lab_clear(&lab);
}

static void test_shares_stay_when_tenants_come_and_go(void **state)
{
	struct lab lab = LAB(state);
	struct gl_desired *one, *two, *three, *again;

	host(&lab);
	one = lab_compile(&lab, HEAD NET("b", ""), NULL);
	assert_int_equal(pool_of(one, "b/n", 0).max, 32767);
	/* Another comes, first by name: b keeps its first blocks and its number. */
	two = lab_compile(&lab, HEAD NET("a", "") NET("b", ""), one);
	assert_int_equal(pool_of(two, "b/n", 0).min, 16384);
	assert_int_equal(pool_of(two, "b/n", 0).max, 16384 + 1023);
	assert_int_equal(pool_of(two, "a/n", 0).min, 16384 + 1024);
	assert_int_equal(name_index(two, GL_NAME_TENANT, "b"), name_index(one, GL_NAME_TENANT, "b"));
	check_pools(two);
	/* b goes and c comes: a stays, c gets b's ports but not b's number. */
	three = lab_compile(&lab, HEAD NET("a", "") NET("c", ""), two);
	assert_int_equal(pool_of(three, "a/n", 0).min, 16384 + 1024);
	assert_int_equal(pool_of(three, "c/n", 0).min, 16384);
	assert_int_not_equal(name_index(three, GL_NAME_TENANT, "c"), name_index(two, GL_NAME_TENANT, "b"));
	assert_int_not_equal(name_index(three, GL_NAME_NETWORK, "c/n"), name_index(two, GL_NAME_NETWORK, "b/n"));
	again = lab_compile(&lab, HEAD NET("c", "") NET("a", ""), three);
	assert_true(same_entries(three, again));
	gl_desired_free(one);
	gl_desired_free(two);
	gl_desired_free(three);
	gl_desired_free(again);
	lab_clear(&lab);
}

static char *many_tenants(unsigned count, unsigned from, const char *nat)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	fputs(HEAD, f);
	for (unsigned i = from; i < from + count; i++)
		fprintf(f,
			"  - name: t%u\n    networks: [{name: n, mode: nat, uplink: wan, subnets: [10.0.0.0/24]%s}]\n",
			i, nat);
	fclose(f);
	return text;
}

static void test_an_address_is_shared_down_to_a_block_each(void **state)
{
	struct lab lab = LAB(state);
	struct gl_desired *few = NULL, *most = NULL, *again;
	char *text = many_tenants(100, 0, "");

	host(&lab);
	few = lab_compile(&lab, text, NULL);
	assert_int_equal(pool_of(few, "t7/n", 0).max - pool_of(few, "t7/n", 0).min + 1, 128);
	check_pools(few);
	free(text);
	text = many_tenants(256, 0, "");
	most = lab_compile(&lab, text, few);
	check_pools(most);
	again = lab_compile(&lab, text, most);
	assert_true(same_entries(most, again));
	free(text);
	text = many_tenants(257, 0, "");
	lab_refuses(&lab, text, NULL, 0, "257 tenants translate to 192.0.2.1, whose ports are enough for 256");
	free(text);
	gl_desired_free(few);
	gl_desired_free(most);
	gl_desired_free(again);
	lab_clear(&lab);
}

static void test_freed_shares_are_grown_into_once(void **state)
{
	struct lab lab = LAB(state);
	char *all = many_tenants(64, 0, ""), *some = many_tenants(5, 10, "");
	struct gl_desired *was, *now, *again;

	host(&lab);
	was = lab_compile(&lab, all, NULL);
	now = lab_compile(&lab, some, was);
	assert_int_equal(pool_of(now, "t10/n", 0).min, pool_of(was, "t10/n", 0).min);
	check_pools(now);
	again = lab_compile(&lab, some, now);
	assert_true(same_entries(now, again));
	gl_desired_free(was);
	gl_desired_free(now);
	gl_desired_free(again);
	free(all);
	free(some);
	lab_clear(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_BOTH(test_public_addresses_say_whose_they_are),
		TEST_BOTH(test_tenants_on_one_address_get_blocks_of_their_own),
		TEST_BOTH(test_several_ranges_of_ports),
		TEST_BOTH(test_one_tenant_alone_gets_the_range_as_it_stands),
		TEST_BOTH(test_the_hosts_own_addresses_are_marked),
		TEST_BOTH(test_the_default_range_steps_aside_for_forwards),
		TEST_BOTH(test_shares_stay_when_tenants_come_and_go),
		TEST_BOTH(test_an_address_is_shared_down_to_a_block_each),
		TEST_BOTH(test_freed_shares_are_grown_into_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
