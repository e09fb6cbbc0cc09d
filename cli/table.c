/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How are rows lined up for people? See table.h. */
#include "cli/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Columns that a text takes: continuation bytes of UTF-8 take none. */
static size_t width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

void table_begin(struct table *table, FILE *file, bool bold)
{
	*table = (struct table){ .file = file, .bold = bold };
}

void table_column(struct table *table, const char *title, bool right)
{
	if (table->columns == TABLE_COLUMNS)
		return;
	table->titles[table->columns] = title;
	table->right[table->columns] = right;
	table->widths[table->columns++] = width(title);
}

static void print_padding(const struct table *table, size_t n)
{
	static const char spaces[] = "                                ";

	for (; n >= sizeof(spaces); n -= sizeof(spaces) - 1)
		fputs_unlocked(spaces, table->file);
	fputs_unlocked(spaces + sizeof(spaces) - 1 - n, table->file);
}

static void print_cells(const struct table *table, const char *const *cells, bool bold)
{
	size_t owed = 0; /* spaces, held back so that no line ends in them */

	if (bold)
		fputs("\033[1m", table->file);
	for (size_t i = 0; i < table->columns; i++) {
		size_t w = width(cells[i]);
		size_t pad = table->widths[i] > w ? table->widths[i] - w : 0;

		if (*cells[i]) {
			print_padding(table, owed + (table->right[i] ? pad : 0));
			fputs_unlocked(cells[i], table->file);
			owed = table->right[i] ? 0 : pad;
		} else {
			owed += pad;
		}
		owed += 2;
	}
	fputs_unlocked(bold ? "\033[0m\n" : "\n", table->file);
}

/* Titles and the kept rows; from here on the widths only grow. */
static void flush(struct table *table)
{
	const char *cells[TABLE_COLUMNS];
	const char *at = table->kept;

	if (table->flowing)
		return;
	table->flowing = true;
	print_cells(table, table->titles, table->bold);
	for (size_t row = 0; row < table->rows; row++) {
		for (size_t i = 0; i < table->columns; i++) {
			cells[i] = at;
			at += strlen(at) + 1;
		}
		print_cells(table, cells, false);
	}
}

static int keep(struct table *table, const char *cell)
{
	size_t len = strlen(cell) + 1;

	if (table->kept_len + len > table->kept_cap) {
		size_t cap = 2 * (table->kept_len + len) + 4096;
		char *kept = realloc(table->kept, cap);

		if (!kept)
			return -ENOMEM;
		table->kept = kept;
		table->kept_cap = cap;
	}
	memcpy(table->kept + table->kept_len, cell, len);
	table->kept_len += len;
	return 0;
}

int table_row(struct table *table, const char *const *cells)
{
	if (table->rows == TABLE_SAMPLE)
		flush(table);
	for (size_t i = 0; i < table->columns; i++) {
		size_t w = width(cells[i]);

		if (!table->flowing && keep(table, cells[i]))
			return -ENOMEM;
		if (w > table->widths[i])
			table->widths[i] = w;
	}
	if (table->flowing)
		print_cells(table, cells, false);
	else
		table->rows++;
	return 0;
}

void table_end(struct table *table)
{
	if (table->columns)
		flush(table);
	free(table->kept);
	*table = (struct table){ 0 };
}
