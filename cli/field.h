/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How is one field of a raw map entry shown? Enums by name, flags as a list, addresses as text. Pure.
 * Neighbours: maps/registry.h (the fields), cmd_dump.c. */
#ifndef GL_CLI_FIELD_H
#define GL_CLI_FIELD_H

#include "cli/out.h"
#include "maps/registry.h"

/* The column that holds the field. */
enum out_kind field_kind(const struct gl_field *field);
/* Puts the field of `entry` (a key or a value) into the next column. */
void field_put(struct out *o, const struct gl_field *field, const void *entry);

#endif
