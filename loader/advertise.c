/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How guests are told about their router. See advertise.h. */
#include "loader/advertise.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "loader/fail.h"
#include "loader/host.h"
#include "loader/labels.h"

int gl_advertise_slot(const struct gl_object *obj, uint32_t slot)
{
	unsigned char packet[64] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet), .repeat = 1);

	memcpy(packet + 14, &slot, sizeof(slot));
	while (bpf_prog_test_run_opts(obj->prog[GL_PROG_ADVERTISE_TC], &opts))
		if (errno != EINTR)
			return -errno;
	return !opts.retval;
}

int gl_advertise(struct gl_host *host, const struct gl_filter *filter, size_t *told, struct gl_diag *diag)
{
	const struct gl_mapset *live;
	struct gl_view view;
	size_t first, count;
	int err = gl_view_read_some(host, 0, &view, diag);

	*told = 0;
	if (err)
		return err;
	live = gl_view_live(&view);
	count = gl_mapset_range(live, GL_MAP_PORT, &first);
	for (size_t i = first; i < first + count; i++) {
		const struct gl_port_val *port = gl_mapset_at(live, i)->val;
		struct gl_label label;
		uint32_t slot;

		memcpy(&slot, gl_mapset_at(live, i)->key, sizeof(slot));
		gl_label_slot(live, slot, &label);
		if (port->kind != GL_PORT_GUEST || !gl_label_passes(&label, filter))
			continue;
		err = gl_advertise_slot(&host->obj, slot);
		if (err < 0) {
			gl_fail(diag, err, "cannot send interface %s its router advertisement", label.tap);
			break;
		}
		*told += (size_t)err;
	}
	gl_view_clear(&view);
	return err < 0 ? err : 0;
}
