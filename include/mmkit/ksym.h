/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions and data of the kernel that are not exported.
 *
 * A module lists what it needs in one table, as an X macro, in its private
 * header:
 *
 *	#define FOO_KSYMS(X)						\
 *		X(REQUIRED, void, drain_all_pages, (struct zone *zone),	\
 *		  "free pages on per-CPU lists would be miscounted")
 *
 *	MMKIT_KSYM_DECLARE_TABLE(FOO_KSYMS)
 *
 * and defines it in one of its files with MMKIT_KSYM_DEFINE_TABLE(). After
 * mmkit_ksym_resolve() a function is called as
 *
 *	mmkit_ksym(drain_all_pages)(NULL);
 *
 * On x86 that is a static call, a direct "call rel32". A call through a pointer
 * would die on a CPU with indirect branch tracking: the kernel seals the
 * landing pads of functions that it never calls indirectly itself.
 *
 * The prototype is kept as text in the table and in the modinfo of the module
 * ("symbol:"), so that it can be compared with the type information of a kernel;
 * the compiler cannot do that for a function that no header declares.
 */
#ifndef MMKIT_KSYM_H
#define MMKIT_KSYM_H

#include <linux/list.h>
#include <linux/module.h>
#include <linux/static_call.h>
#include <linux/stringify.h>
#include <linux/types.h>

/* Flags of a row, and what modinfo calls them. */
#define MMKIT_KSYM_REQUIRED	0x1	/* without it the module refuses to load */
#define MMKIT_KSYM_OPTIONAL	0x0
#define MMKIT_KSYM_INFO_REQUIRED "required "
#define MMKIT_KSYM_INFO_OPTIONAL "optional "

/**
 * struct mmkit_ksym - one symbol of a table
 * @name:  name of the symbol in the kernel
 * @proto: C prototype of a function, as text; "data" for a data symbol
 * @lost:  what cannot be done without the symbol, in words
 * @flags: MMKIT_KSYM_REQUIRED or MMKIT_KSYM_OPTIONAL
 * @key:   static call that is set to the address, NULL for data
 * @tramp: trampoline of that static call, NULL where there is none
 * @addr:  address, 0 until resolved or when missing
 * @count: how many symbols of that name there are; only 1 is usable
 */
struct mmkit_ksym {
	const char *name;
	const char *proto;
	const char *lost;
	unsigned int flags;
	struct static_call_key *key;
	void *tramp;
	unsigned long addr;
	unsigned int count;
};

/**
 * struct mmkit_ksym_table - the symbols that one module needs
 * @owner: name of the component, for messages
 * @rows:  the rows
 * @nr:    number of rows
 * @link:  used by the core
 */
struct mmkit_ksym_table {
	const char *owner;
	struct mmkit_ksym *rows;
	unsigned int nr;
	struct list_head link;
};

/**
 * mmkit_ksym() - the function that a row of a table stands for
 * @name: name of the row
 *
 * Called as the function itself would be: mmkit_ksym(name)(arguments). arm64
 * has no static calls and takes a plain pointer here.
 *
 * Context: that of the function; the table is resolved, and an optional row has
 *	    an address (mmkit_ksym_found()).
 * Return: what can be called.
 */
#define mmkit_ksym(name)	static_call(mmkit_ksym_##name)

/* What the lists of MMKIT_KSYM_DECLARE_TABLE() and MMKIT_KSYM_DEFINE_TABLE() become. */
#define MMKIT_KSYM_DECLARE(kind, ret, name, args, lost)			\
	extern ret mmkit_ksym_proto_##name args;			\
	DECLARE_STATIC_CALL(mmkit_ksym_##name, mmkit_ksym_proto_##name);

#define MMKIT_KSYM_DEFINE(kind, ret, name, args, lost)			\
	DEFINE_STATIC_CALL_NULL(mmkit_ksym_##name, mmkit_ksym_proto_##name);	\
	MODULE_INFO(symbol, MMKIT_KSYM_INFO_##kind __stringify(ret) " " #name __stringify(args));

#define MMKIT_KSYM_DATA_DEFINE(kind, name, lost)			\
	MODULE_INFO(symbol, MMKIT_KSYM_INFO_##kind "data " #name);

#define MMKIT_KSYM_ROW(kind, ret, sym, args, text)			\
	{								\
		.name	= #sym,						\
		.proto	= __stringify(ret) " " __stringify(args),		\
		.lost	= text,						\
		.flags	= MMKIT_KSYM_##kind,				\
		.key	= &STATIC_CALL_KEY(mmkit_ksym_##sym),		\
		.tramp	= STATIC_CALL_TRAMP_ADDR(mmkit_ksym_##sym),	\
	},

#define MMKIT_KSYM_DATA_ROW(kind, sym, text)				\
	{								\
		.name	= #sym,						\
		.proto	= "data",					\
		.lost	= text,						\
		.flags	= MMKIT_KSYM_##kind,				\
	},

/**
 * MMKIT_KSYM_DECLARE_TABLE() - make the functions of a list callable
 * @list: X macro of functions: kind (REQUIRED or OPTIONAL), return type, name,
 *	  arguments, what is lost without it
 *
 * For a header of the module, or the file that calls them.
 */
#define MMKIT_KSYM_DECLARE_TABLE(list)	list(MMKIT_KSYM_DECLARE)

/**
 * MMKIT_KSYM_DEFINE_TABLE() - define a table and the static calls of its rows
 * @table:     name of the struct mmkit_ksym_table, which is static
 * @component: name of the component, for messages and debugfs "symbols"
 * @funcs:     the list given to MMKIT_KSYM_DECLARE_TABLE()
 * @data:      X macro of data symbols: kind, name, what is lost without it;
 *	       MMKIT_KSYM_NO_DATA when there are none
 *
 * In one file of the module.
 */
#define MMKIT_KSYM_DEFINE_TABLE(table, component, funcs, data)		\
	funcs(MMKIT_KSYM_DEFINE)					\
	data(MMKIT_KSYM_DATA_DEFINE)					\
	static struct mmkit_ksym table##_rows[] = {			\
		funcs(MMKIT_KSYM_ROW)					\
		data(MMKIT_KSYM_DATA_ROW)				\
	};								\
	static struct mmkit_ksym_table table = {			\
		.owner	= component,					\
		.rows	= table##_rows,					\
		.nr	= ARRAY_SIZE(table##_rows),			\
	}

/* An empty list of data symbols. */
#define MMKIT_KSYM_NO_DATA(X)

/**
 * struct mmkit_text_range - the text of one function
 * @start: first byte
 * @end:   one past the last byte
 */
struct mmkit_text_range {
	unsigned long start;
	unsigned long end;
};

/**
 * mmkit_ksym_resolve() - find the symbols of a table and set its static calls
 * @table: the table; its rows are filled in
 *
 * A row is resolved only when exactly one symbol of the kernel has its name.
 * When a required row is missing nothing is kept, and one message names the
 * symbol, the kernel release and the consequence.
 *
 * Context: process, may sleep (patches text); not under a lock that is taken
 *	    inside CPU or memory hotplug.
 * Return: 0, or -EOPNOTSUPP when a required symbol is missing.
 */
int mmkit_ksym_resolve(struct mmkit_ksym_table *table);

/**
 * mmkit_ksym_release() - forget a table that was resolved
 * @table: the table; calling through it is not allowed any more
 *
 * Context: process, may sleep.
 */
void mmkit_ksym_release(struct mmkit_ksym_table *table);

/**
 * mmkit_ksym_found() - does a row of a resolved table have an address?
 * @table: the table
 * @name:  name of the row
 *
 * Context: any.
 * Return: the address, 0 when the symbol is missing or no such row exists.
 */
unsigned long mmkit_ksym_found(const struct mmkit_ksym_table *table, const char *name);

/**
 * mmkit_ksym_text_ranges() - where the text of the named functions lies
 * @names:  function names; a name also stands for its "_noprof" twin and for
 *	    the parts that the compiler split off ("name.cold", "name.part.0")
 * @nr:	    number of names
 * @ranges: receives the ranges, sorted by address
 * @max:    room in @ranges
 *
 * Names that the kernel does not have are left out: what they do is then
 * inlined elsewhere.
 *
 * Context: process, may sleep.
 * Return: number of ranges, -ENOSPC when @max is too small, or -ENOMEM.
 */
int mmkit_ksym_text_ranges(const char * const *names, unsigned int nr,
			   struct mmkit_text_range *ranges, unsigned int max);

#endif /* MMKIT_KSYM_H */
