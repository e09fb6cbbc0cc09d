/* SPDX-License-Identifier: GPL-2.0-only */
/* All programs of the TC hook as one object, and the sweeper, which the loader runs as one of them. */
#include "from_guest.bpf.h"
#include "from_uplink.bpf.h"
#include "sweep.bpf.h"
#include "to_guest.bpf.h"
