/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The flows of all tenants as rows: the opener's direction with its answers beside it, and endpoint-independent
 * mappings. Neighbours: loader.h, flowwalk.h. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "loader/flowwalk.h"

struct shown {
	struct gl_flow_walk walk; /* first: found() gets it */
	uint32_t now;
	int (*flow)(void *arg, const struct gl_flow_row *);
	int (*mapping)(void *arg, const struct gl_mapping_row *);
	void *arg;
};

static uint64_t ago_ms(uint32_t now, uint32_t then)
{
	return now > then ? (uint64_t)(now - then) * 1000 : 0;
}

/* Seconds of the clock that flows are stamped with. */
static uint32_t flow_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

static struct gl_flow_end flow_end(const struct gl_mapset *live, const struct gl_admitted *a)
{
	struct gl_flow_end end = { .by = a->how ? gl_admit_name(a->how) : NULL };
	const char *name, *slash;

	if (a->how != GL_ADMIT_ALL && a->how != GL_ADMIT_RULE)
		return end;
	name = gl_name_of(live, GL_NAME_GROUP, a->group);
	slash = strchr(name, '/');
	end.group = slash ? slash + 1 : "?"; /* gone with the configuration that had it */
	end.rule = a->how == GL_ADMIT_RULE ? a->number : 0;
	return end;
}

/* The generation in force is that of the tenant's interfaces. */
static bool is_stale(const struct gl_flow_walk *w, const struct gl_flow6_val *val)
{
	const struct gl_port_val *guest = gl_port_of(w->live, w->outside ? val->out_slot : val->in_slot);

	return !guest || guest->kind != GL_PORT_GUEST || guest->gen != val->gen;
}

static int on_flow(struct gl_flow_walk *w, const struct gl_flow *flow)
{
	const struct shown *shown = (struct shown *)w;
	const struct gl_flow6_key *key = &flow->key, peer = gl_flow_peer(flow);
	const struct gl_flow6_val *val = &flow->val;
	struct gl_flow_row row = { 0 };
	struct gl_flow back = { 0 };
	uint32_t seen = val->last_seen;

	if (!gl_flow_find(w, &peer, &back) && back.val.last_seen > seen)
		seen = back.val.last_seen;
	row.tenant = w->table->name;
	row.network = w->label.network;
	row.tap = w->label.tap;
	row.proto = key->proto;
	row.src_be = key->src_be;
	row.dst_be = key->dst_be;
	row.sport = ntohs(key->sport_be);
	row.dport = gl_flow_dport(key->proto, key->dport_be);
	row.nat_src_be = val->new_src_be;
	row.nat_dst_be = val->new_dst_be;
	row.nat_sport = ntohs(val->new_sport_be);
	row.nat_dport = gl_flow_dport(key->proto, val->new_dport_be);
	row.translated = gl_ip6_compare(&row.nat_src_be, &row.src_be) || gl_ip6_compare(&row.nat_dst_be, &row.dst_be) ||
			 row.nat_sport != row.sport || row.nat_dport != row.dport;
	row.state = gl_flow_state_name(val->state);
	row.tcp_state = key->proto == IPPROTO_TCP ? row.state : NULL;
	row.idle_ms = ago_ms(shown->now, seen);
	row.age_ms = ago_ms(shown->now, val->created);
	row.packets = val->packets;
	row.bytes = val->bytes;
	row.reply_packets = back.val.packets;
	row.reply_bytes = back.val.bytes;
	row.from_uplink = w->outside;
	for (int dir = 0; dir < 2; dir++)
		row.admitted[dir] = flow_end(w->live, &val->admitted[dir]);
	row.stale = is_stale(w, val);
	return shown->flow(shown->arg, &row);
}

static int on_mapping(struct gl_flow_walk *w, const struct gl_flow *flow)
{
	const struct shown *shown = (struct shown *)w;
	const struct gl_flow6_key *key = &flow->key;
	const struct gl_flow6_val *val = &flow->val;

	return shown->mapping(shown->arg, &(struct gl_mapping_row){
						  .tenant = w->table->name,
						  .network = w->label.network,
						  .tap = w->label.tap,
						  .proto = key->proto,
						  .inner_be = key->src_be,
						  .inner_port = ntohs(key->sport_be),
						  .outer_be = val->new_src_be,
						  .outer_port = ntohs(val->new_sport_be),
						  .idle_ms = ago_ms(shown->now, val->last_seen),
						  .age_ms = ago_ms(shown->now, val->created),
					  });
}

static int show(struct gl_host *host, struct shown *shown, struct gl_diag *diag)
{
	struct gl_view view;
	int err = gl_view_read_some(host, 0, &view, diag);

	if (err)
		return err;
	shown->now = flow_clock();
	err = gl_flow_walk(host, &view, &shown->walk, diag);
	gl_view_clear(&view);
	return err < 0 ? err : 0;
}

int gl_each_flow(struct gl_host *host, const struct gl_flow_filter *filter,
		 int (*row)(void *arg, const struct gl_flow_row *), void *arg, struct gl_diag *diag)
{
	struct shown shown = { .walk = { .filter = filter, .kind = GL_FLOW_PACKETS, .found = on_flow },
			       .flow = row,
			       .arg = arg };

	return show(host, &shown, diag);
}

int gl_each_mapping(struct gl_host *host, const struct gl_filter *filter,
		    int (*row)(void *arg, const struct gl_mapping_row *), void *arg, struct gl_diag *diag)
{
	const struct gl_flow_filter who = { .who = filter ? *filter : (struct gl_filter){ 0 } };
	struct shown shown = { .walk = { .filter = &who, .kind = GL_FLOW_MAPPING, .found = on_mapping },
			       .mapping = row,
			       .arg = arg };

	return show(host, &shown, diag);
}
