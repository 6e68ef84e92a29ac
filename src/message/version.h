/*
 * The text of a queue message. writer.h makes it, reader.h understands it; nothing else in the
 * house knows it.
 *
 * Version 1, for queues that others than this build may read (SQS):
 *
 *   {"v":1,"logs":[{"id":"…","timestamp":"…","level":"…","message":"…","attributes":{…}}, …]}
 *
 * A log is as record_append_json writes it. Members that the reader does not know become attributes
 * of their log; what it does not know beside "v" and "logs" it passes over.
 *
 * Version 2, for a queue that no build before it reads (queue_limits.no_older_readers), so that
 * what was read and judged once is neither escaped nor parsed again:
 *
 *   v2 CHECKSUM\n            16 hexadecimal digits, over all that follows (packed.c)
 *   KEY LEVEL MESSAGE ATTRIBUTES\n
 *                            of each log: its key as a cursor (record/key.h), and the bytes of …
 *   …\n                      … these three, as in struct record, one behind the other
 *
 * It is believed of a queue alone to which nobody else writes (queue_limits.ours_alone): what is in
 * it is not judged again. It is a text in UTF-8 as well, which people can read; but it may hold
 * characters that SQS does not take.
 *
 * Writers and readers are not of one build: several processes share a queue while they are renewed
 * one by one, a message waits as long as its queue keeps it (SQS: 14 days; a dead letter for ever),
 * and whoever goes back to the build before has messages of the one after. So, for a version N + 1:
 *
 *   1. Say here what it looks like, and raise MESSAGE_VERSION_READ.
 *   2. Teach reader.c to read it; the older ones stay, for ever. Put a message of it, as text,
 *      into tests/unit/message/test_reader.c, beside those of the others, which are not changed.
 *   3. Release that. It still writes N.
 *   4. In a later release, which then is "compatible since" that one, let writer.c write it.
 *
 * The embedded queue needs no 3: its file says itself who may open it. A step of its schema
 * (queue/sqlite/file.c) and the number of that as COMPATIBLE_SINCE keep the builds before out. But
 * whoever had it open before goes on reading: a worker says in the file of its lock what it reads
 * (data_dir_reads_newest), and an api that finds less there after it has opened the queue, or
 * nothing, writes version 1 for as long as it lives.
 *
 * A member that may be left out of version 1 needs no new one: the reader of the build before keeps
 * it as an attribute, if that does no harm.
 */
#ifndef LOGMILL_MESSAGE_VERSION_H
#define LOGMILL_MESSAGE_VERSION_H

enum message_version {
    MESSAGE_V1 = 1,
    MESSAGE_V2 = 2,
    MESSAGE_VERSION_READ = 2, /* the newest */
};

#define MESSAGE_V1_HEAD "{\"v\":1,\"logs\":["
#define MESSAGE_V1_TAIL "]}"

#endif
