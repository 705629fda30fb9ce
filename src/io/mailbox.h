/*
 * The only way threads speak: an intrusive lock-free stack (Treiber 1986) that any
 * thread posts to and one thread takes whole and turns round. Posting is one
 * compare-and-swap, and one eventfd write when the box was empty.
 */
#ifndef IO_MAILBOX_H
#define IO_MAILBOX_H

#include "io/sys.h"

#include <stdatomic.h>

struct mail;
typedef void mail_fn(struct mail *mail);

/* Part of a larger message; the receiver's function frees it. */
struct mail {
    struct mail *next;
    mail_fn *open; /* called on the receiver's thread */
};

struct mailbox {
    _Atomic(struct mail *) newest;
    struct mail *taken; /* the owner's: taken off and not opened yet, oldest first */
    int event;          /* readable when there is mail */
};

MUST_CHECK enum err mailbox_init(struct mailbox *box);
void mailbox_close(struct mailbox *box);

/* From any thread. Mail of one sender arrives in order. */
void mailbox_post(struct mailbox *box, struct mail *mail);

/* On the owner's thread, when `event` is readable: opens all mail, oldest first. */
void mailbox_open(struct mailbox *box);

/* Opens so many at the most. True: there is more, of which `event` may not tell again.
 * The owner takes the event before the first call. */
bool mailbox_open_some(struct mailbox *box, unsigned most);

#endif
