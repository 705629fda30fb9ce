/*
 * Workers have a pointer to a closure each, which is built anew with every change and
 * freed when all of them have the next one. Nothing else is shared.
 */
#include "control/maintenance.h"

#include "base/check.h"
#include "control/publish.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- what holds now ---- */

static const struct maintenance *of_file(const struct steward *steward)
{
    return &steward->current->maintenance;
}

static bool is_on(const struct steward *steward)
{
    const struct maintenance_order *order = steward->upkeep.order;

    return order ? order->is_enabled : of_file(steward)->is_enabled;
}

/* Where an order is silent the file speaks. */
static struct closure closure_now(const struct steward *steward)
{
    const struct maintenance_order *order = steward->upkeep.order;
    const struct maintenance *file = of_file(steward);
    struct closure closure = {file->page, file->except};

    if (order && order->has_page)
        closure.page = order->page;
    if (order && order->has_except)
        closure.except = order->except;
    return closure;
}

static void publish(struct steward *steward)
{
    struct closure now = closure_now(steward), *copy = NULL;

    if (is_on(steward)) {
        copy = calloc(1, sizeof *copy);
        CHECK(copy != NULL);
        *copy = (struct closure){str_own(now.page), prefixes_copy(&now.except)};
    }
    if (copy || steward->upkeep.published)
        publish_closure(steward, copy);
}

void closure_free(struct closure *closure)
{
    if (!closure)
        return;
    str_disown(closure->page);
    prefixes_free(&closure->except);
    free(closure);
}

/* ---- orders ---- */

static void order_free(struct maintenance_order *order)
{
    if (!order)
        return;
    str_disown(order->page);
    str_disown(order->reason);
    str_disown(order->file.page);
    prefixes_free(&order->file.except);
    prefixes_free(&order->except);
    free(order);
}

static void forget_order(struct steward *steward)
{
    order_free(steward->upkeep.order);
    steward->upkeep.order = NULL;
}

static void remember_order(struct steward *steward, const struct maintenance_patch *patch)
{
    struct maintenance_order *order = calloc(1, sizeof *order);
    const struct maintenance *file = of_file(steward);

    CHECK(order != NULL);
    *order = (struct maintenance_order){
        .is_enabled = patch->is_enabled,
        .has_page = patch->page.n > 0,
        .has_except = patch->except.count > 0,
        .page = str_own(patch->page),
        .except = prefixes_copy(&patch->except),
        .reason = str_own(patch->reason),
        .by = patch->by,
        .file = {file->is_enabled, str_own(file->page), prefixes_copy(&file->except)},
    };
    forget_order(steward);
    steward->upkeep.order = order;
}

static bool is_same(const struct maintenance *a, const struct maintenance *b)
{
    return a->is_enabled == b->is_enabled && str_eq(a->page, b->page) &&
           prefixes_eq(&a->except, &b->except);
}

/* ---- telling ---- */

/* Something has changed; was it on before? */
static void tell(struct steward *steward, bool was_on)
{
    const struct maintenance_order *order = steward->upkeep.order;
    struct closure closure = closure_now(steward);
    char by[24] = "the file";

    if (order)
        snprintf(by, sizeof by, "uid %u", order->by);
    if (is_on(steward) != was_on)
        steward->upkeep.since = sys_wall();
    if (is_on(steward))
        EVENT(&steward->events, LOG_WARN,
              was_on ? "maintenance has changed" : "maintenance has begun",
              {"by", str_of(by)}, {"page", closure.page.n ? closure.page : STR("-")},
              {"reason", order ? order->reason : STR("")});
    else if (was_on)
        EVENT(&steward->events, LOG_INFO, "maintenance has ended", {"by", str_of(by)},
              {"reason", order ? order->reason : STR("")});
}

struct maintenance_view maintenance_view(const struct steward *steward)
{
    const struct maintenance_order *order = steward->upkeep.order;
    struct closure closure = closure_now(steward);

    return (struct maintenance_view){
        .is_on = is_on(steward),
        .is_ordered = order != NULL,
        .by = order ? order->by : 0,
        .reason = order ? order->reason : STR(""),
        .page = closure.page,
        .except_count = closure.except.count,
        .since = steward->upkeep.since,
    };
}

/* ---- what changes it ---- */

void maintenance_apply(struct steward *steward)
{
    struct upkeep *upkeep = &steward->upkeep;
    bool was_on = upkeep->published != NULL;

    if (upkeep->order && !is_same(&upkeep->order->file, of_file(steward))) {
        EVENT(&steward->events, LOG_WARN,
              "the file has a new word on maintenance: it replaces the order",
              {"ordered", upkeep->order->is_enabled ? STR("on") : STR("off")},
              {"file", of_file(steward)->is_enabled ? STR("on") : STR("off")});
        forget_order(steward);
    }
    if (is_on(steward) != was_on)
        tell(steward, was_on);
    publish(steward);
}

static bool has_page(const struct snapshot *snapshot, str name)
{
    for (unsigned i = 0; i < snapshot->pages.count; i++)
        if (str_eq(snapshot->pages.items[i].name, name))
            return true;
    return false;
}

static unsigned refuse_page(const struct steward *steward, str name,
                            struct scroll *answer)
{
    const struct page_book *pages = &steward->current->pages;

    scroll_format(answer, "there is no page '" STR_FMT "'", STR_ARG(name));
    for (unsigned i = 0; i < pages->count; i++)
        scroll_format(answer, "%s" STR_FMT,
                      i ? ", " : "; there are: ", STR_ARG(pages->items[i].name));
    return 404;
}

unsigned maintenance_put(struct steward *steward, const struct maintenance_patch *patch,
                         struct scroll *answer)
{
    bool was_on = steward->upkeep.published != NULL;
    struct maintenance_view view;

    if (patch->page.n && !has_page(steward->current, patch->page))
        return refuse_page(steward, patch->page, answer);
    remember_order(steward, patch);
    tell(steward, was_on);
    if (patch->is_enabled == of_file(steward)->is_enabled && !patch->page.n &&
        !patch->except.count)
        forget_order(steward); /* all as the file says */
    publish(steward);
    view = maintenance_view(steward);
    scroll_format(answer, "{\"enabled\":%s,\"page\":", view.is_on ? "true" : "false");
    scroll_json(answer, view.page);
    scroll_format(answer, ",\"exceptions\":%u}\n", view.except_count);
    return 200;
}

void maintenance_close(struct steward *steward)
{
    forget_order(steward);
    closure_free(steward->upkeep.published);
    steward->upkeep.published = NULL;
}
