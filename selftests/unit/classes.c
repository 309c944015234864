// SPDX-License-Identifier: GPL-2.0-only
/* Size classes of text: every length there is, against a search through all classes. */
#include "ktap.h"
#include "classes.h"

/* The smallest class with room enough, found by looking at each. */
static unsigned int model_class(size_t len)
{
	unsigned int class = 0;

	while (class < JIT_NR_CLASSES && jit_class_bytes(class) < len)
		class++;
	return class;
}

static void test_lengths(void)
{
	size_t len;

	for (len = 1; len <= JIT_CLASS_MAX_BYTES; len++) {
		unsigned int class = jit_class(len), bytes = jit_class_bytes(class);

		EXPECT(class < JIT_NR_CLASSES, "length %zu has class %u", len, class);
		EXPECT(class == model_class(len), "length %zu has class %u, %u would do", len,
		       class, model_class(len));
		EXPECT(bytes >= len, "length %zu is given %u bytes", len, bytes);
		EXPECT(bytes < len + JIT_ALIGN || bytes - len <= bytes / 5,
		       "length %zu wastes %zu of %u bytes", len, bytes - len, bytes);
	}
}

static void test_classes(void)
{
	unsigned int class;

	EXPECT(jit_class_bytes(0) == JIT_ALIGN, "the first class has %u bytes", jit_class_bytes(0));
	EXPECT(jit_class_bytes(JIT_NR_CLASSES - 1) == JIT_CLASS_MAX_BYTES,
	       "the last class has %u bytes", jit_class_bytes(JIT_NR_CLASSES - 1));
	for (class = 1; class < JIT_NR_CLASSES; class++) {
		EXPECT(jit_class_bytes(class) > jit_class_bytes(class - 1), "class %u is not larger",
		       class);
		EXPECT(jit_class_bytes(class) % JIT_ALIGN == 0, "class %u is not aligned", class);
	}
	EXPECT(jit_class_bytes(jit_class(300)) == 320, "300 bytes take %u",
	       jit_class_bytes(jit_class(300)));
}

static void test_slabs(void)
{
	static const unsigned int shifts[] = { 12, 14, 16 };
	unsigned int class, i;

	for (i = 0; i < 3; i++) {
		for (class = 0; class < JIT_NR_CLASSES; class++) {
			unsigned int bytes = jit_class_bytes(class);
			unsigned int pages = jit_slab_pages(class, shifts[i]);
			unsigned long room = (unsigned long)pages << shifts[i];

			EXPECT(room % bytes == 0, "a slab of class %u has a tail of %lu bytes", class,
			       room % bytes);
			EXPECT(room / bytes >= JIT_MIN_OBJECTS, "a slab of class %u has %lu objects",
			       class, room / bytes);
			EXPECT(pages <= 8, "a slab of class %u has %u pages", class, pages);
		}
	}
}

static const struct ktap_test tests[] = {
	{ "each length from 1 to 8192 has the smallest class that holds it", test_lengths },
	{ "classes grow, by multiples of 16", test_classes },
	{ "slabs have no tail, with pages of 4, 16 and 64 KiB", test_slabs },
};

int main(void)
{
	return ktap_run(tests, ARRAY_SIZE(tests), 1);
}
