/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The transaction: lock, look, compile, compare, prepare, commit, clean up. Everything before the one write of
 * gl_control can be undone and is harmless if it is not; everything after it is made up for by the next apply.
 * Neighbours: txn.h, txn.c (what all parts ask), steps.c, gc.c, plan.c (what changes, in words). */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loader/advertise.h"
#include "loader/fail.h"
#include "loader/netlink.h"
#include "loader/snapshot.h"
#include "loader/txn.h"

#define LOCK_SECONDS 5

/* ---- the two ways ------------------------------------------------------------------------------------------ */

static int begin(struct gl_txn *t)
{
	int err = gl_facts_collect(&t->facts, t->diag);
	char *json;

	if (!err)
		err = gl_view_read(t->host, &t->view, t->diag);
	if (!err)
		err = gl_compile(t->def, &t->facts, gl_view_live(&t->view), &t->desired, t->diag);
	if (err)
		return err;
	for (size_t i = 0; i < t->desired->reserved_count; i++)
		gl_ports_add(&t->wanted, t->desired->reserved[i].min, t->desired->reserved[i].max);
	json = gl_definition_to_json(t->def);
	t->definition = gl_state_normal(json);
	free(json);
	if (!t->definition || gl_mapset_diff(gl_view_live(&t->view), t->desired->entries, &t->live))
		return gl_fail(t->diag, -ENOMEM, "cannot compare with what is in force");
	return 0;
}

static void end(struct gl_txn *t)
{
	gl_facts_clear(&t->facts);
	gl_view_clear(&t->view);
	gl_desired_free(t->desired);
	free(t->definition);
	free(t->live.items);
	free(t->idle.items);
	free(t->deeds);
	gl_state_clear(&t->next);
}

static int commit(struct gl_txn *t)
{
	const struct gl_control_val now = { .side = !(t->view.control.side & 1),
					    .abi = GL_ABI_VERSION,
					    .serial = t->view.control.serial + 1 };
	uint32_t zero = 0;
	int err = gl_step(t, "commit", 0, 1);

	if (err)
		return err;
	if (bpf_map_update_elem(t->host->obj.map[GL_MAP_CONTROL], &zero, &now, BPF_ANY))
		return gl_fail(t->diag, -errno, "cannot write the map gl_control");
	return 0;
}

/* Guests' interfaces are brought up by nobody else: their hypervisor only opens them. */
static void links_up(const struct gl_txn *t)
{
	for (size_t i = 0; i < t->desired->device_count; i++)
		if (!t->desired->devices[i].uplink && !t->desired->devices[i].up)
			gl_link_set_up(t->desired->devices[i].ifindex, true);
}

static const void *value_of(const struct gl_mapset *set, enum gl_map_id map, const void *key)
{
	const struct gl_entry *entry = gl_mapset_find(set, map, key);

	return entry ? entry->val : NULL;
}

/* Guests hear of their router when they come, and when something about it changes (RFC 4861 6.2.4). A guest that is not
 * ready for it asks by itself, so nothing here is a failure of the apply. */
static void tell_guests(const struct gl_txn *t)
{
	const struct gl_mapset *was = gl_view_live(&t->view), *now = t->desired->entries;
	size_t first, count = gl_mapset_range(now, GL_MAP_PORT, &first);

	for (size_t i = first; i < first + count; i++) {
		const struct gl_entry *entry = gl_mapset_at(now, i);
		const struct gl_port_val *port = entry->val, *before = value_of(was, GL_MAP_PORT, entry->key);
		const struct gl_ra_key key = { .network = port->network };
		const struct gl_ra_val *ra = value_of(now, GL_MAP_RA, &key), *old = value_of(was, GL_MAP_RA, &key);
		uint32_t slot;

		if (port->kind != GL_PORT_GUEST || !ra)
			continue;
		if (before && before->ifindex == port->ifindex && before->network == port->network && old &&
		    !memcmp(ra, old, sizeof(*ra)))
			continue;
		memcpy(&slot, entry->key, sizeof(slot));
		gl_advertise_slot(&t->host->obj, slot);
	}
}

static int run(struct gl_txn *t, struct gl_plan **ret)
{
	struct gl_plan *plan = NULL;
	bool settled;
	int err = begin(t);

	if (err)
		goto out;
	settled = gl_txn_settled(t);
	err = gl_txn_plan(t, settled, &plan);
	if (err)
		goto out;
	if (!settled) {
		err = gl_txn_prepare(t);
		if (!err)
			err = commit(t);
		if (err) {
			gl_txn_undo(t);
			goto out;
		}
		gl_step(t, "commit", 1, 1);
	}
	links_up(t);
	if (!settled)
		tell_guests(t);
	/* As long as both state files are there, the next command knows that something may be left over. */
	if (!settled && gl_txn_finish(t))
		gl_state_commit(t->host->state);
	*ret = plan;
	plan = NULL;
out:
	gl_plan_free(plan);
	end(t);
	return err;
}

/* The lock is held. */
static int apply_locked(struct gl_host *host, const struct gl_definition *def, gl_progress_fn progress, void *arg,
			struct gl_plan **ret, struct gl_diag *diag)
{
	struct gl_plan *plan = NULL;
	int err = 0;

	/* A device that went away while it was worked on is pending in the second try. */
	for (int tries = 0; tries < 3; tries++) {
		struct gl_txn t = { .host = host, .def = def, .progress = progress, .arg = arg, .diag = diag };

		err = run(&t, &plan);
		if (err != -ENODEV)
			break;
	}
	if (err == -ENODEV)
		gl_refuse(diag, err, "interfaces come and go faster than they can be attached to: try again");
	if (err)
		return err;
	if (ret)
		*ret = plan;
	else
		gl_plan_free(plan);
	return 0;
}

static int empty_definition(const struct gl_definition *def, struct gl_definition **ret, struct gl_diag *diag)
{
	if (def)
		return 0;
	return gl_definition_new(ret) ? gl_fail(diag, -ENOMEM, "cannot make an empty definition") : 0;
}

int gl_apply(struct gl_host *host, const struct gl_definition *def, gl_progress_fn progress, void *arg,
	     struct gl_plan **ret, struct gl_diag *diag)
{
	struct gl_definition *empty = NULL;
	int lock, err = empty_definition(def, &empty, diag);

	if (err)
		return err;
	lock = gl_lock(host->state, LOCK_SECONDS, diag);
	err = lock < 0 ? lock : apply_locked(host, def ? def : empty, progress, arg, ret, diag);
	gl_unlock(lock);
	gl_definition_free(empty);
	return err;
}

int gl_delete_tenant(struct gl_host *host, const char *tenant, gl_progress_fn progress, void *arg, struct gl_plan **ret,
		     struct gl_diag *diag)
{
	const struct gl_definition *applied;
	struct gl_definition rest;
	struct gl_tenant *others = NULL;
	int lock = gl_lock(host->state, LOCK_SECONDS, diag), err;

	if (lock < 0)
		return lock;
	err = gl_applied(host, &applied, diag);
	if (err)
		goto out;
	rest = *applied;
	others = calloc(applied->tenant_count + 1, sizeof(*others));
	if (!others) {
		err = gl_fail(diag, -ENOMEM, "cannot take the tenant out of the definition");
		goto out;
	}
	rest.tenants = others;
	rest.tenant_count = 0;
	for (size_t i = 0; i < applied->tenant_count; i++)
		if (strcmp(applied->tenants[i].name.s, tenant))
			others[rest.tenant_count++] = applied->tenants[i];
	if (rest.tenant_count == applied->tenant_count)
		err = gl_refuse(diag, -ENOENT, "there is no tenant %s in the definition in force", tenant);
	else
		err = apply_locked(host, &rest, progress, arg, ret, diag);
out:
	free(others);
	gl_unlock(lock);
	return err;
}

int gl_plan_build(struct gl_host *host, const struct gl_definition *def, struct gl_plan **ret, struct gl_diag *diag)
{
	struct gl_definition *empty = NULL;
	struct gl_txn t = { .host = host, .diag = diag };
	int err = empty_definition(def, &empty, diag);

	if (err)
		return err;
	t.def = def ? def : empty;
	err = begin(&t);
	if (!err)
		err = gl_txn_plan(&t, gl_txn_settled(&t), ret);
	end(&t);
	gl_definition_free(empty);
	return err;
}
