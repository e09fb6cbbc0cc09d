/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How does a person see that work goes on? See progress.h. */
#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define QUIET_MS 200 /* before the first line */
#define REFRESH_MS 50

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void progress_begin(struct progress *progress)
{
	const char *term = getenv("TERM");

	*progress = (struct progress){ .terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb"),
				       .began_ms = now_ms() };
}

void progress_step(void *arg, const char *step, size_t done, size_t total)
{
	struct progress *progress = arg;
	uint64_t now = now_ms();

	if (!progress->terminal || now - progress->began_ms < QUIET_MS || now - progress->last_ms < REFRESH_MS)
		return;
	progress->last_ms = now;
	progress->shown = true;
	if (total)
		fprintf(stderr, "\r\033[K%s (%zu of %zu)", step, done, total);
	else
		fprintf(stderr, "\r\033[K%s", step);
	fflush(stderr);
}

void progress_end(struct progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
}
