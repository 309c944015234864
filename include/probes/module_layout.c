// SPDX-License-Identifier: GPL-2.0-only
/* The memory of a module is a core layout and an init layout. */
#include <linux/module.h>

void *mmkit_probe(struct module *mod);
void *mmkit_probe(struct module *mod)
{
	return (char *)mod->init_layout.base + mod->init_layout.text_size;
}
