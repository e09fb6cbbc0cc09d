/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Security groups: each kind of rule, both ends, members, changes under way. Neighbours: prog.h, test_rules.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prog.h"

#define GW "gw:acme/front"
#define GWB "gw:acme/back"
#define OUT "198.18.0.1"
#define TAP(tap, mac, net, addr) "{tap: " tap ", mac: '52:54:00:00:00:" mac "', network: " net ", addresses: [" addr "]"

/* clang-format off */
static const char world_of_groups[] =
	"version: 1\n"
	"uplinks: [{name: wan, interface: wan}]\n"
	"tenants:\n"
	"  - name: acme\n"
	"    security_groups:\n"
	"      - name: web\n"
	"        ingress:\n"
	"          - {proto: tcp, ports: [80, 443, 8000-8080]}\n" /* 1 */
	"          - {proto: icmp, icmp_type: 8}\n" /* 2 */
	"          - {proto: udp, ports: 53, remote_ip: 10.0.0.0/24}\n" /* 3 */
	"          - {proto: 47}\n" /* 4 */
	"          - {proto: sctp, ports: 2905}\n" /* 5 */
	"          - {proto: udp, ports: [1, 65535, 1024-65534], remote_group: web}\n" /* 6 */
	"          - {proto: icmp, icmp_type: 13, icmp_code: 0, remote_ip: 0.0.0.0/0}\n" /* 7 */
	"          - {proto: icmp, icmp_type: 9, icmp_code: 16}\n" /* 8 */
	"      - name: db\n"
	"        ingress:\n"
	"          - {proto: tcp, ports: 5432, remote_group: web}\n"
	"          - {proto: tcp, ports: 5432, remote_ip: 10.0.0.13}\n"
	"        egress: []\n"
	"      - name: far\n"
	"        ingress: [{proto: udp, ports: 9, remote_ip: 198.18.0.0/15}]\n"
	"        egress:\n"
	"          - {proto: udp, ports: 53}\n"
	"          - {proto: tcp, ports: 5432, remote_group: db}\n"
	"          - {proto: tcp, ports: 80, remote_ip: 203.0.113.0/24}\n"
	"      - {name: alone, ingress: [{remote_group: alone}], egress: [{remote_group: alone}]}\n"
	"    networks:\n"
	"      - {name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24],\n"
	"         nat: {addresses: [203.0.113.10], ports: 40000-40003}}\n"
	"      - {name: back, mode: nat, uplink: wan, subnets: [10.0.1.0/24],\n"
	"         nat: {addresses: [203.0.113.10], ports: 40064-40064}}\n"
	"    guests:\n"
	"      - name: n1\n"
	"        interfaces: [" TAP("n1", "01", "front", "10.0.0.11") ", security_groups: [web]}]\n"
	"        port_forwards:\n"
	"          - {proto: tcp, address: 203.0.113.10, port: 2080, to: 80}\n"
	"          - {proto: tcp, address: 203.0.113.10, port: 80, to: 81}\n"
	"      - {name: n2, interfaces: [" TAP("n2", "02", "front", "10.0.0.12") ", security_groups: [db]}]}\n"
	"      - {name: n3, interfaces: [" TAP("n3", "03", "front", "10.0.0.13") ", floating_ips: [203.0.113.20], security_groups: [far]}]}\n"
	"      - {name: nh, interfaces: [" TAP("nh", "04", "front", "10.0.0.14") ", security_groups: [web]}]}\n"
	"      - {name: slow, interfaces: [" TAP("slow", "05", "front", "10.0.0.15") "}]}\n"
	"      - {name: nb, interfaces: [" TAP("nb", "06", "back", "10.0.1.11") ", security_groups: [web]}]}\n"
	"      - {name: ns, interfaces: [" TAP("ns", "07", "back", "10.0.1.12") ", security_groups: [far, db]}]}\n"
	"      - {name: i1, interfaces: [" TAP("i1", "08", "back", "10.0.1.13") ", security_groups: [alone]}]}\n"
	"      - {name: i2, interfaces: [" TAP("i2", "09", "back", "10.0.1.14") ", security_groups: [alone, db]}]}\n"
	"  - name: globex\n"
	"    security_groups: [{name: web, ingress: [{proto: tcp, ports: 5432, remote_group: web}]}]\n"
	"    networks: [{name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24], nat: {addresses: [203.0.113.11], ports: 40000-40000}}]\n"
	"    guests:\n"
	"      - name: g1\n"
	"        interfaces: [" TAP("g1", "01", "front", "10.0.0.11") ", security_groups: [web]}]\n"
	"      - name: g2\n"
	"        interfaces: [" TAP("g2", "02", "front", "10.0.0.12") ", security_groups: [web]}]\n"
	"        port_forwards: [{proto: tcp, address: 203.0.113.11, port: 5432}]\n";
/* clang-format on */

/* ---- rows ------------------------------------------------------------------------------------------------- */

static bool admitted(uint8_t proto, const char *src, uint16_t sport, const char *dst, uint16_t dport,
		     enum gl_direction direction, enum gl_admit how, uint16_t number)
{
	struct flow ask, answer;
	struct gl_admitted *a = &ask.val.admitted[direction];

	return flow_find("acme", proto, src, sport, dst, dport, &ask) &&
	       flow_find("acme", proto, dst, dport, src, sport, &answer) && a->how == how && a->number == number &&
	       (a->group != 0) == (how == GL_ADMIT_RULE || how == GL_ADMIT_ALL) &&
	       !memcmp(ask.val.admitted, answer.val.admitted, sizeof(ask.val.admitted));
}

static bool by_first_rule(void)
{
	return admitted(6, "slow", 1, "n1", 80, GL_INGRESS, GL_ADMIT_RULE, 1) &&
	       admitted(6, "slow", 1, "n1", 80, GL_EGRESS, GL_ADMIT_OPEN, 0);
}

static bool by_third_rule(void)
{
	return admitted(17, "n3", 7, "n1", 53, GL_INGRESS, GL_ADMIT_RULE, 3) &&
	       admitted(17, "n3", 7, "n1", 53, GL_EGRESS, GL_ADMIT_RULE, 1);
}

static bool by_group(void)
{
	return admitted(6, "n1", 1, "n2", 5432, GL_INGRESS, GL_ADMIT_RULE, 1) &&
	       admitted(6, "n1", 1, "n2", 5432, GL_EGRESS, GL_ADMIT_ALL, 0);
}

static bool without_groups(void)
{
	return admitted(17, "n1", 1, "slow", 99, GL_INGRESS, GL_ADMIT_NETWORK, 0);
}

#define GO(from, target) .on = from, .verdict = SEND, .to = target
#define NO_INGRESS(from) .on = from, .drop = GL_DROP_GROUP_INGRESS
#define NO_EGRESS(from) .on = from, .drop = GL_DROP_GROUP_EGRESS
#define PLAIN(target, from, ...) .in = { ETH(target, from), __VA_ARGS__ }
static const struct row rules[] = {
	{ .name = "a port",
	  .after = by_first_rule,
	  GO("slow", "n1"),
	  PLAIN("n1", "slow", TCP("slow", 1, "n1", 80, SYN)) },
	{ .name = "its answer", GO("n1", "slow"), PLAIN("slow", "n1", TCP("n1", 80, "slow", 1, SYN | ACK)) },
	{ .name = "another port", NO_INGRESS("slow"), PLAIN("n1", "slow", TCP("slow", 1, "n1", 81, SYN)) },
	{ .name = "the port of another protocol", NO_INGRESS("slow"), PLAIN("n1", "slow", UDP("slow", 1, "n1", 80)) },
	{ .name = "before a range", NO_INGRESS("slow"), PLAIN("n1", "slow", TCP("slow", 1, "n1", 7999, SYN)) },
	{ .name = "its first port", GO("slow", "n1"), PLAIN("n1", "slow", TCP("slow", 1, "n1", 8000, SYN)) },
	{ .name = "in it", GO("slow", "n1"), PLAIN("n1", "slow", TCP("slow", 1, "n1", 8063, SYN)) },
	{ .name = "its last port", GO("slow", "n1"), PLAIN("n1", "slow", TCP("slow", 1, "n1", 8080, SYN)) },
	{ .name = "behind it", NO_INGRESS("slow"), PLAIN("n1", "slow", TCP("slow", 1, "n1", 8081, SYN)) },
	{ .name = "echo", GO("slow", "n1"), PLAIN("n1", "slow", ECHO("slow", "n1", 5)) },
	{ .name = "its answer", GO("n1", "slow"), PLAIN("slow", "n1", ECHOED("n1", "slow", 5)) },
	{ .name = "an answer that nobody asked for",
	  .on = "slow",
	  .drop = GL_DROP_NO_FLOW,
	  PLAIN("n1", "slow", ECHOED("slow", "n1", 6)) },
	{ .name = "the same, its identifier being a query's type",
	  .on = "slow",
	  .drop = GL_DROP_NO_FLOW,
	  PLAIN("n1", "slow", ECHOED("slow", "n1", 0x0d01)) },
	{ .name = "timestamp",
	  .ip = V4_ONLY,
	  GO("slow", "n1"),
	  PLAIN("n1", "slow", IP("slow", "n1", 1), .type = 13, .sport = 4, .len = 12) },
	{ .name = "its answer",
	  .ip = V4_ONLY,
	  GO("n1", "slow"),
	  PLAIN("slow", "n1", IP("n1", "slow", 1), .type = 14, .sport = 4, .len = 12) },
	{ .name = "address mask",
	  .ip = V4_ONLY,
	  NO_INGRESS("slow"),
	  PLAIN("n1", "slow", IP("slow", "n1", 1), .type = 17, .sport = 4, .len = 4) },
	{ .name = "a type and code",
	  .ip = V4_ONLY,
	  GO("slow", "n1"),
	  PLAIN("n1", "slow", IP("slow", "n1", 1), .type = 9, .code = 16, .len = 8) },
	{ .name = "another code",
	  .ip = V4_ONLY,
	  NO_INGRESS("slow"),
	  PLAIN("n1", "slow", IP("slow", "n1", 1), .type = 9, .code = 17, .len = 8) },
	{ .name = "a protocol by its number", GO("slow", "n1"), PLAIN("n1", "slow", IP("slow", "n1", 47), .len = 8) },
	{ .name = "another number", NO_INGRESS("slow"), PLAIN("n1", "slow", IP("slow", "n1", 50), .len = 8) },
	{ .name = "SCTP",
	  .slow = true,
	  GO("slow", "n1"),
	  PLAIN("n1", "slow", IP("slow", "n1", 132), .sport = 1, .dport = 2905, .len = 8) },
	{ .name = "another port of SCTP",
	  NO_INGRESS("slow"),
	  PLAIN("n1", "slow", IP("slow", "n1", 132), .sport = 1, .dport = 2906, .len = 8) },
	{ .name = "by address, both ends asked",
	  .after = by_third_rule,
	  GO("n3", "n1"),
	  PLAIN("n1", "n3", UDP("n3", 7, "n1", 53)) },
	{ .name = "to a guest without groups",
	  .after = without_groups,
	  GO("n1", "slow"),
	  PLAIN("slow", "n1", UDP("n1", 1, "slow", 99)) },
	{ .name = "no egress rule", NO_EGRESS("n3"), PLAIN("slow", "n3", UDP("n3", 7, "slow", 54)) },
	{ .name = "no egress at all", NO_EGRESS("n2"), PLAIN("slow", "n2", UDP("n2", 7, "slow", 53)) },
	{ .name = "from another network, by no address", NO_INGRESS("nb"), PLAIN(GWB, "nb", UDP("nb", 7, "n1", 53)) },
};

static const struct row members[] = {
	{ .name = "of a group, in its network",
	  .after = by_group,
	  GO("n1", "n2"),
	  PLAIN("n2", "n1", TCP("n1", 1, "n2", 5432, SYN)) },
	{ .name = "from another network",
	  GO("nb", "n2"),
	  PLAIN(GWB, "nb", TCP("nb", 1, "n2", 5432, SYN)),
	  .out = { ETH("n2", GW), TCP("nb", 1, "n2", 5432, SYN), .ttl = 63 } },
	{ .name = "no member", NO_INGRESS("slow"), PLAIN("n2", "slow", TCP("slow", 1, "n2", 5432, SYN)) },
	{ .name = "no member, but its address", GO("n3", "n2"), PLAIN("n2", "n3", TCP("n3", 1, "n2", 5432, SYN)) },
	{ .name = "a member's other port", NO_INGRESS("n1"), PLAIN("n2", "n1", TCP("n1", 1, "n2", 5433, SYN)) },
	{ .name = "several groups: by one", GO("nb", "ns"), PLAIN("ns", "nb", TCP("nb", 1, "ns", 5432, SYN)) },
	{ .name = "several groups: leaves by the other", NO_INGRESS("ns"), PLAIN("nb", "ns", UDP("ns", 2, "nb", 53)) },
	{ .name = "several groups: by none", NO_EGRESS("ns"), PLAIN("nb", "ns", UDP("ns", 2, "nb", 54)) },
	{ .name = "port 1 of a member", GO("n1", "nh"), PLAIN("nh", "n1", UDP("n1", 3, "nh", 1)) },
	{ .name = "port 2", NO_INGRESS("n1"), PLAIN("nh", "n1", UDP("n1", 3, "nh", 2)) },
	{ .name = "port 0", NO_INGRESS("n1"), PLAIN("nh", "n1", UDP("n1", 3, "nh", 0)) },
	{ .name = "port 1023", NO_INGRESS("n1"), PLAIN("nh", "n1", UDP("n1", 3, "nh", 1023)) },
	{ .name = "port 1024", GO("n1", "nh"), PLAIN("nh", "n1", UDP("n1", 3, "nh", 1024)) },
	{ .name = "port 65534", GO("n1", "nh"), PLAIN("nh", "n1", UDP("n1", 3, "nh", 65534)) },
	{ .name = "port 65535", GO("n1", "nh"), PLAIN("nh", "n1", UDP("n1", 3, "nh", 65535)) },
	{ .name = "both ends of one group", .slow = true, GO("i1", "i2"), PLAIN("i2", "i1", UDP("i1", 3, "i2", 7)) },
	{ .name = "and back", GO("i2", "i1"), PLAIN("i1", "i2", UDP("i2", 4, "i1", 7)) },
	{ .name = "not out of it", NO_EGRESS("i1"), PLAIN("nb", "i1", UDP("i1", 3, "nb", 7)) },
	{ .name = "not into it", NO_INGRESS("nb"), PLAIN("i1", "nb", UDP("nb", 3, "i1", 7)) },
	{ .name = "another tenant's of the same name",
	  GO("g1", "g2"),
	  PLAIN("g2", "g1", TCP("g1", 1, "g2", 5432, SYN)) },
};

static const struct row public[] = {
	{ .name = "a forward to a port that is open",
	  GO("wan", "n1"),
	  PLAIN("wan", "hop", TCP(OUT, 1, "203.0.113.10", 2080, SYN)),
	  .out = { ETH("n1", GW), TCP(OUT, 1, "n1", 80, SYN), .ttl = 63 } },
	{ .name = "a forward to one that is not",
	  NO_INGRESS("wan"),
	  PLAIN("wan", "hop", TCP(OUT, 1, "203.0.113.10", 80, SYN)) },
	{ .name = "a floating address by a rule",
	  GO("wan", "n3"),
	  PLAIN("wan", "hop", UDP(OUT, 1, "203.0.113.20", 9)),
	  .out = { ETH("n3", GW), UDP(OUT, 1, "n3", 9), .ttl = 63 } },
	{ .name = "a floating address by none",
	  NO_INGRESS("wan"),
	  PLAIN("wan", "hop", UDP(OUT, 1, "203.0.113.20", 10)) },
	{ .name = "from an address of none",
	  NO_INGRESS("wan"),
	  PLAIN("wan", "hop", UDP("198.20.0.1", 1, "203.0.113.20", 9)) },
	{ .name = "outwards by a rule",
	  GO("n3", "wan"),
	  PLAIN(GW, "n3", UDP("n3", 5, OUT, 53)),
	  .out = { ETH("hop", "wan"), UDP("203.0.113.20", 5, OUT, 53), .ttl = 63 } },
	{ .name = "outwards by none", NO_EGRESS("n3"), PLAIN(GW, "n3", UDP("n3", 5, OUT, 54)) },
	{ .name = "a member by a public address is no member",
	  NO_INGRESS("g1"),
	  PLAIN("gw:globex/front", "g1", TCP("g1", 1, "203.0.113.11", 5432, SYN)) },
	{ .name = "the gateway answers who may send",
	  .on = "n1",
	  .verdict = BACK,
	  PLAIN(GW, "n1", ECHO("n1", GW, 9)),
	  .out = { ETH("n1", GW), ECHOED(GW, "n1", 9) } },
	{ .name = "and nobody else", NO_EGRESS("n2"), PLAIN(GW, "n2", ECHO("n2", GW, 9)) },
	{ .name = "ARP needs no rule",
	  .on = "n2",
	  .verdict = BACK,
	  .in = { ETH(ALL, "n2"), ARP(1, "n2", "n2", NULL, GW) },
	  .out = { ETH("n2", GW), ARP(2, GW, GW, "n2", "n2") } },
	{ .name = "a broadcast, by each member's rules",
	  .on = "n3",
	  .verdict = DROP,
	  .slow = true,
	  .copies = "n1 nh slow",
	  .in = { ETH(ALL, "n3"), UDP("n3", 5, "255.255.255.255", 53), .len = 4 } },
	{ .name = "a broadcast that may not leave",
	  NO_EGRESS("n3"),
	  .in = { ETH(ALL, "n3"), UDP("n3", 5, "255.255.255.255", 54), .len = 4 } },
	{ .name = "a broadcast to members of a group",
	  .on = "n1",
	  .verdict = DROP,
	  .slow = true,
	  .copies = "nh slow",
	  .in = { ETH(ALL, "n1"), UDP("n1", 5, "255.255.255.255", 2000), .len = 4 } },
	{ .name = "a broadcast of no member",
	  .on = "slow",
	  .verdict = DROP,
	  .slow = true,
	  .in = { ETH(ALL, "slow"), UDP("slow", 5, "255.255.255.255", 2000), .len = 4 } },
	{ .name = "multicast of a protocol",
	  .on = "n1",
	  .verdict = DROP,
	  .slow = true,
	  .copies = "nh slow",
	  .in = { ETH("01:00:5e:00:00:12", "n1"), IP("n1", "224.0.0.18", 47), .len = 20 } },
	{ .name = "a broadcast in fragments: the head",
	  .on = "n1",
	  .verdict = DROP,
	  .slow = true,
	  .copies = "nh slow",
	  .in = { ETH(ALL, "n1"), UDP("n1", 5, "255.255.255.255", 2000), .id = 3, .frag = MF, .udp_len = 88,
		  .len = 64 } },
	{ .name = "and its tail, which has no port of its own",
	  .on = "n1",
	  .verdict = DROP,
	  .slow = true,
	  .copies = "nh slow",
	  .in = { ETH(ALL, "n1"), UDP("n1", 5, "255.255.255.255", 2000), .id = 3, .frag = 9, .len = 16 } },
};

/* ---- changes ---------------------------------------------------------------------------------------------- */

static void change(const char *from, const char *to)
{
	const char *at = strstr(world_of_groups, from);
	size_t room = sizeof(world_of_groups) + strlen(to);
	char *text = malloc(room);

	if (!at || !text) {
		complain("the definition has no %s", from);
	} else {
		snprintf(text, room, "%.*s%s%s", (int)(at - world_of_groups), world_of_groups, to, at + strlen(from));
		if (world_apply(text))
			complain("a changed definition could not be applied");
	}
	free(text);
}

/* What `from` becoming `to` takes away is cut, be it by the opener's packet or by the answer's; another flow lives. */
static void a_change_cuts(enum hook hook, bool answer, const char *what, const char *from, const char *to)
{
	const struct frame ask = { ETH("n2", "n1"), TCP("n1", 1, "n2", 5432, SYN) };
	const struct frame reply = { ETH("n1", "n2"), TCP("n2", 5432, "n1", 1, SYN | ACK) };
	const struct frame still = { ETH(GW, "n2"), TCP("n2", 5432, "nb", 1, SYN | ACK) };
	struct flow flow;

	flows_clear();
	expect(SEND, "n1", hook, ask, "the first packet");
	expect(SEND, "n2", hook, reply, "its answer");
	expect(SEND, "nb", hook, (struct frame){ ETH(GWB, "nb"), TCP("nb", 1, "n2", 5432, SYN) }, "another flow");
	change(from, to);
	expect(DROP, answer ? "n2" : "n1", hook, answer ? reply : ask, "a packet afterwards");
	if (flow_find("acme", 6, "n1", 1, "n2", 5432, &flow) || flow_find("acme", 6, "n2", 5432, "n1", 1, &flow))
		complain("the flow is still there");
	expect(SEND, "n2", hook, still, "the other flow's answer");
	if (world_apply(world_of_groups))
		complain("the definition could not be applied again");
	expect(SEND, "n1", hook, ask, "a packet when it may again");
	result(true, "%s %s cuts its flows with the next %s, and no other", hook_name(hook), what,
	       answer ? "answer" : "packet");
}

static void another_group_changes(enum hook hook)
{
	const struct frame ask = { ETH("g2", "g1"), TCP("g1", 1, "g2", 5432, SYN) };
	struct flow was, now;

	flows_clear();
	expect(SEND, "g1", hook, ask, "the first packet");
	if (!flow_find("globex", 6, "g1", 1, "g2", 5432, &was))
		complain("there is no flow");
	change("ports: [80, 443, 8000-8080]", "ports: [81]");
	if (!flow_find("globex", 6, "g1", 1, "g2", 5432, &now) || port_read("g1").gen != was.val.gen)
		complain("another tenant's rules changed the generation");
	if (world_apply(world_of_groups))
		complain("the definition could not be applied again");
	result(true, "%s another tenant's rules are not this one's", hook_name(hook));
}

/* An address that two guests may use: each of them sends by its own rules, also in a flow that the other has opened. */
static void an_address_of_two(enum hook hook)
{
	const struct frame own = { ETH("nh", "slow"), UDP("slow", 7, "nh", 53) };
	const struct frame other = { ETH("nh", "n2"), UDP("slow", 7, "nh", 53) };

	flows_clear();
	change("addresses: [10.0.0.12], security_groups: [db]",
	       "addresses: [10.0.0.12], security_groups: [db], allowed_address_pairs: [10.0.0.15/32]");
	expect(SEND, "slow", hook, own, "its owner opens the flow");
	expect(DROP, "n2", hook, other, "one that may send nothing");
	if (world_apply(world_of_groups))
		complain("the definition could not be applied again");
	result(true, "%s an address of two guests is used by the rules of either", hook_name(hook));
}

void test_groups(void)
{
	if (world_apply(world_of_groups)) {
		result(false, "a definition with security groups");
		return;
	}
	ROWS(rules);
	ROWS(members);
	ROWS(public);
	for (int hook = HOOK_XDP; hook <= HOOK_TC; hook++) {
		for (int answer = 0; answer < 2; answer++) {
			a_change_cuts(hook, answer, "a membership taken away",
				      "security_groups: [web]}]\n        port_forwards",
				      "security_groups: [far]}]\n        port_forwards");
			a_change_cuts(hook, answer, "a rule taken away",
				      "remote_group: web}\n          - {proto: tcp, ports: 5432, remote_ip: 10.0.0.13}",
				      "remote_ip: 10.0.1.0/24}");
		}
		another_group_changes(hook);
		an_address_of_two(hook);
	}
	if (world_apply(definition))
		result(false, "the first definition again");
}
