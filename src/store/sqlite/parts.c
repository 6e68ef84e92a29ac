#include "store/sqlite/parts.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/container_of.h"
#include "base/xalloc.h"
#include "store/helpers.h"

enum { AHEAD_OF_EACH = 4 /* a helper may have, so that there is something to do if one is slow */ };

struct part {
    struct store_part base;
    struct parts *parts;
    bool is_used;           /* it has a block, which was offered at … */
    uint64_t offered;       /* … this time, in calls, */
    bool is_own;            /* and done by the caller */
    struct block_head head; /* without its levels */
    struct segment segment;
    struct blocks blocks; /* one at most, whose memory the next takes */
    struct block_batcher *batcher;
    /* What came of it: */
    int error;
    struct open_block *block;
    struct block_batched batched;
};

struct parts {
    struct store_sqlite_reader *r;
    struct store_helpers *helpers;
    const struct log_fields *fields;
    const struct block_plan *plan;
    uint64_t plan_number;
    uint64_t offered;
    size_t largest;     /* memory of one that was met in this call */
    struct part *taken; /* last; NULL: none */
    struct part each[PARTS_MAX];
};

/* ---- Looking into one ---- */

static int look_into(struct part *part, struct sqlite_db *db, struct errbuf *err)
{
    const struct parts *p = part->parts;
    const struct blocks_wanted wanted = {
        .segment = &part->segment,
        .plan = p->plan,
        .plan_number = p->plan_number,
        .from = 0,
        .to = part->head.rows,
    };
    int error;

    CHECK(!part->blocks.blob.blob); /* that would be of another thread's connection */
    part->blocks.db = db;
    error = blocks_open(&part->blocks, &part->head, &part->block, err);
    if (!error)
        error = blocks_select(part->block, &wanted, err);
    if (!error)
        error = block_batch(part->batcher, part->block->reader, part->block->rows, 0,
                            part->head.rows, &part->batched, err);
    blocks_close_blob(&part->blocks);
    return error;
}

static void work(struct store_part *base, struct store_reader *reader)
{
    struct part *part = container_of(base, struct part, base);
    struct store_sqlite_reader *r = (struct store_sqlite_reader *)reader;
    struct errbuf ignored = ERRBUF_INIT; /* the caller will meet it, too */

    part->error = store_sqlite_reader_open(r, &ignored);
    if (!part->error)
        part->error = look_into(part, &r->db, &ignored);
}

/* ---- All of them ---- */

struct parts *parts_new(struct store_sqlite_reader *r)
{
    struct parts *p = xcalloc(1, sizeof(*p));

    p->r = r;
    for (int i = 0; i < PARTS_MAX; i++)
        p->each[i] = (struct part){.parts = p, .base.work = work, .blocks.kept = 1};
    return p;
}

void parts_free(struct parts *p)
{
    for (int i = 0; p && i < PARTS_MAX; i++)
        blocks_clear(&p->each[i].blocks);
    free(p);
}

void parts_begin(struct parts *p, struct store_helpers *helpers, const struct log_fields *fields,
                 const struct block_plan *plan, uint64_t plan_number)
{
    p->helpers = helpers;
    p->fields = fields;
    p->plan = plan;
    p->plan_number = plan_number;
    p->largest = 0;
}

static struct part *find(const struct parts *p, int64_t block)
{
    for (int i = 0; i < PARTS_MAX; i++)
        if (p->each[i].is_used && p->each[i].head.number == block)
            return (struct part *)&p->each[i];
    return NULL;
}

static struct part *find_offered(struct parts *p, uint64_t offered)
{
    for (int i = 0; i < PARTS_MAX; i++)
        if (p->each[i].is_used && p->each[i].offered == offered)
            return &p->each[i];
    return NULL;
}

bool parts_have(const struct parts *p, int64_t block)
{
    return find(p, block);
}

unsigned parts_ahead(const struct parts *p)
{
    unsigned n = 0;

    for (int i = 0; i < PARTS_MAX; i++)
        n += p->each[i].is_used && &p->each[i] != p->taken;
    return n;
}

bool parts_have_room(const struct parts *p, uint64_t raw_bytes)
{
    unsigned most = store_helpers_allowed(p->helpers) * AHEAD_OF_EACH;
    unsigned ahead = parts_ahead(p);
    uint64_t bytes = raw_bytes;

    for (int i = 0; i < PARTS_MAX; i++)
        if (p->each[i].is_used)
            bytes += p->each[i].head.raw_bytes;
    return ahead < most && ahead < PARTS_MAX - 1 &&
           (ahead == 0 ||
            (bytes <= PARTS_BYTES_MAX && (ahead + 1) * p->largest <= PARTS_MEMORY_MAX));
}

void parts_offer(struct parts *p, const struct segment *segment, const struct block_head *head)
{
    struct part *part = p->each;

    while (part->is_used)
        part++;
    CHECK(part < p->each + PARTS_MAX);
    if (!part->batcher)
        part->batcher = block_batcher_new(p->fields);
    if (!part->batcher)
        return; /* no memory */
    part->is_used = true;
    part->is_own = false;
    part->offered = ++p->offered;
    part->head = *head;
    part->head.levels_len = 0;
    part->segment = *segment;
    store_part_offer(p->helpers, &part->base);
}

/* What the caller has read of it besides, it read by its own connection: no helper may go on there.
 */
static void release(struct part *part)
{
    bool is_open = part->block && part->block->reader; /* one that is damaged is not */
    size_t memory = is_open ? block_reader_memory(part->block->reader) : 0;
    size_t both = memory + block_batcher_memory(part->batcher);

    CHECK(blocks_count(&part->blocks) <= 1);
    blocks_close_blob(&part->blocks);
    blocks_pass(&part->blocks, part->head.number);
    part->is_used = false;
    if (both > part->parts->largest)
        part->parts->largest = both;
    if (memory > PARTS_KEPT_BYTES)
        blocks_clear(&part->blocks);
    part->block = NULL;
}

void parts_stop(struct parts *p)
{
    for (int i = 0; i < PARTS_MAX; i++)
        if (p->each[i].is_used && store_part_take_back(p->helpers, &p->each[i].base))
            release(&p->each[i]);
}

void parts_end(struct parts *p)
{
    parts_stop(p);
    p->taken = NULL;
    for (int i = 0; i < PARTS_MAX; i++) {
        struct part *part = &p->each[i];

        if (part->is_used && !part->is_own)
            store_part_await(p->helpers, &part->base);
        if (part->is_used)
            release(part);
        block_batcher_free(part->batcher);
        part->batcher = NULL;
    }
}

/* ---- Taking ---- */

/* While a helper is at it: does the last one that nobody has begun. False: there is none. */
static bool do_another(struct parts *p)
{
    struct part *last = NULL;
    struct errbuf ignored = ERRBUF_INIT;

    for (uint64_t n = p->offered; !last && n + PARTS_MAX > p->offered && n > 0; n--) {
        struct part *part = find_offered(p, n);

        if (part && store_part_take_back(p->helpers, &part->base))
            last = part;
    }
    if (!last)
        return false;
    last->is_own = true;
    last->error = look_into(last, &p->r->db, &ignored);
    return true;
}

bool parts_take(struct parts *p, int64_t number, struct open_block **block,
                struct block_batched *batched)
{
    struct part *part = find(p, number);

    if (p->taken)
        release(p->taken);
    p->taken = NULL;
    if (!part)
        return false;
    if (!part->is_own && store_part_take_back(p->helpers, &part->base)) {
        release(part);
        return false;
    }
    while (!part->is_own && !store_part_is_done(p->helpers, &part->base))
        if (!do_another(p))
            store_part_await(p->helpers, &part->base);
    if (part->error) {
        release(part);
        return false;
    }
    p->taken = part;
    part->blocks.db = &p->r->db; /* which reads what else is asked of the block */
    *block = part->block;
    *batched = part->batched;
    return true;
}
