/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What does a guest see of the network? One small static program, the peer of itself: it answers with a name, asks for
 * the name, moves bulk data with a sum over every byte, reads what the router says, and forges frames; all of it over
 * the family of the address it is given.
 * Neighbours: image.sh compiles it into the guests' initramfs, demo.sh and test_guests.sh call it in guests and
 * outside. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip6.h>
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

/* An address and port of either family. */
union end {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t end_size(const union end *e)
{
	return e->any.sa_family == AF_INET6 ? sizeof(e->v6) : sizeof(e->v4);
}

static const char *end_text(const union end *e, char text[static INET6_ADDRSTRLEN])
{
	const void *addr = e->any.sa_family == AF_INET6 ? (const void *)&e->v6.sin6_addr : &e->v4.sin_addr;

	return inet_ntop(e->any.sa_family, addr, text, INET6_ADDRSTRLEN);
}

/* The port stands at the same place in both. */
static int inet_socket(int type, const char *addr, const char *port, union end *e)
{
	const in_port_t port_be = htons((uint16_t)atoi(port));

	if (strchr(addr, ':'))
		e->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = port_be };
	else
		e->v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port_be };
	if (inet_pton(e->any.sa_family, addr,
		      e->any.sa_family == AF_INET6 ? (void *)&e->v6.sin6_addr : &e->v4.sin_addr) != 1) {
		errno = EINVAL;
		return -1;
	}
	return socket(e->any.sa_family, type | SOCK_CLOEXEC, 0);
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
	union end peer;
	char answer[64] = "";
	double start, took;
	int fd = inet_socket(SOCK_STREAM, arg[0], arg[1], &peer);

	if (fd < 0)
		return fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, &peer.any, end_size(&peer)))
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

static int listener(int type, const char *any, const char *port)
{
	union end e;
	int one = 1, fd = inet_socket(type, any, port, &e);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (e.any.sa_family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one));
	} else {
		setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
	}
	if (bind(fd, &e.any, end_size(&e)) || (type == SOCK_STREAM && listen(fd, 64)))
		return -1;
	return fd;
}

/* A name server for which every name is an alias of the very address that was asked; it has none of the other family.
 * Makes the query in `buf` the answer and returns its length, 0 when it is none. */
static size_t answer_dns(uint8_t *buf, size_t len, size_t size, int family, const void *addr)
{
	const size_t bytes = family == AF_INET6 ? 16 : 4;
	const uint8_t type = family == AF_INET6 ? 28 : 1; /* AAAA, A */
	const uint8_t record[] = { 0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, (uint8_t)bytes };
	size_t at = 12;

	while (at < len && buf[at])
		at += buf[at] + 1u;
	at += 5; /* the root's empty label, type and class */
	if (len < 17 || at > len || at + sizeof(record) + bytes > size || buf[2] & 0x80)
		return 0;
	buf[2] |= 0x84; /* an answer, of authority */
	memset(buf + 6, 0, 6);
	if (buf[at - 3] != type)
		return at;
	buf[7] = 1;
	memcpy(buf + at, record, sizeof(record));
	memcpy(buf + at + sizeof(record), addr, bytes);
	return at + sizeof(record) + bytes;
}

/* Answers from the address that was asked, which a wildcard socket does not do by itself. */
static void answer_udp(int fd, const char *name)
{
	char buf[2048], from[INET6_ADDRSTRLEN], control[256];
	const void *asked = NULL;
	union end peer;
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = { .msg_name = &peer,
			      .msg_namelen = sizeof(peer),
			      .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);

	if (n < 0)
		return;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo *info = (struct in_pktinfo *)CMSG_DATA(c);

			info->ipi_ifindex = 0;
			asked = &info->ipi_spec_dst;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo *info = (struct in6_pktinfo *)CMSG_DATA(c);

			info->ipi6_ifindex = 0;
			asked = &info->ipi6_addr;
		}
	}
	if (n > 1 && asked)
		iov.iov_len = answer_dns((uint8_t *)buf, (size_t)n, sizeof(buf), peer.any.sa_family, asked);
	else
		iov.iov_len = (size_t)snprintf(buf, sizeof(buf), "%s saw %s %u\n", name, end_text(&peer, from),
					       ntohs(peer.v4.sin_port));
	if (iov.iov_len)
		sendmsg(fd, &msg, MSG_DONTWAIT);
}

/* The first byte says what the client wants: '?' the name, anything else is bulk data. */
static void answer_tcp(int fd, const char *name)
{
	union end peer;
	socklen_t len = sizeof(peer);
	char from[INET6_ADDRSTRLEN], first, out[256];
	struct sum sum = { 0 };
	int n;

	getpeername(fd, &peer.any, &len);
	if (recv(fd, &first, 1, MSG_PEEK) == 1 && first == '?') {
		n = snprintf(out, sizeof(out), "%s saw %s %u\n", name, end_text(&peer, from), ntohs(peer.v4.sin_port));
	} else {
		if (sum_stream(fd, &sum))
			return;
		n = snprintf(out, sizeof(out), "%lu %lx\n", sum.bytes, sum.hash);
	}
	write_all(fd, out, (size_t)n);
}

/* serve NAME PORT...: answers on TCP and UDP of both families until killed; '?' with its name and whom it saw. */
static int cmd_serve(int count, char **arg)
{
	static const char *const any[] = { "0.0.0.0", "::" };
	struct pollfd fds[4 * MAX_PORTS];
	nfds_t n = 0;

	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 2; i < 2 * count && n < 4 * MAX_PORTS; i++) {
		fds[n++] = (struct pollfd){ .fd = listener(SOCK_STREAM, any[i % 2], arg[i / 2]), .events = POLLIN };
		fds[n++] = (struct pollfd){ .fd = listener(SOCK_DGRAM, any[i % 2], arg[i / 2]), .events = POLLIN };
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
	union end peer;
	char buf[512];
	ssize_t n = 0;
	int fd = inet_socket((tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, arg[1], arg[2], &peer);
	struct pollfd p = { .fd = fd };

	if (fd < 0)
		return fail("socket");
	if (connect(fd, &peer.any, end_size(&peer)) && errno != EINPROGRESS)
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

/* ---- routers ---------------------------------------------------------------------------------------------------- */

/* router IFACE: solicits, and prints what the advertisement says that kernels leave to others, as lines of resolv.conf
 * and comments. */
static int cmd_router(char **arg)
{
	const struct nd_router_solicit rs = { .nd_rs_type = ND_ROUTER_SOLICIT };
	union end to = { .v6 = { .sin6_family = AF_INET6, .sin6_scope_id = if_nametoindex(arg[0]) } };
	const struct nd_router_advert *ra;
	int hops = 255, fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct icmp6_filter filter;
	uint8_t buf[1500];
	char text[INET6_ADDRSTRLEN];
	socklen_t len = sizeof(to);
	ssize_t n = 0;

	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ND_ROUTER_ADVERT, &filter);
	inet_pton(AF_INET6, "ff02::2", &to.v6.sin6_addr);
	if (fd < 0 || setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)))
		return fail("socket");
	for (int i = 0; i < 3 && n <= 0; i++) {
		if (sendto(fd, &rs, sizeof(rs), 0, &to.any, sizeof(to.v6)) < 0)
			return fail("send");
		if (poll(&p, 1, 2000) > 0)
			n = recvfrom(fd, buf, sizeof(buf), 0, &to.any, &len);
	}
	if (n < (ssize_t)sizeof(*ra))
		return 1;
	ra = (const struct nd_router_advert *)buf;
	printf("# router %s\n# lifetime %u\n", end_text(&to, text), ntohs(ra->nd_ra_router_lifetime));
	for (ssize_t at = sizeof(*ra); at + 8 <= n && buf[at + 1] && at + buf[at + 1] * 8 <= n; at += buf[at + 1] * 8) {
		const uint8_t *option = buf + at;

		if (option[0] == ND_OPT_PREFIX_INFORMATION && option[1] == 4)
			printf("# prefix %s/%u\n", inet_ntop(AF_INET6, option + 16, text, sizeof(text)), option[2]);
		for (int i = 1; option[0] == 25 && i + 2 <= option[1]; i += 2) /* RFC 8106 */
			printf("nameserver %s\n", inet_ntop(AF_INET6, option + 8 * i, text, sizeof(text)));
	}
	return 0;
}

/* ---- forgery ---------------------------------------------------------------------------------------------------- */

static int parse_mac(const char *text, uint8_t *mac)
{
	return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) == 6;
}

/* The Internet checksum of an even number of bytes, over `sum` from before. */
static uint16_t inet_sum(const uint8_t *data, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)(data[i] << 8 | data[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return htons((uint16_t)~sum);
}

static void forge_udp(uint8_t *udp)
{
	udp[0] = 0x30;
	udp[3] = 7;
	udp[5] = 26;
	udp[8] = '?';
}

static size_t forge4(uint8_t *frame, int arp, const uint8_t *from, const uint8_t *to)
{
	static const uint8_t arp_head[] = { 0, 1, 8, 0, 6, 4, 0, 2 };
	uint8_t *ip = frame + 14;
	uint16_t sum;

	frame[12] = 8;
	if (arp) {
		frame[13] = 6;
		memcpy(frame + 14, arp_head, sizeof(arp_head));
		memcpy(frame + 22, frame + 6, 6);
		memcpy(frame + 28, from, 4);
		memcpy(frame + 32, frame, 6);
		memcpy(frame + 38, to, 4);
		return 60;
	}
	ip[0] = 0x45;
	ip[3] = 46;
	ip[8] = 64;
	ip[9] = IPPROTO_UDP;
	memcpy(ip + 12, from, 4);
	memcpy(ip + 16, to, 4);
	sum = inet_sum(ip, 20, 0);
	memcpy(ip + 10, &sum, 2);
	forge_udp(ip + 20);
	return 60;
}

/* `type`: of ICMPv6, 0 for UDP. An advertisement is of the sender's address, with the frame's source MAC. */
static size_t forge6(uint8_t *frame, uint8_t type, const uint8_t *from, const uint8_t *to)
{
	const size_t len = type == ND_NEIGHBOR_ADVERT ? 32 : type ? 24 : 26;
	uint8_t *ip = frame + 14, *l4 = ip + 40;
	uint16_t sum;

	frame[12] = 0x86;
	frame[13] = 0xdd;
	ip[0] = 0x60;
	ip[5] = (uint8_t)len;
	ip[6] = type ? IPPROTO_ICMPV6 : IPPROTO_UDP;
	ip[7] = 255;
	memcpy(ip + 8, from, 16);
	memcpy(ip + 24, to, 16);
	if (!type) {
		forge_udp(l4);
	} else {
		uint8_t *option = l4 + len - 8;

		l4[0] = type;
		l4[4] = type == ND_NEIGHBOR_ADVERT ? 0x20 : 64; /* override; hop limit */
		if (type == ND_NEIGHBOR_ADVERT)
			memcpy(l4 + 8, from, 16);
		else
			l4[6] = 7; /* the lifetime of a router */
		option[0] = type == ND_NEIGHBOR_ADVERT ? ND_OPT_TARGET_LINKADDR : ND_OPT_SOURCE_LINKADDR;
		option[1] = 1;
		memcpy(option + 2, frame + 6, 6);
	}
	sum = inet_sum(ip + 8, 32 + len, (uint32_t)len + ip[6]);
	memcpy(l4 + (type ? 2 : 6), &sum, 2);
	return 54 + len;
}

/* forge udp|arp|na|ra IFACE SRC-MAC DST-MAC SRC-IP DST-IP COUNT: raw frames, straight to the device. UDP goes to
 * port 7; advertisements are of the sender's address. */
static int cmd_forge(char **arg)
{
	uint8_t frame[128] = { 0 }, from[16], to[16];
	struct sockaddr_ll sll = { .sll_family = AF_PACKET,
				   .sll_halen = 6,
				   .sll_ifindex = (int)if_nametoindex(arg[1]) };
	int family = strchr(arg[4], ':') ? AF_INET6 : AF_INET, fd = socket(AF_PACKET, SOCK_RAW, 0);
	uint8_t type = !strcmp(arg[0], "na") ? ND_NEIGHBOR_ADVERT : !strcmp(arg[0], "ra") ? ND_ROUTER_ADVERT : 0;
	size_t len;

	if (fd < 0 || !sll.sll_ifindex)
		return fail(arg[1]);
	if (!parse_mac(arg[2], frame + 6) || !parse_mac(arg[3], frame) || inet_pton(family, arg[4], from) != 1 ||
	    inet_pton(family, arg[5], to) != 1) {
		errno = EINVAL;
		return fail("address");
	}
	len = family == AF_INET6 ? forge6(frame, type, from, to) : forge4(frame, !strcmp(arg[0], "arp"), from, to);
	memcpy(sll.sll_addr, frame, 6);
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
	if (argc == 3 && !strcmp(argv[1], "router"))
		return cmd_router(argv + 2);
	if (argc == 9 && !strcmp(argv[1], "forge"))
		return cmd_forge(argv + 2);
	fprintf(stderr, "usage: probe serve NAME PORT... | ask tcp|udp ADDR PORT [MS] | bulk ADDR PORT MIB |\n"
			"       probe router IFACE | forge udp|arp|na|ra IFACE SRC-MAC DST-MAC SRC-IP DST-IP COUNT\n");
	return 2;
}
