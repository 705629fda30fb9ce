/* The verbs that need no daemon. They print to stdout; wrong usage goes to stderr. */
#include "main/offline.h"

#include "control/conf/conf.h"
#include "io/sys.h"
#include "main/world.h"

static const char default_file[] = "/etc/weir/weir.yaml";

struct options {
    const char *file;
    const char *format;
    bool is_strict;
};

/* What a verb takes; formats: the words that --format knows, the default first. */
struct usage {
    const char *text;
    const char *const *formats;
    bool takes_file, takes_strict;
};

static void print(int fd, const struct scroll *scroll)
{
    enum err e = sys_file_write(fd, scroll_str(scroll));

    (void)e; /* nobody reads what is said: the exit status still tells it */
}

static int wrong_usage(const struct usage *usage, const char *what, const char *word)
{
    struct scroll out = {0};

    scroll_format(&out, "weir: %s%s%s\nusage: %s\n", what, word ? " " : "",
                  word ? word : "", usage->text);
    print(2, &out);
    scroll_close(&out);
    return 2;
}

static const char *find_word(const char *const *words, const char *word)
{
    for (; words && *words; words++) {
        if (strcmp(*words, word) == 0)
            return *words;
    }
    return NULL;
}

/* 0, or the exit status of wrong usage. */
static int read_options(int argc, char **argv, const struct usage *usage,
                        struct options *options)
{
    *options =
        (struct options){default_file, usage->formats ? usage->formats[0] : NULL, false};
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        bool takes_value = strcmp(word, "-c") == 0 || strcmp(word, "--format") == 0;

        if (takes_value && i + 1 == argc)
            return wrong_usage(usage, "a value is missing behind", word);
        if (strcmp(word, "-c") == 0 && usage->takes_file) {
            options->file = argv[++i];
        } else if (strcmp(word, "--format") == 0 && usage->formats) {
            options->format = find_word(usage->formats, argv[++i]);
            if (!options->format)
                return wrong_usage(usage, "there is no format", argv[i]);
        } else if (strcmp(word, "--strict") == 0 && usage->takes_strict) {
            options->is_strict = true;
        } else {
            return wrong_usage(usage, "what is", word);
        }
    }
    return 0;
}

static const char *file_name(const struct options *options)
{
    return strcmp(options->file, "-") == 0 ? WORLD_STDIN : options->file;
}

static void add_count(struct scroll *out, unsigned count, const char *word,
                      const char *behind)
{
    scroll_format(out, "%u %s%s%s", count, word, count == 1 ? "" : "s", behind);
}

static void print_good(struct scroll *out, const struct options *options,
                       const struct complaints *complaints,
                       const struct snapshot *snapshot, uint64_t ns)
{
    unsigned servers = 0;

    for (unsigned i = 0; i < snapshot->pool_count; i++)
        servers += snapshot->pools[i].server_count;
    if (complaints->warnings || complaints->hints)
        scroll_char(out, '\n');
    scroll_format(out, "%s: ok — ", file_name(options));
    add_count(out, snapshot->listener_count, "listener", ", ");
    add_count(out, snapshot->route_count, "route", ", ");
    add_count(out, snapshot->pool_count, "pool", ", ");
    add_count(out, servers, "server", "");
    if (ns < 1000000)
        scroll_format(out, " (checked in 0.%u ms)\n", (unsigned)(ns / 100000));
    else
        scroll_format(out, " (checked in %u ms)\n", (unsigned)(ns / 1000000));
    if (!complaints->warnings && !complaints->hints)
        return;
    complaints_print_counts(complaints, SEVERITY_WARNING, out);
    scroll_add(out, STR("; see above.\n"));
}

int offline_check(int argc, char **argv)
{
    static const char *const formats[] = {"text", "json", NULL};
    static const struct usage usage = {
        "weir check [-c FILE|-] [--strict] [--format text|json]", formats, true, true};
    struct snapshot *snapshot = NULL;
    struct complaints complaints;
    struct options options;
    struct scroll out = {0};
    uint64_t start = sys_now();
    enum err e;

    if (read_options(argc, argv, &usage, &options))
        return 2;
    complaints_init(&complaints, options.is_strict);
    complaints.wants_hints = true;
    e = conf_load(&world_of_checker, str_of(file_name(&options)), &complaints, &snapshot);
    if (strcmp(options.format, "json") == 0) {
        complaints_print_json(&complaints, &out);
    } else {
        complaints_print(&complaints, &out);
        if (!e)
            print_good(&out, &options, &complaints, snapshot, sys_now() - start);
    }
    print(1, &out);
    scroll_close(&out);
    conf_release(snapshot);
    complaints_close(&complaints);
    return e ? 1 : 0;
}

int offline_expand(int argc, char **argv)
{
    static const struct usage usage = {"weir expand [-c FILE|-]", NULL, true, false};
    struct complaints complaints;
    struct options options;
    struct scroll out = {0};
    enum err e;

    if (read_options(argc, argv, &usage, &options))
        return 2;
    complaints_init(&complaints, false);
    e = conf_expand(&world_of_process, str_of(file_name(&options)), &complaints, &out);
    if (e)
        complaints_print(&complaints, &out);
    print(e ? 2 : 1, &out);
    scroll_close(&out);
    complaints_close(&complaints);
    return e ? 1 : 0;
}

int offline_schema(int argc, char **argv)
{
    static const char *const formats[] = {"json", "markdown", "man", NULL};
    static const struct usage usage = {"weir schema [--format json|markdown|man]",
                                       formats, false, false};
    struct options options;
    struct scroll out = {0};

    if (read_options(argc, argv, &usage, &options))
        return 2;
    if (strcmp(options.format, "json") == 0)
        conf_schema(&out);
    else if (strcmp(options.format, "markdown") == 0)
        conf_reference(&out);
    else
        conf_manual(&out);
    print(1, &out);
    scroll_close(&out);
    return 0;
}
