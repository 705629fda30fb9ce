/* The rows of what is seen from outside: logs, metrics, administration. */
#include "control/conf/address.h"
#include "control/conf/draft.h"

static const struct conf_choice log_places[] = {
    {"stdout", 0}, {"stderr", 0}, {"syslog", 0}, {"/path/to/file", 0}, {NULL, 0}};

static void read_log_to(struct reader *reader, const struct conf_row *row,
                        const struct pair *pair, void *object)
{
    const struct node *node = word_wanted(reader, pair);

    if (!node)
        return;
    if (str_find_char(node->text, '/') < 0 && !str_eq(node->text, STR("stdout")) &&
        !str_eq(node->text, STR("stderr")) && !str_eq(node->text, STR("syslog")))
        complain_choice(reader, row->name, node, log_places);
    else
        *CONF_FIELD(object, row, str) = str_keep(reader, node->text);
}

static const struct conf_form log_to_form = {
    .words = "stdout, stderr, syslog, or the path of a file",
    .schema = "{\"type\": \"string\", \"pattern\": \"^(stdout|stderr|syslog|.*/.*|"
              ".*\\\\$\\\\{.*)$\"}",
    .read = read_log_to,
};

static const struct conf_choice access_formats[] = {
    {"json", LOG_JSON}, {"combined", LOG_COMBINED}, {NULL, 0}};
static const struct conf_choice error_formats[] = {
    {"text", LOG_TEXT}, {"json", LOG_JSON}, {NULL, 0}};
static const struct conf_choice log_levels[] = {{"error", LOG_ERROR},
                                                {"warn", LOG_WARN},
                                                {"info", LOG_INFO},
                                                {"debug", LOG_DEBUG},
                                                {NULL, 0}};

static const struct conf_row access_rows[] = {
    {.name = "to",
     .type = CONF_OWN,
     CONF_AT(struct log_settings, to),
     .form = &log_to_form,
     .flags = CONF_LEAD,
     .fallback = "stdout",
     .doc = "Where the lines go."},
    {.name = "format",
     .type = CONF_CHOICE,
     CONF_AT(struct log_settings, format),
     .choices = access_formats,
     .fallback = "json",
     .doc = "One JSON object a line, or the combined format of other programs."},
    {.name = NULL},
};

static const struct conf_row error_rows[] = {
    {.name = "to",
     .type = CONF_OWN,
     CONF_AT(struct log_settings, to),
     .form = &log_to_form,
     .flags = CONF_LEAD,
     .fallback = "stderr",
     .doc = "Where the lines go."},
    {.name = "level",
     .type = CONF_CHOICE,
     CONF_AT(struct log_settings, level),
     .choices = log_levels,
     .fallback = "info",
     .doc = "What is told at all."},
    {.name = "format",
     .type = CONF_CHOICE,
     CONF_AT(struct log_settings, format),
     .choices = error_formats,
     .fallback = "text",
     .doc = "For people or for programs."},
    {.name = NULL},
};

const struct conf_row logs_rows[] = {
    {.name = "access",
     .type = CONF_SECTION,
     CONF_AT(struct logs, access),
     .rows = access_rows,
     .word = "off",
     .word_offset = offsetof(struct logs, access.is_enabled),
     .doc = "One line for each request and each TCP connection; off for none."},
    {.name = "error",
     .type = CONF_SECTION,
     CONF_AT(struct logs, error),
     .rows = error_rows,
     .word = "off",
     .word_offset = offsetof(struct logs, error.is_enabled),
     .doc = "What the daemon itself has to say; off for nothing."},
    {.name = NULL},
};

static const struct conf_choice per_server_choices[] = {{"auto", PER_SERVER_AUTO},
                                                        {"true", PER_SERVER_ON},
                                                        {"off", PER_SERVER_OFF},
                                                        {NULL, 0}};

static void read_metrics_path(struct reader *reader, const struct conf_row *row,
                              const struct pair *pair, void *object)
{
    const struct node *node = word_wanted(reader, pair);

    if (!node)
        return;
    if (node->text.n == 0 || node->text.p[0] != '/')
        help_path(reader, complain_value(reader, "C029", node, "is not a path"),
                  node->text);
    else
        *CONF_FIELD(object, row, str) = str_keep(reader, node->text);
}

static const struct conf_form metrics_path_form = {
    .words = "a path",
    .schema = "{\"type\": \"string\", \"pattern\": \"^(/|\\\\$\\\\{)\"}",
    .read = read_metrics_path,
};

const struct conf_row metrics_rows[] = {
    {.name = "prometheus",
     .type = CONF_FLAG,
     CONF_AT(struct metrics_settings, is_enabled),
     .fallback = "true",
     .doc = "Serve metrics at the admin address and socket."},
    {.name = "path",
     .type = CONF_OWN,
     CONF_AT(struct metrics_settings, path),
     .form = &metrics_path_form,
     .fallback = "/metrics",
     .doc = "Where they are found."},
    {.name = "per_server",
     .type = CONF_CHOICE,
     CONF_AT(struct metrics_settings, per_server),
     .choices = per_server_choices,
     .fallback = "auto",
     .doc = "Series for each server; auto leaves them out above 1,000 servers."},
    {.name = NULL},
};

static void read_admin_socket(struct reader *reader, const struct conf_row *row,
                              const struct pair *pair, void *object)
{
    const struct node *node = word_wanted(reader, pair);

    if (!node)
        return;
    if (node->text.n == 0 || word_is_off(node->text))
        *CONF_FIELD(object, row, str) = STR("");
    else if (address_read_socket(reader, node, node->text))
        *CONF_FIELD(object, row, str) = str_keep(reader, node->text);
}

static const struct conf_form admin_socket_form = {
    .words = "an absolute path, or off",
    .schema = "{\"anyOf\": [{\"type\": \"string\"}, {\"const\": false}]}",
    .read = read_admin_socket,
};

static void read_admin_address(struct reader *reader, const struct conf_row *row,
                               const struct pair *pair, void *object)
{
    const struct node *node = word_wanted(reader, pair);
    struct addr addr;
    uint64_t port;

    if (!node)
        return;
    if (node->text.n == 0 || word_is_off(node->text))
        *CONF_FIELD(object, row, str) = STR("");
    else if (str_to_u64(node->text, &port)) /* never everybody by a slip */
        complaint_help(complain_value(reader, "C026", node, "is not an address"),
                       "write '127.0.0.1:%s' for this machine alone",
                       word_of(reader, node));
    else if (address_read_listen(reader, node, &addr))
        *CONF_FIELD(object, row, str) = str_keep(reader, node->text);
}

static const struct conf_form admin_address_form = {
    .words = "an address to listen on, or off",
    .schema = "{\"anyOf\": [{\"type\": \"string\"}, {\"const\": false}]}",
    .read = read_admin_address,
};

const struct conf_row admin_rows[] = {
    {.name = "socket",
     .type = CONF_OWN,
     CONF_AT(struct admin_settings, socket),
     .form = &admin_socket_form,
     .fallback = "/run/weir/admin.sock",
     .doc = "The unix socket that `weir status` and `weir reload` talk to."},
    {.name = "address",
     .type = CONF_OWN,
     CONF_AT(struct admin_settings, address),
     .form = &admin_address_form,
     .fallback = "127.0.0.1:9900",
     .doc = "Serves /metrics, /healthz and /readyz; off or \"\" for none."},
    {.name = NULL},
};
