#include "formats/fluent_message.h"

static bool next_is_text(struct msgpack *p, struct slice *text)
{
    struct msgpack_value v;

    if (!msgpack_next(p, &v) || !msgpack_is_text(&v))
        return false;
    *text = v.bytes;
    return true;
}

/* "size" is passed: some clients count events, and some bytes. */
static bool read_options(struct msgpack *p, struct fluent_message *m)
{
    struct msgpack_value map, key, value;

    if (!msgpack_next(p, &map))
        return false;
    if (map.type != MSGPACK_MAP)
        return msgpack_pass(p, &map);
    for (uint64_t i = 0; i < map.count / 2; i++) {
        if (!msgpack_next(p, &key) || !msgpack_pass(p, &key) || !msgpack_next(p, &value) ||
            !msgpack_pass(p, &value))
            return false;
        if (!msgpack_is_text(&key) || !msgpack_is_text(&value))
            continue;
        if (slice_equal(key.bytes, SLICE_LITERAL("chunk"))) {
            m->has_chunk = true;
            m->chunk = value.bytes;
        } else if (slice_equal(key.bytes, SLICE_LITERAL("compressed"))) {
            m->is_gzip = slice_equal(value.bytes, SLICE_LITERAL("gzip"));
            m->is_unknown = !m->is_gzip && !slice_equal(value.bytes, SLICE_LITERAL("text"));
        }
    }
    return true;
}

/* The events of `m`, from the second value of its array on; *left is how many come behind. */
static bool read_events(struct msgpack *p, struct fluent_message *m, uint64_t *left)
{
    const unsigned char *at = p->at;
    struct msgpack_value v;

    if (!msgpack_next(p, &v))
        return false;
    --*left;
    if (msgpack_is_text(&v)) {
        m->mode = FLUENT_PACKED;
        m->events = v.bytes;
        return true;
    }
    if (v.type == MSGPACK_ARRAY) {
        m->mode = FLUENT_FORWARD;
        at = p->at;
    } else {
        m->mode = FLUENT_MESSAGE;
        if (!*left || !msgpack_pass(p, &v) || !msgpack_next(p, &v))
            return false;
        --*left;
    }
    if (!msgpack_pass(p, &v))
        return false;
    m->events = slice_of((const char *)at, (size_t)(p->at - at));
    if (m->mode == FLUENT_MESSAGE) {
        struct msgpack event = msgpack_of(m->events);

        m->event.tag = m->tag;
        m->has_event = fluent_event_read(&event, &m->event);
    }
    return true;
}

bool fluent_message_read(struct slice bytes, struct fluent_message *m)
{
    struct msgpack p = msgpack_of(bytes);
    struct msgpack_value v;

    *m = (struct fluent_message){.mode = FLUENT_SIGN_OF_LIFE};
    if (!msgpack_next(&p, &v))
        return false;
    if (v.type == MSGPACK_NIL)
        return true;
    uint64_t left = v.type == MSGPACK_ARRAY ? v.count : 0;
    if (left < 2 || !next_is_text(&p, &m->tag))
        return false;
    left--;
    return read_events(&p, m, &left) && (!left || read_options(&p, m));
}
