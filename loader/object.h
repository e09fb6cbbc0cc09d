/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The programs and maps as the kernel holds them: opened from their pins, or loaded and pinned.
 * object.c alone knows the skeleton. Programs are pinned at DIR/progs/TAG/NAME, where TAG is a hash of the object
 * built into this binary: later commands find them there and no verifier runs. Neighbours: bpffs.h, flowtable.c. */
#ifndef GL_OBJECT_H
#define GL_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "loader/diag.h"
#include "maps/registry.h"

enum gl_prog_id {
	GL_PROG_FROM_GUEST_XDP,
	GL_PROG_FROM_UPLINK_XDP,
	GL_PROG_FROM_GUEST_GENERIC,
	GL_PROG_FROM_UPLINK_GENERIC,
	GL_PROG_FROM_GUEST_TC,
	GL_PROG_FROM_UPLINK_TC,
	GL_PROG_TO_GUEST_TC,
	GL_PROG_SWEEP_TC,
	GL_PROG_ADVERTISE_TC,
	GL_PROG_COUNT
};

struct gl_object {
	int map[GL_MAP_COUNT]; /* fds; -1: not there */
	uint32_t map_id[GL_MAP_COUNT];
	int prog[GL_PROG_COUNT];
	uint32_t prog_id[GL_PROG_COUNT];
	bool present; /* the maps are there */
	bool loaded; /* and the programs of this very binary */
};

void gl_object_init(struct gl_object *obj);
void gl_object_close(struct gl_object *obj);
/* Opens what is pinned. Maps of another version of guestlane: -EPROTO. */
int gl_object_open(const char *dir, struct gl_object *obj, struct gl_diag *diag);
/* Loads the programs of this binary with the pinned maps, makes and pins what is missing. Nothing is pinned or
 * changed when the kernel refuses any of it. */
int gl_object_load(const char *dir, struct gl_object *obj, struct gl_diag *diag);
/* Removes the pins of programs that other binaries loaded. */
int gl_object_drop_old(const char *dir);

int gl_control_read(const struct gl_object *obj, struct gl_control_val *ret); /* all zero when never applied */

#endif
