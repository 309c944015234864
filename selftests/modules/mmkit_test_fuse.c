// SPDX-License-Identifier: GPL-2.0-only
/* Components and their fuse: one WARN, one disarm, also from interrupt context. */
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>

#include <mmkit/component.h>

#include "test.h"

static int disarmed;

static void disarm(struct mmkit_component *comp)
{
	might_sleep();
	disarmed++;
}

static struct mmkit_component comp = {
	.name = "test", .owner = THIS_MODULE, .disarm = disarm,
};

static struct mmkit_component same_name = { .name = "test", .owner = THIS_MODULE };
static struct mmkit_component too_new = { .name = "new", .owner = THIS_MODULE };

static void from_irq(struct irq_work *work)
{
	mmkit_fuse_blow(&comp, "a test blows this fuse on purpose");
	mmkit_fuse_blow(&comp, "a second time must not count");
}

static struct irq_work work;

static int __init test_init(void)
{
	int i, err;

	err = mmkit_component_register(&comp);
	TEST(!err, "a component registers");
	if (err)
		return err;
	TEST(mmkit_component_register(&same_name) == -EEXIST, "its name is taken: -EEXIST");
	TEST(mmkit_component_register_version(&too_new, MMKIT_VERSION "1") == -ENOEXEC,
	     "one of another version is refused: -ENOEXEC");
	mmkit_component_degrade(&comp, "this test wants to see %d reason", 1);
	TEST(!mmkit_fuse_blown(&comp), "the fuse is whole");
	init_irq_work(&work, from_irq);
	irq_work_queue(&work);
	irq_work_sync(&work);
	for (i = 0; i < 200 && !READ_ONCE(disarmed); i++)
		msleep(10);
	TEST(mmkit_fuse_blown(&comp), "the fuse has blown");
	mmkit_fuse_blow(&comp, "a third time must not count either");
	msleep(50);
	TEST(disarmed == 1, "the component was disarmed once");
	return 0;
}
module_init(test_init);

static void __exit test_exit(void)
{
	irq_work_sync(&work);
	mmkit_component_unregister(&comp);
}
module_exit(test_exit);
