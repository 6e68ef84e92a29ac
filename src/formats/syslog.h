/*
 * A message of syslog, as it comes in a datagram, in a frame of a stream (syslog_frames.h), or on a
 * line of a file. Whatever it is, it is a log: what has no head that can be read is kept whole.
 *
 *   <PRI>1 TIME HOST APP PROCID MSGID SD MSG    RFC 5424; MSG may begin with a byte order mark
 *   <PRI>Mmm dd hh:mm:ss HOST TAG[PID]: MSG     RFC 3164; without HOST, as Docker sends it; other
 *                                               times (syslog_time.h)
 *   <PRI>123: HOST: *Mar  1 00:00:00.000: MSG   Cisco; each part but the last may be missing
 *   <PRI>MSG                                    Python's SysLogHandler
 *   {"level":…,"message":…}                     JSON of loggers (members.h)
 *   MSG                                         anything else
 *
 * What becomes what is in docs/receiving.md. The message is kept as it came, JSON or not, but for
 * what its format has around it; of "@cee: {…}" the members are attributes
 * (https://cee.mitre.org/language/1.0-beta1/clt.html, as rsyslog and syslog-ng write it).
 */
#ifndef LOGMILL_FORMATS_SYSLOG_H
#define LOGMILL_FORMATS_SYSLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "formats/syslog_time.h"
#include "record/draft.h"
#include "json/reader.h"

enum { SYSLOG_ORIGIN_MAX = 256 }; /* bytes of an origin that is remembered */

/* Where the last message came from, whose attributes a draft still begins with: most messages of a
 * connection come from one place. */
struct syslog_origin {
    unsigned facility;
    size_t len;                   /* 0: there is none */
    char text[SYSLOG_ORIGIN_MAX]; /* "HOST APP PROCID MSGID " or "HOST TAG[PID]: " */
    struct record_draft_mark mark;
};

/* What reading takes; of one thread; nothing is allocated per message once it is warm. */
struct syslog {
    struct json_doc doc;
    struct buffer unescaped; /* a value of structured data */
    struct syslog_zone zone; /* of times that have none */
    struct syslog_origin origin;
};

void syslog_init(struct syslog *s);
void syslog_release(struct syslog *s);

struct syslog_source {
    int64_t arrival_us; /* what a time without a year is near to */
    bool is_file;       /* a head may be there without a PRI, as daemons write files */
    bool has_draft; /* the draft is this reader's alone, who begins it (record_draft_begin): what
                       a message has in common with the last one is not written again */
};

/*
 * Gives `d`, which has been begun (but see has_draft), all that is in `message`, which is to live
 * as long as the record is used. More attributes may be added; then record_draft_finish. Returns
 * whether it is of syslog: it has a PRI, or a head. If not, it is JSON, or all of it is the
 * message.
 */
bool syslog_put(struct syslog *s, struct slice message, const struct syslog_source *source,
                struct record_draft *d);

/* Cuts "<PRI>", of 0 to 191, off *text; false if it begins with none. */
bool syslog_cut_pri(struct slice *text, unsigned *pri);

/* Whether `text` begins with a PRI and what a head goes on with, a version or a time. */
bool syslog_begins(struct slice text);

/* Gives `d` what a PRI says: the level, and the attribute "facility". */
void syslog_put_pri(struct record_draft *d, unsigned pri);

#endif
