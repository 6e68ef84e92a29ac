/* Lines of /var/log/syslog and its like, and messages as they came over a wire: see syslog.h. */
#include "formats/line_format.h"
#include "formats/line_scan.h"
#include "formats/line_time.h"

static int64_t no_zone(int64_t us)
{
    return 0;
}

static bool read(struct line_memory *m, struct slice line, struct record_draft *d)
{
    m->syslog.zone.ahead_s = m->ahead_s ? m->ahead_s : no_zone;
    return syslog_put(&m->syslog, line,
                      &(struct syslog_source){.arrival_us = m->now_us, .is_file = true}, d);
}

/* "sshd[77]:" or, if not `with_pid`, "kernel:". */
static bool is_tag(struct slice word, bool with_pid)
{
    const char *pid = word.len ? memchr(word.data, '[', word.len) : NULL;
    size_t len = pid ? (size_t)(pid - word.data) : word.len - (word.len > 0);

    if (!len || word.data[word.len - 1] != ':' || (with_pid && !pid))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!line_is_letter(word.data[i]) && !line_is_digit(word.data[i]) &&
            !memchr("_-./@()", word.data[i], 7))
            return false;
    return !pid || word.data[word.len - 2] == ']';
}

bool syslog_line_is_sure(const struct line_memory *m, struct slice line)
{
    struct slice rest = line;
    struct line_time time;

    if (syslog_begins(line))
        return true;
    size_t len = line_time_iso(m, line, &time);
    bool is_iso = len > 0;
    if (is_iso) {
        line_drop(&rest, len);
    } else {
        if (line_take_word(&rest).len != 3 || line_take_digits(&rest, 2).len == 0 ||
            !line_drop_blanks(&rest))
            return false;
        len = line_time_of_day(rest);
        line_drop(&rest, len);
    }
    if (!len || !line_drop_blanks(&rest))
        return false;
    struct slice host = line_take_word(&rest);
    return host.len && !memchr("[(<", host.data[0], 3) && host.data[host.len - 1] != ':' &&
           is_tag(line_take_word(&rest), is_iso);
}

const struct line_format line_syslog = {.name = "syslog", .read = read};
