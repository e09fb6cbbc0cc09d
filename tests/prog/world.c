/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The host that rows run on: a network namespace of its own with taps, the programs, and a definition in force,
 * written with the loader's own means. Devices are made by ioctl, so that nothing but this binary is needed.
 * Neighbours: prog.h, definition.c. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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

struct world world;
static struct gl_definition *in_force;
static struct gl_desired *wanted;

/* ---- devices ---------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint32_t mtu;
	bool no_xdp_out;
} plan[] = {
	{ "wan", 1500, false },	  { "lan", 1500, false },  { "n1", 1500, false }, { "n2", 1500, false },
	{ "n3", 1500, false },	  { "nb", 1500, false },   { "ns", 1500, false }, { "nh", 1500, false },
	{ "r1", 1500, false },	  { "r2", 1500, false },   { "i1", 1500, false }, { "i2", 1500, true },
	{ "q1", 1500, false },	  { "slow", 1000, false }, { "g1", 1500, false }, { "g2", 1500, false },
	{ "t1", 1500, false },	  { "t2", 1500, false },   { "p1", 1500, false }, { "p2", 1500, false },
	{ "b1", 1500, false },	  { "b2", 1500, false },   { "v1", 1500, false }, { "v2", 1500, false },
	{ "spare", 1500, false },
};

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return good;
}

static void set_in(struct sockaddr *sa, const char *addr)
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	inet_pton(AF_INET, addr, &in.sin_addr);
	memcpy(sa, &in, sizeof(in));
}

static int set_flags(int sock, const char *name, short flags)
{
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	ifr.ifr_flags = flags;
	return ioctl(sock, SIOCSIFFLAGS, &ifr) ? -errno : 0;
}

static int make_tap(int sock, const char *name, uint32_t mtu, struct dev *dev)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };

	dev->tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (dev->tap < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	snprintf(dev->name, sizeof(dev->name), "%s", name);
	if (ioctl(dev->tap, TUNSETIFF, &ifr))
		return -errno;
	ifr.ifr_mtu = mtu;
	if (ioctl(sock, SIOCSIFMTU, &ifr))
		return -errno;
	dev->mtu = mtu;
	dev->ifindex = if_nametoindex(name);
	return set_flags(sock, name, IFF_UP);
}

static int add_neighbour(int sock, const char *dev, const char *addr, const char *mac)
{
	struct arpreq req = { .arp_flags = ATF_PERM | ATF_COM };

	snprintf(req.arp_dev, sizeof(req.arp_dev), "%s", dev);
	set_in(&req.arp_pa, addr);
	req.arp_ha.sa_family = ARPHRD_ETHER;
	name_mac(mac, (uint8_t *)req.arp_ha.sa_data);
	return ioctl(sock, SIOCSARP, &req) ? -errno : 0;
}

static int add_route(int sock, const char *dst, const char *mask, const char *via)
{
	struct rtentry rt = { .rt_flags = RTF_UP | (via ? RTF_GATEWAY : RTF_REJECT) };

	set_in(&rt.rt_dst, dst);
	set_in(&rt.rt_genmask, mask);
	if (via)
		set_in(&rt.rt_gateway, via);
	return ioctl(sock, SIOCADDRT, &rt) ? -errno : 0;
}

/* wan: 192.0.2.1/24, hop 192.0.2.254 for all else, 192.0.2.9 a neighbour, 192.0.2.99 one that nobody has seen. */
static int make_devices(void)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = sock < 0 ? -errno : 0;
	struct ifreq ifr = { .ifr_name = "wan" };

	/* Frames of the kernel's own would be taken for copies. */
	write_text("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
	write_text("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	if (!err)
		err = set_flags(sock, "lo", IFF_UP);
	for (size_t i = 0; i < sizeof(plan) / sizeof(*plan) && !err; i++) {
		struct dev *dev = &world.devs[world.dev_count++];

		err = make_tap(sock, plan[i].name, plan[i].mtu, dev);
		dev->xdp_out = !plan[i].no_xdp_out;
	}
	set_in(&ifr.ifr_addr, "192.0.2.1");
	if (!err && ioctl(sock, SIOCSIFADDR, &ifr))
		err = -errno;
	set_in(&ifr.ifr_netmask, "255.255.255.0");
	if (!err && ioctl(sock, SIOCSIFNETMASK, &ifr))
		err = -errno;
	if (!err)
		err = add_neighbour(sock, "wan", "192.0.2.254", "hop");
	if (!err)
		err = add_neighbour(sock, "wan", "192.0.2.9", "neighbour");
	if (!err)
		err = add_route(sock, "0.0.0.0", "0.0.0.0", "192.0.2.254");
	if (!err)
		err = add_route(sock, "203.0.113.128", "255.255.255.128", NULL);
	if (!err && !write_text("/proc/sys/net/ipv4/conf/lo/forwarding", "1"))
		err = -errno;
	if (sock >= 0)
		close(sock);
	return err;
}

/* ---- names ------------------------------------------------------------------------------------------------ */

struct dev *dev_by_name(const char *name)
{
	for (size_t i = 0; i < world.dev_count; i++)
		if (!strcmp(world.devs[i].name, name))
			return &world.devs[i];
	printf("no device %s\n", name);
	abort();
}

static const struct gl_interface *guest_by_tap(const char *tap)
{
	for (size_t t = 0; in_force && t < in_force->tenant_count; t++)
		for (size_t g = 0; g < in_force->tenants[t].guest_count; g++) {
			const struct gl_guest *guest = &in_force->tenants[t].guests[g];

			for (size_t i = 0; i < guest->interface_count; i++)
				if (!strcmp(guest->interfaces[i].tap.s, tap))
					return &guest->interfaces[i];
		}
	return NULL;
}

static const struct gl_network *network_by_path(const char *path, char *tenant, char *network)
{
	if (sscanf(path, "gw:%63[^/]/%63s", tenant, network) != 2)
		return NULL;
	for (size_t t = 0; t < in_force->tenant_count; t++)
		if (!strcmp(in_force->tenants[t].name.s, tenant))
			return gl_find_network(&in_force->tenants[t], network);
	return NULL;
}

void name_mac(const char *name, uint8_t mac[6])
{
	char tenant[GL_NAME_LEN], network[GL_NAME_LEN];
	const struct gl_interface *guest;

	if (sscanf(name, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) == 6)
		return;
	if (!strcmp(name, "hop"))
		return (void)memcpy(mac, "\x02\0\0\0\x0f\xfe", 6);
	if (!strcmp(name, "neighbour"))
		return (void)memcpy(mac, "\x02\0\0\0\x0f\x09", 6);
	if (!strcmp(name, "stranger"))
		return (void)memcpy(mac, "\x02\0\0\0\x0f\x55", 6);
	if (!strncmp(name, "gw:", 3) && network_by_path(name, tenant, network))
		return gl_gateway_mac(tenant, network, mac);
	guest = guest_by_tap(name);
	if (guest) {
		memcpy(mac, guest->mac, 6);
	} else {
		struct ifreq ifr = { 0 };
		int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
		if (ioctl(sock, SIOCGIFHWADDR, &ifr)) {
			printf("no MAC for %s\n", name);
			abort();
		}
		close(sock);
		memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	}
}

uint32_t name_ip(const char *name)
{
	char tenant[GL_NAME_LEN], path[GL_NAME_LEN];
	const struct gl_interface *guest = guest_by_tap(name);
	const struct gl_network *network = network_by_path(name, tenant, path);
	uint32_t addr_be = 0;

	if (inet_pton(AF_INET, name, &addr_be) == 1)
		return addr_be;
	if (!strcmp(name, "wan"))
		name = "192.0.2.1";
	else if (!strcmp(name, "hop"))
		name = "192.0.2.254";
	else if (!strcmp(name, "neighbour"))
		name = "192.0.2.9";
	if (guest) {
		memcpy(&addr_be, guest->addresses[0].bytes, 4);
	} else if (network) {
		struct gl_prefix gateway = gl_network_gateway(network, 0);

		memcpy(&addr_be, gateway.bytes, 4);
	} else if (inet_pton(AF_INET, name, &addr_be) != 1) {
		printf("no address for %s\n", name);
		abort();
	}
	return addr_be;
}

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

/* ---- definition ------------------------------------------------------------------------------------------- */

static void print_diag(const struct gl_diag *diag)
{
	for (size_t i = 0; i < diag->count; i++)
		printf("%u:%u: %s\n", diag->findings[i].loc.line, diag->findings[i].loc.col, diag->findings[i].text);
}

static int collect(struct gl_facts *ret)
{
	static struct gl_link_addr wan;
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
		inet_pton(AF_INET, "192.0.2.1", &wan.addr_be);
		inet_pton(AF_INET, "255.255.255.0", &wan.mask_be);
		link->addrs = &wan;
		link->addr_count = 1;
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

static int make_tables(void)
{
	for (size_t i = 0; i < wanted->table_count; i++) {
		uint32_t tenant = wanted->tables[i].tenant;

		if (tenant >= sizeof(world.tables) / sizeof(*world.tables))
			return -E2BIG;
		if (world.tables[tenant] >= 0)
			continue;
		world.tables[tenant] = gl_flow_table_create(GL_MAP_FLOW4, "gl_flow4_tenant",
							    gl_flow_table_entries(wanted->tables[i].max_flows));
		if (world.tables[tenant] < 0)
			return world.tables[tenant];
		if (bpf_map_update_elem(world.obj.map[GL_MAP_FLOW4], &tenant, &world.tables[tenant], BPF_ANY))
			return -errno;
	}
	return 0;
}

int world_apply(const char *text)
{
	struct gl_mapset *sets[2] = { NULL, NULL };
	struct gl_definition *def = NULL;
	struct gl_desired *desired = NULL;
	struct gl_changes changes = { 0 };
	struct gl_control_val control;
	struct gl_facts facts = { 0 };
	struct gl_diag diag = { 0 };
	uint32_t zero = 0;
	int err = gl_definition_new(&def);

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
		world.tables[i] = -1;
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

/* ---- maps ------------------------------------------------------------------------------------------------- */

static void clear_hash(int fd)
{
	uint8_t key[64];

	while (!bpf_map_get_next_key(fd, NULL, key))
		bpf_map_delete_elem(fd, key);
}

void counts_clear(void)
{
	struct gl_traffic_val *zero = calloc(libbpf_num_possible_cpus(), sizeof(*zero));
	uint8_t frame[FRAME_MAX];

	clear_hash(world.obj.map[GL_MAP_DROPS]);
	for (size_t i = 0; i < world.dev_count; i++) {
		if (world.devs[i].slot != GL_NO_SLOT)
			bpf_map_update_elem(world.obj.map[GL_MAP_TRAFFIC], &world.devs[i].slot, zero, BPF_ANY);
		while (read(world.devs[i].tap, frame, sizeof(frame)) > 0)
			;
	}
	free(zero);
}

void flows_clear(void)
{
	for (size_t i = 0; i < sizeof(world.tables) / sizeof(*world.tables); i++)
		if (world.tables[i] >= 0)
			clear_hash(world.tables[i]);
	clear_hash(world.obj.map[GL_MAP_FRAG4]);
	for (uint32_t i = 0; i < sizeof(world.tables) / sizeof(*world.tables); i++) {
		const struct gl_tenant_stat none = { 0 };

		bpf_map_update_elem(world.obj.map[GL_MAP_TENANT_STAT], &i, &none, BPF_ANY);
	}
	counts_clear();
}

size_t flow_count(const char *tenant)
{
	struct gl_flow4_key key;
	int fd = world.tables[tenant_by_name(tenant)];
	void *at = NULL;
	size_t n = 0;

	while (!bpf_map_get_next_key(fd, at, &key)) {
		at = &key;
		n++;
	}
	return n;
}

bool flow_find(const char *tenant, uint8_t proto, const char *src, uint16_t sport, const char *dst, uint16_t dport,
	       struct flow *ret)
{
	int fd = world.tables[tenant_by_name(tenant)];
	void *at = NULL;

	while (!bpf_map_get_next_key(fd, at, &ret->key)) {
		at = &ret->key;
		if (ret->key.proto == proto && ret->key.src_be == name_ip(src) && ret->key.dst_be == name_ip(dst) &&
		    ret->key.sport_be == htons(sport) && ret->key.dport_be == htons(dport))
			return !bpf_map_lookup_elem(fd, &ret->key, &ret->val);
	}
	return false;
}

bool flow_put(const char *tenant, const struct flow *flow)
{
	return !bpf_map_update_elem(world.tables[tenant_by_name(tenant)], &flow->key, &flow->val, BPF_ANY);
}

struct gl_port_val port_read(const char *dev)
{
	uint32_t index = GL_SIDED(dev_by_name(dev)->slot, world.side);
	struct gl_port_val val = { 0 };

	bpf_map_lookup_elem(world.obj.map[GL_MAP_PORT], &index, &val);
	return val;
}

void port_write(const char *dev, const struct gl_port_val *val)
{
	uint32_t index = GL_SIDED(dev_by_name(dev)->slot, world.side);

	bpf_map_update_elem(world.obj.map[GL_MAP_PORT], &index, val, BPF_ANY);
}
