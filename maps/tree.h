/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* One step of a search in a tree of gl_tree: which interval of a line is it? Here for the programs and for tests.
 * Neighbours: abi.h (what a line is), loader/tree.c (builds), bpf/policy.h (asks). */
#ifndef GL_TREE_H
#define GL_TREE_H

#include "abi.h"

#define GL_TREE_FAN GL_TREE_WORDS /* children of a line above leaves, at most */
#define GL_TREE_LEAF (GL_TREE_WORDS / 2) /* intervals of a leaf, at most */

/* 1: a is less than b. Without a branch, which the next packet's number would lead astray: the borrow of a
 * subtraction. */
static inline __attribute__((always_inline)) __u32 gl_tree_less(__u32 a, __u32 b)
{
	__u64 borrow = (__u64)a - b;

#ifdef __bpf__
	asm volatile("" : "+r"(borrow));
#endif
	return borrow >> 63;
}

/* The child that the number is beneath. */
static inline __attribute__((always_inline)) __u32 gl_tree_child(const struct gl_tree_val *line, __u32 number)
{
	__u32 child = line->word[0];

#ifdef __bpf__
#pragma unroll
#endif
	for (__u32 i = 0; i < GL_TREE_FAN - 1; i++)
		child += gl_tree_less(line->word[1 + i], number);
	return child;
}

/* Which interval of a leaf holds it: below GL_TREE_LEAF. */
static inline __attribute__((always_inline)) __u32 gl_tree_interval(const struct gl_tree_val *line, __u32 number)
{
	__u32 interval = 0;

#ifdef __bpf__
#pragma unroll
#endif
	for (__u32 i = 0; i < GL_TREE_LEAF - 1; i++)
		interval += gl_tree_less(line->word[2 * i], number);
	return interval;
}

/* Does the number begin as the window's numbers do? Or with less (-1), or more (1)? */
static inline __attribute__((always_inline)) int gl_window_compare(const struct gl_tree_window *window,
								   const __u32 *number)
{
#ifdef __bpf__
#pragma unroll
#endif
	for (__u32 i = 0; i < GL_TREE_NUMBER - 1; i++) {
		__u32 word = number[i] & window->mask[i];

		if (word != window->common[i])
			return word < window->common[i] ? -1 : 1;
	}
	return 0;
}

/* 32 bits of the number, from bit `bits` on, which is 96 at most. */
static inline __attribute__((always_inline)) __u32 gl_window_number(const __u32 *number, __u32 bits)
{
	/* Behind the last word nothing is asked for; masks, unlike comparisons, are bounds to Linux 6.1. */
	__u32 word = bits / 32 % GL_TREE_NUMBER, next = (bits / 32 + 1) % GL_TREE_NUMBER;

	return ((__u64)number[word] << 32 | number[next]) >> (32 - bits % 32);
}

/* Is the number in the prefix of the node, which may have none? */
static inline __attribute__((always_inline)) int gl_node_holds(const struct gl_tree_node *node, const __u32 *number)
{
	__u32 differ = 0;

#ifdef __bpf__
#pragma unroll
#endif
	for (__u32 i = 0; i < GL_TREE_NUMBER; i++) {
		__u32 bits = node->len > 32 * i ? node->len - 32 * i : 0;

		differ |= (node->prefix[i] ^ number[i]) & (__u32)(0xffffffff00000000ULL >> (bits < 32 ? bits : 32));
	}
	return !differ;
}

#endif
