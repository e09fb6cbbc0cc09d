/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* All tests of the programs, in order, and the last line. Needs root; makes namespaces of its own.
 * --this-kernel: for emulated kernels, without what is the same on every one and takes long: counting the programs' own
 * lookups, thousands of questions about random rules.
 * GL_FAMILY=4, 6 or both in the environment: that alone. Neighbours: prog.h (what there is). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prog.h"

/* Reasons that no packet can provoke, and why. */
static const struct {
	enum gl_drop reason;
	const char *why;
} unprovoked[] = {
	{ GL_DROP_REWRITE_FAILED, "the kernel refuses to write to a packet for want of memory alone" },
};

static void test_reasons(void)
{
	for (int reason = 1; reason < GL_DROP_COUNT; reason++) {
		const char *why = NULL;

		for (size_t i = 0; i < sizeof(unprovoked) / sizeof(*unprovoked); i++)
			if ((int)unprovoked[i].reason == reason)
				why = unprovoked[i].why;
		if (!provoked[reason] && !why)
			complain("no row provokes %s", gl_drop_name(reason));
		if (provoked[reason] && why)
			complain("%s can be provoked after all (%s)", gl_drop_name(reason), why);
	}
	result(true, "every reason of maps/drops.def is provoked");
}

static bool rows_of(uint8_t of, bool both)
{
	if (world_family(of, both)) {
		result(false, "a definition of IPv%u", of);
		return false;
	}
	rows_guest();
	rows_refused();
	rows_public();
	rows_bridge();
	rows_errors();
	if (of == 6)
		rows_ipv6();
	return true;
}

static void test_family(uint8_t of, bool everything)
{
	if (!rows_of(of, false))
		return;
	if (of == 6) {
		test_extensions();
		test_nd();
		test_link();
		test_ra();
	}
	test_states();
	test_tcp();
	test_limits();
	test_fragments();
	test_nat();
	test_edges();
	test_changes();
	test_groups();
	if (everything)
		test_rules();
	test_sweeper();
	if (everything)
		test_lookups();
	test_isolation();
}

int main(int argc, char **argv)
{
	const char *only = getenv("GL_FAMILY");
	bool everything = argc < 2 || strcmp(argv[1], "--this-kernel");

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (world_open()) {
		result(false, "the world of the tests");
	} else {
		for (uint8_t of = 4; of <= 6; of += 2)
			if (!only || atoi(only) == of)
				test_family(of, everything);
		/* The same interfaces with both, each of them beside the other. */
		for (uint8_t of = 4; of <= 6; of += 2)
			if (!only || !strcmp(only, "both"))
				rows_of(of, true);
		/* Flow tables of the other family are not there then. */
		if (!only) {
			test_registry();
			test_reasons();
		}
	}
	world_close();
	printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
	return failed ? 1 : 0;
}
