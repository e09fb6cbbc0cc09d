/* SPDX-License-Identifier: GPL-2.0-only */
/* A flow while it is being opened: both directions' keys and values, too large for the stack. Filled by route.h,
 * policy.h and nat.h, written by leg.h. */
#ifndef GL_OPENING_H
#define GL_OPENING_H

#include "pkt.h"

struct opening {
	struct gl_flow4_key key; /* opener's direction, as its packets arrive */
	struct gl_flow4_key peer_key; /* answers */
	struct gl_flow4_val val;
	struct gl_flow4_val peer_val;
	__u8 dmac[GL_MAC_LEN]; /* as the opener sends */
	__u8 smac[GL_MAC_LEN];
	__u8 from_uplink;
	__u8 hairpin; /* opened from a public address of our own */
	__u8 echo; /* ICMP echo request */
	__u8 asked_for; /* by a port_forward or a floating IP: open to anybody, if it has no security groups */
	__u8 bridged; /* from the uplink's segment by MAC, not by a public address */
	__u8 by_answer; /* evaluated anew by a packet of the other direction */
	__u16 vlan; /* of that segment */
	__u32 in_slot;
	__u32 tenant;

	/* The guest's interface that is opened to; not for flows to the outside. */
	__u32 target_network;
	__u32 target_policy; /* index of gl_policy, 0: none */
	__u8 target_open_to; /* enum gl_open */
	__u8 to_guest;
	__u8 pad1[2];
};

/* Working memory of a CPU; programs do not interrupt each other there. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct opening);
} gl_opening __weak SEC(".maps");

#endif
