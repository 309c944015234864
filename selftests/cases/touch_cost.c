// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the first touch of a page costs, and giving it back:
 *
 *	touch_cost KIND PAGES...
 *
 * takes memory of a kind, so many pages, touches each, then takes as much as the next
 * number says, and at last gives back one after the other. It prints, a line a number,
 *
 *	KIND: N ns a first touch, N ns to give back, N pages, N + N splits, N ns on the CPU
 *
 * with nanoseconds a page, which are instructions in a guest whose clock counts them,
 * how many 2M and 1G entries of the direct map were split by the touches, and what of
 * a first touch the process was not waiting for.
 *
 *	anonymous	of the process alone
 *	mte		the same, with memory tags (arm64)
 *	memfd_secret	memfd_secret(2)
 *	mmkit_secret	/dev/mmkit_secret
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret	447
#endif
#ifdef __aarch64__
#ifndef PROT_MTE
#define PROT_MTE		0x20
#endif
#endif

#define LIMIT	"/sys/kernel/mmkit/unmapped/max_cached_bytes"
#define MOST	16

struct area {
	char *memory;
	size_t pages;
	unsigned long long touch, touch_cpu, give;
	long splits[2];
};

static size_t page;

static unsigned long long clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static unsigned long long now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static char *map_private(size_t bytes, int prot)
{
	char *memory = mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* Page by page, as the others are. */
	if (memory != MAP_FAILED)
		madvise(memory, bytes, MADV_NOHUGEPAGE);
	return memory;
}

static char *map(const char *kind, size_t bytes)
{
	char *memory;
	int fd;

	if (!strcmp(kind, "anonymous"))
		return map_private(bytes, PROT_READ | PROT_WRITE);
#ifdef __aarch64__
	if (!strcmp(kind, "mte"))
		return map_private(bytes, PROT_READ | PROT_WRITE | PROT_MTE);
#endif
	if (!strcmp(kind, "memfd_secret"))
		fd = syscall(SYS_memfd_secret, 0);
	else
		fd = open("/dev/mmkit_secret", O_RDWR);
	if (fd < 0 || (!strcmp(kind, "memfd_secret") && ftruncate(fd, bytes)))
		return MAP_FAILED;
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	/* The memory goes with the mapping then. */
	close(fd);
	return memory;
}

/* The splits of the direct map until now. */
static void read_splits(long *splits)
{
	static char text[65536];
	static const char * const level[] = {
		"direct_map_level2_splits ", "direct_map_level3_splits "
	};
	ssize_t nr, all = 0;
	char *found;
	int fd, i;

	fd = open("/proc/vmstat", O_RDONLY);
	while (fd >= 0 && (nr = read(fd, text + all, sizeof(text) - 1 - all)) > 0)
		all += nr;
	close(fd);
	text[all] = '\0';
	for (i = 0; i < 2; i++) {
		found = strstr(text, level[i]);
		splits[i] = found ? strtol(found + strlen(level[i]), NULL, 10) : 0;
	}
}

static void touch(struct area *area)
{
	long before[2];
	unsigned long long begin, begin_cpu;
	size_t i;

	read_splits(before);
	begin_cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	begin = now();
	for (i = 0; i < area->pages; i++)
		area->memory[i * page] = 1;
	area->touch = now() - begin;
	area->touch_cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin_cpu;
	read_splits(area->splits);
	area->splits[0] -= before[0];
	area->splits[1] -= before[1];
}

/*
 * The device leaves work to a thread: whoever writes the limit of its cache waits until
 * that is done. It is part of what giving back costs.
 */
static void settle(const char *kind)
{
	char limit[32];
	int fd;
	ssize_t nr;

	if (strcmp(kind, "mmkit_secret"))
		return;
	fd = open(LIMIT, O_RDWR);
	nr = read(fd, limit, sizeof(limit));
	if (nr <= 0 || pwrite(fd, limit, nr, 0) != nr)
		perror(LIMIT);
	close(fd);
}

static void give_back(const char *kind, struct area *area)
{
	unsigned long long begin = now();

	munmap(area->memory, area->pages * page);
	settle(kind);
	area->give = now() - begin;
}

static void say(const char *kind, const struct area *area)
{
	printf("%s: %llu ns a first touch, %llu ns to give back, %zu pages, %ld + %ld splits, %llu ns on the CPU\n",
	       kind, area->touch / area->pages, area->give / area->pages, area->pages,
	       area->splits[0], area->splits[1], area->touch_cpu / area->pages);
}

int main(int argc, char **argv)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	struct area areas[MOST] = { };
	int i, nr = argc - 2;

	if (nr < 1 || nr > MOST)
		return 2;
	page = sysconf(_SC_PAGESIZE);
	setrlimit(RLIMIT_MEMLOCK, &all);
	settle(argv[1]);
	for (i = 0; i < nr; i++) {
		areas[i].pages = strtoul(argv[i + 2], NULL, 0);
		areas[i].memory = map(argv[1], areas[i].pages * page);
		if (!areas[i].pages || areas[i].memory == MAP_FAILED) {
			perror(argv[1]);
			return 1;
		}
		touch(&areas[i]);
	}
	for (i = 0; i < nr; i++) {
		give_back(argv[1], &areas[i]);
		say(argv[1], &areas[i]);
	}
	return 0;
}
