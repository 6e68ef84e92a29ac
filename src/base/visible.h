/*
 * Texts of others on their way to a terminal: what could control it, turn the text around or hide
 * in it becomes a sign that stands for it, the same ones that the page shows.
 */
#ifndef LOGMILL_BASE_VISIBLE_H
#define LOGMILL_BASE_VISIBLE_H

#include "base/buffer.h"
#include "base/slice.h"

/*
 * Appends `text` in one line: "␛" and the like for the controls of ASCII, "‹U+202E›" for others,
 * U+FFFD for each byte that is not UTF-8. Tabs stay. Allocates nothing but what `b` needs.
 */
void visible_append(struct buffer *b, struct slice text);

#endif
