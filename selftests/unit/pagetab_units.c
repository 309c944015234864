// SPDX-License-Identifier: GPL-2.0-only
/*
 * How sections fall into units of a side table, against a plain model: the
 * table is one long run of bytes, a section's entries lie at its number times
 * their size, and a unit is so many whole pages of that run.
 */
#include "ktap.h"
#include "pagetab_units.h"

static const struct machine {
	const char *name;
	unsigned int section_shift, page_shift;
} machines[] = {
	{ "4K pages, 128M sections", 27 - 12, 12 },
	{ "16K pages, 128M sections", 27 - 14, 14 },
	{ "64K pages, 512M sections", 29 - 16, 16 },
	{ "4K pages, 1G sections", 30 - 12, 12 },
};

static void check_section(const struct mmkit_pagetab_geometry *geo, const struct machine *machine,
			  unsigned int entry_bytes, unsigned long section)
{
	u64 page = 1ULL << machine->page_shift;
	u64 bytes = ((u64)entry_bytes) << machine->section_shift;
	u64 first = section * bytes, last = first + bytes - 1;
	u64 unit_bytes = geo->pages_per_unit * page;
	unsigned long unit = mmkit_pagetab_unit(geo, section);
	unsigned long bit = mmkit_pagetab_section_bit(geo, section);

	EXPECT(first / unit_bytes == unit, "%s, entry %u: section %lu", machine->name, entry_bytes,
	       section);
	EXPECT(last / unit_bytes == unit, "%s, entry %u: section %lu crosses a unit",
	       machine->name, entry_bytes, section);
	EXPECT(bit && !(bit & (bit - 1)), "%s, entry %u: section %lu has bits %#lx", machine->name,
	       entry_bytes, section, bit);
	EXPECT(bit == 1UL << ((first % unit_bytes) / bytes), "%s, entry %u: section %lu has bit %#lx",
	       machine->name, entry_bytes, section, bit);
}

/* The sections of a unit have different bits and leave no byte of it over. */
static void check_unit(const struct mmkit_pagetab_geometry *geo, const struct machine *machine,
		       unsigned int entry_bytes, unsigned long unit)
{
	u64 bytes = ((u64)entry_bytes) << machine->section_shift;
	unsigned long section = unit * geo->sections_per_unit, bits = 0, i;

	for (i = 0; i < geo->sections_per_unit; i++) {
		unsigned long bit = mmkit_pagetab_section_bit(geo, section + i);

		EXPECT(mmkit_pagetab_unit(geo, section + i) == unit, "%s: section %lu",
		       machine->name, section + i);
		EXPECT(!(bits & bit), "%s: two sections of unit %lu share %#lx", machine->name,
		       unit, bit);
		bits |= bit;
	}
	EXPECT(geo->sections_per_unit * bytes == geo->pages_per_unit << machine->page_shift,
	       "%s, entry %u: %lu sections in %lu pages", machine->name, entry_bytes,
	       geo->sections_per_unit, geo->pages_per_unit);
}

static void every_section_in_one_unit(void)
{
	unsigned int m, entry;
	unsigned long i;

	for (m = 0; m < ARRAY_SIZE(machines); m++) {
		for (entry = 1; entry <= 8; entry *= 2) {
			const struct machine *machine = &machines[m];
			struct mmkit_pagetab_geometry geo;
			/* 52 bits of physical address space and what is below */
			unsigned long all = 1UL << (52 - machine->page_shift - machine->section_shift);

			EXPECT(!mmkit_pagetab_geometry_init(&geo, entry, machine->section_shift,
							    machine->page_shift),
			       "%s, entry %u", machine->name, entry);
			EXPECT(1U << geo.entry_shift == entry, "entry %u", entry);
			for (i = 0; i < 100000 && i < all; i++)
				check_section(&geo, machine, entry, i);
			for (i = 1; i < 1000; i++)
				check_section(&geo, machine, entry, all - i);
			for (i = 0; i < 1000; i++) {
				check_section(&geo, machine, entry, random_below(all));
				check_unit(&geo, machine, entry, i);
			}
		}
	}
}

/* Sections that are much smaller than a page of the table, as no kernel has them today. */
static void many_sections_share_a_unit(void)
{
	struct mmkit_pagetab_geometry geo;
	struct machine machine = { "small sections", 0, 12 };
	unsigned long i;

	for (machine.section_shift = 6; machine.section_shift < 12; machine.section_shift++) {
		EXPECT(!mmkit_pagetab_geometry_init(&geo, 1, machine.section_shift, 12),
		       "section shift %u", machine.section_shift);
		EXPECT(geo.pages_per_unit == 1, "section shift %u", machine.section_shift);
		for (i = 0; i < 10000; i++)
			check_section(&geo, &machine, 1, i);
		for (i = 0; i < 100; i++)
			check_unit(&geo, &machine, 1, i);
	}
	EXPECT(mmkit_pagetab_geometry_init(&geo, 1, 5, 12) == -EINVAL,
	       "128 sections have no bits in a long");
}

static void odd_entry_sizes_are_refused(void)
{
	struct mmkit_pagetab_geometry geo;
	unsigned int entry;

	for (entry = 0; entry < 100000; entry++) {
		bool good = entry == 1 || entry == 2 || entry == 4 || entry == 8;

		EXPECT(mmkit_pagetab_geometry_init(&geo, entry, 15, 12) == (good ? 0 : -EINVAL),
		       "entry %u", entry);
	}
	for (entry = 16; entry; entry *= 2)
		EXPECT(mmkit_pagetab_geometry_init(&geo, entry, 15, 12) == -EINVAL, "entry %u", entry);
	EXPECT(mmkit_pagetab_geometry_init(&geo, ~0u, 15, 12) == -EINVAL, "largest");
}

static const struct ktap_test tests[] = {
	{ "every section lies in one unit and has one bit there", every_section_in_one_unit },
	{ "many sections share a unit, up to the bits of a long", many_sections_share_a_unit },
	{ "entry sizes other than 1, 2, 4 and 8 are refused", odd_entry_sizes_are_refused },
};

int main(void)
{
	return ktap_run(tests, ARRAY_SIZE(tests), 20231);
}
