/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How are rows lined up for people? The first TABLE_SAMPLE rows are kept to find the widths of the columns, the others
 * are printed as they come, so that a table of any length needs little memory; one that is wider than all before it,
 * as IPv6's addresses may be, widens its column for those behind it. Neighbour: out.c. */
#ifndef GL_CLI_TABLE_H
#define GL_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS 48
#define TABLE_SAMPLE 1000

struct table {
	FILE *file;
	bool bold; /* titles */
	size_t columns;
	const char *titles[TABLE_COLUMNS];
	bool right[TABLE_COLUMNS]; /* numbers stand to the right */
	size_t widths[TABLE_COLUMNS];
	char *kept; /* cells of the kept rows, each with its NUL */
	size_t kept_len, kept_cap;
	size_t rows;
	bool flowing; /* rows go straight out */
};

void table_begin(struct table *table, FILE *file, bool bold);
void table_column(struct table *table, const char *title, bool right);
int table_row(struct table *table, const char *const *cells); /* -ENOMEM */
void table_end(struct table *table); /* prints what is left; frees */

#endif
