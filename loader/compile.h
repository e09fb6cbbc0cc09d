/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* From a validated definition and the host's facts to everything that should be on the host, as values.
 * Pure: the same input gives the same output, whatever the order of names in the files. Neighbours: model.h (in),
 * mapset.h (out), plan.h (the comparison with what is there), apply.c (who carries it out). */
#ifndef GL_COMPILE_H
#define GL_COMPILE_H

#include "loader/diag.h"
#include "loader/facts.h"
#include "loader/mapset.h"
#include "loader/model.h"

enum gl_xdp_doubt {
	GL_XDP_FINE = 0,
	GL_XDP_HIDES_TAGS, /* the device takes VLAN tags out of frames before XDP sees them */
	GL_XDP_LOSES_GSO, /* with it a veth's peer sends without segmentation offload */
};

/* One device that carries programs. */
struct gl_device {
	char name[IFNAMSIZ];
	uint32_t ifindex;
	uint32_t slot;
	bool uplink;
	bool up; /* as found */
	enum gl_xdp_wish xdp;
	enum gl_xdp_doubt doubt; /* why `auto` leaves native XDP alone */
};

/* A tenant has one for each family it uses, of max_flows each. */
struct gl_flow_table {
	uint32_t tenant;
	enum gl_map_id map; /* GL_MAP_FLOW4 or GL_MAP_FLOW6 */
	uint32_t max_flows;
	char name[GL_NAME_LEN];
};

/* A MAC that the uplink has to take frames for (RTM_NEWNEIGH, NTF_SELF): a bridged guest's, or a group in which
 * somebody solicits an address of ours. */
struct gl_uplink_mac {
	uint32_t ifindex;
	uint8_t mac[6];
};

/* Ports of the host's own addresses that guests' flows are translated to; kept from the host's sockets. */
struct gl_port_range {
	uint16_t min, max;
};

struct gl_desired {
	struct gl_mapset *entries; /* sealed; GL_ROLE_SIDED and GL_ROLE_PLAIN maps */
	struct gl_device *devices; /* by name */
	size_t device_count;
	struct gl_flow_table *tables; /* by tenant index, then map */
	size_t table_count;
	struct gl_uplink_mac *uplink_macs;
	size_t uplink_mac_count;
	struct gl_port_range *reserved; /* merged, ascending */
	size_t reserved_count;
	bool ipv6; /* some uplink serves a network with IPv6 subnets */
	char (*pending)[IFNAMSIZ]; /* interfaces of the definition that do not exist yet */
	size_t pending_count;
};

/* `live` gives the indexes that names have already (GL_MAP_NAME, GL_MAP_PORT), so that they stay, and those that
 * must not be given out in this step because they are still in use; it may be empty, not NULL.
 * An uplink that does not exist, an address without room for a port share, a full index space: reported to `diag`.
 * 0, -EINVAL (see diag) or -ENOMEM. */
int gl_compile(const struct gl_definition *def, const struct gl_facts *facts, const struct gl_mapset *live,
	       struct gl_desired **ret, struct gl_diag *diag);
void gl_desired_free(struct gl_desired *desired);

#endif
