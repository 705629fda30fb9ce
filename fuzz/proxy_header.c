/*
 * PROXY headers: every proper prefix of a good one asks for more, bytes behind it change
 * nothing, and its addresses written as version 2 are read again.
 */
#include "fuzz.h"

#include "proto/proxy_header.h"

static enum err read_exact(str bytes, struct proxy_header *out)
{
    str copy = fuzz_exact(bytes);
    enum err e = proxy_header_read(copy, out);

    fuzz_free(copy);
    return e;
}

static void write_and_read_again(const struct proxy_header *header)
{
    char memory[PROXY_HEADER_MOST];
    struct text out = text_in(memory, sizeof memory);
    struct proxy_header again;

    proxy_header_write(&out, &header->from, &header->to);
    HOLDS(!out.overflow);
    HOLDS(read_exact(text_str(&out), &again) == ERR_OK);
    HOLDS(again.bytes == out.n && !again.is_local);
    HOLDS(addr_eq(&again.from, &header->from) && addr_eq(&again.to, &header->to));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str all = {(const char *)data, size};
    struct proxy_header header, other;
    enum err e = read_exact(all, &header);

    HOLDS(e == ERR_OK || e == ERR_AGAIN || e == ERR_INVALID);
    for (size_t n = all.n > 300 ? all.n - 300 : 0; n < all.n; n++) {
        enum err prefix = read_exact(str_upto(all, n), &other);

        if (e == ERR_AGAIN || (e == ERR_OK && n < header.bytes))
            HOLDS(prefix == ERR_AGAIN);
        else if (e == ERR_OK)
            HOLDS(prefix == ERR_OK && other.bytes == header.bytes);
        else
            HOLDS(prefix != ERR_OK);
    }
    if (e == ERR_OK && !header.is_local)
        write_and_read_again(&header);
    return 0;
}
