/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How flow tables are gone over. See flowwalk.h. */
#include "loader/flowwalk.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loader/bpffs.h"
#include "loader/fail.h"
#include "loader/snapshot.h"

/* The table tells the tenant already. */
static bool label_passes(const struct gl_flow_walk *w, const struct gl_label *label)
{
	const struct gl_filter rest = { .network = w->filter->who.network, .tap = w->filter->who.tap };

	return gl_label_passes(label, &rest);
}

static bool who_passes(struct gl_flow_walk *w, const struct gl_flow6_val *val)
{
	const struct gl_port_val *in = gl_port_of(w->live, val->in_slot);
	struct gl_label other;

	w->outside = in && in->kind == GL_PORT_UPLINK;
	gl_label_slot(w->live, w->outside ? val->out_slot : val->in_slot, &w->label);
	if (!w->filter || label_passes(w, &w->label))
		return true;
	if (w->kind == GL_FLOW_MAPPING)
		return false;
	/* The tenant's own interface at the other end counts as well. */
	gl_label_slot(w->live, w->outside ? val->in_slot : val->out_slot, &other);
	return !strcmp(other.tenant, w->table->name) && label_passes(w, &other);
}

static int on_entry(void *arg, const void *k, const void *v)
{
	struct gl_flow_walk *w = arg;
	struct gl_flow flow;

	gl_flow_read(w->table->map, k, v, &flow);
	if (flow.key.kind != w->kind || (flow.key.kind == GL_FLOW_PACKETS && flow.val.flags & GL_FLOW_F_REPLY))
		return 0;
	/* Names take longer than numbers. */
	if (w->filter && w->kind == GL_FLOW_PACKETS && !gl_flow_passes(w->filter, w->group, &flow))
		return 0;
	return who_passes(w, &flow.val) ? w->found(w, &flow) : 0;
}

int gl_flow_find(const struct gl_flow_walk *w, const struct gl_flow6_key *key, struct gl_flow *ret)
{
	struct gl_flow6_key buf;
	struct gl_flow6_val val;
	const void *at = gl_flow_table_key(w->table->map, key, &buf);

	static_assert(sizeof(struct gl_flow4_val) <= sizeof(val), "");
	if (bpf_map_lookup_elem(w->fd, at, &val))
		return -errno;
	gl_flow_read(w->table->map, at, &val, ret);
	return 0;
}

int gl_flow_delete(const struct gl_flow_walk *w, const struct gl_flow6_key *key)
{
	struct gl_flow6_key buf;

	return bpf_map_delete_elem(w->fd, gl_flow_table_key(w->table->map, key, &buf)) ? -errno : 0;
}

/* 0: the tenant has no such group. */
static uint32_t group_number(const struct gl_mapset *live, const char *tenant, const char *group)
{
	size_t first, count = gl_mapset_range(live, GL_MAP_NAME, &first);
	char full[2 * GL_NAME_LEN + 2];

	snprintf(full, sizeof(full), "%s/%s", tenant, group);
	for (size_t i = first; i < first + count; i++) {
		const struct gl_name_key *key = gl_mapset_at(live, i)->key;
		const struct gl_name_val *val = gl_mapset_at(live, i)->val;

		if (key->kind == GL_NAME_GROUP && !strncmp(val->name, full, sizeof(val->name)))
			return key->index;
	}
	return 0;
}

static bool table_wanted(struct gl_flow_walk *w, const struct gl_table *table)
{
	w->table = table;
	w->group = 0;
	if (!table->linked)
		return false;
	if (!w->filter)
		return true;
	if (w->filter->who.tenant && strcmp(w->filter->who.tenant, table->name))
		return false;
	if (!w->filter->group)
		return true;
	w->group = group_number(w->live, table->name, w->filter->group);
	return w->group;
}

int gl_flow_walk(struct gl_host *host, const struct gl_view *view, struct gl_flow_walk *w, struct gl_diag *diag)
{
	int err = 0;

	w->live = gl_view_live(view);
	for (size_t i = 0; i < view->tables.count && !err; i++) {
		const struct gl_table *table = &view->tables.items[i];
		const struct gl_map_info *info = gl_map_info(table->map);

		if (!table_wanted(w, table))
			continue;
		w->fd = gl_pin_open(host->bpffs, "flows", table->pin);
		if (w->fd < 0)
			return gl_fail(diag, w->fd, "cannot open %s/flows/%s", host->bpffs, table->pin);
		err = gl_map_walk(w->fd, info->key_size, info->val_size, on_entry, w);
		if (err < 0)
			gl_fail(diag, err, "cannot read the flows of tenant %s", table->name);
		close(w->fd);
	}
	return err;
}
