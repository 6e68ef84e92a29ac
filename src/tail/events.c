#include "tail/events.h"

#include "json/writer.h"

/* Lets `events` be what t->out holds after what is written now. */
static void set_aside(struct tail *t, struct buffer *events)
{
    *events = t->out;
    buffer_init(&t->out, TAIL_OUT_BYTES_MAX);
}

bool tail_events_write(struct tail *t)
{
    bool written = buffer_error(&t->out) == 0 &&
                   (t->out.len == 0 || http_stream_write(t->req, buffer_slice(&t->out)) == 0);

    buffer_release(&t->out);
    return written;
}

static void append_place(struct tail *t)
{
    tail_append_id(&t->out, &t->place.position);
}

void tail_events_greet(struct tail *t)
{
    struct buffer events;

    set_aside(t, &events);
    buffer_appendf(&t->out, "retry: %d\n", TAIL_RETRY_MS);
    append_place(t);
    buffer_append_string(&t->out, "\n");
    (void)tail_events_write(t);
    t->out = events;
}

void tail_events_tell_missed(struct tail *t)
{
    if (t->missed == 0 || t->place.part > 0 || http_stream_unsent(t->req) > 0)
        return;
    buffer_append_string(&t->out, "event: missed\n");
    append_place(t);
    buffer_appendf(&t->out, "data: {\"missed\":%zu%s}\n\n", t->missed,
                   t->missed_at_most ? ",\"at_most\":true" : "");
    if (tail_events_write(t)) {
        t->missed = 0;
        t->missed_at_most = false;
    }
}

bool tail_events_tell_lost(struct tail *t)
{
    struct buffer events;

    set_aside(t, &events);
    buffer_append_string(&t->out, "event: lost\n");
    if (events.len == 0) { /* else the first of them tells */
        t->place = t->reading.to;
        append_place(t);
    }
    buffer_append_string(&t->out, "data: {\"detail\":\"logs before this are too long ago to be "
                                  "followed: read them with GET /logs\"}\n\n");

    bool told = tail_events_write(t);

    t->out = events;
    return told;
}

void tail_events_tell_refused(struct tail *t, const struct errbuf *why)
{
    if (t->place.part > 0)
        return; /* in the middle of an event */
    buffer_clear(&t->out);
    buffer_append_string(&t->out, "event: refused\ndata: {\"detail\":");
    json_append_string(&t->out, slice_of_string(why->text));
    buffer_append_string(&t->out, "}\n\n");
    (void)tail_events_write(t);
}

void tail_events_beat(struct tail *t)
{
    if (t->place.part > 0 || http_stream_unsent(t->req) > 0)
        return;
    buffer_append_string(&t->out, ": still here\n");
    append_place(t);
    buffer_append_string(&t->out, "\n");
    (void)tail_events_write(t);
}

bool tail_events_append(struct tail *t, struct slice text, const struct store_position *position,
                        size_t room, struct tail_place *place)
{
    size_t left = text.len - place->part;

    if (t->out.len + left > room) {
        if (t->out.len > 0)
            return false;
        buffer_append(&t->out, text.data + place->part, room);
        place->part += room;
        place->part_of = *position;
        return false;
    }
    buffer_append(&t->out, text.data + place->part, left);
    *place = (struct tail_place){.position = *position};
    return true;
}
