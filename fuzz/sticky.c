/*
 * Sticky cookies: what a client sends is read and opened. Only what was sealed opens, so
 * an input counts as a place and a value to change one good cookie with, and as a cookie
 * of its own.
 */
#include "fuzz.h"

#include "base/base64.h"
#include "lb/sticky.h"
#include "net/seal.h"

#define PURPOSE STR("fuzz")

enum { SEALED_SIZE = STICKY_TOKEN_SIZE + SEAL_OVERHEAD };

static struct seal_ring ring;
static struct sealer sealer;
static unsigned char good[SEALED_SIZE];

static void begin(void)
{
    static const struct sticky_token token = {1, 2, 3, 4};
    unsigned char opened[STICKY_TOKEN_SIZE];

    if (ring.added)
        return;
    for (unsigned i = 0; i < 256; i++) /* so that a key bears each mark, mostly */
        seal_ring_add_secret(&ring, (str){(char *)&i, 1});
    sticky_token_write(&token, opened);
    HOLDS(seal_close(&sealer, &ring, PURPOSE, (str){(char *)opened, sizeof opened},
                     good) == ERR_OK);
}

static bool opens(const unsigned char *sealed)
{
    unsigned char opened[STICKY_TOKEN_SIZE];
    struct sticky_token token;
    bool is_old;

    if (seal_open(&sealer, &ring, PURPOSE, (str){(const char *)sealed, SEALED_SIZE},
                  opened, &is_old))
        return false;
    sticky_token_read(opened, &token);
    HOLDS(token.server == 1 && token.pool == 2 && token.issued == 3 && token.seen == 4);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str value = fuzz_exact((str){(const char *)data, size});
    unsigned char sealed[SEALED_SIZE];
    char memory[BASE64_SIZE(SEALED_SIZE)];
    struct text text = text_in(memory, sizeof memory);

    begin();
    if (base64_read(value, sealed, sizeof sealed)) {
        base64_write(&text, sealed, sizeof sealed);
        HOLDS(str_eq(text_str(&text), value)); /* one text for one sequence of bytes */
        HOLDS(!opens(sealed) || memcmp(sealed, good, sizeof good) == 0);
    }
    fuzz_free(value);
    memcpy(sealed, good, sizeof good);
    for (size_t i = 0; i + 1 < size; i += 2)
        sealed[data[i] % sizeof sealed] ^= data[i + 1];
    HOLDS(opens(sealed) == (memcmp(sealed, good, sizeof good) == 0));
    return 0;
}
