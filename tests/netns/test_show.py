#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
"""Does the command line tell what the programs do, and does `flows delete` cut what it says, and nothing else?

Real flows of real stacks behind veths: through security groups, through NAT, through a port forward, and of a tenant
without any groups.
"""
import contextlib
import datetime
import json
import os
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gl
from gl import SERVER_IP, Echo, Failed, ensure, family, ip, udp_ask, wait_for

DEFINITION = """
version: 1
uplinks: [{ name: wan, interface: wan }]
tenants:
  - name: red
    max_flows: 512
    security_groups:
      - name: web
        ingress:
          - { proto: icmp, icmp_type: 8 }
          - { proto: tcp, ports: [80, 8000-8010] }
      - name: db
        ingress:
          - { proto: udp, ports: 9, remote_ip: 10.0.0.0/24 }
          - { proto: tcp, ports: 5432, remote_group: web }
          - { proto: udp, ports: 53, remote_group: web }
        egress: []
      - { name: idle, ingress: [{ proto: sctp }] }
    networks:
      - { name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24],
          nat: { addresses: [198.51.100.20], ports: 40000-40063 } }
    guests:
      - name: a
        interfaces:
          - { tap: tap-a, mac: "52:54:00:00:00:01", network: front, addresses: [10.0.0.11], security_groups: [web] }
        port_forwards: [{ proto: tcp, address: 198.51.100.20, port: 8080, to: 80 }]
      - name: b
        interfaces:
          - { tap: tap-b, mac: "52:54:00:00:00:02", network: front, addresses: [10.0.0.12], security_groups: [db] }
  - name: blue
    networks:
      - { name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24],
          nat: { addresses: [198.51.100.10], mapping: endpoint-independent } }
    guests:
      - name: x
        interfaces: [{ tap: tap-x, mac: "52:54:00:00:00:01", network: front, addresses: [10.0.0.11] }]
"""


class Site:
    """a (groups: web) and b (db) of red, x of blue (endpoint-independent), with servers on b, a and outside."""

    def __init__(self):
        self.lab = lab = gl.Lab()
        self.a = lab.guest("a", "10.0.0.11/24", "10.0.0.1", "52:54:00:00:00:01", kind="veth")
        self.b = lab.guest("b", "10.0.0.12/24", "10.0.0.1", "52:54:00:00:00:02", kind="veth")
        self.x = lab.guest("x", "10.0.0.11/24", "10.0.0.1", "52:54:00:00:00:01", kind="veth")
        lab.apply(DEFINITION)
        self.servers = [Echo(lab.out, tcp=(80,), udp=(53,)), Echo(self.a, tcp=(80, 8005)),
                        Echo(self.b, tcp=(5432,), udp=(53, 9))]

    def flows(self, *filters):
        return self.lab.show("flows", *filters)

    def flow(self, *filters):
        """The one flow that the filters leave."""
        rows = self.flows(*filters)
        ensure(len(rows) == 1, lambda: f"{len(rows)} flows for {filters}: {rows}")
        return rows[0]

    def delete(self, *filters):
        return json.loads(self.lab.gl("-j", "flows", "delete", *(ip(f) for f in filters)).stdout)["deleted"]

    def people(self, *what):
        """The cells of a table for people, row by row; two spaces or more lie between them."""
        lines = self.lab.gl("show", *what).stdout.split("\n")
        return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines if line.strip()]


def shown(fn):
    """A test of the site whose definition is in the family whose turn it is, and in no other."""
    def run(s):
        if tuple(s.lab.families) != (family.now(),):
            s.lab.families = (family.now(),)
            s.lab.apply("version: 1\n")  # its tenants begin at nothing
            s.lab.apply(DEFINITION)
        fn(s)

    return sited(gl.like(run, fn))


sited = gl.shared(Site)


def say(sock, text=b"hello"):
    """One question and its answer on an open connection to an Echo server."""
    sock.sendall(text)
    answer = b""
    while not answer.endswith(text):
        part = sock.recv(65536)
        ensure(part, "the connection was closed")
        answer += part
    return answer


def is_cut(sock):
    """Whether a connection that worked no longer does: what is sent is not answered, or it is reset."""
    sock.settimeout(1.0)
    try:
        say(sock)
    except (OSError, Failed):
        return True
    return False


def end(row, direction):
    e = row["admitted"][direction]
    return e["by"], e["group"], e["rule"]


@shown
def flows_tell_their_rule(s):
    """`show flows` tells the rule, or the group, that let a flow through at each end, with both directions' figures"""
    with contextlib.closing(s.a.connect("10.0.0.12", 5432)) as c:
        say(c, b"q" * 1000)
        row = s.flow("--tap", "tap-b", "--proto", "tcp", "--dport", "5432", "--src", "10.0.0.11")
        ensure(end(row, "ingress") == ("rule", "db", 2), f"ingress: {row['admitted']}")
        ensure(end(row, "egress") == ("all", "web", None), f"egress: {row['admitted']}")
        ensure(row["state"] == row["tcp_state"] == "established", f"state: {row['state']}")
        ensure(row["packets"] >= 3 and row["bytes"] > 1000 and row["reply_packets"] >= 2 and row["reply_bytes"] > 1000,
               f"figures: {row}")
        ensure(row["stale"] is False and row["nat_src"] is None, f"neither stale nor translated: {row}")
        table = s.people("flows", "--dport", "5432")
        ensure(len(table) == 2 and table[1][-1] == "web egress all, db ingress 2", f"table: {table}")
        # The opener alone has a row, from whichever end one asks.
        ensure(len(s.flows("--tap", "tap-a", "--dport", "5432")) == 1, "asked from the opener's end")
    udp_ask(s.x, SERVER_IP, 53)
    row = s.flow("--tenant", "blue", "--proto", "17")
    ensure(end(row, "egress")[1:] == (None, None) and row["admitted"]["egress"]["by"] in ("open", "network"),
           f"without groups: {row['admitted']}")
    ensure(row["state"] == "assured" and row["tcp_state"] is None, f"state: {row}")


@shown
def flows_are_found(s):
    """Flows are found by protocol, ends before and after translation, state and group"""
    s.delete("--all")
    with contextlib.closing(s.a.connect(SERVER_IP, 80)) as c:
        say(c)
        ensure(s.a.ping("10.0.0.1"), "the gateway does not answer")
        public = c.getsockname()[1]
        row = s.flow("--sport", str(public), "--src", "10.0.0.11", "--dst", SERVER_IP)
        ensure(row["nat_src"] == "198.51.100.20" and 40000 <= row["nat_sport"] <= 40063, f"translated to {row}")
        for filters in (["--src", "198.51.100.20/32", "--sport", str(row["nat_sport"])], ["--src", "10.0.0.0/24"],
                        ["--proto", "tcp", "--flow-state", "established,syn_sent"], ["--group", "web", "--proto", "6"],
                        ["--sport", "1-65535", "--dport", "80"]):
            ensure(row["sport"] in [r["sport"] for r in s.flows(*filters)], f"not found by {filters}")
        for filters in (["--src", "198.51.100.20", "--sport", str(public)], ["--src", "10.0.0.12"], ["--proto", "udp"],
                        ["--flow-state", "syn_sent"], ["--group", "db"], ["--group", "none"], ["--dport", "81"],
                        ["--tenant", "blue"], ["--tap", "tap-b"], ["--network", "back"]):
            ensure(row["sport"] not in [r["sport"] for r in s.flows(*filters)], f"found by {filters}")


@shown
def nat_shows_all(s):
    """`show nat` lists translated flows, forwards and shares with the ports in use, and the moment a share ran out"""
    s.delete("--all")
    lab = s.lab
    with contextlib.closing(lab.out.connect("198.51.100.20", 8080)) as c:
        say(c)
        rows = lab.show("nat", "--tenant", "red")
        flow = [r for r in rows if r["kind"] == "flow"]
        ensure(len(flow) == 1 and flow[0]["nat_dst"] == "10.0.0.11" and flow[0]["nat_dport"] == 80, f"flows: {flow}")
        row = s.flow("--dst", "198.51.100.20")
        ensure(end(row, "ingress") == ("rule", "web", 2) and row["from_uplink"], f"forwarded: {row}")
        forward = [r for r in rows if r["kind"] == "forward"]
        ensure([(f["port_min"], f["to_address"], f["flows"]) for f in forward] == [(8080, "10.0.0.11", 1)],
               f"{forward}")
    socks = [s.a.udp() for _ in range(80)]
    for u in socks:
        u.sendto(b"x", (SERVER_IP, 5353))
    share = wait_for(lambda: [r for r in lab.show("nat", "--tenant", "red")
                              if r["kind"] == "share" and r["ports_in_use"] == r["ports"] == 64],
                     what=lambda: f"all ports in use: {lab.show('nat', '--tenant', 'red')[-3:]}")
    ensure(len(share) == 1 and share[0]["flows"] == 64, f"share: {share}")
    gone = [r for r in lab.show("nat") if r["kind"] == "refused"]
    ensure(len(gone) == 1 and gone[0]["tenant"] == "red" and gone[0]["reason"] == "NAT_EXHAUSTED", f"refused: {gone}")
    gone = gone[0]
    ensure(gone["count"] == 16 and gone["address"] == "198.51.100.20" and gone["dst"] == SERVER_IP and
           gone["dport"] == 5353 and gone["proto"] == "udp", f"refused: {gone}")
    then = datetime.datetime.fromisoformat(gone["at"].replace("Z", "+00:00"))
    age = (datetime.datetime.now(datetime.timezone.utc) - then).total_seconds()
    ensure(-1 <= age < 60 and gone["ago_ms"] < 60000, f"at {gone['at']}, {gone['ago_ms']} ms ago")
    ensure([r["nat_exhausted"] for r in lab.show("tenants", "--tenant", "red")] == [16], "show tenants")
    # What was cut is free again.
    ensure(s.delete("--dport", "5353") == 64, "64 flows are to be cut")
    socks[0].sendto(b"x", (SERVER_IP, 5353))
    wait_for(lambda: s.flows("--dport", "5353"), what="a port that became free is taken again")
    for u in socks:
        u.close()


@shown
def mappings_are_shown(s):
    """`show nat` lists endpoint-independent mappings, and `flows delete` leaves them"""
    s.delete("--all")

    def mine(kind):
        return [r for r in s.lab.show("nat", "--tenant", "blue") if r["kind"] == kind and r.get("sport") == port]

    with s.x.udp() as u:
        u.sendto(b"x", (SERVER_IP, 53))
        u.recv(100)
        u.sendto(b"x", (SERVER_IP, 5353))
        port = u.getsockname()[1]
        flows = wait_for(lambda: len(mine("flow")) == 2 and mine("flow"), what=lambda: f"two flows: {mine('flow')}")
        outside = {r["nat_sport"] for r in flows}
        mapping = mine("mapping")
        ensure(len(mapping) == 1 and {mapping[0]["nat_sport"]} == outside, f"{mapping}, flows at {outside}")
        ensure((mapping[0]["proto"], mapping[0]["src"], mapping[0]["nat_src"], mapping[0]["tap"]) ==
               ("udp", "10.0.0.11", "198.51.100.10", "tap-x"), f"{mapping}")
        ensure(s.delete("--tenant", "blue", "--sport", str(port)) == 2, "two flows are to be cut")
        ensure(not mine("flow") and len(mine("mapping")) == 1, "after that")
        share = [r for r in s.lab.show("nat", "--tenant", "blue") if r["kind"] == "share"]
        ensure(share[0]["flows"] == 0 and share[0]["ports_in_use"] >= 1, f"{share}")
        u.sendto(b"x", (SERVER_IP, 53))
        u.recv(100)
        ensure({r["nat_sport"] for r in mine("flow")} == outside, "the port stayed")


@shown
def groups_show_rules(s):
    """`show groups` has every rule with what it let through, and every group with its members"""
    s.delete("--all")
    lab = s.lab
    udp_ask(s.a, "10.0.0.12", 53)
    udp_ask(s.a, "10.0.0.12", 9)
    with contextlib.closing(s.a.connect("10.0.0.12", 5432)) as c:
        say(c)
        rows = lab.show("groups")
        groups = {r["group"]: r for r in rows if r["kind"] == "group"}
        rules = {(r["group"], r["direction"], r["rule"]): r for r in rows if r["kind"] == "rule"}
        ensure(sorted(groups) == ["db", "idle", "web"], f"groups: {sorted(groups)}")
        ensure(groups["db"]["members"] == ["tap-b"] and groups["web"]["members"] == ["tap-a"] and
               groups["idle"]["members"] == [], "members")
        ensure(groups["db"]["flows"] == 3 and groups["web"]["flows"] == 3 and groups["idle"]["flows"] == 0,
               f"flows: {groups}")
        ensure([rules["db", "ingress", n]["flows"] for n in (1, 2, 3)] == [1, 1, 1], f"rules of db: {rules}")
        ensure(rules["web", "egress", None]["flows"] == 3, f"web's way out: {rules}")
        ensure(("db", "egress", None) not in rules, "db lets nothing out")
        rule = rules["db", "ingress", 2]
        ensure([rule[k] for k in ("proto", "ports", "remote_group", "remote_ip")] == ["tcp", ["5432"], "web", None],
               f"{rule}")
        ensure(rules["web", "ingress", 2]["ports"] == ["80", "8000-8010"], "ports")
        ensure(rule["packets"] >= 5 and rule["bytes"] > 200, f"figures: {rule}")
        ensure({r["group"] for r in lab.show("groups", "--tap", "tap-b")} == {"db"}, "the groups of an interface")
        ensure({r["group"] for r in lab.show("groups", "--group", "idle")} == {"idle"}, "one group")
        ensure(not lab.show("groups", "--tenant", "blue"), "blue has none")
        # A change of the tenant leaves flows as they are until their next packet.
        lab.apply(DEFINITION.replace("ports: 9,", "ports: 9-10,"))
        rule = [r for r in lab.show("groups", "--group", "db") if r.get("rule") == 2][0]
        ensure((rule["flows"], rule["stale_flows"]) == (1, 1), f"before the next packet: {rule}")
        ensure(s.flow("--dport", "5432")["stale"], "the flow is stale")
        say(c)
        rule = [r for r in lab.show("groups", "--group", "db") if r.get("rule") == 2][0]
        ensure((rule["flows"], rule["stale_flows"]) == (1, 0), f"after it: {rule}")
        lab.apply(DEFINITION)


@shown
def delete_cuts(s):
    """`flows delete` ends an established TCP connection with its next packet; flows that were not named go on"""
    s.delete("--all")
    lab = s.lab
    cut, kept = s.a.connect("10.0.0.12", 5432), s.a.connect(SERVER_IP, 80)
    foreign = s.x.connect(SERVER_IP, 80)
    with cut, kept, foreign:
        for c in (cut, kept, foreign):
            say(c)
        udp_ask(s.a, "10.0.0.12", 53)
        before = lab.drops()
        ensure(s.delete("--tenant", "red", "--proto", "tcp", "--dst", "10.0.0.12", "--dport", "5432") == 1, "one flow")
        ensure(not s.flows("--dport", "5432"), "it is still there")
        ensure(is_cut(cut), "the connection goes on")
        ensure(lab.new_drops(before).get("TCP_NOT_SYN", 0) >= 1, f"drops: {lab.new_drops(before)}")
        say(kept)
        say(foreign)
        ensure(len(s.flows("--proto", "udp", "--dport", "53")) == 1, "the other flow between them is gone")
        # Whoever begins anew may.
        with contextlib.closing(s.a.connect("10.0.0.12", 5432)) as again:
            say(again)
        ensure(s.delete("--tenant", "blue") == 1, "blue had one flow")
        say(kept)
        ensure(is_cut(foreign), "blue's connection goes on")


@shown
def delete_lets_udp_begin(s):
    """UDP that is cut begins anew with its next packet; the answers' entry is gone as well"""
    s.delete("--all")
    with s.a.udp() as u:
        for _ in range(2):
            u.sendto(b"x", ("10.0.0.12", 53))
            u.recv(100)
            ensure(s.flow("--proto", "udp")["state"] == "assured", "the flow was answered")
            ensure(s.delete("--proto", "udp", "--flow-state", "assured") == 1, "one flow")
            left = json.loads(s.lab.gl("-j", "dump", f"gl_flow{family.now()}").stdout)
            ensure(not [r for r in left if r["key"]["proto"] == 17 and "mapp" not in r["key"]["kind"]], f"left behind: {left}")


@shown
def delete_is_counted(s):
    """Every flow that is cut counts as freed, while the programs count in the same place"""
    s.delete("--all")
    freed = lambda: {r["key"]["tenant"]: r["value"]["freed"] for r in
                     json.loads(s.lab.gl("-j", "dump", "gl_tenant_stat").stdout)}
    before = freed()
    stop = threading.Event()

    def load():
        while not stop.is_set():
            with contextlib.suppress(Exception), s.x.udp() as u:
                u.sendto(b"x", (SERVER_IP, 5353))

    t = threading.Thread(target=load, daemon=True)
    t.start()
    deleted = sum(s.delete("--tenant", "blue") for _ in range(20))
    stop.set()
    t.join()
    deleted += s.delete("--tenant", "blue")
    counted = sum(freed().values()) - sum(before.values())
    ensure(deleted > 20 and counted == deleted, f"{deleted} deleted, {counted} counted")


@shown
def delete_wants_words(s):
    """`flows delete` refuses to run without a filter, and says how many it cut"""
    r = s.lab.gl("flows", "delete", check=False)
    ensure(r.returncode == 2 and "--all" in r.stderr, f"{r.returncode}: {r.stderr}")
    s.delete("--all")
    udp_ask(s.a, "10.0.0.12", 53)
    ensure(s.lab.gl("flows", "delete", "--dport", "99").stdout == "0 flows deleted\n", "nothing to cut")
    ensure(s.lab.gl("flows", "delete", "--dport", "53").stdout == "1 flow deleted\n", "one to cut")


@shown
def full_tables_are_told(s):
    """A tenant whose share of flows is used up reads so in `show tenants`, and `show nat` has the moment"""
    lab = s.lab
    s.delete("--all")
    lab.apply(DEFINITION.replace("max_flows: 512", "max_flows: 4"))
    for u in [s.a.udp() for _ in range(20)]:
        u.sendto(b"x", ("10.0.0.12", 9))
        u.close()
    row = wait_for(lambda: [r for r in lab.show("tenants", "--tenant", "red") if r["table_full"]], what="a refusal")[0]
    ensure(0 < row[family.of("flows", "flows_ipv6")] <= row["max_flows"] == 4 and row["table_full"] <= 19, f"{row}")
    full = [r for r in lab.show("nat", "--tenant", "red") if r.get("reason") == "FLOW_TABLE_FULL"]
    ensure(len(full) == 1 and full[0]["count"] >= row["table_full"] and full[0]["ago_ms"] < 60000 and
           full[0]["dst"] is None, f"{full}")
    ensure(full[0]["count"] == lab.drops().get("FLOW_TABLE_FULL"), "every one of them is a drop")
    lab.apply(DEFINITION)


@shown
def tenants_begin_at_nothing(s):
    """A tenant that comes anew has nothing of what its number's last tenant was refused"""
    lab = s.lab
    for u in [s.a.udp() for _ in range(70)]:
        u.sendto(b"x", (SERVER_IP, 5354))
        u.close()
    wait_for(lambda: lab.show("tenants", "--tenant", "red")[0]["nat_exhausted"] > 0, what="a refusal")
    lab.gl("delete", "tenant", "red")
    ensure(not [r for r in lab.show("nat") if r["kind"] == "refused"], "what is gone was refused nothing")
    lab.apply(DEFINITION)
    row = lab.show("tenants", "--tenant", "red")[0]
    ensure((row["nat_exhausted"], row["table_full"], row["flows"]) == (0, 0, 0), f"{row}")
    names = {f["map"]: f for f in lab.status()["maps"]}
    ensure(names["gl_policy"]["used"] == 2 and names["gl_rule"]["used"] > 5 and f"gl_frag{family.now()}" in names, f"{names}")


if __name__ == "__main__":
    gl.main()
