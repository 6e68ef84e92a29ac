#include "formats/otlp_log.h"

#include <stdio.h>

#include "base/base64.h"
#include "formats/members.h"
#include "formats/names.h"

enum { NS_PER_US = 1000 };

/* ---- Attributes that logs have in common ---- */

/* Where they end, for each of the logs; or what is wrong with them, which no log would tell. */
static int mark(struct otlp_request *r, struct record_draft_mark *at)
{
    struct record_draft *d = r->draft;
    struct record unused;

    if (d->error || buffer_error(&d->attributes))
        return record_draft_finish(d, r->arrival_us, &unused, &r->why);
    *at = record_draft_mark(d);
    return 0;
}

void otlp_resource(struct otlp_request *r)
{
    record_draft_begin(r->draft);
}

int otlp_resource_end(struct otlp_request *r)
{
    return mark(r, &r->of_resource);
}

void otlp_scope(struct otlp_request *r)
{
    record_draft_again(r->draft, &r->of_resource);
}

int otlp_scope_end(struct otlp_request *r, struct slice name, struct slice version)
{
    if (name.len)
        record_draft_text(r->draft, SLICE_LITERAL("otel.scope.name"), name);
    if (version.len)
        record_draft_text(r->draft, SLICE_LITERAL("otel.scope.version"), version);
    return mark(r, &r->of_scope);
}

/* ---- Names of ours ---- */

/* That of an attribute which is none of the sender's: "otel.NAME" if it has one of this name. */
static struct slice own_name(struct otlp_request *r, const char *name)
{
    char other[64];
    size_t len = (size_t)snprintf(other, sizeof(other), "otel.%s", name);

    return record_draft_own_name(r->draft, slice_of_string(name), slice_of(other, len));
}

struct slice otlp_body_name(struct otlp_request *r)
{
    return own_name(r, "body");
}

/* ---- Values that JSON has not ---- */

/* As receivers of the Collector call it, those of journald and Windows' events among them. */
bool otlp_is_message(struct slice name)
{
    return slice_equal(name, SLICE_LITERAL("message")) || slice_equal(name, SLICE_LITERAL("msg")) ||
           slice_equal(name, SLICE_LITERAL("MESSAGE"));
}

size_t otlp_body(const struct otlp_request *r)
{
    return r->draft->attributes.len;
}

/* What the draft has since then is [,]"body":VALUE. */
struct slice otlp_body_end(struct otlp_request *r, size_t began)
{
    const struct buffer *written = &r->draft->attributes;
    struct buffer *body = &r->memory->body;

    buffer_clear(body);
    while (began < written->len && written->data[began] != ':')
        began++;
    if (began < written->len)
        buffer_append(body, written->data + began + 1, written->len - began - 1);
    record_draft_fail(r->draft, buffer_error(body));
    return buffer_slice(body);
}

void otlp_id(struct otlp_request *r, const char *name, struct slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    struct buffer *text = &r->memory->text;
    bool is_one = false;

    buffer_clear(text);
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];

        is_one |= byte != 0;
        buffer_append(text, (char[]){digits[byte >> 4], digits[byte & 15]}, 2);
    }
    record_draft_fail(r->draft, buffer_error(text));
    if (is_one)
        record_draft_text(r->draft, own_name(r, name), buffer_slice(text));
}

void otlp_bytes(struct otlp_request *r, struct slice name, struct slice bytes)
{
    struct buffer *text = &r->memory->text;

    buffer_clear(text);
    base64_append(text, bytes);
    record_draft_fail(r->draft, buffer_error(text));
    record_draft_text(r->draft, name, buffer_slice(text));
}

/* ---- A log ---- */

void otlp_log(struct otlp_request *r)
{
    record_draft_again(r->draft, &r->of_scope);
}

bool otlp_look(struct otlp_request *r, uint64_t ns)
{
    int64_t us = (int64_t)(ns / NS_PER_US);

    return repeats_look(&r->repeats, ns ? &us : NULL, (unsigned)(ns % NS_PER_US));
}

static void add_time(struct otlp_request *r, uint64_t ns)
{
    struct record_draft *d = r->draft;

    if (ns == 0)
        return;
    members_put_time(d, (int64_t)(ns / NS_PER_US), (unsigned)(ns % NS_PER_US));
    repeats_name(&r->repeats, d, r->counts->records, (int64_t)(ns / NS_PER_US),
                 (unsigned)(ns % NS_PER_US));
}

int otlp_log_end(struct otlp_request *r, const struct otlp_log *log)
{
    struct record_draft *d = r->draft;
    struct record record;

    record_draft_message(d, log->message);
    record_draft_level(d, log->severity_text.len ? log->severity_text
                                                 : level_of_otlp(log->severity_number));
    add_time(r, log->time_ns ? log->time_ns : log->observed_ns);
    if (log->event_name.len)
        record_draft_text(d, own_name(r, "event_name"), log->event_name);
    if (log->flags)
        record_draft_unsigned(d, own_name(r, "trace_flags"), log->flags);
    if (log->dropped_attributes)
        record_draft_unsigned(d, own_name(r, "dropped_attributes_count"), log->dropped_attributes);

    int error = record_draft_finish(d, r->arrival_us, &record, &r->why);
    if (!error)
        error = r->sink(&record, r->ctx);
    if (!error)
        r->counts->records++;
    return error;
}
