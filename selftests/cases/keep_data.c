// SPDX-License-Identifier: GPL-2.0-only
/*
 * keep_data MEGABYTES SPARE FILE MEGABYTES: fills memory and a file with data that says
 * where it is, gives every SPARE-th piece of 2 MiB of the memory back, and says "ready".
 * A thread goes on writing other data to an eighth of the memory, and looks each time
 * whether what it wrote before is there. On SIGUSR1 all of it is looked at:
 *
 *	good PAGES pages, file PAGES pages, ROUNDS rounds of the writer
 *	bad WHERE
 *
 * and the status is 0 or 1.
 *
 * keep_data pages ADDRESS BYTES: what /proc says of physical pages, "name value" lines
 *	free		on the lists of the page allocator
 *	mapped		somebody has mapped them
 *	ordinary	in use for data: of a process, of a file, or of a list
 *	silent		of these it says nothing
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PIECE	((size_t)2 << 20)
#define LINE	((size_t)64)
#define BIT(n)	(1UL << (n))

static size_t page, bytes, spare, rounds;
static char *mem;
static volatile sig_atomic_t enough;

static uint64_t data_of(size_t at, uint64_t round)
{
	return (at + 1) * 0x9e3779b97f4a7c15UL + round * 0xd1b54a32d192ed03UL;
}

static void put(char *where, size_t at, size_t len, uint64_t round)
{
	for (size_t i = 0; i < len; i += LINE)
		*(volatile uint64_t *)(where + i) = data_of(at + i, round);
}

static void look(const char *what, const char *where, size_t at, size_t len, uint64_t round)
{
	for (size_t i = 0; i < len; i += LINE) {
		uint64_t is = *(volatile uint64_t *)(where + i), want = data_of(at + i, round);

		if (is == want)
			continue;
		printf("bad %s: %#lx instead of %#lx at %#zx\n", what, (unsigned long)is,
		       (unsigned long)want, at + i);
		fflush(stdout);
		_exit(1);
	}
}

static int is_spare(size_t at)
{
	return spare && at / PIECE % spare == spare - 1;
}

/* The last eighth belongs to the writer. */
static size_t quiet(void)
{
	return bytes - bytes / 8 / PIECE * PIECE;
}

static void *write_on(void *unused __attribute__((unused)))
{
	size_t at;

	while (!enough) {
		for (at = quiet(); at < bytes; at += page) {
			if (is_spare(at))
				continue;
			look("what the writer wrote", mem + at, at, page, rounds);
			put(mem + at, at, page, rounds + 1);
		}
		rounds++;
	}
	return NULL;
}

static void on_signal(int number __attribute__((unused)))
{
	enough = 1;
}

static int file_of(const char *name, size_t len)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *buffer = malloc(PIECE);

	if (fd < 0 || !buffer) {
		perror(name);
		exit(1);
	}
	for (size_t at = 0; at < len; at += PIECE) {
		put(buffer, at, PIECE, 7);
		if (write(fd, buffer, PIECE) != (ssize_t)PIECE) {
			perror(name);
			exit(1);
		}
	}
	free(buffer);
	return fd;
}

static void look_at_file(int fd, size_t len)
{
	char *buffer = malloc(PIECE);

	if (!buffer) {
		perror("bad memory");
		_exit(1);
	}
	for (size_t at = 0; at < len; at += PIECE) {
		if (pread(fd, buffer, PIECE, (off_t)at) != (ssize_t)PIECE) {
			perror("bad file");
			_exit(1);
		}
		look("file", buffer, at, PIECE, 7);
	}
	free(buffer);
}

static int hold(size_t megabytes, const char *name, size_t file_megabytes)
{
	size_t at, pages = 0;
	pthread_t writer;
	int fd;

	bytes = megabytes << 20;
	mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	madvise(mem, bytes, MADV_NOHUGEPAGE);
	fd = file_of(name, file_megabytes << 20);
	for (at = 0; at < bytes; at += page)
		put(mem + at, at, page, 0);
	for (at = 0; at < bytes; at += PIECE) {
		if (is_spare(at))
			madvise(mem + at, PIECE, MADV_DONTNEED);
	}
	signal(SIGUSR1, on_signal);
	if (pthread_create(&writer, NULL, write_on, NULL))
		return 1;
	puts("ready");
	fflush(stdout);
	while (!enough)
		usleep(50000);
	pthread_join(writer, NULL);
	for (at = 0; at < bytes; at += page) {
		if (is_spare(at))
			continue;
		look("memory", mem + at, at, page, at < quiet() ? 0 : rounds);
		pages++;
	}
	look_at_file(fd, file_megabytes << 20);
	printf("good %zu pages, file %zu pages, %zu rounds of the writer\n", pages,
	       (file_megabytes << 20) / page, rounds);
	return rounds ? 0 : 1;
}

/* --- what /proc says ------------------------------------------------------------- */

/* Bits of /proc/kpageflags. */
#define BUDDY		BIT(10)
#define OWNED		(BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(7) | BIT(11) | BIT(12) | BIT(13) | \
			 BIT(14) | BIT(15) | BIT(16) | BIT(17))

static int pages(uint64_t start, uint64_t len)
{
	size_t nr = len / page, nr_free = 0, mapped = 0, ordinary = 0, silent = 0;
	uint64_t *flags = malloc(nr * 8), *counts = malloc(nr * 8);
	int of_flags = open("/proc/kpageflags", O_RDONLY);
	int of_counts = open("/proc/kpagecount", O_RDONLY);
	off_t at = (off_t)(start / page * 8);

	if (!flags || !counts) {
		perror("memory");
		exit(1);
	}
	if (pread(of_flags, flags, nr * 8, at) != (ssize_t)(nr * 8) ||
	    pread(of_counts, counts, nr * 8, at) != (ssize_t)(nr * 8)) {
		perror("/proc/kpageflags");
		exit(1);
	}
	for (size_t i = 0; i < nr; i++) {
		mapped += !!counts[i];
		if (flags[i] & BUDDY)
			nr_free++;
		else if (flags[i] & OWNED || counts[i])
			ordinary++;
		else
			silent++;
	}
	printf("free %zu\nmapped %zu\nordinary %zu\nsilent %zu\n", nr_free, mapped, ordinary, silent);
	free(counts);
	free(flags);
	return 0;
}

int main(int argc, char **argv)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	if (argc == 4 && !strcmp(argv[1], "pages"))
		return pages(strtoull(argv[2], NULL, 0), strtoull(argv[3], NULL, 0));
	if (argc != 5) {
		fprintf(stderr, "usage: keep_data MEGABYTES SPARE FILE MEGABYTES | pages ADDRESS BYTES\n");
		return 1;
	}
	spare = (size_t)atol(argv[2]);
	return hold((size_t)atol(argv[1]), argv[3], (size_t)atol(argv[4]));
}
