/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What the maps hold right now: drops, counters, raw entries. Neighbours: loader.h, labels.h, flows.c, status.c. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/bpffs.h"
#include "loader/fail.h"
#include "loader/host.h"
#include "loader/labels.h"
#include "loader/snapshot.h"

/* ---- drops ------------------------------------------------------------------------------------------------- */

struct drop_cell {
	struct gl_drops_key key;
	struct gl_count_val sum;
};
struct drop_cells {
	struct drop_cell *items;
	size_t count, capacity;
	int cpus;
};

static int on_drop(void *arg, const void *key, const void *val)
{
	const struct gl_count_val *per_cpu = val;
	struct drop_cells *c = arg;
	struct drop_cell *cell;

	if (c->count == c->capacity) {
		size_t more = c->capacity ? 2 * c->capacity : 64;

		cell = reallocarray(c->items, more, sizeof(*cell));
		if (!cell)
			return -ENOMEM;
		c->items = cell;
		c->capacity = more;
	}
	cell = &c->items[c->count++];
	memcpy(&cell->key, key, sizeof(cell->key));
	cell->sum = (struct gl_count_val){ 0 };
	for (int i = 0; i < c->cpus; i++) {
		cell->sum.packets += per_cpu[i].packets;
		cell->sum.bytes += per_cpu[i].bytes;
	}
	return 0;
}

static int by_cell(const void *a, const void *b)
{
	const struct drop_cell *x = a, *y = b;

	if (x->key.slot != y->key.slot)
		return x->key.slot < y->key.slot ? -1 : 1;
	return (x->key.reason > y->key.reason) - (x->key.reason < y->key.reason);
}

static int read_drops(const struct gl_host *host, struct drop_cells *ret, struct gl_diag *diag)
{
	struct drop_cells c = { .cpus = libbpf_num_possible_cpus() };
	int err = 0;

	if (c.cpus <= 0)
		return gl_fail(diag, c.cpus, "cannot count the processors");
	if (host->obj.map[GL_MAP_DROPS] >= 0)
		err = gl_map_walk(host->obj.map[GL_MAP_DROPS], sizeof(struct gl_drops_key),
				  sizeof(struct gl_count_val) * c.cpus, on_drop, &c);
	if (err) {
		free(c.items);
		return gl_fail(diag, err, "cannot read the map gl_drops");
	}
	if (c.count)
		qsort(c.items, c.count, sizeof(*c.items), by_cell);
	*ret = c;
	return 0;
}

int gl_each_drop(struct gl_host *host, const struct gl_filter *filter,
		 int (*row)(void *arg, const struct gl_drop_row *), void *arg, struct gl_diag *diag)
{
	struct drop_cells cells = { 0 };
	struct gl_view view;
	int err = gl_view_read_some(host, 0, &view, diag);

	if (err)
		return err;
	err = read_drops(host, &cells, diag);
	for (size_t i = 0; i < cells.count && !err; i++) {
		const struct drop_cell *cell = &cells.items[i];
		struct gl_label label;

		gl_label_slot(gl_view_live(&view), cell->key.slot, &label);
		if (!gl_label_passes(&label, filter) || !cell->sum.packets)
			continue;
		err = row(arg, &(struct gl_drop_row){ .tenant = label.tenant,
						      .network = label.network,
						      .tap = label.tap,
						      .reason = gl_drop_name(cell->key.reason),
						      .help = gl_drop_help(cell->key.reason),
						      .packets = cell->sum.packets,
						      .bytes = cell->sum.bytes });
	}
	free(cells.items);
	gl_view_clear(&view);
	return err < 0 ? err : 0;
}

/* ---- counters ---------------------------------------------------------------------------------------------- */

static void add_up(struct gl_traffic_val *sum, const struct gl_traffic_val *per_cpu, int cpus)
{
	*sum = (struct gl_traffic_val){ 0 };
	for (int i = 0; i < cpus; i++) {
		sum->from_guest.packets += per_cpu[i].from_guest.packets;
		sum->from_guest.bytes += per_cpu[i].from_guest.bytes;
		sum->to_guest.packets += per_cpu[i].to_guest.packets;
		sum->to_guest.bytes += per_cpu[i].to_guest.bytes;
	}
}

int gl_each_counter(struct gl_host *host, const struct gl_filter *filter,
		    int (*row)(void *arg, const struct gl_counter_row *), void *arg, struct gl_diag *diag)
{
	struct gl_traffic_val *per_cpu = NULL, sum;
	struct drop_cells cells = { 0 };
	struct gl_view view;
	size_t first, count;
	int err = gl_view_read_some(host, 0, &view, diag);

	if (err)
		return err;
	err = read_drops(host, &cells, diag);
	if (!err) {
		per_cpu = calloc(cells.cpus, sizeof(*per_cpu));
		if (!per_cpu)
			err = gl_fail(diag, -ENOMEM, "cannot read the map gl_traffic");
	}
	count = gl_mapset_range(gl_view_live(&view), GL_MAP_PORT, &first);
	for (size_t i = first; i < first + count && !err; i++) {
		struct gl_counter_row counter = { 0 };
		struct gl_label label;
		uint32_t slot;

		memcpy(&slot, gl_mapset_at(gl_view_live(&view), i)->key, sizeof(slot));
		gl_label_slot(gl_view_live(&view), slot, &label);
		if (!gl_label_passes(&label, filter))
			continue;
		if (bpf_map_lookup_elem(host->obj.map[GL_MAP_TRAFFIC], &slot, per_cpu)) {
			err = gl_fail(diag, -errno, "cannot read the map gl_traffic");
			break;
		}
		add_up(&sum, per_cpu, cells.cpus);
		for (size_t k = 0; k < cells.count; k++)
			if (cells.items[k].key.slot == slot)
				counter.dropped += cells.items[k].sum.packets;
		counter.tenant = label.tenant;
		counter.network = label.network;
		counter.tap = label.tap;
		counter.uplink = label.uplink;
		counter.from_guest = sum.from_guest;
		counter.to_guest = sum.to_guest;
		err = row(arg, &counter);
	}
	free(per_cpu);
	free(cells.items);
	gl_view_clear(&view);
	return err < 0 ? err : 0;
}

/* ---- raw entries ------------------------------------------------------------------------------------------- */

struct raw {
	int (*row)(void *arg, const char *label, const void *key, const void *val);
	void *arg;
	const char *label;
	const struct gl_mapset *live;
	int cpus;
	enum gl_map_id map;
};

static int on_raw(void *arg, const void *key, const void *val)
{
	const struct raw *r = arg;

	return r->row(r->arg, r->label, key, val);
}

static int on_traffic(void *arg, const void *key, const void *val)
{
	const struct raw *r = arg;
	struct gl_traffic_val sum;
	uint32_t slot;

	memcpy(&slot, key, sizeof(slot));
	if (!gl_port_of(r->live, slot))
		return 0;
	add_up(&sum, val, r->cpus);
	return r->row(r->arg, "", key, &sum);
}

/* Slots of interfaces that there are. */
static int on_ra_sent(void *arg, const void *key, const void *val)
{
	const struct raw *r = arg;
	uint32_t slot;

	memcpy(&slot, key, sizeof(slot));
	return gl_port_of(r->live, slot) ? r->row(r->arg, "", key, val) : 0;
}

static int on_sweep(void *arg, const void *key, const void *val)
{
	const struct raw *r = arg;
	const struct gl_sweep_val *sweep = val;

	return sweep->runs ? r->row(r->arg, "", key, val) : 0;
}

/* Tenants that there are, and those of tenants gone that have something to tell. */
static int on_tenant_stat(void *arg, const void *key, const void *val)
{
	static const struct gl_tenant_stat nothing;
	const struct raw *r = arg;
	struct gl_name_key name = { .kind = GL_NAME_TENANT };

	memcpy(&name.index, key, sizeof(name.index));
	if (!gl_mapset_find(r->live, GL_MAP_NAME, &name) && !memcmp(val, &nothing, sizeof(nothing)))
		return 0;
	return r->row(r->arg, "", key, val);
}

static int each_table(struct gl_host *host, const struct gl_view *view, struct raw *r)
{
	const struct gl_map_info *info = gl_map_info(r->map);
	int err = 0;

	for (size_t i = 0; i < view->tables.count && !err; i++) {
		int fd = view->tables.items[i].map == r->map
				 ? gl_pin_open(host->bpffs, "flows", view->tables.items[i].pin)
				 : -1;

		if (fd < 0)
			continue;
		r->label = view->tables.items[i].name;
		err = gl_map_walk(fd, info->key_size, info->val_size, on_raw, r);
		close(fd);
	}
	return err;
}

int gl_each_entry(struct gl_host *host, enum gl_map_id map,
		  int (*row)(void *arg, const char *label, const void *key, const void *val), void *arg,
		  struct gl_diag *diag)
{
	const struct gl_map_info *info = gl_map_info(map);
	struct raw r = { .row = row, .arg = arg, .label = "", .map = map, .cpus = libbpf_num_possible_cpus() };
	struct drop_cells cells = { 0 };
	struct gl_view view;
	size_t first, count;
	int fd, err;

	if (!info)
		return gl_refuse(diag, -ENOENT, "there is no such map");
	err = gl_view_read_some(host, GL_MAPS_ONE(map), &view, diag);
	if (err)
		return err;
	fd = host->obj.map[map];
	r.live = gl_view_live(&view);
	if (fd < 0)
		goto out;
	if (info->role == GL_ROLE_SIDED || info->role == GL_ROLE_PLAIN) {
		count = gl_mapset_range(r.live, map, &first);
		for (size_t i = first; i < first + count && !err; i++)
			err = row(arg, "", gl_mapset_at(r.live, i)->key, gl_mapset_at(r.live, i)->val);
	} else if (info->shape == GL_SHAPE_MAP_OF_MAPS) {
		err = each_table(host, &view, &r);
	} else if (map == GL_MAP_DROPS) {
		err = read_drops(host, &cells, diag);
		for (size_t i = 0; i < cells.count && !err; i++)
			err = row(arg, "", &cells.items[i].key, &cells.items[i].sum);
		free(cells.items);
	} else if (map == GL_MAP_TRAFFIC) {
		err = gl_map_walk(fd, info->key_size, info->val_size * r.cpus, on_traffic, &r);
	} else {
		gl_entry_fn each = map == GL_MAP_SWEEP	       ? on_sweep
				   : map == GL_MAP_TENANT_STAT ? on_tenant_stat
				   : map == GL_MAP_RA_SENT     ? on_ra_sent
							       : on_raw;

		err = gl_map_walk(fd, info->key_size, info->val_size, each, &r);
	}
out:
	gl_view_clear(&view);
	return err < 0 ? err : 0;
}
