/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Operations as lines of text, "ID KIND NAME=VALUE...", and back. What has its default is not written.
 * Neighbours: model.h; cases/ holds sequences in this form. */
#include <stdlib.h>
#include <string.h>

#include "model.h"

static const char *const kinds[] = { "send", "reply", "error", "use", "age", "sweep", "delete" };
static const char tcp_letters[] = "FSRPAU";

enum shape { U8, I8, U16, U32, INT, ADDR, FLAGS, BOOL, PORT, TEXT, EXT };

static const struct field {
	const char *name;
	size_t at;
	enum shape shape;
} fields[] = {
#define OP(name, member, shape)                                                                                        \
	{                                                                                                              \
		name, offsetof(struct m_op, member), shape                                                             \
	}
	OP("on", port, PORT),
	OP("to", to, TEXT),
	OP("ref", ref, INT),
	OP("family", pk.family, U8),
	OP("ext", pk.ext, EXT),
	OP("proto", pk.proto, U8),
	OP("src", pk.src, ADDR),
	OP("dst", pk.dst, ADDR),
	OP("sport", pk.sport, U16),
	OP("dport", pk.dport, U16),
	OP("flags", pk.flags, FLAGS),
	OP("seq", pk.seq, U32),
	OP("ack", pk.ack, U32),
	OP("win", pk.win, U16),
	OP("mss", pk.mss, U16),
	OP("scale", pk.scale, I8),
	OP("type", pk.type, U8),
	OP("code", pk.code, U8),
	OP("mtu", pk.mtu, U16),
	OP("ttl", pk.ttl, U8),
	OP("id", pk.id, U32),
	OP("frag", pk.frag, U16),
	OP("nocheck", pk.nocheck, BOOL),
	OP("len", pk.len, U16),
	OP("first", pk.first, U16),
	OP("quote", pk.quote, U16),
	OP("shift", shift, INT),
	OP("from", from, ADDR),
	OP("number", number, INT),
	OP("xdp", xdp, BOOL),
	OP("back", back, BOOL),
#undef OP
};

static void defaults(struct m_op *op)
{
	memset(op, 0, sizeof(*op));
	op->port = M_UPLINK;
	op->pk.family = 4;
	op->pk.ttl = 64;
	op->pk.scale = -1;
}

static void value_print(FILE *to, unsigned family, enum shape shape, const void *at)
{
	char addr[ADDR_TEXT];

	switch (shape) {
	case U8:
	case BOOL:
		fprintf(to, "%u", *(const uint8_t *)at);
		break;
	case I8:
		fprintf(to, "%d", *(const int8_t *)at);
		break;
	case U16:
		fprintf(to, "%u", *(const uint16_t *)at);
		break;
	case U32:
		fprintf(to, "%u", *(const uint32_t *)at);
		break;
	case INT:
		fprintf(to, "%d", *(const int *)at);
		break;
	case ADDR:
		addr_print(family, *(const uint32_t *)at, addr);
		fputs(addr, to);
		break;
	case FLAGS:
		for (int i = 0; tcp_letters[i]; i++)
			if (*(const uint8_t *)at >> i & 1)
				fputc(tcp_letters[i], to);
		break;
	case PORT:
		fputs(port_name(*(const unsigned *)at), to);
		break;
	case TEXT:
	case EXT:
		fputs(at, to);
		break;
	}
}

static size_t shape_size(enum shape shape)
{
	static const size_t sizes[] = { 1, 1, 2, 4, sizeof(int), 4, 1, 1, sizeof(unsigned), 16, M_EXT };

	return sizes[shape];
}

void op_print(FILE *to, const struct m_op *op)
{
	struct m_op plain;

	defaults(&plain);
	fprintf(to, "%d %s", op->id, kinds[op->kind]);
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		const void *at = (const char *)op + fields[i].at;

		if (!memcmp(at, (const char *)&plain + fields[i].at, shape_size(fields[i].shape)))
			continue;
		fprintf(to, " %s=", fields[i].name);
		value_print(to, op->pk.family, fields[i].shape, at);
	}
	fputc('\n', to);
}

static bool value_parse(enum shape shape, const char *text, void *at)
{
	const long number = strtol(text, NULL, 0);

	switch (shape) {
	case U8:
	case I8:
	case BOOL:
		*(uint8_t *)at = number;
		return true;
	case U16:
		*(uint16_t *)at = number;
		return true;
	case U32:
	case INT:
		*(uint32_t *)at = number;
		return true;
	case ADDR:
		return addr_parse(text, at);
	case FLAGS:
		for (; *text; text++) {
			const char *letter = strchr(tcp_letters, *text);

			if (!letter)
				return false;
			*(uint8_t *)at |= 1 << (letter - tcp_letters);
		}
		return true;
	case PORT:
		*(unsigned *)at = port_number(text);
		return true;
	case TEXT:
		memset(at, 0, 16);
		snprintf(at, 16, "%s", text);
		return true;
	case EXT:
		snprintf(at, M_EXT + 1, "%s", text);
		return true;
	}
	return false;
}

bool op_parse(const char *line, struct m_op *ret)
{
	char copy[512], *save, *word, *value;
	bool good;

	defaults(ret);
	snprintf(copy, sizeof(copy), "%s", line);
	word = strtok_r(copy, " \n", &save);
	if (!word)
		return false;
	ret->id = atoi(word);
	word = strtok_r(NULL, " \n", &save);
	for (ret->kind = 0; word && ret->kind <= OP_DELETE && strcmp(kinds[ret->kind], word); ret->kind++)
		;
	if (!word || ret->kind > OP_DELETE)
		return false;
	while ((word = strtok_r(NULL, " \n", &save))) {
		value = strchr(word, '=');
		if (!value)
			return false;
		*value++ = 0;
		good = false;
		for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
			if (!strcmp(fields[i].name, word))
				good = value_parse(fields[i].shape, value, (char *)ret + fields[i].at);
		if (!good)
			return false;
	}
	return true;
}

/* The same in IPv6: the addresses keep their numbers. */
void op_to6(struct m_op *op)
{
	static const uint8_t types[][2] = { { ECHO4, ECHO6 }, { ECHOED4, ECHOED6 }, { 3, 1 }, { 11, 3 }, { 12, 4 } };
	const uint8_t type = op->pk.type;
	const bool too_big = type == 3 && op->pk.code == 4;

	if (op->kind == OP_ERROR)
		op->pk.quote += 20;
	else if (op->pk.proto != icmp_proto(4))
		return (void)(op->pk.family = 6);
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (types[i][0] == type)
			op->pk.type = types[i][1];
	if (too_big)
		op->pk.type = 2;
	op->pk.family = 6;
	op->pk.proto = icmp_proto(6);
}
