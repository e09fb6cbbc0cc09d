/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Words for errno values. Neighbours: fail.h, diag.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/fail.h"

static const char *remedy(int err)
{
	switch (-err) {
	case EPERM:
	case EACCES:
		return " (needs CAP_NET_ADMIN and CAP_BPF; run as root)";
	case ENOSPC:
		return " (free some space and try again)";
	case ENOMEM:
		return " (free some memory, or raise the memory limit of this cgroup)";
	case EROFS:
		return " (mount it writable)";
	default:
		return "";
	}
}

int gl_fail(struct gl_diag *diag, int err, const char *fmt, ...)
{
	char *what = NULL;
	va_list ap;

	if (!diag)
		return err;
	va_start(ap, fmt);
	if (vasprintf(&what, fmt, ap) < 0)
		what = NULL;
	va_end(ap);
	gl_diag_add(diag, (struct gl_loc){ 0 }, "%s: %s%s", what ? what : "failed", strerror(-err), remedy(err));
	free(what);
	return err;
}

int gl_refuse(struct gl_diag *diag, int err, const char *fmt, ...)
{
	char *what = NULL;
	va_list ap;

	if (!diag)
		return err;
	va_start(ap, fmt);
	if (vasprintf(&what, fmt, ap) < 0)
		what = NULL;
	va_end(ap);
	gl_diag_add(diag, (struct gl_loc){ 0 }, "%s", what ? what : strerror(-err));
	free(what);
	return err;
}
