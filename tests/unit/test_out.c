/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Rows to tables and JSON, map fields to words, numbers to what people read, and suggestions for mistyped words.
 * The files under test are no part of the loader, so they are built into this one. */
#include "cli/field.c"
#include "cli/human.c"
#include "cli/json.c"
#include "cli/nearest.c"
#include "cli/out.c"
#include "cli/table.c"
#include "loader/ip6.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct out_column columns[] = {
	{ "tap", "TAP", OUT_TEXT, NULL },
	{ "src", NULL, OUT_TEXT, NULL },
	{ NULL, "SOURCE", OUT_TEXT, NULL },
	{ "addresses", "ADDRESSES", OUT_WORDS, NULL },
	{ "ports", NULL, OUT_NUMBERS, NULL },
	{ "packets", "PACKETS", OUT_COUNT, NULL },
	{ "idle_ms", "IDLE", OUT_MS, NULL },
	{ "up", "UP", OUT_YES, NULL },
	{ 0 },
};

static void put_row(struct out *o, const char *tap, const char *addresses, uint64_t packets)
{
	out_text(o, "tap", tap);
	out_text(o, "src", "10.0.0.1");
	out_format(o, "SOURCE", "%s:%d", "10.0.0.1", 80);
	out_text(o, "addresses", addresses);
	out_text(o, "ports", "1,2,65535");
	out_number(o, "packets", packets);
	if (packets)
		out_number(o, "idle_ms", 192000);
	else
		out_none(o, "idle_ms");
	out_number(o, "up", packets > 0);
	assert_int_equal(out_row(o), 0);
}

/* What `fill` writes. */
static char *written(bool json, bool pretty, int err, void (*fill)(struct out *o))
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	struct out o;

	assert_non_null(file);
	out_init(&o, file, json, pretty, false);
	out_array(&o);
	out_table(&o, NULL, NULL, columns);
	fill(&o);
	out_table_end(&o, err);
	assert_int_equal(out_close(&o, err), err);
	out_free(&o);
	fclose(file);
	return text;
}

#define expect(json, pretty, err, fill, want)                                                                          \
	do {                                                                                                           \
		char *got = written(json, pretty, err, fill);                                                          \
		assert_string_equal(got, want);                                                                        \
		free(got);                                                                                             \
	} while (0)

static void two_rows(struct out *o)
{
	put_row(o, "tap-web1", "10.0.0.1,10.0.0.2", 1234567);
	put_row(o, "", NULL, 0);
}

static void no_rows(struct out *o)
{
	(void)o;
}

static void odd_bytes(struct out *o)
{
	put_row(o, "a\"\\\n\033\xff\xc3\xa4\xed\xa0\x80", NULL, 0);
}

static void test_table(void **state)
{
	(void)state;
	expect(false, false, 0, two_rows,
	       "TAP       SOURCE       ADDRESSES          PACKETS   IDLE  UP\n"
	       "tap-web1  10.0.0.1:80  10.0.0.1,10.0.0.2     1.2M  3m12s  yes\n"
	       "-         10.0.0.1:80  -                        0      -  no\n");
	expect(false, false, 0, no_rows, "TAP  SOURCE  ADDRESSES  PACKETS  IDLE  UP\n");
	/* A failure before the first row leaves no title behind. */
	expect(false, false, -EIO, no_rows, "");
}

static void test_table_is_printable(void **state)
{
	char *got = written(false, false, 0, odd_bytes);

	(void)state;
	assert_null(strchr(got, '\033'));
	assert_int_equal(strchr(strchr(got, '\n') + 1, '\n')[1], 0);
	free(got);
}

static void many_rows(struct out *o)
{
	for (int i = 0; i < TABLE_SAMPLE + 5; i++)
		put_row(o, i == TABLE_SAMPLE ? "a-longer-name" : "tap", "10.0.0.1", 7);
}

static void test_table_flows(void **state)
{
	char *got = written(false, false, 0, many_rows);
	size_t lines = 0;

	(void)state;
	for (const char *p = got; (p = strchr(p, '\n')); p++)
		lines++;
	assert_int_equal(lines, 1 + TABLE_SAMPLE + 5);
	assert_non_null(strstr(got, "\ntap  10.0.0.1:80  10.0.0.1"));
	assert_non_null(strstr(got, "\na-longer-name  10.0.0.1:80  10.0.0.1"));
	assert_non_null(strstr(got, "\ntap            10.0.0.1:80  10.0.0.1"));
	free(got);
}

static void test_json(void **state)
{
	(void)state;
	expect(true, false, 0, two_rows,
	       "[{\"tap\":\"tap-web1\",\"src\":\"10.0.0.1\",\"addresses\":[\"10.0.0.1\",\"10.0.0.2\"],"
	       "\"ports\":[1,2,65535],\"packets\":1234567,\"idle_ms\":192000,\"up\":true},\n"
	       "{\"tap\":null,\"src\":\"10.0.0.1\",\"addresses\":[],\"ports\":[1,2,65535],\"packets\":0,"
	       "\"idle_ms\":null,\"up\":false}]\n");
	expect(true, false, 0, no_rows, "[]\n");
	/* Nothing yet: the errors will be the document. Something: it is brought to its end. */
	expect(true, false, -EIO, no_rows, "");
	expect(true, false, -EIO, odd_bytes,
	       "[{\"tap\":\"a\\\"\\\\\\n\\u001b\\ufffd\xc3\xa4\\ufffd\\ufffd\\ufffd\",\"src\":\"10.0.0.1\","
	       "\"addresses\":[],\"ports\":[1,2,65535],\"packets\":0,\"idle_ms\":null,\"up\":false}]\n");
}

/* Pretty or not, jansson reads the same. */
static void test_pretty(void **state)
{
	char *compact = written(true, false, 0, two_rows), *pretty = written(true, true, 0, two_rows);
	json_t *a = json_loads(compact, 0, NULL), *b = json_loads(pretty, 0, NULL);
	char *again = json_dumps(b, JSON_INDENT(2) | JSON_PRESERVE_ORDER);

	(void)state;
	assert_non_null(a);
	assert_true(json_equal(a, b));
	assert_int_equal(strncmp(pretty, again, strlen(again)), 0);
	assert_string_equal(pretty + strlen(again), "\n");
	json_decref(a);
	json_decref(b);
	free(again);
	free(compact);
	free(pretty);
}

static void write_object(struct out *o)
{
	out_object(o);
	out_member(o, "abi", json_integer(1));
	out_line(o, "for people");
	out_table(o, "rows", "Rows", columns);
	put_row(o, "t", NULL, 0);
	out_table_end(o, 0);
	out_table(o, "none", "None", columns);
	out_table_end(o, 0);
	out_member(o, "list", json_pack("[s]", "x"));
	assert_int_equal(out_close(o, 0), 0);
}

static void test_object(void **state)
{
	(void)state;
	for (int pretty = 0; pretty < 2; pretty++) {
		char *text = NULL;
		size_t size;
		FILE *file = open_memstream(&text, &size);
		struct out o;
		json_t *doc;

		out_init(&o, file, true, pretty, false);
		write_object(&o);
		out_free(&o);
		fclose(file);
		doc = json_loads(text, 0, NULL);
		assert_non_null(doc);
		assert_int_equal(json_object_size(doc), 4);
		assert_int_equal(json_array_size(json_object_get(doc, "rows")), 1);
		assert_int_equal(json_array_size(json_object_get(doc, "none")), 0);
		json_decref(doc);
		free(text);
	}
}

static const struct out_column nested[] = {
	{ "a", NULL, OUT_NUMBER, NULL },	  { "b", NULL, OUT_NUMBER, "one" },
	{ "c", NULL, OUT_NUMBER, "two.first" },	  { "d", NULL, OUT_NUMBER, "two.first" },
	{ "c", NULL, OUT_NUMBER, "two.second" },  { "e", NULL, OUT_NUMBER, "two" },
	{ "f", NULL, OUT_NUMBER, "twofold.end" }, { "g", NULL, OUT_NUMBER, NULL },
	{ "h", "H", OUT_NUMBER, "three.last" },	  { 0 },
};

static void test_nested(void **state)
{
	static const char want[] = "[{\"a\":0,\"one\":{\"b\":1},\"two\":{\"first\":{\"c\":2,\"d\":3},"
				   "\"second\":{\"c\":4},\"e\":5},\"twofold\":{\"end\":{\"f\":6}},\"g\":7,"
				   "\"three\":{\"last\":{\"h\":8}}}]\n";
	(void)state;
	for (int pretty = 0; pretty < 2; pretty++) {
		char *text = NULL;
		size_t size;
		FILE *file = open_memstream(&text, &size);
		json_t *got, *doc = json_loads(want, 0, NULL);
		struct out o;

		out_init(&o, file, true, pretty, false);
		out_array(&o);
		out_table(&o, NULL, NULL, nested);
		for (uint64_t i = 0; nested[i].key; i++)
			out_number(&o, nested[i].key, i);
		assert_int_equal(out_row(&o), 0);
		out_table_end(&o, 0);
		assert_int_equal(out_close(&o, 0), 0);
		out_free(&o);
		fclose(file);
		if (!pretty)
			assert_string_equal(text, want);
		got = json_loads(text, 0, NULL);
		assert_true(json_equal(got, doc));
		json_decref(got);
		json_decref(doc);
		free(text);
	}
}

static void test_table_if_any(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	struct out o;

	(void)state;
	out_init(&o, file, false, false, false);
	out_array(&o);
	out_table_if_any(&o, NULL, "None", nested);
	out_table_end(&o, 0);
	out_table_if_any(&o, NULL, "One", nested);
	for (uint64_t i = 0; nested[i].key; i++)
		out_number(&o, nested[i].key, i);
	assert_int_equal(out_row(&o), 0);
	out_table_end(&o, 0);
	out_table_if_any(&o, NULL, "None", nested);
	out_table_end(&o, 0);
	assert_int_equal(out_close(&o, 0), 0);
	out_free(&o);
	fclose(file);
	assert_string_equal(text, "One\nH\n8\n");
	free(text);
}

static void test_full_disk(void **state)
{
	FILE *file = fopen("/dev/full", "w");
	struct out o;

	(void)state;
	assert_non_null(file);
	out_init(&o, file, true, false, false);
	out_array(&o);
	out_table(&o, NULL, NULL, columns);
	put_row(&o, "t", NULL, 0);
	out_table_end(&o, 0);
	assert_int_equal(out_close(&o, 0), -ENOSPC);
	out_free(&o);
	fclose(file);
}

/* ---- fields of maps --------------------------------------------------------------------------------------- */

static const char *const words[] = { "zero", "one", "two", NULL };

struct entry {
	uint32_t number;
	uint16_t port_be;
	uint8_t mac[6];
	uint32_t addrs_be[3];
	uint32_t tenant_side_be;
	uint32_t prefixlen;
	uint8_t kind, flags;
	char name[8];
};

#define F(field, field_kind_, ...)                                                                                     \
	{                                                                                                              \
		.name = #field, .offset = offsetof(struct entry, field), .size = sizeof(((struct entry *)0)->field),   \
		.kind = field_kind_, __VA_ARGS__                                                                       \
	}

static const struct gl_field fields[] = {
	F(number, GL_FIELD_UINT),
	F(port_be, GL_FIELD_UINT_BE),
	F(mac, GL_FIELD_MAC),
	{ "addrs", offsetof(struct entry, addrs_be), 4, 3, 4, GL_FIELD_IPV4, NULL },
	F(tenant_side_be, GL_FIELD_SIDED_BE),
	F(prefixlen, GL_FIELD_PREFIXLEN),
	F(kind, GL_FIELD_ENUM, .names = words),
	F(flags, GL_FIELD_FLAGS, .names = words),
	F(name, GL_FIELD_STRING),
	{ 0 },
};

static char *fields_json(const struct entry *entry)
{
	struct out_column cells[16] = { 0 };
	char *text = NULL;
	size_t size, n = 0;
	FILE *file = open_memstream(&text, &size);
	struct out o;

	for (const struct gl_field *field = fields; field->name; field++)
		cells[n++] = (struct out_column){ field->name, NULL, field_kind(field), "value" };
	out_init(&o, file, true, false, false);
	out_array(&o);
	out_table(&o, NULL, NULL, cells);
	for (const struct gl_field *field = fields; field->name; field++)
		field_put(&o, field, entry);
	out_row(&o);
	out_table_end(&o, 0);
	out_close(&o, 0);
	out_free(&o);
	fclose(file);
	return text;
}

static void test_fields(void **state)
{
	struct entry entry = {
		.number = 4000000000,
		.port_be = htons(8080),
		.mac = { 0x52, 0x54, 0, 0, 0, 0xab },
		.addrs_be = { htonl(0x0a000001), htonl(0x0a000002), 0 },
		.tenant_side_be = htonl(GL_TENANT_SIDE(7u, 1)),
		.prefixlen = 32 + 24,
		.kind = 2,
		.flags = 1 | 4,
		.name = { 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h' }, /* no NUL */
	};
	char *text = fields_json(&entry);

	(void)state;
	assert_string_equal(text, "[{\"value\":{\"number\":4000000000,\"port_be\":8080,\"mac\":\"52:54:00:00:00:ab\","
				  "\"addrs\":[\"10.0.0.1\",\"10.0.0.2\"],\"tenant_side_be\":7,\"prefixlen\":24,"
				  "\"kind\":\"two\",\"flags\":[\"zero\",\"two\"],\"name\":\"abcdefgh\"}}]\n");
	free(text);
	/* What has no name is still shown. */
	entry = (struct entry){ .kind = 9, .flags = 0x82 };
	text = fields_json(&entry);
	assert_non_null(strstr(text, "\"kind\":\"9\",\"flags\":[\"one\",\"0x80\"],\"name\":null"));
	assert_non_null(strstr(text, "\"addrs\":[],"));
	free(text);
}

/* Every row of the registry fits into a table and has a column for each field. */
static void test_registry_fits(void **state)
{
	static const uint8_t zeros[1024];

	(void)state;
	for (unsigned id = 0; id < GL_MAP_COUNT; id++) {
		const struct gl_map_info *info = gl_map_info(id);
		struct out_column cells[TABLE_COLUMNS + 1] = { 0 };
		const struct gl_field *lists[] = { info->key_fields, info->val_fields };
		const uint32_t sizes[] = { info->key_size, info->val_size };
		char *text = NULL;
		size_t size, n = 2; /* map and tenant */
		FILE *file = open_memstream(&text, &size);
		struct out o;

		cells[0] = (struct out_column){ "map", NULL, OUT_TEXT, NULL };
		cells[1] = (struct out_column){ "tenant", NULL, OUT_TEXT, NULL };
		for (int i = 0; i < 2; i++)
			for (const struct gl_field *field = lists[i]; field->name; field++) {
				size_t last = field->repeat > 1 ? (size_t)(field->repeat - 1) * field->stride : 0;

				assert_true(n < TABLE_COLUMNS);
				assert_true(field->offset + last + field->size <= sizes[i]);
				cells[n++] = (struct out_column){ field->name, "X", field_kind(field), NULL };
			}
		assert_true(info->val_size <= sizeof(zeros));
		out_init(&o, file, false, false, false);
		out_array(&o);
		out_table(&o, NULL, NULL, cells);
		out_text(&o, "map", info->name);
		out_none(&o, "tenant");
		for (int i = 0; i < 2; i++)
			for (const struct gl_field *field = lists[i]; field->name; field++)
				field_put(&o, field, zeros);
		assert_int_equal(out_row(&o), 0);
		out_table_end(&o, 0);
		assert_int_equal(out_close(&o, 0), 0);
		out_free(&o);
		fclose(file);
		free(text);
	}
}

/* ---- numbers and words ------------------------------------------------------------------------------------ */

static void test_human(void **state)
{
	const gl_ip6 four = gl_ip6_of4(htonl(0xcb00710a));
	gl_ip6 six = { .w = { htonl(0x20010db8), 0, 0, htonl(1) } };
	char buf[HUMAN_LEN];

	(void)state;
	assert_string_equal(human_count(0, buf), "0");
	assert_string_equal(human_count(9999, buf), "9999");
	assert_string_equal(human_count(10000, buf), "10.0k");
	assert_string_equal(human_count(99950, buf), "100k");
	assert_string_equal(human_count(999499, buf), "999k");
	assert_string_equal(human_count(999500, buf), "1.0M");
	assert_string_equal(human_count(1234567, buf), "1.2M");
	assert_string_equal(human_count(UINT64_MAX, buf), "18.4E");
	assert_string_equal(human_ms(999, buf), "999ms");
	assert_string_equal(human_ms(1000, buf), "1s");
	assert_string_equal(human_ms(192999, buf), "3m12s");
	assert_string_equal(human_ms(7440000, buf), "2h04m");
	assert_string_equal(human_ms(86400000ULL * 3 + 7 * 3600000, buf), "3d07h");
	assert_string_equal(human_socket(&four, 0, buf), "203.0.113.10");
	assert_string_equal(human_socket(&four, 65535, buf), "203.0.113.10:65535");
	assert_string_equal(human_ip(&four, buf), "203.0.113.10");
	assert_string_equal(human_socket(&six, 0, buf), "2001:db8::1");
	assert_string_equal(human_socket(&six, 80, buf), "[2001:db8::1]:80");
	assert_string_equal(human_ip(&six, buf), "2001:db8::1");
	memset(&six, 0xfe, sizeof(six));
	assert_string_equal(human_socket(&six, 65535, buf), "[fefe:fefe:fefe:fefe:fefe:fefe:fefe:fefe]:65535");
	assert_string_equal(human_proto(6, buf), "tcp");
	assert_string_equal(human_proto(47, buf), "47");
	assert_string_equal(human_plural(1, "guest", buf), "1 guest");
	assert_string_equal(human_plural(0, "guest", buf), "0 guests");
}

static const char *candidate(void *arg, size_t i)
{
	static const char *const names[] = { "check", "plan", "apply", "status", "show", "version", NULL };

	(void)arg;
	return names[i];
}

static void test_nearest(void **state)
{
	(void)state;
	assert_string_equal(nearest("shwo", candidate, NULL), "show");
	assert_string_equal(nearest("stat", candidate, NULL), "status");
	assert_string_equal(nearest("aply", candidate, NULL), "apply");
	assert_string_equal(nearest("chekc", candidate, NULL), "check");
	assert_null(nearest("destroy", candidate, NULL));
	assert_null(nearest("x", candidate, NULL));
	assert_null(nearest("", candidate, NULL));
	assert_null(nearest("a-word-that-is-longer-than-any-of-them", candidate, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),	      cmocka_unit_test(test_table_is_printable),
		cmocka_unit_test(test_table_flows),   cmocka_unit_test(test_json),
		cmocka_unit_test(test_pretty),	      cmocka_unit_test(test_object),
		cmocka_unit_test(test_full_disk),     cmocka_unit_test(test_fields),
		cmocka_unit_test(test_registry_fits), cmocka_unit_test(test_human),
		cmocka_unit_test(test_nearest),	      cmocka_unit_test(test_nested),
		cmocka_unit_test(test_table_if_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
