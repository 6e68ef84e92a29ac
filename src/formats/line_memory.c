#include "formats/line_memory.h"

#include "record/limits.h"

void line_memory_init(struct line_memory *m)
{
    *m = (struct line_memory){.ahead_s = NULL};
    syslog_init(&m->syslog);
    json_doc_init(&m->outer);
    json_doc_init(&m->inner);
    buffer_init(&m->message, RECORD_BYTES_MAX);
    buffer_init(&m->attribute, RECORD_BYTES_MAX);
}

void line_memory_release(struct line_memory *m)
{
    syslog_release(&m->syslog);
    json_doc_release(&m->outer);
    json_doc_release(&m->inner);
    buffer_release(&m->message);
    buffer_release(&m->attribute);
}
