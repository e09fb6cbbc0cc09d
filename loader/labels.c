/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How numbers get their names. Neighbours: labels.h. */
#include <stdio.h>
#include <string.h>

#include "loader/labels.h"

const char *gl_name_of(const struct gl_mapset *live, enum gl_name_kind kind, uint32_t index)
{
	const struct gl_name_key key = { .kind = kind, .index = index };
	const struct gl_entry *entry = gl_mapset_find(live, GL_MAP_NAME, &key);

	return entry ? ((const struct gl_name_val *)entry->val)->name : "";
}

const struct gl_port_val *gl_port_of(const struct gl_mapset *live, uint32_t slot)
{
	const struct gl_entry *entry = gl_mapset_find(live, GL_MAP_PORT, &slot);

	return entry ? entry->val : NULL;
}

void gl_label_slot(const struct gl_mapset *live, uint32_t slot, struct gl_label *ret)
{
	const struct gl_port_val *port = gl_port_of(live, slot);
	struct gl_label label = { 0 };
	const char *network, *slash;

	snprintf(label.tap, sizeof(label.tap), "%.15s", gl_name_of(live, GL_NAME_PORT, slot));
	if (port && port->kind == GL_PORT_UPLINK) {
		label.uplink = true;
		snprintf(label.network, sizeof(label.network), "%.63s", gl_name_of(live, GL_NAME_UPLINK, port->uplink));
	} else if (port) {
		network = gl_name_of(live, GL_NAME_NETWORK, port->network);
		slash = strchr(network, '/');
		snprintf(label.tenant, sizeof(label.tenant), "%.63s", gl_name_of(live, GL_NAME_TENANT, port->tenant));
		snprintf(label.network, sizeof(label.network), "%.63s", slash ? slash + 1 : network);
		snprintf(label.guest, sizeof(label.guest), "%.63s", gl_name_of(live, GL_NAME_GUEST, slot));
	}
	*ret = label;
}

bool gl_label_passes(const struct gl_label *label, const struct gl_filter *filter)
{
	if (!filter)
		return true;
	return (!filter->tenant || !strcmp(filter->tenant, label->tenant)) &&
	       (!filter->network || !strcmp(filter->network, label->network)) &&
	       (!filter->tap || !strcmp(filter->tap, label->tap));
}
