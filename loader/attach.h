/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Which programs are on which devices, and how they get there and away.
 * Every attachment has a pin DIR/links/DEV:IFINDEX:HOW. For TCX and XDP it is the link itself; for clsact, which has
 * no links, the program stands there to say that a filter of ours is (or was about to be) on the device.
 * Order: to_guest, from_guest on TC, then XDP; away in reverse. Neighbours: object.h, apply.c, hardening.c. */
#ifndef GL_ATTACH_H
#define GL_ATTACH_H

#include <net/if.h>

#include "loader/compile.h"
#include "loader/object.h"

enum gl_hook { GL_HOOK_TC_OUT, GL_HOOK_TC_IN, GL_HOOK_XDP, GL_HOOK_COUNT };

enum gl_how {
	GL_HOW_TCX_OUT,
	GL_HOW_CLSACT_OUT,
	GL_HOW_TCX_IN,
	GL_HOW_CLSACT_IN,
	GL_HOW_XDP_NATIVE,
	GL_HOW_XDP_GENERIC,
	GL_HOW_COUNT
};

struct gl_attached {
	char dev[IFNAMSIZ]; /* its name at the time */
	uint32_t ifindex;
	enum gl_how how;
	uint32_t prog_id;
	bool alive; /* the device exists and carries the program */
	bool unwanted; /* for the caller's use */
};
struct gl_attachments {
	struct gl_attached *items; /* by ifindex, then order of attaching */
	size_t count;
};

enum gl_hook gl_how_hook(enum gl_how how);
int gl_attachments_read(const char *dir, struct gl_attachments *ret, struct gl_diag *diag);
void gl_attachments_clear(struct gl_attachments *list);
/* The live one of a device's hook, or NULL. */
const struct gl_attached *gl_attached_find(const struct gl_attachments *list, uint32_t ifindex, enum gl_hook hook);
/* The program a device wants at a hook; GL_PROG_COUNT: none. */
enum gl_prog_id gl_device_prog(const struct gl_device *dev, enum gl_hook hook);

int gl_attach_tc(const char *dir, const struct gl_object *obj, const struct gl_device *dev, enum gl_hook hook,
		 struct gl_attached *ret, struct gl_diag *diag);
/* Native or generic. Failures are returned and not reported: the caller knows whether they matter. */
int gl_attach_xdp(const char *dir, const struct gl_object *obj, const struct gl_device *dev, bool generic,
		  struct gl_attached *ret);
/* Puts another program in the place of the one that is there, without a gap. */
int gl_attached_update(const char *dir, const struct gl_object *obj, const struct gl_attached *a, enum gl_prog_id prog,
		       struct gl_diag *diag);
int gl_detach(const char *dir, const struct gl_attached *a);

#endif
