/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What plan.c has to know beside the maps: programs on devices, flow tables, settings of the host.
 * Neighbours: plan.h, txn.h, apply.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/fail.h"
#include "loader/labels.h"
#include "loader/plan.h"
#include "loader/txn.h"

struct planning {
	const struct gl_txn *t;
	struct gl_plan_extra *extras;
	size_t extra_count;
	struct gl_flow_table *tables;
	struct gl_port_range *reserved;
	size_t reserved_count;
	char notes[2 + GL_FAMILIES][256];
	const char *note_list[2 + GL_FAMILIES];
	size_t note_count;
};

static const char *xdp_change(const struct gl_txn *t, const struct gl_device *dev)
{
	const struct gl_attached *a = gl_attached_find(&t->view.attachments, dev->ifindex, GL_HOOK_XDP);

	if (!gl_xdp_wanted(dev))
		return "xdp on -> off";
	if (dev->xdp == GL_XDP_GENERIC)
		return a ? "xdp native -> generic" : "xdp off -> generic";
	return !a			      ? "xdp off -> native"
	       : a->how == GL_HOW_XDP_GENERIC ? "xdp generic -> native"
					      : "xdp: this version's";
}

/* Devices that are in force already, but do not carry what they should. Of new and removed ones the maps tell. */
static void add_programs(struct planning *p)
{
	const struct gl_txn *t = p->t;

	for (size_t i = 0; i < t->desired->device_count; i++) {
		const struct gl_device *dev = &t->desired->devices[i];
		const struct gl_port_val *port = gl_port_of(gl_view_live(&t->view), dev->slot);
		const char *detail = NULL;

		if (!port || port->ifindex != dev->ifindex)
			continue;
		if (t->host->obj.loaded && !gl_xdp_settled(t, dev))
			detail = xdp_change(t, dev);
		for (enum gl_hook hook = GL_HOOK_TC_OUT; hook <= GL_HOOK_TC_IN; hook++)
			if (gl_device_prog(dev, hook) != GL_PROG_COUNT &&
			    !gl_attached_find(&t->view.attachments, dev->ifindex, hook))
				detail = "attach again what was taken off";
		if (detail)
			p->extras[p->extra_count++] = (struct gl_plan_extra){
				.action = GL_CHANGE, .kind = "program", .name = dev->name, .detail = detail
			};
	}
	if (t->view.control.serial && !t->host->obj.loaded)
		p->extras[p->extra_count++] = (struct gl_plan_extra){
			.action = GL_CHANGE, .kind = "program", .name = "all", .detail = "load those of this version"
		};
}

static int add_reserved(struct planning *p)
{
	const struct gl_txn *t = p->t;
	struct gl_ports now, kept;
	unsigned port = 0;

	/* Where the operator keeps a port for us already there is nothing to tell. */
	if (gl_reserved_read(&now, NULL))
		memset(&now, 0, sizeof(now));
	for (int i = 0; i < GL_PORT_WORDS; i++)
		kept.bits[i] = t->view.state.reserved.bits[i] | (now.bits[i] & t->wanted.bits[i]);
	while (port < 65536) {
		struct gl_port_range *more;
		unsigned last = port;

		if (!gl_ports_has(&kept, port)) {
			port++;
			continue;
		}
		while (gl_ports_has(&kept, last + 1))
			last++;
		more = reallocarray(p->reserved, p->reserved_count + 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		p->reserved = more;
		more[p->reserved_count++] = (struct gl_port_range){ .min = port, .max = last };
		port = last + 1;
	}
	return 0;
}

static void add_notes(struct planning *p)
{
	const struct gl_desired *desired = p->t->desired;
	char *ports;

	if (desired->reserved_count) {
		ports = gl_ports_format(&p->t->wanted);
		snprintf(p->notes[p->note_count++], sizeof(p->notes[0]),
			 "net.ipv4.ip_local_reserved_ports keeps the ports %.150s from the host's own sockets",
			 ports ? ports : "?");
		free(ports);
	}
	for (unsigned i = 0; i < GL_FAMILIES; i++)
		if (gl_lookups_wanted(p->t, gl_family_at(i)) && !gl_forwarding_enabled(gl_family_at(i)))
			snprintf(p->notes[p->note_count++], sizeof(p->notes[0]),
				 "%s is set to 1 for route lookups; no interface forwards by it",
				 gl_forwarding_name(gl_family_at(i)));
	if (desired->uplink_mac_count)
		snprintf(p->notes[p->note_count++], sizeof(p->notes[0]),
			 "uplinks take frames for %zu MACs of guests and of groups that solicit them; a NIC without a "
			 "filter turns promiscuous",
			 desired->uplink_mac_count);
	for (size_t i = 0; i < p->note_count; i++)
		p->note_list[i] = p->notes[i];
}

int gl_txn_plan(const struct gl_txn *t, bool settled, struct gl_plan **ret)
{
	struct planning p = { .t = t };
	struct gl_plan_in in = { .live = gl_view_live(&t->view), .desired = t->desired };
	struct gl_plan *plan = NULL;
	int err = 0;

	p.extras = calloc(t->desired->device_count + 2, sizeof(*p.extras));
	p.tables = calloc(t->view.tables.count + 1, sizeof(*p.tables));
	if (!p.extras || !p.tables)
		err = -ENOMEM;
	if (!err)
		err = add_reserved(&p);
	if (err)
		goto out;
	for (size_t i = 0; i < t->view.tables.count; i++) {
		p.tables[i].tenant = t->view.tables.items[i].tenant;
		p.tables[i].map = t->view.tables.items[i].map;
		p.tables[i].max_flows = t->view.tables.items[i].max_entries / gl_flow_table_entries(1);
		memcpy(p.tables[i].name, t->view.tables.items[i].name, sizeof(p.tables[i].name));
	}
	if (!settled) {
		add_programs(&p);
		add_notes(&p);
	}
	in.tables = p.tables;
	in.table_count = t->view.tables.count;
	in.reserved = p.reserved;
	in.reserved_count = p.reserved_count;
	in.extras = p.extras;
	in.extra_count = p.extra_count;
	in.notes = p.note_list;
	in.note_count = p.note_count;
	err = gl_plan_make(&in, &plan);
	if (!err && !settled && !plan->count) {
		/* Nothing that a packet meets. */
		bool same = t->view.state.definition && !strcmp(t->view.state.definition, t->definition);

		gl_plan_free(plan);
		plan = NULL;
		p.extras[p.extra_count++] =
			(struct gl_plan_extra){ .action = GL_CHANGE,
						.kind = same ? "host" : "definition",
						.name = same ? "state" : "in force",
						.detail = same ? "clean up what is left of an earlier command"
							       : "write it down" };
		in.extra_count = p.extra_count;
		err = gl_plan_make(&in, &plan);
	}
out:
	free(p.extras);
	free(p.tables);
	free(p.reserved);
	if (err)
		return gl_fail(t->diag, err, "cannot work out what changes");
	*ret = plan;
	return 0;
}
