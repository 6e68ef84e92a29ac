#include "query/subject.h"

#include <stdlib.h>

#include "base/text.h"
#include "base/xalloc.h"
#include "json/writer.h"

void log_subject_init(struct log_subject *s, const struct record *r)
{
    s->record = r;
    s->has_level = s->has_message = s->has_attributes = false;
    s->attributes = NULL;
    s->allocated_level = s->allocated_message = NULL;
}

void log_subject_release(struct log_subject *s)
{
    yyjson_doc_free(s->attributes);
    free(s->allocated_level);
    free(s->allocated_message);
}

struct log_subject *log_subject_new(void)
{
    struct log_subject *s = xmalloc(sizeof(*s));

    log_subject_init(s, NULL);
    return s;
}

void log_subject_free(struct log_subject *s)
{
    if (s)
        log_subject_release(s);
    free(s);
}

void log_subject_set(struct log_subject *s, const struct record *r)
{
    log_subject_release(s);
    log_subject_init(s, r);
}

/* Folds into `room`, or into memory of its own, which `*allocated` becomes. */
static int fold_once(struct slice text, char *room, size_t room_len, char **allocated,
                     struct slice *folded)
{
    char *to = room;

    if (text.len > room_len / TEXT_FOLD_GROWTH) {
        to = *allocated = try_malloc(text.len * TEXT_FOLD_GROWTH);
        if (!to)
            return LM_ENOMEM;
    }
    *folded = slice_of(to, text_fold(text, to));
    return 0;
}

int log_subject_need_level(struct log_subject *s)
{
    if (s->has_level)
        return 0;
    if (fold_once(s->record->level, s->level_room, sizeof(s->level_room), &s->allocated_level,
                  &s->level))
        return LM_ENOMEM;
    s->has_level = true;
    return 0;
}

int log_subject_need_message(struct log_subject *s)
{
    if (s->has_message)
        return 0;
    if (fold_once(s->record->message, s->fold_room, sizeof(s->fold_room), &s->allocated_message,
                  &s->message))
        return LM_ENOMEM;
    s->has_message = true;
    return 0;
}

int log_subject_need_attributes(struct log_subject *s)
{
    struct slice json = s->record->attributes;
    yyjson_alc alc;
    yyjson_read_err error;

    if (s->has_attributes || json.len == 0)
        return 0;
    bool fits =
        yyjson_read_max_memory_usage(json.len, YYJSON_READ_NUMBER_AS_RAW) <= SUBJECT_PARSE_ROOM;
    if (fits)
        yyjson_alc_pool_init(&alc, s->parse_room, SUBJECT_PARSE_ROOM);
    /* Without YYJSON_READ_INSITU the text is not changed: the cast is safe. */
    s->attributes = yyjson_read_opts((char *)json.data, json.len, YYJSON_READ_NUMBER_AS_RAW,
                                     fits ? &alc : json_alc(), &error);
    if (!s->attributes && error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return LM_ENOMEM;
    s->has_attributes = true;
    return 0;
}
