/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How do files become one checked definition? Reads them (the only system calls of this half), parses each, validates
 * the sum. Neighbours: parse.c, validate.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader/loader.h"
#include "loader/parse.h"

#define FILE_MOST (256u << 20)

static int fault(struct gl_diag *diag, const char *path, int err)
{
	gl_diag_add(diag, (struct gl_loc){ 0 }, "%s: %s", path,
		    err == -EFBIG ? "larger than 256 MiB; no definition is" : strerror(-err));
	return err;
}

static int read_all(int fd, char **ret, size_t *ret_len)
{
	size_t len = 0, room = 0;
	char *text = NULL;
	ssize_t got;
	int err;

	for (;;) {
		if (len == room) {
			size_t more = room ? room * 2 : 65536;
			char *bigger = more > 2 * (size_t)FILE_MOST ? NULL : realloc(text, more);

			if (!bigger) {
				err = more > 2 * (size_t)FILE_MOST ? -EFBIG : -ENOMEM;
				goto fail;
			}
			text = bigger;
			room = more;
		}
		got = read(fd, text + len, room - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			err = -errno;
			goto fail;
		}
		if (!got)
			break;
		len += (size_t)got;
		if (len > FILE_MOST) {
			err = -EFBIG;
			goto fail;
		}
	}
	*ret = text;
	*ret_len = len;
	return 0;
fail:
	free(text);
	return err;
}

static int read_path(const char *path, char **ret, size_t *len)
{
	int fd, err;

	if (!strcmp(path, "-"))
		return read_all(STDIN_FILENO, ret, len);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = read_all(fd, ret, len);
	close(fd);
	return err;
}

int gl_definition_load(const char *const *paths, size_t count, struct gl_definition **ret, struct gl_diag *diag)
{
	struct gl_definition *def = NULL;
	bool bad = false, whole, stdin_read = false;
	bool complete = true;
	int err = gl_definition_new(&def);

	for (size_t i = 0; i < count && !err; i++) {
		bool from_stdin = !strcmp(paths[i], "-");
		char *text = NULL;
		size_t len;

		if (from_stdin && stdin_read) {
			gl_diag_add(diag, (struct gl_loc){ 0 },
				    "standard input (-) is named twice; it can be read once");
			err = -EINVAL;
			break;
		}
		stdin_read |= from_stdin;
		err = read_path(paths[i], &text, &len);
		if (err) {
			fault(diag, from_stdin ? "standard input" : paths[i], err);
			break;
		}
		err = gl_parse_file(def, from_stdin ? "stdin" : paths[i], text, len, diag, &whole);
		free(text);
		if (err == -EINVAL) {
			bad = true;
			err = 0;
		}
		complete &= whole;
	}
	/* With a file missing, names would seem unknown that it may define. */
	if (!err && complete) {
		err = gl_validate(def, diag);
		if (err == -EINVAL) {
			bad = true;
			err = 0;
		}
	}
	if (err == -ENOMEM)
		gl_diag_add(diag, (struct gl_loc){ 0 }, "not enough memory");
	if (!err && bad)
		err = -EINVAL;
	gl_diag_sort(diag);
	if (err) {
		gl_definition_free(def);
		return err;
	}
	*ret = def;
	return 0;
}
