/*
 * The text of a queue message. writer.h makes it, reader.h understands it; nothing else in the
 * house knows it.
 *
 * Version 1, the only one:
 *
 *   {"v":1,"logs":[{"id":"…","timestamp":"…","level":"…","message":"…","attributes":{…}}, …]}
 *
 * A log is as record_append_json writes it. Members that the reader does not know become attributes
 * of their log; what it does not know beside "v" and "logs" it passes over.
 *
 * Writers and readers are not of one build: several processes share a queue while they are renewed
 * one by one, a message waits as long as its queue keeps it (SQS: 14 days; a dead letter for ever),
 * and whoever goes back to the build before has messages of the one after. So, for a version N + 1:
 *
 *   1. Say here what it looks like, and raise MESSAGE_VERSION_READ.
 *   2. Teach reader.c to read it; the older ones stay, for ever. Put a message of it, as text,
 *      into tests/unit/message/test_reader.c, beside those of the others, which are not changed.
 *   3. Release that. It still writes N.
 *   4. In a later release, which then is "compatible since" that one, let writer.c write it and
 *      raise MESSAGE_VERSION_WRITTEN.
 *
 * A member that may be left out needs no new version: the reader of the build before keeps it as
 * an attribute, if that does no harm.
 */
#ifndef LOGMILL_MESSAGE_VERSION_H
#define LOGMILL_MESSAGE_VERSION_H

enum {
    MESSAGE_VERSION_WRITTEN = 1,
    MESSAGE_VERSION_READ = 1, /* the newest */
};

#define MESSAGE_V1_HEAD "{\"v\":1,\"logs\":["
#define MESSAGE_V1_TAIL "]}"

#endif
