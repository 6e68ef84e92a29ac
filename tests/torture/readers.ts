/*
 * Clients that read while everything fails, and hold each answer against what they read before:
 * pages follow each other strictly descending, without a repeat, and skip no log that was surely
 * there when the reading began: one that an answer has shown, `staleMs` ago or longer.
 */
import { sleep } from '../support/harness';
import { type Answer, Pools, requestOn } from '../support/http';
import type { Log, Page } from '../support/logs';
import { Fate, type Ledger, Stay } from './ledger';
import type { Dice } from './plan';
import { type Door, QUERY_TIMEOUT_MS, type Setup } from './setups';

interface Seen {
    id: string;
    timestamp: string;
    level: string;
    w: string | undefined;
    at: number; // when the answer that showed it had come, by the monotonic clock
}

/** What all readers have seen of that which stays. */
export class Memory {
    readonly logs: Seen[] = [];
    private readonly ids = new Set<string>();

    constructor(private readonly ledger: Ledger) {}

    add(log: Log, at: number): void {
        const { id, timestamp, level, attributes } = log;
        const w = attributes['w'] as string | undefined;
        const stay = this.ledger.stay(w, attributes['n'] as number);
        if (stay === Stay.stays && !this.ids.has(id)) {
            this.ids.add(id);
            this.logs.push({ id, timestamp, level, w, at });
        }
    }
}

/** Positive if `a` is newer than `b`. */
export function compare(
    a: { timestamp: string; id: string },
    b: { timestamp: string; id: string },
): number {
    if (a.timestamp !== b.timestamp) {
        return a.timestamp > b.timestamp ? 1 : -1;
    }
    return a.id > b.id ? 1 : a.id < b.id ? -1 : 0;
}

export interface ReaderOptions {
    setup: Setup;
    ledger: Ledger;
    dice: Dice;
    memory: Memory;
    going: () => boolean;
}

/** One reading by the cursor: what it asks for, and which of the logs seen belong to it. */
interface Reading {
    what: string;
    query: string;
    matches: (log: Seen) => boolean;
    limit: number;
    pages: number;
}

const TRIES = 150; // of one page, 200 ms apart

export class Reader {
    private readonly pools = new Pools(2);

    constructor(private readonly options: ReaderOptions) {}

    async run(): Promise<void> {
        const { dice, going, ledger } = this.options;
        while (going()) {
            const kind = dice.int(0, 10);
            if (kind < 2) {
                await this.byId();
            } else if (kind < 3) {
                await this.stats();
            } else {
                await this.read(this.choose());
            }
            ledger.count('readings');
            await sleep(dice.between(20, 200));
        }
        this.pools.destroy();
    }

    private known(): Seen | undefined {
        const { logs } = this.options.memory;
        return logs.length === 0 ? undefined : this.options.dice.pick(logs);
    }

    private choose(): Reading {
        const { dice } = this.options;
        const known = this.known();
        const limit = dice.chance(0.3) ? dice.int(1, 20) : dice.int(20, 300);
        const pages = dice.int(2, 9);
        if (known === undefined || dice.chance(0.4)) {
            return { what: 'newest', query: '', matches: () => true, limit, pages };
        }
        if (dice.chance(0.05)) {
            return { what: 'everything', query: '', matches: () => true, limit: 1000, pages: 50 };
        }
        if (dice.chance(0.5)) {
            const until = known.timestamp;
            return {
                what: 'until',
                query: `until=${encodeURIComponent(until)}`,
                matches: (log) => log.timestamp < until,
                limit,
                pages,
            };
        }
        const level = known.level.toLowerCase();
        return dice.chance(0.5) || known.w === undefined
            ? {
                  what: 'level',
                  query: `level=${encodeURIComponent(known.level)}`,
                  matches: (log) => log.level.toLowerCase() === level,
                  limit,
                  pages,
              }
            : {
                  what: 'attr',
                  query: `attr.w=${known.w}`,
                  matches: (log) => log.w === known.w,
                  limit,
                  pages,
              };
    }

    /** One GET, as often as it takes to be answered 200 (or `also`); undefined: it never was. */
    private async get(what: string, path: string, also?: number): Promise<Answer | undefined> {
        const { setup, dice, ledger, going } = this.options;
        for (let n = 0; n < TRIES && (going() || n < 2); n++) {
            const door = dice.pick(setup.doors);
            const answer = await this.once(door, what, path);
            if (answer !== undefined && (answer.status === 200 || answer.status === also)) {
                return answer;
            }
            if (answer !== undefined && answer.status !== 503) {
                ledger.find(
                    `GET ${path} was answered ${answer.status}: ${answer.text.slice(0, 500)}`,
                );
            }
            await sleep(200);
        }
        return undefined;
    }

    private async once(door: Door, what: string, path: string): Promise<Answer | undefined> {
        const { ledger, setup } = this.options;
        const failed = door.role.begin(setup.silenceMs + QUERY_TIMEOUT_MS);
        const key = door.key?.('GET');
        const target = key === undefined ? door : { ...door, key: () => key };
        try {
            const answer = await requestOn(this.pools.of(door), target, { path });
            ledger.answer(`GET ${what}`, answer.status);
            const isRevoked = answer.status === 401 && key !== door.key?.('GET');
            return isRevoked ? undefined : answer;
        } catch (error) {
            const wrong = door.direct ? await failed(error) : undefined;
            if (wrong !== undefined) {
                ledger.find(`GET ${path}: ${wrong}`);
            }
            ledger.answer(`GET ${what}`, 0);
            return undefined;
        }
    }

    private async read(reading: Reading): Promise<void> {
        const { memory, setup, ledger } = this.options;
        const surely = performance.now() - setup.staleMs;
        const seenBefore = memory.logs.length;
        const got: Log[] = [];
        let cursor = '';
        let isAll = false;
        for (let n = 0; n < reading.pages && !isAll; n++) {
            const query = `limit=${reading.limit}&${reading.query}${cursor}`;
            const answer = await this.get(reading.what, `/logs?${query}`);
            if (answer === undefined) {
                break;
            }
            const page = answer.json<Page>();
            const cache = String(answer.headers['x-cache'] ?? 'no cache');
            ledger.count(`pages read: ${cache}`);
            this.verifyOrder(got.at(-1), page.logs, query);
            page.logs.forEach((log) => memory.add(log, performance.now()));
            got.push(...page.logs);
            isAll = page.next === null;
            cursor = `&cursor=${encodeURIComponent(page.next ?? '')}`;
        }
        const last = isAll ? undefined : got.at(-1);
        if (isAll || last !== undefined) {
            this.verifyWhole(reading, got, last, memory.logs.slice(0, seenBefore), surely);
        }
    }

    private verifyOrder(before: Log | undefined, logs: Log[], query: string): void {
        let above = before;
        for (const log of logs) {
            if (above !== undefined && compare(above, log) <= 0) {
                this.options.ledger.find(
                    `GET /logs?${query}: ${above.timestamp} ${above.id} stands before ` +
                        `${log.timestamp} ${log.id}`,
                );
                return;
            }
            above = log;
        }
    }

    /** What was surely there, down to where the reading ended, is in it. */
    private verifyWhole(
        { what, query, matches }: Reading,
        got: Log[],
        last: Log | undefined,
        seen: Seen[],
        surely: number,
    ): void {
        const { ledger } = this.options;
        const ids = new Set(got.map((log) => log.id));
        let checked = 0;
        for (const log of seen) {
            if (
                log.at > surely ||
                !matches(log) ||
                (last !== undefined && compare(log, last) < 0)
            ) {
                continue;
            }
            checked++;
            if (!ids.has(log.id)) {
                ledger.find(
                    `reading "${what}" (${query}) skipped ${log.timestamp} ${log.id}, ` +
                        `seen ${Math.round(surely - log.at)} ms before it had to be there; ` +
                        `it got ${got.length} logs down to ${last?.timestamp} ${last?.id}`,
                );
                return;
            }
        }
        ledger.count('logs that a reading had to show', checked);
    }

    private async byId(): Promise<void> {
        const { dice, memory, ledger } = this.options;
        const known = this.known();
        if (known === undefined || dice.chance(0.7)) {
            return this.recent();
        }
        const answer = await this.get('by id', `/logs/${known.id}`, 404);
        if (answer?.status === 404) {
            ledger.find(`GET /logs/${known.id}: 404, and it was read before`);
        } else if (answer !== undefined) {
            const log = answer.json<Log>();
            memory.add(log, performance.now());
            if (log.timestamp !== known.timestamp) {
                ledger.find(`GET /logs/${known.id}: another timestamp than before`);
            }
        }
    }

    /** A log that was answered 201 a moment ago: once it is there, lists have to show it, too. */
    private async recent(): Promise<void> {
        const { dice, memory, ledger } = this.options;
        const book = dice.pick(ledger.books);
        const latest = book.sent.slice(-20).filter(({ fate }) => fate === Fate.taken);
        const id = latest.length > 0 ? dice.pick(latest).id : undefined;
        const answer = id === undefined ? undefined : await this.get('recent', `/logs/${id}`, 404);
        if (answer?.status === 200) {
            memory.add(answer.json<Log>(), performance.now());
        }
    }

    /** At least as many are counted as were seen. */
    private async stats(): Promise<void> {
        const { memory, ledger } = this.options;
        const known = this.known();
        if (known === undefined || !(known.timestamp >= '1980' && known.timestamp < '2200')) {
            return;
        }
        const from = Date.parse(known.timestamp);
        const [since, until] = [0, 1000].map((ms) => new Date(from + ms).toISOString());
        const seen = memory.logs.filter(
            ({ timestamp }) =>
                timestamp.slice(0, 23) >= since!.slice(0, 23) &&
                timestamp.slice(0, 23) < until!.slice(0, 23),
        );
        const count = seen.length;
        const answer = await this.get(
            'stats',
            `/logs/stats?since=${since}&until=${until}&bucket=1`,
        );
        const total = answer?.json<{ total: number }>().total;
        if (total !== undefined && total < count) {
            ledger.find(
                `GET /logs/stats from ${since} to ${until}: ${total}, and ${count} were seen`,
            );
        }
    }
}
