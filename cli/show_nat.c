/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* `guestlane show nat`: what is translated to what, whose is each public address, and whom did it fail? Flows and
 * mappings are streamed and counted as they go by; what they add up to comes last. In JSON one array, whose rows tell
 * their `kind`. Neighbours: nat_uses.h. */
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "cli/human.h"
#include "cli/names.h"
#include "cli/nat_uses.h"
#include "cli/show.h"
#include "loader/ip6.h"

struct nat {
	struct cli *cli;
	struct out *o;
	struct uses *uses;
};

/* ---- flows and mappings ------------------------------------------------------------------------------------- */

static const struct out_column flow_columns[] = {
	{ "kind", NULL, OUT_TEXT, NULL },
	{ "tenant", "TENANT", OUT_TEXT, NULL },
	{ "network", NULL, OUT_TEXT, NULL },
	{ "tap", "INTERFACE", OUT_TEXT, NULL },
	{ "proto", "PROTO", OUT_TEXT, NULL },
	{ "src", NULL, OUT_TEXT, NULL },
	{ "sport", NULL, OUT_NUMBER, NULL },
	{ NULL, "SOURCE", OUT_TEXT, NULL },
	{ "nat_src", NULL, OUT_TEXT, NULL },
	{ "nat_sport", NULL, OUT_NUMBER, NULL },
	{ NULL, "BECOMES", OUT_TEXT, NULL },
	{ "dst", NULL, OUT_TEXT, NULL },
	{ "dport", NULL, OUT_NUMBER, NULL },
	{ NULL, "DESTINATION", OUT_TEXT, NULL },
	{ "nat_dst", NULL, OUT_TEXT, NULL },
	{ "nat_dport", NULL, OUT_NUMBER, NULL },
	{ NULL, "BECOMES", OUT_TEXT, NULL },
	{ "state", "STATE", OUT_TEXT, NULL },
	{ "idle_ms", "IDLE", OUT_MS, NULL },
	{ "age_ms", "AGE", OUT_MS, NULL },
	{ "packets", "PACKETS", OUT_COUNT, NULL },
	{ "bytes", "BYTES", OUT_COUNT, NULL },
	{ "reply_packets", "REPLIES", OUT_COUNT, NULL },
	{ "reply_bytes", "BYTES", OUT_COUNT, NULL },
	{ 0 },
};

static const char *const src[] = { "src", "sport", "SOURCE", "nat_src", "nat_sport", "BECOMES" };
static const char *const dst[] = { "dst", "dport", "DESTINATION", "nat_dst", "nat_dport", "BECOMES" };

/* One end before and after translation; `names` are the columns'. */
static void put_end(struct out *o, const char *const names[6], const gl_ip6 *addr, uint16_t port, const gl_ip6 *nat,
		    uint16_t nat_port)
{
	bool same = !gl_ip6_compare(addr, nat) && port == nat_port;
	char buf[HUMAN_LEN];

	out_text(o, names[0], human_ip(addr, buf));
	out_number(o, names[1], port);
	out_text(o, names[2], human_socket(addr, port, buf));
	out_text(o, names[3], human_ip(nat, buf));
	out_number(o, names[4], nat_port);
	out_text(o, names[5], same ? NULL : human_socket(nat, nat_port, buf));
}

static int flow_row(void *arg, const struct gl_flow_row *row)
{
	struct nat *nat = arg;
	struct out *o = nat->o;
	char buf[HUMAN_LEN];
	int err;

	if (!row->translated)
		return 0;
	err = uses_count_flow(nat->uses, row);
	if (err)
		return err;
	out_text(o, "kind", "flow");
	out_text(o, "tenant", row->tenant);
	out_text(o, "network", row->network);
	out_text(o, "tap", row->tap);
	out_text(o, "proto", human_proto(row->proto, buf));
	put_end(o, src, &row->src_be, row->sport, &row->nat_src_be, row->nat_sport);
	put_end(o, dst, &row->dst_be, row->dport, &row->nat_dst_be, row->nat_dport);
	out_text(o, "state", row->state);
	out_number(o, "idle_ms", row->idle_ms);
	out_number(o, "age_ms", row->age_ms);
	out_number(o, "packets", row->packets);
	out_number(o, "bytes", row->bytes);
	out_number(o, "reply_packets", row->reply_packets);
	out_number(o, "reply_bytes", row->reply_bytes);
	return out_row(o);
}

static const struct out_column mapping_columns[] = {
	{ "kind", NULL, OUT_TEXT, NULL },     { "tenant", "TENANT", OUT_TEXT, NULL },
	{ "network", NULL, OUT_TEXT, NULL },  { "tap", "INTERFACE", OUT_TEXT, NULL },
	{ "proto", "PROTO", OUT_TEXT, NULL }, { "src", NULL, OUT_TEXT, NULL },
	{ "sport", NULL, OUT_NUMBER, NULL },  { NULL, "SOURCE", OUT_TEXT, NULL },
	{ "nat_src", NULL, OUT_TEXT, NULL },  { "nat_sport", NULL, OUT_NUMBER, NULL },
	{ NULL, "BECOMES", OUT_TEXT, NULL },  { "idle_ms", "IDLE", OUT_MS, NULL },
	{ "age_ms", "AGE", OUT_MS, NULL },    { 0 },
};

static int mapping_row(void *arg, const struct gl_mapping_row *row)
{
	struct nat *nat = arg;
	struct out *o = nat->o;
	char buf[HUMAN_LEN];
	int err = uses_count_mapping(nat->uses, row);

	if (err)
		return err;
	out_text(o, "kind", "mapping");
	out_text(o, "tenant", row->tenant);
	out_text(o, "network", row->network);
	out_text(o, "tap", row->tap);
	out_text(o, "proto", human_proto(row->proto, buf));
	put_end(o, src, &row->inner_be, row->inner_port, &row->outer_be, row->outer_port);
	out_number(o, "idle_ms", row->idle_ms);
	out_number(o, "age_ms", row->age_ms);
	return out_row(o);
}

/* ---- what was refused --------------------------------------------------------------------------------------- */

static const struct out_column refused_columns[] = {
	{ "kind", NULL, OUT_TEXT, NULL },
	{ "tenant", "TENANT", OUT_TEXT, NULL },
	{ "reason", "REASON", OUT_TEXT, NULL },
	{ "count", "COUNT", OUT_NUMBER, NULL },
	{ "at", NULL, OUT_TEXT, NULL },
	{ NULL, "LAST AT", OUT_TEXT, NULL },
	{ "ago_ms", "AGO", OUT_MS, NULL },
	{ "proto", "PROTO", OUT_TEXT, NULL },
	{ "address", "ADDRESS", OUT_TEXT, NULL },
	{ "dst", NULL, OUT_TEXT, NULL },
	{ "dport", NULL, OUT_NUMBER, NULL },
	{ NULL, "DESTINATION", OUT_TEXT, NULL },
	{ 0 },
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* A moment of the boot clock: as a date, and how long ago. */
static void put_moment(struct out *o, uint64_t ns)
{
	uint64_t now = clock_ns(CLOCK_BOOTTIME), ago = now > ns ? now - ns : 0;
	time_t then = (time_t)((clock_ns(CLOCK_REALTIME) - ago) / 1000000000);
	char text[HUMAN_LEN];
	struct tm tm;

	strftime(text, sizeof(text), "%FT%TZ", gmtime_r(&then, &tm));
	out_text(o, "at", text);
	strftime(text, sizeof(text), "%F %T", localtime_r(&then, &tm));
	out_text(o, "LAST AT", text);
	out_number(o, "ago_ms", ago / 1000000);
}

static int refused_row(struct nat *nat, const char *tenant, enum gl_drop reason, uint64_t count, uint64_t ns,
		       const struct gl_tenant_stat *whom)
{
	struct out *o = nat->o;
	bool ports = whom && whom->nat_proto != IPPROTO_ICMP && whom->nat_proto != IPPROTO_ICMPV6;
	char buf[HUMAN_LEN];

	if (!count)
		return 0;
	out_text(o, "kind", "refused");
	out_text(o, "tenant", tenant);
	out_text(o, "reason", gl_drop_name(reason));
	out_number(o, "count", count);
	put_moment(o, ns);
	out_text(o, "proto", whom ? human_proto(whom->nat_proto, buf) : NULL);
	out_text(o, "address", whom ? human_ip(&whom->nat_src_be, buf) : NULL);
	out_text(o, "dst", whom ? human_ip(&whom->nat_dst_be, buf) : NULL);
	if (ports)
		out_number(o, "dport", ntohs(whom->nat_dport_be));
	else
		out_none(o, "dport");
	out_text(o, "DESTINATION",
		 whom ? human_socket(&whom->nat_dst_be, ports ? ntohs(whom->nat_dport_be) : 0, buf) : NULL);
	return out_row(o);
}

static int tenant_stat(void *arg, const char *label, const void *key, const void *val)
{
	const struct gl_tenant_stat *stat = val;
	struct nat *nat = arg;
	const char *tenant;
	uint32_t index;
	int err;

	(void)label;
	memcpy(&index, key, sizeof(index));
	tenant = names_of(uses_names(nat->uses), GL_NAME_TENANT, index);
	if (!*tenant || (nat->cli->args.tenant && strcmp(nat->cli->args.tenant, tenant)))
		return 0;
	err = refused_row(nat, tenant, GL_DROP_NAT_EXHAUSTED, stat->nat_exhausted, stat->nat_exhausted_ns, stat);
	if (err)
		return err;
	return refused_row(nat, tenant, GL_DROP_FLOW_TABLE_FULL, stat->table_full, stat->table_full_ns, NULL);
}

/* ---- all of it ---------------------------------------------------------------------------------------------- */

static int print_nat(struct nat *nat, struct gl_host *host)
{
	struct gl_filter who = cli_filter(nat->cli);
	struct gl_flow_filter filter = { .who = who };
	struct gl_diag *diag = &nat->cli->diag;
	struct out *o = nat->o;
	int err;

	out_table_if_any(o, NULL, "Translated flows", flow_columns);
	err = gl_each_flow(host, &filter, flow_row, nat, diag);
	out_table_end(o, err);
	if (err)
		return err;
	out_table_if_any(o, NULL, "Endpoint-independent mappings", mapping_columns);
	err = gl_each_mapping(host, &who, mapping_row, nat, diag);
	out_table_end(o, err);
	if (err)
		return err;
	uses_print(nat->cli, nat->uses);
	/* A tenant's, of no interface in particular. */
	if (who.network || who.tap)
		return 0;
	out_table_if_any(o, NULL, "Refused for want of room", refused_columns);
	err = gl_each_entry(host, GL_MAP_TENANT_STAT, tenant_stat, nat, diag);
	out_table_end(o, err);
	return err;
}

int show_nat(struct cli *cli, struct gl_host *host)
{
	struct nat nat = { .cli = cli, .o = &cli->out };
	int err = uses_read(host, &nat.uses, &cli->diag);

	if (err)
		return err;
	out_array(nat.o);
	err = out_close(nat.o, print_nat(&nat, host));
	uses_free(nat.uses);
	return err;
}
