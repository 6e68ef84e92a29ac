#include "block/stream.h"

/* ---- Writing ---- */

void stream_writer_init(struct stream_writer *w)
{
    *w = (struct stream_writer){.sections = section_writer_new()};
    buffer_init(&w->directory, SIZE_MAX / 2);
    for (size_t i = 0; i < STREAM_SHARED; i++)
        buffer_init(&w->shared[i], SIZE_MAX / 2);
}

void stream_writer_release(struct stream_writer *w)
{
    section_writer_free(w->sections);
    buffer_release(&w->directory);
    for (size_t i = 0; i < STREAM_SHARED; i++)
        buffer_release(&w->shared[i]);
}

void stream_begin(struct stream_writer *w, int zstd_level)
{
    section_begin(w->sections, zstd_level);
    buffer_clear(&w->directory);
    for (size_t i = 0; i < STREAM_SHARED; i++)
        buffer_clear(&w->shared[i]);
}

void stream_put(struct stream_writer *w, struct slice bytes, enum section_kind kind)
{
    bool is_own = bytes.len >= STREAM_OWN_MIN;

    bytes_append_varint(&w->directory, (uint64_t)bytes.len << 1 | is_own);
    if (is_own)
        section_add(w->sections, bytes, kind);
    else
        buffer_append_slice(&w->shared[w->group * STREAM_KINDS + kind], bytes);
}

int stream_end(struct stream_writer *w, uint32_t rows, struct buffer *out)
{
    for (size_t i = 0; i < STREAM_SHARED; i++) {
        if (buffer_error(&w->shared[i]))
            return LM_ENOMEM;
        section_add(w->sections, buffer_slice(&w->shared[i]), i % STREAM_KINDS);
    }
    if (buffer_error(&w->directory))
        return LM_ENOMEM;
    return section_end(w->sections, rows, buffer_slice(&w->directory), out);
}

/* ---- Reading ---- */

void stream_reader_init(struct stream_reader *r)
{
    *r = (struct stream_reader){.sections = section_reader_new()};
}

void stream_reader_release(struct stream_reader *r)
{
    section_reader_free(r->sections);
    arena_release(&r->arena);
}

void stream_close(struct stream_reader *r)
{
    struct section_reader *sections = r->sections;
    struct arena arena = r->arena;

    arena_clear(&arena);
    *r = (struct stream_reader){.sections = sections, .arena = arena};
}

int stream_open(struct stream_reader *r, const struct block_source *source,
                const struct block_head *head, struct errbuf *err)
{
    int error;

    stream_close(r);
    r->number = head->number;
    r->raw_bytes = head->raw_bytes;
    error = section_open(r->sections, source, head, &r->arena, &r->directory, err);
    if (!error && section_count(r->sections) < STREAM_SHARED)
        error = stream_damaged(r, "it lacks sections", err);
    return error;
}

bool stream_take(struct stream_reader *r, enum section_kind kind, struct stream *stream)
{
    size_t count = section_count(r->sections) - STREAM_SHARED;
    size_t place = r->group * STREAM_KINDS + kind;
    uint64_t len;

    if (!bytes_take_varint(&r->directory, &len))
        return false;
    *stream = (struct stream){.is_own = len & 1, .len = (size_t)(len >> 1)};
    if (stream->is_own != (stream->len >= STREAM_OWN_MIN)) /* numbers.c relies on it */
        return false;
    if (stream->is_own) {
        stream->section = (uint32_t)r->own++;
        return stream->section < count &&
               section_get(r->sections, stream->section)->plain == stream->len;
    }
    stream->section = (uint32_t)(count + place);
    stream->offset = r->shared[place];
    if (stream->len > section_get(r->sections, stream->section)->plain - stream->offset)
        return false;
    r->shared[place] += stream->len;
    return true;
}

int stream_bytes(struct stream_reader *r, const struct stream *stream, struct slice *bytes,
                 struct errbuf *err)
{
    int error = section_read(r->sections, stream->section, bytes, err);

    if (!error)
        *bytes = slice_of(bytes->data + stream->offset, stream->len);
    return error;
}

size_t stream_stored(const struct stream_reader *r, const struct stream *stream)
{
    const struct section *s = section_get(r->sections, stream->section);

    if (stream->is_own)
        return s->stored;
    if (s->plain == 0)
        return 0;
    /* Cut so that the parts of all together are the section. */
    return (size_t)((uint64_t)s->stored * (stream->offset + stream->len) / s->plain -
                    (uint64_t)s->stored * stream->offset / s->plain);
}

void *stream_memory(struct stream_reader *r, size_t n, size_t size)
{
    return n > SIZE_MAX / 2 / size ? NULL : arena_take(&r->arena, n * size);
}

int stream_damaged(const struct stream_reader *r, const char *what, struct errbuf *err)
{
    return errbuf_fail(err, LM_EIO, "block %lld is damaged: %s", (long long)r->number, what);
}
