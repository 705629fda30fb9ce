/*
 * The admin server's inside: its gates (listening sockets) and the HTTP/1.1 conversation
 * of one client. One request at a time, everything bounded: clients, head, body, time,
 * and the bytes of answers that nobody has taken yet. What is asked for is decided in
 * admin_endpoint; only admin*.c include this.
 */
#ifndef CONTROL_ADMIN_CLIENT_H
#define CONTROL_ADMIN_CLIENT_H

#include "control/admin.h"
#include "control/conf/scroll.h"
#include "net/conn.h"
#include "proto/chunked.h"
#include "proto/h1_read.h"

enum {
    ADMIN_CLIENTS = 32,                    /* at each gate */
    ADMIN_HEAD_MOST = 8 * 1024,            /* 431 */
    ADMIN_TARGET_MOST = 2 * 1024,          /* 414 */
    ADMIN_FIELDS = 64,                     /* 431 */
    ADMIN_BODY_MOST = 64 * 1024,           /* 413 */
    ADMIN_WAITING_MOST = 64 * 1024 * 1024, /* bytes of answers not yet sent: then 503 */
    ADMIN_ANSWER_HEAD = 512,
    ADMIN_NAMES = 2,       /* in a path */
    ADMIN_NAME_MOST = 512, /* their bytes together */
};

/* The one by which a client came says what it may have. */
enum gate_kind {
    GATE_SOCKET,  /* unix: everything, for those who may */
    GATE_ADDRESS, /* TCP: numbers and health only */
    GATE_COUNT
};

struct gate {
    enum gate_kind kind;
    struct admin *admin;
    struct watch watch;
    struct timer retry; /* accepts again when descriptors had run out */
    struct addr addr;
    bool is_open;
    struct list clients; /* struct client; who is idle longest stands first among idle */
    unsigned client_count;
};

struct admin {
    struct engine *engine;
    struct ports *ports;
    struct admin_house house;
    struct gate gates[GATE_COUNT];
    struct scroll metrics_path; /* empty: no metrics */
    unsigned uid, gid;          /* our own */
    size_t waiting;             /* bytes of answers not yet sent */
};

enum client_state {
    CLIENT_IDLE,   /* between requests, no byte of the next one seen */
    CLIENT_HEAD,   /* reads a head */
    CLIENT_BODY,   /* reads a body, and throws it away where there is no use for one */
    CLIENT_WAIT,   /* for admin_answer */
    CLIENT_ANSWER, /* sends */
    CLIENT_LINGER, /* has said its last and waits for the peer to hear it */
};

struct endpoint;

/* A request as far as the answer must remember it. */
struct demand {
    const struct endpoint *endpoint; /* NULL: refused */
    unsigned status;                 /* of the refusal */
    const char *why;                 /* static words; with a refusal */
    const char *allow;               /* with 405: the methods that are allowed */
    bool is_head;                    /* no body in the answer */
    bool is_http10;
    bool keeps;             /* the connection, after the answer */
    str names[ADMIN_NAMES]; /* what stands for the stars of the endpoint's path */
    char name_memory[ADMIN_NAME_MOST];
};

struct client {
    struct list node; /* gate->clients */
    struct gate *gate;
    struct conn conn;
    struct timer deadline;
    struct deferred again;
    struct chunk *chunk; /* what came and is not yet used */
    enum client_state state;
    bool is_retired; /* its gate has closed */
    bool may_rule;   /* its user may see and change everything */
    unsigned user;   /* its id, at the socket */
    struct h1_reader reader;
    struct demand demand;
    struct chunked chunked;
    bool is_chunked;
    uint64_t body_left;            /* without chunked */
    size_t discarded;              /* bytes of this body, or while lingering */
    struct scroll body;            /* of the request, where the endpoint takes one */
    struct admin_request *request; /* waits in the house; NULL: none */
    struct text answer_head;
    struct scroll answer;
    size_t sent; /* of answer_head and answer together */
    char head_memory[ADMIN_ANSWER_HEAD];
};

/* Takes the descriptor over and serves it. */
void client_begin(struct gate *gate, int fd);

/* At once, whatever it is doing; a waiting request becomes an answer to nobody. */
void client_end(struct client *client);

/* The gate has closed: ends those who are idle, the others after their answer. */
void clients_retire(struct gate *gate);

/* Closes the one that is idle longest; false: all are busy. */
bool clients_make_room(struct gate *gate);

/*
 * Begins the answer with what stands in client->answer as body. `type` is its media type.
 * The bytes go out after return.
 */
void client_answer(struct client *client, unsigned status, str type);

/* An answer of RFC 9457: {"type":"about:blank","title":…,"status":…,"detail":…}. */
void client_refuse(struct client *client, unsigned status, const char *why);

/* What does this head ask for, and may the client have it? Fills client->demand. */
void endpoint_find(struct client *client, const struct head *head);

/* Has the endpoint a use for the request's body? */
bool endpoint_takes_body(const struct endpoint *endpoint);

/* Answers client->demand, or begins to (CLIENT_WAIT). */
void endpoint_run(struct client *client);

/* The client leaves: what it waits for will be an answer to nobody. */
void endpoint_abandon(struct client *client);

#endif
