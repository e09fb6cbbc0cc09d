/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* `guestlane check`: is a definition good? */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/human.h"

struct sizes {
	size_t uplinks, tenants, networks, guests, interfaces;
};

static struct sizes measure(const struct gl_definition *def)
{
	struct sizes n = { .uplinks = def->uplink_count, .tenants = def->tenant_count };

	for (size_t t = 0; t < def->tenant_count; t++) {
		const struct gl_tenant *tenant = &def->tenants[t];

		n.networks += tenant->network_count;
		n.guests += tenant->guest_count;
		for (size_t g = 0; g < tenant->guest_count; g++)
			n.interfaces += tenant->guests[g].interface_count;
	}
	return n;
}

static void print_people(struct cli *cli, const struct sizes *n)
{
	char tenants[HUMAN_LEN], networks[HUMAN_LEN], guests[HUMAN_LEN], interfaces[HUMAN_LEN];
	char *names = NULL;
	size_t size;
	FILE *file = open_memstream(&names, &size);

	if (!file)
		return;
	for (size_t i = 0; i < cli->count; i++)
		fprintf(file, "%s%s", i ? ", " : "", cli->operands[i]);
	fclose(file);
	out_line(&cli->out, "%s: ok: %s, %s, %s, %s", names, human_plural(n->tenants, "tenant", tenants),
		 human_plural(n->networks, "network", networks), human_plural(n->guests, "guest", guests),
		 human_plural(n->interfaces, "interface", interfaces));
	free(names);
}

int cmd_check(struct cli *cli)
{
	struct gl_definition *def = NULL;
	struct out *o = &cli->out;
	struct sizes n;
	int err = cli_load(cli, &def);

	if (err)
		return err;
	n = measure(def);
	gl_definition_free(def);
	out_object(o);
	out_member(o, "errors", json_array());
	out_member(o, "uplinks", json_integer((json_int_t)n.uplinks));
	out_member(o, "tenants", json_integer((json_int_t)n.tenants));
	out_member(o, "networks", json_integer((json_int_t)n.networks));
	out_member(o, "guests", json_integer((json_int_t)n.guests));
	out_member(o, "interfaces", json_integer((json_int_t)n.interfaces));
	if (!cli->args.json)
		print_people(cli, &n);
	return out_close(o, 0);
}
