/*
 * Labels as Prometheus and Loki write them in one text: {app="shop",job="x\"y"}. The values are
 * quoted as Go quotes (strconv.Quote).
 */
#ifndef LOGMILL_FORMATS_LOKI_LABELS_H
#define LOGMILL_FORMATS_LOKI_LABELS_H

#include "base/buffer.h"
#include "base/slice.h"

/* A label; both live until the call returns. */
typedef void loki_label(struct slice name, struct slice value, void *ctx);

/* Gives each label of `text` to `each`; its value is put together in `room`. Returns 0;
 * LM_EINVAL if that is no such text, when some labels may have been given; or the buffer's error.
 */
int loki_labels_read(struct slice text, struct buffer *room, loki_label *each,
                     void *ctx) LM_MUST_CHECK;

#endif
