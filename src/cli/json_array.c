#include "cli/json_array.h"

#include <string.h>

void json_array_init(struct json_array *a)
{
    *a = (struct json_array){.is_answer = false};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A byte between two objects. False if it may not stand there. */
static bool pass_between(struct json_array *a, char c)
{
    if (c == '{') {
        a->state = JSON_ARRAY_OBJECT;
        a->depth = 1;
    } else if (c == ']') {
        a->state = JSON_ARRAY_AFTER;
    } else if (!is_blank(c) && c != ',') {
        return false;
    }
    return true;
}

/* A byte of an object; it is in no string. */
static void pass_structure(struct json_array *a, char c)
{
    if (c == '"')
        a->in_string = true;
    else if (c == '{' || c == '[')
        a->depth++;
    else if ((c == '}' || c == ']') && --a->depth == 0)
        a->state = JSON_ARRAY_BETWEEN;
}

static void pass_string(struct json_array *a, char c)
{
    if (a->is_escaped)
        a->is_escaped = false;
    else if (c == '\\')
        a->is_escaped = true;
    else if (c == '"')
        a->in_string = false;
}

/* Appends a byte of an object. False if it may not stand there. */
static bool pass_object(struct json_array *a, char c, struct buffer *out)
{
    if (a->in_string && c == '\n')
        return false; /* no JSON has it, and it would be two lines */
    buffer_append_char(out, !a->in_string && is_blank(c) ? ' ' : c);
    if (a->in_string)
        pass_string(a, c);
    else
        pass_structure(a, c);
    if (a->state == JSON_ARRAY_BETWEEN)
        buffer_append_char(out, '\n');
    return true;
}

int json_array_feed(struct json_array *a, struct slice text, bool is_last, struct buffer *out,
                    struct errbuf *err)
{
    bool is_right = true;

    for (size_t i = 0; i < text.len && is_right; i++) {
        char c = text.data[i];

        if (a->state == JSON_ARRAY_BEFORE) {
            a->state = c == '[' ? JSON_ARRAY_BETWEEN : JSON_ARRAY_BEFORE;
        } else if (a->state == JSON_ARRAY_BETWEEN) {
            is_right = pass_between(a, c);
            if (a->state == JSON_ARRAY_OBJECT)
                buffer_append_char(out, c);
        } else if (a->state == JSON_ARRAY_OBJECT) {
            is_right = pass_object(a, c, out);
        } else {
            is_right = a->is_answer || is_blank(c);
        }
    }
    if (!is_right)
        return errbuf_fail(err, LM_EDATA,
                           "it begins as a JSON array of logs, and goes on as something else");
    if (is_last && a->state != JSON_ARRAY_AFTER)
        return errbuf_fail(err, LM_EDATA, "its JSON array is cut off");
    return buffer_error(out);
}
