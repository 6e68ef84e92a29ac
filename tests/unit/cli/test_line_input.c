#include "cli/line_input.h"

#include <stdio.h>
#include <string.h>

#include <yyjson.h>

#include "../cmocka_all.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/line.h"
#include "json/writer.h"

enum { FILES = 4, LOGS_MAX = 4096 };

static const int64_t READ_US = 1795867200123456;

/* One of the files that a reader reads by turns. */
struct file {
    struct line_input input;
    uint64_t offset; /* of the line that comes */
    int64_t read_us; /* … which is read then, each a second after the one before */
    uint64_t held_from;
};

/* A reader, its files, and the logs that it made. */
struct lines {
    struct line_reader reader;
    struct file files[FILES];
    struct buffer body;
    /* Of each log, when it was added: */
    int logs;
    uint64_t numbers[LOGS_MAX];
    const struct line_input *inputs[LOGS_MAX];
    bool has_time[LOGS_MAX];
};

static void added(void *ctx)
{
    struct lines *l = ctx;

    assert_in_range(l->logs, 0, LOGS_MAX - 1);
    l->numbers[l->logs] = l->reader.log_number;
    l->inputs[l->logs] = l->reader.log_input;
    l->has_time[l->logs++] = l->reader.log_has_time;
}

static void begin_file(struct lines *l, int file, uint64_t key, const char *path)
{
    struct file *f = &l->files[file];

    *f = (struct file){.read_us = READ_US + file};
    line_input_begin_file(&f->input, &l->reader.forms, key, path, &f->held_from);
    assert_true(f->held_from == UINT64_MAX);
}

/* Begins with the flags `args`, which end with NULL, of `command`; the files have keys 1, 2, … */
static struct lines *begin_of(const char *command, char **args)
{
    static const char *const paths[FILES] = {"/a.log", "/b.log", "/c.log", "/d.log"};
    struct lines *l = calloc(1, sizeof(*l));
    struct errbuf err = ERRBUF_INIT;
    struct flags flags;
    int n = 0;

    while (args && args[n])
        n++;
    assert_int_equal(flags_parse(&flags, client_find(command), args, n, &err), 0);
    assert_int_equal(line_reader_init(&l->reader, &flags, &err), 0);
    buffer_init(&l->body, SIZE_MAX / 2);
    for (int i = 0; i < FILES; i++)
        begin_file(l, i, (uint64_t)i + 1, paths[i]);
    return l;
}

static struct lines *begin(char **args)
{
    return begin_of("import", args);
}

static void end(struct lines *l)
{
    for (int i = 0; i < FILES; i++)
        line_input_release(&l->files[i].input, &l->reader.gather);
    assert_null(l->reader.gather.earliest);
    assert_true(l->reader.gather.held == 0);
    line_reader_release(&l->reader);
    buffer_release(&l->body);
    free(l);
}

static void add_part(struct lines *l, int file, struct slice text, bool is_first, bool is_last)
{
    struct file *f = &l->files[file];
    struct line_part part = {.text = text,
                             .is_first = is_first,
                             .is_last = is_last,
                             .number = f->offset,
                             .read_us = f->read_us};
    struct errbuf err = ERRBUF_INIT;

    if (line_append(&l->body, &l->reader, &f->input, &part, added, l, &err))
        fail_msg("%.*s: %s", SLICE_ARG(text), err.text);
    f->offset += text.len + is_last;
    f->read_us += 1000000;
    assert_true(f->held_from == line_input_held_from(&f->input));
}

/* Adds a line of a file. */
static void add(struct lines *l, int file, const char *text)
{
    add_part(l, file, slice_of_string(text), true, true);
}

static void flush(struct lines *l, int file)
{
    struct errbuf err = ERRBUF_INIT;

    assert_int_equal(line_flush(&l->body, &l->reader, &l->files[file].input, added, l, &err), 0);
    assert_false(line_is_open(&l->files[file].input));
}

static yyjson_doc *log_at(const struct lines *l, int number)
{
    struct slice rest = buffer_slice(&l->body), line = {NULL, 0};

    assert_in_range(number, 0, l->logs - 1);
    for (int i = 0; i <= number; i++)
        line = slice_cut(&rest, '\n');
    return yyjson_read(line.data, line.len, YYJSON_READ_NUMBER_AS_RAW);
}

/* The text of a member of the `number`th log, or of its attributes; "-": none. Until the next but
 * three. */
static const char *text_of(const struct lines *l, int number, const char *name)
{
    static char texts[4][1 << 18];
    static int at;
    yyjson_doc *doc = log_at(l, number);
    yyjson_val *log = yyjson_doc_get_root(doc), *value = NULL;

    yyjson_obj_iter members = yyjson_obj_iter_with(log);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members));)
        if (yyjson_equals_str(key, name))
            value = yyjson_obj_iter_get_val(key);
    if (yyjson_obj_get(yyjson_obj_get(log, "attributes"), name))
        value = yyjson_obj_get(yyjson_obj_get(log, "attributes"), name);
    struct slice text = value ? json_text(value) : SLICE_LITERAL("-");
    at = (at + 1) % 4;
    assert_in_range(text.len, 0, sizeof(texts[at]) - 1);
    memcpy(texts[at], text.data, text.len);
    texts[at][text.len] = '\0';
    yyjson_doc_free(doc);
    return texts[at];
}

static void assert_text(const struct lines *l, int number, const char *name, const char *expected)
{
    assert_string_equal(text_of(l, number, name), expected);
}

/* ---- Ids ---- */

/* The id of a log that is `text`, the only one of a file. */
static void id_of(char **args, uint64_t key, uint64_t offset, const char *text, char id[37])
{
    struct lines *l = begin(args);

    begin_file(l, 0, key, "/x");
    l->files[0].offset = offset;
    add(l, 0, text);
    flush(l, 0);
    assert_int_equal(l->logs, 1);
    (void)snprintf(id, 37, "%s", text_of(l, 0, "id"));
    end(l);
}

static void the_id_is_that_of_a_place_in_a_file(void **state)
{
    char attr[] = "--attr=a=b", level[] = "--level=warn", raw[] = "--format=raw";
    char *flags[] = {attr, level, raw, NULL};
    char id[37], other[37];

    id_of(NULL, 7, 100, "x", id);
    id_of(flags, 7, 100, "x", other); /* who reads it again in another way has it already */
    assert_string_equal(id, other);
    id_of(NULL, 8, 100, "x", other);
    assert_string_not_equal(id, other);
    id_of(NULL, 7, 101, "x", other);
    assert_string_not_equal(id, other);
    assert_true(strcmp(id, other) < 0);
    id_of(NULL, 7, 100, "y", other);
    assert_string_not_equal(id, other);
    assert_memory_equal(id, other, 24); /* the milliseconds and the offset */
    /* Of the offset the low 32 bits are in front; all of it is hashed. */
    id_of(NULL, 7, 100 + (UINT64_C(1) << 32), "x", other);
    assert_memory_equal(id, other, 24);
    assert_string_not_equal(id, other);
    id_of(NULL, 7, UINT32_MAX, "x", id);
    id_of(NULL, 7, UINT64_C(1) << 32, "x", other);
    assert_true(strcmp(other, id) < 0);
}

static void an_id_of_its_own_is_kept(void **state)
{
    static const char json[] =
        "{\"message\":\"m\",\"id\":\"01890a5d-ac96-774b-bcce-b302099a8057\"}";
    char attr[] = "--attr=a=b";
    char *flags[] = {attr, NULL};
    struct lines *l = begin(flags);

    add(l, 0, json);
    assert_text(l, 0, "id", "01890a5d-ac96-774b-bcce-b302099a8057");
    assert_text(l, 0, "a", "-");
    assert_text(l, 0, "file", "/a.log");
    assert_true(l->has_time[0]);
    end(l);
}

/* ---- Times ---- */

static void a_log_without_a_time_has_that_of_the_reading_of_its_first_line(void **state)
{
    char zone[] = "--zone=UTC", multiline[] = "--multiline";
    char *flags[] = {zone, multiline, NULL};
    struct lines *l = begin(flags);

    add(l, 1, "2026-01-01 00:00:00 a time");
    add(l, 1, "none");
    add(l, 1, "  its second line");
    add(l, 2, "{\"message\":\"m\"}");
    add(l, 2, "{\"message\":\"m\",\"timestamp\":\"2026-01-02\"}");
    flush(l, 1);
    assert_int_equal(l->logs, 4);
    assert_text(l, 0, "timestamp", "2026-01-01T00:00:00.000000Z");
    assert_true(l->has_time[0]);
    assert_text(l, 1, "timestamp", "2026-11-28T12:00:00.123458Z");
    assert_false(l->has_time[1]);
    assert_text(l, 2, "timestamp", "2026-01-02");
    assert_true(l->has_time[2]);
    assert_text(l, 3, "timestamp", "2026-11-28T12:00:01.123457Z");
    assert_text(l, 3, "message", "none\n  its second line");
    assert_false(l->has_time[3]);
    end(l);
}

static void times_without_a_year_are_told_by_the_time_of_reading(void **state)
{
    char zone[] = "--zone=UTC";
    char *flags[] = {zone, NULL};
    struct lines *l = begin(flags);

    line_reader_set_now(&l->reader, 0);
    add(l, 0, "Nov 28 11:00:00 host app[1]: x");
    l->files[1].read_us -= INT64_C(366) * 86400 * 1000000;
    add(l, 1, "Nov 28 11:00:00 host app[1]: x");
    assert_text(l, 0, "timestamp", "2026-11-28T11:00:00.000000Z");
    assert_text(l, 1, "timestamp", "2025-11-28T11:00:00.000000Z");
    end(l);
}

/* ---- Attributes ---- */

static void a_log_says_in_which_file_and_where_if_asked_it_stood(void **state)
{
    struct lines *l = begin(NULL);

    l->reader.own.wants_offset = true;
    add(l, 0, "x");
    add(l, 1, "y");
    add(l, 0, "level=info msg=z");
    add(l, 0, "{\"message\":\"m\",\"level\":\"x\"}");
    for (int i = 0; i < 4; i++)
        assert_text(l, i, "file", i == 1 ? "/b.log" : "/a.log");
    assert_text(l, 0, "offset", "0");
    assert_text(l, 1, "offset", "0");
    assert_text(l, 2, "offset", "2");
    assert_text(l, 3, "offset", "19");
    assert_text(l, 0, "part", "-");
    end(l);
}

static void an_attribute_of_the_log_is_not_lost_for_ours(void **state)
{
    char file[] = "--attr=file=mine";
    char *flags[] = {file, NULL};
    struct lines *l = begin(NULL);

    l->reader.own.wants_offset = true;
    add(l, 0, "level=info msg=x file=main.go offset=7 log.offset=8");
    add(l, 0, "{\"message\":\"m\",\"file\":\"main.go\",\"log.file.path\":\"x\"}");
    add(l, 0, "{\"message\":\"m\",\"attributes\":{\"file\":\"main.go\"}}");
    add(l, 0, "x");
    for (int i = 0; i < 3; i++)
        assert_text(l, i, "file", "main.go");
    assert_text(l, 0, "log.file.path", "/a.log");
    assert_text(l, 0, "offset", "7");
    assert_text(l, 0, "log.offset", "8");
    assert_text(l, 0, "log.offset.2", "0");
    assert_text(l, 1, "log.file.path", "x");
    assert_text(l, 1, "log.file.path.2", "/a.log");
    assert_text(l, 2, "log.file.path", "/a.log");
    assert_text(l, 3, "file", "/a.log");
    end(l);
    l = begin(flags);
    add(l, 0, "x");
    add(l, 0, "level=info msg=x");
    for (int i = 0; i < 2; i++) {
        assert_text(l, i, "file", "mine");
        assert_text(l, i, "log.file.path", "/a.log");
    }
    end(l);
}

static void a_path_may_be_any_bytes(void **state)
{
    struct lines *l = begin(NULL);

    begin_file(l, 0, 1, "/\xff\"\\\n");
    begin_file(l, 1, 2, "/\xc3\xa4");
    add(l, 0, "x");
    add(l, 1, "x");
    add(l, 0, "x");
    assert_text(l, 0, "file", "/\xef\xbf\xbd\"\\\n");
    assert_text(l, 1, "file", "/\xc3\xa4");
    assert_text(l, 2, "file", "/\xef\xbf\xbd\"\\\n");
    end(l);
}

static void parts_of_a_long_line_are_numbered(void **state)
{
    struct lines *l = begin(NULL);
    char *text = malloc(3 * LINE_PIECE_MAX);

    memset(text, 'x', 3 * LINE_PIECE_MAX);
    add(l, 0, "x");
    add_part(l, 0, slice_of(text, LINE_PIECE_MAX), true, false);
    assert_true(l->files[0].held_from == 2); /* it is read again from its beginning */
    add_part(l, 0, slice_of(text, 2 * LINE_PIECE_MAX), false, false);
    add_part(l, 0, slice_of(text, 1), false, true);
    assert_true(l->files[0].held_from == UINT64_MAX);
    add(l, 0, "x");
    add_part(l, 0, slice_of(text, LINE_PIECE_MAX + 1), true, true);
    assert_int_equal(l->logs, 8);
    for (int i = 0; i < 8; i++) {
        static const char *const parts[] = {"-", "1", "2", "3", "4", "-", "1", "2"};

        assert_text(l, i, "part", parts[i]);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(text_of(l, i, "id"), text_of(l, k, "id"));
    }
    assert_true(strcmp(text_of(l, 1, "id"), text_of(l, 2, "id")) < 0);
    free(text);
    end(l);
}

/* Whoever gives the offset of the line for each of its parts, too, loses none of them. */
static void equal_parts_of_one_offset_are_different_logs(void **state)
{
    struct lines *l = begin(NULL);

    add_part(l, 0, SLICE_LITERAL("x"), true, false);
    l->files[0].offset = 0;
    l->files[0].read_us = READ_US;
    add_part(l, 0, SLICE_LITERAL("x"), false, true);
    assert_string_not_equal(text_of(l, 0, "id"), text_of(l, 1, "id"));
    end(l);
}

/* ---- Many by turns ---- */

static void inputs_by_turns_are_read_as_each_alone(void **state)
{
    char multiline[] = "--multiline";
    char *flags[] = {multiline, NULL};
    struct lines *l = begin(flags);

    add(l, 0, "a");
    add(l, 1, "2026-11-28T12:00:01Z stdout P b");
    add(l, 2, "level=warn msg=c");
    add(l, 3, "<13>Nov 28 12:00:00 host app: d");
    add(l, 0, "  a2");
    add(l, 1, "2026-11-28T12:00:01Z stdout F b2");
    add(l, 2, "x=1 level=error msg=c2");
    add(l, 3, "d2");
    for (int i = 0; i < FILES; i++)
        flush(l, i);
    assert_int_equal(l->logs, 6);
    static const char *const messages[] = {"c", "d", "a\n  a2", "bb2", "c2", "d2"};
    for (int i = 0; i < 6; i++)
        assert_text(l, i, "message", messages[i]);
    assert_text(l, 4, "level", "error");
    uint64_t guessed;
    static const char *const names[] = {"", "cri", "logfmt", "syslog"};
    for (int i = 0; i < FILES; i++)
        assert_string_equal(line_input_form(&l->files[i].input, &guessed), names[i]);
    end(l);
}

static void a_quiet_input_is_small(void **state)
{
    char multiline[] = "--multiline";
    char *flags[] = {multiline, NULL};
    struct lines *l = begin(flags);

    assert_true(sizeof(struct line_input) <= 152);
    add(l, 0, "a");
    assert_non_null(l->files[0].input.held[0]);
    flush(l, 0);
    assert_null(l->files[0].input.held[0]);
    end(l);
}

static void a_form_can_be_told_and_taken_back(void **state)
{
    static const char *const names[] = {"syslog", "access", "logfmt", "cri"};
    char json[] = "--format=json";
    char *flags[] = {json, NULL};
    struct lines *l = begin(NULL);
    uint64_t guessed;

    add(l, 0, "x=1 y=2");
    assert_string_equal(line_input_form(&l->files[0].input, &guessed), "");
    assert_int_equal(guessed, 8);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        line_chosen_again(&l->files[1].input.chosen, names[i], 9);
        assert_string_equal(line_input_form(&l->files[1].input, &guessed), names[i]);
        assert_int_equal(guessed, 9);
    }
    line_chosen_again(&l->files[2].input.chosen, "logfmt", 0);
    add(l, 2, "x=1 y=2"); /* which is not for sure */
    assert_text(l, 1, "x", "1");
    line_chosen_again(&l->files[3].input.chosen, "", UINT64_MAX);
    add(l, 3, "level=info msg=x"); /* too late for a guess */
    assert_text(l, 2, "message", "level=info msg=x");
    line_chosen_again(&l->files[3].input.chosen, "what a later version knows", 0);
    add(l, 3, "level=info msg=x");
    assert_text(l, 3, "message", "x");
    end(l);
    l = begin(flags);
    line_chosen_again(&l->files[0].input.chosen, "logfmt", 9);
    assert_true(l->files[0].input.chosen.format == LINE_JSON);
    assert_null(l->files[0].input.chosen.form);
    end(l);
}

/* ---- What is held back ---- */

static void what_is_held_back_is_known_by_its_first_line(void **state)
{
    struct lines *l = begin(NULL);

    add(l, 0, "2026-11-28T12:00:01Z stdout F a"); /* 32 bytes */
    assert_true(l->files[0].held_from == UINT64_MAX);
    add(l, 0, "2026-11-28T12:00:01Z stderr P b");
    assert_true(l->files[0].held_from == 32);
    add(l, 0, "2026-11-28T12:00:01Z stdout P c");
    add(l, 0, "2026-11-28T12:00:01Z stdout P d");
    assert_true(l->files[0].held_from == 32);
    add(l, 0, "2026-11-28T12:00:01Z stderr F e");
    assert_true(l->files[0].held_from == 64); /* of stdout */
    add(l, 0, "2026-11-28T12:00:01Z stdout F f");
    assert_true(l->files[0].held_from == UINT64_MAX);
    assert_int_equal(l->logs, 3);
    assert_text(l, 1, "message", "be");
    assert_text(l, 2, "message", "cdf");
    static const uint64_t numbers[] = {0, 32, 64};
    for (int i = 0; i < 3; i++)
        assert_true(l->numbers[i] == numbers[i] && l->inputs[i] == &l->files[0].input);
    end(l);
}

static void the_form_is_told_as_it_was_before_what_is_held_back(void **state)
{
    char multiline[] = "--multiline";
    char *flags[] = {multiline, NULL};
    struct lines *l = begin(flags);
    uint64_t guessed;

    add(l, 0,
        "{\"log\":\"a\",\"stream\":\"stderr\",\"time\":\"2026-11-28T12:00:01Z\"}"); /* a part of a
                                                                                       line */
    add(l, 0, "level=info msg=x");
    add(l, 0, "level=info msg=y");
    assert_string_equal(line_chosen_name(&l->files[0].input.chosen), "logfmt");
    assert_string_equal(line_input_form(&l->files[0].input, &guessed), "");
    assert_int_equal(guessed, 0);
    flush(l, 0);
    assert_string_equal(line_input_form(&l->files[0].input, &guessed), "logfmt");
    end(l);
}

static void what_is_released_is_dropped(void **state)
{
    char multiline[] = "--multiline";
    char *flags[] = {multiline, NULL};
    struct lines *l = begin(flags);

    add(l, 0, "a");
    line_input_goes_on(&l->files[0].input, &l->files[1].input);
    add(l, 1, "  b");
    line_input_release(&l->files[0].input, &l->reader.gather); /* against the rules, but safe */
    assert_true(l->files[1].held_from == UINT64_MAX);
    assert_false(line_is_open(&l->files[1].input));
    add(l, 1, "c");
    flush(l, 1);
    assert_int_equal(l->logs, 1);
    assert_text(l, 0, "message", "c");
    end(l);
}

/* ---- Files that go on with others ---- */

static void a_log_that_a_rotation_cuts_is_that_of_the_old_file(void **state)
{
    char multiline[] = "--multiline";
    char *flags[] = {multiline, NULL};
    struct lines *l = begin(flags);

    add(l, 0, "x");
    add(l, 0, "begun");
    line_input_goes_on(&l->files[0].input, &l->files[1].input);
    assert_true(line_is_open(&l->files[1].input) && !line_is_open(&l->files[0].input));
    assert_true(l->files[0].held_from == 2);
    assert_true(l->files[1].held_from == UINT64_MAX); /* none of its own lines yet */
    add(l, 1, "  second");
    assert_true(l->files[1].held_from == 0);
    line_input_goes_on(&l->files[1].input, &l->files[2].input); /* a short one */
    add(l, 2, "  third");
    add(l, 2, "next");
    assert_int_equal(l->logs, 2);
    assert_text(l, 1, "message", "begun\n  second\n  third");
    assert_text(l, 1, "file", "/a.log");
    assert_text(l, 1, "timestamp", "2026-11-28T12:00:01.123456Z");
    assert_true(l->inputs[1] == &l->files[0].input && l->numbers[1] == 2);
    assert_true(l->files[0].held_from == UINT64_MAX);
    assert_true(l->files[1].held_from == UINT64_MAX);
    assert_true(l->files[2].held_from == 8); /* the next one */
    char id[37];
    (void)snprintf(id, sizeof(id), "%s", text_of(l, 1, "id"));
    end(l);
    /* As if all of it stood in the old one. */
    l = begin(flags);
    add(l, 0, "x");
    add(l, 0, "begun");
    add(l, 0, "  second");
    add(l, 0, "  third");
    flush(l, 0);
    assert_text(l, 1, "id", id);
    end(l);
}

static void the_next_file_has_the_form_of_the_old_one(void **state)
{
    struct lines *l = begin(NULL);

    add(l, 0, "2026-11-28T12:00:01Z stdout P a");
    add(l, 0, "2026-11-28T12:00:01Z stderr P b");
    line_input_goes_on(&l->files[0].input, &l->files[1].input);
    add(l, 1, "2026-11-28T12:00:01Z stderr F c");
    assert_true(l->files[0].held_from == 0);
    add(l, 1, "2026-11-28T12:00:01Z stdout F d");
    assert_true(l->files[0].held_from == UINT64_MAX);
    assert_int_equal(l->logs, 2);
    assert_text(l, 0, "message", "bc");
    assert_text(l, 1, "message", "ad");
    end(l);
}

static void a_stream_that_both_hold_back_stays_with_each(void **state)
{
    char multiline[] = "--multiline";
    char *flags[] = {multiline, NULL};
    struct lines *l = begin(flags);

    add(l, 0, "a");
    add(l, 1, "b");
    line_input_goes_on(&l->files[0].input, &l->files[1].input);
    assert_true(line_is_open(&l->files[0].input) && line_is_open(&l->files[1].input));
    flush(l, 0);
    flush(l, 1);
    assert_text(l, 0, "message", "a");
    assert_text(l, 1, "message", "b");
    end(l);
}

static void the_old_file_may_grow_after_all(void **state)
{
    char multiline[] = "--multiline";
    char *flags[] = {multiline, NULL};
    struct lines *l = begin(flags);

    add(l, 0, "a");
    line_input_goes_on(&l->files[0].input, &l->files[1].input);
    add(l, 0, "  late");
    assert_int_equal(l->logs, 1);
    assert_text(l, 0, "message", "a");
    add(l, 1, "b");
    flush(l, 0);
    flush(l, 1);
    assert_text(l, 1, "message", "  late");
    assert_text(l, 2, "message", "b");
    end(l);
}

/* ---- Waiting ---- */

static void what_waits_longest_is_due_first(void **state)
{
    char multiline[] = "--multiline", timeout[] = "--multiline-timeout=7";
    char *flags[] = {multiline, timeout, NULL};
    struct lines *l = begin_of("send", flags);
    struct errbuf err = ERRBUF_INIT;

    assert_true(line_due_us(&l->reader) == UINT64_MAX);
    uint64_t before = clock_monotonic_us();
    add(l, 0, "a");
    assert_true(line_due_us(&l->reader) >= before + 7000000);
    assert_true(line_due_us(&l->reader) <= clock_monotonic_us() + 7000000);
    add(l, 1, "b");
    add(l, 0, "  a2"); /* it waits anew */
    l->reader.gather.latest->since_us += 10;
    uint64_t due = line_due_us(&l->reader);
    assert_int_equal(line_flush_due(&l->body, &l->reader, due - 1, added, l, &err), 0);
    assert_int_equal(l->logs, 0);
    assert_int_equal(line_flush_due(&l->body, &l->reader, due, added, l, &err), 0);
    assert_int_equal(l->logs, 1);
    assert_text(l, 0, "message", "b");
    due = line_due_us(&l->reader);
    assert_int_equal(line_flush_due(&l->body, &l->reader, due, added, l, &err), 0);
    assert_text(l, 1, "message", "a\n  a2");
    assert_true(line_due_us(&l->reader) == UINT64_MAX);
    end(l);
}

static void who_does_not_say_how_long_waits_a_second(void **state)
{
    char multiline[] = "--multiline";
    char *flags[] = {multiline, NULL};
    struct lines *l = begin_of("send", flags);

    assert_true(l->reader.wait_us == 1000000);
    end(l);
}

static void of_all_inputs_together_not_too_much_is_held_back(void **state)
{
    enum { INPUTS = GATHER_HELD_MAX / (GATHER_BYTES_MAX / 2) + 100 };
    char multiline[] = "--multiline";
    char *flags[] = {multiline, NULL};
    struct lines *l = begin(flags);
    struct line_input *inputs = calloc(INPUTS, sizeof(*inputs));
    uint64_t *held_from = calloc(INPUTS, sizeof(*held_from));
    char *text = malloc(GATHER_BYTES_MAX / 2);
    struct errbuf err = ERRBUF_INIT;

    memset(text, 'x', GATHER_BYTES_MAX / 2);
    for (int i = 0; i < INPUTS; i++) {
        struct line_part part = {
            .text = slice_of(text, GATHER_BYTES_MAX / 2), .is_first = true, .is_last = true};

        line_input_begin_file(&inputs[i], &l->reader.forms, (uint64_t)i, "/x", &held_from[i]);
        assert_int_equal(line_append(&l->body, &l->reader, &inputs[i], &part, added, l, &err), 0);
        assert_true(l->reader.gather.held <= GATHER_HELD_MAX);
    }
    assert_in_range(l->logs, 100, INPUTS);
    for (int i = 0; i < INPUTS; i++) { /* the first ones */
        assert_true(i >= l->logs || l->inputs[i] == &inputs[i]);
        assert_true((held_from[i] == UINT64_MAX) == (i < l->logs));
        line_input_release(&inputs[i], &l->reader.gather);
    }
    free(inputs);
    free(held_from);
    free(text);
    end(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_id_is_that_of_a_place_in_a_file),
        cmocka_unit_test(an_id_of_its_own_is_kept),
        cmocka_unit_test(a_log_without_a_time_has_that_of_the_reading_of_its_first_line),
        cmocka_unit_test(times_without_a_year_are_told_by_the_time_of_reading),
        cmocka_unit_test(a_log_says_in_which_file_and_where_if_asked_it_stood),
        cmocka_unit_test(an_attribute_of_the_log_is_not_lost_for_ours),
        cmocka_unit_test(a_path_may_be_any_bytes),
        cmocka_unit_test(parts_of_a_long_line_are_numbered),
        cmocka_unit_test(equal_parts_of_one_offset_are_different_logs),
        cmocka_unit_test(inputs_by_turns_are_read_as_each_alone),
        cmocka_unit_test(a_quiet_input_is_small),
        cmocka_unit_test(a_form_can_be_told_and_taken_back),
        cmocka_unit_test(what_is_held_back_is_known_by_its_first_line),
        cmocka_unit_test(the_form_is_told_as_it_was_before_what_is_held_back),
        cmocka_unit_test(what_is_released_is_dropped),
        cmocka_unit_test(a_log_that_a_rotation_cuts_is_that_of_the_old_file),
        cmocka_unit_test(the_next_file_has_the_form_of_the_old_one),
        cmocka_unit_test(a_stream_that_both_hold_back_stays_with_each),
        cmocka_unit_test(the_old_file_may_grow_after_all),
        cmocka_unit_test(what_waits_longest_is_due_first),
        cmocka_unit_test(who_does_not_say_how_long_waits_a_second),
        cmocka_unit_test(of_all_inputs_together_not_too_much_is_held_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
