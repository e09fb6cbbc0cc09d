/* SPDX-License-Identifier: GPL-2.0-only */
/* What a TCP packet tells about its flow: states, and which RST, FIN and SYN their end can have sent (RFC 9293 3.3.2,
 * 3.10.7; RFC 5961; windows by RFC 7323). Data is never refused; what its end cannot have sent is not believed either.
 * A packet in order costs its own entry alone. Neighbours: leg.h (asks), parse.h (reads the header), flow.h. */
#ifndef GL_TCP_H
#define GL_TCP_H

#include "flow.h"
#include "opening.h"
#include "parse.h"

/* What tcp_track says besides a step: the packet opens its flow anew. */
#define TCP_ANEW 64

#define TCP_REACH 0xffff /* believed around what is known, whatever the window: keep-alives, shrunk windows */
#define TCP_SCALE_UNKNOWN TCP_SCALE_MAX /* of flows that were picked up */

/* a is before b, modulo 2^32. */
static __always_inline bool tcp_before(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

static __always_inline bool tcp_near(__u32 a, __u32 b, __u32 reach)
{
	return a - b + reach <= 2 * reach;
}

static __always_inline __u32 tcp_reach(__u32 window)
{
	return window < TCP_REACH ? TCP_REACH : window;
}

/* Behind the segment's last byte. Fragments tell of their own part alone. */
static __always_inline __u32 tcp_end(const struct pkt *p)
{
	return p->tcp_seq + (__u16)(p->l4_len - p->l4_hlen) + (p->tcp_flags & TCP_SYN ? 1 : 0) +
	       (p->tcp_flags & TCP_FIN ? 1 : 0);
}

/* Does the packet acknowledge the SYN of `peer` (and what data came with it)? Where a later SYN has taken the place of
 * that one's number, only all that was sent will do. */
static __always_inline bool tcp_acks_syn(const struct pkt *p, const struct gl_flow_val *peer)
{
	if (!(peer->tcp_flags & TCP_SYN) || !(p->tcp_flags & TCP_ACK))
		return false;
	if (peer->syn_scale & GL_SYN_PENDING)
		return p->tcp_ack == peer->seq_end;
	return p->tcp_ack - (peer->pending + 1) <= peer->seq_end - (peer->pending + 1);
}

/* Does it answer a SYN that was seen in a flow that was already open? */
static __always_inline bool tcp_acks_pending(const struct pkt *p, const struct gl_flow_val *peer)
{
	return peer->syn_scale & GL_SYN_PENDING && p->tcp_flags & TCP_ACK && p->tcp_ack == peer->pending + 1;
}

/* The packet's SYN is where its direction begins. */
static __always_inline void tcp_start(const struct pkt *p, struct gl_flow_val *flow)
{
	flow->tcp_flags = p->tcp_flags;
	flow->seq_end = tcp_end(p);
	flow->ack = p->tcp_ack;
	flow->window = p->tcp_window; /* never scaled in a SYN */
	flow->pending = p->tcp_seq;
	flow->syn_scale = p->tcp_scale;
	flow->tcp_scale = 0;
}

/* Both SYNs have been seen: windows are scaled where both said so. */
static __always_inline void tcp_settle(struct gl_flow_val *flow, struct gl_flow_val *peer)
{
	const bool scaled = flow->syn_scale & peer->syn_scale & GL_SYN_SCALE;

	flow->tcp_scale = scaled ? flow->syn_scale & 15 : 0;
	peer->tcp_scale = scaled ? peer->syn_scale & 15 : 0;
}

/* Believes the packet. */
static __always_inline void tcp_note(const struct pkt *p, struct gl_flow_val *flow, __u32 end)
{
	if (tcp_before(flow->seq_end, end))
		flow->seq_end = end;
	if (!tcp_before(p->tcp_ack, flow->ack)) {
		flow->ack = p->tcp_ack;
		flow->window = (__u32)p->tcp_window << (flow->tcp_scale & 15);
	}
	if (p->tcp_flags & ~flow->tcp_flags)
		flow->tcp_flags |= p->tcp_flags;
}

/* The common case: nothing but data or its acknowledgement, where the last packet ended; or the last packet itself, as
 * TC gets to see what XDP has left to it. */
static __always_inline bool tcp_in_order(const struct pkt *p, struct gl_flow_val *flow)
{
	const __u32 end = tcp_end(p);

	if ((p->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)) != TCP_ACK || !(flow->tcp_flags & TCP_ACK) ||
	    (p->tcp_seq != flow->seq_end && end != flow->seq_end) || flow->state < GL_FLOW_ESTABLISHED ||
	    flow->state > GL_FLOW_CLOSE_WAIT || p->tcp_ack - flow->ack > tcp_reach(flow->window))
		return false;
	tcp_note(p, flow, end);
	return true;
}

/* Can the end have sent this, as far as its peer's acknowledgements and its own tell? */
static __always_inline bool tcp_plausible(const struct pkt *p, const struct gl_flow_val *flow,
					  const struct gl_flow_val *peer, __u32 end)
{
	if (flow->tcp_flags & TCP_ACK && !tcp_near(p->tcp_ack, flow->ack, tcp_reach(flow->window)))
		return false;
	if (flow->tcp_flags && p->tcp_seq == flow->seq_end)
		return true;
	return !(peer->tcp_flags & TCP_ACK) || tcp_near(end, peer->ack, tcp_reach(peer->window));
}

static __always_inline void tcp_state(struct gl_flow_val *flow, struct gl_flow_val *peer, __u8 state)
{
	if (flow->state == state)
		return;
	flow->state = state;
	peer->state = state;
}

/* RFC 5961 3.2: only the exact number closes; the others in the window are for the receiver to challenge. */
static __always_inline int tcp_track_reset(struct pkt *p, struct gl_flow_val *flow, struct gl_flow_val *peer)
{
	const bool acked = peer->tcp_flags & TCP_ACK;

	if ((flow->tcp_flags && p->tcp_seq == flow->seq_end) || (acked && p->tcp_seq == peer->ack) ||
	    (!acked && tcp_acks_syn(p, peer)) || tcp_acks_pending(p, peer)) {
		tcp_state(flow, peer, GL_FLOW_CLOSED);
		flow->tcp_flags |= TCP_RST;
		return STEP_NEXT;
	}
	/* To an end that has sent nothing yet, or nothing that was seen. */
	if (!peer->tcp_flags)
		return STEP_NEXT;
	if (acked && p->tcp_seq - peer->ack < peer->window)
		return STEP_NEXT;
	return drop(p, GL_DROP_TCP_WINDOW);
}

static __always_inline int tcp_track_syn(const struct pkt *p, struct gl_flow_val *flow, struct gl_flow_val *peer)
{
	switch (flow->state) {
	case GL_FLOW_SYN_SENT:
		if (flow->flags & GL_FLOW_F_REPLY)
			tcp_state(flow, peer, GL_FLOW_SYN_BOTH);
		tcp_start(p, flow);
		return STEP_NEXT;
	case GL_FLOW_SYN_BOTH:
		tcp_start(p, flow);
		return STEP_NEXT;
	case GL_FLOW_TIME_WAIT:
	case GL_FLOW_CLOSED:
		return TCP_ANEW;
	default:
		break;
	}
	/* The one that opened the flow, once more. */
	if (flow->tcp_flags & TCP_SYN && !(flow->syn_scale & GL_SYN_PENDING) && p->tcp_seq == flow->pending)
		return STEP_NEXT;
	/* RFC 5961 4.2: for the receiver to challenge. Its end may have lost its memory: then it is answered. */
	flow->pending = p->tcp_seq;
	flow->syn_scale = p->tcp_scale | GL_SYN_PENDING;
	return STEP_NEXT;
}

static __always_inline int tcp_track_syn_ack(struct pkt *p, struct gl_flow_val *flow, struct gl_flow_val *peer)
{
	if (tcp_acks_pending(p, peer)) {
		tcp_start(p, flow);
		peer->seq_end = p->tcp_ack;
		peer->tcp_flags = TCP_SYN;
		peer->syn_scale &= ~GL_SYN_PENDING;
		tcp_settle(flow, peer);
		tcp_state(flow, peer, GL_FLOW_SYN_RECEIVED);
		return STEP_NEXT;
	}
	if (flow->state >= GL_FLOW_ESTABLISHED) {
		/* Again, as its acknowledgement was lost. */
		if (flow->tcp_flags & TCP_SYN && !(flow->syn_scale & GL_SYN_PENDING) && p->tcp_seq == flow->pending)
			return STEP_NEXT;
		return drop(p, GL_DROP_TCP_WINDOW);
	}
	if (!tcp_acks_syn(p, peer))
		return drop(p, GL_DROP_TCP_WINDOW);
	tcp_start(p, flow);
	tcp_settle(flow, peer);
	tcp_state(flow, peer, peer->tcp_flags & TCP_ACK ? GL_FLOW_ESTABLISHED : GL_FLOW_SYN_RECEIVED);
	return STEP_NEXT;
}

/* Is the FIN the next that its end has to send, the last once more, or one that arrives before what it follows? */
static __always_inline bool tcp_fin_fits(const struct pkt *p, const struct gl_flow_val *flow,
					 const struct gl_flow_val *peer, __u32 end)
{
	if (flow->state < GL_FLOW_SYN_RECEIVED)
		return false;
	if (flow->tcp_flags & TCP_ACK && p->tcp_flags & TCP_ACK &&
	    !tcp_near(p->tcp_ack, flow->ack, tcp_reach(flow->window)))
		return false;
	if (flow->state == GL_FLOW_SYN_RECEIVED && !(flow->tcp_flags & TCP_ACK) && !tcp_acks_syn(p, peer))
		return false;
	if (flow->tcp_flags && (p->tcp_seq == flow->seq_end || (flow->tcp_flags & TCP_FIN && end == flow->seq_end)))
		return true;
	if (!(peer->tcp_flags & TCP_ACK))
		return !peer->tcp_flags;
	return end - peer->ack <= peer->window + 1 && (!flow->tcp_flags || !tcp_before(end, flow->seq_end));
}

static __always_inline void tcp_track_segment(const struct pkt *p, struct gl_flow_val *flow, struct gl_flow_val *peer,
					      __u32 end)
{
	if (flow->state < GL_FLOW_SYN_RECEIVED)
		return;
	if (flow->state == GL_FLOW_SYN_RECEIVED && !(flow->tcp_flags & TCP_ACK)) {
		if (!tcp_acks_syn(p, peer))
			return;
		flow->ack = p->tcp_ack;
		tcp_note(p, flow, end);
		if (peer->tcp_flags & TCP_ACK)
			tcp_state(flow, peer, GL_FLOW_ESTABLISHED);
		return;
	}
	if (!tcp_plausible(p, flow, peer, end))
		return;
	/* The first of this direction, in a flow that was picked up. */
	if (!flow->tcp_flags) {
		flow->seq_end = end;
		flow->ack = p->tcp_ack;
	}
	tcp_note(p, flow, end);
}

static __always_inline void tcp_track_fin(struct gl_flow_val *flow, struct gl_flow_val *peer)
{
	const bool reply = flow->flags & GL_FLOW_F_REPLY;

	if (flow->state == GL_FLOW_SYN_RECEIVED || flow->state == GL_FLOW_ESTABLISHED)
		tcp_state(flow, peer, reply ? GL_FLOW_CLOSE_WAIT : GL_FLOW_FIN_WAIT);
	else if (flow->state == (reply ? GL_FLOW_FIN_WAIT : GL_FLOW_CLOSE_WAIT))
		tcp_state(flow, peer, GL_FLOW_TIME_WAIT);
}

/* All but the common case. STEP_NEXT, STEP_DROP or TCP_ANEW. Global, so that it is verified once. */
__noinline int GL_PROGRAM(tcp_track)(struct pkt *p, struct gl_flow_val *flow)
{
	struct gl_flow_key peer_key;
	struct gl_flow_val *peer;
	void *table;
	__u32 end;

	if (!p || !flow)
		return STEP_DROP;
	table = flow_table(p->tenant);
	if (!table)
		return STEP_NEXT;
	flow_peer_key(flow, IPPROTO_TCP, &peer_key);
	peer = flow_lookup(table, &peer_key);
	if (!peer)
		return STEP_NEXT;
	if (p->tcp_flags & TCP_RST)
		return tcp_track_reset(p, flow, peer);
	if (p->tcp_flags & TCP_SYN)
		return p->tcp_flags & TCP_ACK ? tcp_track_syn_ack(p, flow, peer) : tcp_track_syn(p, flow, peer);
	end = tcp_end(p);
	if (p->tcp_flags & TCP_FIN && !tcp_fin_fits(p, flow, peer, end))
		return drop(p, GL_DROP_TCP_WINDOW);
	/* Receivers take nothing without it (RFC 9293 3.10.7.4). */
	if (!(p->tcp_flags & TCP_ACK))
		return STEP_NEXT;
	tcp_track_segment(p, flow, peer, end);
	if (p->tcp_flags & TCP_FIN)
		tcp_track_fin(flow, peer);
	return STEP_NEXT;
}

/* May this packet open a flow, and how does the flow begin? */
static __always_inline enum step tcp_open(struct pkt *p, struct opening *o)
{
	struct gl_tenant_val *tenant;

	if (p->frag == FRAG_TAIL)
		return drop(p, GL_DROP_TCP_NOT_SYN);
	tcp_start(p, &o->val);
	if ((p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN) {
		o->val.state = GL_FLOW_SYN_SENT;
		o->peer_val.state = GL_FLOW_SYN_SENT;
		return STEP_NEXT;
	}
	tenant = tenant_by_index(o->tenant, p->side);
	if (!tenant || !(tenant->flags & GL_TENANT_F_PICKUP) || (p->tcp_flags & (TCP_ACK | TCP_RST)) != TCP_ACK)
		return drop(p, GL_DROP_TCP_NOT_SYN);
	o->val.state = p->tcp_flags & TCP_FIN ? GL_FLOW_FIN_WAIT : GL_FLOW_ESTABLISHED;
	o->peer_val.state = o->val.state;
	o->val.tcp_scale = TCP_SCALE_UNKNOWN;
	o->peer_val.tcp_scale = TCP_SCALE_UNKNOWN;
	if (!(p->tcp_flags & TCP_SYN))
		o->val.window = (__u32)p->tcp_window << TCP_SCALE_UNKNOWN;
	return STEP_NEXT;
}

#endif
