/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* From the numbers in maps to the names in the definition. Neighbours: mapset.h, live.c, flows.c, status.c. */
#ifndef GL_LABELS_H
#define GL_LABELS_H

#include "loader/loader.h"
#include "loader/mapset.h"

struct gl_label {
	char tenant[GL_NAME_LEN], network[GL_NAME_LEN], guest[GL_NAME_LEN], tap[16]; /* "" where unknown */
	bool uplink; /* `network` is the uplink's name */
};

const char *gl_name_of(const struct gl_mapset *live, enum gl_name_kind kind, uint32_t index); /* "" when none */
const struct gl_port_val *gl_port_of(const struct gl_mapset *live, uint32_t slot); /* NULL when none */
void gl_label_slot(const struct gl_mapset *live, uint32_t slot, struct gl_label *ret);
bool gl_label_passes(const struct gl_label *label, const struct gl_filter *filter);

#endif
