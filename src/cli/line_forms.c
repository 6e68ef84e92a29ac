#include "cli/line_forms.h"

#include <string.h>

#include "base/hash.h"
#include "base/timestamp.h"

/* ---- An input ---- */

static void choose(struct line_forms *f, const char *name)
{
    static const struct {
        const char *name;
        enum line_reading format;
        const struct line_format *form;
    } formats[] = {
        {"auto", LINE_AUTO, NULL},           {"json", LINE_JSON, NULL},
        {"raw", LINE_PLAIN, NULL},           {"plain", LINE_PLAIN, NULL},
        {"logfmt", LINE_FORM, &line_logfmt}, {"nginx", LINE_FORM, &line_access},
        {"apache", LINE_FORM, &line_access}, {"journal", LINE_FORM, &line_journal},
        {"cri", LINE_FORM, &line_cri},       {"docker", LINE_FORM, &line_docker},
    };

    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
        if (strcmp(formats[i].name, name) == 0) {
            f->chosen.format = formats[i].format;
            f->chosen.form = formats[i].form;
            f->name = formats[i].name;
        }
    }
}

void line_forms_init(struct line_forms *f, const char *name)
{
    *f = (struct line_forms){.chosen.format = LINE_AUTO};
    choose(f, name);
    line_memory_init(&f->memory);
    record_draft_init(&f->draft);
    buffer_init(&f->joined, SIZE_MAX / 2);
}

void line_forms_release(struct line_forms *f)
{
    line_memory_release(&f->memory);
    record_draft_release(&f->draft);
    buffer_release(&f->joined);
}

/* Those that find_form and line_forms_around choose. */
static const struct line_format *const FOUND[] = {&line_syslog, &line_access, &line_logfmt,
                                                  &line_cri};

const char *line_chosen_name(const struct line_chosen *c)
{
    return c->format == LINE_AUTO && c->form ? c->form->name : "";
}

enum { FOUND_LEN = sizeof(FOUND) / sizeof(*FOUND), GUESSED_BITS = 24 };

uint32_t line_chosen_mark(const struct line_chosen *c)
{
    uint32_t mark = 0;

    if (c->format != LINE_AUTO)
        return 0;
    for (uint32_t i = 0; i < FOUND_LEN; i++)
        if (c->form == FOUND[i])
            mark = i + 1;
    return mark << GUESSED_BITS | c->guessed;
}

const char *line_chosen_marked(uint32_t mark, uint64_t *guessed)
{
    uint32_t number = mark >> GUESSED_BITS;

    *guessed = mark & ((UINT32_C(1) << GUESSED_BITS) - 1);
    return number ? FOUND[number - 1]->name : "";
}

void line_chosen_again(struct line_chosen *c, const char *name, uint64_t guessed)
{
    if (c->format != LINE_AUTO)
        return;
    c->guessed = guessed < LINE_GUESS_BYTES ? (uint32_t)guessed : LINE_GUESS_BYTES;
    c->form = NULL;
    for (size_t i = 0; i < FOUND_LEN; i++)
        if (strcmp(FOUND[i]->name, name) == 0)
            c->form = FOUND[i];
}

/* ---- Lines ---- */

/* Reads `line` by `form`; what stands behind it, further lines, is a part of its message. */
static bool read_form(struct line_forms *f, const struct line_format *form, struct slice line,
                      struct slice behind)
{
    record_draft_begin(&f->draft);
    if (!form->read || !form->read(&f->memory, line, &f->draft))
        return false;
    if (behind.len) {
        buffer_clear(&f->joined);
        buffer_append_slice(&f->joined, f->draft.record.message);
        buffer_append_slice(&f->joined, behind);
        record_draft_fail(&f->draft, buffer_error(&f->joined));
        record_draft_message(&f->draft, buffer_slice(&f->joined));
    }
    return true;
}

static bool may_guess(const struct line_chosen *c)
{
    return c->format == LINE_AUTO && !c->form && c->guessed < LINE_GUESS_BYTES;
}

void line_chosen_pass(struct line_chosen *c, size_t len)
{
    if (may_guess(c)) /* so it is never past twice that */
        c->guessed += (uint32_t)(len < LINE_GUESS_BYTES ? len : LINE_GUESS_BYTES);
}

/* Reads `line` by the form that the flags or lines before have chosen, or, if they have not, by the
 * first that it is of, which is the input's then. */
static const struct line_format *find_form(struct line_forms *f, struct line_chosen *c,
                                           struct slice line, struct slice behind)
{
    if (c->form)
        return read_form(f, c->form, line, behind) ? c->form : NULL;
    if (!may_guess(c))
        return NULL;
    if (syslog_line_is_sure(&f->memory, line) && read_form(f, &line_syslog, line, behind))
        return c->form = &line_syslog;
    if (read_form(f, &line_access, line, behind))
        return c->form = &line_access;
    if (logfmt_is_sure(line) && read_form(f, &line_logfmt, line, behind))
        return c->form = &line_logfmt;
    return NULL;
}

const struct line_format *line_forms_around(struct line_forms *f, struct line_chosen *c,
                                            struct slice line, struct line_inner *inner)
{
    const struct line_format *form = c->form;

    if (c->format == LINE_AUTO && line.len && line.data[0] == '{')
        form = &line_docker;
    else if (may_guess(c))
        form = &line_cri;
    if (!form || !form->unwrap || !form->unwrap(&f->memory, line, inner))
        return NULL;
    if (may_guess(c) && form == &line_cri)
        c->form = form;
    return form;
}

/* Ids are other ones by each form. */
static uint64_t bits_of(const struct line_format *form)
{
    return hash_bytes(HASH_BASIS, slice_of_string(form->name));
}

static struct slice first_line(struct slice text, struct slice *behind)
{
    const char *end = text.len ? memchr(text.data, '\n', text.len) : NULL;
    size_t len = end ? (size_t)(end - text.data) : text.len;

    *behind = slice_of(text.data + len, text.len - len);
    return slice_of(text.data, len);
}

static void count_unfit(struct line_chosen *c, uint64_t number)
{
    if (c->format == LINE_FORM && c->unfit++ == 0)
        c->first_unfit = number;
}

bool line_forms_read_within(struct line_forms *f, struct slice text,
                            const struct line_format *around, struct slice line)
{
    struct slice behind, first = first_line(text, &behind);

    if (!read_form(f, &line_contained, first, behind))
        return false;
    around->wrap(&f->memory, line, &f->draft);
    f->bits = bits_of(around);
    return true;
}

bool line_forms_read(struct line_forms *f, struct line_chosen *c, struct slice text,
                     uint64_t number)
{
    struct slice behind, first = first_line(text, &behind);

    f->has_head = false;
    if (c->format == LINE_PLAIN || c->format == LINE_JSON)
        return false;
    const struct line_format *form = find_form(f, c, first, behind);
    if (form) {
        f->bits = bits_of(form);
        return true;
    }
    count_unfit(c, number);
    f->has_head = text_head_read(&f->memory, first, &f->head) &&
                  (!f->head.has_time ||
                   (f->head.time.us >= TIMESTAMP_MIN_US && f->head.time.us <= TIMESTAMP_MAX_US));
    return false;
}

bool line_forms_read_object(struct line_forms *f, const struct line_chosen *c, struct slice text)
{
    static const char journal[] = "\"__REALTIME_TIMESTAMP\"";
    const struct line_format *forms[] = {
        memmem(text.data, text.len, journal, sizeof(journal) - 1) ? &line_journal : NULL,
        c->form == &line_journal ? NULL : &line_json};

    for (int i = 0; i < 2; i++) {
        record_draft_begin(&f->draft);
        if (forms[i] && forms[i]->read(&f->memory, text, &f->draft))
            return true;
    }
    return false;
}
