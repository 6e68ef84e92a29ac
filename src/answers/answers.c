#include "answers/answers.h"

#include <string.h>

#include "json/writer.h"

enum { TEXT_SIZE = 256 };

static const struct {
    unsigned status;
    const char *text;
} table[REFUSALS_LEN] = {
#define REFUSAL_ROW(symbol, status, text) [symbol] = {status, text},
    REFUSALS(REFUSAL_ROW)
#undef REFUSAL_ROW
};

/* The text with its number, in `room` if it has one. */
static const char *text_of(enum refusal why, uint64_t number, char room[TEXT_SIZE])
{
    const char *text = table[why].text;
    const char *mark = strstr(text, "{}");
    struct buffer b;

    if (!mark)
        return text;
    buffer_init_over(&b, room, TEXT_SIZE - 1);
    buffer_append(&b, text, (size_t)(mark - text));
    buffer_append_u64(&b, number);
    buffer_append_string(&b, mark + 2);
    room[b.len] = '\0';
    return room;
}

void answers_refuse(struct http_request *req, enum refusal why, uint64_t number)
{
    char room[TEXT_SIZE];

    http_respond_error(req, table[why].status, text_of(why, number, room));
}

void answers_refuse_for(struct http_request *req, enum refusal why, uint64_t number,
                        uint64_t retry_after_s)
{
    char seconds_room[24], body_room[8 * TEXT_SIZE];
    struct buffer seconds, body;

    buffer_init_over(&seconds, seconds_room, sizeof(seconds_room));
    buffer_init_over(&body, body_room, sizeof(body_room));
    buffer_append_u64(&seconds, retry_after_s);
    answers_append(&body, why, number);

    const struct http_header retry_after = {"Retry-After", buffer_slice(&seconds)};

    http_respond(req, &(struct http_response){.status = table[why].status,
                                              .body = buffer_slice(&body),
                                              .headers = &retry_after,
                                              .headers_len = 1});
}

void answers_refuse_failed(struct http_request *req, unsigned status, const struct errbuf *detail)
{
    http_respond_error(req, status, detail->text);
}

int answers_fail(struct errbuf *err, int error, enum refusal why, uint64_t number)
{
    char room[TEXT_SIZE];

    return errbuf_fail(err, error, "%s", text_of(why, number, room));
}

unsigned answers_status(enum refusal why)
{
    return table[why].status;
}

const char *answers_text(enum refusal why)
{
    return table[why].text;
}

void answers_append(struct buffer *b, enum refusal why, uint64_t number)
{
    char room[TEXT_SIZE];

    answers_append_detail(b, text_of(why, number, room));
}

void answers_append_detail(struct buffer *b, const char *text)
{
    buffer_append_string(b, "{\"detail\":");
    json_append_string(b, slice_of_string(text));
    buffer_append_char(b, '}');
}
