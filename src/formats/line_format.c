#include "formats/line_format.h"

#include "formats/members.h"
#include "formats/text_head.h"

/* ---- Any text ---- */

static bool read_text(struct line_memory *m, struct slice line, struct record_draft *d)
{
    struct text_head head;

    record_draft_message(d, line);
    if (!text_head_read(m, line, &head))
        return true;
    if (head.has_time)
        members_put_time(d, head.time.us, head.time.below_us);
    if (head.level.len)
        record_draft_level(d, head.level);
    return true;
}

const struct line_format line_text = {.name = "text", .read = read_text};

/* ---- An object of JSON ---- */

static bool read_json(struct line_memory *m, struct slice line, struct record_draft *d)
{
    struct slice text = slice_trim(line);

    if (!text.len || text.data[0] != '{' ||
        json_doc_read_cleaned(&m->inner, text, &m->nul_characters))
        return false;
    yyjson_val *object = yyjson_doc_get_root(m->inner.doc);
    struct members members = members_find(object, NULL);
    if (!members.message.data)
        return false;
    members_put(d, object, &members);
    return true;
}

const struct line_format line_json = {.name = "json", .read = read_json};

/* ---- A text within a line ---- */

static bool read_contained(struct line_memory *m, struct slice line, struct record_draft *d)
{
    static const struct line_format *const forms[] = {&line_json, &line_logfmt, &line_access};
    struct record_draft_mark mark = record_draft_mark(d);
    struct text_head head;

    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        if (forms[i] == &line_logfmt && !logfmt_is_sure(line))
            continue;
        if (forms[i]->read(m, line, d))
            return true;
        record_draft_again(d, &mark);
    }
    record_draft_message(d, line);
    if (text_head_read(m, line, &head) && head.level.len)
        record_draft_level(d, head.level);
    return true;
}

const struct line_format line_contained = {.name = "contained", .read = read_contained};
