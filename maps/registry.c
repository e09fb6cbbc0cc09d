/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What is each map called, how large are its entries, and how does a person read them?
 * One row per map; the tables of words stand in the order of abi.h's enums and flag bits.
 * Neighbours: registry.h (the shape of a row), abi.h (the entries), maps.bpf.h (the declarations). */
#include "maps/registry.h"

#include <string.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* ---- words ------------------------------------------------------------------------------------------------ */

static const char *const drop_names[] = {
	"NONE",
#define GL_DROP(name, help) #name,
#include "maps/drops.def"
#undef GL_DROP
	NULL,
};

static const char *const drop_helps[] = {
	"not dropped",
#define GL_DROP(name, help) help,
#include "maps/drops.def"
#undef GL_DROP
};

static_assert(COUNT_OF(drop_names) == GL_DROP_COUNT + 1, "a name per reason");
static_assert(COUNT_OF(drop_helps) == GL_DROP_COUNT, "a line of help per reason");

static const char *const mode_names[] = { "none", "isolated", "nat", "routed", "bridge", NULL };
static const char *const open_names[] = { "network", "tenant", "anywhere", NULL };
static const char *const port_kind_names[] = { "none", "guest", "uplink", NULL };
static const char *const policy_flag_names[] = { "all", NULL };
static const char *const tenant_flag_names[] = { "pickup", "endpoint_independent", NULL };
static const char *const port_flag_names[] = {
	"more_addresses", "segment", "xdp_out", "ipv6", "more_addresses6", NULL
};
static const char *const network_flag_names[] = { "broadcast", "endpoint_independent", NULL };
static const char *const route_kind_names[] = { "none", "subnet", "interface", NULL };
static const char *const addr_flag_names[] = { "floating", "nat", "forward", "host", "answer", "routed", NULL };
static const char *const name_kind_names[] = { "none",	"tenant", "network", "uplink", "interface",
					       "guest", "group",  "policy",  NULL };
static const char *const flow_flag_names[] = {
	"reply", "rewrite", "xdp_out", "routed", "to_uplink", "hairpin", "bridged", "mapped", NULL,
};
static const char *const flow_state_names[] = {
	"new",	    "assured",	  "syn_sent",  "syn_both", "syn_received", "established",
	"fin_wait", "close_wait", "time_wait", "closed",   NULL,
};
static const char *const flow_kind_names[] = { "packets", "mapping", "mapped", NULL };
static const char *const admit_names[] = { "none", "network", "open", "public", "all", "rule", NULL };

static_assert(COUNT_OF(mode_names) == GL_MODE_BRIDGE + 2, "");
static_assert(COUNT_OF(open_names) == GL_OPEN_ANYWHERE + 2, "");
static_assert(COUNT_OF(port_kind_names) == GL_PORT_UPLINK + 2, "");
static_assert(COUNT_OF(route_kind_names) == GL_ROUTE_PORT + 2, "");
static_assert(COUNT_OF(name_kind_names) == GL_NAME_POLICY + 2, "");
static_assert(COUNT_OF(flow_state_names) == GL_FLOW_STATES + 1, "");
static_assert(COUNT_OF(flow_kind_names) == GL_FLOW_MAPPED + 2, "");
static_assert(COUNT_OF(admit_names) == GL_ADMIT_RULE + 2, "");
static_assert(1 << (COUNT_OF(port_flag_names) - 2) == GL_PORT_F_MORE_ADDRS6, "");
static_assert(1 << (COUNT_OF(addr_flag_names) - 2) == GL_ADDR_F_ROUTED, "");
static_assert(1 << (COUNT_OF(flow_flag_names) - 2) == GL_FLOW_F_MAPPED, "");

/* ---- fields ----------------------------------------------------------------------------------------------- */

#define MEMBER_SIZE(type, member) sizeof(((type *)0)->member)
#define WORDS(label, type, member, kind_, names_)                                                                      \
	{                                                                                                              \
		.name = (label), .offset = offsetof(type, member), .size = MEMBER_SIZE(type, member), .kind = (kind_), \
		.names = (names_)                                                                                      \
	}
#define FIELD(label, type, member, kind_) WORDS(label, type, member, kind_, NULL)
/* One member of each element of an array of structs, or an array of plain elements (`element` is array[0]). */
#define REPEATED(label, type, array, element, kind_)                                                                   \
	{                                                                                                              \
		.name = (label), .offset = offsetof(type, element), .size = MEMBER_SIZE(type, element),                \
		.repeat = MEMBER_SIZE(type, array) / MEMBER_SIZE(type, array[0]),                                      \
		.stride = MEMBER_SIZE(type, array[0]), .kind = (kind_)                                                 \
	}
#define WORD(label, kind_)                                                                                             \
	{                                                                                                              \
		.name = (label), .offset = 0, .size = sizeof(uint32_t), .kind = (kind_)                                \
	}
#define END                                                                                                            \
	{                                                                                                              \
		.name = NULL                                                                                           \
	}

static const struct gl_field index_key[] = { WORD("index", GL_FIELD_UINT), END };
static const struct gl_field slot_key[] = { WORD("slot", GL_FIELD_UINT), END };
static const struct gl_field network_key[] = { WORD("network", GL_FIELD_UINT), END };
static const struct gl_field tenant_key[] = { WORD("tenant", GL_FIELD_UINT), END };

static const struct gl_field name_key[] = {
	WORDS("kind", struct gl_name_key, kind, GL_FIELD_ENUM, name_kind_names),
	FIELD("index", struct gl_name_key, index, GL_FIELD_UINT),
	END,
};
static const struct gl_field name_val[] = { FIELD("name", struct gl_name_val, name, GL_FIELD_STRING), END };

static const struct gl_field devmap_val[] = { WORD("ifindex", GL_FIELD_UINT), END };

static const struct gl_field port_val[] = {
	FIELD("ifindex", struct gl_port_val, ifindex, GL_FIELD_UINT),
	WORDS("kind", struct gl_port_val, kind, GL_FIELD_ENUM, port_kind_names),
	WORDS("flags", struct gl_port_val, flags, GL_FIELD_FLAGS, port_flag_names),
	WORDS("mode", struct gl_port_val, mode, GL_FIELD_ENUM, mode_names),
	FIELD("address_count", struct gl_port_val, addr_count, GL_FIELD_UINT),
	FIELD("tenant", struct gl_port_val, tenant, GL_FIELD_UINT),
	FIELD("network", struct gl_port_val, network, GL_FIELD_UINT),
	FIELD("generation", struct gl_port_val, gen, GL_FIELD_HEX),
	FIELD("mac", struct gl_port_val, mac, GL_FIELD_MAC),
	FIELD("gateway_mac", struct gl_port_val, gw_mac, GL_FIELD_MAC),
	REPEATED("addresses", struct gl_port_val, addr_be, addr_be[0], GL_FIELD_IPV4),
	FIELD("mtu", struct gl_port_val, mtu, GL_FIELD_UINT),
	FIELD("uplink", struct gl_port_val, uplink, GL_FIELD_UINT),
	FIELD("vlan", struct gl_port_val, vlan, GL_FIELD_UINT),
	FIELD("uplink_slot", struct gl_port_val, uplink_slot, GL_FIELD_UINT),
	FIELD("floating_ip", struct gl_port_val, floating_be, GL_FIELD_IPV4),
	FIELD("next_in_network", struct gl_port_val, next_in_network, GL_FIELD_UINT),
	FIELD("next_in_segment", struct gl_port_val, next_in_segment, GL_FIELD_UINT),
	WORDS("open_to", struct gl_port_val, open_to, GL_FIELD_ENUM, open_names),
	FIELD("policy", struct gl_port_val, policy, GL_FIELD_UINT),
	FIELD("group_count", struct gl_port_val, group_count, GL_FIELD_UINT),
	REPEATED("groups", struct gl_port_val, group, group[0], GL_FIELD_UINT),
	FIELD("address6_count", struct gl_port_val, addr6_count, GL_FIELD_UINT),
	REPEATED("addresses6", struct gl_port_val, addr6_be, addr6_be[0], GL_FIELD_IPV6),
	FIELD("floating_ip6", struct gl_port_val, floating6_be, GL_FIELD_IPV6),
	FIELD("link_local", struct gl_port_val, link6_be, GL_FIELD_IPV6),
	END,
};

static const struct gl_field network_val[] = {
	WORDS("mode", struct gl_network_val, mode, GL_FIELD_ENUM, mode_names),
	WORDS("flags", struct gl_network_val, flags, GL_FIELD_FLAGS, network_flag_names),
	WORDS("open_to", struct gl_network_val, open_to, GL_FIELD_ENUM, open_names),
	FIELD("nat_count", struct gl_network_val, pool4_count, GL_FIELD_UINT),
	FIELD("nat6_count", struct gl_network_val, pool6_count, GL_FIELD_UINT),
	FIELD("tenant", struct gl_network_val, tenant, GL_FIELD_UINT),
	FIELD("uplink", struct gl_network_val, uplink, GL_FIELD_UINT),
	FIELD("vlan", struct gl_network_val, vlan, GL_FIELD_UINT),
	FIELD("uplink_slot", struct gl_network_val, uplink_slot, GL_FIELD_UINT),
	FIELD("first_slot", struct gl_network_val, first_port, GL_FIELD_UINT),
	FIELD("gateway_mac", struct gl_network_val, gw_mac, GL_FIELD_MAC),
	FIELD("mss", struct gl_network_val, mss, GL_FIELD_UINT),
	REPEATED("gateways", struct gl_network_val, gateway4, gateway4[0].addr_be, GL_FIELD_IPV4),
	REPEATED("masks", struct gl_network_val, gateway4, gateway4[0].mask_be, GL_FIELD_IPV4),
	REPEATED("nat_addresses", struct gl_network_val, pool4, pool4[0].addr_be, GL_FIELD_IPV4),
	REPEATED("nat_port_min", struct gl_network_val, pool4, pool4[0].port_min, GL_FIELD_UINT),
	REPEATED("nat_port_max", struct gl_network_val, pool4, pool4[0].port_max, GL_FIELD_UINT),
	REPEATED("gateways6", struct gl_network_val, gateway6, gateway6[0].addr_be, GL_FIELD_IPV6),
	REPEATED("masks6", struct gl_network_val, gateway6, gateway6[0].mask_be, GL_FIELD_IPV6),
	REPEATED("nat6_addresses", struct gl_network_val, pool6, pool6[0].addr_be, GL_FIELD_IPV6),
	REPEATED("nat6_port_min", struct gl_network_val, pool6, pool6[0].port_min, GL_FIELD_UINT),
	REPEATED("nat6_port_max", struct gl_network_val, pool6, pool6[0].port_max, GL_FIELD_UINT),
	FIELD("gateway_link_local", struct gl_network_val, link6_be, GL_FIELD_IPV6),
	END,
};

static const struct gl_field l2_key[] = {
	FIELD("segment", struct gl_l2_key, segment, GL_FIELD_HEX),
	FIELD("mac", struct gl_l2_key, mac, GL_FIELD_MAC),
	END,
};
static const struct gl_field slot_val[] = { WORD("slot", GL_FIELD_UINT), END };

#define TREE(label, direction, tree)                                                                                   \
	FIELD(label, struct gl_policy_val, dir[direction].tree.root, GL_FIELD_UINT),                                   \
		FIELD(label "_levels", struct gl_policy_val, dir[direction].tree.levels, GL_FIELD_UINT)
static const struct gl_field policy_key[] = { WORD("policy", GL_FIELD_UINT), END };
static const struct gl_field policy_val[] = {
	WORDS("ingress", struct gl_policy_val, flags[GL_INGRESS], GL_FIELD_FLAGS, policy_flag_names),
	WORDS("egress", struct gl_policy_val, flags[GL_EGRESS], GL_FIELD_FLAGS, policy_flag_names),
	REPEATED("all_group", struct gl_policy_val, all_group, all_group[0], GL_FIELD_UINT),
	TREE("ingress_any", GL_INGRESS, any),
	TREE("ingress_group", GL_INGRESS, group),
	TREE("ingress_remote4", GL_INGRESS, remote4),
	TREE("ingress_remote6", GL_INGRESS, remote6),
	TREE("egress_any", GL_EGRESS, any),
	TREE("egress_group", GL_EGRESS, group),
	TREE("egress_remote4", GL_EGRESS, remote4),
	TREE("egress_remote6", GL_EGRESS, remote6),
	FIELD("first_line", struct gl_policy_val, first, GL_FIELD_UINT),
	FIELD("lines", struct gl_policy_val, room, GL_FIELD_UINT),
	FIELD("tenant", struct gl_policy_val, tenant, GL_FIELD_UINT),
	END,
};

static const struct gl_field tree_key[] = { WORD("line", GL_FIELD_UINT), END };
static const struct gl_field tree_val[] = {
	REPEATED("words", struct gl_tree_val, word, word[0], GL_FIELD_UINT),
	END,
};

static const struct gl_field remote_val[] = {
	FIELD("node", struct gl_remote_val, node, GL_FIELD_UINT),
	END,
};

static const struct gl_field rule_key[] = {
	FIELD("policy_direction", struct gl_rule_key, policy_dir, GL_FIELD_UINT),
	FIELD("node", struct gl_rule_key, node, GL_FIELD_UINT),
	FIELD("proto", struct gl_rule_key, proto, GL_FIELD_UINT),
	FIELD("port", struct gl_rule_key, port, GL_FIELD_UINT),
	FIELD("length", struct gl_rule_key, len, GL_FIELD_UINT),
	END,
};
static const struct gl_field rule_val[] = {
	FIELD("group", struct gl_rule_val, group, GL_FIELD_UINT),
	FIELD("number", struct gl_rule_val, number, GL_FIELD_UINT),
	END,
};

static const struct gl_field tenant_val[] = {
	REPEATED("timeouts", struct gl_tenant_val, timeout, timeout[0], GL_FIELD_UINT),
	WORDS("flags", struct gl_tenant_val, flags, GL_FIELD_FLAGS, tenant_flag_names),
	FIELD("max_fragments", struct gl_tenant_val, max_fragments, GL_FIELD_UINT),
	END,
};
static const struct gl_field tenant_stat[] = {
	FIELD("nat_exhausted", struct gl_tenant_stat, nat_exhausted, GL_FIELD_UINT),
	FIELD("nat_exhausted_ns", struct gl_tenant_stat, nat_exhausted_ns, GL_FIELD_UINT),
	FIELD("nat_src", struct gl_tenant_stat, nat_src_be, GL_FIELD_IPV6),
	FIELD("nat_dst", struct gl_tenant_stat, nat_dst_be, GL_FIELD_IPV6),
	FIELD("nat_dport", struct gl_tenant_stat, nat_dport_be, GL_FIELD_UINT_BE),
	FIELD("nat_proto", struct gl_tenant_stat, nat_proto, GL_FIELD_UINT),
	FIELD("fragments", struct gl_tenant_stat, fragments, GL_FIELD_UINT),
	FIELD("table_full", struct gl_tenant_stat, table_full, GL_FIELD_UINT),
	FIELD("table_full_ns", struct gl_tenant_stat, table_full_ns, GL_FIELD_UINT),
	FIELD("freed", struct gl_tenant_stat, freed, GL_FIELD_UINT),
	FIELD("icmp_second", struct gl_tenant_stat, icmp_second, GL_FIELD_UINT),
	FIELD("icmp_sent", struct gl_tenant_stat, icmp_sent, GL_FIELD_UINT),
	END,
};

static const struct gl_field control_val[] = {
	FIELD("side", struct gl_control_val, side, GL_FIELD_UINT),
	FIELD("abi", struct gl_control_val, abi, GL_FIELD_UINT),
	FIELD("serial", struct gl_control_val, serial, GL_FIELD_UINT),
	END,
};

static const struct gl_field frag_val[] = {
	FIELD("sport", struct gl_frag_val, sport_be, GL_FIELD_UINT_BE),
	FIELD("dport", struct gl_frag_val, dport_be, GL_FIELD_UINT_BE),
	FIELD("seen", struct gl_frag_val, seen, GL_FIELD_UINT),
	FIELD("tenant", struct gl_frag_val, tenant, GL_FIELD_UINT),
	FIELD("total", struct gl_frag_val, total, GL_FIELD_UINT),
	FIELD("proto", struct gl_frag_val, proto, GL_FIELD_UINT),
	REPEATED("first", struct gl_frag_val, part, part[0].first, GL_FIELD_UINT),
	REPEATED("end", struct gl_frag_val, part, part[0].end, GL_FIELD_UINT),
	END,
};

#define GL_IP 4
#include "maps/registry_ip.h"
#undef GL_IP
#define GL_IP 6
#include "maps/registry_ip.h"
#undef GL_IP

static const struct gl_field ra_key[] = { FIELD("network", struct gl_ra_key, network, GL_FIELD_UINT), END };
static const struct gl_field ra_val[] = {
	FIELD("interval", struct gl_ra_val, interval, GL_FIELD_UINT),
	FIELD("length", struct gl_ra_val, len, GL_FIELD_UINT),
	REPEATED("body", struct gl_ra_val, body, body[0], GL_FIELD_HEX),
	END,
};
static const struct gl_field ra_sent[] = {
	FIELD("seconds", struct gl_ra_sent_val, seconds, GL_FIELD_UINT),
	FIELD("count", struct gl_ra_sent_val, count, GL_FIELD_UINT),
	END,
};

static const struct gl_field drops_key[] = {
	FIELD("slot", struct gl_drops_key, slot, GL_FIELD_UINT),
	WORDS("reason", struct gl_drops_key, reason, GL_FIELD_ENUM, drop_names),
	END,
};
static const struct gl_field count_val[] = {
	FIELD("packets", struct gl_count_val, packets, GL_FIELD_UINT),
	FIELD("bytes", struct gl_count_val, bytes, GL_FIELD_UINT),
	END,
};
static const struct gl_field traffic_val[] = {
	FIELD("from_guest_packets", struct gl_traffic_val, from_guest.packets, GL_FIELD_UINT),
	FIELD("from_guest_bytes", struct gl_traffic_val, from_guest.bytes, GL_FIELD_UINT),
	FIELD("to_guest_packets", struct gl_traffic_val, to_guest.packets, GL_FIELD_UINT),
	FIELD("to_guest_bytes", struct gl_traffic_val, to_guest.bytes, GL_FIELD_UINT),
	END,
};
static const struct gl_field sweep_val[] = {
	FIELD("runs", struct gl_sweep_val, runs, GL_FIELD_UINT),
	FIELD("expired", struct gl_sweep_val, expired, GL_FIELD_UINT),
	END,
};

/* ---- the rows --------------------------------------------------------------------------------------------- */

#define ROW(map, text, role_, shape_, key_size_, val_size_, entries, side, kf, vf)                                     \
	{                                                                                                              \
		.name = (map), .help = (text), .role = (role_), .shape = (shape_), .key_size = (key_size_),            \
		.val_size = (val_size_), .max_entries = (entries), .side_offset = (side), .key_fields = (kf),          \
		.val_fields = (vf)                                                                                     \
	}
#define SIDED GL_ROLE_SIDED
#define HASH GL_SHAPE_HASH

/* The maps that hold addresses. The entries of flows are those of the tenants' own tables; the outer map is an array of
 * GL_MAX_TENANTS of them. */
#define FAMILY_ROWS(n)                                                                                                 \
	[GL_MAP_HOST##                                                                                                 \
		n] = ROW("gl_host" #n, "which interface holds an IPv" #n " address, by network or uplink segment",     \
			 SIDED, HASH, sizeof(struct gl_host##n##_key), sizeof(struct gl_host##n##_val),                \
			 2 * GL_MAX_HOSTS, offsetof(struct gl_host##n##_key, side), host##n##_key, slot_val),          \
  [GL_MAP_ROUTE##n] =                                                                                                  \
		ROW("gl_route" #n, "where a tenant's gateway sends an IPv" #n " destination", SIDED, GL_SHAPE_LPM,     \
		    sizeof(struct gl_route##n##_key), sizeof(struct gl_route##n##_val), 2 * GL_MAX_ROUTES,             \
		    offsetof(struct gl_route##n##_key, tenant_side_be), route##n##_key, route##n##_val),               \
  [GL_MAP_ALLOW##n] = ROW("gl_allow" #n, "further IPv" #n " source addresses that an interface may use", SIDED,        \
			  GL_SHAPE_LPM, sizeof(struct gl_allow##n##_key), sizeof(struct gl_allow##n##_val),            \
			  2 * GL_MAX_ALLOWED, offsetof(struct gl_allow##n##_key, slot_side_be), allow##n##_key,        \
			  allow##n##_val),                                                                             \
  [GL_MAP_ADDR##n] = ROW("gl_addr" #n, "public IPv" #n " addresses, and whose each block of their ports is", SIDED,    \
			 HASH, sizeof(struct gl_addr##n##_key), sizeof(struct gl_addr##n##_val), 2 * GL_MAX_PUBLIC,    \
			 offsetof(struct gl_addr##n##_key, side), addr##n##_key, addr##n##_val),                       \
  [GL_MAP_FORWARD##n] =                                                                                                \
		ROW("gl_forward" #n, "IPv" #n " port forwards", SIDED, HASH, sizeof(struct gl_forward##n##_key),       \
		    sizeof(struct gl_forward##n##_val), 2 * GL_MAX_FORWARDS,                                           \
		    offsetof(struct gl_forward##n##_key, side), forward##n##_key, forward##n##_val),                   \
  [GL_MAP_REMOTE##n] = ROW("gl_remote" #n, "IPv" #n " prefixes that rules name as the remote end", SIDED, HASH,        \
			   sizeof(struct gl_remote##n##_key), sizeof(struct gl_remote_val), 2 * GL_MAX_REMOTES,        \
			   offsetof(struct gl_remote##n##_key, side), remote##n##_key, remote_val),                    \
  [GL_MAP_FLOW##n] = ROW("gl_flow" #n, "IPv" #n " flows, a table per tenant", GL_ROLE_LIVE, GL_SHAPE_MAP_OF_MAPS,      \
			 sizeof(struct gl_flow##n##_key), sizeof(struct gl_flow##n##_val), GL_MAX_TENANTS, 0,          \
			 flow##n##_key, flow##n##_val),                                                                \
  [GL_MAP_FRAG##n] = ROW("gl_frag" #n, "ports of IPv" #n " datagrams that arrive in fragments", GL_ROLE_LIVE, HASH,    \
			 sizeof(struct gl_frag##n##_key), sizeof(struct gl_frag_val), GL_MAX_FRAGMENTS, 0,             \
			 frag##n##_key, frag_val)

static const struct gl_map_info rows[GL_MAP_COUNT] = {
	FAMILY_ROWS(4),
	FAMILY_ROWS(6),
	[GL_MAP_NAME] = ROW("gl_name", "names of tenants, networks, uplinks, interfaces, guests and groups by number",
			    GL_ROLE_PLAIN, HASH, sizeof(struct gl_name_key), sizeof(struct gl_name_val), GL_MAX_NAMES,
			    0, name_key, name_val),
	[GL_MAP_DEVMAP] = ROW("gl_devmap", "the device of each slot, for redirects", GL_ROLE_PLAIN, GL_SHAPE_DEVMAP, 4,
			      4, GL_PORT_SLOTS, 0, slot_key, devmap_val),
	[GL_MAP_PORT] = ROW("gl_port", "interfaces: guests' and uplinks, by slot", SIDED, GL_SHAPE_ARRAY, 4,
			    sizeof(struct gl_port_val), 2 * GL_PORT_SLOTS, 0, slot_key, port_val),
	[GL_MAP_NETWORK] =
		ROW("gl_network", "networks: gateways and the addresses they translate to", SIDED, GL_SHAPE_ARRAY, 4,
		    sizeof(struct gl_network_val), 2 * GL_MAX_NETWORKS, 0, network_key, network_val),
	[GL_MAP_L2] = ROW("gl_l2", "which interface holds a MAC, by network or uplink segment", SIDED, HASH,
			  sizeof(struct gl_l2_key), sizeof(struct gl_l2_val), 2 * GL_MAX_L2,
			  offsetof(struct gl_l2_key, side), l2_key, slot_val),
	[GL_MAP_POLICY] = ROW("gl_policy", "security groups as interfaces have them", SIDED, GL_SHAPE_ARRAY, 4,
			      sizeof(struct gl_policy_val), 2 * GL_MAX_POLICIES, 0, policy_key, policy_val),
	[GL_MAP_TREE] = ROW("gl_tree", "the trees that the rules of policies are searched in", SIDED, GL_SHAPE_ARRAY, 4,
			    sizeof(struct gl_tree_val), 2 * GL_MAX_TREE_LINES, GL_MAX_TREE_LINES, tree_key, tree_val),
	[GL_MAP_RULE] = ROW("gl_rule", "what security groups admit, by remote end, protocol and port", SIDED, HASH,
			    sizeof(struct gl_rule_key), sizeof(struct gl_rule_val), 2 * GL_MAX_RULES,
			    offsetof(struct gl_rule_key, side), rule_key, rule_val),
	[GL_MAP_TENANT] = ROW("gl_tenant", "timeouts and shares of each tenant", SIDED, GL_SHAPE_ARRAY, 4,
			      sizeof(struct gl_tenant_val), 2 * GL_MAX_TENANTS, 0, tenant_key, tenant_val),
	[GL_MAP_CONTROL] = ROW("gl_control", "which side of the configuration is in force", GL_ROLE_CONTROL,
			       GL_SHAPE_ARRAY, 4, sizeof(struct gl_control_val), 1, 0, index_key, control_val),
	[GL_MAP_RA] =
		ROW("gl_ra", "router advertisements by network", SIDED, HASH, sizeof(struct gl_ra_key),
		    sizeof(struct gl_ra_val), 2 * GL_MAX_NETWORKS, offsetof(struct gl_ra_key, side), ra_key, ra_val),
	[GL_MAP_RA_SENT] = ROW("gl_ra_sent", "when each interface was sent a router advertisement", GL_ROLE_LIVE,
			       GL_SHAPE_ARRAY, 4, sizeof(struct gl_ra_sent_val), GL_PORT_SLOTS, 0, slot_key, ra_sent),
	[GL_MAP_TENANT_STAT] =
		ROW("gl_tenant_stat", "what was refused to each tenant for want of room", GL_ROLE_LIVE, GL_SHAPE_ARRAY,
		    4, sizeof(struct gl_tenant_stat), GL_MAX_TENANTS, 0, tenant_key, tenant_stat),
	[GL_MAP_DROPS] = ROW("gl_drops", "what was dropped, by interface and reason", GL_ROLE_LIVE,
			     GL_SHAPE_PERCPU_HASH, sizeof(struct gl_drops_key), sizeof(struct gl_count_val),
			     GL_MAX_DROP_CELLS, 0, drops_key, count_val),
	[GL_MAP_TRAFFIC] = ROW("gl_traffic", "packets and bytes of each interface", GL_ROLE_LIVE, GL_SHAPE_PERCPU_ARRAY,
			       4, sizeof(struct gl_traffic_val), GL_PORT_SLOTS, 0, slot_key, traffic_val),
	[GL_MAP_SWEEP] = ROW("gl_sweep", "timers that take expired flows away, a tenant each", GL_ROLE_LIVE,
			     GL_SHAPE_ARRAY, 4, sizeof(struct gl_sweep_val), GL_MAX_TENANTS, 0, tenant_key, sweep_val),
};

const struct gl_map_info *gl_map_info(enum gl_map_id id)
{
	return (unsigned)id < GL_MAP_COUNT ? &rows[id] : NULL;
}

enum gl_map_id gl_map_by_name(const char *name)
{
	for (unsigned id = 0; id < GL_MAP_COUNT; id++)
		if (!strcmp(rows[id].name, name))
			return (enum gl_map_id)id;
	return GL_MAP_COUNT;
}

const char *gl_drop_name(uint32_t reason)
{
	return reason < GL_DROP_COUNT ? drop_names[reason] : "?";
}

const char *gl_drop_help(uint32_t reason)
{
	return reason < GL_DROP_COUNT ? drop_helps[reason] : "?";
}

const char *gl_flow_state_name(uint32_t state)
{
	return state < GL_FLOW_STATES ? flow_state_names[state] : "?";
}

const char *gl_admit_name(uint32_t how)
{
	return how <= GL_ADMIT_RULE ? admit_names[how] : "?";
}
