// SPDX-License-Identifier: GPL-2.0-only
/*
 * mte_paths PATH...: lets pages become tagged in ways that the kernel has for it, and
 * looks whether tags and data are afterwards what was written. Says, a line a path,
 *
 *	ok PATH DETAIL
 *	skip PATH REASON
 *	failed PATH WHY
 *
 * and ends with status 1 when one of them failed. "mte_paths list" names all paths;
 * "mte_paths hold MEGABYTES [START BYTES]" tags that much, says "ready", and keeps it until
 * killed; of the pages that it has in that physical memory it pins one. SIGUSR2 has them
 * swapped out, SIGHUP read ahead from there; SIGUSR1 asks whether data and tags are still
 * what was written, and ends it, with status 0 if they are;
 * "mte_paths plain MEGABYTES" has that much without tags swapped out, and back to pages among
 * tagged ones, gives up the tagged ones, says "ready", and keeps what has none until killed;
 * "mte_paths hold_shared MEGABYTES" does so with shared memory;
 * "mte_paths read_shared" has the kernel write to some that is not there yet;
 * "mte_paths starve" wants that no page can become tagged, and is told so each time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __aarch64__

/* What the headers of the machine may not have yet. */
#ifndef PROT_MTE
#define PROT_MTE		0x20
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT		21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef HWCAP2_MTE
#define HWCAP2_MTE		(1 << 18)
#endif
#ifndef PR_MTE_TCF_SYNC
#define PR_MTE_TCF_SYNC		(1UL << 1)
#define PR_MTE_TAG_SHIFT	3
#endif
#ifndef PTRACE_PEEKMTETAGS
#define PTRACE_PEEKMTETAGS	33
#define PTRACE_POKEMTETAGS	34
#endif

#define GRANULE		((size_t)16)
#define RW		(PROT_READ | PROT_WRITE)
#define ANON		(MAP_PRIVATE | MAP_ANONYMOUS)

static size_t page, huge;
static char detail[200];

enum { GOOD, BAD, SKIPPED = 4 };

__attribute__((noreturn, format(printf, 2, 3)))
static void leave(int status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	/* The parent says it. */
	if (write(3, detail, strlen(detail)) < 0)
		status = BAD;
	_exit(status);
}

#define need(cond, ...)	do { if (!(cond)) leave(BAD, __VA_ARGS__); } while (0)
#define call(cond, what)	need(cond, "%s: %s", what, strerror(errno))
#define note(...)	snprintf(detail, sizeof(detail), __VA_ARGS__)

/* --- tags ---------------------------------------------------------------------- */

static char *with_tag(char *p, unsigned int tag)
{
	return (char *)(((uintptr_t)p & ~(0xfUL << 56)) | (uintptr_t)tag << 56);
}

static unsigned int tag_at(const char *p)
{
	uintptr_t result = (uintptr_t)p & ~(0xfUL << 56);

	asm volatile(".arch armv8.5-a+memtag\n\tldg %0, [%0]" : "+r"(result) : : "memory");
	return result >> 56 & 0xf;
}

/* Sets the tag of a granule, and returns a pointer that has it. */
static char *set_tag(char *p, unsigned int tag)
{
	p = with_tag(p, tag);
	asm volatile(".arch armv8.5-a+memtag\n\tstg %0, [%0]" : : "r"(p) : "memory");
	return p;
}

/* A tag of the CPU's own choice, any but 0. */
static unsigned int random_tag(char *p)
{
	uintptr_t result;

	asm volatile(".arch armv8.5-a+memtag\n\tirg %0, %1, %2"
		     : "=r"(result) : "r"(p), "r"(1UL));
	return result >> 56 & 0xf;
}

/* Bytes after which a granule has a tag of its own again. */
static size_t period;

/*
 * Some emulators forget the place of an address in its page, and so keep two tags a
 * page: one of all even granules, and one of all odd ones.
 */
static void find_period(char *mem)
{
	set_tag(mem, 1);
	set_tag(mem + 2 * GRANULE, 2);
	period = tag_at(mem) == 1 ? page : 2 * GRANULE;
}

/* Never 0, and different from page to page. */
static unsigned int tag_of(size_t at, unsigned int seed)
{
	return 1 + (at % period / GRANULE * 7 + at / page * 3 + seed) % 15;
}

static uint64_t data_of(size_t at, unsigned int seed)
{
	return (at + 1) * 0x9e3779b97f4a7c15UL ^ seed;
}

/* Every granule of the first and last page of what is large; a few of those between. */
static size_t step_of(size_t at, size_t bytes)
{
	return bytes <= 256 * page || at < page || at + page >= bytes ? GRANULE : page / 8;
}

static void put(char *mem, size_t bytes, unsigned int seed)
{
	size_t at;
	char *p;

	for (at = 0; at < bytes; at += step_of(at, bytes)) {
		p = set_tag(mem + at, tag_of(at, seed));
		/* Through a tagged pointer: a tag that is not there is a fault at once. */
		*(volatile uint64_t *)p = data_of(at, seed);
	}
}

static void look(const char *mem, size_t bytes, unsigned int seed, const char *when)
{
	unsigned int tag;
	uint64_t data;
	size_t at;

	for (at = 0; at < bytes; at += step_of(at, bytes)) {
		tag = tag_at(mem + at);
		need(tag == tag_of(at, seed), "%s: tag %u instead of %u at %#zx of %#zx", when, tag,
		     tag_of(at, seed), at, bytes);
		data = *(volatile uint64_t *)with_tag((char *)mem + at, tag);
		need(data == data_of(at, seed), "%s: data %#lx instead of %#lx at %#zx of %#zx", when,
		     (unsigned long)data, (unsigned long)data_of(at, seed), at, bytes);
	}
}

/* Data alone, for memory that is not tagged, or was not when it was written. */
static void put_data(char *mem, size_t bytes, unsigned int seed)
{
	size_t at;

	for (at = 0; at < bytes; at += step_of(at, bytes))
		*(volatile uint64_t *)(mem + at) = data_of(at, seed);
}

/* Data of before, and tags that are all 0. */
static void look_data(const char *mem, size_t bytes, unsigned int seed, const char *when)
{
	uint64_t data;
	size_t at;

	for (at = 0; at < bytes; at += step_of(at, bytes)) {
		need(!tag_at(mem + at), "%s: tag %u instead of 0 at %#zx", when, tag_at(mem + at), at);
		data = *(volatile uint64_t *)(mem + at);
		need(data == data_of(at, seed), "%s: data %#lx instead of %#lx at %#zx", when,
		     (unsigned long)data, (unsigned long)data_of(at, seed), at);
	}
}

static void look_empty(const char *mem, size_t bytes, const char *when)
{
	size_t at;

	for (at = 0; at < bytes; at += page) {
		need(!tag_at(mem + at), "%s: tag %u instead of 0 at %#zx", when, tag_at(mem + at), at);
		need(!*(volatile uint64_t *)(mem + at), "%s: not empty at %#zx", when, at);
	}
}

/* --- memory --------------------------------------------------------------------- */

static char *map(size_t bytes, int prot, int flags, int fd)
{
	char *mem = mmap(NULL, bytes, prot, flags, fd, 0);

	call(mem != MAP_FAILED, "mmap");
	return mem;
}

/* Single pages. */
static char *map_small(size_t bytes, int prot)
{
	char *mem = map(bytes, prot, ANON, -1);

	call(!madvise(mem, bytes, MADV_NOHUGEPAGE), "MADV_NOHUGEPAGE");
	return mem;
}

/* At a multiple of a huge page, and huge if the kernel will. */
static char *map_huge(size_t bytes, int prot)
{
	char *mem = map(bytes + huge, prot, ANON, -1);

	mem = (char *)(((uintptr_t)mem + huge - 1) & ~(huge - 1));
	call(!madvise(mem, bytes, MADV_HUGEPAGE), "MADV_HUGEPAGE");
	return mem;
}

static int memory_file(size_t bytes)
{
	int fd = memfd_create("mte_paths", 0);

	call(fd >= 0, "memfd_create");
	call(!ftruncate(fd, (off_t)bytes), "ftruncate");
	return fd;
}

static unsigned long number_in(const char *name)
{
	unsigned long value = 0;
	FILE *file = fopen(name, "r");

	if (!file)
		return 0;
	if (fscanf(file, "%lu", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

static int write_text(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY), good;

	if (fd < 0)
		return 0;
	good = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return good;
}

/* An entry of /proc/self/pagemap. */
static uint64_t pagemap(const char *p)
{
	static int fd = -1;
	uint64_t entry;

	if (fd < 0)
		fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	call(fd >= 0, "pagemap");
	call(pread(fd, &entry, 8, (off_t)((uintptr_t)p / page * 8)) == 8, "pagemap");
	return entry;
}

#define SWAPPED(entry)	((entry) >> 62 & 1)
#define FRAME(entry)	((entry) & ((1UL << 55) - 1))

/* Kilobytes of huge pages in an area, as smaps knows them. */
static unsigned long huge_kb(const char *mem)
{
	unsigned long begin, end, kb = 0, value;
	FILE *file = fopen("/proc/self/smaps", "r");
	char line[256];
	int here = 0;

	call(file, "smaps");
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
			here = (uintptr_t)mem >= begin && (uintptr_t)mem < end;
		else if (here && sscanf(line, "AnonHugePages: %lu", &value) == 1)
			kb += value;
	}
	fclose(file);
	return kb;
}

static void wait_well(pid_t child)
{
	int status;

	call(waitpid(child, &status, 0) == child, "waitpid");
	if (WIFEXITED(status) && WEXITSTATUS(status) == BAD)
		_exit(BAD);	/* it has said why */
	need(WIFEXITED(status) && !WEXITSTATUS(status), "a child ended with status %#x", status);
}

/* --- the paths -------------------------------------------------------------------- */

static void first_touch(void)
{
	size_t bytes = 1024 * page;
	char *mem = map_small(bytes, RW | PROT_MTE);

	need(random_tag(mem), "irg gives tag 0");
	put(mem, bytes, 1);
	look(mem, bytes, 1, "after first touch");
}

static void populate(void)
{
	size_t bytes = 256 * page;
	char *mem = map(bytes, RW | PROT_MTE, ANON | MAP_POPULATE, -1);

	look_empty(mem, bytes, "populated");
	put(mem, bytes, 1);
	look(mem, bytes, 1, "populated");
}

static void zero_page(void)
{
	size_t bytes = 64 * page;
	char *mem = map_small(bytes, RW | PROT_MTE);
	char *large = map_huge(2 * huge, RW | PROT_MTE);

	look_empty(mem, bytes, "zero page");
	look_empty(large, 2 * huge, "huge zero page");
	put(mem, bytes, 1);
	put(large, 2 * huge, 2);
	look(mem, bytes, 1, "after the zero page");
	look(large, 2 * huge, 2, "after the huge zero page");
}

static void cow(void)
{
	size_t bytes = 256 * page;
	char *mem = map_small(bytes, RW | PROT_MTE);
	int go[2];
	pid_t child;
	char byte;

	put(mem, bytes, 1);
	/* The child copies. */
	child = fork();
	call(child >= 0, "fork");
	if (!child) {
		look(mem, bytes, 1, "in the child");
		/* One granule of each page: the rest of the tags is the copy's. */
		for (size_t at = 0; at < bytes; at += page)
			*(volatile uint64_t *)with_tag(mem + at, tag_of(at, 1)) = data_of(at, 1);
		look(mem, bytes, 1, "in the child's copy");
		put(mem, bytes, 2);
		look(mem, bytes, 2, "in the child, written again");
		_exit(0);
	}
	wait_well(child);
	look(mem, bytes, 1, "in the parent");
	/* The parent copies. */
	call(!pipe(go), "pipe");
	child = fork();
	call(child >= 0, "fork");
	if (!child) {
		close(go[1]);
		call(read(go[0], &byte, 1) == 0, "pipe");
		look(mem, bytes, 1, "in the child that did not write");
		_exit(0);
	}
	put(mem, bytes, 3);
	close(go[0]);
	close(go[1]);
	wait_well(child);
	look(mem, bytes, 3, "in the parent's copy");
}

/* Tags travel with the page: what a mapping without PROT_MTE copies has them too. */
static void cow_plain(void)
{
	size_t bytes = 128 * page;
	int fd = memory_file(bytes);
	char *mem = map(bytes, RW | PROT_MTE, MAP_SHARED, fd);
	char *plain = map(bytes, RW, MAP_PRIVATE, fd);

	put(mem, bytes, 1);
	for (size_t at = 0; at < bytes; at += page)
		*(volatile uint64_t *)(plain + at) = 7;
	for (size_t at = 0; at < bytes; at += GRANULE)
		need(*(volatile uint64_t *)(plain + at) == (at % page ? data_of(at, 1) : 7), "data at %#zx", at);
	look(mem, bytes, 1, "what was copied from");
	call(!mprotect(plain, bytes, RW | PROT_MTE), "mprotect");
	put(plain, bytes, 2);
	look(plain, bytes, 2, "the copy, with PROT_MTE");
}

static void thp_fault(void)
{
	char *mem = map_huge(2 * huge, RW | PROT_MTE);

	put(mem, 2 * huge, 1);
	look(mem, 2 * huge, 1, "after a huge fault");
	note("%lu kB huge", huge_kb(mem));
}

static void thp_collapse(void)
{
	char *mem = map_huge(2 * huge, RW | PROT_MTE);
	int err = 0;

	call(!madvise(mem, 2 * huge, MADV_NOHUGEPAGE), "MADV_NOHUGEPAGE");
	put(mem, 2 * huge, 1);
	call(!madvise(mem, 2 * huge, MADV_HUGEPAGE), "MADV_HUGEPAGE");
	if (madvise(mem, 2 * huge, MADV_COLLAPSE))
		err = errno;
	look(mem, 2 * huge, 1, "after collapse");
	put(mem, 2 * huge, 2);
	look(mem, 2 * huge, 2, "after collapse, written again");
	note("%lu kB huge, %s", huge_kb(mem), err ? strerror(err) : "collapsed");
}

static void thp_mprotect(void)
{
	char *mem = map_huge(2 * huge, RW);
	unsigned long before;

	put_data(mem, 2 * huge, 1);
	before = huge_kb(mem);
	/* A piece of a huge page, which is split, and another one whole. */
	call(!mprotect(mem + huge / 2, page, RW | PROT_MTE), "mprotect of a piece");
	put(mem + huge / 2, page, 2);
	look(mem + huge / 2, page, 2, "the piece");
	call(!mprotect(mem + huge, huge, RW | PROT_MTE), "mprotect of the whole");
	put(mem + huge, huge, 3);
	look(mem + huge, huge, 3, "the whole");
	call(!mprotect(mem, huge / 2, RW | PROT_MTE), "mprotect of what is left");
	for (size_t at = 0; at < huge / 2; at += page) {
		need(!tag_at(mem + at), "tag %u at %#zx", tag_at(mem + at), at);
		need(*(volatile uint64_t *)(mem + at) == data_of(at, 1), "data at %#zx", at);
	}
	put(mem, huge / 2, 4);
	look(mem, huge / 2, 4, "what is left");
	look(mem + huge / 2, page, 2, "the piece, at last");
	note("%lu kB huge before", before);
}

static void thp_split(void)
{
	char *mem = map_huge(2 * huge, RW | PROT_MTE);
	unsigned long before;

	put(mem, 2 * huge, 1);
	before = huge_kb(mem);
	call(!mprotect(mem + 3 * page, page, PROT_READ | PROT_MTE), "mprotect");
	call(!munmap(mem + huge - page, page), "munmap");
	call(!madvise(mem + 8 * page, 8 * page, MADV_DONTNEED), "MADV_DONTNEED");
	/* Takes the huge page itself apart, where there is something to swap to. */
	madvise(mem + 64 * page, 8 * page, MADV_PAGEOUT);
	look_empty(mem + 8 * page, 8 * page, "given back");
	for (size_t at = 16 * page; at < huge - page; at += page) {
		unsigned int want = tag_of(at, 1);

		need(tag_at(mem + at) == want, "tag %u instead of %u at %#zx", tag_at(mem + at), want, at);
		need(*(volatile uint64_t *)with_tag(mem + at, want) == data_of(at, 1), "data at %#zx", at);
	}
	put(mem + 8 * page, 8 * page, 3);
	look(mem + 8 * page, 8 * page, 3, "given back, written again");
	note("%lu kB huge before, %lu after", before, huge_kb(mem));
}

static void mprotect_path(void)
{
	size_t bytes = 1024 * page;
	char *mem = map_small(bytes, RW);

	/* Every second page exists. */
	for (size_t at = 0; at < bytes; at += 2 * page)
		put_data(mem + at, page, 1);
	call(!mprotect(mem, bytes, RW | PROT_MTE), "mprotect");
	for (size_t at = 0; at < bytes; at += 2 * page)
		look_data(mem + at, page, 1, "after mprotect");
	put(mem, bytes, 2);
	look(mem, bytes, 2, "after mprotect, written");
	call(!mprotect(mem, bytes, PROT_NONE), "mprotect");
	call(!mprotect(mem, bytes, RW | PROT_MTE), "mprotect");
	look(mem, bytes, 2, "after PROT_NONE");
}

struct faulter {
	char *mem;
	size_t bytes;
	unsigned int which;
	volatile int *go;
};

static void *fault_all(void *arg)
{
	struct faulter *f = arg;

	while (!*f->go)
		;
	for (size_t at = f->which * page; at < f->bytes; at += 4 * page)
		*(volatile uint64_t *)(f->mem + at) = data_of(at, 1);
	return NULL;
}

static void mprotect_faults(void)
{
	size_t bytes = 1024 * page;
	struct faulter faulters[4];
	pthread_t threads[4];

	for (unsigned int round = 0; round < 8; round++) {
		volatile int go = 0;
		char *mem = map_small(bytes, RW);

		for (unsigned int i = 0; i < 4; i++) {
			faulters[i] = (struct faulter){ mem, bytes, i, &go };
			need(!pthread_create(&threads[i], NULL, fault_all, &faulters[i]), "pthread_create");
		}
		go = 1;
		for (size_t at = 0; at < bytes; at += bytes / 16)
			call(!mprotect(mem + at, bytes / 16, RW | PROT_MTE), "mprotect");
		for (unsigned int i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
		for (size_t at = 0; at < bytes; at += page) {
			need(!tag_at(mem + at), "tag %u at %#zx", tag_at(mem + at), at);
			need(*(volatile uint64_t *)(mem + at) == data_of(at, 1), "data at %#zx", at);
		}
		put(mem, bytes, round);
		look(mem, bytes, round, "after mprotect among faults");
		munmap(mem, bytes);
	}
}

/* Pages that the file has already, and those it gets by faults. */
static void tmpfs_shared(void)
{
	size_t bytes = 512 * page;
	int fd = memory_file(bytes);
	char *data = map(bytes / 2, RW, MAP_SHARED, fd);
	char *mem, *again;

	put_data(data, bytes / 2, 1);
	mem = map(bytes, RW | PROT_MTE, MAP_SHARED, fd);
	look_data(mem, bytes / 2, 1, "what the file had");
	look_empty(mem + bytes / 2, bytes / 2, "what the file had not");
	put(mem, bytes, 2);
	again = map(bytes, PROT_READ | PROT_MTE, MAP_SHARED, fd);
	look(again, bytes, 2, "by another mapping");
	for (size_t at = 0; at < bytes / 2; at += page)
		need(*(volatile uint64_t *)(data + at) == data_of(at, 2), "not shared at %#zx", at);
	/* A mapping that gets PROT_MTE when it has pages. */
	data = map(bytes, RW, MAP_SHARED, fd = memory_file(bytes));
	put_data(data, bytes, 3);
	call(!mprotect(data, bytes, RW | PROT_MTE), "mprotect");
	look_data(data, bytes, 3, "after mprotect");
	put(data, bytes, 4);
	look(data, bytes, 4, "after mprotect, written");
}

static void tmpfs_private(void)
{
	size_t bytes = 256 * page;
	int fd = memory_file(bytes);
	char *file = map(bytes, RW, MAP_SHARED, fd);
	char *mem = map(bytes, RW | PROT_MTE, MAP_PRIVATE, fd);

	put_data(file, bytes, 1);
	/* One half is read first, the other one copied by the first write. */
	look_data(mem, bytes / 2, 1, "read");
	put(mem, bytes, 2);
	look(mem, bytes, 2, "private copies");
	for (size_t at = 0; at < bytes; at += page)
		need(*(volatile uint64_t *)(file + at) == data_of(at, 1), "the file has changed at %#zx", at);
}

/* Shared anonymous memory is tmpfs too. */
static void shared_anon(void)
{
	size_t bytes = 256 * page;
	char *mem = map(bytes, RW | PROT_MTE, MAP_SHARED | MAP_ANONYMOUS, -1);
	pid_t child = fork();

	call(child >= 0, "fork");
	if (!child) {
		put(mem, bytes, 1);
		_exit(0);
	}
	wait_well(child);
	look(mem, bytes, 1, "what the child wrote");
}

static void mremap_path(void)
{
	size_t bytes = 256 * page;
	char *mem = map_small(bytes, RW | PROT_MTE), *to;

	put(mem, bytes, 1);
	to = map(2 * bytes, PROT_NONE, ANON, -1);
	to = mremap(mem, bytes, 2 * bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	call(to != MAP_FAILED, "mremap");
	look(to, bytes, 1, "moved");
	look_empty(to + bytes, bytes, "grown");
	put(to + bytes, bytes, 2);
	look(to + bytes, bytes, 2, "grown, written");
	look(to, bytes, 1, "moved, at last");
}

static void brk_path(void)
{
	char *old = sbrk(0), *mem;
	size_t bytes = 64 * page;

	mem = (char *)(((uintptr_t)old + page - 1) & ~(page - 1));
	call(!brk(mem + 2 * bytes), "brk");
	put_data(mem, bytes, 1);
	call(!mprotect(mem, 2 * bytes, RW | PROT_MTE), "mprotect of the heap");
	look_data(mem, bytes, 1, "heap");
	put(mem, 2 * bytes, 2);
	look(mem, 2 * bytes, 2, "heap, written");
}

/* Pages of equal data: merged while they carry no tags, and then asked to. */
static void ksm(void)
{
	size_t bytes = 64 * page, at;
	char *tagged = map_small(2 * bytes, RW | PROT_MTE);
	char *plain = map_small(2 * bytes, RW);
	unsigned long merged = 0;

	if (access("/sys/kernel/mm/ksm/run", W_OK))
		leave(SKIPPED, "this kernel merges no pages");
	for (at = 0; at < 2 * bytes; at += page) {
		put(tagged + at, page, 1);
		put_data(plain + at, page, 1);
	}
	call(!madvise(tagged, 2 * bytes, MADV_MERGEABLE), "MADV_MERGEABLE");
	call(!madvise(plain, 2 * bytes, MADV_MERGEABLE), "MADV_MERGEABLE");
	write_text("/sys/kernel/mm/ksm/pages_to_scan", "4000");
	write_text("/sys/kernel/mm/ksm/sleep_millisecs", "5");
	write_text("/sys/kernel/mm/ksm/run", "1");
	for (int tries = 0; tries < 100 && merged < 64; tries++) {
		usleep(50000);
		merged = number_in("/sys/kernel/mm/ksm/pages_sharing");
	}
	write_text("/sys/kernel/mm/ksm/run", "0");
	for (at = 0; at < 2 * bytes; at += page)
		look(tagged + at, page, 1, "after merging");
	call(!mprotect(plain, 2 * bytes, RW | PROT_MTE), "mprotect of merged pages");
	for (at = 0; at < 2 * bytes; at += page)
		look_data(plain + at, page, 1, "merged, then PROT_MTE");
	put(plain, 2 * bytes, 2);
	put(tagged, 2 * bytes, 3);
	look(plain, 2 * bytes, 2, "merged, then written");
	look(tagged, 2 * bytes, 3, "not merged, then written");
	write_text("/sys/kernel/mm/ksm/run", "2");
	need(merged, "nothing was merged: the path was not taken");
	note("%lu pages merged", merged);
}

/* Holes everywhere, then compaction: what is tagged moves, or stays, and is as it was. */
static void migrate(void)
{
	size_t bytes = 96UL << 20, at, n = 0, moved = 0;
	char *mem = map_small(bytes, RW | PROT_MTE);
	uint64_t *frames = calloc(bytes / page, sizeof(*frames));

	for (at = 0; at < bytes; at += page) {
		set_tag(mem + at, tag_of(at, 1));
		*(volatile uint64_t *)with_tag(mem + at, tag_of(at, 1)) = data_of(at, 1);
	}
	for (at = 0; at < bytes; at += 2 * page)
		call(!madvise(mem + at, page, MADV_DONTNEED), "MADV_DONTNEED");
	for (at = page; at < bytes; at += 2 * page)
		frames[at / page] = FRAME(pagemap(mem + at));
	if (!write_text("/proc/sys/vm/compact_memory", "1"))
		leave(SKIPPED, "this kernel does not compact");
	for (at = page; at < bytes; at += 2 * page, n++) {
		unsigned int want = tag_of(at, 1);

		need(tag_at(mem + at) == want, "tag %u instead of %u at %#zx", tag_at(mem + at), want, at);
		need(*(volatile uint64_t *)with_tag(mem + at, want) == data_of(at, 1), "data at %#zx", at);
		moved += frames[at / page] != FRAME(pagemap(mem + at));
	}
	note("%zu of %zu pages moved", moved, n);
}

static size_t swapped_pages(const char *mem, size_t bytes)
{
	size_t at, n = 0;

	for (at = 0; at < bytes; at += page)
		n += SWAPPED(pagemap(mem + at));
	return n;
}

static int have_swap(char *device, size_t len)
{
	FILE *file = fopen("/proc/swaps", "r");
	char line[256];
	int have;

	have = file && fgets(line, sizeof(line), file) && fgets(line, sizeof(line), file);
	if (have && device)
		snprintf(device, len, "%.*s", (int)strcspn(line, " \t"), line);
	if (file)
		fclose(file);
	return have;
}

static void swap_anon(void)
{
	size_t bytes = 512 * page, out;
	char *mem = map_small(bytes, RW | PROT_MTE);
	pid_t child;

	if (!have_swap(NULL, 0))
		leave(SKIPPED, "there is no swap");
	put(mem, bytes, 1);
	call(!madvise(mem, bytes, MADV_PAGEOUT), "MADV_PAGEOUT");
	out = swapped_pages(mem, bytes);
	/* Entries that two processes have: the one reads, the other one writes. */
	child = fork();
	call(child >= 0, "fork");
	if (!child) {
		look(mem, bytes, 1, "swapped in by the child");
		_exit(0);
	}
	wait_well(child);
	look(mem, bytes, 1, "swapped in");
	call(!madvise(mem, bytes, MADV_PAGEOUT), "MADV_PAGEOUT");
	put(mem, bytes, 2);
	look(mem, bytes, 2, "swapped in by writes");
	note("%zu of %zu pages swapped out", out, bytes / page);
}

static void swap_shared(void)
{
	size_t bytes = 256 * page;
	int fd = memory_file(bytes);
	char *mem = map(bytes, RW | PROT_MTE, MAP_SHARED, fd);

	if (!have_swap(NULL, 0))
		leave(SKIPPED, "there is no swap");
	put(mem, bytes, 1);
	call(!madvise(mem, bytes, MADV_PAGEOUT), "MADV_PAGEOUT");
	look(mem, bytes, 1, "swapped in");
	call(!madvise(mem, bytes, MADV_PAGEOUT), "MADV_PAGEOUT");
	munmap(mem, bytes);
	mem = map(bytes, RW | PROT_MTE, MAP_SHARED, fd);
	look(mem, bytes, 1, "swapped in by another mapping");
	put(mem, bytes, 2);
	look(mem, bytes, 2, "written again");
}

/* Swapped out without tags, and back into a mapping that has become PROT_MTE. */
static void swap_mprotect(void)
{
	size_t bytes = 256 * page, out;
	char *mem = map_small(bytes, RW);

	if (!have_swap(NULL, 0))
		leave(SKIPPED, "there is no swap");
	put_data(mem, bytes, 1);
	call(!madvise(mem, bytes, MADV_PAGEOUT), "MADV_PAGEOUT");
	out = swapped_pages(mem, bytes);
	need(out, "nothing was swapped out: the path was not taken");
	call(!mprotect(mem, bytes, RW | PROT_MTE), "mprotect");
	look_data(mem, bytes, 1, "swapped in");
	put(mem, bytes, 2);
	look(mem, bytes, 2, "written again");
	note("%zu of %zu pages swapped out", out, bytes / page);
}

static void swap_off(void)
{
	size_t bytes = 512 * page, out;
	char *mem = map_small(bytes, RW | PROT_MTE), device[128];

	if (!have_swap(device, sizeof(device)))
		leave(SKIPPED, "there is no swap");
	put(mem, bytes, 1);
	call(!madvise(mem, bytes, MADV_PAGEOUT), "MADV_PAGEOUT");
	out = swapped_pages(mem, bytes);
	call(!swapoff(device), device);
	look(mem, bytes, 1, "after swapoff");
	call(!swapon(device, 0), device);
	note("%zu of %zu pages swapped out", out, bytes / page);
}

static void ptrace_path(void)
{
	size_t bytes = 8 * page, n = page / GRANULE;
	char *mem = map_small(bytes, RW | PROT_MTE);
	unsigned char *tags = malloc(n);
	struct iovec iov = { tags, n };
	int status;
	pid_t child;

	call(!!tags, "malloc");
	put(mem, 4 * page, 1);
	for (size_t i = 0; i < n; i++)
		tags[i] = (unsigned char)tag_of(i * GRANULE, 20);
	child = fork();
	call(child >= 0, "fork");
	if (!child) {
		/* Half of what the parent pokes at: pages shared with it, and pages never touched. */
		call(!ptrace(PTRACE_TRACEME, 0, NULL, NULL), "PTRACE_TRACEME");
		raise(SIGSTOP);
		for (size_t i = 0; i < n; i++) {
			need(tag_at(mem + i * GRANULE) == tags[i], "a poked tag is wrong at %zu", i);
			need(tag_at(mem + 6 * page + i * GRANULE) == tags[i],
			     "a tag poked into a new page is wrong at %zu", i);
		}
		look(mem + page, 3 * page, 9, "not poked");
		_exit(0);
	}
	/* What the child looks for where nobody poked. */
	call(waitpid(child, &status, 0) == child && WIFSTOPPED(status), "waitpid");
	call(!ptrace(PTRACE_POKEMTETAGS, child, mem, &iov), "PTRACE_POKEMTETAGS");
	iov.iov_len = n;
	call(!ptrace(PTRACE_POKEMTETAGS, child, mem + 6 * page, &iov), "PTRACE_POKEMTETAGS (new page)");
	need(iov.iov_len == n, "%zu of %zu tags poked", iov.iov_len, n);
	for (size_t at = page; at < 4 * page; at += page) {
		for (size_t i = 0; i < n; i++)
			tags[i] = (unsigned char)tag_of(at - page + i * GRANULE, 9);
		iov.iov_len = n;
		call(!ptrace(PTRACE_POKEMTETAGS, child, mem + at, &iov), "PTRACE_POKEMTETAGS");
		for (size_t i = 0; i < n; i++) {
			uint64_t data = data_of(at - page + i * GRANULE, 9);

			call(!ptrace(PTRACE_POKEDATA, child, mem + at + i * GRANULE, (void *)data),
			     "PTRACE_POKEDATA");
		}
	}
	iov.iov_len = n;
	call(!ptrace(PTRACE_PEEKMTETAGS, child, mem + 6 * page, &iov), "PTRACE_PEEKMTETAGS");
	for (size_t i = 0; i < n; i++)
		need(tags[i] == tag_of(i * GRANULE, 20), "a peeked tag is wrong at %zu", i);
	call(!ptrace(PTRACE_DETACH, child, NULL, NULL), "PTRACE_DETACH");
	wait_well(child);
	look(mem, 4 * page, 1, "in the parent");
}

/* Another process writes into memory that was never touched. */
static void remote_write(void)
{
	size_t bytes = 64 * page;
	char *mem = map_small(bytes, RW | PROT_MTE), *from = map_small(bytes, RW);
	struct iovec local = { from, bytes }, remote = { mem, bytes };
	int go[2];
	pid_t child;
	char byte;

	put_data(from, bytes, 1);
	call(!pipe(go), "pipe");
	child = fork();
	call(child >= 0, "fork");
	if (!child) {
		close(go[1]);
		call(read(go[0], &byte, 1) == 0, "pipe");
		look_data(mem, bytes, 1, "what the parent wrote");
		put(mem, bytes, 2);
		look(mem, bytes, 2, "written again");
		_exit(0);
	}
	call(process_vm_writev(child, &local, 1, &remote, 1, 0) == (ssize_t)bytes, "process_vm_writev");
	close(go[0]);
	close(go[1]);
	wait_well(child);
}

static int faultfd(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		leave(SKIPPED, "userfaultfd: %s", strerror(errno));
	call(!ioctl(fd, UFFDIO_API, &api), "UFFDIO_API");
	return fd;
}

static void take_faults(int fd, char *mem, size_t bytes, uint64_t mode)
{
	struct uffdio_register reg = { .range = { (uintptr_t)mem, bytes }, .mode = mode };

	call(!ioctl(fd, UFFDIO_REGISTER, &reg), "UFFDIO_REGISTER");
}

static void uffd_copy_to(char *mem, size_t bytes, const char *what)
{
	char *from = map_small(bytes, RW);
	struct uffdio_copy copy = { .dst = (uintptr_t)mem, .src = (uintptr_t)from, .len = bytes / 2 };
	struct uffdio_zeropage zero = { .range = { (uintptr_t)mem + bytes / 2, bytes / 2 } };
	int fd = faultfd(0);

	put_data(from, bytes, 1);
	take_faults(fd, mem, bytes, UFFDIO_REGISTER_MODE_MISSING);
	call(!ioctl(fd, UFFDIO_COPY, &copy), "UFFDIO_COPY");
	call(!ioctl(fd, UFFDIO_ZEROPAGE, &zero), "UFFDIO_ZEROPAGE");
	look_data(mem, bytes / 2, 1, what);
	look_empty(mem + bytes / 2, bytes / 2, what);
	put(mem, bytes, 2);
	look(mem, bytes, 2, what);
	close(fd);
}

static void uffd_copy(void)
{
	size_t bytes = 128 * page;

	uffd_copy_to(map_small(bytes, RW | PROT_MTE), bytes, "anonymous memory");
	uffd_copy_to(map(bytes, RW | PROT_MTE, MAP_SHARED, memory_file(bytes)), bytes, "tmpfs");
	uffd_copy_to(map(bytes, RW | PROT_MTE, MAP_PRIVATE, memory_file(bytes)), bytes, "private tmpfs");
}

static void uffd_continue(void)
{
	size_t bytes = 128 * page;
	int file = memory_file(bytes), fd = faultfd(UFFD_FEATURE_MINOR_SHMEM);
	char *data = map(bytes, RW, MAP_SHARED, file);
	char *mem = map(bytes, RW | PROT_MTE, MAP_SHARED, file);
	struct uffdio_continue go_on = { .range = { (uintptr_t)mem, bytes } };

	put_data(data, bytes, 1);
	take_faults(fd, mem, bytes, UFFDIO_REGISTER_MODE_MINOR);
	/* Whoever got a part of it goes on behind that. */
	while (ioctl(fd, UFFDIO_CONTINUE, &go_on) && errno == EAGAIN && go_on.mapped > 0) {
		go_on.range.start += go_on.mapped;
		go_on.range.len -= go_on.mapped;
		go_on.mapped = 0;
	}
	if (go_on.mapped != (long long)go_on.range.len) {
		/* Who cannot make room for the tags may refuse a page; the others are mapped. */
		call(errno == EINVAL, "UFFDIO_CONTINUE");
		close(fd);
		note("refused");
	}
	look_data(mem, bytes, 1, "continued");
	put(mem, bytes, 2);
	look(mem, bytes, 2, "continued, written");
}

static void hugetlb(void)
{
	size_t bytes = 2 * huge;
	char *mem;
	pid_t child;

	mem = mmap(NULL, bytes, RW, ANON | MAP_HUGETLB, -1, 0);
	if (mem == MAP_FAILED)
		leave(SKIPPED, "no huge pages: %s", strerror(errno));
	memset(mem, 1, huge);
	if (mprotect(mem, bytes, RW | PROT_MTE)) {
		call(errno == EINVAL, "mprotect");
		leave(SKIPPED, "this kernel has no tags in hugetlb pages");
	}
	for (size_t at = 0; at < huge; at += page)
		need(!tag_at(mem + at) && mem[at] == 1, "after mprotect at %#zx", at);
	put(mem, bytes, 1);
	look(mem, bytes, 1, "written");
	child = fork();
	call(child >= 0, "fork");
	if (!child) {
		/* The copy needs pages of its own; one is enough to see it. */
		*(volatile uint64_t *)with_tag(mem, tag_of(0, 1)) = data_of(0, 1);
		look(mem, bytes, 1, "in the child's copy");
		_exit(0);
	}
	wait_well(child);
	put(mem, bytes, 2);
	look(mem, bytes, 2, "in the parent");
	munmap(mem, bytes);
	mem = mmap(NULL, bytes, RW | PROT_MTE, ANON | MAP_HUGETLB, -1, 0);
	call(mem != MAP_FAILED, "mmap");
	look_empty(mem, bytes, "new");
	put(mem, bytes, 3);
	look(mem, bytes, 3, "new, written");
}

/* Pages that a device could write to are not shared at fork: they are copied at once. */
static void pinned_fork(void)
{
	size_t bytes = 64 * page;
	char *mem = map_small(bytes, RW | PROT_MTE);
	struct iovec iov = { mem, bytes };
	struct io_uring_params params;
	pid_t child;
	int fd;

	put(mem, bytes, 1);
	memset(&params, 0, sizeof(params));
	fd = (int)syscall(SYS_io_uring_setup, 1, &params);
	if (fd < 0)
		leave(SKIPPED, "io_uring: %s", strerror(errno));
	call(!syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &iov, 1), "IORING_REGISTER_BUFFERS");
	look(mem, bytes, 1, "pinned");
	child = fork();
	call(child >= 0, "fork");
	if (!child) {
		look(mem, bytes, 1, "in the child");
		put(mem, bytes, 2);
		look(mem, bytes, 2, "in the child, written");
		_exit(0);
	}
	wait_well(child);
	look(mem, bytes, 1, "in the parent");
	put(mem, bytes, 3);
	look(mem, bytes, 3, "in the parent, written");
}

/* Freed and taken again, so that pages change between tagged and not. */
static void *churn_one(void *arg)
{
	size_t bytes = 256 * page;
	unsigned int which = *(unsigned int *)arg;

	for (unsigned int round = 0; round < 20; round++) {
		char *mem = map_small(bytes, RW | PROT_MTE);
		char *plain = map_small(bytes, RW);

		put(mem, bytes, round + which);
		put_data(plain, bytes, round);
		look(mem, bytes, round + which, "among others");
		munmap(mem, bytes);
		munmap(plain, bytes);
	}
	return NULL;
}

static void churn(void)
{
	unsigned int which[4];
	pthread_t threads[4];

	for (unsigned int i = 0; i < 4; i++) {
		which[i] = i;
		need(!pthread_create(&threads[i], NULL, churn_one, &which[i]), "pthread_create");
	}
	for (unsigned int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static const struct path {
	const char *name;
	void (*run)(void);
} paths[] = {
	{ "first_touch", first_touch },
	{ "populate", populate },
	{ "zero_page", zero_page },
	{ "cow", cow },
	{ "cow_plain", cow_plain },
	{ "thp_fault", thp_fault },
	{ "thp_collapse", thp_collapse },
	{ "thp_mprotect", thp_mprotect },
	{ "thp_split", thp_split },
	{ "mprotect", mprotect_path },
	{ "mprotect_faults", mprotect_faults },
	{ "tmpfs_shared", tmpfs_shared },
	{ "tmpfs_private", tmpfs_private },
	{ "shared_anon", shared_anon },
	{ "mremap", mremap_path },
	{ "brk", brk_path },
	{ "ksm", ksm },
	{ "migrate", migrate },
	{ "swap_anon", swap_anon },
	{ "swap_shared", swap_shared },
	{ "swap_mprotect", swap_mprotect },
	{ "swap_off", swap_off },
	{ "ptrace", ptrace_path },
	{ "remote_write", remote_write },
	{ "uffd_copy", uffd_copy },
	{ "uffd_continue", uffd_continue },
	{ "hugetlb", hugetlb },
	{ "pinned_fork", pinned_fork },
	{ "churn", churn },
};

static void use_tags(void)
{
	unsigned long control = PR_TAGGED_ADDR_ENABLE | PR_MTE_TCF_SYNC | 0xfffeUL << PR_MTE_TAG_SHIFT;
	char *mem;

	call(!prctl(PR_SET_TAGGED_ADDR_CTRL, control, 0, 0, 0), "PR_SET_TAGGED_ADDR_CTRL");
	mem = map_small(page, RW | PROT_MTE);
	find_period(mem);
	munmap(mem, page);
}

/* In a process of its own: a tag check fault is an answer, too. */
static int run(const struct path *path)
{
	char said[sizeof(detail)] = "";
	int ends[2], status;
	ssize_t got;
	pid_t child;

	fflush(stdout);
	if (pipe(ends) || (child = fork()) < 0)
		return BAD;
	if (!child) {
		dup2(ends[1], 3);
		use_tags();
		path->run();
		if (write(3, detail, strlen(detail)) < 0)
			_exit(BAD);
		_exit(GOOD);
	}
	close(ends[1]);
	waitpid(child, &status, 0);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	got = read(ends[0], said, sizeof(said) - 1);
	said[got > 0 ? got : 0] = '\0';
	close(ends[0]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
		printf("skip %s %s\n", path->name, said);
		return GOOD;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == GOOD) {
		printf("ok %s %s\n", path->name, said);
		return GOOD;
	}
	if (WIFSIGNALED(status))
		snprintf(said, sizeof(said), "killed by signal %d", WTERMSIG(status));
	printf("failed %s %s\n", path->name, said);
	return BAD;
}

/* One of the pages that lie in [start, start + bytes) of physical memory stays in a pipe. */
static void pin_one(char *mem, size_t all, uint64_t start, uint64_t bytes)
{
	struct iovec piece = { .iov_len = page };
	int ends[2];

	call(!pipe(ends), "pipe");
	for (size_t at = 0; at < all; at += page) {
		if (FRAME(pagemap(mem + at)) * page - start >= bytes)
			continue;
		piece.iov_base = mem + at;
		call(vmsplice(ends[1], &piece, 1, 0) == (ssize_t)page, "vmsplice");
		return;
	}
	need(0, "no page there");
}

static volatile sig_atomic_t asked, unwanted, wanted;

static void on_question(int sig)
{
	if (sig == SIGUSR1)
		asked = 1;
	else if (sig == SIGUSR2)
		unwanted = 1;
	else
		wanted = 1;
}

__attribute__((noreturn))
static void hold(char *mem, size_t bytes, char **where)
{
	struct sigaction question = { .sa_handler = on_question };
	size_t at, wrong = 0;

	use_tags();
	sigaction(SIGUSR1, &question, NULL);
	sigaction(SIGUSR2, &question, NULL);
	sigaction(SIGHUP, &question, NULL);
	for (at = 0; at < bytes; at += page)
		*(volatile uint64_t *)set_tag(mem + at, tag_of(at, 1)) = data_of(at, 1);
	if (where)
		pin_one(mem, bytes, strtoull(where[0], NULL, 0), strtoull(where[1], NULL, 0));
	puts("ready");
	fflush(stdout);
	for (; !asked; usleep(100000)) {
		if (unwanted) {
			unwanted = 0;
			call(!madvise(mem, bytes, MADV_PAGEOUT), "MADV_PAGEOUT");
			printf("%zu swapped out\n", swapped_pages(mem, bytes));
		}
		if (wanted) {
			wanted = 0;
			call(!madvise(mem, bytes, MADV_WILLNEED), "MADV_WILLNEED");
			puts("read ahead");
		}
		fflush(stdout);
	}
	for (at = 0; at < bytes; at += page)
		wrong += tag_at(mem + at) != tag_of(at, 1) ||
			 *(volatile uint64_t *)with_tag(mem + at, tag_of(at, 1)) != data_of(at, 1);
	printf("%zu pages, %zu wrong\n", bytes / page, wrong);
	exit(wrong ? BAD : GOOD);
}

/* Every second page of four times as much is free again, so that most come back to one of those. */
__attribute__((noreturn))
static void plain(size_t bytes)
{
	char *mem = map_small(bytes, RW), *tagged = map_small(4 * bytes, RW);
	size_t at, out, wrong = 0;

	for (at = 0; at < bytes; at += page)
		*(volatile uint64_t *)(mem + at) = data_of(at, 1);
	call(!madvise(mem, bytes, MADV_PAGEOUT), "MADV_PAGEOUT");
	out = swapped_pages(mem, bytes);
	/* Not from the pool: where the kernel looks first for any other memory of a program. */
	for (at = 0; at < 4 * bytes; at += page)
		*(volatile uint64_t *)(tagged + at) = data_of(at, 2);
	call(!mprotect(tagged, 4 * bytes, RW | PROT_MTE), "mprotect");
	for (at = 0; at < 4 * bytes; at += 2 * page)
		call(!madvise(tagged + at, page, MADV_DONTNEED), "MADV_DONTNEED");
	for (at = 0; at < bytes; at += page)
		wrong += *(volatile uint64_t *)(mem + at) != data_of(at, 1);
	call(!munmap(tagged, 4 * bytes), "munmap");
	printf("%zu swapped out, %zu are back, %zu wrong\nready\n", out,
	       out - swapped_pages(mem, bytes), wrong);
	fflush(stdout);
	for (;;)
		pause();
}

/* The signal that a write to memory ends with, 0 for none. */
static int killed_by(char *mem)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		*(volatile char *)mem = 1;
		_exit(0);
	}
	call(child > 0 && waitpid(child, &status, 0) == child, "fork");
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static int starved(const char *what, int good)
{
	printf("%s %s\n", good ? "ok" : "failed", what);
	return good ? GOOD : BAD;
}

static int starve(void)
{
	char *mem = map_small(16 * page, RW), *tagged = map_small(page, RW | PROT_MTE);
	int fd = memory_file(page), err, status;

	memset(mem, 5, 16 * page);
	call(write(fd, "x", 1) == 1, "write");
	err = mprotect(mem, 16 * page, RW | PROT_MTE) ? errno : 0;
	status = starved("mprotect: ENOMEM", err == ENOMEM);
	status |= starved("its memory is as it was", mem[0] == 5 && mem[16 * page - 1] == 5 && !killed_by(mem));
	status |= starved("anonymous memory: SIGBUS", killed_by(tagged) == SIGBUS);
	status |= starved("shared file: SIGBUS", killed_by(map(page, RW | PROT_MTE, MAP_SHARED, fd)) == SIGBUS);
	status |= starved("private file: SIGBUS", killed_by(map(page, RW | PROT_MTE, MAP_PRIVATE, fd)) == SIGBUS);
	return status;
}

/* The kernel writes to pages that are not there yet. */
static int read_shared(void)
{
	size_t bytes = 64 * page;
	char *mem = map(bytes, RW | PROT_MTE, MAP_SHARED | MAP_ANONYMOUS, -1);
	int fd = open("/dev/zero", O_RDONLY);

	return read(fd, mem, bytes) == (ssize_t)bytes ? GOOD : BAD;
}

int main(int argc, char **argv)
{
	int status = argc > 1 ? 0 : 1;
	size_t i;

	page = (size_t)sysconf(_SC_PAGESIZE);
	huge = number_in("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
	if (argc == 2 && !strcmp(argv[1], "list")) {
		for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
			puts(paths[i].name);
		return 0;
	}
	if (!(getauxval(AT_HWCAP2) & HWCAP2_MTE)) {
		fprintf(stderr, "this machine has no memory tags\n");
		return 1;
	}
	/* What a path says of itself goes to descriptor 3. */
	if (dup2(STDERR_FILENO, 3) != 3)
		return 1;
	if ((argc == 3 || argc == 5) && !strcmp(argv[1], "hold"))
		hold(map_small((size_t)atol(argv[2]) << 20, RW | PROT_MTE), (size_t)atol(argv[2]) << 20,
		     argc == 5 ? argv + 3 : NULL);
	if (argc == 3 && !strcmp(argv[1], "hold_shared"))
		hold(map((size_t)atol(argv[2]) << 20, RW | PROT_MTE, MAP_SHARED | MAP_ANONYMOUS, -1),
		     (size_t)atol(argv[2]) << 20, NULL);
	if (argc == 3 && !strcmp(argv[1], "plain"))
		plain((size_t)atol(argv[2]) << 20);
	if (argc == 2 && !strcmp(argv[1], "starve"))
		return starve();
	if (argc == 2 && !strcmp(argv[1], "read_shared"))
		return read_shared();
	for (int arg = 1; arg < argc; arg++) {
		for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
			if (!strcmp(argv[arg], paths[i].name))
				break;
		}
		if (i == sizeof(paths) / sizeof(paths[0])) {
			fprintf(stderr, "mte_paths: no path \"%s\"\n", argv[arg]);
			return 1;
		}
		status |= run(&paths[i]);
	}
	return status;
}

#else

int main(void)
{
	fprintf(stderr, "memory tags are a thing of arm64\n");
	return 1;
}

#endif
