// SPDX-License-Identifier: GPL-2.0-only
/*
 * policy POLICY NODES COMMAND...: runs a program whose memory comes by a policy
 * (bind, preferred or interleave) from nodes, given as a mask of bits.
 * policy POLICY NODES MEGABYTES: takes that much for which such a policy was set,
 * of memory with tags where there is any, and says how many pages lie on each node.
 * policy move PID NODES: moves the memory of a process from nodes 0 and 1 to these.
 */
#include <ctype.h>
#include <errno.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __aarch64__
#define TAGGED	0x20	/* PROT_MTE */
#else
#define TAGGED	0
#endif
#define MAX_NODES	64

static int mode_of(const char *name)
{
	static const struct {
		const char *name;
		int mode;
	} modes[] = {
		{ "bind", MPOL_BIND },
		{ "preferred", MPOL_PREFERRED },
		{ "interleave", MPOL_INTERLEAVE },
	};
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(name, modes[i].name))
			return modes[i].mode;
	return -1;
}

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 1;
}

static int area(int mode, unsigned long nodes, size_t bytes)
{
	size_t page = sysconf(_SC_PAGESIZE), at;
	unsigned long on[MAX_NODES] = {};
	int node, status;
	void *where;
	char *mem;

	mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE | TAGGED, MAP_PRIVATE | MAP_ANONYMOUS,
		   -1, 0);
	if (mem == MAP_FAILED)
		return fail("mmap");
	if (syscall(SYS_mbind, mem, bytes, mode, &nodes, 8 * sizeof(nodes), 0))
		return fail("mbind");
	for (at = 0; at < bytes; at += page) {
		mem[at] = 1;
		where = mem + at;
		if (syscall(SYS_move_pages, 0, 1UL, &where, NULL, &status, 0))
			return fail("move_pages");
		if (status < 0 || status >= MAX_NODES) {
			fprintf(stderr, "page %zu: status %d\n", at / page, status);
			return 1;
		}
		on[status]++;
	}
	for (node = 0; node < MAX_NODES; node++)
		if (on[node])
			printf("node %d pages %lu\n", node, on[node]);
	return 0;
}

static int move(pid_t pid, unsigned long to)
{
	unsigned long from = 3 & ~to;
	long left = syscall(SYS_migrate_pages, pid, 8 * sizeof(to), &from, &to);

	if (left < 0)
		return fail("migrate_pages");
	printf("%ld pages could not be moved\n", left);
	return left > 0;
}

int main(int argc, char **argv)
{
	unsigned long nodes;

	if (argc == 4 && !strcmp(argv[1], "move"))
		return move(atoi(argv[2]), strtoul(argv[3], NULL, 0));
	if (argc < 4 || mode_of(argv[1]) < 0) {
		fprintf(stderr, "usage: policy bind|preferred|interleave NODES COMMAND...|MEGABYTES\n");
		return 1;
	}
	nodes = strtoul(argv[2], NULL, 0);
	if (isdigit(*argv[3]))
		return area(mode_of(argv[1]), nodes, strtoul(argv[3], NULL, 0) << 20);
	if (syscall(SYS_set_mempolicy, mode_of(argv[1]), &nodes, 8 * sizeof(nodes)))
		return fail("set_mempolicy");
	execv(argv[3], argv + 3);
	return fail(argv[3]);
}
