// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that do what nobody should, at random, and must not get further than that.
 *
 *	hostile device SEED OPERATIONS	all that can be done to /dev/mmkit_secret and to
 *					mappings of it
 *	hostile files SEED OPERATIONS PATH...	all that can be done to the files below
 *					these paths
 *
 * Several processes, half of them nobody's for files, each with threads of its own, do
 * so many operations in all. One of them is at times its own end: SIGKILL, exit or
 * exec, wherever its threads are; another takes its place. The same seed makes the same
 * operations in each process; how they interleave is up to the kernel.
 *
 * Succeeds if nothing was seen that must not be: another process's contents in secret
 * memory, a file that nobody may open.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES	4
#define THREADS		3
#define FDS		8
#define ARENA		(1UL << 40)
#define ARENA_PAGES	256
#define NOBODY		65534
#define MAX_FILES	512
#define BUFFER		70000

/* What all processes share: how much is done, and what must not be. */
struct shared {
	atomic_long done, taken, wrong, families, ends[3];
	long wanted;
	char what[256];
};

static struct shared *shared;
static size_t page;
static const char self[] = "/proc/self/exe";
static char *const nothing[] = { "hostile", "nothing", NULL }, *const no_environment[] = { NULL };

/* --- random numbers ---------------------------------------------------------- */

static _Thread_local uint64_t random_state;

static uint64_t draw(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1dULL;
}

static unsigned int below(unsigned int limit)
{
	return (unsigned int)((draw() >> 33) % limit);
}

static int one_in(unsigned int n)
{
	return !below(n);
}

/* A number that somebody may not have thought of. */
static uint64_t odd_number(void)
{
	static const uint64_t odd[] = {
		0, 1, 4095, 4096, 4097, 65535, 65536, 1ULL << 21, 1ULL << 31, (1ULL << 32) - 1,
		1ULL << 44, 1ULL << 52, 1ULL << 62, (1ULL << 63) - 4096, (1ULL << 63) - 1,
		1ULL << 63, ~0ULL, ~0ULL - 4095,
	};

	if (one_in(3))
		return draw() >> below(64);
	return odd[below(sizeof(odd) / sizeof(odd[0]))];
}

static void wrong(const char *what, const char *about)
{
	if (!atomic_fetch_add(&shared->wrong, 1))
		snprintf(shared->what, sizeof(shared->what), "%s: %s", what, about);
}

/* --- processes and threads ------------------------------------------------------ */

static void (*operate)(void);
static uint64_t first_seed;

/* Who is told to end here takes its threads along, wherever they are. */
static void end_at_times(void)
{
	if (!one_in(150))
		return;
	switch (below(3)) {
	case 0:
		atomic_fetch_add(&shared->ends[0], 1);
		kill(getpid(), SIGKILL);
		break;
	case 1:
		atomic_fetch_add(&shared->ends[1], 1);
		execve(self, nothing, no_environment);
		break;
	default:
		atomic_fetch_add(&shared->ends[2], 1);
		_exit(0);
	}
}

static void *thread(void *seed)
{
	random_state = (uintptr_t)seed;
	draw();
	while (atomic_fetch_add(&shared->done, 1) < shared->wanted) {
		operate();
		end_at_times();
	}
	return NULL;
}

/* The threads' own stacks and the rest of the process are not what is operated on. */
static void process(uint64_t seed, void (*prepare)(int), int nr)
{
	pthread_t threads[THREADS];
	unsigned int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prepare(nr);
	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, thread, (void *)(uintptr_t)(seed * 31 + i + 1));
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}

static pid_t start(uint64_t seed, void (*prepare)(int), int nr)
{
	pid_t pid = fork();

	if (!pid)
		process(seed, prepare, nr);
	return pid;
}

static int run(void (*prepare)(int))
{
	uint64_t seed = first_seed * 1000003 + 1;
	pid_t pids[PROCESSES] = { 0 }, pid;
	int i, status, died = 0;

	for (i = 0; i < PROCESSES; i++)
		pids[i] = start(seed++, prepare, i);
	while ((pid = wait(&status)) > 0) {
		if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
			died++;
		for (i = 0; i < PROCESSES && pids[i] != pid; i++)
			;
		if (i < PROCESSES && atomic_load(&shared->done) < shared->wanted)
			pids[i] = start(seed++, prepare, i);
	}
	printf("%ld operations, %ld of them had an effect; %ld processes killed, %ld in exec, %ld left; %d died\n",
	       shared->wanted, atomic_load(&shared->taken), atomic_load(&shared->ends[0]),
	       atomic_load(&shared->ends[1]), atomic_load(&shared->ends[2]), died);
	if (atomic_load(&shared->wrong))
		printf("BAD: %ld times, at first: %s\n", atomic_load(&shared->wrong), shared->what);
	return atomic_load(&shared->wrong) || died || !atomic_load(&shared->taken);
}

static void effect(long result)
{
	if (result >= 0)
		atomic_fetch_add(&shared->taken, 1);
}

/* --- touching memory that may not be there ------------------------------------- */

static _Thread_local sigjmp_buf back;
static _Thread_local volatile sig_atomic_t touching;

static void on_signal(int number)
{
	if (touching)
		siglongjmp(back, 1);
	signal(number, SIG_DFL);
}

/* --- the device -------------------------------------------------------------------- */

static int fds[FDS];
static char *arena, *plain;
static int sockets[2];
static unsigned char family;
static int is_child;

static char *place(void)
{
	return arena + (size_t)below(ARENA_PAGES) * page;
}

/* Up to the end of the arena: nothing but that is ours to unmap. */
static size_t length_at(const char *at)
{
	size_t most = (size_t)(arena + ARENA_PAGES * page - at) / page;

	return (1 + below((unsigned int)(one_in(4) || most < 16 ? most : 16))) * page;
}

static int some_fd(void)
{
	return fds[below(FDS)];
}

/* What is mapped there, if it still is. */
static void foreign(const void *at, unsigned char seen)
{
	unsigned long start, end;
	char line[200], text[232];
	FILE *maps = fopen("/proc/self/maps", "r");

	snprintf(text, sizeof(text), "%#x of another process is in something that has gone", seen);
	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && (uintptr_t)at >= start && (uintptr_t)at < end)
			snprintf(text, sizeof(text), "%#x of another process is in %s", seen, line);
	}
	if (maps)
		fclose(maps);
	wrong("secret memory", text);
}

/* Each byte that this process and its children write is the same; others write another one. */
static void touch_one(volatile unsigned char *byte, int write)
{
	unsigned char seen;

	if (sigsetjmp(back, 0)) {
		touching = 0;
		return;
	}
	touching = 1;
	if (write)
		*byte = family;
	seen = *byte;
	touching = 0;
	effect(0);
	if (seen && seen != family)
		foreign((const void *)byte, seen);
}

static void touch_some(void)
{
	size_t i, nr = 1 + below(16);
	char *at = place();

	for (i = 0; i < nr && at < arena + ARENA_PAGES * page; i++, at += page)
		touch_one((unsigned char *)at + below((unsigned int)page), one_in(2));
}

static void map_some(void)
{
	static const int more[] = {
		0, 0, 0, MAP_POPULATE, MAP_LOCKED, MAP_NORESERVE, MAP_HUGETLB, MAP_GROWSDOWN,
		MAP_SYNC, MAP_STACK, MAP_NONBLOCK | MAP_POPULATE,
	};
	static const int kinds[] = { MAP_SHARED, MAP_SHARED, MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE };
	int prot = one_in(4) ? (int)below(8) : PROT_READ | PROT_WRITE;
	int flags = kinds[below(5)] | more[below(11)] | MAP_FIXED;
	off_t offset = one_in(4) ? (off_t)odd_number() : (off_t)below(32) * (off_t)page;
	char *at = place();

	effect(mmap(at, length_at(at), prot, flags, some_fd(), offset) == MAP_FAILED ? -1 : 0);
}

static void unmap_some(void)
{
	char *at = place();

	effect(munmap(at, length_at(at)));
}

static void remap_some(void)
{
	char *from = place(), *to = place();
	size_t old = one_in(8) ? 0 : length_at(from), len = length_at(to);
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED | (one_in(4) ? MREMAP_DONTUNMAP : 0);

	if (one_in(4))
		effect(syscall(SYS_remap_file_pages, from, old, 0, below(64), 0));
	else
		effect(mremap(from, old, len, flags, to) == MAP_FAILED ? -1 : 0);
}

static void advise_some(void)
{
	/* All but poison (100, 101), which is for the machine and not for the process. */
	int advice = (int)(one_in(8) ? 102 + below(4) : below(30));
	char *at = place();

	effect(madvise(at, length_at(at), advice));
}

static void lock_some(void)
{
	char *at = place();
	size_t len = length_at(at);
	unsigned char seen[ARENA_PAGES];

	switch (below(8)) {
	case 0:
		effect(mlock(at, len));
		break;
	case 1:
		effect(munlock(at, len));
		break;
	case 2:
		effect(syscall(SYS_mlock2, at, len, below(4)));
		break;
	case 3:
		effect(msync(at, len, (int)below(8)));
		break;
	case 4:
		effect(mincore(at, len, seen));
		break;
	case 5:
		effect(syscall(SYS_mbind, at, len, below(6), NULL, 0, below(8)));
		break;
	case 6:
		effect(syscall(SYS_pkey_mprotect, at, len, below(4), -1));
		break;
	default:
		effect(mprotect(at, len, one_in(3) ? (int)below(16) : PROT_READ | PROT_WRITE));
		break;
	}
}

static void open_one(void)
{
	static const int flags[] = {
		O_RDWR, O_RDWR, O_RDWR, O_RDONLY, O_WRONLY, O_RDWR | O_TRUNC, O_RDWR | O_APPEND,
		O_RDWR | O_DIRECT, O_RDWR | O_NONBLOCK, O_RDWR | O_SYNC, O_PATH, O_RDWR | O_ASYNC,
	};
	int fd = open("/dev/mmkit_secret", flags[below(12)] | O_CLOEXEC), at = (int)below(FDS);

	if (fd < 0)
		return;
	effect(0);
	/* Under other threads that use it. */
	if (dup2(fd, fds[at]) < 0)
		return;
	close(fd);
}

/* The number stays taken: it must not become that of something else. */
static void close_one(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	effect(dup2(null, some_fd()));
	close(null);
}

/* A descriptor, and memory, where the kernel wants a file or a buffer. */
static void transfer(void)
{
	off_t offset = (off_t)odd_number(), *where = one_in(2) ? &offset : NULL;
	int fd = some_fd(), zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
	char *at = place(), *buffer = one_in(2) ? at : plain;
	size_t len = 1 + below((unsigned int)page);
	struct iovec part = { .iov_base = buffer, .iov_len = len };
	int pipes[2];

	if (zero < 0 || null < 0 || pipe(pipes))
		goto out;
	switch (below(14)) {
	case 0:
		effect(read(fd, buffer, len));
		break;
	case 1:
		effect(write(fd, buffer, len));
		break;
	case 2:
		effect(pread(fd, buffer, len, offset));
		break;
	case 3:
		effect(pwrite(fd, buffer, len, offset));
		break;
	case 4:
		effect(read(zero, at, len));
		break;
	case 5:
		effect(write(null, at, len));
		break;
	case 6:
		effect(write(pipes[1], at, len));
		break;
	case 7:
		effect(vmsplice(pipes[1], &part, 1, one_in(2) ? SPLICE_F_GIFT : 0));
		break;
	case 8:
		effect(splice(fd, where, pipes[1], NULL, len, SPLICE_F_NONBLOCK));
		break;
	case 9:
		effect(splice(pipes[0], NULL, fd, where, len, SPLICE_F_NONBLOCK));
		break;
	case 10:
		effect(sendfile(null, fd, where, len));
		break;
	case 11:
		effect(copy_file_range(fd, where, fd, NULL, len, 0));
		break;
	case 12:
		effect(process_vm_readv(getppid(), &part, 1, &part, 1, 0));
		break;
	default:
		effect(syscall(SYS_move_pages, 0, 1, &at, NULL, (int *)plain, 0));
		break;
	}
	close(pipes[0]);
	close(pipes[1]);
out:
	close(zero);
	close(null);
}

static void control(void)
{
	struct pollfd poll_fd = { .fd = some_fd(), .events = (short)draw() };
	struct stat stat;
	int fd = some_fd();

	switch (below(10)) {
	case 0:
		effect(ioctl(fd, draw(), plain));
		break;
	case 1:
		effect(ioctl(fd, draw(), odd_number()));
		break;
	case 2:
		effect(ftruncate(fd, (off_t)odd_number()));
		break;
	case 3:
		effect(fallocate(fd, (int)below(128), (off_t)odd_number(), (off_t)odd_number()));
		break;
	case 4:
		effect(lseek(fd, (off_t)odd_number(), (int)below(6)));
		break;
	case 5:
		effect(poll(&poll_fd, 1, 0));
		break;
	case 6:
		effect(fsync(fd));
		break;
	case 7:
		effect(flock(fd, (int)(1 + below(3)) | LOCK_NB));
		break;
	case 8:
		effect(fstat(fd, &stat));
		break;
	default:
		effect(posix_fadvise(fd, (off_t)odd_number(), (off_t)odd_number(), (int)below(8)));
		break;
	}
}

/* To whoever of all processes takes it, or to nobody. */
static void pass_one(void)
{
	union { struct cmsghdr header; char room[CMSG_SPACE(sizeof(int))]; } control = { 0 };
	struct iovec part = { plain, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1,
				  .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int fd = some_fd();

	if (one_in(2)) {
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
		effect(sendmsg(sockets[0], &message, MSG_DONTWAIT));
		return;
	}
	if (recvmsg(sockets[1], &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS)
		return;
	effect(0);
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	dup2(fd, some_fd());
	close(fd);
}

static void device_operation(void);

/* A child goes on for a while with what it has inherited, and ends in one of the ways there are. */
static void fork_one(void)
{
	pid_t pid;
	int i;

	if (one_in(3)) {
		if (!posix_spawn(&pid, self, NULL, NULL, nothing, no_environment))
			waitpid(pid, NULL, 0);
		return;
	}
	pid = fork();
	if (pid > 0)
		waitpid(pid, NULL, 0);
	if (pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	draw();
	is_child = 1;
	for (i = (int)below(16); i; i--)
		device_operation();
	switch (below(3)) {
	case 0:
		kill(getpid(), SIGKILL);
		break;
	case 1:
		execve(self, nothing, no_environment);
		break;
	default:
		break;
	}
	_exit(0);
}

static void device_operation(void)
{
	static void (* const operations[])(void) = {
		touch_some, touch_some, touch_some, map_some, map_some, unmap_some, remap_some,
		advise_some, lock_some, open_one, open_one, close_one, transfer, control, pass_one,
	};

	if (!is_child && one_in(60))
		fork_one();
	else
		operations[below(sizeof(operations) / sizeof(operations[0]))]();
}

/* Descriptors have fixed numbers, so that threads can use one that another is closing. */
static void prepare_fds(void)
{
	int i, null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (i = 0; i < FDS; i++) {
		fds[i] = 100 + i;
		dup3(null, fds[i], O_CLOEXEC);
	}
	close(null);
}

static void prepare_device(int nr)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_NODEFER };

	(void)nr;
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	prepare_fds();
	socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, sockets);
	family = (unsigned char)(1 + atomic_fetch_add(&shared->families, 1) % 255);
	/* Far below all else: what is mapped anywhere, as the stacks of posix_spawn(), fills no hole of it. */
	arena = mmap((void *)ARENA, ARENA_PAGES * page, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	plain = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (arena == MAP_FAILED || plain == MAP_FAILED)
		_exit(1);
}

/* --- files ------------------------------------------------------------------------ */

static char *files[MAX_FILES];
static unsigned int nr_files;
static int is_nobody;

static void collect(const char *path)
{
	struct dirent *entry;
	struct stat stat;
	char below[512];
	DIR *dir;

	if (lstat(path, &stat) || S_ISLNK(stat.st_mode) || nr_files == MAX_FILES)
		return;
	if (!S_ISDIR(stat.st_mode)) {
		files[nr_files++] = strdup(path);
		return;
	}
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		collect(below);
	}
	if (dir)
		closedir(dir);
}

static void open_file(void)
{
	static const int flags[] = {
		O_RDONLY, O_RDONLY, O_RDWR, O_WRONLY, O_RDWR | O_TRUNC, O_WRONLY | O_APPEND,
		O_RDONLY | O_NONBLOCK, O_RDONLY | O_DIRECT, O_RDWR | O_CREAT, O_PATH,
	};
	const char *path = files[below(nr_files)];
	int how = flags[below(10)], fd = open(path, how | O_CLOEXEC, 0777);

	if (fd < 0)
		return;
	effect(0);
	if (is_nobody && !(how & O_PATH) &&
	    ((how & O_ACCMODE) != O_RDONLY || !strncmp(path, "/sys/kernel/debug/", 18) ||
	     !strncmp(path, "/dev/", 5)))
		wrong("nobody can open", path);
	dup3(fd, some_fd(), O_CLOEXEC);
	close(fd);
}

/* Most of what is written is nonsense, and some of it is not. Returns its length. */
static size_t compose(char *text)
{
	static const char * const words[] = {
		"", "0", "1", "2", "-1", "y", "N", "01", "0x1", " 1", "1 ", "1\n", "\n", "0\n", "1,2",
		"nonsense", "%s%n%p", "18446744073709551615", "18446744073709551616",
	};
	size_t len, i;

	switch (below(4)) {
	case 0:
		return (size_t)sprintf(text, "%s", words[below(sizeof(words) / sizeof(words[0]))]);
	case 1:
		return (size_t)sprintf(text, one_in(4) ? "%#llx\n" : "%llu\n",
				       (unsigned long long)odd_number());
	default:
		len = below(one_in(4) ? BUFFER + 1 : 64);
		for (i = 0; i < len; i++)
			text[i] = (char)draw();
		return len;
	}
}

static void write_file(int fd, char *buffer)
{
	size_t len = compose(buffer);
	struct iovec parts[] = { { buffer, len / 2 }, { buffer + len / 2, len - len / 2 } };

	switch (below(4)) {
	case 0:
		effect(pwrite(fd, buffer, len, (off_t)odd_number()));
		break;
	case 1:
		effect(writev(fd, parts, 2));
		break;
	default:
		effect(write(fd, buffer, len));
		break;
	}
}

static void read_file(int fd, char *buffer)
{
	size_t len = below(one_in(4) ? BUFFER + 1 : 300);
	struct iovec parts[] = { { buffer, len / 2 }, { buffer + len / 2, len - len / 2 } };

	switch (below(5)) {
	case 0:
		effect(pread(fd, buffer, len, one_in(2) ? (off_t)below(5000) : (off_t)odd_number()));
		break;
	case 1:
		effect(readv(fd, parts, 2));
		break;
	case 2:
		effect(read(fd, NULL, len));
		break;
	default:
		effect(read(fd, buffer, len));
		break;
	}
}

static void other_with_file(int fd, char *buffer)
{
	struct pollfd poll_fd = { .fd = fd, .events = (short)draw() };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), pipes[2];
	void *mem;

	if (null < 0)
		return;
	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK))
		goto out;
	switch (below(10)) {
	case 0:
		effect(lseek(fd, one_in(2) ? (off_t)below(5000) : (off_t)odd_number(), (int)below(6)));
		break;
	case 1:
		effect(poll(&poll_fd, 1, 0));
		break;
	case 2:
		effect(splice(fd, NULL, pipes[1], NULL, below(BUFFER), SPLICE_F_NONBLOCK));
		break;
	case 3:
		effect(write(pipes[1], buffer, compose(buffer) % 4096));
		effect(splice(pipes[0], NULL, fd, NULL, below(4096), SPLICE_F_NONBLOCK));
		break;
	case 4:
		effect(sendfile(null, fd, NULL, below(BUFFER)));
		break;
	case 5:
		mem = mmap(NULL, 2 * page, (int)below(8), one_in(2) ? MAP_SHARED : MAP_PRIVATE, fd,
			   (off_t)below(3) * (off_t)page);
		if (mem != MAP_FAILED)
			munmap(mem, 2 * page);
		effect(mem == MAP_FAILED ? -1 : 0);
		break;
	case 6:
		effect(ioctl(fd, draw(), one_in(2) ? (uintptr_t)buffer : odd_number()));
		break;
	case 7:
		effect(ftruncate(fd, (off_t)odd_number()));
		break;
	case 8:
		effect(flock(fd, (int)(1 + below(3)) | LOCK_NB));
		break;
	default:
		effect(fsync(fd));
		break;
	}
	close(pipes[0]);
	close(pipes[1]);
out:
	close(null);
}

static void file_operation(void)
{
	static _Thread_local char buffer[BUFFER + 1];

	switch (below(8)) {
	case 0:
	case 1:
	case 2:
		open_file();
		break;
	case 3:
		close_one();
		break;
	case 4:
	case 5:
		read_file(some_fd(), buffer);
		break;
	case 6:
		write_file(some_fd(), buffer);
		break;
	default:
		other_with_file(some_fd(), buffer);
		break;
	}
}

static void prepare_files(int nr)
{
	prepare_fds();
	is_nobody = nr % 2;
	if (is_nobody && (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY)))
		_exit(1);
}

int main(int argc, char **argv)
{
	int i;

	if (argc == 2 && !strcmp(argv[1], "nothing"))
		return 0;
	if (argc < 4) {
		fprintf(stderr, "usage: hostile device SEED OPERATIONS | files SEED OPERATIONS PATH...\n");
		return 2;
	}
	page = (size_t)sysconf(_SC_PAGESIZE);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	first_seed = strtoull(argv[2], NULL, 0);
	shared->wanted = atol(argv[3]);
	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(argv[1], "device")) {
		operate = device_operation;
		return run(prepare_device);
	}
	for (i = 4; i < argc; i++)
		collect(argv[i]);
	printf("%u files\n", nr_files);
	operate = file_operation;
	return nr_files ? run(prepare_files) : 2;
}
