/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Does every key of a definition arrive in the model, from YAML and from JSON, with its place? What must not parse is
 * test_bad's business. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/unit/definition.h"

static const char full[] =
	"version: 1\n"
	"uplinks:\n"
	"  - {name: wan, interface: eth0, xdp: native}\n"
	"  - {name: lan, interface: br-1}\n"
	"tenants:\n"
	"  - name: acme\n"
	"    max_flows: 1000\n"
	"    timeouts: {tcp_opening: 10, tcp_established: 2678400, udp_assured: 180, other: 1}\n"
	"    tcp_pickup: true\n"
	"    security_groups:\n"
	"      - name: web\n"
	"        ingress:\n"
	"          - {proto: tcp, ports: [80, 443, 8000-8080]}\n"
	"          - {proto: 17, ports: 53, remote_ip: 10.0.0.0/8}\n"
	"          - {proto: icmp, icmp_type: 8}\n"
	"          - {proto: 1, icmp_type: 3, icmp_code: 4, remote_ip: 192.0.2.1}\n"
	"          - {proto: sctp, remote_group: db}\n"
	"          - {proto: 47}\n"
	"          - {}\n"
	"        egress: []\n"
	"      - {name: db, egress: [{proto: any, remote_group: web}]}\n"
	"      - {name: open}\n"
	"    networks:\n"
	"      - name: front\n"
	"        mode: nat\n"
	"        uplink: wan\n"
	"        subnets: [10.0.0.0/24, 10.0.1.0/25]\n"
	"        gateways: [10.0.1.126]\n"
	"        nat: {addresses: [203.0.113.10-203.0.113.11, 203.0.113.14], ports: [32768-60999, 1024, 2048-2111], "
	"mapping: endpoint-independent}\n"
	"        mss: path\n"
	"        open_to: anywhere\n"
	"        broadcast: false\n"
	"      - {name: desk, mode: bridge, uplink: lan, vlan: 20, mss: 1380, subnets: [192.0.2.0/24]}\n"
	"      - {name: lab, mode: isolated, subnets: [192.168.7.0/24]}\n"
	"    guests:\n"
	"      - name: web1\n"
	"        interfaces:\n"
	"          - tap: tap-web1\n"
	"            mac: 52:54:00:00:00:0A\n"
	"            network: front\n"
	"            addresses: [10.0.0.11, 10.0.1.11]\n"
	"            allowed_address_pairs: [10.0.0.100, 10.9.0.0/16]\n"
	"            floating_ips: [203.0.113.20]\n"
	"            xdp: off\n"
	"            security_groups: [db, web]\n"
	"          - {tap: tap-web1b, mac: 52:54:00:00:00:0b, network: lab, addresses: [192.168.7.9]}\n"
	"        port_forwards:\n"
	"          - {proto: tcp, address: 203.0.113.10, port: 8080, to: 80}\n"
	"          - {proto: 17, address: 203.0.113.11, port: 53, interface: tap-web1}\n"
	"  - name: empty\n";

static void check_span(const struct gl_rule *rule, size_t i, unsigned first, unsigned last)
{
	assert_true(i < rule->port_count);
	assert_int_equal(rule->ports[i].first, first);
	assert_int_equal(rule->ports[i].last, last);
}

static void check_groups(const struct gl_tenant *tenant)
{
	const struct gl_group *web = &tenant->groups[0], *db = &tenant->groups[1], *open = &tenant->groups[2];
	const struct gl_rule *rules = web->rules[GL_INGRESS];
	char buf[50];

	assert_int_equal(tenant->group_count, 3);
	assert_string_equal(web->name.s, "web");
	assert_int_equal(web->rule_count[GL_INGRESS], 7);
	assert_true(web->egress_given); /* and nothing may leave */
	assert_int_equal(web->rule_count[GL_EGRESS], 0);

	assert_false(rules[0].any_proto);
	assert_int_equal(rules[0].proto, IPPROTO_TCP);
	assert_int_equal(rules[0].port_count, 3);
	check_span(&rules[0], 0, 80, 80);
	check_span(&rules[0], 1, 443, 443);
	check_span(&rules[0], 2, 8000, 8080);
	assert_int_equal(rules[0].remote_ip.family, 0);
	assert_null(rules[0].remote_group.s);
	assert_int_equal(rules[1].proto, IPPROTO_UDP);
	check_span(&rules[1], 0, 53, 53);
	assert_string_equal(gl_prefix_format(&rules[1].remote_ip, buf), "10.0.0.0/8");
	assert_int_equal(rules[2].proto, IPPROTO_ICMP);
	assert_int_equal(rules[2].port_count, 1);
	check_span(&rules[2], 0, GL_ICMP_PORT(8, 0), GL_ICMP_PORT(8, 255)); /* any code */
	check_span(&rules[3], 0, GL_ICMP_PORT(3, 4), GL_ICMP_PORT(3, 4));
	assert_string_equal(gl_prefix_format(&rules[3].remote_ip, buf), "192.0.2.1");
	assert_int_equal(rules[4].proto, IPPROTO_SCTP);
	assert_int_equal(rules[4].port_count, 0);
	assert_string_equal(rules[4].remote_group.s, "db");
	assert_false(rules[5].any_proto);
	assert_int_equal(rules[5].proto, IPPROTO_GRE);
	assert_true(rules[6].any_proto);
	assert_int_equal(rules[6].port_count, 0);

	assert_string_equal(db->name.s, "db");
	assert_int_equal(db->rule_count[GL_INGRESS], 0);
	assert_int_equal(db->rule_count[GL_EGRESS], 1);
	assert_true(db->rules[GL_EGRESS][0].any_proto);
	assert_string_equal(db->rules[GL_EGRESS][0].remote_group.s, "web");
	assert_string_equal(open->name.s, "open");
	assert_false(open->egress_given); /* all may leave */
}

static void check_full(const struct gl_definition *def)
{
	static const uint8_t mac[6] = { 0x52, 0x54, 0, 0, 0, 0x0a };
	const struct gl_tenant *tenant = &def->tenants[0];
	const struct gl_network *front = &tenant->networks[0], *desk = &tenant->networks[1];
	const struct gl_interface *first = &tenant->guests[0].interfaces[0];
	const struct gl_port_forward *forwards = tenant->guests[0].forwards;
	char buf[50];

	assert_int_equal(def->uplink_count, 2);
	assert_string_equal(def->uplinks[0].name.s, "wan");
	assert_string_equal(def->uplinks[0].interface.s, "eth0");
	assert_int_equal(def->uplinks[0].xdp, GL_XDP_NATIVE);
	assert_int_equal(def->uplinks[1].xdp, GL_XDP_AUTO);
	assert_int_equal(def->tenant_count, 2);
	assert_string_equal(tenant->name.s, "acme");
	assert_int_equal(tenant->max_flows, 1000);
	assert_int_equal(def->tenants[1].max_flows, GL_FLOWS_DEFAULT);
	assert_int_equal(def->tenants[1].network_count, 0);
	assert_int_equal(tenant->network_count, 3);
	assert_int_equal(tenant->timeout[GL_TIMEOUT_TCP_OPENING], 10);
	assert_int_equal(tenant->timeout[GL_TIMEOUT_TCP_ESTABLISHED], 2678400);
	assert_int_equal(tenant->timeout[GL_TIMEOUT_TCP_CLOSING], 0); /* the default */
	assert_int_equal(tenant->timeout[GL_TIMEOUT_UDP_ASSURED], 180);
	assert_int_equal(tenant->timeout[GL_TIMEOUT_OTHER], 1);
	assert_true(tenant->tcp_pickup);
	assert_false(def->tenants[1].tcp_pickup);
	check_groups(tenant);

	assert_int_equal(front->mode, GL_MODE_NAT);
	assert_string_equal(front->uplink.s, "wan");
	assert_int_equal(front->subnet_count, 2);
	assert_string_equal(gl_prefix_format(&front->subnets[1], buf), "10.0.1.0/25");
	assert_int_equal(front->gateway_count, 1);
	assert_string_equal(gl_prefix_format(&front->gateways[0], buf), "10.0.1.126");
	assert_int_equal(front->nat_address_count, 2);
	assert_string_equal(gl_prefix_format(&front->nat_addresses[0].last, buf), "203.0.113.11");
	assert_memory_equal(front->nat_addresses[1].first.bytes, front->nat_addresses[1].last.bytes, 4);
	assert_int_equal(front->nat_port_count, 3);
	assert_int_equal(front->nat_ports[0].first, 32768);
	assert_int_equal(front->nat_ports[0].last, 60999);
	assert_int_equal(front->nat_ports[1].first, 1024);
	assert_int_equal(front->nat_ports[1].last, 1024);
	assert_int_equal(front->nat_ports[2].last, 2111);
	assert_true(front->endpoint_independent);
	assert_int_equal(front->mss, GL_MSS_PATH);
	assert_int_equal(desk->mss, 1380);
	assert_false(desk->endpoint_independent);
	assert_int_equal(tenant->networks[2].mss, GL_MSS_KEEP);
	assert_int_equal(front->open_to, GL_OPEN_ANYWHERE);
	assert_false(front->broadcast);
	assert_int_equal(front->vlan, 0);
	assert_int_equal(front->vlan_loc.line, 0);

	assert_int_equal(desk->mode, GL_MODE_BRIDGE);
	assert_int_equal(desk->vlan, 20);
	assert_true(desk->broadcast);
	assert_int_equal(desk->open_to, GL_OPEN_NETWORK);
	assert_int_equal(desk->nat_loc.line, 0);
	assert_null(tenant->networks[2].uplink.s);

	assert_int_equal(tenant->guests[0].interface_count, 2);
	assert_string_equal(first->tap.s, "tap-web1");
	assert_memory_equal(first->mac, mac, 6);
	assert_string_equal(first->network.s, "front");
	assert_int_equal(first->address_count, 2);
	assert_int_equal(first->addresses[0].len, 32);
	assert_string_equal(gl_prefix_format(&first->addresses[1], buf), "10.0.1.11");
	assert_int_equal(first->allowed_count, 2);
	assert_int_equal(first->allowed_address_pairs[0].len, 32);
	assert_int_equal(first->allowed_address_pairs[1].len, 16);
	assert_int_equal(first->floating_count, 1);
	assert_int_equal(first->xdp, GL_XDP_OFF);
	assert_int_equal(first[1].xdp, GL_XDP_AUTO);
	assert_int_equal(first->group_count, 2);
	assert_string_equal(first->groups[0].s, "db");
	assert_string_equal(first->groups[1].s, "web");
	assert_int_equal(first[1].group_count, 0);

	assert_int_equal(tenant->guests[0].forward_count, 2);
	assert_int_equal(forwards[0].proto, IPPROTO_TCP);
	assert_int_equal(forwards[0].port, 8080);
	assert_int_equal(forwards[0].to, 80);
	assert_null(forwards[0].interface.s);
	assert_int_equal(forwards[1].proto, IPPROTO_UDP);
	assert_int_equal(forwards[1].to, 53); /* the same port where it is not given */
	assert_string_equal(forwards[1].interface.s, "tap-web1");
}

static void every_key(void **state)
{
	struct gl_definition *def = load_good(full);

	(void)state;
	check_full(def);
	gl_definition_free(def);
}

static void round_trip(void **state)
{
	char *json, *again;
	struct gl_definition *def = load_good(full), *second;

	(void)state;
	json = gl_definition_to_json(def);
	assert_non_null(json);
	second = load_good(json);
	check_full(second);
	again = gl_definition_to_json(second);
	assert_string_equal(json, again);
	free(json);
	free(again);
	gl_definition_free(def);
	gl_definition_free(second);
}

/* What IPv6 adds: keys, defaults and places. */
static void ipv6(void **state)
{
	static const char text[] =
		"version: 1\n"
		"tenants:\n"
		"  - name: acme\n"
		"    networks:\n"
		"      - name: front\n"
		"        mode: isolated\n"
		"        subnets: [10.0.0.0/24, 2001:db8::/64]\n"
		"        router_advertisements:\n"
		"          {mode: managed, dns: [2001:db8::53, 2001:db8::54], interval: 30, lifetime: 0, mtu: 1400}\n"
		"      - {name: back, mode: isolated, subnets: [2001:db8::/64], router_advertisements: {}}\n"
		"      - {name: lab, mode: isolated, subnets: [2001:db8::/64]}\n"
		"    guests:\n"
		"      - name: web1\n"
		"        interfaces:\n"
		"          - tap: tap-web1\n"
		"            mac: 52:54:00:00:00:0a\n"
		"            network: front\n"
		"            addresses: [2001:DB8::0:11, slaac, 10.0.0.11]\n"
		"          - {tap: t2, mac: 52:54:00:00:00:0a, network: lab, addresses: [2001:db8::11]}\n";
	struct gl_definition *def = load_good(text);
	const struct gl_network *front = &def->tenants[0].networks[0], *back = front + 1, *lab = front + 2;
	const struct gl_interface *interface = def->tenants[0].guests[0].interfaces;
	char buf[50];

	(void)state;
	assert_int_equal(front->subnets[1].family, AF_INET6);
	assert_int_equal(front->subnets[1].len, 64);
	assert_int_equal(front->ra.mode, GL_RA_MANAGED);
	assert_int_equal(front->ra.dns_count, 2);
	assert_string_equal(gl_prefix_format(&front->ra.dns[1], buf), "2001:db8::54");
	assert_int_equal(front->ra.interval, 30);
	assert_int_equal(front->ra.lifetime, 0);
	assert_int_equal(front->ra.mtu, 1400);
	assert_int_equal(front->ra.loc.line, 9);
	for (const struct gl_network *network = back; network <= lab; network++) {
		assert_int_equal(network->ra.mode, GL_RA_SLAAC);
		assert_int_equal(network->ra.dns_count, 0);
		assert_int_equal(network->ra.interval, GL_RA_INTERVAL);
		assert_int_equal(network->ra.lifetime, GL_RA_LIFETIME);
		assert_int_equal(network->ra.mtu, 0);
		assert_int_equal(network->ra.loc.line, network == back ? 10 : 0);
	}
	assert_int_equal(interface->address_count, 2);
	assert_string_equal(gl_prefix_format(&interface->addresses[0], buf), "2001:db8::11");
	assert_string_equal(gl_prefix_format(&interface->addresses[1], buf), "10.0.0.11");
	assert_true(interface->slaac);
	assert_int_equal(interface->slaac_loc.line, 18);
	assert_int_equal(interface->slaac_loc.col, 41);
	assert_false(interface[1].slaac);
	gl_definition_free(def);
}

static void same_as_plain(const char *variant)
{
	static const char plain[] = "version: 1\nuplinks:\n  - name: wan\n    interface: eth0\n";
	struct gl_definition *a = load_good(plain), *b = load_good(variant);
	char *first = gl_definition_to_json(a), *second = gl_definition_to_json(b);

	assert_string_equal(first, second);
	free(first);
	free(second);
	gl_definition_free(a);
	gl_definition_free(b);
}

static void notations(void **state)
{
	(void)state;
	same_as_plain("\xef\xbb\xbfversion: 1\r\nuplinks:\r\n  - name: wan # the world\r\n    interface: eth0\r\n");
	same_as_plain("{\"version\":1,\"uplinks\":[{\"name\":\"wan\",\"interface\":\"eth0\"}],\"tenants\":[]}");
	same_as_plain(
		"{\n\t\"version\": 1,\n\t\"uplinks\": [\n\t\t{\"name\": \"wan\", \"interface\": \"eth0\"}\n\t]\n}\n");
	same_as_plain("%YAML 1.1\n---\nversion: 1\nuplinks: [{name: 'wan', interface: \"eth\\x30\"}]\n...\n");
	same_as_plain("uplinks:\n- interface: eth0\n  name: wan\nversion: 1\n");
}

static void anchors_and_merges(void **state)
{
	struct gl_definition *def = load_good("version: 1\n"
					      "uplinks:\n"
					      "  - &base {name: a, interface: eth0, xdp: generic}\n"
					      "  - &more {<<: *base, name: b, interface: eth1}\n"
					      "  - {name: c, <<: [*more, *base], interface: eth2}\n"
					      "  - {<<: [{name: d, interface: eth3}, *base]}\n"
					      "  - {\"name\": e, interface: \"<<\"}\n");
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	static const char *const devices[] = { "eth0", "eth1", "eth2", "eth3", "<<" };

	(void)state;
	assert_int_equal(def->uplink_count, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_string_equal(def->uplinks[i].name.s, names[i]);
		assert_string_equal(def->uplinks[i].interface.s, devices[i]);
		assert_int_equal(def->uplinks[i].xdp, i < 4 ? GL_XDP_GENERIC : GL_XDP_AUTO);
	}
	gl_definition_free(def);
}

static void places(void **state)
{
	struct gl_definition *def =
		load_good("\xef\xbb\xbfversion: 1\n"
			  "tenants: # gr\xc3\xbc\x6e\n"
			  "  - name: a\n"
			  "    networks: [{name: \"n\", mode: isolated, subnets: [10.0.0.0/24, 10.0.1.0/24]}]\n"
			  "    guests:\n"
			  "    - interfaces:\n"
			  "      - {tap: \"\xc3\xbc\", mac: 52:54:00:00:00:01, network: n, addresses: [10.0.0.2]}\n"
			  "      name: g\n");
	const struct gl_tenant *tenant = &def->tenants[0];
	const struct gl_interface *interface = &tenant->guests[0].interfaces[0];

	(void)state;
	assert_string_equal(tenant->loc.file, "test.yaml");
	assert_int_equal(tenant->loc.line, 3);
	assert_int_equal(tenant->loc.col, 5);
	assert_int_equal(tenant->name.loc.col, 11);
	assert_int_equal(tenant->networks[0].loc.line, 4);
	assert_int_equal(tenant->networks[0].loc.col, 16);
	assert_int_equal(tenant->networks[0].subnets[1].loc.col, 67);
	assert_int_equal(tenant->guests[0].name.loc.line, 8);
	assert_int_equal(interface->loc.col, 9);
	assert_int_equal(interface->mac_loc.col, 25); /* columns count characters, not bytes */
	gl_definition_free(def);
}

static void several_files(void **state)
{
	static const char one[] = "version: 1\nuplinks: [{name: wan, interface: eth0}]\ntenants: [{name: a}]\n";
	static const char two[] = "version: 1\ntenants: [{name: b}, {name: c}]\n";
	struct gl_definition *def = NULL;
	struct gl_diag diag = { 0 };

	(void)state;
	assert_int_equal(gl_definition_new(&def), 0);
	assert_int_equal(gl_parse(def, "one.yaml", one, strlen(one), &diag), 0);
	assert_int_equal(gl_parse(def, "two.yaml", two, strlen(two), &diag), 0);
	assert_int_equal(gl_validate(def, &diag), 0);
	assert_int_equal(diag.count, 0);
	assert_int_equal(def->uplink_count, 1);
	assert_int_equal(def->tenant_count, 3);
	assert_string_equal(def->tenants[0].name.s, "a");
	assert_string_equal(def->tenants[2].name.s, "c");
	assert_string_equal(def->tenants[0].loc.file, "one.yaml");
	assert_string_equal(def->tenants[2].loc.file, "two.yaml");
	gl_definition_free(def);
}

/* A thousand findings are kept, the rest counted. */
static void many_errors(void **state)
{
	struct gl_diag diag = { 0 };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	fputs("version: 1\nuplinks:\n", out);
	for (unsigned i = 0; i < 1500; i++)
		fprintf(out, "  - name: u%u\n", i);
	fclose(out);
	assert_null(load_text(text, &diag));
	assert_int_equal(diag.count, 1001);
	assert_int_equal(diag.findings[0].loc.line, 3);
	assert_int_equal(diag.findings[999].loc.line, 1002);
	assert_string_equal(diag.findings[1000].text, "and 500 more");
	assert_null(diag.findings[1000].loc.file);
	gl_diag_clear(&diag);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key),	 cmocka_unit_test(round_trip),	       cmocka_unit_test(ipv6),
		cmocka_unit_test(notations),	 cmocka_unit_test(anchors_and_merges), cmocka_unit_test(places),
		cmocka_unit_test(several_files), cmocka_unit_test(many_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
