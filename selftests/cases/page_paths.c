// SPDX-License-Identifier: GPL-2.0-only
/*
 * page_paths PATH MEGABYTES [FILE]: has the kernel allocate that much in one of
 * its own ways, says "ready" and which process has it, and keeps it until it is killed.
 *
 *	anon	 faults on anonymous memory
 *	populate anonymous memory, filled by mmap() itself
 *	thp	 faults on huge pages
 *	cow	 a child's writes to what it shares with its parent
 *	ptes	 page tables: each for one read of memory that is never written
 *	read	 read(2) of FILE
 *	fault	 reads of FILE, mapped
 *	private	 writes to FILE, mapped privately
 *	write	 write(2) to FILE
 *	pipe	 pipes, filled
 *	unix	 messages on unix sockets that nobody receives
 *	threads	 kernel stacks, 16 KiB each
 *	ksm	 pages that are all the same, to be merged
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define HUGE	((size_t)2 << 20)
#define CHUNK	((size_t)64 << 10)
#define STACK	((size_t)16 << 10)

static const char *file;
static size_t page;

static void check(int good, const char *what)
{
	if (!good) {
		perror(what);
		exit(1);
	}
}

static char *map(size_t bytes, int flags)
{
	char *mem = mmap(NULL, bytes + HUGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	check(mem != MAP_FAILED, "mmap");
	return (char *)(((unsigned long)mem + HUGE - 1) & ~(HUGE - 1));
}

static char *map_file(size_t bytes, int protection)
{
	int fd = open(file, O_RDONLY);
	char *mem;

	check(fd >= 0, file);
	mem = mmap(NULL, bytes, protection, MAP_PRIVATE, fd, 0);
	check(mem != MAP_FAILED, "mmap");
	return mem;
}

static void write_to(char *mem, size_t bytes, size_t step)
{
	size_t at;

	for (at = 0; at < bytes; at += step)
		mem[at] = 1;
}

static void read_from(const volatile char *mem, size_t bytes, size_t step)
{
	size_t at;

	for (at = 0; at < bytes; at += step)
		(void)mem[at];
}

static void stay(void)
{
	printf("ready %d\n", getpid());
	fflush(stdout);
	for (;;)
		pause();
}

/* --- the paths --------------------------------------------------------- */

static void anon(size_t bytes)
{
	write_to(map(bytes, 0), bytes, page);
}

static void populate(size_t bytes)
{
	map(bytes - HUGE, MAP_POPULATE);
}

static void thp(size_t bytes)
{
	char *mem = map(bytes, 0);

	check(!madvise(mem, bytes, MADV_HUGEPAGE), "madvise");
	write_to(mem, bytes, HUGE);
}

static void cow(size_t bytes)
{
	char *mem = map(bytes, 0);
	pid_t child;

	write_to(mem, bytes, page);
	child = fork();
	check(child >= 0, "fork");
	if (child) {
		/* The child says "ready", and goes when we do. */
		for (;;)
			pause();
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	write_to(mem, bytes, page);
}

static void ptes(size_t bytes)
{
	/* A page of entries maps that much. */
	size_t span = page / 8 * page;
	size_t reach = bytes / page * span;
	char *mem = mmap(NULL, reach, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	check(mem != MAP_FAILED, "mmap");
	read_from(mem, reach, span);
}

static void read_file(size_t bytes)
{
	int fd = open(file, O_RDONLY);
	char *buffer = malloc(CHUNK);
	size_t done = 0;
	ssize_t got;

	check(fd >= 0, file);
	while ((got = read(fd, buffer, CHUNK)) > 0)
		done += got;
	check(done == bytes, "read");
}

static void fault(size_t bytes)
{
	read_from(map_file(bytes, PROT_READ), bytes, page);
}

static void private(size_t bytes)
{
	write_to(map_file(bytes, PROT_READ | PROT_WRITE), bytes, page);
}

static void write_file(size_t bytes)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	char *buffer = calloc(1, CHUNK);
	size_t done;

	check(fd >= 0, file);
	for (done = 0; done < bytes; done += CHUNK)
		check(write(fd, buffer, CHUNK) == (ssize_t)CHUNK, "write");
	free(buffer);
}

static void fill_pipes(size_t bytes)
{
	const size_t room = 1 << 20;
	char *buffer = calloc(1, room);
	int ends[2];

	for (; bytes >= room; bytes -= room) {
		check(!pipe(ends), "pipe");
		check(fcntl(ends[1], F_SETPIPE_SZ, (int)room) >= 0, "F_SETPIPE_SZ");
		check(write(ends[1], buffer, room) == (ssize_t)room, "write");
	}
	free(buffer);
}

static void send_unix(size_t bytes)
{
	char *buffer = calloc(1, CHUNK);
	int ends[2];

	/* A page of each message lies in the slab. */
	for (bytes += bytes / 8; bytes >= CHUNK; bytes -= CHUNK) {
		check(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
		check(send(ends[0], buffer, CHUNK, MSG_DONTWAIT) == (ssize_t)CHUNK, "send");
	}
	free(buffer);
}

static void *wait_for_end(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void threads(size_t bytes)
{
	pthread_attr_t attributes;
	pthread_t thread;

	/* The kernel keeps two stacks a CPU for the next threads: they cost nothing new. */
	bytes += sysconf(_SC_NPROCESSORS_CONF) * 2 * STACK;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, CHUNK);
	for (; bytes; bytes -= STACK)
		check(!pthread_create(&thread, &attributes, wait_for_end, NULL), "pthread_create");
}

static void ksm(size_t bytes)
{
	char *mem = map(bytes, 0);

	check(!madvise(mem, bytes, MADV_MERGEABLE), "madvise");
	write_to(mem, bytes, page);
}

static const struct {
	const char *name;
	void (*take)(size_t bytes);
} paths[] = {
	{ "anon", anon },
	{ "populate", populate },
	{ "thp", thp },
	{ "cow", cow },
	{ "ptes", ptes },
	{ "read", read_file },
	{ "fault", fault },
	{ "private", private },
	{ "write", write_file },
	{ "pipe", fill_pipes },
	{ "unix", send_unix },
	{ "threads", threads },
	{ "ksm", ksm },
};

int main(int argc, char **argv)
{
	size_t i;

	page = (size_t)sysconf(_SC_PAGESIZE);
	file = argc > 3 ? argv[3] : "";
	for (i = 0; argc > 2 && i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (!strcmp(argv[1], paths[i].name)) {
			/* Huge pages only where they are asked for. */
			check(!prctl(PR_SET_THP_DISABLE, paths[i].take != thp, 0, 0, 0), "prctl");
			paths[i].take((size_t)atol(argv[2]) << 20);
			stay();
		}
	}
	fprintf(stderr, "usage: page_paths PATH MEGABYTES [FILE]\n");
	return 1;
}
