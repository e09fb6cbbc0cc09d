/* SPDX-License-Identifier: GPL-2.0-only */
/* Answers ARP and neighbour solicitations: for the gateway and for neighbours towards guests, for public addresses
 * towards the uplink. Bridge networks resolve on their segment; what arrives there for a guest goes to that guest
 * alone. Neighbours: antispoof.h, nd.h (have checked a guest's sender), egress.h (builds the answer). */
#ifndef GL_NEIGH_H
#define GL_NEIGH_H

#include "pkt.h"
#include "port.h"

static __always_inline enum step deliver_to(struct pkt *p, __u32 slot)
{
	struct gl_port_val *port = port_by_slot(slot, p->side);

	if (!port)
		return drop(p, GL_DROP_MAP_MISSING);
	p->out_slot = slot;
	p->out_ifindex = port->ifindex;
	return STEP_DELIVER;
}

static __always_inline enum step deliver_to_segment(struct pkt *p, const struct gl_port_val *in)
{
	struct gl_port_val *uplink = port_by_slot(in->uplink_slot, p->side);

	if (uplink && mac_equal(p->dmac, uplink->mac))
		return drop(p, GL_DROP_HOST_ADDRESS);
	return deliver_to(p, in->uplink_slot);
}

/* The segment hears what is not for one guest. So do guests of the network of what the definition does not say: whoever
 * may hold the address that is asked for, and all of them who has claimed one. */
static __always_inline enum step neigh_from_bridge_guest(struct pkt *p, const struct gl_port_val *in)
{
	const bool claim = ip_equal(&p->neigh_target_be, &p->neigh_sender_be);
	struct gl_network_val *network;
	__u32 slot;

	if ((p->neigh_op == NEIGH_ASK || mac_is_multicast(p->dmac)) &&
	    host_lookup(p, in->network, &p->neigh_target_be, &slot))
		return claim || slot == p->in_slot ? deliver_to_segment(p, in) : deliver_to(p, slot);
	if (!mac_is_multicast(p->dmac))
		return l2_lookup(p, in->network, p->dmac, &slot) ? deliver_to(p, slot) : deliver_to_segment(p, in);
	network = network_by_index(in->network, p->side);
	if (!network || (claim && !(network->flags & GL_NET_F_BROADCAST)))
		return deliver_to_segment(p, in);
	if (!claim)
		p->repl_addr_be = p->neigh_target_be;
	p->repl_uplink = 1;
	return STEP_REPLICATE;
}

static __always_inline bool net_is_gateway(const struct gl_network_val *network, const gl_ip *addr)
{
#if GL_IS_IPV6
	if (ip_equal(addr, &network->link6_be))
		return true;
#endif
	for (__u32 i = 0; i < GL_NET_GATEWAYS; i++)
		if (!ip_is_zero(&net_gateway(network, i)->mask_be) && ip_equal(addr, &net_gateway(network, i)->addr_be))
			return true;
	return false;
}

static __always_inline enum step stage_neigh_from_guest(struct pkt *p, const struct gl_port_val *in)
{
	struct gl_network_val *network;
	struct gl_port_val *port;
	__u32 slot;

	if (in->mode == GL_MODE_BRIDGE)
		return neigh_from_bridge_guest(p, in);
	if (p->neigh_op != NEIGH_ASK && !mac_is_multicast(p->dmac)) {
		if (!l2_lookup(p, in->network, p->dmac, &slot))
			return drop(p, GL_DROP_UNKNOWN_MAC);
		return deliver_to(p, slot);
	}
	network = network_by_index(in->network, p->side);
	if (!network)
		return drop(p, GL_DROP_MAP_MISSING);
	if (p->neigh_op != NEIGH_ASK || ip_equal(&p->neigh_sender_be, &p->neigh_target_be)) {
		/* An announcement. Of an address in the definition nobody needs to hear: that table is static. */
		if (host_lookup(p, in->network, &p->neigh_sender_be, &slot) || !(network->flags & GL_NET_F_BROADCAST))
			return STEP_CONSUMED;
		return STEP_REPLICATE;
	}
	if (net_is_gateway(network, &p->neigh_target_be)) {
		mac_copy(p->reply_mac, network->gw_mac);
		p->reply_router = 1;
		return STEP_NEIGH_REPLY;
	}
	if (host_lookup(p, in->network, &p->neigh_target_be, &slot)) {
		/* A probe for its own address: no answer means that it is free (RFC 5227, RFC 4862). */
		if (slot == p->in_slot)
			return STEP_CONSUMED;
		port = port_by_slot(slot, p->side);
		if (!port)
			return drop(p, GL_DROP_MAP_MISSING);
		mac_copy(p->reply_mac, port->mac);
		return STEP_NEIGH_REPLY;
	}
	/* An allowed address pair may move between guests: those who may hold it hear the question. */
	p->repl_addr_be = p->neigh_target_be;
	return STEP_REPLICATE;
}

/* Not for us: the host's own. */
static __always_inline enum step stage_neigh_from_uplink(struct pkt *p, const struct gl_port_val *in)
{
	const bool segment = in->flags & GL_PORT_F_SEGMENT;
	__u32 slot;

	if (segment) {
		const __u32 id = GL_SEGMENT(in->uplink, p->vlan);

		if (mac_is_multicast(p->dmac)
			    ? p->neigh_op == NEIGH_ASK && host_lookup(p, id, &p->neigh_target_be, &slot)
			    : l2_lookup(p, id, p->dmac, &slot))
			return deliver_to(p, slot);
		/* An announcement, or the question for an allowed address pair. */
		if (mac_is_multicast(p->dmac)) {
			if (!ip_equal(&p->neigh_sender_be, &p->neigh_target_be))
				p->repl_addr_be = p->neigh_target_be;
			p->repl_segment = id;
			p->repl_host = 1;
		}
	}
	if (!p->tagged && p->neigh_op == NEIGH_ASK) {
		struct gl_addr_key key = {
			.addr_be = p->neigh_target_be,
			.block = GL_BLOCK_WHOLE,
			.uplink = in->uplink,
			.side = p->side,
		};
		struct gl_addr_val *addr = bpf_map_lookup_elem(&gl_addr, &key);

		if (addr && (addr->flags & GL_ADDR_F_ANSWER)) {
			mac_copy(p->reply_mac, in->mac);
			return STEP_NEIGH_REPLY;
		}
	}
	return p->repl_segment ? STEP_REPLICATE : STEP_PASS;
}

#endif
