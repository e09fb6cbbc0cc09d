/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Runs random sequences and the stored ones by the model and by the programs, and holds the two against each other
 * after every packet. The first difference of a sequence is shrunk to the operations it needs and printed as a case.
 *   model_test [SEQUENCES]    default 30000; GL_SEED=N repeats a run; GL_FAMILY=4 or 6 takes one family alone;
 *                             GL_CASES is the folder of stored cases
 * Neighbours: model.h. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "maps/registry.h"
#include "model.h"

#define SEQUENCES 30000
#define SOAK 1000000 /* with GL_SOAK */
#define UNIVERSE 500 /* sequences in each pair of definitions */
#define ENOUGH 5 /* failed sequences */

struct done {
	bool out; /* something went on to somebody */
	unsigned port;
	struct pk pk, inner;
};

static struct m_def defs[2][2]; /* by family, then by definition */
static struct m_state state;
static uint64_t packets;
static unsigned passed, failed, skipped;
static unsigned families; /* M_IPV4, M_IPV6: what is to be tested */
static uint64_t ends[3], reasons[GL_DROP_COUNT];

/* ---- one sequence ------------------------------------------------------------------------------------------------ */

static const struct done *done_by(const struct m_sequence *seq, const struct done *done, int id)
{
	for (unsigned i = 0; i < seq->count; i++)
		if (seq->ops[i].id == id)
			return done[i].out ? &done[i] : NULL;
	return NULL;
}

static unsigned family_of(const struct m_sequence *seq, const struct done *done, int id)
{
	const struct done *by = done_by(seq, done, id);

	return by ? by->pk.family : 4;
}

static uint8_t other_echo(unsigned family, uint8_t type)
{
	if (family == 6)
		return type == ECHO6 ? ECHOED6 : type == ECHOED6 ? ECHO6 : type;
	return type == ECHO4 ? ECHOED4 : type == ECHOED4 ? ECHO4 : type;
}

static void reply_to(const struct done *to, const struct m_op *op, struct pk *pk)
{
	*pk = op->pk;
	pk->family = to->pk.family;
	pk->proto = to->pk.proto;
	pk->src = to->pk.dst;
	pk->dst = to->pk.src;
	memcpy(pk->smac, to->pk.dmac, 6);
	memcpy(pk->dmac, to->pk.smac, 6);
	pk->nocheck |= to->pk.nocheck;
	if (pk->proto == icmp_proto(pk->family)) {
		pk->type = other_echo(pk->family, to->pk.type);
		pk->code = to->pk.code;
		pk->sport = to->pk.sport + op->shift;
		pk->dport = to->pk.dport;
	} else {
		pk->sport = to->pk.dport + op->shift;
		pk->dport = to->pk.sport;
	}
}

static void error_about(const struct done *about, const struct m_op *op, struct pk *pk, struct pk *inner)
{
	*inner = about->pk;
	*pk = op->pk;
	pk->family = about->pk.family;
	pk->proto = icmp_proto(pk->family);
	pk->src = op->from ? op->from : about->pk.dst;
	pk->dst = about->pk.src;
	memcpy(pk->smac, about->pk.dmac, 6);
	memcpy(pk->dmac, about->pk.smac, 6);
	inner->sport += op->shift;
	if (op->back) {
		inner->src = about->pk.dst;
		inner->dst = about->pk.src;
	}
	pk->inner = inner;
}

/* The packet of an operation. False: it has none, as what it refers to did not come out. */
static bool packet_of(const struct m_sequence *seq, unsigned at, const struct m_model *m, const struct done *done,
		      unsigned *port, struct pk *pk, struct pk *inner)
{
	const struct m_op *op = &seq->ops[at];
	const struct m_def *def = m->def;
	const struct done *ref = op->kind == OP_SEND ? NULL : done_by(seq, done, op->ref);

	if (op->kind == OP_SEND) {
		*port = op->port;
		*pk = op->pk;
		if (op->port == M_UPLINK) {
			memcpy(pk->smac, "\x02\0\0\0\x0f\xfe", 6);
			memcpy(pk->dmac, m->uplink_mac, 6);
			return true;
		}
		if (!def->ports[op->port].def)
			return false;
		memcpy(pk->smac, def->ports[op->port].mac, 6);
		memcpy(pk->dmac, "\x02\0\0\0\x0f\x55", 6);
		if (!strcmp(op->to, "gw"))
			memcpy(pk->dmac, def->nets[def->ports[op->port].net].gw_mac, 6);
		else if (def->ports[port_number(op->to)].def)
			memcpy(pk->dmac, def->ports[port_number(op->to)].mac, 6);
		return true;
	}
	if (!ref || ref->pk.inner || (ref->port != M_UPLINK && !def->ports[ref->port].def))
		return false;
	*port = ref->port;
	if (op->kind == OP_REPLY)
		reply_to(ref, op, pk);
	else
		error_about(ref, op, pk, inner);
	return true;
}

static bool compare(unsigned port, const struct m_model *m, const struct m_verdict *want, const struct m_verdict *have,
		    char *what, size_t size)
{
	static const char *const names[] = { "drop", "pass", "send" };
	enum gl_drop reason = GL_DROP_NONE;
	size_t at = want->free_macs ? 12 : 0;

	if (want->reason || have->end == M_DROP)
		reason = real_reason(port, want->reason);
	if (m->or_exhausted && want->reason == GL_DROP_FLOW_TABLE_FULL && reason == GL_DROP_NAT_EXHAUSTED)
		reason = want->reason;
	if (want->end != have->end || want->reason != reason) {
		snprintf(what, size, "%s%s%s, not %s%s%s", names[have->end], reason ? " " : "",
			 reason ? gl_drop_name(reason) : "", names[want->end], want->reason ? " " : "",
			 want->reason ? gl_drop_name(want->reason) : "");
		return false;
	}
	if (m->complaint[0]) {
		snprintf(what, size, "%s", m->complaint);
		return false;
	}
	if (want->end != M_SEND)
		return true;
	/* Errors that are returned count as drops alone. */
	if (!want->reason && !real_sent(want->out)) {
		snprintf(what, size, "sent elsewhere than to %s", port_name(want->out));
		return false;
	}
	if (want->len != have->len) {
		snprintf(what, size, "%u bytes come out, not %u", have->len, want->len);
		return false;
	}
	for (; at < want->len; at++)
		if (want->bytes[at] != have->bytes[at]) {
			snprintf(what, size, "byte %zu comes out as %02x, not %02x", at, have->bytes[at],
				 want->bytes[at]);
			return false;
		}
	return true;
}

static void show(const char *title, const uint8_t *bytes, size_t len)
{
	printf("# %s, %zu bytes", title, len);
	for (size_t i = 0; i < len && i < 160; i++)
		printf("%s%02x", i % 16 ? " " : "\n#   ", bytes[i]);
	printf("\n");
}

/* True when model and programs agree throughout; *what and *at tell the first difference. */
static bool run(const struct m_sequence *seq, char *what, size_t size, unsigned *at, bool loud)
{
	static struct done done[M_OPS];
	static struct m_verdict want, have;
	struct m_model m = { .state = &state, .oracle = &real_oracle };
	unsigned number = 0;
	bool good = true, both[2] = { false, false };
	char rest[256];

	real_mac(M_UPLINK, m.uplink_mac);
	for (unsigned i = 0; i < seq->count; i++)
		both[M_FAMILY(seq->ops[i].pk.family)] |= seq->ops[i].kind == OP_SEND;
	real_begin(both[0], both[1]);
	real_use(0);
	*what = 0;
	for (*at = 0; *at < seq->count && good; ++*at) {
		const struct m_op *op = &seq->ops[*at];
		uint8_t bytes[PK_MAX];
		struct pk pk, inner;
		unsigned port;
		size_t len;

		done[*at].out = false;
		switch (op->kind) {
		case OP_USE:
			number = op->number & 1;
			real_use(number);
			continue;
		case OP_AGE:
			state_age(&state, op->number);
			real_age(op->number);
			continue;
		case OP_SWEEP:
			state_sweep(&state, &defs[0][number]);
			real_sweep();
			continue;
		case OP_DELETE:
			state_delete(&state, op->number, op->pk.family, op->pk.proto);
			real_delete(op->number, op->pk.family, op->pk.proto);
			continue;
		default:
			break;
		}
		m.def = &defs[M_FAMILY(op->kind == OP_SEND ? op->pk.family : family_of(seq, done, op->ref))][number];
		if (!packet_of(seq, *at, &m, done, &port, &pk, &inner))
			continue;
		if (pk_is_fragment(&pk))
			real_frags(port, &pk);
		len = pk_build(&pk, bytes);
		real_run(port, op->xdp, bytes, len, &have);
		judge(&m, port, &pk, &want);
		packets++;
		ends[want.end]++;
		reasons[want.reason < GL_DROP_COUNT ? want.reason : 0]++;
		good = compare(port, &m, &want, &have, what, size);
		if (!good && loud) {
			show("what went in", bytes, len);
			show("what came out", have.bytes, have.len);
			show("what should have", want.bytes, want.len);
		}
		if (!good)
			break;
		if (want.end == M_SEND && !want.reason && want.out != port) {
			done[*at] = (struct done){ .out = true, .port = want.out, .pk = want.pk, .inner = want.inner };
			if (want.pk.inner)
				done[*at].pk.inner = &done[*at].inner;
			if (want.out == M_UPLINK) {
				memcpy(done[*at].pk.smac, m.uplink_mac, 6);
				memcpy(done[*at].pk.dmac, "\x02\0\0\0\x0f\xfe", 6);
			}
		}
	}
	if (!real_finish(&state, rest, sizeof(rest)) && good) {
		snprintf(what, size, "%s", rest);
		good = false;
	}
	state_clear(&state);
	if (!good)
		real_count();
	return good;
}

/* ---- shrinking ----------------------------------------------------------------------------------------------- */

/* What makes two differences the same: the words, without numbers. */
static bool alike(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		while ((*a >= '0' && *a <= '9') || (*a >= 'a' && *a <= 'f'))
			a++;
		while ((*b >= '0' && *b <= '9') || (*b >= 'a' && *b <= 'f'))
			b++;
		if (*a != *b)
			return false;
		if (!*a)
			break;
	}
	return *a == *b;
}

static bool still(const struct m_sequence *seq, const char *what)
{
	char now[256];
	unsigned at;

	/* Ports are drawn by lot. */
	for (int i = 0; i < 3; i++)
		if (!run(seq, now, sizeof(now), &at, false) && alike(now, what))
			return true;
	return false;
}

static bool without(struct m_sequence *seq, unsigned at, unsigned count, const char *what)
{
	struct m_sequence less = *seq;

	memmove(&less.ops[at], &less.ops[at + count], (less.count - at - count) * sizeof(less.ops[0]));
	less.count -= count;
	if (!still(&less, what))
		return false;
	*seq = less;
	return true;
}

static void shrink(struct m_sequence *seq, const char *what)
{
	bool again = true;

	for (unsigned chunk = seq->count / 2; chunk > 1; chunk /= 2)
		for (unsigned at = 0; at + chunk <= seq->count;)
			if (!without(seq, at, chunk, what))
				at += chunk;
	while (again) {
		again = false;
		for (unsigned at = seq->count; at-- > 0;)
			again |= without(seq, at, 1, what);
	}
	for (unsigned at = 0; at < seq->count; at++) {
		struct m_sequence plain = *seq;

		plain.ops[at].xdp = false;
		plain.ops[at].pk.win = 0;
		plain.ops[at].pk.mss = 0;
		plain.ops[at].pk.scale = -1;
		if (!pk_is_fragment(&plain.ops[at].pk))
			plain.ops[at].pk.len = 0;
		if (still(&plain, what))
			*seq = plain;
	}
}

static void report(const struct m_sequence *found, const char *what, const char *universe)
{
	struct m_sequence seq = *found;
	char now[256];
	unsigned at;

	shrink(&seq, what);
	printf("FAIL %s\n", what);
	run(&seq, now, sizeof(now), &at, true);
	printf("# operation %d: %s\n%s--- packets\n", at < seq.count ? seq.ops[at].id : 0, now, universe);
	for (unsigned i = 0; i < seq.count; i++)
		op_print(stdout, &seq.ops[i]);
	printf("# end\n");
}

/* ---- where sequences come from ----------------------------------------------------------------------------------- */

/* Applies both definitions of a text; returns where its packets begin, NULL where they cannot be applied. */
static const char *define(const char *text)
{
	const char *a = strstr(text, "--- a\n"), *b = strstr(text, "--- b\n"), *end = strstr(text, "--- packets\n");
	char *first, *second;
	int err = -1;

	if (!a || !b || a > b)
		return NULL;
	if (!end)
		end = text + strlen(text);
	first = strndup(a + 6, b - a - 6);
	second = strndup(b + 6, end - b - 6);
	for (int i = 0; i < 4; i++)
		def_free(&defs[i / 2][i % 2]);
	if (first && second)
		err = real_define(first, second, defs);
	if (err)
		printf("# cannot be applied:\n%s\n", text);
	free(first);
	free(second);
	return err ? NULL : *end ? end + strlen("--- packets\n") : end;
}

static bool read_ops(const char *line, struct m_sequence *ret)
{
	ret->count = 0;
	while (line && *line) {
		const char *next = strchr(line, '\n');
		char copy[512];

		snprintf(copy, sizeof(copy), "%.*s", (int)(next ? next - line : (long)strlen(line)), line);
		if (*copy && *copy != '#' && (ret->count == M_OPS || !op_parse(copy, &ret->ops[ret->count++]))) {
			printf("# cannot be read: %s\n", copy);
			return false;
		}
		line = next ? next + 1 : NULL;
	}
	return ret->count;
}

/* Ports are drawn by lot: more than once. */
static void run_case(const char *path, const char *text, unsigned family)
{
	const char *at_packets = define(text);
	struct m_sequence seq;
	char what[256] = "it cannot be read";
	unsigned at = 0;
	bool good = at_packets && read_ops(at_packets, &seq);

	for (unsigned i = 0; good && family == 6 && i < seq.count; i++)
		op_to6(&seq.ops[i]);
	for (int i = 0; i < 10 && good; i++)
		good = run(&seq, what, sizeof(what), &at, true);
	*(good ? &passed : &failed) += 1;
	printf("%s %s%s%s%s\n", good ? "ok  " : "FAIL", path, family == 6 ? ", in IPv6" : "", good ? "" : ": ",
	       good ? "" : what);
	if (!good && at < seq.count)
		printf("# operation %d\n", seq.ops[at].id);
}

/* Where packets name no family, they are written in IPv4 and mean the same in IPv6. */
static void run_file(const char *path)
{
	char text[65536], *rest, *in6, *whole = NULL;
	FILE *f = fopen(path, "r");
	size_t len = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	bool named;

	if (f)
		fclose(f);
	text[len] = 0;
	rest = strstr(text, "--- packets\n");
	named = rest && strstr(rest, " family=");
	if (families & M_IPV4 || named)
		run_case(path, text, 0);
	if (!(families & M_IPV6) || !rest || named)
		return;
	*rest = 0;
	in6 = text6(text);
	*rest = '-';
	if (in6 && asprintf(&whole, "%s%s", in6, rest) > 0)
		run_case(path, whole, 6);
	free(whole);
	free(in6);
}

static void run_cases(const char *folder)
{
	struct dirent **names;
	int count = scandir(folder, &names, NULL, alphasort);

	if (count < 0) {
		printf("FAIL no cases in %s\n", folder);
		failed++;
		return;
	}
	for (int i = 0; i < count; i++) {
		char path[512];

		snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
		if (strstr(names[i]->d_name, ".case"))
			run_file(path);
		free(names[i]);
	}
	free(names);
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* A sequence that the machine let wait for seconds has aged by them: once more. */
static bool run_in_time(const struct m_sequence *seq, char *what, size_t size, unsigned *at)
{
	for (int i = 0; i < 5; i++) {
		const double begin = seconds_now();

		if (run(seq, what, size, at, false))
			return true;
		if (seconds_now() - begin < 1)
			return false;
	}
	return false;
}

/* Definitions of one family or of both; their sequences, half of each. */
static void run_random(unsigned long count, uint64_t seed)
{
	const double begin = seconds_now();
	char *universe = NULL;
	unsigned held = families;
	double seconds;

	for (unsigned long i = 0; i < count && failed < ENOUGH; i++) {
		struct m_sequence seq;
		char what[256];
		unsigned at;

		if (i % UNIVERSE == 0) {
			free(universe);
			random_seed(seed + i / UNIVERSE);
			held = families == M_BOTH && i / UNIVERSE % 2 ? 1 + i / UNIVERSE / 2 % 2 : families;
			universe = universe_make(held);
			if (!universe || !define(universe)) {
				failed++;
				printf("FAIL universe of seed %llu\n", (unsigned long long)seed + i / UNIVERSE);
				break;
			}
		}
		sequence_make(defs, held, &seq);
		if (run_in_time(&seq, what, sizeof(what), &at)) {
			passed++;
			continue;
		}
		failed++;
		report(&seq, what, universe);
	}
	free(universe);
	seconds = seconds_now() - begin;
	printf("%llu sent, %llu left to the host", (unsigned long long)ends[M_SEND], (unsigned long long)ends[M_PASS]);
	for (int i = 1; i < GL_DROP_COUNT; i++)
		if (reasons[i])
			printf(", %s %llu", gl_drop_name(i), (unsigned long long)reasons[i]);
	printf("\n%llu packets, %.0f a second, seed %llu\n", (unsigned long long)packets, packets / seconds,
	       (unsigned long long)seed);
}

int main(int argc, char **argv)
{
	const char *seed = getenv("GL_SEED"), *cases = getenv("GL_CASES"), *family = getenv("GL_FAMILY");
	const unsigned long count = getenv("GL_SOAK") ? SOAK : SEQUENCES;
	uint64_t number = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);

	families = !family ? M_BOTH : !strcmp(family, "6") ? M_IPV6 : M_IPV4;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (real_open()) {
		printf("FAIL the world of the tests\n");
		failed++;
	} else {
		run_cases(cases ? cases : "tests/model/cases");
		packets = 0;
		run_random(argc > 1 ? strtoul(argv[1], NULL, 0) : count, number);
	}
	real_close();
	printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
	return failed ? 1 : 0;
}
