/* SPDX-License-Identifier: GPL-2.0-only */
/* All programs of the XDP hook as one object. */
#include "from_guest.bpf.h"
#include "from_uplink.bpf.h"
