/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* `guestlane dump`: every entry in force of the raw maps, in the registry's words. Neighbours: field.c. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/field.h"
#include "cli/nearest.h"

#define PREFIX "gl_"

struct dump {
	struct out *o;
	const struct gl_map_info *info;
	struct out_column columns[TABLE_COLUMNS];
	char titles[TABLE_COLUMNS][32];
	size_t count;
};

bool dump_word(size_t i, struct word *ret)
{
	const struct gl_map_info *info = gl_map_info((enum gl_map_id)i);

	if (!info)
		return false;
	*ret = (struct word){ info->name, info->help };
	return true;
}

static bool has_label(const struct gl_map_info *info)
{
	return info->shape == GL_SHAPE_MAP_OF_MAPS;
}

static void add_column(struct dump *dump, struct out_column column)
{
	char *title = dump->titles[dump->count];

	snprintf(title, sizeof(dump->titles[0]), "%s", column.key);
	for (char *p = title; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	/* People see the map's name above the table. */
	column.title = strcmp(column.key, "map") ? title : NULL;
	dump->columns[dump->count++] = column;
}

static void add_fields(struct dump *dump, const struct gl_field *fields, const char *group)
{
	for (const struct gl_field *field = fields; field->name; field++)
		add_column(dump, (struct out_column){ field->name, NULL, field_kind(field), group });
}

static void make_columns(struct dump *dump, const struct gl_map_info *info)
{
	dump->info = info;
	dump->count = 0;
	memset(dump->columns, 0, sizeof(dump->columns));
	add_column(dump, (struct out_column){ "map", NULL, OUT_TEXT, NULL });
	if (has_label(info))
		add_column(dump, (struct out_column){ "tenant", NULL, OUT_TEXT, NULL });
	add_fields(dump, info->key_fields, "key");
	add_fields(dump, info->val_fields, "value");
}

static int dump_row(void *arg, const char *label, const void *key, const void *val)
{
	struct dump *dump = arg;
	struct out *o = dump->o;

	out_text(o, "map", dump->info->name);
	if (has_label(dump->info))
		out_text(o, "tenant", label);
	for (const struct gl_field *field = dump->info->key_fields; field->name; field++)
		field_put(o, field, key);
	for (const struct gl_field *field = dump->info->val_fields; field->name; field++)
		field_put(o, field, val);
	return out_row(o);
}

static int dump_map(struct cli *cli, struct gl_host *host, struct dump *dump, enum gl_map_id id)
{
	const struct gl_map_info *info = gl_map_info(id);
	char *title = NULL;
	int err;

	if (asprintf(&title, "%s: %s", info->name, info->help) < 0)
		return -ENOMEM;
	make_columns(dump, info);
	out_table(dump->o, NULL, title, dump->columns);
	err = gl_each_entry(host, id, dump_row, dump, &cli->diag);
	out_table_end(dump->o, err);
	free(title);
	return err;
}

static enum gl_map_id find_map(const char *name)
{
	enum gl_map_id id = gl_map_by_name(name);
	char full[64];

	if (id != GL_MAP_COUNT)
		return id;
	snprintf(full, sizeof(full), PREFIX "%s", name);
	return gl_map_by_name(full);
}

int cmd_dump(struct cli *cli)
{
	enum gl_map_id first = GL_MAP_NAME, last = GL_MAP_COUNT - 1;
	struct dump dump = { .o = &cli->out };
	struct gl_host *host = NULL;
	int err;

	if (cli->count) {
		const char *name = cli->operands[0];

		first = last = find_map(name);
		if (first == GL_MAP_COUNT) {
			const char *near = nearest(name, command_word, (void *)cli->command);

			return cli_usage(cli, "unknown map '%s'%s%s%s", name, near ? "; did you mean '" : "",
					 near ? near : "", near ? "'?" : "");
		}
	}
	err = cli_open(cli, &host);
	if (err)
		return err;
	out_array(&cli->out);
	for (enum gl_map_id id = first; id <= last && !err; id++)
		err = dump_map(cli, host, &dump, id);
	gl_host_close(host);
	return out_close(&cli->out, err);
}
