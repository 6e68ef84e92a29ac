#include "query/pattern.h"

#include <string.h>

#include "base/utf8.h"
#include "query/split.h"

/* A placeholder for each other byte, and the ellipsis. */
enum { PATTERN_ROOM = 3 * LOG_PATTERN_BYTES_MAX + 8 };

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

bool pattern_is_of(struct slice pattern, struct slice message)
{
    char room[PATTERN_ROOM];
    struct buffer b;

    buffer_init_over(&b, room, sizeof(room));
    pattern_append(&b, message);
    return !buffer_error(&b) && slice_equal(buffer_slice(&b), pattern);
}

/* Among the longest so far, of which the last gives way. */
static size_t add_piece(struct slice *pieces, size_t len, struct slice piece)
{
    size_t at = len;

    if (piece.len == 0)
        return len;
    while (at > 0 && pieces[at - 1].len < piece.len)
        at--;
    if (at == PATTERN_PIECES_MAX)
        return len;
    len = len < PATTERN_PIECES_MAX ? len + 1 : len;
    memmove(pieces + at + 1, pieces + at, (len - 1 - at) * sizeof(*pieces));
    pieces[at] = piece;
    return len;
}

size_t pattern_pieces(struct slice pattern, struct slice pieces[PATTERN_PIECES_MAX])
{
    size_t len = 0;

    if (pattern.len >= ellipsis.len &&
        memcmp(pattern.data + pattern.len - ellipsis.len, ellipsis.data, ellipsis.len) == 0)
        pattern.len -= ellipsis.len;
    while (pattern.len > 0) {
        const char *end = memmem(pattern.data, pattern.len, placeholder.data, placeholder.len);
        size_t piece = end ? (size_t)(end - pattern.data) : pattern.len;

        len = add_piece(pieces, len, slice_of(pattern.data, piece));
        piece += end ? placeholder.len : 0;
        pattern = slice_of(pattern.data + piece, pattern.len - piece);
    }
    return len;
}
