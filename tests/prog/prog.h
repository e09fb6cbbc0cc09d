/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Tables of packets through the programs: a row says what goes in and all that may come of it, and is run on every
 * hook over the real maps. Rows are written in the words of IPv4 and run for both families: family.c says what they
 * mean in IPv6, `.ip` marks those that one family alone has.
 * Neighbours: frame.c (bytes of a packet), family.c, devices.c and world.c (the host, the definition), names.c (what
 * names stand for), flows.c (what the programs keep), run.c (one row), rows_*.c (the tables), main.c (the order). */
#ifndef GL_PROG_H
#define GL_PROG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loader/object.h"
#include "maps/abi.h"

/* ---- families --------------------------------------------------------------------------------------------- */

/* Of the family at hand, which is world.family. */
struct ip {
	uint8_t bytes[16], len;
};
/* Which family a row is about; ALONE: and the definition has no other one. */
enum { V4_ONLY = 4, V6_ONLY = 6, V4_ALONE = 14, V6_ALONE = 16 };
/* a.b.c.d is that address behind a fixed prefix of 96 bits, so that subnets are subnets and prefixes prefixes. Those
 * that mean something to everybody become what IPv6 has in their place: ::, ::1, ff02::1, groups of the link. */
struct ip ip_of(uint32_t v4_be);
struct gl_ip6 ip_in_stat(struct ip ip); /* as gl_tenant_stat has it */
char *family_text(const char *text); /* a definition; caller frees */
uint8_t family_proto(uint8_t proto); /* ICMP is ICMPv6 */
enum gl_drop family_drop(enum gl_drop drop); /* ARP's reasons are neighbour discovery's */
enum gl_map_id family_map(enum gl_map_id of_ipv4);
void family_icmp(uint8_t *type, uint8_t *code);
size_t ip_hlen(void); /* without options or extension headers: 20 or 40 */
size_t l4_at(const uint8_t *frame); /* where the transport header begins, of an untagged frame */
uint16_t get16(const uint8_t *at);
uint16_t sport_of(const uint8_t *frame);
uint16_t dport_of(const uint8_t *frame);
uint8_t *addr_at(const uint8_t *frame, int which); /* 0: source, 1: destination */
bool sum_is_good(const uint8_t *frame, size_t len); /* the transport's checksum, whole */

/* ---- packets ---------------------------------------------------------------------------------------------- */

enum check {
	CHECK_GOOD = 0,
	CHECK_NONE, /* UDP: 0 */
	CHECK_PARTIAL, /* the pseudo-header's sum alone */
};

/* A packet in words. Addresses are literals or names: a guest's tap, "gw:TENANT/NETWORK", "wan", "hop". Zeroed fields
 * have the value that a well-formed packet has. */
struct frame {
	const char *dmac, *smac;
	uint16_t vlan, ethertype; /* ethertype 0: IP of the family, or ARP or neighbour discovery by arp_op */
	uint16_t service_tag; /* 1: with an 802.1ad tag */

	uint16_t arp_op;
	const char *arp_smac, *arp_tmac; /* NULL: zeroes */
	const char *arp_sip, *arp_tip;

	const char *src, *dst;
	uint8_t ttl, proto; /* ttl 0: 64 */
	bool proto0; /* protocol 0 */
	uint8_t version, version_ihl; /* 0: fits */
	uint16_t id, frag; /* frag: as in the header */
	uint16_t total; /* 0: fits */
	uint32_t option; /* host order; 0: none. Router alert is IPv6's, too */

	/* IPv6 alone: extension headers by letter, frame.c says which; where they end early, the payload's length (and
	 * 1), number behind the last header */
	const char *ext;
	uint32_t payload;
	bool ipv4; /* in IPv6's turn: an IPv4 packet */

	uint16_t sport, dport; /* ICMP queries: sport is the identifier, dport the sequence */
	uint8_t flags; /* TCP */
	uint8_t offset; /* TCP, in words; 0: fits */
	bool exact; /* TCP: seq, ack and win as they are, not those of a flow's first packets */
	uint32_t seq, ack;
	uint16_t win;
	const char *options; /* TCP */
	uint8_t options_len;
	uint16_t udp_len; /* 0: fits */
	uint8_t type, code; /* ICMP, in IPv4's numbers (protocol 1), or ICMPv6 (58) */
	uint16_t mtu; /* ICMP: fragmentation needed */
	/* Neighbour discovery: type 133 to 137 of protocol 58 */
	const char *target; /* address */
	uint8_t nd_flags; /* 0x80 router, 0x40 solicited, 0x20 override */
	const char *lladdr; /* MAC of a link-layer option; its kind is what the message has */
	enum check check;

	const struct frame *quote; /* ICMP errors */
	uint16_t quote_len; /* bytes behind the quoted IP header */
	bool quote_own; /* the gateway's: of IPv6 it quotes all that it has room for */
	bool quote_fix; /* the quoted checksum has the value that icmp.h gives it */
	const char *chaddr; /* DHCP: 240 bytes of message with it */

	uint16_t len; /* bytes of payload */
	uint16_t pad; /* bytes behind the packet */
	uint16_t cut; /* the frame's length, where shorter than it should be; with `payload` as it is */
};

#define FRAME_MAX 4096
#define FRAME_ISN 0x01020304u /* TCP: where either end begins */
#define ETH(d, s) .dmac = (d), .smac = (s)
#define IP(s, d, p) .src = (s), .dst = (d), .proto = (p)
#define UDP(s, sp, d, dp) IP(s, d, 17), .sport = (sp), .dport = (dp)
#define TCP(s, sp, d, dp, f) IP(s, d, 6), .sport = (sp), .dport = (dp), .flags = (f)
#define ECHO(s, d, i) IP(s, d, 1), .type = 8, .sport = (i), .dport = 1
#define ECHOED(s, d, i) IP(s, d, 1), .type = 0, .sport = (i), .dport = 1
#define ARP(op, sm, si, tm, ti) .arp_op = (op), .arp_smac = (sm), .arp_sip = (si), .arp_tmac = (tm), .arp_tip = (ti)
#define ALL "ff:ff:ff:ff:ff:ff"
#define FIN 1
#define SYN 2
#define RST 4
#define ACK 16
#define MF 0x2000
#define DF 0x4000

size_t frame_build(const struct frame *f, uint8_t *buf); /* room for FRAME_MAX */
uint16_t sum16(const void *bytes, size_t len, uint32_t sum); /* folded, not complemented */
void hex(const char *title, const uint8_t *bytes, size_t len);

/* ---- the world -------------------------------------------------------------------------------------------- */

struct dev {
	char name[16];
	int tap; /* fd */
	uint32_t ifindex, mtu, slot;
	bool xdp_out;
};

struct world {
	uint8_t family; /* 4 or 6: what packets, names and definitions are made of */
	bool both; /* but definitions have both: dual stack */
	struct gl_object obj;
	struct dev devs[48];
	size_t dev_count;
	int native[2]; /* the native hook's programs as test runs can have them: guests', uplinks' */
	int tables[64], tables6[64]; /* flow tables by tenant, of each family, -1: none */
	unsigned side;
	char dir[64]; /* the bpffs */
};
extern struct world world;
extern const char *const definition; /* the one most rows are about */

int world_open(void);
void world_close(void);
/* Gives an object that is open the world's maps. */
struct bpf_object;
int share_maps(struct bpf_object *obj);
int world_family(uint8_t of, bool both); /* 4 or 6: the first definition, in that family's words or in both */
int world_apply(const char *text); /* makes a definition, of IPv4's words, the one in force */
int make_devices(void);
void apply_with(const char *from, const char *to); /* that one with a text in another's place; complains */
void back(void); /* that one again */
extern struct gl_definition *in_force;
struct dev *dev_by_name(const char *name);
void name_mac(const char *name, uint8_t mac[6]);
struct ip name_ip(const char *name); /* also "ll:NAME": link-local; "sn:NAME": solicited-node group; IPv6 literals */
const struct gl_interface *guest_by_tap(const char *tap);
uint32_t tenant_by_name(const char *name);
bool group_name(uint32_t group, char name[2 * GL_NAME_LEN]); /* "TENANT/GROUP" */
void flows_clear(void); /* flows, fragments, drops, traffic, frames in the taps */
void counts_clear(void); /* the last three of them */
size_t flow_count(const char *tenant);
/* An entry of either family; IPv4 addresses are in the first word. */
struct flow {
	struct gl_flow6_key key;
	struct gl_flow6_val val;
};
int flow_table(const char *tenant);
bool flow_next(const char *tenant, struct flow *flow, bool first); /* one after the other */
bool flow_read(const char *tenant, struct flow *flow); /* the value, by its key */
bool flow_delete(const char *tenant, const struct flow *flow);
/* Datagrams in fragments, one after the other. */
struct frag {
	uint8_t key[sizeof(struct gl_frag6_key)];
	struct gl_frag_val val;
};
bool frag_next(struct frag *frag, bool first);
void frag_write(const struct frag *frag);
uint32_t frag_id(const struct frag *frag);
/* The entry of that tuple. False: there is none. */
bool flow_find(const char *tenant, uint8_t proto, const char *src, uint16_t sport, const char *dst, uint16_t dport,
	       struct flow *ret);
bool flow_put(const char *tenant, const struct flow *flow);
struct gl_port_val port_read(const char *dev);
void port_write(const char *dev, const struct gl_port_val *val);

/* ---- rows ------------------------------------------------------------------------------------------------- */

enum hook { HOOK_XDP = 1, HOOK_TC = 2, HOOK_GENERIC = 4 };
enum verdict {
	DROP = 0, /* without `drop`: the frame has done its work */
	PASS,
	SEND, /* to `to` */
	BACK, /* to where it came from */
};
enum program { FROM = 0, TO_GUEST }; /* FROM: a guest or an uplink, as the device is one */

struct row {
	const char *name;
	const char *on; /* device */
	struct frame in;
	enum verdict verdict;
	const char *to;
	struct frame out; /* no MACs: as it came */
	enum gl_drop drop;
	const char *copies; /* devices that get a copy, blanks between */
	bool slow; /* native XDP leaves it to TC; generic XDP leaves all that may pass */
	bool free_port; /* the source port of what comes out is not foreseen */
	int only; /* enum hook, or-ed; 0: all */
	uint8_t ip; /* V4_ONLY and the like; 0: both */
	uint16_t gso;
	uint32_t mark;
	enum program program;
	void (*before)(void);
	bool (*after)(void); /* false: wrong */
};

struct run {
	int verdict; /* as returned */
	uint8_t out[FRAME_MAX];
	uint32_t out_len;
};
/* Runs one program once: 0 or a negative errno. */
int prog_run(int fd, enum hook hook, const struct dev *dev, const uint8_t *in, size_t len, const struct row *row,
	     struct run *ret);
int prog_of(const struct dev *dev, enum hook hook);
/* One packet outside of a table, as a host would treat it: TC gets what XDP leaves to it. Returns TC's or XDP's
 * verdict in words. */
enum verdict packet(const char *on, enum hook hook, const struct frame *f, struct run *ret);
/* Complains about another verdict; `what` says which packet it was. */
void expect(enum verdict verdict, const char *on, enum hook hook, struct frame f, const char *what);
uint64_t drops(const char *on, enum gl_drop reason);
void rows_run(const char *table, const struct row *rows, size_t count);
#define ROWS(table) rows_run(#table, table, sizeof(table) / sizeof(*(table)))
extern bool provoked[GL_DROP_COUNT];
const char *hook_name(enum hook hook);

/* ---- tests ------------------------------------------------------------------------------------------------ */

extern unsigned passed, failed, skipped;
void result(bool good, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void rows_guest(void);
void rows_refused(void);
void rows_public(void);
void rows_bridge(void);
void rows_errors(void);
void rows_ipv6(void);
void test_extensions(void);
void test_states(void);
void test_tcp(void);
void test_limits(void);
void test_fragments(void);
void test_nat(void);
void test_edges(void);
void test_changes(void);
void test_sweeper(void);
void test_registry(void);
void test_lookups(void);
void test_isolation(void);
void test_nd(void);
void test_link(void);
void test_ra(void);
void test_groups(void);
void test_rules(void);

#endif
