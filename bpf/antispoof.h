/* SPDX-License-Identifier: GPL-2.0-only */
/* Is the sender who it says it is? Source MAC, source address, ARP sender, tags, ethertypes, link-control frames, DHCP.
 * Neighbours: port.h (whose addresses are held against the packet). */
#ifndef GL_ANTISPOOF_H
#define GL_ANTISPOOF_H

#include "parse.h"
#include "pkt.h"

/* Ethertypes that only bridges and switches speak: pause, slow protocols (LACP), 802.1X, LLDP. */
static __always_inline bool is_link_control(const struct pkt *p)
{
	/* 01:80:c2:00:00:0x, IEEE 802.1D reserved group addresses: STP, pause, LACP, 802.1X, LLDP */
	if (p->dmac[0] == 0x01 && p->dmac[1] == 0x80 && p->dmac[2] == 0xc2 && p->dmac[3] == 0 && p->dmac[4] == 0 &&
	    p->dmac[5] <= 0x2f)
		return true;
	return p->ethertype_be == bpf_htons(0x8808) || p->ethertype_be == bpf_htons(0x8809) ||
	       p->ethertype_be == bpf_htons(0x888e) || p->ethertype_be == bpf_htons(0x88cc);
}

static __always_inline enum step stage_antispoof_link(struct pkt *p, const struct gl_port_val *in)
{
	if (is_link_control(p))
		return drop(p, GL_DROP_LINK_CONTROL);
	if (!mac_equal(p->smac, in->mac))
		return drop(p, GL_DROP_SPOOF_MAC);
	if (p->tagged)
		return drop(p, GL_DROP_VLAN_TAGGED);
	if (p->ethertype_be == ETH_P_IPV6_BE && !(in->flags & GL_PORT_F_IPV6))
		return drop(p, GL_DROP_IPV6_OFF);
	if (p->ethertype_be != ETH_P_OWN_BE && (GL_IS_IPV6 || p->ethertype_be != ETH_P_ARP_BE))
		return drop(p, GL_DROP_ETHERTYPE);
	return STEP_NEXT;
}

/* May the interface `port` at `slot` use this address? */
static __always_inline bool port_may_use(const struct pkt *p, const struct gl_port_val *port, __u32 slot,
					 const gl_ip *addr)
{
	/* An unused place holds 0, which is no address. */
	if (ip_is_zero(addr))
		return false;
#if GL_IS_IPV6
	if (ip_equal(addr, &port->link6_be))
		return port->flags & GL_PORT_F_IPV6;
#endif
	if (ip_equal(addr, port_addr(port, 0)) || ip_equal(addr, port_addr(port, 1)) ||
	    ip_equal(addr, port_addr(port, 2)) || ip_equal(addr, port_addr(port, 3)))
		return true;
	if (port->flags & GL_PORT_F_MORE) {
		struct gl_allow_key key = {
			.prefixlen = 32 + IP_BITS,
			.addr_be = *addr,
		};

		key.slot_side_be = bpf_htonl(GL_TENANT_SIDE(slot, p->side));
		return bpf_map_lookup_elem(&gl_allow, &key) != NULL;
	}
	return false;
}

static __always_inline enum step stage_antispoof_arp(struct pkt *p, const struct gl_port_val *in)
{
	if (!mac_equal(p->neigh_sender_mac, in->mac))
		return drop(p, GL_DROP_SPOOF_ARP);
	/* RFC 5227: a probe asks with sender 0 */
	if (ip_is_zero(&p->neigh_sender_be) && p->neigh_op == NEIGH_ASK)
		return STEP_NEXT;
	if (!port_may_use(p, in, p->in_slot, &p->neigh_sender_be))
		return drop(p, GL_DROP_SPOOF_ARP);
	return STEP_NEXT;
}

#if GL_IS_IPV6 /* RFC 8415 */
#define DHCP_CLIENT 546
#define DHCP_SERVER 547
#else
#define DHCP_CLIENT 68
#define DHCP_SERVER 67
#endif

static __always_inline bool is_dhcp_request(const struct pkt *p)
{
	return p->proto == IPPROTO_UDP && p->sport_be == bpf_htons(DHCP_CLIENT) &&
	       p->dport_be == bpf_htons(DHCP_SERVER);
}

static __always_inline bool is_dhcp_answer(const struct pkt *p)
{
	return p->proto == IPPROTO_UDP && p->sport_be == bpf_htons(DHCP_SERVER);
}

static __always_inline enum step antispoof_destination(struct pkt *p)
{
	if (is_martian_dst(&p->dst_be))
		return drop(p, GL_DROP_MARTIAN);
	/* IP multicast and broadcast travel in frames of their kind, and only there. */
	if (!mac_is_multicast(p->dmac) && (ip_is_multicast(&p->dst_be) || ip_is_broadcast(&p->dst_be)))
		return drop(p, GL_DROP_BROADCAST_FOREIGN);
	return STEP_NEXT;
}

/* Clients ask nobody's port: whatever comes to theirs, they take for a server's word. */
static __always_inline bool is_dhcp_server(const struct pkt *p)
{
	return p->proto == IPPROTO_UDP &&
	       (p->sport_be == bpf_htons(DHCP_SERVER) || p->dport_be == bpf_htons(DHCP_CLIENT));
}

/* DHCP of IPv4 names the hardware address it speaks for, and begins without an address; DHCPv6 does neither. */
static __always_inline enum step stage_antispoof_ip(struct pkt *p, const struct gl_port_val *in)
{
	const bool request = p->frag != FRAG_TAIL && is_dhcp_request(p);

	if (p->frag != FRAG_TAIL && is_dhcp_server(p))
		return drop(p, GL_DROP_DHCP_SERVER);
	if (request) {
		if (!GL_IS_IPV6 && !mac_equal(p->chaddr, in->mac))
			return drop(p, GL_DROP_DHCP_CHADDR);
		if (in->mode != GL_MODE_BRIDGE)
			return drop(p, GL_DROP_DHCP_CLIENT);
	}
	if (!(!GL_IS_IPV6 && request && ip_is_zero(&p->src_be)) && !port_may_use(p, in, p->in_slot, &p->src_be))
		return drop(p, GL_DROP_SPOOF_IP);
	return antispoof_destination(p);
}

#endif
