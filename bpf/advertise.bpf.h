/* SPDX-License-Identifier: GPL-2.0-only */
/* Sends an interface its router advertisement without being asked: the loader runs advertise_tc with the interface's
 * slot in bytes 14..17 of the packet, host order. What the frame holds besides does not matter: it becomes the
 * advertisement. TC_ACT_SHOT: the interface has none to be told, or it could not be sent. */
#ifndef GL_ADVERTISE_BPF_H
#define GL_ADVERTISE_BPF_H

#include "hook.h"

#include "count.h"
#include "port.h"
#include "ra.h"

SEC("tc") int advertise_tc(struct __sk_buff *ctx)
{
	const __u32 zero = 0;
	struct gl_control_val *control = bpf_map_lookup_elem(&gl_control, &zero);
	struct gl_port_val *port;
	__u32 slot, side;
	int bytes, err;

	if (!control || bpf_skb_load_bytes(ctx, ETH_HLEN, &slot, sizeof(slot)))
		return TC_ACT_SHOT;
	side = control->side & 1;
	port = port_by_slot(slot, side);
	if (!port)
		return TC_ACT_SHOT;
	bytes = ra_write(ctx, slot, side, NULL);
	if (bytes <= 0)
		return TC_ACT_SHOT;
	ctx->mark = GL_MARK;
	err = bpf_clone_redirect(ctx, port->ifindex, 0);
	ctx->mark = 0;
	if (err)
		return TC_ACT_SHOT;
	count_sent(slot, bytes);
	return TC_ACT_OK;
}

#endif
