/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Runs the rows of a table, by native and generic XDP with TC behind them, and by TC alone, and holds all that happened
 * against what the row says: verdict, bytes, copies, drop counters, traffic counters. Neighbours: prog.h. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "prog.h"

bool provoked[GL_DROP_COUNT];
unsigned passed, failed, skipped;

static char complaints[2048];

/* What is wrong with the row at hand; its result() prints it. */
void complain(const char *fmt, ...)
{
	size_t len = strlen(complaints);
	va_list ap;

	va_start(ap, fmt);
	len += snprintf(complaints + len, sizeof(complaints) - len, "    ");
	if (len < sizeof(complaints))
		len += vsnprintf(complaints + len, sizeof(complaints) - len, fmt, ap);
	if (len < sizeof(complaints))
		snprintf(complaints + len, sizeof(complaints) - len, "\n");
	va_end(ap);
}

void result(bool good, const char *fmt, ...)
{
	va_list ap;

	good = good && !*complaints;
	*(good ? &passed : &failed) += 1;
	printf("%s ", good ? "ok  " : "FAIL");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n%s", complaints);
	*complaints = 0;
}

const char *hook_name(enum hook hook)
{
	static const char *const names[2][2][3] = {
		{ { "IPv4 native ", "IPv4 tc     ", "IPv4 generic" },
		  { "IPv6 native ", "IPv6 tc     ", "IPv6 generic" } },
		{ { "both IPv4 native ", "both IPv4 tc     ", "both IPv4 generic" },
		  { "both IPv6 native ", "both IPv6 tc     ", "both IPv6 generic" } },
	};

	return names[world.both][world.family == 6][hook == HOOK_XDP ? 0 : hook == HOOK_TC ? 1 : 2];
}

int prog_of(const struct dev *dev, enum hook hook)
{
	bool uplink = !strcmp(dev->name, "wan") || !strcmp(dev->name, "lan");

	switch (hook) {
	case HOOK_XDP:
		return world.native[uplink];
	case HOOK_GENERIC:
		return world.obj.prog[uplink ? GL_PROG_FROM_UPLINK_GENERIC : GL_PROG_FROM_GUEST_GENERIC];
	default:
		return world.obj.prog[uplink ? GL_PROG_FROM_UPLINK_TC : GL_PROG_FROM_GUEST_TC];
	}
}

int prog_run(int fd, enum hook hook, const struct dev *dev, const uint8_t *in, size_t len, const struct row *row,
	     struct run *ret)
{
	struct xdp_md xdp = { .data_end = len, .ingress_ifindex = dev->ifindex };
	struct __sk_buff skb = { .ifindex = dev->ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = len, .data_out = ret->out,
		    .data_size_out = sizeof(ret->out), .repeat = 1);

	if (hook != HOOK_TC) {
		opts.ctx_in = &xdp;
		opts.ctx_size_in = sizeof(xdp);
	} else {
		/* as frame.c's lengths */
		skb.gso_size = row ? row->gso - (world.family == 6 && row->gso > 900 ? 20 : 0) : 0;
		skb.gso_segs = skb.gso_size ? 2 : 0;
		skb.mark = row ? row->mark : 0;
		opts.ctx_in = &skb;
		opts.ctx_size_in = sizeof(skb);
	}
	if (bpf_prog_test_run_opts(fd, &opts))
		return -errno;
	ret->verdict = (int)opts.retval;
	ret->out_len = opts.data_size_out;
	return 0;
}

enum verdict packet(const char *on, enum hook hook, const struct frame *f, struct run *ret)
{
	const struct dev *dev = dev_by_name(on);
	uint8_t in[FRAME_MAX];
	size_t len = frame_build(f, in);
	int err = prog_run(prog_of(dev, hook), hook, dev, in, len, NULL, ret);

	if (!err && hook != HOOK_TC && ret->verdict == XDP_PASS) {
		hook = HOOK_TC;
		err = prog_run(prog_of(dev, hook), hook, dev, in, len, NULL, ret);
	}
	if (err)
		complain("cannot be run: %s", strerror(-err));
	if (hook != HOOK_TC)
		return ret->verdict == XDP_REDIRECT ? SEND : DROP;
	return ret->verdict == TC_ACT_REDIRECT ? SEND : ret->verdict == TC_ACT_SHOT ? DROP : PASS;
}

void expect(enum verdict verdict, const char *on, enum hook hook, struct frame f, const char *what)
{
	struct run run;
	enum verdict got = packet(on, hook, &f, &run);

	if (got != verdict)
		complain("%s: %s", what, got == SEND ? "was sent" : got == DROP ? "was dropped" : "was neither");
}

uint64_t drops(const char *on, enum gl_drop reason)
{
	const struct gl_drops_key key = { .slot = dev_by_name(on)->slot, .reason = reason };
	int cpus = libbpf_num_possible_cpus();
	struct gl_count_val *vals = calloc(cpus, sizeof(*vals));
	uint64_t sum = 0;

	if (!bpf_map_lookup_elem(world.obj.map[GL_MAP_DROPS], &key, vals))
		for (int i = 0; i < cpus; i++)
			sum += vals[i].packets;
	free(vals);
	return sum;
}

static const char *verdict_name(enum hook hook, int verdict, char *buf, size_t size)
{
	static const char *const xdp[] = { "XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT" };

	if (hook != HOOK_TC && verdict >= 0 && verdict < 5)
		return xdp[verdict];
	if (hook == HOOK_TC && (verdict == TC_ACT_SHOT || verdict == TC_ACT_REDIRECT || verdict == TC_ACT_UNSPEC))
		return verdict == TC_ACT_SHOT	  ? "TC_ACT_SHOT"
		       : verdict == TC_ACT_UNSPEC ? "TC_ACT_UNSPEC"
						  : "TC_ACT_REDIRECT";
	snprintf(buf, size, "%d", verdict);
	return buf;
}

static int wanted_verdict(enum hook hook, const struct row *row)
{
	if (hook != HOOK_TC)
		return row->verdict == DROP ? XDP_DROP : row->verdict == PASS ? XDP_PASS : XDP_REDIRECT;
	return row->verdict == DROP ? TC_ACT_SHOT : row->verdict == PASS ? TC_ACT_UNSPEC : TC_ACT_REDIRECT;
}

static void check_drops(const struct row *row, const struct dev *dev)
{
	const enum gl_drop drop = row->in.ipv4 ? row->drop : family_drop(row->drop);
	int cpus = libbpf_num_possible_cpus();
	struct gl_count_val *vals = calloc(cpus, sizeof(*vals));
	struct gl_drops_key key, *at = NULL;
	uint64_t found = 0;

	while (!bpf_map_get_next_key(world.obj.map[GL_MAP_DROPS], at, &key)) {
		uint64_t sum = 0;

		at = &key;
		bpf_map_lookup_elem(world.obj.map[GL_MAP_DROPS], &key, vals);
		for (int i = 0; i < cpus; i++)
			sum += vals[i].packets;
		if (drop && key.reason == drop && key.slot == dev->slot)
			found += sum;
		else
			complain("counted as dropped: %s, %llu times, slot %u", gl_drop_name(key.reason),
				 (unsigned long long)sum, key.slot);
	}
	if (drop && found != 1)
		complain("%s counted %llu times on %s, not once", gl_drop_name(drop), (unsigned long long)found,
			 dev->name);
	else if (drop)
		provoked[drop] = true;
	free(vals);
}

static bool is_in(const char *names, const char *name)
{
	size_t len = strlen(name);

	for (const char *s = names; s && (s = strstr(s, name)); s++)
		if ((s == names || s[-1] == ' ') && (!s[len] || s[len] == ' '))
			return true;
	return false;
}

static void check_traffic(const struct row *row, const struct dev *on)
{
	int cpus = libbpf_num_possible_cpus();
	struct gl_traffic_val *vals = calloc(cpus, sizeof(*vals));
	/* What the host gets without a copy is not ours to count. */
	bool taken = row->drop == GL_DROP_NONE && (row->verdict != PASS || row->copies) && row->program == FROM;

	for (size_t i = 0; i < world.dev_count; i++) {
		const struct dev *dev = &world.devs[i];
		uint64_t from = 0, to = 0, want_from = dev == on && taken, want_to = 0;

		if (dev->slot == GL_NO_SLOT)
			continue;
		bpf_map_lookup_elem(world.obj.map[GL_MAP_TRAFFIC], &dev->slot, vals);
		for (int c = 0; c < cpus; c++) {
			from += vals[c].from_guest.packets;
			to += vals[c].to_guest.packets;
		}
		want_to += row->verdict == SEND && !strcmp(row->to, dev->name);
		want_to += row->verdict == BACK && dev == on && !row->drop;
		want_to += is_in(row->copies, dev->name);
		if (from != want_from || to != want_to)
			complain("%s: counted %llu from it and %llu to it, not %llu and %llu", dev->name,
				 (unsigned long long)from, (unsigned long long)to, (unsigned long long)want_from,
				 (unsigned long long)want_to);
	}
	free(vals);
}

static void check_copies(const struct row *row, const uint8_t *in, size_t len)
{
	uint8_t frame[FRAME_MAX], plain[FRAME_MAX];

	/* A copy from a tagged segment has lost its tag. */
	memcpy(plain, in, len);
	if (row->in.vlan) {
		memmove(plain + 12, in + 16, len - 16);
		len -= 4;
	}
	for (size_t i = 0; i < world.dev_count; i++) {
		const struct dev *dev = &world.devs[i];
		unsigned n = 0;
		ssize_t got;

		while ((got = read(dev->tap, frame, sizeof(frame))) > 0) {
			n++;
			if ((size_t)got != len || memcmp(frame, plain, len)) {
				complain("%s got another frame than was sent", dev->name);
				hex("copy", frame, got);
			}
		}
		if (n != is_in(row->copies, dev->name))
			complain("%s got %u copies", dev->name, n);
	}
}

/* The source port that a pool gave is taken as it is, and its checksum proved instead. */
static void accept_port(const uint8_t *out, uint8_t *want, size_t len)
{
	const size_t l4 = l4_at(want);
	const uint8_t proto = world.family == 6 ? want[20] : want[23];
	const bool icmp = proto == family_proto(1);
	const size_t port = l4 + (icmp ? 4 : 0), field = l4 + (proto == 6 ? 16 : proto == 17 ? 6 : 2);

	memcpy(want + port, out + port, 2);
	want[field] = want[field + 1] = 0;
	if (sum_is_good(out, len))
		memcpy(want + field, out + field, 2);
}

static void check_bytes(const struct row *row, const uint8_t *in, size_t in_len, const struct run *run)
{
	uint8_t want[FRAME_MAX];
	size_t len = in_len;

	if (row->verdict == DROP)
		return;
	memcpy(want, in, in_len);
	if (row->out.smac)
		len = frame_build(&row->out, want);
	if (row->free_port && run->out_len == len)
		accept_port(run->out, want, len);
	if (run->out_len == len && !memcmp(run->out, want, len))
		return;
	complain("the packet that comes out is another one");
	hex("in", in, in_len);
	hex("out", run->out, run->out_len);
	hex("wanted", want, len);
}

static void row_run(const char *table, const struct row *row, enum hook first)
{
	const struct dev *dev = dev_by_name(row->on);
	uint8_t in[FRAME_MAX];
	size_t len;
	struct run run = { 0 };
	enum hook hook = first;
	char buf[2][32];
	int err, want, fd;

	if (row->before)
		row->before();
	len = frame_build(&row->in, in);
	counts_clear();
	fd = row->program == TO_GUEST ? world.obj.prog[GL_PROG_TO_GUEST_TC] : prog_of(dev, hook);
	err = prog_run(fd, hook, dev, in, len, row, &run);
	if (!err && hook == HOOK_GENERIC && run.verdict != XDP_PASS && run.verdict != XDP_DROP)
		complain("generic XDP says %s", verdict_name(hook, run.verdict, buf[0], sizeof(buf[0])));
	if (!err && hook != HOOK_TC &&
	    (row->slow || (run.verdict == XDP_PASS && (hook == HOOK_GENERIC || row->verdict == PASS)))) {
		if (run.verdict != XDP_PASS && hook == HOOK_XDP)
			complain("XDP says %s instead of leaving it to TC",
				 verdict_name(hook, run.verdict, buf[0], sizeof(buf[0])));
		if (run.out_len != len || memcmp(run.out, in, len))
			complain("XDP has changed what it leaves to TC");
		hook = HOOK_TC;
		err = prog_run(prog_of(dev, hook), hook, dev, in, len, row, &run);
	}
	if (err) {
		complain("cannot be run: %s", strerror(-err));
	} else {
		want = wanted_verdict(hook, row);
		if (run.verdict != want) {
			complain("%s instead of %s", verdict_name(hook, run.verdict, buf[0], sizeof(buf[0])),
				 verdict_name(hook, want, buf[1], sizeof(buf[1])));
			hex("in", in, len);
		} else {
			check_bytes(row, in, len, &run);
		}
		check_drops(row, dev);
		check_traffic(row, dev);
		check_copies(row, in, len);
	}
	if (row->after && !row->after())
		complain("the state afterwards is another one");
	result(true, "%s %s: %s", hook_name(first), table, row->name);
}

static bool is_meant(const struct row *row)
{
	return !row->ip || row->ip == world.family || (row->ip == world.family + 10 && !world.both);
}

void rows_run(const char *table, const struct row *rows, size_t count)
{
	for (int hook = HOOK_XDP; hook <= HOOK_GENERIC; hook <<= 1) {
		flows_clear();
		for (size_t i = 0; i < count; i++)
			if ((!rows[i].only || (rows[i].only & hook)) && is_meant(&rows[i]))
				row_run(table, &rows[i], hook);
	}
}
