/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How do results get out? One row model for both readers: an aligned table for people, or one JSON document for
 * programs. Rows are streamed; a document of any length needs little memory.
 *
 * A document is an array of rows, or an object with members and arrays of rows:
 *   out_array(o);  out_table(o, NULL, title, columns); <rows> out_table_end(o, 0);  out_close(o, 0);
 *   out_object(o); out_member(o, "abi", json); out_table(o, "maps", title, columns); <rows> ...; out_close(o, 0);
 * A row is one put per column, in the columns' order, and out_row(). Putting a column out of turn is a bug and aborts.
 * Errors stick: out_row() and out_close() return the first, -EPIPE when the reader has gone. out_table_end() and
 * out_close() are told the error that ended the work: when nothing was written until then, nothing will be, otherwise
 * the document is brought to its end so that it can be parsed.
 * Neighbours: table.h (layout), human.h (numbers). */
#ifndef GL_CLI_OUT_H
#define GL_CLI_OUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/table.h"

enum out_kind {
	OUT_TEXT, /* JSON: string */
	OUT_WORDS, /* texts joined by commas. JSON: array of strings */
	OUT_NUMBERS, /* numbers joined by commas. JSON: array of numbers */
	OUT_NUMBER, /* as it stands */
	OUT_COUNT, /* people: 1.2M. JSON: number */
	OUT_MS, /* people: 3m12s. JSON: number of milliseconds */
	OUT_YES, /* people: yes, no. JSON: true, false */
};

struct out_column {
	const char *key; /* in JSON; NULL: only in the table */
	const char *title; /* in the table; NULL: only in JSON */
	enum out_kind kind;
	/* JSON object that holds the key, "outer" or "outer.inner"; NULL: the row itself. What one object holds stands
	 * together. */
	const char *group;
};

struct out_cell {
	bool present;
	size_t text; /* offset in the row's text */
	uint64_t number;
};

struct out {
	FILE *file;
	bool json, pretty, color;
	bool started; /* something was written */
	int error;

	bool object; /* the document */
	char opening; /* bracket of the document that is not written yet */
	bool comma; /* before the next element of the innermost array or object */
	unsigned depth;
	const char *table_key;
	const char *title; /* of the table, not written yet */
	bool if_any; /* no table without rows */
	const struct out_column *columns; /* end with key and title NULL */
	size_t count, next;
	size_t rows;
	struct out_cell cells[TABLE_COLUMNS];
	char *text; /* of the row's cells */
	size_t text_len, text_cap;
	struct table table;
};

void out_init(struct out *o, FILE *file, bool json, bool pretty, bool color);
void out_free(struct out *o);

void out_array(struct out *o);
void out_object(struct out *o);
/* Takes `value`. JSON alone; does nothing for people. */
void out_member(struct out *o, const char *key, json_t *value);
/* A line for people; does nothing in JSON. */
void out_line(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* `key` names the array in an object; `title` is printed above the table and may be NULL. `columns` ends with
 * an empty one, and stays. */
void out_table(struct out *o, const char *key, const char *title, const struct out_column *columns);
/* The same; for people there is no table without rows. */
void out_table_if_any(struct out *o, const char *key, const char *title, const struct out_column *columns);
void out_table_end(struct out *o, int err);
int out_close(struct out *o, int err); /* err, or the first error of writing */

/* `name` is the column's key, or its title where it has no key. NULL and "" stand for: nothing there. */
void out_text(struct out *o, const char *name, const char *text);
void out_format(struct out *o, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void out_number(struct out *o, const char *name, uint64_t number);
void out_none(struct out *o, const char *name);
int out_row(struct out *o);

/* A string for JSON, whatever bytes it holds. */
json_t *out_json_string(const char *text);
/* Whether to use colors on `file`. */
bool out_wants_color(FILE *file);

#endif
