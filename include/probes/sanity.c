// SPDX-License-Identifier: GPL-2.0-only
/* Must compile everywhere: proof that "no" from another probe means no. */
#include <linux/module.h>
#include <linux/mm.h>
#include <linux/kprobes.h>
#include <linux/tracepoint.h>

int mmkit_probe(struct page *page);
int mmkit_probe(struct page *page)
{
	return page_to_nid(page);
}
MODULE_LICENSE("GPL");
