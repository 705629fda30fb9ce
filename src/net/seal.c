/*
 * A handle (a key made ready) is kept by the thread that made it, for threads may not share
 * one. It stands for its key by a number that no other key of the process has, so it can
 * not be taken for the key of another ring, whatever lies where that ring was. The
 * library's own beginning is put off until the first key comes, so that whoever seals
 * nothing does not pay for it.
 */
#include "net/seal.h"

#include "base/check.h"
#include "io/sys.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

GNUTLS_SKIP_GLOBAL_INIT

static const gnutls_cipher_algorithm_t cipher = GNUTLS_CIPHER_AES_256_GCM;

static void begin_library(void)
{
    static bool has_begun; /* the thread that adds keys */

    if (!has_begun)
        CHECK(gnutls_global_init() == GNUTLS_E_SUCCESS);
    has_begun = true;
}

static void digest(str label, str bytes, unsigned char out[32])
{
    gnutls_hmac_hd_t hmac;

    CHECK(gnutls_hmac_init(&hmac, GNUTLS_MAC_SHA256, label.p, label.n) == 0);
    CHECK(gnutls_hmac(hmac, bytes.p, bytes.n) == 0);
    gnutls_hmac_deinit(hmac, out);
}

void seal_ring_add(struct seal_ring *ring, const unsigned char key[SEAL_KEY_SIZE])
{
    unsigned added = atomic_load_explicit(&ring->added, memory_order_relaxed);
    struct seal_key *place = &ring->keys[added % SEAL_KEYS_MOST];
    static uint64_t last_id; /* the thread that adds keys */
    unsigned char mark[32];

    begin_library();
    place->id = ++last_id;
    digest(STR("weir seal mark"), (str){(const char *)key, SEAL_KEY_SIZE}, mark);
    memcpy(place->bytes, key, SEAL_KEY_SIZE);
    place->mark = mark[0];
    atomic_store_explicit(&ring->added, added + 1, memory_order_release);
}

void seal_ring_add_secret(struct seal_ring *ring, str secret)
{
    unsigned char key[SEAL_KEY_SIZE];

    begin_library();
    digest(STR("weir seal key"), secret, key);
    seal_ring_add(ring, key);
    gnutls_memset(key, 0, sizeof key);
}

uint64_t seal_ring_state(const struct seal_ring *ring)
{
    unsigned added = atomic_load_explicit(&ring->added, memory_order_acquire);

    return added ? ring->keys[(added - 1) % SEAL_KEYS_MOST].id : 0;
}

/* ---- keys made ready ---- */

static void drop(struct sealer *sealer, unsigned place)
{
    if (sealer->ids[place])
        gnutls_aead_cipher_deinit(sealer->handles[place]);
    sealer->ids[place] = 0;
}

void sealer_close(struct sealer *sealer)
{
    for (unsigned place = 0; place < SEALER_KEYS; place++)
        drop(sealer, place);
}

static NEVER_INLINE enum err make_ready(struct sealer *sealer, unsigned place,
                                        const struct seal_key *key)
{
    gnutls_datum_t datum = {(unsigned char *)(uintptr_t)key->bytes, SEAL_KEY_SIZE};

    drop(sealer, place);
    if (gnutls_aead_cipher_init(&sealer->handles[place], cipher, &datum))
        return ERR_NO_MEMORY;
    sealer->ids[place] = key->id;
    return ERR_OK;
}

/* Ids count up, so keys that follow each other do not take each other's place. */
static enum err ready(struct sealer *sealer, const struct seal_key *key,
                      gnutls_aead_cipher_hd_t *handle)
{
    unsigned place = key->id % SEALER_KEYS;
    enum err e = ERR_OK;

    if (unlikely(sealer->ids[place] != key->id))
        e = make_ready(sealer, place, key);
    *handle = sealer->handles[place];
    return e;
}

enum err seal_close(struct sealer *sealer, const struct seal_ring *ring, str purpose,
                    str text, unsigned char *out)
{
    unsigned added = atomic_load_explicit(&ring->added, memory_order_acquire);
    const struct seal_key *key = &ring->keys[(added - 1) % SEAL_KEYS_MOST];
    size_t size = text.n + SEAL_TAG_SIZE;
    gnutls_aead_cipher_hd_t handle;
    enum err e;

    CHECK(added > 0 && text.n <= SEAL_TEXT_MOST);
    if ((e = ready(sealer, key, &handle)))
        return e;
    out[0] = key->mark;
    sys_random(out + 1, SEAL_NONCE_SIZE);
    if (gnutls_aead_cipher_encrypt(handle, out + 1, SEAL_NONCE_SIZE, purpose.p, purpose.n,
                                   SEAL_TAG_SIZE, text.p, text.n,
                                   out + 1 + SEAL_NONCE_SIZE, &size))
        return ERR_NO_MEMORY;
    return ERR_OK;
}

static enum err open_with(struct sealer *sealer, const struct seal_key *key, str purpose,
                          str sealed, unsigned char *out)
{
    str rest = str_from(sealed, 1 + SEAL_NONCE_SIZE);
    size_t size = rest.n - SEAL_TAG_SIZE;
    gnutls_aead_cipher_hd_t handle;
    enum err e = ready(sealer, key, &handle);

    if (e)
        return e;
    if (gnutls_aead_cipher_decrypt(handle, sealed.p + 1, SEAL_NONCE_SIZE, purpose.p,
                                   purpose.n, SEAL_TAG_SIZE, rest.p, rest.n, out, &size))
        return ERR_INVALID;
    return ERR_OK;
}

enum err seal_open(struct sealer *sealer, const struct seal_ring *ring, str purpose,
                   str sealed, unsigned char *out, bool *is_old)
{
    unsigned added = atomic_load_explicit(&ring->added, memory_order_acquire);

    *is_old = false;
    if (sealed.n < SEAL_OVERHEAD || sealed.n > SEAL_TEXT_MOST + SEAL_OVERHEAD)
        return ERR_INVALID;
    for (unsigned back = 1; back <= added && back <= SEAL_KEYS_USED; back++) {
        const struct seal_key *key = &ring->keys[(added - back) % SEAL_KEYS_MOST];

        if (key->mark == (unsigned char)sealed.p[0] &&
            open_with(sealer, key, purpose, sealed, out) == ERR_OK) {
            *is_old = back > 1;
            return ERR_OK;
        }
    }
    return ERR_INVALID;
}
