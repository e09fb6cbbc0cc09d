/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The fields of the shapes that hold addresses, once per family: registry.c includes this with GL_IP 4 and with GL_IP 6
 * and gets host4_key and host6_key, and so on. No include guard. Neighbours: abi_ip.h (the shapes). */

#define GL_IP_JOIN_(before, version, after) before##version##after
#define GL_IP_JOIN(before, version, after) GL_IP_JOIN_(before, version, after)
#define GL_AF(before, after) GL_IP_JOIN(before, GL_IP, after)
#define GL_FIELD_ADDRESS GL_IP_JOIN(GL_FIELD_IPV, GL_IP, )

static const struct gl_field GL_AF(host, _key)[] = {
	FIELD("segment", struct GL_AF(gl_host, _key), segment, GL_FIELD_HEX),
	FIELD("address", struct GL_AF(gl_host, _key), addr_be, GL_FIELD_ADDRESS),
	END,
};

static const struct gl_field GL_AF(route, _key)[] = {
	FIELD("tenant", struct GL_AF(gl_route, _key), tenant_side_be, GL_FIELD_SIDED_BE),
	FIELD("address", struct GL_AF(gl_route, _key), addr_be, GL_FIELD_ADDRESS),
	FIELD("prefixlen", struct GL_AF(gl_route, _key), prefixlen, GL_FIELD_PREFIXLEN),
	END,
};
static const struct gl_field GL_AF(route, _val)[] = {
	WORDS("kind", struct GL_AF(gl_route, _val), kind, GL_FIELD_ENUM, route_kind_names),
	FIELD("target", struct GL_AF(gl_route, _val), target, GL_FIELD_UINT),
	END,
};

static const struct gl_field GL_AF(allow, _key)[] = {
	FIELD("slot", struct GL_AF(gl_allow, _key), slot_side_be, GL_FIELD_SIDED_BE),
	FIELD("address", struct GL_AF(gl_allow, _key), addr_be, GL_FIELD_ADDRESS),
	FIELD("prefixlen", struct GL_AF(gl_allow, _key), prefixlen, GL_FIELD_PREFIXLEN),
	END,
};
static const struct gl_field
	GL_AF(allow, _val)[] = { FIELD("allowed", struct GL_AF(gl_allow, _val), allowed, GL_FIELD_UINT), END };

static const struct gl_field GL_AF(addr, _key)[] = {
	FIELD("uplink", struct GL_AF(gl_addr, _key), uplink, GL_FIELD_UINT),
	FIELD("address", struct GL_AF(gl_addr, _key), addr_be, GL_FIELD_ADDRESS),
	FIELD("block", struct GL_AF(gl_addr, _key), block, GL_FIELD_UINT),
	END,
};
static const struct gl_field GL_AF(addr, _val)[] = {
	WORDS("flags", struct GL_AF(gl_addr, _val), flags, GL_FIELD_FLAGS, addr_flag_names),
	FIELD("tenant", struct GL_AF(gl_addr, _val), tenant, GL_FIELD_UINT),
	FIELD("generation", struct GL_AF(gl_addr, _val), gen, GL_FIELD_HEX),
	FIELD("slot", struct GL_AF(gl_addr, _val), slot, GL_FIELD_UINT),
	FIELD("inner", struct GL_AF(gl_addr, _val), inner_be, GL_FIELD_ADDRESS),
	END,
};

static const struct gl_field GL_AF(forward, _key)[] = {
	FIELD("uplink", struct GL_AF(gl_forward, _key), uplink, GL_FIELD_UINT),
	FIELD("proto", struct GL_AF(gl_forward, _key), proto, GL_FIELD_UINT),
	FIELD("address", struct GL_AF(gl_forward, _key), addr_be, GL_FIELD_ADDRESS),
	FIELD("port", struct GL_AF(gl_forward, _key), port_be, GL_FIELD_UINT_BE),
	END,
};
static const struct gl_field GL_AF(forward, _val)[] = {
	FIELD("tenant", struct GL_AF(gl_forward, _val), tenant, GL_FIELD_UINT),
	FIELD("generation", struct GL_AF(gl_forward, _val), gen, GL_FIELD_HEX),
	FIELD("slot", struct GL_AF(gl_forward, _val), slot, GL_FIELD_UINT),
	FIELD("inner", struct GL_AF(gl_forward, _val), inner_be, GL_FIELD_ADDRESS),
	FIELD("inner_port", struct GL_AF(gl_forward, _val), inner_port_be, GL_FIELD_UINT_BE),
	END,
};

static const struct gl_field GL_AF(remote, _key)[] = {
	FIELD("policy_direction", struct GL_AF(gl_remote, _key), policy_dir, GL_FIELD_UINT),
	FIELD("address", struct GL_AF(gl_remote, _key), addr_be, GL_FIELD_ADDRESS),
	FIELD("length", struct GL_AF(gl_remote, _key), len, GL_FIELD_UINT),
	END,
};
static const struct gl_field GL_AF(flow, _key)[] = {
	FIELD("proto", struct GL_AF(gl_flow, _key), proto, GL_FIELD_UINT),
	FIELD("src", struct GL_AF(gl_flow, _key), src_be, GL_FIELD_ADDRESS),
	FIELD("sport", struct GL_AF(gl_flow, _key), sport_be, GL_FIELD_UINT_BE),
	FIELD("dst", struct GL_AF(gl_flow, _key), dst_be, GL_FIELD_ADDRESS),
	FIELD("dport", struct GL_AF(gl_flow, _key), dport_be, GL_FIELD_UINT_BE),
	FIELD("scope", struct GL_AF(gl_flow, _key), scope, GL_FIELD_HEX),
	WORDS("kind", struct GL_AF(gl_flow, _key), kind, GL_FIELD_ENUM, flow_kind_names),
	END,
};
static const struct gl_field GL_AF(flow, _val)[] = {
	FIELD("generation", struct GL_AF(gl_flow, _val), gen, GL_FIELD_HEX),
	WORDS("flags", struct GL_AF(gl_flow, _val), flags, GL_FIELD_FLAGS, flow_flag_names),
	WORDS("state", struct GL_AF(gl_flow, _val), state, GL_FIELD_ENUM, flow_state_names),
	FIELD("mtu", struct GL_AF(gl_flow, _val), mtu, GL_FIELD_UINT),
	FIELD("out_slot", struct GL_AF(gl_flow, _val), out_slot, GL_FIELD_UINT),
	FIELD("out_ifindex", struct GL_AF(gl_flow, _val), out_ifindex, GL_FIELD_UINT),
	FIELD("dst_mac", struct GL_AF(gl_flow, _val), dmac, GL_FIELD_MAC),
	FIELD("src_mac", struct GL_AF(gl_flow, _val), smac, GL_FIELD_MAC),
	FIELD("nat_src", struct GL_AF(gl_flow, _val), new_src_be, GL_FIELD_ADDRESS),
	FIELD("nat_sport", struct GL_AF(gl_flow, _val), new_sport_be, GL_FIELD_UINT_BE),
	FIELD("nat_dst", struct GL_AF(gl_flow, _val), new_dst_be, GL_FIELD_ADDRESS),
	FIELD("nat_dport", struct GL_AF(gl_flow, _val), new_dport_be, GL_FIELD_UINT_BE),
	FIELD("last_seen", struct GL_AF(gl_flow, _val), last_seen, GL_FIELD_UINT),
	FIELD("next_hop_seen", struct GL_AF(gl_flow, _val), nh_seen, GL_FIELD_UINT),
	FIELD("packets", struct GL_AF(gl_flow, _val), packets, GL_FIELD_UINT),
	FIELD("bytes", struct GL_AF(gl_flow, _val), bytes, GL_FIELD_UINT),
	FIELD("peer_scope", struct GL_AF(gl_flow, _val), peer_scope, GL_FIELD_HEX),
	FIELD("vlan", struct GL_AF(gl_flow, _val), vlan, GL_FIELD_UINT),
	FIELD("created", struct GL_AF(gl_flow, _val), created, GL_FIELD_UINT),
	FIELD("in_slot", struct GL_AF(gl_flow, _val), in_slot, GL_FIELD_UINT),
	FIELD("mss", struct GL_AF(gl_flow, _val), mss, GL_FIELD_UINT),
	FIELD("tcp_flags", struct GL_AF(gl_flow, _val), tcp_flags, GL_FIELD_HEX),
	FIELD("tcp_scale", struct GL_AF(gl_flow, _val), tcp_scale, GL_FIELD_UINT),
	FIELD("seq_end", struct GL_AF(gl_flow, _val), seq_end, GL_FIELD_UINT),
	FIELD("ack", struct GL_AF(gl_flow, _val), ack, GL_FIELD_UINT),
	FIELD("window", struct GL_AF(gl_flow, _val), window, GL_FIELD_UINT),
	FIELD("syn_scale", struct GL_AF(gl_flow, _val), syn_scale, GL_FIELD_HEX),
	FIELD("pending_syn", struct GL_AF(gl_flow, _val), pending, GL_FIELD_UINT),
	WORDS("ingress", struct GL_AF(gl_flow, _val), admitted[GL_INGRESS].how, GL_FIELD_ENUM, admit_names),
	FIELD("ingress_group", struct GL_AF(gl_flow, _val), admitted[GL_INGRESS].group, GL_FIELD_UINT),
	FIELD("ingress_rule", struct GL_AF(gl_flow, _val), admitted[GL_INGRESS].number, GL_FIELD_UINT),
	WORDS("egress", struct GL_AF(gl_flow, _val), admitted[GL_EGRESS].how, GL_FIELD_ENUM, admit_names),
	FIELD("egress_group", struct GL_AF(gl_flow, _val), admitted[GL_EGRESS].group, GL_FIELD_UINT),
	FIELD("egress_rule", struct GL_AF(gl_flow, _val), admitted[GL_EGRESS].number, GL_FIELD_UINT),
	END,
};

static const struct gl_field GL_AF(frag, _key)[] = {
	FIELD("proto", struct GL_AF(gl_frag, _key), proto, GL_FIELD_UINT),
	FIELD("src", struct GL_AF(gl_frag, _key), src_be, GL_FIELD_ADDRESS),
	FIELD("dst", struct GL_AF(gl_frag, _key), dst_be, GL_FIELD_ADDRESS),
	FIELD("id", struct GL_AF(gl_frag, _key), id_be, GL_FIELD_UINT_BE),
	FIELD("scope", struct GL_AF(gl_frag, _key), scope, GL_FIELD_HEX),
	END,
};
#undef GL_FIELD_ADDRESS
#undef GL_AF
#undef GL_IP_JOIN
#undef GL_IP_JOIN_
