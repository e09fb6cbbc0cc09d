/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Tables of packets through the programs: a row says what goes in and all that may come of it, and is run on every
 * hook over the real maps. Neighbours: frame.c (bytes of a packet), world.c (devices and definition), run.c (one
 * row), rows_*.c (the tables), main.c (the order of tests and the last line). */
#ifndef GL_PROG_H
#define GL_PROG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loader/object.h"
#include "maps/abi.h"

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
	uint16_t vlan, ethertype; /* ethertype 0: IPv4, or ARP where arp_op says so */
	uint16_t service_tag; /* 1: with an 802.1ad tag */

	uint16_t arp_op;
	const char *arp_smac, *arp_tmac; /* NULL: zeroes */
	const char *arp_sip, *arp_tip;

	const char *src, *dst;
	uint8_t ttl, proto; /* ttl 0: 64 */
	bool proto0; /* protocol 0 */
	uint8_t version_ihl; /* 0: fits */
	uint16_t id, frag; /* frag: as in the header */
	uint16_t total; /* 0: fits */
	uint32_t option; /* host order; 0: none */

	uint16_t sport, dport; /* ICMP queries: sport is the identifier, dport the sequence */
	uint8_t flags; /* TCP */
	uint8_t offset; /* TCP, in words; 0: fits */
	bool exact; /* TCP: seq, ack and win as they are, not those of a flow's first packets */
	uint32_t seq, ack;
	uint16_t win;
	const char *options; /* TCP */
	uint8_t options_len;
	uint16_t udp_len; /* 0: fits */
	uint8_t type, code; /* ICMP */
	uint16_t mtu; /* ICMP: fragmentation needed */
	enum check check;

	const struct frame *quote; /* ICMP errors */
	uint16_t quote_len; /* bytes behind the quoted IP header */
	bool quote_fix; /* the quoted checksum has the value that icmp.h gives it */
	const char *chaddr; /* DHCP: 240 bytes of message with it */

	uint16_t len; /* bytes of payload */
	uint16_t pad; /* bytes behind the packet */
	uint16_t cut; /* the frame's length, where shorter than it should be */
};

#define FRAME_MAX 4096
#define FRAME_ISN 0x01020304u /* TCP: where either end begins */
#define ETH(d, s) .dmac = (d), .smac = (s)
#define IPV4(s, d, p) .src = (s), .dst = (d), .proto = (p)
#define UDP(s, sp, d, dp) IPV4(s, d, 17), .sport = (sp), .dport = (dp)
#define TCP(s, sp, d, dp, f) IPV4(s, d, 6), .sport = (sp), .dport = (dp), .flags = (f)
#define ECHO(s, d, i) IPV4(s, d, 1), .type = 8, .sport = (i), .dport = 1
#define ECHOED(s, d, i) IPV4(s, d, 1), .type = 0, .sport = (i), .dport = 1
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
	struct gl_object obj;
	struct dev devs[48];
	size_t dev_count;
	int native[2]; /* the native hook's programs as test runs can have them: guests', uplinks' */
	int tables[64]; /* flow tables by tenant, -1: none */
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
int world_apply(const char *text); /* makes a definition the one in force */
void apply_with(const char *from, const char *to); /* that one with a text in another's place; complains */
void back(void); /* that one again */
struct dev *dev_by_name(const char *name);
void name_mac(const char *name, uint8_t mac[6]);
uint32_t name_ip(const char *name);
uint32_t tenant_by_name(const char *name);
bool group_name(uint32_t group, char name[2 * GL_NAME_LEN]); /* "TENANT/GROUP" */
void flows_clear(void); /* flows, fragments, drops, traffic, frames in the taps */
void counts_clear(void); /* the last three of them */
size_t flow_count(const char *tenant);
/* The entry of that tuple; scope is a guest's tap (its network), or "wan". False: there is none. */
struct flow {
	struct gl_flow4_key key;
	struct gl_flow4_val val;
};
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
void test_groups(void);
void test_rules(void);

#endif
