/*
 * The table of verbs, and which of them was meant. What a verb does lies elsewhere: the
 * daemon in run.c, proxy.c and demo.c, what needs no daemon in offline.c, what talks to a
 * running one in cli/.
 */
#include "base/version.h"
#include "main/offline.h"
#include "main/verbs.h"

#include <stdio.h>

enum { OFFLINE_OPTIONS_MOST = 8 };

/* The offline verbs read their own words: the options in their plainest spelling. */
static int run_offline(const struct given *given, int (*verb)(int argc, char **argv))
{
    char *words[2 * OFFLINE_OPTIONS_MOST + 4];
    str file = option_word(given, 0); /* `weir check FILE` */
    int count = 0;

    if (file.p && option_is_given(given, "--config"))
        return usage_error(given->verb, "the configuration is given twice");
    words[count++] = (char *)(uintptr_t)given->verb->name;
    for (const struct option_row *row = given->verb->options; row->name; row++) {
        if (!option_is_given(given, row->name))
            continue;
        words[count++] = (char *)(uintptr_t)(row->brief ? row->brief : row->name);
        if (row->kind != OPTION_FLAG) /* the end of a word of argv, so it has a NUL */
            words[count++] = (char *)(uintptr_t)option_value(given, row->name).p;
    }
    if (file.p) {
        words[count++] = (char *)(uintptr_t) "-c";
        words[count++] = (char *)(uintptr_t)file.p;
    }
    words[count] = NULL;
    return verb(count, words);
}

static int check_verb(const struct given *given)
{
    return run_offline(given, offline_check);
}

static int expand_verb(const struct given *given)
{
    return run_offline(given, offline_expand);
}

static int schema_verb(const struct given *given)
{
    return run_offline(given, offline_schema);
}

static int version_verb(const struct given *given)
{
    printf("weir %s\n", weir_version);
    return EXIT_GOOD;
}

static int help_verb(const struct given *given);

#define CONFIG_ROW                                              \
    {                                                           \
        "--config", "-c", OPTION_VALUE, "FILE",                 \
            "the configuration; without it /etc/weir/weir.yaml" \
    }

static const struct option_row run_options[] = {
    CONFIG_ROW,
    {"--no-supervisor", NULL, OPTION_FLAG, NULL,
     "one process: for debuggers, and where something else restarts it"},
    {.name = NULL},
};

static const struct option_row proxy_options[] = {
    {"--listen", NULL, OPTION_VALUES, "ADDRESS",
     ":8080, 127.0.0.1:8080, [::1]:8080, tcp://:5432; may be given again"},
    {"--to", NULL, OPTION_VALUES, "ADDRESS[=WEIGHT]", "a server; once for each"},
    {"--balance", NULL, OPTION_VALUE, "HOW",
     "weighted_round_robin (the default), least_connections, ip_hash, ..."},
    {"--sticky", NULL, OPTION_VALUE, "BY",
     "keep clients at their server, known by: cookie, ip"},
    {"--health", NULL, OPTION_VALUE, "PATH",
     "check by GET of this path; without it by connecting"},
    {"--print-config", NULL, OPTION_FLAG, NULL,
     "print the configuration that this stands for, and do not run it"},
    {.name = NULL},
};

static const struct option_row demo_options[] = {
    {"--port", NULL, OPTION_VALUE, "N",
     "where weir listens; without it 8080, or any free port"},
    {.name = NULL},
};

static const struct option_row check_options[] = {
    {"--config", "-c", OPTION_VALUE, "FILE",
     "the configuration, also without -c; - is standard input"},
    {"--strict", NULL, OPTION_FLAG, NULL, "warnings are errors"},
    {"--format", NULL, OPTION_VALUE, "text|json", "for people or for programs"},
    {.name = NULL},
};

static const struct option_row expand_options[] = {
    {"--config", "-c", OPTION_VALUE, "FILE",
     "the configuration, also without -c; - is standard input"},
    {.name = NULL},
};

static const struct option_row schema_options[] = {
    {"--format", NULL, OPTION_VALUE, "json|markdown|man",
     "a JSON Schema, the reference, or weir.yaml(5)"},
    {.name = NULL},
};

#define SOCKET_ROW                                                       \
    {                                                                    \
        "--socket", NULL, OPTION_VALUE, "PATH",                          \
            "the daemon's admin socket; without it /run/weir/admin.sock" \
    }

static const struct option_row reload_options[] = {
    SOCKET_ROW,
    {.name = NULL},
};

static const struct option_row status_options[] = {
    {"--json", NULL, OPTION_FLAG, NULL, "what the daemon says, word for word"},
    SOCKET_ROW,
    {.name = NULL},
};

#define REASON_ROW                                           \
    {                                                        \
        "--reason", NULL, OPTION_VALUE, "TEXT",              \
            "why, for those who read the status and the log" \
    }

static const struct option_row drain_options[] = {
    {"--wait", NULL, OPTION_FLAG, NULL, "until nothing runs on it any more"},
    REASON_ROW,
    SOCKET_ROW,
    {.name = NULL},
};

static const struct option_row order_options[] = {
    REASON_ROW,
    SOCKET_ROW,
    {.name = NULL},
};

static const struct option_row maintenance_options[] = {
    {"--page", NULL, OPTION_VALUE, "NAME", "one of 'pages'; without it, the file's"},
    {"--except", NULL, OPTION_VALUES, "CIDR",
     "who is served as ever; without it, whom the file names"},
    REASON_ROW,
    SOCKET_ROW,
    {.name = NULL},
};

static const struct verb verbs[] = {
    {"run", "[-c FILE]", "Runs the daemon in the foreground.", run_options, 0, run_verb},
    {"proxy", "--listen ADDRESS --to ADDRESS...", "Balances over servers named here.",
     proxy_options, 0, proxy_verb},
    {"demo", "[--port N]", "Three small servers and weir before them, to try out.",
     demo_options, 0, demo_verb},
    {"check", "[-c FILE|-] [--strict] [--format text|json]",
     "Says what is wrong with a configuration.", check_options, 1, check_verb},
    {"expand", "[-c FILE|-]", "Prints a configuration with every default.",
     expand_options, 1, expand_verb},
    {"schema", "[--format json|markdown|man]", "Prints what a configuration may hold.",
     schema_options, 0, schema_verb},
    {"reload", "[--socket PATH]", "Has the daemon read its configuration anew.",
     reload_options, 0, reload_verb},
    {"status", "[POOL] [--json]", "Shows how the daemon and its servers are.",
     status_options, 1, status_verb},
    {"drain", "POOL/SERVER [--wait]", "Gives a server nothing new; what runs may end.",
     drain_options, 1, drain_verb},
    {"enable", "POOL/SERVER", "Ends a drain, and what else was ordered of a server.",
     order_options, 1, enable_verb},
    {"weight", "POOL/SERVER N", "Gives a server another weight.", order_options, 2,
     weight_verb},
    {"breaker", "POOL/SERVER|route:NAME open|close|reset",
     "Holds a circuit breaker open or closed, or resets it.", reload_options, 2,
     breaker_verb},
    {"maintenance", "on|off [--page NAME] [--except CIDR]...",
     "Closes for maintenance, or opens again.", maintenance_options, 1, maintenance_verb},
    {"degrade", "LADDER full|reduced|critical|maintenance|auto",
     "Sets the level of a degradation ladder by hand.", order_options, 2, degrade_verb},
    {"version", "", "Prints the version.", NULL, 0, version_verb},
    {"help", "[VERB]", "Prints this, or how a verb is used.", NULL, 1, help_verb},
    {.name = NULL},
};

static const char *verb_name(const void *of, unsigned i)
{
    return ((const struct verb *)of)[i].name;
}

static const struct verb *find_verb(str name)
{
    for (const struct verb *verb = verbs; verb->name; verb++) {
        if (str_eq(name, str_of(verb->name)))
            return verb;
    }
    return NULL;
}

static int unknown_verb(str name)
{
    const char *meant = name_meant(name, verb_name, verbs);

    if (meant)
        return usage_error(NULL, "there is no verb '" STR_FMT "'; did you mean '%s'?",
                           STR_ARG(name), meant);
    return usage_error(NULL, "there is no verb '" STR_FMT "'", STR_ARG(name));
}

static void list_verbs(void)
{
    printf("weir %s, a load balancer\n\nusage: weir VERB ...\n\n", weir_version);
    for (const struct verb *verb = verbs; verb->name; verb++)
        printf("  %-11s %s\n", verb->name, verb->doc);
    puts("\n'weir help VERB' says more about one. Exit status: 0 good, 1 errors,\n"
         "2 wrong usage, 3 the daemon cannot be reached.");
}

static int help_verb(const struct given *given)
{
    str name = option_word(given, 0);
    const struct verb *verb = name.p ? find_verb(name) : NULL;

    if (name.p && !verb)
        return unknown_verb(name);
    if (verb)
        verb_help(verb);
    else
        list_verbs();
    return EXIT_GOOD;
}

/* The spellings of other programs. */
static str plain_name(str name)
{
    if (str_eq(name, STR("--help")) || str_eq(name, STR("-h")))
        return STR("help");
    if (str_eq(name, STR("--version")) || str_eq(name, STR("-V")))
        return STR("version");
    return name;
}

static bool asks_for_help(const struct given *given)
{
    for (int i = 0; i < given->count; i++) {
        if (strcmp(given->words[i], "--help") == 0 || strcmp(given->words[i], "-h") == 0)
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    struct given given = {.program = argv[0], .count = argc - 2, .words = argv + 2};

    if (argc < 2)
        return usage_error(NULL, "what is to be done? A verb is missing");
    given.verb = find_verb(plain_name(str_of(argv[1])));
    if (!given.verb)
        return unknown_verb(str_of(argv[1]));
    if (asks_for_help(&given)) {
        verb_help(given.verb);
        return EXIT_GOOD;
    }
    return options_check(&given) ? given.verb->run(&given) : EXIT_USAGE;
}
