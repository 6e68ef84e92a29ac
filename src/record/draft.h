/*
 * One log, put together value by value: for formats in which a log is no JSON object of ours. The
 * rules of record/rules.h hold, and the limits of limits.h are enforced here:
 *
 *   record_draft_begin(d);
 *   record_draft_message(d, text);
 *   record_draft_text(d, SLICE_LITERAL("host"), host);
 *   record_draft_open(d, SLICE_LITERAL("http"), RECORD_DRAFT_OBJECT);
 *   record_draft_integer(d, SLICE_LITERAL("status"), 500);
 *   record_draft_close(d);
 *   error = record_draft_finish(d, arrival_us, &record, &why);
 *
 * Nothing is to be looked at in between: what goes wrong is kept, and told by record_draft_finish.
 *
 * Texts may be any bytes: what is no UTF-8 becomes U+FFFD (the Unicode Standard, section 3.9), as
 * does U+0000. Of several members of one name in an object the last counts. Attributes that many
 * logs have in common are written once: record_draft_mark, and record_draft_again for each log.
 *
 * A draft belongs to one thread and keeps its memory; nothing is allocated per log once warm.
 *
 * Always true (record_draft_check): the text of the attributes is JSON but for the brackets of what
 * is open; `members` holds the hash of each name of the objects that are open, the outermost first.
 */
#ifndef LOGMILL_RECORD_DRAFT_H
#define LOGMILL_RECORD_DRAFT_H

#include <stdbool.h>
#include <stdint.h>

#include <yyjson.h>

#include "base/buffer.h"
#include "base/errbuf.h"
#include "record/limits.h"
#include "record/record.h"

enum { RECORD_DRAFT_OWN_NAMES = 9 };

enum record_draft_kind { RECORD_DRAFT_OBJECT, RECORD_DRAFT_ARRAY };

struct record_draft_level {
    enum record_draft_kind kind;
    bool used;           /* it has a value: the next one comes behind a comma */
    size_t first_member; /* of it, in `members` */
};

struct record_draft {
    struct record record;
    bool has_time, has_id;
    struct buffer message, level; /* those that had to be repaired */
    struct buffer attributes;
    struct buffer repaired; /* a text on its way into them */
    uint32_t *members;
    size_t members_len, members_capacity;
    struct record_draft_level open[RECORD_DEPTH_MAX]; /* open[0] is the attributes' own object */
    size_t depth;                                     /* of them, those that are open */
    size_t values;                                    /* names among them */
    size_t huge_digits;                               /* record_number_judge's */
    bool repeats;                                     /* a name may be there twice */
    unsigned below_us;                                /* nanoseconds: record_draft_below_us */
    struct buffer own;                                /* record_draft_own_name's */
    bool clean;            /* what is added is known to be UTF-8 without U+0000 */
    size_t nul_characters; /* replaced, since record_draft_init */
    int error;
    struct errbuf why;
};

/* Where a draft stands, with no object or array open but the outermost. */
struct record_draft_mark {
    size_t len, members_len, values, huge_digits;
    bool used, repeats;
};

void record_draft_init(struct record_draft *d);
void record_draft_release(struct record_draft *d);

/* Aborts if what is always true is not (base/check.h). */
void record_draft_check(const struct record_draft *d);

/* Begins a log that has nothing yet. */
void record_draft_begin(struct record_draft *d);

/* Begins a log that has the attributes which the draft had at `mark`, and nothing else. */
struct record_draft_mark record_draft_mark(const struct record_draft *d);
void record_draft_again(struct record_draft *d, const struct record_draft_mark *mark);

/* The bytes are not copied if they are good: they are to live as long as the record is used. */
void record_draft_message(struct record_draft *d, struct slice text);
void record_draft_level(struct record_draft *d, struct slice text);

/* Microseconds since 1970. A time outside of the years 1 to 9999 is an error. */
void record_draft_time(struct record_draft *d, int64_t us);

/*
 * What the time leaves out: 1 to 999 nanoseconds, kept as the attribute "nanoseconds", or by
 * another name (record_draft_own_name) if the log has one of that name; 0: none.
 */
void record_draft_below_us(struct record_draft *d, unsigned ns);

/* The id is derived from `seed` and the time (uuid7_derived): the same seed, the same log. */
void record_draft_seed(struct record_draft *d, struct slice seed);

/* The same of a log that is the `number`th of a request whose hash is `bits` (uuid7_within). */
void record_draft_within(struct record_draft *d, const uint64_t bits[2], uint64_t number);

/*
 * Attributes, or members and items of what is open. `name` is not looked at in an array. Names are
 * repaired as texts are.
 */
void record_draft_text(struct record_draft *d, struct slice name, struct slice text);
void record_draft_integer(struct record_draft *d, struct slice name, int64_t value);
void record_draft_unsigned(struct record_draft *d, struct slice name, uint64_t value);
void record_draft_bool(struct record_draft *d, struct slice name, bool value);
void record_draft_null(struct record_draft *d, struct slice name);

/* The shortest digits that give `value` back. What JSON has no number for becomes a text: "NaN",
 * "Infinity", "-Infinity". */
void record_draft_double(struct record_draft *d, struct slice name, double value);

/* `number` is the text of a JSON number: it keeps its digits. */
void record_draft_number(struct record_draft *d, struct slice name, struct slice number);

/* A value of a document that was read with json_doc_read_cleaned; `name` is of such a one, too, or
 * a constant: neither is looked at for what is no UTF-8. */
void record_draft_json(struct record_draft *d, struct slice name, yyjson_val *value);

/*
 * The name for an attribute of ours, in place of which no value of the sender may be lost: `name`
 * if the log has no attribute of that name so far, else `other`, else `other` with ".2" behind it,
 * up to ".9" (RECORD_DRAFT_OWN_NAMES; then the log is refused). Both are ASCII that JSON does not
 * escape. To be asked when all that is the sender's has been added, and nothing is open; lives
 * until the next call.
 */
struct slice record_draft_own_name(struct record_draft *d, struct slice name, struct slice other);

void record_draft_open(struct record_draft *d, struct slice name, enum record_draft_kind kind);
void record_draft_close(struct record_draft *d);

/* The log cannot be put together: `error` is that of the caller's buffer, LM_ETOOBIG, LM_ENOMEM or
 * LM_EBUSY, and the result of record_draft_finish; 0 changes nothing. */
void record_draft_fail(struct record_draft *d, int error);

/*
 * Ends the log. Without a time it gets `arrival_us`, without a level "info", without a message an
 * empty one, without a seed a new id. `*record` lives until the draft is changed.
 * Returns 0; LM_EINVAL if it passes a limit or its time is none (`why` says it in one line);
 * LM_EDATA if it has more than RECORD_BYTES_MAX; or LM_ENOMEM (or what record_draft_fail was
 * given).
 */
int record_draft_finish(struct record_draft *d, int64_t arrival_us, struct record *record,
                        struct errbuf *why) LM_MUST_CHECK;

#endif
