/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What are the numbers in the raw maps called? Neighbours: abi.h (gl_name), show_nat.c. */
#ifndef GL_CLI_NAMES_H
#define GL_CLI_NAMES_H

#include "loader/loader.h"

struct names;

int names_read(struct gl_host *host, struct names **ret, struct gl_diag *diag);
void names_free(struct names *names); /* NULL is fine */
/* "" when it has none. Owned by `names`. */
const char *names_of(const struct names *names, enum gl_name_kind kind, uint32_t index);
/* A network's own name, without its tenant's. */
const char *names_network(const struct names *names, uint32_t network);
/* The network of an interface; UINT32_MAX: none. */
uint32_t names_slot_network(const struct names *names, uint32_t slot);

#endif
