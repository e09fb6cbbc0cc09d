/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What is counted. Neighbours: lookups.bpf.h (counts), test_cost.c (reads). */
#ifndef GL_LOOKUPS_H
#define GL_LOOKUPS_H

enum gl_counted {
	GL_COUNTED_CONTROL, /* the commit word */
	GL_COUNTED_PORT, /* interfaces */
	GL_COUNTED_TABLE, /* a tenant's flow table */
	GL_COUNTED_FLOW, /* flows in it */
	GL_COUNTED_TRAFFIC, /* counters of interfaces */
	GL_COUNTED_SCRATCH, /* the CPU's own struct pkt */
	GL_COUNTED_PUBLIC, /* public addresses and forwarded ports */
	GL_COUNTED_OTHER, /* every other map */
	GL_COUNTED_WRITE, /* entries written or deleted */
	GL_COUNTED_FIB, /* questions for the next hop */
	GL_COUNTED_REDIRECT,
	GL_COUNTED
};

#endif
