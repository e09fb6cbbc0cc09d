/* SPDX-License-Identifier: GPL-2.0-only */
/* Where does a new flow go? By MAC inside its network, by the tenant's gateway between networks and to the outside.
 * Fills the target into the opening flow. Neighbours: opening.h (what is filled), policy.h (whether it may). */
#ifndef GL_ROUTE_H
#define GL_ROUTE_H

#include "antispoof.h"
#include "opening.h"
#include "port.h"

/* Towards a guest's interface on this host; by its gateway (new MACs), or as the frame is. */
static __always_inline enum step target_port(struct pkt *p, struct opening *o, __u32 slot, bool routed)
{
	struct gl_port_val *port = port_by_slot(slot, p->side);

	if (!port || port->kind != GL_PORT_GUEST)
		return drop(p, GL_DROP_MAP_MISSING);
	o->to_guest = 1;
	o->target_network = port->network;
	o->target_policy = port->policy;
	o->target_open_to = port->open_to;
	o->val.out_slot = slot;
	o->val.out_ifindex = port->ifindex;
	o->val.mtu = port->mtu > 0xffff ? 0xffff : port->mtu;
	o->val.flags |= port->flags & GL_PORT_F_XDP_OUT ? GL_FLOW_F_XDP_OUT : 0;
	o->val.peer_scope = port->network;
	mac_copy(o->val.dmac, port->mac);
	if (routed) {
		o->val.flags |= GL_FLOW_F_ROUTED;
		mac_copy(o->val.smac, port->gw_mac);
	} else {
		mac_copy(o->val.smac, o->smac);
	}
	return STEP_NEXT;
}

static __always_inline struct gl_addr_val *public_lookup(const struct pkt *p, const gl_ip *addr, __u16 block,
							 __u16 uplink)
{
	struct gl_addr_key key = { .addr_be = *addr, .block = block, .uplink = uplink, .side = p->side };

	return bpf_map_lookup_elem(&gl_addr, &key);
}

static __always_inline enum step target_uplink(struct pkt *p, struct opening *o, __u32 slot, __u8 flags)
{
	struct gl_port_val *port = port_by_slot(slot, p->side);

	if (!port || port->kind != GL_PORT_UPLINK)
		return drop(p, GL_DROP_MAP_MISSING);
	if (flags & GL_FLOW_F_BRIDGED) {
		struct gl_addr_val *addr = public_lookup(p, &o->key.dst_be, GL_BLOCK_WHOLE, port->uplink);

		/* A bridge as uplink would hand such frames up to the host. */
		if (mac_equal(o->dmac, port->mac) || (addr && (addr->flags & GL_ADDR_F_HOST)))
			return drop(p, GL_DROP_HOST_ADDRESS);
	}
	o->val.out_slot = slot;
	o->val.out_ifindex = port->ifindex;
	o->val.mtu = port->mtu > 0xffff ? 0xffff : port->mtu;
	o->val.flags |= flags | (port->flags & GL_PORT_F_XDP_OUT ? GL_FLOW_F_XDP_OUT : 0);
	o->val.peer_scope = GL_SCOPE_UPLINK | port->uplink;
	if (flags & GL_FLOW_F_BRIDGED) {
		mac_copy(o->val.dmac, o->dmac);
		mac_copy(o->val.smac, o->smac);
	}
	return STEP_NEXT;
}

/* The port_forward of a public address; NULL: none. */
static __always_inline struct gl_forward_val *forward_lookup(const struct pkt *p, const gl_ip *addr, __be16 port_be,
							     __u8 proto, __u16 uplink)
{
	struct gl_forward_key key = {
		.addr_be = *addr,
		.port_be = port_be,
		.proto = proto,
		.uplink = uplink,
		.side = p->side,
	};

	return bpf_map_lookup_elem(&gl_forward, &key);
}

/* The network's own subnets: its gateways answer echo, its broadcast addresses are nobody's. */
static __always_inline enum step route_own_network(struct pkt *p, const struct opening *o,
						   const struct gl_network_val *network)
{
	for (__u32 i = 0; i < GL_NET_GATEWAYS; i++) {
		const struct gl_gateway *gw = net_gateway(network, i);

		if (ip_is_zero(&gw->mask_be) || !ip_in_subnet(&o->key.dst_be, &gw->addr_be, &gw->mask_be))
			continue;
		if (ip_equal(&o->key.dst_be, &gw->addr_be)) {
			if (o->echo && !p->frag)
				return STEP_ECHO_REPLY;
			return drop(p, GL_DROP_GATEWAY_PROTOCOL);
		}
		if (ip_is_subnet_broadcast(&o->key.dst_be, &gw->mask_be))
			return drop(p, GL_DROP_BROADCAST_FOREIGN);
	}
#if GL_IS_IPV6
	if (ip_equal(&o->key.dst_be, &network->link6_be))
		return o->echo && !p->frag ? STEP_ECHO_REPLY : drop(p, GL_DROP_GATEWAY_PROTOCOL);
#endif
	return STEP_NEXT;
}

/* By the gateway: the tenant's joined networks, else the outside. */
static __always_inline enum step route_by_gateway(struct pkt *p, struct opening *o, const struct gl_port_val *in)
{
	struct gl_network_val *network = network_by_index(in->network, p->side);
	struct gl_route_key key = { .prefixlen = 32 + IP_BITS, .addr_be = o->key.dst_be };
	struct gl_addr_val *public;
	struct gl_route_val *route;
	enum step step;
	__u32 slot;

	if (!network)
		return drop(p, GL_DROP_MAP_MISSING);
	step = route_own_network(p, o, network);
	if (step)
		return step;
	/* Routers leave them where they are (RFC 4291 2.5.6). */
	if (ip_is_link_local(&o->key.dst_be))
		return drop(p, GL_DROP_UNKNOWN_HOST);
	if (ip_is_link_local(&o->key.src_be))
		return drop(p, GL_DROP_MARTIAN);
	if (host_lookup(p, in->network, &o->key.dst_be, &slot))
		return target_port(p, o, slot, true);
	if (in->mode == GL_MODE_ISOLATED)
		return drop(p, GL_DROP_ISOLATED);

	key.tenant_side_be = bpf_htonl(GL_TENANT_SIDE(in->tenant, p->side));
	route = bpf_map_lookup_elem(&gl_route, &key);
	if (route && route->kind == GL_ROUTE_PORT)
		return target_port(p, o, route->target, true);
	if (route) {
		struct gl_network_val *other = network_by_index(route->target, p->side);

		if (host_lookup(p, route->target, &o->key.dst_be, &slot))
			return target_port(p, o, slot, true);
		if (other) {
			step = route_own_network(p, o, other);
			if (step)
				return step;
		}
		return drop(p, GL_DROP_UNKNOWN_HOST);
	}
	public = public_lookup(p, &o->key.dst_be, GL_BLOCK_WHOLE, in->uplink);
	return target_uplink(p, o, in->uplink_slot,
			     GL_FLOW_F_ROUTED | (public ? GL_FLOW_F_HAIRPIN : GL_FLOW_F_TO_UPLINK));
}

static __always_inline enum step route_from_guest(struct pkt *p, struct opening *o, const struct gl_port_val *in)
{
	__u32 slot;

	if (in->mode != GL_MODE_BRIDGE && mac_equal(o->dmac, in->gw_mac))
		return route_by_gateway(p, o, in);
	if (l2_lookup(p, in->network, o->dmac, &slot))
		return target_port(p, o, slot, false);
	if (in->mode == GL_MODE_BRIDGE) {
		o->val.vlan = in->vlan;
		return target_uplink(p, o, in->uplink_slot, GL_FLOW_F_BRIDGED);
	}
	return drop(p, GL_DROP_UNKNOWN_MAC);
}

/* From the uplink's segment by MAC. */
static __always_inline enum step route_from_segment(struct pkt *p, struct opening *o, __u16 uplink)
{
	__u32 slot;

	if (!l2_lookup(p, GL_SEGMENT(uplink, o->vlan), o->dmac, &slot))
		return drop(p, GL_DROP_UNKNOWN_MAC);
	o->val.vlan = o->vlan;
	return target_port(p, o, slot, false);
}

/* From outside comes nobody who is inside: the answers to such a flow would take the place of the guests' own. */
static __always_inline enum step outside_source(struct pkt *p, const struct opening *o, const struct gl_port_val *in)
{
	struct gl_route_key key = { .prefixlen = 32 + IP_BITS, .addr_be = o->key.src_be };
	__u32 slot;

	if (o->bridged) {
		const __u32 segment = GL_SEGMENT(in->uplink, o->vlan);

		if (l2_lookup(p, segment, o->smac, &slot))
			return drop(p, GL_DROP_SPOOF_MAC);
		if (host_lookup(p, segment, &o->key.src_be, &slot))
			return drop(p, GL_DROP_SPOOF_IP);
		return STEP_NEXT;
	}
	if (o->hairpin)
		return STEP_NEXT;
	key.tenant_side_be = bpf_htonl(GL_TENANT_SIDE(o->tenant, p->side));
	if (is_martian_dst(&o->key.src_be) || ip_is_link_local(&o->key.src_be) || ip_is_broadcast(&o->key.src_be) ||
	    ip_is_multicast(&o->key.src_be) || public_lookup(p, &o->key.src_be, GL_BLOCK_WHOLE, in->uplink) ||
	    bpf_map_lookup_elem(&gl_route, &key))
		return drop(p, GL_DROP_MARTIAN);
	return STEP_NEXT;
}

#endif
