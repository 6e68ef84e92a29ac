#include "listen/pause.h"

static void resume_due(struct pauses *all)
{
    uint64_t now = uv_now(all->timer.loop);
    struct pause **link = &all->listed;
    bool hurries = all->hurries(all);

    while (*link) {
        struct pause *p = *link;

        if (p->due_ms > now && !hurries) {
            link = &p->next;
            continue;
        }
        *link = p->next;
        p->next = all->due;
        all->due = p;
    }
    while (all->due) {
        struct pause *p = all->due;

        all->due = p->next;
        p->is_listed = false;
        p->resume(p);
    }
}

static void on_time(uv_timer_t *timer)
{
    struct pauses *all = timer->data;

    resume_due(all);
    if (!all->listed)
        uv_timer_stop(timer);
    all->resumed(all);
}

void pauses_init(struct pauses *all, uv_loop_t *loop)
{
    uv_timer_init(loop, &all->timer);
    all->timer.data = all;
}

void pauses_close(struct pauses *all)
{
    uv_close((uv_handle_t *)&all->timer, NULL);
}

void pause_begin(struct pauses *all, struct pause *p, unsigned ms)
{
    p->due_ms = uv_now(all->timer.loop) + ms;
    if (p->is_listed)
        return;
    p->is_listed = true;
    p->next = all->listed;
    all->listed = p;
    if (!uv_is_active((uv_handle_t *)&all->timer))
        uv_timer_start(&all->timer, on_time, PAUSE_MIN_MS, PAUSE_MIN_MS);
}

void pause_longer(struct pauses *all, struct pause *p)
{
    p->ms = p->ms ? p->ms * 2 : PAUSE_MIN_MS;
    if (p->ms > PAUSE_MAX_MS)
        p->ms = PAUSE_MAX_MS;
    pause_begin(all, p, p->ms);
}

static void unlink_from(struct pause **link, const struct pause *p)
{
    while (*link && *link != p)
        link = &(*link)->next;
    if (*link)
        *link = p->next;
}

void pause_cancel(struct pauses *all, struct pause *p)
{
    if (!p->is_listed)
        return;
    unlink_from(&all->listed, p);
    unlink_from(&all->due, p);
    p->is_listed = false;
}
