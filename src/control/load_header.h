/*
 * The load header's way to the steward: slips of workers (proxy/load_slip.h) that arrive,
 * are looked at about once a second for each server, and go back. Who is silent is looked
 * for at the same time.
 */
#ifndef CONTROL_LOAD_HEADER_H
#define CONTROL_LOAD_HEADER_H

struct load_slip;
struct steward;
struct steward_desk;

/* steward_desk.load_said: called on a worker's thread. */
void load_header_said(struct steward_desk *desk, struct load_slip *slip);

/* Once a second. */
void load_header_look(struct steward *steward);

/* When the workers' threads have ended: gives up what the slips hold. */
void load_header_close(struct steward *steward);

#endif
