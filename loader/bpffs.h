/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Where pins live: an instance's directory on a bpffs, and its folders maps, progs, flows and links.
 * A bpffs refuses dots in names, so names are escaped (gl_pin_name). Neighbours: object.c, attach.c, flowtable.c. */
#ifndef GL_BPFFS_H
#define GL_BPFFS_H

#include <stdbool.h>
#include <stddef.h>

#include "loader/diag.h"

struct gl_names {
	char **items; /* sorted */
	size_t count;
};

/* Makes `path` and its missing parents, mode 0700. */
int gl_mkdirs(const char *path);
/* Makes `dir` a directory on a bpffs, with its folders. Below /sys/fs/bpf the mount goes there, elsewhere on `dir`
 * itself; *mounted tells that this call mounted on `dir`. */
int gl_bpffs_prepare(const char *dir, bool *mounted, struct gl_diag *diag);
/* 1: there; 0: nothing there. */
int gl_bpffs_present(const char *dir, struct gl_diag *diag);
/* "a.b" -> "a%2eb"; needs 3 * strlen + 1 bytes at most. */
void gl_pin_name(const char *name, char *buf, size_t size);
void gl_pin_name_decode(const char *pin, char *buf, size_t size);
/* Pins at DIR/SUB/NAME, in place of what is there. */
int gl_pin(int fd, const char *dir, const char *sub, const char *name);
int gl_pin_open(const char *dir, const char *sub, const char *name); /* fd or negative errno */
int gl_unpin(const char *dir, const char *sub, const char *name);
int gl_pin_rename(const char *dir, const char *sub, const char *from, const char *to);
int gl_pin_list(const char *dir, const char *sub, struct gl_names *ret); /* nothing there: count 0 */
void gl_names_clear(struct gl_names *names);
/* Removes DIR/SUB and all below it (sub "" for DIR itself). */
int gl_pin_remove_tree(const char *dir, const char *sub);
bool gl_is_mount_point(const char *dir);

#endif
