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

/* One finding; `about_err`: with the error's own words and what to do about it. */
static void report(struct gl_diag *diag, int err, bool about_err, const char *fmt, va_list ap)
{
	char *what = NULL;

	if (!diag)
		return;
	if (vasprintf(&what, fmt, ap) < 0)
		what = NULL;
	if (about_err)
		gl_diag_add(diag, (struct gl_loc){ 0 }, "%s: %s%s", what ? what : "failed", strerror(-err),
			    remedy(err));
	else
		gl_diag_add(diag, (struct gl_loc){ 0 }, "%s", what ? what : strerror(-err));
	free(what);
}

int gl_fail(struct gl_diag *diag, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(diag, err, true, fmt, ap);
	va_end(ap);
	return err;
}

int gl_refuse(struct gl_diag *diag, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(diag, err, false, fmt, ap);
	va_end(ap);
	return err;
}
