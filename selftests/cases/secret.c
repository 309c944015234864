// SPDX-License-Identifier: GPL-2.0-only
/*
 * secret PROMISE [ARGUMENT...]: puts a promise of /dev/mmkit_secret to the test,
 * says what it saw, and succeeds if the promise was kept. A way to look at memory
 * is tried on ordinary memory, too: where that cannot be seen, nothing is proved.
 *
 * The environment variable MMKIT_SECRET names another device or file to try: most
 * promises fail on it, as they must.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYSFS	"/sys/kernel/mmkit/unmapped/"
#define PEEK	"/sys/kernel/debug/mmkit_test_peek"
#define NOBODY	65534
#ifndef PROT_MTE
#define PROT_MTE 0x20
#endif
#define RW	(PROT_READ | PROT_WRITE)

static size_t page;
static int broken;

/* --- what everybody needs ------------------------------------------------ */

__attribute__((format(printf, 2, 3)))
static void saw(int good, const char *format, ...)
{
	int err = errno;
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printf("%s: %s", good ? "good" : "BAD", text);
	if (!good && err)
		printf(" (%s)", strerror(err));
	putchar('\n');
	if (!good)
		broken = 1;
	errno = 0;
}

/* The call failed, and with this error. */
static void refused(int failed, int want, const char *what)
{
	int err = errno;

	if (!failed)
		saw(0, "%s is allowed", what);
	else
		saw(err == want, "%s is refused: %s", what, strerror(err));
}

static void must(int good, const char *what)
{
	if (good)
		return;
	printf("BAD: cannot go on, %s: %s\n", what, strerror(errno));
	_exit(2);
}

static int object(void)
{
	const char *device = getenv("MMKIT_SECRET");
	int fd = open(device ? device : "/dev/mmkit_secret", O_RDWR | O_CLOEXEC);

	must(fd >= 0, "open");
	return fd;
}

static void *try_map(int fd, size_t bytes, off_t at)
{
	return mmap(NULL, bytes, RW, MAP_SHARED, fd, at);
}

static char *map_object(int fd, size_t pages)
{
	char *mem = try_map(fd, pages * page, 0);

	must(mem != MAP_FAILED, "mmap");
	return mem;
}

/* The mapping alone keeps the object. */
static char *secret(size_t pages)
{
	int fd = object();
	char *mem = map_object(fd, pages);

	close(fd);
	return mem;
}

static char *ordinary(size_t pages)
{
	char *mem = mmap(NULL, pages * page, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(mem != MAP_FAILED, "mmap of ordinary memory");
	return mem;
}

/*
 * A pattern without zeroes, for each seed another one. It is made byte by byte:
 * nothing of it is in a register, on the stack or in the program as a whole.
 */
static unsigned char pattern(size_t at, unsigned int seed)
{
	unsigned int x = (unsigned int)at * 2654435761u + seed * 40503u;

	x ^= x >> 15;
	x *= 2246822519u;
	return (unsigned char)(x >> 24) | 1;
}

static void fill(char *mem, size_t bytes, unsigned int seed)
{
	volatile char *to = mem;
	size_t at;

	for (at = 0; at < bytes; at++)
		to[at] = (char)pattern(at, seed);
}

static int holds(const char *mem, size_t bytes, unsigned int seed)
{
	const volatile char *from = mem;
	size_t at;

	for (at = 0; at < bytes; at++) {
		if (from[at] != (char)pattern(at, seed))
			return 0;
	}
	return 1;
}

static int empty(const char *mem, size_t bytes)
{
	size_t at;

	for (at = 0; at < bytes && !mem[at]; at++)
		;
	return at == bytes;
}

static sigjmp_buf back;
static volatile sig_atomic_t waiting;

static void on_signal(int number)
{
	if (waiting)
		siglongjmp(back, number);
	printf("BAD: %s where none belongs\n", strsignal(number));
	_exit(2);
}

/* The signal that an access brings, or 0. */
static int access_brings(volatile char *at, int write)
{
	int number = sigsetjmp(back, 1);

	waiting = !number;
	if (!number && write)
		*at = 1;
	else if (!number)
		(void)*at;
	waiting = 0;
	return number;
}

/* Touches page after page; how many until a signal comes, which is left in *number. */
static size_t touch(char *mem, size_t pages, int *number)
{
	size_t i;

	*number = 0;
	for (i = 0; i < pages; i++) {
		*number = access_brings(mem + i * page, 1);
		if (*number)
			break;
	}
	return i;
}

static pid_t in_child(void)
{
	pid_t child;

	fflush(stdout);
	child = fork();
	must(child >= 0, "fork");
	if (!child)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return child;
}

static void joined(pid_t child)
{
	int status;

	must(waitpid(child, &status, 0) == child, "waitpid");
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		errno = 0;
		saw(0, "a child ended with status %#x", status);
	}
}

/* A process that has what we have, and does nothing. */
static pid_t bystander(void)
{
	pid_t child = in_child();

	while (!child)
		pause();
	return child;
}

static void end(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void say(int fd, char word)
{
	must(write(fd, &word, 1) == 1, "write to a pipe");
}

static void hear(int fd)
{
	char word;

	must(read(fd, &word, 1) == 1, "read from a pipe");
}

static long long number_in(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY);

	must(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0, path);
	close(fd);
	return atoll(text);
}

static long long secret_bytes(void)
{
	return number_in(SYSFS "secret_bytes");
}

/* --- ways to look at memory ------------------------------------------------ */

/* What can be done with an address of a process from outside: 0, or an errno. */
struct way {
	const char *name;
	int (*get)(pid_t pid, char *at, char *to);
	int (*put)(pid_t pid, char *at, char *from);
};

static int mem_of(pid_t pid, char *at, char *data, int write)
{
	char path[32];
	ssize_t done;
	int fd, err;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR);
	must(fd >= 0, path);
	done = write ? pwrite(fd, data, page, (off_t)at) : pread(fd, data, page, (off_t)at);
	err = done == (ssize_t)page ? 0 : done < 0 ? errno : EIO;
	close(fd);
	return err;
}

static int get_mem(pid_t pid, char *at, char *to)
{
	return mem_of(pid, at, to, 0);
}

static int put_mem(pid_t pid, char *at, char *from)
{
	return mem_of(pid, at, from, 1);
}

static int get_vm(pid_t pid, char *at, char *to)
{
	struct iovec here = { to, page }, there = { at, page };

	return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)page ? 0 : errno;
}

static int put_vm(pid_t pid, char *at, char *from)
{
	struct iovec here = { from, page }, there = { at, page };

	return process_vm_writev(pid, &here, 1, &there, 1, 0) == (ssize_t)page ? 0 : errno;
}

static int get_ptrace(pid_t pid, char *at, char *to)
{
	size_t i;

	for (i = 0; i < page; i += sizeof(long)) {
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, pid, at + i, NULL);
		if (errno)
			return errno;
		memcpy(to + i, &word, sizeof(word));
	}
	return 0;
}

static int put_ptrace(pid_t pid, char *at, char *from)
{
	size_t i;

	for (i = 0; i < page; i += sizeof(long)) {
		long word;

		memcpy(&word, from + i, sizeof(word));
		if (ptrace(PTRACE_POKEDATA, pid, at + i, (void *)word))
			return errno;
	}
	return 0;
}

static const struct way by_mem = { "/proc/PID/mem", get_mem, put_mem };
static const struct way by_vm = { "process_vm_readv and _writev", get_vm, put_vm };
static const struct way by_ptrace = { "PEEKDATA and POKEDATA", get_ptrace, put_ptrace };

static void try_way(const struct way *way, pid_t pid, char *hidden, char *plain)
{
	char *buffer = ordinary(1);
	int err;

	err = way->get(pid, plain, buffer);
	saw(!err && holds(buffer, page, 1), "%s reads ordinary memory of %d", way->name, pid);
	fill(buffer, page, 1);
	errno = way->put(pid, plain, buffer);
	saw(!errno, "%s writes ordinary memory of %d", way->name, pid);

	memset(buffer, 0, page);
	errno = way->get(pid, hidden, buffer);
	saw(errno == EIO || errno == EFAULT, "%s does not read secret memory: %s", way->name,
	    strerror(errno));
	saw(empty(buffer, page), "and nothing came");
	fill(buffer, page, 3);
	errno = way->put(pid, hidden, buffer);
	saw(errno == EIO || errno == EFAULT, "%s does not write secret memory: %s", way->name,
	    strerror(errno));
	munmap(buffer, page);
}

static void both(char **hidden, char **plain)
{
	*hidden = secret(1);
	*plain = ordinary(1);
	fill(*hidden, page, 2);
	fill(*plain, page, 1);
}

static void mem(void)
{
	char *hidden, *plain;
	pid_t child;

	both(&hidden, &plain);
	try_way(&by_mem, getpid(), hidden, plain);
	child = bystander();
	try_way(&by_mem, child, hidden, plain);
	end(child);
	saw(holds(hidden, page, 2), "the contents are as they were");
}

static void vm_readv(void)
{
	char *hidden, *plain;
	pid_t child;

	both(&hidden, &plain);
	try_way(&by_vm, getpid(), hidden, plain);
	child = bystander();
	try_way(&by_vm, child, hidden, plain);
	end(child);
	saw(holds(hidden, page, 2), "the contents are as they were");
}

static void trace(void)
{
	char *hidden, *plain;
	pid_t child;

	both(&hidden, &plain);
	child = bystander();
	must(!ptrace(PTRACE_ATTACH, child, NULL, NULL), "PTRACE_ATTACH");
	must(waitpid(child, NULL, 0) == child, "waitpid");
	try_way(&by_ptrace, child, hidden, plain);
	ptrace(PTRACE_DETACH, child, NULL, NULL);
	end(child);
	saw(holds(hidden, page, 2), "the contents are as they were");
}

/* --- memory that the kernel would have to pin -------------------------------- */

static int splice_out(char *mem)
{
	struct iovec part = { mem, page };
	int ends[2], err;

	must(!pipe(ends), "pipe");
	err = vmsplice(ends[1], &part, 1, SPLICE_F_NONBLOCK) == (ssize_t)page ? 0 : errno;
	close(ends[0]);
	close(ends[1]);
	return err;
}

static int wake_shared(char *mem)
{
	return syscall(SYS_futex, mem, FUTEX_WAKE, 1, NULL, NULL, 0) < 0 ? errno : 0;
}

static int ring_buffer(char *mem)
{
	struct io_uring_params params = { 0 };
	struct iovec part = { mem, page };
	int err, fd = (int)syscall(SYS_io_uring_setup, 4, &params);

	must(fd >= 0, "io_uring_setup");
	err = syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &part, 1) < 0 ? errno : 0;
	close(fd);
	return err;
}

static const char *disk;

static int direct(char *mem, int write)
{
	int fd = open(disk, O_RDWR | O_DIRECT);
	ssize_t done;
	int err;

	must(fd >= 0, disk);
	done = write ? pwrite(fd, mem, page, 0) : pread(fd, mem, page, 0);
	err = done == (ssize_t)page ? 0 : done < 0 ? errno : EIO;
	close(fd);
	return err;
}

static int direct_write(char *mem)
{
	return direct(mem, 1);
}

static int direct_read(char *mem)
{
	return direct(mem, 0);
}

/* The kernel copying for the process, as it asked for, is no way in. */
static void copies(char *mem)
{
	char *buffer = ordinary(1);
	int ends[2], fd;

	must(!pipe(ends), "pipe");
	saw(write(ends[1], mem, page) == (ssize_t)page &&
	    read(ends[0], buffer, page) == (ssize_t)page && holds(buffer, page, 2),
	    "write(2) of secret memory to a pipe is what its owner wants");
	fd = open("/tmp/secret.copy", O_RDWR | O_CREAT | O_TRUNC, 0600);
	must(fd >= 0, "/tmp/secret.copy");
	unlink("/tmp/secret.copy");
	memset(buffer, 0, page);
	saw(write(fd, mem, page) == (ssize_t)page && pread(fd, buffer, page, 0) == (ssize_t)page &&
	    holds(buffer, page, 2), "and so it is to a file");
	fill(mem, page, 4);
	saw(pread(fd, mem, page, 0) == (ssize_t)page && holds(mem, page, 2),
	    "and read(2) from there into secret memory");
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

static void pin(void)
{
	static const struct {
		const char *name;
		int (*use)(char *mem);
	} uses[] = {
		{ "vmsplice", splice_out },
		{ "a futex between processes", wake_shared },
		{ "an io_uring buffer", ring_buffer },
		{ "an O_DIRECT write", direct_write },
		{ "an O_DIRECT read", direct_read },
	};
	char *hidden, *plain;
	size_t i;

	both(&hidden, &plain);
	for (i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
		errno = uses[i].use(plain);
		saw(!errno, "ordinary memory can serve for %s", uses[i].name);
		errno = uses[i].use(hidden);
		saw(errno == EFAULT, "secret memory cannot serve for %s: %s", uses[i].name,
		    strerror(errno));
	}
	saw(holds(hidden, page, 2), "the contents are as they were");
	copies(hidden);
}

/* --- core dump ------------------------------------------------------------ */

static int file_has(const char *path, unsigned int seed)
{
	char needle[64], *data;
	struct stat status;
	int fd, found;

	fd = open(path, O_RDONLY);
	must(fd >= 0 && !fstat(fd, &status) && status.st_size, path);
	data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	must(data != MAP_FAILED, "mmap of the core");
	fill(needle, sizeof(needle), seed);
	found = !!memmem(data, (size_t)status.st_size, needle, sizeof(needle));
	munmap(data, (size_t)status.st_size);
	close(fd);
	return found;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), path);
	close(fd);
}

static void dump_core(int number)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	char *hidden, *plain, *volatile nowhere = NULL;

	both(&hidden, &plain);
	must(!setrlimit(RLIMIT_CORE, &all), "RLIMIT_CORE");
	/* Every kind of mapping there is. */
	write_file("/proc/self/coredump_filter", "0x1ff");
	signal(number, SIG_DFL);
	if (number == SIGSEGV)
		*nowhere = 1;
	raise(number);
}

static void core(void)
{
	static const int numbers[] = { SIGSEGV, SIGABRT };
	char before[256] = "", path[64];
	int fd, status;
	size_t i;

	fd = open("/proc/sys/kernel/core_pattern", O_RDONLY);
	must(fd >= 0 && read(fd, before, sizeof(before) - 1) > 0, "core_pattern");
	close(fd);
	write_file("/proc/sys/kernel/core_pattern", "/tmp/secret.core.%p");
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		pid_t child = in_child();

		if (!child) {
			dump_core(numbers[i]);
			_exit(3);
		}
		must(waitpid(child, &status, 0) == child, "waitpid");
		saw(WIFSIGNALED(status) && WTERMSIG(status) == numbers[i] && WCOREDUMP(status),
		    "%s, core dumped", strsignal(numbers[i]));
		snprintf(path, sizeof(path), "/tmp/secret.core.%d", child);
		saw(file_has(path, 1), "ordinary memory is in the core");
		saw(!file_has(path, 2), "secret memory is not");
		unlink(path);
	}
	write_file("/proc/sys/kernel/core_pattern", before);
}

/* --- /proc/kcore ------------------------------------------------------------ */

/* The frame behind an address of ours, as the test module finds it; 0 if nothing is mapped. */
static unsigned long frame_of(const char *at)
{
	char text[256];
	unsigned long pfn = 0;
	ssize_t got;
	int fd = open(PEEK, O_RDWR);

	must(fd >= 0, PEEK);
	snprintf(text, sizeof(text), "%d %lx\n", getpid(), (unsigned long)at);
	if (write(fd, text, strlen(text)) < 0 && errno == ENXIO) {
		close(fd);
		return 0;
	}
	got = pread(fd, text, sizeof(text) - 1, 0);
	must(got > 0, "asking for a frame");
	text[got] = '\0';
	must(sscanf(text, "pfn %lu", &pfn) == 1 && pfn, "asking for a frame");
	close(fd);
	return pfn;
}

static unsigned long pagemap_frame(const char *at)
{
	unsigned long long entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	must(fd >= 0 && pread(fd, &entry, 8, (off_t)((unsigned long)at / page * 8)) == 8,
	     "/proc/self/pagemap");
	close(fd);
	return entry >> 63 ? (unsigned long)(entry & ((1ull << 55) - 1)) : 0;
}

/* Reads a page of memory out of /proc/kcore, where the direct map would have it. */
static int kcore_page(unsigned long pfn, char *to)
{
	unsigned long long at = (unsigned long long)pfn * page;
	int i, found = 0, fd = open("/proc/kcore", O_RDONLY);
	Elf64_Phdr segment;
	Elf64_Ehdr header;

	must(fd >= 0 && pread(fd, &header, sizeof(header), 0) == sizeof(header), "/proc/kcore");
	memset(to, 0, page);
	for (i = 0; i < header.e_phnum; i++) {
		off_t where = (off_t)(header.e_phoff + i * sizeof(segment));

		must(pread(fd, &segment, sizeof(segment), where) == sizeof(segment), "/proc/kcore");
		if (segment.p_type != PT_LOAD || segment.p_paddr == -1ull ||
		    at < segment.p_paddr || at + page > segment.p_paddr + segment.p_memsz)
			continue;
		found = 1;
		where = (off_t)(segment.p_offset + (at - segment.p_paddr));
		if (pread(fd, to, page, where) < 0)
			printf("read of segment %d: %s\n", i, strerror(errno));
	}
	close(fd);
	return found;
}

static void kcore(void)
{
	char *buffer = ordinary(1), *hidden, *plain;
	unsigned long pfn;

	both(&hidden, &plain);
	must(!mlock(plain, page), "mlock");
	pfn = pagemap_frame(plain);
	saw(pfn && frame_of(plain) == pfn, "the frame of ordinary memory is %#lx", pfn);
	saw(kcore_page(pfn, buffer) && holds(buffer, page, 1), "/proc/kcore shows what is in it");

	pfn = frame_of(hidden);
	saw(pfn && kcore_page(pfn, buffer), "/proc/kcore has a place for secret frame %#lx", pfn);
	saw(empty(buffer, page), "where it shows nothing");
	saw(holds(hidden, page, 2), "the contents are as they were");
}

/* --- advice, locks, flags ------------------------------------------------------ */

static int has_flag(const char *at, const char *flag)
{
	char line[512], want[8];
	unsigned long start, end;
	FILE *file = fopen("/proc/self/smaps", "r");
	int here = 0, found = 0;

	must(!!file, "/proc/self/smaps");
	snprintf(want, sizeof(want), " %s ", flag);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx", &start, &end) == 2)
			here = start == (unsigned long)at;
		if (here && !strncmp(line, "VmFlags:", 8))
			found = !!strstr(line, want);
	}
	fclose(file);
	return found;
}

static void advice(void)
{
	char *mem = secret(2);
	unsigned char there[2];

	fill(mem, 2 * page, 2);
	refused(madvise(mem, page, MADV_DODUMP), EINVAL, "MADV_DODUMP");
	refused(madvise(mem, page, MADV_DONTNEED), EINVAL, "MADV_DONTNEED");
	saw(madvise(mem, page, MADV_REMOVE) < 0, "MADV_REMOVE is refused");
	saw(madvise(mem, page, MADV_WIPEONFORK) < 0, "MADV_WIPEONFORK is refused");
	saw(madvise(mem, page, MADV_POPULATE_READ) < 0, "MADV_POPULATE_READ is refused");
	/* These are advice: the kernel may take it or not. */
	madvise(mem, 2 * page, MADV_PAGEOUT);
	madvise(mem, 2 * page, MADV_COLD);
	madvise(mem, 2 * page, MADV_FREE);
	madvise(mem, 2 * page, MADV_MERGEABLE);
	madvise(mem, 2 * page, MADV_HUGEPAGE);
	madvise(mem, 2 * page, MADV_SEQUENTIAL);
	mincore(mem, 2 * page, there);
	saw(!msync(mem, 2 * page, MS_SYNC) || errno == EINVAL, "msync does no harm");
	saw(holds(mem, 2 * page, 2), "no advice touches the contents");
	saw(has_flag(mem, "dd"), "it is not for core dumps (dd)");
	saw(has_flag(mem, "pf"), "it has no pages that the kernel could pin (pf)");
	saw(has_flag(mem, "de"), "it does not expand (de)");
	saw(!has_flag(mem, "io"), "it is not a device (io)");
}

/* With swap space to be had. */
static void swap(void)
{
	char *hidden, *plain;
	unsigned long pfn;

	both(&hidden, &plain);
	pfn = frame_of(hidden);
	must(!madvise(plain, page, MADV_PAGEOUT), "MADV_PAGEOUT");
	madvise(hidden, page, MADV_PAGEOUT);
	saw(!pagemap_frame(plain), "ordinary memory goes to swap");
	saw(holds(plain, page, 1), "and comes back");
	saw(pfn && frame_of(hidden) == pfn, "secret memory stays where it is");
	saw(holds(hidden, page, 2), "the contents are as they were");
}

static long vm_lck(void)
{
	char line[128];
	long kb = -1;
	FILE *file = fopen("/proc/self/status", "r");

	must(!!file, "/proc/self/status");
	while (fgets(line, sizeof(line), file))
		sscanf(line, "VmLck: %ld", &kb);
	fclose(file);
	return kb;
}

static void lock(void)
{
	char *mem = secret(8), *more;
	long before = vm_lck();
	int fd;

	fill(mem, 8 * page, 2);
	saw(!mlock(mem, 8 * page), "mlock does no harm");
	saw(!mlock2(mem, 8 * page, MLOCK_ONFAULT), "mlock2 does no harm");
	saw(vm_lck() == before, "and counts nothing");
	saw(!munlock(mem, 8 * page), "nor does munlock");
	saw(!mlockall(MCL_CURRENT) && !munlockall(), "nor mlockall");
	saw(holds(mem, 8 * page, 2), "the contents are as they were");
	fd = object();
	more = mmap(NULL, 8 * page, RW, MAP_SHARED | MAP_LOCKED | MAP_POPULATE, fd, 0);
	saw(more != MAP_FAILED && empty(more, 8 * page), "MAP_LOCKED and MAP_POPULATE do no harm");
}

static void uffd(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0) {
		saw(errno == ENOSYS || errno == EPERM, "userfaultfd is not to be had here");
		return;
	}
	must(!ioctl(fd, UFFDIO_API, &api), "UFFDIO_API");
	reg.range.start = (unsigned long)ordinary(1);
	reg.range.len = page;
	saw(!ioctl(fd, UFFDIO_REGISTER, &reg), "userfaultfd takes ordinary memory");
	reg.range.start = (unsigned long)secret(1);
	refused(ioctl(fd, UFFDIO_REGISTER, &reg), EINVAL, "userfaultfd on secret memory");
	reg.mode = UFFDIO_REGISTER_MODE_WP;
	refused(ioctl(fd, UFFDIO_REGISTER, &reg), EINVAL, "userfaultfd, write protection");
}

/* --- mmap, mprotect, mremap ------------------------------------------------------- */

static void protect(void)
{
	long long before = secret_bytes();
	int old, fd = object();
	char *mem = map_object(fd, 1), *more;

	refused(mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0) == MAP_FAILED, EPERM,
		"mmap with PROT_EXEC");
	refused(mprotect(mem, page, PROT_READ | PROT_EXEC), EACCES, "mprotect with PROT_EXEC");
#ifdef __aarch64__
	/* Where the CPU has no tags, the kernel knows no such flag either. */
	refused(mmap(NULL, page, RW | PROT_MTE, MAP_SHARED, fd, 0) == MAP_FAILED, EINVAL,
		"mmap with PROT_MTE");
	refused(mprotect(mem, page, RW | PROT_MTE), EINVAL, "mprotect with PROT_MTE");
#endif
	old = personality(0xffffffff);
	personality(old | READ_IMPLIES_EXEC);
	more = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
	saw(more == MAP_FAILED || !has_flag(more, "ex"), "READ_IMPLIES_EXEC gives no execution");
	saw(mprotect(mem, page, PROT_READ) < 0 || !has_flag(mem, "ex"), "nor by mprotect");
	personality(old);
	must(!mprotect(mem, page, RW), "mprotect");

	fill(mem, page, 2);
	must(!mprotect(mem, page, PROT_READ), "mprotect");
	saw(access_brings(mem, 1) == SIGSEGV, "read-only is read-only");
	saw(holds(mem, page, 2), "and readable");
	must(!mprotect(mem, page, PROT_NONE), "mprotect");
	saw(access_brings(mem, 0) == SIGSEGV, "PROT_NONE is neither");
	must(!mprotect(mem, page, RW), "mprotect");
	saw(holds(mem, page, 2), "the contents are as they were");
	fill(mem, page, 3);
	saw(holds(mem, page, 3), "and can be written again");
	if (more != MAP_FAILED)
		munmap(more, page);
	munmap(mem, page);
	saw(secret_bytes() == before, "what was refused is no mapping");
}

static void read_only(void)
{
	const char *device = getenv("MMKIT_SECRET");
	int fd = open(device ? device : "/dev/mmkit_secret", O_RDONLY | O_CLOEXEC);
	char *mem;

	must(fd >= 0, "open for reading");
	refused(try_map(fd, page, 0) == MAP_FAILED, EACCES, "a writable mapping of it");
	mem = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
	saw(mem != MAP_FAILED && empty(mem, page), "a read-only mapping shows zeroes");
	refused(mprotect(mem, page, RW), EACCES, "making that writable");
}

static void errnos(void)
{
	const long long most = number_in(SYSFS "secret_max_bytes") & -(long long)page;
	int fd = object();
	char byte = 0;

	refused(mmap(NULL, page, RW, MAP_PRIVATE, fd, 0) == MAP_FAILED, EINVAL, "MAP_PRIVATE");
	refused(mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED, EINVAL,
		"MAP_PRIVATE, read-only");
	refused(try_map(fd, page, 1) == MAP_FAILED, EINVAL, "an offset inside a page");
	refused(try_map(fd, 0, 0) == MAP_FAILED, EINVAL, "length 0");
	refused(try_map(fd, (size_t)most + 1, 0) == MAP_FAILED, ENOMEM, "more than there may be");
	refused(try_map(fd, 2 * page, most - page) == MAP_FAILED, ENOMEM, "reaching behind that");
	refused(try_map(fd, page, most) == MAP_FAILED, ENOMEM, "beginning there");
	refused(try_map(fd, page, LLONG_MAX - (long long)page + 1) == MAP_FAILED, ENOMEM,
		"the last page of a signed offset");
	refused(try_map(fd, page, -2 * (off_t)page) == MAP_FAILED, ENOMEM, "the last page but one");
	refused(try_map(fd, page, -(off_t)page) == MAP_FAILED, EOVERFLOW, "the last page of all");
	refused(try_map(fd, (size_t)1 << 46, 0) == MAP_FAILED, ENOMEM, "64 TiB");
	refused(try_map(fd, page - 1, most) == MAP_FAILED, ENOMEM, "part of the page behind it");
	saw(try_map(fd, page, most - (long long)page) != MAP_FAILED, "the last page can be had");

	refused(read(fd, &byte, 1) < 0, EINVAL, "read");
	refused(write(fd, &byte, 1) < 0, EINVAL, "write");
	refused(ioctl(fd, 0x5401, &byte) < 0, ENOTTY, "ioctl");
	refused(ftruncate(fd, (off_t)page) < 0, EINVAL, "ftruncate");
	saw(fallocate(fd, 0, 0, (off_t)page) < 0, "fallocate is refused");
	saw(copy_file_range(fd, NULL, fd, NULL, page, 0) < 0, "copy_file_range is refused");
}

static void remap(void)
{
	int fd = object();
	char *mem = map_object(fd, 4), *place, *moved;
	long long before;

	fill(mem, page, 2);
	fill(mem + page, page, 3);
	before = secret_bytes();
	place = ordinary(8);
	moved = mremap(mem, 4 * page, 4 * page, MREMAP_MAYMOVE | MREMAP_FIXED, place);
	saw(moved == place, "a mapping can move");
	must(moved == place, "mremap");
	saw(holds(moved, page, 2) && holds(moved + page, page, 3), "and its contents come along");
	saw(empty(moved + 2 * page, 2 * page), "pages not touched before can be, there");
	saw(access_brings(mem, 0) == SIGSEGV, "the old place is empty");
	saw(secret_bytes() == before + 2 * (long long)page, "no page was lost or doubled");

	refused(mremap(moved, 4 * page, 8 * page, MREMAP_MAYMOVE) == MAP_FAILED, EFAULT, "growing");
	refused(mremap(moved, 4 * page, 5 * page, 0) == MAP_FAILED, EFAULT, "growing in place");
	saw(mremap(moved, 0, 4 * page, MREMAP_MAYMOVE) == MAP_FAILED, "doubling is refused");
	saw(mremap(moved, 4 * page, 4 * page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP) == MAP_FAILED,
	    "leaving an empty mapping behind is refused");
	saw(mremap(moved, 4 * page, page, 0) == moved && holds(moved, page, 2), "it can shrink");
	saw(access_brings(moved + page, 0) == SIGSEGV, "and ends there then");
	mem = try_map(fd, page, (off_t)page);
	saw(mem != MAP_FAILED && holds(mem, page, 3), "the object still has the rest");

	/* The middle of three pages goes elsewhere. */
	mem = secret(3);
	fill(mem + page, page, 5);
	moved = mremap(mem + page, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, place + 6 * page);
	saw(moved == place + 6 * page && holds(moved, page, 5), "a part can move");
	fill(mem, page, 6);
	fill(mem + 2 * page, page, 7);
	saw(holds(moved, page, 5) && holds(mem, page, 6) && holds(mem + 2 * page, page, 7),
	    "each page stays itself");
}

/* --- one object, its mappings and descriptors ---------------------------------------- */

static void send_fd(int socket, int fd)
{
	union { struct cmsghdr header; char room[CMSG_SPACE(sizeof(int))]; } control = { 0 };
	struct iovec part = { "x", 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1,
				  .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	must(sendmsg(socket, &message, 0) == 1, "sendmsg");
}

static int receive_fd(int socket)
{
	union { struct cmsghdr header; char room[CMSG_SPACE(sizeof(int))]; } control;
	char byte;
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1,
				  .msg_control = &control, .msg_controllen = sizeof(control) };
	int fd;

	must(recvmsg(socket, &message, 0) == 1 && CMSG_FIRSTHDR(&message), "recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static void alias(void)
{
	long long before = secret_bytes();
	int fd = object(), again;
	char *one = map_object(fd, 4), *two = map_object(fd, 4), *tail, *other;
	char path[32];

	fill(one, 4 * page, 2);
	saw(holds(two, 4 * page, 2), "two mappings show the same");
	two[page] = 0;
	saw(!one[page], "both ways");
	one[page] = (char)pattern(page, 2);
	tail = try_map(fd, page, 2 * (off_t)page);
	must(tail != MAP_FAILED, "mmap with offset");
	tail[0] = 'a';
	saw(one[2 * page] == 'a' && one[0] != 'a', "at an offset, the same page");
	tail[0] = (char)pattern(2 * page, 2);
	saw(secret_bytes() == before + 4 * (long long)page, "a page counts once, however mapped");

	again = dup(fd);
	saw(holds(map_object(again, 4), 4 * page, 2), "a duplicate descriptor is the object");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR);
	must(again >= 0, path);
	other = map_object(again, 4);
	saw(empty(other, 4 * page), "opening %s makes a new object", path);
	fill(other, page, 3);
	saw(holds(one, 4 * page, 2), "that has nothing to do with the old one");
	other = secret(4);
	saw(empty(other, 4 * page), "and so does opening the device");
}

/* A child that was made before the object gets it by other ways. */
static void pass(void)
{
	int fd, pidfd, sockets[2];
	pid_t child;
	char *mem;

	must(!socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), "socketpair");
	child = in_child();
	if (!child) {
		mem = map_object(receive_fd(sockets[1]), 2);
		saw(holds(mem, 2 * page, 2), "a descriptor sent over a socket is the object");
		fill(mem + page, page, 3);
		say(sockets[1], 'w');
		hear(sockets[1]);
		saw(holds(mem, page, 5), "what is written is seen there");
		_exit(broken);
	}
	fd = object();
	mem = map_object(fd, 2);
	fill(mem, 2 * page, 2);
	send_fd(sockets[0], fd);
	hear(sockets[0]);
	saw(holds(mem + page, page, 3), "and what is written there is seen here");
	fill(mem, page, 5);
	say(sockets[0], 'w');
	joined(child);
	saw(holds(mem, page, 5) && holds(mem + page, page, 3), "and stays when the other one goes");

	child = in_child();
	if (!child) {
		pidfd = (int)syscall(SYS_pidfd_open, getppid(), 0);
		must(pidfd >= 0, "pidfd_open");
		munmap(mem, 2 * page);
		close(fd);
		fd = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
		must(fd >= 0, "pidfd_getfd");
		saw(holds(map_object(fd, 2), page, 5), "what pidfd_getfd takes is the object");
		_exit(broken);
	}
	joined(child);
}

static void partial(void)
{
	long long before = secret_bytes();
	const long long four = 4 * (long long)page;
	int fd = object();
	char *mem = map_object(fd, 4), *more;

	saw(secret_bytes() == before, "a page that was not touched is not there");
	fill(mem, 4 * page, 2);
	saw(secret_bytes() == before + four, "one that was, is");
	munmap(mem + page, 2 * page);
	saw(secret_bytes() == before + four, "what is partly unmapped keeps its pages");
	more = map_object(fd, 4);
	saw(holds(more, 4 * page, 2), "and its contents");
	munmap(mem, page);
	munmap(mem + 3 * page, page);
	saw(holds(more, 4 * page, 2), "one mapping is enough");
	munmap(more, 2 * page);
	munmap(more + 2 * page, page);
	saw(secret_bytes() == before + four, "one page of it is");
	munmap(more + 3 * page, page);
	saw(secret_bytes() == before, "with the last one the pages go");
	mem = map_object(fd, 4);
	saw(empty(mem, 4 * page), "and the object is empty");
	saw(secret_bytes() == before + four, "reading makes pages, too");

	/* The new mapping takes the place of the last old one. */
	fill(mem, 4 * page, 3);
	more = mmap(mem, 4 * page, RW, MAP_SHARED | MAP_FIXED, fd, 0);
	must(more == mem, "MAP_FIXED");
	saw(empty(mem, 4 * page) || holds(mem, 4 * page, 3),
	    "a mapping over a mapping is all or nothing");
	fill(mem, 4 * page, 4);
	saw(holds(mem, 4 * page, 4), "and works");
	close(fd);
	saw(holds(mem, 4 * page, 4), "the descriptor can be closed");
	munmap(mem, 4 * page);
	saw(secret_bytes() == before, "and all is given back");
}

static void zero(void)
{
	const size_t pages = 1024;
	int fd = object(), round;
	size_t i;

	for (round = 0; round < 3; round++) {
		char *mem = map_object(fd, pages);
		size_t bad = 0;

		for (i = 0; i < pages; i++)
			bad += !empty(mem + i * page, page);
		saw(!bad, "%zu of %zu pages hold something at first touch", bad, pages);
		memset(mem, 0x5a + round, pages * page);
		munmap(mem, pages * page);
		if (round == 1) {
			close(fd);
			fd = object();
		}
	}
}

static void share(void)
{
	int down[2], up[2];
	char *mem = secret(4);
	pid_t child;

	must(!pipe(down) && !pipe(up), "pipe");
	fill(mem, page, 2);
	child = in_child();
	if (!child) {
		pid_t grandchild;

		saw(holds(mem, page, 2), "a child sees what was there");
		fill(mem + page, page, 3);
		say(up[1], 'w');
		hear(down[0]);
		saw(holds(mem + 2 * page, page, 4), "a child sees what its parent writes later");
		grandchild = fork();
		must(grandchild >= 0, "fork");
		if (grandchild)
			_exit(broken);
		/* Its parent, who said the last words, is gone when the pipe says so. */
		hear(down[0]);
		saw(holds(mem, page, 2) && holds(mem + page, page, 3) &&
		    holds(mem + 2 * page, page, 4), "all of it is there after its parent's end");
		fill(mem + 3 * page, page, 5);
		say(up[1], broken ? 'b' : 'g');
		_exit(0);
	}
	hear(up[0]);
	saw(holds(mem + page, page, 3), "a parent sees what its child writes");
	fill(mem + 2 * page, page, 4);
	say(down[1], 'w');
	joined(child);
	say(down[1], 'w');
	close(up[1]);
	hear(up[0]);
	saw(holds(mem + 3 * page, page, 5), "and what the grandchild writes");
}

static void exec(void)
{
	char address[32], descriptor[32];
	pid_t child = in_child();
	char *mem;
	int fd;

	if (child) {
		joined(child);
		return;
	}
	fd = object();
	mem = map_object(fd, 4);
	fill(mem, 4 * page, 2);
	fcntl(fd, F_SETFD, 0);
	snprintf(address, sizeof(address), "%lu", (unsigned long)mem);
	snprintf(descriptor, sizeof(descriptor), "%d", fd);
	execl("/proc/self/exe", "secret", "after-exec", address, descriptor, NULL);
	must(0, "exec");
}

static void after_exec(char **argv)
{
	char *mem = (char *)strtoul(argv[2], NULL, 10), line[512];
	int fd = atoi(argv[3]), mapped = 0;
	unsigned long start, end;
	FILE *file = fopen("/proc/self/maps", "r");

	must(!!file, "/proc/self/maps");
	while (fgets(line, sizeof(line), file)) {
		if (strstr(line, "mmkit_secret"))
			mapped = 1;
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start <= (unsigned long)mem &&
		    (unsigned long)mem < end)
			mapped = 1;
	}
	fclose(file);
	saw(!mapped, "exec drops the mapping");
	saw(empty(map_object(fd, 4), 4 * page), "which was the last: the object is empty");
}

/* --- limits ------------------------------------------------------------------------ */

static void limit_memlock(rlim_t soft, rlim_t hard)
{
	struct rlimit limit = { soft * page, hard == RLIM_INFINITY ? hard : hard * page };

	must(!setrlimit(RLIMIT_MEMLOCK, &limit), "RLIMIT_MEMLOCK");
}

/* In a process of its own: how many of these pages it can touch, and what ends it. */
static void child_touches(int fd, size_t pages, size_t want, const char *what)
{
	pid_t child = in_child();

	if (!child) {
		char *mem = map_object(fd < 0 ? object() : fd, pages);
		size_t done;
		int number;

		done = touch(mem, pages, &number);
		saw(done == want && number == (want < pages ? SIGBUS : 0),
		    "%s: %zu of %zu pages, then %s", what, done, pages,
		    number ? strsignal(number) : "no signal");
		_exit(broken);
	}
	joined(child);
}

static void limits(void)
{
	int fd, roots = object(), number;
	long long before = secret_bytes();
	char *mem, *more;
	pid_t child;
	int ends[2];

	limit_memlock(8, 16);
	must(!setgroups(0, NULL) && !setgid(NOBODY) && !setuid(NOBODY), "becoming nobody");
	fd = object();
	refused(try_map(fd, 9 * page, 0) == MAP_FAILED, EAGAIN, "more than RLIMIT_MEMLOCK");
	mem = map_object(fd, 8);
	saw(touch(mem, 8, &number) == 8, "all of RLIMIT_MEMLOCK can be used");
	more = map_object(fd, 8);
	saw(touch(more, 8, &number) == 8, "mapped twice it counts once");
	child_touches(fd, 8, 8, "and so it does in another process");
	child_touches(-1, 8, 0, "an object more of the same user");
	munmap(mem + 4 * page, 4 * page);
	munmap(more, 8 * page);
	child_touches(-1, 8, 0, "partly unmapped still counts");
	munmap(mem, 4 * page);
	child_touches(-1, 8, 8, "what is unmapped is given back");

	must(!pipe(ends), "pipe");
	child = in_child();
	if (!child) {
		mem = map_object(object(), 8);
		say(ends[1], touch(mem, 6, &number) == 6 ? 'g' : 'b');
		for (;;)
			pause();
	}
	hear(ends[0]);
	child_touches(-1, 8, 2, "beside a process that has 6 of 8");
	end(child);
	child_touches(-1, 8, 8, "what was killed has given back");

	/* The limit is that of the opener when it opened. */
	limit_memlock(16, 16);
	refused(try_map(fd, 9 * page, 0) == MAP_FAILED, EAGAIN, "more than the limit was at open");
	child_touches(-1, 16, 16, "a new object has the new limit");
	child_touches(roots, 64, 64, "an object of who may lock all memory");
	limit_memlock(0, 16);
	refused(try_map(object(), page, 0) == MAP_FAILED, EAGAIN, "one page with limit 0");
	saw(secret_bytes() == before, "all is given back");
}

static void cap(char **argv)
{
	size_t pages = strtoul(argv[2], NULL, 0) / page;
	char *mem, *more;
	int number, fd = object();
	size_t done;

	refused(try_map(fd, (pages + 1) * page, 0) == MAP_FAILED, ENOMEM, "more than there may be");
	mem = map_object(fd, pages);
	more = secret(pages);
	done = touch(mem, pages, &number);
	saw(done == pages && !number, "all there may be can be used");
	done = touch(more, pages, &number);
	saw(!done && number == SIGBUS, "and no page more by another object");
	child_touches(-1, 1, 0, "nor by another process");
	munmap(mem, pages * page);
	done = touch(more, pages, &number);
	saw(done == pages && !number, "what the one gives back the other can have");
}

/* --- many at once ---------------------------------------------------------------------- */

#define NR_THREADS	8
#define NR_PAGES	512

static pthread_barrier_t barrier;
static char *field;

static void *toucher(void *arg)
{
	size_t i, me = (size_t)arg;

	pthread_barrier_wait(&barrier);
	for (i = 0; i < NR_PAGES; i++) {
		unsigned long *word = (unsigned long *)(field + i * page);

		__atomic_fetch_add(&word[0], 1, __ATOMIC_SEQ_CST);
		word[1 + me] = i + 1;
	}
	return NULL;
}

static void threads(char **argv)
{
	size_t i, j, rounds = strtoul(argv[2], NULL, 0), bad = 0;
	long long before = secret_bytes(), counts = 0;
	pthread_t thread[NR_THREADS];

	pthread_barrier_init(&barrier, NULL, NR_THREADS);
	while (rounds--) {
		field = secret(NR_PAGES);
		for (i = 0; i < NR_THREADS; i++)
			must(!pthread_create(&thread[i], NULL, toucher, (void *)i), "a thread");
		for (i = 0; i < NR_THREADS; i++)
			pthread_join(thread[i], NULL);
		for (i = 0; i < NR_PAGES; i++) {
			unsigned long *word = (unsigned long *)(field + i * page);

			bad += word[0] != NR_THREADS;
			for (j = 0; j < NR_THREADS; j++)
				bad += word[1 + j] != i + 1;
		}
		counts += secret_bytes() - before != (long long)NR_PAGES * (long long)page;
		munmap(field, NR_PAGES * page);
	}
	saw(!bad, "threads that touch a page at once get the same page (%zu did not)", bad);
	saw(!counts, "and only one is charged (%lld times not)", counts);
	saw(secret_bytes() == before, "all is given back");
}

/* Maps and unmaps: now and then this is the only mapping, and takes the pages along. */
static void churner(int fd, char mark, long rounds)
{
	size_t i;

	while (rounds--) {
		char *mem = map_object(fd, 4);

		for (i = 0; i < 4; i++) {
			char is = mem[i * page];

			if (is && is != mark) {
				saw(0, "a page of %c holds %#x", mark, is);
				_exit(broken);
			}
			mem[i * page] = mark;
		}
		munmap(mem, 4 * page);
	}
	_exit(0);
}

/* Several processes to an object: threads would wait for each other's munmap. */
static void churn(char **argv)
{
	long long before = secret_bytes();
	int i, fds[2] = { object(), object() };
	pid_t child[4];

	for (i = 0; i < 4; i++) {
		child[i] = in_child();
		if (!child[i])
			churner(fds[i % 2], "AB"[i % 2], atol(argv[2]));
	}
	for (i = 0; i < 4; i++)
		joined(child[i]);
	saw(secret_bytes() == before, "all is given back");
}

static void one_of_many(int i)
{
	size_t pages = 1 + (size_t)i % 8;
	int fd = object();
	char *mem = map_object(fd, 64);
	pid_t child;

	if (!empty(mem, page))
		_exit(1);
	memset(mem, i | 1, pages * page);
	switch (i % 5) {
	case 0:
		exit(0);
	case 1:
		munmap(mem, 64 * page);
		close(fd);
		_exit(0);
	case 2:
		raise(SIGKILL);
		_exit(1);
	case 3:
		child = fork();
		if (child)
			_exit(child < 0);
		fill(mem, pages * page, 2);
		_exit(!holds(mem, pages * page, 2));
	default:
		/* Until somebody kills it. */
		for (;;)
			touch(mem, 64, &i);
	}
}

static void many(char **argv)
{
	int rounds = atoi(argv[2]), i = 0, running = 0, failed = 0, killed = 0, status;
	long long before = secret_bytes();
	pid_t pid, victim = 0;

	/* The children of children come to us, too. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	while (i < rounds || running) {
		if (victim)
			kill(victim, SIGKILL);
		victim = 0;
		if (i < rounds && running < 8) {
			pid = in_child();
			if (!pid)
				one_of_many(i);
			running += i % 5 == 3 ? 2 : 1;
			victim = i % 5 == 4 ? pid : 0;
			i++;
			continue;
		}
		/* One that failed has not made the child that it was to make. */
		if (wait(&status) < 0)
			break;
		running--;
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
			killed++;
		else if (status)
			failed++;
	}
	saw(!failed, "%d processes, %d of them killed, %d failed", rounds, killed, failed);
	saw(killed == rounds / 5 * 2, "of five, two are killed");
	saw(secret_bytes() == before, "%lld bytes are left", secret_bytes() - before);
}

/* --- several users ------------------------------------------------------------------------ */

#define FIRST_USER	1001
#define USERS		4

/* Empty, then full of what is its own, and of nobody else's. */
static void own(char *mem, size_t pages, unsigned int seed)
{
	if (!empty(mem, pages * page))
		_exit(1);
	fill(mem, pages * page, seed);
	if (!holds(mem, pages * page, seed))
		_exit(1);
}

/* What user @nr does; @fd hears when it has begun. */
static void user(int nr, int fd)
{
	uid_t uid = FIRST_USER + (nr + nr / USERS) % USERS;
	unsigned int seed = nr * 7 + 3;
	size_t pages = 2 + (size_t)nr * 5 % 31;
	char *mem;

	must(!setgroups(0, NULL) && !setresgid(uid, uid, uid) && !setresuid(uid, uid, uid), "setresuid");
	mem = secret(pages);
	own(mem, pages, seed);
	say(fd, 'x');
	switch (nr % 4) {
	case 0:
		_exit(0);
	case 1:
		munmap(mem + page, (pages - 1) * page);
		_exit(!holds(mem, page, seed));
	case 2:
		/* Filled again by the child, and left by both at once. */
		if (fork() < 0)
			_exit(2);
		fill(mem, pages * page, seed + 1);
		_exit(0);
	default:
		/* Until somebody kills it, most likely in a fault. */
		for (;;) {
			mem = secret(64);
			own(mem, 64, seed);
			munmap(mem, 64 * page);
		}
	}
}

/* users ROUNDS: each gets pages that another user has just left, and sees nothing of them. */
static void users(char **argv)
{
	int rounds = atoi(argv[2]), nr, status, failed = 0, killed = 0, running = 0, pipes[2];
	long long before = secret_bytes();
	char begun;
	pid_t child;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (nr = 0; nr < rounds || running;) {
		if (nr < rounds && running < USERS) {
			must(!pipe(pipes), "pipe");
			child = in_child();
			if (!child)
				user(nr, pipes[1]);
			close(pipes[1]);
			/* Children of children come to us, too. */
			running += nr % 4 == 2 ? 2 : 1;
			if (nr++ % 4 == 3) {
				if (read(pipes[0], &begun, 1) == 1)
					usleep(nr * 379 % 10000);
				kill(child, SIGKILL);
			}
			close(pipes[0]);
			continue;
		}
		/* One that failed has not made the child that it was to make. */
		if (wait(&status) < 0)
			break;
		running--;
		killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		failed += WIFEXITED(status) ? !!WEXITSTATUS(status) : WTERMSIG(status) != SIGKILL;
	}
	saw(!failed, "%d processes of %d users, %d found what was not theirs", rounds, USERS, failed);
	saw(killed == rounds / 4, "%d of them were killed", killed);
	saw(secret_bytes() == before, "%lld bytes are left", secret_bytes() - before);
}

/* --- for the script ----------------------------------------------------------------------- */

/* hold PAGES: takes pages, says where they are and what is in the first, and keeps them. */
static void hold(char **argv)
{
	size_t pages = strtoul(argv[2], NULL, 0), at;
	char *mem = secret(pages);

	fill(mem, pages * page, 2);
	printf("ready %d %lx ", getpid(), (unsigned long)mem);
	for (at = 0; at < 64; at++)
		printf("%02x", pattern(at, 2));
	putchar('\n');
	fflush(stdout);
	for (;;)
		pause();
}

/* take PAGES: touches pages, says how many it got and what ended it, and leaves. */
static void take(char **argv)
{
	size_t pages = strtoul(argv[2], NULL, 0), done;
	char *mem;
	int number;

	/*
	 * Who is at the limit and needs a page of another kind, for the frame of the signal, say,
	 * is killed, not refused: its own memory and the page tables are there before.
	 */
	must(!mlockall(MCL_CURRENT), "mlockall");
	mem = secret(pages);
	for (done = 0; done < pages; done += page / sizeof(void *))
		must(touch(mem + done * page, 1, &number) == 1, "a page of each table");
	must(touch(mem + (pages - 1) * page, 1, &number) == 1, "a page of the last table");
	done = touch(mem, pages, &number);
	/* At a limit there is no room for words, either. */
	munmap(mem, pages * page);
	printf("%zu %s\n", done, number ? strsignal(number) : "all");
}

/*
 * flight alone|cycle: an object that only a message knows, which nobody has received. The
 * message is in a socket, or in one that is itself only in a message to itself: the kernel
 * has to find that nobody can receive it. On the first signal the message is received or
 * the sockets are closed, on the second the process ends.
 */
static void flight(char **argv)
{
	int fd = object(), sockets[2], cycle = !strcmp(argv[2], "cycle"), number;
	char *mem = map_object(fd, 4);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fill(mem, 4 * page, 2);
	must(!socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), "socketpair");
	send_fd(sockets[0], fd);
	close(fd);
	if (cycle)
		send_fd(sockets[0], sockets[1]);
	munmap(mem, 4 * page);
	puts("ready");
	fflush(stdout);
	sigwait(&set, &number);
	if (!cycle) {
		mem = map_object(receive_fd(sockets[1]), 4);
		fill(mem, 4 * page, 3);
		saw(holds(mem, 4 * page, 3), "what was in flight can be mapped and used");
	} else {
		close(sockets[0]);
		close(sockets[1]);
		/* Any socket that closes has the kernel look for such messages. */
		must(!socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), "socketpair");
		close(sockets[0]);
		close(sockets[1]);
	}
	puts("landed");
	fflush(stdout);
	sigwait(&set, &number);
}

static const struct {
	const char *name;
	void (*prove)(void);
	void (*prove_with)(char **argv);
	int arguments;
} promises[] = {
	{ "mem", mem, NULL, 0 },
	{ "trace", trace, NULL, 0 },
	{ "vm_readv", vm_readv, NULL, 0 },
	{ "pin", pin, NULL, 1 },
	{ "core", core, NULL, 0 },
	{ "kcore", kcore, NULL, 0 },
	{ "advice", advice, NULL, 0 },
	{ "swap", swap, NULL, 0 },
	{ "lock", lock, NULL, 0 },
	{ "uffd", uffd, NULL, 0 },
	{ "protect", protect, NULL, 0 },
	{ "read_only", read_only, NULL, 0 },
	{ "errnos", errnos, NULL, 0 },
	{ "remap", remap, NULL, 0 },
	{ "alias", alias, NULL, 0 },
	{ "pass", pass, NULL, 0 },
	{ "partial", partial, NULL, 0 },
	{ "zero", zero, NULL, 0 },
	{ "share", share, NULL, 0 },
	{ "exec", exec, NULL, 0 },
	{ "after-exec", NULL, after_exec, 2 },
	{ "limits", limits, NULL, 0 },
	{ "cap", NULL, cap, 1 },
	{ "threads", NULL, threads, 1 },
	{ "churn", NULL, churn, 1 },
	{ "many", NULL, many, 1 },
	{ "users", NULL, users, 1 },
	{ "hold", NULL, hold, 1 },
	{ "take", NULL, take, 1 },
	{ "flight", NULL, flight, 1 },
};

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	size_t i;

	page = (size_t)sysconf(_SC_PAGESIZE);
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	for (i = 0; argc > 1 && i < sizeof(promises) / sizeof(promises[0]); i++) {
		if (strcmp(argv[1], promises[i].name) || argc - 2 != promises[i].arguments)
			continue;
		disk = argv[2];
		if (promises[i].prove)
			promises[i].prove();
		else
			promises[i].prove_with(argv);
		return broken;
	}
	fprintf(stderr, "usage: secret PROMISE [ARGUMENT]; promises:");
	for (i = 0; i < sizeof(promises) / sizeof(promises[0]); i++)
		fprintf(stderr, " %s", promises[i].name);
	fputc('\n', stderr);
	return 2;
}
