/* SPDX-License-Identifier: GPL-2.0-only */
/* May this flow be opened? Asked once per flow. Neighbours: route.h (has found the target). */
#ifndef GL_POLICY_H
#define GL_POLICY_H

#include "opening.h"

/* For packets to the gateway itself too: then there is no target (to_guest is 0). Fills val.admitted.
 *
 * Without security groups: everything may leave; its own network may reach an interface, the others as far as the
 * target's network is open to them. */
static __always_inline enum step stage_policy(struct pkt *p, struct opening *o)
{
	if (!o->to_guest || o->asked_for)
		return STEP_NEXT;
	if (!o->from_uplink && o->key.scope == o->target_network)
		return STEP_NEXT;
	if (o->target_open_to >= (o->from_uplink ? GL_OPEN_ANYWHERE : GL_OPEN_TENANT))
		return STEP_NEXT;
	return drop(p, GL_DROP_POLICY);
}

#endif
