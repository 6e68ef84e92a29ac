#include "cli/follow_behind.h"

#include <stdio.h>

#include "cli/terminal.h"

static uint64_t after(uint64_t now_us, unsigned s)
{
    return now_us + (uint64_t)s * 1000000;
}

void follow_behind_init(struct follow_behind *b, const char *command, uint64_t now_us)
{
    *b = (struct follow_behind){.command = command, .look_us = after(now_us, FOLLOW_BEHIND_LOOK_S)};
}

static void say(const struct follow_behind *b, const struct follower_behind *now)
{
    char bytes[TERMINAL_AMOUNT_LEN], seconds[TERMINAL_AMOUNT_LEN], gone[128] = "";

    terminal_bytes(now->deleted_bytes, bytes);
    if (now->deleted_bytes > 0)
        snprintf(gone, sizeof(gone),
                 "; %s of it in %llu file%s without a name, gone when this ends", bytes,
                 (unsigned long long)now->deleted, now->deleted == 1 ? "" : "s");
    terminal_bytes(now->bytes, bytes);
    terminal_seconds(now->oldest_s, seconds);
    terminal_say(b->command, "%s behind, for %s%s", bytes, seconds, gone);
}

void follow_behind_look(struct follow_behind *b, struct follower *f, bool is_idle, uint64_t now_us)
{
    struct follower_behind now;

    if (now_us < b->look_us)
        return;
    b->look_us = after(now_us, FOLLOW_BEHIND_LOOK_S);
    if (is_idle && !b->is_behind)
        return;
    follower_behind(f, &now);
    if (b->is_behind &&
        (is_idle || (now.oldest_s < FOLLOW_CAUGHT_UP_S && now.bytes < FOLLOW_CAUGHT_UP_BYTES))) {
        b->is_behind = false;
        b->say_us = 0;
        terminal_say(b->command, "has caught up");
    } else if (!is_idle && now_us >= b->say_us &&
               (b->is_behind || now.oldest_s >= FOLLOW_BEHIND_S ||
                now.bytes >= FOLLOW_BEHIND_BYTES)) {
        b->is_behind = true;
        b->say_us = after(now_us, FOLLOW_BEHIND_SAY_S);
        say(b, &now);
    }
}
