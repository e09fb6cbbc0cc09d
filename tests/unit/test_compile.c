/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* From definitions as text to map entries: what each part of a definition becomes, what stays as it is when others
 * come and go, and what is refused. */
#include "two_tenants.h"

static void test_ports_hold_what_an_established_packet_needs(void **state)
{
	struct lab lab = LAB(state);
	struct gl_desired *d;
	const struct gl_port_val *a1, *a2, *b1, *up;
	const bool six = lab.family == AF_INET6;
	const uint8_t ipv6 = six ? GL_PORT_F_IPV6 : 0;
	struct gl_prefix addrs[GL_FAMILIES * GL_PORT_ADDRS], floating, none = { 0 };

	host(&lab);
	d = lab_compile(&lab, two_tenants, NULL);
	a1 = port_of(d, "tap-a1");
	a2 = port_of(d, "tap-a2");
	b1 = port_of(d, "tap-b1");
	up = port_of(d, "eth0");
	assert_non_null(a1);
	assert_non_null(a2);
	assert_non_null(b1);
	assert_non_null(up);

	assert_int_equal(slot_of(d, "tap-a1"), 11);
	assert_int_equal(a1->ifindex, 11);
	assert_int_equal(a1->kind, GL_PORT_GUEST);
	assert_int_equal(a1->flags, (six ? GL_PORT_F_MORE_ADDRS6 : GL_PORT_F_MORE_ADDRS) | GL_PORT_F_XDP_OUT | ipv6);
	assert_int_equal(a1->mode, GL_MODE_NAT);
	assert_int_equal(gl_port_addresses_of(a1, addrs), 4);
	assert_int_equal(six ? a1->addr6_count : a1->addr_count, 4);
	assert_ip(&lab, &addrs[0], "10.0.0.11");
	assert_ip(&lab, &addrs[3], "10.0.0.14");
	assert_int_equal(a1->uplink_slot, slot_of(d, "eth0"));
	assert_int_equal(a1->next_in_network, 11);
	assert_int_equal(gl_port_floating(a1, lab.family).family, 0);
	assert_int_equal(a2->mode, GL_MODE_ISOLATED);
	assert_int_equal(a2->uplink, GL_NO_UPLINK);
	assert_int_equal(a2->uplink_slot, GL_NO_SLOT);
	assert_int_equal(a2->mtu, 9000);
	assert_int_equal(a2->flags, ipv6);
	floating = gl_port_floating(b1, lab.family);
	assert_ip(&lab, &floating, "192.0.2.20");
	floating = gl_eui64(NULL, a1->mac);
	assert_memory_equal(&a1->link6_be, six ? floating.bytes : none.bytes, 16);

	assert_int_equal(up->kind, GL_PORT_UPLINK);
	assert_int_equal(up->gen, 0);
	assert_int_equal(up->flags, ipv6);
	assert_int_equal(up->mac[5], 2);

	/* Tenants are told apart by everything but their guests' addresses. */
	assert_memory_equal(a1->mac, b1->mac, 6);
	assert_int_not_equal(a1->tenant, b1->tenant);
	assert_int_not_equal(a1->network, b1->network);
	assert_memory_not_equal(a1->gw_mac, b1->gw_mac, 6);
	assert_int_equal(a1->gen, a2->gen);
	assert_int_not_equal(a1->gen, 0);
	assert_int_not_equal(a1->gen, b1->gen);
	gl_desired_free(d);
	lab_clear(&lab);
}

static void test_every_device_gets_name_and_redirect_target(void **state)
{
	struct lab lab = LAB(state);
	struct gl_desired *d;
	size_t first, families;

	host(&lab);
	d = lab_compile(&lab, two_tenants, NULL);
	assert_int_equal(gl_mapset_range(d->entries, GL_MAP_DEVMAP, &first), 4);
	for (size_t i = 0; i < d->device_count; i++) {
		const uint32_t *ifindex = value(d, GL_MAP_DEVMAP, &d->devices[i].slot);

		assert_non_null(ifindex);
		assert_int_equal(*ifindex, d->devices[i].ifindex);
		assert_int_equal(slot_of(d, d->devices[i].name), d->devices[i].slot);
	}
	assert_int_equal(d->device_count, 4);
	assert_string_equal(d->devices[0].name, "eth0");
	assert_true(d->devices[0].uplink);
	assert_int_equal(name_index(d, GL_NAME_GUEST, "web") == UINT32_MAX, 0);
	assert_int_not_equal(name_index(d, GL_NAME_NETWORK, "acme/front"),
			     name_index(d, GL_NAME_NETWORK, "blue/front"));
	families = lab.family == AF_INET6 ? 2 : 1;
	assert_int_equal(d->table_count, 2 * families);
	for (size_t i = 0; i < d->table_count; i++) {
		bool blue = d->tables[i].tenant == name_index(d, GL_NAME_TENANT, "blue");

		assert_string_equal(d->tables[i].name, blue ? "blue" : "acme");
		assert_int_equal(d->tables[i].max_flows, blue ? 1000 : GL_FLOWS_DEFAULT);
		assert_int_equal(d->tables[i].map, i % families ? GL_MAP_FLOW6 : GL_MAP_FLOW4);
	}
	assert_int_equal(d->pending_count, 0);
	gl_desired_free(d);
	lab_clear(&lab);
}

static void test_routes_join_the_networks_that_are_not_isolated(void **state)
{
	struct lab lab = LAB(state);
	struct gl_desired *d;
	size_t first;
	uint32_t acme;
	const struct gl_reach *route;

	host(&lab);
	d = lab_compile(&lab, two_tenants, NULL);
	acme = name_index(d, GL_NAME_TENANT, "acme");
	/* Two subnets, two allowed pairs; the isolated network has none. */
	assert_int_equal(count_of(&lab, d, GL_MAP_ROUTE4), 4);
	route = route_of(&lab, d, acme, "10.0.0.0/24");
	assert_non_null(route);
	assert_int_equal(route->kind, GL_ROUTE_SUBNET);
	assert_int_equal(route->target, name_index(d, GL_NAME_NETWORK, "acme/front"));
	route = route_of(&lab, d, acme, "10.0.0.100");
	assert_non_null(route);
	assert_int_equal(route->kind, GL_ROUTE_PORT);
	assert_int_equal(route->target, slot_of(d, "tap-a1"));
	/* The fifth address and both pairs are in the trie of sources. */
	assert_int_equal(count_of(&lab, d, GL_MAP_ALLOW4), 3);
	assert_int_equal(gl_mapset_range(d->entries, GL_MAP_L2, &first), 3);
	/* Of IPv6 each has its link-local address as well. */
	assert_int_equal(count_of(&lab, d, GL_MAP_HOST4), lab.family == AF_INET6 ? 10 : 7);
	gl_desired_free(d);
	lab_clear(&lab);
}

static void test_generations_follow_what_verdicts_depend_on(void **state)
{
	struct lab lab = LAB(state);
	struct gl_desired *was, *same, *moved;
	char *text;

	host(&lab);
	was = lab_compile(&lab, two_tenants, NULL);
	same = lab_compile(&lab, two_tenants, was);
	assert_true(same_entries(was, same));
	/* A change within acme leaves blue's flows alone. */
	text = strdup(two_tenants);
	memcpy(strstr(text, "10.0.0.100/32"), "10.0.0.101/32", 13);
	moved = lab_compile(&lab, text, was);
	assert_int_not_equal(port_of(moved, "tap-a1")->gen, port_of(was, "tap-a1")->gen);
	assert_int_equal(port_of(moved, "tap-b1")->gen, port_of(was, "tap-b1")->gen);
	gl_desired_free(moved);
	/* A change of public addresses concerns everybody. */
	memcpy(strstr(text, "10.0.0.101/32"), "10.0.0.100/32", 13);
	memcpy(strstr(text, "203.0.113.7"), "203.0.113.8", 11);
	moved = lab_compile(&lab, text, was);
	assert_int_not_equal(port_of(moved, "tap-a1")->gen, port_of(was, "tap-a1")->gen);
	gl_desired_free(moved);
	free(text);
	gl_desired_free(was);
	gl_desired_free(same);
	lab_clear(&lab);
}

static void test_order_of_names_does_not_matter(void **state)
{
	struct lab lab = LAB(state);
	struct gl_desired *a, *b;

	host(&lab);
	a = lab_compile(&lab, HEAD NET("a", "") NET("b", "") NET("c", ", nat: {addresses: [203.0.113.1]}"), NULL);
	b = lab_compile(&lab, HEAD NET("c", ", nat: {addresses: [203.0.113.1]}") NET("b", "") NET("a", ""), NULL);
	assert_true(same_entries(a, b));
	gl_desired_free(a);
	gl_desired_free(b);
	lab_clear(&lab);
}

static void test_a_tap_that_does_not_exist_is_pending(void **state)
{
	struct lab lab = LAB(state);
	struct gl_desired *d;
	size_t first;

	lab_link(&lab, "eth0", 2, "192.0.2.1/24");
	d = lab_compile(&lab, two_tenants, NULL);
	assert_int_equal(d->pending_count, 3);
	assert_string_equal(d->pending[0], "tap-a1");
	assert_string_equal(d->pending[2], "tap-b1");
	assert_int_equal(d->device_count, 1);
	assert_int_equal(gl_mapset_range(d->entries, GL_MAP_PORT, &first), 1);
	assert_int_equal(gl_mapset_range(d->entries, GL_MAP_L2, &first), 0);
	assert_int_equal(count_of(&lab, d, GL_MAP_HOST4), 0);
	assert_int_equal(count_of(&lab, d, GL_MAP_ALLOW4), 0);
	assert_int_equal(count_of(&lab, d, GL_MAP_FORWARD4), 0);
	assert_null(addr_of(&lab, d, "192.0.2.20", GL_BLOCK_WHOLE));
	assert_int_equal(addr_of(&lab, d, "192.0.2.1", GL_BLOCK_WHOLE)->flags, GL_ADDR_F_NAT | GL_ADDR_F_HOST);
	assert_int_equal(network_of(d, "acme/front")->first_port, GL_NO_SLOT);
	gl_desired_free(d);
	lab_clear(&lab);
}

static const char bridged[] = "version: 1\n"
			      "uplinks: [{name: wan, interface: br0}]\n"
			      "tenants:\n"
			      "  - name: a\n"
			      "    networks:\n"
			      "      - {name: x, mode: bridge, uplink: wan, vlan: 7, subnets: [10.1.0.0/24]}\n"
			      "      - {name: y, mode: routed, uplink: wan, subnets: [192.0.2.128/28]}\n"
			      "    guests:\n"
			      "      - name: g\n"
			      "        interfaces:\n"
			      "          - {tap: t1, mac: '52:54:00:00:00:01', network: x, addresses: [10.1.0.11]}\n"
			      "          - {tap: t2, mac: '52:54:00:00:00:02', network: x, addresses: [10.1.0.12]}\n"
			      "          - {tap: t3, mac: '52:54:00:00:00:03', network: y, addresses: [192.0.2.130], "
			      "allowed_address_pairs: [192.0.2.140/32, 192.0.2.128/28]}\n"
			      "          - {tap: t4, mac: '52:54:00:00:00:04', network: y, addresses: [192.0.2.131], "
			      "allowed_address_pairs: [192.0.2.140/32]}\n";

static void bridge_host(struct lab *lab)
{
	lab_link(lab, "br0", 3, "192.0.2.1/24");
	lab_link(lab, "t1", 21, NULL);
	lab_link(lab, "t2", 22, NULL);
	lab_link(lab, "t3", 23, NULL);
	lab_link(lab, "t4", 24, NULL);
}

static bool takes_mac(const struct gl_desired *d, const uint8_t mac[6])
{
	for (size_t i = 0; i < d->uplink_mac_count; i++)
		if (!memcmp(d->uplink_macs[i].mac, mac, 6))
			return true;
	return false;
}

static void test_bridge_networks_stand_on_the_uplinks_segment(void **state)
{
	struct lab lab = LAB(state);
	struct gl_desired *d;
	struct gl_l2_key l2 = { .segment = GL_SEGMENT(0, 7), .mac = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
	const struct gl_prefix t2 = lab_ip(&lab, "10.1.0.12"), gateway = lab_ip(&lab, "192.0.2.129");
	struct gl_prefix gateways[GL_FAMILIES * GL_NET_GATEWAYS], link_local;
	const uint8_t all_nodes[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	uint8_t solicited[6] = { 0x33, 0x33, 0xff };
	const struct gl_network_val *network;
	const struct gl_l2_val *first;
	const bool six = lab.family == AF_INET6;

	bridge_host(&lab);
	d = lab_compile(&lab, bridged, NULL);
	assert_int_equal(port_of(d, "br0")->flags, GL_PORT_F_SEGMENT | (six ? GL_PORT_F_IPV6 : 0));
	first = value(d, GL_MAP_L2, &l2);
	assert_non_null(first);
	assert_int_equal(first->slot, 21);
	assert_int_equal(port_of(d, "t1")->next_in_segment, 22);
	assert_int_equal(port_of(d, "t2")->next_in_segment, 21);
	assert_int_equal(port_of(d, "t1")->next_in_network, 22);
	assert_int_equal(port_of(d, "t3")->next_in_network, 24);
	assert_int_equal(port_of(d, "t3")->next_in_segment, 23);
	assert_int_equal(port_of(d, "t1")->vlan, 7);
	memcpy(l2.mac, port_of(d, "t2")->mac, 6);
	assert_int_equal(((const struct gl_l2_val *)value(d, GL_MAP_L2, &l2))->slot, 22);
	assert_int_equal(holder_of(d, l2.segment, &t2), 22);
	assert_int_equal(holder_of(d, name_index(d, GL_NAME_NETWORK, "a/x"), &t2), 22);
	link_local = gl_eui64(NULL, l2.mac);
	assert_int_equal(holder_of(d, l2.segment, &link_local), six ? 22 : GL_NO_SLOT);
	assert_int_equal(holder_of(d, name_index(d, GL_NAME_NETWORK, "a/x"), &link_local), six ? 22 : GL_NO_SLOT);
	/* The segment's gateway is not ours, and only its subnet is known. */
	network = network_of(d, "a/x");
	assert_int_equal(gl_gateways_of(network, gateways), 0);
	if (six)
		assert_int_equal(network->gateway6[0].mask_be.w[3], ip("255.255.255.0"));
	else
		assert_int_equal(network->gateway4[0].mask_be, ip("255.255.255.0"));
	assert_int_equal(network->link6_be.w[0], 0);
	network = network_of(d, "a/y");
	assert_int_equal(gl_gateways_of(network, gateways), 1);
	assert_memory_equal(gateways[0].bytes, gateway.bytes, 16);
	assert_int_equal(gateways[0].len, six ? 124 : 28);
	link_local = gl_eui64(NULL, network->gw_mac);
	if (six)
		assert_memory_equal(&network->link6_be, link_local.bytes, 16);
	else
		assert_int_equal(network->link6_be.w[0], 0);
	/* The uplink takes frames for the guests' MACs; of IPv6 those for all nodes, and those that solicit an address.
	 */
	assert_int_equal(d->uplink_mac_count, six ? 10 : 2);
	for (size_t i = 0; i < d->uplink_mac_count; i++)
		assert_int_equal(d->uplink_macs[i].ifindex, 3);
	assert_true(takes_mac(d, port_of(d, "t2")->mac));
	assert_int_equal(takes_mac(d, all_nodes), six);
	memcpy(solicited + 3, t2.bytes + 13, 3);
	assert_int_equal(takes_mac(d, solicited), six);
	gl_desired_free(d);
	lab_clear(&lab);
}

static void test_routed_addresses_are_public_ones(void **state)
{
	struct lab lab = LAB(state);
	struct gl_desired *d;
	const struct gl_public *val;

	bridge_host(&lab);
	d = lab_compile(&lab, bridged, NULL);
	val = addr_of(&lab, d, "192.0.2.130", GL_BLOCK_WHOLE);
	assert_non_null(val);
	assert_int_equal(val->flags, GL_ADDR_F_ROUTED | GL_ADDR_F_ANSWER);
	assert_int_equal(val->slot, 23);
	assert_int_equal(val->gen, port_of(d, "t3")->gen);
	/* Two interfaces may use one further address; the first of the definition gets what is sent there. */
	val = addr_of(&lab, d, "192.0.2.140", GL_BLOCK_WHOLE);
	assert_non_null(val);
	assert_int_equal(val->slot, 23);
	/* A pair that equals the subnet does not take the subnet over. */
	assert_int_equal(route_of(&lab, d, name_index(d, GL_NAME_TENANT, "a"), "192.0.2.128/28")->kind,
			 GL_ROUTE_SUBNET);
	assert_int_equal(count_of(&lab, d, GL_MAP_ROUTE4), 2);
	gl_desired_free(d);
	lab_clear(&lab);
}

static void test_a_pair_of_everything_is_nobodys_default_route(void **state)
{
	struct lab lab = LAB(state);
	struct gl_desired *d;

	host(&lab);
	d = lab_compile(&lab,
			HEAD NET("a", "") "    guests: [{name: g, interfaces: [{tap: tap-a1, mac: "
					  "'52:54:00:00:00:01', network: n, addresses: [10.0.0.2], "
					  "allowed_address_pairs: ['0.0.0.0/0']}]}]\n",
			NULL);
	assert_int_equal(count_of(&lab, d, GL_MAP_ALLOW4), 1);
	assert_int_equal(count_of(&lab, d, GL_MAP_ROUTE4), 1);
	gl_desired_free(d);
	lab_clear(&lab);
}

static void test_slots_are_probed_and_not_reused_at_once(void **state)
{
	static const char head[] = "version: 1\ntenants: [{name: a, networks: [{name: n, mode: isolated, subnets: "
				   "[10.0.0.0/24]}], guests: [{name: g, interfaces: [";
	struct lab lab = LAB(state);
	struct gl_desired *d, *next;
	char text[1024];

	/* Numbers that fall on the same slot, at the array's very end. */
	lab_link(&lab, "t0", GL_PORT_SLOTS - 1, NULL);
	lab_link(&lab, "t1", 2 * GL_PORT_SLOTS - 1, NULL);
	lab_link(&lab, "t2", 3 * GL_PORT_SLOTS - 1, NULL);
	lab_link(&lab, "t3", 4 * GL_PORT_SLOTS - 1, NULL);
	lab_link(&lab, "t4", 5 * GL_PORT_SLOTS - 1, NULL);
#define T(n) "{tap: t" n ", mac: '52:54:00:00:00:0" n "', network: n, addresses: [10.0.0.1" n "]}"
	snprintf(text, sizeof(text), "%s%s]}]}]\n", head, T("0") "," T("1") "," T("2") "," T("3"));
	d = lab_compile(&lab, text, NULL);
	assert_int_equal(slot_of(d, "t0"), GL_PORT_SLOTS - 1);
	assert_int_equal(slot_of(d, "t1"), 0);
	assert_int_equal(slot_of(d, "t2"), 1);
	assert_int_equal(slot_of(d, "t3"), 2);
	/* The ring follows the slots. */
	assert_int_equal(port_of(d, "t3")->next_in_network, GL_PORT_SLOTS - 1);
	/* t0's slot is still in use while t4 comes in its place. */
	snprintf(text, sizeof(text), "%s%s]}]}]\n", head, T("1") "," T("2") "," T("3") "," T("4"));
	lab_refuses(&lab, text, d, 2, "no slot is free for interface t4");
	snprintf(text, sizeof(text), "%s%s]}]}]\n", head, T("1") "," T("3"));
	next = lab_compile(&lab, text, d);
	assert_int_equal(slot_of(next, "t3"), 2);
	gl_desired_free(d);
	d = next;
	snprintf(text, sizeof(text), "%s%s]}]}]\n", head, T("1") "," T("3") "," T("4"));
	next = lab_compile(&lab, text, d);
	assert_int_equal(slot_of(next, "t4"), GL_PORT_SLOTS - 1);
	gl_desired_free(next);
	gl_desired_free(d);
	lab_clear(&lab);
}

static void test_what_only_the_host_can_tell_is_refused_at_its_place(void **state)
{
#define GUEST(tap, ip, more)                                                                                           \
	"    guests: [{name: g, interfaces: [{tap: " tap ", mac: '52:54:00:00:00:01', network: n, addresses: [" ip     \
	"]" more "}]}]\n"
	static const struct {
		const char *text, *words;
		unsigned line;
	} rows[] = {
		{ "version: 1\nuplinks: [{name: wan, interface: eth9}]\n", "no interface eth9", 2 },
		{ "version: 1\nuplinks: [{name: wan, interface: tap-a1}]\ntenants:\n" NET("a", ""),
		  "has no IPv4 address", 5 },
		{ HEAD NET("a", "") GUEST("tap-a1", "10.0.0.2", ", floating_ips: [192.0.2.1]"),
		  "192.0.2.1 is an address of the host itself", 6 },
		{ HEAD NET("a", ", nat: {ports: 1024-1100}") NET("b", ", nat: {ports: 1100-1140}"),
		  "holds no whole block", 7 },
		{ HEAD NET("a", ", nat: {ports: 1024-1087}") NET("b", ", nat: {ports: 1024-1087}"),
		  "whose ports are enough for 1", 7 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lab lab = LAB(state);

		host(&lab);
		if (lab.family == AF_INET6 && strstr(rows[i].words, "IPv4")) {
			/* An uplink may get IPv6 later; until then nothing is translated. */
			struct gl_desired *d = lab_compile(&lab, rows[i].text, NULL);

			assert_int_equal(pool_count(d, "a/n"), 0);
			gl_desired_free(d);
		} else {
			lab_refuses(&lab, rows[i].text, NULL, rows[i].line, rows[i].words);
		}
		lab_clear(&lab);
	}
}

/* Sanitizers make it ten times slower than life; something quadratic would still not end. */
#define TENANTS 2000u

static void test_thousands_of_tenants_compile_in_seconds(void **state)
{
	struct lab lab = LAB(state);
	struct gl_desired *d, *again;
	char *text = NULL, name[16];
	size_t size = 0;
	uint32_t ifindex = 10;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	lab_link(&lab, "eth0", 2, "192.0.2.1/24");
	fputs(HEAD, f);
	for (unsigned t = 0; t < TENANTS; t++) {
		fprintf(f,
			"  - name: tenant%u\n    networks: [{name: n, mode: nat, uplink: wan, subnets: [10.0.0.0/24], "
			"nat: {addresses: [203.0.%u.%u]}}]\n    guests: [{name: g, interfaces: [",
			t, 100 + t / 50 / 200, 1 + t / 50 % 200);
		for (unsigned i = 0; i < 6; i++) {
			snprintf(name, sizeof(name), "t%u-%u", t, i);
			lab_link(&lab, name, ifindex++, NULL);
			fprintf(f, "%s{tap: %s, mac: '52:54:00:00:00:%02x', network: n, addresses: [10.0.0.%u]}",
				i ? ", " : "", name, i, i + 2);
		}
		fputs("]}]\n", f);
	}
	fclose(f);
	d = lab_compile(&lab, text, NULL);
	check_pools(d);
	again = lab_compile(&lab, text, d);
	assert_true(same_entries(d, again));
	assert_int_equal(d->device_count, 6 * TENANTS + 1);
	gl_desired_free(d);
	gl_desired_free(again);
	free(text);
	lab_clear(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_BOTH(test_ports_hold_what_an_established_packet_needs),
		TEST_BOTH(test_every_device_gets_name_and_redirect_target),
		TEST_BOTH(test_routes_join_the_networks_that_are_not_isolated),
		TEST_BOTH(test_generations_follow_what_verdicts_depend_on),
		TEST_BOTH(test_order_of_names_does_not_matter),
		TEST_BOTH(test_a_tap_that_does_not_exist_is_pending),
		TEST_BOTH(test_bridge_networks_stand_on_the_uplinks_segment),
		TEST_BOTH(test_routed_addresses_are_public_ones),
		TEST_BOTH(test_a_pair_of_everything_is_nobodys_default_route),
		TEST_BOTH(test_slots_are_probed_and_not_reused_at_once),
		TEST_BOTH(test_what_only_the_host_can_tell_is_refused_at_its_place),
		TEST_BOTH(test_thousands_of_tenants_compile_in_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
