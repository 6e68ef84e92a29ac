/*
 * A log that is matched against several matchers. What they look at is made ready when the first
 * needs it, and once: the message and level folded, the attributes parsed. One thread at a time.
 */
#ifndef LOGMILL_QUERY_SUBJECT_H
#define LOGMILL_QUERY_SUBJECT_H

#include <yyjson.h>

#include "base/error.h"
#include "record/record.h"

enum {
    SUBJECT_FOLD_ROOM = 8 * 1024, /* for messages of at most half of that */
    SUBJECT_LEVEL_ROOM = 256,
    SUBJECT_PARSE_ROOM = 16 * 1024, /* for attributes of about a thousand bytes */
};

/* Large texts are allocated for, and given back with the log. */
struct log_subject {
    const struct record *record;
    bool has_level, has_message, has_attributes; /* what follows is made */
    struct slice level;                          /* folded */
    struct slice message;                        /* folded */
    yyjson_doc *attributes;
    char *allocated_level, *allocated_message; /* or NULL: in the rooms */
    char fold_room[SUBJECT_FOLD_ROOM];
    char level_room[SUBJECT_LEVEL_ROOM];
    char parse_room[SUBJECT_PARSE_ROOM];
};

/* Of no log yet. */
struct log_subject *log_subject_new(void);
void log_subject_free(struct log_subject *s); /* NULL does nothing */

/* It is `r` from now on, whose texts must live as long as that. */
void log_subject_set(struct log_subject *s, const struct record *r);

/* The same of one that is no pointer's: of `r`, until it is released. */
void log_subject_init(struct log_subject *s, const struct record *r);
void log_subject_release(struct log_subject *s);

/* Make ready what they are named after. Return 0 or LM_ENOMEM. */
int log_subject_need_level(struct log_subject *s) LM_MUST_CHECK;
int log_subject_need_message(struct log_subject *s) LM_MUST_CHECK;
int log_subject_need_attributes(struct log_subject *s) LM_MUST_CHECK;

/* Once they are ready: NULL if there are none. */
static inline yyjson_val *log_subject_attributes(const struct log_subject *s)
{
    return yyjson_doc_get_root(s->attributes);
}

#endif
