/* SPDX-License-Identifier: GPL-2.0-only */
/* The packet's bytes under XDP. ctx_tc.h offers the same functions; whoever includes one of them never asks which. */
#ifndef GL_CTX_XDP_H
#define GL_CTX_XDP_H

#include "csum.h"
#include "offload.h"
#include "pkt.h"

typedef struct xdp_md gl_ctx;
#define GL_IS_XDP 1
#ifdef GL_HOOK_GENERIC
#define GL_IS_GENERIC 1 /* drops and leaves the rest to TC */
#else
#define GL_IS_GENERIC 0
#endif

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
	return bpf_xdp_get_buff_len(ctx);
}

static __always_inline __u32 ctx_ifindex(const gl_ctx *ctx)
{
	return ctx->ingress_ifindex;
}

/* Bytes in reach of direct access. The barrier keeps the compiler from a subtraction in 32 bits, which the verifier
 * does not take for pointers. */
static __always_inline __u32 ctx_linear(const gl_ctx *ctx)
{
	void *data = ctx_data(ctx), *end = ctx_data_end(ctx);

	asm volatile("" : "+r"(data), "+r"(end));
	return end - data;
}

/* Bytes of headers that are wanted in reach of direct access. What is not there in XDP is left to TC. */
static __always_inline int ctx_pull(gl_ctx *ctx, __u32 len)
{
	(void)ctx;
	(void)len;
	return 0;
}

/* Which family's stages the frame is for. */
static __always_inline bool ctx_is_ipv6(gl_ctx *ctx)
{
	struct {
		struct ethhdr eth;
		__be16 tci_be;
		__be16 inner_be;
	} *frame = ctx_data(ctx);

	if ((void *)(&frame->eth + 1) > ctx_data_end(ctx))
		return false;
	if (frame->eth.h_proto != ETH_P_8021Q_BE)
		return frame->eth.h_proto == ETH_P_IPV6_BE;
	return (void *)(frame + 1) <= ctx_data_end(ctx) && frame->inner_be == ETH_P_IPV6_BE;
}

/* The tag that the kernel has taken off already: none here, XDP sees the frame as it came. */
static __always_inline bool ctx_vlan(const gl_ctx *ctx, __u16 *vlan)
{
	(void)ctx;
	*vlan = 0;
	return false;
}

static __always_inline __u32 ctx_gso_size(const gl_ctx *ctx)
{
	(void)ctx;
	return 0;
}

/* Offload state is TC's to judge and to keep: what is on an skb already gains nothing by XDP. So the generic hook drops
 * what must not pass and leaves the rest to TC. */
static __always_inline int ctx_check_offload(gl_ctx *ctx, const struct pkt *p)
{
	(void)p;
	return GL_IS_GENERIC || offload_on_skb(ctx);
}

static __always_inline int ctx_load(const gl_ctx *ctx, __u32 off, void *to, const __u32 len)
{
	void *from = ctx_data(ctx) + (off & 0x1ff);

	if (from + len > ctx_data_end(ctx))
		return -1;
	__builtin_memcpy(to, from, len);
	return 0;
}

/* `len` need not be a constant. */
static __always_inline int ctx_load_bytes(gl_ctx *ctx, __u32 off, void *to, __u32 len)
{
	return bpf_xdp_load_bytes(ctx, off, to, len);
}

static __always_inline int ctx_store(gl_ctx *ctx, __u32 off, const void *from, const __u32 len)
{
	void *to = ctx_data(ctx) + (off & 0x1ff);

	if (to + len > ctx_data_end(ctx))
		return -1;
	__builtin_memcpy(to, from, len);
	return 0;
}

/* Folds `diff` (see csum.h) into the IPv4 header checksum at `off`. */
static __always_inline int ctx_csum_l3(gl_ctx *ctx, __u32 off, __u32 diff)
{
	__u16 *sum = ctx_data(ctx) + (off & 0x1ff);

	if ((void *)(sum + 1) > ctx_data_end(ctx))
		return -1;
	*sum = csum_apply(*sum, diff);
	return 0;
}

/* Folds changes of addresses and of the transport header into the transport checksum at `off`. UDP's 0 means none. */
static __always_inline int ctx_csum_l4(gl_ctx *ctx, __u32 off, __u32 addr_diff, __u32 port_diff, bool pseudo, bool udp)
{
	__u16 *sum = ctx_data(ctx) + (off & 0x1ff);

	if ((void *)(sum + 1) > ctx_data_end(ctx))
		return -1;
	if (udp && *sum == 0)
		return 0;
	if (pseudo)
		port_diff = csum_add(port_diff, addr_diff);
	*sum = csum_apply(*sum, port_diff);
	if (udp && *sum == 0)
		*sum = 0xffff;
	return 0;
}

/* Makes the frame `len` bytes long. Where there is no room to make it longer, it stays what it is. */
static __always_inline int ctx_trim(gl_ctx *ctx, __u32 len)
{
	return bpf_xdp_adjust_tail(ctx, (int)len - (int)ctx_linear(ctx));
}

/* Makes room for `len` bytes after the Ethernet header; the header's own bytes are to be written anew. */
static __always_inline int ctx_make_room(gl_ctx *ctx, __u32 len)
{
	return bpf_xdp_adjust_head(ctx, -(int)len);
}

static __always_inline int ctx_redirect(gl_ctx *ctx, __u32 slot, __u32 ifindex, bool to_guest)
{
	(void)ctx;
	(void)ifindex;
	(void)to_guest;
	return bpf_redirect_map(&gl_devmap, slot, XDP_DROP);
}

/* Not XDP_TX: veth wakes its peer for that only when the peer runs XDP itself. */
static __always_inline int ctx_send_back(gl_ctx *ctx, __u32 slot, __u32 ifindex, bool to_guest)
{
	return ctx_redirect(ctx, slot, ifindex, to_guest);
}

#define CTX_DROP XDP_DROP
#define CTX_PASS XDP_PASS
#define CTX_SLOW XDP_PASS

#endif
