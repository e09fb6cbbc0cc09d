/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Fragments follow their first one (RFC 1858, RFC 5722 for what overlaps): none before its head, none twice, not too
 * many holes, not too many datagrams. Neighbours: model.h, judge.c. */
#include "model.h"

#define UNIT 8

static struct m_frag *find(struct m_model *m, uint8_t scope, const struct pk *pk)
{
	for (unsigned i = 0; i < M_FRAGS; i++) {
		struct m_frag *f = &m->state->frags[i];

		if (!f->used || f->family != pk->family || f->src != pk->src || f->dst != pk->dst || f->id != pk->id ||
		    f->proto != pk_part_proto(pk) || f->scope != scope)
			continue;
		if (f->idle <= GL_SECONDS_FRAGMENT)
			return f;
		f->used = false;
	}
	return NULL;
}

/* Marks the units [first, end) as seen. False: they may not be. */
static bool mark(struct m_frag *f, unsigned first, unsigned end, bool last)
{
	unsigned runs = 0;

	if (end > M_FRAG_UNITS || (f->total && (last || end > f->total)))
		return false;
	for (unsigned i = first; i < M_FRAG_UNITS; i++)
		if (f->seen[i] && (i < end || last))
			return false;
	for (unsigned i = 0; i < M_FRAG_UNITS; i++) {
		const bool now = f->seen[i] || (i >= first && i < end);
		const bool before = i && (f->seen[i - 1] || (i - 1 >= first && i - 1 < end));

		runs += now && !before;
	}
	if (runs > GL_FRAG_PARTS)
		return false;
	for (unsigned i = first; i < end; i++)
		f->seen[i] = true;
	if (last)
		f->total = end;
	return true;
}

static bool is_complete(const struct m_frag *f)
{
	for (unsigned i = 0; i < f->total; i++)
		if (!f->seen[i])
			return false;
	return f->total;
}

enum gl_drop frag_find(struct m_model *m, uint8_t scope, const struct pk *pk, struct m_key *key)
{
	const unsigned len = pk_part_len(pk), first = pk->frag & 0x1fff;
	const bool last = !(pk->frag & 0x2000);
	struct m_frag *f;

	if (!len || (!last && len % UNIT))
		return GL_DROP_IP_MALFORMED;
	f = find(m, scope, pk);
	if (!first)
		return f ? GL_DROP_FRAGMENT_OVERLAP : GL_DROP_NONE;
	if (!f)
		return GL_DROP_FRAGMENT_NO_HEAD;
	if (!mark(f, first, first + (len + UNIT - 1) / UNIT, last))
		return GL_DROP_FRAGMENT_OVERLAP;
	key->proto = f->transport;
	key->sport = f->sport;
	key->dport = f->dport;
	if (is_complete(f))
		f->used = false;
	return GL_DROP_NONE;
}

enum gl_drop frag_head(struct m_model *m, uint8_t scope, const struct pk *pk, const struct m_key *key, unsigned tenant)
{
	const unsigned units = pk_part_len(pk) / UNIT;
	struct m_frag *place = NULL;
	unsigned own = 0;

	for (unsigned i = 0; i < M_FRAGS; i++) {
		struct m_frag *f = &m->state->frags[i];

		own += f->used && f->tenant == tenant;
		if (!f->used)
			place = f;
	}
	if (own >= M_FRAG_SHARE || !place)
		return GL_DROP_FRAGMENT_LIMIT;
	*place = (struct m_frag){ .used = true,
				  .family = pk->family,
				  .src = pk->src,
				  .dst = pk->dst,
				  .id = pk->id,
				  .proto = pk_part_proto(pk),
				  .scope = scope,
				  .sport = key->sport,
				  .dport = key->dport,
				  .transport = pk->proto,
				  .tenant = tenant };
	for (unsigned i = 0; i < units && i < M_FRAG_UNITS; i++)
		place->seen[i] = true;
	return GL_DROP_NONE;
}
