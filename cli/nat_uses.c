/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Whose is each public address, and how much of it is in use? See nat_uses.h. */
#include "cli/nat_uses.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/human.h"
#include "cli/names.h"
#include "loader/ip6.h"
#include "loader/ipentry.h"

enum kind { SHARE, FORWARD, FLOATING };

static const char *const kind_words[] = { "share", "forward", "floating" };

struct use {
	enum kind kind;
	gl_ip6 addr;
	uint16_t min, max; /* ports, host order */
	uint8_t proto; /* forwards */
	uint16_t uplink;
	const char *tenant, *network, *tap; /* owned by the names; "" */
	gl_ip6 inner;
	uint16_t inner_port;
	uint64_t flows;
	uint8_t *ports; /* shares: a bit per port from `min` on that some flow or mapping has; NULL: none yet */
	uint32_t used; /* bits of `ports` */
};

struct uses {
	struct names *names;
	enum gl_map_id map; /* being read */
	struct use *items;
	size_t count, capacity;
};

static int add(struct uses *uses, struct use use)
{
	if (uses->count == uses->capacity) {
		size_t capacity = uses->capacity ? uses->capacity * 2 : 64;
		struct use *items = realloc(uses->items, capacity * sizeof(*items));

		if (!items)
			return -ENOMEM;
		uses->items = items;
		uses->capacity = capacity;
	}
	uses->items[uses->count++] = use;
	return 0;
}

/* ---- from the maps ---------------------------------------------------------------------------------------- */

static int add_pools(void *arg, const char *label, const void *key, const void *val)
{
	struct gl_pool_range pools[GL_FAMILIES * GL_NET_POOL];
	const struct gl_network_val *network = val;
	unsigned count = gl_pools_of(network, pools);
	struct uses *uses = arg;
	uint32_t index;
	int err = 0;

	(void)label;
	memcpy(&index, key, sizeof(index));
	for (unsigned i = 0; i < count && !err; i++)
		err = add(uses, (struct use){
					.kind = SHARE,
					.addr = gl_ip6_of(&pools[i].addr),
					.min = pools[i].min,
					.max = pools[i].max,
					.uplink = network->uplink,
					.tenant = names_of(uses->names, GL_NAME_TENANT, network->tenant),
					.network = names_network(uses->names, index),
					.tap = "",
				});
	return err;
}

static int add_forward(void *arg, const char *label, const void *key, const void *val)
{
	struct uses *uses = arg;
	const struct gl_entry entry = { .map = uses->map, .key = key, .val = val };
	const struct gl_forwarded forward = gl_forwarded_of(&entry);

	(void)label;
	return add(uses, (struct use){
				 .kind = FORWARD,
				 .addr = gl_ip6_of(&forward.addr),
				 .min = forward.port,
				 .max = forward.port,
				 .proto = forward.proto,
				 .uplink = forward.uplink,
				 .tenant = names_of(uses->names, GL_NAME_TENANT, forward.tenant),
				 .network = names_network(uses->names, names_slot_network(uses->names, forward.slot)),
				 .tap = names_of(uses->names, GL_NAME_PORT, forward.slot),
				 .inner = gl_ip6_of(&forward.inner),
				 .inner_port = forward.inner_port,
			 });
}

static int add_floating(void *arg, const char *label, const void *key, const void *val)
{
	struct uses *uses = arg;
	const struct gl_entry entry = { .map = uses->map, .key = key, .val = val };
	const struct gl_public address = gl_public_of(&entry);

	(void)label;
	if (!(address.flags & GL_ADDR_F_FLOATING))
		return 0;
	return add(uses, (struct use){
				 .kind = FLOATING,
				 .addr = gl_ip6_of(&address.addr),
				 .max = UINT16_MAX,
				 .uplink = address.uplink,
				 .tenant = names_of(uses->names, GL_NAME_TENANT, address.tenant),
				 .network = names_network(uses->names, names_slot_network(uses->names, address.slot)),
				 .tap = names_of(uses->names, GL_NAME_PORT, address.slot),
				 .inner = gl_ip6_of(&address.inner),
			 });
}

/* ---- the flows that use them ------------------------------------------------------------------------------ */

static int order(uint32_t a, uint32_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_owner(const struct use *a, const struct use *b)
{
	int by = order(a->kind, b->kind);

	by = by ? by : gl_ip6_compare(&a->addr, &b->addr);
	by = by || a->kind != FORWARD ? by : order(a->proto, b->proto);
	by = by ? by : strcmp(a->tenant, b->tenant);
	return by || a->kind != SHARE ? by : strcmp(a->network, b->network);
}

static int compare(const void *va, const void *vb)
{
	const struct use *a = va, *b = vb;
	int by = compare_owner(a, b);

	return by ? by : order(a->min, b->min);
}

/* The ranges of one owner are disjoint. */
static int compare_port(const void *vlike, const void *vuse)
{
	const struct use *like = vlike, *use = vuse;
	int by = compare_owner(like, use);

	if (by)
		return by;
	return like->min < use->min ? -1 : like->min > use->max;
}

/* The share, forward or floating address that `like` means; its port stands in `min`. */
static struct use *find(const struct uses *uses, struct use like)
{
	return uses->count ? bsearch(&like, uses->items, uses->count, sizeof(like), compare_port) : NULL;
}

static void count_use(struct uses *uses, struct use like)
{
	struct use *found = find(uses, like);

	if (found)
		found->flows++;
}

static int count_share(struct uses *uses, struct use like, bool flow)
{
	struct use *share;
	unsigned bit;

	like.kind = SHARE;
	share = find(uses, like);
	if (!share)
		return 0;
	share->flows += flow;
	if (!share->ports)
		share->ports = calloc((size_t)(share->max - share->min) / 8 + 1, 1);
	if (!share->ports)
		return -ENOMEM;
	bit = like.min - share->min;
	if (!(share->ports[bit / 8] & 1u << bit % 8))
		share->used++;
	share->ports[bit / 8] |= (uint8_t)(1u << bit % 8);
	return 0;
}

int uses_count_flow(struct uses *uses, const struct gl_flow_row *row)
{
	struct use like = { .tenant = row->tenant, .network = row->network, .proto = row->proto };
	int err = 0;

	if (!row->translated)
		return 0;
	if (gl_ip6_compare(&row->nat_src_be, &row->src_be)) {
		like.addr = row->nat_src_be;
		like.min = row->nat_sport;
		err = count_share(uses, like, true);
		like.kind = FLOATING;
		count_use(uses, like);
	}
	if (gl_ip6_compare(&row->nat_dst_be, &row->dst_be)) {
		like.addr = row->dst_be;
		like.min = row->dport;
		like.kind = FORWARD;
		count_use(uses, like);
		like.kind = FLOATING;
		count_use(uses, like);
	}
	return err;
}

int uses_count_mapping(struct uses *uses, const struct gl_mapping_row *row)
{
	return count_share(
		uses,
		(struct use){
			.tenant = row->tenant, .network = row->network, .addr = row->outer_be, .min = row->outer_port },
		false);
}

int uses_read(struct gl_host *host, struct uses **ret, struct gl_diag *diag)
{
	struct uses *uses = calloc(1, sizeof(*uses));
	int err = uses ? names_read(host, &uses->names, diag) : -ENOMEM;

	if (!err)
		err = gl_each_entry(host, GL_MAP_NETWORK, add_pools, uses, diag);
	for (unsigned i = 0; i < GL_FAMILIES && !err; i++) {
		uses->map = gl_map_of(GL_MAP_FORWARD4, gl_family_at(i));
		err = gl_each_entry(host, uses->map, add_forward, uses, diag);
		if (err)
			break;
		uses->map = gl_map_of(GL_MAP_ADDR4, gl_family_at(i));
		err = gl_each_entry(host, uses->map, add_floating, uses, diag);
	}
	if (err) {
		uses_free(uses);
		return err;
	}
	if (uses->count)
		qsort(uses->items, uses->count, sizeof(*uses->items), compare);
	*ret = uses;
	return 0;
}

const struct names *uses_names(const struct uses *uses)
{
	return uses->names;
}

void uses_free(struct uses *uses)
{
	if (!uses)
		return;
	for (size_t i = 0; i < uses->count; i++)
		free(uses->items[i].ports);
	free(uses->items);
	names_free(uses->names);
	free(uses);
}

/* ---- the table -------------------------------------------------------------------------------------------- */

static const struct out_column nat_columns[] = {
	{ "kind", "KIND", OUT_TEXT, NULL },
	{ "tenant", "TENANT", OUT_TEXT, NULL },
	{ "network", "NETWORK", OUT_TEXT, NULL },
	{ "tap", "INTERFACE", OUT_TEXT, NULL },
	{ "uplink", "UPLINK", OUT_TEXT, NULL },
	{ "address", "ADDRESS", OUT_TEXT, NULL },
	{ "proto", "PROTO", OUT_TEXT, NULL },
	{ "port_min", NULL, OUT_NUMBER, NULL },
	{ "port_max", NULL, OUT_NUMBER, NULL },
	{ NULL, "PORTS", OUT_TEXT, NULL },
	{ "to_address", NULL, OUT_TEXT, NULL },
	{ "to_port", NULL, OUT_NUMBER, NULL },
	{ NULL, "TO", OUT_TEXT, NULL },
	{ "flows", "FLOWS", OUT_COUNT, NULL },
	{ "ports", NULL, OUT_NUMBER, NULL },
	{ "ports_in_use", "PORTS USED", OUT_NUMBER, NULL },
	{ 0 },
};

static void put_ports(struct out *o, const struct use *use)
{
	if (use->kind == FLOATING) {
		out_none(o, "port_min");
		out_none(o, "port_max");
		out_text(o, "PORTS", "all");
		return;
	}
	out_number(o, "port_min", use->min);
	out_number(o, "port_max", use->max);
	if (use->min == use->max)
		out_format(o, "PORTS", "%u", use->min);
	else
		out_format(o, "PORTS", "%u-%u", use->min, use->max);
}

static void put_target(struct out *o, const struct use *use)
{
	char buf[HUMAN_LEN];

	if (use->kind == SHARE)
		out_none(o, "to_address");
	else
		out_text(o, "to_address", human_ip(&use->inner, buf));
	if (use->kind == FORWARD)
		out_number(o, "to_port", use->inner_port);
	else
		out_none(o, "to_port");
	if (use->kind == SHARE)
		out_none(o, "TO");
	else
		out_text(o, "TO", human_socket(&use->inner, use->inner_port, buf));
}

static int use_row(struct out *o, const struct uses *uses, const struct use *use)
{
	char buf[HUMAN_LEN];

	out_text(o, "kind", kind_words[use->kind]);
	out_text(o, "tenant", use->tenant);
	out_text(o, "network", use->network);
	out_text(o, "tap", use->tap);
	out_text(o, "uplink", names_of(uses->names, GL_NAME_UPLINK, use->uplink));
	out_text(o, "address", human_ip(&use->addr, buf));
	if (use->kind == FORWARD)
		out_text(o, "proto", human_proto(use->proto, buf));
	else
		out_none(o, "proto");
	put_ports(o, use);
	put_target(o, use);
	out_number(o, "flows", use->flows);
	if (use->kind == SHARE) {
		out_number(o, "ports", (uint64_t)(use->max - use->min) + 1);
		out_number(o, "ports_in_use", use->used);
	} else {
		out_none(o, "ports");
		out_none(o, "ports_in_use");
	}
	return out_row(o);
}

static bool wanted(const char *wish, const char *name)
{
	return !wish || !strcmp(wish, name);
}

void uses_print(struct cli *cli, const struct uses *uses)
{
	struct out *o = &cli->out;

	out_table(o, NULL, "Public addresses", nat_columns);
	for (size_t i = 0; i < uses->count && !o->error; i++) {
		const struct use *use = &uses->items[i];

		if (wanted(cli->args.tenant, use->tenant) && wanted(cli->args.network, use->network) &&
		    wanted(cli->args.tap, use->tap))
			use_row(o, uses, use);
	}
	out_table_end(o, 0);
}
