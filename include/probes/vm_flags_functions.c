// SPDX-License-Identifier: GPL-2.0-only
/* Flags of a mapping are changed by functions. */
#include <linux/mm.h>

void mmkit_probe(struct vm_area_struct *vma);
void mmkit_probe(struct vm_area_struct *vma)
{
	vm_flags_set(vma, VM_DONTDUMP);
	vm_flags_clear(vma, VM_MAYEXEC);
}
