/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A definition of two tenants and the host it is for, for the tests of the compiler. Neighbour: lab.h. */
#ifndef GL_TEST_TWO_TENANTS_H
#define GL_TEST_TWO_TENANTS_H

#include "lab.h"

#define NET(tenant, nat)                                                                                               \
	"  - name: " tenant "\n"                                                                                       \
	"    networks: [{name: n, mode: nat, uplink: wan, subnets: [10.0.0.0/24]" nat "}]\n"
#define HEAD "version: 1\nuplinks: [{name: wan, interface: eth0}]\ntenants:\n"

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

static inline void host(struct lab *lab)
{
	lab_link(lab, "eth0", 2, "192.0.2.1/24 198.51.100.9/32");
	lab_link(lab, "tap-a1", 11, NULL)->xdp_out = true;
	lab_link(lab, "tap-a2", 12, NULL)->mtu = 9000;
	lab_link(lab, "tap-b1", 13, NULL);
}

/* Every pool has its blocks in gl_addr4 or gl_addr6 under its tenant, and no block has two tenants (a map holds one).
 */
static inline void check_pools(const struct gl_desired *d)
{
	size_t first, count = gl_mapset_range(d->entries, GL_MAP_NETWORK, &first);
	struct gl_pool_range pools[GL_FAMILIES * GL_NET_POOL];

	for (size_t i = first; i < first + count; i++) {
		const struct gl_network_val *val = gl_mapset_at(d->entries, i)->val;
		unsigned used = gl_pools_of(val, pools);

		for (unsigned j = 0; j < used; j++) {
			assert_true(pools[j].min && pools[j].min <= pools[j].max);
			for (unsigned block = pools[j].min >> GL_NAT_BLOCK_SHIFT;
			     block <= (unsigned)pools[j].max >> GL_NAT_BLOCK_SHIFT; block++) {
				const struct gl_public key = { .addr = pools[j].addr,
							       .block = (uint16_t)block,
							       .uplink = (uint8_t)val->uplink };
				const struct gl_entry *entry = find_ip(d, gl_public_entry(&key));

				assert_non_null(entry);
				assert_int_equal(gl_public_of(entry).tenant, val->tenant);
			}
		}
	}
}

#endif
