/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How fast can one guest try to open flows?
 *
 * tapflood FD COUNT OFFSET: writes COUNT frames to the tap queue FD, which it inherits. The frame, with its virtio
 * header, comes on standard input; each carries two ports of its own at OFFSET (virtio header included), so that all
 * are attempts to open different flows. Prints how many the kernel has taken. A frame that goes to a tap is through the
 * programs when write() returns: what they count can be held against it exactly.
 *
 * Neighbours: tests/netns/test_state.py starts it. */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PORTS 60000
#define FIRST_PORT 1024

static void put16(unsigned char *to, unsigned long value)
{
	to[0] = (unsigned char)(value >> 8);
	to[1] = (unsigned char)value;
}

int main(int argc, char **argv)
{
	unsigned char frame[2048];
	unsigned long count, offset, taken = 0;
	size_t bytes;
	int fd;

	if (argc != 4) {
		fputs("usage: tapflood FD COUNT OFFSET <FRAME\n", stderr);
		return 2;
	}
	fd = atoi(argv[1]);
	count = strtoul(argv[2], NULL, 10);
	offset = strtoul(argv[3], NULL, 10);
	bytes = fread(frame, 1, sizeof(frame), stdin);
	if (bytes < 4 || offset > bytes - 4 || count > (unsigned long)PORTS * (65536 - FIRST_PORT)) {
		fputs("tapflood: no such place in the frame, or more flows than ports\n", stderr);
		return 2;
	}
	for (unsigned long n = 0; n < count; n++) {
		put16(frame + offset, FIRST_PORT + n % PORTS);
		put16(frame + offset + 2, FIRST_PORT + n / PORTS);
		while (write(fd, frame, bytes) != (ssize_t)bytes) {
			struct pollfd wait = { .fd = fd, .events = POLLOUT };

			if (errno != EAGAIN && errno != EINTR) {
				perror("tapflood: write");
				return 1;
			}
			poll(&wait, 1, 100);
		}
		taken++;
	}
	printf("%lu\n", taken);
	return 0;
}
