/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Capacities: the one place where a bound of the dataplane is written down.
 * `guestlane version --json` prints them; neighbours: abi.h (the shapes), maps.bpf.h (the maps). */
#ifndef GL_LIMITS_H
#define GL_LIMITS_H

#define GL_PORT_SLOTS 65536 /* interfaces of one host: guests and uplinks; a power of two */
#define GL_PORT_PROBES 4 /* slots tried from ifindex & (GL_PORT_SLOTS - 1) onwards */
#define GL_PORT_ADDRS 4 /* guest addresses of a family held inside the port itself; the rest live in gl_allow4, 6 */
#define GL_MAX_TENANTS 16384
#define GL_MAX_NETWORKS 32768 /* below GL_SCOPE_UPLINK */
#define GL_MAX_UPLINKS 255
#define GL_NET_GATEWAYS 4 /* subnets of one network, of each family */
#define GL_NET_POOL 16 /* public addresses a network translates to, of each family */
#define GL_RA_BODY 240 /* bytes of a router advertisement's ICMPv6 message: 4 prefixes, MTU, 4 name servers */
#define GL_RA_INTERVAL 600 /* seconds between router advertisements that nobody asked for */
#define GL_RA_INTERVAL_LEAST 4 /* RFC 4861 6.2.1, as the most is */
#define GL_RA_INTERVAL_MOST 1800
#define GL_RA_LIFETIME 9000 /* seconds (RFC 4861 6.2.1: at most 9000; RFC 8319 allows 65535) */
#define GL_RA_DNS 4 /* name servers that it can name */
#define GL_EXT_HEADERS 8 /* IPv6 extension headers that are walked; a packet with more is dropped */
#define GL_EXT_BYTES 128 /* and their bytes altogether */
#define GL_NET_MEMBERS 1024 /* interfaces of a network that one broadcast frame can reach */
#define GL_NAT_BLOCK_SHIFT 6 /* translated ports are handed to tenants in blocks of 64 */
#define GL_NAT_SHARE_BLOCKS 16 /* at most, per tenant, of an address that tenants share */
#define GL_MAX_L2 262144
#define GL_MAX_HOSTS 262144
#define GL_MAX_ROUTES 131072
#define GL_MAX_ALLOWED 131072
#define GL_MAX_PUBLIC 262144 /* an address that one tenant has for itself takes about 1,000 entries, one a block */
#define GL_MAX_FORWARDS 65536
#define GL_MAX_NAMES 262144
#define GL_MAX_DROP_CELLS 131072
#define GL_MAX_FRAGMENTS 262144 /* datagrams in fragments at one time, of all tenants */
#define GL_FRAGMENTS_TENANT 4096 /* of one tenant, where few share; with many, an equal part of all */
#define GL_FRAG_PARTS 8 /* holes that one datagram may have while its fragments arrive */
#define GL_PORT_GROUPS 8 /* security groups of one interface */
#define GL_GROUP_RULES 65535 /* of one direction of a security group: gl_rule_val.number counts them */
#define GL_MAX_GROUPS 65536 /* security groups that interfaces have, and one */
#define GL_MAX_POLICIES 65536 /* sets of groups that interfaces have, and one */
#define GL_MAX_RULES 524288 /* prefixes that rules become: for each remote end a protocol, port or part of a range */
#define GL_MAX_REMOTES 262144 /* remote prefixes of all policies */
#define GL_MAX_TREE_LINES 524288 /* of the trees that rules are searched in: 64 bytes each, up to 8 intervals */
#define GL_TREE_LEVELS 6 /* of one tree of one window, when all lines are its own */
#define GL_TREE_WINDOWS 4 /* of 32 bits, that the longest numbers are searched by */
#define GL_NODE_PARTS 4 /* intervals of ports that stand with a remote end; with more it has a tree */
#define GL_NODE_FEW_PARTS 2 /* where an IPv6 prefix stands there too */
#define GL_FLOWS_DEFAULT 65536 /* max_flows where a tenant names none */
#define GL_FLOWS_MAX 1048576 /* the sweeper walks a table in one go */
#define GL_NAME_LEN 64 /* with its NUL */

/* Seconds after the last packet until a flow's state is taken away, where a tenant names no other. */
#define GL_SECONDS_TCP_OPENING 60
#define GL_SECONDS_TCP_ESTABLISHED 7440 /* RFC 5382 REQ-5: at least 2 h 4 min */
#define GL_SECONDS_TCP_CLOSING 240 /* RFC 5382 REQ-5: at least 4 min */
#define GL_SECONDS_TCP_CLOSED 30
#define GL_SECONDS_UDP 60
#define GL_SECONDS_UDP_ASSURED 300 /* RFC 4787 REQ-5 */
#define GL_SECONDS_ICMP 60 /* RFC 5508 REQ-1 */
#define GL_SECONDS_OTHER 600
#define GL_SECONDS_MOST 2678400 /* 31 days: the longest that a tenant may choose */
#define GL_SECONDS_FRAGMENT 30 /* RFC 1122 3.3.2; not a tenant's choice */
#define GL_ICMP_ERRORS 1000 /* a second, sent on behalf of one tenant (RFC 1812 4.3.2.8) */
#define GL_SWEEP_SECONDS 5

#endif
