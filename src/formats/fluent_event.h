/*
 * What an event of Fluent's forward protocol becomes here: a time and a record, which is a map,
 * under a tag. docs/receiving.md says what becomes what. All is MessagePack that has come whole.
 */
#ifndef LOGMILL_FORMATS_FLUENT_EVENT_H
#define LOGMILL_FORMATS_FLUENT_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "formats/msgpack.h"
#include "record/draft.h"

struct fluent_time {
    bool is_own; /* false: the event has none, and gets that of its arrival */
    bool is_wrong;
    int64_t us;
    unsigned below_us;
};

/*
 * A line that Docker cut because it is longer than 16 KiB comes as records that say so: a part,
 * and which line it is of.
 */
struct fluent_part {
    struct slice id; /* of the line; empty: the record is no part */
    bool is_first;
    bool is_last;
};

/* Views. */
struct fluent_record {
    struct slice pairs;                         /* what is in the map */
    const unsigned char *message_at, *level_at; /* the keys that are these; NULL: none */
    struct slice message, level;
    bool has_tag; /* a member of that name */
    struct fluent_part part;
};

struct fluent_event {
    struct slice tag;
    struct fluent_time time;
    struct slice metadata; /* a map, of Fluent Bit's events; empty if there is none */
    struct fluent_record record;
};

/* Reads the time and the record that come next, and no more. False if there are none such: then `p`
 * stands anywhere. */
bool fluent_event_read(struct msgpack *p, struct fluent_event *e);

/*
 * Gives `d` the message `text` and all else that is in `e`, but for the members that say that it is
 * a part if `is_joined`. `room` holds texts on their way.
 */
void fluent_event_put(struct record_draft *d, const struct fluent_event *e, struct slice text,
                      bool is_joined, struct buffer *room);

#endif
