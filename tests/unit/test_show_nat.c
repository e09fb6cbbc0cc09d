/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Translation as people and programs see it: flows, mappings, public addresses with the ports in use, refusals. */
#include "printed.h"

#include <arpa/inet.h>

#include "cli/show_nat.c"

#define compare compare_names
#include "cli/names.c"
#undef compare
#include "cli/nat_uses.c"

#define MAPPED(addr_be)                                                                                                \
	{                                                                                                              \
		.w = { 0, 0, htonl(0xffff), (addr_be) }                                                                \
	}
/* 2001:db8:n::n */
#define SIX(n)                                                                                                         \
	{                                                                                                              \
		.w = { htonl(0x20010db8), htonl((uint32_t)(n) << 16), 0, htonl(n) }                                    \
	}
#define IP(a, b, c, d) htonl((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

enum { ACME, BLUE };

static void give(int (*row)(void *arg, const char *label, const void *key, const void *val), void *arg,
		 enum gl_name_kind kind, uint32_t index, const char *name)
{
	const struct gl_name_key key = { .kind = kind, .index = index };
	struct gl_name_val val = { 0 };

	snprintf(val.name, sizeof(val.name), "%s", name);
	assert_int_equal(row(arg, "", &key, &val), 0);
}

static uint64_t refused_ns;

int gl_each_entry(struct gl_host *host, enum gl_map_id map,
		  int (*row)(void *arg, const char *label, const void *key, const void *val), void *arg,
		  struct gl_diag *diag)
{
	const struct gl_network_val network = { .mode = GL_MODE_NAT,
						.tenant = ACME,
						.pool4_count = 2,
						.pool4 = { { IP(203, 0, 113, 10), 2000, 2063 },
							   { IP(203, 0, 113, 10), 1024, 1033 } },
						.pool6_count = 1,
						.pool6 = { { SIX(0xf), 1024, 1087 } } };
	const struct gl_port_val port = { .kind = GL_PORT_GUEST, .tenant = ACME, .network = 4 };
	const struct gl_tenant_stat stats[] = { [ACME] = { .nat_exhausted = 12,
							   .nat_exhausted_ns = refused_ns,
							   .nat_src_be = MAPPED(IP(203, 0, 113, 10)),
							   .nat_dst_be = MAPPED(IP(192, 0, 2, 80)),
							   .nat_dport_be = htons(443),
							   .nat_proto = IPPROTO_TCP },
						[BLUE] = { .table_full = 3, .table_full_ns = refused_ns } };
	const uint32_t index = 4, slot = 9;

	(void)host, (void)diag;
	if (map == GL_MAP_NAME) {
		give(row, arg, GL_NAME_TENANT, ACME, "acme");
		give(row, arg, GL_NAME_TENANT, BLUE, "blue");
		give(row, arg, GL_NAME_NETWORK, 4, "acme/front");
		give(row, arg, GL_NAME_UPLINK, 0, "wan");
		give(row, arg, GL_NAME_PORT, 9, "tap-a");
	} else if (map == GL_MAP_PORT) {
		return row(arg, "", &slot, &port);
	} else if (map == GL_MAP_NETWORK) {
		return row(arg, "", &index, &network);
	} else if (map == GL_MAP_FORWARD4) {
		return row(arg, "",
			   &(struct gl_forward4_key){
				   .addr_be = IP(203, 0, 113, 10), .port_be = htons(8080), .proto = IPPROTO_TCP },
			   &(struct gl_forward4_val){
				   .slot = 9, .inner_be = IP(10, 0, 0, 11), .inner_port_be = htons(80) });
	} else if (map == GL_MAP_ADDR4) {
		return row(
			arg, "", &(struct gl_addr4_key){ .addr_be = IP(203, 0, 113, 20), .block = GL_BLOCK_WHOLE },
			&(struct gl_addr4_val){ .flags = GL_ADDR_F_FLOATING, .slot = 9, .inner_be = IP(10, 0, 0, 11) });
	} else if (map == GL_MAP_FORWARD6) {
		return row(
			arg, "",
			&(struct gl_forward6_key){ .addr_be = SIX(0xf), .port_be = htons(8443), .proto = IPPROTO_TCP },
			&(struct gl_forward6_val){ .slot = 9, .inner_be = SIX(0xa), .inner_port_be = htons(443) });
	} else if (map == GL_MAP_ADDR6) {
		return row(arg, "", &(struct gl_addr6_key){ .addr_be = SIX(0xe), .block = GL_BLOCK_WHOLE },
			   &(struct gl_addr6_val){ .flags = GL_ADDR_F_FLOATING, .slot = 9, .inner_be = SIX(0xa) });
	} else if (map == GL_MAP_TENANT_STAT) {
		for (uint32_t tenant = 0; tenant < 2; tenant++)
			assert_int_equal(row(arg, "", &tenant, &stats[tenant]), 0);
	}
	return 0;
}

/* A flow of tap-a to 192.0.2.80, whose source becomes 203.0.113.10:port. */
static int outwards(int (*row)(void *arg, const struct gl_flow_row *), void *arg, uint16_t dport, uint16_t port)
{
	return row(arg, &(struct gl_flow_row){ .tenant = "acme",
					       .network = "front",
					       .tap = "tap-a",
					       .proto = IPPROTO_TCP,
					       .src_be = MAPPED(IP(10, 0, 0, 11)),
					       .dst_be = MAPPED(IP(192, 0, 2, 80)),
					       .sport = 40000,
					       .dport = dport,
					       .translated = port,
					       .nat_src_be = MAPPED(port ? IP(203, 0, 113, 10) : IP(10, 0, 0, 11)),
					       .nat_dst_be = MAPPED(IP(192, 0, 2, 80)),
					       .nat_sport = port ? port : 40000,
					       .nat_dport = dport,
					       .state = "established",
					       .packets = 2,
					       .bytes = 80 });
}

int gl_each_flow(struct gl_host *host, const struct gl_flow_filter *filter,
		 int (*row)(void *arg, const struct gl_flow_row *), void *arg, struct gl_diag *diag)
{
	(void)host, (void)diag;
	if (filter->who.tenant && strcmp(filter->who.tenant, "acme"))
		return 0;
	/* Two on one port, one on each border of the other range, one on nobody's port, one not translated. */
	assert_int_equal(outwards(row, arg, 80, 1024), 0);
	assert_int_equal(outwards(row, arg, 443, 1024), 0);
	assert_int_equal(outwards(row, arg, 81, 2000), 0);
	assert_int_equal(outwards(row, arg, 82, 2063), 0);
	assert_int_equal(outwards(row, arg, 83, 1999), 0);
	assert_int_equal(outwards(row, arg, 84, 0), 0);
	/* Of IPv6, one out and one in. */
	assert_int_equal(row(arg, &(struct gl_flow_row){ .tenant = "acme",
							 .network = "front",
							 .tap = "tap-a",
							 .proto = IPPROTO_UDP,
							 .src_be = SIX(0xa),
							 .dst_be = SIX(0xb),
							 .sport = 40000,
							 .dport = 53,
							 .translated = true,
							 .nat_src_be = SIX(0xf),
							 .nat_dst_be = SIX(0xb),
							 .nat_sport = 1087,
							 .nat_dport = 53,
							 .state = "new" }),
			 0);
	assert_int_equal(row(arg, &(struct gl_flow_row){ .tenant = "acme",
							 .network = "front",
							 .tap = "tap-a",
							 .proto = IPPROTO_TCP,
							 .src_be = SIX(0xb),
							 .dst_be = SIX(0xe),
							 .sport = 50000,
							 .dport = 22,
							 .translated = true,
							 .nat_src_be = SIX(0xb),
							 .nat_dst_be = SIX(0xa),
							 .nat_sport = 50000,
							 .nat_dport = 22,
							 .state = "established" }),
			 0);
	return row(arg, &(struct gl_flow_row){ .tenant = "acme",
					       .network = "front",
					       .tap = "tap-a",
					       .proto = IPPROTO_TCP,
					       .src_be = MAPPED(IP(192, 0, 2, 80)),
					       .dst_be = MAPPED(IP(203, 0, 113, 10)),
					       .sport = 5000,
					       .dport = 8080,
					       .translated = true,
					       .nat_src_be = MAPPED(IP(192, 0, 2, 80)),
					       .nat_dst_be = MAPPED(IP(10, 0, 0, 11)),
					       .nat_sport = 5000,
					       .nat_dport = 80,
					       .state = "syn_sent",
					       .from_uplink = true });
}

int gl_each_mapping(struct gl_host *host, const struct gl_filter *filter,
		    int (*row)(void *arg, const struct gl_mapping_row *), void *arg, struct gl_diag *diag)
{
	(void)host, (void)diag;
	if (filter->tenant && strcmp(filter->tenant, "acme"))
		return 0;
	return row(arg, &(struct gl_mapping_row){ .tenant = "acme",
						  .network = "front",
						  .tap = "tap-a",
						  .proto = IPPROTO_UDP,
						  .inner_be = MAPPED(IP(10, 0, 0, 11)),
						  .inner_port = 5060,
						  .outer_be = MAPPED(IP(203, 0, 113, 10)),
						  .outer_port = 1030,
						  .idle_ms = 4000,
						  .age_ms = 9000 });
}

/* The text from one title to the next. */
static char *section(const char *text, const char *title)
{
	const char *at = strstr(text, title), *end;

	assert_non_null(at);
	end = strstr(at, "\n\n");
	return strndup(at, end ? (size_t)(end - at) + 1 : strlen(at));
}

static void test_table(void **state)
{
	char *text, *part;

	(void)state;
	refused_ns = 0;
	text = printed((struct args){ 0 }, show_nat);
	part = section(text, "Translated flows");
	assert_non_null(strstr(part, "10.0.0.11:40000        203.0.113.10:1024     192.0.2.80:443      -  "));
	assert_non_null(
		strstr(part, "192.0.2.80:5000        -                     203.0.113.10:8080   10.0.0.11:80  "));
	assert_non_null(strstr(part, "[2001:db8:a::a]:40000  [2001:db8:f::f]:1087  [2001:db8:b::b]:53  -  "));
	assert_non_null(
		strstr(part, "[2001:db8:b::b]:50000  -                     [2001:db8:e::e]:22  [2001:db8:a::a]:22"));
	assert_null(strstr(part, "192.0.2.80:84"));
	free(part);
	part = section(text, "Endpoint-independent");
	assert_string_equal(part, "Endpoint-independent mappings\n"
				  "TENANT  INTERFACE  PROTO  SOURCE          BECOMES            IDLE  AGE\n"
				  "acme    tap-a      udp    10.0.0.11:5060  203.0.113.10:1030    4s   9s\n");
	free(part);
	part = section(text, "Public addresses");
	assert_string_equal(part,
			    "Public addresses\n"
			    "KIND      TENANT  NETWORK  INTERFACE  UPLINK  ADDRESS        PROTO  PORTS      TO         "
			    "          FLOWS  PORTS USED\n"
			    "share     acme    front    -          wan     203.0.113.10   -      1024-1033  -          "
			    "              2           2\n"
			    "share     acme    front    -          wan     203.0.113.10   -      2000-2063  -          "
			    "              2           2\n"
			    "share     acme    front    -          wan     2001:db8:f::f  -      1024-1087  -          "
			    "              1           1\n"
			    "forward   acme    front    tap-a      wan     203.0.113.10   tcp    8080       10.0.0.11:8"
			    "0             1           -\n"
			    "forward   acme    front    tap-a      wan     2001:db8:f::f  tcp    8443       [2001:db8:a"
			    "::a]:443      0           -\n"
			    "floating  acme    front    tap-a      wan     203.0.113.20   -      all        10.0.0.11  "
			    "              0           -\n"
			    "floating  acme    front    tap-a      wan     2001:db8:e::e  -      all        2001:db8:a:"
			    ":a            1           -\n");
	free(part);
	part = section(text, "Refused");
	assert_non_null(strstr(part, "acme    NAT_EXHAUSTED       12"));
	assert_non_null(strstr(part, "tcp    203.0.113.10  192.0.2.80:443\n"));
	assert_non_null(strstr(part, "blue    FLOW_TABLE_FULL      3"));
	free(part);
	free(text);
	/* What is a tenant's alone is no interface's. */
	text = printed((struct args){ .tap = "tap-a" }, show_nat);
	assert_null(strstr(text, "Refused"));
	free(text);
	/* No table without rows, but the one that is always there. */
	text = printed((struct args){ .tenant = "none" }, show_nat);
	assert_string_equal(text,
			    "Public addresses\n"
			    "KIND  TENANT  NETWORK  INTERFACE  UPLINK  ADDRESS  PROTO  PORTS  TO  FLOWS  PORTS USED\n");
	free(text);
}

static void test_json(void **state)
{
	static const char *const kinds[] = { "flow",	"flow",	   "flow",     "flow",	   "flow",    "flow",
					     "flow",	"flow",	   "mapping",  "share",	   "share",   "share",
					     "forward", "forward", "floating", "floating", "refused", "refused" };
	struct timespec now;
	char *text;
	json_t *doc, *row;
	struct tm tm;

	(void)state;
	clock_gettime(CLOCK_BOOTTIME, &now);
	refused_ns = (uint64_t)now.tv_sec * 1000000000;
	now.tv_sec = time(NULL);
	text = printed((struct args){ .json = true }, show_nat);
	doc = json_loads(text, 0, NULL);
	assert_int_equal(json_array_size(doc), sizeof(kinds) / sizeof(*kinds));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		assert_string_equal(json_string_value(json_object_get(json_array_get(doc, i), "kind")), kinds[i]);
	row = json_array_get(doc, 5);
	assert_string_equal(json_string_value(json_object_get(row, "nat_src")), "2001:db8:f::f");
	row = json_array_get(doc, 9);
	assert_int_equal(json_integer_value(json_object_get(row, "ports")), 10);
	assert_int_equal(json_integer_value(json_object_get(row, "ports_in_use")), 2);
	row = json_array_get(doc, 11);
	assert_string_equal(json_string_value(json_object_get(row, "address")), "2001:db8:f::f");
	assert_int_equal(json_integer_value(json_object_get(row, "ports_in_use")), 1);
	row = json_array_get(doc, 16);
	assert_int_equal(json_integer_value(json_object_get(row, "count")), 12);
	assert_string_equal(json_string_value(json_object_get(row, "dst")), "192.0.2.80");
	assert_int_equal(json_integer_value(json_object_get(row, "dport")), 443);
	/* The wall's clock: now, give or take what passes meanwhile. */
	assert_non_null(strptime(json_string_value(json_object_get(row, "at")), "%Y-%m-%dT%H:%M:%SZ", &tm));
	assert_true(llabs((long long)timegm(&tm) - (long long)now.tv_sec) <= 60);
	assert_true(json_integer_value(json_object_get(row, "ago_ms")) < 60000);
	assert_true(json_is_null(json_object_get(json_array_get(doc, 17), "dst")));
	json_decref(doc);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_table), cmocka_unit_test(test_json) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
