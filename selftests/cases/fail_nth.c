// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does something again and again, and lets the kernel fail once each time: at the first
 * point where it can, at the second, and so on, until nothing was left to fail.
 *
 *	fail_nth FILE SETTING... STEP [ARGUMENT...] [, STEP [ARGUMENT...]]...
 *
 * FILE says which point: a number is written to it, and what is read back is 0 when that
 * point was met, or how far off it is. /proc/self/fail-nth is one, mmkit_test_fail has
 * others. Settings:
 *
 *	rounds=N	of the points about so many, evenly
 *	least=N		so many points must be met, or all was for nothing (1)
 *	may=ERRNO	a step may fail with that, too (the number), not only for want of memory
 *
 * Steps that can fail lie between "arm" and "disarm", or the ends where these are missing:
 *
 *	load FILE [PARAMETER=VALUE...]	a module; it is unloaded when all is done
 *	unload MODULE
 *	write FILE WORD...		in one piece
 *	read FILE			to its end
 *	secret FILE			maps it, touches pages, shares them with a child
 *
 * What fails ends the steps up to "disarm"; those behind it have to go well. After each
 * round nothing of a module that was loaded is left, and no fuse has blown.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_STEPS	16
#define MAX_LOADED	8
#define MAX_ERRNO	133
#define MAX_POINTS	1000000
#define PAGES		8

struct step {
	char **arg;
	int nr;
};

static struct step steps[MAX_STEPS];
static int nr_steps, arm = -1, disarm = -1;
static const char *point_file;
static unsigned long rounds = MAX_POINTS, least = 1;
static char sane[MAX_ERRNO + 1];
static char loaded[MAX_LOADED][64];
static int nr_loaded;
static int bad;

#define wrong(...) do { printf("wrong: " __VA_ARGS__); putchar('\n'); bad = 1; } while (0)

/* --- the point that fails ------------------------------------------------ */

/* Opened ahead of time: between arming and the step nothing else may fail. */
static int point_fd;

static void point_set(unsigned long n)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%lu", n);

	/* A point that was not met can be this write. */
	if (pwrite(point_fd, text, len, 0) != len && pwrite(point_fd, text, len, 0) != len) {
		perror(point_file);
		exit(2);
	}
}

/* How many points are left before it; 0 when it was met. */
static unsigned long point_left(void)
{
	char text[24] = "";

	if (pread(point_fd, text, sizeof(text) - 1, 0) <= 0) {
		perror(point_file);
		exit(2);
	}
	point_set(0);
	return strtoul(text, NULL, 10);
}

/* --- steps: each returns 0 or an errno ----------------------------------- */

/* "mmkit_jit" for "/mmkit/ko/mmkit_jit.ko". */
static void module_of(const char *file, char *name, size_t room)
{
	const char *base = strrchr(file, '/');

	snprintf(name, room, "%s", base ? base + 1 : file);
	name[strcspn(name, ".")] = '\0';
}

static int do_load(char **arg, int nr)
{
	static char params[4096];
	int fd, i, err;

	params[0] = '\0';
	for (i = 1; i < nr; i++) {
		strncat(params, arg[i], sizeof(params) - strlen(params) - 2);
		strcat(params, " ");
	}
	fd = open(arg[0], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	err = syscall(SYS_finit_module, fd, params, 0) ? errno : 0;
	close(fd);
	if (!err && nr_loaded < MAX_LOADED)
		module_of(arg[0], loaded[nr_loaded++], sizeof(loaded[0]));
	return err;
}

/* Somebody may still look at it: a worker, or a file that is just being closed. */
static int unload(const char *module)
{
	int tries, err = EAGAIN;

	for (tries = 0; tries < 100 && (err == EAGAIN || err == EBUSY); tries++) {
		if (tries)
			usleep(20000);
		err = syscall(SYS_delete_module, module, O_NONBLOCK) ? errno : 0;
		if (err == EWOULDBLOCK)
			err = EAGAIN;
	}
	if (!err && nr_loaded && !strcmp(loaded[nr_loaded - 1], module))
		nr_loaded--;
	return err;
}

static int do_unload(char **arg, int nr)
{
	return nr == 1 ? unload(arg[0]) : EINVAL;
}

static int do_write(char **arg, int nr)
{
	char text[256] = "";
	int fd, i, err = 0;

	for (i = 1; i < nr; i++) {
		strncat(text, arg[i], sizeof(text) - strlen(text) - 2);
		strcat(text, i < nr - 1 ? " " : "\n");
	}
	fd = open(arg[0], O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	close(fd);
	return err;
}

static int do_read(char **arg, int nr)
{
	static char buffer[65536];
	ssize_t got;
	int fd, err;

	fd = nr == 1 ? open(arg[0], O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return errno;
	do
		got = read(fd, buffer, sizeof(buffer));
	while (got > 0);
	err = got < 0 ? errno : 0;
	close(fd);
	return err;
}

static sigjmp_buf after_fault;

static void on_fault(int sig)
{
	(void)sig;
	siglongjmp(after_fault, 1);
}

/* A page is there or it is not, but never one of somebody else. */
static int touch(volatile unsigned long *map, size_t words)
{
	size_t i;

	if (sigsetjmp(after_fault, 1))
		return ENOMEM;
	for (i = 0; i < PAGES; i++) {
		if (map[i * words] && map[i * words] != i + 1)
			wrong("page %zu holds %lx", i, map[i * words]);
		map[i * words] = i + 1;
	}
	return 0;
}

static int do_secret(char **arg, int nr)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int fd, err, status;
	void *map;
	pid_t pid;

	fd = nr == 1 ? open(arg[0], O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return errno;
	map = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		err = errno;
		goto out;
	}
	signal(SIGBUS, on_fault);
	err = touch(map, page / sizeof(long));
	signal(SIGBUS, SIG_DFL);
	pid = fork();
	if (!pid) {
		/* Not all pages need be there. */
		signal(SIGBUS, on_fault);
		touch(map, page / sizeof(long));
		_exit(bad);
	}
	if (pid < 0)
		err = errno;
	else if (waitpid(pid, &status, 0) != pid || status)
		wrong("the child ended with %x", status);
	/* In two pieces: the first leaves a hole, which can need a new area. */
	if (munmap((char *)map + page, page))
		err = errno;
	if (munmap(map, PAGES * page) && munmap(map, PAGES * page))
		wrong("the mapping stays");
out:
	close(fd);
	return err;
}

static const struct {
	const char *name;
	int (*run)(char **arg, int nr);
} kinds[] = {
	{ "load", do_load },
	{ "unload", do_unload },
	{ "write", do_write },
	{ "read", do_read },
	{ "secret", do_secret },
};

static int run(const struct step *step)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, step->arg[0]))
			return kinds[i].run(step->arg + 1, step->nr - 1);
	fprintf(stderr, "fail_nth: what is \"%s\"?\n", step->arg[0]);
	exit(2);
}

/* --- a round ------------------------------------------------------------- */

static void say_step(const struct step *step)
{
	int i;

	for (i = 0; i < step->nr; i++) {
		const char *base = strrchr(step->arg[i], '/');

		printf("%s%s", i ? " " : "", i == 1 && base && base[1] ? base + 1 : step->arg[i]);
	}
}

static void must(int from, int to, unsigned long n)
{
	int i, err;

	for (i = from; i < to; i++) {
		err = run(&steps[i]);
		if (err) {
			say_step(&steps[i]);
			wrong(" at point %lu, not to fail: %s", n, strerror(err));
		}
	}
}

static void nothing_left(const char *module, unsigned long n)
{
	static const char * const places[] = {
		"/sys/module/%s", "/sys/kernel/mmkit/%s", "/sys/kernel/debug/mmkit/%s",
	};
	const char *component = strncmp(module, "mmkit_", 6) ? "core" : module + 6;
	char path[128];
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), places[i], i ? component : module);
		if (!access(path, F_OK))
			wrong("point %lu: %s is still there", n, path);
	}
}

static void fuses_whole(unsigned long n)
{
	char text[160];
	glob_t files;
	size_t i;

	if (glob("/sys/kernel/mmkit/*/state", 0, NULL, &files))
		return;
	for (i = 0; i < files.gl_pathc; i++) {
		FILE *file = fopen(files.gl_pathv[i], "r");

		if (file && fgets(text, sizeof(text), file) && !strncmp(text, "blown", 5))
			wrong("point %lu: %s: %s", n, files.gl_pathv[i], text);
		if (file)
			fclose(file);
	}
	globfree(&files);
}

/* Returns how many points were left, and in @err what the steps came to. */
static unsigned long round_at(unsigned long n, int *err)
{
	unsigned long left;
	char module[64];
	int i;

	must(0, arm, n);
	*err = 0;
	point_set(n);
	for (i = arm; i < disarm && !*err; i++)
		*err = run(&steps[i]);
	left = point_left();
	must(disarm, nr_steps, n);
	fuses_whole(n);
	while (nr_loaded) {
		i = unload(loaded[nr_loaded - 1]);
		if (i) {
			wrong("point %lu: %s cannot be unloaded: %s", n, loaded[nr_loaded - 1],
			      strerror(i));
			nr_loaded--;
		}
	}
	for (i = 0; i < nr_steps; i++) {
		if (strcmp(steps[i].arg[0], "load"))
			continue;
		module_of(steps[i].arg[1], module, sizeof(module));
		nothing_left(module, n);
	}
	return left;
}

static void loop(void)
{
	unsigned long n, points, step, met = 0, failed[MAX_ERRNO + 1] = {}, well = 0;
	int err;

	/* How many there are, when all goes well. */
	points = MAX_POINTS - round_at(MAX_POINTS, &err);
	if (err)
		wrong("without any failure: %s", strerror(err));
	step = points / rounds + 1;
	for (n = 1; !bad; n += step) {
		if (round_at(n, &err)) {
			if (err)
				wrong("point %lu was not met, and yet: %s", n, strerror(err));
			break;
		}
		met++;
		if (!err)
			well++;
		else if (err < 0 || err > MAX_ERRNO || !sane[err])
			wrong("point %lu: %s", n, strerror(err));
		else
			failed[err]++;
	}
	for (err = arm; err < disarm; err++) {
		printf("%s", err > arm ? ", " : "");
		say_step(&steps[err]);
	}
	printf(": %lu points, %lu injected, %lu went well", points, met, well);
	for (err = 1; err <= MAX_ERRNO; err++)
		if (failed[err])
			printf(", %lu %s", failed[err], strerrorname_np(err));
	putchar('\n');
	if (met < least && !bad)
		wrong("that is not enough");
}

int main(int argc, char **argv)
{
	int i = 2;

	if (argc < 3)
		return 2;
	point_file = argv[1];
	point_fd = open(point_file, O_RDWR | O_CLOEXEC);
	if (point_fd < 0) {
		perror(point_file);
		return 2;
	}
	/* What the kernel says for want of memory, or of it for the moment. */
	sane[ENOMEM] = sane[EAGAIN] = sane[EBUSY] = 1;
	for (; i < argc; i++) {
		if (!strncmp(argv[i], "rounds=", 7))
			rounds = strtoul(argv[i] + 7, NULL, 10);
		else if (!strncmp(argv[i], "least=", 6))
			least = strtoul(argv[i] + 6, NULL, 10);
		else if (!strncmp(argv[i], "may=", 4) && atoi(argv[i] + 4) <= MAX_ERRNO)
			sane[abs(atoi(argv[i] + 4))] = 1;
		else
			break;
	}
	for (; i < argc && nr_steps < MAX_STEPS; i++) {
		struct step *step = &steps[nr_steps];

		step->arg = argv + i;
		while (i < argc && strcmp(argv[i], ",")) {
			step->nr++;
			i++;
		}
		if (step->nr == 1 && !strcmp(step->arg[0], "arm")) {
			arm = nr_steps;
			step->nr = 0;
		} else if (step->nr == 1 && !strcmp(step->arg[0], "disarm")) {
			disarm = nr_steps;
			step->nr = 0;
		} else if (step->nr) {
			nr_steps++;
		}
	}
	if (arm < 0)
		arm = 0;
	if (disarm < 0)
		disarm = nr_steps;
	setvbuf(stdout, NULL, _IOLBF, 0);
	/* The program's own memory is no point. */
	if (mlockall(MCL_CURRENT)) {
		perror("mlockall");
		return 2;
	}
	/* To read it the first time can want memory. */
	point_left();
	loop();
	return bad;
}
