// SPDX-License-Identifier: GPL-2.0-only
/*
 * touch_pages KIND MEGABYTES: takes memory of a kind, says "ready", and keeps it
 * until it is killed.
 *
 *	anon	single pages
 *	thp	huge pages
 *	holes	single pages, of which every second one is given back
 *	cow	pages that a child has copied by writing to them
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PAGE	((size_t)sysconf(_SC_PAGESIZE))
#define HUGE	((size_t)2 << 20)

static char *map(size_t bytes, int advice)
{
	char *mem = mmap(NULL, bytes + HUGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	mem = (char *)(((unsigned long)mem + HUGE - 1) & ~(HUGE - 1));
	madvise(mem, bytes, advice);
	return mem;
}

static void touch(char *mem, size_t bytes, char value)
{
	size_t at;

	for (at = 0; at < bytes; at += PAGE)
		mem[at] = value;
}

static void stay(void)
{
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	size_t bytes, at;
	char *mem;

	if (argc != 3) {
		fprintf(stderr, "usage: touch_pages anon|thp|holes|cow MEGABYTES\n");
		return 1;
	}
	bytes = (size_t)atol(argv[2]) << 20;
	mem = map(bytes, strcmp(argv[1], "thp") ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
	if (!strcmp(argv[1], "cow")) {
		/* The parent's copy exists before "ready": only the child's is counted. */
		touch(mem, bytes, 1);
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			touch(mem, bytes, 2);
			stay();
		}
		for (;;)
			pause();
	}
	touch(mem, bytes, 1);
	for (at = 0; !strcmp(argv[1], "holes") && at < bytes; at += 2 * PAGE)
		madvise(mem + at, PAGE, MADV_DONTNEED);
	stay();
	return 0;
}
