#include "cli/line_own.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "cli/line_json.h"
#include "json/writer.h"

enum { NAME_SIZE = 32, NAMES_TRIED = 9 };

static const char *const NAMES[LINE_OWN_NAMES] = {"file", "offset", "part"};
static const char *const OTHERS[LINE_OWN_NAMES] = {"log.file.path", "log.offset", "log.part"};

void line_own_init(struct line_own *o, bool wants_offset)
{
    *o = (struct line_own){.wants_offset = wants_offset};
    buffer_init(&o->path, SIZE_MAX / 2);
    buffer_init(&o->file, SIZE_MAX / 2);
    buffer_init(&o->members, SIZE_MAX / 2);
}

void line_own_release(struct line_own *o)
{
    buffer_release(&o->path);
    buffer_release(&o->file);
    buffer_release(&o->members);
}

void line_own_take(struct line_own *o, struct slice name)
{
    for (int i = 0; i < LINE_OWN_NAMES; i++)
        o->is_taken[i] |= slice_equal(name, slice_of_string(NAMES[i]));
}

/* ---- Names ---- */

static bool has_member(yyjson_val *log, const char *name)
{
    return line_json_member(log, name) ||
           line_json_member(line_json_member(log, "attributes"), name);
}

/* A name that `log` has no attribute of, in `room`. */
static struct slice name_beside(yyjson_val *log, const char *name, const char *other,
                                char room[NAME_SIZE])
{
    if (!has_member(log, name))
        return slice_of_string(name);
    (void)snprintf(room, NAME_SIZE, "%s", other);
    for (int n = 2; n <= NAMES_TRIED && has_member(log, room); n++)
        (void)snprintf(room, NAME_SIZE, "%s.%d", other, n);
    return slice_of_string(room);
}

static void append_name(struct line_own *o, struct buffer *b, enum line_own_name which,
                        struct record_draft *draft, yyjson_val *log)
{
    const char *other = OTHERS[which], *name = o->is_taken[which] ? other : NAMES[which];
    char room[NAME_SIZE];
    struct slice own = slice_of_string(name);

    if (draft && draft->members_len > 0)
        own = record_draft_own_name(draft, own, slice_of_string(other));
    else if (log)
        own = name_beside(log, name, other, room);
    buffer_append_char(b, '"');
    buffer_append_slice(b, own);
    buffer_append_string(b, "\":");
}

/* ---- Members ---- */

/* Makes `file` of `path`, if it is not that of the log before. */
static void know_path(struct line_own *o, const char *path)
{
    struct slice text = slice_of_string(path);
    struct buffer repaired;

    if (o->path.len && strcmp(o->path.data, path) == 0)
        return;
    buffer_clear(&o->path);
    buffer_clear(&o->file);
    buffer_init(&repaired, SIZE_MAX / 2);
    utf8_append_repaired(&repaired, text);
    append_name(o, &o->file, LINE_OWN_FILE, NULL, NULL);
    o->value_at = o->file.len;
    json_append_string(&o->file, buffer_slice(&repaired));
    buffer_append_char(&o->file, ',');
    buffer_append(&o->path, path, text.len + 1);
    if (buffer_error(&repaired))
        o->file.error = buffer_error(&repaired);
    if (buffer_error(&o->file) || buffer_error(&o->path))
        buffer_clear(&o->path); /* again the next time */
    buffer_release(&repaired);
}

struct slice line_own_members(struct line_own *o, const struct line_own_facts *facts,
                              struct record_draft *draft, yyjson_val *log)
{
    bool has_attributes = log || (draft && draft->members_len > 0);

    buffer_clear(&o->members);
    if (facts->path)
        know_path(o, facts->path);
    if (facts->path && !o->wants_offset && !facts->part && !has_attributes)
        return buffer_slice(&o->file); /* as nearly all logs are */
    if (facts->path) {
        append_name(o, &o->members, LINE_OWN_FILE, draft, log);
        buffer_append(&o->members, o->file.data + o->value_at, o->file.len - o->value_at);
    }
    if (facts->path && o->wants_offset) {
        append_name(o, &o->members, LINE_OWN_OFFSET, draft, log);
        buffer_append_u64(&o->members, facts->offset);
        buffer_append_char(&o->members, ',');
    }
    if (facts->part) {
        append_name(o, &o->members, LINE_OWN_PART, draft, log);
        buffer_append_u64(&o->members, facts->part);
        buffer_append_char(&o->members, ',');
    }
    return buffer_slice(&o->members);
}

int line_own_error(const struct line_own *o)
{
    return buffer_error(&o->file) ? buffer_error(&o->file) : buffer_error(&o->members);
}
