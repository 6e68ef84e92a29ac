/*
 * The Lua scripts that change the cache in Redis; each runs there as one step. What the keys hold
 * and why the scripts are right is told in adapter.c. Internal to the adapter.
 *
 * Arguments common to all stand first, in this order: the run_id that our connection has met, "1"
 * or "0" (some fill of ours has failed since we could last say so), the most logs and the most
 * bytes the set may have, and the life of its keys in ms.
 */
#ifndef LOGMILL_CACHE_REDIS_SCRIPTS_H
#define LOGMILL_CACHE_REDIS_SCRIPTS_H

enum cache_redis_script {
    /*
     * erased, members…: adds them, if no logs were erased since `erased` was what this returned;
     * else drops the set. {1, erased} if the set took them, {0, erased} if there is none to fill.
     */
    CACHE_REDIS_FILL,
    /* token, due_ms, lock_ms: starts a rebuild if one is due. {1, 0}, or {0, ms to wait}. */
    CACHE_REDIS_BEGIN,
    /* token, lock_ms, members…: keeps them for the new set. Returns 1, or 0: the lock is lost. */
    CACHE_REDIS_STAGE,
    /* token, mark, count, bytes of what was staged: makes it the set. Returns 1, or 0: not done. */
    CACHE_REDIS_FINISH,
    /* token, life_ms: drops the set, gives up the rebuild under way, and lets fills of what was
     * stored before know by the token, which is new. Returns 1. */
    CACHE_REDIS_FORGET,
    CACHE_REDIS_SCRIPTS_LEN
};

/* Its text; static. */
const char *cache_redis_scripts_text(enum cache_redis_script script);

#endif
