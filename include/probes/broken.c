// SPDX-License-Identifier: GPL-2.0-only
/* Must not compile: proof that the compiler really looks at the probes. */
#include <linux/module.h>
#include <linux/kallsyms.h>

long (*mmkit_probe)(struct module *) = kallsyms_lookup_name;
