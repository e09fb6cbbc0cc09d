/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Router advertisements that nobody asked for. Neighbours: object.h, loader.h (gl_advertise), bpf/advertise.bpf.h. */
#ifndef GL_ADVERTISE_H
#define GL_ADVERTISE_H

#include "loader/object.h"

/* Tells the guest behind that slot about its router. 1: told; 0: its network has nothing to tell, or the device takes
 * no frames now; or a negative errno. */
int gl_advertise_slot(const struct gl_object *obj, uint32_t slot);

#endif
