/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What may a mistyped word have meant? */
#ifndef GL_CLI_NEAREST_H
#define GL_CLI_NEAREST_H

#include <stddef.h>

/* The i-th candidate; NULL ends the list. */
typedef const char *(*nearest_name_fn)(void *arg, size_t i);

/* The candidate that a few changed letters, or the rest of the word, make of `word`; NULL: none is near. */
const char *nearest(const char *word, nearest_name_fn name, void *arg);

#endif
