#include "follow/stem.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_separator(char c)
{
    return c && strchr(".-_+:,~ ", c);
}

static bool ends_with(struct slice s, const char *ending)
{
    size_t len = strlen(ending);

    return s.len > len && strncasecmp(s.data + s.len - len, ending, len) == 0;
}

static bool is_one_of(struct slice word, const char *const *list, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (slice_equal(word, slice_of_string(list[i])))
            return true;
    return false;
}

#define IS_ONE_OF(word, list) is_one_of(word, list, sizeof(list) / sizeof(*(list)))

/* ---- Atoms: the parts of stamps ---- */

enum {
    ATOMS_MAX = 48, /* in a name; what is behind them is a word */
    GAP_MAX = 3,    /* separators between two parts of one stamp */
    LONG_DIGITS = 9,
    DIGITS_MAX = 20,
    SMALL_DIGITS = 3, /* of a number that may be an index behind "-" or "_" */
    YEAR_DIGITS = 4,
    MONTHS = 12,
    DAYS = 31,
};

enum atom_kind {
    ATOM_NUMBER,
    ATOM_DATE,  /* dated by itself */
    ATOM_WORD,  /* "old" */
    ATOM_CAUSE, /* timberjack's "-size", "-time": a stamp behind a date only */
    ATOM_INDEX, /* flexi_logger's "_r00000", "_rCURRENT" */
};

struct atom {
    uint8_t from, to;    /* in the name */
    uint8_t gap_from;    /* where the separators before it begin: `from` if there are none */
    enum atom_kind kind; /* of its text */
    bool goes_on;        /* only separators, or a "T", are between it and the atom before */
    bool is_dated, is_part_of_word;
};

struct atoms {
    struct slice name;
    struct atom at[ATOMS_MAX];
    size_t len;
};

static unsigned number(const char *digits, size_t len)
{
    unsigned value = 0;

    for (size_t i = 0; i < len; i++)
        value = value * 10 + (unsigned)(digits[i] - '0');
    return value;
}

static bool is_year(const char *digits)
{
    unsigned year = number(digits, YEAR_DIGITS);

    return year >= 1970 && year < 2100;
}

static bool is_month(unsigned n)
{
    return n >= 1 && n <= MONTHS;
}

static bool is_day(unsigned n)
{
    return n >= 1 && n <= DAYS;
}

/* A date in one piece, whatever of a time is behind it. */
static bool is_whole_date(const char *digits, size_t len)
{
    enum { DATE = 8, MONTH_AT = 4, DAY_AT = 6 };

    if (len < DATE || len > DIGITS_MAX || len % 2 == 1)
        return len == 17 && is_whole_date(digits, DATE); /* … and milliseconds */
    unsigned first = number(digits, 2), second = number(digits + 2, 2);

    return (is_year(digits) && is_month(number(digits + MONTH_AT, 2)) &&
            is_day(number(digits + DAY_AT, 2))) ||
           (len == DATE && is_year(digits + MONTH_AT) &&
            ((is_month(first) && is_day(second)) || (is_day(first) && is_month(second))));
}

static bool is_date_of_digits(const char *digits, size_t len)
{
    enum { SHORT_DATE = 6, SHORT_FIRST = 20, SHORT_LAST = 39 };

    if (len == YEAR_DIGITS)
        return is_year(digits);
    if (len == SHORT_DATE) {
        unsigned year = number(digits, 2), month = number(digits + 2, 2);

        return (is_year(digits) && is_month(number(digits + YEAR_DIGITS, 2))) ||
               (year >= SHORT_FIRST && year <= SHORT_LAST && is_month(month) &&
                is_day(number(digits + 4, 2)));
    }
    return is_whole_date(digits, len);
}

static bool is_boundary(struct slice name, size_t at)
{
    return at == name.len || is_separator(name.data[at]);
}

/* The end of the run of digits, or of letters, from `at` on. */
static size_t run_end(struct slice name, size_t at, bool (*is_of_it)(char))
{
    while (at < name.len && is_of_it(name.data[at]))
        at++;
    return at;
}

/* Behind its digits an atom may have a "Z", or go on behind a "T". */
static bool is_end_of_digits(struct slice name, size_t end, size_t *atom_end)
{
    *atom_end = end;
    if (is_boundary(name, end))
        return true;
    char c = name.data[end];
    if (c == 'Z' && is_boundary(name, end + 1)) {
        *atom_end = end + 1;
        return true;
    }
    return (c == 'T' || c == 't') && end + 1 < name.len && is_digit(name.data[end + 1]);
}

/* Words are looked at with their letters as they are: "app-mon.log" is not of a Monday. */
static bool word_kind(struct slice word, char before, enum atom_kind *kind)
{
    static const char *const dates[] = {
        "Mon",     "Tue",       "Wed",      "Thu",      "Fri",      "Sat",    "Sun",  "Monday",
        "Tuesday", "Wednesday", "Thursday", "Friday",   "Saturday", "Sunday", "Jan",  "Feb",
        "Mar",     "Apr",       "May",      "Jun",      "Jul",      "Aug",    "Sep",  "Oct",
        "Nov",     "Dec",       "January",  "February", "March",    "April",  "June", "July",
        "August",  "September", "October",  "November", "December",
    };
    static const char *const words[] = {"old", "bak", "backup", "prev", "previous", "save"};
    static const char *const causes[] = {"size", "time", "manual"};

    if (IS_ONE_OF(word, dates))
        *kind = ATOM_DATE;
    else if (before && IS_ONE_OF(word, words))
        *kind = ATOM_WORD;
    else if (before == '-' && IS_ONE_OF(word, causes))
        *kind = ATOM_CAUSE;
    else if (before == '_' && slice_equal(word, SLICE_LITERAL("rCURRENT")))
        *kind = ATOM_INDEX;
    else
        return false;
    return true;
}

/* An atom that begins at `at`, which is behind a separator or the name's first byte. */
static bool read_atom(struct slice name, size_t at, struct atom *atom)
{
    enum { INDEX_LEN = 5, WEEK_DIGITS = 2 };
    char before = at > 0 ? name.data[at - 1] : '\0';
    size_t end = run_end(name, at, is_digit), atom_end;

    *atom = (struct atom){.from = (uint8_t)at};
    if (end > at) {
        if (end - at > DIGITS_MAX || !is_end_of_digits(name, end, &atom_end))
            return false;
        atom->kind = is_date_of_digits(name.data + at, end - at) ? ATOM_DATE : ATOM_NUMBER;
        atom->to = (uint8_t)atom_end;
        return true;
    }
    size_t digits_end = run_end(name, at + 1, is_digit);
    if (name.data[at] == 'r' && before == '_' && digits_end - at >= INDEX_LEN &&
        is_boundary(name, digits_end))
        atom->kind = ATOM_INDEX;
    else if (name.data[at] == 'W' && digits_end - at == WEEK_DIGITS + 1 &&
             is_boundary(name, digits_end))
        atom->kind = ATOM_NUMBER; /* a week: dated behind a year */
    else
        digits_end = at;
    if (digits_end > at) {
        atom->to = (uint8_t)digits_end;
        return true;
    }
    end = run_end(name, at, is_letter);
    atom->to = (uint8_t)end;
    return is_boundary(name, end) &&
           word_kind(slice_of(name.data + at, end - at), before, &atom->kind);
}

/* "log20261128.txt": a date right behind a word. */
static bool read_glued(struct slice name, size_t at, struct atom *atom)
{
    size_t end = run_end(name, at, is_digit), atom_end;

    if (!is_whole_date(name.data + at, end - at) || !is_end_of_digits(name, end, &atom_end))
        return false;
    *atom = (struct atom){.from = (uint8_t)at, .to = (uint8_t)atom_end, .kind = ATOM_DATE};
    return true;
}

static void add_atom(struct atoms *a, struct atom atom)
{
    size_t before_end = a->len > 0 ? a->at[a->len - 1].to : 0;
    size_t gap = atom.from;
    bool is_t = gap > before_end && a->len > 0 && gap == before_end + 1U &&
                (a->name.data[before_end] == 'T' || a->name.data[before_end] == 't');

    while (gap > before_end && is_separator(a->name.data[gap - 1]))
        gap--;
    if (is_t)
        gap = before_end;
    atom.gap_from = (uint8_t)gap;
    atom.goes_on = a->len > 0 && gap == before_end && atom.from - gap <= GAP_MAX;
    a->at[a->len++] = atom;
}

static size_t atom_len(const struct atom *atom)
{
    return (size_t)(atom->to - atom->from);
}

static bool is_short_number(const struct atoms *a, size_t i)
{
    return a->at[i].kind == ATOM_NUMBER && atom_len(&a->at[i]) <= 2 &&
           is_digit(a->name.data[a->at[i].from]);
}

static unsigned value_of(const struct atoms *a, size_t i)
{
    return number(a->name.data + a->at[i].from, atom_len(&a->at[i]));
}

/* The atoms behind i that go on with it, `n` of them with the very same single separator. */
static bool has_run(const struct atoms *a, size_t i, size_t n)
{
    char separator = 0;

    for (size_t k = i + 1; k < i + n; k++) {
        if (k >= a->len || !a->at[k].goes_on || a->at[k].from - a->at[k].gap_from != 1)
            return false;
        char c = a->name.data[a->at[k].gap_from];
        if (separator && c != separator)
            return false;
        separator = c;
    }
    return true;
}

/* "28-11-2026" and "11-28-2026": i is the first. */
static bool is_date_before_year(const struct atoms *a, size_t i)
{
    return has_run(a, i, 3) && is_short_number(a, i) && is_short_number(a, i + 1) &&
           a->at[i + 2].kind == ATOM_DATE && atom_len(&a->at[i + 2]) == YEAR_DIGITS &&
           is_day(value_of(a, i)) && is_day(value_of(a, i + 1)) &&
           (is_month(value_of(a, i)) || is_month(value_of(a, i + 1)));
}

/* "26-11-28": i is the first. */
static bool is_short_date(const struct atoms *a, size_t i)
{
    enum { FIRST = 20 };

    for (size_t k = i; k < i + 3; k++)
        if (k >= a->len || !is_short_number(a, k) || atom_len(&a->at[k]) != 2)
            return false;
    return has_run(a, i, 3) && value_of(a, i) >= FIRST && is_month(value_of(a, i + 1)) &&
           is_day(value_of(a, i + 2));
}

/* "10.0.0.1", "ip-10-0-0-1": i is the first. */
static bool is_address(const struct atoms *a, size_t i)
{
    enum { NUMBERS = 4, OCTET_MAX = 255 };
    const struct atom *first = &a->at[i];

    if (!has_run(a, i, NUMBERS))
        return false;
    for (size_t k = i; k < i + NUMBERS; k++) {
        const char *digits = a->name.data + a->at[k].from;
        size_t len = atom_len(&a->at[k]);

        if (a->at[k].kind != ATOM_NUMBER || len > 3 || !is_digit(*digits) ||
            (len > 1 && *digits == '0') || number(digits, len) > OCTET_MAX)
            return false;
    }
    char separator = a->name.data[a->at[i + 1].gap_from];
    return separator == '.' || (separator == '-' && first->from >= 3 &&
                                strncasecmp(a->name.data + first->from - 3, "ip-", 3) == 0);
}

/* What of a run of atoms is dated, and what is an address. */
static void judge(struct atoms *a)
{
    for (size_t i = 0; i < a->len; i++) {
        struct atom *atom = &a->at[i];

        if (atom->is_part_of_word || atom->is_dated)
            continue;
        if (is_date_before_year(a, i) || is_short_date(a, i)) {
            for (size_t k = i; k < i + 3; k++)
                a->at[k].is_dated = true;
        } else if (is_address(a, i)) {
            for (size_t k = i; k < i + 4; k++)
                a->at[k].is_part_of_word = true;
        } else if (atom->kind == ATOM_DATE || atom->kind == ATOM_INDEX) {
            atom->is_dated = true;
        } else if (i > 0 && atom->goes_on && a->at[i - 1].is_dated) {
            atom->is_dated = atom->kind != ATOM_WORD;
        } else if (atom->kind == ATOM_CAUSE ||
                   (atom->kind == ATOM_NUMBER && !is_digit(a->name.data[atom->from]))) {
            atom->is_part_of_word = true; /* no year before the week */
        }
    }
}

static void read_atoms(struct slice name, struct atoms *a)
{
    struct atom atom;
    size_t at = 0;

    a->name = name;
    a->len = 0;
    while (at < name.len && a->len < ATOMS_MAX) {
        bool is_behind_t = a->len > 0 && at == a->at[a->len - 1].to + 1U;
        bool is_start = at == 0 || is_separator(name.data[at - 1]) || is_behind_t;
        bool is_glued = !is_start && is_digit(name.data[at]) && !is_digit(name.data[at - 1]);

        if ((is_start && !is_separator(name.data[at]) && read_atom(name, at, &atom)) ||
            (is_glued && read_glued(name, at, &atom))) {
            add_atom(a, atom);
            at = atom.to;
        }
        at++;
    }
    judge(a);
}

/* ---- Endings ---- */

/* The length of the name without its ending of compression. */
static size_t plain_len(struct slice base)
{
    static const char *const endings[] = {".gz", ".zst", ".zstd", ".xz"};

    for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++)
        if (ends_with(base, endings[i]))
            return base.len - strlen(endings[i]);
    return base.len;
}

/* Where the last ending (".log") of the name's first `len` bytes begins; `len` if it has none. */
static size_t ending_at(struct slice name, size_t len)
{
    enum { ENDING_MAX = 10 };
    size_t at = len;

    while (at > 0 && (is_letter(name.data[at - 1]) || is_digit(name.data[at - 1])))
        at--;
    bool is_ending = at > 0 && at < len && len - at <= ENDING_MAX && name.data[at - 1] == '.' &&
                     is_letter(name.data[at]);
    return is_ending ? at - 1 : len;
}

/* "@" and 24 digits of base 16: svlogd's and multilog's, with .s, .u or .t. */
static bool is_tai(struct slice name)
{
    enum { TAI_LEN = 25 };

    if (name.len < TAI_LEN || name.data[0] != '@')
        return false;
    for (size_t i = 1; i < TAI_LEN; i++)
        if (!strchr("0123456789abcdef", name.data[i]) || !name.data[i])
            return false;
    return name.len == TAI_LEN || name.data[TAI_LEN] == '.';
}

/* concurrent-log-handler's "app.log.rotate.1234567890123456789". */
static bool is_rotating(struct slice name)
{
    static const char word[] = ".rotate.";
    size_t digits = name.len;

    while (digits > 0 && is_digit(name.data[digits - 1]))
        digits--;
    return digits < name.len && digits > sizeof(word) - 1 &&
           memcmp(name.data + digits - (sizeof(word) - 1), word, sizeof(word) - 1) == 0;
}

static bool has_ending(struct slice name, const char *const *endings, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (ends_with(name, endings[i]))
            return true;
    return false;
}

#define HAS_ENDING(name, list) has_ending(name, list, sizeof(list) / sizeof(*(list)))

static bool is_note(struct slice base, struct slice plain)
{
    static const char *const names[] = {"audit.json", "state", "lock", "config", "newstate"};
    static const char *const binary[] = {"wtmp", "btmp", "utmp", "lastlog", "faillog", "tallylog"};
    static const char *const endings[] = {".journal", ".journal~"};
    char memory[STEM_NAME_MAX + 1];
    struct buffer family;

    if (base.len == 0 || base.len > STEM_NAME_MAX)
        return base.len == 0;
    if (IS_ONE_OF(base, names) || HAS_ENDING(base, endings) ||
        (base.data[0] == '.' && ends_with(base, "-audit.json")))
        return true;
    buffer_init_over(&family, memory, sizeof(memory));
    stem_family(plain, &family);
    return IS_ONE_OF(buffer_slice(&family), binary);
}

enum stem_form stem_form(struct slice base)
{
    static const char *const making[] = {".tmp", ".temp", ".part", ".partial", ".swp", ".swo",
                                         ".swx", ".lock", ".lck",  ".pid",     "~"};
    static const char *const unreadable[] = {".bz2", ".zip", ".Z",   ".lz4", ".br",  ".7z",
                                             ".rar", ".tgz", ".tar", ".tbz", ".lzma"};
    struct slice plain = {base.data, plain_len(base)};

    if (is_note(base, plain))
        return STEM_NOTE;
    if (HAS_ENDING(base, making) || is_rotating(plain) || (is_tai(base) && ends_with(base, ".t")))
        return STEM_MAKING;
    if (HAS_ENDING(plain, unreadable))
        return STEM_UNREADABLE;
    return plain.len < base.len ? STEM_ARCHIVE : STEM_LOG;
}

/* ---- Families ---- */

/* "app.log" of "app.log-1", but not "my.worker" of "my.worker-1". */
static bool has_usual_ending(struct slice name)
{
    static const char *const endings[] = {".log", ".txt", ".json", ".jsonl",  ".ndjson", ".out",
                                          ".err", ".csv", ".xml",  ".stdout", ".stderr", ".trace"};

    return HAS_ENDING(name, endings);
}

/* Whether a number or a word at the very end, or before the last ending, is a stamp there. */
static bool is_stamp_at_end(const struct atoms *a, size_t i, bool is_lenient)
{
    const struct atom *atom = &a->at[i];
    size_t len = atom_len(atom);

    if (atom->is_part_of_word)
        return false;
    if (atom->is_dated || atom->kind == ATOM_WORD || atom->from == 0)
        return true;
    if (atom->from == atom->gap_from)
        return false;
    if (a->name.data[atom->from - 1] == '.' ||
        has_usual_ending(slice_of(a->name.data, atom->gap_from)))
        return true;
    return len >= LONG_DIGITS || (len >= SMALL_DIGITS && a->name.data[atom->from] == '0') ||
           (is_lenient && len <= SMALL_DIGITS);
}

/* Marks the stamps that end at `end` as gone; returns where what is left ends. */
static size_t drop_at(const struct atoms *a, size_t end, bool is_lenient, bool *gone)
{
    for (size_t i = a->len; i > 0; i--) {
        const struct atom *atom = &a->at[i - 1];
        bool was_dated = i < a->len && a->at[i].gap_from == end && gone[i] && a->at[i].is_dated;

        if (atom->to > end)
            continue;
        if (atom->to < end || !is_stamp_at_end(a, i - 1, is_lenient) ||
            (was_dated && !atom->is_dated))
            break;
        gone[i - 1] = true;
        end = atom->gap_from;
    }
    return end;
}

/* Appends the name without what is gone and the separators before it; at the beginning of the name
 * those behind it, but for the dot of the `ending` (where that begins). */
static void append_rest(const struct atoms *a, const bool *gone, size_t ending, struct buffer *rest)
{
    size_t at = 0;

    for (size_t i = 0; i < a->len; i++) {
        if (!gone[i])
            continue;
        if (a->at[i].gap_from > at)
            buffer_append(rest, a->name.data + at, (size_t)(a->at[i].gap_from - at));
        at = a->at[i].to;
        while (rest->len == 0 && at != ending && at < a->name.len && is_separator(a->name.data[at]))
            at++;
    }
    if (at < a->name.len)
        buffer_append(rest, a->name.data + at, a->name.len - at);
}

static void reduce(const struct atoms *a, bool is_lenient, struct buffer *family)
{
    bool gone[ATOMS_MAX];

    for (size_t i = 0; i < a->len; i++)
        gone[i] = a->at[i].is_dated;
    size_t ending = ending_at(a->name, drop_at(a, a->name.len, is_lenient, gone));

    drop_at(a, ending, is_lenient, gone);
    append_rest(a, gone, ending, family);
}

static const struct slice CURRENT = {"current", sizeof("current") - 1};

static bool is_of_current(struct slice base)
{
    return is_tai(base) || slice_equal(base, CURRENT) ||
           slice_equal(base, SLICE_LITERAL("previous"));
}

void stem_family(struct slice base, struct buffer *family)
{
    struct slice plain = {base.data, plain_len(base)};
    struct atoms a;

    if (is_of_current(plain)) {
        buffer_append_slice(family, CURRENT);
        return;
    }
    if (plain.len > STEM_NAME_MAX) {
        buffer_append_slice(family, plain);
        return;
    }
    char memory[STEM_NAME_MAX + 1];
    struct buffer rest;

    buffer_init_over(&rest, memory, sizeof(memory));
    read_atoms(plain, &a);
    reduce(&a, plain.len < base.len, &rest);
    buffer_append_slice(family, buffer_slice(&rest));
}

/* ---- What it may have been ---- */

struct befores {
    bool (*before)(void *ctx, struct slice name);
    void *ctx;
    struct slice name;
};

/* The name without [from, to), with `between` in its place. */
static bool try_without(const struct befores *b, size_t from, size_t to, const char *between)
{
    char text[2 * STEM_NAME_MAX];
    struct buffer name;

    buffer_init_over(&name, text, sizeof(text));
    buffer_append(&name, b->name.data, from);
    buffer_append_string(&name, between);
    buffer_append(&name, b->name.data + to, b->name.len - to);
    return name.len > 0 && b->before(b->ctx, buffer_slice(&name));
}

/* Without the atoms i to j, and the separators on one of their sides. */
static bool try_atoms(const struct befores *b, const struct atoms *a, size_t i, size_t j)
{
    size_t from = a->at[i].gap_from, to = a->at[j].to, behind = to;

    while (behind < a->name.len && is_separator(a->name.data[behind]))
        behind++;
    if (try_without(b, from, to, ""))
        return true;
    if (a->at[i].kind == ATOM_INDEX && try_without(b, from, to, "_rCURRENT"))
        return true;
    bool has_left = from < a->at[i].from;

    return behind > to && (has_left || from == 0) && try_without(b, a->at[i].from, behind, "");
}

static bool try_all(const struct befores *b, const struct atoms *a)
{
    for (size_t j = a->len; j > 0; j--) {
        size_t to = a->at[j - 1].to;
        bool is_end = to == a->name.len || ending_at(a->name, a->name.len) == to;

        for (size_t i = j; i > 0; i--) {
            const struct atom *atom = &a->at[i - 1];

            if (!atom->is_dated && !(is_end && is_stamp_at_end(a, i - 1, true)))
                break;
            if (try_atoms(b, a, i - 1, j - 1))
                return true;
            if (!atom->goes_on)
                break;
        }
    }
    return false;
}

bool stem_before(struct slice base, bool (*before)(void *ctx, struct slice name), void *ctx)
{
    struct slice plain = {base.data, plain_len(base)};
    struct befores b = {before, ctx, plain};
    char memory[STEM_NAME_MAX + 1];
    struct buffer family;
    struct atoms a;

    if (base.len > STEM_NAME_MAX)
        return false;
    if (plain.len < base.len && before(ctx, plain))
        return true;
    if (is_of_current(plain))
        return !slice_equal(plain, CURRENT) && before(ctx, CURRENT);
    read_atoms(plain, &a);
    if (try_all(&b, &a))
        return true;
    buffer_init_over(&family, memory, sizeof(memory));
    reduce(&a, true, &family);
    return family.len < plain.len && family.len > 0 && before(ctx, buffer_slice(&family));
}

/* ---- Folders ---- */

static bool is_dated_folder(struct slice name)
{
    struct atoms a;

    if (name.len > STEM_NAME_MAX)
        return false;
    read_atoms(name, &a);
    if (a.len == 0 || a.at[0].from != 0 || a.at[a.len - 1].to != name.len ||
        !is_digit(name.data[0]) || !a.at[0].is_dated)
        return false;
    for (size_t i = 1; i < a.len; i++)
        if (!a.at[i].goes_on || !a.at[i].is_dated)
            return false;
    return true;
}

static bool is_small_number(struct slice name)
{
    return name.len >= 1 && name.len <= 2 && is_digit(name.data[0]) &&
           is_digit(name.data[name.len - 1]);
}

size_t stem_live_folder(struct slice folder)
{
    static const char *const usual[] = {"old",    "olddir",  "archive", "archives", "archived",
                                        "backup", "backups", "history", "rotated"};
    enum { DATE_PARTS_MAX = 4 };
    size_t len = folder.len;

    for (int part = 0; part < DATE_PARTS_MAX && len > 0; part++) {
        size_t at = len;

        while (at > 0 && folder.data[at - 1] != '/')
            at--;
        if (at == 0)
            break;
        struct slice name = {folder.data + at, len - at};
        if (is_dated_folder(name) || (part == 0 && IS_ONE_OF(name, usual)))
            return at - 1;
        if (!is_small_number(name))
            break;
        len = at - 1;
    }
    return folder.len;
}
