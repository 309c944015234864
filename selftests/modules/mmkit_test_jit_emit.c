// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pieces of generated code: on x86 they are compared with what the kernel has made of a
 * return, a call and all indirect jumps of this very module when it loaded it; then they
 * are put together and executed.
 */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/stacktrace.h>
#include <linux/string.h>

#include <mmkit/jit.h>

#include "test.h"

#define MAX_CODE	256

/* The direct map is far from kernel and modules. */
#define FAR_AWAY	((void *)PAGE_OFFSET)

/* Code that is being put together, and where it will lie. */
static struct {
	u8 *text;
	int len;
	bool bad;
	u8 buf[MAX_CODE];
} code;

static void *here(void)
{
	return code.buf + code.len;
}

static void *there(void)
{
	return code.text + code.len;
}

/* What a helper has written: add(mmkit_jit_emit_return(here(), there())). */
static void add(int n)
{
	code.bad |= n <= 0 || n > MMKIT_JIT_EMIT_MAX;
	code.len += max(n, 0);
	code.bad |= code.len > MAX_CODE - 2 * MMKIT_JIT_EMIT_MAX;
	if (code.bad)
		code.len = 0;
}

static void add_bytes(const void *bytes, int n)
{
	memcpy(here(), bytes, n);
	add(n);
}

#ifdef CONFIG_X86_64
#define NR_REGS		16
#define CALL_LEN	5
#define JMP		0xe9
#define INT3		0xcc
#define SAMPLE_PAD	4		/* the landing pad of a sample */

/*
 * What the kernel rewrites when it loads a module. Each begins a cache line: where only
 * the first half of a line is unsafe, it is one of those. GCC puts the prefix in front of
 * jumps through the newer registers, too: they have room then for what replaces them.
 */
#define SAMPLES(X)							\
	X(0, rax, "") X(1, rcx, "") X(2, rdx, "") X(3, rbx, "")		\
	X(5, rbp, "") X(6, rsi, "") X(7, rdi, "")			\
	X(8, r8, "cs ") X(9, r9, "cs ") X(10, r10, "cs ") X(11, r11, "cs ")	\
	X(12, r12, "cs ") X(13, r13, "cs ") X(14, r14, "cs ") X(15, r15, "cs ")

#define SAMPLE(name, jump)			\
	".balign 64, 0xcc\n"			\
	".type " name ", @function\n"		\
	name ":\n"				\
	"	endbr64\n"			\
	"	" jump "\n"			\
	"	int3\n"				\
	".size " name ", . - " name "\n"
#define SAMPLE_JUMP(nr, reg, prefix)		\
	SAMPLE("sample_" #reg, prefix "jmp __x86_indirect_thunk_" #reg)

asm(".pushsection .text\n"
	SAMPLE("sample_return", "jmp __x86_return_thunk")
	SAMPLES(SAMPLE_JUMP)
	".balign 64, 0xcc\n"
	".popsection\n");

#define SAMPLE_DECLARE(nr, reg, prefix)	extern const u8 sample_##reg[];
#define SAMPLE_ADDRESS(nr, reg, prefix)	[nr] = sample_##reg,
extern const u8 sample_return[];
SAMPLES(SAMPLE_DECLARE)
static const u8 * const samples[NR_REGS] = { SAMPLES(SAMPLE_ADDRESS) };

/* Where a branch with a distance leads that is executed at @at. */
static const u8 *target(const u8 *branch, const u8 *at)
{
	s32 distance;

	memcpy(&distance, branch + 1, sizeof(distance));
	return at + CALL_LEN + distance;
}

/* Thunks for single branches that are unsafe where they are: of the kernel, and of a module. */
static bool same_its_thunk(const u8 *a, const u8 *b)
{
	int len = *a == 0x41 ? 4 : 3;

	return cpu_feature_enabled(X86_FEATURE_INDIRECT_THUNK_ITS) && (unsigned long)a & 0x20 &&
	       (unsigned long)b & 0x20 && !memcmp(a, b, len) && a[len - 2] >> 4 == 0xe &&
	       a[len - 1] == INT3;
}

/*
 * Is @ours, made for the place of a sample, what the kernel has put there? A trap
 * that had no room behind the kernel's jump is not missed there.
 */
static bool same(const u8 *sample, const u8 *ours, int len)
{
	if (len <= 0)
		return false;
	if (*ours == JMP && *sample == JMP && len == CALL_LEN)
		return !memcmp(sample, ours, len) ||
		       same_its_thunk(target(sample, sample), target(ours, sample));
	if (ours[len - 1] != INT3)
		return false;
	return !memcmp(sample, ours, len - 1);
}

static const u8 *sample_site(const u8 *sample)
{
	/* objtool takes an address behind the landing pad for one to be jumped to. */
	OPTIMIZER_HIDE_VAR(sample);
	sample += SAMPLE_PAD;
	return *sample == 0x2e ? sample + 1 : sample;
}

/* For the case, which knows what it must be. */
static void say_form(const char *what, const u8 *code, const u8 *at)
{
	if (*code == JMP)
		pr_info("%s through %ps\n", what, target(code, at));
	else
		pr_info("%s is %*ph\n", what, 3, code);
}

static void test_return(void)
{
	const u8 *site = sample_site(sample_return);
	u8 buf[MMKIT_JIT_EMIT_MAX] = { };
	int n = mmkit_jit_emit_return(buf, site);
	bool thunk = buf[0] == JMP;

	say_form("return", buf, site);
	TEST(same(site, buf, n), "a return is what the kernel makes of one");
	buf[0] ^= 1;
	TEST(!same(site, buf, n), "another one is not");
	n = mmkit_jit_emit_return(buf, FAR_AWAY);
	TEST(thunk ? n == -ERANGE : n == 2, "a return reaches no thunk from far away");
}

static void test_jumps(void)
{
	bool all = true, none = true, refused = true;
	u8 buf[MMKIT_JIT_EMIT_MAX] = { };
	unsigned int reg, other;
	const u8 *site;
	int n;

	for (reg = 0; reg < NR_REGS; reg++) {
		if (!samples[reg])
			continue;
		site = sample_site(samples[reg]);
		for (other = 0; other < NR_REGS; other++) {
			n = mmkit_jit_emit_indirect_jump(buf, site, other);
			if (other == reg && !same(site, buf, n)) {
				pr_info("register %u: %*ph, kernel: %*ph\n", reg, n, buf, 8, site);
				all = false;
			}
			none &= other == reg || !same(site, buf, n);
		}
	}
	site = sample_site(samples[0]);
	mmkit_jit_emit_indirect_jump(buf, site, 0);
	say_form("jump", buf, site);
	TEST(all, "jumps through 15 registers are what the kernel makes of them");
	TEST(none, "and not what it makes of those through another register");
	refused &= mmkit_jit_emit_indirect_jump(buf, site, 4) == -EINVAL;
	for (reg = NR_REGS; reg < 300; reg++)
		refused &= mmkit_jit_emit_indirect_jump(buf, site, reg) == -EINVAL;
	refused &= mmkit_jit_emit_indirect_jump(buf, site, -1) == -EINVAL;
	TEST(refused, "no other register is taken");
}

/*
 * The padding in front of a function that this module calls holds the counting
 * instruction, if calls are counted.
 */
static void test_call(void)
{
	u8 buf[MMKIT_JIT_EMIT_MAX];
	const u8 *function = (const u8 *)int_sqrt;
	int n = mmkit_jit_emit_call(buf, function, function) - CALL_LEN;

	pr_info("call is counted by %d bytes\n", n);
	TEST(!n || (n > 0 && mmkit_jit_emit_call(buf, function - n, function) == n + CALL_LEN &&
		    !memcmp(buf, function - n, n)), "a call is counted as the kernel counts it");
	TEST(n >= 0 && buf[n] == 0xe8 && target(buf + n, function) == function,
	     "and leads to its target");
	TEST(mmkit_jit_emit_call(buf, FAR_AWAY, function) == -ERANGE,
	     "no call reaches a function that is too far away");
}

static void test_forms(void)
{
	test_return();
	test_jumps();
	test_call();
}

/* Callee-saved registers are saved around a jump through any of them. */
static const u8 save[] = { 0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57 };
static const u8 restore[] = { 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b };
static const u8 jump_pad[] = { 0xf3, 0x0f, 0x1e, 0xfa };

static bool usable(unsigned int reg)
{
	return reg != 4;
}

/* movabs $value,%reg */
static void add_load(unsigned int reg, u64 value)
{
	u8 bytes[2] = { 0x48 | reg >> 3, 0xb8 | (reg & 7) };

	add_bytes(bytes, sizeof(bytes));
	add_bytes(&value, sizeof(value));
}

/* mov %rax,%rdi */
static void add_result_to_argument(void)
{
	add_bytes((const u8 []){ 0x48, 0x89, 0xc7 }, 3);
}
#else
#define NR_REGS		31

static void test_forms(void)
{
	bool refused = true;
	u8 buf[MMKIT_JIT_EMIT_MAX];
	unsigned int reg;

	for (reg = NR_REGS; reg < 300; reg++)
		refused &= mmkit_jit_emit_indirect_jump(buf, buf, reg) == -EINVAL;
	refused &= mmkit_jit_emit_indirect_jump(buf, buf, -1) == -EINVAL;
	TEST(refused, "no other register is taken");
	TEST(mmkit_jit_emit_jump(buf, test_forms, FAR_AWAY) == -ERANGE,
	     "no jump reaches a target that is too far away");
}

/* stp x19, x20, [sp, #-16]! and so on to x29, x30, and back */
static const u32 save[] = {
	0xa9bf53f3, 0xa9bf5bf5, 0xa9bf63f7, 0xa9bf6bf9, 0xa9bf73fb, 0xa9bf7bfd,
};

static const u32 restore[] = {
	0xa8c17bfd, 0xa8c173fb, 0xa8c16bf9, 0xa8c163f7, 0xa8c15bf5, 0xa8c153f3,
};

/* bti jc */
static const u32 jump_pad[] = { 0xd50324df };

/* Register 18 may belong to the platform: to the shadow call stack, for example. */
static bool usable(unsigned int reg)
{
	return reg != 18;
}

/* movz; movk; movk; movk */
static void add_load(unsigned int reg, u64 value)
{
	u32 word, part;

	for (part = 0; part < 4; part++) {
		word = (part ? 0xf2800000U : 0xd2800000U) | part << 21 |
		       (u32)(value >> 16 * part & 0xffff) << 5 | reg;
		add_bytes(&word, sizeof(word));
	}
}

static void add_result_to_argument(void)
{
}
#endif

#define RESULT_REG	0

typedef unsigned long (*generated)(unsigned long argument);

static bool begin(const char *name)
{
	code.text = mmkit_jit_alloc_named(NULL, MAX_CODE, name);
	code.len = 0;
	code.bad = false;
	if (!code.text)
		TEST(false, "there is memory for text");
	return code.text;
}

/* The code as a function, which works when it is called. NULL when something went wrong. */
static generated end(void)
{
	if (code.bad || mmkit_jit_update(code.text, code.buf, code.len))
		return NULL;
	return (generated)code.text;
}

static noinline unsigned long add_seven(unsigned long n)
{
	return n + 7;
}

static void test_calls(void)
{
	generated function;
	int of_kernel, of_module;

	if (!begin("calls"))
		return;
	add(mmkit_jit_emit_prologue(here()));
	of_kernel = mmkit_jit_emit_call(here(), there(), int_sqrt);
	add(of_kernel);
	add_result_to_argument();
	of_module = mmkit_jit_emit_call(here(), there(), add_seven);
	add(of_module);
	add(mmkit_jit_emit_epilogue(here(), there()));
	function = end();
	pr_info("veneer: %d bytes to the kernel, %d bytes to a module %ld MiB away\n", of_kernel,
		of_module, ((long)add_seven - (long)code.text) >> 20);
	TEST(function && function(1764) == 49 && function(100) == 17,
	     "a function of the kernel and one of a module are called, and the result returns");
#ifdef CONFIG_ARM64
	TEST(of_kernel == 4, "a call of the kernel is one instruction");
	TEST(of_module == (abs((long)add_seven - (long)code.text) < SZ_128M - PAGE_SIZE ? 4 : 12),
	     "a call of a module is one only where that reaches");
#endif
	mmkit_jit_free(code.text);
}

/* A call of add_seven(), made as if it were executed at @at. */
static void test_call_at(void *at, int len, const char *text)
{
	generated function;
	int n;

	if (!begin("veneer"))
		return;
	add(mmkit_jit_emit_prologue(here()));
	n = mmkit_jit_emit_call(here(), at ?: there() + 2, add_seven);
	add(n);
	add(mmkit_jit_emit_epilogue(here(), there()));
	function = end();
	TEST(n == len && function && function(35) == 42, text);
	mmkit_jit_free(code.text);
}

/*
 * The long forms, which this module need not be far enough away for. From half-way into
 * an instruction no branch leads to one, while its page is the same. And from the direct
 * map only the address itself does.
 */
static void test_veneers(void)
{
	if (IS_ENABLED(CONFIG_X86_64))
		return;
	test_call_at(NULL, 12, "a call by the distance of pages arrives");
	test_call_at(FAR_AWAY, 20, "a call of any address arrives");
}

/* Returns 1, or 1000 + @reg if the jump through @reg to @label was made. */
static int add_jump_through(unsigned int reg, int label)
{
	code.len = 0;
	add(mmkit_jit_emit_prologue(here()));
	add_bytes(save, sizeof(save));
	add_load(reg, (unsigned long)code.text + label);
	add(mmkit_jit_emit_indirect_jump(here(), there(), reg));
	add_load(RESULT_REG, 1);
	add_bytes(restore, sizeof(restore));
	add(mmkit_jit_emit_epilogue(here(), there()));
	label = code.len;
	add_bytes(jump_pad, sizeof(jump_pad));
	add_load(RESULT_REG, 1000 + reg);
	add_bytes(restore, sizeof(restore));
	add(mmkit_jit_emit_epilogue(here(), there()));
	return label;
}

static void test_each_register(void)
{
	unsigned int reg, tried = 0, arrived = 0;
	generated function;

	for (reg = 0; reg < NR_REGS; reg++) {
		if (!usable(reg) || !begin("register"))
			continue;
		add_jump_through(reg, add_jump_through(reg, 0));
		function = end();
		tried++;
		if (function && function(0) == 1000 + reg)
			arrived++;
		else
			pr_info("the jump through register %u does not arrive\n", reg);
		mmkit_jit_free(code.text);
	}
	TEST(tried == NR_REGS - 1 && arrived == tried, "a jump through each register arrives");
}

static void test_jump(void)
{
	generated function;
	u8 *first, *second;
	int n;

	if (!begin("second"))
		return;
	second = code.text;
	add(mmkit_jit_emit_entry(here()));
	add_load(RESULT_REG, 77);
	add(mmkit_jit_emit_return(here(), there()));
	if (!end() || !begin("first"))
		return;
	first = code.text;
	add(mmkit_jit_emit_entry(here()));
	n = mmkit_jit_emit_nop(here());
	add(n);
	TEST(mmkit_jit_emit_jump(here(), there(), second) == n,
	     "what can become a jump is as long as one");
	add(mmkit_jit_emit_jump(here(), there(), second));
	function = end();
	TEST(function && function(0) == 77, "a jump leads into another object, which returns");
	mmkit_jit_free(first);
	mmkit_jit_free(second);
}

static unsigned long trace[24];
static unsigned int traced;

static noinline unsigned long look_back(unsigned long argument)
{
	traced = stack_trace_save(trace, ARRAY_SIZE(trace), 0);
	return argument + 1;
}

static noinline unsigned long enter_generated(generated function)
{
	unsigned long result = function(1);

	/* Not a jump, which would leave no frame. */
	barrier();
	return result;
}

static bool traced_in(unsigned int nr, const char *name)
{
	char text[128];

	if (nr >= traced)
		return false;
	snprintf(text, sizeof(text), "%ps", (void *)trace[nr]);
	return !strncmp(text, name, strlen(name));
}

static void test_backtrace(void)
{
	unsigned int i, seen = 0;
	generated function;

	if (!begin("backtrace"))
		return;
	add(mmkit_jit_emit_prologue(here()));
	add(mmkit_jit_emit_call(here(), there(), look_back));
	add(mmkit_jit_emit_epilogue(here(), there()));
	function = end();
	TEST(function && enter_generated(function) == 2, "a function of a frame returns");
	for (i = 0; i < traced; i++) {
		unsigned long offset = trace[i] - (unsigned long)code.text;

		if (!seen && traced_in(i, "look_back") && traced_in(i + 2, "enter_generated"))
			seen = i + 1;
		pr_info("trace: %pS%s\n", (void *)trace[i], offset < code.len ? ", generated" : "");
	}
	TEST(seen && trace[seen] - (unsigned long)code.text < code.len,
	     "a stack trace shows the frame, and who called it");
	mmkit_jit_free(code.text);
}

static int __init test_init(void)
{
	test_forms();
	test_calls();
	test_veneers();
	test_each_register();
	test_jump();
	test_backtrace();
	return 0;
}
module_init(test_init);

static void __exit test_exit(void)
{
}
module_exit(test_exit);
