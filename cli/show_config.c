/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* `guestlane show tenants`, `networks`, `interfaces`: what was applied, and is it there? The definition last applied,
 * joined with the host's status. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/human.h"
#include "cli/names.h"
#include "cli/show.h"

#define PREFIX_LEN 64

static bool wanted(const char *wish, const char *name)
{
	return !wish || !strcmp(wish, name);
}

static bool interface_wanted(const struct cli *cli, const struct gl_interface *iface)
{
	return wanted(cli->args.network, iface->network.s) && wanted(cli->args.tap, iface->tap.s);
}

/* Interfaces of the tenant that the filters leave; of one network where `network` is given. */
static size_t count_interfaces(const struct cli *cli, const struct gl_tenant *tenant, const char *network)
{
	size_t n = 0;

	for (size_t g = 0; g < tenant->guest_count; g++)
		for (size_t i = 0; i < tenant->guests[g].interface_count; i++)
			n += interface_wanted(cli, &tenant->guests[g].interfaces[i]) &&
			     wanted(network, tenant->guests[g].interfaces[i].network.s);
	return n;
}

/* Grows a text joined by commas. */
static void append(char **list, const char *word)
{
	char *longer = NULL;

	if (asprintf(&longer, "%s%s%s", *list ? *list : "", *list ? "," : "", word) < 0)
		return;
	free(*list);
	*list = longer;
}

static void put_list(struct out *o, const char *name, char *list)
{
	out_text(o, name, list);
	free(list);
}

static void put_prefixes(struct out *o, const char *name, const struct gl_prefix *prefixes, size_t n)
{
	char buf[PREFIX_LEN];
	char *list = NULL;

	for (size_t i = 0; i < n; i++)
		append(&list, gl_prefix_format(&prefixes[i], buf));
	put_list(o, name, list);
}

/* ---- tenants ---------------------------------------------------------------------------------------------- */

static const struct out_column tenant_columns[] = {
	{ "tenant", "TENANT", OUT_TEXT, NULL },
	{ "networks", "NETWORKS", OUT_NUMBER, NULL },
	{ "guests", "GUESTS", OUT_NUMBER, NULL },
	{ "interfaces", "INTERFACES", OUT_NUMBER, NULL },
	{ "flows", "FLOWS", OUT_NUMBER, NULL },
	{ "flows_ipv6", "IPV6 FLOWS", OUT_NUMBER, NULL },
	{ "max_flows", "MAX", OUT_NUMBER, NULL },
	{ "table_full", "TABLE FULL", OUT_COUNT, NULL },
	{ "nat_exhausted", "NAT EXHAUSTED", OUT_COUNT, NULL },
	{ "fragments", "FRAGMENTS", OUT_NUMBER, NULL },
	{ 0 },
};

/* Map fills are called "flows of TENANT", "IPv6 flows of TENANT". A flow has two entries, and so has a mapping:
 * together they are what max_flows bounds, for each family. */
static void put_flows(struct out *o, const char *name, const struct gl_status *status, const char *what,
		      const char *tenant)
{
	size_t len = strlen(what);

	for (size_t i = 0; i < status->fill_count; i++) {
		const struct gl_map_fill *fill = &status->fills[i];

		if (!strncmp(fill->map, what, len) && !strcmp(fill->map + len, tenant)) {
			out_number(o, name, (fill->used + 1) / 2);
			return;
		}
	}
	out_none(o, name);
}

/* gl_tenant_stat by the tenants' names. */
struct stats {
	struct names *names;
	struct stat_item {
		const char *tenant; /* owned by the names */
		struct gl_tenant_stat stat;
	} * items;
	size_t count, capacity;
};

static int add_stat(void *arg, const char *label, const void *key, const void *val)
{
	struct stats *stats = arg;
	struct stat_item *item;
	uint32_t index;

	(void)label;
	if (stats->count == stats->capacity) {
		size_t capacity = stats->capacity ? stats->capacity * 2 : 64;

		item = realloc(stats->items, capacity * sizeof(*item));
		if (!item)
			return -ENOMEM;
		stats->items = item;
		stats->capacity = capacity;
	}
	item = &stats->items[stats->count++];
	memcpy(&index, key, sizeof(index));
	memcpy(&item->stat, val, sizeof(item->stat));
	item->tenant = names_of(stats->names, GL_NAME_TENANT, index);
	return 0;
}

static int compare_stats(const void *va, const void *vb)
{
	const struct stat_item *a = va, *b = vb;

	return strcmp(a->tenant, b->tenant);
}

static int stats_read(struct gl_host *host, struct stats *ret, struct gl_diag *diag)
{
	int err = names_read(host, &ret->names, diag);

	if (!err)
		err = gl_each_entry(host, GL_MAP_TENANT_STAT, add_stat, ret, diag);
	if (!err && ret->count)
		qsort(ret->items, ret->count, sizeof(*ret->items), compare_stats);
	return err;
}

static void stats_free(struct stats *stats)
{
	free(stats->items);
	names_free(stats->names);
}

static void put_stat(struct out *o, const struct stats *stats, const char *tenant)
{
	const struct stat_item like = { .tenant = tenant };
	const struct stat_item *found =
		stats->count ? bsearch(&like, stats->items, stats->count, sizeof(like), compare_stats) : NULL;

	out_number(o, "table_full", found ? found->stat.table_full : 0);
	out_number(o, "nat_exhausted", found ? found->stat.nat_exhausted : 0);
	out_number(o, "fragments", found ? found->stat.fragments : 0);
}

static int tenant_row(struct cli *cli, const struct gl_status *status, const struct stats *stats,
		      const struct gl_tenant *tenant)
{
	struct out *o = &cli->out;

	out_text(o, "tenant", tenant->name.s);
	out_number(o, "networks", tenant->network_count);
	out_number(o, "guests", tenant->guest_count);
	out_number(o, "interfaces", count_interfaces(cli, tenant, NULL));
	put_flows(o, "flows", status, "flows of ", tenant->name.s);
	put_flows(o, "flows_ipv6", status, "IPv6 flows of ", tenant->name.s);
	out_number(o, "max_flows", tenant->max_flows);
	put_stat(o, stats, tenant->name.s);
	return out_row(o);
}

int show_tenants(struct cli *cli, struct gl_host *host)
{
	bool filtered = cli->args.network || cli->args.tap;
	const struct gl_definition *def = NULL;
	struct gl_status *status = NULL;
	struct stats stats = { 0 };
	struct out *o = &cli->out;
	int err = show_applied(cli, host, &def);

	if (!err)
		err = gl_status_read(host, &status, &cli->diag);
	if (!err)
		err = stats_read(host, &stats, &cli->diag);
	if (err)
		goto out;
	out_array(o);
	out_table(o, NULL, NULL, tenant_columns);
	for (size_t t = 0; def && t < def->tenant_count && !o->error; t++) {
		const struct gl_tenant *tenant = &def->tenants[t];

		if (wanted(cli->args.tenant, tenant->name.s) && (!filtered || count_interfaces(cli, tenant, NULL)))
			tenant_row(cli, status, &stats, tenant);
	}
	out_table_end(o, 0);
	err = out_close(o, 0);
out:
	stats_free(&stats);
	gl_status_free(status);
	return err;
}

/* ---- networks --------------------------------------------------------------------------------------------- */

static const struct out_column network_columns[] = {
	{ "tenant", "TENANT", OUT_TEXT, NULL },
	{ "network", "NETWORK", OUT_TEXT, NULL },
	{ "mode", "MODE", OUT_TEXT, NULL },
	{ "uplink", "UPLINK", OUT_TEXT, NULL },
	{ "vlan", "VLAN", OUT_NUMBER, NULL },
	{ "subnets", "SUBNETS", OUT_WORDS, NULL },
	{ "gateways", "GATEWAYS", OUT_WORDS, NULL },
	{ "gateway_mac", "GATEWAY MAC", OUT_TEXT, NULL },
	{ "mode", NULL, OUT_TEXT, "router_advertisements" },
	{ "dns", NULL, OUT_WORDS, "router_advertisements" },
	{ "interval", NULL, OUT_NUMBER, "router_advertisements" },
	{ "lifetime", NULL, OUT_NUMBER, "router_advertisements" },
	{ "mtu", NULL, OUT_NUMBER, "router_advertisements" },
	{ NULL, "ADVERTISED", OUT_TEXT, NULL },
	{ "nat_addresses", "NAT", OUT_WORDS, NULL },
	{ "nat_ports", "NAT PORTS", OUT_WORDS, NULL },
	{ "nat_mapping", NULL, OUT_TEXT, NULL },
	{ "mss", "MSS", OUT_TEXT, NULL },
	{ "open_to", "OPEN TO", OUT_TEXT, NULL },
	{ "broadcast", "BROADCAST", OUT_YES, NULL },
	{ "interfaces", "INTERFACES", OUT_NUMBER, NULL },
	{ 0 },
};

static void put_gateways(struct out *o, const struct gl_network *network)
{
	char buf[PREFIX_LEN];
	char *list = NULL;

	for (size_t i = 0; i < network->subnet_count; i++) {
		struct gl_prefix gateway = gl_network_gateway(network, i);

		append(&list, gl_prefix_format(&gateway, buf));
	}
	put_list(o, "gateways", list);
}

static void put_nat_addresses(struct out *o, const struct gl_network *network)
{
	char first[PREFIX_LEN], last[PREFIX_LEN], both[2 * PREFIX_LEN];
	char *list = NULL;

	for (size_t i = 0; i < network->nat_address_count; i++) {
		gl_prefix_format(&network->nat_addresses[i].first, first);
		gl_prefix_format(&network->nat_addresses[i].last, last);
		snprintf(both, sizeof(both), "%s-%s", first, last);
		append(&list, strcmp(first, last) ? both : first);
	}
	put_list(o, "nat_addresses", list);
}

static void put_nat_ports(struct out *o, const struct gl_network *network)
{
	char *list = NULL;

	for (size_t i = 0; i < network->nat_port_count; i++) {
		const struct gl_port_span *span = &network->nat_ports[i];
		char text[PREFIX_LEN];

		snprintf(text, sizeof(text), span->first == span->last ? "%u" : "%u-%u", span->first, span->last);
		append(&list, text);
	}
	put_list(o, "nat_ports", list);
}

static void put_mss(struct out *o, const struct gl_network *network)
{
	if (network->mss == GL_MSS_KEEP || network->mss == GL_MSS_PATH)
		out_text(o, "mss", network->mss == GL_MSS_KEEP ? "keep" : "path");
	else
		out_format(o, "mss", "%u", network->mss);
}

static void put_gateway_mac(struct out *o, const struct gl_tenant *tenant, const struct gl_network *network)
{
	char buf[HUMAN_LEN];
	uint8_t mac[6];

	/* On a bridge the segment's own gateway answers. */
	if (network->mode == GL_MODE_BRIDGE) {
		out_none(o, "gateway_mac");
		return;
	}
	gl_gateway_mac(tenant->name.s, network->name.s, mac);
	out_text(o, "gateway_mac", human_mac(mac, buf));
}

static void put_ra(struct out *o, const struct gl_network *network)
{
	const struct gl_router_advertisements *ra = &network->ra;
	bool any = gl_has_advertisements(network), sent = any && ra->mode != GL_RA_OFF;

	out_text(o, "mode", any ? gl_ra_mode_name(ra->mode) : NULL);
	put_prefixes(o, "dns", ra->dns, sent ? ra->dns_count : 0);
	if (sent) {
		out_number(o, "interval", ra->interval);
		out_number(o, "lifetime", network->mode == GL_MODE_ISOLATED ? 0 : ra->lifetime);
	} else {
		out_none(o, "interval");
		out_none(o, "lifetime");
	}
	if (sent && ra->mtu)
		out_number(o, "mtu", ra->mtu);
	else
		out_none(o, "mtu");
	out_text(o, "ADVERTISED", any ? gl_ra_mode_name(ra->mode) : NULL);
}

static int network_row(struct cli *cli, const struct gl_tenant *tenant, const struct gl_network *network)
{
	struct out *o = &cli->out;

	out_text(o, "tenant", tenant->name.s);
	out_text(o, "network", network->name.s);
	out_text(o, "mode", gl_mode_name(network->mode));
	out_text(o, "uplink", network->uplink.s);
	if (network->vlan)
		out_number(o, "vlan", network->vlan);
	else
		out_none(o, "vlan");
	put_prefixes(o, "subnets", network->subnets, network->subnet_count);
	put_gateways(o, network);
	put_gateway_mac(o, tenant, network);
	put_ra(o, network);
	put_nat_addresses(o, network);
	put_nat_ports(o, network);
	out_text(o, "nat_mapping",
		 network->mode != GL_MODE_NAT	 ? NULL
		 : network->endpoint_independent ? "endpoint-independent"
						 : "endpoint-dependent");
	put_mss(o, network);
	out_text(o, "open_to", gl_open_name(network->open_to));
	out_number(o, "broadcast", network->broadcast);
	out_number(o, "interfaces", count_interfaces(cli, tenant, network->name.s));
	return out_row(o);
}

static void network_rows(struct cli *cli, const struct gl_tenant *tenant)
{
	for (size_t n = 0; n < tenant->network_count && !cli->out.error; n++) {
		const struct gl_network *network = &tenant->networks[n];

		if (wanted(cli->args.network, network->name.s) &&
		    (!cli->args.tap || count_interfaces(cli, tenant, network->name.s)))
			network_row(cli, tenant, network);
	}
}

int show_networks(struct cli *cli, struct gl_host *host)
{
	const struct gl_definition *def = NULL;
	struct out *o = &cli->out;
	int err = show_applied(cli, host, &def);

	if (err)
		return err;
	out_array(o);
	out_table(o, NULL, NULL, network_columns);
	for (size_t t = 0; def && t < def->tenant_count; t++)
		if (wanted(cli->args.tenant, def->tenants[t].name.s))
			network_rows(cli, &def->tenants[t]);
	out_table_end(o, 0);
	return out_close(o, 0);
}

/* ---- interfaces ------------------------------------------------------------------------------------------- */

static const struct out_column interface_columns[] = {
	{ "tap", "INTERFACE", OUT_TEXT, NULL },
	{ "state", "STATE", OUT_TEXT, NULL },
	{ "tenant", "TENANT", OUT_TEXT, NULL },
	{ "network", "NETWORK", OUT_TEXT, NULL },
	{ "guest", "GUEST", OUT_TEXT, NULL },
	{ "mac", "MAC", OUT_TEXT, NULL },
	{ "addresses", "ADDRESSES", OUT_WORDS, NULL },
	{ "slaac", NULL, OUT_YES, NULL },
	{ "allowed_address_pairs", NULL, OUT_WORDS, NULL },
	{ "floating_ips", "FLOATING", OUT_WORDS, NULL },
	{ "security_groups", "GROUPS", OUT_WORDS, NULL },
	{ "xdp", "XDP", OUT_TEXT, NULL },
	{ "tc", "TC", OUT_TEXT, NULL },
	{ "mtu", "MTU", OUT_NUMBER, NULL },
	{ 0 },
};

/* Attachments by the interface's name. */
struct attached {
	const struct gl_attachment **items;
	size_t count;
};

static int compare_attachments(const void *va, const void *vb)
{
	const struct gl_attachment *const *a = va, *const *b = vb;

	return strcmp((*a)->tap, (*b)->tap);
}

static int compare_tap(const void *tap, const void *item)
{
	const struct gl_attachment *const *attachment = item;

	return strcmp(tap, (*attachment)->tap);
}

static int attached_make(const struct gl_status *status, struct attached *ret)
{
	ret->items = calloc(status->attachment_count + 1, sizeof(*ret->items));
	if (!ret->items)
		return -ENOMEM;
	ret->count = status->attachment_count;
	for (size_t i = 0; i < ret->count; i++)
		ret->items[i] = &status->attachments[i];
	qsort(ret->items, ret->count, sizeof(*ret->items), compare_attachments);
	return 0;
}

static const struct gl_attachment *attached_find(const struct attached *attached, const char *tap)
{
	const struct gl_attachment **found =
		bsearch(tap, attached->items, attached->count, sizeof(*attached->items), compare_tap);

	return found ? *found : NULL;
}

/* Those of `slaac` as what they are. */
static void put_addresses(struct out *o, const struct gl_tenant *tenant, const struct gl_interface *iface)
{
	const struct gl_network *network = gl_find_network(tenant, iface->network.s);
	char buf[PREFIX_LEN];
	char *list = NULL;

	for (size_t i = 0; i < iface->address_count; i++)
		append(&list, gl_prefix_format(&iface->addresses[i], buf));
	for (size_t i = 0; network && iface->slaac && i < network->subnet_count; i++) {
		struct gl_prefix made;

		if (!gl_is_slaac_subnet(&network->subnets[i]))
			continue;
		made = gl_eui64(&network->subnets[i], iface->mac);
		append(&list, gl_prefix_format(&made, buf));
	}
	put_list(o, "addresses", list);
	out_number(o, "slaac", iface->slaac);
}

static void put_groups(struct out *o, const struct gl_interface *iface)
{
	char *list = NULL;

	for (size_t i = 0; i < iface->group_count; i++)
		append(&list, iface->groups[i].s);
	put_list(o, "security_groups", list);
}

static void interface_row(struct cli *cli, const struct attached *attached, const struct gl_tenant *tenant,
			  const struct gl_guest *guest, const struct gl_interface *iface)
{
	const struct gl_attachment *at = attached_find(attached, iface->tap.s);
	bool there = at && !at->pending;
	struct out *o = &cli->out;
	char buf[HUMAN_LEN];

	out_text(o, "tap", iface->tap.s);
	out_text(o, "state", there ? "attached" : "pending");
	out_text(o, "tenant", tenant->name.s);
	out_text(o, "network", iface->network.s);
	out_text(o, "guest", guest->name.s);
	out_text(o, "mac", human_mac(iface->mac, buf));
	put_addresses(o, tenant, iface);
	put_prefixes(o, "allowed_address_pairs", iface->allowed_address_pairs, iface->allowed_count);
	put_prefixes(o, "floating_ips", iface->floating_ips, iface->floating_count);
	put_groups(o, iface);
	out_text(o, "xdp", at ? at->xdp : "off");
	out_text(o, "tc", at ? at->tc : "off");
	if (at && at->mtu)
		out_number(o, "mtu", at->mtu);
	else
		out_none(o, "mtu");
	out_row(o);
}

static void interface_rows(struct cli *cli, const struct attached *attached, const struct gl_tenant *tenant)
{
	for (size_t g = 0; g < tenant->guest_count; g++) {
		const struct gl_guest *guest = &tenant->guests[g];

		for (size_t i = 0; i < guest->interface_count && !cli->out.error; i++)
			if (interface_wanted(cli, &guest->interfaces[i]))
				interface_row(cli, attached, tenant, guest, &guest->interfaces[i]);
	}
}

int show_interfaces(struct cli *cli, struct gl_host *host)
{
	const struct gl_definition *def = NULL;
	struct gl_status *status = NULL;
	struct attached attached = { 0 };
	struct out *o = &cli->out;
	int err = show_applied(cli, host, &def);

	if (!err)
		err = gl_status_read(host, &status, &cli->diag);
	if (!err)
		err = attached_make(status, &attached);
	if (!err) {
		out_array(o);
		out_table(o, NULL, NULL, interface_columns);
		for (size_t t = 0; def && t < def->tenant_count; t++)
			if (wanted(cli->args.tenant, def->tenants[t].name.s))
				interface_rows(cli, &attached, &def->tenants[t]);
		out_table_end(o, 0);
		err = out_close(o, 0);
	}
	free(attached.items);
	gl_status_free(status);
	return err;
}
