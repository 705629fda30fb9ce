/* (placeholder until the access log lands) */
#ifndef PROXY_ACCESS_LOG_H
#define PROXY_ACCESS_LOG_H
#include "proxy/exchange.h"
#include "proxy/tcp_session.h"
static inline void access_log_exchange(struct worker *w, const struct exchange *x)
{
    (void)w;
    (void)x;
}
static inline void access_log_tcp(struct worker *w, const struct tcp_session *s)
{
    (void)w;
    (void)s;
}
#endif
