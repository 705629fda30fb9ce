/* There may be a hundred thousand samples, so labels are printed once for a histogram. */
#include "control/metrics/exposition.h"

#include "base/text.h"

void exposition_family(struct scroll *out, const char *name, const char *type,
                       const char *help)
{
    scroll_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Backslash, quote and line feed are escaped, nothing else. */
static void add_value(struct scroll *out, str value)
{
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '\n') {
            scroll_add(out, STR("\\n"));
            continue;
        }
        if (value.p[i] == '"' || value.p[i] == '\\')
            scroll_char(out, '\\');
        scroll_char(out, value.p[i]);
    }
}

/* key="value",key="value" */
static void add_labels(struct scroll *out, const struct label *labels)
{
    for (const struct label *label = labels; label->key; label++) {
        if (label != labels)
            scroll_char(out, ',');
        scroll_add(out, str_of(label->key));
        scroll_add(out, STR("=\""));
        add_value(out, label->value);
        scroll_char(out, '"');
    }
}

static void add_front(struct scroll *out, const char *name, const struct label *labels)
{
    scroll_add(out, str_of(name));
    if (labels->key) {
        scroll_char(out, '{');
        add_labels(out, labels);
        scroll_char(out, '}');
    }
    scroll_char(out, ' ');
}

static void add_u64(struct scroll *out, uint64_t value)
{
    char memory[24];
    struct text text = text_in(memory, sizeof memory);

    text_u64(&text, value);
    text_char(&text, '\n');
    scroll_add(out, text_str(&text));
}

static void add_seconds(struct scroll *out, uint64_t ns)
{
    char memory[32];
    struct text text = text_in(memory, sizeof memory);

    text_seconds(&text, ns);
    text_char(&text, '\n');
    scroll_add(out, text_str(&text));
}

void exposition_u64(struct scroll *out, const char *name, const struct label *labels,
                    uint64_t value)
{
    add_front(out, name, labels);
    add_u64(out, value);
}

void exposition_double(struct scroll *out, const char *name, const struct label *labels,
                       double value)
{
    add_front(out, name, labels);
    scroll_format(out, "%.6g\n", value);
}

void exposition_seconds(struct scroll *out, const char *name, const struct label *labels,
                        uint64_t ns)
{
    add_front(out, name, labels);
    add_seconds(out, ns);
}

/* "0.005", "10": the bounds, as short as they go. */
static str bound_text(unsigned i, char memory[24])
{
    struct text text = text_in(memory, 24);
    uint64_t us;

    if (i == HISTOGRAM_BOUNDS)
        return STR("+Inf");
    us = histogram_bounds_us[i];
    text_u64(&text, us / 1000000);
    if (us % 1000000) {
        text_char(&text, '.');
        for (uint64_t rest = us % 1000000, unit = 100000; rest; unit /= 10) {
            text_char(&text, (char)('0' + rest / unit));
            rest %= unit;
        }
    }
    return text_str(&text);
}

void exposition_histogram(struct scroll *out, const char *name,
                          const struct label *labels, const struct histogram *histogram)
{
    struct scroll front = {0};
    uint64_t count = 0;
    char memory[24];

    add_labels(&front, labels);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += counter_read(&histogram->buckets[i]);
        scroll_add(out, str_of(name));
        scroll_add(out, STR("_bucket{"));
        scroll_add(out, scroll_str(&front));
        scroll_add(out, front.n ? STR(",le=\"") : STR("le=\""));
        scroll_add(out, bound_text(i, memory));
        scroll_add(out, STR("\"} "));
        add_u64(out, count);
    }
    scroll_add(out, str_of(name));
    scroll_add(out, STR("_sum"));
    add_front(out, "", labels);
    add_seconds(out, counter_read(&histogram->sum_us) * 1000);
    scroll_add(out, str_of(name));
    scroll_add(out, STR("_count"));
    exposition_u64(out, "", labels, count);
    scroll_close(&front);
}
