/*
 * The attributes that we give to logs: `file` and `offset` to those of a file that is followed,
 * `part` to those that are one long line together. A log that has an attribute of that name itself
 * keeps it, and ours is called `log.file.path`, `log.offset`, `log.part` (else `log.part.2` …).
 */
#ifndef LOGMILL_CLI_LINE_OWN_H
#define LOGMILL_CLI_LINE_OWN_H

#include <stdbool.h>
#include <stdint.h>

#include <yyjson.h>

#include "base/buffer.h"
#include "record/draft.h"

enum line_own_name { LINE_OWN_FILE, LINE_OWN_OFFSET, LINE_OWN_PART, LINE_OWN_NAMES };

/* Memory that is used again for each log. */
struct line_own {
    bool wants_offset;
    bool is_taken[LINE_OWN_NAMES]; /* by --attr */
    struct buffer path, file;      /* a path, with a NUL, and "\"file\":\"…\"," made of it */
    size_t value_at;               /* in `file` */
    struct buffer members;
};

void line_own_init(struct line_own *o, bool wants_offset);
void line_own_release(struct line_own *o);

/* All logs have an attribute `name`, by --attr. */
void line_own_take(struct line_own *o, struct slice name);

/* What is to be told of a log. */
struct line_own_facts {
    const char *path; /* NULL: no file that is followed; or any bytes */
    uint64_t offset;
    uint32_t part; /* 0: of none */
};

/*
 * The members of a log, each with a comma; its own attributes are in `draft`, or members of the
 * object `log`, or there are none (both NULL). Live until the next call.
 */
struct slice line_own_members(struct line_own *o, const struct line_own_facts *facts,
                              struct record_draft *draft, yyjson_val *log);

/* What went wrong at the last call: 0 or LM_ENOMEM. */
int line_own_error(const struct line_own *o);

#endif
