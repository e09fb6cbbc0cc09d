/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How programs are attached and detached. Neighbours: attach.h. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/attach.h"
#include "loader/bpffs.h"
#include "loader/fail.h"

/* Linux 6.6; libbpf 1.1 and Debian 12's headers do not name them yet. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47

/* Our clsact filters are told from others by this handle; the first priority puts them before the operator's. */
#define CLSACT_HANDLE 0x676c
#define CLSACT_PRIORITY 1

static const char *const how_names[GL_HOW_COUNT] = {
	[GL_HOW_TCX_OUT] = "tcx_out",	  [GL_HOW_CLSACT_OUT] = "clsact_out", [GL_HOW_TCX_IN] = "tcx_in",
	[GL_HOW_CLSACT_IN] = "clsact_in", [GL_HOW_XDP_NATIVE] = "xdp_native", [GL_HOW_XDP_GENERIC] = "xdp_generic",
};

enum gl_hook gl_how_hook(enum gl_how how)
{
	return how / 2;
}

static bool is_clsact(enum gl_how how)
{
	return how == GL_HOW_CLSACT_IN || how == GL_HOW_CLSACT_OUT;
}

static void pin_of(const struct gl_attached *a, char *buf, size_t size)
{
	char dev[3 * IFNAMSIZ];

	gl_pin_name(a->dev, dev, sizeof(dev));
	snprintf(buf, size, "%s:%u:%s", dev, a->ifindex, how_names[a->how]);
}

/* libbpf tells the user on its own when there is no such filter; that is an answer here, not an error. */
static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level, (void)fmt, (void)ap;
	return 0;
}

static struct bpf_tc_hook clsact_hook(const struct gl_attached *a)
{
	return (struct bpf_tc_hook){ .sz = sizeof(struct bpf_tc_hook),
				     .ifindex = a->ifindex,
				     .attach_point = a->how == GL_HOW_CLSACT_IN ? BPF_TC_INGRESS : BPF_TC_EGRESS };
}

static uint32_t clsact_query(const struct gl_attached *a)
{
	struct bpf_tc_hook hook = clsact_hook(a);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = CLSACT_HANDLE, .priority = CLSACT_PRIORITY);
	libbpf_print_fn_t before = libbpf_set_print(quiet);
	int err = bpf_tc_query(&hook, &opts);

	libbpf_set_print(before);
	return err ? 0 : opts.prog_id;
}

/* ---- what is there ----------------------------------------------------------------------------------------- */

static int in_order(const void *a, const void *b)
{
	const struct gl_attached *x = a, *y = b;

	if (x->ifindex != y->ifindex)
		return x->ifindex < y->ifindex ? -1 : 1;
	return (int)x->how - (int)y->how;
}

static bool read_pin(const char *dir, const char *pin, struct gl_attached *a)
{
	char name[64], how[16];
	int fd;

	*a = (struct gl_attached){ .how = GL_HOW_COUNT };
	if (sscanf(pin, "%63[^:]:%u:%15s", name, &a->ifindex, how) != 3)
		return false;
	gl_pin_name_decode(name, a->dev, sizeof(a->dev));
	for (int i = 0; i < GL_HOW_COUNT; i++)
		if (!strcmp(how, how_names[i]))
			a->how = i;
	if (a->how == GL_HOW_COUNT)
		return false;
	fd = gl_pin_open(dir, "links", pin);
	if (fd < 0)
		return true;
	if (is_clsact(a->how)) {
		struct bpf_prog_info info = { 0 };
		uint32_t len = sizeof(info);

		if (!bpf_obj_get_info_by_fd(fd, &info, &len)) {
			a->prog_id = info.id;
			a->alive = clsact_query(a) == info.id;
		}
	} else {
		struct bpf_link_info info = { 0 };
		uint32_t len = sizeof(info);

		/* XDP and TCX both begin with the ifindex; it is 0 when the device is gone. */
		if (!bpf_obj_get_info_by_fd(fd, &info, &len)) {
			a->prog_id = info.prog_id;
			a->alive = info.xdp.ifindex == a->ifindex;
		}
	}
	close(fd);
	return true;
}

int gl_attachments_read(const char *dir, struct gl_attachments *ret, struct gl_diag *diag)
{
	struct gl_attachments list = { 0 };
	struct gl_names names;
	int err = gl_pin_list(dir, "links", &names);

	if (err)
		return gl_fail(diag, err, "cannot read %s/links", dir);
	list.items = calloc(names.count + 1, sizeof(*list.items));
	if (!list.items)
		err = -ENOMEM;
	for (size_t i = 0; i < names.count && !err; i++)
		if (read_pin(dir, names.items[i], &list.items[list.count]))
			list.count++;
	gl_names_clear(&names);
	if (err)
		return gl_fail(diag, err, "cannot read %s/links", dir);
	if (list.count)
		qsort(list.items, list.count, sizeof(*list.items), in_order);
	*ret = list;
	return 0;
}

void gl_attachments_clear(struct gl_attachments *list)
{
	free(list->items);
	*list = (struct gl_attachments){ 0 };
}

const struct gl_attached *gl_attached_find(const struct gl_attachments *list, uint32_t ifindex, enum gl_hook hook)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (list->items[mid].ifindex < ifindex)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < list->count && list->items[low].ifindex == ifindex; low++)
		if (list->items[low].alive && gl_how_hook(list->items[low].how) == hook)
			return &list->items[low];
	return NULL;
}

/* ---- changes ----------------------------------------------------------------------------------------------- */

enum gl_prog_id gl_device_prog(const struct gl_device *dev, enum gl_hook hook)
{
	static const enum gl_prog_id progs[2][GL_HOOK_COUNT] = {
		{ [GL_HOOK_TC_OUT] = GL_PROG_TO_GUEST_TC,
		  [GL_HOOK_TC_IN] = GL_PROG_FROM_GUEST_TC,
		  [GL_HOOK_XDP] = GL_PROG_FROM_GUEST_XDP },
		{ [GL_HOOK_TC_OUT] = GL_PROG_COUNT,
		  [GL_HOOK_TC_IN] = GL_PROG_FROM_UPLINK_TC,
		  [GL_HOOK_XDP] = GL_PROG_FROM_UPLINK_XDP },
	};

	/* The generic hook has programs of its own (bpf/generic.bpf.c says why). */
	if (hook == GL_HOOK_XDP && dev->xdp == GL_XDP_GENERIC)
		return dev->uplink ? GL_PROG_FROM_UPLINK_GENERIC : GL_PROG_FROM_GUEST_GENERIC;
	return progs[dev->uplink][hook];
}

static int link_and_pin(const char *dir, int prog, const struct gl_attached *a, uint32_t type, uint32_t flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = flags);
	char pin[128];
	int fd, err;

	fd = bpf_link_create(prog, a->ifindex, type, &opts);
	if (fd < 0)
		return -errno;
	pin_of(a, pin, sizeof(pin));
	err = gl_pin(fd, dir, "links", pin);
	close(fd);
	return err;
}

static int clsact_put(int prog, const struct gl_attached *a)
{
	struct bpf_tc_hook hook = clsact_hook(a), both = hook;
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog, .flags = BPF_TC_F_REPLACE, .handle = CLSACT_HANDLE,
		    .priority = CLSACT_PRIORITY);
	libbpf_print_fn_t before = libbpf_set_print(quiet);
	int err;

	both.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	err = bpf_tc_hook_create(&both);
	if (!err || err == -EEXIST)
		err = bpf_tc_attach(&hook, &opts);
	libbpf_set_print(before);
	return err;
}

static int attach_clsact(const char *dir, int prog, const struct gl_attached *a)
{
	char pin[128];
	int err;

	/* The pin first: a filter that nothing points at would never be found again. */
	pin_of(a, pin, sizeof(pin));
	err = gl_pin(prog, dir, "links", pin);
	if (err)
		return err;
	err = clsact_put(prog, a);
	if (err)
		gl_unpin(dir, "links", pin);
	return err;
}

int gl_attach_tc(const char *dir, const struct gl_object *obj, const struct gl_device *dev, enum gl_hook hook,
		 struct gl_attached *ret, struct gl_diag *diag)
{
	struct gl_attached a = { .ifindex = dev->ifindex, .alive = true };
	enum gl_prog_id prog = gl_device_prog(dev, hook);
	const char *force = getenv("GUESTLANE_TC");
	bool out = hook == GL_HOOK_TC_OUT;
	int err = -EINVAL;

	memcpy(a.dev, dev->name, sizeof(a.dev));
	a.prog_id = obj->prog_id[prog];
	if (!force || strcmp(force, "clsact")) {
		a.how = out ? GL_HOW_TCX_OUT : GL_HOW_TCX_IN;
		err = link_and_pin(dir, obj->prog[prog], &a, out ? TCX_EGRESS : TCX_INGRESS, 0);
	}
	/* A kernel before 6.6. */
	if (err == -EINVAL || err == -EOPNOTSUPP) {
		a.how = out ? GL_HOW_CLSACT_OUT : GL_HOW_CLSACT_IN;
		err = attach_clsact(dir, obj->prog[prog], &a);
	}
	if (err == -ENODEV || err == -ENXIO)
		return -ENODEV;
	if (err)
		return gl_fail(diag, err, "cannot attach to %s", dev->name);
	*ret = a;
	return 0;
}

int gl_attach_xdp(const char *dir, const struct gl_object *obj, const struct gl_device *dev, bool generic,
		  struct gl_attached *ret)
{
	enum gl_prog_id prog = gl_device_prog(dev, GL_HOOK_XDP);
	struct gl_attached a = { .ifindex = dev->ifindex,
				 .alive = true,
				 .how = generic ? GL_HOW_XDP_GENERIC : GL_HOW_XDP_NATIVE,
				 .prog_id = obj->prog_id[prog] };
	int err;

	memcpy(a.dev, dev->name, sizeof(a.dev));
	err = link_and_pin(dir, obj->prog[prog], &a, BPF_XDP, generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	if (err)
		return err == -ENXIO ? -ENODEV : err;
	*ret = a;
	return 0;
}

int gl_attached_update(const char *dir, const struct gl_object *obj, const struct gl_attached *a, enum gl_prog_id prog,
		       struct gl_diag *diag)
{
	char pin[128];
	int fd, err;

	pin_of(a, pin, sizeof(pin));
	if (is_clsact(a->how)) {
		err = clsact_put(obj->prog[prog], a);
		if (!err)
			err = gl_pin(obj->prog[prog], dir, "links", pin);
	} else {
		fd = gl_pin_open(dir, "links", pin);
		if (fd < 0)
			return gl_fail(diag, fd, "cannot open %s/links/%s", dir, pin);
		err = bpf_link_update(fd, obj->prog[prog], NULL) ? -errno : 0;
		close(fd);
	}
	if (err == -ENODEV || err == -ENOLINK)
		return -ENODEV;
	return err ? gl_fail(diag, err, "cannot replace the program on %s", a->dev) : 0;
}

int gl_detach(const char *dir, const struct gl_attached *a)
{
	char pin[128];

	pin_of(a, pin, sizeof(pin));
	if (is_clsact(a->how) && a->alive) {
		struct bpf_tc_hook hook = clsact_hook(a);
		LIBBPF_OPTS(bpf_tc_opts, opts, .handle = CLSACT_HANDLE, .priority = CLSACT_PRIORITY);
		libbpf_print_fn_t before = libbpf_set_print(quiet);
		int err = bpf_tc_detach(&hook, &opts);

		libbpf_set_print(before);
		if (err && err != -ENOENT && err != -ENODEV && err != -EINVAL)
			return err;
	} else if (!is_clsact(a->how)) {
		/* Takes effect at once, whoever else still holds the link. */
		int fd = gl_pin_open(dir, "links", pin);

		if (fd >= 0) {
			bpf_link_detach(fd);
			close(fd);
		}
	}
	return gl_unpin(dir, "links", pin);
}
