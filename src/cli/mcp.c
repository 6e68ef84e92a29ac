/* logmill mcp: the Model Context Protocol over standard input and output, a message a line. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/http_client.h"
#include "cli/terminal.h"
#include "mcp/mcp.h"

enum { READ_BYTES = 64 * 1024 };

struct session {
    struct http_client *client;
    const char *version; /* of the protocol, once it is agreed on */
    struct buffer input; /* what has come of the line that is being read */
    bool is_too_long;    /* the beginning of that line is dropped already */
};

/* Writes one line. Returns 0 or LM_EIO. */
static int write_line(struct slice line, struct errbuf *err)
{
    if (fwrite(line.data, 1, line.len, stdout) == line.len && fputc('\n', stdout) != EOF &&
        fflush(stdout) == 0)
        return 0;
    return errbuf_fail(err, LM_EIO, "cannot write to standard output: %s", strerror(errno));
}

static void make_read(const struct session *s, struct mcp *m, const struct mcp_ask *ask)
{
    const struct http_client_request request = {.path = ask->target, .wanted = 200};
    struct errbuf reason = ERRBUF_INIT;
    int error = http_client_run(s->client, &request, &reason);
    unsigned status = http_client_status(s->client);

    if (!error || (status >= 400 && status < 600))
        mcp_take(m, status, http_client_answer(s->client));
    else
        mcp_fail(m, reason.text);
}

static int answer_message(struct session *s, struct slice text, struct errbuf *err)
{
    struct mcp *m = mcp_new(text, s->version, NULL);
    const struct mcp_ask *ask;
    struct slice answer;
    int error = 0;

    while ((ask = mcp_next(m)))
        make_read(s, m, ask);
    if (mcp_agreed_version(m))
        s->version = mcp_agreed_version(m);
    if (mcp_answer(m, &answer))
        error = errbuf_fail(err, LM_ENOMEM, "no memory for an answer");
    else if (answer.len > 0)
        error = write_line(answer, err);
    mcp_free(m);
    return error;
}

static int answer_too_long(struct errbuf *err)
{
    char reason[100], room[256];
    struct buffer line;

    snprintf(reason, sizeof(reason), "a message has at most %d bytes here", MCP_MESSAGE_MAX);
    buffer_init_over(&line, room, sizeof(room));
    mcp_append_refusal(&line, reason);
    return write_line(buffer_slice(&line), err);
}

/* A whole line, without its end; empty ones are passed over. */
static int take_line(struct session *s, struct slice line, struct errbuf *err)
{
    if (s->is_too_long || line.len > MCP_MESSAGE_MAX) {
        s->is_too_long = false;
        return answer_too_long(err);
    }
    return slice_trim(line).len > 0 ? answer_message(s, line, err) : 0;
}

/* Takes the lines of what has come. */
static int take_input(struct session *s, struct errbuf *err)
{
    const char *end;
    size_t begin = 0;
    int error = 0;

    while (!error && s->input.len > begin &&
           (end = memchr(s->input.data + begin, '\n', s->input.len - begin))) {
        size_t len = (size_t)(end - s->input.data) - begin;

        error = take_line(s, slice_of(s->input.data + begin, len), err);
        begin += len + 1;
    }
    buffer_consume(&s->input, begin);
    if (s->input.len > MCP_MESSAGE_MAX) {
        s->is_too_long = true;
        buffer_clear(&s->input);
    }
    return error;
}

/* Reads until the input ends. */
static int run(struct session *s, struct errbuf *err)
{
    for (int error = 0; !error; error = take_input(s, err)) {
        char *room = buffer_reserve(&s->input, READ_BYTES);
        ssize_t n = room ? read(STDIN_FILENO, room, READ_BYTES) : -1;

        if (!room)
            return errbuf_fail(err, LM_ENOMEM, "no memory for a message");
        if (n < 0 && errno == EINTR)
            n = 0;
        else if (n < 0)
            return errbuf_fail(err, LM_EIO, "cannot read standard input: %s", strerror(errno));
        else if (n == 0) /* a message without a line feed is one, too */
            return s->input.len > 0 || s->is_too_long ? take_line(s, buffer_slice(&s->input), err)
                                                      : 0;
        s->input.len += (size_t)n;
    }
    return LM_EIO;
}

int client_mcp(const struct flags *flags)
{
    struct errbuf err = ERRBUF_INIT;
    struct session s = {.client = http_client_new(flags, &err)};
    bool is_wrong = !s.client;
    int error = LM_EINVAL;

    buffer_init(&s.input, MCP_MESSAGE_MAX + 2 * READ_BYTES);
    if (!is_wrong)
        error = run(&s, &err);
    if (err.text[0])
        terminal_say("mcp", "%s", err.text);
    buffer_release(&s.input);
    http_client_free(s.client);
    return is_wrong ? CLIENT_USAGE : error ? 1 : 0;
}
