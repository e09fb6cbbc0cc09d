/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* One step of a search in a tree of gl_tree: which interval of a line is it? Here for the programs and for tests.
 * `words` is how many make a number, 1 or 4, known to the compiler. Neighbours: abi.h (what a line is),
 * loader/tree.c (builds), bpf/policy.h (asks). */
#ifndef GL_TREE_H
#define GL_TREE_H

#include "abi.h"

#define GL_TREE_FAN(words) ((GL_TREE_WORDS - 1) / (words) + 1) /* children of a line above leaves, at most */
#define GL_TREE_LEAF(words) (GL_TREE_WORDS / ((words) + 1)) /* intervals of a leaf, at most */

/* 1: a is less than b. Without a branch, which the next packet's number would lead astray: the borrow of a
 * subtraction. */
static inline __attribute__((always_inline)) __u32 gl_tree_less(const __u32 *a, const __u32 *b, __u32 words)
{
	__u64 borrow = 0;

#ifdef __bpf__
#pragma unroll
#endif
	for (__u32 i = words; i > 0; i--) {
		borrow = (__u64)a[i - 1] - b[i - 1] - borrow;
#ifdef __bpf__
		asm volatile("" : "+r"(borrow));
#endif
		borrow >>= 63;
	}
	return borrow;
}

/* The child that the number is beneath. */
static inline __attribute__((always_inline)) __u32 gl_tree_child(const struct gl_tree_val *line, const __u32 *number,
								 __u32 words)
{
	__u32 child = line->word[0];

#ifdef __bpf__
#pragma unroll
#endif
	for (__u32 i = 0; i < GL_TREE_FAN(words) - 1; i++)
		child += gl_tree_less(&line->word[1 + i * words], number, words);
	return child;
}

/* Which interval of a leaf holds it: below GL_TREE_LEAF(words). */
static inline __attribute__((always_inline)) __u32 gl_tree_interval(const struct gl_tree_val *line, const __u32 *number,
								    __u32 words)
{
	__u32 interval = 0;

#ifdef __bpf__
#pragma unroll
#endif
	for (__u32 i = 0; i < GL_TREE_LEAF(words) - 1; i++)
		interval += gl_tree_less(&line->word[i * (words + 1)], number, words);
	return interval;
}

#endif
