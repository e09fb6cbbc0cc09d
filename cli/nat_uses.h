/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Public addresses as the maps in force have them: shares of ports that networks translate to, port forwards and
 * floating IPs, with the flows and ports in use. Neighbours: show_nat.c (who shows them), names.h. */
#ifndef GL_CLI_NAT_USES_H
#define GL_CLI_NAT_USES_H

#include "cli/cli.h"

struct uses;

int uses_read(struct gl_host *host, struct uses **ret, struct gl_diag *diag);
const struct names *uses_names(const struct uses *uses);
void uses_free(struct uses *uses); /* NULL is fine */
/* Counts a translated flow, or a mapping, where it belongs. -ENOMEM. */
int uses_count_flow(struct uses *uses, const struct gl_flow_row *row);
int uses_count_mapping(struct uses *uses, const struct gl_mapping_row *row);
/* Prints those that the options name as a table, or rows of a JSON array. */
void uses_print(struct cli *cli, const struct uses *uses);

#endif
