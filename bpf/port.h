/* SPDX-License-Identifier: GPL-2.0-only */
/* Which interface is this? Looks ports up by device or by slot. Neighbours: abi.h (struct gl_port_val). */
#ifndef GL_PORT_H
#define GL_PORT_H

#include "pkt.h"

static __always_inline struct gl_port_val *port_by_slot(__u32 slot, __u32 side)
{
	__u32 index = GL_SIDED(slot, side);
	struct gl_port_val *port = bpf_map_lookup_elem(&gl_port, &index);

	return port && port->kind != GL_PORT_NONE ? port : NULL;
}

static __always_inline struct gl_network_val *network_by_index(__u32 network, __u32 side)
{
	__u32 index = GL_SIDED(network, side);

	return bpf_map_lookup_elem(&gl_network, &index);
}

/* Reads the commit word, then the interface's entry of that side. */
static __always_inline enum step stage_port(struct pkt *p, __u32 ifindex, const struct gl_port_val **in)
{
	const __u32 zero = 0;
	struct gl_control_val *control = bpf_map_lookup_elem(&gl_control, &zero);

	p->in_slot = GL_NO_SLOT;
	if (!control)
		return drop(p, GL_DROP_MAP_MISSING);
	p->side = control->side & 1;
	for (__u32 i = 0; i < GL_PORT_PROBES; i++) {
		__u32 slot = (ifindex + i) & (GL_PORT_SLOTS - 1);
		__u32 index = GL_SIDED(slot, p->side);
		struct gl_port_val *port = bpf_map_lookup_elem(&gl_port, &index);

		if (port && port->ifindex == ifindex) {
			*in = port;
			p->in_slot = slot;
			return STEP_NEXT;
		}
	}
	return drop(p, GL_DROP_NOT_CONFIGURED);
}

static __always_inline bool l2_lookup(const struct pkt *p, __u32 segment, const __u8 *mac, __u32 *slot)
{
	struct gl_l2_key key = { .segment = segment, .side = p->side };
	struct gl_l2_val *val;

	mac_copy(key.mac, mac);
	val = bpf_map_lookup_elem(&gl_l2, &key);
	if (!val)
		return false;
	*slot = val->slot;
	return true;
}

static __always_inline bool host_lookup(const struct pkt *p, __u32 segment, const gl_ip *addr, __u32 *slot)
{
	struct gl_host_key key = { .segment = segment, .addr_be = *addr, .side = p->side };
	struct gl_host_val *val = bpf_map_lookup_elem(&gl_host, &key);

	if (!val)
		return false;
	*slot = val->slot;
	return true;
}

#endif
