/* The few lines between a command line and the steward. */
#include "main/serve.h"

#include "base/log.h"

void complaints_show(struct complaints *complaints)
{
    struct scroll text = {0};

    complaints_sort(complaints);
    complaints_print(complaints, &text);
    if (sys_file_write(2, scroll_str(&text))) {
        /* Nobody reads what is said: the exit status still tells it. */
    }
    scroll_close(&text);
}

void say(int level, const char *message, const struct log_field *fields)
{
    char memory[EVENT_LINE_MOST];
    struct text line = text_in(memory, sizeof memory);
    struct log_event event = {.wall = sys_wall(),
                              .level = (enum log_level)level,
                              .message = message,
                              .fields = fields};
    size_t written;

    log_add_event(&line, &event, LOG_TEXT);
    if (line.overflow || sys_file_write_some(2, text_str(&line), &written)) {
        /* A stalled reader must not hold up whoever keeps the daemon alive. */
    }
}

int serve(struct service *service)
{
    /* Static, so that a leak checker sees what a failed start leaves to the exit. */
    static struct steward *steward;
    struct complaints complaints;
    struct scroll why = {0};
    enum err e = sys_signals_open(&service->options.signals);

    if (e) {
        say(LOG_ERROR, "signals cannot be received",
            (const struct log_field[]){{"reason", str_of(err_text(e))},
                                       {NULL, STR_NONE}});
        return 1;
    }
    complaints_init(&complaints, false);
    e = steward_new(&steward, &service->options, &complaints, &why);
    complaints_show(&complaints);
    complaints_close(&complaints);
    if (why.n && sys_file_write(2, scroll_str(&why)))
        scroll_close(&why);
    scroll_close(&why);
    if (!e) {
        if (service->started)
            service->started(service);
        while (steward_turn(steward)) {
            if (service->turned)
                service->turned(service);
        }
        steward_free(steward);
        steward = NULL;
    }
    sys_close(service->options.signals);
    return e ? 1 : 0;
}
