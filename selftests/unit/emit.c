// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the encoders of generated code write, read by a disassembler that knows nothing
 * of them: each instruction, with each register, at the ends of its reach and beyond.
 */
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "ktap.h"
#include "encode_x86.h"
#include "encode_arm64.h"

#define SLOT		32u	/* room for a piece of code, and what is filled in behind it */
#define MAX_SLOTS	4096u
#define MAX_WANT	6

/* A piece of code, and how each of its instructions must read. */
struct slot {
	int len;
	int nr;
	char want[MAX_WANT][64];
};

static struct {
	const char *objdump;
	u64 base;			/* address of the first slot */
	const char *fill;		/* how the filling reads */
	u32 nr;
	u8 image[MAX_SLOTS * SLOT];
	struct slot slots[MAX_SLOTS];
} code;

static void begin(const char *objdump, u64 base, const char *fill, u8 byte, u32 word)
{
	u32 i;

	code.objdump = objdump;
	code.base = base;
	code.fill = fill;
	code.nr = 0;
	memset(code.slots, 0, sizeof(code.slots));
	for (i = 0; i < sizeof(code.image); i += 4) {
		if (word)
			jit_arm64_word(code.image + i, word);
		else
			memset(code.image + i, byte, 4);
	}
}

static void begin_x86(void)
{
	begin("objdump -m i386:x86-64", 0xffffffffc0000000, "nop", 0x90, 0);
}

static void begin_arm64(u64 base)
{
	begin("aarch64-linux-gnu-objdump -m aarch64", base, "yield", 0, 0xd503203f);
}

static u8 *buf(void)
{
	return code.image + code.nr * SLOT;
}

static u64 at(void)
{
	return code.base + code.nr * SLOT;
}

/* The slot holds @len bytes, which read as the lines of @fmt do. */
__attribute__((format(printf, 2, 3)))
static void reads(int len, const char *fmt, ...)
{
	struct slot *slot = &code.slots[code.nr];
	char text[512], *line, *rest = text;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	EXPECT(len > 0 && len < (int)SLOT, "\"%s\" has %d bytes", text, len);
	slot->len = len;
	while ((line = strsep(&rest, "\n")) && slot->nr < MAX_WANT)
		snprintf(slot->want[slot->nr++], sizeof(slot->want[0]), "%s", line);
	if (code.nr + 1 < MAX_SLOTS)
		code.nr++;
	else
		EXPECT(false, "no more room");
}

/* Nothing is written where nothing can be. */
static void refused(int len, const char *what, u64 distance)
{
	u32 i;

	EXPECT(len == -ERANGE, "%s over %#llx: %d", what, (unsigned long long)distance, len);
	for (i = 0; i < SLOT; i++)
		EXPECT(buf()[i] == code.image[sizeof(code.image) - SLOT + i], "%s: byte %u", what, i);
}

/* One space between words, no comment, nothing at the end. */
static void tidy(char *line)
{
	char *from, *to = line;

	line[strcspn(line, "\n")] = 0;
	if (strstr(line, "//"))
		*strstr(line, "//") = 0;
	for (from = line; *from; from++) {
		bool space = *from == ' ' || *from == '\t';

		if (!space)
			*to++ = *from;
		else if (to > line && to[-1] != ' ')
			*to++ = ' ';
	}
	while (to > line && to[-1] == ' ')
		to--;
	*to = 0;
}

static void compare(u64 address, const char *text)
{
	static u32 current = -1u;
	static int line;
	u64 offset = address - code.base;
	struct slot *slot = &code.slots[offset / SLOT];

	if (current != offset / SLOT || !(offset % SLOT)) {
		current = offset / SLOT;
		line = 0;
	}
	if (line < slot->nr) {
		EXPECT(!strcmp(text, slot->want[line]), "%#llx: \"%s\" instead of \"%s\"",
		       (unsigned long long)address, text, slot->want[line]);
	} else {
		/* Not a byte more than was said. */
		EXPECT(line > slot->nr || (int)(offset % SLOT) == slot->len,
		       "%#llx: %d bytes were said", (unsigned long long)address, slot->len);
		EXPECT(!strcmp(text, code.fill), "%#llx: \"%s\" behind the end",
		       (unsigned long long)address, text);
	}
	line++;
}

static void end(void)
{
	char name[] = "/tmp/mmkit-emit.XXXXXX", command[256], line[256];
	unsigned long long address;
	u32 lines = 0, wanted = 0, i;
	int fd = mkstemp(name), text;
	FILE *out;

	for (i = 0; i < code.nr; i++)
		wanted += code.slots[i].nr;
	if (fd < 0 || write(fd, code.image, code.nr * SLOT) != (ssize_t)(code.nr * SLOT)) {
		EXPECT(false, "%s cannot be written", name);
		return;
	}
	close(fd);
	snprintf(command, sizeof(command),
		 "LC_ALL=C %s -D -z -b binary --no-show-raw-insn --adjust-vma=%#llx %s", code.objdump,
		 (unsigned long long)code.base, name);
	out = popen(command, "r");
	while (out && fgets(line, sizeof(line), out)) {
		text = 0;
		if (sscanf(line, " %llx:\t%n", &address, &text) != 1 || !text)
			continue;
		tidy(line + text);
		compare(address, line + text);
		lines++;
	}
	EXPECT(out && !pclose(out), "%s fails", command);
	EXPECT(lines > wanted, "%u lines, %u instructions", lines, wanted);
	printf("# %u pieces of code, %u instructions\n", code.nr, wanted);
	unlink(name);
}

static u64 random_long(void)
{
	u64 high = random_next(&ktap_random);

	return (high << 32 | random_next(&ktap_random)) >> random_below(64);
}

static void x86_instructions(void)
{
	static const char * const regs[JIT_X86_REGS] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
	};
	u32 reg;

	begin_x86();
	reads(jit_x86_landing_pad(buf()), "endbr64");
	reads(jit_x86_enter(buf()), "push %%rbp\nmov %%rsp,%%rbp");
	reads(jit_x86_leave(buf()), "leave");
	reads(jit_x86_ret(buf()), "ret\nint3");
	reads(jit_x86_lfence(buf()), "lfence");
	reads(jit_x86_nop(buf()), "nopl 0x0(%%rax,%%rax,1)");
	for (reg = 0; reg < JIT_X86_REGS; reg++)
		reads(jit_x86_jump_reg(buf(), reg), "jmp *%%%s\nint3", regs[reg]);
	end();
}

/* To @distance behind the end of the instruction. */
static void x86_branch(u64 distance)
{
	u64 to = at() + JIT_X86_BRANCH_LEN + distance;

	reads(jit_x86_branch(buf(), JIT_X86_JMP, at(), to), "jmp 0x%llx", (unsigned long long)to);
	to = at() + JIT_X86_BRANCH_LEN + distance;
	reads(jit_x86_branch(buf(), JIT_X86_CALL, at(), to), "call 0x%llx", (unsigned long long)to);
}

static void x86_no_branch(u64 distance)
{
	refused(jit_x86_branch(buf(), JIT_X86_JMP, at(), at() + JIT_X86_BRANCH_LEN + distance),
		"jmp", distance);
}

static void x86_branches(void)
{
	static const u64 good[] = {
		0, 1, -1, -5, 0x7f, 0x80, -0x80, -0x81, 0x7fffffff, 0x7ffffffe, -0x80000000LL,
		-0x7fffffffLL,
	};
	static const u64 bad[] = {
		0x80000000, 0x80000001, -0x80000001LL, 0xffffffff, 0x100000000, -0x100000000LL,
		1ULL << 63, 0x7fffffffffffffff,
	};
	u32 i, in = 0;

	begin_x86();
	for (i = 0; i < ARRAY_SIZE(good); i++)
		x86_branch(good[i]);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		x86_no_branch(bad[i]);
	for (i = 0; i < 1500; i++) {
		u64 distance = i & 1 ? random_long() : -random_long();

		if ((int64_t)distance == (int32_t)distance && ++in)
			x86_branch(distance);
		else
			x86_no_branch(distance);
	}
	EXPECT(in > 300 && in < 1200, "%u of %u reach", in, i);
	end();
}

#define ARM64_BASE	0xffff800008000000ULL

static void arm64_instructions(void)
{
	u32 reg;

	begin_arm64(ARM64_BASE);
	reads(jit_arm64_landing_pad(buf()), "bti c");
	reads(jit_arm64_enter(buf()), "stp x29, x30, [sp, #-16]!\nmov x29, sp");
	reads(jit_arm64_leave(buf()), "mov sp, x29\nldp x29, x30, [sp], #16");
	reads(jit_arm64_ret(buf()), "ret");
	reads(jit_arm64_nop(buf()), "nop");
	for (reg = 0; reg < JIT_ARM64_REGS; reg++) {
		reads(jit_arm64_branch_reg(buf(), JIT_ARM64_BR, reg), "br x%u", reg);
		reads(jit_arm64_branch_reg(buf(), JIT_ARM64_BLR, reg), "blr x%u", reg);
	}
	end();
}

static void arm64_branch(u64 distance)
{
	u64 to = at() + distance;

	reads(jit_arm64_branch(buf(), JIT_ARM64_B, at(), to), "b 0x%llx", (unsigned long long)to);
	to = at() + distance;
	reads(jit_arm64_branch(buf(), JIT_ARM64_BL, at(), to), "bl 0x%llx", (unsigned long long)to);
}

static void arm64_branches(void)
{
	static const u64 good[] = { 0, 4, -4, 8, 0x7fffffc, 0x7fffff8, -0x8000000LL, -0x7fffffcLL };
	static const u64 bad[] = {
		1, 2, 3, -1, -2, 5, 0x7ffffff, 0x8000000, -0x8000001LL, -0x8000004LL, 0x10000000,
		-0x10000000LL, 1ULL << 32, 1ULL << 63,
	};
	u32 i, in = 0;

	begin_arm64(ARM64_BASE);
	for (i = 0; i < ARRAY_SIZE(good); i++)
		arm64_branch(good[i]);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		refused(jit_arm64_branch(buf(), JIT_ARM64_B, at(), at() + bad[i]), "b", bad[i]);
	for (i = 0; i < 1500; i++) {
		u64 distance = (i & 1 ? random_long() : -random_long()) & ~3ULL;

		if ((int64_t)distance >= -(1 << 27) && (int64_t)distance < 1 << 27 && ++in)
			arm64_branch(distance);
		else
			refused(jit_arm64_branch(buf(), JIT_ARM64_B, at(), at() + distance), "b",
				distance);
	}
	EXPECT(in > 300 && in < 1200, "%u of %u reach", in, i);
	end();
}

#define PAGE		4096ULL
#define PAGES		(1ULL << 20)	/* to either side, less one to that side */

static void arm64_near(u32 reg, u64 to)
{
	reads(jit_arm64_near_address(buf(), reg, at(), to), "adrp x%u, 0x%llx\nadd x%u, x%u, #0x%llx", reg,
	      (unsigned long long)(to & -PAGE), reg, reg, (unsigned long long)(to & (PAGE - 1)));
}

static void arm64_any(u32 reg, u64 to)
{
	reads(jit_arm64_address(buf(), reg, to),
	      "mov x%u, #0x%x\nmovk x%u, #0x%x, lsl #16\n"
	      "movk x%u, #0x%x, lsl #32\nmovk x%u, #0x%x, lsl #48",
	      reg, (u16)to, reg, (u16)(to >> 16), reg, (u16)(to >> 32), reg, (u16)(to >> 48));
}

/* Slots lie at the beginning of a page, and at its end. */
static void arm64_addresses(void)
{
	static const u64 any[] = {
		0, 1, 0xffff, 0x10000, -1, 0xffff000000000000, 0x123456789abcdef0, 1ULL << 63,
	};
	u32 reg, i;

	begin_arm64(ARM64_BASE + 3 * PAGE);
	while (code.nr < 2 * PAGE / SLOT) {
		u64 page = at() & -PAGE;

		arm64_near(code.nr % JIT_ARM64_REGS, page + (PAGES - 1) * PAGE + PAGE - 1);
		arm64_near(code.nr % JIT_ARM64_REGS, (at() & -PAGE) - PAGES * PAGE);
		refused(jit_arm64_near_address(buf(), 0, at(), (at() & -PAGE) + PAGES * PAGE), "adrp", PAGES);
		refused(jit_arm64_near_address(buf(), 0, at(), (at() & -PAGE) - PAGES * PAGE - 1), "adrp",
			-PAGES);
	}
	for (reg = 0; reg < JIT_ARM64_REGS; reg++) {
		arm64_near(reg, at());
		arm64_near(reg, at() + PAGE);
		arm64_near(reg, at() - PAGE);
		arm64_near(reg, at() + random_next(&ktap_random) / 2);
		arm64_near(reg, at() - random_next(&ktap_random) / 2);
		for (i = 0; i < ARRAY_SIZE(any); i++)
			arm64_any(reg, any[i]);
		arm64_any(reg, random_long());
	}
	refused(jit_arm64_near_address(buf(), 0, at(), 0), "adrp", 0);
	refused(jit_arm64_near_address(buf(), 0, at(), at() ^ 1ULL << 63), "adrp", 1ULL << 63);
	end();
}

/* The shortest way that reaches. */
static void arm64_call(u64 distance)
{
	u64 at_ = at(), to = at_ + distance, pages = (to >> 12) - (at_ >> 12);
	int len = jit_arm64_call(buf(), at_, to);

	if (!(distance & 3) && distance + (1 << 27) < 1 << 28)
		reads(len, "bl 0x%llx", (unsigned long long)to);
	else if (pages + PAGES < 2 * PAGES)
		reads(len, "adrp x16, 0x%llx\nadd x16, x16, #0x%llx\nblr x16",
		      (unsigned long long)(to & -PAGE), (unsigned long long)(to & (PAGE - 1)));
	else
		reads(len, "mov x16, #0x%x\nmovk x16, #0x%x, lsl #16\nmovk x16, #0x%x, lsl #32\n"
		      "movk x16, #0x%x, lsl #48\nblr x16", (u16)to, (u16)(to >> 16), (u16)(to >> 32),
		      (u16)(to >> 48));
}

static void arm64_calls(void)
{
	static const u64 ends[] = {
		0, 1 << 27, -(1LL << 27), 1ULL << 32, -(1LL << 32), (1ULL << 32) - PAGE,
		-(1LL << 32) - (long)PAGE, 1ULL << 47, 1ULL << 63,
	};
	u32 i;
	int step;

	begin_arm64(ARM64_BASE);
	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		for (step = -8; step <= 8; step += 4)
			arm64_call(ends[i] + step);
	}
	for (i = 0; i < 1500; i++)
		arm64_call((i & 1 ? random_long() : -random_long()) & ~3ULL);
	end();
}

static const struct ktap_test tests[] = {
	{ "x86: instructions, jumps through each register", x86_instructions },
	{ "x86: calls and jumps reach 2G, and no further", x86_branches },
	{ "arm64: instructions, branches through each register", arm64_instructions },
	{ "arm64: branches reach 128M, and no further", arm64_branches },
	{ "arm64: addresses within 4G, and any", arm64_addresses },
	{ "arm64: calls take the shortest way", arm64_calls },
};

int main(void)
{
	return ktap_run(tests, ARRAY_SIZE(tests), 20240);
}
