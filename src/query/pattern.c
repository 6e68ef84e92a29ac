#include "query/pattern.h"

#include "base/utf8.h"
#include "query/split.h"

static const struct slice placeholder = SLICE_LITERAL("<*>");
static const struct slice ellipsis = SLICE_LITERAL("…");

static bool joins(char c)
{
    return c != '\0' && strchr(".,:-/+T", c);
}

void pattern_append(struct buffer *b, struct slice message)
{
    char skeleton[LOG_PATTERN_BYTES_MAX + UTF8_LEN_MAX];
    struct split s = {.skeleton = skeleton, .max = sizeof(skeleton)};

    split_text(&s, message);
    if (s.len > LOG_PATTERN_BYTES_MAX) {
        s.len = utf8_cut(slice_of(skeleton, s.len), LOG_PATTERN_BYTES_MAX).len;
        s.is_whole = false;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (skeleton[i] != SPLIT_MARK) {
            buffer_append_char(b, skeleton[i]);
            continue;
        }
        while (i + 2 < s.len && joins(skeleton[i + 1]) && skeleton[i + 2] == SPLIT_MARK)
            i += 2;
        buffer_append_slice(b, placeholder);
    }
    if (!s.is_whole)
        buffer_append_slice(b, ellipsis);
}
