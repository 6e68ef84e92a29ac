#include "cli/follow_service.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/terminal.h"

void follow_service_init(struct follow_service *s)
{
    *s = (struct follow_service){.look_us = 0};
    notify_init(&s->notify);
}

void follow_service_ready(struct follow_service *s)
{
    notify_say(&s->notify, "READY=1");
}

/* Behind what `text` has. */
LM_PRINTF(2, 3)
static void add(char text[FOLLOW_SERVICE_TEXT_MAX], const char *format, ...)
{
    size_t len = strlen(text);
    va_list args;

    va_start(args, format);
    vsnprintf(text + len, FOLLOW_SERVICE_TEXT_MAX - len, format, args);
    va_end(args);
}

static void describe(const struct follower_behind *now, bool is_idle,
                     char text[FOLLOW_SERVICE_TEXT_MAX])
{
    char bytes[TERMINAL_AMOUNT_LEN], seconds[TERMINAL_AMOUNT_LEN];

    snprintf(text, FOLLOW_SERVICE_TEXT_MAX, "STATUS=");
    if (!is_idle && now->bytes > 0) {
        terminal_bytes(now->bytes, bytes);
        terminal_seconds(now->oldest_s, seconds);
        add(text, "%s behind, for %s, in %llu file%s", bytes, seconds,
            (unsigned long long)now->files, now->files == 1 ? "" : "s");
    } else {
        add(text, "%llu file%s, all that is there is stored", (unsigned long long)now->files,
            now->files == 1 ? "" : "s");
    }
    if (!is_idle && now->deleted_bytes > 0) {
        terminal_bytes(now->deleted_bytes, bytes);
        add(text, "; %s of it in %llu without a name", bytes, (unsigned long long)now->deleted);
    }
    if (now->unreadable > 0)
        add(text, "; %llu cannot be read", (unsigned long long)now->unreadable);
    if (now->lost_bytes > 0) {
        terminal_bytes(now->lost_bytes, bytes);
        add(text, "; %s lost", bytes);
    }
}

void follow_service_look(struct follow_service *s, struct follower *f, bool is_idle,
                         uint64_t now_us)
{
    char text[FOLLOW_SERVICE_TEXT_MAX];
    struct follower_behind now;

    if (s->notify.address_len == 0 || now_us < s->look_us)
        return;
    s->look_us = now_us + (uint64_t)FOLLOW_SERVICE_SAY_S * 1000000;
    follower_behind(f, &now);
    describe(&now, is_idle, text);
    if (strcmp(text, s->said) == 0)
        return;
    memcpy(s->said, text, sizeof(text));
    notify_say(&s->notify, text);
}

void follow_service_stopping(const struct follow_service *s)
{
    notify_say(&s->notify, "STOPPING=1\nSTATUS=sending what was read");
}
