/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Which device, MAC or address does a name of a row stand for? Neighbours: prog.h, devices.c, family.c. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <net/if.h>

#include "loader/model.h"
#include "prog.h"

struct dev *dev_by_name(const char *name)
{
	for (size_t i = 0; i < world.dev_count; i++)
		if (!strcmp(world.devs[i].name, name))
			return &world.devs[i];
	printf("no device %s\n", name);
	abort();
}

const struct gl_interface *guest_by_tap(const char *tap)
{
	for (size_t t = 0; in_force && t < in_force->tenant_count; t++)
		for (size_t g = 0; g < in_force->tenants[t].guest_count; g++) {
			const struct gl_guest *guest = &in_force->tenants[t].guests[g];

			for (size_t i = 0; i < guest->interface_count; i++)
				if (!strcmp(guest->interfaces[i].tap.s, tap))
					return &guest->interfaces[i];
		}
	return NULL;
}

static const struct gl_network *network_by_path(const char *path, char *tenant, char *network)
{
	if (sscanf(path, "gw:%63[^/]/%63s", tenant, network) != 2)
		return NULL;
	for (size_t t = 0; t < in_force->tenant_count; t++)
		if (!strcmp(in_force->tenants[t].name.s, tenant))
			return gl_find_network(&in_force->tenants[t], network);
	return NULL;
}

void name_mac(const char *name, uint8_t mac[6])
{
	char tenant[GL_NAME_LEN], network[GL_NAME_LEN];
	const struct gl_interface *guest;

	if (sscanf(name, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) == 6)
		return;
	if (!strcmp(name, "hop"))
		return (void)memcpy(mac, "\x02\0\0\0\x0f\xfe", 6);
	if (!strcmp(name, "neighbour"))
		return (void)memcpy(mac, "\x02\0\0\0\x0f\x09", 6);
	if (!strcmp(name, "stranger"))
		return (void)memcpy(mac, "\x02\0\0\0\x0f\x55", 6);
	if (!strncmp(name, "gw:", 3) && network_by_path(name, tenant, network))
		return gl_gateway_mac(tenant, network, mac);
	guest = guest_by_tap(name);
	if (guest) {
		memcpy(mac, guest->mac, 6);
	} else {
		struct ifreq ifr = { 0 };
		int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
		if (ioctl(sock, SIOCGIFHWADDR, &ifr)) {
			printf("no MAC for %s\n", name);
			abort();
		}
		close(sock);
		memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	}
}

static struct ip link_local(const char *name)
{
	struct gl_prefix addr;
	struct ip ip = { .len = 16 };
	uint8_t mac[6];

	name_mac(name, mac);
	addr = gl_eui64(NULL, mac);
	memcpy(ip.bytes, addr.bytes, 16);
	return ip;
}

static struct ip solicited_node(const char *name)
{
	const struct ip addr = name_ip(name);
	struct ip ip = { { 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff }, 16 };

	memcpy(ip.bytes + 13, addr.bytes + 13, 3);
	return ip;
}

struct ip name_ip(const char *name)
{
	char tenant[GL_NAME_LEN], path[GL_NAME_LEN];
	const struct gl_interface *guest = guest_by_tap(name);
	const struct gl_network *network = network_by_path(name, tenant, path);
	struct ip ip = { .len = world.family == 6 ? 16 : 4 };
	uint32_t addr_be = 0;

	if (inet_pton(AF_INET, name, &addr_be) == 1)
		return ip_of(addr_be);
	if (!strncmp(name, "ll:", 3))
		return link_local(name + 3);
	if (!strncmp(name, "sn:", 3))
		return solicited_node(name + 3);
	if (guest || network) {
		/* the first of the family */
		const struct gl_prefix *all = guest ? guest->addresses : network->subnets;
		const size_t count = guest ? guest->address_count : network->subnet_count;
		struct gl_prefix addr;
		size_t i = 0;

		while (i + 1 < count && all[i].family != (world.family == 6 ? AF_INET6 : AF_INET))
			i++;
		addr = guest ? all[i] : gl_network_gateway(network, i);
		memcpy(ip.bytes, addr.bytes, ip.len);
		return ip;
	}
	if (!strcmp(name, "wan"))
		name = "192.0.2.1";
	else if (!strcmp(name, "hop"))
		name = "192.0.2.254";
	else if (!strcmp(name, "neighbour"))
		name = "192.0.2.9";
	if (inet_pton(AF_INET, name, &addr_be) == 1)
		return ip_of(addr_be);
	if (inet_pton(AF_INET6, name, ip.bytes) != 1) {
		printf("no address for %s\n", name);
		abort();
	}
	ip.len = 16;
	return ip;
}
