// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads /proc/kcore the way debuggers do: in every segment of its program
 * headers, or in the ranges of addresses that are given, a page at the start, at
 * the end, and in between in steps that keep the number of reads bounded. Memory
 * that is absent may read as zeroes or fail; the kernel must survive it and the
 * read must return.
 *
 *	kcore_sweep [-x WORD] [0xSTART-0xEND...]
 *
 * With -x it also looks for a word of eight bytes, and says "found" when that is there.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK	((size_t)1 << 16)
#define READS	1024

static char buffer[CHUNK];
static unsigned long good, bad, word, found;

static void read_at(int fd, off_t offset, size_t bytes)
{
	ssize_t got = pread(fd, buffer, bytes, offset);
	ssize_t at;

	if (got <= 0) {
		bad++;
		return;
	}
	good++;
	for (at = 0; word && at + (ssize_t)sizeof(word) <= got; at += sizeof(word))
		found += !memcmp(buffer + at, &word, sizeof(word));
}

static void sweep(int fd, off_t offset, size_t bytes)
{
	unsigned long step = bytes / READS;
	unsigned long at;

	if (step < CHUNK)
		step = CHUNK;
	for (at = 0; at + CHUNK <= bytes; at += step)
		read_at(fd, offset + at, CHUNK);
	if (bytes >= CHUNK)
		read_at(fd, offset + bytes - 4096, 4096);
	else if (bytes)
		read_at(fd, offset, bytes);
}

/* A range of addresses, "0xSTART-0xEND" as in /proc/vmallocinfo; it lies in one segment. */
static void sweep_range(int fd, const Elf64_Phdr *segments, int nr, const char *range)
{
	unsigned long start, end;
	int i;

	if (sscanf(range, "0x%lx-0x%lx", &start, &end) != 2 || start >= end)
		return;
	for (i = 0; i < nr; i++) {
		const Elf64_Phdr *segment = &segments[i];

		if (segment->p_type == PT_LOAD && start >= segment->p_vaddr &&
		    end - segment->p_vaddr <= segment->p_memsz) {
			sweep(fd, segment->p_offset + (start - segment->p_vaddr), end - start);
			return;
		}
	}
}

int main(int argc, char **argv)
{
	int i, fd = open("/proc/kcore", O_RDONLY);
	Elf64_Ehdr header;
	Elf64_Phdr *segments;
	size_t bytes;
	int first = 1;

	if (argc > 2 && !strcmp(argv[1], "-x")) {
		word = strtoul(argv[2], NULL, 16);
		first = 3;
	}
	if (fd < 0 || pread(fd, &header, sizeof(header), 0) != sizeof(header)) {
		perror("/proc/kcore");
		return 1;
	}
	bytes = header.e_phnum * sizeof(*segments);
	segments = malloc(bytes);
	if (!segments || pread(fd, segments, bytes, header.e_phoff) != (ssize_t)bytes) {
		perror("program headers");
		return 1;
	}
	for (i = first; i < argc; i++)
		sweep_range(fd, segments, header.e_phnum, argv[i]);
	for (i = 0; i < header.e_phnum && argc == first; i++) {
		if (segments[i].p_type == PT_LOAD)
			sweep(fd, segments[i].p_offset, segments[i].p_filesz);
	}
	printf("%d segments, %lu reads, %lu of nothing\n", header.e_phnum, good, bad);
	if (found)
		puts("found");
	return good == 0;
}
