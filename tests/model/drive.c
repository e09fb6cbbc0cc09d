/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The real programs over the real maps, one packet at a time. Two definitions are applied one after the other, which
 * leaves one on each side of the maps: changing between them is the one word that apply writes last.
 * Neighbours: model.h, tests/prog/world.c (devices, programs, definitions). */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "real.h"
#include "sweep.skel.h"

#define TABLES (sizeof(world.tables) / sizeof(*world.tables))

struct real real;
static unsigned sides[2];
static int sweep_fd = -1;
static struct gl_tenant_val *tenants;
static uint64_t sent[M_PORTS + 1]; /* packets that were sent to each port, as far as is known */

static const struct dev *dev_of(unsigned port)
{
	return dev_by_name(port_name(port));
}

/* ---- setting up --------------------------------------------------------------------------------------------- */

static int load_sweeper(void)
{
	struct sweep_bpf *skel = sweep_bpf__open();
	int err = skel ? share_maps(skel->obj) : -errno;

	if (!err) {
		bpf_program__set_autoload(skel->progs.sweep_tc, false);
		err = sweep_bpf__load(skel);
	}
	if (!err)
		sweep_fd = dup(bpf_program__fd(skel->progs.sweep_now));
	sweep_bpf__destroy(skel);
	return err;
}

int real_open(void)
{
	int err = world_open();

	if (!err)
		err = load_sweeper();
	if (err)
		return err;
	real.stats = mmap(NULL, sizeof(*real.stats) * GL_MAX_TENANTS, PROT_READ | PROT_WRITE, MAP_SHARED,
			  world.obj.map[GL_MAP_TENANT_STAT], 0);
	tenants = mmap(NULL, sizeof(*tenants) * 2 * GL_MAX_TENANTS, PROT_READ | PROT_WRITE, MAP_SHARED,
		       world.obj.map[GL_MAP_TENANT], 0);
	return real.stats == MAP_FAILED || tenants == MAP_FAILED ? -errno : 0;
}

void real_close(void)
{
	world_close();
}

void real_mac(unsigned port, uint8_t mac[6])
{
	name_mac(port_name(port), mac);
}

/* What the loader has made of names, for the definition in force. */
static void read_numbers(struct m_def *def)
{
	for (unsigned t = 0; t < M_TENANTS; t++)
		if (def->tenants[t])
			real.tenant_index[t] = tenant_by_name(tenant_name(t));
	real.uplink_index = port_read("wan").uplink;
	/* So few that sequences reach it. */
	for (unsigned t = 0; t < M_TENANTS; t++)
		if (def->tenants[t])
			for (unsigned side = 0; side < 2; side++)
				tenants[GL_SIDED(real.tenant_index[t], side)].max_fragments = M_FRAG_SHARE;
	for (unsigned i = 0; i < M_PORTS; i++) {
		struct gl_port_val val;

		if (!def->ports[i].def)
			continue;
		val = port_read(port_name(i));
		real.net_index[def->ports[i].net] = val.network;
		def->gen[def->ports[i].tenant] = val.gen;
		def->ports[i].mtu = dev_of(i)->mtu;
	}
}

/* Names of groups are "TENANT/sN", as universe.c calls them. */
static void read_groups(unsigned numbers[GROUP_NUMBERS])
{
	for (uint32_t i = 0; i < GROUP_NUMBERS; i++) {
		const struct gl_name_key key = { .kind = GL_NAME_GROUP, .index = i };
		struct gl_name_val name;

		numbers[i] = M_ADMIT_GROUPS;
		if (!bpf_map_lookup_elem(world.obj.map[GL_MAP_NAME], &key, &name))
			sscanf(name.name, "%*[^/]/s%u", &numbers[i]);
	}
}

static uint64_t sent_to(unsigned port)
{
	struct gl_traffic_val vals[64];
	const uint32_t slot = dev_of(port)->slot;
	uint64_t sum = 0;

	if (slot == GL_NO_SLOT || bpf_map_lookup_elem(world.obj.map[GL_MAP_TRAFFIC], &slot, vals))
		return 0;
	for (int i = 0; i < libbpf_num_possible_cpus() && i < 64; i++)
		sum += vals[i].to_guest.packets;
	return sum;
}

void real_count(void)
{
	struct gl_drops_key key;

	for (unsigned i = 0; i < port_count(); i++)
		sent[i] = sent_to(i);
	sent[M_PORTS] = sent_to(M_UPLINK);
	while (!bpf_map_get_next_key(world.obj.map[GL_MAP_DROPS], NULL, &key))
		bpf_map_delete_elem(world.obj.map[GL_MAP_DROPS], &key);
}

int real_define(const char *a, const char *b, struct m_def defs[2][2])
{
	const char *texts[2] = { a, b };
	int err = 0;

	names_reset();
	flows_clear();
	tables_forget();
	/* Numbers of tenants go from one to another, whose tables have other sizes. */
	for (unsigned i = 0; i < 2 * TABLES; i++) {
		int *table = i < TABLES ? &world.tables[i] : &world.tables6[i - TABLES];

		if (*table >= 0)
			close(*table);
		*table = -1;
	}
	for (int i = 0; i < 2 && !err; i++) {
		err = def_read(texts[i], 4, &defs[0][i]);
		if (!err)
			err = def_read(texts[i], 6, &defs[1][i]);
		if (!err)
			err = world_apply(texts[i]);
		sides[i] = world.side;
		for (int family = 0; family < 2 && !err; family++)
			read_numbers(&defs[family][i]);
		if (!err)
			read_groups(real.groups[i]);
	}
	/* The map that XDP redirects by has no sides: what only the first definition has was taken out of it. */
	for (unsigned i = 0; i < port_count() && !err; i++)
		if (dev_of(i)->slot != GL_NO_SLOT && dev_of(i)->xdp_out)
			bpf_map_update_elem(world.obj.map[GL_MAP_DEVMAP], &dev_of(i)->slot, &dev_of(i)->ifindex,
					    BPF_ANY);
	real_count();
	if (!err)
		real_use(0);
	return err;
}

void real_use(unsigned which)
{
	struct gl_control_val control = { .side = sides[which], .abi = GL_ABI_VERSION };
	uint32_t zero = 0;

	world.side = sides[which];
	bpf_map_update_elem(world.obj.map[GL_MAP_CONTROL], &zero, &control, BPF_ANY);
}

/* ---- one packet ----------------------------------------------------------------------------------------------- */

void real_run(unsigned port, bool xdp, const uint8_t *bytes, size_t len, struct m_verdict *ret)
{
	const struct dev *dev = dev_of(port);
	enum hook hook = xdp ? HOOK_XDP : HOOK_TC;
	struct run run;
	int err = prog_run(prog_of(dev, hook), hook, dev, bytes, len, NULL, &run);

	if (!err && xdp && run.verdict == XDP_PASS) {
		hook = HOOK_TC;
		err = prog_run(prog_of(dev, hook), hook, dev, bytes, len, NULL, &run);
	}
	if (err) {
		printf("cannot run a program: %s\n", strerror(-err));
		abort();
	}
	if (hook == HOOK_XDP)
		ret->end = run.verdict == XDP_REDIRECT ? M_SEND : M_DROP;
	else
		ret->end = run.verdict == TC_ACT_REDIRECT ? M_SEND : run.verdict == TC_ACT_SHOT ? M_DROP : M_PASS;
	ret->len = run.out_len;
	memcpy(ret->bytes, run.out, run.out_len < PK_MAX ? run.out_len : PK_MAX);
}

/* Was one packet dropped for that reason? Takes it off the count. */
static bool take_drop(unsigned port, enum gl_drop reason)
{
	struct gl_drops_key key = { .slot = dev_of(port)->slot, .reason = reason };
	struct gl_count_val vals[64];
	uint64_t sum = 0;

	if (bpf_map_lookup_and_delete_elem(world.obj.map[GL_MAP_DROPS], &key, vals))
		return false;
	for (int i = 0; i < libbpf_num_possible_cpus() && i < 64; i++)
		sum += vals[i].packets;
	return sum == 1;
}

enum gl_drop real_reason(unsigned port, enum gl_drop wanted)
{
	if (wanted && take_drop(port, wanted))
		return wanted;
	for (int reason = 1; reason < GL_DROP_COUNT; reason++)
		if (take_drop(port, reason))
			return reason;
	return GL_DROP_NONE;
}

bool real_sent(unsigned port)
{
	uint64_t *count = &sent[port == M_UPLINK ? M_PORTS : port];
	uint64_t now = sent_to(port);
	bool one = now == *count + 1;

	*count = now;
	return one;
}

void real_sweep(void)
{
	real_sweep_frags();
	for (unsigned t = 0; t < M_TENANTS && strcmp(tenant_name(t), "?"); t++) {
		uint8_t packet[64] = { 0 };
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet), .repeat = 1);

		memcpy(packet + 14, &real.tenant_index[t], sizeof(uint32_t));
		for (int i = 0; i < M_SWEEPS; i++)
			if (bpf_prog_test_run_opts(sweep_fd, &opts))
				printf("cannot sweep: %s\n", strerror(errno));
	}
}
