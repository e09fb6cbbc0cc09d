/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What drive.c and tables.c share: the numbers that the loader has given to names. Neighbours: model.h. */
#ifndef GL_TEST_MODEL_REAL_H
#define GL_TEST_MODEL_REAL_H

#include "model.h"
#include "tests/prog/prog.h"

#define GROUP_NUMBERS 64
struct real {
	struct gl_tenant_stat *stats;
	unsigned tenant_index[M_TENANTS], net_index[M_NETS], uplink_index;
	unsigned groups[2][GROUP_NUMBERS]; /* N of a group sN, by number, in both definitions */
};
extern struct real real;

void tables_forget(void); /* those of an earlier pair of definitions */

#endif
