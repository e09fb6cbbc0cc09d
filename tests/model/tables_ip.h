/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Reads and writes the shapes that hold addresses, once per family: tables.c includes this with GL_IP 4 and with
 * GL_IP 6, as maps/abi.h does with abi_ip.h. No include guard. */
#define JOIN_(a, b, c) a##b##c
#define JOIN(a, b, c) JOIN_(a, b, c)
#define AF(before, after) JOIN(before, GL_IP, after)
#define TO(field, addr) addr_bytes(GL_IP, addr, (uint8_t *)&(field))
#define NUMBER(field) addr_number(GL_IP, (const uint8_t *)&(field))

static void AF(key, )(const struct m_key *key, void *to)
{
	struct AF(gl_flow, _key) ret = {
		.sport_be = htons(key->sport),
		.dport_be = htons(key->dport),
		.scope = scope_of(key),
		.proto = key->proto,
		.kind = key->kind,
	};

	TO(ret.src_be, key->src);
	TO(ret.dst_be, key->dst);
	memcpy(to, &ret, sizeof(ret));
}

static void AF(seen, )(const void *key, const void *val, struct seen *ret)
{
	const struct AF(gl_flow, _key) *k = key;
	const struct AF(gl_flow, _val) *v = val;

	*ret = (struct seen){
		.src = NUMBER(k->src_be),
		.dst = NUMBER(k->dst_be),
		.sport = ntohs(k->sport_be),
		.dport = ntohs(k->dport_be),
		.proto = k->proto,
		.kind = k->kind,
		.flags = v->flags,
		.state = v->state,
		.packets = v->packets,
		.bytes = v->bytes,
		.nsrc = NUMBER(v->new_src_be),
		.ndst = NUMBER(v->new_dst_be),
		.nsport = ntohs(v->new_sport_be),
		.ndport = ntohs(v->new_dport_be),
		.admitted = { v->admitted[0], v->admitted[1] },
	};
}

static void AF(age, )(void *val, uint32_t seconds)
{
	((struct AF(gl_flow, _val) *)val)->last_seen -= seconds;
}

static void AF(frag, )(const struct pk *pk, uint16_t scope, void *to)
{
	struct AF(gl_frag, _key) ret = { .id_be = GL_IP == 6 ? htonl(pk->id) : htons(pk->id), .scope = scope };

	ret.proto = pk_part_proto(pk);
	TO(ret.src_be, pk->src);
	TO(ret.dst_be, pk->dst);
	memcpy(to, &ret, sizeof(ret));
}

static const struct shape AF(shape, ) = {
	.flows = AF(GL_MAP_FLOW, ),
	.frags = AF(GL_MAP_FRAG, ),
	.key_size = sizeof(struct AF(gl_flow, _key)),
	.val_size = sizeof(struct AF(gl_flow, _val)),
	.frag_size = sizeof(struct AF(gl_frag, _key)),
	.key = AF(key, ),
	.seen = AF(seen, ),
	.age = AF(age, ),
	.frag = AF(frag, ),
};

#undef NUMBER
#undef TO
#undef AF
#undef JOIN
#undef JOIN_
