/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How many small datagrams per second get from one namespace to another?
 *
 * udpload FROM_NETNS TO_NETNS ADDRESS PORT SECONDS BYTES: one thread sends as fast as it can, one receives; prints
 * `SENT RECEIVED SECONDS`. There is no control connection that the flood could starve.
 *
 * Neighbours: tests/bench/run starts it. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define BATCH 32
#define MAX_BYTES 1452

static atomic_bool done;
static unsigned long received;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int socket_in(const char *netns, int family)
{
	int s, ns = open(netns, O_RDONLY | O_CLOEXEC);

	if (ns < 0 || setns(ns, CLONE_NEWNET))
		return -1;
	close(ns);
	s = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return s;
}

static void *receive(void *arg)
{
	static char bufs[BATCH][MAX_BYTES];
	struct mmsghdr msgs[BATCH] = { 0 };
	struct iovec iov[BATCH];
	int s = *(int *)arg;

	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ bufs[i], MAX_BYTES };
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	while (!done) {
		int n = recvmmsg(s, msgs, BATCH, MSG_WAITFORONE, NULL);

		if (n > 0)
			received += (unsigned)n;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	union {
		struct sockaddr any;
		struct sockaddr_in ip4;
		struct sockaddr_in6 ip6;
	} to = { 0 }, from = { 0 };
	struct timeval wait = { .tv_usec = 100000 };
	struct mmsghdr msgs[BATCH] = { 0 };
	struct iovec iov[BATCH];
	char data[MAX_BYTES] = { 0 };
	unsigned long sent = 0;
	int rx, tx, size = 4 << 20, bytes;
	double start, end, seconds;
	pthread_t thread;
	bool six = argc == 7 && strchr(argv[3], ':');
	int family = six ? AF_INET6 : AF_INET;

	if (argc != 7 || inet_pton(family, argv[3], six ? (void *)&to.ip6.sin6_addr : &to.ip4.sin_addr) != 1 ||
	    atoi(argv[6]) < 1 || atoi(argv[6]) > MAX_BYTES) {
		fputs("usage: udpload FROM_NETNS TO_NETNS ADDRESS PORT SECONDS BYTES\n", stderr);
		return 2;
	}
	seconds = atof(argv[5]);
	bytes = atoi(argv[6]);
	to.any.sa_family = from.any.sa_family = (sa_family_t)family;
	/* at the same place in both */
	to.ip4.sin_port = from.ip4.sin_port = htons((unsigned short)atoi(argv[4]));
	rx = socket_in(argv[2], family);
	tx = socket_in(argv[1], family);
	if (rx < 0 || tx < 0 || bind(rx, &from.any, six ? sizeof(from.ip6) : sizeof(from.ip4)) ||
	    connect(tx, &to.any, six ? sizeof(to.ip6) : sizeof(to.ip4))) {
		fprintf(stderr, "udpload: %s\n", strerror(errno));
		return 1;
	}
	setsockopt(rx, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(rx, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ data, (size_t)bytes };
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	if (pthread_create(&thread, NULL, receive, &rx))
		return 1;
	start = now();
	do {
		int n = sendmmsg(tx, msgs, BATCH, 0);

		if (n > 0)
			sent += (unsigned)n;
		end = now();
	} while (end - start < seconds);
	usleep(50000);
	done = true;
	pthread_join(thread, NULL);
	printf("%lu %lu %.3f\n", sent, received, end - start);
	return 0;
}
