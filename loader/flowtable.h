/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The tenants' flow tables: one hash per tenant and family, pinned at DIR/flows/INDEX:TENANT and
 * DIR/flows/INDEXv6:TENANT, reached by the programs through gl_flow4[INDEX] and gl_flow6[INDEX], both swept by one
 * kernel timer in gl_sweep[INDEX]. A tenant has the one for IPv4 as long as it exists. Neighbours: object.h, apply.c,
 * flows.c. */
#ifndef GL_FLOWTABLE_H
#define GL_FLOWTABLE_H

#include <stdint.h>

#include "loader/compile.h"
#include "loader/object.h"

struct gl_table {
	uint32_t tenant;
	uint32_t max_entries; /* 0: the pin cannot be read */
	uint32_t map_id;
	enum gl_map_id map; /* GL_MAP_FLOW4 or GL_MAP_FLOW6: whose keys and values it has */
	bool linked; /* the map's element of the tenant is this table */
	char name[GL_NAME_LEN]; /* the tenant's */
	char pin[256];
};
struct gl_tables {
	struct gl_table *items; /* by tenant, map, then pin */
	size_t count;
};

/* Entries of a table whose tenant may hold that many flows. */
uint32_t gl_flow_table_entries(uint32_t max_flows);
/* `map`: GL_MAP_FLOW4 or GL_MAP_FLOW6. A descriptor, or negative errno. */
int gl_flow_table_create(enum gl_map_id map, const char *name, uint32_t max_entries);
int gl_tables_read(const char *dir, const struct gl_object *obj, struct gl_tables *ret);
void gl_tables_clear(struct gl_tables *tables);

/* Makes the tenant's table and puts it into gl_flow4 or gl_flow6; flows of `was` (NULL: none) move over. */
int gl_flow_table_add(const char *dir, const struct gl_object *obj, const struct gl_flow_table *want,
		      const struct gl_table *was, struct gl_diag *diag);
/* Takes the table and its pin away; with that for IPv4 the tenant's timer. */
int gl_flow_table_remove(const char *dir, const struct gl_object *obj, const struct gl_table *table);
/* Starts the timer that takes the tenant's expired flows away; starting it again does no harm. */
int gl_sweep_start(const struct gl_object *obj, uint32_t tenant, struct gl_diag *diag);

#endif
