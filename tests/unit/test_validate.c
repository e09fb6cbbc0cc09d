/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Does the validator let through what is allowed (tests/unit/good), next to what test_bad shows to be refused, and does
 * it keep the bounds of the dataplane? Also: a large definition takes seconds at most. Runs in the repository's root.
 */
#include <glob.h>
#include <time.h>

#include "tests/unit/definition.h"

#define HEAD "version: 1\nuplinks: [{name: wan, interface: eth0}, {name: lan, interface: eth1}]\ntenants:\n"

/* Good, and still the same when it is written as JSON and read again. */
static void round_trip(const char *text)
{
	struct gl_definition *def = load_good(text), *second;
	char *json = gl_definition_to_json(def), *again;

	assert_non_null(json);
	second = load_good(json);
	again = gl_definition_to_json(second);
	assert_string_equal(json, again);
	free(json);
	free(again);
	gl_definition_free(def);
	gl_definition_free(second);
}

static void allowed(void **state)
{
	glob_t found;

	(void)state;
	assert_int_equal(glob("tests/unit/good/*.yaml", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 10);
	assert_int_equal(glob("examples/*.yaml", GLOB_APPEND, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		FILE *f = fopen(found.gl_pathv[i], "r");
		char *text = NULL;
		size_t room = 0;

		assert_non_null(f);
		assert_true(getdelim(&text, &room, 0, f) > 0);
		fclose(f);
		print_message("%s\n", found.gl_pathv[i]);
		round_trip(text);
		free(text);
	}
	globfree(&found);
}

struct text {
	char *s;
	size_t size;
	FILE *f;
};

static void begin(struct text *t)
{
	t->f = open_memstream(&t->s, &t->size);
	assert_non_null(t->f);
	fputs(HEAD, t->f);
}

/* The only finding, by its text; no finding where `expected` is NULL. */
static void end(struct text *t, const char *expected)
{
	struct gl_diag diag = { 0 };
	struct gl_definition *def;

	fclose(t->f);
	def = load_text(t->s, &diag);
	if (expected) {
		assert_int_equal(diag.count, 1);
		assert_string_equal(diag.findings[0].text, expected);
	} else {
		assert_int_equal(diag.count, 0);
	}
	gl_diag_clear(&diag);
	gl_definition_free(def);
	free(t->s);
}

static void tenants_and_networks(unsigned tenants, unsigned networks, const char *expected)
{
	struct text t;

	begin(&t);
	for (unsigned i = 0; i < tenants; i++) {
		fprintf(t.f, "  - name: t%u\n    networks:\n", i);
		for (unsigned n = 0; n < networks; n++)
			fprintf(t.f, "      - {name: n%u, mode: isolated, subnets: [10.0.0.0/24]}\n", n);
	}
	end(&t, expected);
}

static void bound_of_tenants(void **state)
{
	(void)state;
	tenants_and_networks(GL_MAX_TENANTS, 1, NULL);
	tenants_and_networks(GL_MAX_TENANTS + 1, 1, "more than 16384 tenants");
}

static void bound_of_networks(void **state)
{
	(void)state;
	tenants_and_networks(2, GL_MAX_NETWORKS / 2, NULL);
	tenants_and_networks(1, GL_MAX_NETWORKS + 1, "more than 32768 networks");
}

static void bound_of_uplinks(void **state)
{
	struct text t;

	(void)state;
	for (unsigned more = 0; more < 2; more++) {
		t.f = open_memstream(&t.s, &t.size);
		fputs("version: 1\nuplinks:\n", t.f);
		for (unsigned i = 0; i < GL_MAX_UPLINKS + more; i++)
			fprintf(t.f, "  - {name: u%u, interface: e%u}\n", i, i);
		end(&t, more ? "more than 255 uplinks" : NULL);
	}
}

/* Guests of `tenants` tenants, each with `guests` interfaces in a network of its own. */
static void guests(unsigned tenants, unsigned guests_each, const char *more, const char *expected)
{
	struct text t;
	unsigned tap = 0;

	begin(&t);
	for (unsigned i = 0; i < tenants; i++) {
		fprintf(t.f, "  - name: t%u\n    networks:\n", i);
		fprintf(t.f, "      - {name: n, mode: nat, uplink: wan, subnets: [10.0.0.0/16]%s}\n    guests:\n",
			more);
		for (unsigned g = 0; g < guests_each; g++, tap++)
			fprintf(t.f,
				"      - name: g%u\n        interfaces: [{tap: t%u, mac: 52:54:00:00:%02x:%02x, "
				"network: n, "
				"addresses: [10.0.%u.%u]}]\n",
				g, tap, g >> 8, g & 255, 1 + g / 250, g % 250 + 2);
	}
	end(&t, expected);
}

static void bound_of_rules(void **state)
{
	(void)state;
	for (unsigned more = 0; more < 2; more++) {
		struct text t;

		begin(&t);
		fprintf(t.f, "  - name: a\n    security_groups:\n      - name: g\n        egress:\n");
		for (unsigned i = 0; i < GL_GROUP_RULES + more; i++)
			fprintf(t.f, "          - {}\n");
		end(&t, more ? "security group \"g\" has more than 65535 rules for egress" : NULL);
	}
}

static void bound_of_members(void **state)
{
	(void)state;
	guests(1, GL_NET_MEMBERS, "", NULL);
	guests(1, GL_NET_MEMBERS + 1, "",
	       "network \"n\" has more than the 1024 interfaces that a broadcast can reach; expected fewer, or "
	       "`broadcast: "
	       "false`");
	guests(1, GL_NET_MEMBERS + 1, ", broadcast: false", NULL);
}

static void bound_of_interfaces(void **state)
{
	struct timespec before, after;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &before);
	guests(10000, 10, "", "more than 65536 interfaces, uplinks included");
	clock_gettime(CLOCK_MONOTONIC, &after);
	/* A second or two without sanitizers; anything quadratic would take hours. */
	assert_true(after.tv_sec - before.tv_sec < 120);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allowed),
		cmocka_unit_test(bound_of_tenants),
		cmocka_unit_test(bound_of_networks),
		cmocka_unit_test(bound_of_uplinks),
		cmocka_unit_test(bound_of_members),
		cmocka_unit_test(bound_of_rules),
		cmocka_unit_test(bound_of_interfaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
