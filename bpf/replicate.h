/* SPDX-License-Identifier: GPL-2.0-only */
/* Copies broadcast and multicast to the interfaces of a network, or of a segment of the uplink. TC alone can copy;
 * XDP leaves such frames to it. Neighbours: pipeline.h (decides), egress.h (calls). */
#ifndef GL_REPLICATE_H
#define GL_REPLICATE_H

#include "antispoof.h"
#include "pkt.h"
#include "policy.h"
#include "port.h"

struct replica {
	gl_ctx *ctx;
	struct pkt *p;
	__u32 slot;
	__u32 first;
	__u32 copied; /* 0 or 1: a count would never converge for the verifier */
};

/* Who hears it: whose security groups admit it. Without groups, from its own network everybody, and from the uplink's
 * segment who is open to it. Answers of a DHCP server there are for who has asked; those
 * of DHCPv6 are never for many. */
static __always_inline bool replica_wanted(struct pkt *p, const struct gl_port_val *port, __u32 slot)
{
	if (!ip_is_zero(&p->repl_addr_be))
		return port->flags & GL_PORT_F_MORE && port_may_use(p, port, slot, &p->repl_addr_be);
	if (p->neigh_op)
		return true;
	if (p->repl_segment && is_dhcp_answer(p) && p->dport_be == bpf_htons(DHCP_CLIENT))
		return !GL_IS_IPV6 && mac_equal(p->chaddr, port->mac);
	if (port->policy)
		return policy_broadcast(p, port->policy, GL_INGRESS);
	return !p->repl_segment || port->open_to == GL_OPEN_ANYWHERE;
}

static long replicate_one(__u32 i, struct replica *r)
{
	struct gl_port_val *port = port_by_slot(r->slot, r->p->side);
	__u32 slot = r->slot;

	(void)i;
	if (!port || port->kind != GL_PORT_GUEST)
		return 1;
	r->slot = r->p->repl_segment ? port->next_in_segment : port->next_in_network;
	if (slot != r->p->in_slot && replica_wanted(r->p, port, slot)) {
		r->ctx->mark = GL_MARK;
		if (bpf_clone_redirect(r->ctx, port->ifindex, 0) == 0) {
			count_sent(slot, r->p->len);
			r->copied = 1;
		}
	}
	return r->slot == r->first;
}

/* Was any copy made? */
static __always_inline bool replicate(gl_ctx *ctx, struct pkt *p)
{
	struct replica r = { .ctx = ctx, .p = p };
	const __u8 all[GL_MAC_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	if (p->repl_segment) {
		if (!l2_lookup(p, p->repl_segment, all, &r.slot))
			return false;
	} else {
		r.slot = p->in_slot;
	}
	r.first = r.slot;
	if (p->tagged && bpf_skb_vlan_pop(ctx))
		return false;
	bpf_loop(GL_NET_MEMBERS, replicate_one, &r, 0);
	if (p->tagged)
		bpf_skb_vlan_push(ctx, ETH_P_8021Q_BE, p->vlan);
	ctx->mark = 0;
	return r.copied;
}

#endif
