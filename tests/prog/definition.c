/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The definition that most rows are about: every mode, every kind of public address, tenants that overlap.
 * The tap's name says the network's mode: n nat, r routed, i isolated, b bridge. Neighbours: prog.h, rows_*.c. */
#include "prog.h"

#define TAP(tap, mac, net, addr) "{tap: " tap ", mac: '52:54:00:00:00:" mac "', network: " net ", addresses: [" addr "]"

const char *const definition =
	"version: 1\n"
	"uplinks:\n"
	"  - {name: wan, interface: wan}\n"
	"  - {name: lan, interface: lan}\n"
	"tenants:\n"
	"  - name: acme\n"
	"    networks:\n"
	/* one port alone, so that what comes out is known */
	"      - {name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24],\n"
	"         nat: {addresses: [203.0.113.10], ports: 40000-40000}}\n"
	"      - {name: back, mode: nat, uplink: wan, subnets: [10.0.1.0/24], open_to: tenant,\n"
	"         nat: {addresses: [203.0.113.10], ports: 40001-40001}}\n"
	"      - {name: shut, mode: nat, uplink: wan, subnets: [10.0.2.0/24],\n"
	"         nat: {addresses: [203.0.113.10], ports: 40002-40002}}\n"
	"      - {name: host, mode: nat, uplink: wan, subnets: [10.0.3.0/24], nat: {ports: 20000-20000}}\n"
	"      - {name: open, mode: routed, uplink: wan, subnets: [198.51.100.0/26], open_to: anywhere}\n"
	"      - {name: closed, mode: routed, uplink: wan, subnets: [198.51.100.64/26]}\n"
	"      - {name: lab, mode: isolated, subnets: [192.168.7.0/24]}\n"
	"      - {name: quiet, mode: isolated, subnets: [192.168.8.0/24], broadcast: false}\n"
	"    guests:\n"
	"      - name: n1\n"
	"        interfaces:\n"
	"          - " TAP(
		"n1", "01",
		"front", "10.0.0.11") ", allowed_address_pairs: [10.0.0.100/32]}\n"
				      "        port_forwards:\n"
				      "          - {proto: tcp, address: 203.0.113.10, port: 8080, to: 80}\n"
				      "          - {proto: udp, address: 203.0.113.10, port: 53, to: 5353}\n"
				      "      - {name: n2, interfaces: [" TAP(
					      "n2", "02",
					      "front", "10.0.0.12") ", allowed_address_pairs: [10.0.0.100/32]}]}\n"
								    "      - {name: n3, interfaces: [" TAP("n3",
													   "03", "front", "10.0.0.13") ", floating_ips: [203.0.113.20]}]}\n"
																       "      - {name: nb, interfaces: [" TAP(
																	       "nb", "04", "back", "10.0.1.11") "}]}\n"
																						"      - {name: ns, interfaces: [" TAP("ns", "05", "shut", "10.0.2.11") "}]}\n"
																															"      - name: nh\n"
																															"        interfaces: [" TAP("nh",
																																		    "06", "host", "10.0.3.11") "}]\n"
																																					       "        port_forwards: [{proto: tcp, address: 192.0.2.1, port: 8081, to: 80}]\n"
																																					       "      - {name: r1, interfaces: [" TAP("r1",
																																										      "07", "open", "198.51.100.10") ", allowed_address_pairs: [198.51.100.16/28]}]}\n"
																																														     "      - {name: r2, interfaces: [" TAP("r2",
																																																			    "08", "closed", "198.51.100.70") "}]}\n"
																																																							     "      - {name: i1, interfaces: [" TAP(
																																																								     "i1",
																																																								     "09",
																																																								     "lab",
																																																								     "192.168.7.11") "}]}\n"
																																																										     "      - {name: i2, interfaces: [" TAP(
																																																											     "i2",
																																																											     "0a", "lab", "192.168.7.12") "}]}\n"
																																																															  "      - {name: q1, interfaces: [" TAP(
																																																																  "q1", "0b", "quiet", "192.168.8.11") "}]}\n"
																																																																				       "      - {name: slow, interfaces: [" TAP("slow",
																																																																										"0c",
																																																																										"back", "10.0.1.13") "}]}\n"
																																																																												     /* the same subnet, addresses and MACs again */
																																																																												     "  - name: globex\n"
																																																																												     "    networks:\n"
																																																																												     "      - {name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24],\n"
																																																																												     "         nat: {addresses: [203.0.113.11], ports: 40000-40000}}\n"
																																																																												     "    guests:\n"
																																																																												     "      - name: g1\n"
																																																																												     "        interfaces: [" TAP("g1",
																																																																																 "01",
																																																																																 "front",
																																																																																 "10.0.0.11") "}]\n"
																																																																																	      "        port_forwards: [{proto: tcp, address: 203.0.113.11, port: 8080, to: 80}]\n"
																																																																																	      "      - {name: g2, interfaces: [" TAP("g2",
																																																																																						     "02",
																																																																																						     "front", "10.0.0.12") ", floating_ips: [192.0.2.21]}]}\n"
																																																																																									   /* two flows in all */
																																																																																									   "  - name: tiny\n"
																																																																																									   "    max_flows: 2\n"
																																																																																									   "    networks:\n"
																																																																																									   "      - {name: net, mode: nat, uplink: wan, subnets: [10.0.0.0/24],\n"
																																																																																									   "         nat: {addresses: [203.0.113.12], ports: 50048-50111}}\n"
																																																																																									   "    guests:\n"
																																																																																									   "      - {name: t1, interfaces: [" TAP(
																																																																																										   "t1", "01", "net", "10.0.0.11") "}]}\n"
																																																																																														   "      - {name: t2, interfaces: [" TAP("t2", "02", "net", "10.0.0.12") "}]}\n"
																																																																																																							  /* sixty-four ports */
																																																																																																							  "  - name: narrow\n"
																																																																																																							  "    networks:\n"
																																																																																																							  "      - {name: net, mode: nat, uplink: wan, subnets: [10.0.0.0/24],\n"
																																																																																																							  "         nat: {addresses: [203.0.113.13], ports: 50048-50111}}\n"
																																																																																																							  "    guests:\n"
																																																																																																							  "      - {name: p1, interfaces: [" TAP(
																																																																																																								  "p1",
																																																																																																								  "01", "net", "10.0.0.11") "}]}\n"
																																																																																																											    "      - {name: p2, interfaces: [" TAP("p2",
																																																																																																																   "02",
																																																																																																																   "net",
																																																																																																																   "10.0.0.12") "}]}\n"
																																																																																																																		"  - name: bridged\n"
																																																																																																																		"    networks:\n"
																																																																																																																		"      - {name: desk, mode: bridge, uplink: lan, subnets: [172.16.0.0/24], gateways: [172.16.0.254]}\n"
																																																																																																																		"      - {name: phones, mode: bridge, uplink: lan, vlan: 20, subnets: [172.16.20.0/24], open_to: anywhere}\n"
																																																																																																																		"    guests:\n"
																																																																																																																		"      - {name: b1, interfaces: [" TAP("b1",
																																																																																																																						       "b1", "desk", "172.16.0.11") "}]}\n"
																																																																																																																										    "      - {name: b2, interfaces: [" TAP("b2", "b2", "desk", "172.16.0.12") ", allowed_address_pairs: [172.16.0.100/32]}]}\n"
																																																																																																																																			      "      - {name: v1, interfaces: [" TAP(
																																																																																																																																				      "v1",
																																																																																																																																				      "c1",
																																																																																																																																				      "phones",
																																																																																																																																				      "172.16.20.11") "}]}\n"
																																																																																																																																						      "      - {name: v2, interfaces: [" TAP("v2",
																																																																																																																																											     "c2",
																																																																																																																																											     "phones",
																																																																																																																																											     "172.16.20.12") "}]}\n";
