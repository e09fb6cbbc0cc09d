/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What an open instance is inside, and one look at everything it has on the host. For the loader's own files; what
 * others may call is in loader.h. Neighbours: apply.c, gc.c, live.c, status.c, flows.c. */
#ifndef GL_HOST_H
#define GL_HOST_H

#include "loader/attach.h"
#include "loader/flowtable.h"
#include "loader/loader.h"
#include "loader/mapset.h"
#include "loader/object.h"
#include "loader/state.h"

#define GL_DEFAULT_BPFFS "/sys/fs/bpf/guestlane"
#define GL_DEFAULT_STATE "/run/guestlane"

struct gl_host {
	char *bpffs, *state;
	struct gl_object obj;
	struct gl_definition *applied; /* as gl_applied() gave it out */
};

/* Opens the pins anew: another command may have changed them. */
int gl_host_refresh(struct gl_host *host, struct gl_diag *diag);

/* Everything that is there. */
struct gl_view {
	struct gl_control_val control;
	struct gl_mapset *sets[2];
	struct gl_attachments attachments;
	struct gl_tables tables;
	struct gl_state state; /* in force */
	struct gl_state other; /* of a command that died */
};
int gl_view_read(struct gl_host *host, struct gl_view *ret, struct gl_diag *diag);
/* The same with no more of the configuration than labels.h and `maps` (GL_MAPS_ONE() of each) need: rules and addresses
 * may be millions. */
int gl_view_read_some(struct gl_host *host, uint32_t maps, struct gl_view *ret, struct gl_diag *diag);
void gl_view_clear(struct gl_view *view);
const struct gl_mapset *gl_view_live(const struct gl_view *view);

/* A definition from the state's JSON. */
int gl_definition_parse(const char *json, struct gl_definition **ret, struct gl_diag *diag);

#endif
