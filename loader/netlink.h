/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What the kernel says about this network namespace's links, and the few things that are changed there by netlink.
 * Neighbours: facts.h (the values), apply.c. */
#ifndef GL_NETLINK_H
#define GL_NETLINK_H

#include "loader/diag.h"
#include "loader/facts.h"

int gl_facts_collect(struct gl_facts *ret, struct gl_diag *diag);
int gl_link_set_up(uint32_t ifindex, bool up); /* -ENODEV: it is gone */
/* Makes a device take frames for one more MAC (a NIC: unicast filter, a bridge: a local entry), or no longer. */
int gl_link_take_mac(uint32_t ifindex, const uint8_t mac[6], bool take);

#endif
