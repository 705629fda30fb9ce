/* Short deadlines, so that a world in which all of them are reached lasts a minute. */
#include "rules.h"

struct rules rules;

static uint32_t ms(unsigned low, unsigned high)
{
    return (uint32_t)draw_between(low, high);
}

/* More come than the servers are let have, for long enough that limits are learnt, and
 * nothing but these limits keeps anybody waiting: so it is seen whom a limit holds up. */
static void crowd(void)
{
    rules.is_crowded = true;
    rules.visitors = (unsigned)draw_between(150, 300);
    rules.lasts = draw_between(8, 16) * SECOND;
    rules.drain_begins = UINT64_MAX;
    rules.retries.count = 0;
    rules.hedge_after = 0;
    rules.connections = 0;
    rules.descriptors = 2000;
    rules.memory = (uint64_t)1 << 30;
    rules.queues = rules.adaptive = 100;
    rules.queue_timeout = ms(1000, 5000);
}

void rules_draw(void)
{
    rules = (struct rules){.is_calm = draw_percent(20),
                           .workers = (unsigned)draw_between(1, 3),
                           .visitors = (unsigned)draw_between(10, 50),
                           .lasts = draw_between(2, 8) * SECOND,
                           .descriptors = 2000,
                           .memory = (uint64_t)1 << 30,
                           .grace = ms(500, 5000),
                           .drain_timeout = 3600 * 1000,
                           .drain_begins = UINT64_MAX,
                           .reloads = (unsigned)draw(6),
                           .servers = 2 + (unsigned)draw(3)};
    rules.timeouts = (struct timeouts){
        .connect = ms(300, 2000),
        .request_header = ms(500, 4000),
        .request_body = ms(500, 4000),
        .response = ms(1000, 5000),
        .response_body = ms(500, 4000),
        .client_write = ms(500, 4000),
        .idle = ms(500, 6000),
        .tunnel = ms(1000, 6000),
        .half_closed = ms(500, 6000),
    };
    rules.sizes = (struct sizes){.header_size = 16 * 1024,
                                 .headers = 100,
                                 .uri = 8 * 1024,
                                 .buffer = 64 * 1024,
                                 .body = 8 * 1024 * 1024};
    rules.retries = (struct retries){
        .count = (uint32_t)draw(4),
        .on_errors = RETRY_CONNECT_ERROR | RETRY_RESET_BEFORE_RESPONSE |
                     (draw_percent(30) ? RETRY_RESPONSE_TIMEOUT : 0) |
                     (draw_percent(30) ? RETRY_500 : 0),
        .backoff = draw_percent(50) ? ms(1, 1000) : 0,
        .budget_share = 20,
        .budget_floor = 3,
    };
    rules.hedge_after = draw_percent(50) ? ms(1, 50) : 0;
    rules.slow_client = (struct slow_client){.min_rate = 500, .grace = ms(1000, 3000)};
    rules.keepalive = (struct keepalive){.connections = 1 + (uint32_t)draw(6),
                                         .idle = ms(500, 5000),
                                         .max_requests = ms(1, 1000)};
    if (!rules.is_calm && draw_percent(10))
        rules.descriptors = (unsigned)draw_between(60, 120);
    if (!rules.is_calm && draw_percent(10))
        rules.connections = (unsigned)draw_between(2, 15);
    if (!rules.is_calm && draw_percent(10))
        rules.memory = draw_between(100, 2000) * 1024 * rules.workers;
    if (!rules.is_calm && draw_percent(30))
        rules.drain_timeout = ms(1000, 8000);
    if (!rules.is_calm && draw_percent(40))
        rules.queues = draw_percent(50) ? 100 : 60;
    rules.queue_timeout = ms(200, 3000);
    if (!rules.is_calm && draw_percent(40))
        rules.adaptive = draw_percent(50) ? 100 : 50;
    if (draw_percent(40))
        rules.drain_begins = world.now + draw(rules.lasts);
    if (!rules.is_calm && draw_percent(8))
        crowd();
}

uint64_t rules_all_deadlines(void)
{
    const struct timeouts *t = &rules.timeouts;
    uint32_t tries = rules.retries.count + 1;

    return ns_of(2 * rules.queue_timeout + tries * (t->connect + 2 * t->response) +
                 t->request_header + 2 * t->request_body + t->response_body +
                 t->client_write + t->idle + t->tunnel + t->half_closed +
                 rules.slow_client.grace * 3 + 5000) +
           2 * SLACK;
}
