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

static void append_name(struct line_own *o, enum line_own_name which, struct record_draft *draft,
                        yyjson_val *log)
{
    const char *other = OTHERS[which], *name = o->is_taken[which] ? other : NAMES[which];
    char room[NAME_SIZE];
    struct slice own = slice_of_string(name);

    if (draft && draft->members_len > 0)
        own = record_draft_own_name(draft, own, slice_of_string(other));
    else if (log)
        own = name_beside(log, name, other, room);
    buffer_append_char(&o->members, '"');
    buffer_append_slice(&o->members, own);
    buffer_append_string(&o->members, "\":");
}

/* ---- Members ---- */

/* Makes `file`, without its name, of `path`, if it is not that of the log before. */
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
    json_append_string(&o->file, buffer_slice(&repaired));
    buffer_append_char(&o->file, ',');
    buffer_append(&o->path, path, text.len + 1);
    if (buffer_error(&repaired) || buffer_error(&o->file) || buffer_error(&o->path))
        buffer_clear(&o->path); /* again the next time */
    if (buffer_error(&repaired))
        o->file.error = buffer_error(&repaired);
    buffer_release(&repaired);
}

struct slice line_own_members(struct line_own *o, const struct line_own_facts *facts,
                              struct record_draft *draft, yyjson_val *log)
{
    buffer_clear(&o->members);
    if (facts->path) {
        know_path(o, facts->path);
        append_name(o, LINE_OWN_FILE, draft, log);
        buffer_append_slice(&o->members, buffer_slice(&o->file));
    }
    if (facts->path && o->wants_offset) {
        append_name(o, LINE_OWN_OFFSET, draft, log);
        buffer_append_u64(&o->members, facts->offset);
        buffer_append_char(&o->members, ',');
    }
    if (facts->part) {
        append_name(o, LINE_OWN_PART, draft, log);
        buffer_append_u64(&o->members, facts->part);
        buffer_append_char(&o->members, ',');
    }
    return buffer_slice(&o->members);
}
