/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The subjects of `guestlane show`: each prints one table from an open host, filtered by the options.
 * Neighbours: cmd_show.c (the list of subjects), show_*.c. */
#ifndef GL_CLI_SHOW_H
#define GL_CLI_SHOW_H

#include "cli/cli.h"

/* show_config.c: what was applied */
int show_tenants(struct cli *cli, struct gl_host *host);
int show_networks(struct cli *cli, struct gl_host *host);
int show_interfaces(struct cli *cli, struct gl_host *host);
/* show_live.c: what the programs count */
int show_flows(struct cli *cli, struct gl_host *host);
int show_drops(struct cli *cli, struct gl_host *host);
int show_reasons(struct cli *cli); /* show drops --reasons */
int show_counters(struct cli *cli, struct gl_host *host);
/* show_nat.c */
int show_nat(struct cli *cli, struct gl_host *host);
/* show_groups.c */
int show_groups(struct cli *cli, struct gl_host *host);

/* The definition last applied; NULL when none was. */
int show_applied(struct cli *cli, struct gl_host *host, const struct gl_definition **ret);

#endif
