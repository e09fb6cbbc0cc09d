/* SPDX-License-Identifier: GPL-2.0-only */
/* The packet's bytes under TC, as ctx_xdp.h for XDP. Checksums are changed by helpers alone, as these do right by
 * frames whose checksum is still partial. */
#ifndef GL_CTX_TC_H
#define GL_CTX_TC_H

#include <linux/pkt_cls.h>

#include <bpf/bpf_core_read.h>

#include "csum.h"
#include "pkt.h"

typedef struct __sk_buff gl_ctx;
#define GL_IS_XDP 0

/* Set on what from_guest and from_uplink send to a guest, asked for by to_guest. */
#define GL_MARK 0x676c0001

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

static __always_inline bool ctx_vlan(const gl_ctx *ctx, __u16 *vlan)
{
	*vlan = ctx->vlan_present ? ctx->vlan_tci & 0xfff : 0;
	return ctx->vlan_present;
}

static __always_inline __u32 ctx_gso_size(const gl_ctx *ctx)
{
	return ctx->gso_size;
}

/* As much of the kernel's own structures as the check below needs; offsets are relocated at load (CO-RE). */
struct sk_buff___gl {
	unsigned char *head;
	unsigned char *data;
	__u16 csum_start;
	__u16 csum_offset;
	__u32 end;
	__u8 ip_summed : 2;
} __attribute__((preserve_access_index));

struct skb_shared_info___gl {
	unsigned int gso_type;
} __attribute__((preserve_access_index));

#define GL_CHECKSUM_PARTIAL 3
#define GL_GSO_TCPV4 (1u << 0)
#define GL_GSO_TCPV6 (1u << 4)
#define GL_GSO_UDP (1u << 16)
#define GL_GSO_UDP_L4 (1u << 17)

extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym __weak;
extern void *bpf_rdonly_cast(void *obj, __u32 btf_id) __ksym __weak;

/* 0 when the virtio header that came with the frame fits what the parser found: a receiver would believe it. Linux
 * keeps it as csum_start and csum_offset of a partial checksum, gso_size and gso_type (virtio_net_hdr_to_skb()).
 * Checksums may start behind the transport header (a tunnel inside the guest), never before it. Kernels that do not
 * show their sk_buff to TC programs (before 6.2) have the size and protocol of GSO checked alone. */
static __always_inline int ctx_check_offload(gl_ctx *ctx, const struct pkt *p)
{
	if (ctx->gso_size) {
		if (p->proto != IPPROTO_TCP && p->proto != IPPROTO_UDP)
			return -1;
		if (p->frag != FRAG_NONE || ctx->gso_size < 8)
			return -1;
	}
	if (bpf_cast_to_kern_ctx && bpf_rdonly_cast) {
		struct sk_buff___gl *skb = bpf_cast_to_kern_ctx(ctx);

		if (BPF_CORE_READ_BITFIELD(skb, ip_summed) == GL_CHECKSUM_PARTIAL) {
			__u32 start = skb->csum_start - (__u32)((__u64)skb->data - (__u64)skb->head);
			__u32 field = skb->csum_offset;

			if (start < p->l4_off || p->frag == FRAG_TAIL)
				return -1;
			if (p->proto == IPPROTO_TCP && (start != p->l4_off || field != 16))
				return -1;
			if (p->proto == IPPROTO_UDP && start == p->l4_off && field != 6)
				return -1;
			if (p->proto == IPPROTO_ICMP)
				return -1;
		}
		if (ctx->gso_size) {
			struct skb_shared_info___gl *shared = bpf_rdonly_cast(
				skb->head + skb->end, bpf_core_type_id_kernel(struct skb_shared_info___gl));
			__u32 type = shared->gso_type;

			if ((type & GL_GSO_TCPV4) && p->proto != IPPROTO_TCP)
				return -1;
			if ((type & (GL_GSO_UDP | GL_GSO_UDP_L4)) && p->proto != IPPROTO_UDP)
				return -1;
			if (type & GL_GSO_TCPV6)
				return -1;
		}
	}
	return 0;
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

	if (pseudo)
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

static __always_inline int ctx_send_back(gl_ctx *ctx, bool to_guest)
{
	return ctx_redirect(ctx, 0, ctx->ifindex, to_guest);
}

#define CTX_DROP TC_ACT_SHOT
#define CTX_PASS TC_ACT_UNSPEC
#define CTX_SLOW TC_ACT_SHOT

#endif
