/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Taking flows away on request. Neighbours: loader.h, flowwalk.h, bpf/sweep.bpf.h (who does it when they expire). */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "loader/fail.h"
#include "loader/flowwalk.h"

#define LOCK_SECONDS 5

struct cut {
	struct gl_flow_walk walk; /* first: found() gets it */
	struct gl_tenant_stat *stats; /* the map's own memory: the programs count in it at the same time */
	uint64_t deleted;
};

/* Answers that are not this flow's own stay: the table may have changed since it was read. */
static void cut_answers(const struct gl_flow_walk *w, const struct gl_flow *flow)
{
	const struct gl_flow6_key peer = gl_flow_peer(flow);
	struct gl_flow answers;
	struct gl_flow6_key back;

	if (gl_flow_find(w, &peer, &answers) || !(answers.val.flags & GL_FLOW_F_REPLY))
		return;
	back = gl_flow_peer(&answers);
	if (!memcmp(&back, &flow->key, sizeof(back)))
		gl_flow_delete(w, &peer);
}

static int on_flow(struct gl_flow_walk *w, const struct gl_flow *flow)
{
	struct cut *cut = (struct cut *)w;
	struct gl_flow now;
	int err;

	/* As it is now, it may have been translated anew. */
	if (gl_flow_find(w, &flow->key, &now) || now.val.flags & GL_FLOW_F_REPLY)
		return 0;
	cut_answers(w, &now);
	err = gl_flow_delete(w, &flow->key);
	if (err)
		return err == -ENOENT ? 0 : err;
	__atomic_fetch_add(&cut->stats[w->table->tenant].freed, 1, __ATOMIC_RELAXED);
	cut->deleted++;
	return 0;
}

static_assert(sizeof(struct gl_tenant_stat) % 8 == 0, "elements of a mapped array lie 8 bytes aligned");

static int cut_flows(struct gl_host *host, struct cut *cut, struct gl_diag *diag)
{
	const size_t size = sizeof(struct gl_tenant_stat) * GL_MAX_TENANTS;
	struct gl_view view;
	int err = gl_view_read_some(host, 0, &view, diag);

	if (err)
		return err;
	cut->stats = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, host->obj.map[GL_MAP_TENANT_STAT], 0);
	if (cut->stats == MAP_FAILED) {
		err = gl_fail(diag, -errno, "cannot write the map gl_tenant_stat");
	} else {
		err = gl_flow_walk(host, &view, &cut->walk, diag);
		munmap(cut->stats, size);
	}
	gl_view_clear(&view);
	return err;
}

int gl_delete_flows(struct gl_host *host, const struct gl_flow_filter *filter, uint64_t *deleted, struct gl_diag *diag)
{
	struct cut cut = { .walk = { .filter = filter, .kind = GL_FLOW_PACKETS, .found = on_flow } };
	int lock, err = gl_host_refresh(host, diag);

	*deleted = 0;
	if (err || !host->obj.present)
		return err;
	/* An apply that gives a tenant a larger table copies the flows, and would bring back what is deleted here. */
	lock = gl_lock(host->state, LOCK_SECONDS, diag);
	if (lock < 0)
		return lock;
	err = cut_flows(host, &cut, diag);
	gl_unlock(lock);
	*deleted = cut.deleted;
	return err;
}
