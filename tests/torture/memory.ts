/*
 * The most memory that a process of the optimised binary may take here, from the limits that it was
 * given (SETTINGS in setups.ts) and those that the program has:
 *
 *      20 MiB   at rest (a test of its own holds that)
 *      64 MiB   MAX_INFLIGHT_BYTES, 32 MiB here, twice: buffers grow by doubling
 *      36 MiB   what readers of the store hold besides the answers that they build, which are
 *               charged to MAX_INFLIGHT_BYTES: rows, and SQLite's pages
 *      40 MiB   what the worker has taken (WORKER_THREADS, 4, times about 2 MiB, as text and as
 *               records) and what the queue's writer has (a send of 4 MiB and its pages)
 */
export const MEMORY_BOUND_KIB = 160 << 10;
