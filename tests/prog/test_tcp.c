/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* TCP between its ends: tables of segments, each with its verdict and the state afterwards. Every table is run on every
 * hook, inside a network and through translation, and with numbers that wrap around on the way.
 * Neighbours: prog.h, bpf/tcp.h (what is tested), test_state.c. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "prog.h"

#define GW "gw:acme/front"
#define OUT "198.18.0.1"
#define NAT "203.0.113.10"
#define NAT_PORT 40000

#define PSH 8
#define GONE 255 /* there is no flow */
#define TORN 254 /* its directions do not agree */
/* Options: window scale 7 among others, as Linux sends it; 0; 255, which stands for 14; two that contradict themselves.
 */
#define WS7 "\2\4\5\xb4\1\3\3\7"
#define WS0 "\3\3\0"
#define WS255 "\1\1\1\3\3\xff"
#define BAD_LENGTH "\2\1\5\xb4\1\3\3\7"
#define BAD_END "\1\1\1\1\1\1\3\3"

enum fate { PASSES = 0, WINDOW, NOT_SYN, TWISTED, UNASKED };

/* Numbers are counted from the beginning of their end's direction. */
struct segment {
	char from; /* '>': the opener; '<': the other end */
	uint8_t flags;
	int64_t seq, ack;
	uint16_t len, win;
	enum fate fate;
	uint8_t state; /* enum gl_flow_state */
	const char *options;
	bool zero; /* seq is 0 itself */
	uint16_t frag;
};

enum way { INSIDE = 1, TRANSLATED };

struct sequence {
	const char *name;
	bool pickup;
	enum way not ; /* 0: every way */
	struct segment segments[16]; /* ended by one without `from` */
};

#define SENT GL_FLOW_SYN_SENT
#define BOTH GL_FLOW_SYN_BOTH
#define RECEIVED GL_FLOW_SYN_RECEIVED
#define OPEN GL_FLOW_ESTABLISHED
#define FIN_WAIT GL_FLOW_FIN_WAIT
#define CLOSE_WAIT GL_FLOW_CLOSE_WAIT
#define TIME_WAIT GL_FLOW_TIME_WAIT
#define CLOSED GL_FLOW_CLOSED

/* The opener's next number is 1, the other's is 1; both announce 8192 bytes. */
#define HANDSHAKE                                                                                                      \
	{ '>', SYN, 0, 0, 0, 8192, PASSES, SENT }, { '<', SYN | ACK, 0, 1, 0, 8192, PASSES, RECEIVED },                \
	{                                                                                                              \
		'>', ACK, 1, 1, 0, 8192, PASSES, OPEN                                                                  \
	}
#define SCALED                                                                                                         \
	{ '>', SYN, 0, 0, 0, 8192, PASSES, SENT, WS7 }, { '<', SYN | ACK, 0, 1, 0, 8192, PASSES, RECEIVED, WS7 },      \
	{                                                                                                              \
		'>', ACK, 1, 1, 0, 8192, PASSES, OPEN                                                                  \
	}

static const struct sequence sequences[] = {
	/* ---- opening */
	{ "three packets open", .segments = { HANDSHAKE } },
	{ "everything is sent twice", .segments = { { '>', SYN, 0, 0, 0, 8192, PASSES, SENT },
						    { '>', SYN, 0, 0, 0, 8192, PASSES, SENT },
						    { '<', SYN | ACK, 0, 1, 0, 8192, PASSES, RECEIVED },
						    { '>', SYN, 0, 0, 0, 8192, PASSES, RECEIVED },
						    { '<', SYN | ACK, 0, 1, 0, 8192, PASSES, RECEIVED },
						    { '>', ACK, 1, 1, 0, 8192, PASSES, OPEN },
						    { '<', SYN | ACK, 0, 1, 0, 8192, PASSES, OPEN },
						    { '>', ACK, 1, 1, 0, 8192, PASSES, OPEN },
						    { '>', SYN, 0, 0, 0, 8192, PASSES, OPEN } } },
	{ "a SYN with other numbers while nobody has answered",
	  .segments = { { '>', SYN, 0, 0, 0, 8192, PASSES, SENT },
			{ '>', SYN, 70000, 0, 0, 8192, PASSES, SENT },
			{ '<', SYN | ACK, 0, 1, 0, 8192, WINDOW, SENT },
			{ '<', SYN | ACK, 0, 70001, 0, 8192, PASSES, RECEIVED },
			{ '>', ACK, 70001, 1, 0, 8192, PASSES, OPEN } } },
	{ "data in the SYN, acknowledged or not", .segments = { { '>', SYN, 0, 0, 100, 8192, PASSES, SENT },
								{ '<', SYN | ACK, 0, 102, 0, 8192, WINDOW, SENT },
								{ '<', SYN | ACK, 0, 0, 0, 8192, WINDOW, SENT },
								{ '<', SYN | ACK, 0, 1, 0, 8192, PASSES, RECEIVED },
								{ '<', SYN | ACK, 0, 101, 0, 8192, PASSES, RECEIVED },
								{ '<', ACK, 1, 101, 500, 8192, PASSES, RECEIVED },
								{ '>', ACK, 101, 501, 0, 8192, PASSES, OPEN } } },
	{ "both open at once", .segments = { { '>', SYN, 0, 0, 0, 8192, PASSES, SENT },
					     { '<', SYN, 0, 0, 0, 8192, PASSES, BOTH },
					     { '>', SYN | ACK, 0, 1, 0, 8192, PASSES, RECEIVED },
					     { '<', SYN | ACK, 0, 1, 0, 8192, PASSES, OPEN },
					     { '>', ACK, 1, 1, 10, 8192, PASSES, OPEN } } },
	{ "both open at once, the other answers first",
	  .segments = { { '>', SYN, 0, 0, 0, 8192, PASSES, SENT },
			{ '<', SYN, 0, 0, 0, 8192, PASSES, BOTH },
			{ '<', SYN, 0, 0, 0, 8192, PASSES, BOTH },
			{ '<', SYN | ACK, 0, 1, 0, 8192, PASSES, RECEIVED },
			{ '>', ACK, 1, 1, 0, 8192, PASSES, OPEN } } },
	{ "both open at once and one is refused", .segments = { { '>', SYN, 0, 0, 0, 8192, PASSES, SENT },
								{ '<', SYN, 0, 0, 0, 8192, PASSES, BOTH },
								{ '<', RST | ACK, 0, 9, 0, 0, WINDOW, BOTH },
								{ '<', RST | ACK, 0, 1, 0, 0, PASSES, CLOSED } } },
	{ "an answer that acknowledges nothing", .segments = { { '>', SYN, 0, 0, 0, 8192, PASSES, SENT },
							       { '<', SYN | ACK, 0, 0, 0, 8192, WINDOW, SENT },
							       { '<', SYN | ACK, 0, 2, 0, 8192, WINDOW, SENT },
							       { '<', SYN | ACK, 0, 100000, 0, 8192, WINDOW, SENT },
							       { '<', SYN | ACK, 0, 1, 0, 8192, PASSES, RECEIVED } } },
	{ "the opener's answer to nothing", .segments = { { '>', SYN, 0, 0, 0, 8192, PASSES, SENT },
							  { '>', SYN | ACK, 0, 1, 0, 8192, WINDOW, SENT },
							  { '>', ACK, 1, 1, 0, 8192, PASSES, SENT } } },
	{ "an acknowledgement of nothing opens nothing",
	  .segments = { { '>', SYN, 0, 0, 0, 8192, PASSES, SENT },
			{ '<', SYN | ACK, 0, 1, 0, 8192, PASSES, RECEIVED },
			{ '>', ACK, 1, 100, 0, 8192, PASSES, RECEIVED },
			{ '>', 0, 1, 0, 0, 8192, PASSES, RECEIVED },
			{ '>', FIN | ACK, 1, 100, 0, 8192, WINDOW, RECEIVED },
			{ '>', ACK, 1, 1, 0, 8192, PASSES, OPEN } } },
	{ "a refusal must acknowledge the SYN",
	  .segments = { { '>', SYN, 0, 0, 0, 8192, PASSES, SENT },
			{ '<', RST, 0, 0, 0, 0, WINDOW, SENT },
			{ '<', RST, 1, 0, 0, 0, WINDOW, SENT, .zero = true },
			{ '<', RST | ACK, 0, 2, 0, 0, WINDOW, SENT, .zero = true },
			{ '<', RST | ACK, 0, 1, 0, 0, PASSES, CLOSED, .zero = true } } },
	{ "a refusal once more, and another attempt",
	  .segments = { { '>', SYN, 0, 0, 0, 8192, PASSES, SENT },
			{ '<', RST | ACK, 0, 1, 0, 0, PASSES, CLOSED, .zero = true },
			{ '>', SYN, 5000, 0, 0, 8192, PASSES, SENT },
			{ '<', RST | ACK, 0, 5001, 0, 0, PASSES, CLOSED, .zero = true } } },
	{ "a refusal of a SYN whose answer was lost",
	  .segments = { { '>', SYN, 0, 0, 0, 8192, PASSES, SENT },
			{ '<', SYN | ACK, 0, 1, 0, 8192, PASSES, RECEIVED },
			{ '>', SYN, 0, 0, 0, 8192, PASSES, RECEIVED },
			{ '<', RST | ACK, 0, 1, 0, 0, PASSES, CLOSED, .zero = true } } },
	{ "a challenge, the reset that follows, and the SYN again",
	  .segments = { { '>', SYN, 0, 0, 0, 8192, PASSES, SENT },
			{ '<', ACK, 900000, 800000, 0, 8192, PASSES, SENT },
			{ '>', RST, 800000, 0, 0, 0, PASSES, SENT },
			{ '>', SYN, 0, 0, 0, 8192, PASSES, SENT },
			{ '<', SYN | ACK, 0, 1, 0, 8192, PASSES, RECEIVED } } },
	{ "FIN before anything is open", .segments = { { '>', SYN, 0, 0, 0, 8192, PASSES, SENT },
						       { '>', FIN | ACK, 1, 1, 0, 8192, WINDOW, SENT },
						       { '<', FIN | ACK, 1, 1, 0, 8192, WINDOW, SENT } } },
	{ "FIN with the acknowledgement that opens",
	  .segments = { { '>', SYN, 0, 0, 0, 8192, PASSES, SENT },
			{ '<', SYN | ACK, 0, 1, 0, 8192, PASSES, RECEIVED },
			{ '>', FIN | ACK, 1, 1, 0, 8192, PASSES, FIN_WAIT },
			{ '<', FIN | ACK, 1, 2, 0, 8192, PASSES, TIME_WAIT } } },
	{ "the opener gives up",
	  .segments = { { '>', SYN, 0, 0, 0, 8192, PASSES, SENT }, { '>', RST, 1, 0, 0, 0, PASSES, CLOSED } } },
	{ "flags that nobody sends together", .segments = { { '>', SYN | FIN, 0, 0, 0, 8192, TWISTED, GONE },
							    { '>', SYN | RST, 0, 0, 0, 8192, TWISTED, GONE } } },
	{ "what is no beginning", .segments = { { '>', ACK, 0, 0, 10, 8192, NOT_SYN, GONE },
						{ '>', SYN | ACK, 0, 1, 0, 8192, NOT_SYN, GONE },
						{ '>', FIN | ACK, 0, 1, 0, 8192, NOT_SYN, GONE },
						{ '>', RST, 0, 0, 0, 8192, NOT_SYN, GONE },
						{ '>', 0, 0, 0, 0, 8192, NOT_SYN, GONE } } },

	/* ---- open */
	{ "data both ways, lost, again, reordered",
	  .segments = { HANDSHAKE,
			{ '>', ACK | PSH, 1, 1, 1000, 8192, PASSES, OPEN },
			{ '>', ACK, 3001, 1, 1000, 8192, PASSES, OPEN }, /* ahead of two */
			{ '<', ACK, 1, 1001, 0, 8192, PASSES, OPEN },
			{ '>', ACK, 1001, 1, 1000, 8192, PASSES, OPEN },
			{ '>', ACK, 2001, 1, 1000, 8192, PASSES, OPEN },
			{ '<', ACK, 1, 4001, 700, 0, PASSES, OPEN }, /* and its window is full */
			{ '>', ACK, 4000, 701, 1, 8192, PASSES, OPEN }, /* keep-alive */
			{ '>', ACK, 4001, 701, 1, 8192, PASSES, OPEN }, /* window probe */
			{ '<', ACK, 701, 4002, 0, 8192, PASSES, OPEN },
			{ '>', FIN | ACK, 4002, 701, 0, 8192, PASSES, FIN_WAIT } } },
	{ "a segment in fragments counts as far as its head tells",
	  .segments = { HANDSHAKE,
			{ '>', ACK, 1, 1, 84, 8192, PASSES, OPEN, .frag = MF },
			{ '<', ACK, 1, 2001, 0, 8192, PASSES, OPEN },
			{ '>', ACK, 2001, 1, 100, 8192, PASSES, OPEN },
			{ '<', ACK, 1, 2101, 0, 8192, PASSES, OPEN },
			{ '>', FIN | ACK, 2101, 1, 0, 8192, PASSES, FIN_WAIT } } },
	{ "resets that are not exact",
	  .segments = { HANDSHAKE,
			{ '<', ACK, 1, 1, 500, 8192, PASSES, OPEN },
			{ '<', RST, 0, 0, 0, 0, WINDOW, OPEN },
			{ '<', RST, -100000, 0, 0, 0, WINDOW, OPEN },
			{ '<', RST | ACK, 100000, 1, 0, 0, WINDOW, OPEN },
			{ '<', RST, 8193, 0, 0, 0, WINDOW, OPEN }, /* the first behind the window */
			{ '<', RST, 8192, 0, 0, 0, PASSES, OPEN },
			{ '<', RST, 2, 0, 0, 0, PASSES, OPEN },
			{ '>', RST, 99999, 0, 0, 0, WINDOW, OPEN },
			{ '>', ACK, 1, 501, 0, 8192, PASSES, OPEN } } },
	{ "a reset where the peer has acknowledged", .segments = { HANDSHAKE,
								   { '<', ACK, 1, 1, 500, 8192, PASSES, OPEN },
								   { '<', RST, 1, 0, 0, 0, PASSES, CLOSED } } },
	{ "a reset behind the last byte", .segments = { HANDSHAKE,
							{ '<', ACK, 1, 1, 500, 8192, PASSES, OPEN },
							{ '<', RST | ACK, 501, 1, 0, 0, PASSES, CLOSED } } },
	{ "a closed window takes the exact reset alone", .segments = { HANDSHAKE,
								       { '>', ACK, 1, 1, 0, 0, PASSES, OPEN },
								       { '<', RST, 2, 0, 0, 0, WINDOW, OPEN },
								       { '<', RST, 1, 0, 0, 0, PASSES, CLOSED } } },
	{ "FIN with numbers that its end cannot have sent",
	  .segments = { HANDSHAKE,
			{ '<', ACK, 1, 1, 500, 8192, PASSES, OPEN },
			{ '>', ACK, 1, 501, 0, 8192, PASSES, OPEN },
			{ '<', FIN | ACK, 100, 1, 0, 8192, WINDOW, OPEN },
			{ '<', FIN | ACK, -70000, 1, 0, 8192, WINDOW, OPEN },
			{ '<', FIN | ACK, 8693, 1, 0, 8192, PASSES, CLOSE_WAIT } } },
	{ "FIN behind the window, or with a foreign acknowledgement",
	  .segments = { HANDSHAKE,
			{ '<', FIN | ACK, 8194, 1, 0, 8192, WINDOW, OPEN },
			{ '<', FIN | ACK, 1, 200000, 0, 8192, WINDOW, OPEN },
			{ '<', FIN | ACK, 1, -200000, 0, 8192, WINDOW, OPEN },
			{ '<', FIN, 1, 0, 0, 8192, PASSES, OPEN }, /* no end takes it without ACK */
			{ '<', FIN | ACK, 1, 1, 0, 8192, PASSES, CLOSE_WAIT } } },
	{ "data from nowhere does not shift what a reset is held against",
	  .segments = { HANDSHAKE,
			{ '<', ACK, 1000000, 1, 500, 8192, PASSES, OPEN },
			{ '<', RST, 1000500, 0, 0, 0, WINDOW, OPEN },
			{ '<', ACK, 1, 9000000, 0, 8192, PASSES, OPEN },
			{ '<', ACK, 500000, 9000000, 0, 8192, PASSES, OPEN },
			{ '>', RST, 9000000, 0, 0, 0, WINDOW, OPEN },
			{ '<', ACK, 1, 1, 10, 8192, PASSES, OPEN },
			{ '>', FIN | ACK, 1, 11, 0, 8192, PASSES, FIN_WAIT } } },
	{ "windows as both ends scale them", .segments = { SCALED,
							   { '<', RST, 1 + 8192 * 128, 0, 0, 0, WINDOW, OPEN },
							   { '<', RST, 8192 * 128, 0, 0, 0, PASSES, OPEN },
							   { '>', ACK, 1, 1, 0, 4096, PASSES, OPEN },
							   { '<', RST, 1 + 4096 * 128, 0, 0, 0, WINDOW, OPEN },
							   { '<', ACK, 300000, 1, 1000, 8192, PASSES, OPEN },
							   { '<', RST, 301000, 0, 0, 0, PASSES, CLOSED } } },
	{ "windows that one end alone would scale", .segments = { { '>', SYN, 0, 0, 0, 8192, PASSES, SENT, WS7 },
								  { '<', SYN | ACK, 0, 1, 0, 8192, PASSES, RECEIVED },
								  { '>', ACK, 1, 1, 0, 8192, PASSES, OPEN },
								  { '<', RST, 8193, 0, 0, 0, WINDOW, OPEN },
								  { '<', RST, 8192, 0, 0, 0, PASSES, OPEN } } },
	{ "a scale of nothing, and one above 14",
	  .segments = { { '>', SYN, 0, 0, 0, 8192, PASSES, SENT, WS0 },
			{ '<', SYN | ACK, 0, 1, 0, 8192, PASSES, RECEIVED, WS255 },
			{ '>', ACK, 1, 1, 0, 8192, PASSES, OPEN },
			{ '<', ACK, 1, 1, 0, 8192, PASSES, OPEN },
			{ '<', RST, 8193, 0, 0, 0, WINDOW, OPEN },
			{ '>', RST, 1 + (8192 << 14), 0, 0, 0, WINDOW, OPEN },
			{ '>', RST, 8192 << 14, 0, 0, 0, PASSES, OPEN } } },
	{ "options that contradict themselves are none",
	  .segments = { { '>', SYN, 0, 0, 0, 8192, PASSES, SENT, BAD_LENGTH },
			{ '<', SYN | ACK, 0, 1, 0, 8192, PASSES, RECEIVED, BAD_END },
			{ '>', ACK, 1, 1, 0, 8192, PASSES, OPEN },
			{ '<', RST, 8193, 0, 0, 0, WINDOW, OPEN } } },
	{ "a SYN from nowhere, and the challenge that it meets",
	  .segments = { HANDSHAKE,
			{ '<', SYN, 700000, 0, 0, 8192, PASSES, OPEN },
			{ '>', ACK, 1, 1, 0, 8192, PASSES, OPEN },
			{ '>', SYN | ACK, 5, 5, 0, 8192, WINDOW, OPEN },
			{ '<', SYN | ACK, 5, 5, 0, 8192, WINDOW, OPEN },
			{ '<', ACK, 1, 1, 100, 8192, PASSES, OPEN },
			{ '>', ACK, 1, 101, 0, 8192, PASSES, OPEN } } },
	{ "an end that has lost its memory: challenged, reset, opened again",
	  .segments = { HANDSHAKE,
			{ '>', SYN, 700000, 0, 0, 8192, PASSES, OPEN },
			{ '<', ACK, 1, 1, 0, 8192, PASSES, OPEN },
			{ '>', RST, 1, 0, 0, 0, PASSES, CLOSED },
			{ '>', SYN, 700000, 0, 0, 8192, PASSES, SENT },
			{ '<', SYN | ACK, 7000, 700001, 0, 8192, PASSES, RECEIVED },
			{ '>', ACK, 700001, 7001, 0, 8192, PASSES, OPEN } } },
	{ "both ends have lost their memory: the SYN is answered",
	  .segments = { HANDSHAKE,
			{ '>', SYN, 700000, 0, 0, 8192, PASSES, OPEN, WS7 },
			{ '<', SYN | ACK, 90000, 700000, 0, 8192, WINDOW, OPEN },
			{ '<', SYN | ACK, 90000, 700001, 0, 8192, PASSES, RECEIVED, WS7 },
			{ '>', ACK, 700001, 90001, 0, 8192, PASSES, OPEN },
			{ '<', RST, 90001 + 8192 * 128, 0, 0, 0, WINDOW, OPEN },
			{ '<', RST, 90000 + 8192 * 128, 0, 0, 0, PASSES, OPEN },
			{ '<', FIN | ACK, 90001, 700001, 0, 8192, PASSES, CLOSE_WAIT } } },
	{ "the SYN of an end without memory is refused",
	  .segments = { HANDSHAKE,
			{ '>', SYN, 700000, 0, 0, 8192, PASSES, OPEN },
			{ '<', RST | ACK, -500000, 1, 0, 0, WINDOW, OPEN },
			{ '<', RST | ACK, 0, 700001, 0, 0, PASSES, CLOSED, .zero = true } } },

	/* ---- closing */
	{ "the opener closes first", .segments = { HANDSHAKE,
						   { '>', FIN | ACK, 1, 1, 0, 8192, PASSES, FIN_WAIT },
						   { '<', ACK, 1, 2, 0, 8192, PASSES, FIN_WAIT },
						   { '<', FIN | ACK, 1, 2, 0, 8192, PASSES, TIME_WAIT },
						   { '>', ACK, 2, 2, 0, 8192, PASSES, TIME_WAIT },
						   { '<', FIN | ACK, 1, 2, 0, 8192, PASSES, TIME_WAIT },
						   { '>', ACK, 2, 2, 0, 8192, PASSES, TIME_WAIT } } },
	{ "the other end closes first, with data",
	  .segments = { HANDSHAKE,
			{ '<', FIN | ACK | PSH, 1, 1, 100, 8192, PASSES, CLOSE_WAIT },
			{ '>', ACK, 1, 102, 0, 8192, PASSES, CLOSE_WAIT },
			{ '>', FIN | ACK, 1, 102, 0, 8192, PASSES, TIME_WAIT },
			{ '<', ACK, 102, 2, 0, 8192, PASSES, TIME_WAIT } } },
	{ "one direction lives on", .segments = { HANDSHAKE,
						  { '>', FIN | ACK, 1, 1, 0, 8192, PASSES, FIN_WAIT },
						  { '>', FIN | ACK, 1, 1, 0, 8192, PASSES, FIN_WAIT },
						  { '<', ACK, 1, 2, 1400, 8192, PASSES, FIN_WAIT },
						  { '>', ACK, 2, 1401, 0, 8192, PASSES, FIN_WAIT },
						  { '<', ACK, 1401, 2, 1400, 8192, PASSES, FIN_WAIT },
						  { '<', RST, 1500, 2, 0, 0, PASSES, FIN_WAIT },
						  { '<', FIN | ACK, 2801, 2, 0, 8192, PASSES, TIME_WAIT } } },
	{ "both close at once", .segments = { HANDSHAKE,
					      { '>', FIN | ACK, 1, 1, 0, 8192, PASSES, FIN_WAIT },
					      { '<', FIN | ACK, 1, 1, 0, 8192, PASSES, TIME_WAIT },
					      { '>', ACK, 2, 2, 0, 8192, PASSES, TIME_WAIT },
					      { '<', ACK, 2, 2, 0, 8192, PASSES, TIME_WAIT } } },
	{ "a reset of what is half closed", .segments = { HANDSHAKE,
							  { '>', FIN | ACK, 1, 1, 0, 8192, PASSES, FIN_WAIT },
							  { '<', RST | ACK, 1, 2, 0, 0, PASSES, CLOSED },
							  { '<', RST | ACK, 1, 2, 0, 0, PASSES, CLOSED },
							  { '>', ACK, 2, 1, 0, 8192, PASSES, CLOSED } } },
	{ "FIN together with what was sent before",
	  .segments = { HANDSHAKE,
			{ '>', ACK, 1, 1, 1000, 8192, PASSES, OPEN },
			{ '>', FIN | ACK, 1, 1, 1000, 8192, PASSES, FIN_WAIT } } },

	/* ---- again */
	{ "the same ports after both have closed",
	  .segments = { HANDSHAKE,
			{ '>', FIN | ACK, 1, 1, 0, 8192, PASSES, FIN_WAIT },
			{ '<', FIN | ACK, 1, 2, 0, 8192, PASSES, TIME_WAIT },
			{ '>', SYN, 60000, 0, 0, 8192, PASSES, SENT },
			{ '<', SYN | ACK, 80000, 60001, 0, 8192, PASSES, RECEIVED },
			{ '>', ACK, 60001, 80001, 0, 8192, PASSES, OPEN } } },
	{ "the same ports after a reset", .segments = { HANDSHAKE,
							{ '>', RST, 1, 0, 0, 0, PASSES, CLOSED },
							{ '>', SYN, 9, 0, 0, 8192, PASSES, SENT },
							{ '<', SYN | ACK, 80000, 10, 0, 8192, PASSES, RECEIVED },
							{ '>', ACK, 10, 80001, 0, 8192, PASSES, OPEN } } },
	{ "from the other side after both have closed, where it may open", .not = TRANSLATED,
	  .segments = { HANDSHAKE,
			{ '>', FIN | ACK, 1, 1, 0, 8192, PASSES, FIN_WAIT },
			{ '<', FIN | ACK, 1, 2, 0, 8192, PASSES, TIME_WAIT },
			{ '<', SYN, 60000, 0, 0, 8192, PASSES, SENT },
			{ '<', SYN, 60000, 0, 0, 8192, PASSES, SENT },
			{ '>', SYN | ACK, 80000, 60001, 0, 8192, PASSES, RECEIVED },
			{ '<', ACK, 60001, 80001, 0, 8192, PASSES, OPEN },
			{ '>', RST, 70000, 0, 0, 0, WINDOW, OPEN },
			{ '<', FIN | ACK, 60001, 80001, 0, 8192, PASSES, FIN_WAIT }, /* the opener's now */
			{ '>', FIN | ACK, 80001, 60002, 0, 8192, PASSES, TIME_WAIT },
			{ '>', SYN, 1, 0, 0, 8192, PASSES, SENT } } },
	{ "from the other side, where it may not", .not = INSIDE,
	  .segments = { HANDSHAKE,
			{ '<', RST, 1, 0, 0, 0, PASSES, CLOSED },
			{ '<', SYN, 60000, 0, 0, 8192, UNASKED, CLOSED },
			{ '>', SYN, 9, 0, 0, 8192, PASSES, SENT } } },

	/* ---- picked up */
	{ "data of a flow that was there before", .pickup = true,
	  .segments = { { '>', ACK, 5000, 9000, 100, 8192, PASSES, OPEN },
			{ '<', ACK, 9000, 5100, 300, 8192, PASSES, OPEN },
			{ '>', ACK, 5100, 9300, 0, 8192, PASSES, OPEN },
			{ '<', RST, 9300 + (8192 << 14), 0, 0, 0, WINDOW, OPEN },
			{ '<', RST, 9299 + (8192 << 14), 0, 0, 0, PASSES, OPEN },
			{ '>', FIN | ACK, 5100, 9300, 0, 8192, PASSES, FIN_WAIT },
			{ '<', FIN | ACK, 9300, 5101, 0, 8192, PASSES, TIME_WAIT } } },
	{ "picked up, and the other end resets first", .pickup = true,
	  .segments = { { '>', ACK, 5000, 9000, 100, 8192, PASSES, OPEN },
			{ '<', RST, 8999, 0, 0, 0, WINDOW, OPEN },
			{ '<', RST, 9001, 0, 0, 0, PASSES, OPEN },
			{ '<', RST, 9000, 0, 0, 0, PASSES, CLOSED } } },
	{ "picked up at its end", .pickup = true,
	  .segments = { { '>', FIN | ACK, 5000, 9000, 0, 8192, PASSES, FIN_WAIT },
			{ '<', FIN | ACK, 9000, 5001, 0, 8192, PASSES, TIME_WAIT } } },
	{ "a reset and a bare packet are not picked up", .pickup = true,
	  .segments = { { '>', RST | ACK, 5000, 9000, 0, 8192, NOT_SYN, GONE },
			{ '>', 0, 5000, 0, 10, 8192, NOT_SYN, GONE },
			{ '>', FIN, 5000, 0, 0, 8192, NOT_SYN, GONE },
			{ '>', SYN, 0, 0, 0, 8192, PASSES, SENT } } },
};
#define SEQUENCES (sizeof(sequences) / sizeof(*sequences))

/* Where the ends' numbers begin: in the middle, where they wrap around at once, and on the way. */
static const uint32_t begin[][2] = { { 0x01020304, 0x71223344 },
				     { 0xffffffff, 0xfffffffe },
				     { 0x7ffffff0, 0xffff0000 } };

static struct frame frame_of(const struct segment *s, enum way way, const uint32_t isn[2])
{
	const bool ask = s->from == '>';
	struct frame f = {
		.proto = 6, .flags = s->flags, .exact = true, .win = s->win, .len = s->len, .frag = s->frag
	};

	f.src = ask ? "n1" : way == INSIDE ? "n2" : OUT;
	f.dst = ask ? (way == INSIDE ? "n2" : OUT) : way == INSIDE ? "n1" : NAT;
	f.smac = ask ? "n1" : way == INSIDE ? "n2" : "hop";
	f.dmac = ask ? (way == INSIDE ? "n2" : GW) : way == INSIDE ? "n1" : "wan";
	f.sport = ask ? 1000 : 80;
	f.dport = ask ? 80 : way == INSIDE ? 1000 : NAT_PORT;
	f.seq = s->zero ? (uint32_t)s->seq : isn[!ask] + (uint32_t)s->seq;
	f.ack = s->flags & ACK ? isn[ask] + (uint32_t)s->ack : 0;
	f.options = s->options;
	f.options_len = s->options ? (!strcmp(s->options, WS0) ? 4 : strlen(s->options)) : 0;
	f.id = s->frag ? 77 : 0;
	return f;
}

/* Both entries of the flow, and that they agree. */
static int state_of(enum way way)
{
	const char *dst = way == INSIDE ? "n2" : OUT;
	struct flow ask, answer;
	bool a = flow_find("acme", 6, "n1", 1000, dst, 80, &ask);
	bool b = way == INSIDE ? flow_find("acme", 6, "n2", 80, "n1", 1000, &answer)
			       : flow_find("acme", 6, OUT, 80, NAT, NAT_PORT, &answer);

	if (a != b || (a && ask.val.state != answer.val.state)) {
		complain("the directions do not agree");
		return TORN;
	}
	return a ? ask.val.state : GONE;
}

static void play(const struct sequence *q, enum hook hook, enum way way, const uint32_t isn[2])
{
	static const enum gl_drop reasons[] = { GL_DROP_NONE, GL_DROP_TCP_WINDOW, GL_DROP_TCP_NOT_SYN,
						GL_DROP_L4_TRUNCATED, GL_DROP_NO_FLOW };

	flows_clear();
	for (const struct segment *s = q->segments; s->from; s++) {
		const char *on = s->from == '>' ? "n1" : way == INSIDE ? "n2" : "wan";
		struct frame f = frame_of(s, way, isn);
		enum gl_drop reason = reasons[s->fate];
		uint64_t before = reason ? drops(on, reason) : 0;
		struct run run;
		enum verdict got = packet(on, hook, &f, &run);
		int state = state_of(way);

		if (got != (reason ? DROP : SEND))
			complain("way %d, numbers from %08x: segment %td was %s", way, isn[0], s - q->segments + 1,
				 got == SEND   ? "sent"
				 : got == DROP ? "dropped"
					       : "passed");
		if (reason && drops(on, reason) == before)
			complain("way %d: segment %td is not counted as %s", way, s - q->segments + 1,
				 gl_drop_name(reason));
		if (reason)
			provoked[reason] = true;
		if (state != s->state)
			complain("way %d, numbers from %08x: state %d after segment %td, not %d", way, isn[0], state,
				 s - q->segments + 1, s->state);
	}
}

/* An end that was opened to, by a forwarded port, opens the same tuple itself: that takes a translated port, and the
 * forwarded one is without a flow. */
static void turns_round(enum hook hook)
{
	const struct frame ask = { ETH("wan", "hop"), TCP(OUT, 5000, NAT, 8080, SYN) };
	const struct frame refusal = { ETH(GW, "n1"), TCP("n1", 80, OUT, 5000, RST | ACK), .exact = true,
				       .ack = FRAME_ISN + 1 };
	const struct frame close = { ETH(GW, "n1"), TCP("n1", 80, OUT, 5000, RST | ACK) };
	const struct frame own = { ETH(GW, "n1"), TCP("n1", 80, OUT, 5000, SYN) };
	struct flow flow;

	flows_clear();
	expect(SEND, "wan", hook, ask, "the SYN to the forwarded port");
	expect(SEND, "n1", hook, refusal, "its refusal");
	expect(SEND, "n1", hook, own, "the guest's own SYN");
	if (!flow_find("acme", 6, "n1", 80, OUT, 5000, &flow) || flow.val.flags & GL_FLOW_F_REPLY ||
	    flow.val.state != GL_FLOW_SYN_SENT || flow.val.new_sport_be != htons(NAT_PORT))
		complain("the guest's flow is not its own");
	if (flow_find("acme", 6, OUT, 5000, NAT, 8080, &flow) || flow_count("acme") != 2)
		complain("%zu entries for one flow", flow_count("acme"));
	expect(DROP, "wan", hook, (struct frame){ ETH("wan", "hop"), TCP(OUT, 5000, NAT, 8080, ACK) },
	       "a packet of the old flow");
	expect(SEND, "wan", hook, (struct frame){ ETH("wan", "hop"), TCP(OUT, 5000, NAT, NAT_PORT, SYN | ACK) },
	       "the answer to the new one");
	/* It would send the guest's very packets. */
	expect(DROP, "wan", hook, ask, "the forwarded port while the guest's own flow lives");
	if (drops("wan", GL_DROP_NO_FLOW) != 1 || !flow_find("acme", 6, "n1", 80, OUT, 5000, &flow) ||
	    flow.val.flags & GL_FLOW_F_REPLY || flow.val.state != GL_FLOW_SYN_RECEIVED)
		complain("the guest's own flow is not what it was");
	expect(SEND, "n1", hook, close, "the reset of the guest's own");
	expect(SEND, "wan", hook, ask, "the forwarded port afterwards");
	if (!flow_find("acme", 6, "n1", 80, OUT, 5000, &flow) || !(flow.val.flags & GL_FLOW_F_REPLY) ||
	    flow_count("acme") != 2)
		complain("%zu entries for one flow", flow_count("acme"));
	result(true, "%s tcp: an end that was opened to opens the tuple itself", hook_name(hook));
}

/* What was learned lasts when the definition changes elsewhere, whoever sends next. */
static void stays_known(enum hook hook, char next)
{
	static const struct sequence open = { .segments = { SCALED } };
	const struct sequence then = { .segments = { { next, ACK, 1, 1, 100, 8192, PASSES, OPEN },
						     { '<', RST, 1 + 8192 * 128, 0, 0, 0, WINDOW, OPEN },
						     { '<', RST, 8192 * 128, 0, 0, 0, PASSES, OPEN } } };
	const struct segment *s = then.segments;
	struct flow was, now;
	struct run run;

	flows_clear();
	for (const struct segment *o = open.segments; o->from; o++) {
		struct frame f = frame_of(o, TRANSLATED, begin[0]);

		packet(o->from == '>' ? "n1" : "wan", hook, &f, &run);
	}
	if (!flow_find("acme", 6, "n1", 1000, OUT, 80, &was))
		complain("there is no flow");
	apply_with("addresses: [192.168.8.11]", "addresses: [192.168.8.12]");
	expect(SEND, next == '>' ? "n1" : "wan", hook, frame_of(&s[0], TRANSLATED, begin[0]), "data");
	expect(DROP, "wan", hook, frame_of(&s[1], TRANSLATED, begin[0]), "a reset behind the window");
	expect(SEND, "wan", hook, frame_of(&s[2], TRANSLATED, begin[0]), "a reset in the window");
	if (!flow_find("acme", 6, "n1", 1000, OUT, 80, &now) || now.val.gen == was.val.gen ||
	    now.val.state != GL_FLOW_ESTABLISHED || now.val.tcp_scale != 7 || now.val.created != was.val.created ||
	    now.val.seq_end != was.val.seq_end + (next == '>' ? 100 : 0))
		complain("the flow does not go on as it was");
	back();
	result(true, "%s tcp: what was learned lasts through a change, %s sends first", hook_name(hook),
	       next == '>' ? "the opener" : "the other end");
}

void test_tcp(void)
{
	for (int pickup = 0; pickup < 2; pickup++) {
		if (pickup)
			apply_with("  - name: acme\n", "  - name: acme\n    tcp_pickup: true\n");
		for (int hook = HOOK_XDP; hook <= HOOK_GENERIC; hook <<= 1)
			for (size_t i = 0; i < SEQUENCES; i++) {
				if (sequences[i].pickup != pickup)
					continue;
				for (int way = INSIDE; way <= TRANSLATED; way++)
					for (size_t n = 0;
					     way != (int)sequences[i].not &&n < sizeof(begin) / sizeof(*begin); n++)
						play(&sequences[i], hook, way, begin[n]);
				result(true, "%s tcp: %s", hook_name(hook), sequences[i].name);
			}
	}
	back();
	for (int hook = HOOK_XDP; hook <= HOOK_TC; hook++) {
		turns_round(hook);
		stays_known(hook, '>');
		stays_known(hook, '<');
	}
}
