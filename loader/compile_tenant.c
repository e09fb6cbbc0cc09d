/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What holds for all of a tenant: timeouts, and its part of what tenants share.
 * Neighbours: compile.c (the order of steps), compile_int.h. */
#include "loader/compile_int.h"

int gl_c_tenants(struct gl_c *c)
{
	uint32_t sharers = GL_MAX_FRAGMENTS / GL_FRAGMENTS_TENANT;
	int err = 0;

	/* By powers of two, so that one tenant more does not change the entries of all. */
	while (sharers < c->tenant_count)
		sharers *= 2;
	for (size_t i = 0; i < c->tenant_count && !err; i++) {
		const struct gl_c_tenant *tenant = &c->tenants[i];
		struct gl_tenant_val val = { .max_fragments = GL_MAX_FRAGMENTS / sharers };

		for (int k = 0; k < GL_TIMEOUT_COUNT; k++)
			val.timeout[k] = tenant->def->timeout[k] ? tenant->def->timeout[k] : gl_timeout_default(k);
		if (tenant->def->tcp_pickup)
			val.flags |= GL_TENANT_F_PICKUP;
		for (size_t n = 0; n < tenant->def->network_count; n++)
			if (tenant->def->networks[n].endpoint_independent)
				val.flags |= GL_TENANT_F_EIM;
		err = gl_c_emit(c, GL_MAP_TENANT, tenant->index, &tenant->index, &val);
	}
	return err;
}
