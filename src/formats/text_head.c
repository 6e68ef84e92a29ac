#include "formats/text_head.h"

#include "formats/line_scan.h"

enum { LEVEL_LEN_MIN = 3, LEVEL_LEN_MAX = 12 };

#define LEVEL(text) {text, sizeof(text) - 1}

static const struct slice LEVELS[] = {
    LEVEL("trace"),    LEVEL("verbose"), LEVEL("debug"),   LEVEL("info"),  LEVEL("information"),
    LEVEL("notice"),   LEVEL("warn"),    LEVEL("warning"), LEVEL("error"), LEVEL("err"),
    LEVEL("critical"), LEVEL("crit"),    LEVEL("alert"),   LEVEL("emerg"), LEVEL("emergency"),
    LEVEL("fatal"),    LEVEL("panic"),   LEVEL("severe"),
};

enum spelling { NO_LEVEL, SMALL, CAPITALS, NAME };

/* How `word` spells a level. */
static enum spelling spelling_of(struct slice word)
{
    size_t capitals = 0;
    bool is_level = false;

    if (word.len < LEVEL_LEN_MIN || word.len > LEVEL_LEN_MAX)
        return NO_LEVEL;
    for (size_t i = 0; !is_level && i < sizeof(LEVELS) / sizeof(*LEVELS); i++)
        is_level =
            (word.data[0] | 0x20) == LEVELS[i].data[0] && slice_equal_ascii_nocase(word, LEVELS[i]);
    if (!is_level)
        return NO_LEVEL;
    for (size_t i = 0; i < word.len; i++)
        capitals += word.data[i] >= 'A' && word.data[i] <= 'Z';
    if (capitals == 0)
        return SMALL;
    if (capitals == word.len)
        return CAPITALS;
    return capitals == 1 && word.data[0] < 'a' ? NAME : NO_LEVEL;
}

/* A word of a line without what stands around it. */
struct bare {
    struct slice text;
    bool is_marked; /* by brackets, or a colon behind it */
};

static struct bare bare_of(struct slice word)
{
    struct bare bare = {word, false};

    if (word.len > 2 && strchr("[(<", word.data[0])) {
        const char *end = memchr(word.data,
                                 word.data[0] == '['   ? ']'
                                 : word.data[0] == '(' ? ')'
                                                       : '>',
                                 word.len);

        if (end) {
            bare.text = slice_of(word.data + 1, (size_t)(end - word.data) - 1);
            bare.is_marked = true;
            return bare;
        }
    }
    for (size_t i = 0; i < word.len && i <= LEVEL_LEN_MAX; i++) {
        if (word.data[i] == ':' || word.data[i] == ']' || word.data[i] == ',' ||
            word.data[i] == '|') {
            bare.text = slice_of(word.data, i);
            bare.is_marked = word.data[i] == ':';
            return bare;
        }
    }
    return bare;
}

/* The level among the first words behind a time. */
static struct slice level_behind(struct slice rest)
{
    size_t seen = 0;

    while (rest.len && seen < TEXT_HEAD_WORDS) {
        struct slice word = line_take_word(&rest);
        struct bare bare = bare_of(word);
        enum spelling spelling = spelling_of(bare.text);

        if (spelling == CAPITALS || (spelling && (bare.is_marked || seen == 0)))
            return bare.text;
        /* What is no word of a text, but a sign, does not count as seen. */
        seen += word.len > 1 || line_is_letter(word.data[0]) || line_is_digit(word.data[0]);
    }
    return (struct slice){NULL, 0};
}

/* The level that a line begins with, behind which stands `*rest`. */
static struct slice level_first(struct slice line, bool *is_marked, struct slice *rest)
{
    *rest = line;
    struct slice word = line_take_word(rest);
    struct bare bare = bare_of(word);
    enum spelling spelling = spelling_of(bare.text);

    *is_marked = bare.is_marked;
    return spelling == SMALL || spelling == CAPITALS ? bare.text : (struct slice){NULL, 0};
}

/* klog, glog: the level is a letter. */
static bool read_glog(const struct line_memory *m, struct slice line, struct text_head *head)
{
    static const struct {
        char letter;
        const char *level;
    } levels[] = {{'I', "info"}, {'W', "warning"}, {'E', "error"}, {'F', "critical"}};

    for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
        struct slice rest = line;

        if (line.data[0] != levels[i].letter)
            continue;
        line_drop(&rest, 1);
        size_t len = line_time_glog(m, rest, &head->time);
        line_drop(&rest, len);
        if (!len || !rest.len || rest.data[0] != ' ' || !memchr(rest.data, ']', rest.len))
            return false;
        head->has_time = head->has_clock = true;
        head->level = slice_of_string(levels[i].level);
        return true;
    }
    return false;
}

/* A time at the beginning, in brackets or not; what is left of the line in *rest. */
static bool read_time(const struct line_memory *m, struct slice line, struct text_head *head,
                      struct slice *rest)
{
    bool in_brackets;
    size_t len;

    *rest = line;
    in_brackets = line_take(rest, "[");
    len = line_time_iso(m, *rest, &head->time);
    head->has_time = len > 0;
    if (!len)
        len = line_time_of_day(*rest);
    head->has_clock = len > 0;
    line_drop(rest, len);
    if (!len || (rest->len && !strchr(" \t]|:;,-", rest->data[0]))) {
        head->has_time = head->has_clock = false;
        return false;
    }
    if (in_brackets)
        line_take(rest, "]");
    while (rest->len && strchr(" \t|:;,-", rest->data[0]))
        line_drop(rest, 1);
    return true;
}

bool text_head_read(const struct line_memory *m, struct slice line, struct text_head *head)
{
    struct slice rest;
    bool is_marked;

    *head = (struct text_head){.has_time = false};
    line = slice_cut(&line, '\n');
    if (line.len > TEXT_HEAD_MAX)
        line.len = TEXT_HEAD_MAX;
    if (!line.len || read_glog(m, line, head))
        return line.len > 0;
    if (read_time(m, line, head, &rest)) {
        head->level = level_behind(rest);
        return head->has_time || head->level.len;
    }
    struct slice level = level_first(line, &is_marked, &rest);
    if (!level.len)
        return false;
    struct slice behind = rest;
    if (read_time(m, behind, head, &rest) || is_marked)
        head->level = level;
    return head->level.len > 0;
}
