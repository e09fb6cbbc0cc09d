/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How are errors kept until somebody prints them? See diag.h. Findings own copies of their file names, so that they
 * outlive the definition they speak about. */
#include "loader/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT 1000 /* findings; one more says how many were left out */

/* A finding is one line on somebody's terminal, whatever the definition's strings hold. */
static void make_printable(char *text)
{
	unsigned char *p = (unsigned char *)text;

	for (; *p; p++) {
		if (*p < 0x20 || *p == 0x7f) {
			*p = '?';
		} else if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) {
			p[0] = '?'; /* C1 controls */
			p[1] = '?';
		}
	}
}

static bool same_file(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* An anchor's contents are read once per alias, and say the same each time. */
static bool said_before(const struct gl_diag *diag, struct gl_loc loc, const char *text)
{
	for (size_t i = 0; i < diag->count; i++) {
		const struct gl_finding *f = &diag->findings[i];

		if (f->loc.line == loc.line && f->loc.col == loc.col && same_file(f->loc.file, loc.file) &&
		    !strcmp(f->text, text))
			return true;
	}
	return false;
}

void gl_diag_add(struct gl_diag *diag, struct gl_loc loc, const char *fmt, ...)
{
	struct gl_finding *finding;
	char *text = NULL, *file = NULL;
	va_list args;

	if (diag->count > KEPT) { /* the last one counts */
		finding = &diag->findings[KEPT];
		if (asprintf(&text, "and %lu more", strtoul(finding->text + strlen("and "), NULL, 10) + 1) < 0)
			return;
		free(finding->text);
		finding->text = text;
		return;
	}
	if (diag->count == diag->capacity) {
		size_t capacity = diag->capacity ? diag->capacity * 2 : 16;

		finding = realloc(diag->findings, capacity * sizeof(*finding));
		if (!finding)
			return;
		diag->findings = finding;
		diag->capacity = capacity;
	}
	if (diag->count == KEPT) {
		text = strdup("and 1 more");
		if (text)
			diag->findings[diag->count++] = (struct gl_finding){ .text = text };
		return;
	}
	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	if (loc.file)
		file = strdup(loc.file);
	if (text)
		make_printable(text);
	if (!text || (loc.file && !file) || said_before(diag, loc, text)) {
		free(text);
		free(file);
		return;
	}
	loc.file = file;
	diag->findings[diag->count++] = (struct gl_finding){ .loc = loc, .text = text };
}

/* A finding and what it is sorted by. */
struct ranked {
	struct gl_finding finding;
	size_t file, order;
};

static int compare(const void *va, const void *vb)
{
	const struct ranked *a = va, *b = vb;

	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	if (a->finding.loc.line != b->finding.loc.line)
		return a->finding.loc.line < b->finding.loc.line ? -1 : 1;
	if (a->finding.loc.col != b->finding.loc.col)
		return a->finding.loc.col < b->finding.loc.col ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

void gl_diag_sort(struct gl_diag *diag)
{
	struct ranked *ranked;

	if (diag->count < 2)
		return;
	ranked = calloc(diag->count, sizeof(*ranked));
	if (!ranked)
		return; /* unsorted is still true */
	for (size_t i = 0; i < diag->count; i++) {
		size_t first = 0;

		while (!same_file(diag->findings[first].loc.file, diag->findings[i].loc.file))
			first++;
		ranked[i] = (struct ranked){ .finding = diag->findings[i], .file = first, .order = i };
		if (i == KEPT)
			ranked[i].file = i;
	}
	qsort(ranked, diag->count, sizeof(*ranked), compare);
	for (size_t i = 0; i < diag->count; i++)
		diag->findings[i] = ranked[i].finding;
	free(ranked);
}

void gl_diag_clear(struct gl_diag *diag)
{
	for (size_t i = 0; i < diag->count; i++) {
		free((char *)diag->findings[i].loc.file);
		free(diag->findings[i].text);
	}
	free(diag->findings);
	*diag = (struct gl_diag){ 0 };
}
