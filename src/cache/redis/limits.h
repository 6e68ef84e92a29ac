/* How much the cache in Redis holds, and how long anything may take there. */
#ifndef LOGMILL_CACHE_REDIS_LIMITS_H
#define LOGMILL_CACHE_REDIS_LIMITS_H

enum {
    CACHE_REDIS_LOGS_DEFAULT = 10000,
    CACHE_REDIS_LOGS_MAX = 1000000,
    CACHE_REDIS_BYTES_DEFAULT = 32 << 20,
    CACHE_REDIS_REBUILD_MS_DEFAULT = 5000,

    CACHE_REDIS_CONNECT_MS = 250,       /* address, connection, TLS and login together */
    CACHE_REDIS_QUERY_MS = 250,         /* all commands of one read */
    CACHE_REDIS_FILL_MS = 500,          /* all commands of one fill */
    CACHE_REDIS_REBUILD_STEP_MS = 1000, /* one command of a rebuild */
    CACHE_REDIS_BACKOFF_FIRST_MS = 200, /* how long a server that failed is left alone: doubling */
    CACHE_REDIS_BACKOFF_MAX_MS = 2000,
};

#endif
