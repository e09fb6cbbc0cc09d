/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Over the entries of tenants' flow tables of both families, filtered: what flows.c shows and flowcut.c takes away.
 * Streams: a table of millions is read in batches, and an entry may be deleted while it is being looked at. Neighbours:
 * flowfilter.h. */
#ifndef GL_FLOWWALK_H
#define GL_FLOWWALK_H

#include "loader/flowfilter.h"
#include "loader/host.h"
#include "loader/labels.h"

struct gl_flow_walk {
	const struct gl_flow_filter *filter; /* NULL: everything */
	enum gl_flow_kind kind; /* GL_FLOW_PACKETS: openers' entries; GL_FLOW_MAPPING: of `filter` only `who` counts */
	/* For every entry that passes; a non-zero return ends the walk. */
	int (*found)(struct gl_flow_walk *w, const struct gl_flow *flow);

	/* Set by gl_flow_walk(), for `found`. */
	const struct gl_mapset *live;
	const struct gl_table *table; /* the tenant's */
	int fd; /* of the table */
	uint32_t group; /* number of filter->group with this tenant */
	bool outside; /* it came in by an uplink */
	struct gl_label label; /* of the guest's end */
};

/* Looks an entry of the table at hand up, or takes it away. 0 or a negative errno. */
int gl_flow_find(const struct gl_flow_walk *w, const struct gl_flow6_key *key, struct gl_flow *ret);
int gl_flow_delete(const struct gl_flow_walk *w, const struct gl_flow6_key *key);
/* Goes over the tables of `view`. 0, what `found` returned, or a negative errno with a finding. */
int gl_flow_walk(struct gl_host *host, const struct gl_view *view, struct gl_flow_walk *w, struct gl_diag *diag);

#endif
