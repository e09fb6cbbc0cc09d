/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* TCP as seen from between its ends (RFC 9293 3.3.2 and 3.10.7, RFC 5961, RFC 7323). `from` is the entry of the
 * sender's direction, `to` that of its peer. What an end cannot have sent is refused where it would change the state
 * (RST, FIN, SYN-ACK); data always passes, and is believed where it is near what is known. Neighbours: model.h,
 * flows.c. */
#include "model.h"

#define NEAR 65535u

static int32_t distance(uint32_t from, uint32_t to)
{
	return (int32_t)(to - from);
}

static uint32_t end_of(const struct pk *pk)
{
	return pk->seq + pk->len + !!(pk->flags & F_SYN) + !!(pk->flags & F_FIN);
}

static bool is_near(uint32_t a, uint32_t b, uint32_t window)
{
	const int64_t reach = window > NEAR ? window : NEAR, d = distance(b, a);

	return d >= -reach && d <= reach;
}

static bool heard(const struct m_entry *e)
{
	return e->tcp.flags;
}

static bool has_acked(const struct m_entry *e)
{
	return e->tcp.flags & F_ACK;
}

static void set_state(struct m_entry *from, struct m_entry *to, enum gl_flow_state state)
{
	from->state = to->state = state;
}

static void begin(struct m_entry *from, const struct pk *pk)
{
	from->tcp = (struct m_tcp){ .flags = pk->flags,
				    .end = end_of(pk),
				    .ack = pk->ack,
				    .window = pk->win,
				    .syn = pk->seq,
				    .offered = pk->flags & F_SYN ? pk->scale : -1 };
	if (from->tcp.offered > 14)
		from->tcp.offered = 14;
}

/* Windows are scaled when both SYNs offered it. */
static void settle(struct m_entry *a, struct m_entry *b)
{
	const bool both = a->tcp.offered >= 0 && b->tcp.offered >= 0;

	a->tcp.scale = both ? a->tcp.offered : 0;
	b->tcp.scale = both ? b->tcp.offered : 0;
}

static void believe(struct m_entry *from, const struct pk *pk)
{
	struct m_tcp *t = &from->tcp;

	if (distance(t->end, end_of(pk)) > 0)
		t->end = end_of(pk);
	if (distance(t->ack, pk->ack) >= 0) {
		t->ack = pk->ack;
		t->window = (uint32_t)pk->win << t->scale;
	}
	t->flags |= pk->flags;
}

/* Does it acknowledge the peer's SYN, and not more than the peer has sent? Where a later SYN has taken the place of
 * that one's number, only all that was sent will do. */
static bool acks_syn(const struct pk *pk, const struct m_entry *to)
{
	if (!(to->tcp.flags & F_SYN) || !(pk->flags & F_ACK))
		return false;
	if (to->tcp.pending)
		return pk->ack == to->tcp.end;
	return distance(to->tcp.syn, pk->ack) > 0 && distance(pk->ack, to->tcp.end) >= 0;
}

static bool acks_pending(const struct pk *pk, const struct m_entry *to)
{
	return to->tcp.pending && (pk->flags & F_ACK) && pk->ack == to->tcp.syn + 1;
}

enum gl_drop tcp_open(struct m_entry *opener, struct m_entry *answer, const struct pk *pk, bool pickup)
{
	const uint8_t flags = pk->flags & (F_SYN | F_ACK | F_RST | F_FIN);

	if (pk_is_tail(pk))
		return GL_DROP_TCP_NOT_SYN;
	begin(opener, pk);
	if (flags == F_SYN) {
		set_state(opener, answer, GL_FLOW_SYN_SENT);
		return GL_DROP_NONE;
	}
	if (!pickup || !(flags & F_ACK) || (flags & F_RST))
		return GL_DROP_TCP_NOT_SYN;
	/* Nobody knows the scale: the largest there is. */
	set_state(opener, answer, flags & F_FIN ? GL_FLOW_FIN_WAIT : GL_FLOW_ESTABLISHED);
	opener->tcp.scale = answer->tcp.scale = 14;
	if (!(flags & F_SYN))
		opener->tcp.window = (uint32_t)pk->win << 14;
	return GL_DROP_NONE;
}

static enum gl_drop reset(struct m_entry *from, struct m_entry *to, const struct pk *pk)
{
	const bool exact = (heard(from) && pk->seq == from->tcp.end) || (has_acked(to) && pk->seq == to->tcp.ack);

	if (exact || (!has_acked(to) && acks_syn(pk, to)) || acks_pending(pk, to)) {
		set_state(from, to, GL_FLOW_CLOSED);
		from->tcp.flags |= F_RST;
		return GL_DROP_NONE;
	}
	if (!heard(to) || (has_acked(to) && pk->seq - to->tcp.ack < to->tcp.window))
		return GL_DROP_NONE;
	return GL_DROP_TCP_WINDOW;
}

static void syn(struct m_entry *from, struct m_entry *to, const struct pk *pk, bool *fresh)
{
	switch (from->state) {
	case GL_FLOW_SYN_SENT:
		if (from->reply)
			set_state(from, to, GL_FLOW_SYN_BOTH);
		begin(from, pk);
		break;
	case GL_FLOW_SYN_BOTH:
		begin(from, pk);
		break;
	case GL_FLOW_TIME_WAIT:
	case GL_FLOW_CLOSED:
		*fresh = true;
		break;
	default:
		/* An end that has lost its memory. Believed once it is answered. */
		if (!(from->tcp.flags & F_SYN) || from->tcp.pending || pk->seq != from->tcp.syn) {
			from->tcp.syn = pk->seq;
			from->tcp.offered = pk->scale > 14 ? 14 : pk->scale;
			from->tcp.pending = true;
		}
		break;
	}
}

static enum gl_drop syn_ack(struct m_entry *from, struct m_entry *to, const struct pk *pk)
{
	if (acks_pending(pk, to)) {
		begin(from, pk);
		to->tcp.end = pk->ack;
		to->tcp.flags = F_SYN;
		to->tcp.pending = false;
		settle(from, to);
		set_state(from, to, GL_FLOW_SYN_RECEIVED);
		return GL_DROP_NONE;
	}
	if (from->state >= GL_FLOW_ESTABLISHED)
		return (from->tcp.flags & F_SYN) && !from->tcp.pending && pk->seq == from->tcp.syn ? GL_DROP_NONE
												   : GL_DROP_TCP_WINDOW;
	if (!acks_syn(pk, to))
		return GL_DROP_TCP_WINDOW;
	begin(from, pk);
	settle(from, to);
	set_state(from, to, has_acked(to) ? GL_FLOW_ESTABLISHED : GL_FLOW_SYN_RECEIVED);
	return GL_DROP_NONE;
}

/* A FIN that its end may have sent: next, again, or early but in the window. */
static bool fin_fits(const struct m_entry *from, const struct m_entry *to, const struct pk *pk)
{
	const uint32_t end = end_of(pk);

	if (from->state < GL_FLOW_SYN_RECEIVED)
		return false;
	if (has_acked(from) && (pk->flags & F_ACK) && !is_near(pk->ack, from->tcp.ack, from->tcp.window))
		return false;
	if (from->state == GL_FLOW_SYN_RECEIVED && !has_acked(from) && !acks_syn(pk, to))
		return false;
	if (heard(from) && (pk->seq == from->tcp.end || ((from->tcp.flags & F_FIN) && end == from->tcp.end)))
		return true;
	if (!has_acked(to))
		return !heard(to);
	return end - to->tcp.ack <= to->tcp.window + 1 && (!heard(from) || distance(from->tcp.end, end) >= 0);
}

static void segment(struct m_entry *from, struct m_entry *to, const struct pk *pk)
{
	const uint32_t reach = from->tcp.window > NEAR ? from->tcp.window : NEAR;
	const bool in_order = (pk->flags & (F_SYN | F_FIN | F_RST | F_ACK)) == F_ACK &&
			      (pk->seq == from->tcp.end || end_of(pk) == from->tcp.end) && has_acked(from) &&
			      pk->ack - from->tcp.ack <= reach && from->state >= GL_FLOW_ESTABLISHED &&
			      from->state <= GL_FLOW_CLOSE_WAIT;

	if (!in_order && from->state == GL_FLOW_SYN_RECEIVED && !has_acked(from)) {
		if (!acks_syn(pk, to))
			return;
		from->tcp.ack = pk->ack;
		believe(from, pk);
		if (has_acked(to))
			set_state(from, to, GL_FLOW_ESTABLISHED);
		return;
	}
	if (!in_order) {
		if (from->state < GL_FLOW_SYN_RECEIVED)
			return;
		if (has_acked(from) && !is_near(pk->ack, from->tcp.ack, from->tcp.window))
			return;
		if (!(heard(from) && pk->seq == from->tcp.end) && has_acked(to) &&
		    !is_near(end_of(pk), to->tcp.ack, to->tcp.window))
			return;
		if (!heard(from)) {
			from->tcp.end = end_of(pk);
			from->tcp.ack = pk->ack;
		}
	}
	believe(from, pk);
}

enum gl_drop tcp_segment(struct m_entry *from, struct m_entry *to, const struct pk *pk, bool *fresh)
{
	if (!to)
		return GL_DROP_NONE;
	if (pk->flags & F_RST)
		return reset(from, to, pk);
	if ((pk->flags & (F_SYN | F_ACK)) == (F_SYN | F_ACK))
		return syn_ack(from, to, pk);
	if (pk->flags & F_SYN) {
		syn(from, to, pk, fresh);
		return GL_DROP_NONE;
	}
	if ((pk->flags & F_FIN) && !fin_fits(from, to, pk))
		return GL_DROP_TCP_WINDOW;
	if (!(pk->flags & F_ACK))
		return GL_DROP_NONE;
	segment(from, to, pk);
	if (!(pk->flags & F_FIN))
		return GL_DROP_NONE;
	if (from->state == GL_FLOW_SYN_RECEIVED || from->state == GL_FLOW_ESTABLISHED)
		set_state(from, to, from->reply ? GL_FLOW_CLOSE_WAIT : GL_FLOW_FIN_WAIT);
	else if (from->state == (from->reply ? GL_FLOW_FIN_WAIT : GL_FLOW_CLOSE_WAIT))
		set_state(from, to, GL_FLOW_TIME_WAIT);
	return GL_DROP_NONE;
}
