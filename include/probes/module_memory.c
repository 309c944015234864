// SPDX-License-Identifier: GPL-2.0-only
/* The memory of a module is an array of typed areas. */
#include <linux/module.h>

void *mmkit_probe(struct module *mod);
void *mmkit_probe(struct module *mod)
{
	return mod->mem[MOD_INIT_TEXT].base;
}
