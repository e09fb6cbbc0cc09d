/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Security groups as people and programs see them: the definition's rules with the flows that they let through. */
#include "printed.h"

#include "cli/show_groups.c"

static struct gl_definition *def;

int show_applied(struct cli *cli, struct gl_host *host, const struct gl_definition **ret)
{
	(void)cli, (void)host;
	*ret = def;
	return 0;
}

static const struct gl_flow_row flows[] = {
	/* app to db, seen by both */
	{ .tenant = "acme",
	  .packets = 5,
	  .bytes = 500,
	  .reply_packets = 4,
	  .reply_bytes = 400,
	  .admitted = { { .by = "rule", .group = "db", .rule = 1 }, { .by = "all", .group = "web" } } },
	{ .tenant = "acme",
	  .packets = 1,
	  .bytes = 60,
	  .admitted = { { .by = "rule", .group = "web", .rule = 2 } },
	  .stale = true },
	/* within one group: one flow of it */
	{ .tenant = "acme",
	  .packets = 2,
	  .bytes = 120,
	  .admitted = { { .by = "rule", .group = "web", .rule = 2 }, { .by = "all", .group = "web" } } },
	/* another tenant's, a rule that is no more, a group that is no more, none at all */
	{ .tenant = "blue", .packets = 7, .admitted = { { .by = "rule", .group = "web", .rule = 1 } } },
	{ .tenant = "acme", .packets = 1, .admitted = { { .by = "rule", .group = "db", .rule = 9 } }, .stale = true },
	{ .tenant = "acme", .packets = 1, .admitted = { { .by = "rule", .group = "gone", .rule = 1 } }, .stale = true },
	{ .tenant = "acme", .packets = 1, .admitted = { { .by = "network" }, { .by = "open" } } },
};

int gl_each_flow(struct gl_host *host, const struct gl_flow_filter *filter,
		 int (*row)(void *arg, const struct gl_flow_row *), void *arg, struct gl_diag *diag)
{
	int err = 0;

	(void)host, (void)diag;
	for (size_t i = 0; i < sizeof(flows) / sizeof(*flows) && !err; i++)
		if (!filter->who.tenant || !strcmp(filter->who.tenant, flows[i].tenant))
			err = row(arg, &flows[i]);
	return err;
}

static const char text[] =
	"version: 1\n"
	"tenants:\n"
	"  - name: blue\n"
	"    security_groups: [{ name: web, ingress: [{ proto: icmp, icmp_type: 8, icmp_code: 0 }] }]\n"
	"  - name: acme\n"
	"    security_groups:\n"
	"      - name: web\n"
	"        ingress:\n"
	"          - { proto: tcp, ports: [80, 8000-8010], remote_ip: 192.0.2.0/24 }\n"
	"          - { remote_group: web }\n"
	"          - { proto: icmp, icmp_type: 3 }\n"
	"      - { name: db, ingress: [{ proto: tcp, ports: 5432, remote_group: web }], egress: [] }\n"
	"    networks: [{ name: lab, mode: isolated, subnets: [10.0.0.0/24] }]\n"
	"    guests:\n"
	"      - name: one\n"
	"        interfaces:\n"
	"          - { tap: t1, mac: \"52:54:00:00:00:01\", network: lab, addresses: [10.0.0.11],"
	" security_groups: [web] }\n"
	"          - { tap: t2, mac: \"52:54:00:00:00:02\", network: lab, addresses: [10.0.0.12],"
	" security_groups: [db, web] }\n";

static void test_table(void **state)
{
	(void)state;
	expect_printed(
		(struct args){ 0 }, show_groups,
		"Groups\n"
		"TENANT  GROUP  INGRESS RULES  EGRESS RULES  FLOWS  STALE  PACKETS  BYTES  MEMBERS\n"
		"acme    db                 1  0                 2      1       10    900  t2\n"
		"acme    web                3  all               3      1       12   1080  t1,t2\n"
		"blue    web                1  all               1      0        7      0  -\n"
		"\n"
		"Rules\n"
		"TENANT  GROUP  DIRECTION  RULE  PROTO  PORTS          REMOTE        FLOWS  STALE  PACKETS  BYTES\n"
		"acme    db     ingress    1     tcp    5432           group web         1      0        9    900\n"
		"acme    web    ingress    1     tcp    80,8000-8010   192.0.2.0/24      0      0        0      0\n"
		"acme    web    ingress    2     any    all            group web         2      1        3    180\n"
		"acme    web    ingress    3     icmp   type 3         any               0      0        0      0\n"
		"acme    web    egress     all   any    all            any               2      0       11   1020\n"
		"blue    web    ingress    1     icmp   type 8 code 0  any               1      0        7      0\n"
		"blue    web    egress     all   any    all            any               0      0        0      0\n");
}

static void test_filters(void **state)
{
	(void)state;
	expect_printed(
		(struct args){ .tap = "t1" }, show_groups,
		"Groups\n"
		"TENANT  GROUP  INGRESS RULES  EGRESS RULES  FLOWS  STALE  PACKETS  BYTES  MEMBERS\n"
		"acme    web                3  all               3      1       12   1080  t1\n"
		"\n"
		"Rules\n"
		"TENANT  GROUP  DIRECTION  RULE  PROTO  PORTS         REMOTE        FLOWS  STALE  PACKETS  BYTES\n"
		"acme    web    ingress    1     tcp    80,8000-8010  192.0.2.0/24      0      0        0      0\n"
		"acme    web    ingress    2     any    all           group web         2      1        3    180\n"
		"acme    web    ingress    3     icmp   type 3        any               0      0        0      0\n"
		"acme    web    egress     all   any    all           any               2      0       11   1020\n");
	expect_printed(((struct args){ .tenant = "blue", .group = "db" }), show_groups,
		       "Groups\n"
		       "TENANT  GROUP  INGRESS RULES  EGRESS RULES  FLOWS  STALE  PACKETS  BYTES  MEMBERS\n");
}

static void test_json(void **state)
{
	char *got = printed((struct args){ .json = true, .tenant = "acme", .group = "web" }, show_groups);
	json_t *doc = json_loads(got, 0, NULL), *row = json_array_get(doc, 0);
	json_t *want = json_pack("{ssssss sisn sisisisi s[ss]}", "kind", "group", "tenant", "acme", "group", "web",
				 "ingress_rules", 3, "egress_rules", "flows", 3, "stale_flows", 1, "packets", 12,
				 "bytes", 1080, "members", "t1", "t2");

	(void)state;
	assert_int_equal(json_array_size(doc), 5);
	assert_true(json_equal(row, want));
	json_decref(want);
	want = json_pack("{ssssss sssi ss s[ss] snsn sssn sisisisi}", "kind", "rule", "tenant", "acme", "group", "web",
			 "direction", "ingress", "rule", 1, "proto", "tcp", "ports", "80", "8000-8010", "icmp_type",
			 "icmp_code", "remote_ip", "192.0.2.0/24", "remote_group", "flows", 0, "stale_flows", 0,
			 "packets", 0, "bytes", 0);
	assert_true(json_equal(json_array_get(doc, 1), want));
	json_decref(want);
	json_decref(doc);
	free(got);
}

static int load(void **state)
{
	(void)state;
	def = load_good(text);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	gl_definition_free(def);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
