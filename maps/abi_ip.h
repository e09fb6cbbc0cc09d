/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The shapes that hold addresses, once per family: abi.h includes this with GL_IP 4 and with GL_IP 6, and gets
 * gl_host4_key and gl_host6_key, gl_flow4_val and gl_flow6_val, and so on. What differs: the address (4 or 16 bytes,
 * network order, in words of 4). No include guard. Neighbours: abi.h (all other shapes, and the words used here). */

#define GL_IP_JOIN_(before, version, after) before##version##after
#define GL_IP_JOIN(before, version, after) GL_IP_JOIN_(before, version, after)
#define GL_AF(before, after) GL_IP_JOIN(before, GL_IP, after)
#define GL_ADDRESS GL_AF(gl_ip, )

struct GL_AF(gl_gateway, ) {
	GL_ADDRESS addr_be; /* the gateway's address */
	GL_ADDRESS mask_be; /* of its subnet; 0: entry not used */
};

/* One public address and the tenant's own ports on it, both ends included. */
struct GL_AF(gl_pool, ) {
	GL_ADDRESS addr_be;
	__u16 port_min;
	__u16 port_max;
};

/* gl_host4, gl_host6: hash, sided. Which interface of a network holds an address of its definition (`addresses`; of
 * IPv6 its link-local address too). For bridge networks segment = GL_SEGMENT(uplink, vlan) holds the same once more,
 * for ARP and neighbour discovery from the uplink. */
struct GL_AF(gl_host, _key) {
	__u32 segment;
	GL_ADDRESS addr_be;
	__u8 side;
	__u8 pad[3];
};
struct GL_AF(gl_host, _val) {
	__u32 slot;
};

/* gl_route4, gl_route6: longest prefix match, sided. Where a tenant's gateway sends a destination: its joined networks'
 * subnets and allowed_address_pairs. No match: the outside. Isolated and bridge networks have no entries. */
struct GL_AF(gl_route, _key) {
	__u32 prefixlen; /* 32 + length of the prefix, in bits */
	__u32 tenant_side_be; /* GL_TENANT_SIDE(tenant, side) in network order */
	GL_ADDRESS addr_be;
};
struct GL_AF(gl_route, _val) {
	__u32 kind; /* enum gl_route_kind */
	__u32 target;
};

/* gl_allow4, gl_allow6: longest prefix match, sided. Further source addresses of an interface (GL_PORT_F_MORE_ADDRS,
 * GL_PORT_F_MORE_ADDRS6). */
struct GL_AF(gl_allow, _key) {
	__u32 prefixlen; /* 32 + length of the prefix, in bits */
	__u32 slot_side_be; /* GL_TENANT_SIDE(slot, side) in network order */
	GL_ADDRESS addr_be;
};
struct GL_AF(gl_allow, _val) {
	__u32 allowed; /* 1 */
};

/* gl_addr4, gl_addr6: hash, sided. Public addresses by uplink. With block = GL_BLOCK_WHOLE the address itself; with a
 * block number (port >> GL_NAT_BLOCK_SHIFT) the tenant that owns those ports of it, in `tenant` and `gen`. */
struct GL_AF(gl_addr, _key) {
	GL_ADDRESS addr_be;
	__u16 block;
	__u8 uplink;
	__u8 side;
};
struct GL_AF(gl_addr, _val) {
	__u32 flags; /* GL_ADDR_F_*; 0 in entries of blocks */
	__u32 tenant; /* of the block, or of the floating or routed address */
	__u32 gen; /* that tenant's generation */
	__u32 slot; /* floating, routed: the interface */
	GL_ADDRESS inner_be; /* floating: the guest's address */
};

/* gl_forward4, gl_forward6: hash, sided. port_forwards. */
struct GL_AF(gl_forward, _key) {
	GL_ADDRESS addr_be;
	__be16 port_be;
	__u8 proto;
	__u8 uplink;
	__u8 side;
	__u8 pad[3];
};
struct GL_AF(gl_forward, _val) {
	__u32 tenant;
	__u32 gen;
	__u32 slot;
	GL_ADDRESS inner_be;
	__be16 inner_port_be;
	__u16 pad;
};

/* gl_remote4, gl_remote6: hash, sided, to struct gl_remote_val. The prefixes that a policy's rules name, and which node
 * each is. No program looks at it. */
struct GL_AF(gl_remote, _key) {
	__u32 policy_dir; /* GL_POLICY_DIR() */
	GL_ADDRESS addr_be; /* bits beyond len are 0 */
	__u8 len; /* of the prefix, in bits */
	__u8 side;
	__u8 pad[2];
};

/* Keys of a tenant's flow table: a packet as it arrives, before any translation. ICMP queries (echo; of IPv4 also
 * timestamp, information, address mask) stand as "ports": request: sport = identifier, dport = GL_ICMP_PORT(its type,
 * 0); its reply has the two swapped, so that a request can never be taken for a reply (RFC 5508). Other ICMP: sport =
 * 0, dport = GL_ICMP_PORT(type, code). Protocols without ports: both 0. */
struct GL_AF(gl_flow, _key) {
	GL_ADDRESS src_be;
	GL_ADDRESS dst_be;
	__be16 sport_be;
	__be16 dport_be;
	__u16 scope;
	__u8 proto; /* of IPv6: the transport's, behind all extension headers */
	__u8 kind; /* enum gl_flow_kind */
};

/* Values of a tenant's flow table: one direction of a flow, with all that its packets need.
 * Up to `bytes` is all that an established packet of anything but TCP reads and writes: of IPv4 one cache line. Times
 * are seconds of a coarse boot clock. Mappings use gen, last_seen, created, in_slot and new_src. */
struct GL_AF(gl_flow, _val) {
	__u32 gen; /* tenant's generation at the verdict */
	__u8 flags; /* GL_FLOW_F_* */
	__u8 state; /* enum gl_flow_state; the same in both directions */
	__u16 mtu; /* of the target, bytes of IP packet */
	__u32 out_slot; /* target interface */
	__u32 out_ifindex;
	__u8 dmac[GL_MAC_LEN]; /* new Ethernet addresses (GL_FLOW_F_ROUTED), or the destination as seen */
	__u8 smac[GL_MAC_LEN];
	GL_ADDRESS new_src_be; /* tuple after translation; equal to the key's where nothing changes */
	GL_ADDRESS new_dst_be;
	__be16 new_sport_be;
	__be16 new_dport_be;
	__u32 last_seen; /* seconds */
	__u32 nh_seen; /* seconds: when mtu and next hop were last asked for */
	__u64 packets; /* this direction */
	__u64 bytes; /* of IP packets */

	__u16 peer_scope; /* scope of the other direction's key, which is the new tuple swapped */
	__u16 vlan; /* tag towards the uplink, 0: none */
	__u32 created; /* seconds */
	__u32 in_slot; /* interface that the first packet came by */
	__u16 mss; /* as gl_network_val.mss: for this direction's SYNs */
	__u8 tcp_flags; /* all flags seen in this direction */
	__u8 tcp_scale; /* what this direction's windows are shifted by (RFC 7323); of a flow picked up: 14 */
	/* TCP, of this direction's sender, host order. What it may still send is told by the other direction's entry.
	 */
	__u32 seq_end; /* behind the last byte it sent (RFC 9293: SND.NXT); SYN and FIN count one */
	__u32 ack; /* the highest it acknowledged (RCV.NXT) */
	__u32 window; /* bytes, scaled, the last it announced */
	__u32 pending; /* sequence number of its last SYN: the one that opened the flow, or GL_SYN_PENDING */
	struct gl_admitted
		admitted[2]; /* by enum gl_direction: egress at the source, ingress at the target; opener's */
	__u8 syn_scale; /* of the last SYN: its scale, GL_SYN_* */
	__u8 pad0[3];
	__u32 pad[3];
};

/* gl_frag4, gl_frag6: hash, to struct gl_frag_val. A datagram whose first fragment was let through: its ports, and
 * which parts have been seen. Written by TC alone. A tenant has at most its max_fragments of them, of both families. */
struct GL_AF(gl_frag, _key) {
	GL_ADDRESS src_be;
	GL_ADDRESS dst_be;
	__be32 id_be; /* identification; of IPv4 its 16 bits as they stand in memory */
	__u16 scope; /* as in the flow's key */
	__u8 proto; /* IPv4: the transport's. IPv6: the fragment header's next header, which all fragments share */
	__u8 pad;
};

#undef GL_ADDRESS
#undef GL_AF
#undef GL_IP_JOIN
#undef GL_IP_JOIN_
