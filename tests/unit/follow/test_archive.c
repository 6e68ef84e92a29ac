#include "follow/archive.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"
#include "base/buffer.h"
#include "base/fault.h"

enum { TEXT_LEN = 300000 };

static const enum archive_form packed_forms[] = {ARCHIVE_GZIP, ARCHIVE_ZSTD, ARCHIVE_XZ};

static char path[1024];
static char text[TEXT_LEN];
static struct errbuf err;

static int set_up(void **state)
{
    uint64_t seed = 7;

    for (size_t i = 0; i < TEXT_LEN; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        text[i] = i % 100 == 99 ? '\n' : (char)('a' + (seed >> 62));
    }
    *state = temp_directory_new();
    snprintf(path, sizeof(path), "%s/archive", (char *)*state);
    return 0;
}

static int tear_down(void **state)
{
    temp_directory_free(*state);
    return 0;
}

/* ---- Making archives ---- */

static void add_gzip(struct buffer *b, const char *data, size_t len)
{
    z_stream z = {0};

    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)data;
    z.avail_in = (unsigned)len;
    z.avail_out = (unsigned)deflateBound(&z, len);
    z.next_out = (unsigned char *)buffer_reserve(b, z.avail_out);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    b->len += z.total_out;
    deflateEnd(&z);
}

/* As the program zstd makes it: with a sum. */
static void add_zstd(struct buffer *b, const char *data, size_t len)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    size_t bound = ZSTD_compressBound(len) + 4;

    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    size_t n = ZSTD_compress2(context, buffer_reserve(b, bound), bound, data, len);
    assert_false(ZSTD_isError(n));
    ZSTD_freeCCtx(context);
    b->len += n;
}

static void add_xz(struct buffer *b, const char *data, size_t len)
{
    size_t bound = lzma_stream_buffer_bound(len);
    size_t n = 0;

    assert_int_equal(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, NULL, (const uint8_t *)data, len,
                                             (uint8_t *)buffer_reserve(b, bound), &n, bound),
                     LZMA_OK);
    b->len += n;
}

static void add(struct buffer *b, enum archive_form form, const char *data, size_t len)
{
    if (form == ARCHIVE_PLAIN)
        buffer_append(b, data, len);
    else
        (form == ARCHIVE_GZIP ? add_gzip : form == ARCHIVE_ZSTD ? add_zstd : add_xz)(b, data, len);
    assert_int_equal(buffer_error(b), 0);
}

static void write_file(const char *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    close(fd);
}

/* ---- Reading them ---- */

/* Reads all of it, some bytes at a time, and closes it. Returns 0 or the error. */
static int read_all(struct archive *a, size_t step, struct buffer *all, bool *is_cut)
{
    char data[4096];
    ssize_t n;

    if (!a)
        fail_msg("%s", err.text);
    buffer_clear(all);
    while ((n = archive_read(a, data, step, &err)) > 0)
        buffer_append(all, data, (size_t)n);
    if (n == 0)
        n = archive_read(a, data, step, &err); /* it stays at its end */
    assert_true(n <= 0);
    *is_cut = archive_is_cut(a);
    archive_close(a);
    return (int)n;
}

/* The file holds the text, and nothing is wrong with it. */
static void holds(const char *data, size_t len)
{
    static const size_t steps[] = {1, 4096, 1000};
    struct buffer all;
    bool is_cut;

    buffer_init(&all, SIZE_MAX / 2);
    for (int i = len < 3000 ? 0 : 1; i < 3; i++) {
        assert_int_equal(read_all(archive_open(path, &err), steps[i], &all, &is_cut), 0);
        assert_false(is_cut);
        assert_int_equal(all.len, len);
        assert_memory_equal(all.data, data, len);
    }
    buffer_release(&all);
}

/* It is refused with these words, and cut or not. */
static void is_refused(const char *because, bool expected_cut)
{
    struct buffer all;
    bool is_cut;

    buffer_init(&all, SIZE_MAX / 2);
    assert_int_equal(read_all(archive_open(path, &err), 4096, &all, &is_cut), LM_EDATA);
    assert_string_equal(err.text, because);
    assert_int_equal(is_cut, expected_cut);
    assert_true(all.len <= TEXT_LEN);
    if (expected_cut && all.len > 0)
        assert_memory_equal(all.data, text, all.len);
    buffer_release(&all);
}

static void what_it_is_says_its_beginning(void **state)
{
    struct buffer b;

    buffer_init(&b, SIZE_MAX / 2);
    for (int form = ARCHIVE_PLAIN; form <= ARCHIVE_XZ; form++) {
        buffer_clear(&b);
        add(&b, form, text, 1000);
        assert_int_equal(archive_form_of(b.data, 6), form);
        assert_int_equal(archive_form_of(b.data, 1), ARCHIVE_PLAIN);
        write_file(b.data, b.len);
        holds(text, 1000);
        struct archive *a = archive_open(path, &err);
        char byte;
        assert_int_equal(archive_read(a, &byte, 1, &err), 1);
        assert_int_equal(archive_form(a), form);
        assert_true(archive_changed_us(a) > INT64_C(1600000000000000));
        archive_close(a);
    }
    assert_int_equal(archive_form_of("\x5f\x2a\x4d\x18zz", 6), ARCHIVE_ZSTD);
    assert_int_equal(archive_form_of("\x6f\x2a\x4d\x18zz", 6), ARCHIVE_PLAIN);
    assert_int_equal(archive_form_of("\xfd\x37zXZ", 5), ARCHIVE_PLAIN);
    assert_int_equal(archive_form_of("", 0), ARCHIVE_PLAIN);
    write_file("", 0);
    holds("", 0);
    buffer_release(&b);
}

static void members_frames_and_streams_are_one_text(void **state)
{
    static const size_t cuts[] = {0, 1, 999, 131072, TEXT_LEN, TEXT_LEN};
    static const char zeros[70000];
    struct buffer b;

    buffer_init(&b, SIZE_MAX / 2);
    for (size_t form = 0; form < 3; form++) {
        for (int padded = 0; padded < 2; padded++) {
            buffer_clear(&b);
            for (size_t i = 0; i + 1 < sizeof(cuts) / sizeof(cuts[0]); i++) {
                add(&b, packed_forms[form], text + cuts[i], cuts[i + 1] - cuts[i]);
                if (padded)
                    buffer_append(&b, zeros, i == 1 ? sizeof(zeros) : 4);
            }
            write_file(b.data, b.len);
            holds(text, TEXT_LEN);
        }
    }
    buffer_release(&b);
}

/* It may be being written still, and so is known from one that is broken. */
static void what_is_not_whole_yet_is_told_from_what_is_broken(void **state)
{
    static const char *const cut[] = {"its gzip is cut off", "its zstd is cut off",
                                      "its xz is cut off"};
    static const char *const broken[] = {"its gzip is broken", "its zstd is broken",
                                         "its xz is broken"};
    static const char *const other[] = {"behind its gzip comes something else",
                                        "behind its zstd comes something else",
                                        "behind its xz comes something else"};
    struct buffer b;

    buffer_init(&b, SIZE_MAX / 2);
    for (size_t form = 0; form < 3; form++) {
        buffer_clear(&b);
        add(&b, packed_forms[form], text, 5000);
        size_t whole = b.len;
        for (size_t len = 7; len < whole; len += len < whole - 40 && len > 40 ? 97 : 1) {
            write_file(b.data, len);
            is_refused(cut[form], true);
        }
        add(&b, packed_forms[form], text + 5000, 5000); /* each beginning of a second one */
        for (size_t more = form == 0 ? 1 : 2; more < 20; more++) {
            write_file(b.data, whole + more);
            is_refused(cut[form], true);
        }
        write_file(b.data, b.len);
        holds(text, 10000);

        b.len = whole;
        buffer_append_string(&b, "more\n");
        write_file(b.data, b.len);
        is_refused(other[form], false);
        b.data[whole / 2] ^= 0x55;
        write_file(b.data, whole);
        is_refused(broken[form], false);
    }
    buffer_release(&b);
}

static void what_asks_for_too_much_memory_is_refused(void **state)
{
    lzma_options_lzma options;
    unsigned char out[4096];

    assert_false(lzma_lzma_preset(&options, 0));
    options.dict_size = 256 << 20;
    options.mode = LZMA_MODE_FAST;
    options.mf = LZMA_MF_HC3;
    options.nice_len = 8;
    lzma_filter filters[] = {{.id = LZMA_FILTER_LZMA2, .options = &options},
                             {.id = LZMA_VLI_UNKNOWN, .options = NULL}};
    /* Its head alone says so: nothing of that size is allocated, here or there. */
    lzma_stream_flags flags = {.version = 0, .check = LZMA_CHECK_CRC32};
    assert_int_equal(lzma_stream_header_encode(&flags, out), LZMA_OK);
    lzma_block block = {.version = 0,
                        .check = LZMA_CHECK_CRC32,
                        .compressed_size = LZMA_VLI_UNKNOWN,
                        .uncompressed_size = LZMA_VLI_UNKNOWN,
                        .filters = filters};
    assert_int_equal(lzma_block_header_size(&block), LZMA_OK);
    assert_int_equal(lzma_block_header_encode(&block, out + LZMA_STREAM_HEADER_SIZE), LZMA_OK);
    write_file((const char *)out, LZMA_STREAM_HEADER_SIZE + block.header_size + 100);
    is_refused("its xz needs more than 128 MiB of memory; pipe it through: xz -dc", false);
}

static void an_open_file_is_read_from_its_beginning(void **state)
{
    struct buffer b, all;
    bool is_cut;
    char some[100];

    buffer_init(&b, SIZE_MAX / 2);
    buffer_init(&all, SIZE_MAX / 2);
    add(&b, ARCHIVE_XZ, text, TEXT_LEN);
    write_file(b.data, b.len);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, some, sizeof(some)), sizeof(some));
    int copy = fd < 0 ? -1 : dup(fd);
    struct archive *a = archive_open_fd(fd, &err);
    assert_int_equal(read_all(a, 4096, &all, &is_cut), 0);
    assert_int_equal(all.len, TEXT_LEN);
    assert_int_equal(fcntl(fd, F_GETFD), -1); /* it was the archive's */
    const off_t place = copy < 0 ? -1 : lseek(copy, 0, SEEK_CUR);
    assert_int_equal(place, sizeof(some)); /* nobody moved it */
    close(copy);

    fd = open(*state, O_RDONLY | O_CLOEXEC);
    assert_null(archive_open_fd(fd, &err));
    assert_non_null(strstr(err.text, "Is a directory"));
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    buffer_release(&b);
    buffer_release(&all);
}

/* What comes through a pipe has no place to begin from, and comes in pieces. */
static void a_pipe_is_read_as_it_comes(void **state)
{
    struct buffer b, all;
    bool is_cut;
    int pipes[2];

    buffer_init(&b, SIZE_MAX / 2);
    buffer_init(&all, SIZE_MAX / 2);
    add(&b, ARCHIVE_GZIP, text, TEXT_LEN);
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        size_t done = 0;

        while (done < b.len && write(pipes[1], b.data + done, done < 10 ? 1 : b.len - done) > 0)
            done += done < 10 ? 1 : b.len - done;
        _exit(0);
    }
    close(pipes[1]);
    struct archive *a = archive_open_fd(pipes[0], &err);
    assert_int_equal(read_all(a, 4096, &all, &is_cut), 0);
    assert_int_equal(all.len, TEXT_LEN);
    assert_memory_equal(all.data, text, TEXT_LEN);
    assert_int_equal(waitpid(child, NULL, 0), child);
    buffer_release(&b);
    buffer_release(&all);
}

#ifdef LOGMILL_FAULTS
/* Each reading, and each allocation of a decoder, fails once: an error, never a shorter text. */
static void a_fault_is_an_error_and_no_end(void **state)
{
    static const enum fault_kind kinds[] = {FAULT_READ, FAULT_LIBRARY};
    struct buffer b, all;
    bool is_cut;

    buffer_init(&b, SIZE_MAX / 2);
    buffer_init(&all, SIZE_MAX / 2);
    for (int form = ARCHIVE_PLAIN; form <= ARCHIVE_XZ; form++) {
        buffer_clear(&b);
        add(&b, form, text, TEXT_LEN);
        write_file(b.data, b.len);
        for (int kind = 0; kind < 2; kind++) {
            for (unsigned point = 1, reached = 1; reached; point++) {
                fault_plan(&(struct fault_plan){.kind = kinds[kind], .first = point});
                struct archive *a = archive_open(path, &err);
                int error = a ? read_all(a, 4096, &all, &is_cut) : LM_EIO;
                reached = fault_count();
                fault_plan(&(struct fault_plan){0});
                assert_int_equal(error, !reached ? 0 : kind ? LM_ENOMEM : LM_EIO);
                assert_true(!a || error || all.len == TEXT_LEN);
                assert_false(a && is_cut);
            }
        }
    }
    buffer_release(&b);
    buffer_release(&all);
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_it_is_says_its_beginning),
        TEST(members_frames_and_streams_are_one_text),
        TEST(what_is_not_whole_yet_is_told_from_what_is_broken),
        TEST(what_asks_for_too_much_memory_is_refused),
        TEST(an_open_file_is_read_from_its_beginning),
        TEST(a_pipe_is_read_as_it_comes),
#ifdef LOGMILL_FAULTS
        TEST(a_fault_is_an_error_and_no_end),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
