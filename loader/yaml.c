/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What does a YAML text say, and where? From libyaml's events to a tree of nodes; see yaml.h.
 * Bounded: nesting by DEPTH_MOST, memory by the text's length (aliases share what they name). */
#include "loader/yaml.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

#define DEPTH_MOST 64

struct frame {
	struct gl_node *node;
	size_t first_child; /* in tree.values */
};

struct tree {
	struct gl_arena *arena;
	struct gl_diag *diag;
	const char *file;
	const char *text; /* without a byte order mark */
	size_t len;
	struct gl_table anchors; /* name to struct anchor */
	struct frame frames[DEPTH_MOST];
	unsigned depth;
	const struct gl_node **values; /* finished children of all open nodes */
	size_t value_count, value_room;
	const struct gl_node *root;
	unsigned documents;
};

struct anchor {
	const struct gl_node *node;
};

static struct gl_loc at(const struct tree *t, const yaml_mark_t *mark)
{
	return (struct gl_loc){ .file = t->file, .line = (unsigned)mark->line + 1, .col = (unsigned)mark->column + 1 };
}

static struct gl_loc at_offset(const struct tree *t, size_t offset)
{
	struct gl_loc loc = { .file = t->file, .line = 1, .col = 1 };

	for (size_t i = 0; i < offset && i < t->len; i++) {
		unsigned char c = (unsigned char)t->text[i];

		if (c == '\n' || (c == '\r' && !(i + 1 < t->len && t->text[i + 1] == '\n'))) {
			loc.line++;
			loc.col = 1;
		} else if (c != '\r' && (c & 0xc0) != 0x80) {
			loc.col++;
		}
	}
	return loc;
}

/* Length of the UTF-8 character at p, 0 when it is none. */
static size_t utf8_len(const unsigned char *p, size_t left)
{
	uint32_t c;
	size_t n;

	if (*p < 0x80)
		return 1;
	n = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
	if (*p < 0xc2 || *p > 0xf4 || n > left)
		return 0;
	c = *p & (0xff >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && c < 0x10000) || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return n;
}

static int check_utf8(const struct tree *t)
{
	const unsigned char *p = (const unsigned char *)t->text;

	for (size_t i = 0; i < t->len;) {
		size_t n = utf8_len(p + i, t->len - i);

		if (!n) {
			gl_diag_add(t->diag, at_offset(t, i), "not valid UTF-8: byte 0x%02x", p[i]);
			return -EINVAL;
		}
		i += n;
	}
	return 0;
}

static int syntax_error(const struct tree *t, const yaml_parser_t *parser)
{
	const char *problem = parser->problem ? parser->problem : "not YAML";

	switch (parser->error) {
	case YAML_MEMORY_ERROR:
		return -ENOMEM;
	case YAML_READER_ERROR:
		gl_diag_add(t->diag, at_offset(t, parser->problem_offset), "%s", problem);
		return -EINVAL;
	default:
		if (parser->context)
			gl_diag_add(t->diag, at(t, &parser->problem_mark), "%s %s", parser->context, problem);
		else
			gl_diag_add(t->diag, at(t, &parser->problem_mark), "%s", problem);
		return -EINVAL;
	}
}

/* ---- building the tree ---------------------------------------------------------------------------------------- */

static int add_value(struct tree *t, const struct gl_node *node)
{
	if (!t->depth) {
		t->root = node;
		return 0;
	}
	if (t->value_count == t->value_room) {
		size_t room = t->value_room ? t->value_room * 2 : 64;
		const struct gl_node **values = gl_arena_array(t->arena, room, sizeof(*values));

		if (!values)
			return -ENOMEM;
		if (t->value_count)
			memcpy(values, t->values, t->value_count * sizeof(*values));
		t->values = values;
		t->value_room = room;
	}
	t->values[t->value_count++] = node;
	return 0;
}

static int add_anchor(struct tree *t, const yaml_event_t *event, const yaml_char_t *name, const struct gl_node *node)
{
	struct anchor *anchor;
	const void *had;

	if (!name)
		return 0;
	anchor = gl_arena_alloc(t->arena, sizeof(*anchor));
	if (!anchor)
		return -ENOMEM;
	anchor->node = node;
	if (gl_table_put(&t->anchors, t->arena, name, strlen((const char *)name), anchor, &had))
		return -ENOMEM;
	if (had) {
		gl_diag_add(t->diag, at(t, &event->start_mark), "anchor &%.64s is defined twice", (const char *)name);
		return -EINVAL;
	}
	return 0;
}

/* A node without tags other than the ones that a plain reader would have found by itself. */
static int new_node(struct tree *t, const yaml_event_t *event, enum gl_node_kind kind, const yaml_char_t *tag,
		    struct gl_node **ret)
{
	struct gl_node *node;

	if (tag) {
		gl_diag_add(t->diag, at(t, &event->start_mark), "tag %.64s is not understood; expected no tags",
			    (const char *)tag);
		return -EINVAL;
	}
	node = gl_arena_alloc(t->arena, sizeof(*node));
	if (!node)
		return -ENOMEM;
	node->kind = kind;
	node->loc = at(t, &event->start_mark);
	*ret = node;
	return 0;
}

static int on_scalar(struct tree *t, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	struct gl_node *node;
	int err = new_node(t, event, GL_NODE_SCALAR, event->data.scalar.tag, &node);

	if (err)
		return err;
	if (memchr(text, 0, len)) {
		gl_diag_add(t->diag, node->loc, "a string holds a NUL character");
		return -EINVAL;
	}
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->complete = true;
	node->text = gl_arena_strdup(t->arena, text, len);
	if (!node->text)
		return -ENOMEM;
	err = add_anchor(t, event, event->data.scalar.anchor, node);
	return err ? err : add_value(t, node);
}

static int on_start(struct tree *t, const yaml_event_t *event, enum gl_node_kind kind, const yaml_char_t *anchor,
		    const yaml_char_t *tag)
{
	struct gl_node *node;
	int err;

	if (t->depth == DEPTH_MOST) {
		gl_diag_add(t->diag, at(t, &event->start_mark), "nested more than %d levels deep", DEPTH_MOST);
		return -EINVAL;
	}
	err = new_node(t, event, kind, tag, &node);
	if (!err)
		err = add_anchor(t, event, anchor, node);
	if (!err)
		err = add_value(t, node);
	if (!err)
		t->frames[t->depth++] = (struct frame){ .node = node, .first_child = t->value_count };
	return err;
}

static int on_end(struct tree *t)
{
	struct frame *frame = &t->frames[--t->depth];
	struct gl_node *node = frame->node;

	node->count = t->value_count - frame->first_child;
	node->items = gl_arena_array(t->arena, node->count, sizeof(*node->items));
	if (!node->items)
		return -ENOMEM;
	if (node->count)
		memcpy(node->items, t->values + frame->first_child, node->count * sizeof(*node->items));
	node->complete = true;
	t->value_count = frame->first_child;
	return 0;
}

static int on_alias(struct tree *t, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	const struct anchor *anchor = gl_table_get(&t->anchors, name, strlen(name));

	if (!anchor || !anchor->node->complete) {
		gl_diag_add(t->diag, at(t, &event->start_mark),
			    anchor ? "alias *%.64s stands inside its own anchor"
				   : "alias *%.64s has no anchor before it",
			    name);
		return -EINVAL;
	}
	return add_value(t, anchor->node);
}

static int on_event(struct tree *t, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (t->documents++) {
			gl_diag_add(t->diag, at(t, &event->start_mark),
				    "a second document begins; expected one in a file");
			return -EINVAL;
		}
		return 0;
	case YAML_ALIAS_EVENT:
		return on_alias(t, event);
	case YAML_SCALAR_EVENT:
		return on_scalar(t, event);
	case YAML_SEQUENCE_START_EVENT:
		return on_start(t, event, GL_NODE_LIST, event->data.sequence_start.anchor,
				event->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		return on_start(t, event, GL_NODE_MAP, event->data.mapping_start.anchor, event->data.mapping_start.tag);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_end(t);
	default:
		return 0;
	}
}

int gl_yaml_read(struct gl_arena *arena, const char *file, const char *text, size_t len, const struct gl_node **ret,
		 struct gl_diag *diag)
{
	struct tree t = { .arena = arena, .diag = diag, .file = file, .text = text, .len = len };
	yaml_parser_t parser;
	yaml_event_t event;
	bool more = true;
	int err;

	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
		t.text += 3;
		t.len -= 3;
	}
	err = check_utf8(&t);
	if (err)
		return err;
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)t.text, t.len);
	while (more && !err) {
		if (!yaml_parser_parse(&parser, &event)) {
			err = syntax_error(&t, &parser);
			break;
		}
		err = on_event(&t, &event);
		more = event.type != YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	if (!err && !t.root) {
		gl_diag_add(diag, (struct gl_loc){ .file = file, .line = 1, .col = 1 },
			    "the file is empty; expected `version: 1` and what follows it");
		err = -EINVAL;
	}
	if (!err)
		*ret = t.root;
	return err;
}
