#include "base/caret.h"

#include "base/utf8.h"
#include "base/visible.h"

void caret_append(struct buffer *b, struct slice text, size_t offset, size_t len, size_t max)
{
    size_t around = max / 2;
    size_t from = utf8_begin(text, offset > around ? offset - around : 0);
    size_t to = utf8_begin(text, text.len - from > max ? from + max : text.len);
    size_t begin = b->len, column;

    visible_append(b, slice_of(text.data + from, offset - from));
    column = buffer_error(b) ? 0 : utf8_count(slice_of(b->data + begin, b->len - begin));
    visible_append(b, slice_of(text.data + offset, to - offset));
    buffer_appendf(b, "\n  %*s^", (int)column, "");
    len = utf8_count(slice_of(text.data + offset, len < to - offset ? len : to - offset));
    for (size_t i = 1; i < len; i++)
        buffer_append_char(b, '~');
}
