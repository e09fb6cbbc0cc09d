/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What every part of an apply asks: is this wanted, is that settled, may the next step be taken?
 * Neighbours: txn.h, and above it steps.c, gc.c, planning.c and apply.c. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "loader/fail.h"
#include "loader/txn.h"

/* ---- faults for tests -------------------------------------------------------------------------------------- */

int gl_step(struct gl_txn *t, const char *phrase, size_t done, size_t total)
{
	static long number;
	const char *die = getenv("GUESTLANE_DIE_AT"), *fail = getenv("GUESTLANE_FAIL_AT");

	number++;
	if (t->progress)
		t->progress(t->arg, phrase, done, total);
	if (die && atol(die) == number)
		raise(SIGKILL);
	if (fail && atol(fail) == number)
		return gl_refuse(t->diag, -EIO, "%s: failed as asked for by GUESTLANE_FAIL_AT", phrase);
	return 0;
}

/* ---- is there anything to do? ------------------------------------------------------------------------------ */

size_t gl_changes_range(const struct gl_changes *changes, enum gl_map_id map, size_t *first)
{
	size_t i = 0, count = 0;

#define MAP_OF(c) ((c)->want ? (c)->want->map : (c)->was->map)
	while (i < changes->count && MAP_OF(&changes->items[i]) != map)
		i++;
	while (i + count < changes->count && MAP_OF(&changes->items[i + count]) == map)
		count++;
	*first = i;
	return count;
}

bool gl_xdp_wanted(const struct gl_device *dev)
{
	return dev->xdp != GL_XDP_OFF && !(dev->xdp == GL_XDP_AUTO && dev->doubt);
}

const char *gl_xdp_doubt_text(enum gl_xdp_doubt doubt)
{
	static const char *const texts[] = {
		[GL_XDP_FINE] = "",
		[GL_XDP_HIDES_TAGS] = "rx-vlan-offload hides tags from XDP",
		[GL_XDP_LOSES_GSO] = "native XDP takes segmentation offload from a veth's peer",
	};

	return texts[doubt];
}

bool gl_attachment_wanted(const struct gl_txn *t, const struct gl_attached *a)
{
	enum gl_hook hook = gl_how_hook(a->how);

	for (size_t i = 0; i < t->desired->device_count && a->alive; i++) {
		const struct gl_device *dev = &t->desired->devices[i];

		if (dev->ifindex != a->ifindex || gl_device_prog(dev, hook) == GL_PROG_COUNT)
			continue;
		if (hook != GL_HOOK_XDP)
			return true;
		if (!gl_xdp_wanted(dev))
			return false;
		return (a->how == GL_HOW_XDP_GENERIC) == (dev->xdp == GL_XDP_GENERIC);
	}
	return false;
}

bool gl_lookups_wanted(const struct gl_txn *t, uint8_t family)
{
	for (size_t i = 0; i < t->desired->device_count; i++)
		if (t->desired->devices[i].uplink)
			return family == AF_INET || t->desired->ipv6;
	return false;
}

bool gl_table_wanted(const struct gl_txn *t, const struct gl_table *table)
{
	for (size_t i = 0; i < t->desired->table_count; i++) {
		const struct gl_flow_table *want = &t->desired->tables[i];

		if (want->tenant == table->tenant && want->map == table->map && table->linked &&
		    !strcmp(want->name, table->name))
			return true;
	}
	return false;
}

bool gl_xdp_settled(const struct gl_txn *t, const struct gl_device *dev)
{
	const struct gl_attached *a = gl_attached_find(&t->view.attachments, dev->ifindex, GL_HOOK_XDP);
	const char *reason = gl_state_reason(&t->view.state, dev->ifindex);

	if (a)
		return gl_attachment_wanted(t, a) &&
		       a->prog_id == t->host->obj.prog_id[gl_device_prog(dev, GL_HOOK_XDP)];
	if (dev->xdp == GL_XDP_OFF)
		return true;
	/* Left alone for a reason that still holds, or tried, and the device did not take it. */
	if (dev->xdp != GL_XDP_AUTO || !reason)
		return false;
	for (enum gl_xdp_doubt doubt = GL_XDP_HIDES_TAGS; doubt <= GL_XDP_LOSES_GSO; doubt++) {
		const char *why = gl_xdp_doubt_text(doubt);

		if (!strncmp(reason, why, strlen(why)))
			return dev->doubt == doubt;
	}
	return dev->doubt == GL_XDP_FINE;
}

static bool devices_settled(const struct gl_txn *t)
{
	const struct gl_object *obj = &t->host->obj;

	for (size_t i = 0; i < t->view.attachments.count; i++)
		if (!gl_attachment_wanted(t, &t->view.attachments.items[i]))
			return false;
	for (size_t i = 0; i < t->desired->device_count; i++) {
		const struct gl_device *dev = &t->desired->devices[i];

		for (enum gl_hook hook = GL_HOOK_TC_OUT; hook <= GL_HOOK_TC_IN; hook++) {
			enum gl_prog_id prog = gl_device_prog(dev, hook);
			const struct gl_attached *a = gl_attached_find(&t->view.attachments, dev->ifindex, hook);

			if (prog != GL_PROG_COUNT && (!a || a->prog_id != obj->prog_id[prog]))
				return false;
		}
		if (!gl_xdp_settled(t, dev))
			return false;
	}
	return true;
}

static bool tables_settled(const struct gl_txn *t)
{
	const struct gl_tables *there = &t->view.tables;

	if (there->count != t->desired->table_count)
		return false;
	for (size_t i = 0; i < there->count; i++) {
		const struct gl_flow_table *want = &t->desired->tables[i];

		if (!gl_table_wanted(t, &there->items[i]) || want->tenant != there->items[i].tenant ||
		    want->map != there->items[i].map ||
		    gl_flow_table_entries(want->max_flows) != there->items[i].max_entries)
			return false;
	}
	return true;
}

static bool host_settled(const struct gl_txn *t)
{
	struct gl_ports now;

	if (t->desired->uplink_mac_count != t->view.state.mac_count)
		return false;
	for (size_t i = 0; i < t->view.state.mac_count; i++)
		if (!gl_same_mac(&t->desired->uplink_macs[i], &t->view.state.macs[i]))
			return false;
	if (gl_reserved_read(&now, NULL))
		return false;
	for (int i = 0; i < GL_PORT_WORDS; i++)
		if ((t->wanted.bits[i] & ~now.bits[i]) || (t->view.state.reserved.bits[i] & ~t->wanted.bits[i]))
			return false;
	return true;
}

bool gl_txn_settled(const struct gl_txn *t)
{
	if (!t->view.control.serial)
		return !t->desired->device_count && !t->desired->table_count && !gl_mapset_count(t->desired->entries) &&
		       !t->view.attachments.count;
	/* Another state file: a command died on its way. */
	return t->host->obj.loaded && !t->live.count && !t->view.other.serial && t->view.state.definition &&
	       !strcmp(t->view.state.definition, t->definition) && devices_settled(t) && tables_settled(t) &&
	       host_settled(t);
}
