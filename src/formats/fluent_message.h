/*
 * A message of Fluent's forward protocol, which has come whole: what of it is what.
 * formats/fluent.h has the modes.
 */
#ifndef LOGMILL_FORMATS_FLUENT_MESSAGE_H
#define LOGMILL_FORMATS_FLUENT_MESSAGE_H

#include "formats/fluent_event.h"

enum fluent_mode { FLUENT_SIGN_OF_LIFE, FLUENT_MESSAGE, FLUENT_FORWARD, FLUENT_PACKED };

/* Views. */
struct fluent_message {
    enum fluent_mode mode;
    struct slice tag;
    struct slice events; /* their bytes, by the mode */
    bool has_event;      /* of FLUENT_MESSAGE: it is one */
    struct fluent_event event;
    bool has_chunk;
    struct slice chunk;
    bool is_gzip;
    bool is_unknown; /* it is compressed in a way that is not known */
};

/* Reads `bytes`, one value of MessagePack. False if it is no such message. */
bool fluent_message_read(struct slice bytes, struct fluent_message *m);

#endif
