/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Datagrams in fragments: sequences of parts in and out of order, what overlaps or contradicts itself, tenants' shares,
 * and what was not finished in time. Neighbours: prog.h, definition.c, rows_guest.c (translated ones). */
#include <bpf/bpf.h>
#include <stdio.h>
#include <string.h>

#include "prog.h"

#define OUT "198.18.0.1"

struct part {
	uint16_t first; /* units of 8 */
	uint16_t bytes;
	bool more;
	enum gl_drop drop; /* NONE: passes */
};

static const struct {
	const char *name;
	struct part parts[14]; /* up to one without bytes and without a reason */
	uint32_t open; /* datagrams that are unfinished afterwards */
} sequences[] = {
	{ "in order", { { 0, 80, true, 0 }, { 10, 80, true, 0 }, { 20, 13, false, 0 } }, 0 },
	{ "the end before the middle", { { 0, 80, true, 0 }, { 20, 13, false, 0 }, { 10, 80, true, 0 } }, 0 },
	{ "a tail before its head, and again",
	  { { 10, 80, true, GL_DROP_FRAGMENT_NO_HEAD }, { 0, 80, true, 0 }, { 10, 80, true, 0 }, { 20, 1, false, 0 } },
	  0 },
	{ "a part twice",
	  { { 0, 80, true, 0 }, { 10, 80, true, 0 }, { 10, 80, true, GL_DROP_FRAGMENT_OVERLAP }, { 20, 13, false, 0 } },
	  0 },
	{ "over the head", { { 0, 80, true, 0 }, { 9, 24, true, GL_DROP_FRAGMENT_OVERLAP }, { 10, 8, false, 0 } }, 0 },
	{ "inside the head (teardrop)", { { 0, 80, true, 0 }, { 3, 8, false, GL_DROP_FRAGMENT_OVERLAP } }, 1 },
	{ "over the beginning of a later part",
	  { { 0, 80, true, 0 },
	    { 14, 80, true, 0 },
	    { 12, 40, true, GL_DROP_FRAGMENT_OVERLAP },
	    { 10, 32, true, 0 },
	    { 24, 8, false, 0 } },
	  0 },
	{ "around another part",
	  { { 0, 80, true, 0 }, { 14, 8, true, 0 }, { 12, 64, true, GL_DROP_FRAGMENT_OVERLAP } },
	  1 },
	{ "a second head", { { 0, 80, true, 0 }, { 0, 40, true, GL_DROP_FRAGMENT_OVERLAP }, { 10, 8, false, 0 } }, 0 },
	{ "behind the end",
	  { { 0, 80, true, 0 },
	    { 20, 8, false, 0 },
	    { 21, 8, true, GL_DROP_FRAGMENT_OVERLAP },
	    { 30, 8, false, GL_DROP_FRAGMENT_OVERLAP },
	    { 10, 80, true, 0 } },
	  0 },
	{ "an end before what was seen",
	  { { 0, 80, true, 0 }, { 20, 80, true, 0 }, { 15, 8, false, GL_DROP_FRAGMENT_OVERLAP } },
	  1 },
	{ "two ends", { { 0, 80, true, 0 }, { 20, 8, false, 0 }, { 15, 8, false, GL_DROP_FRAGMENT_OVERLAP } }, 1 },
	{ "more holes than there is room for",
	  { { 0, 80, true, 0 },
	    { 12, 8, true, 0 },
	    { 14, 8, true, 0 },
	    { 16, 8, true, 0 },
	    { 18, 8, true, 0 },
	    { 20, 8, true, 0 },
	    { 22, 8, true, 0 },
	    { 24, 8, true, 0 },
	    { 26, 8, true, GL_DROP_FRAGMENT_OVERLAP },
	    { 10, 16, true, 0 },
	    { 26, 8, true, 0 } },
	  1 },
	{ "after the last byte",
	  { { 0, 80, true, 0 }, { 10, 8, false, 0 }, { 10, 8, false, GL_DROP_FRAGMENT_NO_HEAD } },
	  0 },
	{ "no multiple of eight in the middle", { { 0, 80, true, 0 }, { 10, 13, true, GL_DROP_IP_MALFORMED } }, 1 },
	{ "nothing in it", { { 0, 80, true, 0 }, { 10, 0, false, GL_DROP_IP_MALFORMED } }, 1 },
	{ "beyond what IP can hold", { { 0, 80, true, 0 }, { 8190, 80, false, GL_DROP_IP_MALFORMED } }, 1 },
};

static struct gl_tenant_stat stat_of(const char *tenant)
{
	struct gl_tenant_stat stat = { 0 };
	uint32_t index = tenant_by_name(tenant);

	bpf_map_lookup_elem(world.obj.map[GL_MAP_TENANT_STAT], &index, &stat);
	return stat;
}

static size_t entries(void)
{
	struct frag frag;
	size_t n = 0;

	while (frag_next(&frag, !n))
		n++;
	return n;
}

static void send_part(const char *on, enum hook hook, struct frame f, const struct part *part, unsigned number)
{
	uint64_t before = part->drop ? drops(on, part->drop) : 0;
	struct run run;

	f.frag = part->first | (part->more ? MF : 0);
	f.len = part->bytes - (part->first ? 0 : 8);
	if (packet(on, hook, &f, &run) != (part->drop ? DROP : SEND))
		complain("part %u was %s", number, part->drop ? "sent" : "dropped");
	else if (part->drop && drops(on, part->drop) != before + 1)
		complain("part %u was not counted as %s", number, gl_drop_name(part->drop));
	else if (part->drop)
		provoked[part->drop] = true;
}

/* From a guest, and the same through an address that is translated. */
static void run_sequences(enum hook hook)
{
	static const struct frame frames[] = {
		{ ETH("n2", "n1"), UDP("n1", 1000, "n2", 2000), .id = 9 },
		{ ETH("gw:acme/front", "n1"), UDP("n1", 1000, OUT, 53), .id = 9 },
		{ ETH("wan", "hop"), UDP(OUT, 53, "203.0.113.20", 99), .id = 9 },
	};
	static const char *const ways[] = { "inside a network", "translated", "from outside" };

	for (size_t way = 0; way < 3; way++)
		for (size_t i = 0; i < sizeof(sequences) / sizeof(*sequences); i++) {
			const struct part *part = sequences[i].parts;

			flows_clear();
			for (unsigned n = 1; part->bytes || part->drop; part++, n++)
				send_part(way == 2 ? "wan" : "n1", hook, frames[way], part, n);
			if (stat_of("acme").fragments != sequences[i].open || entries() != sequences[i].open)
				complain("%u datagrams are counted and %zu kept, not %u", stat_of("acme").fragments,
					 entries(), sequences[i].open);
			result(true, "%s fragments %s: %s", hook_name(hook), ways[way], sequences[i].name);
		}
}

static void set_share(const char *tenant, uint32_t max)
{
	uint32_t index = GL_SIDED(tenant_by_name(tenant), world.side);
	struct gl_tenant_val val;

	bpf_map_lookup_elem(world.obj.map[GL_MAP_TENANT], &index, &val);
	val.max_fragments = max;
	bpf_map_update_elem(world.obj.map[GL_MAP_TENANT], &index, &val, BPF_ANY);
}

static void shares(enum hook hook)
{
	static const struct part head = { 0, 80, true, 0 }, tail = { 10, 8, false, 0 },
				 refused = { 0, 80, true, GL_DROP_FRAGMENT_LIMIT },
				 lost = { 10, 8, false, GL_DROP_FRAGMENT_NO_HEAD };
	struct frame f = { ETH("n2", "n1"), UDP("n1", 1000, "n2", 2000) };
	const struct frame other = { ETH("g2", "g1"), UDP("g1", 1000, "g2", 2000), .id = 1 };

	flows_clear();
	set_share("acme", 4);
	for (f.id = 1; f.id <= 4; f.id++)
		send_part("n1", hook, f, &head, f.id);
	for (f.id = 5; f.id <= 50; f.id++) {
		send_part("n1", hook, f, &refused, f.id);
		send_part("n1", hook, f, &lost, f.id);
	}
	send_part("g1", hook, other, &head, 1);
	send_part("g1", hook, other, &tail, 2);
	f.id = 2;
	send_part("n1", hook, f, &tail, 2);
	f.id = 51;
	send_part("n1", hook, f, &head, 51);
	if (stat_of("acme").fragments != 4 || stat_of("globex").fragments || entries() != 4)
		complain("%u and %u datagrams are counted, %zu kept", stat_of("acme").fragments,
			 stat_of("globex").fragments, entries());
	set_share("acme", GL_FRAGMENTS_TENANT);
	result(true, "%s heads without end use up their own tenant's share alone", hook_name(hook));
}

static void make_old(uint32_t seconds)
{
	struct frag frag;

	for (bool first = true; frag_next(&frag, first); first = false) {
		frag.val.seen -= seconds;
		frag_write(&frag);
	}
}

static void late(enum hook hook)
{
	static const struct part head = { 0, 80, true, 0 }, tail = { 10, 8, false, 0 },
				 lost = { 10, 8, false, GL_DROP_FRAGMENT_NO_HEAD };
	const struct frame f = { ETH("n2", "n1"), UDP("n1", 1000, "n2", 2000), .id = 3 };

	flows_clear();
	send_part("n1", hook, f, &head, 1);
	make_old(GL_SECONDS_FRAGMENT - 2);
	send_part("n1", hook, f, &tail, 2);
	send_part("n1", hook, f, &head, 3);
	make_old(GL_SECONDS_FRAGMENT + 1);
	send_part("n1", hook, f, &lost, 4);
	send_part("n1", hook, f, &head, 5);
	make_old(GL_SECONDS_FRAGMENT + 1);
	send_part("n1", hook, f, &head, 6); /* no second head: the first is forgotten */
	if (stat_of("acme").fragments != 1 || entries() != 1)
		complain("%u datagrams are counted and %zu kept", stat_of("acme").fragments, entries());
	result(true, "%s a datagram is forgotten after %d seconds", hook_name(hook), GL_SECONDS_FRAGMENT);
}

void test_fragments(void)
{
	for (int hook = HOOK_XDP; hook <= HOOK_GENERIC; hook <<= 1) {
		run_sequences(hook);
		shares(hook);
		late(hook);
	}
}
