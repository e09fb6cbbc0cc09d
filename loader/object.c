/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How programs and maps get into the kernel. Neighbours: object.h. */
#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guestlane.skel.h"
#include "loader/bpffs.h"
#include "loader/fail.h"
#include "loader/flowtable.h"
#include "loader/object.h"

static const char *const prog_names[GL_PROG_COUNT] = {
	[GL_PROG_FROM_GUEST_XDP] = "from_guest_xdp",
	[GL_PROG_FROM_UPLINK_XDP] = "from_uplink_xdp",
	[GL_PROG_FROM_GUEST_GENERIC] = "from_guest_generic",
	[GL_PROG_FROM_UPLINK_GENERIC] = "from_uplink_generic",
	[GL_PROG_FROM_GUEST_TC] = "from_guest_tc",
	[GL_PROG_FROM_UPLINK_TC] = "from_uplink_tc",
	[GL_PROG_TO_GUEST_TC] = "to_guest_tc",
	[GL_PROG_SWEEP_TC] = "sweep_tc",
	[GL_PROG_ADVERTISE_TC] = "advertise_tc",
};

void gl_object_init(struct gl_object *obj)
{
	*obj = (struct gl_object){ 0 };
	for (int i = 0; i < GL_MAP_COUNT; i++)
		obj->map[i] = -1;
	for (int i = 0; i < GL_PROG_COUNT; i++)
		obj->prog[i] = -1;
}

static void close_progs(struct gl_object *obj)
{
	for (int i = 0; i < GL_PROG_COUNT; i++) {
		if (obj->prog[i] >= 0)
			close(obj->prog[i]);
		obj->prog[i] = -1;
	}
	obj->loaded = false;
}

void gl_object_close(struct gl_object *obj)
{
	for (int i = 0; i < GL_MAP_COUNT; i++)
		if (obj->map[i] >= 0)
			close(obj->map[i]);
	close_progs(obj);
	gl_object_init(obj);
}

/* progs/TAG: FNV-1a over the object file. */
static void prog_folder(char *buf, size_t size)
{
	uint64_t hash = 0xcbf29ce484222325;
	size_t len;
	const unsigned char *bytes = guestlane_bpf__elf_bytes(&len);

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	snprintf(buf, size, "progs/%016llx", (unsigned long long)hash);
}

int gl_control_read(const struct gl_object *obj, struct gl_control_val *ret)
{
	struct gl_control_val val = { 0 };
	uint32_t zero = 0;

	if (obj->map[GL_MAP_CONTROL] >= 0 && bpf_map_lookup_elem(obj->map[GL_MAP_CONTROL], &zero, &val))
		return -errno;
	*ret = val;
	return 0;
}

static int open_map(const char *dir, struct gl_object *obj, enum gl_map_id id, struct gl_diag *diag)
{
	const struct gl_map_info *row = gl_map_info(id);
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	int fd = gl_pin_open(dir, "maps", row->name);
	bool inner = row->shape == GL_SHAPE_MAP_OF_MAPS;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return gl_fail(diag, fd, "cannot open the map %s below %s", row->name, dir);
	obj->map[id] = fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return gl_fail(diag, -errno, "cannot read the map %s below %s", row->name, dir);
	obj->map_id[id] = info.id;
	/* The registry's row of a map of maps describes the inner maps. */
	if ((!inner && (info.key_size != row->key_size || info.value_size != row->val_size)) ||
	    info.max_entries != row->max_entries)
		return -EPROTO;
	return 0;
}

static int open_progs(const char *dir, struct gl_object *obj)
{
	char folder[64];
	bool ours = false;

	prog_folder(folder, sizeof(folder));
	for (int i = 0; i < GL_PROG_COUNT; i++) {
		struct bpf_prog_info info = { 0 };
		uint32_t maps[64], len = sizeof(info);

		obj->prog[i] = gl_pin_open(dir, folder, prog_names[i]);
		if (obj->prog[i] < 0)
			goto none;
		info.map_ids = (uintptr_t)maps;
		info.nr_map_ids = 64;
		if (bpf_obj_get_info_by_fd(obj->prog[i], &info, &len))
			goto none;
		obj->prog_id[i] = info.id;
		/* Pins of maps may have been removed by hand since: these programs would serve other maps. */
		for (uint32_t k = 0; k < info.nr_map_ids && k < 64; k++)
			ours |= obj->map_id[GL_MAP_CONTROL] == maps[k];
	}
	if (!ours)
		goto none;
	obj->loaded = true;
	return 0;
none:
	close_progs(obj);
	return 0;
}

int gl_object_open(const char *dir, struct gl_object *obj, struct gl_diag *diag)
{
	struct gl_control_val control = { 0 };
	struct gl_object o;
	int err;

	gl_object_init(&o);
	err = gl_bpffs_present(dir, diag);
	if (err <= 0)
		goto out;
	/* The commit word is pinned last: without it nothing was ever in force. */
	err = open_map(dir, &o, GL_MAP_CONTROL, diag);
	if (err || o.map[GL_MAP_CONTROL] < 0)
		goto out;
	err = gl_control_read(&o, &control);
	if (!err && control.abi && control.abi != GL_ABI_VERSION)
		err = -EPROTO;
	for (int i = 0; i < GL_MAP_COUNT && !err; i++)
		if (o.map[i] < 0)
			err = open_map(dir, &o, i, diag);
	for (int i = 0; i < GL_MAP_COUNT && !err; i++)
		if (o.map[i] < 0)
			err = -EPROTO;
	if (err)
		goto out;
	o.present = true;
	err = open_progs(dir, &o);
out:
	if (err < 0) {
		if (err == -EPROTO)
			gl_refuse(diag, err,
				  "%s was made by another version of guestlane: run `guestlane delete --all`, then "
				  "apply",
				  dir);
		gl_object_close(&o);
		return err;
	}
	*obj = o;
	return 0;
}

/* ---- loading ----------------------------------------------------------------------------------------------- */

/* libbpf hands its messages to one function of the process: their tail is kept for the error's text. */
static char said[16384];
static size_t said_len;

static int hear(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[8192];
	int len;

	if (level == LIBBPF_DEBUG)
		return 0;
	len = vsnprintf(line, sizeof(line), fmt, ap);
	if (len >= (int)sizeof(line))
		len = sizeof(line) - 1;
	if (len <= 0)
		return 0;
	if (said_len + len >= sizeof(said)) {
		size_t keep = sizeof(said) / 2 > said_len ? said_len : sizeof(said) / 2;

		memmove(said, said + said_len - keep, keep);
		said_len = keep;
	}
	if (said_len + len < sizeof(said)) {
		memcpy(said + said_len, line, len);
		said_len += len;
	}
	said[said_len] = 0;
	return len;
}

/* The verifier's last word: the line before "processed N insns". */
static void last_word(char *buf, size_t size)
{
	char *end = strstr(said, "processed "), *begin;

	for (char *next = end; next; next = strstr(next + 1, "\nprocessed "))
		end = next;
	if (!end)
		end = said + said_len;
	while (end > said && end[-1] == '\n')
		end--;
	begin = end;
	while (begin > said && begin[-1] != '\n')
		begin--;
	snprintf(buf, size, "%.*s", (int)(end - begin), begin);
}

static int refused(struct bpf_object *o, int err, struct gl_diag *diag)
{
	struct bpf_program *prog;
	char word[512], name[128] = "";
	const char *at;

	if (err == -EPERM)
		return gl_fail(diag, err, "cannot load the programs");
	last_word(word, sizeof(word));
	bpf_object__for_each_program(prog, o)
	{
		char mark[160];

		snprintf(mark, sizeof(mark), "prog '%s': failed to load", bpf_program__name(prog));
		at = strstr(said, mark);
		if (at)
			snprintf(name, sizeof(name), "%s", bpf_program__name(prog));
	}
	if (*name)
		return gl_refuse(
			diag, err,
			"this kernel refuses the program %s: %s (%s); nothing was changed. Linux 6.1 or newer is "
			"needed; if this one is, please report this line",
			name, word, strerror(-err));
	return gl_refuse(diag, err, "cannot load the programs: %s (%s); nothing was changed", word, strerror(-err));
}

static int pin_all(const char *dir, struct guestlane_bpf *skel, struct gl_object *obj, struct gl_diag *diag)
{
	char folder[64], path[PATH_MAX];
	int err;

	for (int i = 0; i < GL_MAP_COUNT; i++) {
		/* All others first, the commit word at the end. */
		int id = i < GL_MAP_CONTROL ? i : i + 1 < GL_MAP_COUNT ? i + 1 : GL_MAP_CONTROL;
		const char *name = gl_map_info(id)->name;
		struct bpf_map_info info = { 0 };
		uint32_t len = sizeof(info);
		struct bpf_map *map = bpf_object__find_map_by_name(skel->obj, name);

		if (!map)
			return gl_refuse(diag, -ENOENT, "the object has no map %s", name);
		if (obj->map[id] >= 0)
			continue;
		obj->map[id] = dup(bpf_map__fd(map));
		if (obj->map[id] < 0)
			return gl_fail(diag, -errno, "cannot keep the map %s", name);
		if (bpf_obj_get_info_by_fd(obj->map[id], &info, &len))
			return gl_fail(diag, -errno, "cannot read the map %s", name);
		obj->map_id[id] = info.id;
		err = gl_pin(obj->map[id], dir, "maps", name);
		if (err)
			return gl_fail(diag, err, "cannot pin %s/maps/%s", dir, name);
	}
	obj->present = true;
	prog_folder(folder, sizeof(folder));
	snprintf(path, sizeof(path), "%s/%s", dir, folder);
	if (mkdir(path, 0700) && errno != EEXIST)
		return gl_fail(diag, -errno, "cannot make the directory %s", path);
	for (int i = 0; i < GL_PROG_COUNT; i++) {
		struct bpf_program *prog = bpf_object__find_program_by_name(skel->obj, prog_names[i]);
		struct bpf_prog_info info = { 0 };
		uint32_t len = sizeof(info);

		if (!prog)
			return gl_refuse(diag, -ENOENT, "the object has no program %s", prog_names[i]);
		obj->prog[i] = dup(bpf_program__fd(prog));
		if (obj->prog[i] < 0 || bpf_obj_get_info_by_fd(obj->prog[i], &info, &len))
			return gl_fail(diag, -errno, "cannot keep the program %s", prog_names[i]);
		obj->prog_id[i] = info.id;
		err = gl_pin(obj->prog[i], dir, folder, prog_names[i]);
		if (err)
			return gl_fail(diag, err, "cannot pin %s/%s/%s", dir, folder, prog_names[i]);
	}
	obj->loaded = true;
	return 0;
}

int gl_object_load(const char *dir, struct gl_object *obj, struct gl_diag *diag)
{
	libbpf_print_fn_t before = libbpf_set_print(hear);
	struct guestlane_bpf *skel = NULL;
	int shape[2] = { -1, -1 }, err = 0;

	said_len = 0;
	said[0] = 0;
	skel = guestlane_bpf__open();
	if (!skel) {
		err = gl_fail(diag, -errno, "cannot read the built-in object");
		goto out;
	}
	for (int i = 0; i < GL_MAP_COUNT && obj->present; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(skel->obj, gl_map_info(i)->name);

		err = map ? bpf_map__reuse_fd(map, obj->map[i]) : -ENOENT;
		if (err) {
			gl_fail(diag, err, "cannot reuse the map %s", gl_map_info(i)->name);
			goto out;
		}
	}
	for (unsigned i = 0; i < 2 && !obj->present; i++) {
		const enum gl_map_id map = i ? GL_MAP_FLOW6 : GL_MAP_FLOW4;
		struct bpf_map *flows = bpf_object__find_map_by_name(skel->obj, gl_map_info(map)->name);

		shape[i] = gl_flow_table_create(map, i ? "gl_flow6_shape" : "gl_flow4_shape", 1);
		err = shape[i] < 0 ? shape[i] : bpf_map__set_inner_map_fd(flows, shape[i]);
		if (err) {
			gl_fail(diag, err, "cannot make a flow table");
			goto out;
		}
	}
	err = guestlane_bpf__load(skel);
	if (err) {
		refused(skel->obj, err, diag);
		goto out;
	}
	close_progs(obj);
	err = pin_all(dir, skel, obj, diag);
out:
	guestlane_bpf__destroy(skel);
	for (unsigned i = 0; i < 2; i++)
		if (shape[i] >= 0)
			close(shape[i]);
	libbpf_set_print(before);
	return err;
}

int gl_object_drop_old(const char *dir)
{
	char folder[64], sub[PATH_MAX];
	struct gl_names names;
	int err = gl_pin_list(dir, "progs", &names);

	if (err)
		return err;
	prog_folder(folder, sizeof(folder));
	for (size_t i = 0; i < names.count; i++) {
		snprintf(sub, sizeof(sub), "progs/%s", names.items[i]);
		if (strcmp(sub, folder)) {
			int one = gl_pin_remove_tree(dir, sub);

			err = err ? err : one;
		}
	}
	gl_names_clear(&names);
	return err;
}
