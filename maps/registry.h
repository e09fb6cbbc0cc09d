/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A row per map for user space: name, sizes, who writes it, how it takes part in an apply, how to print it.
 * The order of the rows is the order in which apply writes. A test asserts that the object and these rows agree.
 * Neighbours: abi.h (the shapes), maps.bpf.h (the declarations). */
#ifndef GL_REGISTRY_H
#define GL_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

#include "maps/abi.h"

enum gl_map_id {
	GL_MAP_NAME,
	GL_MAP_DEVMAP,
	GL_MAP_PORT,
	GL_MAP_NETWORK,
	GL_MAP_L2,
	GL_MAP_HOST4,
	GL_MAP_HOST6,
	GL_MAP_ROUTE4,
	GL_MAP_ROUTE6,
	GL_MAP_ALLOW4,
	GL_MAP_ALLOW6,
	GL_MAP_ADDR4,
	GL_MAP_ADDR6,
	GL_MAP_FORWARD4,
	GL_MAP_FORWARD6,
	GL_MAP_POLICY,
	GL_MAP_TREE,
	GL_MAP_REMOTE4,
	GL_MAP_REMOTE6,
	GL_MAP_RULE,
	GL_MAP_TENANT,
	GL_MAP_RA,
	GL_MAP_CONTROL,
	GL_MAP_FLOW4,
	GL_MAP_FLOW6,
	GL_MAP_FRAG4,
	GL_MAP_FRAG6,
	GL_MAP_TENANT_STAT,
	GL_MAP_RA_SENT,
	GL_MAP_DROPS,
	GL_MAP_TRAFFIC,
	GL_MAP_SWEEP,
	GL_MAP_COUNT
};

enum gl_map_role {
	GL_ROLE_SIDED, /* configuration, two sides: part of a mapset */
	GL_ROLE_PLAIN, /* configuration, one side: part of a mapset; added before the commit, removed after it */
	GL_ROLE_LIVE, /* written by the programs */
	GL_ROLE_CONTROL, /* the commit word */
};

enum gl_map_shape {
	GL_SHAPE_ARRAY,
	GL_SHAPE_HASH,
	GL_SHAPE_LPM,
	GL_SHAPE_PERCPU_ARRAY,
	GL_SHAPE_PERCPU_HASH,
	GL_SHAPE_DEVMAP,
	GL_SHAPE_MAP_OF_MAPS
};

/* One printable field of a key or value. */
enum gl_field_kind {
	GL_FIELD_UINT, /* 1, 2, 4 or 8 bytes, host order; shown as a number */
	GL_FIELD_UINT_BE, /* likewise, network order */
	GL_FIELD_HEX,
	GL_FIELD_MAC,
	GL_FIELD_IPV4,
	GL_FIELD_IPV6, /* ::ffff:a.b.c.d is shown as a.b.c.d */
	GL_FIELD_STRING,
	GL_FIELD_ENUM, /* names[value] */
	GL_FIELD_FLAGS, /* names[bit] */
	GL_FIELD_PREFIXLEN, /* minus the 32 fixed bits of the trie's key */
	GL_FIELD_SIDED_BE, /* a trie's GL_TENANT_SIDE word, network order; shown without the side */
};
struct gl_field {
	const char *name; /* the JSON key */
	uint16_t offset, size; /* size of one element */
	uint16_t repeat; /* elements; 0 and 1: one. `stride` apart */
	uint16_t stride;
	enum gl_field_kind kind;
	const char *const *names; /* NULL-terminated */
};

struct gl_map_info {
	const char *name; /* as in maps.bpf.h, and its file below DIR/maps */
	const char *help; /* one line: what it holds */
	enum gl_map_role role;
	enum gl_map_shape shape;
	uint32_t key_size, val_size, max_entries;
	uint32_t side_offset; /* hash: where in the key `side` stands. LPM: where the GL_TENANT_SIDE word stands, which
			       * is the trie's first. Array: how far side 1 is behind side 0; 0: they take turns
			       */
	const struct gl_field *key_fields, *val_fields; /* end with name NULL */
};

const struct gl_map_info *gl_map_info(enum gl_map_id id);
/* GL_MAP_COUNT when there is none of that name. */
enum gl_map_id gl_map_by_name(const char *name);
/* "SPOOF_MAC" and its line of help; "?" beyond the list. */
const char *gl_drop_name(uint32_t reason);
const char *gl_drop_help(uint32_t reason);
/* "established", by enum gl_flow_state; "?" beyond the list. */
const char *gl_flow_state_name(uint32_t state);
/* "rule", by enum gl_admit; "?" beyond the list. */
const char *gl_admit_name(uint32_t how);

#endif
