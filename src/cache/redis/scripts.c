#include "cache/redis/scripts.h"

/*
 * Lua compares strings by the server's locale, so keys are compared here as six numbers. Counts
 * and marks go into hashes, whose fields come back as strings, or as false where there are none.
 * MEMBERS_AT_ONCE bounds what unpack() puts on Lua's stack (its limit is about 8000).
 */
#define COMMON                                                                                     \
    "local STATE, SET, LOCK, FILLS, STAGED = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]\n"        \
    "local ERASED = KEYS[6]\n"                                                                     \
    "local RUN, LOST = ARGV[1], ARGV[2] == '1'\n"                                                  \
    "local MAX_LOGS, MAX_BYTES = tonumber(ARGV[3]), tonumber(ARGV[4])\n"                           \
    "local LIFE_MS = ARGV[5]\n"                                                                    \
    "local MEMBERS_AT_ONCE = 1000\n"                                                               \
    "local KEY_LEN = 24\n"                                                                         \
    "\n"                                                                                           \
    "if LOST then redis.call('UNLINK', STATE, LOCK) end\n"                                         \
    "\n"                                                                                           \
    "local function now_ms()\n"                                                                    \
    "  local t = redis.call('TIME')\n"                                                             \
    "  return t[1] * 1000 + math.floor(t[2] / 1000)\n"                                             \
    "end\n"                                                                                        \
    "\n"                                                                                           \
    "-- A key as six numbers, and whether one comes after another.\n"                              \
    "local function numbers(key)\n"                                                                \
    "  return struct.unpack('>I4I4I4I4I4I4', key)\n"                                               \
    "end\n"                                                                                        \
    "local function greater(a1, a2, a3, a4, a5, a6, b1, b2, b3, b4, b5, b6)\n"                     \
    "  if a1 ~= b1 then return a1 > b1 end\n"                                                      \
    "  if a2 ~= b2 then return a2 > b2 end\n"                                                      \
    "  if a3 ~= b3 then return a3 > b3 end\n"                                                      \
    "  if a4 ~= b4 then return a4 > b4 end\n"                                                      \
    "  if a5 ~= b5 then return a5 > b5 end\n"                                                      \
    "  return a6 > b6\n"                                                                           \
    "end\n"                                                                                        \
    "\n"                                                                                           \
    "-- True where key `a` comes after key `b`; every key comes after the mark ''.\n"              \
    "local function after(a, b)\n"                                                                 \
    "  if a == '' or b == '' then return a ~= '' end\n"                                            \
    "  local a1, a2, a3, a4, a5, a6 = numbers(a)\n"                                                \
    "  return greater(a1, a2, a3, a4, a5, a6, numbers(b))\n"                                       \
    "end\n"                                                                                        \
    "\n"                                                                                           \
    "-- `s` describes a set: name, mark, count, bytes. Adds one run of members, those of them\n"   \
    "-- whose key is above the mark and not there yet. Most come after the newest one there:\n"    \
    "-- those need not be looked for.\n"                                                           \
    "local function add_some(s, members, first, last)\n"                                           \
    "  local new, seen = {}, {}\n"                                                                 \
    "  local m1, m2, m3, m4, m5, m6 = -1, 0, 0, 0, 0, 0\n"                                         \
    "  local n1, n2, n3, n4, n5, n6 = -1, 0, 0, 0, 0, 0\n"                                         \
    "  local newest = redis.call('ZRANGE', s.name, -1, -1)[1]\n"                                   \
    "  if s.mark ~= '' then m1, m2, m3, m4, m5, m6 = numbers(s.mark) end\n"                        \
    "  if newest then n1, n2, n3, n4, n5, n6 = numbers(newest) end\n"                              \
    "  for i = first, last do\n"                                                                   \
    "    local m = members[i]\n"                                                                   \
    "    local key = string.sub(m, 1, KEY_LEN)\n"                                                  \
    "    local k1, k2, k3, k4, k5, k6 = numbers(m)\n"                                              \
    "    if not seen[key] and\n"                                                                   \
    "       greater(k1, k2, k3, k4, k5, k6, m1, m2, m3, m4, m5, m6) and\n"                         \
    "       (greater(k1, k2, k3, k4, k5, k6, n1, n2, n3, n4, n5, n6) or\n"                         \
    "        redis.call('ZLEXCOUNT', s.name, '[' .. key, '(' .. key .. '\\255') == 0) then\n"      \
    "      seen[key] = true\n"                                                                     \
    "      new[#new + 1] = 0\n"                                                                    \
    "      new[#new + 1] = m\n"                                                                    \
    "      s.count = s.count + 1\n"                                                                \
    "      s.bytes = s.bytes + #m\n"                                                               \
    "    end\n"                                                                                    \
    "  end\n"                                                                                      \
    "  if #new > 0 then redis.call('ZADD', s.name, unpack(new)) end\n"                             \
    "end\n"                                                                                        \
    "\n"                                                                                           \
    "-- Drops the oldest of what is too much, and raises the mark to the last one dropped.\n"      \
    "local function trim(s)\n"                                                                     \
    "  while s.count > MAX_LOGS or s.bytes > MAX_BYTES do\n"                                       \
    "    local n = math.max(1, math.min(MEMBERS_AT_ONCE, s.count - MAX_LOGS))\n"                   \
    "    local dropped = redis.call('ZPOPMIN', s.name, n)\n"                                       \
    "    if #dropped == 0 then break end\n"                                                        \
    "    for i = 1, #dropped, 2 do s.bytes = s.bytes - #dropped[i] end\n"                          \
    "    s.count = s.count - #dropped / 2\n"                                                       \
    "    s.mark = string.sub(dropped[#dropped - 1], 1, KEY_LEN)\n"                                 \
    "  end\n"                                                                                      \
    "end\n"                                                                                        \
    "\n"                                                                                           \
    "local function add(s, members, first)\n"                                                      \
    "  for i = first, #members, MEMBERS_AT_ONCE do\n"                                              \
    "    add_some(s, members, i, math.min(i + MEMBERS_AT_ONCE - 1, #members))\n"                   \
    "    trim(s)\n"                                                                                \
    "  end\n"                                                                                      \
    "end\n"                                                                                        \
    "\n"                                                                                           \
    "local function read_set(name, hash, first_field)\n"                                           \
    "  local h = redis.call('HMGET', hash, first_field, 'mark', 'count', 'bytes')\n"               \
    "  if not (h[1] and h[2] and h[3] and h[4]) then return nil end\n"                             \
    "  return {name = name, owner = h[1], mark = h[2], count = tonumber(h[3]),\n"                  \
    "          bytes = tonumber(h[4])}\n"                                                          \
    "end\n"                                                                                        \
    "\n"                                                                                           \
    "-- The set that readers may see, where it is of this run of the server and whole; else "      \
    "nil.\n"                                                                                       \
    "local function live_set()\n"                                                                  \
    "  local s = read_set(SET, STATE, 'run')\n"                                                    \
    "  if s and s.owner == RUN and redis.call('ZCARD', SET) == s.count then return s end\n"        \
    "  return nil\n"                                                                               \
    "end\n"                                                                                        \
    "\n"                                                                                           \
    "-- The fills since the rebuild under way began, where there is one.\n"                        \
    "local function rebuild_fills()\n"                                                             \
    "  return read_set(FILLS, LOCK, 'token')\n"                                                    \
    "end\n"                                                                                        \
    "\n"

static const char *const texts[CACHE_REDIS_SCRIPTS_LEN] = {
    [CACHE_REDIS_FILL] =
        COMMON "local erased = redis.call('GET', ERASED) or ''\n"
               "if erased ~= ARGV[6] then\n"
               "  redis.call('UNLINK', STATE, LOCK)\n"
               "  return {0, erased}\n"
               "end\n"
               "local s = rebuild_fills()\n"
               "if s then\n"
               "  add(s, ARGV, 7)\n"
               "  redis.call('HSET', LOCK, 'mark', s.mark, 'count', s.count, 'bytes', s.bytes)\n"
               "  redis.call('PEXPIRE', FILLS, LIFE_MS)\n"
               "end\n"
               "s = live_set()\n"
               "if not s then return {0, erased} end\n"
               "add(s, ARGV, 7)\n"
               "redis.call('HSET', STATE, 'mark', s.mark, 'count', s.count, 'bytes', s.bytes)\n"
               "redis.call('PEXPIRE', STATE, LIFE_MS)\n"
               "redis.call('PEXPIRE', SET, LIFE_MS)\n"
               "return {1, erased}\n",

    [CACHE_REDIS_BEGIN] =
        COMMON "local token, due_ms, lock_ms = ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])\n"
               "local now = now_ms()\n"
               "if live_set() then\n"
               "  local read = tonumber(redis.call('HGET', STATE, 'read') or 0)\n"
               "  if now >= read and now < read + due_ms then\n"
               "    redis.call('PEXPIRE', STATE, LIFE_MS)\n"
               "    redis.call('PEXPIRE', SET, LIFE_MS)\n"
               "    return {0, read + due_ms - now}\n"
               "  end\n"
               "end\n"
               "if redis.call('HGET', LOCK, 'run') == RUN then\n"
               "  return {0, math.max(0, redis.call('PTTL', LOCK))}\n"
               "end\n"
               "redis.call('UNLINK', LOCK, FILLS)\n"
               "redis.call('HSET', LOCK, 'token', token, 'run', RUN, 'began', now, 'mark', '',\n"
               "           'count', 0, 'bytes', 0)\n"
               "redis.call('PEXPIRE', LOCK, lock_ms)\n"
               "return {1, 0}\n",

    [CACHE_REDIS_STAGE] = COMMON "local token, lock_ms = ARGV[6], ARGV[7]\n"
                                 "if redis.call('HGET', LOCK, 'token') ~= token then return 0 end\n"
                                 "local scored = {}\n"
                                 "for i = 8, #ARGV do\n"
                                 "  scored[#scored + 1] = 0\n"
                                 "  scored[#scored + 1] = ARGV[i]\n"
                                 "  if #scored == 2 * MEMBERS_AT_ONCE or i == #ARGV then\n"
                                 "    redis.call('ZADD', STAGED, unpack(scored))\n"
                                 "    scored = {}\n"
                                 "  end\n"
                                 "end\n"
                                 "redis.call('PEXPIRE', STAGED, lock_ms)\n"
                                 "return 1\n",

    [CACHE_REDIS_FINISH] = COMMON
    "local token = ARGV[6]\n"
    "local s = {name = STAGED, mark = ARGV[7], count = tonumber(ARGV[8]),\n"
    "           bytes = tonumber(ARGV[9])}\n"
    "local fills = rebuild_fills()\n"
    "if not fills or fills.owner ~= token then\n"
    "  redis.call('UNLINK', STAGED)\n"
    "  return 0\n"
    "end\n"
    "local began = redis.call('HGET', LOCK, 'began')\n"
    "local filled = redis.call('ZRANGE', FILLS, 0, -1)\n"
    "redis.call('UNLINK', LOCK, FILLS)\n"
    "if #filled ~= fills.count or redis.call('ZCARD', STAGED) ~= s.count then\n"
    "  redis.call('UNLINK', STAGED)\n"
    "  return 0\n"
    "end\n"
    "-- Fills that were dropped for want of room may be missing: from there up it is complete.\n"
    "if after(fills.mark, s.mark) then\n"
    "  s.mark = fills.mark\n"
    "  local below = redis.call('ZRANGEBYLEX', STAGED, '-', '(' .. s.mark .. '\\255')\n"
    "  for i = 1, #below do s.bytes = s.bytes - #below[i] end\n"
    "  s.count = s.count - #below\n"
    "  redis.call('ZREMRANGEBYLEX', STAGED, '-', '(' .. s.mark .. '\\255')\n"
    "end\n"
    "add(s, filled, 1)\n"
    "redis.call('UNLINK', SET, STATE)\n"
    "if s.count > 0 then\n"
    "  redis.call('RENAME', STAGED, SET)\n"
    "  redis.call('PEXPIRE', SET, LIFE_MS)\n"
    "end\n"
    "redis.call('HSET', STATE, 'run', RUN, 'read', began, 'mark', s.mark, 'count', s.count,\n"
    "           'bytes', s.bytes)\n"
    "redis.call('PEXPIRE', STATE, LIFE_MS)\n"
    "return 1\n",

    [CACHE_REDIS_FORGET] = COMMON "redis.call('UNLINK', STATE, LOCK, SET, FILLS)\n"
                                  "redis.call('SET', ERASED, ARGV[6], 'PX', ARGV[7])\n"
                                  "return 1\n",
};

const char *cache_redis_scripts_text(enum cache_redis_script script)
{
    return texts[script];
}
