/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The host's settings that guests' interfaces and translation need: sysctls of this network namespace, ports kept
 * from the host's sockets. Neighbours: apply.c, state.h (which remembers what was changed). */
#ifndef GL_HARDENING_H
#define GL_HARDENING_H

#include <stdbool.h>

#include "loader/compile.h"

#define GL_PORT_WORDS (65536 / 64)
/* A set of ports. */
struct gl_ports {
	uint64_t bits[GL_PORT_WORDS];
};
void gl_ports_add(struct gl_ports *ports, unsigned min, unsigned max);
bool gl_ports_has(const struct gl_ports *ports, unsigned port);
bool gl_ports_equal(const struct gl_ports *a, const struct gl_ports *b);
/* "1-3,7"; the caller frees. */
char *gl_ports_format(const struct gl_ports *ports);
int gl_ports_parse(const char *text, struct gl_ports *ret);

/* A guest's interface does not take part in the host's own networking; `off` puts the defaults back. What the system
 * does not let be set (a read-only /proc/sys) is left: the programs let nothing through to the host anyway. */
void gl_harden_guest(const char *dev, bool off);

/* bpf_fib_lookup() asks on behalf of lo, and is answered only where that device forwards; packets are forwarded by what
 * is set for their own device (IPv4) or for all (IPv6). *changed tells that it was off. A host without IPv6 has nothing
 * to be switched on. */
int gl_forwarding_enable(uint8_t family, bool *changed, struct gl_diag *diag);
void gl_forwarding_restore(uint8_t family);
bool gl_forwarding_enabled(uint8_t family);
const char *gl_forwarding_name(uint8_t family); /* of the sysctl */

int gl_reserved_read(struct gl_ports *ret, struct gl_diag *diag);
int gl_reserved_write(const struct gl_ports *ports, struct gl_diag *diag);
/* -EADDRINUSE and a finding when a socket of the host holds one of `ports`. */
int gl_reserved_check(const struct gl_ports *ports, struct gl_diag *diag);

#endif
