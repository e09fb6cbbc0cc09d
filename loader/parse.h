/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The parser's inside: its key tables and how single values are read. parse.c has the tables and the objects,
 * parse_group.c those of security groups and timeouts, parse_net.c those of a network's addresses, parse_value.c the
 * values. Outside users: read.c (gl_parse_file)
 * and the tests of the schema (gl_parse_objects). */
#ifndef GL_PARSE_H
#define GL_PARSE_H

#include "loader/yaml.h"

struct gl_reader {
	struct gl_arena *arena; /* the definition's */
	struct gl_diag *diag;
	const char *file;
	size_t nodes; /* looked at so far, aliases counted each time */
	bool bad; /* something was reported */
	int err; /* -ENOMEM, or -E2BIG: too many nodes */
};

/* One key of an object: its name, and how its value gets into the structure at `offset`. */
struct gl_key {
	const char *name;
	bool required;
	void (*read)(struct gl_reader *r, const struct gl_node *node, void *field);
	size_t offset;
};

/* All keys of one kind of object. */
struct gl_object {
	const char *name; /* as in the schema's definitions */
	const char *noun; /* "a network" */
	const struct gl_key *keys; /* ends with name NULL */
};

const struct gl_object *gl_parse_objects(void); /* ends with name NULL */

/* Which object is which in gl_parse_objects(). */
enum gl_object_kind {
	GL_OBJECT_DEFINITION,
	GL_OBJECT_UPLINK,
	GL_OBJECT_TENANT,
	GL_OBJECT_TIMEOUTS,
	GL_OBJECT_GROUP,
	GL_OBJECT_RULE,
	GL_OBJECT_NETWORK,
	GL_OBJECT_RA,
	GL_OBJECT_NAT,
	GL_OBJECT_GUEST,
	GL_OBJECT_INTERFACE,
	GL_OBJECT_FORWARD,
};

/* Reads a mapping's keys into `out`, each to its offset. */
void gl_read_object(struct gl_reader *r, const struct gl_node *node, enum gl_object_kind kind, void *out);
/* Reads a list of objects, each of `size` bytes, behind the `*count` ones that are there; `prepare` gives each its
 * defaults. */
void gl_read_list(struct gl_reader *r, const struct gl_node *node, enum gl_object_kind kind, size_t size,
		  void (*prepare)(void *item, struct gl_loc loc), void **items, size_t *count);
/* Counts `count` objects that are about to be made against what one file may grow to. */
void gl_weigh_objects(struct gl_reader *r, size_t count);
extern char gl_unread[]; /* "": what names are until they are read, as strings of the model are never NULL */

/* parse_group.c */
extern const struct gl_key gl_group_keys[], gl_rule_keys[], gl_timeout_keys[];
void gl_read_groups(struct gl_reader *r, const struct gl_node *node, void *tenant); /* struct gl_tenant */
void gl_read_timeouts(struct gl_reader *r, const struct gl_node *node, void *tenant); /* struct gl_tenant */
void gl_read_group_names(struct gl_reader *r, const struct gl_node *node, void *interface); /* struct gl_interface */

/* parse_net.c */
extern const struct gl_key gl_nat_keys[], gl_ra_keys[];
void gl_read_subnets(struct gl_reader *r, const struct gl_node *node, void *network); /* struct gl_network */
void gl_read_gateways(struct gl_reader *r, const struct gl_node *node, void *network); /* struct gl_network */
void gl_read_nat(struct gl_reader *r, const struct gl_node *node, void *network); /* struct gl_network */
void gl_read_ra(struct gl_reader *r, const struct gl_node *node, void *network); /* struct gl_network */
void gl_read_addresses(struct gl_reader *r, const struct gl_node *node, void *interface); /* struct gl_interface */

/* As gl_parse(); *whole says whether all of the file could be looked at, with its faults reported one by one, so that
 * looking for further faults makes sense. */
int gl_parse_file(struct gl_definition *def, const char *file, const char *text, size_t len, struct gl_diag *diag,
		  bool *whole);

/* ---- parse_value.c: each reports what does not fit and leaves the field as it was ------------------------------ */

/* "a list", "the number 5", "the text \"abc\"": what stands there, for messages. */
const char *gl_describe(const struct gl_node *node, char buf[96]);
/* The text, cut to a length that a message can bear. */
const char *gl_quote(const char *text, char buf[96]);
/* "expected X, found Y" */
void gl_mismatch(struct gl_reader *r, const struct gl_node *node, const char *expected);
bool gl_is_number(const struct gl_node *node); /* an unquoted one, of whatever size */
bool gl_expect_list(struct gl_reader *r, const struct gl_node *node, const char *of);
bool gl_read_int(struct gl_reader *r, const struct gl_node *node, uint32_t min, uint32_t max, uint32_t *ret);
/* The index into `words`, which end with NULL; -1 where none fits. */
int gl_read_word(struct gl_reader *r, const struct gl_node *node, const char *const *words);

void gl_read_bool(struct gl_reader *r, const struct gl_node *node, void *field); /* bool */
void gl_read_name(struct gl_reader *r, const struct gl_node *node, void *field); /* struct gl_string */
void gl_read_ifname(struct gl_reader *r, const struct gl_node *node, void *field); /* struct gl_string */
void gl_read_address(struct gl_reader *r, const struct gl_node *node, void *field); /* struct gl_prefix */

/* Lists: bad items stay in them with family 0, so that what depends on them is not reported as well. */
enum gl_prefix_form { GL_FORM_ADDRESS, GL_FORM_SUBNET, GL_FORM_EITHER, GL_FORM_GUEST };
void gl_read_prefix(struct gl_reader *r, const struct gl_node *node, enum gl_prefix_form form, struct gl_prefix *ret);
void gl_read_prefixes(struct gl_reader *r, const struct gl_node *node, enum gl_prefix_form form, struct gl_prefix **ret,
		      size_t *count);
void gl_read_ranges(struct gl_reader *r, const struct gl_node *node, struct gl_range **ret, size_t *count);
/* "1024-2047", 1024, or a list of those, in the order given; what cannot be read is left out. */
void gl_read_ports(struct gl_reader *r, const struct gl_node *node, uint16_t least, struct gl_port_span **ret,
		   size_t *count);
bool gl_read_mac(struct gl_reader *r, const struct gl_node *node, uint8_t mac[6]);

#endif
