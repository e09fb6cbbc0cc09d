/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Which of the host's links has this name? Neighbours: facts.h, netlink.c (who collects them). */
#include "loader/facts.h"

#include <stdlib.h>
#include <string.h>

const struct gl_link *gl_facts_find(const struct gl_facts *facts, const char *name)
{
	for (size_t i = 0; i < facts->link_count; i++)
		if (!strcmp(facts->links[i].name, name))
			return &facts->links[i];
	return NULL;
}

void gl_facts_clear(struct gl_facts *facts)
{
	for (size_t i = 0; i < facts->link_count; i++)
		free(facts->links[i].addrs);
	free(facts->links);
	*facts = (struct gl_facts){ 0 };
}
