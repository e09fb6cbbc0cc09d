/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* `guestlane version`: version, map layout and every limit of maps/limits.h. */
#include <ctype.h>
#include <string.h>
#include <sys/utsname.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "maps/abi.h"

struct limit {
	const char *macro;
	const char *key; /* NULL: the macro's name without GL_, in small letters */
	long long value;
};
#define LIMIT(macro_name)                                                                                              \
	{                                                                                                              \
		.macro = #macro_name, .value = macro_name                                                              \
	}
#define LIMIT_AS(macro_name, json_key)                                                                                 \
	{                                                                                                              \
		.macro = #macro_name, .key = (json_key), .value = macro_name                                           \
	}

/* A test asserts that none of limits.h is missing. */
static const struct limit limits[] = {
	LIMIT_AS(GL_FLOWS_DEFAULT, "max_flows_default"),
	LIMIT_AS(GL_FLOWS_MAX, "max_flows_limit"),
	LIMIT(GL_PORT_SLOTS),
	LIMIT(GL_PORT_PROBES),
	LIMIT(GL_PORT_ADDRS),
	LIMIT(GL_MAX_TENANTS),
	LIMIT(GL_MAX_NETWORKS),
	LIMIT(GL_MAX_UPLINKS),
	LIMIT(GL_NET_GATEWAYS),
	LIMIT(GL_NET_POOL),
	LIMIT(GL_RA_BODY),
	LIMIT(GL_RA_INTERVAL),
	LIMIT(GL_RA_INTERVAL_LEAST),
	LIMIT(GL_RA_INTERVAL_MOST),
	LIMIT(GL_RA_LIFETIME),
	LIMIT(GL_RA_DNS),
	LIMIT(GL_EXT_HEADERS),
	LIMIT(GL_EXT_BYTES),
	LIMIT(GL_NET_MEMBERS),
	LIMIT(GL_NAT_BLOCK_SHIFT),
	LIMIT(GL_NAT_SHARE_BLOCKS),
	LIMIT(GL_MAX_L2),
	LIMIT(GL_MAX_HOSTS),
	LIMIT(GL_MAX_ROUTES),
	LIMIT(GL_MAX_ALLOWED),
	LIMIT(GL_MAX_PUBLIC),
	LIMIT(GL_MAX_FORWARDS),
	LIMIT(GL_MAX_NAMES),
	LIMIT(GL_MAX_DROP_CELLS),
	LIMIT(GL_MAX_FRAGMENTS),
	LIMIT(GL_FRAGMENTS_TENANT),
	LIMIT(GL_FRAG_PARTS),
	LIMIT(GL_PORT_GROUPS),
	LIMIT(GL_GROUP_RULES),
	LIMIT(GL_MAX_GROUPS),
	LIMIT(GL_MAX_POLICIES),
	LIMIT(GL_MAX_RULES),
	LIMIT(GL_MAX_REMOTES),
	LIMIT(GL_MAX_TREE_LINES),
	LIMIT(GL_TREE_LEVELS),
	LIMIT(GL_TREE_WINDOWS),
	LIMIT(GL_NODE_FEW_PARTS),
	LIMIT(GL_NODE_PARTS),
	LIMIT(GL_NAME_LEN),
	LIMIT(GL_SECONDS_TCP_OPENING),
	LIMIT(GL_SECONDS_TCP_ESTABLISHED),
	LIMIT(GL_SECONDS_TCP_CLOSING),
	LIMIT(GL_SECONDS_TCP_CLOSED),
	LIMIT(GL_SECONDS_UDP),
	LIMIT(GL_SECONDS_UDP_ASSURED),
	LIMIT(GL_SECONDS_ICMP),
	LIMIT(GL_SECONDS_OTHER),
	LIMIT(GL_SECONDS_FRAGMENT),
	LIMIT(GL_SECONDS_MOST),
	LIMIT(GL_ICMP_ERRORS),
	LIMIT(GL_SWEEP_SECONDS),
};

static json_t *limits_json(void)
{
	json_t *object = json_object();
	char key[64];

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		snprintf(key, sizeof(key), "%s", limits[i].key ? limits[i].key : limits[i].macro + strlen("GL_"));
		for (char *p = key; *p; p++)
			*p = (char)tolower((unsigned char)*p);
		json_object_set_new(object, key, json_integer(limits[i].value));
	}
	return object;
}

int cmd_version(struct cli *cli)
{
	struct out *o = &cli->out;
	struct utsname kernel;

	out_object(o);
	out_line(o, "guestlane %s", GL_VERSION);
	out_member(o, "version", json_string(GL_VERSION));
	out_member(o, "abi", json_integer(GL_ABI_VERSION));
	out_member(o, "kernel", uname(&kernel) ? json_null() : out_json_string(kernel.release));
	out_member(o, "limits", limits_json());
	return out_close(o, 0);
}
