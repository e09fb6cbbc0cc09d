/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Errors as values: a list of findings with file, line and column. Filled by the pure half of the loader, printed by
 * the command line alone. Depends on model.h's gl_loc. */
#ifndef GL_DIAG_H
#define GL_DIAG_H

#include "loader/model.h"

struct gl_finding {
	struct gl_loc loc; /* file NULL: about no place in a definition */
	char *text; /* what is wrong, what was expected */
};

struct gl_diag {
	struct gl_finding *findings;
	size_t count, capacity;
};

/* Adds a finding; the same one twice is kept once. After 1,000 of them one last finding
 * counts the rest. */
void gl_diag_add(struct gl_diag *diag, struct gl_loc loc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* For what keeps a `diag` and says in `bad` whether anything was reported: parse.c, validate.c. */
#define GL_REPORT(to, ...)                                                                                             \
	do {                                                                                                           \
		(to)->bad = true;                                                                                      \
		gl_diag_add((to)->diag, __VA_ARGS__);                                                                  \
	} while (0)
/* By file in order of first appearance, then line and column. */
void gl_diag_sort(struct gl_diag *diag);
void gl_diag_clear(struct gl_diag *diag);

#endif
