// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the first touch of a page costs, and giving it back: of anonymous memory,
 * of memfd_secret(2) and of /dev/mmkit_secret. touch_cost HOW PAGES prints
 * nanoseconds a page, which are instructions in a guest whose clock counts them.
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

static unsigned long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static char *map(const char *how, size_t bytes)
{
	int fd;

	if (!strcmp(how, "anonymous")) {
		char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		/* Page by page, as the others are. */
		if (memory != MAP_FAILED)
			madvise(memory, bytes, MADV_NOHUGEPAGE);
		return memory;
	}
	if (!strcmp(how, "memfd_secret")) {
		fd = syscall(SYS_memfd_secret, 0);
		if (fd < 0 || ftruncate(fd, bytes))
			return MAP_FAILED;
	} else {
		fd = open("/dev/mmkit_secret", O_RDWR);
		if (fd < 0)
			return MAP_FAILED;
	}
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

int main(int argc, char **argv)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	size_t page = sysconf(_SC_PAGESIZE), pages, i;
	unsigned long long begin, touched, gone;
	char *memory;

	if (argc != 3)
		return 2;
	setrlimit(RLIMIT_MEMLOCK, &all);
	pages = strtoul(argv[2], NULL, 0);
	memory = map(argv[1], pages * page);
	if (memory == MAP_FAILED) {
		perror(argv[1]);
		return 1;
	}
	begin = now();
	for (i = 0; i < pages; i++)
		memory[i * page] = 1;
	touched = now();
	munmap(memory, pages * page);
	gone = now();
	printf("%s: %llu ns a first touch, %llu ns to give back, %zu pages\n", argv[1],
	       (touched - begin) / pages, (gone - touched) / pages, pages);
	return 0;
}
