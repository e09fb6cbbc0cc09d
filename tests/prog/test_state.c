/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What flows remember: states, shares that are used up, changes of the definition under way, expiry.
 * Neighbours: prog.h, definition.c. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/flowtable.h"
#include "prog.h"

#define GW "gw:acme/front"
#define GWB "gw:acme/back"
#define GWN "gw:narrow/net"
#define OUT "198.18.0.1"
#define NARROW "203.0.113.13"

/* ---- states ----------------------------------------------------------------------------------------------- */

static bool counted(void)
{
	struct flow ask, answer;

	return flow_find("acme", 6, "n1", 1000, "n2", 80, &ask) &&
	       flow_find("acme", 6, "n2", 80, "n1", 1000, &answer) && ask.val.packets == 4 &&
	       ask.val.bytes == 4 * (ip_hlen() + 20) + 2 * 7 && answer.val.packets == 1 &&
	       answer.val.bytes == ip_hlen() + 20 && ask.val.tcp_flags == (SYN | ACK | FIN);
}

static bool udp_is(enum gl_flow_state state)
{
	struct flow ask;

	return flow_find("acme", 17, "n1", 1000, "n2", 80, &ask) && ask.val.state == state;
}

static bool udp_is_new(void)
{
	return udp_is(GL_FLOW_NEW);
}

static bool udp_is_assured(void)
{
	return udp_is(GL_FLOW_ASSURED);
}

static bool error_changes_nothing(void)
{
	struct flow ask;

	return flow_find("acme", 17, "n1", 1000, "n2", 80, &ask) && ask.val.packets == 1;
}

#define N1_N2(...) .on = "n1", .verdict = SEND, .to = "n2", .in = { ETH("n2", "n1"), __VA_ARGS__ }
#define N2_N1(...) .on = "n2", .verdict = SEND, .to = "n1", .in = { ETH("n1", "n2"), __VA_ARGS__ }
static const struct row states[] = {
	{ .name = "SYN", N1_N2(TCP("n1", 1000, "n2", 80, SYN)) },
	{ .name = "SYN again", N1_N2(TCP("n1", 1000, "n2", 80, SYN)) },
	{ .name = "SYN and ACK", N2_N1(TCP("n2", 80, "n1", 1000, SYN | ACK)) },
	{ .name = "data", N1_N2(TCP("n1", 1000, "n2", 80, ACK), .len = 7) },
	{ .name = "data with FIN, once more", N1_N2(TCP("n1", 1000, "n2", 80, FIN | ACK), .len = 7) },
	{ .name = "what was counted",
	  .after = counted,
	  .on = "n1",
	  .drop = GL_DROP_SPOOF_MAC,
	  .in = { ETH("n2", "n3"), UDP("n1", 1, "n2", 1) } },
	{ .name = "UDP", .after = udp_is_new, N1_N2(UDP("n1", 1000, "n2", 80)) },
	{ .name = "an error about it",
	  .after = error_changes_nothing,
	  N2_N1(IP("n2", "n1", 1), .type = 3, .code = 3, .quote_len = 8,
		.quote = &(const struct frame){ UDP("n1", 1000, "n2", 80) }) },
	{ .name = "UDP's answer", .after = udp_is_assured, N2_N1(UDP("n2", 80, "n1", 1000)) },
};

void test_states(void)
{
	ROWS(states);
}

/* ---- shares ----------------------------------------------------------------------------------------------- */

static uint16_t port_out(const struct run *run)
{
	return sport_of(run->out);
}

static void ports_run_out(enum hook hook)
{
	struct frame f = { ETH(GWN, "p1"), UDP("p1", 0, OUT, 53), .len = 3 };
	bool used[64] = { false };
	struct run run;

	flows_clear();
	for (int i = 0; i < 64; i++) {
		f.sport = 1000 + i;
		if (packet("p1", hook, &f, &run) != SEND)
			complain("flow %d did not get a port", i + 1);
		else if (port_out(&run) < 50048 || port_out(&run) > 50111 || used[port_out(&run) - 50048])
			complain("flow %d got port %u", i + 1, port_out(&run));
		else
			used[port_out(&run) - 50048] = true;
	}
	f.sport = 2000;
	if (packet("p1", hook, &f, &run) != DROP || drops("p1", GL_DROP_NAT_EXHAUSTED) != 1)
		complain("flow 65 was not refused");
	if (flow_count("narrow") != 128)
		complain("%zu entries for 64 flows", flow_count("narrow"));
	f.sport = 1063;
	if (packet("p1", hook, &f, &run) != SEND)
		complain("an established flow was refused");
	f.sport = 2000;
	f.dst = "198.18.0.2";
	if (packet("p1", hook, &f, &run) != SEND)
		complain("a flow to another destination was refused");
	result(true, "%s 64 ports are good for 64 flows to one destination", hook_name(hook));
}

static void table_is_full(enum hook hook)
{
	struct frame f = { ETH("t2", "t1"), UDP("t1", 0, "t2", 53), .len = 3 };
	struct frame other = { ETH("n2", "n1"), UDP("n1", 1, "n2", 2) };
	struct run run;

	flows_clear();
	for (int i = 0; i < 2; i++) {
		f.sport = 1000 + i;
		if (packet("t1", hook, &f, &run) != SEND)
			complain("flow %d of 2 was refused", i + 1);
	}
	f.sport = 1002;
	if (packet("t1", hook, &f, &run) != DROP || drops("t1", GL_DROP_FLOW_TABLE_FULL) != 1)
		complain("flow 3 of 2 was not refused");
	else
		provoked[GL_DROP_FLOW_TABLE_FULL] = true;
	f = (struct frame){ ETH("gw:tiny/net", "t1"), UDP("t1", 1002, OUT, 53) };
	if (packet("t1", hook, &f, &run) != DROP || drops("t1", GL_DROP_FLOW_TABLE_FULL) != 2)
		complain("a translated flow 3 of 2 was not refused");
	if (flow_count("tiny") != 4)
		complain("%zu entries for 2 flows", flow_count("tiny"));
	f = (struct frame){ ETH("t2", "t1"), UDP("t1", 1000, "t2", 53) };
	if (packet("t1", hook, &f, &run) != SEND)
		complain("an established flow was refused");
	f = (struct frame){ ETH("t1", "t2"), UDP("t2", 53, "t1", 1001) };
	if (packet("t2", hook, &f, &run) != SEND)
		complain("an answer was refused");
	if (packet("n1", hook, &other, &run) != SEND)
		complain("another tenant's flow was refused");
	result(true, "%s a full table refuses new flows of that tenant alone", hook_name(hook));
}

/* A share with room for one entry more: nothing half is left behind. */
static void table_is_nearly_full(enum hook hook)
{
	struct frame f = { ETH("t2", "t1"), UDP("t1", 1000, "t2", 53) };
	struct flow lone = { .key = { .src_be.w[0] = 1, .proto = 17 } };
	struct run run;

	flows_clear();
	packet("t1", hook, &f, &run);
	flow_put("tiny", &lone);
	f.sport = 1001;
	if (packet("t1", hook, &f, &run) != DROP || flow_count("tiny") != 3)
		complain("%zu entries, not 3", flow_count("tiny"));
	f = (struct frame){ ETH("gw:tiny/net", "t1"), UDP("t1", 1002, OUT, 53) };
	if (packet("t1", hook, &f, &run) != DROP || flow_count("tiny") != 3)
		complain("%zu entries after a translated flow, not 3", flow_count("tiny"));
	result(true, "%s no half of a flow is left where the other half finds no room", hook_name(hook));
}

void test_limits(void)
{
	for (int hook = HOOK_XDP; hook <= HOOK_TC; hook++) {
		ports_run_out(hook);
		table_is_full(hook);
		table_is_nearly_full(hook);
	}
}

/* ---- changes ---------------------------------------------------------------------------------------------- */

static void a_rule_is_taken_away(enum hook hook, bool answer)
{
	const struct frame ask = { ETH(GW, "n1"), TCP("n1", 1000, "nb", 80, SYN) };
	const struct frame reply = { ETH(GWB, "nb"), TCP("nb", 80, "n1", 1000, SYN | ACK) };

	flows_clear();
	expect(SEND, "n1", hook, ask, "the first packet");
	expect(SEND, "nb", hook, reply, "its answer");
	expect(SEND, "n2", hook, (struct frame){ ETH("n1", "n2"), UDP("n2", 1, "n1", 1) }, "another flow");
	apply_with("subnets: [10.0.1.0/24], open_to: tenant", "subnets: [10.0.1.0/24], open_to: network");
	if (answer)
		expect(DROP, "nb", hook, reply, "an answer afterwards");
	else
		expect(DROP, "n1", hook, ask, "a packet afterwards");
	if (flow_count("acme") != 2)
		complain("%zu entries are left, not 2", flow_count("acme"));
	expect(SEND, "n2", hook, (struct frame){ ETH("n1", "n2"), UDP("n2", 1, "n1", 1) }, "the other flow");
	back();
	result(true, "%s a rule taken away cuts its flows with the next %s", hook_name(hook),
	       answer ? "answer" : "packet");
}

static void a_mapping_stays(enum hook hook)
{
	struct frame ask = { ETH(GWN, "p1"), UDP("p1", 1000, OUT, 53), .len = 3 };
	struct frame answer = { ETH("wan", "hop"), UDP(OUT, 53, NARROW, 0), .len = 3 };
	struct flow was, now;
	struct run run;

	flows_clear();
	packet("p1", hook, &ask, &run);
	answer.dport = port_out(&run);
	expect(SEND, "wan", hook, answer, "the answer");
	if (!flow_find("narrow", 17, "p1", 1000, OUT, 53, &was))
		complain("there is no flow");
	back();
	expect(SEND, "p1", hook, ask, "a packet after the same definition");
	if (!flow_find("narrow", 17, "p1", 1000, OUT, 53, &now) || now.val.gen != was.val.gen)
		complain("the same definition has another generation");
	for (int reply = 0; reply < 2; reply++) {
		/* another guest of the tenant moves */
		apply_with("tap: p2, mac: '52:54:00:00:00:02', network: net, addresses: [10.0.0.12]",
			   reply ? "tap: p2, mac: '52:54:00:00:00:02', network: net, addresses: [10.0.0.13]"
				 : "tap: p2, mac: '52:54:00:00:00:02', network: net, addresses: [10.0.0.14]");
		if (reply) {
			expect(SEND, "wan", hook, answer, "the answer after a change");
		} else if (packet("p1", hook, &ask, &run) != SEND || port_out(&run) != answer.dport) {
			complain("port %u became %u", answer.dport, port_out(&run));
		}
		if (!flow_find("narrow", 17, "p1", 1000, OUT, 53, &now) || now.val.created != was.val.created ||
		    now.val.packets < 2 || now.val.gen == was.val.gen || now.val.state != GL_FLOW_ASSURED)
			complain("the flow does not go on");
		back();
	}
	if (flow_count("narrow") != 2)
		complain("%zu entries for one flow", flow_count("narrow"));
	result(true, "%s a change elsewhere leaves a mapping as it is", hook_name(hook));
}

static void a_pool_moves(enum hook hook)
{
	struct frame ask = { ETH(GWN, "p1"), UDP("p1", 1000, OUT, 53), .len = 3 };
	struct frame answer = { ETH("wan", "hop"), UDP(OUT, 53, NARROW, 0), .len = 3 };
	struct run run;

	flows_clear();
	packet("p1", hook, &ask, &run);
	answer.dport = port_out(&run);
	apply_with("addresses: [203.0.113.13], ports: 50048-50111", "addresses: [203.0.113.13], ports: 60032-60095");
	expect(DROP, "wan", hook, answer, "an answer to the old port");
	if (packet("p1", hook, &ask, &run) != SEND || port_out(&run) < 60032 || port_out(&run) > 60095)
		complain("the next packet has port %u", port_out(&run));
	answer.dport = port_out(&run);
	expect(SEND, "wan", hook, answer, "an answer to the new port");
	if (flow_count("narrow") != 2)
		complain("%zu entries for one flow", flow_count("narrow"));
	back();
	result(true, "%s a pool that moves takes its mappings with it", hook_name(hook));
}

static void a_forward_goes(enum hook hook, bool answer)
{
	const struct frame ask = { ETH("wan", "hop"), TCP(OUT, 5000, "203.0.113.10", 8080, SYN) };
	const struct frame reply = { ETH(GW, "n1"), TCP("n1", 80, OUT, 5000, SYN | ACK) };

	flows_clear();
	expect(SEND, "wan", hook, ask, "the first packet");
	expect(SEND, "n1", hook, reply, "its answer");
	apply_with("address: 203.0.113.10, port: 8080", "address: 203.0.113.10, port: 8088");
	if (!answer)
		expect(DROP, "wan", hook, ask, "a packet afterwards");
	expect(DROP, "n1", hook, reply, "an answer afterwards");
	if (flow_count("acme"))
		complain("%zu entries are left", flow_count("acme"));
	back();
	result(true, "%s a forwarded port taken away cuts its flows with the next %s", hook_name(hook),
	       answer ? "answer" : "packet");
}

static void an_address_goes(enum hook hook)
{
	const struct frame ask = { ETH("wan", "hop"), UDP(OUT, 5000, "203.0.113.20", 99) };
	const struct frame reply = { ETH(GW, "n3"), UDP("n3", 99, OUT, 5000) };

	flows_clear();
	expect(SEND, "wan", hook, ask, "the first packet");
	apply_with(", floating_ips: [203.0.113.20]", "");
	/* nobody's address now: the host's matter */
	expect(PASS, "wan", hook, ask, "a packet afterwards");
	expect(DROP, "n3", hook, reply, "an answer afterwards");
	back();
	result(true, "%s a floating address taken away is nobody's", hook_name(hook));
}

/* The port is the host's now: its packets pass, the guest's answers do not. */
static void a_port_of_the_host_goes(enum hook hook)
{
	const struct frame ask = { ETH("wan", "neighbour"), TCP("neighbour", 5000, "192.0.2.1", 8081, SYN) };
	const struct frame reply = { ETH("gw:acme/host", "nh"), TCP("nh", 80, "neighbour", 5000, SYN | ACK) };

	flows_clear();
	expect(SEND, "wan", hook, ask, "the first packet");
	expect(SEND, "nh", hook, reply, "its answer");
	apply_with("address: 192.0.2.1, port: 8081", "address: 192.0.2.1, port: 8082");
	expect(PASS, "wan", hook, ask, "a packet afterwards");
	expect(DROP, "nh", hook, reply, "an answer afterwards");
	back();
	result(true, "%s a port of the host's own address is the host's again", hook_name(hook));
}

/* The opener's slot has been given to an interface of another tenant, at the same address. */
static void a_slot_is_given_away(enum hook hook)
{
	const struct frame ask = { ETH(GW, "n1"), TCP("n1", 1000, "nb", 80, SYN) };
	const struct frame reply = { ETH(GWB, "nb"), TCP("nb", 80, "n1", 1000, SYN | ACK) };
	struct gl_port_val was = port_read("n1"), now = port_read("g1");
	struct flow flow;

	flows_clear();
	expect(SEND, "n1", hook, ask, "the first packet");
	expect(SEND, "nb", hook, reply, "its answer");
	for (int i = 0; i < 2; i++) {
		if (i ? !flow_find("acme", 6, "nb", 80, "n1", 1000, &flow)
		      : !flow_find("acme", 6, "n1", 1000, "nb", 80, &flow))
			complain("there is no flow");
		flow.val.gen++;
		flow_put("acme", &flow);
	}
	now.ifindex = was.ifindex;
	port_write("n1", &now);
	expect(DROP, "nb", hook, reply, "an answer afterwards");
	if (flow_count("acme"))
		complain("%zu entries are left", flow_count("acme"));
	port_write("n1", &was);
	result(true, "%s a slot given to another tenant gets no answers of the last one", hook_name(hook));
}

void test_changes(void)
{
	for (int hook = HOOK_XDP; hook <= HOOK_TC; hook++) {
		a_rule_is_taken_away(hook, false);
		a_rule_is_taken_away(hook, true);
		a_mapping_stays(hook);
		a_pool_moves(hook);
		a_forward_goes(hook, false);
		a_forward_goes(hook, true);
		an_address_goes(hook);
		a_port_of_the_host_goes(hook);
		a_slot_is_given_away(hook);
	}
}

/* ---- expiry ----------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint8_t proto, state;
	uint32_t idle, answer_idle;
	bool stays;
} ages[] = {
	{ "UDP, new, idle for 58 seconds at most", 17, GL_FLOW_NEW, GL_SECONDS_UDP - 20, 1000, true },
	{ "UDP, new, idle for too long", 17, GL_FLOW_NEW, GL_SECONDS_UDP + 1, 1000, false },
	{ "UDP, answered", 17, GL_FLOW_ASSURED, GL_SECONDS_UDP + 1, 1000, true },
	{ "UDP, answered, idle for too long", 17, GL_FLOW_ASSURED, GL_SECONDS_UDP_ASSURED + 1, 1000, false },
	{ "UDP, kept by its answers", 17, GL_FLOW_ASSURED, 100000, 5, true },
	{ "TCP, new", 6, GL_FLOW_SYN_SENT, GL_SECONDS_TCP_OPENING + 1, 100000, false },
	{ "TCP, established", 6, GL_FLOW_ESTABLISHED, GL_SECONDS_TCP_ESTABLISHED - 60, 100000, true },
	{ "TCP, established, idle for too long", 6, GL_FLOW_ESTABLISHED, GL_SECONDS_TCP_ESTABLISHED + 1, 100000,
	  false },
	{ "TCP, closed", 6, GL_FLOW_CLOSED, GL_SECONDS_TCP_CLOSED + 1, 100000, false },
	{ "ICMP", 1, GL_FLOW_ASSURED, GL_SECONDS_ICMP + 1, 100000, false },
	{ "GRE", 47, GL_FLOW_NEW, GL_SECONDS_OTHER - 60, 100000, true },
	{ "GRE, idle for too long", 47, GL_FLOW_NEW, GL_SECONDS_OTHER + 1, 100000, false },
};
#define AGES (sizeof(ages) / sizeof(*ages))

/* What another tenant asks for in the place of these. */
#define OWN_TIMEOUTS                                                                                                   \
	"    timeouts: {tcp_opening: 100, tcp_established: 200, tcp_closing: 300, tcp_closed: 400, udp: 500,\n"        \
	"               udp_assured: 600, icmp: 700, other: 800}\n"
static const struct {
	uint8_t proto, state;
	uint32_t seconds;
} own_ages[] = {
	{ 6, GL_FLOW_SYN_SENT, 100 },	 { 6, GL_FLOW_SYN_BOTH, 100 },	{ 6, GL_FLOW_SYN_RECEIVED, 100 },
	{ 6, GL_FLOW_ESTABLISHED, 200 }, { 6, GL_FLOW_FIN_WAIT, 300 },	{ 6, GL_FLOW_CLOSE_WAIT, 300 },
	{ 6, GL_FLOW_TIME_WAIT, 400 },	 { 6, GL_FLOW_CLOSED, 400 },	{ 17, GL_FLOW_NEW, 500 },
	{ 17, GL_FLOW_ASSURED, 600 },	 { 1, GL_FLOW_NEW, 700 },	{ 1, GL_FLOW_ASSURED, 700 },
	{ 47, GL_FLOW_NEW, 800 },	 { 132, GL_FLOW_ASSURED, 800 },
};
#define OWN_AGES (sizeof(own_ages) / sizeof(*own_ages))

/* A flow like the one given, at another port, that has been idle for so many seconds. */
struct pair {
	struct flow ask, answer;
};
static void put_aged(const char *tenant, struct pair pair, uint16_t port, uint8_t proto, uint8_t state, uint32_t idle,
		     uint32_t answer_idle)
{
	pair.ask.key.proto = pair.answer.key.proto = family_proto(proto);
	pair.ask.key.sport_be = pair.answer.key.dport_be = htons(port);
	pair.ask.val.new_sport_be = pair.answer.val.new_dport_be = htons(port);
	pair.ask.val.state = pair.answer.val.state = state;
	pair.ask.val.last_seen -= idle;
	pair.answer.val.last_seen -= answer_idle;
	flow_put(tenant, &pair.ask);
	flow_put(tenant, &pair.answer);
}

/* Both halves, or none of them? */
static bool aged_is(const char *tenant, uint8_t proto, uint16_t port, bool there)
{
	struct flow flow;

	return flow_find(tenant, proto, "n1", port, "n2", 2, &flow) == there &&
	       flow_find(tenant, proto, "n2", 2, "n1", port, &flow) == there;
}

static uint64_t sweep_runs(uint32_t tenant)
{
	struct gl_sweep_val val = { 0 };

	bpf_map_lookup_elem(world.obj.map[GL_MAP_SWEEP], &tenant, &val);
	return val.runs;
}

static uint64_t freed(uint32_t tenant)
{
	struct gl_tenant_stat stat = { 0 };

	bpf_map_lookup_elem(world.obj.map[GL_MAP_TENANT_STAT], &tenant, &stat);
	return stat.freed;
}

void test_sweeper(void)
{
	const uint32_t tenants[2] = { tenant_by_name("acme"), tenant_by_name("globex") };
	struct frame f = { ETH("n2", "n1"), UDP("n1", 1, "n2", 2) };
	uint64_t before[2], was_freed;
	struct gl_diag diag = { 0 };
	struct pair pair;
	struct flow lone;
	struct run run;

	apply_with("  - name: globex\n", "  - name: globex\n" OWN_TIMEOUTS);
	flows_clear();
	packet("n1", HOOK_TC, &f, &run);
	if (!flow_find("acme", 17, "n1", 1, "n2", 2, &pair.ask) ||
	    !flow_find("acme", 17, "n2", 2, "n1", 1, &pair.answer)) {
		result(false, "the sweeper: there is no flow");
		return;
	}
	for (size_t i = 0; i < AGES; i++)
		put_aged("acme", pair, 1000 + i, ages[i].proto, ages[i].state, ages[i].idle, ages[i].answer_idle);
	for (size_t i = 0; i < OWN_AGES; i++)
		for (int old = 0; old < 2; old++) {
			uint32_t idle = own_ages[i].seconds + (old ? 1 : -60);

			put_aged("globex", pair, 2000 + 2 * i + old, own_ages[i].proto, own_ages[i].state, idle, idle);
		}
	/* an answer without its opener */
	lone = pair.answer;
	lone.key.sport_be = lone.val.new_sport_be = htons(999);
	lone.val.last_seen -= 60;
	flow_put("acme", &lone);
	was_freed = freed(tenants[1]);
	for (int i = 0; i < 2; i++) {
		before[i] = sweep_runs(tenants[i]);
		/* starting it again does no harm */
		for (int again = 0; again < 2; again++)
			if (gl_sweep_start(&world.obj, tenants[i], &diag))
				complain("the timer did not start");
	}
	for (int i = 0; i < 150 && (sweep_runs(tenants[0]) == before[0] || sweep_runs(tenants[1]) == before[1]); i++)
		usleep(100000);
	result(sweep_runs(tenants[0]) != before[0] && sweep_runs(tenants[1]) != before[1], "the sweeper runs");
	for (size_t i = 0; i < AGES; i++)
		result(aged_is("acme", ages[i].proto, 1000 + i, ages[i].stays), "the sweeper: %s %s", ages[i].name,
		       ages[i].stays ? "stays" : "goes");
	for (size_t i = 0; i < OWN_AGES; i++)
		result(aged_is("globex", own_ages[i].proto, 2000 + 2 * i, true) &&
			       aged_is("globex", own_ages[i].proto, 2001 + 2 * i, false),
		       "the sweeper: a tenant's own %u seconds of protocol %u in state %u", own_ages[i].seconds,
		       own_ages[i].proto, own_ages[i].state);
	result(freed(tenants[1]) - was_freed == OWN_AGES, "the sweeper counts what it takes away");
	result(!flow_find("acme", 17, "n2", 999, "n1", 1, &lone), "the sweeper: an answer without its opener goes");
	result(flow_find("acme", 17, "n1", 1, "n2", 2, &lone), "the sweeper: a fresh flow stays");
	gl_diag_clear(&diag);
	for (int i = 0; i < 2; i++)
		bpf_map_update_elem(world.obj.map[GL_MAP_SWEEP], &tenants[i], &(struct gl_sweep_val){ 0 }, BPF_ANY);
	back();
}
