/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Does docs/definition.schema.json know exactly the keys that the parser knows, and need exactly those that it needs?
 * Both ways, for every kind of object; and does the reference in docs/ name them? Runs in the repository's root. */
#include <jansson.h>

#include "tests/unit/definition.h"

static json_t *definitions(json_t *schema)
{
	json_t *defs = json_object_get(schema, "$defs");

	assert_true(json_is_object(defs));
	return defs;
}

static json_t *load_schema(void)
{
	json_error_t error;
	json_t *schema = json_load_file("docs/definition.schema.json", JSON_REJECT_DUPLICATES, &error);

	if (!schema)
		fail_msg("docs/definition.schema.json:%d: %s", error.line, error.text);
	return schema;
}

static bool holds(const json_t *array, const char *text)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (!strcmp(json_string_value(json_array_get(array, i)), text))
			return true;
	}
	return false;
}

static void keys_agree(void **state)
{
	json_t *schema = load_schema(), *defs = definitions(schema), *value;
	const char *name;
	size_t objects = 0, seen = 0;

	(void)state;
	for (const struct gl_object *object = gl_parse_objects(); object->name; object++, objects++) {
		json_t *def = json_object_get(defs, object->name), *properties = json_object_get(def, "properties");
		json_t *required = json_object_get(def, "required");
		size_t keys = 0, needed = 0;

		if (!json_is_object(properties))
			fail_msg("the schema has no object \"%s\"", object->name);
		assert_true(json_is_false(json_object_get(def, "additionalProperties")));
		for (const struct gl_key *key = object->keys; key->name; key++, keys++) {
			if (!json_object_get(properties, key->name))
				fail_msg("the schema's \"%s\" lacks \"%s\"", object->name, key->name);
			if (holds(required, key->name) != key->required)
				fail_msg("\"%s\" of \"%s\": the schema disagrees on whether it is needed", key->name,
					 object->name);
			needed += key->required;
		}
		assert_int_equal(json_object_size(properties), keys);
		assert_int_equal(json_array_size(required), needed);
	}
	json_object_foreach(defs, name, value)
	{
		if (json_object_get(value, "properties"))
			seen++;
	}
	assert_int_equal(seen, objects);
	json_decref(schema);
}

/* The reference for users names every key, as code. */
static void reference_is_whole(void **state)
{
	FILE *f = fopen("docs/definition.md", "r");
	char *text = NULL, code[64];
	size_t room = 0;

	(void)state;
	assert_non_null(f);
	assert_true(getdelim(&text, &room, 0, f) > 0);
	fclose(f);
	for (const struct gl_object *object = gl_parse_objects(); object->name; object++) {
		for (const struct gl_key *key = object->keys; key->name; key++) {
			snprintf(code, sizeof(code), "| `%s` |", key->name);
			if (!strstr(text, code))
				fail_msg("docs/definition.md has no row for \"%s\" of \"%s\"", key->name, object->name);
		}
	}
	free(text);
}

static json_int_t number(const json_t *defs, const char *object, const char *key, const char *what)
{
	json_t *value = json_object_get(json_object_get(json_object_get(defs, object), "properties"), key);

	value = json_object_get(value, what);
	if (!json_is_integer(value))
		fail_msg("the schema's \"%s\" says no %s for \"%s\"", object, what, key);
	return json_integer_value(value);
}

static void numbers_agree(void **state)
{
	static const uint32_t seconds[GL_TIMEOUT_COUNT] = {
		GL_SECONDS_TCP_OPENING, GL_SECONDS_TCP_ESTABLISHED, GL_SECONDS_TCP_CLOSING, GL_SECONDS_TCP_CLOSED,
		GL_SECONDS_UDP,		GL_SECONDS_UDP_ASSURED,	    GL_SECONDS_ICMP,	    GL_SECONDS_OTHER,
	};
	json_t *schema = load_schema(), *defs = definitions(schema);

	(void)state;
	assert_int_equal(number(defs, "tenant", "max_flows", "maximum"), GL_FLOWS_MAX);
	assert_int_equal(number(defs, "tenant", "max_flows", "default"), GL_FLOWS_DEFAULT);
	assert_int_equal(number(defs, "interface", "security_groups", "maxItems"), GL_PORT_GROUPS);
	assert_int_equal(number(defs, "security_group", "ingress", "maxItems"), GL_GROUP_RULES);
	assert_int_equal(number(defs, "security_group", "egress", "maxItems"), GL_GROUP_RULES);
	assert_int_equal(number(defs, "router_advertisements", "dns", "maxItems"), GL_RA_DNS);
	assert_int_equal(number(defs, "router_advertisements", "interval", "minimum"), GL_RA_INTERVAL_LEAST);
	assert_int_equal(number(defs, "router_advertisements", "interval", "maximum"), GL_RA_INTERVAL_MOST);
	assert_int_equal(number(defs, "router_advertisements", "interval", "default"), GL_RA_INTERVAL);
	assert_int_equal(number(defs, "router_advertisements", "lifetime", "default"), GL_RA_LIFETIME);
	for (unsigned i = 0; i < GL_TIMEOUT_COUNT; i++) {
		assert_int_equal(number(defs, "timeouts", gl_timeout_name(i), "default"), seconds[i]);
		assert_int_equal(number(defs, "timeouts", gl_timeout_name(i), "maximum"), GL_SECONDS_MOST);
	}
	json_decref(schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_agree),
		cmocka_unit_test(numbers_agree),
		cmocka_unit_test(reference_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
