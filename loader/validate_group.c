/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Do security groups name what there is: the groups of rules and interfaces, and prefixes without host bits?
 * Neighbours: validate.c (who calls), validate.h, parse_group.c (what a rule's keys say of each other). */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "loader/validate.h"

static const struct gl_holder *find(const struct gl_check *c, enum gl_seen kind, uint32_t scope, const char *name)
{
	return gl_check_seen(c, kind, scope, name, strlen(name));
}

/* A name that could not be read may have been any. */
static bool names_unread(const struct gl_tenant *tenant)
{
	for (size_t i = 0; i < tenant->group_count; i++) {
		if (!*tenant->groups[i].name.s)
			return true;
	}
	return false;
}

static void check_named(struct gl_check *c, uint32_t t, const struct gl_string *name, bool unread)
{
	const char *tenant = c->def->tenants[t].name.s;
	const struct gl_holder *other;

	if (!*name->s || unread || find(c, GL_SEEN_GROUP, t, name->s))
		return;
	other = find(c, GL_SEEN_ANY_GROUP, 0, name->s);
	if (other)
		GL_REPORT(c, name->loc,
			  "tenant \"%s\" has no security group \"%s\"; the one of tenant \"%s\" holds for its own "
			  "interfaces alone",
			  tenant, name->s, other->tenant);
	else
		GL_REPORT(c, name->loc, "tenant \"%s\" has no security group \"%s\"", tenant, name->s);
}

static void check_remote(struct gl_check *c, const struct gl_rule *rule)
{
	static const struct gl_prefix mapped = { .family = AF_INET6, .len = 96, .bytes = { [10] = 0xff, [11] = 0xff } };
	const struct gl_prefix *remote = &rule->remote_ip;
	uint8_t icmp = remote->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	char text[50];

	if (!remote->family)
		return;
	if (gl_prefix_contains(&mapped, remote))
		GL_REPORT(c, remote->loc, "remote_ip %s never occurs in packets; expected IPv4 written as IPv4",
			  gl_prefix_format(remote, text));
	gl_check_host_bits(c, remote);
	if (!rule->any_proto && (rule->proto == IPPROTO_ICMP || rule->proto == IPPROTO_ICMPV6) && rule->proto != icmp)
		GL_REPORT(c, remote->loc, "remote_ip %s is %s, which has no %s; expected protocol %s",
			  gl_prefix_format(remote, text), gl_family_text(remote->family),
			  icmp == IPPROTO_ICMP ? "icmpv6" : "icmp", icmp == IPPROTO_ICMP ? "icmp" : "icmpv6");
}

static void check_rules(struct gl_check *c, uint32_t t, const struct gl_group *group, enum gl_direction direction,
			bool unread)
{
	for (size_t i = 0; i < group->rule_count[direction] && !c->err; i++) {
		const struct gl_rule *rule = &group->rules[direction][i];

		if (i == GL_GROUP_RULES)
			GL_REPORT(c, rule->loc, "security group \"%s\" has more than %d rules for %s", group->name.s,
				  GL_GROUP_RULES, direction == GL_INGRESS ? "ingress" : "egress");
		check_remote(c, rule);
		if (rule->remote_group.s)
			check_named(c, t, &rule->remote_group, unread);
	}
}

/* Duplicates among an interface's few groups: pairs do. */
static void check_interface(struct gl_check *c, uint32_t t, const struct gl_interface *interface, bool unread)
{
	char where[128];

	for (size_t i = 0; i < interface->group_count; i++) {
		const struct gl_string *name = &interface->groups[i];
		size_t k = 0;

		while (k < i && strcmp(interface->groups[k].s, name->s))
			k++;
		if (k == i)
			check_named(c, t, name, unread);
		else if (*name->s)
			GL_REPORT(c, name->loc, "security group \"%s\" is listed twice; first at %s", name->s,
				  gl_check_where(interface->groups[k].loc, where));
	}
}

void gl_check_groups(struct gl_check *c)
{
	const struct gl_definition *def = c->def;

	/* All names before the first that names one. */
	for (uint32_t t = 0; t < def->tenant_count; t++) {
		const struct gl_tenant *tenant = &def->tenants[t];

		for (size_t g = 0; g < tenant->group_count && !c->err; g++) {
			const struct gl_string *name = &tenant->groups[g].name;
			struct gl_holder holder = { name->loc, tenant->name.s, NULL };

			gl_check_name(c, GL_SEEN_GROUP, t, name, "security group");
			if (*name->s)
				gl_check_first(c, GL_SEEN_ANY_GROUP, 0, name->s, strlen(name->s), &holder);
		}
	}
	for (uint32_t t = 0; t < def->tenant_count && !c->err; t++) {
		const struct gl_tenant *tenant = &def->tenants[t];
		bool unread = names_unread(tenant);

		for (size_t g = 0; g < tenant->group_count; g++) {
			check_rules(c, t, &tenant->groups[g], GL_INGRESS, unread);
			check_rules(c, t, &tenant->groups[g], GL_EGRESS, unread);
		}
		for (size_t g = 0; g < tenant->guest_count; g++) {
			const struct gl_guest *guest = &tenant->guests[g];

			for (size_t i = 0; i < guest->interface_count; i++)
				check_interface(c, t, &guest->interfaces[i], unread);
		}
	}
}
