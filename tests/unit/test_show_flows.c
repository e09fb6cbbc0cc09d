/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Flows as people and programs see them, and which of them the options mean. */
#include "printed.h"

#include <arpa/inet.h>

#include "cli/show_live.c"
#include "loader/flowfilter.h"

/* Constants, as htonl() is none. */
#define BE32(n) __builtin_bswap32(n)
#define BE16(n) __builtin_bswap16(n)
#define GUEST BE32(0x0a00000b) /* 10.0.0.11 */
#define PUBLIC BE32(0xcb00710a) /* 203.0.113.10 */
#define SERVER BE32(0xc0000250) /* 192.0.2.80 */

static const struct gl_flow_row flows[] = {
	{
		.tenant = "acme",
		.network = "front",
		.tap = "tap-a",
		.proto = IPPROTO_TCP,
		.src_be = GUEST,
		.dst_be = SERVER,
		.sport = 40000,
		.dport = 80,
		.translated = true,
		.nat_src_be = PUBLIC,
		.nat_dst_be = SERVER,
		.nat_sport = 1024,
		.nat_dport = 80,
		.state = "fin_wait",
		.tcp_state = "fin_wait",
		.idle_ms = 2000,
		.age_ms = 192000,
		.packets = 12345,
		.bytes = 1234567,
		.reply_packets = 3,
		.reply_bytes = 120,
		.admitted = { [GL_EGRESS] = { .by = "rule", .group = "app", .rule = 7 } },
	},
	{
		.tenant = "acme",
		.network = "front",
		.tap = "tap-b",
		.proto = IPPROTO_UDP,
		.src_be = GUEST,
		.dst_be = BE32(0x0a00000c),
		.sport = 5000,
		.dport = 53,
		.nat_src_be = GUEST,
		.nat_dst_be = BE32(0x0a00000c),
		.nat_sport = 5000,
		.nat_dport = 53,
		.state = "assured",
		.packets = 1,
		.bytes = 60,
		.admitted = { { .by = "rule", .group = "web", .rule = 2 }, { .by = "all", .group = "app" } },
		.stale = true,
	},
	{
		.tenant = "blue",
		.network = "lab",
		.tap = "tap-c",
		.proto = 47,
		.src_be = GUEST,
		.dst_be = SERVER,
		.nat_src_be = GUEST,
		.nat_dst_be = SERVER,
		.state = "new",
		.admitted = { { .by = "network" }, { .by = "open" } },
	},
};

static struct gl_flow_filter asked;

int gl_each_flow(struct gl_host *host, const struct gl_flow_filter *filter,
		 int (*row)(void *arg, const struct gl_flow_row *), void *arg, struct gl_diag *diag)
{
	int err = 0;

	(void)host, (void)diag;
	asked = *filter;
	for (size_t i = 0; i < sizeof(flows) / sizeof(*flows) && !err; i++)
		err = row(arg, &flows[i]);
	return err;
}

int gl_each_drop(struct gl_host *host, const struct gl_filter *filter,
		 int (*row)(void *arg, const struct gl_drop_row *), void *arg, struct gl_diag *diag)
{
	(void)host, (void)filter, (void)row, (void)arg, (void)diag;
	return 0;
}

int gl_each_counter(struct gl_host *host, const struct gl_filter *filter,
		    int (*row)(void *arg, const struct gl_counter_row *), void *arg, struct gl_diag *diag)
{
	(void)host, (void)filter, (void)row, (void)arg, (void)diag;
	return 0;
}

static void test_table(void **state)
{
	(void)state;
	expect_printed((struct args){ 0 }, show_flows,
		       "TENANT  INTERFACE  PROTO  SOURCE           DESTINATION    TRANSLATED              STATE     "
		       "IDLE    AGE"
		       "  PACKETS  BYTES  REPLIES  BYTES  LET THROUGH BY\n"
		       "acme    tap-a      tcp    10.0.0.11:40000  192.0.2.80:80  from 203.0.113.10:1024  fin_wait    "
		       "2s  3m12s"
		       "    12.3k   1.2M        3    120  app egress 7\n"
		       "acme    tap-b      udp    10.0.0.11:5000   10.0.0.12:53   -                       assured    "
		       "0ms    0ms"
		       "        1     60        0      0  app egress all, web ingress 2 (stale)\n"
		       "blue    tap-c      47     10.0.0.11        192.0.2.80     -                       new        "
		       "0ms    0ms"
		       "        0      0        0      0  egress open, ingress network\n");
}

static void test_json(void **state)
{
	char *text = printed((struct args){ .json = true }, show_flows);
	json_t *doc = json_loads(text, 0, NULL), *first, *second, *want;

	(void)state;
	assert_int_equal(json_array_size(doc), 3);
	first = json_array_get(doc, 0);
	second = json_array_get(doc, 1);
	want = json_pack("{s{snsnsn}s{sssssi}}", "ingress", "by", "group", "rule", "egress", "by", "rule", "group",
			 "app", "rule", 7);
	assert_true(json_equal(json_object_get(first, "admitted"), want));
	json_decref(want);
	want = json_pack("{s{sssssi}s{sssssn}}", "ingress", "by", "rule", "group", "web", "rule", 2, "egress", "by",
			 "all", "group", "app", "rule");
	assert_true(json_equal(json_object_get(second, "admitted"), want));
	json_decref(want);
	assert_true(json_is_false(json_object_get(first, "stale")));
	assert_true(json_is_true(json_object_get(second, "stale")));
	assert_string_equal(json_string_value(json_object_get(first, "tcp_state")), "fin_wait");
	assert_true(json_is_null(json_object_get(second, "tcp_state")));
	assert_int_equal(json_integer_value(json_object_get(first, "bytes")), 1234567);
	assert_int_equal(json_integer_value(json_object_get(first, "reply_bytes")), 120);
	json_decref(doc);
	free(text);
}

/* ---- filters ---------------------------------------------------------------------------------------------- */

static void test_options(void **state)
{
	const struct args args = {
		.tenant = "acme",
		.tap = "tap-a",
		.proto = "udp",
		.src = "10.0.0.0/24",
		.dst = "192.0.2.80",
		.sport = "1024-65535",
		.dport = "53",
		.flow_state = "established,new",
		.group = "web",
	};
	char *text = printed(args, show_flows);

	(void)state;
	free(text);
	assert_string_equal(asked.who.tenant, "acme");
	assert_null(asked.who.network);
	assert_string_equal(asked.who.tap, "tap-a");
	assert_true(asked.proto_given);
	assert_int_equal(asked.proto, IPPROTO_UDP);
	assert_int_equal(asked.src.len, 24);
	assert_int_equal(asked.dst.len, 32);
	assert_int_equal(asked.sport.first, 1024);
	assert_int_equal(asked.sport.last, 65535);
	assert_int_equal(asked.dport.first, 53);
	assert_int_equal(asked.dport.last, 53);
	assert_int_equal(asked.states, 1u << GL_FLOW_ESTABLISHED | 1u << GL_FLOW_NEW);
	assert_string_equal(asked.group, "web");

	free(printed((struct args){ .proto = "0" }, show_flows));
	assert_true(asked.proto_given);
	assert_int_equal(asked.proto, 0);
	free(printed((struct args){ 0 }, show_flows));
	assert_false(asked.proto_given);
	assert_int_equal(asked.src.family, 0);
}

static const struct gl_flow4_key key = {
	.src_be = GUEST, .dst_be = SERVER, .sport_be = BE16(40000), .dport_be = BE16(80), .proto = IPPROTO_TCP
};
static const struct gl_flow4_val val = {
	.state = GL_FLOW_ESTABLISHED,
	.new_src_be = PUBLIC,
	.new_dst_be = SERVER,
	.new_sport_be = BE16(1024),
	.new_dport_be = BE16(80),
	.admitted = { { .group = 3, .number = 1, .how = GL_ADMIT_RULE }, { .group = 4, .how = GL_ADMIT_NETWORK } },
};

/* Do the options leave the flow above? */
static bool passes(struct args args, uint32_t group)
{
	struct cli cli = { .args = args };
	struct gl_flow_filter filter;

	assert_int_equal(cli_flow_filter(&cli, &filter), 0);
	return gl_flow_passes(&filter, group, &key, &val);
}
#define PASSES(...) passes((struct args){ __VA_ARGS__ }, 0)

static void test_filter(void **state)
{
	(void)state;
	assert_true(passes((struct args){ 0 }, 0));
	assert_true(PASSES(.proto = "tcp"));
	assert_false(PASSES(.proto = "udp"));
	assert_true(PASSES(.src = "10.0.0.11"));
	assert_false(PASSES(.src = "10.0.0.12"));
	assert_true(PASSES(.src = "10.0.0.99/24"));
	assert_false(PASSES(.src = "10.0.1.0/24"));
	assert_true(PASSES(.src = "0.0.0.0/0"));
	assert_true(PASSES(.src = "128.0.0.0/1"));
	/* After translation, too, but not half of each. */
	assert_true(PASSES(.src = "203.0.113.10", .sport = "1024"));
	assert_false(PASSES(.src = "203.0.113.10", .sport = "40000"));
	assert_false(PASSES(.src = "10.0.0.11", .sport = "1024"));
	assert_true(PASSES(.sport = "39999-40001", .dport = "80"));
	assert_false(PASSES(.sport = "40001-50000"));
	assert_false(PASSES(.dport = "40000"));
	assert_true(PASSES(.dst = "192.0.2.0/24", .flow_state = "syn_sent,established"));
	assert_false(PASSES(.flow_state = "syn_sent"));
	assert_true(passes((struct args){ 0 }, 3));
	/* Its number stands at the other end, but it was not by the group. */
	assert_false(passes((struct args){ 0 }, 4));
}

static void test_peer(void **state)
{
	struct gl_flow4_key peer = gl_flow_peer(&key, &val);

	(void)state;
	assert_int_equal(peer.src_be, SERVER);
	assert_int_equal(peer.dst_be, PUBLIC);
	assert_int_equal(peer.sport_be, BE16(80));
	assert_int_equal(peer.dport_be, BE16(1024));
	assert_int_equal(peer.proto, IPPROTO_TCP);
	assert_int_equal(gl_flow_dport(IPPROTO_TCP, BE16(80)), 80);
	assert_int_equal(gl_flow_dport(IPPROTO_ICMP, BE16(GL_ICMP_QUERY)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),  cmocka_unit_test(test_json), cmocka_unit_test(test_options),
		cmocka_unit_test(test_filter), cmocka_unit_test(test_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
