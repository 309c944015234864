/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Redirects: a call to a function of the kernel runs a function of a module
 * instead, which may sleep where the function it replaces could.
 *
 * A module lists its redirects in one table. The table goes live as a whole or
 * not at all, through one ftrace_ops with IPMODIFY (one owner a function) and
 * PERMANENT (the sysctl kernel.ftrace_enabled cannot switch it off behind our
 * back). A replacement has the prototype of the function it replaces:
 *
 *	MMKIT_REDIRECT_DECLARE(bulk, unsigned long, alloc_pages_bulk, (...));
 *
 *	static noinline unsigned long mmkit_redirect_fn_bulk(...)
 *	{
 *		unsigned long nr;
 *
 *		mmkit_redirect_enter(&rows[BULK]);
 *		nr = mmkit_original(bulk)(...);
 *		mmkit_redirect_leave(&rows[BULK]);
 *		return nr;
 *	}
 *
 * The prototype is also in the modinfo of the module ("redirect:"), so that it
 * can be compared with the type information of a kernel.
 *
 * The original is entered just behind its ftrace call, so that it cannot come
 * back to the replacement, in whatever context and however deep.
 */
#ifndef MMKIT_REDIRECT_H
#define MMKIT_REDIRECT_H

#include <linux/list.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/static_call.h>
#include <linux/stringify.h>
#include <linux/types.h>

struct ftrace_regs;
struct mmkit_redirect_ops;

/**
 * struct mmkit_redirect - one function to replace
 * @name:	 its name in the kernel
 * @proto:	 its C prototype, as text
 * @replacement: what runs instead
 * @wanted:	 does it run in a call with these arguments? NULL: in all. For functions of
 *		 which most calls are to be left alone. Runs in the callback of ftrace: in
 *		 any context, notrace, does not sleep, and sees arguments in registers only
 *		 (6 on x86, 8 on arm64). What it sends on to the original nobody counts or
 *		 waits for, so its answer must depend on the arguments alone
 * @key:	 static call that is set to the original
 * @tramp:	 trampoline of that static call, NULL where there is none
 * @addr:	 entry of the function; looked up by @name unless it is given, which
 *		 only the module that owns the function can do
 * @site:	 its ftrace call
 * @counts:	 per CPU: calls that entered and left the replacement
 */
struct mmkit_redirect {
	const char *name;
	const char *proto;
	void *replacement;
	bool (*wanted)(struct ftrace_regs *fregs);
	struct static_call_key *key;
	void *tramp;
	unsigned long addr;
	unsigned long site;
	struct mmkit_redirect_counts __percpu *counts;
};

/**
 * struct mmkit_redirect_counts - calls of one row on one CPU; only ever grow
 * @entered: calls that entered the replacement
 * @left:    calls that left it; a task may leave on another CPU
 */
struct mmkit_redirect_counts {
	unsigned long entered;
	unsigned long left;
};

/**
 * struct mmkit_redirect_table - the redirects of one module
 * @owner: name of the component, for messages
 * @rows:  the rows
 * @nr:	   number of rows
 * @ops:   belongs to the core, as does @link
 * @link:  in the list of tables
 */
struct mmkit_redirect_table {
	const char *owner;
	struct mmkit_redirect *rows;
	unsigned int nr;
	struct mmkit_redirect_ops *ops;
	struct list_head link;
};

/**
 * MMKIT_REDIRECT_DECLARE() - declare a replacement and the way to its original
 * @id:	  name of the redirect
 * @ret:  return type of the function
 * @func: name of the function in the kernel
 * @args: its arguments, in parentheses
 *
 * The replacement is mmkit_redirect_fn_@id, defined by the module.
 */
#define MMKIT_REDIRECT_DECLARE(id, ret, func, args)			\
	static ret mmkit_redirect_fn_##id args;				\
	static const char mmkit_redirect_name_##id[] = __stringify(func);	\
	static const char mmkit_redirect_proto_##id[] =			\
		__stringify(ret) " " __stringify(args);			\
	MODULE_INFO(redirect, __stringify(ret) " " __stringify(func) __stringify(args)); \
	DEFINE_STATIC_CALL_NULL(mmkit_redirect_##id, mmkit_redirect_fn_##id)

/**
 * MMKIT_REDIRECT_ROW() - initializer of a struct mmkit_redirect
 * @id: name given to MMKIT_REDIRECT_DECLARE()
 */
#define MMKIT_REDIRECT_ROW(id)	MMKIT_REDIRECT_ROW_IF(id, NULL)

/**
 * MMKIT_REDIRECT_ROW_IF() - the same, of a function of which some calls are left alone
 * @id: name given to MMKIT_REDIRECT_DECLARE()
 * @is_wanted: which calls are redirected
 */
#define MMKIT_REDIRECT_ROW_IF(id, is_wanted)				\
	{								\
		.name		= mmkit_redirect_name_##id,		\
		.proto		= mmkit_redirect_proto_##id,		\
		.replacement	= mmkit_redirect_fn_##id,		\
		.wanted		= is_wanted,				\
		.key		= &STATIC_CALL_KEY(mmkit_redirect_##id),	\
		.tramp		= STATIC_CALL_TRAMP_ADDR(mmkit_redirect_##id),	\
	}

/**
 * mmkit_original() - the function that a replacement stands for
 * @id: name given to MMKIT_REDIRECT_DECLARE()
 *
 * Called as the function itself would be: mmkit_original(id)(arguments).
 *
 * Context: inside the replacement, between mmkit_redirect_enter() and
 *	    mmkit_redirect_leave().
 * Return: what can be called.
 */
#define mmkit_original(id)	static_call(mmkit_redirect_##id)

/**
 * mmkit_redirect_enable() - make the redirects of a table live
 * @table: the table
 *
 * All or nothing.
 *
 * Context: process, may sleep.
 * Return: 0; -EOPNOTSUPP when a function is missing, has no ftrace call or
 *	   shares its name; -EBUSY when another owner has replaced one of them
 *	   (a live patch, say) or ftrace is switched off; -ENOMEM; another error
 *	   of register_ftrace_function(), such as -ENODEV after a fault of
 *	   ftrace's own.
 */
int mmkit_redirect_enable(struct mmkit_redirect_table *table);

/**
 * mmkit_redirect_disable() - undo mmkit_redirect_enable()
 * @table: the table, live or not
 *
 * On return no task is inside a replacement: waits for those that sleep there.
 *
 * Context: process, may sleep.
 */
void mmkit_redirect_disable(struct mmkit_redirect_table *table);

/**
 * mmkit_redirect_live() - do calls still come to the replacements of a table?
 * @table: the table
 *
 * ftrace gives up for good after a fault of its own. Who depends on a redirect looks
 * from time to time.
 *
 * Context: any but NMI; the table is not being enabled or disabled.
 * Return: true when every row is hooked.
 */
bool mmkit_redirect_live(const struct mmkit_redirect_table *table);

/**
 * mmkit_redirect_quiesce() - wait for those who are inside a replacement
 * @row: its row, of a table that is live
 *
 * Whoever is inside when this returns 0 has come in after it was called, and sees
 * what the caller has written before.
 *
 * Context: process, may sleep.
 * Return: 0, or -EBUSY when somebody has been inside for ten seconds.
 */
int mmkit_redirect_quiesce(const struct mmkit_redirect *row);

/**
 * mmkit_redirect_enter() - a replacement begins
 * @row: its row
 *
 * First thing in each replacement, before anything that can sleep.
 *
 * Context: any.
 */
static inline void mmkit_redirect_enter(struct mmkit_redirect *row)
{
	this_cpu_inc(row->counts->entered);
}

/**
 * mmkit_redirect_leave() - a replacement is about to return
 * @row: its row
 *
 * Context: any.
 */
static inline void mmkit_redirect_leave(struct mmkit_redirect *row)
{
	this_cpu_inc(row->counts->left);
}

#endif /* MMKIT_REDIRECT_H */
