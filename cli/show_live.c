/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* `guestlane show flows`, `drops`, `counters`: what do the programs count? All are streamed. */
#include "cli/human.h"
#include "cli/show.h"
#include "loader/ip6.h"

/* ---- flows ------------------------------------------------------------------------------------------------ */

static const struct out_column flow_columns[] = {
	{ "tenant", "TENANT", OUT_TEXT, NULL },
	{ "network", NULL, OUT_TEXT, NULL },
	{ "tap", "INTERFACE", OUT_TEXT, NULL },
	{ "from_uplink", NULL, OUT_YES, NULL },
	{ "proto", "PROTO", OUT_TEXT, NULL },
	{ "src", NULL, OUT_TEXT, NULL },
	{ "sport", NULL, OUT_NUMBER, NULL },
	{ "dst", NULL, OUT_TEXT, NULL },
	{ "dport", NULL, OUT_NUMBER, NULL },
	{ NULL, "SOURCE", OUT_TEXT, NULL },
	{ NULL, "DESTINATION", OUT_TEXT, NULL },
	{ "nat_src", NULL, OUT_TEXT, NULL },
	{ "nat_sport", NULL, OUT_NUMBER, NULL },
	{ "nat_dst", NULL, OUT_TEXT, NULL },
	{ "nat_dport", NULL, OUT_NUMBER, NULL },
	{ NULL, "TRANSLATED", OUT_TEXT, NULL },
	{ "state", NULL, OUT_TEXT, NULL },
	{ "tcp_state", NULL, OUT_TEXT, NULL },
	{ NULL, "STATE", OUT_TEXT, NULL },
	{ "idle_ms", "IDLE", OUT_MS, NULL },
	{ "age_ms", "AGE", OUT_MS, NULL },
	{ "packets", "PACKETS", OUT_COUNT, NULL },
	{ "bytes", "BYTES", OUT_COUNT, NULL },
	{ "reply_packets", "REPLIES", OUT_COUNT, NULL },
	{ "reply_bytes", "BYTES", OUT_COUNT, NULL },
	{ "by", NULL, OUT_TEXT, "admitted.ingress" },
	{ "group", NULL, OUT_TEXT, "admitted.ingress" },
	{ "rule", NULL, OUT_NUMBER, "admitted.ingress" },
	{ "by", NULL, OUT_TEXT, "admitted.egress" },
	{ "group", NULL, OUT_TEXT, "admitted.egress" },
	{ "rule", NULL, OUT_NUMBER, "admitted.egress" },
	{ "stale", NULL, OUT_YES, NULL },
	{ NULL, "LET THROUGH BY", OUT_TEXT, NULL },
	{ 0 },
};

static void put_end(struct out *o, const struct gl_flow_end *end)
{
	out_text(o, "by", end->by);
	out_text(o, "group", end->group);
	if (end->rule)
		out_number(o, "rule", end->rule);
	else
		out_none(o, "rule");
}

/* "web ingress 2", "app egress all", "egress open": from the opener to the target. */
static void put_admitted(struct out *o, const struct gl_flow_row *row)
{
	static const enum gl_direction order[] = { GL_EGRESS, GL_INGRESS };
	char text[4 * GL_NAME_LEN] = "";
	size_t len = 0;

	for (int i = 0; i < 2; i++) {
		const struct gl_flow_end *end = &row->admitted[order[i]];
		const char *direction = order[i] == GL_EGRESS ? "egress" : "ingress";

		if (!end->by)
			continue;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s%s%s ", len ? ", " : "",
					end->group ? end->group : "", end->group ? " " : "", direction);
		if (end->rule)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%u", end->rule);
		else
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", end->by);
	}
	/* What the rule's number meant may have changed since. */
	if (len && row->stale)
		snprintf(text + len, sizeof(text) - len, " (stale)");
	out_text(o, "LET THROUGH BY", text);
}

/* What translation makes of a flow, for people: the ends that it changes. */
static void put_translation(struct out *o, const struct gl_flow_row *row)
{
	bool src = gl_ip6_compare(&row->nat_src_be, &row->src_be) || row->nat_sport != row->sport;
	bool dst = gl_ip6_compare(&row->nat_dst_be, &row->dst_be) || row->nat_dport != row->dport;
	char from[HUMAN_LEN], to[HUMAN_LEN];

	human_socket(&row->nat_src_be, row->nat_sport, from);
	human_socket(&row->nat_dst_be, row->nat_dport, to);
	if (!row->translated || !(src || dst))
		out_none(o, "TRANSLATED");
	else if (src && dst)
		out_format(o, "TRANSLATED", "from %s to %s", from, to);
	else
		out_format(o, "TRANSLATED", "%s %s", src ? "from" : "to", src ? from : to);
}

static void put_nat(struct out *o, const struct gl_flow_row *row)
{
	char buf[HUMAN_LEN];

	if (!row->translated) {
		out_none(o, "nat_src");
		out_none(o, "nat_sport");
		out_none(o, "nat_dst");
		out_none(o, "nat_dport");
		return;
	}
	out_text(o, "nat_src", human_ip(&row->nat_src_be, buf));
	out_number(o, "nat_sport", row->nat_sport);
	out_text(o, "nat_dst", human_ip(&row->nat_dst_be, buf));
	out_number(o, "nat_dport", row->nat_dport);
}

static int flow_row(void *arg, const struct gl_flow_row *row)
{
	struct out *o = arg;
	char buf[HUMAN_LEN];

	out_text(o, "tenant", row->tenant);
	out_text(o, "network", row->network);
	out_text(o, "tap", row->tap);
	out_number(o, "from_uplink", row->from_uplink);
	out_text(o, "proto", human_proto(row->proto, buf));
	out_text(o, "src", human_ip(&row->src_be, buf));
	out_number(o, "sport", row->sport);
	out_text(o, "dst", human_ip(&row->dst_be, buf));
	out_number(o, "dport", row->dport);
	out_text(o, "SOURCE", human_socket(&row->src_be, row->sport, buf));
	out_text(o, "DESTINATION", human_socket(&row->dst_be, row->dport, buf));
	put_nat(o, row);
	put_translation(o, row);
	out_text(o, "state", row->state);
	out_text(o, "tcp_state", row->tcp_state);
	out_text(o, "STATE", row->tcp_state ? row->tcp_state : row->state);
	out_number(o, "idle_ms", row->idle_ms);
	out_number(o, "age_ms", row->age_ms);
	out_number(o, "packets", row->packets);
	out_number(o, "bytes", row->bytes);
	out_number(o, "reply_packets", row->reply_packets);
	out_number(o, "reply_bytes", row->reply_bytes);
	put_end(o, &row->admitted[GL_INGRESS]);
	put_end(o, &row->admitted[GL_EGRESS]);
	out_number(o, "stale", row->stale);
	put_admitted(o, row);
	return out_row(o);
}

int show_flows(struct cli *cli, struct gl_host *host)
{
	struct out *o = &cli->out;
	struct gl_flow_filter filter;
	int err = cli_flow_filter(cli, &filter);

	if (err)
		return err;
	out_array(o);
	out_table(o, NULL, NULL, flow_columns);
	err = gl_each_flow(host, &filter, flow_row, o, &cli->diag);
	out_table_end(o, err);
	return out_close(o, err);
}

/* ---- drops ------------------------------------------------------------------------------------------------ */

static const struct out_column drop_columns[] = {
	{ "tenant", "TENANT", OUT_TEXT, NULL },	   { "network", "NETWORK", OUT_TEXT, NULL },
	{ "tap", "INTERFACE", OUT_TEXT, NULL },	   { "reason", "REASON", OUT_TEXT, NULL },
	{ "packets", "PACKETS", OUT_COUNT, NULL }, { "bytes", "BYTES", OUT_COUNT, NULL },
	{ "help", "MEANING", OUT_TEXT, NULL },	   { 0 },
};

static int drop_row(void *arg, const struct gl_drop_row *row)
{
	struct out *o = arg;

	out_text(o, "tenant", row->tenant);
	out_text(o, "network", row->network);
	out_text(o, "tap", row->tap);
	out_text(o, "reason", row->reason);
	out_number(o, "packets", row->packets);
	out_number(o, "bytes", row->bytes);
	out_text(o, "help", row->help);
	return out_row(o);
}

int show_drops(struct cli *cli, struct gl_host *host)
{
	struct gl_filter filter = cli_filter(cli);
	struct out *o = &cli->out;
	int err;

	out_array(o);
	out_table(o, NULL, NULL, drop_columns);
	err = gl_each_drop(host, &filter, drop_row, o, &cli->diag);
	out_table_end(o, err);
	return out_close(o, err);
}

static const struct out_column reason_columns[] = {
	{ "reason", "REASON", OUT_TEXT, NULL },
	{ "help", "MEANING", OUT_TEXT, NULL },
	{ 0 },
};

int show_reasons(struct cli *cli)
{
	struct out *o = &cli->out;

	out_array(o);
	out_table(o, NULL, NULL, reason_columns);
	for (uint32_t reason = GL_DROP_NONE + 1; reason < GL_DROP_COUNT; reason++) {
		out_text(o, "reason", gl_drop_name(reason));
		out_text(o, "help", gl_drop_help(reason));
		if (out_row(o))
			break;
	}
	out_table_end(o, 0);
	return out_close(o, 0);
}

/* ---- counters --------------------------------------------------------------------------------------------- */

static const struct out_column counter_columns[] = {
	{ "tap", "INTERFACE", OUT_TEXT, NULL },
	{ "role", "ROLE", OUT_TEXT, NULL },
	{ "tenant", "TENANT", OUT_TEXT, NULL },
	{ "network", "NETWORK", OUT_TEXT, NULL },
	{ "from_guest_packets", "FROM GUEST", OUT_COUNT, NULL },
	{ "from_guest_bytes", "BYTES", OUT_COUNT, NULL },
	{ "to_guest_packets", "TO GUEST", OUT_COUNT, NULL },
	{ "to_guest_bytes", "BYTES", OUT_COUNT, NULL },
	{ "dropped_packets", "DROPPED", OUT_COUNT, NULL },
	{ 0 },
};

static int counter_row(void *arg, const struct gl_counter_row *row)
{
	struct out *o = arg;

	out_text(o, "tap", row->tap);
	out_text(o, "role", row->uplink ? "uplink" : "guest");
	out_text(o, "tenant", row->tenant);
	out_text(o, "network", row->network);
	out_number(o, "from_guest_packets", row->from_guest.packets);
	out_number(o, "from_guest_bytes", row->from_guest.bytes);
	out_number(o, "to_guest_packets", row->to_guest.packets);
	out_number(o, "to_guest_bytes", row->to_guest.bytes);
	out_number(o, "dropped_packets", row->dropped);
	return out_row(o);
}

int show_counters(struct cli *cli, struct gl_host *host)
{
	struct gl_filter filter = cli_filter(cli);
	struct out *o = &cli->out;
	int err;

	out_array(o);
	out_table(o, NULL, NULL, counter_columns);
	err = gl_each_counter(host, &filter, counter_row, o, &cli->diag);
	out_table_end(o, err);
	return out_close(o, err);
}
