/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* One apply in progress: what it knows, what it has done so far and would undo. Neighbours: apply.c (the order of
 * things), steps.c (before the commit), gc.c (after it). */
#ifndef GL_TXN_H
#define GL_TXN_H

#include "loader/compile.h"
#include "loader/host.h"

enum gl_deed_kind {
	GL_DID_ATTACH, /* undone by detaching */
	GL_DID_DETACH, /* an XDP program whose mode changes; undone by attaching it again */
	GL_DID_TABLE, /* a new flow table */
	GL_DID_RESIZE,
	GL_DID_MAC,
	GL_DID_RESERVE,
	GL_DID_FORWARD,
	GL_DID_PLAIN, /* entries of maps without sides */
};
struct gl_deed {
	enum gl_deed_kind kind;
	struct gl_device dev;
	struct gl_attached attached;
	struct gl_table table;
	struct gl_uplink_mac mac;
	uint8_t family;
};

struct gl_txn {
	struct gl_host *host;
	const struct gl_definition *def;
	gl_progress_fn progress;
	void *arg;
	struct gl_diag *diag;

	struct gl_facts facts;
	struct gl_view view;
	struct gl_desired *desired;
	char *definition; /* canonical JSON */
	struct gl_changes live; /* in force -> desired */
	struct gl_changes idle; /* the other side -> desired */
	struct gl_ports wanted; /* ports to keep from the host's sockets */
	struct gl_state next;
	bool fresh; /* nothing was pinned before */
	bool mounted; /* this apply mounted the bpffs */

	struct gl_deed *deeds;
	size_t deed_count, deed_capacity;
};

/* One numbered step begins. Fails, or does not return, where a test says so (GUESTLANE_FAIL_AT, GUESTLANE_DIE_AT). */
int gl_step(struct gl_txn *t, const char *phrase, size_t done, size_t total);

/* Is all of the desired state there, so that nothing has to be done? */
bool gl_txn_settled(const struct gl_txn *t);
/* Should the device have an XDP program? `auto` leaves it where there is doubt. */
bool gl_xdp_wanted(const struct gl_device *dev);
/* For people; what to do about it is added by who says it. */
const char *gl_xdp_doubt_text(enum gl_xdp_doubt doubt);
/* Is a device's XDP as it should be, or was it tried in vain? */
bool gl_xdp_settled(const struct gl_txn *t, const struct gl_device *dev);
/* Changes of one map within a diff: [*first, *first + return). */
size_t gl_changes_range(const struct gl_changes *changes, enum gl_map_id map, size_t *first);
/* planning.c: what would be done, or was done, in words. */
int gl_txn_plan(const struct gl_txn *t, bool settled, struct gl_plan **ret);

/* steps.c: everything before the commit, and the way back. */
int gl_txn_prepare(struct gl_txn *t);
void gl_txn_undo(struct gl_txn *t);
/* gc.c: everything after it. Goes on whatever fails: false tells the next apply to take away what is left. */
bool gl_txn_finish(struct gl_txn *t);
/* What a command that died changed on the host's settings and never committed, or did not get to take back. */
void gl_release_other(struct gl_txn *t);
/* Do routes of that family have to be looked up? */
bool gl_lookups_wanted(const struct gl_txn *t, uint8_t family);
/* Does a device or a table stand in the desired state? */
bool gl_attachment_wanted(const struct gl_txn *t, const struct gl_attached *a);
bool gl_table_wanted(const struct gl_txn *t, const struct gl_table *table);

#endif
