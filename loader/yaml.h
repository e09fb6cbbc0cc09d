/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A YAML (or JSON) text as a tree of nodes that know where they stand. The only face of libyaml in this project.
 * Users: parse.c. */
#ifndef GL_YAML_H
#define GL_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "loader/arena.h"
#include "loader/diag.h"

enum gl_node_kind { GL_NODE_SCALAR, GL_NODE_LIST, GL_NODE_MAP };

struct gl_node {
	enum gl_node_kind kind;
	bool plain; /* scalar: written without quotes, so that `5` is a number and `true` a truth */
	bool complete; /* false while its children are still being read */
	struct gl_loc loc;
	const char *text; /* scalar; holds no NUL */
	const struct gl_node **items; /* list: its items; map: key, value, key, value, ... */
	size_t count; /* of items: maps have two per key */
};

/* *ret is the document's root, owned by `arena` as is everything in it; aliases make it share nodes, never loop.
 * -EINVAL with one finding where the text is not YAML, -ENOMEM. */
int gl_yaml_read(struct gl_arena *arena, const char *file, const char *text, size_t len, const struct gl_node **ret,
		 struct gl_diag *diag);

#endif
