/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What a tenant chooses for all of its flows: does it arrive in the maps, and do others keep the defaults? */
#include "lab.h"

static const char text[] =
	"version: 1\n"
	"uplinks: [{name: wan, interface: eth0}]\n"
	"tenants:\n"
	"  - name: acme\n"
	"    timeouts: {tcp_opening: 5, tcp_closed: 1, udp: 15, other: 2678400}\n"
	"    tcp_pickup: true\n"
	"    networks:\n"
	"      - {name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24], mss: path, nat: {addresses: "
	"[203.0.113.1-203.0.113.2], ports: [50000-50063, 2000, 3000-4001]}}\n"
	"      - {name: games, mode: nat, uplink: wan, subnets: [10.0.1.0/24], mss: 1380, nat: {mapping: "
	"endpoint-independent}}\n"
	"  - name: blue\n"
	"    networks: [{name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24]}]\n";

static const void *at(const struct gl_desired *d, enum gl_map_id map, uint32_t index)
{
	const struct gl_entry *entry = gl_mapset_find(d->entries, map, &index);

	assert_non_null(entry);
	return entry->val;
}

static struct gl_desired *compile(struct lab *lab)
{
	lab_link(lab, "eth0", 2, "192.0.2.1/24");
	return lab_compile(lab, text, NULL);
}

static void test_timeouts_are_the_tenants_or_the_defaults(void **state)
{
	static const uint32_t acme[GL_TIMEOUT_COUNT] = {
		[GL_TIMEOUT_TCP_OPENING] = 5,
		[GL_TIMEOUT_TCP_ESTABLISHED] = GL_SECONDS_TCP_ESTABLISHED,
		[GL_TIMEOUT_TCP_CLOSING] = GL_SECONDS_TCP_CLOSING,
		[GL_TIMEOUT_TCP_CLOSED] = 1,
		[GL_TIMEOUT_UDP] = 15,
		[GL_TIMEOUT_UDP_ASSURED] = GL_SECONDS_UDP_ASSURED,
		[GL_TIMEOUT_ICMP] = GL_SECONDS_ICMP,
		[GL_TIMEOUT_OTHER] = GL_SECONDS_MOST,
	};
	static const uint32_t blue[GL_TIMEOUT_COUNT] = {
		[GL_TIMEOUT_TCP_OPENING] = GL_SECONDS_TCP_OPENING,
		[GL_TIMEOUT_TCP_ESTABLISHED] = GL_SECONDS_TCP_ESTABLISHED,
		[GL_TIMEOUT_TCP_CLOSING] = GL_SECONDS_TCP_CLOSING,
		[GL_TIMEOUT_TCP_CLOSED] = GL_SECONDS_TCP_CLOSED,
		[GL_TIMEOUT_UDP] = GL_SECONDS_UDP,
		[GL_TIMEOUT_UDP_ASSURED] = GL_SECONDS_UDP_ASSURED,
		[GL_TIMEOUT_ICMP] = GL_SECONDS_ICMP,
		[GL_TIMEOUT_OTHER] = GL_SECONDS_OTHER,
	};
	struct lab lab = { 0 };
	struct gl_desired *d = compile(&lab);
	const struct gl_tenant_val *val;
	size_t first;

	(void)state;
	assert_int_equal(gl_mapset_range(d->entries, GL_MAP_TENANT, &first), 2);
	val = at(d, GL_MAP_TENANT, name_index(d, GL_NAME_TENANT, "acme"));
	assert_memory_equal(val->timeout, acme, sizeof(acme));
	assert_int_equal(val->flags, GL_TENANT_F_PICKUP | GL_TENANT_F_EIM);
	assert_int_equal(val->max_fragments, GL_FRAGMENTS_TENANT);
	val = at(d, GL_MAP_TENANT, name_index(d, GL_NAME_TENANT, "blue"));
	assert_memory_equal(val->timeout, blue, sizeof(blue));
	assert_int_equal(val->flags, 0);
	assert_int_equal(val->max_fragments, GL_FRAGMENTS_TENANT);
	gl_desired_free(d);
	lab_clear(&lab);
}

/* However many tenants there are, their shares never add up to more than all. */
static void test_fragments_are_shared_out(void **state)
{
	enum { TENANTS = 100 };
	struct lab lab = { 0 };
	struct gl_desired *d;
	char *many = NULL;
	size_t size = 0, first, count;
	uint64_t sum = 0;
	FILE *f = open_memstream(&many, &size);

	(void)state;
	assert_non_null(f);
	fprintf(f, "version: 1\ntenants:\n");
	for (unsigned i = 0; i < TENANTS; i++)
		fprintf(f, "  - name: t%u\n", i);
	fclose(f);
	d = lab_compile(&lab, many, NULL);
	count = gl_mapset_range(d->entries, GL_MAP_TENANT, &first);
	assert_int_equal(count, TENANTS);
	for (size_t i = 0; i < count; i++) {
		const struct gl_tenant_val *val = gl_mapset_at(d->entries, first + i)->val;

		assert_true(val->max_fragments > 0 && val->max_fragments < GL_FRAGMENTS_TENANT);
		sum += val->max_fragments;
	}
	assert_true(sum <= GL_MAX_FRAGMENTS);
	gl_desired_free(d);
	free(many);
	lab_clear(&lab);
}

static void test_networks_hold_segments_and_mappings(void **state)
{
	struct lab lab = { 0 };
	struct gl_desired *d = compile(&lab);
	const struct gl_network_val *val;

	(void)state;
	val = at(d, GL_MAP_NETWORK, name_index(d, GL_NAME_NETWORK, "acme/front"));
	assert_int_equal(val->mss, GL_MSS_PATH);
	assert_int_equal(val->flags, GL_NET_F_BROADCAST);
	val = at(d, GL_MAP_NETWORK, name_index(d, GL_NAME_NETWORK, "acme/games"));
	assert_int_equal(val->mss, 1380);
	assert_int_equal(val->flags, GL_NET_F_BROADCAST | GL_NET_F_EIM);
	val = at(d, GL_MAP_NETWORK, name_index(d, GL_NAME_NETWORK, "blue/front"));
	assert_int_equal(val->mss, GL_MSS_KEEP);
	assert_int_equal(val->flags, GL_NET_F_BROADCAST);
	gl_desired_free(d);
	lab_clear(&lab);
}

/* An entry of the pool for every range, at every address. */
static void test_every_range_stands_at_every_address(void **state)
{
	static const uint16_t ports[3][2] = { { 50000, 50063 }, { 2000, 2000 }, { 3000, 4001 } };
	bool found[2][3] = { { false } };
	struct lab lab = { 0 };
	struct gl_desired *d = compile(&lab);
	const struct gl_network_val *val;

	(void)state;
	val = at(d, GL_MAP_NETWORK, name_index(d, GL_NAME_NETWORK, "acme/front"));
	assert_int_equal(val->pool4_count, 6);
	for (unsigned i = 0; i < val->pool4_count; i++) {
		unsigned address = ntohl(val->pool4[i].addr_be) - ntohl(ip("203.0.113.1")), r = 0;

		assert_true(address < 2);
		while (r < 3 && (ports[r][0] != val->pool4[i].port_min || ports[r][1] != val->pool4[i].port_max))
			r++;
		assert_true(r < 3);
		assert_false(found[address][r]);
		found[address][r] = true;
	}
	gl_desired_free(d);
	lab_clear(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timeouts_are_the_tenants_or_the_defaults),
		cmocka_unit_test(test_fragments_are_shared_out),
		cmocka_unit_test(test_networks_hold_segments_and_mappings),
		cmocka_unit_test(test_every_range_stands_at_every_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
