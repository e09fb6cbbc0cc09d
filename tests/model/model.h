/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A second opinion about every packet: guestlane's meaning written once more, as plain as can be, and held against the
 * real programs over random sequences. Nothing here knows the programs' code; addresses and ports are in host order.
 *
 *   addr.c     addresses of both families as numbers     pk.c       a packet in words, and its bytes
 *   def.c      what a definition means, taken from the parser's result
 *   rules.c    routes, security groups, translation      flows.c    connection state, TCP, expiry, legs
 *   judge.c    from a packet to its verdict              frags.c    fragments
 *   script.c   sequences as text                         gen.c      random sequences
 *   universe.c random definitions                        drive.c    the real programs
 *   tables.c   the real flow tables                      main.c     compare, shrink, report */
#ifndef GL_TEST_MODEL_H
#define GL_TEST_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "loader/model.h"
#include "maps/abi.h"

/* ---- packets ---------------------------------------------------------------------------------------------- */

#define F_FIN 1
#define F_SYN 2
#define F_RST 4
#define F_PSH 8
#define F_ACK 16
#define F_URG 32

#define ECHO4 8
#define ECHOED4 0
#define ECHO6 128
#define ECHOED6 129

#define M_EXT 11
struct pk {
	uint8_t dmac[6], smac[6];
	uint8_t family; /* 4 or 6 */
	uint8_t ttl, proto;
	uint32_t src, dst; /* numbers, as addr.c gives them */
	uint32_t id;
	uint16_t frag; /* as in IPv4's header */
	char ext[M_EXT + 1]; /* IPv6: extension headers by their letters; see pk.c */
	uint16_t sport, dport; /* ICMP queries: sport is the identifier, dport the sequence */
	uint32_t seq, ack;
	uint16_t win;
	uint8_t flags;
	uint16_t mss; /* TCP option, 0: none */
	int8_t scale; /* TCP option, -1: none */
	uint8_t type, code; /* ICMP */
	uint16_t mtu; /* ICMP, fragmentation needed or packet too big */
	bool nocheck; /* UDP without checksum */
	bool fix; /* quoted: its checksum completes to itself */
	uint16_t len; /* bytes of payload */
	uint16_t first; /* of fragments: where in the payload's pattern they begin */
	const struct pk *inner; /* ICMP errors */
	uint16_t quote; /* bytes of it */
};

#define PK_MAX 2048
size_t pk_build(const struct pk *pk, uint8_t *buf); /* a frame; room for PK_MAX */
uint16_t pk_l3_len(const struct pk *pk);
size_t pk_head_len(const struct pk *pk); /* before the transport header */
uint8_t pk_part_proto(const struct pk *pk); /* that its fragments name */
size_t pk_behind_len(const struct pk *pk);
size_t pk_part_len(const struct pk *pk); /* of a fragment, what it holds of its datagram */
uint8_t pk_asks(const struct pk *pk); /* an ICMP query, or the answer to one */
bool pk_is_icmp(const struct pk *pk);
bool pk_is_error(const struct pk *pk);
bool pk_is_too_big(const struct pk *pk);
bool pk_is_fragment(const struct pk *pk);
bool pk_is_tail(const struct pk *pk);
bool pk_is_head(const struct pk *pk); /* of several */
uint8_t icmp_proto(unsigned family);
bool pk_exts_pass(const struct pk *pk); /* are the extension headers in bounds and order? */

/* ---- addresses -------------------------------------------------------------------------------------------- */

#define ADDR_TEXT 48
void addr_bytes(unsigned family, uint32_t addr, uint8_t *to);
uint32_t addr_number(unsigned family, const uint8_t *bytes);
void addr_reset(void);
bool addr_is_link(unsigned family, uint32_t addr);
bool addr_is_martian(unsigned family, uint32_t addr);
bool addr_is_multicast(unsigned family, uint32_t addr);
uint32_t addr_eui64(uint32_t subnet, const uint8_t mac[6]);
void addr_print(unsigned family, uint32_t addr, char *to); /* room for ADDR_TEXT */
bool addr_parse(const char *text, uint32_t *ret);
bool prefix_holds(const struct gl_prefix *prefix, unsigned family, uint32_t addr);
char *text6(const char *text);

/* ---- definitions ------------------------------------------------------------------------------------------ */

#define M_TENANTS 4
#define M_NETS 16
#define M_PORTS 24
#define M_SPANS 4
#define M_UPLINK 100 /* as a port's or a target's number */
#define M_SCOPE_UPLINK 200 /* as a network's number */

struct m_net {
	const struct gl_network *def; /* NULL: not in this definition */
	unsigned tenant;
	const struct gl_prefix *subnet; /* NULL: none of this family */
	uint32_t base, gw, link; /* IPv6: the gateway's link-local address */
	uint8_t gw_mac[6];
	struct gl_port_span spans[M_SPANS]; /* of every address */
	unsigned span_count;
	uint32_t pool[GL_NET_POOL];
	unsigned pool_count;
};

struct m_port {
	const struct gl_interface *def;
	unsigned tenant, net;
	uint8_t mac[6];
	uint32_t addr, slaac, link, floating; /* 0: none */
	uint32_t mtu;
};

#define M_FAMILY(family) ((family) == 6) /* where it stands in an array by family */

/* As one family sees it. */
struct m_def {
	unsigned family;
	struct gl_definition *parsed;
	struct m_net nets[M_NETS]; /* by number of the name, the same in all definitions */
	struct m_port ports[M_PORTS];
	const struct gl_tenant *tenants[M_TENANTS];
	uint32_t gen[M_TENANTS]; /* of the loader's making: ICMP errors open nothing, and so belong to no older flow */
};

int def_read(const char *text, unsigned family, struct m_def *ret); /* complains and returns -EINVAL */
void def_free(struct m_def *def);
void names_reset(void); /* forgets the numbers of names */
unsigned tenant_number(const char *name);
unsigned net_number(const char *tenant, const char *net);
unsigned port_number(const char *dev);
const char *port_name(unsigned port);
const char *tenant_name(unsigned tenant);
const char *net_name(unsigned net); /* TENANT/NETWORK */
unsigned port_count(void);

/* ---- connection state ------------------------------------------------------------------------------------- */

struct m_key {
	uint32_t src, dst;
	uint16_t sport, dport;
	uint8_t family;
	uint8_t scope; /* a network's number or M_SCOPE_UPLINK */
	uint8_t proto;
	uint8_t kind; /* enum gl_flow_kind */
};

/* What one end of a TCP connection has said (RFC 9293). */
struct m_tcp {
	uint8_t flags; /* all of them */
	uint32_t end; /* behind the last byte it sent */
	uint32_t ack;
	uint32_t window; /* bytes */
	uint8_t scale;
	int8_t offered; /* scale of its SYN, -1: none */
	uint32_t syn; /* number of its SYN */
	bool pending; /* which was seen in a flow that was open already, and is not answered yet */
};

/* A bit for a tenant's group and its rule, or M_ADMIT_ALL; both from 0. */
#define M_ADMIT_GROUPS 8
#define M_ADMIT_ALL 7
#define M_ADMIT(group, rule) (1ull << (8 * (group) + (rule)))

struct m_entry {
	bool used;
	unsigned tenant;
	struct m_key key;
	uint32_t gen;
	const struct m_def *asked; /* evaluated by each definition, whatever the loader thinks of the change */
	const struct m_def *chosen; /* where its translated port is from */
	bool reply, rewrite, routed, to_uplink, hairpin, mapped;
	enum gl_flow_state state;
	unsigned out, in; /* ports */
	uint8_t dmac[6], smac[6];
	uint32_t nsrc, ndst;
	uint16_t nsport, ndport;
	uint8_t peer_scope;
	uint32_t mtu;
	uint16_t mss[2]; /* of its guests' networks, as gl_network_val.mss */
	uint64_t packets, bytes;
	uint32_t idle; /* seconds since its last packet */
	struct m_tcp tcp;
	enum gl_admit how[2]; /* by enum gl_direction */
	uint64_t admits[2]; /* the rules that do, M_ADMIT() of each */
};

#define M_FRAG_UNITS 256 /* of 8 bytes, of one datagram */
#define M_FRAG_SHARE 2 /* datagrams of one tenant */
struct m_frag {
	bool used;
	uint8_t family;
	uint32_t src, dst, id;
	uint16_t sport, dport;
	uint8_t transport;
	uint8_t proto, scope;
	unsigned tenant;
	uint32_t idle;
	unsigned total; /* units, once its last fragment has been seen */
	bool seen[M_FRAG_UNITS];
};

#define M_ENTRIES 512
#define M_FRAGS 64
struct m_state {
	struct m_entry entries[M_ENTRIES];
	unsigned top; /* entries below may be used */
	struct m_frag frags[M_FRAGS];
};

/* ---- verdicts --------------------------------------------------------------------------------------------- */

enum m_end { M_DROP, M_PASS, M_SEND };

struct m_verdict {
	enum m_end end;
	enum gl_drop reason; /* M_DROP; M_SEND when it was dropped and answered */
	unsigned out; /* M_SEND: to this port */
	bool free_macs; /* the kernel finds the neighbour */
	uint16_t len;
	uint8_t bytes[PK_MAX];
	struct pk pk; /* what the bytes say, in the model's verdict */
	struct pk inner;
};

/* What the real programs chose where they may: asked by the model, checked by it. False: they chose nothing. */
struct m_oracle {
	bool (*chosen)(unsigned tenant, const struct m_key *key, uint32_t *addr, uint16_t *port);
};

struct m_model {
	const struct m_def *def;
	struct m_state *state;
	const struct m_oracle *oracle;
	uint8_t uplink_mac[6];
	bool or_exhausted; /* GL_DROP_NAT_EXHAUSTED would do as well as a full table */
	char complaint[256]; /* a choice that was not free to make */
};

void judge(struct m_model *m, unsigned port, const struct pk *pk, struct m_verdict *ret);

/* What a leg of the way needs to know, and what it finds. */
struct m_leg {
	const struct pk *pk;
	struct m_key key;
	unsigned tenant;
	unsigned port; /* it comes by */
	bool from_uplink, hairpin, related;
	bool opens; /* an ICMP query that asks, or no ICMP query */
	struct m_entry *entry;
	bool answered; /* by the gateway */
	bool host; /* the host's */
};

enum gl_drop leg_run(struct m_model *m, struct m_leg *leg);

/* An evaluated opening. */
struct m_opening {
	struct m_key key;
	unsigned tenant, port;
	bool from_uplink, hairpin, echo, frag;
	uint8_t dmac[6], smac[6];
	struct m_entry val; /* the opener's */
	unsigned target; /* guest's port, or M_UPLINK */
	bool asked_for; /* by a forward or a floating IP */
	bool translate; /* to a port of a pool */
	bool answered, host;
};
enum gl_drop rules_route(const struct m_model *m, struct m_opening *o);
enum gl_drop rules_policy(const struct m_model *m, struct m_opening *o);
/* Translates the source; `old` is what the flow had in an earlier generation. */
enum gl_drop rules_source(struct m_model *m, struct m_opening *o, const struct m_entry *old);
bool rules_may_use(const struct m_model *m, unsigned port, uint32_t addr);
bool rules_is_public(const struct m_model *m, uint32_t addr);
enum gl_drop rules_owner(const struct m_model *m, const struct m_key *key, unsigned *tenant, bool *host);
bool rules_is_host(uint32_t addr);
#define M_HOST 0xc0000201 /* 192.0.2.1 */

/* flows.c */
struct m_entry *flow_find_key(struct m_state *s, unsigned tenant, const struct m_key *key);
void flow_peer(const struct m_entry *e, struct m_key *ret);
struct m_entry *flow_entry(struct m_model *m, unsigned tenant, const struct m_key *key); /* NULL: no room */
void flow_remove(struct m_state *s, unsigned tenant, const struct m_key *key);
void mapping_remove(struct m_state *s, const struct m_entry *mapping);
size_t flow_capacity(const struct m_model *m, unsigned tenant); /* entries */
size_t flow_used(const struct m_state *s, unsigned tenant, unsigned family);
void state_clear(struct m_state *s);
void state_age(struct m_state *s, uint32_t seconds);
#define M_SWEEPS 3
void state_sweep(struct m_state *s, const struct m_def *def);
void state_delete(struct m_state *s, unsigned tenant, unsigned family, uint8_t proto);
bool key_equal(const struct m_key *a, const struct m_key *b);

/* tcp.c */
/* May the packet open a flow, and how does it begin? */
enum gl_drop tcp_open(struct m_entry *opener, struct m_entry *answer, const struct pk *pk, bool pickup);
/* A segment of a flow that is there. *fresh: it begins a new one. */
enum gl_drop tcp_segment(struct m_entry *from, struct m_entry *to, const struct pk *pk, bool *fresh);

/* frags.c */
/* Before the flow is asked for. */
enum gl_drop frag_find(struct m_model *m, uint8_t scope, const struct pk *pk, struct m_key *key);
/* A head goes on. */
enum gl_drop frag_head(struct m_model *m, uint8_t scope, const struct pk *pk, const struct m_key *key, unsigned tenant);

/* ---- sequences -------------------------------------------------------------------------------------------- */

enum m_op_kind { OP_SEND = 0, OP_REPLY, OP_ERROR, OP_USE, OP_AGE, OP_SWEEP, OP_DELETE };

struct m_op {
	int id; /* others refer to it */
	enum m_op_kind kind;
	int ref; /* OP_REPLY, OP_ERROR: the packet that came out of it */
	unsigned port; /* OP_SEND */
	char to[16]; /* OP_SEND: "gw", a tap, or a MAC that nobody has */
	struct pk pk; /* OP_REPLY: without addresses */
	int shift; /* OP_REPLY: added to the source port. OP_ERROR: to the quoted source port */
	uint32_t from; /* OP_ERROR: its source, 0: who was sent to */
	unsigned number; /* OP_USE: definition. OP_AGE: seconds. OP_DELETE: tenant */
	bool xdp;
	bool back; /* OP_ERROR: quotes what the far end would have sent; never fits */
};

#define M_OPS 64
struct m_sequence {
	struct m_op ops[M_OPS];
	unsigned count;
};

void op_print(FILE *to, const struct m_op *op);
bool op_parse(const char *line, struct m_op *ret);
void op_to6(struct m_op *op);

/* gen.c, universe.c */
void random_seed(uint64_t seed);
uint32_t random_below(uint32_t n);
bool chance(unsigned percent);
#define M_IPV4 1
#define M_IPV6 2
#define M_BOTH 3
char *
universe_make(unsigned families); /* YAML of two definitions, each behind a line "--- a" and "--- b"; caller frees */
void sequence_make(const struct m_def defs[2][2], unsigned families, struct m_sequence *ret);

/* ---- the real programs ------------------------------------------------------------------------------------ */

int real_open(void);
void real_close(void);
/* `defs` by family, then by definition. */
int real_define(const char *a, const char *b, struct m_def defs[2][2]); /* both are applied, a is in force */
void real_use(unsigned which);
void real_mac(unsigned port, uint8_t mac[6]);
enum gl_drop real_reason(unsigned port, enum gl_drop wanted); /* of the last drop; looks for `wanted` first */
bool real_sent(unsigned port); /* was one packet sent to it since it was last asked? */
void real_begin(bool ipv4, bool ipv6); /* families of the sequence at hand */
void real_count(void); /* begins to count anew what is sent and dropped */
void real_frags(unsigned port, const struct pk *pk); /* a fragment is on its way */
void real_run(unsigned port, bool xdp, const uint8_t *bytes, size_t len, struct m_verdict *ret);
void real_age(uint32_t seconds);
void real_sweep(void);
void real_sweep_frags(void);
void real_delete(unsigned tenant, unsigned family, uint8_t proto);
/* Empties everything; what was there is held against the model. False: *what says the difference. */
bool real_finish(const struct m_state *state, char *what, size_t size);
extern const struct m_oracle real_oracle;

#endif
