/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Which ports of a public address does each network translate to? A tenant that has the address to itself gets the
 * networks' ranges as they stand; several tenants get blocks each. The default range steps aside for forwarded ports.
 * Neighbours: compile_public.c (the caller), compile_share.c (dividing the blocks). */
#include "loader/compile_int.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_PORTS (1 << GL_NAT_BLOCK_SHIFT)
#define HOST_PORT_MIN 16384 /* the default range on an address that the host itself uses */
#define HOST_PORT_MAX 32767
#define PORT_MIN 1024 /* the default range elsewhere */
#define PORT_MAX 65535

/* ---- shares in force -------------------------------------------------------------------------------------- */

static int live_compare(const void *left, const void *right)
{
	const struct gl_c_live_share *a = left, *b = right;
	int order;

	if (a->uplink != b->uplink)
		return a->uplink < b->uplink ? -1 : 1;
	order = gl_prefix_compare(&a->addr, &b->addr);
	if (order)
		return order;
	return a->tenant < b->tenant ? -1 : a->tenant > b->tenant;
}

int gl_c_live_shares(const struct gl_mapset *live, struct gl_c_live_shares *ret)
{
	size_t first, count = gl_mapset_range(live, GL_MAP_NETWORK, &first);
	struct gl_c_live_shares shares = { .items = malloc((GL_FAMILIES * GL_NET_POOL * count + 1) *
							   sizeof(*shares.items)) };

	struct gl_pool_range pools[GL_FAMILIES * GL_NET_POOL];
	unsigned used;

	if (!shares.items)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct gl_network_val *val = gl_mapset_at(live, first + i)->val;

		used = gl_pools_of(val, pools);
		for (unsigned j = 0; j < used; j++)
			shares.items[shares.count++] = (struct gl_c_live_share){ .uplink = val->uplink,
										 .addr = pools[j].addr,
										 .tenant = val->tenant,
										 .min = pools[j].min,
										 .max = pools[j].max };
	}
	qsort(shares.items, shares.count, sizeof(*shares.items), live_compare);
	*ret = shares;
	return 0;
}

/* ---- ranges and blocks ------------------------------------------------------------------------------------ */

/* Whole blocks inside of, and blocks touched by, a range of ports. */
static uint16_t block_in_low(uint16_t min)
{
	return (min + BLOCK_PORTS - 1) >> GL_NAT_BLOCK_SHIFT;
}

static uint16_t block_in_end(uint16_t max)
{
	return (max + 1) >> GL_NAT_BLOCK_SHIFT;
}

static uint16_t block_out_end(uint16_t max)
{
	return (max >> GL_NAT_BLOCK_SHIFT) + 1;
}

static bool has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
}

/* The networks' ranges: those given must keep clear of forwarded ports, the default one steps aside. */
static int find_ranges(struct gl_c *c, const struct gl_c_group *g)
{
	uint16_t *ports = malloc((g->count + 1) * sizeof(*ports)), low, end;
	size_t port_count = 0;
	char text[50];
	bool room;

	if (!ports)
		return -ENOMEM;
	for (size_t i = g->nat_count; i < g->count; i++)
		if (g->uses[i].kind == USE_FORWARD && has_ports(g->uses[i].forward->proto))
			ports[port_count++] = g->uses[i].forward->port;
	room = gl_c_gap(block_in_low(g->host ? HOST_PORT_MIN : PORT_MIN),
			block_in_end(g->host ? HOST_PORT_MAX : PORT_MAX), ports, port_count, &low, &end);
	free(ports);
	for (size_t i = 0; i < g->nat_count; i++) {
		struct gl_c_use *use = &g->uses[i];

		if (!use->given && !room) {
			gl_c_refuse(c, *use->loc,
				    "port forwards leave no ports of %s for network %s to translate to: give it "
				    "nat.addresses of its own",
				    gl_prefix_format(&g->addr, text), use->network->name);
		} else if (!use->given) {
			use->min = low << GL_NAT_BLOCK_SHIFT;
			use->max = (uint16_t)((end << GL_NAT_BLOCK_SHIFT) - 1);
		}
	}
	for (size_t i = g->nat_count; i < g->count; i++) {
		const struct gl_c_use *use = &g->uses[i];

		if (use->kind != USE_FORWARD || !has_ports(use->forward->proto))
			continue;
		for (size_t j = 0; j < g->nat_count; j++)
			if (g->uses[j].given && use->forward->port >= g->uses[j].min &&
			    use->forward->port <= g->uses[j].max) {
				gl_c_refuse(
					c, *use->loc,
					"port %u of %s lies in nat.ports %u-%u of network %s: forward a port outside "
					"of that range",
					use->forward->port, gl_prefix_format(&g->addr, text), g->uses[j].min,
					g->uses[j].max, g->uses[j].network->name);
				break;
			}
	}
	return 0;
}

static int emit_blocks(struct gl_c *c, const struct gl_c_group *g, uint32_t tenant, uint16_t low, uint16_t end)
{
	struct gl_public open = { .addr = g->addr, .uplink = g->uplink->number, .tenant = tenant, .slot = GL_NO_SLOT };
	int err = 0;

	for (uint32_t block = low; block < end && !err; block++) {
		open.block = block;
		err = gl_c_emit_ip(c, tenant, gl_public_entry(&open));
	}
	return err;
}

static struct gl_pool_range *pool_of(const struct gl_c_use *use)
{
	return &use->network->pool[gl_family_index(use->addr.family)][use->pool];
}

/* One tenant has the address to itself: its networks' ranges to the port, and every block they touch. */
static int share_alone(struct gl_c *c, const struct gl_c_group *g)
{
	bool touched[GL_C_BLOCKS] = { false };
	int err = 0;

	for (size_t i = 0; i < g->nat_count; i++) {
		const struct gl_c_use *use = &g->uses[i];
		uint16_t low = use->min >> GL_NAT_BLOCK_SHIFT;

		memset(&touched[low], true, block_out_end(use->max) - low);
		pool_of(use)->min = use->min;
		pool_of(use)->max = use->max;
	}
	for (uint16_t block = 0; block < GL_C_BLOCKS && !err; block++)
		if (touched[block])
			err = emit_blocks(c, g, g->uses[0].tenant->index, block, block + 1);
	return err;
}

static void find_live(const struct gl_c_live_shares *shares, const struct gl_c_group *g, struct gl_c_share *share)
{
	struct gl_c_live_share key = { .uplink = g->uplink->number, .addr = g->addr, .tenant = share->tenant };
	const struct gl_c_live_share *live = NULL;

	if (shares->count)
		live = bsearch(&key, shares->items, shares->count, sizeof(key), live_compare);
	if (!live)
		return;
	/* Of several ranges the first: what the tenant had to itself until now. */
	while (live > shares->items && !live_compare(live - 1, &key))
		live--;
	share->live_low = block_in_low(live->min);
	share->live_end = block_in_end(live->max);
}

/* The blocks that all networks of one tenant may use, each of them in one of its ranges. The uses of a tenant begin at
 * `use`, those of a network stand together; returns where the next tenant's begin. */
static const struct gl_c_use *list_blocks(const struct gl_c_use *use, const struct gl_c_use *end, bool *may,
					  struct gl_c_share *share)
{
	const uint32_t tenant = use->tenant->index;

	memset(may, true, GL_C_BLOCKS);
	while (use < end && use->tenant->index == tenant) {
		const struct gl_c_network *network = use->network;
		bool own[GL_C_BLOCKS] = { false };

		for (; use < end && use->network == network; use++)
			for (uint16_t at = block_in_low(use->min); at < block_in_end(use->max); at++)
				own[at] = true;
		for (uint16_t at = 0; at < GL_C_BLOCKS; at++)
			may[at] = may[at] && own[at];
	}
	*share = (struct gl_c_share){ .tenant = tenant, .may = may };
	for (uint16_t at = 0; at < GL_C_BLOCKS; at++) {
		if (!may[at])
			continue;
		if (!share->end)
			share->low = at;
		share->end = at + 1;
	}
	return use;
}

/* Several tenants: a run of whole blocks each. */
static int share_among(struct gl_c *c, const struct gl_c_live_shares *live, const struct gl_c_group *g)
{
	struct gl_c_share *shares = calloc(g->nat_count, sizeof(*shares));
	const struct gl_c_use *use = g->uses, *end = g->uses + g->nat_count;
	bool *may = malloc(g->nat_count * GL_C_BLOCKS);
	char text[50];
	size_t count = 0, at = 0, room = 0;
	int err = 0;

	if (!shares || !may) {
		err = -ENOMEM;
		goto out;
	}
	while (use < end) {
		const struct gl_c_use *first = use;

		use = list_blocks(use, end, may + count * GL_C_BLOCKS, &shares[count]);
		if (shares[count].low >= shares[count].end) {
			gl_c_refuse(
				c, *first->loc,
				"network %s shares %s with other tenants, in blocks of %d ports, and its range holds "
				"no whole block: widen nat.ports or give it nat.addresses of its own",
				first->network->name, gl_prefix_format(&g->addr, text), BLOCK_PORTS);
			goto out;
		}
		find_live(live, g, &shares[count++]);
	}
	err = gl_c_share_out(shares, count, &room);
	if (err == -ENOSPC) {
		const struct gl_c_use *last = &g->uses[g->nat_count - 1];

		err = 0;
		if (count > room)
			gl_c_refuse(c, *last->loc,
				    "%zu tenants translate to %s, whose ports are enough for %zu: give some of their "
				    "networks nat.addresses of their own",
				    count, gl_prefix_format(&g->addr, text), room);
		else
			gl_c_refuse(c, *last->loc,
				    "the ports of %s cannot be divided among %zu tenants: give some of their networks "
				    "other nat.ports, or nat.addresses of their own",
				    gl_prefix_format(&g->addr, text), count);
		goto out;
	}
	if (err)
		goto out;
	for (size_t i = 0; i < g->nat_count; i++) {
		struct gl_pool_range *pool = pool_of(&g->uses[i]);

		while (shares[at].tenant != g->uses[i].tenant->index)
			at++;
		/* One run is all there is: the network's further ranges are not needed. */
		if (i && g->uses[i].network == g->uses[i - 1].network) {
			pool->addr.family = 0;
			continue;
		}
		pool->min = shares[at].got_low << GL_NAT_BLOCK_SHIFT;
		pool->max = (uint16_t)((shares[at].got_end << GL_NAT_BLOCK_SHIFT) - 1);
	}
	for (size_t i = 0; i < count && !err; i++)
		err = emit_blocks(c, g, shares[i].tenant, shares[i].got_low, shares[i].got_end);
out:
	free(may);
	free(shares);
	return err;
}

int gl_c_nat(struct gl_c *c, const struct gl_c_live_shares *live, const struct gl_c_group *g)
{
	bool was_bad = c->bad;
	int err;

	c->bad = false;
	err = find_ranges(c, g);
	if (!err && !c->bad)
		err = g->uses[0].tenant == g->uses[g->nat_count - 1].tenant ? share_alone(c, g)
									    : share_among(c, live, g);
	/* Blocks are what gl_addr4 and gl_addr6 tell apart, so whole blocks are kept from the host's sockets. */
	for (size_t i = 0; i < g->nat_count && !err && !c->bad && g->host; i++)
		err = gl_c_reserve(c, g->uses[i].min & ~(BLOCK_PORTS - 1), g->uses[i].max | (BLOCK_PORTS - 1));
	c->bad |= was_bad;
	return err;
}
