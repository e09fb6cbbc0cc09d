/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How the host's settings are read and written. Neighbours: hardening.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/fail.h"
#include "loader/hardening.h"
#include "loader/ipentry.h"

#define SYSCTL "/proc/sys/net/"
#define RESERVED SYSCTL "ipv4/ip_local_reserved_ports"

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;
	size_t len = strlen(text);

	if (fd < 0)
		return -errno;
	/* sysctls take their value in one write only. */
	if (write(fd, text, len) != (ssize_t)len)
		err = errno ? -errno : -EIO;
	close(fd);
	return err;
}

/* The whole file; the caller frees. */
static int read_text(const char *path, char **ret)
{
	size_t len = 0, size = 4096;
	char *buf = malloc(size);
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;

	if (fd < 0 || !buf)
		err = fd < 0 ? -errno : -ENOMEM;
	while (!err) {
		ssize_t got = read(fd, buf + len, size - 1 - len);

		if (got < 0)
			err = -errno;
		if (got <= 0)
			break;
		len += got;
		if (len + 1 == size) {
			char *more = realloc(buf, 2 * size);

			if (!more)
				err = -ENOMEM;
			else
				buf = more, size *= 2;
		}
	}
	if (fd >= 0)
		close(fd);
	if (err) {
		free(buf);
		return err;
	}
	buf[len] = 0;
	*ret = buf;
	return 0;
}

/* ---- interfaces -------------------------------------------------------------------------------------------- */

static const struct {
	const char *family, *name, *value;
} guest_settings[] = {
	{ "ipv4", "rp_filter", "1" },
	{ "ipv4", "arp_ignore", "8" },
	{ "ipv6", "disable_ipv6", "1" },
};

void gl_harden_guest(const char *dev, bool off)
{
	char path[128], from[128];

	for (size_t i = 0; i < sizeof(guest_settings) / sizeof(*guest_settings); i++) {
		const char *family = guest_settings[i].family, *name = guest_settings[i].name;
		char *value = NULL;

		snprintf(path, sizeof(path), SYSCTL "%s/conf/%s/%s", family, dev, name);
		snprintf(from, sizeof(from), SYSCTL "%s/conf/default/%s", family, name);
		if (!off)
			write_text(path, guest_settings[i].value);
		else if (!read_text(from, &value))
			write_text(path, value);
		free(value);
	}
}

static const struct {
	const char *name, *path;
} lo_forwarding[GL_FAMILIES] = {
	{ "net.ipv4.conf.lo.forwarding", SYSCTL "ipv4/conf/lo/forwarding" },
	{ "net.ipv6.conf.lo.forwarding", SYSCTL "ipv6/conf/lo/forwarding" },
};

const char *gl_forwarding_name(uint8_t family)
{
	return lo_forwarding[gl_family_index(family)].name;
}

bool gl_forwarding_enabled(uint8_t family)
{
	char *text = NULL;
	int err = read_text(lo_forwarding[gl_family_index(family)].path, &text);
	bool on = err ? family == AF_INET6 && err == -ENOENT : text[0] == '1';

	free(text);
	return on;
}

static bool accept_ra(const char *dev, const char *from, const char *to)
{
	char path[128], *text = NULL;
	bool done = false;

	snprintf(path, sizeof(path), SYSCTL "ipv6/conf/%s/accept_ra", dev);
	if (!read_text(path, &text) && text[0] == from[0])
		done = !write_text(path, to);
	free(text);
	return done;
}

/* Whatever device it is set for, IPv6 forwarding makes the kernel forget the default routes that it has learned of
 * routers, but for those by devices whose accept_ra is 2 (net/ipv6/route.c, rt6_purge_dflt_routers). The host keeps its
 * way out: the devices that have 1 have 2 for that moment. */
static int forward_ipv6(const char *path)
{
	struct if_nameindex *all = if_nameindex();
	bool *learns = NULL;
	size_t count = 0;
	int err;

	while (all && all[count].if_index)
		count++;
	learns = calloc(count + 1, sizeof(*learns));
	if (!all || !learns) {
		if (all)
			if_freenameindex(all);
		free(learns);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		learns[i] = accept_ra(all[i].if_name, "1", "2");
	err = write_text(path, "1");
	for (size_t i = 0; i < count; i++)
		if (learns[i])
			accept_ra(all[i].if_name, "2", "1");
	if_freenameindex(all);
	free(learns);
	return err;
}

int gl_forwarding_enable(uint8_t family, bool *changed, struct gl_diag *diag)
{
	const char *path = lo_forwarding[gl_family_index(family)].path;
	int err;

	if (gl_forwarding_enabled(family))
		return 0;
	err = family == AF_INET6 ? forward_ipv6(path) : write_text(path, "1");
	if (err)
		return gl_fail(diag, err, "cannot set %s=1, which route lookups need", gl_forwarding_name(family));
	*changed = true;
	return 0;
}

void gl_forwarding_restore(uint8_t family)
{
	write_text(lo_forwarding[gl_family_index(family)].path, "0");
}

/* ---- ports ------------------------------------------------------------------------------------------------- */

void gl_ports_add(struct gl_ports *ports, unsigned min, unsigned max)
{
	for (unsigned p = min; p <= max && p < 65536; p++)
		ports->bits[p / 64] |= 1ull << (p % 64);
}

bool gl_ports_has(const struct gl_ports *ports, unsigned port)
{
	return port < 65536 && (ports->bits[port / 64] >> (port % 64) & 1);
}

bool gl_ports_equal(const struct gl_ports *a, const struct gl_ports *b)
{
	return !memcmp(a, b, sizeof(*a));
}

char *gl_ports_format(const struct gl_ports *ports)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	const char *comma = "";

	if (!f)
		return NULL;
	for (unsigned p = 0; p < 65536; p++) {
		unsigned last = p;

		if (!gl_ports_has(ports, p))
			continue;
		while (gl_ports_has(ports, last + 1))
			last++;
		if (last > p)
			fprintf(f, "%s%u-%u", comma, p, last);
		else
			fprintf(f, "%s%u", comma, p);
		comma = ",";
		p = last;
	}
	return fclose(f) ? free(text), NULL : text;
}

int gl_ports_parse(const char *text, struct gl_ports *ret)
{
	struct gl_ports ports = { 0 };

	while (*text >= '0' && *text <= '9') {
		char *end;
		unsigned long min = strtoul(text, &end, 10), max = min;

		if (*end == '-')
			max = strtoul(end + 1, &end, 10);
		if (min > max || max > 65535)
			return -EINVAL;
		gl_ports_add(&ports, min, max);
		text = *end == ',' ? end + 1 : end;
	}
	*ret = ports;
	return 0;
}

int gl_reserved_read(struct gl_ports *ret, struct gl_diag *diag)
{
	char *text = NULL;
	int err = read_text(RESERVED, &text);

	if (!err)
		err = gl_ports_parse(text, ret);
	free(text);
	return err ? gl_fail(diag, err, "cannot read net.ipv4.ip_local_reserved_ports") : 0;
}

int gl_reserved_write(const struct gl_ports *ports, struct gl_diag *diag)
{
	char *text = gl_ports_format(ports);
	int err = text ? write_text(RESERVED, *text ? text : "\n") : -ENOMEM;

	free(text);
	if (err)
		return gl_fail(diag, err,
			       "cannot keep the translated ports from the host's sockets "
			       "(net.ipv4.ip_local_reserved_ports)");
	return 0;
}

static bool is_loopback(const char *addr)
{
	unsigned word[4];

	/* The words of the address as the host holds them. */
	if (strlen(addr) == 8 && sscanf(addr, "%8x", &word[0]) == 1)
		return (ntohl(word[0]) >> 24) == 127;
	if (sscanf(addr, "%8x%8x%8x%8x", &word[0], &word[1], &word[2], &word[3]) == 4)
		return (!word[0] && !word[1] && !word[2] && ntohl(word[3]) == 1) ||
		       (!word[0] && !word[1] && ntohl(word[2]) == 0xffff && (ntohl(word[3]) >> 24) == 127);
	return false;
}

int gl_reserved_check(const struct gl_ports *ports, struct gl_diag *diag)
{
	static const char *const files[] = { "tcp", "tcp6", "udp", "udp6" };
	const unsigned tcp_time_wait = 6;
	int found = 0;

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		char path[32], *line, *text = NULL;
		int err;

		snprintf(path, sizeof(path), "/proc/self/net/%s", files[i]);
		err = read_text(path, &text);
		/* A kernel without IPv6 has no such file. */
		if (err == -ENOENT)
			continue;
		if (err)
			return gl_fail(diag, err, "cannot read %s", path);
		for (line = strchr(text, '\n'); line; line = strchr(line + 1, '\n')) {
			char addr[40];
			unsigned port, state;

			if (sscanf(line + 1, " %*u: %39[0-9A-F]:%x %*39[0-9A-F]:%*x %x", addr, &port, &state) != 3)
				continue;
			if (state == tcp_time_wait || !gl_ports_has(ports, port) || is_loopback(addr))
				continue;
			if (found++ < 8)
				gl_refuse(diag, -EADDRINUSE,
					  "a socket of this host holds %.3s port %u, which guests' flows are to be "
					  "translated to: stop that service, move it to another port, or give the "
					  "network other `nat: ports:`",
					  files[i], port);
		}
		free(text);
	}
	return found ? -EADDRINUSE : 0;
}
