/*
 * Templates: texts as constant text with slots, for runs of digits and what else varies. Internal
 * to block/.
 */
#ifndef LOGMILL_BLOCK_TEMPLATE_H
#define LOGMILL_BLOCK_TEMPLATE_H

#include "block/column.h"
#include "block/hashes.h"

/*
 * A text is pieces[0], text of slot 0, pieces[1], …, pieces[slots]. Templates whose slots are alike
 * share a pool: the texts of slot k of all of them, in the order of the texts, are one column.
 *
 * The pieces of all templates follow one another in memory, with nothing in between: one search
 * goes through all of them. No cut between a piece and a slot is before a byte from 0x80 to 0xbf,
 * so a folded text is its folded parts.
 */

/* What can be in a slot: known before its texts are. */
enum slot_sort {
    SLOT_DIGITS, /* 0 to 9, one or more */
    SLOT_HEX,    /* these, a to f, A to F, one or more */
    SLOT_NUMBER, /* these, and what numbers, times and addresses have: . - + : */
    SLOT_TEXT,   /* any, also nothing */
};

struct template
{
    const struct slice *pieces; /* slots + 1 */
    uint32_t slots;
    uint32_t pool;
};

struct template_pool {
    const uint8_t *sorts;         /* enum slot_sort, one a slot */
    const struct column *columns; /* one a slot; NULL before they are made ready */
    uint32_t slots;
    uint32_t len; /* texts of each column */
};

struct templates {
    const struct template *templates;
    uint32_t templates_len;
    const struct template_pool *pools;
    uint32_t pools_len;
    const uint16_t *codes;  /* of each text, its template (NULL before they are made ready) … */
    const uint32_t *places; /* … and where in its pool's columns its slots are */
};

/* ---- Writing ---- */

struct template_writer;

struct template_writer *template_writer_new(struct column_writer *columns);
void template_writer_free(struct template_writer *w); /* NULL does nothing */

/* Writes texts[0..n) as what they are; as templates, if they are of no other kind and alike. */
void template_write(struct template_writer *w, const struct slice *texts, size_t n);

/* Whether what was written last are templates. */
bool template_wrote(const struct template_writer *w);

/* Adds the words of the texts, which were written last: most of them are those of the templates. */
void template_add_words(const struct template_writer *w, const struct slice *texts, size_t n,
                        struct block_hashes *hashes);

/* LM_ENOMEM if memory has run out since the last call. */
int template_writer_error(struct template_writer *w) LM_MUST_CHECK;

/* ---- Reading ---- */

/* A column of any kind in the directory, and as far as it has been made ready. */
struct template_column;

/* Takes a column of `len` texts off the directory, for a block of so many bytes. LM_EIO, LM_ENOMEM.
 */
int template_take(struct stream_reader *r, uint32_t len, struct template_column **texts,
                  struct errbuf *err) LM_MUST_CHECK;

/* Makes it ready but for the codes and pools of templates; `what` names it when it is damaged. */
int template_load(struct stream_reader *r, struct template_column *t, const char *what,
                  const struct column **column, struct errbuf *err) LM_MUST_CHECK;

/* Makes the codes and places of its templates ready. */
int template_load_codes(struct stream_reader *r, struct template_column *t, const char *what,
                        struct errbuf *err) LM_MUST_CHECK;

/* Makes a pool of its templates ready. */
int template_load_pool(struct stream_reader *r, struct template_column *t, uint32_t pool,
                       const char *what, struct errbuf *err) LM_MUST_CHECK;

/* Appends the text at `i`, for which all is made ready. */
int template_append(struct stream_reader *r, struct template_column *t, size_t i, const char *what,
                    struct buffer *b, struct errbuf *err) LM_MUST_CHECK;

/* The column whose templates are `t`. */
struct template_column *template_column_of(const struct templates *t);

enum column_kind template_kind(const struct template_column *t);
size_t template_bytes(const struct stream_reader *r, const struct template_column *t);

/* How long all of its texts are. */
int template_measure(struct stream_reader *r, struct template_column *t, const char *what,
                     uint64_t *bytes, struct errbuf *err) LM_MUST_CHECK;

#endif
