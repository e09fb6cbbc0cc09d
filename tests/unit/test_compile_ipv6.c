/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What IPv6 alone has: advertisements byte for byte, addresses that a MAC gives, link-local ones, uplinks whose
 * addresses come and go. What both families have is in test_compile.c and test_compile_nat.c. */
#include "lab.h"

#define GUEST                                                                                                          \
	"    guests: [{name: g, interfaces: [{tap: t1, mac: '52:54:00:00:00:01', network: n, addresses: [%s]%s}]}]\n"

/* One network of mode `mode` with `more`, and one guest in it. */
static char *one(const char *mode, const char *subnets, const char *more, const char *addresses, const char *pairs)
{
	char *text = NULL;
	const char *uplink = strcmp(mode, "isolated") ? ", uplink: wan" : "";

	assert_true(asprintf(&text,
			     "version: 1\nuplinks: [{name: wan, interface: eth0}]\ntenants:\n  - name: a\n"
			     "    networks: [{name: n, mode: %s%s, subnets: [%s]%s}]\n" GUEST,
			     mode, uplink, subnets, more, addresses, pairs) > 0);
	return text;
}

static struct gl_desired *compile_one(struct lab *lab, const char *mode, const char *subnets, const char *more,
				      const char *addresses, const char *pairs)
{
	char *text = one(mode, subnets, more, addresses, pairs);
	struct gl_desired *d = lab_compile(lab, text, NULL);

	free(text);
	return d;
}

static struct gl_prefix ip6(const char *text)
{
	struct gl_prefix p = { .family = AF_INET6, .len = 128 };

	assert_int_equal(inet_pton(AF_INET6, text, p.bytes), 1);
	return p;
}

static void add_address(struct gl_link *link, const char *addr, uint8_t len, bool passing)
{
	link->addrs = realloc(link->addrs, (link->addr_count + 1) * sizeof(*link->addrs));
	assert_non_null(link->addrs);
	link->addrs[link->addr_count] = (struct gl_link_addr){ .addr = ip6(addr), .passing = passing };
	link->addrs[link->addr_count++].addr.len = len;
}

static void host(struct lab *lab)
{
	struct gl_link *wan = lab_link(lab, "eth0", 2, "192.0.2.1/24");

	add_address(wan, "fe80::1", 64, true);
	add_address(wan, "2001:db8:ff::99", 64, true);
	add_address(wan, "2001:db8:ff::1", 64, false);
	lab_link(lab, "t1", 11, NULL);
}

static const struct gl_ra_val *ra_of(const struct gl_desired *d)
{
	struct gl_ra_key key = { .network = name_index(d, GL_NAME_NETWORK, "a/n") };

	return value(d, GL_MAP_RA, &key);
}

/* The sum as a receiver adds it up, whatever the order of bytes. */
static uint32_t plain_sum(const uint8_t *bytes, size_t len)
{
	uint64_t sum = 0;
	uint16_t word;

	for (size_t i = 0; i < len; i += sizeof(word)) {
		memcpy(&word, bytes + i, sizeof(word));
		sum += word;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

static void test_an_advertisement_byte_for_byte(void **state)
{
	struct lab lab = { 0 };
	struct gl_desired *d;
	const struct gl_ra_val *ra;
	uint8_t gw[GL_MAC_LEN];

	(void)state;
	host(&lab);
	d = compile_one(
		&lab, "nat", "10.0.0.0/24, fd00:a::/64, fd00:b::/80",
		", router_advertisements: {dns: ['2001:db8::53', '2001:db8::54'], interval: 900, lifetime: 1800, "
		"mtu: 1400}",
		"10.0.0.2, slaac", "");
	ra = ra_of(d);
	assert_non_null(ra);
	gl_gateway_mac("a", "n", gw);
	{
		const uint8_t body[] = {
			134,  0, 0,	0,     64,    0,     0x07,  0x08,  0,	 0,    0,    0,	   0, 0, 0,    0,
			1,    1, gw[0], gw[1], gw[2], gw[3], gw[4], gw[5], 5,	 1,    0,    0,	   0, 0, 0x05, 0x78,
			3,    4, 64,	0xc0,  0,     0x27,  0x8d,  0,	   0,	 0x09, 0x3a, 0x80, 0, 0, 0,    0,
			0xfd, 0, 0,	0x0a,  0,     0,     0,	    0,	   0,	 0,    0,    0,	   0, 0, 0,    0,
			3,    4, 80,	0x80,  0,     0x27,  0x8d,  0,	   0,	 0x09, 0x3a, 0x80, 0, 0, 0,    0,
			0xfd, 0, 0,	0x0b,  0,     0,     0,	    0,	   0,	 0,    0,    0,	   0, 0, 0,    0,
			25,   5, 0,	0,     0,     0,     0x0a,  0x8c,  0x20, 1,    0x0d, 0xb8, 0, 0, 0,    0,
			0,    0, 0,	0,     0,     0,     0,	    0x53,  0x20, 1,    0x0d, 0xb8, 0, 0, 0,    0,
			0,    0, 0,	0,     0,     0,     0,	    0x54,
		};

		assert_int_equal(ra->len, sizeof(body));
		assert_memory_equal(ra->body, body, sizeof(body));
	}
	assert_int_equal(ra->interval, 900);
	assert_int_equal(ra->sum, plain_sum(ra->body, ra->len));
	gl_desired_free(d);
	lab_clear(&lab);
}

/* Where `from` is written, one of its kinds of option stands or not. */
static const uint8_t *option_of(const struct gl_ra_val *ra, uint8_t type)
{
	for (unsigned at = 16; at < ra->len; at += 8 * ra->body[at + 1])
		if (ra->body[at] == type)
			return ra->body + at;
	return NULL;
}

static void test_what_an_advertisement_says_by_mode_and_devices(void **state)
{
	static const struct {
		const char *mode, *more;
		uint32_t uplink_mtu, tap_mtu;
		bool there;
		uint8_t flags;
		uint16_t lifetime;
		uint32_t mtu; /* 0: not told */
		uint8_t prefix_flags;
	} rows[] = {
		{ "nat", "", 1500, 1500, true, 0, GL_RA_LIFETIME, 1500, 0xc0 },
		{ "routed", "", 1400, 1500, true, 0, GL_RA_LIFETIME, 1400, 0xc0 },
		{ "nat", "", 9000, 1300, true, 0, GL_RA_LIFETIME, 1300, 0xc0 },
		{ "nat", "", 1000, 1500, true, 0, GL_RA_LIFETIME, 0, 0xc0 },
		{ "isolated", "", 1400, 9000, true, 0, 0, 9000, 0xc0 },
		{ "nat", ", router_advertisements: {mode: managed}", 1500, 1500, true, 0xc0, GL_RA_LIFETIME, 1500,
		  0x80 },
		{ "nat", ", router_advertisements: {lifetime: 0}", 1500, 1500, true, 0, 0, 1500, 0xc0 },
		{ "nat", ", router_advertisements: {mode: off}", 1500, 1500, false, 0, 0, 0, 0 },
		{ "bridge", "", 1500, 1500, false, 0, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lab lab = { 0 };
		struct gl_desired *d;
		const struct gl_ra_val *ra;
		const uint8_t *option;

		host(&lab);
		lab.facts.links[0].mtu = rows[i].uplink_mtu;
		lab.facts.links[1].mtu = rows[i].tap_mtu;
		d = compile_one(&lab, rows[i].mode, "fd00:a::/64", rows[i].more, "fd00:a::2", "");
		ra = ra_of(d);
		assert_int_equal(ra != NULL, rows[i].there);
		if (ra) {
			assert_int_equal(ra->body[5], rows[i].flags);
			assert_int_equal(ra->body[6] << 8 | ra->body[7], rows[i].lifetime);
			option = option_of(ra, 5);
			assert_int_equal(option != NULL, rows[i].mtu != 0);
			if (option)
				assert_int_equal(option[6] << 8 | option[7], rows[i].mtu);
			option = option_of(ra, 3);
			assert_non_null(option);
			assert_int_equal(option[3], rows[i].prefix_flags);
			assert_null(option_of(ra, 25));
			assert_int_equal(ra->interval, GL_RA_INTERVAL);
			assert_int_equal(ra->sum, plain_sum(ra->body, ra->len));
		}
		gl_desired_free(d);
		lab_clear(&lab);
	}
}

static void test_no_verdict_depends_on_advertisements(void **state)
{
	struct lab lab = { 0 };
	struct gl_desired *was, *now;

	(void)state;
	host(&lab);
	was = compile_one(&lab, "nat", "fd00:a::/64", "", "slaac", "");
	now = compile_one(&lab, "nat", "fd00:a::/64", ", router_advertisements: {interval: 4}", "slaac", "");
	assert_memory_not_equal(ra_of(was), ra_of(now), sizeof(struct gl_ra_val));
	assert_int_equal(port_of(was, "t1")->gen, port_of(now, "t1")->gen);
	gl_desired_free(was);
	gl_desired_free(now);
	lab_clear(&lab);
}

static void test_addresses_that_a_mac_gives(void **state)
{
	struct lab lab = { 0 };
	struct gl_prefix first = ip6("fd00:a::5054:ff:fe00:1"), second = ip6("fd00:c::5054:ff:fe00:1"),
			 link_local = ip6("fe80::5054:ff:fe00:1");
	struct gl_desired *d;
	const struct gl_port_val *port;
	uint32_t network;

	(void)state;
	host(&lab);
	/* A prefix that is not of 64 bits gives none. */
	d = compile_one(&lab, "routed", "fd00:a::/64, fd00:b::/80, fd00:c::/64", "", "'fd00:a::7', slaac",
			", allowed_address_pairs: ['fe80::/10']");
	port = port_of(d, "t1");
	network = name_index(d, GL_NAME_NETWORK, "a/n");
	assert_int_equal(port->addr_count, 0);
	assert_int_equal(port->addr6_count, 3);
	assert_memory_equal(&port->addr6_be[1], first.bytes, 16);
	assert_memory_equal(&port->addr6_be[2], second.bytes, 16);
	assert_memory_equal(&port->link6_be, link_local.bytes, 16);
	assert_int_equal(port->flags, GL_PORT_F_IPV6 | GL_PORT_F_MORE_ADDRS6);
	assert_int_equal(holder_of(d, network, &first), 11);
	assert_int_equal(holder_of(d, network, &second), 11);
	assert_int_equal(holder_of(d, network, &link_local), 11);
	/* Three subnets; what is link-local is routed nowhere. */
	lab.family = AF_INET6;
	assert_int_equal(count_of(&lab, d, GL_MAP_ROUTE4), 3);
	assert_int_equal(count_of(&lab, d, GL_MAP_ALLOW4), 1);
	assert_int_equal(d->table_count, 2);
	gl_desired_free(d);
	lab_clear(&lab);
}

static uint32_t flags_of(const struct gl_desired *d, const char *addr)
{
	const struct gl_public key = { .addr = ip6(addr), .block = GL_BLOCK_WHOLE };
	const struct gl_entry *entry = find_ip(d, gl_public_entry(&key));

	return entry ? gl_public_of(entry).flags : 0;
}

static void test_networks_translate_to_the_uplinks_lasting_address(void **state)
{
	struct lab lab = { 0 };
	struct gl_prefix want = ip6("2001:db8:ff::1");
	struct gl_pool_range pools[GL_FAMILIES * GL_NET_POOL];
	struct gl_desired *d;

	(void)state;
	host(&lab);
	d = compile_one(&lab, "nat", "10.0.0.0/24, fd00:a::/64", "", "10.0.0.2, slaac", "");
	assert_int_equal(pools_of(d, "a/n", pools), 2);
	assert_int_equal(pools[0].addr.family, AF_INET);
	assert_int_equal(gl_prefix_compare(&pools[1].addr, &want), 0);
	assert_int_equal(flags_of(d, "2001:db8:ff::1"), GL_ADDR_F_HOST | GL_ADDR_F_NAT);
	/* The others are the host's as long as it has them; link-local ones count where they can be met. */
	assert_int_equal(flags_of(d, "2001:db8:ff::99"), GL_ADDR_F_HOST);
	assert_int_equal(flags_of(d, "fe80::1"), GL_ADDR_F_HOST);
	gl_desired_free(d);
	/* A family that the network does not have is translated to nothing, unless asked for. */
	d = compile_one(&lab, "nat", "fd00:a::/64", "", "slaac", "");
	assert_int_equal(pools_of(d, "a/n", pools), 1);
	assert_int_equal(pools[0].addr.family, AF_INET6);
	gl_desired_free(d);
	d = compile_one(&lab, "nat", "10.0.0.0/24", "", "10.0.0.2", "");
	assert_int_equal(pools_of(d, "a/n", pools), 1);
	assert_int_equal(pools[0].addr.family, AF_INET);
	assert_int_equal(flags_of(d, "2001:db8:ff::1"), 0);
	gl_desired_free(d);
	/* An address of the one family that is given leaves the other's default. */
	d = compile_one(&lab, "nat", "10.0.0.0/24, fd00:a::/64", ", nat: {addresses: ['2001:db8:ee::1']}",
			"10.0.0.2, slaac", "");
	assert_int_equal(pools_of(d, "a/n", pools), 2);
	assert_int_equal(flags_of(d, "2001:db8:ee::1"), GL_ADDR_F_NAT);
	gl_desired_free(d);
	/* Without IPv6 on the uplink there is nothing to translate to, and all else works. */
	lab.facts.links[0].addr_count = 3;
	d = compile_one(&lab, "nat", "10.0.0.0/24, fd00:a::/64", "", "10.0.0.2, slaac", "");
	assert_int_equal(pools_of(d, "a/n", pools), 1);
	gl_desired_free(d);
	lab_clear(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_advertisement_byte_for_byte),
		cmocka_unit_test(test_what_an_advertisement_says_by_mode_and_devices),
		cmocka_unit_test(test_no_verdict_depends_on_advertisements),
		cmocka_unit_test(test_addresses_that_a_mac_gives),
		cmocka_unit_test(test_networks_translate_to_the_uplinks_lasting_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
