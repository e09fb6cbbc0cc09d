/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Does any text make the parser or the validator misbehave? Besides crashes: what is refused has a finding, what is
 * taken without one survives the way through JSON and back unchanged. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "loader/diag.h"
#include "loader/parse.h"

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* NULL: refused. */
static struct gl_definition *load(const char *text, size_t len)
{
	struct gl_definition *def = NULL;
	struct gl_diag diag = { 0 };
	bool whole;
	int parsed, valid = 0;

	require(gl_definition_new(&def) == 0);
	parsed = gl_parse_file(def, "fuzz", text, len, &diag, &whole);
	require(parsed == 0 || parsed == -EINVAL);
	require((parsed != 0) == (diag.count != 0));
	if (whole) {
		valid = gl_validate(def, &diag);
		require(valid == 0 || valid == -EINVAL);
	}
	require((parsed || valid) == (diag.count != 0));
	gl_diag_sort(&diag);
	for (size_t i = 0; i < diag.count; i++)
		require(diag.findings[i].text[0] && !strpbrk(diag.findings[i].text, "\n\r\033"));
	gl_diag_clear(&diag);
	if (!parsed && !valid)
		return def;
	gl_definition_free(def);
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gl_definition *def = load((const char *)data, size), *again;
	char *json, *second;

	if (!def)
		return 0;
	json = gl_definition_to_json(def);
	require(json != NULL);
	again = load(json, strlen(json));
	require(again != NULL);
	second = gl_definition_to_json(again);
	require(second && !strcmp(json, second));
	free(json);
	free(second);
	gl_definition_free(def);
	gl_definition_free(again);
	return 0;
}
