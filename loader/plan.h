/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What would an apply add, change and remove, in an operator's words? Pure: compares what is in force with what is
 * desired, both as values. Neighbours: mapset.h, compile.h, loader.h (struct gl_plan). */
#ifndef GL_PLAN_H
#define GL_PLAN_H

#include "loader/compile.h"
#include "loader/loader.h"

/* Something that is no map entry: a program to attach, repair or detach, a setting of the host. Copied. */
struct gl_plan_extra {
	enum gl_action action;
	const char *kind; /* static: "program", ... */
	const char *name;
	const char *detail; /* may be NULL */
};

struct gl_plan_in {
	const struct gl_mapset *live; /* in force, sealed */
	const struct gl_desired *desired;
	const struct gl_flow_table *tables; /* the tenants' flow tables as they are, in any order */
	size_t table_count;
	const struct gl_port_range *reserved; /* ports that guestlane keeps from the host's sockets now, ascending */
	size_t reserved_count;
	const struct gl_plan_extra *extras;
	size_t extra_count;
	const char *const *notes; /* host-wide effects */
	size_t note_count;
};

/* 0 or -ENOMEM. */
int gl_plan_make(const struct gl_plan_in *in, struct gl_plan **ret);

/* ---- plan_object.c, for plan.c and tests ------------------------------------------------------------------- */

#define GL_PLAN_ATTRS 8

/* One thing of a definition as the maps tell it. Two of the same kind and name are compared attribute by attribute. */
struct gl_plan_object {
	const char *kind;
	char *name;
	struct {
		const char *label; /* NULL: no more */
		char *text; /* "" counts as not there */
		bool quiet; /* not worth telling of something new or gone */
	} attrs[GL_PLAN_ATTRS];
};
struct gl_plan_objects {
	struct gl_plan_object *items; /* by kind, then name */
	size_t count, capacity;
};
/* `tables`: max_flows of the tenants in `set`. */
int gl_plan_describe(const struct gl_mapset *set, const struct gl_flow_table *tables, size_t table_count,
		     struct gl_plan_objects *ret);
void gl_plan_objects_clear(struct gl_plan_objects *objects);

#endif
