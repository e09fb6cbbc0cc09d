/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Definitions from text, for tests. */
#ifndef TEST_DEFINITION_H
#define TEST_DEFINITION_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loader/diag.h"
#include "loader/parse.h"

/* Parses and validates; the findings are left in `diag`. NULL when there are any. */
static inline struct gl_definition *load_text(const char *text, struct gl_diag *diag)
{
	struct gl_definition *def = NULL;
	bool whole;
	int err;

	assert_int_equal(gl_definition_new(&def), 0);
	err = gl_parse_file(def, "test.yaml", text, strlen(text), diag, &whole);
	if (whole && !err)
		err = gl_validate(def, diag);
	gl_diag_sort(diag);
	assert_int_equal(err, diag->count ? -EINVAL : 0);
	if (err) {
		gl_definition_free(def);
		return NULL;
	}
	return def;
}

static inline struct gl_definition *load_good(const char *text)
{
	struct gl_diag diag = { 0 };
	struct gl_definition *def = load_text(text, &diag);

	for (size_t i = 0; i < diag.count; i++)
		print_error("%u:%u: %s\n", diag.findings[i].loc.line, diag.findings[i].loc.col, diag.findings[i].text);
	assert_non_null(def);
	return def;
}

#endif
