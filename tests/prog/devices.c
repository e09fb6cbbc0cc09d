/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The devices of the host that rows run on: taps, and one of them with a subnet and a router, of both families. Made by
 * ioctl, so that nothing but this binary is needed. Neighbours: prog.h, world.c. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <net/if.h>

#include "prog.h"

static const struct {
	const char *name;
	uint32_t mtu;
	bool no_xdp_out;
} plan[] = {
	{ "wan", 1500, false },	  { "lan", 1500, false },  { "n1", 1500, false }, { "n2", 1500, false },
	{ "n3", 1500, false },	  { "nb", 1500, false },   { "ns", 1500, false }, { "nh", 1500, false },
	{ "r1", 1500, false },	  { "r2", 1500, false },   { "i1", 1500, false }, { "i2", 1500, true },
	{ "q1", 1500, false },	  { "slow", 1300, false }, { "g1", 1500, false }, { "g2", 1500, false },
	{ "t1", 1500, false },	  { "t2", 1500, false },   { "p1", 1500, false }, { "p2", 1500, false },
	{ "b1", 1500, false },	  { "b2", 1500, false },   { "v1", 1500, false }, { "v2", 1500, false },
	{ "spare", 1500, false },
};

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return good;
}

static bool write_conf(const char *dev, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", dev, name);
	return write_text(path, text);
}

static void set_in(struct sockaddr *sa, const char *addr)
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	inet_pton(AF_INET, addr, &in.sin_addr);
	memcpy(sa, &in, sizeof(in));
}

static int set_flags(int sock, const char *name, short flags)
{
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	ifr.ifr_flags = flags;
	return ioctl(sock, SIOCSIFFLAGS, &ifr) ? -errno : 0;
}

static int make_tap(int sock, const char *name, uint32_t mtu, struct dev *dev)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };

	dev->tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (dev->tap < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	snprintf(dev->name, sizeof(dev->name), "%s", name);
	if (ioctl(dev->tap, TUNSETIFF, &ifr))
		return -errno;
	ifr.ifr_mtu = mtu;
	if (ioctl(sock, SIOCSIFMTU, &ifr))
		return -errno;
	dev->mtu = mtu;
	dev->ifindex = if_nametoindex(name);
	return set_flags(sock, name, IFF_UP);
}

static int add_neighbour(int sock, const char *dev, const char *addr, const char *mac)
{
	struct arpreq req = { .arp_flags = ATF_PERM | ATF_COM };

	snprintf(req.arp_dev, sizeof(req.arp_dev), "%s", dev);
	set_in(&req.arp_pa, addr);
	req.arp_ha.sa_family = ARPHRD_ETHER;
	name_mac(mac, (uint8_t *)req.arp_ha.sa_data);
	return ioctl(sock, SIOCSARP, &req) ? -errno : 0;
}

static int add_route(int sock, const char *dst, const char *mask, const char *via)
{
	struct rtentry rt = { .rt_flags = RTF_UP | (via ? RTF_GATEWAY : RTF_REJECT) };

	set_in(&rt.rt_dst, dst);
	set_in(&rt.rt_genmask, mask);
	if (via)
		set_in(&rt.rt_gateway, via);
	return ioctl(sock, SIOCADDRT, &rt) ? -errno : 0;
}

/* ---- IPv6 ------------------------------------------------------------------------------------------------- */

static struct in6_addr in6(const char *v4)
{
	const struct ip ip = name_ip(v4);
	struct in6_addr addr;

	memcpy(&addr, ip.bytes, sizeof(addr));
	return addr;
}

static int add_neighbour6(const char *dev, const char *addr, const char *mac)
{
	const struct in6_addr dst = in6(addr);
	struct {
		struct nlmsghdr nlh;
		struct ndmsg ndm;
		struct rtattr dst_head;
		struct in6_addr dst;
		struct rtattr mac_head;
		uint8_t mac[6];
		uint8_t pad[2];
	} msg = {
		.nlh = { sizeof(msg), RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE },
		.ndm = { .ndm_family = AF_INET6, .ndm_ifindex = if_nametoindex(dev), .ndm_state = NUD_PERMANENT },
		.dst_head = { sizeof(struct rtattr) + 16, NDA_DST },
		.dst = dst,
		.mac_head = { sizeof(struct rtattr) + 6, NDA_LLADDR },
	};
	struct {
		struct nlmsghdr nlh;
		struct nlmsgerr err;
	} answer = { 0 };
	int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), err = sock < 0 ? -errno : 0;

	name_mac(mac, msg.mac);
	if (!err && (send(sock, &msg, sizeof(msg), 0) < 0 || recv(sock, &answer, sizeof(answer), 0) < 0))
		err = -errno;
	if (sock >= 0)
		close(sock);
	return err ? err : answer.err.error;
}

static int add_route6(int sock, const char *dst, int bits, const char *via)
{
	struct in6_rtmsg rt = { .rtmsg_dst_len = bits,
				.rtmsg_metric = 1,
				.rtmsg_type = via ? RTN_UNICAST : RTN_UNREACHABLE,
				.rtmsg_flags = RTF_UP | (via ? RTF_GATEWAY : RTF_REJECT),
				.rtmsg_ifindex = via ? if_nametoindex("wan") : if_nametoindex("lo") };

	if (dst)
		rt.rtmsg_dst = in6(dst);
	if (via)
		rt.rtmsg_gateway = in6(via);
	return ioctl(sock, SIOCADDRT, &rt) ? -errno : 0;
}

/* What make_devices() says of wan, in IPv6. */
static int make_ipv6(void)
{
	int sock = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = sock < 0 ? -errno : 0;
	struct {
		struct in6_addr addr;
		uint32_t bits;
		int ifindex;
	} req = { in6("192.0.2.1"), 120, if_nametoindex("wan") };

	if (!err && ioctl(sock, SIOCSIFADDR, &req))
		err = -errno;
	if (!err)
		err = add_neighbour6("wan", "192.0.2.254", "hop");
	if (!err)
		err = add_neighbour6("wan", "192.0.2.9", "neighbour");
	if (!err)
		err = add_route6(sock, NULL, 0, "192.0.2.254");
	if (!err)
		err = add_route6(sock, "203.0.113.128", 121, NULL);
	if (!err && !write_conf("lo", "forwarding", "1"))
		err = -errno;
	if (sock >= 0)
		close(sock);
	return err;
}

/* ---- all of it -------------------------------------------------------------------------------------------- */

/* wan: 192.0.2.1/24, hop 192.0.2.254 for all else, 192.0.2.9 a neighbour, 192.0.2.99 one that nobody has seen. */
int make_devices(void)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = sock < 0 ? -errno : 0;
	struct ifreq ifr = { .ifr_name = "wan" };

	/* Frames of the kernel's own would be taken for copies: wan's come before the first row at the latest. */
	write_conf("default", "accept_dad", "0");
	write_conf("default", "accept_ra", "0");
	write_conf("default", "router_solicitations", "0");
	write_conf("default", "addr_gen_mode", "1");
	write_conf("default", "mldv2_unsolicited_report_interval", "1");
	if (!err)
		err = set_flags(sock, "lo", IFF_UP);
	for (size_t i = 0; i < sizeof(plan) / sizeof(*plan) && !err; i++) {
		struct dev *dev = &world.devs[world.dev_count++];

		err = make_tap(sock, plan[i].name, plan[i].mtu, dev);
		if (!i)
			write_conf("default", "disable_ipv6", "1");
		dev->xdp_out = !plan[i].no_xdp_out;
	}
	set_in(&ifr.ifr_addr, "192.0.2.1");
	if (!err && ioctl(sock, SIOCSIFADDR, &ifr))
		err = -errno;
	set_in(&ifr.ifr_netmask, "255.255.255.0");
	if (!err && ioctl(sock, SIOCSIFNETMASK, &ifr))
		err = -errno;
	if (!err)
		err = add_neighbour(sock, "wan", "192.0.2.254", "hop");
	if (!err)
		err = add_neighbour(sock, "wan", "192.0.2.9", "neighbour");
	if (!err)
		err = add_route(sock, "0.0.0.0", "0.0.0.0", "192.0.2.254");
	if (!err)
		err = add_route(sock, "203.0.113.128", "255.255.255.128", NULL);
	if (!err && !write_text("/proc/sys/net/ipv4/conf/lo/forwarding", "1"))
		err = -errno;
	if (sock >= 0)
		close(sock);
	if (!err) {
		world.family = 6;
		err = make_ipv6();
		world.family = 4;
	}
	return err;
}
