/* Post: push on the stack. Open: take the whole stack, turn it round, call one by one. */
#include "io/mailbox.h"

#include <limits.h>

enum err mailbox_init(struct mailbox *box)
{
    atomic_init(&box->newest, NULL);
    box->taken = NULL;
    return sys_event_new(&box->event);
}

void mailbox_close(struct mailbox *box)
{
    sys_close(box->event);
}

void mailbox_post(struct mailbox *box, struct mail *mail)
{
    struct mail *newest = atomic_load_explicit(&box->newest, memory_order_relaxed);

    do
        mail->next = newest;
    while (!atomic_compare_exchange_weak_explicit(
        &box->newest, &newest, mail, memory_order_release, memory_order_relaxed));
    if (!newest)
        sys_event_post(box->event);
}

/* The stack, turned round. */
static struct mail *take_all(struct mailbox *box)
{
    struct mail *mail, *oldest = NULL;

    mail = atomic_exchange_explicit(&box->newest, NULL, memory_order_acquire);
    while (mail) {
        struct mail *next = mail->next;

        mail->next = oldest;
        oldest = mail;
        mail = next;
    }
    return oldest;
}

bool mailbox_open_some(struct mailbox *box, unsigned most)
{
    for (unsigned i = 0; i < most; i++) {
        struct mail *mail = box->taken ? box->taken : take_all(box);

        if (!mail)
            return false;
        box->taken = mail->next;
        mail->open(mail);
    }
    return box->taken || atomic_load_explicit(&box->newest, memory_order_relaxed);
}

void mailbox_open(struct mailbox *box)
{
    sys_event_take(box->event);
    while (mailbox_open_some(box, UINT_MAX))
        ;
}
