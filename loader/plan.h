/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What would an apply add, change and remove, in an operator's words? Pure: compares what is in force with what is
 * desired, both as values. Neighbours: mapset.h, compile.h, loader.h (struct gl_plan). */
#ifndef GL_PLAN_H
#define GL_PLAN_H

#include <stdio.h>

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

#define GL_PLAN_ATTRS 12
#define GL_PLAN_LIST_MOST 8 /* items of a list that are told one by one */

/* One thing of a definition as the maps tell it. Two of the same kind and name are compared attribute by attribute. */
struct gl_plan_object {
	const char *kind;
	char *name;
	struct {
		const char *label; /* NULL: no more */
		char *text; /* "" counts as not there; of lists, an item a line */
		bool quiet; /* not worth telling of something new or gone */
		bool list; /* told by what is in one and not in the other, whatever the order */
		char *beside; /* lists: what cannot be told from what is in them, "*" for all; NULL: nothing */
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

/* ---- plan_ra.c, for plan_object.c ---------------------------------------------------------------------------- */

/* "slaac every 600 s, lifetime 9000 s, mtu 1500" */
void gl_ra_tell(FILE *file, const struct gl_ra_val *ra);

/* ---- plan_group.c, for plan.c and plan_object.c -------------------------------------------------------------- */

struct gl_plan_rules {
	struct gl_plan_rule *items; /* by group and direction */
	size_t count;
	struct gl_plan_member *members; /* by group and policy */
	size_t member_count;
};
int gl_plan_rules_list(const struct gl_mapset *set, struct gl_plan_rules *ret); /* 0 or -ENOMEM */
void gl_plan_rules_clear(struct gl_plan_rules *rules);
/* "tcp 80-81 from 10.0.0.0/8", a rule a line; "" where there is none, NULL when out of memory. Caller frees. */
char *gl_plan_rules_text(const struct gl_mapset *set, const struct gl_plan_rules *rules, uint32_t group,
			 enum gl_direction direction);
/* The same of what all interfaces of the group have from their other groups as well: it stands in the maps once, so
 * that its coming and going here may mean nothing. "*": everything. */
char *gl_plan_rules_beside(const struct gl_mapset *set, const struct gl_plan_rules *rules, uint32_t group,
			   enum gl_direction direction);
/* "tcp 80, udp 53 and 10 more" */
void gl_plan_list_tell(FILE *file, const char *text);
/* "without tcp 80, with tcp 81", but for what the other side has beside it (NULL: nothing); 0 or -ENOMEM. */
int gl_plan_list_differ(FILE *file, const char *was, const char *was_beside, const char *want, const char *want_beside);

#endif
