// SPDX-License-Identifier: GPL-2.0-only
/*
 * The compiler of the example module, selftests/unpack: the code that it makes for the
 * processor at hand runs here, against the interpreter, and that against a reader of
 * single bits. A key lies at the end of its page, and nothing may be read behind it.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ktap.h"
#include "unpack.h"

#define RANDOM_FORMATS	5000
#define KEYS		200
#define UNTOUCHED	0x5a5a5a5a5a5a5a5aULL

typedef int (*compiler)(const struct unpack_format *format, void *buf, size_t room);

#if defined(__x86_64__)
static const compiler compile = unpack_compile_x86;
static const u8 entry[] = { 0xf3, 0x0f, 0x1e, 0xfa };		/* endbr64 */
static const u8 leave[] = { 0xc3 };				/* ret */
#elif defined(__aarch64__)
static const compiler compile = unpack_compile_arm64;
static const u8 entry[] = { 0x5f, 0x24, 0x03, 0xd5 };		/* bti c */
static const u8 leave[] = { 0xc0, 0x03, 0x5f, 0xd6 };		/* ret */
#else
#error "no compiler for the processor of this machine"
#endif

static const compiler compilers[] = { unpack_compile_x86, unpack_compile_arm64 };

static u8 *text, *key_end;

static void map_pages(void)
{
	size_t page = sysconf(_SC_PAGESIZE);

	if (text)
		return;
	text = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	key_end = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (text == MAP_FAILED || key_end == MAP_FAILED) {
		perror("mmap");
		exit(EXIT_FAILURE);
	}
	key_end += page;
	mprotect(key_end, page, PROT_NONE);
}

static unpack_fn make(const struct unpack_format *format)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int len;

	map_pages();
	mprotect(text, page, PROT_READ | PROT_WRITE);
	memset(text, 0, page);
	memcpy(text, entry, sizeof(entry));
	len = compile(format, text + sizeof(entry), UNPACK_CODE_MAX);
	EXPECT(len > 0, "%d", len);
	if (len <= 0)
		return NULL;
	memcpy(text + sizeof(entry) + len, leave, sizeof(leave));
	mprotect(text, page, PROT_READ | PROT_EXEC);
	__builtin___clear_cache((char *)text, (char *)text + page);
	return (unpack_fn)(void *)text;
}

/* The definition of a format, in the fewest words. */
static void unpack_bit_by_bit(const struct unpack_format *format, u64 *out, const u64 *in)
{
	unsigned int i, bit, at = format->from_high ? format->words * 64 : 0;

	for (i = 0; i < format->nr_fields; i++) {
		u64 value = 0;

		if (format->from_high)
			at -= format->bits[i];
		for (bit = 0; bit < format->bits[i]; bit++)
			value |= (in[(at + bit) / 64] >> (at + bit) % 64 & 1) << bit;
		if (!format->from_high)
			at += format->bits[i];
		out[i] = value + format->add[i];
	}
}

static void show(const struct unpack_format *format)
{
	unsigned int i;

	printf("# %u words from the %s end:", format->words, format->from_high ? "high" : "low");
	for (i = 0; i < format->nr_fields; i++)
		printf(" %u%+lld", format->bits[i], (long long)format->add[i]);
	printf("\n");
}

/* Do both say the same of this key, and leave alone what is not theirs? */
static bool same(const struct unpack_format *format, const struct unpack_format *compiled,
		 unpack_fn fn, const u64 *in)
{
	u64 want[UNPACK_FIELDS + 1], have[UNPACK_FIELDS + 1], *key = (u64 *)key_end - format->words;

	memset(want, 0x5a, sizeof(want));
	memset(have, 0x5a, sizeof(have));
	memcpy(key, in, format->words * sizeof(*in));
	unpack_interpret(format, want, key);
	if (fn)
		fn(have, key);
	else
		unpack_bit_by_bit(compiled, have, key);
	return !memcmp(want, have, sizeof(want)) && have[format->nr_fields] == UNTOUCHED;
}

/* How many of the keys give something else. */
static unsigned int differences(const struct unpack_format *format,
				const struct unpack_format *compiled, unpack_fn fn)
{
	unsigned int i, bad = 0;
	u64 in[UNPACK_WORDS];

	for (i = 0; i < format->words * 64u; i++) {
		memset(in, 0, sizeof(in));
		in[i / 64] = 1ULL << i % 64;
		bad += !same(format, compiled, fn, in);
	}
	for (i = 0; i < KEYS; i++) {
		unpack_random_key(in, &ktap_random);
		bad += !same(format, compiled, fn, in);
	}
	return bad;
}

static void choose(struct unpack_format *format, unsigned int nr)
{
	if (nr < unpack_nr_edges())
		unpack_edge(format, nr, &ktap_random);
	else
		unpack_random_format(format, &ktap_random);
}

static void interpreter_reads_right(void)
{
	struct unpack_format format;
	unsigned int i;

	map_pages();
	for (i = 0; i < unpack_nr_edges() + RANDOM_FORMATS; i++) {
		choose(&format, i);
		EXPECT(unpack_format_good(&format), "format %u", i);
		EXPECT(!differences(&format, &format, NULL), "format %u", i);
	}
}

static void code_does_the_same(void)
{
	unsigned int i, bad, fields[UNPACK_FIELDS + 1] = { 0 };
	struct unpack_format format;
	unpack_fn fn;

	for (i = 0; i < unpack_nr_edges() + RANDOM_FORMATS; i++) {
		choose(&format, i);
		fn = make(&format);
		if (!fn)
			continue;
		bad = differences(&format, &format, fn);
		EXPECT(!bad, "format %u: %u keys", i, bad);
		if (bad && ktap_failures <= KTAP_SHOWN)
			show(&format);
		fields[format.nr_fields]++;
	}
	for (i = 1; i <= UNPACK_FIELDS; i++)
		EXPECT(fields[i], "no format with %u fields", i);
}

/* What is wrong by one bit is seen: or the tests above would see nothing. */
static void wrong_code_is_noticed(void)
{
	struct unpack_format format, spoiled;
	unsigned int i;
	unpack_fn fn;

	for (i = 0; i < unpack_nr_edges() + RANDOM_FORMATS; i++) {
		choose(&format, i);
		spoiled = format;
		unpack_spoil(&spoiled, &ktap_random);
		fn = make(&spoiled);
		EXPECT(fn && differences(&format, &spoiled, fn), "format %u", i);
	}
}

static void odd_formats_are_refused(void)
{
	static const struct unpack_format good = { .words = 2, .nr_fields = 2, .bits = { 64, 64 } };
	struct unpack_format bad[7];
	u8 buf[UNPACK_CODE_MAX];
	unsigned int i, c;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = good;
	bad[0].words = 0;
	bad[1].words = UNPACK_WORDS + 1;
	bad[2].nr_fields = 0;
	bad[3].nr_fields = UNPACK_FIELDS + 1;
	bad[4].bits[1] = 65;
	bad[5].words = 1;
	bad[6].nr_fields = 3;
	bad[6].bits[2] = 1;
	for (c = 0; c < ARRAY_SIZE(compilers); c++) {
		EXPECT(compilers[c](&good, buf, sizeof(buf)) > 0, "compiler %u", c);
		for (i = 0; i < ARRAY_SIZE(bad); i++)
			EXPECT(compilers[c](&bad[i], buf, sizeof(buf)) == -EINVAL,
			       "compiler %u, format %u", c, i);
	}
}

/* Of both compilers: nothing needs more than is promised, and too little room is an error. */
static void code_fits(void)
{
	int len, longest[ARRAY_SIZE(compilers)] = { 0 };
	struct unpack_format format;
	unsigned int i, c;
	u8 *buf;

	for (i = 0; i < unpack_nr_edges() + RANDOM_FORMATS; i++) {
		choose(&format, i);
		for (c = 0; c < ARRAY_SIZE(compilers); c++) {
			buf = malloc(UNPACK_CODE_MAX);
			len = compilers[c](&format, buf, UNPACK_CODE_MAX);
			EXPECT(len > 0, "compiler %u, format %u: %d", c, i, len);
			free(buf);
			if (len <= 0)
				continue;
			if (len > longest[c])
				longest[c] = len;
			/* The sanitizer watches the byte behind. */
			buf = malloc(len);
			EXPECT(compilers[c](&format, buf, len) == len, "compiler %u, format %u",
			       c, i);
			EXPECT(compilers[c](&format, buf, len - 1) == -ENOSPC,
			       "compiler %u, format %u", c, i);
			free(buf);
		}
	}
	for (c = 0; c < ARRAY_SIZE(compilers); c++)
		printf("# compiler %u: at most %d bytes\n", c, longest[c]);
}

static const struct ktap_test tests[] = {
	{ "the interpreter reads what a reader of single bits reads", interpreter_reads_right },
	{ "compiled code does what the interpreter does", code_does_the_same },
	{ "code for a format that is wrong by one bit is noticed", wrong_code_is_noticed },
	{ "formats that cannot be are refused", odd_formats_are_refused },
	{ "code is as short as promised, and too little room is an error", code_fits },
};

int main(void)
{
	return ktap_run(tests, ARRAY_SIZE(tests), 20265);
}
