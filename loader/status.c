/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What is attached where, and how full the maps are. Neighbours: loader.h, labels.h, attach.h. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/bpffs.h"
#include "loader/fail.h"
#include "loader/host.h"
#include "loader/labels.h"
#include "loader/snapshot.h"

/* gl_map_fill holds borrowed names: they live here. */
struct status {
	struct gl_status pub;
	char **labels;
	size_t label_count;
};

void gl_status_free(struct gl_status *status)
{
	struct status *s = (struct status *)status;

	if (!s)
		return;
	for (size_t i = 0; i < s->label_count; i++)
		free(s->labels[i]);
	free(s->labels);
	free(s->pub.attachments);
	free(s->pub.fills);
	free(s);
}

static struct gl_attachment *add(struct gl_status *s)
{
	struct gl_attachment *more = reallocarray(s->attachments, s->attachment_count + 1, sizeof(*s->attachments));

	if (!more)
		return NULL;
	s->attachments = more;
	more += s->attachment_count++;
	*more = (struct gl_attachment){ .xdp = "off", .xdp_reason = "", .tc = "off" };
	return more;
}

static const struct gl_interface *defined(const struct gl_definition *def, const char *tap)
{
	for (size_t t = 0; def && t < def->tenant_count; t++)
		for (size_t g = 0; g < def->tenants[t].guest_count; g++)
			for (size_t i = 0; i < def->tenants[t].guests[g].interface_count; i++)
				if (!strcmp(def->tenants[t].guests[g].interfaces[i].tap.s, tap))
					return &def->tenants[t].guests[g].interfaces[i];
	return NULL;
}

static const char *reason_of(struct status *s, const struct gl_view *view, const struct gl_definition *def,
			     const struct gl_attachment *a)
{
	const char *known = gl_state_reason(&view->state, a->ifindex);
	enum gl_xdp_wish wish = GL_XDP_AUTO;
	char **more, *copy;

	if (a->pending || !strcmp(a->xdp, "native"))
		return "";
	if (a->uplink) {
		for (size_t i = 0; def && i < def->uplink_count; i++)
			if (!strcmp(def->uplinks[i].interface.s, a->tap))
				wish = def->uplinks[i].xdp;
	} else if (defined(def, a->tap)) {
		wish = defined(def, a->tap)->xdp;
	}
	if (wish == GL_XDP_OFF)
		return "the definition says `xdp: off`";
	if (wish == GL_XDP_GENERIC)
		return "the definition says `xdp: generic`";
	if (!known)
		return "";
	copy = strdup(known);
	more = reallocarray(s->labels, s->label_count + 1, sizeof(*more));
	if (more)
		s->labels = more;
	if (!copy || !more) {
		free(copy);
		return "";
	}
	s->labels[s->label_count++] = copy;
	return copy;
}

static void how_attached(const struct gl_view *view, struct gl_attachment *a)
{
	const struct gl_attached *in = gl_attached_find(&view->attachments, a->ifindex, GL_HOOK_TC_IN),
				 *xdp = gl_attached_find(&view->attachments, a->ifindex, GL_HOOK_XDP);

	if (in)
		a->tc = in->how == GL_HOW_TCX_IN ? "tcx" : "clsact";
	if (xdp)
		a->xdp = xdp->how == GL_HOW_XDP_NATIVE ? "native" : "generic";
	/* Without TC a frame could get past: such a device counts as not attached. */
	a->pending = !in || (!a->uplink && !gl_attached_find(&view->attachments, a->ifindex, GL_HOOK_TC_OUT));
}

static int read_ports(struct status *s, const struct gl_view *view, const struct gl_definition *def)
{
	const struct gl_mapset *live = gl_view_live(view);
	size_t first, count = gl_mapset_range(live, GL_MAP_PORT, &first);

	for (size_t i = first; i < first + count; i++) {
		const struct gl_port_val *port = gl_mapset_at(live, i)->val;
		struct gl_attachment *a = add(&s->pub);
		struct gl_label label;

		if (!a)
			return -ENOMEM;
		memcpy(&a->slot, gl_mapset_at(live, i)->key, sizeof(a->slot));
		gl_label_slot(live, a->slot, &label);
		memcpy(a->tap, label.tap, sizeof(a->tap));
		memcpy(a->tenant, label.tenant, sizeof(a->tenant));
		memcpy(a->network, label.network, sizeof(a->network));
		memcpy(a->guest, label.guest, sizeof(a->guest));
		a->uplink = label.uplink;
		a->ifindex = port->ifindex;
		a->mtu = port->mtu;
		how_attached(view, a);
		a->xdp_reason = reason_of(s, view, def, a);
	}
	return 0;
}

/* Interfaces of the definition that had no device when it was applied. */
static int add_pending(struct status *s, const struct gl_definition *def)
{
	for (size_t t = 0; def && t < def->tenant_count; t++)
		for (size_t g = 0; g < def->tenants[t].guest_count; g++) {
			const struct gl_guest *guest = &def->tenants[t].guests[g];

			for (size_t i = 0; i < guest->interface_count; i++) {
				struct gl_attachment *a;
				bool there = false;

				for (size_t k = 0; k < s->pub.attachment_count && !there; k++)
					there = !strcmp(s->pub.attachments[k].tap, guest->interfaces[i].tap.s);
				if (there)
					continue;
				a = add(&s->pub);
				if (!a)
					return -ENOMEM;
				a->pending = true;
				snprintf(a->tap, sizeof(a->tap), "%.15s", guest->interfaces[i].tap.s);
				snprintf(a->tenant, sizeof(a->tenant), "%.63s", def->tenants[t].name.s);
				snprintf(a->network, sizeof(a->network), "%.63s", guest->interfaces[i].network.s);
				snprintf(a->guest, sizeof(a->guest), "%.63s", guest->name.s);
			}
		}
	return 0;
}

static int by_part(const void *x, const void *y)
{
	const struct gl_attachment *a = x, *b = y;

	return a->uplink != b->uplink ? b->uplink - a->uplink : strcmp(a->tap, b->tap);
}

/* ---- fills ------------------------------------------------------------------------------------------------- */

static int count_one(void *arg, const void *key, const void *val)
{
	(void)key, (void)val;
	++*(uint64_t *)arg;
	return 0;
}

static int fill(struct status *s, const char *map, char *label, uint64_t used, uint64_t capacity)
{
	struct gl_map_fill *fills = reallocarray(s->pub.fills, s->pub.fill_count + 1, sizeof(*fills));
	char **labels = reallocarray(s->labels, s->label_count + 1, sizeof(*labels));

	s->pub.fills = fills ? fills : s->pub.fills;
	s->labels = labels ? labels : s->labels;
	if (!fills || !labels) {
		free(label);
		return -ENOMEM;
	}
	if (label)
		s->labels[s->label_count++] = label;
	fills[s->pub.fill_count++] =
		(struct gl_map_fill){ .map = label ? label : map, .used = used, .capacity = capacity };
	return 0;
}

static int read_fills(struct status *s, struct gl_host *host, const struct gl_view *view)
{
	int cpus = libbpf_num_possible_cpus(), err = 0;

	for (int map = 0; map < GL_MAP_COUNT && !err; map++) {
		const struct gl_map_info *info = gl_map_info(map);
		uint64_t used = 0;
		size_t first;

		if (info->role == GL_ROLE_SIDED || info->role == GL_ROLE_PLAIN) {
			used = gl_mapset_range(gl_view_live(view), map, &first);
		} else if (info->shape == GL_SHAPE_HASH || info->shape == GL_SHAPE_PERCPU_HASH) {
			size_t values = info->shape == GL_SHAPE_PERCPU_HASH && cpus > 0 ? (size_t)cpus : 1;

			err = gl_map_walk(host->obj.map[map], info->key_size, info->val_size * values, count_one,
					  &used);
		} else {
			continue;
		}
		if (!err)
			err = fill(s, info->name, NULL, used,
				   info->role == GL_ROLE_SIDED ? info->max_entries / 2 : info->max_entries);
	}
	for (size_t i = 0; i < view->tables.count && !err; i++) {
		const struct gl_table *table = &view->tables.items[i];
		const struct gl_map_info *info = gl_map_info(table->map);
		int fd = gl_pin_open(host->bpffs, "flows", table->pin);
		uint64_t used = 0;
		char *label;

		if (fd < 0)
			continue;
		err = gl_map_walk(fd, info->key_size, info->val_size, count_one, &used);
		close(fd);
		if (!err &&
		    asprintf(&label, "%s of %s", table->map == GL_MAP_FLOW6 ? "IPv6 flows" : "flows", table->name) < 0)
			err = -ENOMEM;
		if (!err)
			err = fill(s, NULL, label, used, table->max_entries);
	}
	return err;
}

int gl_status_read(struct gl_host *host, struct gl_status **ret, struct gl_diag *diag)
{
	struct status *s = calloc(1, sizeof(*s));
	struct gl_definition *def = NULL;
	struct gl_diag ignored = { 0 };
	struct gl_view view = { 0 };
	int err;

	if (!s)
		return gl_fail(diag, -ENOMEM, "cannot read the status");
	err = gl_view_read(host, &view, diag);
	if (err)
		goto out;
	s->pub.applied = view.control.serial;
	s->pub.serial = view.control.serial;
	s->pub.side = view.control.side;
	s->pub.abi = GL_ABI_VERSION;
	/* Without the definition, what the maps say is shown all the same. */
	if (view.state.definition)
		gl_definition_parse(view.state.definition, &def, &ignored);
	gl_diag_clear(&ignored);
	if (view.control.serial) {
		err = read_ports(s, &view, def);
		if (!err)
			err = add_pending(s, def);
		if (!err && s->pub.attachment_count)
			qsort(s->pub.attachments, s->pub.attachment_count, sizeof(*s->pub.attachments), by_part);
		if (!err)
			err = read_fills(s, host, &view);
		if (err)
			gl_fail(diag, err, "cannot read the status");
	}
out:
	gl_definition_free(def);
	gl_view_clear(&view);
	if (err) {
		gl_status_free(&s->pub);
		return err;
	}
	*ret = &s->pub;
	return 0;
}
