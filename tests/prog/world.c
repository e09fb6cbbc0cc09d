/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The host that rows run on: a network namespace of its own with taps, the programs, and a definition in force,
 * written with the loader's own means. Neighbours: prog.h, devices.c, definition.c. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <net/if.h>

#include "loader/bpffs.h"
#include "loader/compile.h"
#include "loader/flowtable.h"
#include "loader/snapshot.h"
#include "native.skel.h"
#include "prog.h"

struct world world = { .family = 4 };
struct gl_definition *in_force;
static struct gl_desired *wanted;

/* ---- definition ------------------------------------------------------------------------------------------- */

uint32_t tenant_by_name(const char *name)
{
	for (size_t i = 0; i < wanted->table_count; i++)
		if (!strcmp(wanted->tables[i].name, name))
			return wanted->tables[i].tenant;
	printf("no tenant %s\n", name);
	abort();
}

bool group_name(uint32_t group, char name[2 * GL_NAME_LEN])
{
	struct gl_name_key key = { .kind = GL_NAME_GROUP, .index = group };

	return !bpf_map_lookup_elem(world.obj.map[GL_MAP_NAME], &key, name);
}

static void print_diag(const struct gl_diag *diag)
{
	for (size_t i = 0; i < diag->count; i++)
		printf("%u:%u: %s\n", diag->findings[i].loc.line, diag->findings[i].loc.col, diag->findings[i].text);
}

static int collect(struct gl_facts *ret)
{
	static struct gl_link_addr wan[2];
	struct gl_facts facts = { .links = calloc(world.dev_count, sizeof(*facts.links)) };

	if (!facts.links)
		return -ENOMEM;
	for (size_t i = 0; i < world.dev_count; i++) {
		const struct dev *dev = &world.devs[i];
		struct gl_link *link = &facts.links[facts.link_count++];

		*link = (struct gl_link){ .kind = "tun", .ifindex = dev->ifindex, .mtu = dev->mtu, .up = true };
		snprintf(link->name, sizeof(link->name), "%s", dev->name);
		link->xdp_out = dev->xdp_out;
		if (!guest_by_tap(dev->name))
			name_mac(dev->name, link->mac);
		if (strcmp(dev->name, "wan"))
			continue;
		wan[0].addr = (struct gl_prefix){ .family = AF_INET, .len = 24, .bytes = { 192, 0, 2, 1 } };
		wan[1].addr = (struct gl_prefix){ .family = AF_INET6, .len = 120 };
		inet_pton(AF_INET6, "2001:db8::c000:201", wan[1].addr.bytes);
		link->addrs = wan;
		link->addr_count = 2;
	}
	*ret = facts;
	return 0;
}

static int write_changes(const struct gl_changes *changes, unsigned side, struct gl_diag *diag)
{
	int err = 0;

	for (size_t i = 0, j; i < changes->count && !err; i = j) {
		const struct gl_entry *first = changes->items[i].want ? changes->items[i].want : changes->items[i].was;

		for (j = i; j < changes->count; j++) {
			const struct gl_entry *e =
				changes->items[j].want ? changes->items[j].want : changes->items[j].was;

			if (e->map != first->map)
				break;
		}
		err = gl_map_write(&(struct gl_write){ .obj = &world.obj,
						       .map = first->map,
						       .side = side,
						       .changes = changes->items + i,
						       .count = j - i },
				   diag);
	}
	return err;
}

static int make_table(enum gl_map_id map, const char *name, uint32_t tenant, uint32_t max_flows, int *ret)
{
	if (*ret >= 0)
		return 0;
	*ret = gl_flow_table_create(map, name, gl_flow_table_entries(max_flows));
	if (*ret < 0)
		return *ret;
	return bpf_map_update_elem(world.obj.map[map], &tenant, ret, BPF_ANY) ? -errno : 0;
}

static int make_tables(void)
{
	int err = 0;

	for (size_t i = 0; i < wanted->table_count && !err; i++) {
		const struct gl_flow_table *t = &wanted->tables[i];

		if (t->tenant >= sizeof(world.tables) / sizeof(*world.tables))
			return -E2BIG;
		if (t->map == GL_MAP_FLOW4)
			err = make_table(t->map, "gl_flow4_tenant", t->tenant, t->max_flows, &world.tables[t->tenant]);
		else
			err = make_table(t->map, "gl_flow6_tenant", t->tenant, t->max_flows, &world.tables6[t->tenant]);
	}
	return err;
}

int world_apply(const char *v4_text)
{
	char *text = family_text(v4_text);
	struct gl_mapset *sets[2] = { NULL, NULL };
	struct gl_definition *def = NULL;
	struct gl_desired *desired = NULL;
	struct gl_changes changes = { 0 };
	struct gl_control_val control;
	struct gl_facts facts = { 0 };
	struct gl_diag diag = { 0 };
	uint32_t zero = 0;
	int err = text ? gl_definition_new(&def) : -ENOMEM;

	if (!err)
		err = gl_parse(def, "definition", text, strlen(text), &diag);
	if (!err)
		err = gl_validate(def, &diag);
	if (err)
		goto out;
	gl_definition_free(in_force);
	in_force = def;
	def = NULL;
	err = collect(&facts);
	if (!err)
		err = gl_control_read(&world.obj, &control);
	if (!err)
		err = gl_snapshot_read(&world.obj, GL_MAPS_ALL, sets, &diag);
	if (!err)
		err = gl_compile(in_force, &facts, sets[control.side], &desired, &diag);
	if (err)
		goto out;
	gl_desired_free(wanted);
	wanted = desired;
	world.side = !control.side;
	err = gl_mapset_diff(sets[world.side], wanted->entries, &changes);
	if (!err)
		err = write_changes(&changes, world.side, &diag);
	if (!err)
		err = make_tables();
	control = (struct gl_control_val){ world.side, GL_ABI_VERSION, control.serial + 1 };
	if (!err && bpf_map_update_elem(world.obj.map[GL_MAP_CONTROL], &zero, &control, BPF_ANY))
		err = -errno;
	for (size_t i = 0; i < wanted->device_count && !err; i++)
		dev_by_name(wanted->devices[i].name)->slot = wanted->devices[i].slot;
out:
	print_diag(&diag);
	if (err)
		printf("cannot apply the definition: %s\n", strerror(-err));
	free(text);
	free(changes.items);
	free(facts.links);
	gl_definition_free(def);
	gl_mapset_free(sets[0]);
	gl_mapset_free(sets[1]);
	gl_diag_clear(&diag);
	return err;
}

/* The definition with one text in place of another. */
void apply_with(const char *from, const char *to)
{
	const char *at = strstr(definition, from);
	size_t room = strlen(definition) + strlen(to) + 1;
	char *text = malloc(room);

	if (!at || !text) {
		complain("the definition has no %s", from);
	} else {
		snprintf(text, room, "%.*s%s%s", (int)(at - definition), definition, to, at + strlen(from));
		if (world_apply(text))
			complain("a changed definition could not be applied");
	}
	free(text);
}

void back(void)
{
	if (world_apply(definition))
		complain("the definition could not be applied again");
}

int world_family(uint8_t of, bool both)
{
	world.family = of;
	world.both = both;
	return world_apply(definition);
}

int share_maps(struct bpf_object *obj)
{
	int err = 0;

	for (int id = 0; id < GL_MAP_COUNT && !err; id++) {
		struct bpf_map *map = bpf_object__find_map_by_name(obj, gl_map_info(id)->name);

		err = map ? bpf_map__reuse_fd(map, world.obj.map[id]) : -ENOENT;
	}
	return err;
}

static int load_native(void)
{
	struct native_bpf *skel = native_bpf__open();
	struct bpf_program *prog;
	int err = skel ? share_maps(skel->obj) : -errno;

	if (!err) {
		bpf_object__for_each_program(prog, skel->obj) bpf_program__set_autoload(
			prog, prog == skel->progs.from_guest_xdp || prog == skel->progs.from_uplink_xdp);
		err = native_bpf__load(skel);
	}
	if (!err) {
		world.native[0] = dup(bpf_program__fd(skel->progs.from_guest_xdp));
		world.native[1] = dup(bpf_program__fd(skel->progs.from_uplink_xdp));
	}
	native_bpf__destroy(skel);
	return err;
}

int world_open(void)
{
	struct gl_diag diag = { 0 };
	bool mounted = false;
	int err = 0;

	for (size_t i = 0; i < sizeof(world.tables) / sizeof(*world.tables); i++)
		world.tables[i] = world.tables6[i] = -1;
	snprintf(world.dir, sizeof(world.dir), "/tmp/glt-prog.XXXXXX");
	if (!mkdtemp(world.dir) || unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		printf("cannot make a namespace: %s\n", strerror(errno));
		return -errno;
	}
	err = make_devices();
	if (err)
		printf("cannot make the devices: %s\n", strerror(-err));
	gl_object_init(&world.obj);
	if (!err)
		err = gl_bpffs_prepare(world.dir, &mounted, &diag);
	if (!err)
		err = gl_object_load(world.dir, &world.obj, &diag);
	print_diag(&diag);
	gl_diag_clear(&diag);
	if (!err)
		err = load_native();
	if (err)
		printf("cannot load the programs: %s\n", strerror(-err));
	for (size_t i = 0; i < world.dev_count; i++)
		world.devs[i].slot = GL_NO_SLOT;
	return err ? err : world_apply(definition);
}

/* Namespaces, taps and the bpffs go with the process; the directory below the mount does not. */
void world_close(void)
{
	gl_object_close(&world.obj);
	umount2(world.dir, MNT_DETACH);
	rmdir(world.dir);
	gl_definition_free(in_force);
	gl_desired_free(wanted);
}
