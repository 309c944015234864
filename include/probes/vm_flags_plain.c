// SPDX-License-Identifier: GPL-2.0-only
/* Flags of a mapping are a member that can be written. */
#include <linux/mm.h>

void mmkit_probe(struct vm_area_struct *vma);
void mmkit_probe(struct vm_area_struct *vma)
{
	vma->vm_flags |= VM_DONTDUMP;
}
