/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How do results get out? See out.h. */
#include "cli/out.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/human.h"
#include "cli/json.h"

void out_init(struct out *o, FILE *file, bool json, bool pretty, bool color)
{
	*o = (struct out){ .file = file, .json = json, .pretty = pretty, .color = color };
}

void out_free(struct out *o)
{
	free(o->text);
	free(o->table.kept);
	o->text = NULL;
	o->table.kept = NULL;
}

bool out_wants_color(FILE *file)
{
	const char *no = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return !(no && *no) && term && strcmp(term, "dumb") && isatty(fileno(file));
}

static void fail(struct out *o, int err)
{
	if (!o->error)
		o->error = err;
}

/* stdio keeps the error flag, errno has the cause only now. */
static void check_file(struct out *o)
{
	if (ferror(o->file))
		fail(o, errno ? -errno : -EIO);
}

/* ---- JSON ------------------------------------------------------------------------------------------------- */

json_t *out_json_string(const char *text)
{
	json_t *string = json_string(text);
	char *copy;

	if (string || !text)
		return string;
	/* Not UTF-8, a file name for example. */
	copy = strdup(text);
	if (!copy)
		return NULL;
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	string = json_string(copy);
	free(copy);
	return string;
}

static void new_line(struct out *o)
{
	if (!o->pretty)
		return;
	putc_unlocked('\n', o->file);
	for (unsigned i = 0; i < o->depth; i++)
		fputs_unlocked("  ", o->file);
}

static void open_bracket(struct out *o, char bracket)
{
	o->started = true;
	putc_unlocked(bracket, o->file);
	o->depth++;
	o->comma = false;
}

/* The document begins with the first thing that stands in it. */
static void open_document(struct out *o)
{
	if (!o->opening)
		return;
	open_bracket(o, o->opening);
	o->opening = 0;
}

/* What stands before an element of the array or object that is open; in a compact document each row has a line. */
static void separate(struct out *o, bool row)
{
	open_document(o);
	if (o->comma)
		fputs_unlocked(row && !o->pretty ? ",\n" : ",", o->file);
	o->comma = true;
	new_line(o);
}

static void close_bracket(struct out *o, char bracket)
{
	o->depth--;
	if (o->comma)
		new_line(o);
	putc_unlocked(bracket, o->file);
	o->comma = true;
}

/* jansson indents from the left edge; inside an open bracket every line moves to the right. */
static void write_json(struct out *o, json_t *value)
{
	char *text;

	if (!value) {
		fail(o, -ENOMEM);
		return;
	}
	if (!o->pretty) {
		if (json_dumpf(value, o->file, JSON_COMPACT | JSON_ENCODE_ANY))
			check_file(o);
		return;
	}
	text = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);
	if (!text) {
		fail(o, -ENOMEM);
		return;
	}
	for (const char *p = text; *p; p++) {
		if (*p == '\n')
			new_line(o);
		else
			putc(*p, o->file);
	}
	free(text);
}

static void write_key(struct out *o, const char *key)
{
	separate(o, false);
	json_put_string(o->file, key);
	fputs_unlocked(o->pretty ? ": " : ":", o->file);
}

void out_member(struct out *o, const char *key, json_t *value)
{
	if (o->json) {
		write_key(o, key);
		write_json(o, value);
	}
	json_decref(value);
}

static void write_list(struct out *o, const char *text, bool numbers)
{
	open_bracket(o, '[');
	while (*text) {
		size_t len = strcspn(text, ",");

		separate(o, false);
		if (numbers)
			fwrite_unlocked(text, 1, len, o->file);
		else
			json_put_bytes(o->file, text, len);
		text += len + (text[len] == ',');
	}
	close_bracket(o, ']');
}

static void write_cell(struct out *o, const struct out_column *column, const struct out_cell *cell)
{
	if (column->kind == OUT_WORDS || column->kind == OUT_NUMBERS)
		write_list(o, cell->present ? o->text + cell->text : "", column->kind == OUT_NUMBERS);
	else if (!cell->present)
		fputs_unlocked("null", o->file);
	else if (column->kind == OUT_TEXT)
		json_put_string(o->file, o->text + cell->text);
	else if (column->kind == OUT_YES)
		fputs_unlocked(cell->number ? "true" : "false", o->file);
	else
		fprintf(o->file, "%llu", (unsigned long long)cell->number);
}

/* The length of the first `parts` parts of an object's path. */
static size_t path_len(const char *path, unsigned parts)
{
	const char *at = path;

	while (parts-- && *at)
		at += strcspn(at + (*at == '.'), ".") + (*at == '.');
	return (size_t)(at - path);
}

static bool same_path(const char *a, const char *b, unsigned parts)
{
	size_t len = path_len(a, parts);

	return len == path_len(b, parts) && !strncmp(a, b, len);
}

#define PATH_PARTS 2

/* From inside the objects of one path to inside those of another; "" is the row itself. */
static void change_path(struct out *o, const char *from, const char *to)
{
	unsigned common = PATH_PARTS;

	if (!strcmp(from, to))
		return;
	while (!same_path(from, to, common))
		common--;
	for (unsigned part = PATH_PARTS; part > common; part--)
		if (path_len(from, part) > path_len(from, part - 1))
			close_bracket(o, '}');
	for (unsigned part = common; part < PATH_PARTS; part++) {
		size_t begin = path_len(to, part), end = path_len(to, part + 1);

		if (begin == end)
			break;
		begin += to[begin] == '.';
		separate(o, false);
		json_put_bytes(o->file, to + begin, end - begin);
		fputs_unlocked(o->pretty ? ": " : ":", o->file);
		open_bracket(o, '{');
	}
}

static void row_json(struct out *o)
{
	const char *path = "";

	separate(o, true);
	open_bracket(o, '{');
	for (size_t i = 0; i < o->count; i++) {
		const struct out_column *column = &o->columns[i];

		if (!column->key)
			continue;
		change_path(o, path, column->group ? column->group : "");
		path = column->group ? column->group : "";
		write_key(o, column->key);
		write_cell(o, column, &o->cells[i]);
	}
	change_path(o, path, "");
	close_bracket(o, '}');
}

/* ---- tables ----------------------------------------------------------------------------------------------- */

static bool is_number(enum out_kind kind)
{
	return kind == OUT_NUMBER || kind == OUT_COUNT || kind == OUT_MS;
}

/* Whatever a name holds, it stays on its line and does not speak to the terminal. */
static void make_printable(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++)
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
}

static const char *cell_text(struct out *o, enum out_kind kind, const struct out_cell *cell, char *buf)
{
	if (!cell->present)
		return "-";
	switch (kind) {
	case OUT_NUMBER:
		snprintf(buf, HUMAN_LEN, "%llu", (unsigned long long)cell->number);
		return buf;
	case OUT_COUNT:
		return human_count(cell->number, buf);
	case OUT_MS:
		return human_ms(cell->number, buf);
	case OUT_YES:
		return cell->number ? "yes" : "no";
	default:
		make_printable(o->text + cell->text);
		return o->text + cell->text;
	}
}

/* Only when it is certain that there is a table to stand below. */
static void write_title(struct out *o)
{
	if (!o->title)
		return;
	fprintf(o->file, "%s%s\n", o->started ? "\n" : "", o->title);
	o->started = true;
	o->title = NULL;
}

static void row_table(struct out *o)
{
	char bufs[TABLE_COLUMNS][HUMAN_LEN];
	const char *cells[TABLE_COLUMNS];
	size_t n = 0;

	for (size_t i = 0; i < o->count; i++) {
		if (!o->columns[i].title)
			continue;
		cells[n] = cell_text(o, o->columns[i].kind, &o->cells[i], bufs[n]);
		n++;
	}
	write_title(o);
	if (table_row(&o->table, cells))
		fail(o, -ENOMEM);
}

/* ---- documents -------------------------------------------------------------------------------------------- */

void out_array(struct out *o)
{
	o->opening = o->json ? '[' : 0;
}

void out_object(struct out *o)
{
	o->object = true;
	o->opening = o->json ? '{' : 0;
}

void out_line(struct out *o, const char *fmt, ...)
{
	va_list args;

	if (o->json)
		return;
	o->started = true;
	va_start(args, fmt);
	vfprintf(o->file, fmt, args);
	va_end(args);
	putc('\n', o->file);
	check_file(o);
}

void out_table(struct out *o, const char *key, const char *title, const struct out_column *columns)
{
	o->columns = columns;
	o->table_key = key;
	o->if_any = false;
	o->next = 0;
	o->rows = 0;
	for (o->count = 0; columns[o->count].key || columns[o->count].title; o->count++)
		assert(o->count < TABLE_COLUMNS);
	if (o->json) {
		if (key) {
			write_key(o, key);
			open_bracket(o, '[');
		}
		return;
	}
	o->title = title;
	table_begin(&o->table, o->file, o->color);
	for (size_t i = 0; i < o->count; i++)
		if (columns[i].title)
			table_column(&o->table, columns[i].title, is_number(columns[i].kind));
}

void out_table_if_any(struct out *o, const char *key, const char *title, const struct out_column *columns)
{
	out_table(o, key, title, columns);
	o->if_any = true;
}

void out_table_end(struct out *o, int err)
{
	if (o->json && o->table_key)
		close_bracket(o, ']');
	if (!o->json && (o->rows || !(err || o->if_any))) {
		write_title(o);
		o->started = true;
		table_end(&o->table);
	}
	check_file(o);
}

int out_close(struct out *o, int err)
{
	if (err && !o->started)
		return err;
	if (o->json) {
		open_document(o);
		close_bracket(o, o->object ? '}' : ']');
		putc('\n', o->file);
	}
	errno = 0;
	fflush(o->file);
	check_file(o);
	return err ? err : o->error;
}

/* ---- rows ------------------------------------------------------------------------------------------------- */

static struct out_cell *next_cell(struct out *o, const char *name)
{
	const struct out_column *column = &o->columns[o->next];

	assert(o->next < o->count && !strcmp(column->key ? column->key : column->title, name));
	o->cells[o->next] = (struct out_cell){ 0 };
	return &o->cells[o->next++];
}

static bool make_room(struct out *o, size_t len)
{
	char *text;

	if (o->text_len + len <= o->text_cap)
		return true;
	text = realloc(o->text, 2 * (o->text_len + len) + 1024);
	if (!text) {
		fail(o, -ENOMEM);
		return false;
	}
	o->text = text;
	o->text_cap = 2 * (o->text_len + len) + 1024;
	return true;
}

void out_text(struct out *o, const char *name, const char *text)
{
	struct out_cell *cell = next_cell(o, name);
	size_t len = text ? strlen(text) + 1 : 0;

	if (len <= 1 || !make_room(o, len))
		return;
	memcpy(o->text + o->text_len, text, len);
	*cell = (struct out_cell){ .present = true, .text = o->text_len };
	o->text_len += len;
}

void out_format(struct out *o, const char *name, const char *fmt, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0) {
		text = NULL;
		fail(o, -ENOMEM);
	}
	va_end(args);
	out_text(o, name, text);
	free(text);
}

void out_number(struct out *o, const char *name, uint64_t number)
{
	*next_cell(o, name) = (struct out_cell){ .present = true, .number = number };
}

void out_none(struct out *o, const char *name)
{
	next_cell(o, name);
}

int out_row(struct out *o)
{
	assert(o->next == o->count);
	errno = 0;
	if (o->json)
		row_json(o);
	else
		row_table(o);
	o->next = 0;
	o->text_len = 0;
	o->rows++;
	check_file(o);
	return o->error;
}
