/* SPDX-License-Identifier: GPL-2.0-only */
/* Does the virtio header that came with a frame fit the frame? Both hooks ask; offload.bpf.c answers. */
#ifndef GL_OFFLOAD_H
#define GL_OFFLOAD_H

#include <linux/bpf.h>

/* TC: 0 when it fits. l4_off: offset of the transport header, 0 for frames that are not IP; frag: FRAG_*. */
int offload_check_skb(struct __sk_buff *ctx, __u32 l4_off, __u32 proto, __u32 frag);
/* XDP: the frame's GSO size where the kernel runs the program on an skb (taps hand GSO frames to the generic hook, also
 * when the program is attached to the native one); 0 where there is no skb. */
int offload_gso_xdp(struct xdp_md *ctx);

#endif
