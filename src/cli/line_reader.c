#include "cli/line_reader.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/hash.h"
#include "cli/local_time.h"
#include "json/writer.h"

/* ---- Options ---- */

static bool is_own_field(const char *name, size_t len)
{
    static const char *const fields[] = {"message", "level", "timestamp", "id", "attributes"};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (strlen(fields[i]) == len && memcmp(fields[i], name, len) == 0)
            return true;
    return false;
}

static int append_attr(struct line_reader *r, const char *attr, struct errbuf *err)
{
    struct buffer *b = &r->attrs;
    size_t len = strcspn(attr, "=");

    if (is_own_field(attr, len))
        return errbuf_fail(err, LM_EINVAL, "--attr: %.*s is a field of every log, no attribute",
                           (int)len, attr);
    line_own_take(&r->own, slice_of(attr, len));
    json_append_string(b, slice_of(attr, len));
    buffer_append_char(b, ':');
    json_append_string(b, slice_of_string(attr + len + 1));
    buffer_append_char(b, ',');
    return 0;
}

/* What no log could have is told before any is read. */
static int check_flags(struct line_reader *r, struct errbuf *err)
{
    struct errbuf reason = ERRBUF_INIT;
    struct buffer sample;
    struct log_key key;

    buffer_init_small(&sample);
    buffer_append_char(&sample, '{');
    buffer_append_slice(&sample, buffer_slice(&r->attrs));
    buffer_append_slice(&sample, buffer_slice(&r->level));
    buffer_append_string(&sample, ",\"message\":\"\"}");
    int error = line_check(&r->check, buffer_slice(&sample), &key, &reason);
    buffer_release(&sample);
    return error ? errbuf_fail(err, LM_EINVAL, "--level, --attr: %s", reason.text) : 0;
}

/* All of the process, which has one thread yet, has that as its local time. */
static void set_zone(const char *zone)
{
    if (zone && setenv("TZ", zone, 1) == 0)
        tzset();
}

static uint64_t wait_us(const struct flags *flags)
{
    uint64_t s = flags_has(flags, "follow") ? LINE_WAIT_FOLLOWED_S : LINE_WAIT_S;

    if (flags_has(flags, "multiline-timeout"))
        s = flags_number(flags, "multiline-timeout");
    return s * 1000000;
}

int line_reader_init(struct line_reader *r, const struct flags *flags, struct errbuf *err)
{
    int error;

    *r = (struct line_reader){.wait_us = 0};
    line_check_init(&r->check);
    line_forms_init(&r->forms, flags_text(flags, "format"));
    r->forms.memory.ahead_s = local_time_zone;
    set_zone(flags_text(flags, "zone"));
    buffer_init_small(&r->level);
    buffer_init_small(&r->attrs);
    line_own_init(&r->own, flags_has(flags, "offset"));
    error = gather_init(&r->gather, flags_has(flags, "multiline"),
                        flags_text(flags, "multiline-first"), err);
    if (error)
        return error;
    line_reader_set_now(r, clock_wall_us());
    r->wait_us = wait_us(flags);
    buffer_append_string(&r->level, "\"level\":");
    json_append_string(&r->level, slice_of_string(flags_text(flags, "level")));
    for (int i = 0; i < flags->given_len; i++)
        if (strcmp(flags->given[i].flag->name, "attr") == 0 &&
            (error = append_attr(r, flags->given[i].value, err)))
            return error;
    return check_flags(r, err);
}

void line_reader_release(struct line_reader *r)
{
    line_forms_release(&r->forms);
    gather_release(&r->gather);
    buffer_release(&r->level);
    buffer_release(&r->attrs);
    line_check_release(&r->check);
    line_own_release(&r->own);
}

bool line_is_plain(const struct line_reader *r)
{
    const struct line_chosen *c = &r->forms.chosen;

    return c->format == LINE_PLAIN || (c->format == LINE_FORM && c->form != &line_journal);
}

/* ---- Places ---- */

void line_reader_set_now(struct line_reader *r, int64_t now_us)
{
    r->forms.memory.now_us = now_us;
}

struct line_place line_place_begin(const struct line_reader *r)
{
    return (struct line_place){.hash = hash_bytes(hash_bytes(HASH_BASIS, buffer_slice(&r->level)),
                                                  buffer_slice(&r->attrs))};
}
