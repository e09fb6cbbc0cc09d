/* SPDX-License-Identifier: GPL-2.0-only */
/* All programs of the TC hook as one object, and what the loader runs as one of them: the sweeper,
 * and the sender of router advertisements. */
#include "from_guest.bpf.h"
#include "from_uplink.bpf.h"
#include "sweep.bpf.h"
#if !GL_IS_IPV6
#include "advertise.bpf.h"
#include "to_guest.bpf.h"
#endif
