/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* `guestlane plan`, `apply` and `delete`: what changes, or has changed. Neighbours: progress.c. */
#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/progress.h"

struct action_word {
	char sign;
	const char *word; /* in JSON, and in "3 to add" */
	const char *color;
};

static const struct action_word action_words[] = {
	[GL_ADD] = { '+', "add", "\033[32m" },
	[GL_CHANGE] = { '~', "change", "\033[33m" },
	[GL_REMOVE] = { '-', "remove", "\033[31m" },
};

static size_t count(const struct gl_plan *plan, enum gl_action action)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->count; i++)
		n += plan->items[i].action == action;
	return n;
}

/* ---- for programs ----------------------------------------------------------------------------------------- */

static const struct out_column item_columns[] = {
	{ "action", NULL, OUT_TEXT, NULL },
	{ "kind", NULL, OUT_TEXT, NULL },
	{ "name", NULL, OUT_TEXT, NULL },
	{ "detail", NULL, OUT_TEXT, NULL },
	{ 0 },
};

static json_t *strings_json(char *const *strings, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, out_json_string(strings[i]));
	return list;
}

static int plan_json(struct cli *cli, const struct gl_plan *plan)
{
	struct out *o = &cli->out;

	out_object(o);
	out_member(o, "applied", json_boolean(cli->changed));
	for (int action = GL_ADD; action <= GL_REMOVE; action++)
		out_member(o, action_words[action].word, json_integer((json_int_t)count(plan, action)));
	out_member(o, "map_entries", json_integer((json_int_t)plan->map_entries));
	out_table(o, "changes", NULL, item_columns);
	for (size_t i = 0; i < plan->count; i++) {
		const struct gl_plan_item *item = &plan->items[i];

		out_text(o, "action", action_words[item->action].word);
		out_text(o, "kind", item->kind);
		out_text(o, "name", item->name);
		out_text(o, "detail", item->detail);
		if (out_row(o))
			break;
	}
	out_table_end(o, 0);
	out_member(o, "pending", strings_json(plan->pending, plan->pending_count));
	out_member(o, "notes", strings_json(plan->notes, plan->note_count));
	return out_close(o, 0);
}

/* ---- for people ------------------------------------------------------------------------------------------- */

static void item_line(struct out *o, const struct gl_plan_item *item)
{
	const struct action_word *word = &action_words[item->action];
	bool detailed = item->detail && *item->detail;

	out_line(o, "%s%c%s %s %s%s%s", o->color ? word->color : "", word->sign, o->color ? "\033[0m" : "", item->kind,
		 item->name, detailed ? ": " : "", detailed ? item->detail : "");
}

static int plan_people(struct cli *cli, const struct gl_plan *plan)
{
	struct out *o = &cli->out;
	size_t add = count(plan, GL_ADD), change = count(plan, GL_CHANGE), remove = count(plan, GL_REMOVE);

	for (size_t i = 0; i < plan->count && !o->error; i++)
		item_line(o, &plan->items[i]);
	for (size_t i = 0; i < plan->pending_count && !o->error; i++)
		out_line(o, "%s: pending: the interface does not exist yet; run apply again once it does",
			 plan->pending[i]);
	for (size_t i = 0; i < plan->note_count && !o->error; i++)
		out_line(o, "note: %s", plan->notes[i]);
	if (!plan->count && !plan->map_entries)
		out_line(o, "no change");
	else if (cli->changed)
		out_line(o, "%zu added, %zu changed, %zu removed", add, change, remove);
	else
		out_line(o, "%zu to add, %zu to change, %zu to remove", add, change, remove);
	return o->error;
}

static int print_plan(struct cli *cli, const struct gl_plan *plan)
{
	return cli->args.json ? plan_json(cli, plan) : plan_people(cli, plan);
}

/* ---- the commands ----------------------------------------------------------------------------------------- */

static int load_and_open(struct cli *cli, struct gl_definition **def, struct gl_host **host)
{
	int err = cli_load(cli, def);

	return err ? err : cli_open(cli, host);
}

int cmd_plan(struct cli *cli)
{
	struct gl_definition *def = NULL;
	struct gl_host *host = NULL;
	struct gl_plan *plan = NULL;
	int err;

	err = load_and_open(cli, &def, &host);
	if (!err)
		err = gl_plan_build(host, def, &plan, &cli->diag);
	if (!err)
		err = print_plan(cli, plan);
	gl_plan_free(plan);
	gl_host_close(host);
	gl_definition_free(def);
	return err;
}

int cmd_apply(struct cli *cli)
{
	struct gl_definition *def = NULL;
	struct gl_host *host = NULL;
	struct gl_plan *plan = NULL;
	struct progress progress;
	int err;

	err = load_and_open(cli, &def, &host);
	if (!err) {
		progress_begin(&progress);
		err = gl_apply(host, def, progress_step, &progress, &plan, &cli->diag);
		progress_end(&progress);
	}
	if (!err) {
		cli->changed = true;
		err = print_plan(cli, plan);
	}
	gl_plan_free(plan);
	gl_host_close(host);
	gl_definition_free(def);
	return err;
}

static int delete_all(struct cli *cli, struct gl_host *host, struct progress *progress)
{
	struct out *o = &cli->out;
	int err = gl_delete_all(host, progress_step, progress, &cli->diag);

	progress_end(progress);
	if (err)
		return err;
	cli->changed = true;
	out_object(o);
	out_member(o, "deleted", json_string("all"));
	out_line(o, "nothing of guestlane is left on this host");
	return out_close(o, 0);
}

static int delete_tenant(struct cli *cli, struct gl_host *host, struct progress *progress)
{
	struct gl_plan *plan = NULL;
	int err = gl_delete_tenant(host, cli->operands[1], progress_step, progress, &plan, &cli->diag);

	progress_end(progress);
	if (err == -ENOENT && !cli->diag.count)
		gl_diag_add(&cli->diag, (struct gl_loc){ 0 }, "there is no tenant '%s'", cli->operands[1]);
	if (!err) {
		cli->changed = true;
		err = print_plan(cli, plan);
	}
	gl_plan_free(plan);
	return err;
}

int cmd_delete(struct cli *cli)
{
	struct gl_host *host = NULL;
	struct progress progress;
	int err;

	if (cli->args.all && cli->count)
		return cli_usage(cli, "delete takes either --all or a tenant");
	if (!cli->args.all && cli->count != 2)
		return cli_usage(cli, "delete needs --all, or `tenant` and its name");
	err = cli_open(cli, &host);
	if (err)
		return err;
	progress_begin(&progress);
	err = cli->args.all ? delete_all(cli, host, &progress) : delete_tenant(cli, host, &progress);
	gl_host_close(host);
	return err;
}
