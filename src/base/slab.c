/* Free lists over pages of 64 KiB (or eight items, where items are large). */
#include "base/slab.h"

#include "base/check.h"

#include <stdlib.h>

struct slab_item {
    struct slab_item *next;
};

struct slab_page {
    struct slab_page *next;
    CACHE_ALIGNED char items[];
};

enum { PAGE_BYTES = 65536, LEAST_PER_PAGE = 8 };

void slab_init(struct slab *slab, const char *name, size_t item_size)
{
    size_t rounded = (item_size + 15) & ~(size_t)15;

    *slab = (struct slab){.name = name, .item_size = rounded};
    slab->per_page = PAGE_BYTES / rounded;
    if (slab->per_page < LEAST_PER_PAGE)
        slab->per_page = LEAST_PER_PAGE;
}

static void add_page(struct slab *slab)
{
    size_t size = sizeof(struct slab_page) + slab->per_page * slab->item_size;
    struct slab_page *page =
        aligned_alloc(CACHE_LINE, (size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1));

    if (!page)
        check_failed(__FILE__, __LINE__, "the system has memory left");
    page->next = slab->pages;
    slab->pages = page;
    __atomic_store_n(&slab->held, slab->held + size, __ATOMIC_RELAXED);
    for (size_t i = slab->per_page; i-- > 0;) {
        struct slab_item *item = (void *)(page->items + i * slab->item_size);

        item->next = slab->free;
        slab->free = item;
        MEMORY_POISON(item, slab->item_size);
    }
    CHECK(slab->free); /* per_page is at least LEAST_PER_PAGE */
}

void *slab_take(struct slab *slab)
{
    struct slab_item *item;

    if (unlikely(!slab->free))
        add_page(slab);
    item = slab->free;
    MEMORY_UNPOISON(item, slab->item_size);
    slab->free = item->next;
    slab->in_use++;
    return item;
}

void slab_give(struct slab *slab, void *given)
{
    struct slab_item *item = given;

    CHECK(slab->in_use > 0);
    slab->in_use--;
    item->next = slab->free;
    slab->free = item;
    MEMORY_POISON(item, slab->item_size);
}

void slab_close(struct slab *slab)
{
    struct slab_page *page = slab->pages;

    CHECK(slab->in_use == 0);
    while (page) {
        struct slab_page *next = page->next;

        MEMORY_UNPOISON(page->items, slab->per_page * slab->item_size);
        free(page);
        page = next;
    }
    *slab = (struct slab){0};
}
