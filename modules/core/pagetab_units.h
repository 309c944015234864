/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arithmetic of side tables: how sections of pages fall into units of table
 * memory. No kernel interface is used here; the unit tests build it as it is.
 */
#ifndef MMKIT_PAGETAB_UNITS_H
#define MMKIT_PAGETAB_UNITS_H

/**
 * struct mmkit_pagetab_geometry - layout of one table
 * @entry_shift:       an entry has 2^@entry_shift bytes
 * @sections_per_unit: sections that share a unit, a power of two
 * @pages_per_unit:    pages of table memory in a unit
 */
struct mmkit_pagetab_geometry {
	unsigned int entry_shift;
	unsigned long sections_per_unit;
	unsigned long pages_per_unit;
};

/* A section has 2^@section_shift pages. Returns 0 or -EINVAL. */
static inline int mmkit_pagetab_geometry_init(struct mmkit_pagetab_geometry *geo,
					      unsigned int entry_bytes,
					      unsigned int section_shift,
					      unsigned int page_shift)
{
	unsigned int shift = 0;

	if (!entry_bytes || entry_bytes > 8 || (entry_bytes & (entry_bytes - 1)))
		return -EINVAL;
	while (1U << shift < entry_bytes)
		shift++;
	geo->entry_shift = shift;
	shift += section_shift;
	if (shift >= page_shift) {
		geo->sections_per_unit = 1;
		geo->pages_per_unit = 1UL << (shift - page_shift);
	} else {
		geo->sections_per_unit = 1UL << (page_shift - shift);
		geo->pages_per_unit = 1;
	}
	return geo->sections_per_unit <= 8 * sizeof(long) ? 0 : -EINVAL;
}

/* The unit that a section falls into. */
static inline unsigned long mmkit_pagetab_unit(const struct mmkit_pagetab_geometry *geo,
					       unsigned long section)
{
	return section / geo->sections_per_unit;
}

/* The bit that stands for a section within its unit. */
static inline unsigned long mmkit_pagetab_section_bit(const struct mmkit_pagetab_geometry *geo,
						      unsigned long section)
{
	return 1UL << (section % geo->sections_per_unit);
}

#endif /* MMKIT_PAGETAB_UNITS_H */
