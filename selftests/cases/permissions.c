// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does as somebody else what root could do, to see what they can:
 *
 * permissions WHO opens		of the files named on standard input, those that
 *					open: "r PATH" and "w PATH"
 * permissions WHO leaks KNOWN		of the files named there, what looks like an address
 *					of the kernel, in those that can be read
 * permissions WHO[/WHO] count KNOWN PATH
 *					how many addresses of KNOWN are in a file that the
 *					first WHO opens and the second one reads
 * permissions WHO run COMMAND...	runs a command
 *
 * WHO is root; nosyslog, weak or bare: root without CAP_SYSLOG, without CAP_SYS_ADMIN
 * and CAP_SYS_MODULE, or without any capability; nobody; userns: nobody, who is root in
 * a user namespace, and has mounted a sysfs of its own at /tmp/userns.
 *
 * KNOWN is a file of addresses, a hexadecimal one a line. They are found in hexadecimal,
 * in decimal with or without a sign, and as eight bytes in either order.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY		65534
#define USERNS		"/tmp/userns"
/* Below it are no addresses of the kernel, above it errors and limits. */
#define LOWEST		0xffff000000000000
#define HIGHEST		0xfffffffffff00000

/* --- who ------------------------------------------------------------------- */

static void get_caps(struct __user_cap_data_struct caps[2])
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	if (syscall(SYS_capget, &header, caps))
		err(1, "capget");
}

static void set_caps(const struct __user_cap_data_struct caps[2])
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	if (syscall(SYS_capset, &header, caps))
		err(1, "capset");
}

/* For good: also what is executed has none of them. */
static void lose(uint64_t lost)
{
	struct __user_cap_data_struct caps[2];
	int cap, half;

	for (cap = 0; cap < 64; cap++)
		if (lost >> cap & 1 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0 &&
		    prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
			err(1, "capability %d", cap);
	get_caps(caps);
	for (half = 0; half < 2; half++) {
		caps[half].effective &= ~(uint32_t)(lost >> 32 * half);
		caps[half].permitted &= ~(uint32_t)(lost >> 32 * half);
		caps[half].inheritable = 0;
	}
	set_caps(caps);
}

static void become_nobody(void)
{
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		err(1, "nobody");
	/* Its files in /proc are its own again. */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
		err(1, "dumpable");
}

static void tell(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err(1, "%s", path);
	close(fd);
}

static void become_root_inside(void)
{
	char map[32];

	mkdir(USERNS, 0777);
	chmod(USERNS, 0777);
	become_nobody();
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET))
		err(1, "no user namespace");
	tell("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %d 1", NOBODY);
	tell("/proc/self/uid_map", map);
	tell("/proc/self/gid_map", map);
	if (!mount("none", USERNS, "debugfs", 0, NULL) || !mount("none", USERNS, "tracefs", 0, NULL))
		errx(1, "debugfs or tracefs can be mounted");
	if (mount("none", USERNS, "sysfs", 0, NULL))
		err(1, "sysfs cannot be mounted");
}

static void become(const char *who)
{
	if (!strcmp(who, "nosyslog"))
		lose(1ULL << CAP_SYSLOG);
	else if (!strcmp(who, "weak"))
		lose(1ULL << CAP_SYS_ADMIN | 1ULL << CAP_SYS_MODULE);
	else if (!strcmp(who, "bare"))
		lose(~0ULL);
	else if (!strcmp(who, "nobody"))
		become_nobody();
	else if (!strcmp(who, "userns"))
		become_root_inside();
	else if (strcmp(who, "root"))
		errx(1, "who is %s?", who);
}

/* --- what opens -------------------------------------------------------------- */

static void list(void)
{
	char path[4096];
	int fd;

	while (fgets(path, sizeof(path), stdin)) {
		path[strcspn(path, "\n")] = '\0';
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0) {
			printf("r %s\n", path);
			close(fd);
		}
		fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0) {
			printf("w %s\n", path);
			close(fd);
		}
	}
}

/* --- what is in there ------------------------------------------------------------ */

static uint64_t *known;
static bool *found;
static size_t nr_known;

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static void learn(const char *path)
{
	FILE *file = fopen(path, "r");
	uint64_t address;
	size_t i, nr = 0;

	if (!file)
		err(1, "%s", path);
	known = malloc(sizeof(*known));
	while (known && fscanf(file, "%" SCNx64, &address) == 1) {
		if (address < LOWEST || address > HIGHEST)
			continue;
		known[nr_known++] = address;
		known = realloc(known, (nr_known + 1) * sizeof(*known));
	}
	fclose(file);
	found = calloc(nr_known + 1, sizeof(*found));
	if (!known || !found || !nr_known)
		errx(1, "no addresses in %s", path);
	qsort(known, nr_known, sizeof(*known), compare);
	for (i = 0; i < nr_known; i++)
		if (!nr || known[i] != known[nr - 1])
			known[nr++] = known[i];
	nr_known = nr;
}

static bool is_known(uint64_t value)
{
	uint64_t *at;

	if (value < LOWEST || value > HIGHEST)
		return false;
	at = bsearch(&value, known, nr_known, sizeof(*known), compare);
	if (at)
		found[at - known] = true;
	return at;
}

static void say(const char *path, uint64_t value, const char *how)
{
	if (path)
		printf("%s: %" PRIx64 ", %s\n", path, value, how);
}

/* A number as text: digits of base 16, all of which are of base 10 perhaps. */
static void look_at_digits(const char *path, const char *digits, size_t len)
{
	char text[32] = "";
	uint64_t value;

	if (len < 8 || len >= sizeof(text))
		return;
	memcpy(text, digits, len);
	value = strtoull(text, NULL, 16);
	if (is_known(value))
		say(path, value, "known, hexadecimal");
	else if (len == 16 && value >= LOWEST && value <= HIGHEST)
		say(path, value, "looks like one");
	if (strspn(text, "0123456789") != len)
		return;
	errno = 0;
	value = strtoull(text, NULL, 10);
	if (!errno && (is_known(value) || is_known(-value)))
		say(path, value, "known, decimal");
}

static void look_at(const char *path, const char *data, size_t len)
{
	uint64_t value;
	size_t at, end;

	for (at = 0; at < len; at = end + 1) {
		for (end = at; end < len && isxdigit((unsigned char)data[end]); end++)
			;
		look_at_digits(path, data + at, end - at);
	}
	for (at = 0; at + sizeof(value) <= len; at++) {
		memcpy(&value, data + at, sizeof(value));
		if (is_known(value) || is_known(__builtin_bswap64(value)))
			say(path, value, "known, bytes");
	}
}

/* The whole file, or as much as 64 MiB of one that has no end. */
static char *contents(int fd, size_t *len)
{
	size_t most = 64 << 20;
	char *data = malloc(most);
	ssize_t got = 1;

	if (!data)
		err(1, "no memory");
	for (*len = 0; *len < most && got > 0; *len += got > 0 ? got : 0)
		got = read(fd, data + *len, most - *len);
	return data;
}

static void leaks(void)
{
	char path[4096], *data;
	size_t len;
	int fd;

	while (fgets(path, sizeof(path), stdin)) {
		path[strcspn(path, "\n")] = '\0';
		fd = open(path, O_RDONLY | O_NONBLOCK);
		if (fd < 0)
			continue;
		data = contents(fd, &len);
		look_at(path, data, len);
		free(data);
		close(fd);
	}
}

/* With the credentials of @who for the moment. */
static int open_as(const char *who, const char *path)
{
	struct __user_cap_data_struct caps[2], less[2];
	int fd;

	get_caps(caps);
	memcpy(less, caps, sizeof(less));
	if (!strcmp(who, "nosyslog"))
		less[1].effective &= ~(1U << (CAP_SYSLOG - 32));
	else if (!strcmp(who, "bare"))
		less[0].effective = less[1].effective = 0;
	else if (strcmp(who, "root"))
		errx(1, "opened by %s?", who);
	set_caps(less);
	fd = open(path, O_RDONLY);
	set_caps(caps);
	return fd;
}

static void count(const char *opener, const char *reader, const char *path)
{
	size_t len, i, nr = 0;
	char *data;
	int fd;

	fd = open_as(opener, path);
	if (fd < 0)
		err(1, "%s", path);
	become(reader);
	data = contents(fd, &len);
	if (!len)
		errx(1, "%s says nothing", path);
	look_at(NULL, data, len);
	for (i = 0; i < nr_known; i++)
		nr += found[i];
	printf("%zu\n", nr);
	free(data);
}

int main(int argc, char **argv)
{
	char *who = argv[1], *reader;

	if (argc < 3)
		errx(2, "who does what?");
	reader = strchr(who, '/');
	if (reader)
		*reader++ = '\0';
	if (!strcmp(argv[2], "count") && argc == 5) {
		learn(argv[3]);
		count(who, reader ? reader : who, argv[4]);
	} else if (!strcmp(argv[2], "opens")) {
		become(who);
		list();
	} else if (!strcmp(argv[2], "leaks") && argc == 4) {
		learn(argv[3]);
		become(who);
		leaks();
	} else if (!strcmp(argv[2], "run") && argc > 3) {
		become(who);
		execvp(argv[3], argv + 3);
		err(126, "%s", argv[3]);
	} else {
		errx(2, "%s?", argv[2]);
	}
	return 0;
}
