/* SPDX-License-Identifier: GPL-2.0-only */
/* Does the virtio header that came with a frame fit the frame? Both hooks ask; offload.bpf.c answers. */
#ifndef GL_OFFLOAD_H
#define GL_OFFLOAD_H

#include <linux/bpf.h>

/* TC: 0 when it fits. l4_off: offset of the transport header, 0 for frames that are not IP; frag: FRAG_*;
 * family: 4 or 6. */
int offload_check_skb(struct __sk_buff *ctx, __u32 l4_off, __u32 proto, __u32 frag, __u32 family);
/* XDP: 1 when the kernel runs the program on an skb, which may hold offload state. Taps hand frames with a GSO header
 * to the generic hook, also when the program is attached to the native one. */
int offload_on_skb(struct xdp_md *ctx);

#endif
