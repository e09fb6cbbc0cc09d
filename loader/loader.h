/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The loader's public face: what the command line (or another program) may call. Opaque; never prints.
 * All functions return 0 or a negative errno and put what happened, with its cause and remedy, into `diag`.
 * -EINVAL together with findings that have a place means a bad definition. */
#ifndef GL_LOADER_H
#define GL_LOADER_H

#include "loader/diag.h"
#include "loader/model.h"
#include "maps/registry.h"

struct gl_host; /* one guestlane instance: its pins and its state directory */

struct gl_paths {
	const char *bpffs; /* NULL: /sys/fs/bpf/guestlane */
	const char *state; /* NULL: /run/guestlane */
};

/* Reads, parses, validates. `paths` may hold "-" once: standard input. Needs no privileges. */
int gl_definition_load(const char *const *paths, size_t count, struct gl_definition **ret, struct gl_diag *diag);

/* Opens an instance. Nothing is made; an instance that was never applied opens empty. */
int gl_host_open(const struct gl_paths *paths, struct gl_host **ret, struct gl_diag *diag);
void gl_host_close(struct gl_host *host);

/* ---- change ------------------------------------------------------------------------------------------------ */

enum gl_action { GL_ADD, GL_CHANGE, GL_REMOVE };

struct gl_plan_item {
	enum gl_action action;
	const char *kind; /* "tenant", "network", "interface", "uplink", "forward", "public address", "program", ... */
	char *name; /* "acme/front", "tap-web1", "203.0.113.10:8080/tcp" */
	char *detail; /* what changes, for people: "mac 52:… -> 52:…"; may be "" */
};
struct gl_plan {
	struct gl_plan_item *items; /* removals first, then changes, then additions; each by kind and name */
	size_t count;
	size_t map_entries; /* map entries to be written or removed */
	char **pending; /* taps that do not exist yet */
	size_t pending_count;
	char **notes; /* host-wide effects: reserved ports, forwarding on lo, promiscuous uplinks */
	size_t note_count;
};

/* def NULL stands for the empty definition. */
int gl_plan_build(struct gl_host *host, const struct gl_definition *def, struct gl_plan **ret, struct gl_diag *diag);
void gl_plan_free(struct gl_plan *plan);

/* Called as work goes on: step is a short phrase ("attach programs"), done of total. */
typedef void (*gl_progress_fn)(void *arg, const char *step, size_t done, size_t total);

/* All or nothing. Takes the lock; -EBUSY when another command has it for more than a few seconds.
 * *ret (may be NULL) gets what was done. */
int gl_apply(struct gl_host *host, const struct gl_definition *def, gl_progress_fn progress, void *arg,
	     struct gl_plan **ret, struct gl_diag *diag);
/* Detaches everything and removes every pin and state file, also those of another ABI version. */
int gl_delete_all(struct gl_host *host, gl_progress_fn progress, void *arg, struct gl_diag *diag);
/* Applies the last definition without one tenant. -ENOENT: no such tenant. */
int gl_delete_tenant(struct gl_host *host, const char *tenant, gl_progress_fn progress, void *arg, struct gl_plan **ret,
		     struct gl_diag *diag);

struct gl_filter {
	const char *tenant, *network, *tap; /* NULL: any */
};

/* Sends the router advertisement of its network to each attached guest interface that the filter (NULL: none) leaves.
 * Networks without one are passed over. *told gets how many interfaces were told. */
int gl_advertise(struct gl_host *host, const struct gl_filter *filter, size_t *told, struct gl_diag *diag);

/* ---- look -------------------------------------------------------------------------------------------------- */

/* The definition last applied; -ENOENT when none was. The host keeps it. */
int gl_applied(struct gl_host *host, const struct gl_definition **ret, struct gl_diag *diag);

struct gl_attachment {
	char tap[16];
	bool uplink;
	char tenant[GL_NAME_LEN], network[GL_NAME_LEN],
		guest[GL_NAME_LEN]; /* empty for uplinks; uplink name in `network` */
	bool pending; /* the device does not exist, or no longer carries the programs */
	const char *xdp; /* "native", "generic", "off" */
	const char *xdp_reason; /* why not native, for people; "" */
	const char *tc; /* "tcx", "clsact", "off" */
	uint32_t ifindex, slot;
	uint32_t mtu;
};
struct gl_map_fill {
	const char *map; /* "gl_l2", or "flows of TENANT" */
	uint64_t used, capacity;
};
struct gl_status {
	bool applied;
	uint64_t serial; /* commits so far */
	unsigned side;
	uint32_t abi;
	struct gl_attachment *attachments; /* uplinks first, then by name */
	size_t attachment_count;
	struct gl_map_fill *fills;
	size_t fill_count;
};
int gl_status_read(struct gl_host *host, struct gl_status **ret, struct gl_diag *diag);
void gl_status_free(struct gl_status *status);

/* What a flow is like. Addresses and ports are those before translation, or those after it, all of the same side. */
struct gl_flow_filter {
	struct gl_filter who;
	bool proto_given;
	uint8_t proto;
	struct gl_prefix src, dst; /* family 0: any */
	struct gl_port_span sport, dport; /* last 0: any */
	uint32_t states; /* bits, by enum gl_flow_state; 0: any */
	const char *group; /* admitted by this group at one of its ends; NULL: any */
};

/* Why one end of a flow let it through. */
struct gl_flow_end {
	const char *by; /* "network", "open", "public", "all", "rule"; NULL: that end is no guest's */
	const char *group; /* of the tenant; NULL: none */
	uint16_t rule; /* as in gl_rule_val; 0: none */
};

/* One flow, opener's direction, with its answers' counters beside it. Addresses of both families stand there as IPv6's,
 * network order, IPv4 as ::ffff:a.b.c.d (ip6.h). */
struct gl_flow_row {
	const char *tenant, *network, *tap; /* of the guest's side; network "" and tap "" when unknown */
	uint8_t proto;
	gl_ip6 src_be, dst_be;
	uint16_t sport, dport; /* host order; ICMP queries: sport is the identifier, dport 0 */
	bool translated;
	gl_ip6 nat_src_be, nat_dst_be;
	uint16_t nat_sport, nat_dport;
	const char *state; /* enum gl_flow_state in small letters: "new", "assured", "established" */
	const char *tcp_state; /* TCP: the same; NULL otherwise */
	uint64_t idle_ms, age_ms;
	uint64_t packets, bytes; /* opener's direction */
	uint64_t reply_packets, reply_bytes;
	bool from_uplink; /* opened from outside */
	struct gl_flow_end admitted[2]; /* by enum gl_direction: egress at the source, ingress at the target */
	bool stale; /* the verdict is of a configuration before this one; the next packet brings another */
};
/* Calls `row` for every flow, streaming; a non-zero return of it ends the walk. */
int gl_each_flow(struct gl_host *host, const struct gl_flow_filter *filter,
		 int (*row)(void *arg, const struct gl_flow_row *), void *arg, struct gl_diag *diag);
/* Takes the flows away that the filter (NULL: none) leaves, both directions of each; *deleted gets their number.
 * Endpoint-independent mappings stay. Takes the lock, as gl_apply() may be moving flows to another table. */
int gl_delete_flows(struct gl_host *host, const struct gl_flow_filter *filter, uint64_t *deleted, struct gl_diag *diag);

/* An endpoint-independent mapping: what a guest's address and port are outside, whatever the destination. */
struct gl_mapping_row {
	const char *tenant, *network, *tap;
	uint8_t proto;
	gl_ip6 inner_be, outer_be;
	uint16_t inner_port, outer_port; /* host order; ICMP: the identifier */
	uint64_t idle_ms, age_ms;
};
int gl_each_mapping(struct gl_host *host, const struct gl_filter *filter,
		    int (*row)(void *arg, const struct gl_mapping_row *), void *arg, struct gl_diag *diag);

struct gl_drop_row {
	const char *tenant, *network, *tap; /* "" where the interface is unknown */
	const char *reason, *help;
	uint64_t packets, bytes;
};
int gl_each_drop(struct gl_host *host, const struct gl_filter *filter,
		 int (*row)(void *arg, const struct gl_drop_row *), void *arg, struct gl_diag *diag);

struct gl_counter_row {
	const char *tenant, *network, *tap;
	bool uplink;
	struct gl_count_val from_guest, to_guest;
	uint64_t dropped; /* packets */
};
int gl_each_counter(struct gl_host *host, const struct gl_filter *filter,
		    int (*row)(void *arg, const struct gl_counter_row *), void *arg, struct gl_diag *diag);

/* Every entry in force of one map; key and value as in abi.h (per-CPU maps: summed). `label` is the tenant for flow
 * tables, "" otherwise. */
int gl_each_entry(struct gl_host *host, enum gl_map_id map,
		  int (*row)(void *arg, const char *label, const void *key, const void *val), void *arg,
		  struct gl_diag *diag);

#endif
