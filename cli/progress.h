/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How does a person see that work goes on? One line on standard error, rewritten; only on a terminal, and only of work
 * that takes a while. */
#ifndef GL_CLI_PROGRESS_H
#define GL_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
	bool terminal, shown;
	uint64_t began_ms, last_ms;
};

void progress_begin(struct progress *progress);
/* A gl_progress_fn; `arg` is a struct progress. */
void progress_step(void *arg, const char *step, size_t done, size_t total);
void progress_end(struct progress *progress);

#endif
