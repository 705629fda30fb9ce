/*
 * The file is one line a key, the newest last: the second it was made, a blank, its bytes
 * in hexadecimal. A key is added to its end with one write, so that a crash leaves whole
 * lines; only when old ones are to be forgotten is it written anew.
 */
#include "control/sticky_keys.h"

#include "base/check.h"
#include "base/text.h"
#include "io/sys.h"
#include "lb/sticky.h"

#include <gnutls/gnutls.h>

enum {
    DAY = 86400,
    KEPT = 33 * DAY, /* longer than any lifetime that a pool may set */
    FILE_MOST = 1 << 16,
    LINE_ROOM = 2 * SEAL_KEY_SIZE + 32,
};

#define FILE_NAME "sticky.keys"

struct key_line {
    uint64_t made_at;
    unsigned char key[SEAL_KEY_SIZE];
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_line(str line, struct key_line *out)
{
    long blank = str_find_char(line, ' ');
    str hex;

    if (blank < 0 || !str_to_u64(str_upto(line, (size_t)blank), &out->made_at))
        return false;
    hex = str_from(line, (size_t)blank + 1);
    if (hex.n != (size_t)2 * SEAL_KEY_SIZE)
        return false;
    for (unsigned i = 0; i < SEAL_KEY_SIZE; i++) {
        int high = hex_digit(hex.p[2 * i]), low = hex_digit(hex.p[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out->key[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static void write_line(struct text *text, const struct key_line *line)
{
    text_u64(text, line->made_at);
    text_char(text, ' ');
    for (unsigned i = 0; i < SEAL_KEY_SIZE; i++)
        text_hex(text, line->key[i], 2);
    text_char(text, '\n');
}

/* ---- the file ---- */

static const char *file_path(struct arena *arena, const struct snapshot *snapshot)
{
    return arena_printf(arena, STR_FMT "/" FILE_NAME,
                        STR_ARG(snapshot->runtime.state_dir))
        .p;
}

static void tell(struct event_log *events, const struct snapshot *snapshot,
                 const char *what, enum err why)
{
    EVENT(events, LOG_WARN, what, {"state_dir", snapshot->runtime.state_dir},
          {"file", STR(FILE_NAME)}, {"reason", str_of(err_text(why))});
}

static enum err append(const char *path, str bytes)
{
    enum err e;
    int fd;

    if ((e = sys_file_append(path, 0600, &fd)))
        return e;
    e = sys_file_mode(path, 0600);
    if (!e)
        e = sys_file_write(fd, bytes);
    sys_close(fd);
    return e;
}

/* The lines that still count, and whether others stand between them. */
static bool keep_lines(str content, uint64_t now, struct text *kept)
{
    bool has_others = false;
    str line;

    while (str_next(&content, '\n', &line)) {
        struct key_line key;

        if (!line.n)
            continue;
        if (read_line(line, &key) && key.made_at + KEPT > now)
            write_line(kept, &key);
        else
            has_others = true;
        gnutls_memset(&key, 0, sizeof key);
    }
    return has_others;
}

static enum err store(const struct snapshot *snapshot, const struct key_line *key)
{
    char one[LINE_ROOM];
    struct text line = text_in(one, sizeof one), kept;
    struct arena scratch;
    const char *path;
    str content = STR_NONE;
    enum err e = ERR_OK;

    arena_init(&scratch, 0);
    path = file_path(&scratch, snapshot);
    write_line(&line, key);
    if (sys_file_read(path, FILE_MOST, &scratch, &content) == ERR_OK) {
        kept = text_in(arena_alloc(&scratch, content.n + 1), content.n + 1);
        if (keep_lines(content, key->made_at, &kept)) {
            sys_file_remove(path);
            e = append(path, text_str(&kept));
        }
    }
    if (!e)
        e = append(path, text_str(&line));
    arena_wipe(&scratch);
    gnutls_memset(one, 0, sizeof one);
    return e;
}

/* ---- the ring ---- */

static void make_key(struct sticky_keys *keys, struct event_log *events,
                     const struct snapshot *snapshot)
{
    struct key_line key = {.made_at = sys_wall() / 1000000000};
    enum err e;

    sys_random(key.key, sizeof key.key);
    seal_ring_add(&keys->ring, key.key);
    keys->made_at = key.made_at;
    e = store(snapshot, &key);
    if (e)
        tell(events, snapshot,
             "keys of sticky cookies cannot be kept: they end with this process", e);
    gnutls_memset(&key, 0, sizeof key);
}

static void begin(struct sticky_keys *keys, struct event_log *events,
                  const struct snapshot *snapshot)
{
    uint64_t now = sys_wall() / 1000000000;
    struct arena scratch;
    str content = STR_NONE, line;
    enum err e;

    arena_init(&scratch, 0);
    e = sys_file_read(file_path(&scratch, snapshot), FILE_MOST, &scratch, &content);
    if (e && e != ERR_NOT_FOUND)
        tell(events, snapshot, "keys of sticky cookies cannot be read", e);
    while (str_next(&content, '\n', &line)) {
        struct key_line key;

        if (line.n && read_line(line, &key) && key.made_at + KEPT > now) {
            seal_ring_add(&keys->ring, key.key);
            keys->made_at = key.made_at;
        }
        gnutls_memset(&key, 0, sizeof key);
    }
    arena_wipe(&scratch);
    keys->is_begun = true;
}

void sticky_keys_look(struct sticky_keys *keys, struct event_log *events,
                      const struct snapshot *snapshot)
{
    uint64_t now;

    if (!keys->is_begun)
        return;
    now = sys_wall() / 1000000000;
    if (now >= keys->made_at + DAY || now + DAY < keys->made_at)
        make_key(keys, events, snapshot);
}

/* Nobody needs the words of the file any more. */
static const struct seal_ring *ring_of_secrets(struct arena *arena, struct sticky *sticky)
{
    struct seal_ring *ring = ARENA_NEW(arena, struct seal_ring);

    for (unsigned i = sticky->key_count; i-- > 0;) {
        seal_ring_add_secret(ring, sticky->keys[i]);
        gnutls_memset((char *)(uintptr_t)sticky->keys[i].p, 0, sticky->keys[i].n);
    }
    sticky->keys = NULL;
    return ring;
}

void sticky_keys_attach(struct sticky_keys *keys, struct event_log *events,
                        struct snapshot *snapshot)
{
    for (unsigned i = 0; i < snapshot->pool_count; i++) {
        struct sticky *sticky = snapshot->pools[i].sticky;

        if (!sticky || sticky->by != STICKY_COOKIE)
            continue;
        sticky->ring = &keys->ring;
        if (sticky->key_count)
            sticky->ring = ring_of_secrets(&snapshot->arena, sticky);
        else if (!keys->is_begun)
            begin(keys, events, snapshot);
    }
    sticky_keys_look(keys, events, snapshot);
}
