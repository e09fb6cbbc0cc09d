/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The contract between kernel and user space: the key and value of every map.
 *
 * Byte order: fields named *_be hold network order, all others host order. All padding is explicit and zero.
 * Who writes: the loader writes every configuration map, the programs only read them. Flow tables and counters
 * are written by the programs and read (or emptied) by user space.
 *
 * Two sides. Every configuration map holds two complete copies of the configuration, side 0 and side 1, and
 * gl_control names the one in force. `apply` brings the other side up to date and then writes that one word,
 * so a packet sees either the old configuration or the new one, and a command that dies leaves one of them.
 * Arrays keep side s of index i at 2 * i + s, gl_tree at s * GL_MAX_TREE_LINES + i; the keys of hashes and tries have a
 * `side` field.
 *
 * Generations. A tenant's generation is a hash over everything that its flows' verdicts depend on; it is copied into
 * the entries a packet reads first. A flow with another generation is evaluated anew by its next packet.
 *
 * Neighbours: limits.h (capacities), drops.def (reasons), maps.bpf.h (declarations), registry.c (a row per map). */
#ifndef GL_ABI_H
#define GL_ABI_H

#ifndef __bpf__
#include <assert.h>
#include <linux/types.h>
#include <stddef.h>
#endif
#include "limits.h"

#define GL_ABI_VERSION 3
#define GL_MAC_LEN 6

/* Addresses, network order. */
typedef __be32 gl_ip4;
typedef struct gl_ip6 {
	__be32 w[4];
} gl_ip6;

#define GL_SIDED(index, side) (((index) << 1) | (side))

enum gl_drop {
	GL_DROP_NONE = 0,
#define GL_DROP(name, help) GL_DROP_##name,
#include "drops.def"
#undef GL_DROP
	GL_DROP_COUNT
};

enum gl_mode {
	GL_MODE_NONE = 0,
	GL_MODE_ISOLATED,
	GL_MODE_NAT,
	GL_MODE_ROUTED,
	GL_MODE_BRIDGE,
};

/* Who may open flows to an interface without security groups. */
enum gl_open {
	GL_OPEN_NETWORK = 0, /* its own network */
	GL_OPEN_TENANT, /* and the tenant's other networks */
	GL_OPEN_ANYWHERE, /* and whoever reaches it through the uplink */
};

/* Why a flow was let through at one of its ends. */
enum gl_admit {
	GL_ADMIT_NONE = 0, /* that end is no guest's */
	GL_ADMIT_NETWORK, /* no groups: from its own network */
	GL_ADMIT_OPEN, /* no groups: the network is open that far; or anything outwards */
	GL_ADMIT_PUBLIC, /* no groups: a port_forward or floating IP */
	GL_ADMIT_ALL, /* a group without `egress` */
	GL_ADMIT_RULE, /* a group's rule */
};
struct gl_admitted {
	__u32 group; /* GL_ADMIT_ALL, GL_ADMIT_RULE */
	__u16 number; /* GL_ADMIT_RULE, as in gl_rule_val */
	__u8 how; /* enum gl_admit */
	__u8 pad;
};

/* gl_control: array of 1. Written by the loader alone; `side` is the commit point of apply. */
struct gl_control_val {
	__u32 side; /* 0 or 1: the side in force */
	__u32 abi; /* GL_ABI_VERSION */
	__u64 serial; /* number of commits since the maps were made */
};

/* ---- interfaces ------------------------------------------------------------------------------------------- */

enum gl_port_kind {
	GL_PORT_NONE = 0,
	GL_PORT_GUEST,
	GL_PORT_UPLINK,
};

#define GL_PORT_F_MORE_ADDRS 1 /* gl_allow4 holds further source addresses */
#define GL_PORT_F_SEGMENT 2 /* uplink: some bridge network is on it */
#define GL_PORT_F_XDP_OUT 4 /* the device takes frames that XDP redirects to it; without it the skb road is used */
#define GL_PORT_F_IPV6 8 /* guest: its network has IPv6 subnets; uplink: some network on it has */
#define GL_PORT_F_MORE_ADDRS6 16 /* gl_allow6 holds further source addresses */

/* gl_port: array, sided, index = slot. A device's slot is the first of GL_PORT_PROBES slots from
 * ifindex & (GL_PORT_SLOTS - 1), wrapping, that the loader found free; `ifindex` tells whose slot it is.
 * The first 64 bytes are all that an established IPv4 flow needs. */
struct gl_port_val {
	__u32 ifindex; /* 0: free */
	__u8 kind; /* enum gl_port_kind */
	__u8 flags; /* GL_PORT_F_* */
	__u8 mode; /* enum gl_mode of the network */
	__u8 addr_count; /* used entries of addr_be */
	__u32 tenant; /* index of gl_flow4 and gl_flow6; 0 is a tenant like any other */
	__u32 network; /* index of gl_network */
	__u32 gen; /* tenant's generation */
	__u8 mac[GL_MAC_LEN]; /* the guest's, or the uplink's own */
	__u8 gw_mac[GL_MAC_LEN]; /* the network's gateway */
	gl_ip4 addr_be[GL_PORT_ADDRS]; /* addresses the guest holds; [0] is where floating addresses lead */
	__u32 mtu; /* bytes of IP packet, as of apply */
	__u16 uplink; /* number of the uplink, also on guests' ports (their network's; GL_NO_UPLINK: none) */
	__u16 vlan; /* bridge networks: tag on the uplink, 0: none */
	__u32 uplink_slot; /* of the network; GL_NO_SLOT: none */
	gl_ip4 floating_be; /* public source of the guest's own flows, 0: none */

	__u32 next_in_network; /* slots of a network's interfaces form a ring */
	__u32 next_in_segment; /* likewise of all bridge interfaces on one uplink and tag */
	__u8 open_to; /* enum gl_open; what holds where policy is 0 */
	__u8 group_count; /* used entries of group */
	__u8 addr6_count; /* used entries of addr6_be */
	__u8 pad0;
	__u32 policy; /* index of gl_policy: its security groups taken together; 0: none */
	__u32 group[GL_PORT_GROUPS]; /* numbers of the groups it is a member of, ascending: rules of others name them */
	__u32 pad1[4];

	gl_ip6 addr6_be[GL_PORT_ADDRS]; /* as addr_be; without the link-local address */
	gl_ip6 floating6_be; /* as floating_be */
	gl_ip6 link6_be; /* the link-local address that its MAC gives (RFC 4291 appendix A); allowed with GL_PORT_F_IPV6
			  */
	__u32 pad2[8];
};

#define GL_NO_UPLINK 0xffff

/* ---- networks --------------------------------------------------------------------------------------------- */

#define GL_NET_F_BROADCAST 1 /* broadcast and multicast are replicated inside the network */
#define GL_NET_F_EIM 2 /* a guest's port becomes one and the same, whatever the destination (RFC 4787) */

#define GL_IP 4
#include "abi_ip.h"
#undef GL_IP
#define GL_IP 6
#include "abi_ip.h"
#undef GL_IP

/* gl_network: array, sided, index = network. */
struct gl_network_val {
	__u8 mode; /* enum gl_mode; GL_MODE_NONE: no such network */
	__u8 flags; /* GL_NET_F_* */
	__u8 open_to; /* enum gl_open */
	__u8 pool4_count; /* used entries of pool4 */
	__u32 tenant;
	__u16 uplink; /* GL_NO_UPLINK: none */
	__u16 vlan;
	__u32 uplink_slot;
	__u32 first_port; /* slot where the ring of interfaces begins; GL_NO_SLOT: empty */
	__u8 gw_mac[GL_MAC_LEN];
	__u16 mss; /* GL_MSS_*, or the largest TCP segment that a SYN may announce here */
	__u8 pool6_count; /* used entries of pool6 */
	__u8 pad1[3];
	struct gl_gateway4 gateway4[GL_NET_GATEWAYS];
	struct gl_pool4 pool4[GL_NET_POOL];
	struct gl_gateway6 gateway6[GL_NET_GATEWAYS];
	struct gl_pool6 pool6[GL_NET_POOL];
	gl_ip6 link6_be; /* the gateway's link-local address, which gw_mac gives */
};

#define GL_NO_SLOT 0xffffffff

#define GL_MSS_KEEP 0 /* SYNs announce what they like */
#define GL_MSS_PATH 1 /* what the smaller MTU of the two ways holds */

/* gl_l2: hash, sided. Which interface holds a MAC, in a network (segment = network index) or on an uplink
 * (segment = GL_SEGMENT(uplink, vlan), for bridge networks). The all-ones MAC of an uplink's segment leads to the
 * first port of its ring (next_in_segment). */
#define GL_SEGMENT(uplink, vlan) (0x80000000u | ((__u32)(uplink) << 16) | (vlan))
struct gl_l2_key {
	__u32 segment;
	__u8 mac[GL_MAC_LEN];
	__u8 side;
	__u8 pad;
};
struct gl_l2_val {
	__u32 slot;
};

enum gl_route_kind {
	GL_ROUTE_SUBNET = 1, /* `target` is a network: look the address up in gl_host4 or gl_host6 */
	GL_ROUTE_PORT, /* `target` is a slot: an allowed address pair of that interface */
};
#define GL_TENANT_SIDE(tenant, side) (((tenant) << 1) | (side))

/* gl_ra: hash, sided. The router advertisement of a network, as its interfaces get it (RFC 4861 4.2): made by the
 * loader, sent by the programs, with the gateway's link-local address as its source. */
struct gl_ra_key {
	__u32 network;
	__u8 side;
	__u8 pad[3];
};
struct gl_ra_val {
	__u16 len; /* bytes of body, a multiple of 8 */
	__u16 interval; /* seconds after which an interface is told again */
	__u32 sum; /* of body as 16-bit words in memory order, carries added (RFC 1071); its checksum field is 0 */
	__u8 body[GL_RA_BODY]; /* ICMPv6 message: type, code, checksum 0, ... and its options */
};

/* gl_ra_sent: array, index = slot, written by the programs; the loader zeroes it when a slot is given out. */
struct gl_ra_sent_val {
	__u32 seconds; /* of the coarse boot clock: when the interface was last sent an advertisement; 0: never */
	__u32 count;
};

/* ---- public addresses ------------------------------------------------------------------------------------- */

#define GL_ADDR_F_FLOATING 1 /* all of it belongs to one interface: slot, inner_be */
#define GL_ADDR_F_NAT 2 /* networks translate to it: look the port's block up (GL_NAT_BLOCK_SHIFT) */
#define GL_ADDR_F_FORWARD 4 /* gl_forward4 may hold the port */
#define GL_ADDR_F_HOST                                                                                                 \
	8 /* the host's own: what is not ours is the host's, and guests do not reach it. Alone: only that */
#define GL_ADDR_F_ANSWER 16 /* answer ARP, or neighbour solicitations, for it on the uplink */
#define GL_ADDR_F_ROUTED 32 /* an untranslated guest address of a routed network: slot */

#define GL_BLOCK_WHOLE 0xffff

/* ---- security groups ---------------------------------------------------------------------------------------- */

/* The groups of one interface, taken together, are a policy; interfaces of one tenant with the same groups share it.
 * A policy has two directions, and for each of them nodes: "any remote address", "members of group G" and one for each
 * prefix that a rule names. As rules only admit, one match is enough.
 *
 * What the programs look at are search trees of a policy's own, in gl_tree; gl_policy says where they begin. What
 * gl_rule and gl_remote hold tells people, and the next plan, of the rules themselves.
 * bpf/policy.h asks, loader/compile_rule.c builds, docs/security-groups.md says why. */
enum gl_direction {
	GL_INGRESS = 0, /* towards the guest */
	GL_EGRESS,
};
#define GL_POLICY_DIR(policy, direction) (((policy) << 1) | (direction))

#define GL_POLICY_F_ALL 1 /* everything passes (egress without an `egress` key) */

/* Where a tree begins. */
struct gl_tree_ref {
	__u32 root; /* a line; of the policy's, as all lines that are named below */
	__u32 levels; /* lines from there to an answer; 0: there is no tree */
};

struct gl_policy_dir {
	struct gl_tree_ref any; /* protocol and port, to an admission */
	struct gl_tree_ref group; /* number of a group of the remote end, to a node */
	struct gl_tree_ref remote4, remote6; /* the remote end's address, to a node */
};

/* gl_policy: array, sided, index = policy; 0 is none. By enum gl_direction. All that is asked of a direction stands in
 * two cache lines. */
struct gl_policy_val {
	__u32 tenant;
	__u32 all_group[2]; /* GL_POLICY_F_ALL: the group that says so */
	__u8 flags[2]; /* GL_POLICY_F_* */
	__u8 pad0[2];
	__u32 first; /* of its lines in gl_tree */
	__u32 room; /* how many lines are kept for it: a power of two; 0: none */
	__u32 pad1[2];
	struct gl_policy_dir dir[2];
	__u32 pad2[8];
};

/* gl_tree: array, sided by halves so that a policy's lines stand together, index = line. A line of a tree, or a node.
 * The trees cut the numbers from 0 to the largest in intervals and have a value for each. Numbers are words of 32 bits
 * in host order. A leaf has intervals: the last number of each and its value; what is not used repeats the largest
 * number. A line above a leaf: the first of its children, which follow each other, then the last number beneath each
 * of them but the last one. Addresses of four words are searched by a window of 32 bits after the other.
 * maps/tree.h searches. */
#define GL_TREE_WORDS 16
#define GL_TREE_NUMBER 4 /* words of the longest numbers */
struct gl_tree_val {
	__u32 word[GL_TREE_WORDS]; /* a cache line */
};
/* As a line: what all borders of intervals begin with, and a tree of the 32 bits that follow. A value there with
 * GL_TREE_FURTHER is the line of another window, for the numbers that begin so. */
struct gl_tree_window {
	__u32 common[GL_TREE_NUMBER - 1], mask[GL_TREE_NUMBER - 1]; /* as a number's first words */
	__u32 bits; /* of them: where the window begins */
	__u32 below, above; /* values of the numbers that begin with less, and with more */
	struct gl_tree_ref tree;
	__u32 pad[5];
};
#define GL_TREE_FURTHER 0x80000000
/* Numbers that stand for a packet: GL_RULE_NUMBER(proto, port). Values of their trees: GL_ADMITS(), 0: nothing. Values
 * of addresses and groups: a node's line plus 1, 0: none. */
#define GL_RULE_NUMBER(proto, port) ((__u32)(proto) << 16 | (port))
#define GL_RULE_NUMBERS 0xffffff /* the last */
#define GL_ADMITS(group, number) ((__u32)(group) << 16 | (number))
struct gl_node_part {
	__u32 first, last; /* GL_RULE_NUMBER() */
	__u32 admits;
};
/* A node, as a line: what the rules of a remote end admit. That of an IPv6 prefix holds the prefix as well: a search
 * may end there for addresses that are near it and not in it. */
struct gl_tree_node {
	__u32 wider; /* line, plus 1, of the next wider prefix that has to be asked too; 0: none */
	__u16 count; /* of part; where more are needed, `more` has all of them */
	__u16 len; /* of prefix; 0: there is none, part has GL_NODE_PARTS */
	struct gl_tree_ref more;
	union {
		struct gl_node_part part[GL_NODE_PARTS];
		struct {
			struct gl_node_part few[GL_NODE_FEW_PARTS];
			__u32 prefix[GL_TREE_NUMBER]; /* as a number */
			__u32 around; /* line, plus 1, of the next wider prefix: for what is not in this one; 0: none */
			__u32 pad;
		};
	};
};

/* Which rule it was, for people: `number` counts a group's rules of that direction from 1, as they are written. */
struct gl_rule_val {
	__u32 group; /* GL_NAME_GROUP */
	__u16 number; /* from 1 */
	__u16 pad;
};

/* Of a prefix that rules name. */
struct gl_remote_val {
	__u32 node; /* of gl_rule_key; from 1 */
};

#define GL_NODE_ANY 0
#define GL_NODE_GROUP 0x80000000u

/* gl_rule: hash, sided. What the rules of a node admit, as they are written: everything, a protocol, or a protocol and
 * a prefix of its ports. The "port" of ICMP is type << 8 | code; ranges become several prefixes. Of equal ones the
 * first is kept. No program looks at it. */
struct gl_rule_key {
	__u32 policy_dir; /* GL_POLICY_DIR() */
	__u32 node; /* GL_NODE_ANY, GL_NODE_GROUP | group, or gl_remote_val.node */
	__u16 port; /* host order; bits beyond len are 0 */
	__u8 proto; /* 0 with GL_RULE_ANY */
	__u8 len; /* GL_RULE_ANY, GL_RULE_PROTO, or GL_RULE_PROTO + bits of the port that count */
	__u8 side;
	__u8 pad[3];
};
#define GL_RULE_ANY 0 /* any protocol */
#define GL_RULE_PROTO 1
#define GL_RULE_PORT 17 /* one port */

/* ---- tenants ------------------------------------------------------------------------------------------------ */

/* Which timeout a flow's entry waits for; the order of the table in gl_tenant_val. */
enum gl_timeout {
	GL_TIMEOUT_TCP_OPENING, /* SYN sent or received */
	GL_TIMEOUT_TCP_ESTABLISHED,
	GL_TIMEOUT_TCP_CLOSING, /* one end has closed */
	GL_TIMEOUT_TCP_CLOSED, /* both have, or a reset was seen */
	GL_TIMEOUT_UDP,
	GL_TIMEOUT_UDP_ASSURED,
	GL_TIMEOUT_ICMP,
	GL_TIMEOUT_OTHER,
	GL_TIMEOUT_COUNT
};

#define GL_TENANT_F_PICKUP 1 /* TCP flows may begin in the middle */
#define GL_TENANT_F_EIM 2 /* some network of it has GL_NET_F_EIM */

/* gl_tenant: array, sided, index = tenant. */
struct gl_tenant_val {
	__u32 timeout[GL_TIMEOUT_COUNT]; /* seconds without a packet, by enum gl_timeout */
	__u32 flags; /* GL_TENANT_F_* */
	__u32 max_fragments; /* its share of gl_frag4 and gl_frag6 */
	__u32 pad[6];
};

#define GL_NO_PORT_SLOTS 8

/* gl_tenant_stat: array, index = tenant. What the programs keep of a tenant besides its flows; the loader zeroes it
 * when an index is given out. */
struct gl_tenant_stat {
	__u64 nat_exhausted; /* flows refused because no translated port was free */
	__u64 nat_exhausted_ns; /* the last of them: nanoseconds of the boot clock, and whom it was for */
	gl_ip6 nat_src_be; /* public address that had no port; IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2) */
	gl_ip6 nat_dst_be;
	__be16 nat_dport_be;
	__u8 nat_proto;
	__u8 pad0;
	__u32 fragments; /* entries of gl_frag4 and gl_frag6 that are its own */
	__u64 table_full; /* flows refused because max_flows was reached */
	__u64 table_full_ns;
	__u64 freed; /* flows taken away so far: while it stands still, an exhausted destination stays exhausted */
	__u32 icmp_second; /* ICMP errors sent during this second of the boot clock */
	__u32 icmp_sent;
	/* Destinations without a free port, by a hash of their own: a hash of the public address, the destination, the
	 * tenant's generation and `freed`, so that nobody has to take a place away when one of these changes. */
	__u64 no_port[GL_NO_PORT_SLOTS];
};

/* ---- names ------------------------------------------------------------------------------------------------ */

enum gl_name_kind {
	GL_NAME_TENANT = 1,
	GL_NAME_NETWORK,
	GL_NAME_UPLINK, /* index = uplink number */
	GL_NAME_PORT, /* index = slot; the interface's name on the host */
	GL_NAME_GUEST, /* index = slot; the guest whose interface it is */
	GL_NAME_GROUP, /* "TENANT/GROUP"; numbers begin at 1 */
	GL_NAME_POLICY, /* "TENANT/" and a hash of its groups' names, 16 hex digits; numbers begin at 1 */
};

/* gl_name: hash, not sided: an index keeps its name while it is in use. A network's name is "TENANT/NETWORK". */
struct gl_name_key {
	__u32 kind; /* enum gl_name_kind */
	__u32 index;
};
struct gl_name_val {
	char name[2 * GL_NAME_LEN];
};

/* ---- flows ------------------------------------------------------------------------------------------------ */

/* Where a flow's packet comes from: a network's index, or GL_SCOPE_UPLINK | the uplink's number. */
#define GL_SCOPE_UPLINK 0x8000

#define GL_ICMP_PORT(type, code) ((type) << 8 | (code))
#define GL_ICMP_QUERY GL_ICMP_PORT(8, 0) /* echo */
#define GL_ICMP6_QUERY GL_ICMP_PORT(128, 0)

enum gl_flow_kind {
	GL_FLOW_PACKETS = 0, /* one direction of a flow */
	/* Endpoint-independent mappings (RFC 4787), two entries each. new_src_be and new_sport_be of the first are the
	 * public end; the second, whose value is the same, keeps that end from other guests. */
	GL_FLOW_MAPPING, /* src, sport, scope: the guest's; dst, dport: 0 */
	GL_FLOW_MAPPED, /* dst, dport: the public end; scope: the uplink's; src, sport: 0 */
};

enum gl_flow_state {
	GL_FLOW_NEW = 0, /* not TCP: seen from its opener alone */
	GL_FLOW_ASSURED, /* not TCP: answered */
	GL_FLOW_SYN_SENT, /* TCP (RFC 9293 3.3.2), as seen between the ends */
	GL_FLOW_SYN_BOTH, /* both ends sent a SYN (simultaneous open) */
	GL_FLOW_SYN_RECEIVED, /* SYN answered by SYN, ACK */
	GL_FLOW_ESTABLISHED,
	GL_FLOW_FIN_WAIT, /* the opener has closed its direction */
	GL_FLOW_CLOSE_WAIT, /* the other end has */
	GL_FLOW_TIME_WAIT, /* both have */
	GL_FLOW_CLOSED, /* by a reset */
	GL_FLOW_STATES
};

#define GL_FLOW_F_REPLY 1 /* this direction answers the opener */
#define GL_FLOW_F_REWRITE 2 /* addresses or ports change */
#define GL_FLOW_F_XDP_OUT 4 /* the target device takes frames from XDP */
#define GL_FLOW_F_ROUTED 8 /* new MACs, time to live goes down */
#define GL_FLOW_F_TO_UPLINK 16 /* leaves the host: next hop by the kernel's FIB */
#define GL_FLOW_F_HAIRPIN 32 /* after translation it comes in again by the uplink's public addresses */
#define GL_FLOW_F_BRIDGED 64 /* to the uplink with its own MACs */
#define GL_FLOW_F_MAPPED 128 /* its translated port is an endpoint-independent mapping's */

#define GL_SYN_SCALE 0x80 /* the SYN had the option */
#define GL_SYN_PENDING 0x40 /* it was seen in an open flow: its answer begins that flow anew */

/* Bytes of the IP payload in units of 8 (as in the header): [first, end). */
struct gl_frag_part {
	__u16 first;
	__u16 end; /* 0: not used */
};
struct gl_frag_val {
	__u32 lock; /* struct bpf_spin_lock */
	__be16 sport_be;
	__be16 dport_be;
	__u32 seen; /* seconds: the first fragment */
	__u32 tenant;
	__u16 total; /* end of the last fragment, units of 8; 0: not seen yet */
	__u8 proto; /* the transport's */
	__u8 pad;
	struct gl_frag_part part[GL_FRAG_PARTS]; /* disjoint, adjacent ones are merged */
};

/* ---- counters --------------------------------------------------------------------------------------------- */

/* gl_drops: per-CPU hash. What was dropped, by the interface it came from (GL_NO_SLOT: unknown). */
struct gl_drops_key {
	__u32 slot;
	__u32 reason; /* enum gl_drop */
};
struct gl_count_val {
	__u64 packets;
	__u64 bytes; /* of whole frames, without padding of the wire */
};

/* gl_traffic: per-CPU array, index = slot. Names are relative to the guest; on an uplink, to the outside. */
struct gl_traffic_val {
	struct gl_count_val from_guest; /* received from the interface and forwarded or answered */
	struct gl_count_val to_guest; /* sent to the interface */
};

/* gl_sweep: array, index = tenant. The kernel timer that takes expired flows away. */
struct gl_sweep_val {
	__u64 timer[2]; /* struct bpf_timer */
	__u64 runs;
	__u64 expired; /* entries taken away so far */
	__u32 tenant;
	__u32 fragments; /* of index 0: second of the last walk over gl_frag4 and gl_frag6, which serves all tenants; 0:
			  * it is empty
			  */
};

#ifndef __bpf__
static_assert(sizeof(struct gl_port_val) == 256, "four cache lines");
static_assert(offsetof(struct gl_port_val, addr6_be) == 128, "two for IPv4");
static_assert(sizeof(struct gl_network_val) == 656, "");
static_assert(sizeof(struct gl_l2_key) == 12, "");
static_assert(sizeof(struct gl_host4_key) == 12, "");
static_assert(sizeof(struct gl_route4_key) == 12, "");
static_assert(sizeof(struct gl_allow4_key) == 12, "");
static_assert(sizeof(struct gl_addr4_key) == 8, "");
static_assert(sizeof(struct gl_addr4_val) == 20, "");
static_assert(sizeof(struct gl_forward4_key) == 12, "");
static_assert(sizeof(struct gl_forward4_val) == 20, "");
static_assert(sizeof(struct gl_flow4_key) == 16, "");
static_assert(sizeof(struct gl_frag4_key) == 16, "");
static_assert(sizeof(struct gl_flow4_val) == 128, "two cache lines");
static_assert(sizeof(struct gl_host6_key) == 24, "");
static_assert(sizeof(struct gl_route6_key) == 24, "");
static_assert(sizeof(struct gl_allow6_key) == 24, "");
static_assert(sizeof(struct gl_addr6_key) == 20, "");
static_assert(sizeof(struct gl_addr6_val) == 32, "");
static_assert(sizeof(struct gl_forward6_key) == 24, "");
static_assert(sizeof(struct gl_forward6_val) == 32, "");
static_assert(sizeof(struct gl_flow6_key) == 40, "");
static_assert(sizeof(struct gl_flow6_val) == 152, "");
static_assert(sizeof(struct gl_frag6_key) == 40, "");
static_assert(sizeof(struct gl_remote6_key) == 24, "");
static_assert(sizeof(struct gl_tenant_val) == 64, "a cache line");
static_assert(sizeof(struct gl_tenant_stat) == 88 + 8 * GL_NO_PORT_SLOTS, "");
static_assert(sizeof(struct gl_policy_val) == 128, "two cache lines");
static_assert(sizeof(struct gl_tree_val) == 64, "a cache line");
static_assert(sizeof(struct gl_tree_node) == sizeof(struct gl_tree_val), "a line");
static_assert(sizeof(struct gl_tree_window) == sizeof(struct gl_tree_val), "a line");
static_assert(sizeof(struct gl_remote4_key) == 12, "");
static_assert(sizeof(struct gl_rule_key) == 16, "");
static_assert(GL_MAX_GROUPS <= 65536 && GL_GROUP_RULES <= 65535, "GL_ADMITS() holds them");
static_assert(offsetof(struct gl_flow4_val, peer_scope) == 64, "an established packet needs one cache line; TCP two");
#endif

#endif
