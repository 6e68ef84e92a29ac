/* `logmill dead-letters`. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "program/command.h"
#include "program/commands.h"
#include "program/data_dir.h"
#include "program/ports.h"
#include "json/writer.h"

/* One letter as a line of JSON: for people, and for jq. If that fails, `ctx` gets the errno. */
static int print_dead_letter(const struct queue_dead_letter *letter, void *ctx)
{
    struct buffer line;
    int *reason = ctx;

    buffer_init(&line, SIZE_MAX / 2);
    buffer_append_string(&line, "{\"id\":");
    json_append_string(&line, letter->id);
    buffer_append_string(&line, ",\"died\":\"");
    timestamp_append(&line, letter->died_us);
    buffer_append_string(&line, "\",\"reason\":");
    json_append_string(&line, letter->reason);
    buffer_append_string(&line, ",\"body\":");
    json_append_string(&line, letter->body);
    buffer_append_string(&line, "}\n");
    if (buffer_error(&line))
        *reason = ENOMEM;
    else if (fwrite(line.data, 1, line.len, stdout) != line.len)
        *reason = errno;
    buffer_release(&line);
    return *reason ? LM_EIO : 0;
}

/*
 * A list that is cut off is a failure, so that it is not taken for all that there is; unless who
 * reads it, such as head, has had enough.
 */
static int list(struct queue *q, struct errbuf *err)
{
    int reason = 0;
    int error = queue_dead_letters_list(q, print_dead_letter, &reason, err);

    if (!reason && fflush(stdout))
        reason = errno;
    if (reason && reason != EPIPE)
        return errbuf_fail(err, LM_EIO, "cannot write to standard output: %s", strerror(reason));
    return error;
}

static int requeue(struct queue *q, char **ids, int ids_len, struct errbuf *err)
{
    struct slice *slices = xcalloc((size_t)ids_len, sizeof(*slices));
    uint64_t moved = 0;
    int error;

    for (int i = 0; i < ids_len; i++)
        slices[i] = slice_of_string(ids[i]);
    error = queue_dead_letters_requeue(q, slices, (size_t)ids_len, &moved, err);
    printf("requeued %llu\n", (unsigned long long)moved);
    free(slices);
    return error;
}

int commands_dead_letters(const struct config *config, char **args, int args_len)
{
    const char *verb = args_len > 0 ? args[0] : "list";
    bool lists = strcmp(verb, "list") == 0 && args_len <= 1;
    struct errbuf err = ERRBUF_INIT;
    struct queue *q;
    int error;

    if (!lists && strcmp(verb, "requeue") != 0) {
        fprintf(stderr, "logmill: dead-letters: \"%s\" is not one of list, requeue [ID…]\n",
                args[args_len - 1]);
        return 2;
    }
    if (ports_queue_is_embedded(config) && data_dir_find(config->data_dir, "queue.db", &err))
        return command_fail(&err);
    if (ports_open_queue(config, PORTS_QUEUE_TOOL, &q, &err))
        return command_fail(&err);
    error = lists ? list(q, &err) : requeue(q, args + 1, args_len - 1, &err);
    queue_free(q);
    return error ? command_fail(&err) : 0;
}
