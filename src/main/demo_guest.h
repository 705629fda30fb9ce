/* One connection to a server of the demo; only demo_origin.c includes this. */
#ifndef MAIN_DEMO_GUEST_H
#define MAIN_DEMO_GUEST_H

#include "main/demo_origin.h"

enum { ASK_MOST = 8192, TOLD_MOST = 4096 };

struct demo_guest {
    struct list node; /* door->guests */
    struct watch watch;
    struct demo_door *door;
    size_t asked, told, told_at; /* bytes in the two buffers */
    bool is_leaving;             /* after what is told */
    char ask[ASK_MOST], tell[TOLD_MOST];
};

/* Begins a connection that was accepted; closes it where there is no room. */
void demo_guest_begin(struct demo_door *door, int fd);

void demo_guest_free(struct demo_guest *guest);

/* Closes the door and all its connections, and opens it again later. In demo_origin.c. */
void demo_door_leave(struct demo_door *door, unsigned seconds);

#endif
