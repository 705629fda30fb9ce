/*
 * Small texts that are given to a stranger and must come back as they were, unread: sealed
 * with AES-256-GCM (GnuTLS) under a key of a ring. The newest key seals, those before it
 * still open. A sealed text is
 *
 *     mark of the key (1 byte), nonce (12, by chance), text, tag (16)
 *
 * The mark spares trying keys that it cannot be; it tells nothing of the key. With nonces
 * by chance one key may seal 2^32 texts before two of them are likely to share one (one
 * chance in 2^32, NIST SP 800-38D 8.3), which is why keys rotate.
 */
#ifndef NET_SEAL_H
#define NET_SEAL_H

#include "base/err.h"
#include "base/str.h"

#include <stdatomic.h>

enum {
    SEAL_KEY_SIZE = 32,
    SEAL_NONCE_SIZE = 12,
    SEAL_TAG_SIZE = 16,
    SEAL_OVERHEAD = 1 + SEAL_NONCE_SIZE + SEAL_TAG_SIZE,
    SEAL_TEXT_MOST = 256,
    SEAL_KEYS_MOST = 64,
    SEAL_KEYS_USED = 48, /* the newest; the others' places are about to be taken */
    SEALER_KEYS = 8,
};

struct seal_key {
    uint64_t id; /* no two keys of a process share one */
    unsigned char bytes[SEAL_KEY_SIZE];
    unsigned char mark;
};

/* One thread adds, any may seal and open at the same time. */
struct seal_ring {
    _Atomic(unsigned) added;
    struct seal_key keys[SEAL_KEYS_MOST];
};

struct api_aead_cipher_hd_st; /* of GnuTLS: a key made ready */

/*
 * What one thread seals and opens with: a few keys, made ready at their first use and kept,
 * for that costs more than the sealing. Zeroed, it is ready.
 */
struct sealer {
    uint64_t ids[SEALER_KEYS]; /* 0: an empty place */
    struct api_aead_cipher_hd_st *handles[SEALER_KEYS];
};

void sealer_close(struct sealer *sealer);

/* The key becomes the newest one. */
void seal_ring_add(struct seal_ring *ring, const unsigned char key[SEAL_KEY_SIZE]);

/* A key made of a secret of any length; the same secret is the same key everywhere. */
void seal_ring_add_secret(struct seal_ring *ring, str secret);

/*
 * Which keys they are, in one number: another one after a key was added, and in any other
 * ring of the process, one made later in the same memory too. 0: none.
 */
uint64_t seal_ring_state(const struct seal_ring *ring);

/*
 * Writes text.n + SEAL_OVERHEAD bytes; text.n at most SEAL_TEXT_MOST. purpose: what it is
 * for; it opens for nothing else. Not with an empty ring. ERR_NO_MEMORY.
 */
MUST_CHECK enum err seal_close(struct sealer *sealer, const struct seal_ring *ring,
                               str purpose, str text, unsigned char *out);

/*
 * Writes sealed.n - SEAL_OVERHEAD bytes. ERR_INVALID: not sealed by a key of the ring, for
 * another purpose, or changed since. *is_old: not by the newest key.
 */
MUST_CHECK enum err seal_open(struct sealer *sealer, const struct seal_ring *ring,
                              str purpose, str sealed, unsigned char *out, bool *is_old);

#endif
