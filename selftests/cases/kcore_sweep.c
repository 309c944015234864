// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads /proc/kcore the way debuggers do: in every segment of its program
 * headers, a page at the start, at the end, and in between in steps that keep
 * the number of reads bounded. Memory that is absent may read as zeroes or
 * fail; the kernel must survive it and the read must return.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CHUNK	((size_t)1 << 16)
#define READS	4096

static char buffer[CHUNK];
static unsigned long good, bad;

static void read_at(int fd, off_t offset, size_t bytes)
{
	if (pread(fd, buffer, bytes, offset) > 0)
		good++;
	else
		bad++;
}

static void sweep(int fd, const Elf64_Phdr *segment)
{
	unsigned long step = segment->p_filesz / READS;
	unsigned long at;

	if (step < CHUNK)
		step = CHUNK;
	for (at = 0; at + CHUNK <= segment->p_filesz; at += step)
		read_at(fd, segment->p_offset + at, CHUNK);
	if (segment->p_filesz >= 4096)
		read_at(fd, segment->p_offset + segment->p_filesz - 4096, 4096);
}

int main(void)
{
	int i, fd = open("/proc/kcore", O_RDONLY);
	Elf64_Ehdr header;
	Elf64_Phdr *segments;
	size_t bytes;

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
	for (i = 0; i < header.e_phnum; i++) {
		if (segments[i].p_type == PT_LOAD)
			sweep(fd, &segments[i]);
	}
	printf("%d segments, %lu reads, %lu of nothing\n", header.e_phnum, good, bad);
	return good == 0;
}
