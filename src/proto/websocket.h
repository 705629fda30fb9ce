/*
 * The WebSocket handshake over HTTP/1.1 as a proxy needs to see it (RFC 6455 4): whether
 * a request may open a tunnel and whether an answer has opened it. Whether key and
 * accept match is between the two ends. Does not look into frames.
 */
#ifndef PROTO_WEBSOCKET_H
#define PROTO_WEBSOCKET_H

#include "proto/head.h"

/*
 * For a request with HEAD_UPGRADE. 0: a proper handshake. 426: a version other than 13
 * (the answer names it in Sec-WebSocket-Version). 400: anything else wrong: not GET,
 * HTTP/1.0, a body, no key or not one of 16 bytes, fields missing or doubled.
 */
unsigned websocket_check_request(const struct head *head);

/*
 * An answer with status 101: does it open the tunnel that was asked for? False means
 * that the server is not to be trusted: 502 and close.
 */
bool websocket_check_answer(const struct head *head);

#endif
