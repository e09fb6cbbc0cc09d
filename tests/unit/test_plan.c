/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What a plan tells: nothing when nothing differs, each thing once under its own name, and what about it differs. */
#include "lab.h"

#include "loader/plan.h"

static const char base[] = "version: 1\n"
			   "uplinks: [{name: wan, interface: eth0}]\n"
			   "tenants:\n"
			   "  - name: acme\n"
			   "    max_flows: 1000\n"
			   "    networks: [{name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24]}]\n"
			   "    guests:\n"
			   "      - name: web\n"
			   "        interfaces: [{tap: tap-a1, mac: '52:54:00:00:00:01', network: front, addresses: "
			   "[10.0.0.11], floating_ips: [192.0.2.20]}]\n"
			   "        port_forwards: [{proto: tcp, address: 192.0.2.1, port: 8080, to: 80}]\n";

static void host(struct lab *lab)
{
	lab_link(lab, "eth0", 2, "192.0.2.1/24");
	lab_link(lab, "tap-a1", 11, NULL);
}

/* NULL stands for what was never applied. */
static struct gl_plan *plan(const struct gl_desired *was, const struct gl_desired *want)
{
	struct gl_mapset *empty = NULL;
	struct gl_plan *ret = NULL;
	struct gl_plan_in in = { .desired = want };

	assert_int_equal(gl_mapset_new(&empty), 0);
	assert_int_equal(gl_mapset_seal(empty), 0);
	in.live = was ? was->entries : empty;
	if (was) {
		in.tables = was->tables;
		in.table_count = was->table_count;
		in.reserved = was->reserved;
		in.reserved_count = was->reserved_count;
	}
	assert_int_equal(gl_plan_make(&in, &ret), 0);
	gl_mapset_free(empty);
	return ret;
}

static const struct gl_plan_item *item(const struct lab *lab, const struct gl_plan *p, enum gl_action action,
				       const char *kind, const char *text)
{
	const struct gl_plan_item *found = NULL;
	char *name = lab_text(lab, text);

	for (size_t i = 0; i < p->count && !found; i++)
		if (p->items[i].action == action && !strcmp(p->items[i].kind, kind) && !strcmp(p->items[i].name, name))
			found = &p->items[i];
	for (size_t i = 0; i < p->count && !found; i++)
		print_message("%d %s %s: %s\n", p->items[i].action, p->items[i].kind, p->items[i].name,
			      p->items[i].detail);
	if (!found)
		fail_msg("no item %d %s %s", action, kind, name);
	free(name);
	return found;
}

static void assert_detail(const struct lab *lab, const struct gl_plan_item *found, const char *text)
{
	char *detail = lab_text(lab, text);

	assert_string_equal(found->detail, detail);
	free(detail);
}

static void test_the_first_apply_adds_everything_by_name(void **state)
{
	struct lab lab = LAB(state);
	struct gl_desired *d;
	struct gl_plan *p;

	host(&lab);
	d = lab_compile(&lab, base, NULL);
	p = plan(NULL, d);
	assert_int_equal(p->count, 9);
	assert_int_equal(p->map_entries, gl_mapset_count(d->entries));
	assert_detail(&lab, item(&lab, p, GL_ADD, "tenant", "acme"), "max_flows 1000");
	assert_detail(&lab, item(&lab, p, GL_ADD, "network", "acme/front"),
		      "mode nat; uplink wan; gateways 10.0.0.1/24; translates to 192.0.2.1:16384-32767");
	assert_detail(&lab, item(&lab, p, GL_ADD, "interface", "tap-a1"),
		      "network acme/front; guest web; mac 52:54:00:00:00:01; addresses 10.0.0.11; floating IP "
		      "192.0.2.20");
	assert_detail(&lab, item(&lab, p, GL_ADD, "uplink", "wan"), "interface eth0");
	assert_detail(&lab, item(&lab, p, GL_ADD, "public address", "192.0.2.1"),
		      "for translation and port forwards; on uplink wan");
	assert_detail(&lab, item(&lab, p, GL_ADD, "public address", "192.0.2.20"),
		      "for floating IP of tap-a1; on uplink wan; leads to 10.0.0.11");
	assert_detail(&lab, item(&lab, p, GL_ADD, "forward", "192.0.2.1:8080/tcp"),
		      "to 10.0.0.11:80; by tap-a1; on uplink wan");
	item(&lab, p, GL_ADD, "reserved ports", "8080");
	item(&lab, p, GL_ADD, "reserved ports", "16384-32767");
	gl_plan_free(p);
	gl_desired_free(d);
	lab_clear(&lab);
}

static void test_nothing_is_told_when_nothing_differs(void **state)
{
	struct lab lab = LAB(state);
	struct gl_desired *was, *want;
	struct gl_plan *p;

	host(&lab);
	was = lab_compile(&lab, base, NULL);
	want = lab_compile(&lab, base, was);
	p = plan(was, want);
	assert_int_equal(p->count, 0);
	assert_int_equal(p->map_entries, 0);
	gl_plan_free(p);
	gl_desired_free(was);
	gl_desired_free(want);
	lab_clear(&lab);
}

/* `from` in the base definition becomes `to`; one change, and what is told of it. */
static void test_a_change_names_what_was_and_what_will_be(void **state)
{
	static const struct {
		const char *from, *to;
		const char *kind, *name, *detail;
	} rows[] = {
		{ "00:00:01", "00:00:09", "interface", "tap-a1", "mac 52:54:00:00:00:01 -> 52:54:00:00:00:09" },
		{ "name: web", "name: www", "interface", "tap-a1", "guest web -> www" },
		{ "10.0.0.11", "10.0.0.12", "interface", "tap-a1", "addresses 10.0.0.11 -> 10.0.0.12" },
		{ "10.0.0.11]", "10.0.0.11, 10.0.0.12]", "interface", "tap-a1",
		  "addresses 10.0.0.11 -> 10.0.0.11, 10.0.0.12" },
		{ ", floating_ips: [192.0.2.20]", ", allowed_address_pairs: [10.1.0.0/16]", "interface", "tap-a1",
		  "allowed none -> 10.1.0.0/16; floating IP 192.0.2.20 -> none" },
		{ "max_flows: 1000", "max_flows: 2000", "tenant", "acme", "max_flows 1000 -> 2000" },
		{ "mode: nat,", "broadcast: false, mode: nat,", "network", "acme/front", "broadcast on -> off" },
		{ "mode: nat,", "open_to: tenant, mode: nat,", "network", "acme/front", "open to network -> tenant" },
		{ "max_flows: 1000", "max_flows: 1000\n    timeouts: {udp: 15, icmp: 5}", "tenant", "acme",
		  "timeout udp 60 s -> 15 s; timeout icmp 60 s -> 5 s" },
		{ "max_flows: 1000", "max_flows: 1000\n    tcp_pickup: true", "tenant", "acme",
		  "tcp_pickup off -> on" },
		{ "mode: nat,", "mss: path, mode: nat,", "network", "acme/front", "mss keep -> path" },
		{ "mode: nat,", "mss: 1400, mode: nat,", "network", "acme/front", "mss keep -> 1400" },
		{ "mode: nat,", "nat: {mapping: endpoint-independent}, mode: nat,", "network", "acme/front",
		  "mapping endpoint-dependent -> endpoint-independent" },
		{ "to: 80", "to: 81", "forward", "192.0.2.1:8080/tcp", "to 10.0.0.11:80 -> 10.0.0.11:81" },
		{ "subnets: [10.0.0.0/24]", "nat: {ports: 20000-20031}, subnets: [10.0.0.0/24]", "network",
		  "acme/front", "translates to 192.0.2.1:16384-32767 -> 192.0.2.1:20000-20031" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lab lab = LAB(state);
		struct gl_desired *was, *want;
		struct gl_plan *p;
		char text[2048];
		const char *at = strstr(base, rows[i].from);

		assert_non_null(at);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - base), base, rows[i].to, at + strlen(rows[i].from));
		host(&lab);
		was = lab_compile(&lab, base, NULL);
		want = lab_compile(&lab, text, was);
		p = plan(was, want);
		assert_detail(&lab, item(&lab, p, GL_CHANGE, rows[i].kind, rows[i].name), rows[i].detail);
		gl_plan_free(p);
		gl_desired_free(was);
		gl_desired_free(want);
		lab_clear(&lab);
	}
}

#define GROUPS(web, groups)                                                                                            \
	"version: 1\n"                                                                                                 \
	"uplinks: [{name: wan, interface: eth0}]\n"                                                                    \
	"tenants:\n"                                                                                                   \
	"  - name: acme\n"                                                                                             \
	"    security_groups:\n"                                                                                       \
	"      - {name: web, ingress: [" web "]}\n"                                                                    \
	"      - {name: db, ingress: [{proto: tcp, ports: 5432, remote_group: web}], egress: []}\n"                    \
	"      - {name: unused, ingress: [{}]}\n"                                                                      \
	"    networks: [{name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24]}]\n"                              \
	"    guests:\n"                                                                                                \
	"      - name: web\n"                                                                                          \
	"        interfaces: [{tap: tap-a1, mac: '52:54:00:00:00:01', network: front, addresses: [10.0.0.11], "        \
	"security_groups: [" groups "]}]\n"
#define WEB                                                                                                            \
	"{proto: tcp, ports: [443, 80-81, 82]}, {proto: icmp, icmp_type: 8}, {proto: 1, icmp_type: 3, icmp_code: 4}, " \
	"{proto: 47, remote_ip: 192.0.2.0/24}, {remote_ip: 192.0.2.7}"

static void test_new_groups_tell_their_rules(void **state)
{
	struct lab lab = LAB(state);
	struct gl_desired *d;
	struct gl_plan *p;

	host(&lab);
	d = lab_compile(&lab, GROUPS(WEB, "db, web"), NULL);
	p = plan(NULL, d);
	assert_detail(&lab, item(&lab, p, GL_ADD, "security group", "acme/web"),
		      "ingress icmp type 3 code 4, icmp type 8, tcp 80-82, tcp 443, protocol 47 from "
		      "192.0.2.0/24, any from 192.0.2.7; egress all");
	assert_detail(&lab, item(&lab, p, GL_ADD, "security group", "acme/db"), "ingress tcp 5432 from group web");
	assert_non_null(strstr(item(&lab, p, GL_ADD, "interface", "tap-a1")->detail, "; security groups "));
	gl_plan_free(p);
	gl_desired_free(d);
	lab_clear(&lab);
}

static void test_a_changed_rule_is_a_change_of_its_group(void **state)
{
	static const struct {
		const char *text;
		const char *kind, *name, *detail;
		enum gl_action action;
	} rows[] = {
		/* A rule more, one less, one other; in another order there is nothing to tell. */
		{ GROUPS(WEB ", {proto: udp, ports: 53, remote_ip: 10.0.0.0/8}", "db, web"), "security group",
		  "acme/web", "ingress with udp 53 from 10.0.0.0/8", GL_CHANGE },
		{ GROUPS("{proto: tcp, ports: 80-83}", "db, web"), "security group", "acme/web",
		  "ingress without any from 192.0.2.7, without icmp type 3 code 4, without icmp type 8, without "
		  "protocol 47 from 192.0.2.0/24, without tcp 443, without tcp 80-82, with tcp 80-83",
		  GL_CHANGE },
		{ GROUPS(WEB, "web"), "security group", "acme/db", "ingress tcp 5432 from group web", GL_REMOVE },
		{ GROUPS(WEB, "web"), "interface", "tap-a1", "security groups without db", GL_CHANGE },
		{ GROUPS(WEB, "unused, web, db"), "interface", "tap-a1", "security groups with unused", GL_CHANGE },
		{ GROUPS(WEB, "unused, web, db"), "security group", "acme/unused", "ingress any; egress all", GL_ADD },
		/* Without `web` nobody is in it, and the other's rule admits nobody. */
		{ GROUPS(WEB, "db"), "security group", "acme/db", "ingress without tcp 5432 from group web",
		  GL_CHANGE },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lab lab = LAB(state);
		struct gl_desired *was, *want;
		struct gl_plan *p;

		host(&lab);
		was = lab_compile(&lab, GROUPS(WEB, "db, web"), NULL);
		want = lab_compile(&lab, rows[i].text, was);
		p = plan(was, want);
		assert_detail(&lab, item(&lab, p, rows[i].action, rows[i].kind, rows[i].name), rows[i].detail);
		gl_plan_free(p);
		gl_desired_free(was);
		gl_desired_free(want);
		lab_clear(&lab);
	}
}

/* A rule that two groups of an interface share stands in the maps for one of them: that is no news of the other. */
static void test_a_rule_that_another_group_has_too_is_no_change(void **state)
{
	static const char *const groups[] = { "web", "unused, web" };
	struct lab lab = LAB(state);
	struct gl_desired *sets[2];
	struct gl_plan *p;

	host(&lab);
	for (int i = 0; i < 2; i++) {
		char text[2048];

		/* `unused` comes first by its name, and admits the same and more. */
		snprintf(text, sizeof(text), GROUPS("{}, {proto: tcp, ports: 80}", "%s"), groups[i]);
		sets[i] = lab_compile(&lab, text, i ? sets[0] : NULL);
	}
	p = plan(sets[0], sets[1]);
	assert_int_equal(p->count, 2);
	assert_detail(&lab, item(&lab, p, GL_ADD, "security group", "acme/unused"), "ingress any; egress all");
	assert_detail(&lab, item(&lab, p, GL_CHANGE, "interface", "tap-a1"), "security groups with unused");
	gl_plan_free(p);
	p = plan(sets[1], sets[0]);
	assert_int_equal(p->count, 2);
	item(&lab, p, GL_REMOVE, "security group", "acme/unused");
	assert_detail(&lab, item(&lab, p, GL_CHANGE, "interface", "tap-a1"), "security groups without unused");
	gl_plan_free(p);
	gl_desired_free(sets[0]);
	gl_desired_free(sets[1]);
	lab_clear(&lab);
}

static void test_many_rules_are_told_in_few_words(void **state)
{
	struct lab lab = LAB(state);
	struct gl_desired *was, *want;
	struct gl_plan *p;
	char rules[4096] = "", text[8192];

	for (unsigned i = 0; i < 100; i++)
		snprintf(rules + strlen(rules), sizeof(rules) - strlen(rules), "%s{proto: tcp, ports: %u}",
			 i ? ", " : "", 1000 + 2 * i);
	snprintf(text, sizeof(text), GROUPS("%s", "web"), rules);
	host(&lab);
	was = lab_compile(&lab, GROUPS("", "web"), NULL);
	want = lab_compile(&lab, text, was);
	p = plan(was, want);
	assert_int_equal(p->count, 1);
	assert_detail(&lab, item(&lab, p, GL_CHANGE, "security group", "acme/web"),
		      "ingress with tcp 1000, with tcp 1002, with tcp 1004, with tcp 1006, with tcp 1008, with "
		      "tcp 1010, with tcp 1012, with tcp 1014 and 92 more");
	gl_plan_free(p);
	p = plan(NULL, want);
	assert_detail(&lab, item(&lab, p, GL_ADD, "security group", "acme/web"),
		      "ingress tcp 1000, tcp 1002, tcp 1004, tcp 1006, tcp 1008, tcp 1010, tcp 1012, tcp 1014 "
		      "and 92 more; egress all");
	gl_plan_free(p);
	gl_desired_free(was);
	gl_desired_free(want);
	lab_clear(&lab);
}

static void test_a_tap_made_anew_is_a_change_of_one_interface(void **state)
{
	struct lab lab = LAB(state);
	struct gl_desired *was, *want;
	struct gl_plan *p;

	host(&lab);
	was = lab_compile(&lab, base, NULL);
	lab.facts.links[1].ifindex = 99;
	want = lab_compile(&lab, base, was);
	p = plan(was, want);
	assert_int_equal(p->count, 1);
	assert_detail(&lab, item(&lab, p, GL_CHANGE, "interface", "tap-a1"), "ifindex 11 -> 99");
	gl_plan_free(p);
	gl_desired_free(was);
	gl_desired_free(want);
	lab_clear(&lab);
}

static void test_removals_come_first_and_additions_last(void **state)
{
	static const char other[] =
		"version: 1\n"
		"uplinks: [{name: wan, interface: eth0}]\n"
		"tenants:\n"
		"  - name: blue\n"
		"    networks: [{name: front, mode: isolated, subnets: [10.0.0.0/24]}]\n"
		"    guests: [{name: g, interfaces: [{tap: tap-a1, mac: '52:54:00:00:00:01', network: "
		"front, addresses: [10.0.0.11]}, {tap: tap-zz, mac: '52:54:00:00:00:02', network: "
		"front, addresses: [10.0.0.12]}]}]\n";
	static const int rank[] = { [GL_REMOVE] = 0, [GL_CHANGE] = 1, [GL_ADD] = 2 };
	struct gl_plan_extra extras[] = {
		{ GL_ADD, "program", "tap-a1", "XDP, native" },
		{ GL_REMOVE, "program", "tap-old", NULL },
	};
	const char *note = "forwarding is on for lo";
	struct lab lab = LAB(state);
	struct gl_desired *was, *want;
	struct gl_plan *p = NULL;
	struct gl_plan_in in = { .extras = extras, .extra_count = 2, .notes = &note, .note_count = 1 };

	host(&lab);
	was = lab_compile(&lab, base, NULL);
	want = lab_compile(&lab, other, was);
	in.live = was->entries;
	in.desired = want;
	assert_int_equal(gl_plan_make(&in, &p), 0);
	for (size_t i = 1; i < p->count; i++) {
		const struct gl_plan_item *a = &p->items[i - 1], *b = &p->items[i];

		assert_true(rank[a->action] <= rank[b->action]);
		if (a->action == b->action)
			assert_true(strcmp(a->kind, b->kind) < 0 ||
				    (!strcmp(a->kind, b->kind) && strcmp(a->name, b->name) < 0));
	}
	item(&lab, p, GL_REMOVE, "tenant", "acme");
	item(&lab, p, GL_REMOVE, "network", "acme/front");
	item(&lab, p, GL_REMOVE, "forward", "192.0.2.1:8080/tcp");
	item(&lab, p, GL_ADD, "tenant", "blue");
	assert_non_null(
		strstr(item(&lab, p, GL_CHANGE, "interface", "tap-a1")->detail, "network acme/front -> blue/front"));
	assert_detail(&lab, item(&lab, p, GL_ADD, "program", "tap-a1"), "XDP, native");
	assert_detail(&lab, item(&lab, p, GL_REMOVE, "program", "tap-old"), "");
	assert_int_equal(p->pending_count, 1);
	assert_string_equal(p->pending[0], "tap-zz");
	assert_int_equal(p->note_count, 1);
	assert_string_equal(p->notes[0], note);
	gl_plan_free(p);
	gl_desired_free(was);
	gl_desired_free(want);
	lab_clear(&lab);
}

static void test_what_no_item_explains_is_still_told(void **state)
{
	struct lab lab = LAB(state);
	struct gl_desired *was, *want;
	struct gl_plan *p;
	size_t first;

	host(&lab);
	was = lab_compile(&lab, base, NULL);
	want = lab_compile(&lab, base, was);
	/* Somebody wrote into the maps. */
	assert_int_equal(gl_mapset_range(was->entries, GL_MAP_L2, &first), 1);
	((struct gl_l2_val *)gl_mapset_edit(was->entries, first))->slot = 7;
	p = plan(was, want);
	assert_int_equal(p->map_entries, 1);
	assert_int_equal(p->count, 1);
	item(&lab, p, GL_CHANGE, "maps", "1 entry");
	gl_plan_free(p);
	gl_desired_free(was);
	gl_desired_free(want);
	lab_clear(&lab);
}

/* Both families side by side, and what IPv6 alone has. */
static void test_ipv6_is_told_beside_ipv4(void **state)
{
	static const char from[] = "subnets: [10.0.0.0/24]", to[] = "subnets: [10.0.0.0/24, fd00:a::/64], %s";
	static const char six[] = ", slaac], floating_ips: [192.0.2.20, '2001:db8:ff::20']";
	struct lab lab = { 0 };
	struct gl_desired *was, *want;
	char *texts[3], *detail;
	struct gl_plan *p;

	(void)state;
	host(&lab);
	for (int i = 0; i < 3; i++) {
		const char *at = strstr(base, from), *rest = at + strlen(from), *end = strstr(rest, "], floating");
		char subnets[200];

		snprintf(subnets, sizeof(subnets), i ? to : from,
			 i < 2 ? "router_advertisements: {interval: 600}"
			       : "router_advertisements: {mode: managed, interval: 30, lifetime: 0, dns: "
				 "['2001:db8::53']}");
		assert_true(asprintf(&texts[i], "%.*s%s%.*s%s%s", (int)(at - base), base, subnets, (int)(end - rest),
				     rest, i ? six : "], floating_ips: [192.0.2.20]", strchr(end + 3, ']') + 1) > 0);
	}
	was = lab_compile(&lab, texts[0], NULL);
	want = lab_compile(&lab, texts[1], was);
	p = plan(was, want);
	assert_string_equal(item(&lab, p, GL_CHANGE, "network", "acme/front")->detail,
			    "gateways 10.0.0.1/24 -> 10.0.0.1/24, fd00:a::1/64; router advertisements none -> slaac "
			    "every 600 s, lifetime 9000 s, mtu 1500");
	assert_string_equal(item(&lab, p, GL_CHANGE, "interface", "tap-a1")->detail,
			    "addresses 10.0.0.11 -> 10.0.0.11, fd00:a::5054:ff:fe00:1; floating IP 192.0.2.20 -> "
			    "192.0.2.20, 2001:db8:ff::20");
	assert_string_equal(item(&lab, p, GL_ADD, "public address", "2001:db8:ff::20")->detail,
			    "for floating IP of tap-a1; on uplink wan; leads to fd00:a::5054:ff:fe00:1");
	gl_plan_free(p);
	gl_desired_free(was);
	was = want;
	want = lab_compile(&lab, texts[2], was);
	p = plan(was, want);
	assert_int_equal(p->count, 1);
	detail = p->items[0].detail;
	assert_string_equal(detail,
			    "router advertisements slaac every 600 s, lifetime 9000 s, mtu 1500 -> managed every "
			    "30 s, lifetime 0 s, mtu 1500, dns 2001:db8::53");
	gl_plan_free(p);
	gl_desired_free(was);
	gl_desired_free(want);
	for (int i = 0; i < 3; i++)
		free(texts[i]);
	lab_clear(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_BOTH(test_the_first_apply_adds_everything_by_name),
		TEST_BOTH(test_nothing_is_told_when_nothing_differs),
		TEST_BOTH(test_a_change_names_what_was_and_what_will_be),
		TEST_BOTH(test_new_groups_tell_their_rules),
		TEST_BOTH(test_a_changed_rule_is_a_change_of_its_group),
		TEST_BOTH(test_a_rule_that_another_group_has_too_is_no_change),
		TEST_BOTH(test_many_rules_are_told_in_few_words),
		TEST_BOTH(test_a_tap_made_anew_is_a_change_of_one_interface),
		TEST_BOTH(test_removals_come_first_and_additions_last),
		TEST_BOTH(test_what_no_item_explains_is_still_told),
		cmocka_unit_test(test_ipv6_is_told_beside_ipv4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
