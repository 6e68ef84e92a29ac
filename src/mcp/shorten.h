/*
 * JSON of logs made short for an assistant: texts are cut, and say of how many bytes; long arrays
 * and objects end with how much more there was. What is cut is still JSON.
 */
#ifndef LOGMILL_MCP_SHORTEN_H
#define LOGMILL_MCP_SHORTEN_H

#include <yyjson.h>

#include "base/buffer.h"

enum {
    SHORTEN_ITEMS_MAX = 50,    /* of an array */
    SHORTEN_MEMBERS_MAX = 100, /* of an object */
    SHORTEN_DEPTH_MAX = 8,     /* of both within each other */
    SHORTEN_NAME_MAX = 200,    /* bytes of a name */
};

struct shorten {
    size_t text_max; /* bytes of a text, or digits of a number */
    size_t room;     /* bytes for the value, about: past it only what was left out is told */
    size_t cuts;     /* grows with each place where something was left out */
};

/* Appends `value`, read with numbers as raw. */
void shorten_append(struct shorten *s, struct buffer *b, yyjson_val *value);

/* Appends a text, cut to s->text_max bytes of whole characters, as a JSON string. */
void shorten_append_text(struct shorten *s, struct buffer *b, struct slice text);

#endif
