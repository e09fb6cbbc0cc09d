/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What does a definition say? Taken from the parser's result, with the defaults that docs/definition.md names; the
 * compiler has no part in it. Names have numbers of the model's own. Neighbours: model.h. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "loader/diag.h"
#include "model.h"

static char tenant_names[M_TENANTS][64], net_names[M_NETS][128], port_names[M_PORTS][64];
static unsigned tenants, nets, ports;

#define NUMBER(table, count, name)                                                                                     \
	do {                                                                                                           \
		for (unsigned i_ = 0; i_ < (count); i_++)                                                              \
			if (!strcmp((table)[i_], name))                                                                \
				return i_;                                                                             \
		if ((count) == sizeof(table) / sizeof(*(table)))                                                       \
			abort();                                                                                       \
		snprintf((table)[count], sizeof(*(table)), "%s", name);                                                \
		return (count)++;                                                                                      \
	} while (0)

void names_reset(void)
{
	tenants = nets = ports = 0;
	addr_reset();
}

unsigned tenant_number(const char *name)
{
	NUMBER(tenant_names, tenants, name);
}

unsigned net_number(const char *tenant, const char *net)
{
	char path[128];

	snprintf(path, sizeof(path), "%.60s/%.60s", tenant, net);
	NUMBER(net_names, nets, path);
}

unsigned port_number(const char *dev)
{
	if (!strcmp(dev, "wan"))
		return M_UPLINK;
	NUMBER(port_names, ports, dev);
}

const char *port_name(unsigned port)
{
	return port == M_UPLINK ? "wan" : port < ports ? port_names[port] : "?";
}

const char *tenant_name(unsigned tenant)
{
	return tenant < tenants ? tenant_names[tenant] : "?";
}

const char *net_name(unsigned net)
{
	return net < nets ? net_names[net] : "?";
}

unsigned port_count(void)
{
	return ports;
}

static uint32_t addr_of(const struct gl_prefix *prefix)
{
	return addr_number(prefix->family == AF_INET6 ? 6 : 4, prefix->bytes);
}

/* The first of a list that is of the definition's family; NULL: there is none. */
static const struct gl_prefix *first_of(const struct m_def *def, const struct gl_prefix *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].family == (def->family == 6 ? AF_INET6 : AF_INET))
			return &list[i];
	return NULL;
}

static void read_net(struct m_def *def, unsigned tenant, const struct gl_network *net)
{
	const char *owner = def->tenants[tenant]->name.s;
	struct m_net *n = &def->nets[net_number(owner, net->name.s)];
	struct gl_prefix gw;

	n->def = net;
	n->tenant = tenant;
	gl_gateway_mac(owner, net->name.s, n->gw_mac);
	n->subnet = first_of(def, net->subnets, net->subnet_count);
	if (!n->subnet)
		return;
	gw = gl_network_gateway(net, n->subnet - net->subnets);
	n->base = addr_of(n->subnet);
	n->gw = addr_of(&gw);
	if (def->family == 6)
		n->link = addr_eui64(0, n->gw_mac);
	if (net->mode != GL_MODE_NAT)
		return;
	for (; n->span_count < net->nat_port_count && n->span_count < M_SPANS; n->span_count++)
		n->spans[n->span_count] = net->nat_ports[n->span_count];
	for (size_t i = 0; i < net->nat_address_count; i++)
		if (first_of(def, &net->nat_addresses[i].first, 1))
			for (uint32_t a = addr_of(&net->nat_addresses[i].first);
			     a <= addr_of(&net->nat_addresses[i].last); a++)
				n->pool[n->pool_count++] = a;
	if (!n->pool_count)
		n->pool[n->pool_count++] = M_HOST;
}

static void read_port(struct m_def *def, unsigned tenant, const struct gl_interface *iface)
{
	struct m_port *p = &def->ports[port_number(iface->tap.s)];
	const struct gl_prefix *addr = first_of(def, iface->addresses, iface->address_count);
	const struct gl_prefix *floating = first_of(def, iface->floating_ips, iface->floating_count);

	p->def = iface;
	p->tenant = tenant;
	p->net = net_number(def->tenants[tenant]->name.s, iface->network.s);
	memcpy(p->mac, iface->mac, 6);
	p->addr = addr ? addr_of(addr) : 0;
	if (iface->slaac && def->family == 6 && def->nets[p->net].subnet && def->nets[p->net].subnet->len == 64)
		p->slaac = addr_eui64(def->nets[p->net].base, p->mac);
	if (!addr)
		p->addr = p->slaac;
	p->floating = floating ? addr_of(floating) : 0;
	if (def->nets[p->net].subnet && def->family == 6)
		p->link = addr_eui64(0, p->mac);
}

int def_read(const char *text, unsigned family, struct m_def *ret)
{
	struct gl_diag diag = { 0 };
	struct gl_definition *def = NULL;
	int err = gl_definition_new(&def);

	memset(ret, 0, sizeof(*ret));
	ret->family = family;
	if (!err)
		err = gl_parse(def, "definition", text, strlen(text), &diag);
	if (!err)
		err = gl_validate(def, &diag);
	for (size_t i = 0; i < diag.count; i++)
		printf("%u:%u: %s\n", diag.findings[i].loc.line, diag.findings[i].loc.col, diag.findings[i].text);
	gl_diag_clear(&diag);
	if (err) {
		gl_definition_free(def);
		return err;
	}
	ret->parsed = def;
	for (size_t i = 0; i < def->tenant_count; i++) {
		const struct gl_tenant *t = &def->tenants[i];
		unsigned number = tenant_number(t->name.s);

		ret->tenants[number] = t;
		for (size_t j = 0; j < t->network_count; j++)
			read_net(ret, number, &t->networks[j]);
		for (size_t j = 0; j < t->guest_count; j++)
			for (size_t k = 0; k < t->guests[j].interface_count; k++)
				read_port(ret, number, &t->guests[j].interfaces[k]);
	}
	return 0;
}

void def_free(struct m_def *def)
{
	gl_definition_free(def->parsed);
	def->parsed = NULL;
}
