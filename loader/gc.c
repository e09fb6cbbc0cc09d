/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Taking away what nothing in force needs any more: after a commit, after a command that died, and at the very end.
 * Neighbours: txn.h, apply.c, steps.c. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "loader/bpffs.h"
#include "loader/fail.h"
#include "loader/netlink.h"
#include "loader/snapshot.h"
#include "loader/txn.h"

#define LOCK_SECONDS 5

/* A guest's interface goes down before its programs go: what its guest still sends must not meet the host. */
static void close_guests(const struct gl_attachments *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].alive && list->items[i].unwanted &&
		    gl_how_hook(list->items[i].how) == GL_HOOK_TC_OUT) {
			gl_link_set_up(list->items[i].ifindex, false);
			gl_harden_guest(list->items[i].dev, true);
		}
}

/* The list is in the order of attaching, so this is its reverse. */
static int detach_unwanted(const char *dir, const struct gl_attachments *list, struct gl_diag *diag)
{
	int err = 0;

	for (size_t i = list->count; i-- > 0;) {
		int one = list->items[i].unwanted ? gl_detach(dir, &list->items[i]) : 0;

		if (one) {
			gl_fail(diag, one, "cannot take a program off %s", list->items[i].dev);
			err = err ? err : one;
		}
	}
	return err;
}

/* Is some device of the definition the one with this index? Then it changed its part, and stays up. */
static bool still_defined(const struct gl_txn *t, uint32_t ifindex)
{
	for (size_t i = 0; i < t->desired->device_count; i++)
		if (t->desired->devices[i].ifindex == ifindex)
			return true;
	return false;
}

static int detach_removed(struct gl_txn *t)
{
	struct gl_attachments list, gone = { 0 };
	int err = gl_attachments_read(t->host->bpffs, &list, NULL);

	if (err)
		return err;
	gone.items = calloc(list.count + 1, sizeof(*gone.items));
	if (!gone.items)
		err = -ENOMEM;
	for (size_t i = 0; i < list.count && !err; i++) {
		list.items[i].unwanted = !gl_attachment_wanted(t, &list.items[i]);
		if (list.items[i].unwanted && !still_defined(t, list.items[i].ifindex))
			gone.items[gone.count++] = list.items[i];
	}
	close_guests(&gone);
	if (!err)
		err = detach_unwanted(t->host->bpffs, &list, NULL);
	gl_attachments_clear(&list);
	free(gone.items);
	return err;
}

static int remove_plain(struct gl_txn *t)
{
	int err = 0;

	/* A device's entry goes before its name, by which it would be found again. */
	for (int map = GL_MAP_COUNT - 1; map >= 0; map--) {
		struct gl_write w = { .obj = &t->host->obj, .map = map };
		size_t first, count = gl_changes_range(&t->live, map, &first), n = 0;
		struct gl_change *gone;

		if (gl_map_info(map)->role != GL_ROLE_PLAIN || !count)
			continue;
		gone = calloc(count, sizeof(*gone));
		if (!gone)
			return -ENOMEM;
		for (size_t i = first; i < first + count; i++)
			if (!t->live.items[i].want)
				gone[n++] = t->live.items[i];
		w.changes = gone;
		w.count = n;
		if (n && !err)
			err = gl_step(t, "clean up", map, GL_MAP_COUNT);
		if (n && !err)
			err = gl_map_write(&w, NULL);
		free(gone);
	}
	return err;
}

static int remove_tables(struct gl_txn *t)
{
	struct gl_tables now;
	int err = gl_tables_read(t->host->bpffs, &t->host->obj, &now);

	if (err)
		return err;
	for (size_t i = 0; i < now.count && !err; i++) {
		if (gl_table_wanted(t, &now.items[i]))
			continue;
		err = gl_step(t, "clean up", i, now.count);
		if (!err)
			err = gl_flow_table_remove(t->host->bpffs, &t->host->obj, &now.items[i]);
	}
	gl_tables_clear(&now);
	return err;
}

/* ---- drop counters ----------------------------------------------------------------------------------------- */

struct cells {
	const struct gl_txn *t;
	struct gl_drops_key *keys;
	size_t count, capacity;
};

static int on_cell(void *arg, const void *key, const void *val)
{
	struct cells *c = arg;
	const struct gl_drops_key *cell = key;

	(void)val;
	if (cell->slot == GL_NO_SLOT || gl_mapset_find(c->t->desired->entries, GL_MAP_PORT, &cell->slot))
		return 0;
	if (c->count == c->capacity) {
		size_t more = c->capacity ? 2 * c->capacity : 64;
		struct gl_drops_key *keys = reallocarray(c->keys, more, sizeof(*keys));

		if (!keys)
			return -ENOMEM;
		c->keys = keys;
		c->capacity = more;
	}
	c->keys[c->count++] = *cell;
	return 0;
}

static void remove_cells(struct gl_txn *t)
{
	struct cells c = { .t = t };
	int cpus = libbpf_num_possible_cpus(), fd = t->host->obj.map[GL_MAP_DROPS];

	if (cpus <= 0)
		return;
	gl_map_walk(fd, sizeof(struct gl_drops_key), sizeof(struct gl_count_val) * cpus, on_cell, &c);
	for (size_t i = 0; i < c.count; i++)
		bpf_map_delete_elem(fd, &c.keys[i]);
	free(c.keys);
}

/* ---- the host's settings ----------------------------------------------------------------------------------- */

static void release_macs(const struct gl_state *was, const struct gl_state *now)
{
	for (size_t i = 0; i < was->mac_count; i++) {
		bool kept = false;

		for (size_t k = 0; now && k < now->mac_count && !kept; k++)
			kept = gl_same_mac(&was->macs[i], &now->macs[k]);
		if (!kept)
			gl_link_take_mac(was->macs[i].ifindex, was->macs[i].mac, false);
	}
}

/* Ports of `was` that are not in `kept` (NULL: none) go back to the host. */
static void release_ports(const struct gl_ports *was, const struct gl_ports *kept)
{
	struct gl_ports now, rest;

	if (gl_reserved_read(&now, NULL))
		return;
	rest = now;
	for (int i = 0; i < GL_PORT_WORDS; i++)
		rest.bits[i] &= ~(was->bits[i] & ~(kept ? kept->bits[i] : 0));
	if (!gl_ports_equal(&now, &rest))
		gl_reserved_write(&rest, NULL);
}

void gl_release_other(struct gl_txn *t)
{
	release_macs(&t->view.other, &t->view.state);
	release_ports(&t->view.other.reserved, &t->view.state.reserved);
}

static int settle_host(struct gl_txn *t)
{
	release_macs(&t->view.state, &t->next);
	release_ports(&t->view.state.reserved, &t->next.reserved);
	return 0;
}

static int remove_rest(struct gl_txn *t)
{
	remove_cells(t);
	return gl_object_drop_old(t->host->bpffs);
}

bool gl_txn_finish(struct gl_txn *t)
{
	int (*const parts[])(struct gl_txn *) = { detach_removed, remove_plain, remove_tables, settle_host,
						  remove_rest };
	const size_t count = sizeof(parts) / sizeof(*parts);
	/* What goes wrong from here on is no failure of the apply. */
	struct gl_diag *diag = t->diag;
	bool all = true;

	t->diag = NULL;
	for (size_t i = 0; i < count; i++)
		if (gl_step(t, "clean up", i, count) || parts[i](t))
			all = false;
	if (gl_step(t, "clean up", count, count))
		all = false;
	t->diag = diag;
	return all;
}

/* ---- the end ----------------------------------------------------------------------------------------------- */

static int delete_locked(struct gl_host *host, struct gl_txn *t)
{
	struct gl_state state = { 0 }, other = { 0 };
	struct gl_attachments list = { 0 };
	int err = gl_step(t, "detach programs", 0, 3);

	/* Neither the maps' version nor what is in them matters here. */
	if (!err)
		err = gl_attachments_read(host->bpffs, &list, t->diag);
	if (err)
		return err;
	gl_state_read(host->state, 0, &state, &other);
	for (size_t i = 0; i < list.count; i++)
		list.items[i].unwanted = true;
	close_guests(&list);
	err = detach_unwanted(host->bpffs, &list, t->diag);
	gl_attachments_clear(&list);
	if (!err)
		err = gl_step(t, "restore the host", 1, 3);
	if (err)
		goto out;
	release_macs(&state, NULL);
	release_macs(&other, NULL);
	release_ports(&state.reserved, NULL);
	release_ports(&other.reserved, NULL);
	for (unsigned i = 0; i < GL_FAMILIES; i++)
		if (state.forwarding[i] || other.forwarding[i])
			gl_forwarding_restore(gl_family_at(i));
	err = gl_step(t, "remove maps", 2, 3);
	if (err)
		goto out;
	gl_object_close(&host->obj);
	err = gl_pin_remove_tree(host->bpffs, "");
	if (err) {
		gl_fail(t->diag, err, "cannot remove %s", host->bpffs);
		goto out;
	}
	if (gl_state_mounted(host->state) && gl_is_mount_point(host->bpffs))
		umount2(host->bpffs, MNT_DETACH);
	/* Not ours when something is left in it. */
	if (rmdir(host->bpffs))
		errno = 0;
	err = gl_state_remove(host->state);
	if (err)
		gl_fail(t->diag, err, "cannot remove the state in %s", host->state);
	else
		err = gl_step(t, "remove maps", 3, 3);
out:
	gl_state_clear(&state);
	gl_state_clear(&other);
	return err;
}

int gl_delete_all(struct gl_host *host, gl_progress_fn progress, void *arg, struct gl_diag *diag)
{
	struct gl_txn t = { .host = host, .progress = progress, .arg = arg, .diag = diag };
	int lock = gl_lock(host->state, LOCK_SECONDS, diag), err;

	if (lock < 0)
		return lock;
	err = delete_locked(host, &t);
	gl_unlock(lock);
	return err;
}
