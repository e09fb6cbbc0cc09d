/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How flows are told apart. See flowfilter.h. */
#include "loader/flowfilter.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

uint16_t gl_flow_dport(uint8_t proto, __be16 dport_be)
{
	return proto == IPPROTO_ICMP ? 0 : ntohs(dport_be);
}

struct gl_flow4_key gl_flow_peer(const struct gl_flow4_key *key, const struct gl_flow4_val *val)
{
	return (struct gl_flow4_key){ .src_be = val->new_dst_be,
				      .dst_be = val->new_src_be,
				      .sport_be = val->new_dport_be,
				      .dport_be = val->new_sport_be,
				      .scope = val->peer_scope,
				      .proto = key->proto,
				      .kind = GL_FLOW_PACKETS };
}

static bool in_prefix(const struct gl_prefix *prefix, __be32 addr_be)
{
	uint32_t mask = prefix->len ? ~0u << (32 - prefix->len) : 0;
	__be32 want_be;

	if (!prefix->family)
		return true;
	memcpy(&want_be, prefix->bytes, sizeof(want_be));
	return !((addr_be ^ want_be) & htonl(mask));
}

static bool in_span(const struct gl_port_span *span, uint16_t port)
{
	return !span->last || (port >= span->first && port <= span->last);
}

static bool ends_pass(const struct gl_flow_filter *f, __be32 src_be, uint16_t sport, __be32 dst_be, uint16_t dport)
{
	return in_prefix(&f->src, src_be) && in_prefix(&f->dst, dst_be) && in_span(&f->sport, sport) &&
	       in_span(&f->dport, dport);
}

static bool by_group(const struct gl_admitted *admitted, uint32_t group)
{
	return (admitted->how == GL_ADMIT_ALL || admitted->how == GL_ADMIT_RULE) && admitted->group == group;
}

bool gl_flow_passes(const struct gl_flow_filter *f, uint32_t group, const struct gl_flow4_key *key,
		    const struct gl_flow4_val *val)
{
	if (f->proto_given && f->proto != key->proto)
		return false;
	if (f->states && !(f->states & 1u << (val->state & 31)))
		return false;
	if (group && !by_group(&val->admitted[GL_INGRESS], group) && !by_group(&val->admitted[GL_EGRESS], group))
		return false;
	return ends_pass(f, key->src_be, ntohs(key->sport_be), key->dst_be, gl_flow_dport(key->proto, key->dport_be)) ||
	       ends_pass(f, val->new_src_be, ntohs(val->new_sport_be), val->new_dst_be,
			 gl_flow_dport(key->proto, val->new_dport_be));
}
