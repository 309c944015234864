// SPDX-License-Identifier: GPL-2.0-only
/*
 * profiles SINCE HELPERS DIRECTORY: who has the memory, by three accounts at one time.
 *
 *	ours_first	allocprof/sites, read first
 *	owner		debugfs page_owner, summed up: "bytes_before bytes_since site"
 *	ours		allocprof/sites, read once more
 *	theirs		/proc/allocinfo
 *	ours_last	allocprof/sites, read last
 *
 * The files are in DIRECTORY and have pages already: all is read before
 * anything is written, into memory that is there from the start, so that what
 * this program takes is the same in each account.
 *
 * page_owner has an order, a time and a stack for each allocation. Its pages are
 * charged to the first frame above the allocator: HELPERS is a regular
 * expression for what a function is called that only asks on behalf of another.
 * "?" is a stack that does not begin in the allocator. bytes_since are pages
 * allocated SINCE nanoseconds after boot, by the clock of dmesg.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEBUGFS		"/sys/kernel/debug/"
#define OURS		DEBUGFS "mmkit/allocprof/sites"
#define TEXT		((size_t)512 << 10)
#define RECORD		4096
#define NAME		160
#define MAX_STACKS	16384
#define MAX_SITES	4096

struct text {
	char bytes[TEXT];
	size_t len;
};

static struct text first, ours, theirs, last;

struct site {
	char name[NAME];
	unsigned long long before, since;
};

static struct site sites[MAX_SITES];
static size_t nr_sites;

/* Each stack is looked into once: its site by the hash of its text. */
static struct stack {
	unsigned long hash;
	struct site *site;
} stacks[MAX_STACKS];
static size_t nr_stacks;

static regex_t helpers;

static void stop(const char *what)
{
	perror(what);
	exit(1);
}

static void read_text(const char *path, struct text *text)
{
	int fd = open(path, O_RDONLY);
	ssize_t got;

	if (fd < 0)
		stop(path);
	while ((got = read(fd, text->bytes + text->len, TEXT - text->len)) > 0)
		text->len += got;
	if (got < 0 || text->len == TEXT)
		stop(path);
	close(fd);
}

/* All of it, with the zeroes behind the text: a file keeps its size. */
static void write_text(const char *directory, const char *name, const char *bytes)
{
	char path[NAME];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, bytes, TEXT) != (ssize_t)TEXT)
		stop(path);
	close(fd);
}

/* --- page_owner -------------------------------------------------------- */

static struct site *site_named(const char *name)
{
	size_t i;

	for (i = 0; i < nr_sites; i++) {
		if (!strcmp(sites[i].name, name))
			return &sites[i];
	}
	if (nr_sites == MAX_SITES) {
		fprintf(stderr, "more than %d sites\n", MAX_SITES);
		exit(1);
	}
	snprintf(sites[nr_sites].name, NAME, "%s", name);
	return &sites[nr_sites++];
}

/* "symbol.part.0_noprof" asks for whoever "symbol" asks for. */
static int is_helper(const char *symbol)
{
	char base[NAME], *end;

	snprintf(base, sizeof(base), "%s", symbol);
	end = strchr(base, '.');
	if (end)
		*end = '\0';
	end = strstr(base, "_noprof");
	if (end && !end[strlen("_noprof")])
		*end = '\0';
	return !regexec(&helpers, base, 0, NULL, 0);
}

/* Lines " symbol+0x1a/0x2b [module]": the first that is no helper, as "symbol:26 [module]". */
static struct site *site_of(char *stack)
{
	char symbol[96], module[48], name[NAME];
	unsigned int offset, size, depth = 0;
	char *line;

	for (line = strtok(stack, "\n"); line; line = strtok(NULL, "\n")) {
		module[0] = '\0';
		/* Text that is gone: of a module, or the init text of one. */
		if (sscanf(line, " %95[^+]+0x%x/0x%x %47s", symbol, &offset, &size, module) < 3)
			return site_named(depth ? "(gone)" : "?");
		if (is_helper(symbol)) {
			depth++;
			continue;
		}
		if (!depth)
			break;
		snprintf(name, sizeof(name), "%s:%u%s%s", symbol, offset, module[0] ? " " : "", module);
		return site_named(name);
	}
	return site_named("?");
}

static struct stack *stack_slot(unsigned long hash)
{
	size_t at = hash % MAX_STACKS;

	while (stacks[at].site && stacks[at].hash != hash)
		at = (at + 1) % MAX_STACKS;
	return &stacks[at];
}

static struct site *site_of_record(char *frames)
{
	struct stack *stack;
	unsigned long hash = 5381;
	char *at;

	for (at = frames; *at; at++)
		hash = hash * 33 + (unsigned char)*at;
	stack = stack_slot(hash);
	if (!stack->site) {
		if (++nr_stacks == MAX_STACKS) {
			fprintf(stderr, "more than %d stacks\n", MAX_STACKS);
			exit(1);
		}
		stack->hash = hash;
		stack->site = site_of(frames);
	}
	return stack->site;
}

/* "Page allocated via order N, ... ts T ns", "PFN ...", frames, and notes below them. */
static void add_record(char *record, unsigned long long begin, unsigned long long page)
{
	unsigned long long when;
	unsigned int order;
	char *ts = strstr(record, "), ts "), *frames, *end;
	struct site *site;

	if (sscanf(record, "Page allocated via order %u,", &order) != 1 || !ts ||
	    sscanf(ts, "), ts %llu ns", &when) != 1) {
		fprintf(stderr, "page_owner says: %s\n", record);
		exit(1);
	}
	frames = strstr(record, "\nPFN ");
	frames = frames ? strchr(frames + 1, '\n') : NULL;
	if (!frames)
		frames = record + strlen(record) - 1;
	/* Frames are indented, notes are not. */
	for (end = frames; end[0] == '\n' && end[1] == ' '; end = strchrnul(end + 1, '\n'))
		;
	*end = '\0';
	site = site_of_record(frames + 1);
	if (when < begin)
		site->before += page << order;
	else
		site->since += page << order;
}

/* One read is one allocation. */
static void read_page_owner(unsigned long long begin)
{
	static char record[RECORD + 1];
	unsigned long long page = (unsigned long long)sysconf(_SC_PAGESIZE);
	int fd = open(DEBUGFS "page_owner", O_RDONLY);
	ssize_t got;

	if (fd < 0)
		stop("page_owner");
	while ((got = read(fd, record, RECORD)) > 0) {
		record[got] = '\0';
		add_record(record, begin, page);
	}
	if (got < 0)
		stop("page_owner");
	close(fd);
}

int main(int argc, char **argv)
{
	static char owner[TEXT];
	size_t i, len = 0;

	if (argc != 4 || regcomp(&helpers, argv[2], REG_EXTENDED | REG_NOSUB)) {
		fprintf(stderr, "usage: profiles SINCE HELPERS DIRECTORY\n");
		return 1;
	}
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		stop("mlockall");
	read_text(OURS, &first);
	read_page_owner(strtoull(argv[1], NULL, 10));
	read_text(OURS, &ours);
	read_text("/proc/allocinfo", &theirs);
	read_text(OURS, &last);

	for (i = 0; i < nr_sites && len < TEXT - 2 * NAME; i++)
		len += snprintf(owner + len, TEXT - len, "%llu %llu %s\n", sites[i].before,
				sites[i].since, sites[i].name);
	write_text(argv[3], "ours_first", first.bytes);
	write_text(argv[3], "owner", owner);
	write_text(argv[3], "ours", ours.bytes);
	write_text(argv[3], "theirs", theirs.bytes);
	write_text(argv[3], "ours_last", last.bytes);
	return 0;
}
