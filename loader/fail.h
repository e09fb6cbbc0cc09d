/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How a system call's failure becomes a finding: what was tried, why it failed, what to do. Neighbour: diag.h. */
#ifndef GL_FAIL_H
#define GL_FAIL_H

#include "loader/diag.h"

/* Adds "WHAT: cause (remedy)" to `diag` (may be NULL) and returns `err`, a negative errno. */
int gl_fail(struct gl_diag *diag, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same without the errno's own words: the text says it all. */
int gl_refuse(struct gl_diag *diag, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
