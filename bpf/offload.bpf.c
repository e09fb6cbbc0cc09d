/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads the kernel's own sk_buff and xdp_buff, which say what the virtio header said. An object of its own, as the
 * linker takes a kernel function from one object alone. Kernels that do not show them (before 6.2) have the size and
 * protocol of GSO checked in TC, and nothing in XDP. */
#include "hook.h"

#include <bpf/bpf_core_read.h>

#include "offload.h"

#define GL_CHECKSUM_PARTIAL 3
#define GL_GSO_TCPV4 (1u << 0)
#define GL_GSO_TCPV6 (1u << 4)
#define GL_GSO_UDP (1u << 16)
#define GL_GSO_UDP_L4 (1u << 17)

/* As much of the kernel's structures as is read here; offsets are relocated at load (CO-RE). */
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

struct netdev_rx_queue___gl {
	int unused;
} __attribute__((preserve_access_index));

struct net_device___gl {
	struct netdev_rx_queue___gl *_rx;
	unsigned int num_rx_queues;
} __attribute__((preserve_access_index));

struct xdp_rxq_info___gl {
	struct net_device___gl *dev;
} __attribute__((preserve_access_index));

struct xdp_buff___gl {
	struct xdp_rxq_info___gl *rxq;
} __attribute__((preserve_access_index));

extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym __weak;
extern void *bpf_rdonly_cast(void *obj, __u32 btf_id) __ksym __weak;

/* A pointer as a number: what comes back from a map is one, and numbers may be subtracted. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64[2]);
} gl_numbers __weak SEC(".maps");

static __always_inline int check_partial(const struct sk_buff___gl *skb, __u32 l4_off, __u32 proto, __u32 frag,
					 __u32 gso)
{
	__u32 start, field = skb->csum_offset;

	start = skb->csum_start - (__u32)((__u64)skb->data - (__u64)skb->head);
	if (!l4_off || start < l4_off || frag == FRAG_TAIL)
		return -1;
	/* Behind the transport header: the checksum inside a guest's own tunnel. */
	if (start > l4_off)
		return !gso && (proto == IPPROTO_UDP || proto == IPPROTO_GRE || proto == IPPROTO_IPIP ||
				proto == IPPROTO_IPV6)
			       ? 0
			       : -1;
	switch (proto) {
	case IPPROTO_TCP:
		return field == 16 ? 0 : -1;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return field == 6 ? 0 : -1;
	case IPPROTO_SCTP:
		return field == 8 ? 0 : -1;
	default:
		return -1;
	}
}

int offload_check_skb(struct __sk_buff *ctx, __u32 l4_off, __u32 proto, __u32 frag, __u32 family)
{
	const __u32 gso = ctx->gso_size;

	if (gso && ((proto != IPPROTO_TCP && proto != IPPROTO_UDP) || frag != FRAG_NONE || gso < 8))
		return -1;
	if (bpf_cast_to_kern_ctx && bpf_rdonly_cast) {
		struct sk_buff___gl *skb = bpf_cast_to_kern_ctx(ctx);

		if (BPF_CORE_READ_BITFIELD(skb, ip_summed) == GL_CHECKSUM_PARTIAL &&
		    check_partial(skb, l4_off, proto, frag, gso))
			return -1;
		if (gso) {
			struct skb_shared_info___gl *shared = bpf_rdonly_cast(
				skb->head + skb->end, bpf_core_type_id_kernel(struct skb_shared_info___gl));
			__u32 type = shared->gso_type;

			if ((type & GL_GSO_TCPV4) && (proto != IPPROTO_TCP || family != 4))
				return -1;
			if ((type & GL_GSO_TCPV6) && (proto != IPPROTO_TCP || family != 6))
				return -1;
			if ((type & (GL_GSO_UDP | GL_GSO_UDP_L4)) && proto != IPPROTO_UDP)
				return -1;
		}
	}
	return 0;
}

int offload_on_skb(struct xdp_md *ctx)
{
	const __u32 zero = 0;
	__u64 *number = bpf_map_lookup_elem(&gl_numbers, &zero);

	if (!number)
		return 1;
	if (bpf_cast_to_kern_ctx) {
		struct xdp_buff___gl *xdp = bpf_cast_to_kern_ctx(ctx);
		struct net_device___gl *dev = xdp->rxq->dev;

		number[0] = (__u64)xdp->rxq;
		number[1] = (__u64)dev->_rx;
		asm volatile("" ::: "memory");
		/* The generic hook uses the device's own receive queues; drivers have theirs. */
		return number[0] - number[1] <
		       (__u64)dev->num_rx_queues * bpf_core_type_size(struct netdev_rx_queue___gl);
	}
	return 0;
}
