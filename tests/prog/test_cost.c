/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What does a packet of an established flow cost? Runs a copy of the programs that counts its own lookups, on the
 * maps of the world; and holds the object's maps against the registry. Neighbours: lookups.bpf.h, prog.h. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "count.skel.h"
#include "guestlane.skel.h"
#include "loader/bpffs.h"
#include "prog.h"
#include "tests/prog/lookups.h"

#define GW "gw:acme/front"
#define OUT "198.18.0.1"

/* ---- registry --------------------------------------------------------------------------------------------- */

/* Working memory of the programs: nobody else reads it. */
static bool is_scratch(const char *name)
{
	return !strncmp(name, "gl_opening", 10) || !strncmp(name, "gl_pkt", 6) || !strcmp(name, "gl_numbers") ||
	       !strncmp(name, "gl_question", 11);
}

void test_registry(void)
{
	struct guestlane_bpf *skel = guestlane_bpf__open();
	struct bpf_map *map;
	unsigned found = 0;

	if (!skel) {
		result(false, "the object can be read");
		return;
	}
	bpf_object__for_each_map(map, skel->obj)
	{
		const char *name = bpf_map__name(map);
		enum gl_map_id id = gl_map_by_name(name);
		const struct gl_map_info *row = id < GL_MAP_COUNT ? gl_map_info(id) : NULL;
		struct bpf_map_info inner = { 0 };
		uint32_t key = bpf_map__key_size(map), val = bpf_map__value_size(map), len = sizeof(inner);

		/* .rodata and the like are the compiler's */
		if (strchr(name, '.') || is_scratch(name))
			continue;
		if (!row) {
			complain("%s has no row in maps/registry.c", name);
			continue;
		}
		found++;
		if (row->shape == GL_SHAPE_MAP_OF_MAPS) {
			const int *tables = id == GL_MAP_FLOW6 ? world.tables6 : world.tables;

			bpf_obj_get_info_by_fd(tables[tenant_by_name("acme")], &inner, &len);
			key = inner.key_size;
			val = inner.value_size;
		}
		if (key != row->key_size || val != row->val_size || bpf_map__max_entries(map) != row->max_entries)
			complain("%s: key %u, value %u, %u entries; the registry says %u, %u, %u", name, key, val,
				 bpf_map__max_entries(map), row->key_size, row->val_size, row->max_entries);
	}
	for (int id = 0; id < GL_MAP_COUNT; id++)
		if (!bpf_object__find_map_by_name(skel->obj, gl_map_info(id)->name))
			complain("the object has no map %s", gl_map_info(id)->name);
	if (found != GL_MAP_COUNT)
		complain("%u maps of the object are in the registry, not %d", found, GL_MAP_COUNT);
	result(true, "the object's maps and the registry agree");
	guestlane_bpf__destroy(skel);
}

/* ---- cost ------------------------------------------------------------------------------------------------- */

static struct count_bpf *load_counting(void)
{
	struct count_bpf *skel = count_bpf__open();

	if (skel && !share_maps(skel->obj) && !count_bpf__load(skel))
		return skel;
	count_bpf__destroy(skel);
	return NULL;
}

static const struct frame opening[] = {
	{ ETH(GW, "n1"), TCP("n1", 1000, OUT, 443, SYN) },
	{ ETH("wan", "hop"), TCP(OUT, 443, "203.0.113.10", 40000, SYN | ACK) },
	{ ETH(GW, "n1"), TCP("n1", 1000, OUT, 443, ACK) },
	{ ETH("n2", "n1"), UDP("n1", 1, "n2", 2), .len = 9 },
	{ ETH("n1", "n2"), UDP("n2", 2, "n1", 1), .len = 9 },
	{ ETH("wan", "hop"), UDP(OUT, 5, "r1", 6), .len = 9 },
	{ ETH("gw:acme/open", "r1"), UDP("r1", 6, OUT, 5), .len = 9 },
	{ ETH("n2", "n1"), TCP("n1", 1, "n2", 2, SYN) },
	{ ETH("n1", "n2"), TCP("n2", 2, "n1", 1, SYN | ACK) },
	{ ETH("n2", "n1"), TCP("n1", 1, "n2", 2, ACK) },
};
static const char *const opening_on[] = { "n1", "wan", "n1", "n1", "n2", "wan", "r1", "n1", "n2", "n1" };

static const struct {
	const char *name, *on;
	struct frame in;
	unsigned public; /* at most */
} established[] = {
	{ "inside a network", "n1", { ETH("n2", "n1"), UDP("n1", 1, "n2", 2), .len = 900 }, 0 },
	{ "TCP inside a network", "n1", { ETH("n2", "n1"), TCP("n1", 1, "n2", 2, ACK), .len = 900 }, 0 },
	{ "its answers", "n2", { ETH("n1", "n2"), UDP("n2", 2, "n1", 1), .len = 900 }, 0 },
	{ "translated", "n1", { ETH(GW, "n1"), TCP("n1", 1000, OUT, 443, ACK), .len = 900 }, 0 },
	{ "routed", "r1", { ETH("gw:acme/open", "r1"), UDP("r1", 6, OUT, 5), .len = 9 }, 0 },
	/* From outside the tenant is not known before the address is: the address, forwarded port or block. */
	{ "translated, from outside",
	  "wan",
	  { ETH("wan", "hop"), TCP(OUT, 443, "203.0.113.10", 40000, ACK), .len = 900 },
	  3 },
	{ "routed, from outside", "wan", { ETH("wan", "hop"), UDP(OUT, 5, "r1", 6), .len = 9 }, 1 },
};

static const unsigned wanted[GL_COUNTED] = {
	[GL_COUNTED_CONTROL] = 1, [GL_COUNTED_PORT] = 1,    [GL_COUNTED_TABLE] = 1,    [GL_COUNTED_FLOW] = 1,
	[GL_COUNTED_TRAFFIC] = 2, [GL_COUNTED_SCRATCH] = 1, [GL_COUNTED_REDIRECT] = 1,
};
static const char *const names[GL_COUNTED] = {
	"commit word", "interface", "flow table", "flow",     "counter",  "scratch",
	"public",      "other",	    "write",	  "next hop", "redirect",
};

/* Nanoseconds of a packet that comes out as it went in, so that it can be sent again and again; 0: of no other. For
 * people: what is right depends on the machine. */
static unsigned time_of(enum hook hook, const struct dev *dev, uint8_t *in, size_t len)
{
	struct xdp_md xdp = { .data_end = len, .ingress_ifindex = dev->ifindex };
	struct __sk_buff skb = { .ifindex = dev->ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = len, .repeat = 50000);
	struct run run;

	opts.ctx_in = hook == HOOK_TC ? (void *)&skb : (void *)&xdp;
	opts.ctx_size_in = hook == HOOK_TC ? sizeof(skb) : sizeof(xdp);
	if (prog_run(prog_of(dev, hook), hook, dev, in, len, NULL, &run) || run.out_len != len ||
	    memcmp(run.out, in, len) || bpf_prog_test_run_opts(prog_of(dev, hook), &opts))
		return 0;
	return opts.duration;
}

static void cost_of(struct count_bpf *skel, enum hook hook, size_t i)
{
	const struct dev *dev = dev_by_name(established[i].on);
	bool uplink = !strcmp(dev->name, "wan");
	struct bpf_program *prog = hook == HOOK_XDP
					   ? (uplink ? skel->progs.from_uplink_xdp : skel->progs.from_guest_xdp)
					   : (uplink ? skel->progs.from_uplink_tc : skel->progs.from_guest_tc);
	uint8_t in[FRAME_MAX];
	size_t len = frame_build(&established[i].in, in);
	unsigned ns = time_of(hook, dev, in, len);
	char took[32];
	struct run run;

	memset(skel->bss->gl_lookups, 0, sizeof(skel->bss->gl_lookups));
	if (prog_run(bpf_program__fd(prog), hook, dev, in, len, NULL, &run))
		complain("cannot be run");
	for (int k = 0; k < GL_COUNTED; k++) {
		unsigned long long n = skel->bss->gl_lookups[k], most = wanted[k];

		if (k == GL_COUNTED_PUBLIC)
			most = established[i].public;
		if (k == GL_COUNTED_PUBLIC ? n > most : n != most)
			complain("%s: %llu times, not %llu", names[k], n, most);
	}
	snprintf(took, sizeof(took), ", %u ns", ns);
	result(true, "%s cost of an established packet: %s%s", hook_name(hook), established[i].name, ns ? took : "");
}

void test_lookups(void)
{
	struct count_bpf *skel = load_counting();
	struct run run;

	if (!skel) {
		result(false, "the counting programs can be loaded");
		return;
	}
	for (int hook = HOOK_XDP; hook <= HOOK_TC; hook++) {
		flows_clear();
		for (size_t i = 0; i < sizeof(opening) / sizeof(*opening); i++)
			if (packet(opening_on[i], hook, &opening[i], &run) != SEND)
				complain("packet %zu of the opening did not pass", i);
		for (size_t i = 0; i < sizeof(established) / sizeof(*established); i++)
			cost_of(skel, hook, i);
	}
	count_bpf__destroy(skel);
}
