/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* From definitions as text to map entries: what each part of a definition becomes, what stays as it is when others
 * come and go, and what is refused. */
#include "lab.h"

static const char two_tenants[] = "version: 1\n"
				  "uplinks: [{name: wan, interface: eth0}]\n"
				  "tenants:\n"
				  "  - name: acme\n"
				  "    networks:\n"
				  "      - {name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24]}\n"
				  "      - {name: lab, mode: isolated, subnets: [192.168.7.0/24]}\n"
				  "    guests:\n"
				  "      - name: web\n"
				  "        interfaces:\n"
				  "          - {tap: tap-a1, mac: '52:54:00:00:00:01', network: front, "
				  "addresses: [10.0.0.11, 10.0.0.12, 10.0.0.13, 10.0.0.14, 10.0.0.15], "
				  "allowed_address_pairs: [10.0.0.100/32, 172.16.0.0/16]}\n"
				  "          - {tap: tap-a2, mac: '52:54:00:00:00:02', network: lab, "
				  "addresses: [192.168.7.2]}\n"
				  "        port_forwards: [{proto: tcp, address: 192.0.2.1, port: 8080, to: 80}]\n"
				  "  - name: blue\n"
				  "    max_flows: 1000\n"
				  "    networks: [{name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24]}]\n"
				  "    guests:\n"
				  "      - name: db\n"
				  "        interfaces: [{tap: tap-b1, mac: '52:54:00:00:00:01', network: front, "
				  "addresses: [10.0.0.11], floating_ips: [192.0.2.20, 203.0.113.7]}]\n";

static void host(struct lab *lab)
{
	lab_link(lab, "eth0", 2, "192.0.2.1/24 198.51.100.9/32");
	lab_link(lab, "tap-a1", 11, NULL)->xdp_out = true;
	lab_link(lab, "tap-a2", 12, NULL)->mtu = 9000;
	lab_link(lab, "tap-b1", 13, NULL);
}

static void test_ports_hold_what_an_established_packet_needs(void **state)
{
	struct lab lab = { 0 };
	struct gl_desired *d;
	const struct gl_port_val *a1, *a2, *b1, *up;

	(void)state;
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
	assert_int_equal(a1->flags, GL_PORT_F_MORE_ADDRS | GL_PORT_F_XDP_OUT);
	assert_int_equal(a1->mode, GL_MODE_NAT);
	assert_int_equal(a1->addr_count, 4);
	assert_int_equal(a1->addr_be[0], ip("10.0.0.11"));
	assert_int_equal(a1->addr_be[3], ip("10.0.0.14"));
	assert_int_equal(a1->uplink_slot, slot_of(d, "eth0"));
	assert_int_equal(a1->next_in_network, 11);
	assert_int_equal(a1->floating_be, 0);
	assert_int_equal(a2->mode, GL_MODE_ISOLATED);
	assert_int_equal(a2->uplink, GL_NO_UPLINK);
	assert_int_equal(a2->uplink_slot, GL_NO_SLOT);
	assert_int_equal(a2->mtu, 9000);
	assert_int_equal(a2->flags, 0);
	assert_int_equal(b1->floating_be, ip("192.0.2.20"));

	assert_int_equal(up->kind, GL_PORT_UPLINK);
	assert_int_equal(up->gen, 0);
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
	struct lab lab = { 0 };
	struct gl_desired *d;
	size_t first;

	(void)state;
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
	assert_int_equal(d->table_count, 2);
	assert_int_equal(d->tables[name_index(d, GL_NAME_TENANT, "blue")].max_flows, 1000);
	assert_int_equal(d->tables[name_index(d, GL_NAME_TENANT, "acme")].max_flows, GL_FLOWS_DEFAULT);
	assert_int_equal(d->pending_count, 0);
	gl_desired_free(d);
	lab_clear(&lab);
}

static void test_routes_join_the_networks_that_are_not_isolated(void **state)
{
	struct lab lab = { 0 };
	struct gl_desired *d;
	size_t first;
	uint32_t acme;
	struct gl_route4_key key = { .prefixlen = 32 + 24, .addr_be = ip("10.0.0.0") };
	const struct gl_route4_val *val;

	(void)state;
	host(&lab);
	d = lab_compile(&lab, two_tenants, NULL);
	acme = name_index(d, GL_NAME_TENANT, "acme");
	/* Two subnets, two allowed pairs; the isolated network has none. */
	assert_int_equal(gl_mapset_range(d->entries, GL_MAP_ROUTE4, &first), 4);
	key.tenant_side_be = htonl(GL_TENANT_SIDE(acme, 0));
	val = value(d, GL_MAP_ROUTE4, &key);
	assert_non_null(val);
	assert_int_equal(val->kind, GL_ROUTE_SUBNET);
	assert_int_equal(val->target, name_index(d, GL_NAME_NETWORK, "acme/front"));
	key.prefixlen = 32 + 32;
	key.addr_be = ip("10.0.0.100");
	val = value(d, GL_MAP_ROUTE4, &key);
	assert_non_null(val);
	assert_int_equal(val->kind, GL_ROUTE_PORT);
	assert_int_equal(val->target, slot_of(d, "tap-a1"));
	/* The fifth address and both pairs are in the trie of sources. */
	assert_int_equal(gl_mapset_range(d->entries, GL_MAP_ALLOW4, &first), 3);
	assert_int_equal(gl_mapset_range(d->entries, GL_MAP_L2, &first), 3);
	assert_int_equal(gl_mapset_range(d->entries, GL_MAP_HOST4, &first), 7);
	gl_desired_free(d);
	lab_clear(&lab);
}

static void test_public_addresses_say_whose_they_are(void **state)
{
	struct lab lab = { 0 };
	struct gl_desired *d;
	const struct gl_addr4_val *val;
	struct gl_forward4_key key = { .addr_be = ip("192.0.2.1"), .port_be = htons(8080), .proto = IPPROTO_TCP };
	const struct gl_forward4_val *forward;

	(void)state;
	host(&lab);
	d = lab_compile(&lab, two_tenants, NULL);
	val = addr4_of(d, "192.0.2.1", GL_BLOCK_WHOLE);
	assert_non_null(val);
	assert_int_equal(val->flags, GL_ADDR_F_NAT | GL_ADDR_F_FORWARD | GL_ADDR_F_HOST);
	val = addr4_of(d, "192.0.2.20", GL_BLOCK_WHOLE);
	assert_non_null(val);
	assert_int_equal(val->flags, GL_ADDR_F_FLOATING | GL_ADDR_F_ANSWER);
	assert_int_equal(val->slot, slot_of(d, "tap-b1"));
	assert_int_equal(val->inner_be, ip("10.0.0.11"));
	assert_int_equal(val->tenant, name_index(d, GL_NAME_TENANT, "blue"));
	assert_int_equal(val->gen, port_of(d, "tap-b1")->gen);
	val = addr4_of(d, "203.0.113.7", GL_BLOCK_WHOLE);
	assert_non_null(val);
	assert_int_equal(val->flags, GL_ADDR_F_FLOATING);
	/* The host's other addresses are known as such: guests do not reach them. */
	val = addr4_of(d, "198.51.100.9", GL_BLOCK_WHOLE);
	assert_non_null(val);
	assert_int_equal(val->flags, GL_ADDR_F_HOST);

	forward = value(d, GL_MAP_FORWARD4, &key);
	assert_non_null(forward);
	assert_int_equal(forward->slot, slot_of(d, "tap-a1"));
	assert_int_equal(forward->inner_be, ip("10.0.0.11"));
	assert_int_equal(forward->inner_port_be, htons(80));
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

/* Every pool has its blocks in gl_addr4 under its tenant, and no block has two tenants (a map holds one). */
static void check_pools(const struct gl_desired *d)
{
	size_t first, count = gl_mapset_range(d->entries, GL_MAP_NETWORK, &first);

	for (size_t i = first; i < first + count; i++) {
		const struct gl_network_val *val = gl_mapset_at(d->entries, i)->val;

		for (unsigned j = 0; j < val->pool_count; j++) {
			assert_true(val->pool[j].port_min && val->pool[j].port_min <= val->pool[j].port_max);
			for (unsigned block = val->pool[j].port_min >> GL_NAT_BLOCK_SHIFT;
			     block <= val->pool[j].port_max >> GL_NAT_BLOCK_SHIFT; block++) {
				struct gl_addr4_key key = { .addr_be = val->pool[j].addr_be,
							    .block = block,
							    .uplink = val->uplink };
				const struct gl_addr4_val *owner = value(d, GL_MAP_ADDR4, &key);

				assert_non_null(owner);
				assert_int_equal(owner->tenant, val->tenant);
			}
		}
	}
}

static void test_tenants_on_one_address_get_blocks_of_their_own(void **state)
{
	struct lab lab = { 0 };
	struct gl_desired *d;
	const struct gl_network_val *acme, *blue;

	(void)state;
	host(&lab);
	d = lab_compile(&lab, two_tenants, NULL);
	acme = network_of(d, "acme/front");
	blue = network_of(d, "blue/front");
	assert_int_equal(acme->pool_count, 1);
	assert_int_equal(acme->pool[0].addr_be, ip("192.0.2.1"));
	assert_int_equal(acme->pool[0].port_max - acme->pool[0].port_min + 1, GL_NAT_SHARE_BLOCKS * 64);
	assert_int_equal(blue->pool[0].port_max - blue->pool[0].port_min + 1, GL_NAT_SHARE_BLOCKS * 64);
	assert_int_equal(acme->pool[0].port_min, 16384);
	assert_int_equal(blue->pool[0].port_min, 16384 + 1024);
	check_pools(d);
	gl_desired_free(d);
	lab_clear(&lab);
}

#define NET(tenant, nat)                                                                                               \
	"  - name: " tenant "\n"                                                                                       \
	"    networks: [{name: n, mode: nat, uplink: wan, subnets: [10.0.0.0/24]" nat "}]\n"
#define HEAD "version: 1\nuplinks: [{name: wan, interface: eth0}]\ntenants:\n"

static void test_several_ranges_of_ports(void **state)
{
	static const char two[] = ", nat: {addresses: [203.0.113.1, 203.0.113.2], ports: [40000-40009, 30000-30127]}";
	char text[1024];
	struct lab lab = { 0 };
	struct gl_desired *d;
	const struct gl_network_val *net;

	(void)state;
	host(&lab);
	/* Alone: each range of each address, a guest's ranges side by side. */
	snprintf(text, sizeof(text), "%s" NET("a", "%s"), HEAD, two);
	d = lab_compile(&lab, text, NULL);
	net = network_of(d, "a/n");
	assert_int_equal(net->pool_count, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(net->pool[i].addr_be, ip(i < 2 ? "203.0.113.1" : "203.0.113.2"));
		assert_int_equal(net->pool[i].port_min, i % 2 ? 30000 : 40000);
		assert_int_equal(net->pool[i].port_max, i % 2 ? 30127 : 40009);
	}
	check_pools(d);
	gl_desired_free(d);
	/* One address shared: there it is one run of whole blocks out of the ranges, the other stays as it is. */
	snprintf(text, sizeof(text),
		 "%s" NET("a", "%s") NET("b", ", nat: {addresses: [203.0.113.1], ports: 30000-30400}"), HEAD, two);
	d = lab_compile(&lab, text, NULL);
	net = network_of(d, "a/n");
	assert_int_equal(net->pool_count, 3);
	assert_int_equal(net->pool[0].addr_be, ip("203.0.113.1"));
	assert_int_equal(net->pool[0].port_min, 30016);
	assert_int_equal(net->pool[0].port_max, 30079);
	assert_int_equal(net->pool[1].addr_be, ip("203.0.113.2"));
	assert_int_equal(net->pool[2].addr_be, ip("203.0.113.2"));
	assert_int_equal(net->pool[3].addr_be, 0);
	net = network_of(d, "b/n");
	assert_int_equal(net->pool_count, 1);
	assert_true(net->pool[0].port_min > 30079);
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

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lab lab = { 0 };
		struct gl_desired *d;
		const struct gl_network_val *net;
		size_t first, count, blocks;

		host(&lab);
		d = lab_compile(&lab, rows[i].text, NULL);
		net = network_of(d, "a/n");
		assert_int_equal(net->pool[0].port_min, rows[i].min);
		assert_int_equal(net->pool[0].port_max, rows[i].max);
		blocks = 0;
		count = gl_mapset_range(d->entries, GL_MAP_ADDR4, &first);
		for (size_t j = first; j < first + count; j++) {
			const struct gl_addr4_key *key = gl_mapset_at(d->entries, j)->key;

			blocks += key->block != GL_BLOCK_WHOLE;
		}
		assert_int_equal(blocks, rows[i].blocks);
		check_pools(d);
		gl_desired_free(d);
		lab_clear(&lab);
	}
}

static void test_the_hosts_own_addresses_are_marked(void **state)
{
	struct lab lab = { 0 };
	struct gl_desired *d;
	size_t first;

	(void)state;
	host(&lab);
	lab_link(&lab, "lo", 1, "127.0.0.1/8");
	/* No network uses the uplink: guests still do not reach the host. */
	d = lab_compile(&lab, "version: 1\nuplinks: [{name: wan, interface: eth0}]\n", NULL);
	assert_int_equal(gl_mapset_range(d->entries, GL_MAP_ADDR4, &first), 3);
	assert_int_equal(addr4_of(d, "127.0.0.1", GL_BLOCK_WHOLE)->flags, GL_ADDR_F_HOST);
	assert_int_equal(addr4_of(d, "192.0.2.1", GL_BLOCK_WHOLE)->flags, GL_ADDR_F_HOST);
	assert_int_equal(addr4_of(d, "198.51.100.9", GL_BLOCK_WHOLE)->flags, GL_ADDR_F_HOST);
	gl_desired_free(d);
	lab_clear(&lab);
}

static void test_the_default_range_steps_aside_for_forwards(void **state)
{
	struct lab lab = { 0 };
	struct gl_desired *d;
	const struct gl_network_val *net;

	(void)state;
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
	net = network_of(d, "a/n");
	assert_int_equal(net->pool[0].port_min, 8128);
	assert_int_equal(net->pool[0].port_max, 59967);
	check_pools(d);
	gl_desired_free(d);
	lab_clear(&lab);
}

static void test_shares_stay_when_tenants_come_and_go(void **state)
{
	struct lab lab = { 0 };
	struct gl_desired *one, *two, *three, *again;

	(void)state;
	host(&lab);
	one = lab_compile(&lab, HEAD NET("b", ""), NULL);
	assert_int_equal(network_of(one, "b/n")->pool[0].port_max, 32767);
	/* Another comes, first by name: b keeps its first blocks and its number. */
	two = lab_compile(&lab, HEAD NET("a", "") NET("b", ""), one);
	assert_int_equal(network_of(two, "b/n")->pool[0].port_min, 16384);
	assert_int_equal(network_of(two, "b/n")->pool[0].port_max, 16384 + 1023);
	assert_int_equal(network_of(two, "a/n")->pool[0].port_min, 16384 + 1024);
	assert_int_equal(name_index(two, GL_NAME_TENANT, "b"), name_index(one, GL_NAME_TENANT, "b"));
	check_pools(two);
	/* b goes and c comes: a stays, c gets b's ports but not b's number. */
	three = lab_compile(&lab, HEAD NET("a", "") NET("c", ""), two);
	assert_int_equal(network_of(three, "a/n")->pool[0].port_min, 16384 + 1024);
	assert_int_equal(network_of(three, "c/n")->pool[0].port_min, 16384);
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
	struct lab lab = { 0 };
	struct gl_desired *few = NULL, *most = NULL, *again;
	char *text = many_tenants(100, 0, "");

	(void)state;
	host(&lab);
	few = lab_compile(&lab, text, NULL);
	assert_int_equal(network_of(few, "t7/n")->pool[0].port_max - network_of(few, "t7/n")->pool[0].port_min + 1,
			 128);
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
	struct lab lab = { 0 };
	char *all = many_tenants(64, 0, ""), *some = many_tenants(5, 10, "");
	struct gl_desired *was, *now, *again;

	(void)state;
	host(&lab);
	was = lab_compile(&lab, all, NULL);
	now = lab_compile(&lab, some, was);
	assert_int_equal(network_of(now, "t10/n")->pool[0].port_min, network_of(was, "t10/n")->pool[0].port_min);
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

static void test_generations_follow_what_verdicts_depend_on(void **state)
{
	struct lab lab = { 0 };
	struct gl_desired *was, *same, *moved;
	char *text;

	(void)state;
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
	struct lab lab = { 0 };
	struct gl_desired *a, *b;

	(void)state;
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
	struct lab lab = { 0 };
	struct gl_desired *d;
	size_t first;

	(void)state;
	lab_link(&lab, "eth0", 2, "192.0.2.1/24");
	d = lab_compile(&lab, two_tenants, NULL);
	assert_int_equal(d->pending_count, 3);
	assert_string_equal(d->pending[0], "tap-a1");
	assert_string_equal(d->pending[2], "tap-b1");
	assert_int_equal(d->device_count, 1);
	assert_int_equal(gl_mapset_range(d->entries, GL_MAP_PORT, &first), 1);
	assert_int_equal(gl_mapset_range(d->entries, GL_MAP_L2, &first), 0);
	assert_int_equal(gl_mapset_range(d->entries, GL_MAP_HOST4, &first), 0);
	assert_int_equal(gl_mapset_range(d->entries, GL_MAP_ALLOW4, &first), 0);
	assert_int_equal(gl_mapset_range(d->entries, GL_MAP_FORWARD4, &first), 0);
	assert_null(addr4_of(d, "192.0.2.20", GL_BLOCK_WHOLE));
	assert_int_equal(addr4_of(d, "192.0.2.1", GL_BLOCK_WHOLE)->flags, GL_ADDR_F_NAT | GL_ADDR_F_HOST);
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

static void test_bridge_networks_stand_on_the_uplinks_segment(void **state)
{
	struct lab lab = { 0 };
	struct gl_desired *d;
	struct gl_l2_key l2 = { .segment = GL_SEGMENT(0, 7), .mac = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
	struct gl_host4_key host4 = { .segment = GL_SEGMENT(0, 7), .addr_be = ip("10.1.0.12") };
	const struct gl_l2_val *first;

	(void)state;
	bridge_host(&lab);
	d = lab_compile(&lab, bridged, NULL);
	assert_int_equal(port_of(d, "br0")->flags, GL_PORT_F_SEGMENT);
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
	assert_int_equal(((const struct gl_host4_val *)value(d, GL_MAP_HOST4, &host4))->slot, 22);
	host4.segment = name_index(d, GL_NAME_NETWORK, "a/x");
	assert_int_equal(((const struct gl_host4_val *)value(d, GL_MAP_HOST4, &host4))->slot, 22);
	assert_int_equal(network_of(d, "a/x")->gateway[0].addr_be, 0);
	assert_int_equal(network_of(d, "a/x")->gateway[0].mask_be, ip("255.255.255.0"));
	assert_int_equal(network_of(d, "a/y")->gateway[0].addr_be, ip("192.0.2.129"));
	assert_int_equal(d->uplink_mac_count, 2);
	assert_int_equal(d->uplink_macs[0].ifindex, 3);
	assert_int_equal(d->uplink_macs[1].mac[5], 2);
	gl_desired_free(d);
	lab_clear(&lab);
}

static void test_routed_addresses_are_public_ones(void **state)
{
	struct lab lab = { 0 };
	struct gl_desired *d;
	struct gl_route4_key key = { .prefixlen = 32 + 28, .addr_be = ip("192.0.2.128") };
	const struct gl_addr4_val *val;
	size_t first;

	(void)state;
	bridge_host(&lab);
	d = lab_compile(&lab, bridged, NULL);
	val = addr4_of(d, "192.0.2.130", GL_BLOCK_WHOLE);
	assert_non_null(val);
	assert_int_equal(val->flags, GL_ADDR_F_ROUTED | GL_ADDR_F_ANSWER);
	assert_int_equal(val->slot, 23);
	assert_int_equal(val->gen, port_of(d, "t3")->gen);
	/* Two interfaces may use one further address; the first of the definition gets what is sent there. */
	val = addr4_of(d, "192.0.2.140", GL_BLOCK_WHOLE);
	assert_non_null(val);
	assert_int_equal(val->slot, 23);
	/* A pair that equals the subnet does not take the subnet over. */
	assert_int_equal(((const struct gl_route4_val *)value(d, GL_MAP_ROUTE4, &key))->kind, GL_ROUTE_SUBNET);
	assert_int_equal(gl_mapset_range(d->entries, GL_MAP_ROUTE4, &first), 2);
	gl_desired_free(d);
	lab_clear(&lab);
}

static void test_a_pair_of_everything_is_nobodys_default_route(void **state)
{
	struct lab lab = { 0 };
	struct gl_desired *d;
	size_t first;

	(void)state;
	host(&lab);
	d = lab_compile(&lab,
			HEAD NET("a", "") "    guests: [{name: g, interfaces: [{tap: tap-a1, mac: "
					  "'52:54:00:00:00:01', network: n, addresses: [10.0.0.2], "
					  "allowed_address_pairs: [0.0.0.0/0]}]}]\n",
			NULL);
	assert_int_equal(gl_mapset_range(d->entries, GL_MAP_ALLOW4, &first), 1);
	assert_int_equal(gl_mapset_range(d->entries, GL_MAP_ROUTE4, &first), 1);
	gl_desired_free(d);
	lab_clear(&lab);
}

static void test_slots_are_probed_and_not_reused_at_once(void **state)
{
	static const char head[] = "version: 1\ntenants: [{name: a, networks: [{name: n, mode: isolated, subnets: "
				   "[10.0.0.0/24]}], guests: [{name: g, interfaces: [";
	struct lab lab = { 0 };
	struct gl_desired *d, *next;
	char text[1024];

	(void)state;
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

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lab lab = { 0 };

		host(&lab);
		lab_refuses(&lab, rows[i].text, NULL, rows[i].line, rows[i].words);
		lab_clear(&lab);
	}
}

/* Sanitizers make it ten times slower than life; something quadratic would still not end. */
#define TENANTS 2000u

static void test_thousands_of_tenants_compile_in_seconds(void **state)
{
	struct lab lab = { 0 };
	struct gl_desired *d, *again;
	char *text = NULL, name[16];
	size_t size = 0;
	uint32_t ifindex = 10;
	FILE *f = open_memstream(&text, &size);

	(void)state;
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
		cmocka_unit_test(test_ports_hold_what_an_established_packet_needs),
		cmocka_unit_test(test_every_device_gets_name_and_redirect_target),
		cmocka_unit_test(test_routes_join_the_networks_that_are_not_isolated),
		cmocka_unit_test(test_public_addresses_say_whose_they_are),
		cmocka_unit_test(test_tenants_on_one_address_get_blocks_of_their_own),
		cmocka_unit_test(test_several_ranges_of_ports),
		cmocka_unit_test(test_one_tenant_alone_gets_the_range_as_it_stands),
		cmocka_unit_test(test_the_hosts_own_addresses_are_marked),
		cmocka_unit_test(test_the_default_range_steps_aside_for_forwards),
		cmocka_unit_test(test_shares_stay_when_tenants_come_and_go),
		cmocka_unit_test(test_an_address_is_shared_down_to_a_block_each),
		cmocka_unit_test(test_freed_shares_are_grown_into_once),
		cmocka_unit_test(test_generations_follow_what_verdicts_depend_on),
		cmocka_unit_test(test_order_of_names_does_not_matter),
		cmocka_unit_test(test_a_tap_that_does_not_exist_is_pending),
		cmocka_unit_test(test_bridge_networks_stand_on_the_uplinks_segment),
		cmocka_unit_test(test_routed_addresses_are_public_ones),
		cmocka_unit_test(test_a_pair_of_everything_is_nobodys_default_route),
		cmocka_unit_test(test_slots_are_probed_and_not_reused_at_once),
		cmocka_unit_test(test_what_only_the_host_can_tell_is_refused_at_its_place),
		cmocka_unit_test(test_thousands_of_tenants_compile_in_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
