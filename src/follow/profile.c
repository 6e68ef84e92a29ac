#include "follow/profile.h"

enum class {
    CLASS_DIGIT = 1,
    CLASS_LETTER = 2,
    CLASS_BLANK = 4,
    CLASS_OTHER = 8, /* punctuation and what is no ASCII: one by one */
    CLASS_END = 16,  /* the line is over */
};

static uint8_t class_of(char c)
{
    if (c >= '0' && c <= '9')
        return CLASS_DIGIT;
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return CLASS_LETTER;
    if (c == ' ' || c == '\t')
        return CLASS_BLANK;
    return (unsigned char)c < 0x80 ? CLASS_OTHER : CLASS_LETTER;
}

static uint8_t class_at(struct slice line, size_t column)
{
    return column < line.len && line.data[column] != '\r' ? class_of(line.data[column]) : CLASS_END;
}

void profile_learn(struct profile *p, struct slice line)
{
    if (p->lines >= PROFILE_LINES_MAX || line.len == 0)
        return;
    for (size_t i = 0; i < PROFILE_COLUMNS; i++) {
        uint8_t class = class_at(line, i);

        if (class == CLASS_OTHER && !(p->classes[i] & CLASS_OTHER))
            p->marks[i] = line.data[i];
        else if (class == CLASS_OTHER && p->marks[i] != line.data[i])
            p->marks[i] = 0;
        p->classes[i] |= class;
        if (class == CLASS_END)
            break;
    }
    p->lines++;
}

bool profile_may_begin(const struct profile *p, struct slice text)
{
    if (p->lines < PROFILE_LINES_MIN)
        return true;
    for (size_t i = 0; i < PROFILE_COLUMNS; i++) {
        uint8_t class = class_at(text, i);

        if (!(p->classes[i] & class))
            return false;
        if (class == CLASS_OTHER && p->marks[i] && p->marks[i] != text.data[i])
            return false;
        if (class == CLASS_END)
            break;
    }
    return true;
}
