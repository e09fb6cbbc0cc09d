/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What an instance remembers in its state directory: the lock, and the definition in force with what was changed on
 * the host for it. `next.json` is written before the commit and renamed to `applied.json` after it; each carries the
 * serial of its commit, so that a reader can tell which of the two is in force. Neighbours: apply.c, host.h. */
#ifndef GL_STATE_H
#define GL_STATE_H

#include <string.h>

#include "loader/compile.h"
#include "loader/diag.h"
#include "loader/hardening.h"
#include "loader/ipentry.h"

struct gl_reason {
	char dev[IFNAMSIZ];
	uint32_t ifindex;
	char text[160];
};

struct gl_state {
	uint64_t serial; /* 0: nothing known */
	char *definition; /* canonical JSON; NULL: unknown */
	struct gl_ports reserved; /* ports that guestlane added to the host's reserved ones */
	bool forwarding[GL_FAMILIES]; /* guestlane switched lo's forwarding on */
	struct gl_uplink_mac *macs; /* that uplinks were made to take */
	size_t mac_count;
	struct gl_reason *reasons; /* why XDP is not on a device that could choose for itself */
	size_t reason_count;
};

static inline bool gl_same_mac(const struct gl_uplink_mac *a, const struct gl_uplink_mac *b)
{
	return a->ifindex == b->ifindex && !memcmp(a->mac, b->mac, sizeof(a->mac));
}

void gl_state_clear(struct gl_state *state);
const char *gl_state_reason(const struct gl_state *state, uint32_t ifindex); /* NULL: none */

/* One spelling of a JSON text, so that equal definitions are equal texts; NULL when out of memory. */
char *gl_state_normal(const char *json);

/* Reads the state of commit `serial`; what cannot be read counts as not there. `other` (may be NULL) gets the file
 * that is not in force: what a command that died may have changed. */
int gl_state_read(const char *dir, uint64_t serial, struct gl_state *ret, struct gl_state *other);
int gl_state_write_next(const char *dir, const struct gl_state *state, struct gl_diag *diag);
int gl_state_commit(const char *dir);
/* Removes the file next.json, after an apply that was undone. */
void gl_state_abandon(const char *dir);
int gl_state_remove(const char *dir);

/* DIR/mounted tells that guestlane mounted the bpffs and may unmount it. */
int gl_state_mark_mounted(const char *dir);
bool gl_state_mounted(const char *dir);

/* Waits up to `seconds` for the lock. fd, or a negative errno: -EBUSY and the holder's pid in a finding. */
int gl_lock(const char *dir, double seconds, struct gl_diag *diag);
void gl_unlock(int fd);

#endif
