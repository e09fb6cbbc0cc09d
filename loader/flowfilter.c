/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How flows are told apart. See flowfilter.h. */
#include "loader/flowfilter.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* What stands around the addresses is the same in both families' entries. */
#define KEY_TAIL(n) (sizeof(struct gl_flow##n##_key) - offsetof(struct gl_flow##n##_key, sport_be))
#define VAL_TAIL(n) (sizeof(struct gl_flow##n##_val) - offsetof(struct gl_flow##n##_val, new_sport_be))
#define VAL_BEHIND(n, member)                                                                                          \
	(offsetof(struct gl_flow##n##_val, member) - offsetof(struct gl_flow##n##_val, new_sport_be))
#define SAME_BEHIND(member) static_assert(VAL_BEHIND(4, member) == VAL_BEHIND(6, member), #member)
static_assert(KEY_TAIL(4) == KEY_TAIL(6), "");
static_assert(VAL_TAIL(4) == VAL_TAIL(6), "");
static_assert(offsetof(struct gl_flow4_val, new_src_be) == offsetof(struct gl_flow6_val, new_src_be), "");
SAME_BEHIND(packets);
SAME_BEHIND(peer_scope);
SAME_BEHIND(admitted);

void gl_flow_read(enum gl_map_id map, const void *k, const void *v, struct gl_flow *ret)
{
	const struct gl_flow4_key *key = k;
	const struct gl_flow4_val *val = v;

	*ret = (struct gl_flow){ 0 };
	if (map == GL_MAP_FLOW6) {
		memcpy(&ret->key, k, sizeof(ret->key));
		if (v)
			memcpy(&ret->val, v, sizeof(ret->val));
		return;
	}
	ret->key.src_be = gl_ip6_of4(key->src_be);
	ret->key.dst_be = gl_ip6_of4(key->dst_be);
	memcpy(&ret->key.sport_be, &key->sport_be, KEY_TAIL(4));
	if (!v)
		return;
	memcpy(&ret->val, val, offsetof(struct gl_flow4_val, new_src_be));
	ret->val.new_src_be = gl_ip6_of4(val->new_src_be);
	ret->val.new_dst_be = gl_ip6_of4(val->new_dst_be);
	memcpy(&ret->val.new_sport_be, &val->new_sport_be, VAL_TAIL(4));
}

const void *gl_flow_table_key(enum gl_map_id map, const struct gl_flow6_key *key, struct gl_flow6_key *buf)
{
	struct gl_flow4_key narrow = { .src_be = key->src_be.w[3], .dst_be = key->dst_be.w[3] };

	if (map == GL_MAP_FLOW6)
		return key;
	memcpy(&narrow.sport_be, &key->sport_be, KEY_TAIL(4));
	memcpy(buf, &narrow, sizeof(narrow));
	return buf;
}

uint16_t gl_flow_dport(uint8_t proto, __be16 dport_be)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6 ? 0 : ntohs(dport_be);
}

struct gl_flow6_key gl_flow_peer(const struct gl_flow *flow)
{
	const struct gl_flow6_val *val = &flow->val;

	return (struct gl_flow6_key){ .src_be = val->new_dst_be,
				      .dst_be = val->new_src_be,
				      .sport_be = val->new_dport_be,
				      .dport_be = val->new_sport_be,
				      .scope = val->peer_scope,
				      .proto = flow->key.proto,
				      .kind = GL_FLOW_PACKETS };
}

static bool in_prefix(const struct gl_prefix *prefix, const gl_ip6 *address)
{
	const struct gl_prefix whole = gl_ip6_prefix(address);

	return !prefix->family || gl_prefix_contains(prefix, &whole);
}

static bool in_span(const struct gl_port_span *span, uint16_t port)
{
	return !span->last || (port >= span->first && port <= span->last);
}

static bool ends_pass(const struct gl_flow_filter *f, const gl_ip6 *src, uint16_t sport, const gl_ip6 *dst,
		      uint16_t dport)
{
	return in_prefix(&f->src, src) && in_prefix(&f->dst, dst) && in_span(&f->sport, sport) &&
	       in_span(&f->dport, dport);
}

static bool by_group(const struct gl_admitted *admitted, uint32_t group)
{
	return (admitted->how == GL_ADMIT_ALL || admitted->how == GL_ADMIT_RULE) && admitted->group == group;
}

bool gl_flow_passes(const struct gl_flow_filter *f, uint32_t group, const struct gl_flow *flow)
{
	const struct gl_flow6_key *key = &flow->key;
	const struct gl_flow6_val *val = &flow->val;

	if (f->proto_given && f->proto != key->proto)
		return false;
	if (f->states && !(f->states & 1u << (val->state & 31)))
		return false;
	if (group && !by_group(&val->admitted[GL_INGRESS], group) && !by_group(&val->admitted[GL_EGRESS], group))
		return false;
	return ends_pass(f, &key->src_be, ntohs(key->sport_be), &key->dst_be,
			 gl_flow_dport(key->proto, key->dport_be)) ||
	       ends_pass(f, &val->new_src_be, ntohs(val->new_sport_be), &val->new_dst_be,
			 gl_flow_dport(key->proto, val->new_dport_be));
}
