/*
 * What container runtimes write around each line of a container's output.
 *
 * line_cri: containerd and CRI-O, for Kubernetes (CRI: "TIME stream TAGS text"):
 *
 *   2026-11-28T12:00:01.123456789Z stderr F a whole line
 *   2026-11-28T12:00:01.123456789Z stdout P the beginning of a long one, cut by the runtime
 *
 * line_docker: Docker's json-file driver, {"log":"text\n","stream":"stdout","time":"…"}, of which a
 * part of a long line has no line feed at its end; "attrs", which the driver's options add, stay
 * an attribute.
 *
 * The stream is the attribute "stream". The time is the runtime's, unless the text has one of its
 * own that says its zone: an object of JSON.
 */
#include "formats/line_format.h"
#include "formats/line_scan.h"
#include "formats/line_time.h"
#include "formats/members.h"
#include "formats/names.h"
#include "json/writer.h"

/* ---- Kubernetes ---- */

struct cri_head {
    struct line_time time;
    struct slice stream;
    bool is_part;
};

/* Takes all but the text off `*rest`. */
static bool take_cri_head(struct line_memory *m, struct slice *rest, struct cri_head *head)
{
    size_t len = line_time_iso(m, *rest, &head->time);
    struct slice tags;

    if (!len || rest->data[10] != 'T')
        return false;
    line_drop(rest, len);
    if (!line_take(rest, " ") || !line_take_until(rest, ' ', &head->stream) ||
        (!slice_equal(head->stream, SLICE_LITERAL("stdout")) &&
         !slice_equal(head->stream, SLICE_LITERAL("stderr"))))
        return false;
    if (!line_take_until(rest, ' ', &tags)) { /* an empty text may have no blank before it */
        tags = *rest;
        line_drop(rest, rest->len);
    }
    head->is_part = tags.len && tags.data[0] == 'P';
    return tags.len && (tags.data[0] == 'F' || tags.data[0] == 'P') &&
           (tags.len == 1 || tags.data[1] == ':');
}

static bool unwrap_cri(struct line_memory *m, struct slice line, struct line_inner *inner)
{
    struct cri_head head;

    if (!take_cri_head(m, &line, &head))
        return false;
    *inner = (struct line_inner){line, head.stream, head.is_part};
    return true;
}

static void wrap_cri(struct line_memory *m, struct slice line, struct record_draft *d)
{
    struct cri_head head;

    if (!take_cri_head(m, &line, &head))
        return;
    record_draft_text(d, SLICE_LITERAL("stream"), head.stream);
    if (!d->has_time)
        members_put_time(d, head.time.us, head.time.below_us);
}

const struct line_format line_cri = {.name = "cri", .unwrap = unwrap_cri, .wrap = wrap_cri};

/* ---- Docker ---- */

struct docker_line {
    struct slice log, stream;
    yyjson_val *time, *attrs;
};

/* Reads `line` if it is such an object, and has nothing else. */
static bool read_docker(struct line_memory *m, struct slice line, struct docker_line *docker)
{
    static const char begin[] = "{\"log\":";
    bool has_log = false;

    *docker = (struct docker_line){.time = NULL};
    if (!line_begins(line, SLICE_LITERAL(begin)) ||
        json_doc_read_cleaned(&m->outer, line, &m->nul_characters))
        return false;
    yyjson_obj_iter iter = yyjson_obj_iter_with(yyjson_doc_get_root(m->outer.doc));
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);

        if (yyjson_equals_str(key, "log") && yyjson_is_str(value)) {
            docker->log = json_text(value);
            has_log = true;
        } else if (yyjson_equals_str(key, "stream") && yyjson_is_str(value)) {
            docker->stream = json_text(value);
        } else if (yyjson_equals_str(key, "time") && yyjson_is_str(value)) {
            docker->time = value;
        } else if (yyjson_equals_str(key, "attrs")) {
            docker->attrs = value;
        } else {
            return false;
        }
    }
    return has_log && docker->time;
}

static bool unwrap_docker(struct line_memory *m, struct slice line, struct line_inner *inner)
{
    struct docker_line docker;

    if (!read_docker(m, line, &docker))
        return false;
    *inner = (struct line_inner){docker.log, docker.stream, true};
    if (inner->text.len && inner->text.data[inner->text.len - 1] == '\n') {
        inner->text.len--;
        inner->is_part = false;
    }
    return true;
}

static void wrap_docker(struct line_memory *m, struct slice line, struct record_draft *d)
{
    struct docker_line docker;
    struct line_time time;

    if (!read_docker(m, line, &docker))
        return;
    if (docker.stream.len)
        record_draft_text(d, SLICE_LITERAL("stream"), docker.stream);
    if (docker.attrs)
        record_draft_json(d, SLICE_LITERAL("attrs"), docker.attrs);
    if (time_of_text(json_text(docker.time), &time.us, &time.below_us))
        record_draft_text(d, SLICE_LITERAL("time"), json_text(docker.time));
    else if (!d->has_time)
        members_put_time(d, time.us, time.below_us);
}

const struct line_format line_docker = {
    .name = "docker", .unwrap = unwrap_docker, .wrap = wrap_docker};
