#include "formats/syslog_frames.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "formats/syslog.h"

enum {
    COUNT_DIGITS_MAX = 9,
    HEAD_MAX = 32, /* bytes that show whether a message begins (syslog_begins), or its count */
    PRI_BYTES_MAX = 5
};

/* How messages of a connection are told apart. */
enum framing {
    FRAMING_UNKNOWN, /* as long as nothing has shown it */
    FRAMING_COUNT,
    FRAMING_LF,
    FRAMING_NUL,
    FRAMING_NONE,
};

/* Flat, zero at first. */
struct session {
    uint8_t framing;
    uint8_t has_begun;    /* something of the connection was used */
    uint8_t terminates;   /* something that came has ended with a terminator */
    uint8_t has_pri, pri; /* of the message that comes in pieces */
    uint32_t part;        /* of it, that was taken last; 0: there is none */
    uint64_t rest;        /* bytes of it that are to come, if it was counted */
    uint32_t searched;    /* bytes of what is not used in which no message ends */
};

static_assert(sizeof(struct session) <= STREAM_SESSION_BYTES, "a session is small");

struct memory {
    struct syslog syslog;
    struct record_draft draft;
};

static void *memory_new(const struct stream_setup *setup, struct account *account)
{
    struct memory *m = xcalloc(1, sizeof(*m));

    syslog_init(&m->syslog);
    m->syslog.unescaped.account = account;
    record_draft_init(&m->draft);
    return m;
}

static void memory_free(void *memory)
{
    struct memory *m = memory;

    if (!m)
        return;
    syslog_release(&m->syslog);
    record_draft_release(&m->draft);
    free(m);
}

/* ---- Where a message ends ---- */

enum verdict {
    IS_WHOLE,
    MAY_BE_WHOLE, /* if nothing comes */
    NEEDS_MORE
};

struct frame {
    size_t used;       /* bytes, with what is around it */
    struct slice text; /* may be empty, then it is none */
    bool has_more;     /* it is longer than what may be taken of it */
    bool ends_early;   /* the connection has ended within it */
};

static struct slice from(struct slice text, size_t at)
{
    return slice_of(text.data + at, text.len - at);
}

/* Whether `text` can be a PRI of which more must come. */
static bool may_become_pri(struct slice text)
{
    if (text.len >= PRI_BYTES_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (i == 0 ? text.data[i] != '<' : text.data[i] < '0' || text.data[i] > '9')
            return false;
    return true;
}

/* Whether the line feed at `at` ends a message that has a PRI. */
static enum verdict judge_line_feed(struct slice bytes, size_t at, const struct stream_input *in,
                                    bool *ends)
{
    struct slice next = from(bytes, at + 1);
    unsigned pri;

    *ends = true;
    if (next.len == 0)
        return in->is_over || in->has_waited ? IS_WHOLE : MAY_BE_WHOLE;
    if (next.data[0] == '\0')
        return IS_WHOLE;
    *ends = false;
    if (next.data[0] != '<')
        return IS_WHOLE;
    if (may_become_pri(next)) {
        *ends = !in->is_over;
        return in->is_over || in->has_waited ? IS_WHOLE : MAY_BE_WHOLE;
    }
    *ends = syslog_cut_pri(&next, &pri);
    return IS_WHOLE;
}

/* The first byte from `at` on, before `end`, at which a message may end in this framing; or end. */
static size_t next_candidate(struct slice bytes, size_t at, size_t end, enum framing framing)
{
    const char *first = bytes.data + at;
    size_t len = end - at;
    const char *p = framing == FRAMING_NUL ? NULL : memchr(first, '\n', len);

    if (p)
        len = (size_t)(p - first);
    if (framing != FRAMING_LF && framing != FRAMING_COUNT) {
        const char *nul = len ? memchr(first, '\0', len) : NULL;

        if (nul)
            len = (size_t)(nul - first);
    }
    if (framing == FRAMING_NONE) {
        const char *head = len ? memchr(first, '<', len) : NULL;

        if (head)
            len = (size_t)(head - first);
    }
    return at + len;
}

struct search {
    size_t from, to;
    bool has_pri;
    enum framing framing;
};

/* Looks for the end of a message: *at, and the framing that it shows. IS_WHOLE if there is one. */
static enum verdict find_end(struct slice bytes, const struct stream_input *in, struct search *s,
                             size_t *at)
{
    for (*at = s->from; (*at = next_candidate(bytes, *at, s->to, s->framing)) < s->to; ++*at) {
        char c = bytes.data[*at];
        bool ends = c == '\0';

        if (c == '\n' && s->has_pri) {
            enum verdict verdict = judge_line_feed(bytes, *at, in, &ends);

            if (verdict != IS_WHOLE)
                return verdict;
        } else if (c == '\n') {
            ends = true;
        } else if (c == '<') {
            ends = *at > 0 && syslog_begins(from(bytes, *at));
        }
        if (!ends)
            continue;
        if (s->framing == FRAMING_UNKNOWN) {
            bool is_nul =
                c == '\0' || (s->has_pri && *at + 1 < bytes.len && bytes.data[*at + 1] == '\0');

            s->framing = is_nul ? FRAMING_NUL : FRAMING_LF;
        }
        return IS_WHOLE;
    }
    return NEEDS_MORE;
}

/* The longest beginning of `len` bytes of `text` that does not end within a character. */
static size_t whole_characters(struct slice text, size_t len)
{
    for (size_t back = 1; back < UTF8_LEN_MAX && back < len; back++) {
        unsigned char c = (unsigned char)text.data[len - back];
        size_t of_character = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

        if (c < 0x80)
            break;
        if (c >= 0xc0)
            return of_character > back ? len - back : len;
    }
    return len;
}

/* A message that no count and no terminator has ended so far. */
static enum verdict without_end(struct session *s, struct slice bytes,
                                const struct stream_input *in, struct search *search,
                                struct frame *f)
{
    bool is_framed = search->framing != FRAMING_UNKNOWN && search->framing != FRAMING_NONE;
    bool has_end = is_framed && (search->framing == FRAMING_COUNT || s->terminates);
    bool is_long = bytes.len > SYSLOG_MESSAGE_MAX;
    bool is_full = bytes.len >= SYSLOG_MESSAGE_MAX + HEAD_MAX;
    size_t at;

    if (!is_full && !in->is_over && (!in->has_waited || (has_end && !is_long))) {
        size_t open = search->framing == FRAMING_NONE ? HEAD_MAX : 0;

        s->searched = (uint32_t)(search->to > open ? search->to - open : 0);
        return has_end ? NEEDS_MORE : MAY_BE_WHOLE;
    }
    if (!is_framed) {
        struct search heads = {
            .to = search->to, .has_pri = search->has_pri, .framing = FRAMING_NONE};

        search->framing = FRAMING_NONE;
        if (find_end(bytes, in, &heads, &at) == IS_WHOLE && at > 0) {
            *f = (struct frame){.used = at, .text = {bytes.data, at}};
            return IS_WHOLE;
        }
    }
    f->has_more = is_long;
    f->used = is_long ? whole_characters(bytes, SYSLOG_MESSAGE_MAX) : bytes.len;
    f->text = slice_of(bytes.data, f->used);
    return IS_WHOLE;
}

static enum verdict read_line(struct session *s, struct slice bytes, const struct stream_input *in,
                              struct frame *f)
{
    struct slice rest = bytes;
    unsigned pri;
    struct search search = {
        .from = s->searched < bytes.len ? s->searched : bytes.len,
        .to = bytes.len <= SYSLOG_MESSAGE_MAX ? bytes.len : SYSLOG_MESSAGE_MAX + 1,
        .has_pri = s->part ? s->has_pri : syslog_cut_pri(&rest, &pri),
        .framing = s->framing,
    };
    size_t at;

    if (s->framing == FRAMING_COUNT) /* out of step: a line is all that can be made of it */
        search.has_pri = false;
    enum verdict verdict = find_end(bytes, in, &search, &at);
    if (verdict == MAY_BE_WHOLE)
        s->searched = (uint32_t)at;
    if (verdict == NEEDS_MORE)
        verdict = without_end(s, bytes, in, &search, f);
    else if (verdict == IS_WHOLE)
        *f = (struct frame){.used = at + (bytes.data[at] != '<'), .text = {bytes.data, at}};
    if (verdict == IS_WHOLE) {
        s->framing = (uint8_t)search.framing;
        s->searched = 0;
    }
    return verdict;
}

/* ---- Counted ---- */

/*
 * Takes `len` bytes behind the `head` of a frame, or as many of them as may be taken together; what
 * is left over is s->rest.
 */
static enum verdict take_counted(struct session *s, struct slice bytes, size_t head, uint64_t len,
                                 const struct stream_input *in, struct frame *f)
{
    struct slice text = from(bytes, head);
    size_t piece = len < SYSLOG_MESSAGE_MAX ? (size_t)len : SYSLOG_MESSAGE_MAX;

    if (text.len < piece && !in->is_over)
        return NEEDS_MORE;
    f->ends_early = text.len < piece;
    if (f->ends_early)
        piece = text.len;
    else if (piece < len)
        piece = whole_characters(text, piece);
    f->has_more = piece < len && !f->ends_early;
    f->text = slice_of(text.data, piece);
    f->used = head + piece;
    s->rest = f->has_more ? len - piece : 0;
    return IS_WHOLE;
}

/* The count that `bytes` begins with: *head is its length with the space. IS_WHOLE and 0: none. */
static enum verdict read_count(const struct session *s, struct slice bytes,
                               const struct stream_input *in, uint64_t *count, size_t *head)
{
    size_t at = 0;

    *count = 0;
    *head = 0;
    if (s->framing != FRAMING_UNKNOWN && s->framing != FRAMING_COUNT)
        return IS_WHOLE;
    for (;
         at < bytes.len && at <= COUNT_DIGITS_MAX && bytes.data[at] >= '0' && bytes.data[at] <= '9';
         at++)
        *count = *count * 10 + (uint64_t)(bytes.data[at] - '0');
    if (at == 0 || at > COUNT_DIGITS_MAX || bytes.data[0] == '0')
        return IS_WHOLE;
    if (at + 2 > bytes.len && !in->is_over && (at == bytes.len || bytes.data[at] == ' '))
        return NEEDS_MORE;
    if (at + 2 > bytes.len || bytes.data[at] != ' ')
        return IS_WHOLE;
    if (bytes.data[at + 1] == '<' || s->framing == FRAMING_COUNT)
        *head = at + 1;
    return IS_WHOLE;
}

/* ---- Frames ---- */

static enum verdict read_frame(struct session *s, struct slice bytes, const struct stream_input *in,
                               struct frame *f)
{
    uint64_t count;
    size_t head;

    *f = (struct frame){.used = 0};
    if (s->rest)
        return take_counted(s, bytes, 0, s->rest, in, f);
    if (s->part)
        return read_line(s, bytes, in, f);
    if (bytes.data[0] == '\n' || bytes.data[0] == '\r' || bytes.data[0] == '\0') {
        f->used = 1;
        s->searched = 0;
        return IS_WHOLE;
    }
    enum verdict verdict = read_count(s, bytes, in, &count, &head);
    if (verdict != IS_WHOLE)
        return verdict;
    if (!head)
        return read_line(s, bytes, in, f);
    verdict = take_counted(s, bytes, head, count, in, f);
    if (verdict == IS_WHOLE)
        s->framing = FRAMING_COUNT;
    return verdict;
}

/* What it is that a connection begins with and cannot be read; NULL if it can. */
static const char *find_foreign(struct slice bytes)
{
    const unsigned char *p = (const unsigned char *)bytes.data;

    if (bytes.len < 3)
        return NULL;
    if ((p[0] == 0x78 && (p[0] * 256 + p[1]) % 31 == 0 && !(p[1] & 0x20) &&
         (p[2] < ' ' || p[2] >= 0x80)) ||
        (p[0] == 0x1f && p[1] == 0x8b))
        return "it is compressed (rsyslog's compression.mode): to be sent without";
    if (p[0] == 0x16 && p[1] == 0x03)
        return "it is TLS, and this address takes none";
    return NULL;
}

/* ---- Logs ---- */

/* A piece of a message behind the first. */
static void put_piece(struct memory *m, const struct session *s, struct slice text)
{
    struct record_draft *d = &m->draft;

    m->syslog.origin.len = 0;
    record_draft_begin(d);
    if (s->has_pri)
        syslog_put_pri(d, s->pri);
    record_draft_message(d, text);
}

/* Counts the pieces of a message that has more than one. */
static void count_part(struct session *s, const struct frame *f)
{
    struct slice rest = f->text;
    unsigned pri = 0;

    if (s->part == 0) {
        s->has_pri = syslog_cut_pri(&rest, &pri);
        s->pri = (uint8_t)pri;
    }
    s->part++;
}

static int take(struct memory *m, const struct session *s, struct slice text,
                const struct stream_input *in, record_sink *sink, void *ctx,
                struct stream_output *out)
{
    struct record_draft *d = &m->draft;
    struct errbuf why = ERRBUF_INIT;
    struct record record;

    if (s->part > 1)
        put_piece(m, s, text);
    else
        (void)syslog_put(&m->syslog, text,
                         &(struct syslog_source){.arrival_us = in->arrival_us, .has_draft = true},
                         d);
    if (s->part)
        record_draft_unsigned(
            d, record_draft_own_name(d, SLICE_LITERAL("part"), SLICE_LITERAL("syslog.part")),
            s->part);
    record_draft_within(d, in->bits, in->number + out->counts.records);
    int error = record_draft_finish(d, in->arrival_us, &record, &why);
    if (error == LM_EINVAL || error == LM_EDATA) {
        out->counts.refused++;
        return 0;
    }
    if (!error)
        error = sink(&record, ctx);
    out->counts.records += !error;
    return error;
}

static int read_stream(void *memory, void *session, const struct stream_input *input,
                       record_sink *sink, void *ctx, struct stream_output *out)
{
    struct stream_input given = *input;
    const struct stream_input *in = &given;
    struct memory *m = memory;
    struct session *s = session;
    struct slice bytes = in->bytes;
    int error = 0;

    /* Of so many bytes some are used anyway; the last message among them has not waited. */
    given.has_waited &= bytes.len < SYSLOG_MESSAGE_MAX + HEAD_MAX;
    if (bytes.len && (bytes.data[bytes.len - 1] == '\n' || bytes.data[bytes.len - 1] == '\0'))
        s->terminates = true;
    m->draft.nul_characters = 0;

    const char *foreign = s->has_begun ? NULL : find_foreign(bytes);
    if (foreign) {
        out->used = bytes.len;
        out->ends = true;
        errbuf_set(out->why, "%s", foreign);
        return 0;
    }
    while (bytes.len && !error) {
        struct frame f;
        enum verdict verdict = read_frame(s, bytes, in, &f);

        if (verdict != IS_WHOLE) {
            out->may_be_whole = verdict == MAY_BE_WHOLE;
            break;
        }
        if (s->part || f.has_more || f.ends_early)
            count_part(s, &f);
        if (f.text.len)
            error = take(m, s, f.text, in, sink, ctx, out);
        if (!f.has_more)
            s->part = 0;
        bytes = from(bytes, f.used);
        s->has_begun = true;
    }
    out->used = in->bytes.len - bytes.len;
    out->counts.nul_characters = m->draft.nul_characters;
    return error;
}

static int read_datagram(void *memory, void *session, const struct stream_input *in,
                         record_sink *sink, void *ctx, struct stream_output *out)
{
    static const struct session none = {.part = 0};
    struct memory *m = memory;
    struct slice text = in->bytes;

    m->draft.nul_characters = 0;
    while (text.len && memchr("\n\r", text.data[text.len - 1], 3)) /* and NUL */
        text.len--;
    int error = text.len ? take(m, &none, text, in, sink, ctx, out) : 0;
    out->used = in->bytes.len;
    out->counts.nul_characters = m->draft.nul_characters;
    return error;
}

const struct stream_format syslog_stream = {
    .name = "syslog",
    .message_max = SYSLOG_MESSAGE_MAX + HEAD_MAX,
    .session_bytes = sizeof(struct session),
    .memory_new = memory_new,
    .memory_free = memory_free,
    .read = read_stream,
};

const struct stream_format syslog_datagram = {
    .name = "syslog",
    .message_max = SYSLOG_MESSAGE_MAX,
    .memory_new = memory_new,
    .memory_free = memory_free,
    .read = read_datagram,
};
