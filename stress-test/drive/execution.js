/*
 * The module `k6/execution`. `exec.vu` is the user whose turn began last: right until a script's
 * first await, and no longer.
 */
const exec = { vu: undefined };

export default exec;
