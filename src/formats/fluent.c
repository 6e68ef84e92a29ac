#include "formats/fluent.h"

#include <assert.h>
#include <stdlib.h>

#include <zlib.h>

#include "base/hash.h"
#include "base/xalloc.h"
#include "formats/fluent_hello.h"
#include "formats/fluent_message.h"
#include "formats/msgpack.h"
#include "formats/repeats.h"

enum {
    ANY_HEADER = 15 + 32, /* of zlib or gzip: zlib's own way to say so */
    UNPACK_STEP = 64 * 1024,
    KEPT_MAX = 256 * 1024, /* bytes of a buffer that are kept for the next message */
    ACK_ROOM = FLUENT_CHUNK_MAX + 16,
};

/* A line of which parts have come, and its first part. */
struct line {
    bool is_open;
    struct fluent_event event;
    struct buffer text;
};

struct memory {
    struct stream_setup setup;
    struct record_draft draft;
    struct buffer room; /* for texts on their way into the draft */
    struct line lines[FLUENT_PARTED_MAX];
    z_stream zlib;
    bool has_zlib;
    struct buffer unpacked; /* of a packed message: the events that have not come whole */
};

/*
 * What a connection is beside its bytes. `ahead` of them are whole messages that were looked at and
 * wait for parts of lines that are missing: `missing` are the hashes of those lines' ids. `walk`
 * is of the message behind them, which has not come whole.
 */
struct session {
    struct msgpack_walk walk;
    uint64_t ahead;
    uint64_t missing[FLUENT_PARTED_MAX];
    uint32_t missing_len;
    uint32_t waits_for_ping;
    char nonce[FLUENT_NONCE_LEN];
};

static_assert(sizeof(struct session) <= STREAM_SESSION_BYTES, "a session is small");

/* What is being read. */
struct reading {
    struct memory *memory;
    struct session *session;
    const struct stream_input *in;
    struct stream_output *out;
    record_sink *sink;
    void *ctx;
    bool is_full; /* the reply is */
};

static void *memory_new(const struct stream_setup *setup, struct account *account)
{
    struct memory *m = xcalloc(1, sizeof(*m));

    m->setup = *setup;
    record_draft_init(&m->draft);
    buffer_init_within(&m->room, RECORD_BYTES_MAX, account);
    buffer_init_within(&m->unpacked, FLUENT_MESSAGE_MAX + UNPACK_STEP, account);
    for (size_t i = 0; i < FLUENT_PARTED_MAX; i++)
        buffer_init_within(&m->lines[i].text, FLUENT_MESSAGE_MAX, account);
    return m;
}

static void memory_free(void *memory)
{
    struct memory *m = memory;

    if (!m)
        return;
    record_draft_release(&m->draft);
    buffer_release(&m->room);
    buffer_release(&m->unpacked);
    for (size_t i = 0; i < FLUENT_PARTED_MAX; i++)
        buffer_release(&m->lines[i].text);
    if (m->has_zlib)
        inflateEnd(&m->zlib);
    free(m);
}

static void keep_little(struct buffer *b)
{
    if (b->capacity > KEPT_MAX)
        buffer_release(b);
    buffer_clear(b);
}

static void keep_little_memory(struct memory *m)
{
    struct record_draft *d = &m->draft;

    keep_little(&m->room);
    if (d->attributes.capacity > KEPT_MAX || d->repaired.capacity > KEPT_MAX ||
        d->message.capacity > KEPT_MAX) {
        record_draft_release(d);
        record_draft_init(d);
    }
}

static void leave_out(struct reading *r)
{
    r->out->counts.refused++;
}

/* The client is to blame for a message: nothing that comes behind can be read. */
static int end(struct reading *r, const char *why)
{
    leave_out(r);
    r->out->ends = true;
    errbuf_set(r->out->why, "%s", why);
    return 0;
}

/* ---- Events ---- */

/* Events of one message. */
struct batch {
    struct slice tag;
    bool has_chunk; /* from which ids are derived */
    struct repeats repeats;
    uint64_t index;    /* of the next event */
    bool is_too_large; /* events are behind that are not taken: they are too many, or too long */
};

static struct batch begin_batch(const struct fluent_message *m)
{
    struct batch b = {.tag = m->tag, .has_chunk = m->has_chunk};

    if (m->has_chunk) {
        repeats_begin(&b.repeats, m->events);
        repeats_add(&b.repeats, m->chunk);
        repeats_add(&b.repeats, m->tag);
    }
    return b;
}

static int put_event(struct reading *r, const struct batch *b, const struct fluent_event *e,
                     struct slice text, bool is_joined)
{
    struct format_counts *counts = &r->out->counts;
    struct record_draft *d = &r->memory->draft;
    struct errbuf why = ERRBUF_INIT;
    struct record record;

    record_draft_begin(d);
    fluent_event_put(d, e, text, is_joined, &r->memory->room);
    if (b->has_chunk)
        record_draft_within(d, b->repeats.hash, b->index);
    else
        record_draft_within(d, r->in->bits, r->in->number + counts->records);
    int error =
        e->time.is_wrong ? LM_EINVAL : record_draft_finish(d, r->in->arrival_us, &record, &why);
    if (error == LM_EINVAL || error == LM_EDATA || error == LM_ETOOBIG) {
        leave_out(r);
        return 0;
    }
    if (!error)
        error = r->sink(&record, r->ctx);
    if (!error)
        counts->records++;
    return error;
}

/* Takes an entry, which is whole: [time, record]. */
static int take_entry(struct reading *r, struct batch *b, struct slice bytes)
{
    struct msgpack p = msgpack_of(bytes);
    struct fluent_event e = {.tag = b->tag};
    struct msgpack_value v;
    int error = 0;

    if (msgpack_next(&p, &v) && v.type == MSGPACK_ARRAY && v.count >= 2 &&
        fluent_event_read(&p, &e))
        error = put_event(r, b, &e, e.record.message, false);
    else
        leave_out(r);
    b->index++;
    return error;
}

/*
 * Takes the entries at the beginning of `bytes` that are whole, and cuts them off; `walk` is of the
 * next one. *is_wrong: what comes next is none.
 */
static int take_entries(struct reading *r, struct batch *b, struct slice *bytes,
                        struct msgpack_walk *walk, bool *is_wrong)
{
    int error = 0;

    while (bytes->len && !error) {
        b->is_too_large |= b->index == FLUENT_EVENTS_MAX;
        if (b->is_too_large)
            break;
        if (!walk->left && !walk->at)
            walk->left = 1;
        enum msgpack_walked walked = msgpack_walk(walk, *bytes);
        *is_wrong = walked == MSGPACK_WRONG;
        if (walked != MSGPACK_WHOLE)
            break;
        error = take_entry(r, b, slice_of(bytes->data, walk->at));
        *bytes = slice_of(bytes->data + walk->at, bytes->len - walk->at);
        *walk = (struct msgpack_walk){.left = 0};
    }
    return error;
}

/* Entries that are all there. What cannot be read is left out, and counts as one. */
static int take_packed(struct reading *r, struct batch *b, struct slice bytes)
{
    struct msgpack_walk walk = {.left = 0};
    bool is_wrong = false;
    int error = take_entries(r, b, &bytes, &walk, &is_wrong);

    if (!error && bytes.len)
        leave_out(r);
    return error;
}

/* ---- Compressed events ---- */

/* They go through a window, in which an event that has not come whole waits for more. */
struct unpacking {
    struct msgpack_walk walk; /* of the event at the beginning of the window */
    bool passes;              /* it is too large */
    bool is_wrong;            /* what is there or behind cannot be read */
    bool is_cut;              /* what is behind cannot be unpacked, or is too much */
    size_t total;             /* bytes unpacked */
};

static int begin_zlib(struct memory *m, struct slice packed)
{
    int result = m->has_zlib ? inflateReset(&m->zlib) : inflateInit2(&m->zlib, ANY_HEADER);

    m->has_zlib |= result == Z_OK;
    m->zlib.next_in = (unsigned char *)packed.data;
    m->zlib.avail_in = (unsigned)packed.len;
    buffer_clear(&m->unpacked);
    return result == Z_OK ? 0 : LM_ENOMEM;
}

/* Unpacks a piece more into the window. *ends: no more comes. */
static int unpack(struct memory *m, struct unpacking *u, bool *ends)
{
    char *room = buffer_reserve(&m->unpacked, UNPACK_STEP);

    if (!room)
        return buffer_error(&m->unpacked);
    m->zlib.next_out = (unsigned char *)room;
    m->zlib.avail_out = UNPACK_STEP;
    int result = inflate(&m->zlib, Z_NO_FLUSH);
    m->unpacked.len += UNPACK_STEP - m->zlib.avail_out;
    u->total += UNPACK_STEP - m->zlib.avail_out;
    if (result == Z_MEM_ERROR)
        return LM_ENOMEM;
    if (result == Z_STREAM_END && m->zlib.avail_in) /* members may follow each other */
        result = inflateReset(&m->zlib);
    bool is_good = result == Z_OK || result == Z_STREAM_END;
    u->is_cut = !is_good || u->total > FLUENT_UNPACKED_MAX;
    *ends = u->is_cut || result == Z_STREAM_END;
    return 0;
}

/* Passes the bytes of an event that is too large, as far as they are in the window. */
static void pass_event(struct reading *r, struct unpacking *u)
{
    struct buffer *window = &r->memory->unpacked;
    enum msgpack_walked walked = msgpack_walk(&u->walk, buffer_slice(window));
    size_t passed = u->walk.at < window->len ? u->walk.at : window->len;

    buffer_consume(window, passed);
    u->walk.at -= passed;
    u->is_wrong |= walked == MSGPACK_WRONG;
    if (walked == MSGPACK_WHOLE) {
        u->passes = false;
        u->walk = (struct msgpack_walk){.left = 0};
    }
}

static int take_window(struct reading *r, struct batch *b, struct unpacking *u)
{
    struct buffer *window = &r->memory->unpacked;

    if (u->passes)
        pass_event(r, u);
    if (u->passes || u->is_wrong)
        return 0;
    struct slice rest = buffer_slice(window);
    int error = take_entries(r, b, &rest, &u->walk, &u->is_wrong);
    if (error)
        return error;
    buffer_consume(window, window->len - rest.len);
    if (window->len + UNPACK_STEP > window->ceiling) { /* more than FLUENT_MESSAGE_MAX */
        leave_out(r);
        b->index++;
        u->passes = true;
        pass_event(r, u);
    }
    return 0;
}

static int take_compressed(struct reading *r, struct batch *b, struct slice packed)
{
    struct memory *m = r->memory;
    struct unpacking u = {.total = 0};
    int error = begin_zlib(m, packed);

    for (bool ends = false; !error && !ends;) {
        error = unpack(m, &u, &ends);
        if (!error)
            error = take_window(r, b, &u);
        ends |= u.is_wrong || b->is_too_large;
    }
    b->is_too_large |= u.total > FLUENT_UNPACKED_MAX;
    r->out->counts.unpacked += u.total;
    if (!error && !u.passes && (u.is_wrong || u.is_cut || m->unpacked.len > 0))
        leave_out(r);
    keep_little(&m->unpacked);
    return error;
}

/* ---- Lines in parts ---- */

static bool is_part(const struct fluent_message *m)
{
    return m->mode == FLUENT_MESSAGE && m->has_event && !m->has_chunk &&
           m->event.record.part.id.len > 0;
}

/* Notes whether the line of `part` misses more of them. False if there are too many such lines. */
static bool note_part(struct session *s, const struct fluent_part *part)
{
    uint64_t hash = hash_bytes(HASH_BASIS, part->id);
    uint32_t i = 0;

    while (i < s->missing_len && s->missing[i] != hash)
        i++;
    if (part->is_last && i < s->missing_len) {
        s->missing[i] = s->missing[--s->missing_len];
    } else if (!part->is_last && i == s->missing_len) {
        if (i == FLUENT_PARTED_MAX)
            return false;
        s->missing[s->missing_len++] = hash;
    }
    return true;
}

static struct line *find_line(struct memory *m, struct slice id)
{
    struct line *unused = NULL;

    for (size_t i = 0; i < FLUENT_PARTED_MAX; i++) {
        struct line *line = &m->lines[i];

        if (line->is_open && slice_equal(line->event.record.part.id, id))
            return line;
        if (!line->is_open && !unused)
            unused = line;
    }
    return unused;
}

/* A line from its first to its last part is one log that does not tell of them. */
static int put_line(struct reading *r, struct line *line, bool is_whole)
{
    struct batch none = {.has_chunk = false};
    int error = buffer_error(&line->text);

    line->is_open = false;
    if (error == LM_ETOOBIG) {
        leave_out(r);
        error = 0;
    } else if (!error) {
        error = put_event(r, &none, &line->event, buffer_slice(&line->text),
                          is_whole && line->event.record.part.is_first);
    }
    keep_little(&line->text);
    return error;
}

static int put_part(struct reading *r, const struct fluent_event *e)
{
    struct line *line = find_line(r->memory, e->record.part.id);
    struct batch none = {.has_chunk = false};

    if (!line)
        return put_event(r, &none, e, e->record.message, false);
    if (!line->is_open) {
        line->is_open = true;
        line->event = *e;
        buffer_clear(&line->text);
    }
    buffer_append_slice(&line->text, e->record.message);
    return e->record.part.is_last ? put_line(r, line, true) : 0;
}

/* The lines whose parts did not all come. */
static int put_lines(struct reading *r)
{
    int error = 0;

    for (size_t i = 0; i < FLUENT_PARTED_MAX; i++)
        if (r->memory->lines[i].is_open && !error)
            error = put_line(r, &r->memory->lines[i], false);
    return error;
}

/* ---- Messages ---- */

static void acknowledge(struct buffer *reply, struct slice chunk)
{
    msgpack_append_map(reply, 1);
    msgpack_append_text(reply, SLICE_LITERAL("ack"));
    msgpack_append_text(reply, chunk);
}

static int take_events(struct reading *r, const struct fluent_message *m, struct batch *b)
{
    switch (m->mode) {
    case FLUENT_SIGN_OF_LIFE:
        return 0;
    case FLUENT_MESSAGE:
        if (m->has_event)
            return put_event(r, b, &m->event, m->event.record.message, false);
        leave_out(r);
        return 0;
    case FLUENT_PACKED:
        if (m->is_gzip)
            return take_compressed(r, b, m->events);
        break;
    case FLUENT_FORWARD:
        break;
    }
    return take_packed(r, b, m->events);
}

/* Room for the answer is made sure of before anything is taken. */
static bool has_room(struct reading *r, const struct fluent_message *m)
{
    return !m->has_chunk || buffer_reserve(r->out->reply, ACK_ROOM);
}

static int take_message(struct reading *r, const struct fluent_message *m)
{
    if (m->is_unknown && m->mode == FLUENT_PACKED)
        return end(r, "events are compressed in another way than gzip");
    if (m->has_chunk && m->chunk.len > FLUENT_CHUNK_MAX)
        return end(r, "a chunk's name is longer than FLUENT_CHUNK_MAX");
    struct batch b = begin_batch(m);
    int error = take_events(r, m, &b);
    if (!error && m->has_chunk && b.is_too_large) {
        r->out->ends = true;
        errbuf_set(r->out->why, "a message holds more than FLUENT_EVENTS_MAX or "
                                "FLUENT_UNPACKED_MAX: it is not acknowledged");
    } else if (!error && m->has_chunk) {
        acknowledge(r->out->reply, m->chunk);
    }
    return error;
}

/* Takes the messages of `bytes`, whole ones without chunks, of which lines are put together. */
static int take_parted(struct reading *r, struct slice bytes)
{
    struct fluent_message m;
    int error = 0;

    for (size_t i = 0; i < FLUENT_PARTED_MAX; i++)
        r->memory->lines[i].is_open = false;
    while (bytes.len && !error) {
        struct msgpack_walk walk = {.left = 1};

        if (msgpack_walk(&walk, bytes) != MSGPACK_WHOLE ||
            !fluent_message_read(slice_of(bytes.data, walk.at), &m))
            break; /* it was read before */
        error = is_part(&m) ? put_part(r, &m.event) : take_message(r, &m);
        bytes = slice_of(bytes.data + walk.at, bytes.len - walk.at);
    }
    return error ? error : put_lines(r);
}

/* ---- The stream ---- */

static int greet_back(struct reading *r, struct slice message)
{
    struct session *s = r->session;
    int error =
        fluent_hello_answer(&r->memory->setup, s->nonce, message, r->out->reply, r->out->why);

    if (error == LM_EINVAL) {
        r->out->ends = true;
        return 0;
    }
    s->waits_for_ping = false;
    memset(s->nonce, 0, sizeof(s->nonce));
    r->out->used += message.len;
    return error;
}

/* What has been looked at, up to out->used + ahead, is taken. */
static int take_ahead(struct reading *r)
{
    struct session *s = r->session;
    size_t ahead = s->ahead;

    s->ahead = 0;
    s->missing_len = 0;
    int error = take_parted(r, slice_of(r->in->bytes.data + r->out->used, ahead));
    r->out->used += ahead;
    return error;
}

/* No more answers can be kept: what was read so far is taken, or nothing. The rest comes again. */
static int stop_full(struct reading *r)
{
    int error = buffer_error(r->out->reply);

    buffer_truncate(r->out->reply, r->out->reply->len);
    r->is_full = r->out->may_be_whole = true;
    if (r->out->used)
        return 0;
    return error == LM_ETOOBIG ? LM_EBUSY : error;
}

/* A message that is no part of a line: nothing waits before it. */
static int take_now(struct reading *r, const struct fluent_message *m, size_t len)
{
    if (!has_room(r, m))
        return stop_full(r);
    int error = take_message(r, m);
    r->out->used += len;
    return error;
}

/*
 * A message has come whole, behind what waits for parts of lines. It waits with them, unless its
 * sender waits for an answer.
 */
static int look_at(struct reading *r, struct slice bytes)
{
    struct session *s = r->session;
    struct fluent_message m;
    int error = 0;
    bool is_message = fluent_message_read(bytes, &m);
    if (s->waits_for_ping && !(is_message && m.mode == FLUENT_SIGN_OF_LIFE))
        return greet_back(r, bytes);
    if (!is_message)
        return end(r, "a message that is none of Fluent's forward protocol");
    if (m.has_chunk && s->ahead)
        error = take_ahead(r);
    if (error || (!is_part(&m) && !s->missing_len))
        return error ? error : take_now(r, &m, bytes.len);
    bool may_wait = !is_part(&m) || note_part(s, &m.event.record.part);
    s->ahead += bytes.len;
    may_wait = may_wait && s->missing_len && s->ahead <= FLUENT_MESSAGE_MAX;
    return may_wait ? 0 : take_ahead(r);
}

static bool is_beginning(unsigned char first)
{
    return first == 0xc0 || (first >= 0x90 && first <= 0x9f) || first == 0xdc || first == 0xdd;
}

/* Reads on. *more: what comes next is not whole. */
static int read_next(struct reading *r, bool *more)
{
    struct session *s = r->session;
    size_t at = r->out->used + s->ahead;

    *more = true;
    if (at == r->in->bytes.len)
        return 0;
    struct slice rest = slice_of(r->in->bytes.data + at, r->in->bytes.len - at);
    if (!is_beginning((unsigned char)*rest.data))
        return end(r, "bytes that are none of Fluent's forward protocol");
    if (!s->walk.left && !s->walk.at)
        s->walk.left = 1;
    enum msgpack_walked walked = msgpack_walk(&s->walk, rest);
    if (walked == MSGPACK_WRONG)
        return end(r, "bytes that are no MessagePack");
    if (s->waits_for_ping && s->walk.at + s->walk.left > FLUENT_PING_MAX)
        return greet_back(r, slice_of(NULL, 0));
    if (s->walk.at + s->walk.left > FLUENT_MESSAGE_MAX)
        return end(r, "a message is larger than FLUENT_MESSAGE_MAX");
    if (walked == MSGPACK_MORE)
        return 0;
    *more = false;
    struct slice message = slice_of(rest.data, s->walk.at);
    s->walk = (struct msgpack_walk){.left = 0};
    return look_at(r, message);
}

/* Parts that are missing do not come any more. */
static int give_up_waiting(struct reading *r)
{
    struct stream_output *out = r->out;
    int error = 0;

    if (r->session->ahead && (r->in->has_waited || r->in->is_over || out->ends))
        error = take_ahead(r);
    out->may_be_whole = r->session->ahead > 0;
    if (r->in->is_over && !out->ends && out->used < r->in->bytes.len) {
        leave_out(r); /* it was cut off */
        out->used = r->in->bytes.len;
    }
    return error;
}

static int read_stream(void *memory, void *session, const struct stream_input *in,
                       record_sink *sink, void *ctx, struct stream_output *out)
{
    struct reading r = {memory, session, in, out, sink, ctx, false};
    bool more = false;
    int error = 0;

    out->used = 0;
    out->may_be_whole = out->ends = false;
    out->counts = (struct format_counts){.records = 0};
    r.memory->draft.nul_characters = 0;
    while (!error && !more && !out->ends && !r.is_full)
        error = read_next(&r, &more);
    if (!error && !r.is_full)
        error = give_up_waiting(&r);
    out->counts.nul_characters = r.memory->draft.nul_characters;
    keep_little_memory(r.memory);
    return error;
}

static void greet(void *memory, void *session, struct buffer *reply)
{
    struct memory *m = memory;
    struct session *s = session;

    if (!m->setup.shared_key)
        return;
    s->waits_for_ping = true;
    fluent_hello_begin(s->nonce, reply);
}

const struct stream_format fluent_forward = {
    .name = "fluent",
    .message_max = FLUENT_MESSAGE_MAX,
    .session_bytes = sizeof(struct session),
    .memory_new = memory_new,
    .memory_free = memory_free,
    .greet = greet,
    .read = read_stream,
};
