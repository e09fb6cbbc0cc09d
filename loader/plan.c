/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What differs between what is in force and what is desired? Both are described in words and merged by kind and name;
 * what differs only in numbers, such as the order of interfaces in a network, is counted and not told.
 * Neighbours: plan.h, plan_object.c (the words), mapset.h (the count of entries). */
#include "loader/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct maker {
	struct gl_plan *plan;
	size_t capacity;
};

/* Takes `detail` over, also when it fails. */
static int item_add(struct maker *m, enum gl_action action, const char *kind, const char *name, char *detail)
{
	struct gl_plan *plan = m->plan;
	char *copy = strdup(name);

	if (plan->count == m->capacity) {
		size_t capacity = m->capacity ? 2 * m->capacity : 32;
		struct gl_plan_item *items = realloc(plan->items, capacity * sizeof(*items));

		if (!items)
			goto fail;
		plan->items = items;
		m->capacity = capacity;
	}
	if (!copy || !detail)
		goto fail;
	plan->items[plan->count++] =
		(struct gl_plan_item){ .action = action, .kind = kind, .name = copy, .detail = detail };
	return 0;
fail:
	free(copy);
	free(detail);
	return -ENOMEM;
}

static const char *attr_text(const struct gl_plan_object *object, const char *label)
{
	for (unsigned i = 0; i < GL_PLAN_ATTRS && object->attrs[i].label; i++)
		if (!strcmp(object->attrs[i].label, label))
			return object->attrs[i].text;
	return "";
}

/* What was written to a memory stream, which ends here; NULL when memory ran out. */
static char *text_of(FILE *file, char **buf)
{
	bool bad = ferror(file);

	if (!fclose(file) && !bad)
		return *buf;
	free(*buf);
	return NULL;
}

/* "mac 52:54:00:00:00:01; addresses 10.0.0.11" */
static char *detail_of(const struct gl_plan_object *object)
{
	char *buf = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&buf, &size);
	const char *comma = "";

	if (!file)
		return NULL;
	for (unsigned i = 0; i < GL_PLAN_ATTRS && object->attrs[i].label; i++) {
		if (object->attrs[i].quiet || !*object->attrs[i].text)
			continue;
		fprintf(file, "%s%s ", comma, object->attrs[i].label);
		if (object->attrs[i].list)
			gl_plan_list_tell(file, object->attrs[i].text);
		else
			fprintf(file, "%s", object->attrs[i].text);
		comma = "; ";
	}
	return text_of(file, &buf);
}

/* Lists are told by what they differ in: nothing, where that is something that only looks as if it did. */
static int list_difference(const struct gl_plan_object *was, const struct gl_plan_object *want, unsigned i, char **ret)
{
	const char *beside = NULL;
	size_t size = 0;
	FILE *file = open_memstream(ret, &size);
	int err;

	if (!file)
		return -ENOMEM;
	for (unsigned k = 0; k < GL_PLAN_ATTRS && was->attrs[k].label; k++)
		if (!strcmp(was->attrs[k].label, want->attrs[i].label))
			beside = was->attrs[k].beside;
	err = gl_plan_list_differ(file, attr_text(was, want->attrs[i].label), beside, want->attrs[i].text,
				  want->attrs[i].beside);
	*ret = text_of(file, ret);
	if (err)
		free(*ret);
	return err ? err : *ret ? 0 : -ENOMEM;
}

/* "mac 52:… -> 52:…; mtu 1500 -> 9000", "" when nothing that is told differs. */
static char *difference_of(const struct gl_plan_object *was, const struct gl_plan_object *want)
{
	char *buf = NULL, *list;
	size_t size = 0;
	FILE *file = open_memstream(&buf, &size);
	const char *comma = "";

	if (!file)
		return NULL;
	for (unsigned i = 0; i < GL_PLAN_ATTRS && want->attrs[i].label; i++) {
		const char *old = attr_text(was, want->attrs[i].label), *new = want->attrs[i].text;

		if (!strcmp(old, new))
			continue;
		if (!want->attrs[i].list) {
			fprintf(file, "%s%s %s -> %s", comma, want->attrs[i].label, *old ? old : "none",
				*new ? new : "none");
			comma = "; ";
			continue;
		}
		if (list_difference(was, want, i, &list)) {
			fclose(file);
			free(buf);
			return NULL;
		}
		if (*list) {
			fprintf(file, "%s%s %s", comma, want->attrs[i].label, list);
			comma = "; ";
		}
		free(list);
	}
	return text_of(file, &buf);
}

static int compare_one(struct maker *m, const struct gl_plan_object *was, const struct gl_plan_object *want)
{
	char *detail;

	if (!was)
		return item_add(m, GL_ADD, want->kind, want->name, detail_of(want));
	if (!want)
		return item_add(m, GL_REMOVE, was->kind, was->name, detail_of(was));
	detail = difference_of(was, want);
	if (detail && !*detail) {
		free(detail);
		return 0;
	}
	return item_add(m, GL_CHANGE, want->kind, want->name, detail);
}

static int compare_objects(struct maker *m, const struct gl_plan_objects *was, const struct gl_plan_objects *want)
{
	size_t i = 0, j = 0;
	int err = 0;

	while (!err && (i < was->count || j < want->count)) {
		const struct gl_plan_object *a = i < was->count ? &was->items[i] : NULL;
		const struct gl_plan_object *b = j < want->count ? &want->items[j] : NULL;
		int order = !a ? 1 : !b ? -1 : strcmp(a->kind, b->kind);

		if (!order)
			order = strcmp(a->name, b->name);
		err = compare_one(m, order > 0 ? NULL : a, order < 0 ? NULL : b);
		i += order <= 0;
		j += order >= 0;
	}
	return err;
}

static int compare_reserved(struct maker *m, const struct gl_port_range *was, size_t was_count,
			    const struct gl_port_range *want, size_t want_count)
{
	size_t i = 0, j = 0;
	int err = 0;

	while (!err && (i < was_count || j < want_count)) {
		const struct gl_port_range *a = i < was_count ? &was[i] : NULL;
		const struct gl_port_range *b = j < want_count ? &want[j] : NULL;
		int order = !a ? 1 : !b ? -1 : a->min < b->min ? -1 : a->min > b->min;
		const struct gl_port_range *range;
		char name[16];

		if (!order && a->max != b->max)
			order = -1;
		range = order > 0 ? b : a;
		i += order <= 0;
		j += order >= 0;
		if (!order)
			continue;
		if (range->min == range->max)
			snprintf(name, sizeof(name), "%u", range->min);
		else
			snprintf(name, sizeof(name), "%u-%u", range->min, range->max);
		err = item_add(m, order > 0 ? GL_ADD : GL_REMOVE, "reserved ports", name,
			       strdup(order > 0 ? "kept from the host's own sockets" : "the host's own again"));
	}
	return err;
}

static int item_compare(const void *left, const void *right)
{
	static const int rank[] = { [GL_REMOVE] = 0, [GL_CHANGE] = 1, [GL_ADD] = 2 };
	const struct gl_plan_item *a = left, *b = right;
	int order = rank[a->action] - rank[b->action];

	if (!order)
		order = strcmp(a->kind, b->kind);
	if (!order)
		order = strcmp(a->name, b->name);
	return order ? order : strcmp(a->detail, b->detail);
}

static int strings_copy(char ***ret, size_t *ret_count, size_t count, const char *(*get)(const void *, size_t),
			const void *arg)
{
	if (!count)
		return 0;
	*ret = calloc(count, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	for (; *ret_count < count; (*ret_count)++) {
		(*ret)[*ret_count] = strdup(get(arg, *ret_count));
		if (!(*ret)[*ret_count])
			return -ENOMEM;
	}
	return 0;
}

static const char *pending_get(const void *arg, size_t i)
{
	return ((const struct gl_desired *)arg)->pending[i];
}

static const char *note_get(const void *arg, size_t i)
{
	return ((const struct gl_plan_in *)arg)->notes[i];
}

/* Describing everything is worth its time only when something differs. */
static int compare_maps(struct maker *m, const struct gl_plan_in *in)
{
	struct gl_plan_objects was = { 0 }, want = { 0 };
	int err = gl_plan_describe(in->live, in->tables, in->table_count, &was);

	if (!err)
		err = gl_plan_describe(in->desired->entries, in->desired->tables, in->desired->table_count, &want);
	if (!err)
		err = compare_objects(m, &was, &want);
	gl_plan_objects_clear(&was);
	gl_plan_objects_clear(&want);
	return err;
}

static bool tables_differ(const struct gl_plan_in *in)
{
	const struct gl_desired *desired = in->desired;

	for (size_t i = 0; i < in->table_count; i++) {
		size_t low = 0, high = desired->table_count;

		while (low < high) {
			size_t middle = low + (high - low) / 2;
			const struct gl_flow_table *table = &desired->tables[middle];

			if (table->tenant < in->tables[i].tenant ||
			    (table->tenant == in->tables[i].tenant && table->map < in->tables[i].map))
				low = middle + 1;
			else
				high = middle;
		}
		if (low == desired->table_count || desired->tables[low].tenant != in->tables[i].tenant ||
		    desired->tables[low].map != in->tables[i].map ||
		    desired->tables[low].max_flows != in->tables[i].max_flows)
			return true;
	}
	return in->table_count != desired->table_count;
}

int gl_plan_make(const struct gl_plan_in *in, struct gl_plan **ret)
{
	struct gl_changes changes = { 0 };
	struct maker m = { .plan = calloc(1, sizeof(*m.plan)) };
	int err = m.plan ? gl_mapset_diff(in->live, in->desired->entries, &changes) : -ENOMEM;

	if (err)
		goto out;
	m.plan->map_entries = changes.count;
	if (changes.count || tables_differ(in))
		err = compare_maps(&m, in);
	if (!err)
		err = compare_reserved(&m, in->reserved, in->reserved_count, in->desired->reserved,
				       in->desired->reserved_count);
	for (size_t i = 0; i < in->extra_count && !err; i++)
		err = item_add(&m, in->extras[i].action, in->extras[i].kind, in->extras[i].name,
			       strdup(in->extras[i].detail ? in->extras[i].detail : ""));
	if (!err && changes.count && !m.plan->count) {
		char name[32];

		snprintf(name, sizeof(name), "%zu %s", changes.count, changes.count == 1 ? "entry" : "entries");
		err = item_add(&m, GL_CHANGE, "maps", name, strdup("brought in line with the definition"));
	}
	if (!err)
		err = strings_copy(&m.plan->pending, &m.plan->pending_count, in->desired->pending_count, pending_get,
				   in->desired);
	if (!err)
		err = strings_copy(&m.plan->notes, &m.plan->note_count, in->note_count, note_get, in);
	if (err)
		goto out;
	if (m.plan->count)
		qsort(m.plan->items, m.plan->count, sizeof(*m.plan->items), item_compare);
	*ret = m.plan;
	m.plan = NULL;
out:
	free(changes.items);
	gl_plan_free(m.plan);
	return err;
}

void gl_plan_free(struct gl_plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->count; i++) {
		free(plan->items[i].name);
		free(plan->items[i].detail);
	}
	for (size_t i = 0; i < plan->pending_count; i++)
		free(plan->pending[i]);
	for (size_t i = 0; i < plan->note_count; i++)
		free(plan->notes[i]);
	free(plan->items);
	free(plan->pending);
	free(plan->notes);
	free(plan);
}
