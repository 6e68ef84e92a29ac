#include "cli/line.h"

#include <string.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "cli/line_json.h"

/* ---- JSON ---- */

static struct slice without_bom(struct slice text)
{
    static const struct slice bom = {"\xef\xbb\xbf", 3};

    if (text.len >= bom.len && memcmp(text.data, bom.data, bom.len) == 0)
        return slice_of(text.data + bom.len, text.len - bom.len);
    return text;
}

bool line_may_be_json(const struct line_input *in, struct slice text)
{
    const struct line_chosen *c = &in->chosen;
    bool may_be = c->format == LINE_AUTO || c->form == &line_docker || c->form == &line_journal;
    size_t blanks = 0;

    if (c->format == LINE_JSON || !may_be)
        return c->format == LINE_JSON;
    text = without_bom(text);
    while (blanks < text.len && (text.data[blanks] == ' ' || text.data[blanks] == '\t'))
        blanks++;
    return blanks < text.len && text.data[blanks] == '{';
}

/*
 * Appends `line`, which may be JSON, if it is a log; *is_text if it is none at all. Returns
 * 0; LM_EDATA, `err` set, if it is meant as one; or LM_ENOMEM.
 */
static int append_json(struct buffer *b, struct line_reader *r, struct slice line, bool *is_text,
                       struct errbuf *err)
{
    struct slice text = without_bom(line);
    yyjson_doc *doc = NULL;
    struct log_key key;
    int error;

    *is_text = false;
    doc = yyjson_read(text.data, text.len, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_val *log = yyjson_doc_get_root(doc);
    bool is_ours = yyjson_is_obj(log) && line_json_member(log, "message");
    if (yyjson_is_obj(log) && (!is_ours || line_json_is_others(log)) &&
        line_forms_read_object(&r->forms, &r->input->chosen, text)) {
        error = line_log_draft(b, r, LINE_LOG_OF_JSON, text);
        *is_text = error == LM_EDATA && r->input->chosen.format != LINE_JSON;
        if (error == LM_EDATA && !*is_text)
            errbuf_set(err, "more than a log may be");
        error = *is_text ? 0 : error;
    } else if (is_ours) {
        error = line_log_json(b, r, text, log, err);
    } else {
        *is_text = r->input->chosen.format != LINE_JSON && (doc || !line_json_is_nearly_log(text));
        error = *is_text ? 0 : line_check(&r->check, text, &key, err);
        if (!error && !*is_text) /* whatever the two readers differ in */
            error = errbuf_fail(err, LM_EDATA, "cannot be read as JSON");
    }
    yyjson_doc_free(doc);
    return error;
}

static bool json_own_time(struct line_reader *r, const struct line_chosen *c, struct slice line,
                          int64_t *us)
{
    struct slice text = without_bom(line);
    yyjson_doc *doc = yyjson_read(text.data, text.len, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_val *log = yyjson_doc_get_root(doc);
    bool is_ours = line_json_member(log, "message"), has_time = false;

    if (yyjson_is_obj(log) && (!is_ours || line_json_is_others(log)) &&
        line_forms_read_object(&r->forms, c, text)) {
        has_time = r->forms.draft.has_time;
        *us = has_time ? r->forms.draft.record.key.timestamp_us : *us;
    } else if (is_ours) {
        has_time =
            line_json_time(line_json_member(log, "timestamp"), line_json_member(log, "id"), us);
    }
    yyjson_doc_free(doc);
    return has_time;
}

/* ---- Text ---- */

static void pass(struct line_reader *r, struct slice bytes)
{
    struct line_place *place = r->input->place;

    if (place)
        place->hash = hash_bytes(place->hash, bytes);
}

/* Who is told of each log. */
struct out {
    void (*added)(void *ctx);
    void *ctx;
    bool is_passed; /* what is appended is counted in the place already */
};

static void count(struct line_reader *r, const struct out *out)
{
    if (r->log_input->place)
        r->log_input->place->logs++;
    out->added(out->ctx);
}

/* `part`: the number of the part of a line before `text`, of several; NULL: it is a whole one. */
static void append_texts(struct buffer *b, struct line_reader *r, struct slice text, uint32_t *part,
                         const struct out *out)
{
    uint32_t first = 0, *number = part ? part : &first;
    struct line_piece piece = {.at = 0};

    for (size_t len; piece.at < text.len; piece.at += len) {
        struct slice rest = slice_of(text.data + piece.at, text.len - piece.at);

        len = line_log_piece_len(rest);
        piece.text = slice_of(rest.data, len);
        piece.part = part || text.len > LINE_PIECE_MAX ? ++*number : 0;
        if (!out->is_passed)
            pass(r, piece.text);
        line_log_text(b, r, &piece, r->forms.has_head ? &r->forms.head : NULL);
        count(r, out);
    }
}

/* ---- Forms ---- */

static struct line_place place_of(const struct line_reader *r)
{
    return r->input->place ? *r->input->place : (struct line_place){0};
}

static void place_back(struct line_reader *r, const struct line_place *before)
{
    if (r->input->place)
        *r->input->place = *before;
}

/* True if `text`, which is no JSON of ours, says more than that it is the message of a log. */
static bool read_text(struct line_reader *r, struct slice text, const struct gathered *around)
{
    r->forms.has_head = false;
    if (around)
        return line_forms_read_within(&r->forms, text, around->around,
                                      buffer_slice(&around->around_first));
    return text.len <= LINE_PIECE_MAX &&
           line_forms_read(&r->forms, &r->input->chosen, text, r->log_number);
}

/* True if `text`, of which the draft is made, is UTF-8. */
static bool is_valid(const struct line_reader *r, struct slice text)
{
    struct slice message = r->forms.draft.record.message;

    /* That has been looked at. */
    return (message.data == text.data && message.len == text.len) || utf8_valid(text);
}

/* A log that is text, or what a form makes of it. What the limits of a log refuse of that is text
 * all the same. */
static int append_read(struct buffer *b, struct line_reader *r, struct slice text,
                       const struct gathered *around, const struct out *out)
{
    struct line_place before = place_of(r);

    if (!read_text(r, text, around)) {
        append_texts(b, r, text, NULL, out);
        return 0;
    }
    if (!out->is_passed)
        pass(r, text);
    int error = line_log_draft(b, r, r->forms.bits, text);
    if (!error) {
        r->repaired += !is_valid(r, text);
        count(r, out);
        return 0;
    }
    place_back(r, &before);
    if (error != LM_EDATA)
        return error;
    append_texts(b, r, text, NULL, out);
    return 0;
}

/* A whole line that may be a log in JSON. */
static int append_candidate(struct buffer *b, struct line_reader *r, struct slice line,
                            const struct out *out, struct errbuf *err)
{
    struct line_place before = place_of(r);
    bool is_text;

    if (!out->is_passed)
        pass(r, line);
    int error = append_json(b, r, line, &is_text, err);
    if (!error && !is_text)
        count(r, out);
    if (!is_text)
        return error;
    place_back(r, &before); /* its pieces pass one by one */
    return append_read(b, r, line, NULL, out);
}

/* ---- Lines ---- */

static bool is_blank(struct slice line)
{
    return slice_trim(line).len == 0;
}

/* The log of `s` is whole. */
static int take_gathered(struct buffer *b, struct line_reader *r, struct gathered *s,
                         const struct out *out, struct errbuf *err)
{
    struct slice text = gather_text(s);
    struct out passed = {out->added, out->ctx, true};
    struct line_input *input = r->input;
    int error = 0;

    r->input = s->input;
    line_log_begin(r, s->begun, s->number, s->read_us);
    line_input_let_go(s);
    if (s->around)
        error = is_blank(text) ? 0 : append_read(b, r, text, s, &passed);
    else if (s->lines == 1 && line_may_be_json(s->input, text))
        error = append_candidate(b, r, text, &passed, err);
    else if (!is_blank(text))
        error = append_read(b, r, text, NULL, &passed);
    gather_close(&r->gather, s);
    r->input = input;
    return error;
}

/* The log of a stream that `line` goes on with, or a new one; NULL: `line` is of none. */
static struct gathered *find_gathered(struct line_reader *r, const struct gather_line *line,
                                      int stream)
{
    struct gathered *s = line_input_open(r->input, stream);

    if (s || (is_blank(line->text) && !line->is_part))
        return s;
    s = gather_begin(&r->gather);
    line_input_hold(r->input, stream, s);
    return s;
}

/* The line that comes is the `number`th, whatever was taken before; but the first error counts. */
static void begin_line(struct line_reader *r, const struct gather_line *line, int error)
{
    if (!error)
        line_log_begin(r, r->input, line->number, line->read_us);
}

/* A line that may belong to others before and behind it. */
static int gather_line(struct buffer *b, struct line_reader *r, const struct gather_line *line,
                       struct slice name, struct slice whole, const struct out *out,
                       struct errbuf *err)
{
    int stream = gather_stream(name), error = 0, add_error;
    struct gathered *s = r->input->held[stream];

    /* What another input goes on with ends here, too: this one was not at its end. */
    if (s && (s->input != r->input || !gather_continues(&r->gather, s, line)))
        error = take_gathered(b, r, s, out, err);
    pass(r, whole);
    s = find_gathered(r, line, stream);
    if (!s)
        return error;
    begin_line(r, line, error);
    line_input_holds(r->input, stream, line->number);
    add_error = gather_add(&r->gather, s, line, &r->forms.memory);
    if (!error && !add_error && (line->is_whole || gather_is_whole(&r->gather, s)))
        error = take_gathered(b, r, s, out, err);
    while (!error && r->gather.held > GATHER_HELD_MAX)
        error = take_gathered(b, r, r->gather.earliest, out, err);
    return error ? error : add_error;
}

/* A whole line. */
static int append_line(struct buffer *b, struct line_reader *r, struct slice line,
                       const struct line_part *part, const struct out *out, struct errbuf *err)
{
    struct line_inner inner;
    const struct line_format *around;
    struct gather_line g = {.text = line, .number = part->number, .read_us = part->read_us};

    line_log_begin(r, r->input, part->number, part->read_us);
    around = line_forms_around(&r->forms, &r->input->chosen, line, &inner);
    if (around) {
        g.text = inner.text;
        g.around = around;
        g.around_line = line;
        g.is_part = inner.is_part;
        return gather_line(b, r, &g, inner.stream, line, out, err);
    }
    if (r->gather.is_multiline && line.len <= LINE_PIECE_MAX) {
        g.is_whole = !r->gather.has_pattern && line_may_be_json(r->input, line);
        return gather_line(b, r, &g, (struct slice){NULL, 0}, line, out, err);
    }
    if (is_blank(line))
        return 0;
    if (line_may_be_json(r->input, line))
        return append_candidate(b, r, line, out, err);
    return append_read(b, r, line, NULL, out);
}

/* A part of a line that is long. */
static int append_part(struct buffer *b, struct line_reader *r, struct slice text,
                       const struct line_part *part, const struct out *out, struct errbuf *err)
{
    struct line_input *in = r->input;
    int error = part->is_first ? line_flush(b, r, in, out->added, out->ctx, err) : 0;

    r->input = in;
    line_log_begin(r, in, part->number, part->read_us);
    if (part->is_first) {
        in->part = 0;
        line_input_inside(in, part->number);
    }
    r->forms.has_head = false;
    append_texts(b, r, text, &in->part, out);
    if (part->is_last)
        line_input_inside(in, UINT64_MAX);
    return error;
}

int line_append(struct buffer *b, struct line_reader *r, struct line_input *in,
                const struct line_part *part, void (*added)(void *ctx), void *ctx,
                struct errbuf *err)
{
    struct out out = {added, ctx, false};
    struct slice line = part->text;
    int error = 0;

    r->input = in;
    if (part->is_last && line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    if (part->is_first && part->is_last)
        error = append_line(b, r, line, part, &out, err);
    else
        error = append_part(b, r, line, part, &out, err);
    line_chosen_pass(&in->chosen, part->text.len + 1);
    if (part->is_last)
        pass(r, SLICE_LITERAL("\n"));
    return error ? error : buffer_error(b);
}

/* ---- What is held back ---- */

bool line_is_open(const struct line_input *in)
{
    for (int i = 0; i < GATHER_STREAMS; i++)
        if (line_input_open(in, i))
            return true;
    return false;
}

int line_flush(struct buffer *b, struct line_reader *r, struct line_input *in,
               void (*added)(void *ctx), void *ctx, struct errbuf *err)
{
    struct out out = {added, ctx, false};
    int error = 0;

    for (int i = 0; i < GATHER_STREAMS; i++) {
        struct gathered *s = line_input_open(in, i);

        if (!s)
            continue;
        int refused = take_gathered(b, r, s, &out, err); /* what a line is around never is */
        error = error ? error : refused;
    }
    return error;
}

uint64_t line_due_us(const struct line_reader *r)
{
    const struct gathered *s = r->gather.earliest;

    return s ? s->since_us + r->wait_us : UINT64_MAX;
}

int line_flush_due(struct buffer *b, struct line_reader *r, uint64_t now_us,
                   void (*added)(void *ctx), void *ctx, struct errbuf *err)
{
    struct out out = {added, ctx, false};
    int error = 0;

    while (!error && line_due_us(r) <= now_us)
        error = take_gathered(b, r, r->gather.earliest, &out, err);
    return error ? error : buffer_error(b);
}

bool line_own_time(struct line_reader *r, struct line_input *in, struct slice line, int64_t *us)
{
    struct line_chosen before = in->chosen;
    struct record_draft *d = &r->forms.draft;
    struct line_inner inner;
    const struct line_format *around;
    bool has_time = false;

    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    r->input = in;
    around = line_forms_around(&r->forms, &in->chosen, line, &inner);
    if (around) {
        record_draft_begin(d);
        (void)line_contained.read(&r->forms.memory, inner.text, d);
        around->wrap(&r->forms.memory, line, d);
        has_time = d->has_time;
        *us = has_time ? d->record.key.timestamp_us : *us;
    } else if (!is_blank(line) && line_may_be_json(in, line)) {
        has_time = json_own_time(r, &in->chosen, line, us);
    } else if (read_text(r, line, NULL)) {
        has_time = d->has_time;
        *us = has_time ? d->record.key.timestamp_us : *us;
    } else {
        has_time = r->forms.has_head && r->forms.head.has_time;
        *us = has_time ? r->forms.head.time.us : *us;
    }
    in->chosen = before;
    return has_time;
}
