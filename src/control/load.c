/* The worst of the workers counts. */
#include "control/load.h"

enum { BOARD_LEAST = 64 }; /* with fewer, one connection is too large a share */

void load_begin(struct steward *steward, unsigned most)
{
    unsigned by_files = (unsigned)((uint64_t)sys_file_limit() * 9 / 20);

    most = most < by_files ? most : by_files;
    steward->load.board.most = most >= BOARD_LEAST ? most : 0;
    for (unsigned i = 0; i < steward->worker_count; i++)
        steward->workers[i].pressure.board = &steward->load.board;
}

static str who_is_shed(enum overload_level level)
{
    return level >= OVERLOAD_NORMAL ? STR("all but critical") : STR("low");
}

static void tell(struct steward *steward, bool was_on)
{
    const struct load_account *load = &steward->load;

    if (load->level != OVERLOAD_NONE)
        EVENT(&steward->events, LOG_WARN, "overloaded: requests are turned away",
              {"priority", who_is_shed(load->level)},
              {"reason", str_of(overload_cause_text(load->cause))});
    else if (was_on)
        EVENT(&steward->events, LOG_INFO, "the overload is over", );
    else
        EVENT(&steward->events, LOG_WARN, "was overloaded for a moment", );
}

void load_look(struct steward *steward)
{
    struct load_account *load = &steward->load;
    unsigned worst = 0, episodes = 0;
    bool was_on = load->level != OVERLOAD_NONE, has_changed;

    for (unsigned i = 0; i < steward->worker_count; i++) {
        struct pressure *pressure = &steward->workers[i].pressure;
        unsigned word = atomic_load_explicit(&pressure->word, memory_order_relaxed);

        worst = (word & 0xff) > (worst & 0xff) ? word : worst;
        episodes += atomic_load_explicit(&pressure->episodes, memory_order_relaxed);
    }
    has_changed =
        (worst & 0xff) != load->level || (!was_on && episodes != load->episodes);
    load->level = worst & 0xff;
    load->cause = worst >> 8;
    load->episodes = episodes;
    if (has_changed)
        tell(steward, was_on);
}

struct load_view load_view(const struct steward *steward)
{
    struct load_view view = {.level = steward->load.level, .cause = steward->load.cause};

    for (unsigned i = 0; i < steward->worker_count; i++)
        histogram_sum(&view.loop_time, &steward->workers[i].pressure.loop_time);
    return view;
}
