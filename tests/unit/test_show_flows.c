/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Flows as people and programs see them, and which of them the options mean. */
#include "printed.h"

#include <arpa/inet.h>

#include "cli/show_live.c"
#include "loader/flowfilter.h"

/* Constants, as htonl() is none. */
#define BE32(n) __builtin_bswap32(n)
#define BE16(n) __builtin_bswap16(n)
#define V4(n)                                                                                                          \
	{                                                                                                              \
		{                                                                                                      \
			0, 0, BE32(0xffff), BE32(n)                                                                    \
		}                                                                                                      \
	}
#define V6(n)                                                                                                          \
	{                                                                                                              \
		{                                                                                                      \
			BE32(0x20010db8), BE32((n) << 16), 0, BE32(n)                                                  \
		}                                                                                                      \
	}
#define GUEST V4(0x0a00000b) /* 10.0.0.11 */
#define PUBLIC V4(0xcb00710a) /* 203.0.113.10 */
#define SERVER V4(0xc0000250) /* 192.0.2.80 */

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
		.dst_be = V4(0x0a00000c),
		.sport = 5000,
		.dport = 53,
		.nat_src_be = GUEST,
		.nat_dst_be = V4(0x0a00000c),
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
	{
		.tenant = "blue",
		.network = "lab",
		.tap = "tap-c",
		.proto = IPPROTO_TCP,
		.src_be = V6(0xa), /* 2001:db8:a::a */
		.dst_be = V6(0xb),
		.sport = 50000,
		.dport = 443,
		.translated = true,
		.nat_src_be = V6(0xc),
		.nat_dst_be = V6(0xd),
		.nat_sport = 1025,
		.nat_dport = 8443,
		.state = "established",
		.tcp_state = "established",
		.admitted = { { .by = "public" }, { .by = "open" } },
	},
	{
		.tenant = "blue",
		.network = "lab",
		.tap = "tap-c",
		.proto = IPPROTO_ICMPV6,
		.src_be = V6(0xa),
		.dst_be = V6(0xb),
		.sport = 77,
		.nat_src_be = V6(0xa),
		.nat_dst_be = V6(0xb),
		.nat_sport = 77,
		.state = "assured",
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
		       "TENANT  INTERFACE  PROTO   SOURCE                 DESTINATION          "
		       "TRANSLATED                                         STATE        IDLE    AGE  PACKETS  BYTES  "
		       "REPLIES  BYTES  LET THROUGH BY\n"
		       "acme    tap-a      tcp     10.0.0.11:40000        192.0.2.80:80        "
		       "from 203.0.113.10:1024                             fin_wait       2s  3m12s    12.3k   1.2M  "
		       "      3    120  app egress 7\n"
		       "acme    tap-b      udp     10.0.0.11:5000         10.0.0.12:53         "
		       "-                                                  assured       0ms    0ms        1     60  "
		       "      0      0  app egress all, web ingress 2 (stale)\n"
		       "blue    tap-c      47      10.0.0.11              192.0.2.80           "
		       "-                                                  new           0ms    0ms        0      0  "
		       "      0      0  egress open, ingress network\n"
		       "blue    tap-c      tcp     [2001:db8:a::a]:50000  [2001:db8:b::b]:443  "
		       "from [2001:db8:c::c]:1025 to [2001:db8:d::d]:8443  established   0ms    0ms        0      0  "
		       "      0      0  egress open, ingress public\n"
		       "blue    tap-c      icmpv6  [2001:db8:a::a]:77     2001:db8:b::b        "
		       "-                                                  assured       0ms    0ms        0      0  "
		       "      0      0  egress open, ingress network\n");
}

static void test_json(void **state)
{
	char *text = printed((struct args){ .json = true }, show_flows);
	json_t *doc = json_loads(text, 0, NULL), *first, *second, *want;

	(void)state;
	assert_int_equal(json_array_size(doc), 5);
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
	/* Addresses are text of their own family, whatever stands beside them. */
	for (size_t i = 0; i < 4; i++) {
		static const char *const keys[] = { "src", "dst", "nat_src", "nat_dst" };
		static const char *const four[] = { "10.0.0.11", "192.0.2.80", "203.0.113.10", "192.0.2.80" };
		static const char *const six[] = { "2001:db8:a::a", "2001:db8:b::b", "2001:db8:c::c", "2001:db8:d::d" };

		assert_string_equal(json_string_value(json_object_get(first, keys[i])), four[i]);
		assert_string_equal(json_string_value(json_object_get(json_array_get(doc, 3), keys[i])), six[i]);
	}
	assert_string_equal(json_string_value(json_object_get(json_array_get(doc, 4), "proto")), "icmpv6");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(doc, 4), "dport")), 0);
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

/* The same flow in both families' tables: from a guest, whose source is translated, to a server. */
#define ENTRY(n, guest, server, public)                                                                                \
	static const struct gl_flow##n##_key key##n = { .src_be = guest,                                               \
							.dst_be = server,                                              \
							.sport_be = BE16(40000),                                       \
							.dport_be = BE16(80),                                          \
							.scope = 7,                                                    \
							.proto = IPPROTO_TCP };                                        \
	static const struct gl_flow##n##_val val##n = {                                                                \
		.gen = 1,                                                                                              \
		.state = GL_FLOW_ESTABLISHED,                                                                          \
		.smac = { [5] = 2 },                                                                                   \
		.new_src_be = public,                                                                                  \
		.new_dst_be = server,                                                                                  \
		.new_sport_be = BE16(1024),                                                                            \
		.new_dport_be = BE16(80),                                                                              \
		.packets = 3,                                                                                          \
		.peer_scope = 4,                                                                                       \
		.admitted = { { .group = 3, .number = 1, .how = GL_ADMIT_RULE },                                       \
			      { .group = 4, .how = GL_ADMIT_NETWORK } },                                               \
		.syn_scale = 5,                                                                                        \
	}
#define SIX(n)                                                                                                         \
	{                                                                                                              \
		{                                                                                                      \
			BE32(0x20010db8), 0, 0, BE32(n)                                                                \
		}                                                                                                      \
	}
ENTRY(4, BE32(0x0a00000b), BE32(0xc0000250), BE32(0xcb00710a));
ENTRY(6, SIX(0x0a00000b), SIX(0xc0000250), SIX(0xcb00710a));

static const struct family {
	enum gl_map_id map;
	const void *key, *val;
	/* an address each, and prefixes */
	const char *guest, *other, *public, *around, *beside, *all, *half, *servers;
} families[] = {
	{ GL_MAP_FLOW4, &key4, &val4, "10.0.0.11", "10.0.0.12", "203.0.113.10", "10.0.0.99/24", "10.0.1.0/24",
	  "0.0.0.0/0", "128.0.0.0/1", "192.0.2.0/24" },
	{ GL_MAP_FLOW6, &key6, &val6, "2001:db8::a00:b", "2001:db8::a00:c", "2001:db8::cb00:710a",
	  "2001:db8::a00:63/120", "2001:db8::a00:100/120", "::/0", "2001:db8::8000:0/97", "2001:db8::c000:200/120" },
};

/* Do the options leave the flow above? */
static bool passes(const struct family *f, struct args args, uint32_t group)
{
	struct cli cli = { .args = args };
	struct gl_flow_filter filter;
	struct gl_flow flow;

	assert_int_equal(cli_flow_filter(&cli, &filter), 0);
	gl_flow_read(f->map, f->key, f->val, &flow);
	return gl_flow_passes(&filter, group, &flow);
}
#define PASSES(...) passes(f, (struct args){ __VA_ARGS__ }, 0)

static void test_filter(void **state)
{
	(void)state;
	for (const struct family *f = families; f < families + 2; f++) {
		const struct family *not = f == families ? f + 1 : families;

		assert_true(passes(f, (struct args){ 0 }, 0));
		assert_true(PASSES(.proto = "tcp"));
		assert_false(PASSES(.proto = "udp"));
		assert_false(PASSES(.proto = "icmpv6"));
		assert_true(PASSES(.src = f->guest));
		assert_false(PASSES(.src = f->other));
		assert_true(PASSES(.src = f->around));
		assert_false(PASSES(.src = f->beside));
		assert_true(PASSES(.src = f->all));
		assert_false(PASSES(.src = not ->all));
		assert_false(PASSES(.dst = not ->all));
		assert_true(PASSES(.src = f->half));
		/* After translation, too, but not half of each. */
		assert_true(PASSES(.src = f->public, .sport = "1024"));
		assert_false(PASSES(.src = f->public, .sport = "40000"));
		assert_false(PASSES(.src = f->guest, .sport = "1024"));
		assert_true(PASSES(.sport = "39999-40001", .dport = "80"));
		assert_false(PASSES(.sport = "40001-50000"));
		assert_false(PASSES(.dport = "40000"));
		assert_true(PASSES(.dst = f->servers, .flow_state = "syn_sent,established"));
		assert_false(PASSES(.flow_state = "syn_sent"));
		assert_true(passes(f, (struct args){ 0 }, 3));
		/* Its number stands at the other end, but it was not by the group. */
		assert_false(passes(f, (struct args){ 0 }, 4));
	}
}

static bool prefix_taken(const char *text)
{
	struct cli cli = { .args = { .src = text } };
	struct gl_flow_filter filter;

	return !cli_flow_filter(&cli, &filter);
}

static void test_prefixes(void **state)
{
	(void)state;
	assert_true(prefix_taken("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128"));
	assert_true(prefix_taken("::"));
	assert_false(prefix_taken("2001:db8::/129"));
	assert_false(prefix_taken("2001:db8::/"));
	assert_false(prefix_taken("2001:db8::1%eth0"));
	assert_false(prefix_taken("[2001:db8::1]"));
	assert_false(prefix_taken("10.0.0.0/33"));
	assert_false(prefix_taken("10.0.0/8"));
}

/* What a table's entry says, in either form; and the key that finds it again. */
static void test_entry(void **state)
{
	(void)state;
	for (const struct family *f = families; f < families + 2; f++) {
		const struct gl_map_info *info = gl_map_info(f->map);
		struct gl_flow6_key peer, buf;
		struct gl_flow flow;
		char text[HUMAN_LEN];

		gl_flow_read(f->map, f->key, f->val, &flow);
		assert_string_equal(human_ip(&flow.key.src_be, text), f->guest);
		assert_string_equal(human_ip(&flow.val.new_src_be, text), f->public);
		assert_int_equal(flow.key.scope, 7);
		assert_int_equal(flow.val.gen, 1);
		assert_int_equal(flow.val.smac[5], 2);
		assert_int_equal(flow.val.packets, 3);
		assert_int_equal(flow.val.admitted[0].group, 3);
		assert_int_equal(flow.val.syn_scale, 5);
		assert_memory_equal(gl_flow_table_key(f->map, &flow.key, &buf), f->key, info->key_size);

		peer = gl_flow_peer(&flow);
		assert_memory_equal(&peer.src_be, &flow.key.dst_be, sizeof(peer.src_be));
		assert_memory_equal(&peer.dst_be, &flow.val.new_src_be, sizeof(peer.dst_be));
		assert_int_equal(peer.sport_be, BE16(80));
		assert_int_equal(peer.dport_be, BE16(1024));
		assert_int_equal(peer.scope, 4);
		assert_int_equal(peer.proto, IPPROTO_TCP);
	}
	assert_int_equal(gl_flow_dport(IPPROTO_TCP, BE16(80)), 80);
	assert_int_equal(gl_flow_dport(IPPROTO_ICMP, BE16(GL_ICMP_QUERY)), 0);
	assert_int_equal(gl_flow_dport(IPPROTO_ICMPV6, BE16(GL_ICMP6_QUERY)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),  cmocka_unit_test(test_json),  cmocka_unit_test(test_options),
		cmocka_unit_test(test_filter), cmocka_unit_test(test_entry), cmocka_unit_test(test_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
