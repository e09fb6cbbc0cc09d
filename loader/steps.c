/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What apply does before the commit, step by step, and how each is undone. None of it lets a packet through that was
 * not let through before: a device that carries the programs but has no entry in force passes nothing.
 * Neighbours: txn.h, apply.c (the order), gc.c. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "loader/bpffs.h"
#include "loader/fail.h"
#include "loader/netlink.h"
#include "loader/snapshot.h"
#include "loader/txn.h"

static struct gl_deed *remember(struct gl_txn *t, enum gl_deed_kind kind)
{
	struct gl_deed *deed;

	if (t->deed_count == t->deed_capacity) {
		size_t more = t->deed_capacity ? 2 * t->deed_capacity : 64;

		deed = reallocarray(t->deeds, more, sizeof(*deed));
		if (!deed) {
			gl_fail(t->diag, -ENOMEM, "cannot keep track of what is being done");
			return NULL;
		}
		t->deeds = deed;
		t->deed_capacity = more;
	}
	deed = &t->deeds[t->deed_count++];
	*deed = (struct gl_deed){ .kind = kind };
	return deed;
}

/* ---- programs and maps ------------------------------------------------------------------------------------- */

static int load(struct gl_txn *t)
{
	struct gl_host *host = t->host;
	int err = gl_step(t, "load programs", 0, 1);

	t->fresh = !host->obj.present;
	if (!err)
		err = gl_bpffs_prepare(host->bpffs, &t->mounted, t->diag);
	if (!err && t->mounted)
		err = gl_state_mark_mounted(host->state);
	if (!err)
		err = gl_step(t, "load programs", 0, 1);
	if (!err && !host->obj.loaded)
		err = gl_object_load(host->bpffs, &host->obj, t->diag);
	if (!err)
		err = gl_step(t, "load programs", 1, 1);
	return err;
}

/* ---- the host's settings ----------------------------------------------------------------------------------- */

/* What next.json says has to hold whichever of the two files a later command finds to be in force. */
static int note_next(struct gl_txn *t)
{
	struct gl_state *next = &t->next;
	const struct gl_state *was = &t->view.state;
	struct gl_ports now, fresh = t->wanted;
	int err = gl_reserved_read(&now, t->diag);

	if (err)
		return err;
	for (int i = 0; i < GL_PORT_WORDS; i++) {
		/* The operator's own stay the operator's. */
		next->reserved.bits[i] = t->wanted.bits[i] & ~(now.bits[i] & ~was->reserved.bits[i]);
		fresh.bits[i] &= ~was->reserved.bits[i];
	}
	err = gl_reserved_check(&fresh, t->diag);
	if (err)
		return err;
	next->serial = t->view.control.serial + 1;
	for (unsigned i = 0; i < GL_FAMILIES; i++)
		next->forwarding[i] =
			was->forwarding[i] || t->view.other.forwarding[i] ||
			(gl_lookups_wanted(t, gl_family_at(i)) && !gl_forwarding_enabled(gl_family_at(i)));
	next->definition = strdup(t->definition);
	next->macs = calloc(t->desired->uplink_mac_count + 1, sizeof(*next->macs));
	if (!next->definition || !next->macs)
		return gl_fail(t->diag, -ENOMEM, "cannot write down the definition");
	next->mac_count = t->desired->uplink_mac_count;
	if (next->mac_count)
		memcpy(next->macs, t->desired->uplink_macs, next->mac_count * sizeof(*next->macs));
	return gl_state_write_next(t->host->state, next, t->diag);
}

static int host_settings(struct gl_txn *t)
{
	struct gl_ports now, all;
	int err = note_next(t);

	if (!err)
		err = gl_step(t, "prepare the host", 1, 3);
	if (!err)
		err = gl_reserved_read(&now, t->diag);
	if (err)
		return err;
	all = now;
	for (int i = 0; i < GL_PORT_WORDS; i++)
		all.bits[i] |= t->wanted.bits[i];
	if (!gl_ports_equal(&all, &now)) {
		if (!remember(t, GL_DID_RESERVE))
			return -ENOMEM;
		err = gl_reserved_write(&all, t->diag);
		/* A socket may have been bound since the check. */
		for (int i = 0; i < GL_PORT_WORDS; i++)
			all.bits[i] &= ~now.bits[i];
		if (!err)
			err = gl_reserved_check(&all, t->diag);
		if (err)
			return err;
	}
	err = gl_step(t, "prepare the host", 2, 3);
	for (unsigned i = 0; i < GL_FAMILIES && !err; i++) {
		struct gl_deed *deed;
		bool changed = false;

		if (!gl_lookups_wanted(t, gl_family_at(i)))
			continue;
		err = gl_forwarding_enable(gl_family_at(i), &changed, t->diag);
		deed = changed ? remember(t, GL_DID_FORWARD) : NULL;
		if (deed)
			deed->family = gl_family_at(i);
		else if (changed)
			err = -ENOMEM;
	}
	return err;
}

/* ---- flow tables ------------------------------------------------------------------------------------------- */

static const struct gl_table *table_of(const struct gl_txn *t, const struct gl_flow_table *want)
{
	for (size_t i = 0; i < t->view.tables.count; i++)
		if (t->view.tables.items[i].tenant == want->tenant && t->view.tables.items[i].map == want->map &&
		    gl_table_wanted(t, &t->view.tables.items[i]))
			return &t->view.tables.items[i];
	return NULL;
}

static int flow_tables(struct gl_txn *t)
{
	size_t total = t->desired->table_count;
	int err = 0;

	for (size_t i = 0; i < total && !err; i++) {
		const struct gl_flow_table *want = &t->desired->tables[i];
		const struct gl_table *was = table_of(t, want);
		uint32_t entries = gl_flow_table_entries(want->max_flows);

		if (!was || was->max_entries != entries) {
			struct gl_deed *deed;

			err = gl_step(t, "make flow tables", i, total);
			if (err)
				break;
			deed = remember(t, was ? GL_DID_RESIZE : GL_DID_TABLE);
			if (!deed)
				return -ENOMEM;
			deed->table.tenant = want->tenant;
			deed->table.map = want->map;
			deed->table.max_entries = was ? was->max_entries : 0;
			memcpy(deed->table.name, want->name, sizeof(deed->table.name));
			err = gl_flow_table_add(t->host->bpffs, &t->host->obj, want, was, t->diag);
		}
		/* One timer for both families. */
		if (!err && want->map == GL_MAP_FLOW4)
			err = gl_sweep_start(&t->host->obj, want->tenant, t->diag);
	}
	return err;
}

static void undo_table(struct gl_txn *t, const struct gl_deed *deed)
{
	struct gl_tables now;

	if (gl_tables_read(t->host->bpffs, &t->host->obj, &now))
		return;
	for (size_t i = 0; i < now.count; i++) {
		const struct gl_table *table = &now.items[i];
		struct gl_flow_table back = { .tenant = table->tenant,
					      .map = table->map,
					      .max_flows = deed->table.max_entries / gl_flow_table_entries(1) };

		if (table->tenant != deed->table.tenant || table->map != deed->table.map || !table->linked)
			continue;
		memcpy(back.name, table->name, sizeof(back.name));
		if (deed->kind == GL_DID_TABLE)
			gl_flow_table_remove(t->host->bpffs, &t->host->obj, table);
		else if (table->max_entries != deed->table.max_entries)
			gl_flow_table_add(t->host->bpffs, &t->host->obj, &back, table, NULL);
		break;
	}
	gl_tables_clear(&now);
}

/* ---- devices ----------------------------------------------------------------------------------------------- */

static int did_attach(struct gl_txn *t, const struct gl_device *dev, const struct gl_attached *a)
{
	struct gl_deed *deed = remember(t, GL_DID_ATTACH);

	if (!deed) {
		gl_detach(t->host->bpffs, a);
		return -ENOMEM;
	}
	deed->dev = *dev;
	deed->attached = *a;
	return 0;
}

static int note_reason(struct gl_txn *t, const struct gl_device *dev, const char *text)
{
	struct gl_reason *more = reallocarray(t->next.reasons, t->next.reason_count + 1, sizeof(*t->next.reasons));

	if (!more)
		return gl_fail(t->diag, -ENOMEM, "cannot keep why XDP is off on %s", dev->name);
	t->next.reasons = more;
	more += t->next.reason_count++;
	*more = (struct gl_reason){ .ifindex = dev->ifindex };
	memcpy(more->dev, dev->name, sizeof(more->dev));
	strncpy(more->text, text, sizeof(more->text) - 1);
	return 0;
}

static int attach_xdp(struct gl_txn *t, const struct gl_device *dev)
{
	const struct gl_attached *was = gl_attached_find(&t->view.attachments, dev->ifindex, GL_HOOK_XDP);
	bool generic = dev->xdp == GL_XDP_GENERIC;
	struct gl_attached a;
	char text[160];
	int err;

	if (was && gl_attachment_wanted(t, was))
		return was->prog_id == t->host->obj.prog_id[gl_device_prog(dev, GL_HOOK_XDP)]
			       ? 0
			       : gl_attached_update(t->host->bpffs, &t->host->obj, was,
						    gl_device_prog(dev, GL_HOOK_XDP), t->diag);
	if (was) {
		/* Meanwhile TC takes all; only afterwards a device may take the other mode. */
		struct gl_deed *deed = remember(t, GL_DID_DETACH);

		if (!deed)
			return -ENOMEM;
		deed->dev = *dev;
		deed->attached = *was;
		err = gl_detach(t->host->bpffs, was);
		if (err)
			return gl_fail(t->diag, err, "cannot take XDP off %s", dev->name);
	}
	if (dev->xdp == GL_XDP_OFF)
		return 0;
	if (dev->xdp == GL_XDP_AUTO && dev->doubt) {
		if (dev->doubt == GL_XDP_HIDES_TAGS)
			snprintf(text, sizeof(text), "%s; turn it off with ethtool -K %s rxvlan off",
				 gl_xdp_doubt_text(dev->doubt), dev->name);
		else
			snprintf(text, sizeof(text), "%s; `xdp: native` attaches it all the same",
				 gl_xdp_doubt_text(dev->doubt));
		return note_reason(t, dev, text);
	}
	err = gl_attach_xdp(t->host->bpffs, &t->host->obj, dev, generic, &a);
	if (!err)
		return did_attach(t, dev, &a);
	if (err == -ENODEV || err == -ENOMEM)
		return err;
	if (dev->xdp == GL_XDP_AUTO) {
		if (err == -EBUSY)
			snprintf(text, sizeof(text), "another XDP program is on the device");
		else
			snprintf(text, sizeof(text), "the device does not take native XDP (%s)", strerror(-err));
		return note_reason(t, dev, text);
	}
	if (err == -EBUSY)
		return gl_refuse(t->diag, err,
				 "cannot attach XDP to %s: another program is there; take it off, or "
				 "set `xdp: auto`",
				 dev->name);
	return gl_refuse(t->diag, err, "cannot attach %s XDP to %s: %s; set `xdp: auto` to do without where needed",
			 generic ? "generic" : "native", dev->name, strerror(-err));
}

static int attach_device(struct gl_txn *t, const struct gl_device *dev)
{
	bool known = gl_attached_find(&t->view.attachments, dev->ifindex, GL_HOOK_TC_IN);
	int err = 0;

	if (!dev->uplink && !known)
		gl_harden_guest(dev->name, false);
	for (enum gl_hook hook = GL_HOOK_TC_OUT; hook <= GL_HOOK_TC_IN && !err; hook++) {
		const struct gl_attached *was = gl_attached_find(&t->view.attachments, dev->ifindex, hook);
		enum gl_prog_id prog = gl_device_prog(dev, hook);
		struct gl_attached a;

		if (prog == GL_PROG_COUNT)
			continue;
		if (was && was->prog_id == t->host->obj.prog_id[prog])
			continue;
		if (was) {
			err = gl_attached_update(t->host->bpffs, &t->host->obj, was, prog, t->diag);
			continue;
		}
		err = gl_attach_tc(t->host->bpffs, &t->host->obj, dev, hook, &a, t->diag);
		if (!err)
			err = did_attach(t, dev, &a);
	}
	return err ? err : attach_xdp(t, dev);
}

static bool device_settled(const struct gl_txn *t, const struct gl_device *dev)
{
	for (enum gl_hook hook = GL_HOOK_TC_OUT; hook <= GL_HOOK_TC_IN; hook++) {
		const struct gl_attached *was = gl_attached_find(&t->view.attachments, dev->ifindex, hook);
		enum gl_prog_id prog = gl_device_prog(dev, hook);

		if (prog != GL_PROG_COUNT && (!was || was->prog_id != t->host->obj.prog_id[prog]))
			return false;
	}
	return gl_attached_find(&t->view.attachments, dev->ifindex, GL_HOOK_XDP) && gl_xdp_settled(t, dev);
}

static int attach_all(struct gl_txn *t)
{
	size_t total = t->desired->device_count;
	int err = 0;

	for (size_t i = 0; i < total && !err; i++) {
		if (device_settled(t, &t->desired->devices[i]))
			continue;
		err = gl_step(t, "attach programs", i, total);
		if (!err)
			err = attach_device(t, &t->desired->devices[i]);
	}
	/* The reasons are known only now. */
	if (!err)
		err = gl_state_write_next(t->host->state, &t->next, t->diag);
	return err ? err : gl_step(t, "attach programs", total, total);
}

/* What a device can do may change with the programs on it (a NIC that takes XDP frames only while it has a program of
 * its own): look once more. -ENODEV: a device went away meanwhile. */
static int look_again(struct gl_txn *t)
{
	struct gl_facts facts;
	bool differs = false;
	int err = gl_facts_collect(&facts, t->diag);

	if (err)
		return err;
	for (size_t i = 0; i < t->desired->device_count && !err; i++) {
		const struct gl_link *was = gl_facts_find(&t->facts, t->desired->devices[i].name),
				     *now = gl_facts_find(&facts, t->desired->devices[i].name);

		if (!now || now->ifindex != t->desired->devices[i].ifindex)
			err = -ENODEV;
		else if (was->xdp_out != now->xdp_out)
			differs = true;
	}
	if (!err && differs) {
		struct gl_desired *desired;

		err = gl_compile(t->def, &facts, gl_view_live(&t->view), &desired, t->diag);
		if (!err) {
			free(t->live.items);
			t->live = (struct gl_changes){ 0 };
			gl_desired_free(t->desired);
			t->desired = desired;
			err = gl_mapset_diff(gl_view_live(&t->view), desired->entries, &t->live);
		}
	}
	gl_facts_clear(&t->facts);
	t->facts = facts;
	return err;
}

static int uplink_macs(struct gl_txn *t)
{
	size_t total = t->desired->uplink_mac_count;
	int err = 0;

	for (size_t i = 0; i < total && !err; i++) {
		const struct gl_uplink_mac *mac = &t->desired->uplink_macs[i];
		struct gl_deed *deed;
		bool known = false;

		for (size_t k = 0; k < t->view.state.mac_count && !known; k++)
			known = gl_same_mac(mac, &t->view.state.macs[k]);
		if (known)
			continue;
		err = gl_step(t, "tell uplinks which MACs are ours", i, total);
		if (err)
			break;
		deed = remember(t, GL_DID_MAC);
		if (!deed)
			return -ENOMEM;
		deed->mac = *mac;
		err = gl_link_take_mac(mac->ifindex, mac->mac, true);
		/* A device without a filter sees every frame. */
		if (err == -EOPNOTSUPP)
			err = 0;
		if (err && err != -ENODEV)
			gl_fail(t->diag, err, "cannot make the uplink take frames for a MAC of ours");
	}
	return err;
}

/* ---- entries ----------------------------------------------------------------------------------------------- */

/* The parts of one map's changes that take nothing away. */
static int write_plain(struct gl_txn *t, enum gl_map_id map)
{
	struct gl_write w = { .obj = &t->host->obj, .map = map };
	size_t first, count = gl_changes_range(&t->live, map, &first), n = 0;
	struct gl_change *adds = calloc(count + 1, sizeof(*adds));
	int err = 0;

	if (!adds)
		return gl_fail(t->diag, -ENOMEM, "cannot write the map %s", gl_map_info(map)->name);
	for (size_t i = first; i < first + count; i++)
		if (t->live.items[i].want)
			adds[n++] = t->live.items[i];
	w.changes = adds;
	w.count = n;
	if (n)
		err = gl_step(t, "write entries", map, GL_MAP_COUNT);
	if (!err && n)
		err = remember(t, GL_DID_PLAIN) ? gl_map_write(&w, t->diag) : -ENOMEM;
	free(adds);
	return err;
}

static void undo_plain(struct gl_txn *t)
{
	for (int map = 0; map < GL_MAP_COUNT; map++) {
		size_t first, count = gl_changes_range(&t->live, map, &first), n = 0;
		struct gl_change *back;
		struct gl_write w = { .obj = &t->host->obj, .map = map };

		if (gl_map_info(map)->role != GL_ROLE_PLAIN || !count)
			continue;
		back = calloc(count, sizeof(*back));
		if (!back)
			return;
		for (size_t i = first; i < first + count; i++)
			if (t->live.items[i].want)
				back[n++] = (struct gl_change){ .was = t->live.items[i].want,
								.want = t->live.items[i].was };
		w.changes = back;
		w.count = n;
		gl_map_write(&w, NULL);
		free(back);
	}
}

/* A slot's counters begin at zero with the interface that gets it, which was not told about its router yet. */
static int reset_counters(struct gl_txn *t)
{
	size_t first, count = gl_changes_range(&t->live, GL_MAP_PORT, &first);
	int cpus = libbpf_num_possible_cpus();
	struct gl_traffic_val *zero = cpus > 0 ? calloc(cpus, sizeof(*zero)) : NULL;
	const struct gl_ra_sent_val never = { 0 };
	int err = zero ? 0 : -ENOMEM;

	for (size_t i = first; i < first + count && !err; i++) {
		const struct gl_port_val *was = t->live.items[i].was ? t->live.items[i].was->val : NULL,
					 *want = t->live.items[i].want ? t->live.items[i].want->val : NULL;

		if (want && (!was || was->ifindex != want->ifindex) &&
		    (bpf_map_update_elem(t->host->obj.map[GL_MAP_TRAFFIC], t->live.items[i].want->key, zero, BPF_ANY) ||
		     bpf_map_update_elem(t->host->obj.map[GL_MAP_RA_SENT], t->live.items[i].want->key, &never,
					 BPF_ANY)))
			err = -errno;
	}
	free(zero);
	return err ? gl_fail(t->diag, err, "cannot reset the maps gl_traffic and gl_ra_sent") : 0;
}

static int write_entries(struct gl_txn *t)
{
	unsigned side = !(t->view.control.side & 1);
	int err = reset_counters(t);

	for (int map = 0; map < GL_MAP_COUNT && !err; map++)
		if (gl_map_info(map)->role == GL_ROLE_PLAIN)
			err = write_plain(t, map);
	if (!err && gl_mapset_diff(t->view.sets[side], t->desired->entries, &t->idle))
		err = gl_fail(t->diag, -ENOMEM, "cannot compare with what is in force");
	for (int map = 0; map < GL_MAP_COUNT && !err; map++) {
		struct gl_write w = { .obj = &t->host->obj, .map = map, .side = side };
		size_t first, count = gl_changes_range(&t->idle, map, &first);

		if (gl_map_info(map)->role != GL_ROLE_SIDED || !count)
			continue;
		w.changes = t->idle.items + first;
		w.count = count;
		err = gl_step(t, "write entries", map, GL_MAP_COUNT);
		if (!err)
			err = gl_map_write(&w, t->diag);
	}
	return err ? err : gl_step(t, "write entries", GL_MAP_COUNT, GL_MAP_COUNT);
}

/* ---- all of it --------------------------------------------------------------------------------------------- */

int gl_txn_prepare(struct gl_txn *t)
{
	int err = load(t);

	if (!err)
		err = gl_step(t, "prepare the host", 0, 3);
	if (!err) {
		gl_release_other(t);
		err = host_settings(t);
	}
	if (!err)
		err = flow_tables(t);
	if (!err)
		err = attach_all(t);
	if (!err)
		err = look_again(t);
	if (!err)
		err = uplink_macs(t);
	if (!err)
		err = write_entries(t);
	return err;
}

static void undo_reserved(const struct gl_txn *t)
{
	struct gl_ports now;

	if (gl_reserved_read(&now, NULL))
		return;
	for (int i = 0; i < GL_PORT_WORDS; i++)
		now.bits[i] &= ~(t->next.reserved.bits[i] & ~t->view.state.reserved.bits[i]);
	gl_reserved_write(&now, NULL);
}

void gl_txn_undo(struct gl_txn *t)
{
	struct gl_host *host = t->host;
	struct gl_attached back;

	while (t->deed_count) {
		const struct gl_deed *deed = &t->deeds[--t->deed_count];

		switch (deed->kind) {
		case GL_DID_ATTACH:
			gl_detach(host->bpffs, &deed->attached);
			if (gl_how_hook(deed->attached.how) == GL_HOOK_TC_OUT)
				gl_harden_guest(deed->dev.name, true);
			break;
		case GL_DID_DETACH:
			gl_attach_xdp(host->bpffs, &host->obj, &deed->dev, deed->attached.how == GL_HOW_XDP_GENERIC,
				      &back);
			break;
		case GL_DID_TABLE:
		case GL_DID_RESIZE:
			undo_table(t, deed);
			break;
		case GL_DID_MAC:
			gl_link_take_mac(deed->mac.ifindex, deed->mac.mac, false);
			break;
		case GL_DID_RESERVE:
			undo_reserved(t);
			break;
		case GL_DID_FORWARD:
			gl_forwarding_restore(deed->family);
			break;
		case GL_DID_PLAIN:
			undo_plain(t);
			break;
		}
	}
	gl_state_abandon(host->state);
	if (t->fresh && !t->view.attachments.count) {
		gl_object_close(&host->obj);
		gl_pin_remove_tree(host->bpffs, "");
		if (t->mounted && gl_state_mounted(host->state)) {
			umount2(host->bpffs, MNT_DETACH);
			gl_state_remove(host->state);
		}
	}
}
