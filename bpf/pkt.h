/* SPDX-License-Identifier: GPL-2.0-only */
/* The packet as the stages see it: facts read once by parse.h, decisions added by the stages, carried out by egress.h.
 * No stage touches packet bytes. Neighbours: parse.h (fills it), pipeline.h (the order of stages). */
#ifndef GL_PKT_H
#define GL_PKT_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "family.h"
#include "maps/maps.bpf.h"

/* What a stage says: go on, or how the packet ends. */
enum step {
	STEP_NEXT = 0,
	STEP_DROP, /* p->reason says why */
	STEP_PASS, /* not ours: to the host, untouched */
	STEP_SLOW, /* XDP: TC has to do it. In TC it cannot happen */
	/* From here to STEP_ECHO_REPLY: it goes on, or is answered. */
	STEP_FORWARD, /* by the flow that was found */
	STEP_DELIVER, /* unchanged, to the interface p->out */
	STEP_REPLICATE, /* to all interfaces of the network, see replicate.h */
	STEP_NEIGH_REPLY, /* back to where it came from: p->reply_mac holds p->neigh_target_be */
	STEP_RA_REPLY, /* back to where it came from: the router's advertisement */
	STEP_ECHO_REPLY, /* back to where it came from */
	STEP_CONSUMED, /* has done its work; neither forwarded nor dropped */
};

#define ETH_P_ARP_BE bpf_htons(0x0806)
#define ETH_P_IP_BE bpf_htons(0x0800)
#define ETH_P_IPV6_BE bpf_htons(0x86dd)
#define ETH_P_OWN_BE (GL_IS_IPV6 ? ETH_P_IPV6_BE : ETH_P_IP_BE)
#define ETH_P_8021Q_BE bpf_htons(0x8100)
#define ETH_P_8021AD_BE bpf_htons(0x88a8)

/* What passes between neighbours about the link itself. Security groups have no say in it. */
enum neigh_op {
	NEIGH_NONE = 0,
	NEIGH_ASK, /* who has an address? */
	NEIGH_TELL, /* I have it */
	NEIGH_LINK, /* of the segment's routers, or about multicast listeners */
};

#define FRAG_NONE 0
#define FRAG_HEAD 1
#define FRAG_TAIL 2

/* IP header with all that may follow it, and the head of the transport's: what ICMP errors quote. */
#define GL_QUOTE_WORDS (GL_IS_IPV6 ? (40 + GL_EXT_BYTES + 20) / 4 : 20)

struct pkt {
	__u32 len; /* bytes of the frame */
	__u32 side; /* side of the configuration in force */
	__u32 now; /* seconds */
	__u32 in_slot; /* interface it came by */

	__u8 dmac[GL_MAC_LEN];
	__u8 smac[GL_MAC_LEN];
	__be16 ethertype_be;
	__u16 vlan; /* tag that was taken off, 0: none */
	__u8 tagged; /* 1: carries (or carried) a tag */
	__u8 vlan_inline; /* 1: the tag stands in the frame's bytes */
	__u8 l3_off;
	__u8 l4_off;

	gl_ip orig_src_be; /* tuple as it arrived */
	gl_ip orig_dst_be;
	__be16 orig_sport_be;
	__be16 orig_dport_be;
	gl_ip src_be; /* tuple of the present leg; of an ICMP error: the quoted packet's, turned round */
	gl_ip dst_be;
	__be16 sport_be;
	__be16 dport_be;
	__u32 l3_len; /* total length of the IP packet */
	__be32 id_be; /* as in gl_frag_key */
	__u16 l4_csum; /* as it stands in the packet */
	__u8 proto;
	__u8 ttl;
	__u8 frag; /* FRAG_* */
	__u8 tcp_flags;
	__u8 icmp_type;
	__u8 related; /* an ICMP error: the flow is that of the packet it quotes */
	__u8 key_proto; /* protocol of the flow: p->proto, or the quoted packet's */
	__u8 error_from_router; /* not by the far end of that flow */
	__u16 inner_l4; /* offset of the quoted transport header */
	__u8 extensions; /* IPv6: headers between its own and the transport's */
	__u8 inner_len; /* bytes quoted of it, as far as they matter */
	__u16 l4_len; /* bytes behind the IP header, or IPv6's extension headers */
	__u8 l4_hlen; /* of the transport header */
	__u8 frag_more; /* other fragments follow */
	__u16 frag_first; /* where the fragment begins, in units of 8 bytes of the IP payload */
	__u8 quote_type; /* an ICMP error about ICMP: the quoted packet's type */
	__u8 frag_proto; /* IPv6: what the fragment header says comes next */
	__u16 frag_len; /* IPv6: bytes behind the fragment header */
	__be32 quote_seq_be; /* an ICMP error about TCP: the quoted sequence number */
	__u8 tcp_scale; /* of a SYN: its window scale, with GL_SYN_SCALE where it has the option */
	__u8 option_at; /* while TCP's options are read */
	__u32 tcp_seq; /* host order */
	__u32 tcp_ack;
	__u16 tcp_window; /* as in the header */

	/* ARP, or neighbour discovery. Claims have two addresses that are the same. */
	gl_ip neigh_sender_be;
	gl_ip neigh_target_be;
	__u8 neigh_sender_mac[GL_MAC_LEN];
	__u8 neigh_op; /* enum neigh_op */
	__u8 nd_has_mac; /* it names its sender's MAC; ARP always does */
	__u16 nd_at; /* while options are read */
	__u8 reply_mac[GL_MAC_LEN];
	__u8 reply_router; /* who has that MAC is a router */
	__u8 chaddr[GL_MAC_LEN]; /* DHCP */

	/* Where the packet's flow is looked up. */
	__u16 scope; /* as in struct gl_flow_key */
	__u8 from_uplink; /* direction of the leg */
	__u8 hairpin; /* second leg of a packet between two public addresses */
	__u8 anew; /* the packet's flow is over: it opens the next one of the same tuple */
	__u8 opened; /* by this packet, in its present leg */
	__u32 leg_slot; /* interface the leg comes by: the second leg of a hairpin comes by the uplink */
	__u32 tenant;
	__u32 gen;

	/* Decisions. */
	__u32 reason; /* enum gl_drop */
	__u32 out_slot;
	__u32 out_ifindex;
	__u32 repl_segment; /* STEP_REPLICATE: GL_SEGMENT of an uplink, or 0: the interface's own network */
	gl_ip repl_addr_be; /* somebody asks who has it: only to those who may */
	__u8 repl_uplink; /* and to the uplink */
	__u8 repl_host; /* and to the host */
	__u8 bridged; /* from the uplink's segment by MAC */
	__u8 error_type; /* ICMP error to return: type, code, argument; 0: none */
	__u8 error_code;
	__u8 parsed; /* IPv6, from the uplink: what the parser said, a step */
	__u16 error_mtu;

	/* Working memory, not cleared; what of IPv6 is too much for the stack. */
	struct gl_flow_key key; /* the one that was asked for last */
	gl_ip addrs[2];
	gl_ip old_addrs[2];
	__u32 quote[GL_QUOTE_WORDS];
};

/* What must stay a pointer: the verifier forgets those that are stored in a map. */
struct way {
	const struct gl_port_val *in; /* interface it came by */
	struct gl_flow_val *flow; /* of the last leg */
	struct gl_flow_val *first; /* of the first leg of a hairpin, or NULL */
};

/* The packet at hand of a CPU. In a map rather than on the stack, which is too small for it; and as the verifier takes
 * a map's content for unknown, paths that differ in facts alone become one. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pkt);
} gl_pkt __weak SEC(".maps");

static __always_inline struct pkt *pkt_new(void)
{
	const __u32 zero = 0;
	struct pkt *p = bpf_map_lookup_elem(&gl_pkt, &zero);

	if (!p)
		return NULL;
	__builtin_memset(p, 0, offsetof(struct pkt, key));
	p->now = bpf_ktime_get_coarse_ns() / 1000000000ull;
	return p;
}

static __always_inline enum step drop(struct pkt *p, enum gl_drop reason)
{
	p->reason = reason;
	return STEP_DROP;
}

static __always_inline bool mac_equal(const __u8 *a, const __u8 *b)
{
	return ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) | (a[4] ^ b[4]) | (a[5] ^ b[5])) == 0;
}

static __always_inline void mac_copy(__u8 *to, const __u8 *from)
{
	__builtin_memcpy(to, from, GL_MAC_LEN);
}

static __always_inline bool mac_is_multicast(const __u8 *mac)
{
	return mac[0] & 1;
}

#endif
