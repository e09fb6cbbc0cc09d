/* SPDX-License-Identifier: GPL-2.0-only */
/* The packet's bytes under TC, as ctx_xdp.h for XDP. Checksums are changed by helpers alone, as these do right by
 * frames whose checksum is still partial. */
#ifndef GL_CTX_TC_H
#define GL_CTX_TC_H

#include <linux/errno.h>
#include <linux/pkt_cls.h>

#include "csum.h"
#include "offload.h"
#include "pkt.h"

typedef struct __sk_buff gl_ctx;
#define GL_IS_XDP 0
#define GL_IS_GENERIC 0

/* Set on what from_guest and from_uplink send to a guest, asked for by to_guest. */
#define GL_MARK 0x676c0001

#define GL_F_IPV6 128 /* BPF_F_IPV6, since Linux 6.16 */

static __always_inline void *ctx_data(const gl_ctx *ctx)
{
	return (void *)(long)ctx->data;
}

static __always_inline void *ctx_data_end(const gl_ctx *ctx)
{
	return (void *)(long)ctx->data_end;
}

static __always_inline __u32 ctx_len(gl_ctx *ctx)
{
	return ctx->len;
}

static __always_inline __u32 ctx_ifindex(const gl_ctx *ctx)
{
	return ctx->ifindex;
}

static __always_inline __u32 ctx_linear(const gl_ctx *ctx)
{
	void *data = ctx_data(ctx), *end = ctx_data_end(ctx);

	asm volatile("" : "+r"(data), "+r"(end));
	return end - data;
}

static __always_inline int ctx_pull(gl_ctx *ctx, __u32 len)
{
	__u32 want = len < ctx->len ? len : ctx->len;

	if (ctx_linear(ctx) >= want)
		return 0;
	return bpf_skb_pull_data(ctx, want);
}

/* Which family's stages the frame is for. The kernel has taken a tag off, but for what test runs hand over. */
static __always_inline bool ctx_is_ipv6(gl_ctx *ctx)
{
	__be16 inner_be;

	if (ctx->protocol != ETH_P_8021Q_BE)
		return ctx->protocol == ETH_P_IPV6_BE;
	return !bpf_skb_load_bytes(ctx, ETH_HLEN + 2, &inner_be, sizeof(inner_be)) && inner_be == ETH_P_IPV6_BE;
}

static __always_inline bool ctx_vlan(const gl_ctx *ctx, __u16 *vlan)
{
	*vlan = ctx->vlan_present ? ctx->vlan_tci & 0xfff : 0;
	/* A service tag's number is no network's. */
	if (ctx->vlan_present && ctx->vlan_proto != ETH_P_8021Q_BE)
		*vlan = 0xffff;
	return ctx->vlan_present;
}

static __always_inline __u32 ctx_gso_size(const gl_ctx *ctx)
{
	return ctx->gso_size;
}

/* 0 when the virtio header that came with the frame fits what the parser found: a receiver would believe it. */
static __always_inline int ctx_check_offload(gl_ctx *ctx, const struct pkt *p)
{
	return offload_check_skb(ctx, p->l4_off, p->proto, p->frag, GL_FAMILY);
}

static __always_inline int ctx_load(const gl_ctx *ctx, __u32 off, void *to, const __u32 len)
{
	return bpf_skb_load_bytes(ctx, off, to, len);
}

static __always_inline int ctx_load_bytes(gl_ctx *ctx, __u32 off, void *to, __u32 len)
{
	return bpf_skb_load_bytes(ctx, off, to, len);
}

static __always_inline int ctx_store(gl_ctx *ctx, __u32 off, const void *from, const __u32 len)
{
	return bpf_skb_store_bytes(ctx, off, from, len, 0);
}

static __always_inline int ctx_csum_l3(gl_ctx *ctx, __u32 off, __u32 diff)
{
	return bpf_l3_csum_replace(ctx, off, 0, diff, 0);
}

static __always_inline int ctx_csum_l4(gl_ctx *ctx, __u32 off, __u32 addr_diff, __u32 port_diff, bool pseudo, bool udp)
{
	const __u64 zero = udp ? BPF_F_MARK_MANGLED_0 : 0;
	int err = 0;

	/* A sum over the whole frame that a device has left on it (CHECKSUM_COMPLETE) does not change with addresses of
	 * IPv6, as the transport checksum takes them back. Kernels before 6.16 cannot be told. */
	if (pseudo && GL_IS_IPV6)
		err = bpf_l4_csum_replace(ctx, off, 0, addr_diff, BPF_F_PSEUDO_HDR | GL_F_IPV6 | zero);
	if (pseudo && (!GL_IS_IPV6 || err == -EINVAL))
		err = bpf_l4_csum_replace(ctx, off, 0, addr_diff, BPF_F_PSEUDO_HDR | zero);
	if (!err)
		err = bpf_l4_csum_replace(ctx, off, 0, port_diff, zero);
	return err;
}

static __always_inline int ctx_trim(gl_ctx *ctx, __u32 len)
{
	return bpf_skb_change_tail(ctx, len, 0);
}

static __always_inline int ctx_make_room(gl_ctx *ctx, __u32 len)
{
	return bpf_skb_adjust_room(ctx, len, BPF_ADJ_ROOM_MAC, 0);
}

static __always_inline int ctx_redirect(gl_ctx *ctx, __u32 slot, __u32 ifindex, bool to_guest)
{
	(void)slot;
	if (to_guest)
		ctx->mark = GL_MARK;
	return bpf_redirect(ifindex, 0);
}

static __always_inline int ctx_send_back(gl_ctx *ctx, __u32 slot, __u32 ifindex, bool to_guest)
{
	return ctx_redirect(ctx, slot, ifindex, to_guest);
}

#define CTX_DROP TC_ACT_SHOT
#define CTX_PASS TC_ACT_UNSPEC
#define CTX_SLOW TC_ACT_SHOT

#endif
