/* Post: push on the stack. Open: take the whole stack, turn it round, call each. */
#include "io/mailbox.h"

enum err mailbox_init(struct mailbox *box)
{
    atomic_init(&box->newest, NULL);
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

void mailbox_open(struct mailbox *box)
{
    struct mail *mail, *oldest = NULL;

    sys_event_take(box->event);
    mail = atomic_exchange_explicit(&box->newest, NULL, memory_order_acquire);
    while (mail) {
        struct mail *next = mail->next;

        mail->next = oldest;
        oldest = mail;
        mail = next;
    }
    while (oldest) {
        struct mail *next = oldest->next;

        oldest->open(oldest);
        oldest = next;
    }
}
