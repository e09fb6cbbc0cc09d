/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Does every bad definition get exactly the errors that it should? tests/unit/bad/NAME.yaml, and NAME.and.yaml where a
 * case takes two files, is parsed and validated as the command line does; NAME.err holds what has to come out.
 * Runs in the repository's root. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loader/diag.h"
#include "loader/parse.h"

#define FOLDER "tests/unit/bad"
#define LEAST 100 /* cases; fewer are there when the folder was not found */

static char *read_file(const char *name, size_t *len)
{
	char path[512], *text;
	FILE *f;
	long size;

	snprintf(path, sizeof(path), FOLDER "/%s", name);
	f = fopen(path, "rb");
	if (!f)
		return NULL;
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	size = ftell(f);
	assert_true(size >= 0);
	rewind(f);
	text = calloc(1, (size_t)size + 1);
	assert_non_null(text);
	*len = fread(text, 1, (size_t)size, f);
	fclose(f);
	return text;
}

static bool parse(struct gl_definition *def, const char *name, struct gl_diag *diag, bool *whole)
{
	size_t len, before = diag->count;
	char *text, *exact;
	int err;

	text = read_file(name, &len);
	if (!text)
		return false;
	exact = malloc(len ? len : 1); /* without a NUL behind it: reading beyond the end is noticed */
	assert_non_null(exact);
	memcpy(exact, text, len);
	free(text);
	err = gl_parse_file(def, name, exact, len, diag, whole);
	free(exact);
	assert_true(err == 0 || err == -EINVAL);
	assert_int_equal(err != 0, diag->count > before);
	return true;
}

static void one(void **state)
{
	const char *stem = *state;
	struct gl_definition *def = NULL;
	struct gl_diag diag = { 0 };
	bool whole, second = true;
	char name[300], *expected, *found = NULL;
	size_t size;
	FILE *out;
	int err = 0;

	assert_int_equal(gl_definition_new(&def), 0);
	snprintf(name, sizeof(name), "%s.yaml", stem);
	assert_true(parse(def, name, &diag, &whole));
	snprintf(name, sizeof(name), "%s.and.yaml", stem);
	parse(def, name, &diag, &second);
	if (whole && second)
		err = gl_validate(def, &diag);
	assert_true(err == 0 || err == -EINVAL);
	gl_diag_sort(&diag);

	out = open_memstream(&found, &size);
	assert_non_null(out);
	for (size_t i = 0; i < diag.count; i++) {
		const struct gl_finding *f = &diag.findings[i];

		fprintf(out, "%s:%u:%u: error: %s\n", f->loc.file, f->loc.line, f->loc.col, f->text);
	}
	fclose(out);
	gl_diag_clear(&diag);
	gl_definition_free(def);

	snprintf(name, sizeof(name), "%s.err", stem);
	expected = read_file(name, &size);
	assert_non_null(expected);
	assert_true(*expected);
	assert_string_equal(found, expected);
	free(expected);
	free(found);
}

static int cases_only(const struct dirent *entry)
{
	const char *end = strstr(entry->d_name, ".yaml");

	return end && !end[5] && !strstr(entry->d_name, ".and.");
}

int main(void)
{
	struct dirent **entries;
	struct CMUnitTest *tests;
	int count, failed;

	count = scandir(FOLDER, &entries, cases_only, alphasort);
	if (count < LEAST) {
		fprintf(stderr, "%s holds %d cases; expected at least %d\n", FOLDER, count, LEAST);
		return 1;
	}
	tests = calloc((size_t)count, sizeof(*tests));
	if (!tests)
		return 1;
	for (int i = 0; i < count; i++) {
		char *stem = strndup(entries[i]->d_name, strlen(entries[i]->d_name) - strlen(".yaml"));

		tests[i] = (struct CMUnitTest){ .name = stem, .test_func = one, .initial_state = stem };
	}
	failed = _cmocka_run_group_tests("bad definitions", tests, (size_t)count, NULL, NULL);
	for (int i = 0; i < count; i++) {
		free(entries[i]);
		free(tests[i].initial_state);
	}
	free(entries);
	free(tests);
	return failed;
}
