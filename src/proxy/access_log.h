/*
 * One line per exchange and per TCP session, at its end: JSON with the fields of
 * docs/reference/access-log.md, or `combined`. Formatted straight into this worker's ring
 * (io/log_writer); what does not fit there is dropped and counted, nobody waits.
 *
 * What a client sends is escaped and cut at a length, so that no line is torn or forged.
 * Authorization and Cookie are never looked at. Whether there is a log and of which form,
 * the snapshot says.
 */
#ifndef PROXY_ACCESS_LOG_H
#define PROXY_ACCESS_LOG_H

#include "io/log_writer.h"
#include "proxy/exchange.h"
#include "proxy/tcp_session.h"

enum {
    ACCESS_LOG_FRONT = 29, /* bytes of access_log.front */
    ACCESS_LOG_WORDS_MOST =
        2048, /* what access_log_lay_... write; a server's are 1,600 */
};

/* One worker's end of the log. */
struct access_log {
    struct log_ring *ring;
    uint64_t second; /* wall ns: its begin; the two texts below were made for it */
    char front[32];  /* {"time":"2026-11-23T07:51:15. */
    char clf[27];    /* 23/Nov/2026:07:51:15 +0000 */
};

void access_log_init(struct access_log *log, struct log_ring *ring);

/*
 * What every line of a listener, a route or a server says, as it stands in the line:
 * ,"listener":"web". Laid down once where the live object is made (its log_words), in
 * memory that can be read up to the next multiple of PEN_READY bytes (proxy/line_pen).
 */
void access_log_lay_name(struct text *text, const char *key, str name);
void access_log_lay_server(struct text *text, const struct server_live *server);

/*
 * For step_finish, before the attempt is ended. bytes_in and bytes_out: on the client's
 * connection, heads too. Does nothing where worker->access_log is NULL.
 */
void access_log_exchange(struct worker *worker, const struct exchange *x,
                         uint64_t bytes_in, uint64_t bytes_out);

/* For the end of a TCP session, before its target is given back. */
void access_log_tcp(struct worker *worker, const struct tcp_session *session);

#endif
