/* SPDX-License-Identifier: GPL-2.0-only */
/* A flow while it is being opened: both directions' keys and values, too large for the stack. Filled by route.h,
 * policy.h and nat.h, written by leg.h. */
#ifndef GL_OPENING_H
#define GL_OPENING_H

#include "pkt.h"

/* A free port of a public address is looked for; here, as the verifier takes a map's content for unknown. See nat.h. */
struct port_search {
	__u64 any; /* what stands for "no port free", towards any destination and towards this one */
	__u64 this;
	__u64 random;
	__u32 network;
	__u32 side;
	__u32 at; /* the port to try next */
	__u32 end; /* last port of the range at hand */
	gl_ip addr_be;
	__u8 entry; /* of the pool, which that range is */
	__u8 parity;
	__u8 mapping; /* the port must be no other mapping's */
	__u8 mapped; /* nor may it be of a mapping, where a tenant has both kinds of flows */
	__u8 found;
	__u8 full;
	__u8 any_slot; /* where that is remembered */
	__u8 this_slot;
	__u8 taken; /* some port that no mapping has was a single flow's */
};

#define GL_TCP_OPTIONS 40

/* A SYN's options while they are read; see mss.h. */
struct tcp_options {
	__u32 at;
	__u32 len;
	__u32 found;
	__u8 options[64]; /* no more than GL_TCP_OPTIONS are used: a power of two */
};

struct opening {
	struct gl_flow_key key; /* opener's direction, as its packets arrive */
	struct gl_flow_key peer_key; /* answers */
	struct gl_flow_key old_peer; /* what the answers' key was so far */
	struct gl_flow_key other; /* of a flow that stands in the way */
	struct gl_flow_key over; /* opener's, of a flow that is over */
	struct gl_flow_val val;
	struct gl_flow_val peer_val;
	struct gl_flow_key map_key; /* an endpoint-independent mapping's second entry */
	struct gl_flow_val map_val;
	__u8 dmac[GL_MAC_LEN]; /* as the opener sends */
	__u8 smac[GL_MAC_LEN];
	__u8 from_uplink;
	__u8 hairpin; /* opened from a public address of our own */
	__u8 echo; /* ICMP echo request */
	__u8 asked_for; /* by a port_forward or a floating IP: open to anybody, if it has no security groups */
	__u8 bridged; /* from the uplink's segment by MAC, not by a public address */
	__u8 anew; /* in place of a flow of the same tuple that is over */
	__u8 by_answer; /* evaluated anew by a packet of the other direction */
	__u8 had; /* it has an entry already: `was` */
	__u8 had_peer; /* and one for the answers: `peer_was` */
	__u8 turned; /* it takes the place of a flow whose answerer now opens */
	__u8 nat_mapping; /* the port that is looked for is a mapping's */
	__u8 written; /* the answers' entry stands */
	__u8 pad0[3];
	__u32 nat_network;
	__u16 vlan; /* of that segment */
	__u32 in_slot;
	__u32 tenant;

	/* The guest's interface that is opened to; not for flows to the outside. */
	__u32 target_network;
	__u32 target_policy; /* index of gl_policy, 0: none */
	__u8 target_open_to; /* enum gl_open */
	__u8 to_guest;
	__u8 pad1[2];
	struct port_search search;
	struct tcp_options tcp;

	/* Not cleared. As the flow was, as writing its new entries takes the old ones' place bit by bit. */
	struct gl_flow_val was;
	struct gl_flow_val peer_was;
};

/* Working memory of a CPU; programs do not interrupt each other there. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct opening);
} gl_opening __weak SEC(".maps");

#endif
