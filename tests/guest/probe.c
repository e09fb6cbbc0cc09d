/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What does a guest see of the network? One small static program, the peer of itself: it answers with a name, asks for
 * the name, moves bulk data with a sum over every byte, and forges frames.
 * Neighbours: image.sh compiles it into the guests' initramfs, demo.sh and test_guests.sh call it in guests and
 * outside. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 65536
#define MAX_PORTS 8

static int fail(const char *what)
{
	fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
	return 1;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static int inet_socket(int type, const char *addr, const char *port, struct sockaddr_in *sin)
{
	*sin = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	if (inet_pton(AF_INET, addr, &sin->sin_addr) != 1) {
		errno = EINVAL;
		return -1;
	}
	return socket(AF_INET, type | SOCK_CLOEXEC, 0);
}

static int write_all(int fd, const void *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, (const char *)data + done, len - done);

		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}

/* ---- bulk: every byte counts, and where it stands --------------------------------------------------------------- */

struct sum {
	uint64_t bytes, hash;
};

/* By words, for the sake of guests without KVM; a multiplication carries every bit on, so order counts too. */
static void sum_add(struct sum *s, const uint8_t *data, size_t len)
{
	uint64_t h = s->hash ^ 0x9e3779b97f4a7c15u, word;

	for (size_t i = 0; i < len; i += sizeof(word)) {
		size_t n = len - i < sizeof(word) ? len - i : sizeof(word);

		word = n;
		memcpy(&word, data + i, n);
		h = (h ^ word) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	s->hash = h;
	s->bytes += len;
}

/* Sums go over whole chunks, so both ends cut the stream at the same places whatever read() returns. */
static int sum_stream(int fd, struct sum *s)
{
	static uint8_t buf[CHUNK];
	size_t have = 0;
	ssize_t n;

	while ((n = read(fd, buf + have, sizeof(buf) - have)) > 0) {
		have += (size_t)n;
		if (have == sizeof(buf)) {
			sum_add(s, buf, have);
			have = 0;
		}
	}
	if (have)
		sum_add(s, buf, have);
	return n < 0 ? -1 : 0;
}

static void fill(uint8_t *buf, size_t len, uint64_t *state)
{
	for (size_t i = 0; i + 8 <= len; i += 8) {
		*state ^= *state << 13;
		*state ^= *state >> 7;
		*state ^= *state << 17;
		memcpy(buf + i, state, 8);
	}
}

/* bulk ADDR PORT MIB: sends, and compares the peer's sum with its own. Prints "ok MIB SECONDS MBIT/S". */
static int cmd_bulk(char **arg)
{
	static uint8_t buf[CHUNK];
	struct timeval limit = { .tv_sec = 60 };
	uint64_t state = 0x2545f4914f6cdd1du ^ (uint64_t)getpid() << 20;
	size_t chunks = strtoul(arg[2], NULL, 10) * 1024 * 1024 / CHUNK;
	struct sum mine = { 0 }, theirs = { 0 };
	struct sockaddr_in sin;
	char answer[64] = "";
	double start, took;
	int fd = inet_socket(SOCK_STREAM, arg[0], arg[1], &sin);

	if (fd < 0)
		return fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)))
		return fail("connect");
	start = now();
	for (size_t i = 0; i < chunks; i++) {
		fill(buf, sizeof(buf), &state);
		sum_add(&mine, buf, sizeof(buf));
		if (write_all(fd, buf, sizeof(buf)))
			return fail("write");
	}
	shutdown(fd, SHUT_WR);
	if (read(fd, answer, sizeof(answer) - 1) <= 0)
		return fail("read");
	took = now() - start;
	if (sscanf(answer, "%lu %lx", &theirs.bytes, &theirs.hash) != 2 || theirs.bytes != mine.bytes ||
	    theirs.hash != mine.hash) {
		printf("bad: sent %lu bytes with sum %lx, the peer got %s\n", mine.bytes, mine.hash, answer);
		return 1;
	}
	printf("ok %s %.2f %.0f\n", arg[2], took, (double)mine.bytes * 8 / took / 1e6);
	return 0;
}

/* ---- names: who is it that answers ------------------------------------------------------------------------------ */

static int listener(int type, const char *port)
{
	struct sockaddr_in sin;
	int one = 1, fd = inet_socket(type, "0.0.0.0", port, &sin);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) || (type == SOCK_STREAM && listen(fd, 64)))
		return -1;
	return fd;
}

/* Answers from the address that was asked, which a wildcard socket does not do by itself. */
static void answer_udp(int fd, const char *name)
{
	char buf[2048], from[INET_ADDRSTRLEN], control[256];
	struct sockaddr_in peer;
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = { .msg_name = &peer,
			      .msg_namelen = sizeof(peer),
			      .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };

	if (recvmsg(fd, &msg, MSG_DONTWAIT) < 0)
		return;
	inet_ntop(AF_INET, &peer.sin_addr, from, sizeof(from));
	iov.iov_len = (size_t)snprintf(buf, sizeof(buf), "%s saw %s %u\n", name, from, ntohs(peer.sin_port));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
			((struct in_pktinfo *)CMSG_DATA(c))->ipi_ifindex = 0;
	sendmsg(fd, &msg, MSG_DONTWAIT);
}

/* The first byte says what the client wants: '?' the name, anything else is bulk data. */
static void answer_tcp(int fd, const char *name)
{
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	char from[INET_ADDRSTRLEN], first, out[256];
	struct sum sum = { 0 };
	int n;

	getpeername(fd, (struct sockaddr *)&peer, &len);
	inet_ntop(AF_INET, &peer.sin_addr, from, sizeof(from));
	if (recv(fd, &first, 1, MSG_PEEK) == 1 && first == '?') {
		n = snprintf(out, sizeof(out), "%s saw %s %u\n", name, from, ntohs(peer.sin_port));
	} else {
		if (sum_stream(fd, &sum))
			return;
		n = snprintf(out, sizeof(out), "%lu %lx\n", sum.bytes, sum.hash);
	}
	write_all(fd, out, (size_t)n);
}

/* serve NAME PORT...: answers on TCP and UDP until killed; '?' with its name and whom it saw. */
static int cmd_serve(int count, char **arg)
{
	struct pollfd fds[2 * MAX_PORTS];
	nfds_t n = 0;

	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 1; i < count && n < 2 * MAX_PORTS; i++) {
		fds[n++] = (struct pollfd){ .fd = listener(SOCK_STREAM, arg[i]), .events = POLLIN };
		fds[n++] = (struct pollfd){ .fd = listener(SOCK_DGRAM, arg[i]), .events = POLLIN };
		if (fds[n - 1].fd < 0 || fds[n - 2].fd < 0)
			return fail("listen");
	}
	while (poll(fds, n, -1) > 0) {
		for (nfds_t i = 0; i < n; i++) {
			int fd;

			if (!(fds[i].revents & POLLIN))
				continue;
			if (i % 2) {
				answer_udp(fds[i].fd, arg[0]);
				continue;
			}
			fd = accept(fds[i].fd, NULL, NULL);
			if (fd >= 0 && fork() == 0) {
				answer_tcp(fd, arg[0]);
				_exit(0);
			}
			if (fd >= 0)
				close(fd);
		}
	}
	return fail("poll");
}

/* ask tcp|udp ADDR PORT [MS]: prints who answered and whom it saw; status 1 when nobody did. */
static int cmd_ask(int count, char **arg)
{
	int tcp = !strcmp(arg[0], "tcp"), ms = count > 3 ? atoi(arg[3]) : 1000;
	double end = now() + ms / 1e3;
	struct sockaddr_in sin;
	char buf[512];
	ssize_t n = 0;
	int fd = inet_socket((tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, arg[1], arg[2], &sin);
	struct pollfd p = { .fd = fd };

	if (fd < 0)
		return fail("socket");
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) && errno != EINPROGRESS)
		return fail("connect");
	if (tcp) {
		p.events = POLLOUT;
		if (poll(&p, 1, ms) <= 0)
			return 1;
	}
	p.events = POLLIN;
	/* A datagram may be lost while a neighbour is being resolved: ask again. */
	for (double left = ms; left > 0; left = (end - now()) * 1e3) {
		if (send(fd, "?", 1, MSG_NOSIGNAL) < 0 && (tcp || errno != ECONNREFUSED))
			return fail("send");
		if (poll(&p, 1, tcp || left < 300 ? (int)left + 1 : 300) > 0) {
			n = recv(fd, buf, sizeof(buf), 0);
			if (n > 0 || tcp)
				break;
		}
	}
	if (n <= 0)
		return 1;
	fwrite(buf, 1, (size_t)n, stdout);
	return 0;
}

/* ---- forgery ---------------------------------------------------------------------------------------------------- */

static int parse_mac(const char *text, uint8_t *mac)
{
	return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) == 6;
}

static uint16_t ip_sum(const uint8_t *h)
{
	uint32_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(h[i] << 8 | h[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return (uint16_t)~sum;
}

/* forge udp|arp IFACE SRC-MAC DST-MAC SRC-IP DST-IP COUNT: raw frames, straight to the device. UDP goes to port 7. */
static int cmd_forge(char **arg)
{
	static const uint8_t arp_head[] = { 0, 1, 8, 0, 6, 4, 0, 2 };
	uint8_t frame[128] = { 0 }, src[6], dst[6];
	struct in_addr from, to;
	struct sockaddr_ll sll = { .sll_family = AF_PACKET,
				   .sll_halen = 6,
				   .sll_ifindex = (int)if_nametoindex(arg[1]) };
	int arp = !strcmp(arg[0], "arp"), fd = socket(AF_PACKET, SOCK_RAW, 0);
	size_t len = 60;

	if (fd < 0 || !sll.sll_ifindex)
		return fail(arg[1]);
	if (!parse_mac(arg[2], src) || !parse_mac(arg[3], dst) || inet_pton(AF_INET, arg[4], &from) != 1 ||
	    inet_pton(AF_INET, arg[5], &to) != 1) {
		errno = EINVAL;
		return fail("address");
	}
	memcpy(frame, dst, 6);
	memcpy(frame + 6, src, 6);
	frame[12] = 8;
	if (arp) {
		frame[13] = 6;
		memcpy(frame + 14, arp_head, sizeof(arp_head));
		memcpy(frame + 22, src, 6);
		memcpy(frame + 28, &from, 4);
		memcpy(frame + 32, dst, 6);
		memcpy(frame + 38, &to, 4);
	} else {
		uint8_t *ip = frame + 14, *udp = ip + 20;
		uint16_t sum;

		ip[0] = 0x45;
		ip[3] = 46;
		ip[8] = 64;
		ip[9] = IPPROTO_UDP;
		memcpy(ip + 12, &from, 4);
		memcpy(ip + 16, &to, 4);
		sum = htons(ip_sum(ip));
		memcpy(ip + 10, &sum, 2);
		udp[0] = 0x30;
		udp[3] = 7;
		udp[5] = 26;
		udp[8] = '?';
	}
	memcpy(sll.sll_addr, dst, 6);
	for (int i = 0; i < atoi(arg[6]); i++)
		if (sendto(fd, frame, len, 0, (struct sockaddr *)&sll, sizeof(sll)) != (ssize_t)len)
			return fail("send");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 4 && !strcmp(argv[1], "serve"))
		return cmd_serve(argc - 2, argv + 2);
	if (argc >= 5 && !strcmp(argv[1], "ask"))
		return cmd_ask(argc - 2, argv + 2);
	if (argc == 5 && !strcmp(argv[1], "bulk"))
		return cmd_bulk(argv + 2);
	if (argc == 9 && !strcmp(argv[1], "forge"))
		return cmd_forge(argv + 2);
	fprintf(stderr, "usage: probe serve NAME PORT... | ask tcp|udp ADDR PORT [MS] | bulk ADDR PORT MIB |\n"
			"       probe forge udp|arp IFACE SRC-MAC DST-MAC SRC-IP DST-IP COUNT\n");
	return 2;
}
