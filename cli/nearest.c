/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What may a mistyped word have meant? See nearest.h. */
#include "cli/nearest.h"

#include <string.h>

#define LONGEST 32

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Letters to insert, remove, replace or swap with their neighbour. */
static size_t distance(const char *a, const char *b)
{
	size_t cost[LONGEST + 1][LONGEST + 1];
	size_t la = strlen(a), lb = strlen(b);

	for (size_t i = 0; i <= la; i++)
		cost[i][0] = i;
	for (size_t j = 0; j <= lb; j++)
		cost[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		for (size_t j = 1; j <= lb; j++) {
			cost[i][j] = smallest(cost[i - 1][j] + 1, cost[i][j - 1] + 1,
					      cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    cost[i - 2][j - 2] + 1 < cost[i][j])
				cost[i][j] = cost[i - 2][j - 2] + 1;
		}
	}
	return cost[la][lb];
}

const char *nearest(const char *word, nearest_name_fn name, void *arg)
{
	const char *best = NULL, *candidate;
	size_t least = 3, len = strlen(word); /* more than two changes is another word */

	if (len < 2 || len > LONGEST)
		return NULL;
	for (size_t i = 0; (candidate = name(arg, i)); i++) {
		size_t d;

		if (strlen(candidate) > LONGEST)
			continue;
		d = strncmp(word, candidate, len) ? distance(word, candidate) : 1;
		if (d < least && d < strlen(candidate)) {
			least = d;
			best = candidate;
		}
	}
	return best;
}
