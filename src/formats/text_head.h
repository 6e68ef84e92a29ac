/*
 * The head of a line of text: the time and the level that it begins with, where nobody could take
 * them for anything else.
 *
 *   2026-11-28 12:00:01,123 ERROR …      the time first (line_time.h; also in brackets); the level
 *   [2026-11-28T12:00:01Z] info: …       is one of the TEXT_HEAD_WORDS words behind it: in
 * capitals, 2026-11-28 12:00:01 - app - ERROR - … or in brackets, or with a colon behind it, or the
 * first INFO  [2026-11-28 12:00:01] …        the level first, in capitals, and the time right
 * behind it ERROR:root:…  [warn] …  info: …      a level alone, in brackets or with a colon behind
 * it I1128 12:00:01.123456 1 x.go:1] …    klog and glog: I, W, E, F and the time 12:00:01.123
 * [main] INFO …           a time of day is no time of a log; the level is read
 *
 * Words for levels are those of LEVELS in text_head.c, all in capitals or all in small letters, or
 * as Name ("Warning") behind a time.
 */
#ifndef LOGMILL_FORMATS_TEXT_HEAD_H
#define LOGMILL_FORMATS_TEXT_HEAD_H

#include <stdbool.h>

#include "formats/line_time.h"

enum {
    TEXT_HEAD_WORDS = 4, /* behind a time, in which a level is looked for; signs do not count */
    TEXT_HEAD_MAX = 256, /* bytes of a line that are looked at */
};

struct text_head {
    bool has_time;
    bool has_clock; /* at least a time of day */
    struct line_time time;
    struct slice level; /* of the line, or a constant; empty: none */
};

/* False if the line has no head. */
bool text_head_read(const struct line_memory *m, struct slice line, struct text_head *head);

#endif
