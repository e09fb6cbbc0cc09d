/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* `guestlane status`: what is attached where, and how full is each map? */
#include "cli/cli.h"
#include "cli/commands.h"

static const struct out_column attachment_columns[] = {
	{ "tap", "INTERFACE", OUT_TEXT, NULL },
	{ "role", "ROLE", OUT_TEXT, NULL },
	{ "uplink", NULL, OUT_TEXT, NULL },
	{ "tenant", "TENANT", OUT_TEXT, NULL },
	{ "network", NULL, OUT_TEXT, NULL },
	{ NULL, "NETWORK", OUT_TEXT, NULL }, /* or the uplink's name */
	{ "guest", "GUEST", OUT_TEXT, NULL },
	{ "state", "STATE", OUT_TEXT, NULL },
	{ "xdp", "XDP", OUT_TEXT, NULL },
	{ "tc", "TC", OUT_TEXT, NULL },
	{ "mtu", "MTU", OUT_NUMBER, NULL },
	{ "ifindex", NULL, OUT_NUMBER, NULL },
	{ "slot", NULL, OUT_NUMBER, NULL },
	{ "xdp_reason", "WHY NOT NATIVE", OUT_TEXT, NULL },
	{ 0 },
};

static int attachment_row(struct out *o, const struct gl_attachment *a)
{
	out_text(o, "tap", a->tap);
	out_text(o, "role", a->uplink ? "uplink" : "guest");
	out_text(o, "uplink", a->uplink ? a->network : NULL);
	out_text(o, "tenant", a->tenant);
	out_text(o, "network", a->uplink ? NULL : a->network);
	out_text(o, "NETWORK", a->network);
	out_text(o, "guest", a->guest);
	out_text(o, "state", a->pending ? "pending" : "attached");
	out_text(o, "xdp", a->xdp);
	out_text(o, "tc", a->tc);
	if (a->mtu)
		out_number(o, "mtu", a->mtu);
	else
		out_none(o, "mtu");
	if (a->ifindex) {
		out_number(o, "ifindex", a->ifindex);
		out_number(o, "slot", a->slot);
	} else {
		out_none(o, "ifindex");
		out_none(o, "slot");
	}
	out_text(o, "xdp_reason", a->xdp_reason);
	return out_row(o);
}

static const struct out_column fill_columns[] = {
	{ "map", "MAP", OUT_TEXT, NULL },
	{ "used", "USED", OUT_NUMBER, NULL },
	{ "capacity", "CAPACITY", OUT_NUMBER, NULL },
	{ NULL, "FULL", OUT_TEXT, NULL },
	{ 0 },
};

static int fill_row(struct out *o, const struct gl_map_fill *fill)
{
	out_text(o, "map", fill->map);
	out_number(o, "used", fill->used);
	out_number(o, "capacity", fill->capacity);
	if (fill->capacity)
		out_format(o, "FULL", "%5.1f%%", 100.0 * (double)fill->used / (double)fill->capacity);
	else
		out_none(o, "FULL");
	return out_row(o);
}

static void head(struct cli *cli, const struct gl_status *status)
{
	struct out *o = &cli->out;

	out_member(o, "version", json_string(GL_VERSION));
	out_member(o, "abi", json_integer(status->abi));
	out_member(o, "applied", json_boolean(status->applied));
	out_member(o, "serial", json_integer((json_int_t)status->serial));
	out_member(o, "side", json_integer(status->side));
	if (status->applied)
		out_line(o, "guestlane %s: map layout %u, commit %llu", GL_VERSION, status->abi,
			 (unsigned long long)status->serial);
	else
		out_line(o, "guestlane %s: nothing is applied on this host", GL_VERSION);
}

static int print_status(struct cli *cli, const struct gl_status *status)
{
	struct out *o = &cli->out;
	bool rows = cli->args.json || status->applied || status->attachment_count;

	out_object(o);
	head(cli, status);
	if (rows) {
		out_table(o, "attachments", "Interfaces", attachment_columns);
		for (size_t i = 0; i < status->attachment_count; i++)
			if (attachment_row(o, &status->attachments[i]))
				break;
		out_table_end(o, 0);
		out_table(o, "maps", "Maps", fill_columns);
		for (size_t i = 0; i < status->fill_count; i++)
			if (fill_row(o, &status->fills[i]))
				break;
		out_table_end(o, 0);
	}
	return out_close(o, 0);
}

int cmd_status(struct cli *cli)
{
	struct gl_host *host = NULL;
	struct gl_status *status = NULL;
	int err;

	err = cli_open(cli, &host);
	if (!err)
		err = gl_status_read(host, &status, &cli->diag);
	if (!err)
		err = print_status(cli, status);
	gl_status_free(status);
	gl_host_close(host);
	return err;
}
