/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How pins are made, found and removed. Neighbours: bpffs.h. */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "loader/bpffs.h"
#include "loader/fail.h"

#define SYSTEM_BPFFS "/sys/fs/bpf"

static const char *const folders[] = { "maps", "progs", "flows", "links" };

static int on_bpffs(const char *path)
{
	struct statfs fs;

	if (statfs(path, &fs))
		return -errno;
	return (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

int gl_mkdirs(const char *path)
{
	char buf[PATH_MAX];
	char *slash = buf;

	if (snprintf(buf, sizeof(buf), "%s", path) >= (int)sizeof(buf))
		return -ENAMETOOLONG;
	while ((slash = strchr(slash + 1, '/'))) {
		*slash = 0;
		if (mkdir(buf, 0700) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	if (mkdir(buf, 0700) && errno != EEXIST)
		return -errno;
	return 0;
}

bool gl_is_mount_point(const char *dir)
{
	char up[PATH_MAX];
	struct stat here, above;

	if (snprintf(up, sizeof(up), "%s/..", dir) >= (int)sizeof(up))
		return false;
	return !stat(dir, &here) && !stat(up, &above) && here.st_dev != above.st_dev;
}

static int mount_bpffs(const char *where, struct gl_diag *diag)
{
	if (mount("bpf", where, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
		return gl_fail(diag, -errno, "cannot mount a bpf file system on %s", where);
	return 0;
}

int gl_bpffs_prepare(const char *dir, bool *mounted, struct gl_diag *diag)
{
	bool mine = false;
	int err;

	if (!strncmp(dir, SYSTEM_BPFFS "/", sizeof(SYSTEM_BPFFS)) && on_bpffs(SYSTEM_BPFFS) == 0) {
		err = mount_bpffs(SYSTEM_BPFFS, diag);
		if (err)
			return err;
	}
	err = gl_mkdirs(dir);
	if (err)
		return gl_fail(diag, err, "cannot make the directory %s", dir);
	err = on_bpffs(dir);
	if (err < 0)
		return gl_fail(diag, err, "cannot use the directory %s", dir);
	if (!err) {
		err = mount_bpffs(dir, diag);
		if (err)
			return err;
		mine = true;
	}
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", dir, folders[i]);
		if (mkdir(path, 0700) && errno != EEXIST)
			return gl_fail(diag, -errno, "cannot make the directory %s", path);
	}
	if (mine)
		*mounted = true;
	return 0;
}

int gl_bpffs_present(const char *dir, struct gl_diag *diag)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/maps", dir);
	if (!access(path, R_OK | X_OK))
		return 1;
	if (errno == ENOENT || errno == ENOTDIR)
		return 0;
	return gl_fail(diag, -errno, "cannot open %s", path);
}

void gl_pin_name(const char *name, char *buf, size_t size)
{
	size_t at = 0;

	for (; *name && at + 4 <= size; name++) {
		unsigned char c = *name;

		if (c == '.' || c == '%' || c == '/' || c < 0x20)
			at += snprintf(buf + at, size - at, "%%%02x", c);
		else
			buf[at++] = c;
	}
	buf[at] = 0;
}

void gl_pin_name_decode(const char *pin, char *buf, size_t size)
{
	size_t at = 0;

	while (*pin && at + 1 < size) {
		unsigned c;

		if (*pin == '%' && sscanf(pin + 1, "%2x", &c) == 1) {
			buf[at++] = c;
			pin += 3;
		} else {
			buf[at++] = *pin++;
		}
	}
	buf[at] = 0;
}

static int pin_path(char *buf, const char *dir, const char *sub, const char *name)
{
	int len = snprintf(buf, PATH_MAX, "%s/%s/%s", dir, sub, name);

	return len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int gl_pin(int fd, const char *dir, const char *sub, const char *name)
{
	char path[PATH_MAX];
	int err = pin_path(path, dir, sub, name);

	if (err)
		return err;
	if (unlink(path) && errno != ENOENT)
		return -errno;
	return bpf_obj_pin(fd, path) ? -errno : 0;
}

int gl_pin_open(const char *dir, const char *sub, const char *name)
{
	char path[PATH_MAX];
	int fd, err = pin_path(path, dir, sub, name);

	if (err)
		return err;
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

int gl_unpin(const char *dir, const char *sub, const char *name)
{
	char path[PATH_MAX];
	int err = pin_path(path, dir, sub, name);

	if (err)
		return err;
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

int gl_pin_rename(const char *dir, const char *sub, const char *from, const char *to)
{
	char a[PATH_MAX], b[PATH_MAX];

	if (pin_path(a, dir, sub, from) || pin_path(b, dir, sub, to))
		return -ENAMETOOLONG;
	return rename(a, b) ? -errno : 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void gl_names_clear(struct gl_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
	*names = (struct gl_names){ 0 };
}

int gl_pin_list(const char *dir, const char *sub, struct gl_names *ret)
{
	struct gl_names names = { 0 };
	size_t capacity = 0;
	char path[PATH_MAX];
	struct dirent *entry;
	int err = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", dir, sub);
	d = opendir(path);
	if (!d && errno == ENOENT) {
		*ret = names;
		return 0;
	}
	if (!d)
		return -errno;
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		if (names.count == capacity) {
			char **more = reallocarray(names.items, capacity ? 2 * capacity : 16, sizeof(*more));

			if (!more) {
				err = -ENOMEM;
				break;
			}
			names.items = more;
			capacity = capacity ? 2 * capacity : 16;
		}
		names.items[names.count] = strdup(entry->d_name);
		if (!names.items[names.count]) {
			err = -ENOMEM;
			break;
		}
		names.count++;
	}
	closedir(d);
	if (err) {
		gl_names_clear(&names);
		return err;
	}
	if (names.count)
		qsort(names.items, names.count, sizeof(*names.items), by_name);
	*ret = names;
	return 0;
}

int gl_pin_remove_tree(const char *dir, const char *sub)
{
	struct gl_names names;
	char path[PATH_MAX];
	int err;

	snprintf(path, sizeof(path), "%s%s%s", dir, *sub ? "/" : "", sub);
	err = gl_pin_list(path, ".", &names);
	if (err)
		return err;
	for (size_t i = 0; i < names.count && !err; i++) {
		char child[PATH_MAX];
		struct stat st;

		/* What the kernel itself puts into a new bpffs has a dot in its name, and is its own. */
		if (strchr(names.items[i], '.'))
			continue;
		if (pin_path(child, path, ".", names.items[i]))
			err = -ENAMETOOLONG;
		else if (lstat(child, &st))
			err = errno == ENOENT ? 0 : -errno;
		else if (S_ISDIR(st.st_mode))
			err = gl_pin_remove_tree(path, names.items[i]);
		else if (unlink(child) && errno != ENOENT)
			err = -errno;
	}
	gl_names_clear(&names);
	/* A mount point stays; its owner unmounts it. */
	if (!err && rmdir(path) && errno != ENOENT && errno != EBUSY && errno != ENOTEMPTY)
		err = -errno;
	return err;
}
