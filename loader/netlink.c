/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How links are asked for and changed. Neighbours: netlink.h. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loader/fail.h"
#include "loader/ipentry.h"
#include "loader/netlink.h"

/* The generic netlink family "netdev" (Linux 6.3); Debian 12's headers do not have it yet. */
#define NETDEV_FAMILY "netdev"
#define NETDEV_DEV_GET 1
#define NETDEV_ATTR_IFINDEX 1
#define NETDEV_ATTR_XDP_FEATURES 3
#define NETDEV_XDP_NDO_XMIT 4

#define BUFFER 65536

/* Marks of IPv6 addresses that are not, or not for long, the host's (RFC 4862, RFC 8981). */
#define PASSING (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC | IFA_F_DADFAILED | IFA_F_TEMPORARY | IFA_F_DEPRECATED)

static uint32_t sequence;

/* Sends one request and hands all answers to `cb`. */
static int talk(int bus, struct nlmsghdr *nlh, mnl_cb_t cb, void *arg)
{
	struct mnl_socket *nl = mnl_socket_open2(bus, SOCK_CLOEXEC);
	char *buf = malloc(BUFFER);
	unsigned int port;
	int err = 0, got;

	if (!nl || !buf) {
		err = nl ? -ENOMEM : -errno;
		goto out;
	}
	nlh->nlmsg_seq = ++sequence;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0) {
		err = -errno;
		goto out;
	}
	port = mnl_socket_get_portid(nl);
	do {
		got = mnl_socket_recvfrom(nl, buf, BUFFER);
		if (got > 0)
			got = mnl_cb_run(buf, got, nlh->nlmsg_seq, port, cb, arg);
		if (got < 0)
			err = -errno;
	} while (got > MNL_CB_STOP);
out:
	free(buf);
	if (nl)
		mnl_socket_close(nl);
	return err;
}

/* ---- links ------------------------------------------------------------------------------------------------- */

struct collect {
	struct gl_facts facts;
	size_t capacity;
};

static int on_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifm = mnl_nlmsg_get_payload(nlh);
	struct collect *c = arg;
	const struct nlattr *attr, *inner;
	struct gl_link *link;

	if (c->facts.link_count == c->capacity) {
		size_t more = c->capacity ? 2 * c->capacity : 32;
		struct gl_link *links = reallocarray(c->facts.links, more, sizeof(*links));

		if (!links) {
			errno = ENOMEM;
			return MNL_CB_ERROR;
		}
		c->facts.links = links;
		c->capacity = more;
	}
	link = &c->facts.links[c->facts.link_count++];
	*link = (struct gl_link){ .ifindex = ifm->ifi_index, .up = ifm->ifi_flags & IFF_UP };
	mnl_attr_for_each(attr, nlh, sizeof(*ifm))
	{
		switch (mnl_attr_get_type(attr)) {
		case IFLA_IFNAME:
			strncpy(link->name, mnl_attr_get_str(attr), sizeof(link->name) - 1);
			break;
		case IFLA_MTU:
			link->mtu = mnl_attr_get_u32(attr);
			break;
		case IFLA_ADDRESS:
			if (mnl_attr_get_payload_len(attr) == sizeof(link->mac))
				memcpy(link->mac, mnl_attr_get_payload(attr), sizeof(link->mac));
			break;
		case IFLA_LINKINFO:
			mnl_attr_for_each_nested(inner, attr)
			{
				if (mnl_attr_get_type(inner) == IFLA_INFO_KIND)
					strncpy(link->kind, mnl_attr_get_str(inner), sizeof(link->kind) - 1);
			}
			break;
		}
	}
	return MNL_CB_OK;
}

static struct gl_link *by_index(struct gl_facts *facts, uint32_t ifindex)
{
	for (size_t i = 0; i < facts->link_count; i++)
		if (facts->links[i].ifindex == ifindex)
			return &facts->links[i];
	return NULL;
}

static int on_addr(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct collect *c = arg;
	struct gl_link *link = by_index(&c->facts, ifa->ifa_index);
	struct gl_link_addr addr = { .addr = { .family = ifa->ifa_family, .len = ifa->ifa_prefixlen } }, *addrs;
	const size_t width = gl_family_bits(ifa->ifa_family) / 8;
	uint32_t flags = ifa->ifa_flags;
	const struct nlattr *attr;
	bool found = false;

	if (!link || (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6))
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*ifa))
	{
		int type = mnl_attr_get_type(attr);

		/* IFA_LOCAL is the host's own; IFA_ADDRESS is the other end of a point-to-point link. */
		if ((type == IFA_LOCAL || (type == IFA_ADDRESS && !found)) && mnl_attr_get_payload_len(attr) == width) {
			memcpy(addr.addr.bytes, mnl_attr_get_payload(attr), width);
			found = true;
		} else if (type == IFA_FLAGS) {
			flags = mnl_attr_get_u32(attr);
		}
	}
	if (!found)
		return MNL_CB_OK;
	addr.passing = ifa->ifa_family == AF_INET6 && (ifa->ifa_scope != RT_SCOPE_UNIVERSE || (flags & PASSING));
	addrs = reallocarray(link->addrs, link->addr_count + 1, sizeof(*addrs));
	if (!addrs) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	link->addrs = addrs;
	addrs[link->addr_count++] = addr;
	return MNL_CB_OK;
}

static int on_family(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
			*(uint16_t *)arg = mnl_attr_get_u16(attr);
	}
	return MNL_CB_OK;
}

static int on_netdev(const struct nlmsghdr *nlh, void *arg)
{
	struct collect *c = arg;
	const struct nlattr *attr;
	struct gl_link *link;
	uint32_t ifindex = 0;
	uint64_t features = 0;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attr) == NETDEV_ATTR_IFINDEX)
			ifindex = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == NETDEV_ATTR_XDP_FEATURES)
			memcpy(&features, mnl_attr_get_payload(attr), sizeof(features));
	}
	link = by_index(&c->facts, ifindex);
	if (link)
		link->xdp_out = features & NETDEV_XDP_NDO_XMIT;
	return MNL_CB_OK;
}

static struct nlmsghdr *generic(char *buf, uint16_t family, uint16_t flags, uint8_t cmd)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *g;

	nlh->nlmsg_type = family;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	g = mnl_nlmsg_put_extra_header(nlh, sizeof(*g));
	g->cmd = cmd;
	g->version = 1;
	return nlh;
}

/* Which devices take frames from XDP: the kernel says so since Linux 6.3. Before, only taps are known to.
 * -EINTR: they changed meanwhile. */
static int ask_xdp_out(struct collect *c)
{
	char buf[256] __attribute__((aligned(8)));
	uint16_t family = 0;
	struct nlmsghdr *nlh = generic(buf, GENL_ID_CTRL, NLM_F_ACK, CTRL_CMD_GETFAMILY);
	int err;

	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, NETDEV_FAMILY);
	if (!talk(NETLINK_GENERIC, nlh, on_family, &family) && family) {
		nlh = generic(buf, family, NLM_F_DUMP, NETDEV_DEV_GET);
		err = talk(NETLINK_GENERIC, nlh, on_netdev, c);
		if (!err || err == -EINTR)
			return err;
	}
	for (size_t i = 0; i < c->facts.link_count; i++)
		c->facts.links[i].xdp_out = !strcmp(c->facts.links[i].kind, "tun");
	return 0;
}

static void ask_rxvlan(struct gl_facts *facts)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	for (size_t i = 0; i < facts->link_count; i++) {
		struct ethtool_value value = { .cmd = ETHTOOL_GFLAGS };
		struct ifreq ifr = { 0 };

		/* A tap has no hardware that could. */
		if (!strcmp(facts->links[i].kind, "tun"))
			continue;
		memcpy(ifr.ifr_name, facts->links[i].name, sizeof(ifr.ifr_name));
		ifr.ifr_data = (void *)&value;
		facts->links[i].rxvlan = !ioctl(fd, SIOCETHTOOL, &ifr) && (value.data & ETH_FLAG_RXVLAN);
	}
	close(fd);
}

static int dump(uint16_t type, unsigned char family, mnl_cb_t cb, void *arg)
{
	char buf[256] __attribute__((aligned(8)));
	struct nlmsghdr *nlh;
	struct ifinfomsg *ifm;

	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	ifm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifm));
	ifm->ifi_family = family;
	return talk(NETLINK_ROUTE, nlh, cb, arg);
}

int gl_facts_collect(struct gl_facts *ret, struct gl_diag *diag)
{
	struct collect c;
	int err = -EINTR;

	/* EINTR: what is asked for changed while it was read. What came so far is no part of the next answer. */
	for (int tries = 0; tries < 8 && err == -EINTR; tries++) {
		c = (struct collect){ 0 };
		err = dump(RTM_GETLINK, AF_UNSPEC, on_link, &c);
		if (!err)
			err = dump(RTM_GETADDR, AF_UNSPEC, on_addr, &c);
		if (!err)
			err = ask_xdp_out(&c);
		if (err)
			gl_facts_clear(&c.facts);
	}
	if (err)
		return gl_fail(diag, err, "cannot ask the kernel for its network interfaces");
	ask_rxvlan(&c.facts);
	*ret = c.facts;
	return 0;
}

/* ---- changes ----------------------------------------------------------------------------------------------- */

int gl_link_set_up(uint32_t ifindex, bool up)
{
	char buf[256] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifm;

	nlh->nlmsg_type = RTM_NEWLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	ifm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifm));
	ifm->ifi_index = ifindex;
	ifm->ifi_change = IFF_UP;
	ifm->ifi_flags = up ? IFF_UP : 0;
	return talk(NETLINK_ROUTE, nlh, NULL, NULL);
}

int gl_link_take_mac(uint32_t ifindex, const uint8_t mac[6], bool take)
{
	char buf[256] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ndmsg *ndm;
	int err;

	nlh->nlmsg_type = take ? RTM_NEWNEIGH : RTM_DELNEIGH;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | (take ? NLM_F_CREATE | NLM_F_EXCL : 0);
	ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));
	ndm->ndm_family = AF_BRIDGE;
	ndm->ndm_ifindex = ifindex;
	ndm->ndm_state = NUD_PERMANENT;
	ndm->ndm_flags = NTF_SELF;
	mnl_attr_put(nlh, NDA_LLADDR, 6, mac);
	err = talk(NETLINK_ROUTE, nlh, NULL, NULL);
	if (take && err == -EEXIST)
		return 0;
	if (!take && (err == -ENOENT || err == -ENODEV))
		return 0;
	return err;
}
