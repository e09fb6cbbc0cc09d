/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How the state directory is read and written. Neighbours: state.h. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "loader/bpffs.h"
#include "loader/fail.h"
#include "loader/state.h"

static const char *const files[] = { "applied.json", "next.json", "next.json.tmp", "mounted", "lock" };
#define APPLIED 0
#define NEXT 1
#define NEXT_TMP 2
#define MOUNTED 3
#define LOCK 4

static const char *const forwarding_keys[GL_FAMILIES] = { "lo_forwarding", "lo_forwarding6" };

static const char *path_of(char *buf, const char *dir, int file)
{
	snprintf(buf, PATH_MAX, "%s/%s", dir, files[file]);
	return buf;
}

void gl_state_clear(struct gl_state *state)
{
	free(state->definition);
	free(state->macs);
	free(state->reasons);
	*state = (struct gl_state){ 0 };
}

const char *gl_state_reason(const struct gl_state *state, uint32_t ifindex)
{
	for (size_t i = 0; i < state->reason_count; i++)
		if (state->reasons[i].ifindex == ifindex)
			return state->reasons[i].text;
	return NULL;
}

/* ---- JSON -------------------------------------------------------------------------------------------------- */

char *gl_state_normal(const char *json)
{
	json_t *root = json ? json_loads(json, 0, NULL) : NULL;
	char *text = root ? json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	json_decref(root);
	return text;
}

static json_t *to_json(const struct gl_state *state)
{
	json_t *root = json_object(), *macs = json_array(), *reasons = json_array();
	char *ports = gl_ports_format(&state->reserved);

	json_object_set_new(root, "serial", json_integer(state->serial));
	if (state->definition)
		json_object_set_new(root, "definition", json_loads(state->definition, JSON_REJECT_DUPLICATES, NULL));
	json_object_set_new(root, "reserved_ports", json_string(ports ? ports : ""));
	for (unsigned i = 0; i < GL_FAMILIES; i++)
		json_object_set_new(root, forwarding_keys[i], json_boolean(state->forwarding[i]));
	for (size_t i = 0; i < state->mac_count; i++) {
		const uint8_t *m = state->macs[i].mac;

		json_array_append_new(macs, json_pack("{s:i, s:[i,i,i,i,i,i]}", "ifindex", (int)state->macs[i].ifindex,
						      "mac", m[0], m[1], m[2], m[3], m[4], m[5]));
	}
	json_object_set_new(root, "uplink_macs", macs);
	for (size_t i = 0; i < state->reason_count; i++)
		json_array_append_new(reasons,
				      json_pack("{s:s, s:i, s:s}", "dev", state->reasons[i].dev, "ifindex",
						(int)state->reasons[i].ifindex, "reason", state->reasons[i].text));
	json_object_set_new(root, "xdp_reasons", reasons);
	free(ports);
	return root;
}

static int from_json(const json_t *root, struct gl_state *ret)
{
	struct gl_state s = { 0 };
	const json_t *macs = json_object_get(root, "uplink_macs"), *def = json_object_get(root, "definition"),
		     *reasons = json_object_get(root, "xdp_reasons"), *item;
	const char *ports = json_string_value(json_object_get(root, "reserved_ports"));
	size_t i;

	s.serial = json_integer_value(json_object_get(root, "serial"));
	if (json_is_object(def))
		s.definition = json_dumps(def, JSON_COMPACT | JSON_SORT_KEYS);
	if (ports && gl_ports_parse(ports, &s.reserved))
		memset(&s.reserved, 0, sizeof(s.reserved));
	for (unsigned k = 0; k < GL_FAMILIES; k++)
		s.forwarding[k] = json_is_true(json_object_get(root, forwarding_keys[k]));
	s.macs = calloc(json_array_size(macs) + 1, sizeof(*s.macs));
	s.reasons = calloc(json_array_size(reasons) + 1, sizeof(*s.reasons));
	if (!s.macs || !s.reasons) {
		gl_state_clear(&s);
		return -ENOMEM;
	}
	json_array_foreach((json_t *)macs, i, item)
	{
		struct gl_uplink_mac *m = &s.macs[s.mac_count++];
		const json_t *bytes = json_object_get(item, "mac");

		m->ifindex = json_integer_value(json_object_get(item, "ifindex"));
		for (size_t k = 0; k < 6; k++)
			m->mac[k] = json_integer_value(json_array_get(bytes, k));
	}
	json_array_foreach((json_t *)reasons, i, item)
	{
		struct gl_reason *r = &s.reasons[s.reason_count++];
		const char *dev = json_string_value(json_object_get(item, "dev")),
			   *text = json_string_value(json_object_get(item, "reason"));

		snprintf(r->dev, sizeof(r->dev), "%s", dev ? dev : "");
		snprintf(r->text, sizeof(r->text), "%s", text ? text : "");
		r->ifindex = json_integer_value(json_object_get(item, "ifindex"));
	}
	*ret = s;
	return 0;
}

static int read_file(const char *dir, int file, struct gl_state *ret)
{
	char path[PATH_MAX];
	json_t *root;
	int err;

	if (access(path_of(path, dir, file), R_OK))
		return errno == ENOENT ? -ENOENT : -errno;
	root = json_load_file(path, 0, NULL);
	if (!root)
		return -ENOENT;
	err = from_json(root, ret);
	json_decref(root);
	return err;
}

int gl_state_read(const char *dir, uint64_t serial, struct gl_state *ret, struct gl_state *other)
{
	struct gl_state applied = { 0 }, next = { 0 }, rest = { 0 };
	int err = read_file(dir, APPLIED, &applied);

	if (!err || err == -ENOENT)
		err = read_file(dir, NEXT, &next);
	if (err && err != -ENOENT) {
		gl_state_clear(&applied);
		return err;
	}
	if (serial && next.serial == serial) {
		*ret = next;
		rest = applied;
	} else {
		*ret = applied;
		rest = next;
		/* The kernel holds something else than the file says: a reboot, or files from elsewhere. What was
		 * changed on the host is remembered all the same. */
		if (applied.serial != serial) {
			free(ret->definition);
			ret->definition = NULL;
			ret->serial = 0;
		}
	}
	if (other)
		*other = rest;
	else
		gl_state_clear(&rest);
	return 0;
}

static int sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	/* Not every file system can; then there is nothing to wait for. */
	if (fsync(fd) && errno != EINVAL && errno != EROFS)
		err = -errno;
	close(fd);
	return err;
}

int gl_state_write_next(const char *dir, const struct gl_state *state, struct gl_diag *diag)
{
	char tmp[PATH_MAX], path[PATH_MAX];
	json_t *root = to_json(state);
	char *text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
	size_t len = text ? strlen(text) : 0, at = 0;
	int err = 0, fd;

	json_decref(root);
	if (!text)
		return gl_fail(diag, -ENOMEM, "cannot write down the definition");
	fd = open(path_of(tmp, dir, NEXT_TMP), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		err = -errno;
	while (!err && at < len) {
		ssize_t put = write(fd, text + at, len - at);

		if (put < 0)
			err = -errno;
		else
			at += put;
	}
	if (!err && fsync(fd))
		err = -errno;
	if (fd >= 0)
		close(fd);
	free(text);
	if (!err && rename(tmp, path_of(path, dir, NEXT)))
		err = -errno;
	if (!err)
		err = sync_dir(dir);
	if (err) {
		unlink(tmp);
		return gl_fail(diag, err, "cannot write %s", tmp);
	}
	return 0;
}

int gl_state_commit(const char *dir)
{
	char from[PATH_MAX], to[PATH_MAX];

	if (rename(path_of(from, dir, NEXT), path_of(to, dir, APPLIED)))
		return -errno;
	return sync_dir(dir);
}

void gl_state_abandon(const char *dir)
{
	char path[PATH_MAX];

	unlink(path_of(path, dir, NEXT));
}

int gl_state_remove(const char *dir)
{
	char path[PATH_MAX];
	int err = 0;

	/* The lock last: who waits for it sees that it has gone, and makes a new one. */
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (unlink(path_of(path, dir, i)) && errno != ENOENT)
			err = -errno;
	/* Other files in there are not ours. */
	if (!err && rmdir(dir))
		errno = 0;
	return err;
}

int gl_state_mark_mounted(const char *dir)
{
	char path[PATH_MAX];
	int fd = open(path_of(path, dir, MOUNTED), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

bool gl_state_mounted(const char *dir)
{
	char path[PATH_MAX];

	return !access(path_of(path, dir, MOUNTED), F_OK);
}

/* ---- the lock ---------------------------------------------------------------------------------------------- */

/* Did the file at `path` go away, or get replaced, while its lock was waited for? */
static bool is_stale(int fd, const char *path)
{
	struct stat held, there;

	return fstat(fd, &held) || stat(path, &there) || held.st_ino != there.st_ino || held.st_dev != there.st_dev;
}

static int open_lock(const char *dir, char *path, struct gl_diag *diag)
{
	int fd, err = gl_mkdirs(dir);

	if (err)
		return gl_fail(diag, err, "cannot make the directory %s", dir);
	fd = open(path_of(path, dir, LOCK), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? gl_fail(diag, -errno, "cannot open %s", path) : fd;
}

int gl_lock(const char *dir, double seconds, struct gl_diag *diag)
{
	const struct timespec nap = { .tv_nsec = 20 * 1000 * 1000 };
	char path[PATH_MAX], pid[32] = "";
	int len, err, fd = open_lock(dir, path, diag);

	while (fd >= 0) {
		if (!flock(fd, LOCK_EX | LOCK_NB)) {
			if (!is_stale(fd, path))
				break;
			close(fd);
			fd = open_lock(dir, path, diag);
			continue;
		}
		if (errno != EWOULDBLOCK && errno != EINTR) {
			err = gl_fail(diag, -errno, "cannot lock %s", path);
			close(fd);
			return err;
		}
		if (seconds <= 0) {
			len = pread(fd, pid, sizeof(pid) - 1, 0);
			pid[len > 0 ? len : 0] = 0;
			pid[strcspn(pid, "\n")] = 0;
			close(fd);
			return gl_refuse(diag, -EBUSY,
					 "another guestlane command is changing this host (process %s): wait for it to "
					 "end and try again",
					 *pid ? pid : "unknown");
		}
		nanosleep(&nap, NULL);
		seconds -= nap.tv_nsec / 1e9;
	}
	if (fd < 0)
		return fd;
	len = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) || pwrite(fd, pid, len, 0) != len) {
		/* The pid only serves the words of others' errors. */
		errno = 0;
	}
	return fd;
}

void gl_unlock(int fd)
{
	if (fd < 0)
		return;
	if (ftruncate(fd, 0))
		errno = 0;
	close(fd);
}
