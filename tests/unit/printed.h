/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What a command prints, without a host: the command line's own files are built into the test, and the loader's
 * functions that need a kernel are given by it. */
#ifndef TEST_PRINTED_H
#define TEST_PRINTED_H

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/flow_filter.c"
#include "cli/human.c"
#include "cli/json.c"
#include "cli/out.c"
#include "cli/report.c"
#include "cli/table.c"
#include "definition.h"

int gl_host_open(const struct gl_paths *paths, struct gl_host **ret, struct gl_diag *diag)
{
	(void)paths, (void)ret, (void)diag;
	return -ENOSYS;
}

int gl_definition_load(const char *const *paths, size_t count, struct gl_definition **ret, struct gl_diag *diag)
{
	(void)paths, (void)count, (void)ret, (void)diag;
	return -ENOSYS;
}

/* What `show` prints when it goes well; to be freed. */
static char *printed(struct args args, int (*show)(struct cli *cli, struct gl_host *host))
{
	struct cli cli = { .args = args };
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	out_init(&cli.out, file, args.json, args.pretty, false);
	assert_int_equal(show(&cli, NULL), 0);
	out_free(&cli.out);
	fclose(file);
	return text;
}

#define expect_printed(args, show, want)                                                                               \
	do {                                                                                                           \
		char *got = printed(args, show);                                                                       \
		assert_string_equal(got, want);                                                                        \
		free(got);                                                                                             \
	} while (0)

#endif
