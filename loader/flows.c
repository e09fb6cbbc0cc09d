/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The flows of all tenants, one row per flow: the opener's direction with its answers beside it. Streams: a table of
 * millions is read in batches. Neighbours: loader.h, flowtable.h, labels.h. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "loader/bpffs.h"
#include "loader/fail.h"
#include "loader/host.h"
#include "loader/labels.h"
#include "loader/snapshot.h"

struct walk {
	const struct gl_mapset *live;
	const struct gl_filter *filter;
	const char *tenant;
	int fd;
	uint32_t now;
	int (*row)(void *arg, const struct gl_flow_row *);
	void *arg;
};

static uint64_t ago_ms(uint32_t now, uint32_t then)
{
	return now > then ? (uint64_t)(now - then) * 1000 : 0;
}

static const char *tcp_state(const struct gl_flow4_val *val)
{
	return gl_flow_state_name(val->state);
}

static bool passes(const struct walk *w, const struct gl_label *label, uint32_t other_slot)
{
	struct gl_label other;

	if (!w->filter || gl_label_passes(label, w->filter))
		return true;
	/* The tenant's own interface at the other end counts as well. */
	gl_label_slot(w->live, other_slot, &other);
	return !strcmp(other.tenant, w->tenant) && gl_label_passes(&other, w->filter);
}

static int on_flow(void *arg, const void *k, const void *v)
{
	const struct walk *w = arg;
	const struct gl_flow4_key *key = k;
	const struct gl_flow4_val *val = v;
	struct gl_flow4_val back = { 0 };
	const struct gl_port_val *in = gl_port_of(w->live, val->in_slot);
	const struct gl_flow4_key peer = { .src_be = val->new_dst_be,
					   .dst_be = val->new_src_be,
					   .sport_be = val->new_dport_be,
					   .dport_be = val->new_sport_be,
					   .scope = val->peer_scope,
					   .proto = key->proto };
	bool answered, icmp = key->proto == IPPROTO_ICMP, outside = in && in->kind == GL_PORT_UPLINK;
	struct gl_flow_row row = { 0 };
	struct gl_label label;
	uint32_t seen = val->last_seen;

	if (val->flags & GL_FLOW_F_REPLY)
		return 0;
	gl_label_slot(w->live, outside ? val->out_slot : val->in_slot, &label);
	if (!passes(w, &label, outside ? val->in_slot : val->out_slot))
		return 0;
	answered = !bpf_map_lookup_elem(w->fd, &peer, &back);
	if (answered && back.last_seen > seen)
		seen = back.last_seen;
	row.tenant = w->tenant;
	row.network = label.network;
	row.tap = label.tap;
	row.proto = key->proto;
	row.src_be = key->src_be;
	row.dst_be = key->dst_be;
	row.sport = ntohs(key->sport_be);
	row.dport = icmp ? 0 : ntohs(key->dport_be);
	row.nat_src_be = val->new_src_be;
	row.nat_dst_be = val->new_dst_be;
	row.nat_sport = ntohs(val->new_sport_be);
	row.nat_dport = icmp ? 0 : ntohs(val->new_dport_be);
	row.translated = row.nat_src_be != row.src_be || row.nat_dst_be != row.dst_be || row.nat_sport != row.sport ||
			 row.nat_dport != row.dport;
	row.state = gl_flow_state_name(val->state);
	row.tcp_state = key->proto == IPPROTO_TCP ? tcp_state(val) : NULL;
	row.idle_ms = ago_ms(w->now, seen);
	row.age_ms = ago_ms(w->now, val->created);
	row.packets = val->packets;
	row.bytes = val->bytes;
	row.reply_packets = back.packets;
	row.reply_bytes = back.bytes;
	row.from_uplink = outside;
	return w->row(w->arg, &row);
}

int gl_each_flow(struct gl_host *host, const struct gl_filter *filter,
		 int (*row)(void *arg, const struct gl_flow_row *), void *arg, struct gl_diag *diag)
{
	struct timespec now;
	struct gl_view view;
	int err = gl_view_read(host, &view, diag);

	if (err)
		return err;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	for (size_t i = 0; i < view.tables.count && !err; i++) {
		const struct gl_table *table = &view.tables.items[i];
		struct gl_filter rest = { 0 };
		struct walk w = { .live = gl_view_live(&view),
				  .filter = filter ? &rest : NULL,
				  .tenant = table->name,
				  .now = now.tv_sec,
				  .row = row,
				  .arg = arg };

		if (!table->linked || (filter && filter->tenant && strcmp(filter->tenant, table->name)))
			continue;
		if (filter) {
			rest.network = filter->network;
			rest.tap = filter->tap;
		}
		w.fd = gl_pin_open(host->bpffs, "flows", table->pin);
		if (w.fd < 0) {
			err = gl_fail(diag, w.fd, "cannot open %s/flows/%s", host->bpffs, table->pin);
			break;
		}
		err = gl_map_walk(w.fd, sizeof(struct gl_flow4_key), sizeof(struct gl_flow4_val), on_flow, &w);
		if (err < 0)
			gl_fail(diag, err, "cannot read the flows of tenant %s", table->name);
		close(w.fd);
	}
	gl_view_clear(&view);
	return err < 0 ? err : 0;
}
