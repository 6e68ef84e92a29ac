/*
 * Texts of others on their way to a terminal: what could control it, turn the text around or hide
 * in it becomes a sign that stands for it.
 */
#ifndef LOGMILL_BASE_VISIBLE_H
#define LOGMILL_BASE_VISIBLE_H

#include "base/buffer.h"
#include "base/slice.h"

/*
 * Appends `text` in one line: "␛" and the like for the controls of ASCII, "‹U+202E›" for others and
 * what turns or hides, the same ones that the page shows; U+FFFD for each byte that is not UTF-8.
 * Tabs stay. Allocates nothing but what `b` needs.
 */
void visible_append(struct buffer *b, struct slice text);

/*
 * Appends `text` in as many lines as it has, each but the first after `indent`: "␛" and the like
 * for the other controls of ASCII, "\u009b" for C1 and what turns the direction of writing; U+FFFD
 * for what is not UTF-8, as utf8_append_repaired has it. Tabs stay, and what only hides.
 */
void visible_append_lines(struct buffer *b, struct slice text, const char *indent);

#endif
