/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How does a network namespace become a guest with virtio offloads, without a hypervisor?
 *
 * One tap is opened in the host's namespace, where a hypervisor would open it, and one in the guest's. Frames are
 * copied between the two with their virtio_net headers unchanged, so that what the guest's stack leaves to its "card"
 * (partial checksums, 64 KiB segments) reaches the host's tap exactly as a virtual machine would write it, and the
 * other way round. One thread per direction and queue. Both taps vanish with the process.
 *
 * Neighbours: tests/netns/gl.py starts it. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_QUEUES 8
#define HDR_LEN 12 /* struct virtio_net_hdr_mrg_rxbuf, as hypervisors use */
#define BUF_LEN (HDR_LEN + 65536 + 256)

#ifndef TUN_F_USO4 /* Linux 6.2 */
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

struct end {
	const char *netns;
	const char *tap;
	const char *mac; /* NULL: as the kernel chose */
	bool offload;
	int fd[MAX_QUEUES];
};

struct lane {
	int from, to;
	pthread_t thread;
};

static const char usage[] =
	"usage: tapcable --host-tap NAME --guest-tap NAME [--host-ns PATH] [--guest-ns PATH] [--host-mac MAC]\n"
	"                [--guest-mac MAC] [--mtu BYTES] [--queues N] [--no-offload] [--no-guest-offload]\n"
	"Prints `ready` once both taps are up; `ready uso` where the kernel offers UDP segmentation too.\n";

static int set_link(const struct end *end, int mtu)
{
	struct ifreq ifr = { 0 };
	unsigned m[6];
	int s, err = 0;

	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", end->tap);
	if (end->mac) {
		if (sscanf(end->mac, "%x:%x:%x:%x:%x:%x", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]) != 6) {
			err = -EINVAL;
			goto out;
		}
		ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
		for (int i = 0; i < 6; i++)
			ifr.ifr_hwaddr.sa_data[i] = (char)m[i];
		if (ioctl(s, SIOCSIFHWADDR, &ifr)) {
			err = -errno;
			goto out;
		}
	}
	if (mtu) {
		ifr.ifr_mtu = mtu;
		if (ioctl(s, SIOCSIFMTU, &ifr)) {
			err = -errno;
			goto out;
		}
	}
	ifr.ifr_flags = IFF_UP;
	if (ioctl(s, SIOCSIFFLAGS, &ifr))
		err = -errno;
out:
	close(s);
	return err;
}

/* Opens every queue of one end in its namespace; *uso says whether UDP segmentation was to be had. */
static int open_end(struct end *end, int queues, int mtu, bool *uso)
{
	unsigned tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	int hdr_len = HDR_LEN;

	if (end->netns) {
		int ns = open(end->netns, O_RDONLY | O_CLOEXEC);

		if (ns < 0 || setns(ns, CLONE_NEWNET))
			return -errno;
		close(ns);
	}
	for (int i = 0; i < queues; i++) {
		struct ifreq ifr = { 0 };
		int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

		if (fd < 0)
			return -errno;
		ifr.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (queues > 1 ? IFF_MULTI_QUEUE : 0));
		snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", end->tap);
		if (ioctl(fd, TUNSETIFF, &ifr) || ioctl(fd, TUNSETVNETHDRSZ, &hdr_len))
			return -errno;
		*uso = false;
		if (!end->offload) {
			if (ioctl(fd, TUNSETOFFLOAD, 0))
				return -errno;
		} else if (!ioctl(fd, TUNSETOFFLOAD, tso | TUN_F_USO4 | TUN_F_USO6)) {
			*uso = true;
		} else if (ioctl(fd, TUNSETOFFLOAD, tso)) {
			return -errno;
		}
		end->fd[i] = fd;
	}
	return set_link(end, mtu);
}

static void *copy(void *arg)
{
	const struct lane *lane = arg;
	char *buf = malloc(BUF_LEN);

	if (!buf)
		exit(1);
	for (;;) {
		ssize_t len = read(lane->from, buf, BUF_LEN);

		if (len < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (len < 0) /* EBADFD, EIO: the tap was deleted under us, as a guest whose card is unplugged */
			break;
		/* A write that fails is a frame lost on the cable: the other end is down or refuses the header. */
		if (write(lane->to, buf, (size_t)len) < 0 && errno == EBADFD)
			break;
	}
	free(buf);
	return NULL;
}

static int start(struct lane *lane, int from, int to)
{
	lane->from = from;
	lane->to = to;
	return -pthread_create(&lane->thread, NULL, copy, lane);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "host-ns", 1, NULL, 'H' },	{ "guest-ns", 1, NULL, 'G' },
		{ "host-tap", 1, NULL, 'h' },	{ "guest-tap", 1, NULL, 'g' },
		{ "host-mac", 1, NULL, 'a' },	{ "guest-mac", 1, NULL, 'b' },
		{ "mtu", 1, NULL, 'm' },	{ "queues", 1, NULL, 'q' },
		{ "no-offload", 0, NULL, 'n' }, { "no-guest-offload", 0, NULL, 'N' },
		{ "help", 0, NULL, '?' },	{ 0 },
	};
	struct end host = { .offload = true }, guest = { .offload = true };
	struct lane lanes[2 * MAX_QUEUES];
	int queues = 1, mtu = 0, opt, sig, err;
	bool host_uso, guest_uso;
	sigset_t set;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'H':
			host.netns = optarg;
			break;
		case 'G':
			guest.netns = optarg;
			break;
		case 'h':
			host.tap = optarg;
			break;
		case 'g':
			guest.tap = optarg;
			break;
		case 'a':
			host.mac = optarg;
			break;
		case 'b':
			guest.mac = optarg;
			break;
		case 'm':
			mtu = atoi(optarg);
			break;
		case 'q':
			queues = atoi(optarg);
			break;
		case 'n':
			host.offload = false;
			guest.offload = false;
			break;
		case 'N': /* the guest computes everything itself, yet takes what the host does not compute */
			guest.offload = false;
			break;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (!host.tap || !guest.tap || optind != argc || queues < 1 || queues > MAX_QUEUES || mtu < 0) {
		fputs(usage, stderr);
		return 2;
	}

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);

	err = open_end(&host, queues, mtu, &host_uso);
	if (err) {
		fprintf(stderr, "tapcable: %s: %s\n", host.tap, strerror(-err));
		return 1;
	}
	err = open_end(&guest, queues, mtu, &guest_uso);
	if (err) {
		fprintf(stderr, "tapcable: %s: %s\n", guest.tap, strerror(-err));
		return 1;
	}
	for (int i = 0; i < queues; i++) {
		err = start(&lanes[2 * i], host.fd[i], guest.fd[i]);
		if (!err)
			err = start(&lanes[2 * i + 1], guest.fd[i], host.fd[i]);
		if (err) {
			fprintf(stderr, "tapcable: %s\n", strerror(-err));
			return 1;
		}
	}
	puts(host_uso && guest_uso ? "ready uso" : "ready");
	fflush(stdout);
	sigwait(&set, &sig);
	return 0;
}
