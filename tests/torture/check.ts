/*
 * The end of a run: every log that the api gives, page by page, is held against the ledger, and the
 * ids against those of the store itself.
 */
import { eventually } from '../support/harness';
import { get } from '../support/http';
import type { Log, Page } from '../support/logs';
import { type Book, Fate, type Ledger, Stay } from './ledger';
import { compare } from './readers';
import { CLOCK_DAYS, DAY_MS, type Door, KEPT_DAYS, type Setup } from './setups';
import { expected } from './writers';

/** What was found of one writer's requests: how often each of its logs is there. */
type Found = Map<number, number[]>;

const EXAMPLES = 5;
/** Retention looks every ten seconds, and deletes some at a time. */
const EXPIRED_MS = 90_000;

export class Check {
    private readonly found = new Map<string, Found>();
    private readonly ids: string[] = [];
    private readonly books: Map<string, Book>;

    constructor(
        private readonly setup: Setup,
        private readonly ledger: Ledger,
    ) {
        this.books = new Map(ledger.books.map((book) => [book.name, book]));
    }

    async run(door: Door): Promise<void> {
        await this.expired(door);
        await this.readAll(door);
        for (const book of this.books.values()) {
            this.judge(book, this.found.get(book.name) ?? new Map<number, number[]>());
        }
        const ids = await this.setup.ids();
        const unlike = ids.findIndex((id, n) => id !== this.ids[n]);
        if (ids.length !== this.ids.length || unlike >= 0) {
            this.ledger.find(
                `the store holds ${ids.length} logs and the api tells ${this.ids.length}; the first ` +
                    `difference is at ${unlike}: ${ids[unlike]} and ${this.ids[unlike]}`,
            );
        }
        this.ledger.figures['logs stored'] = ids.length;
    }

    /** Until nothing is there that is too old. */
    private async expired(door: Door): Promise<void> {
        for (const [query, days] of [
            ['', KEPT_DAYS.all],
            ['level=debug&', KEPT_DAYS.debug],
        ] as const) {
            const until = new Date(Date.now() - (days + CLOCK_DAYS) * DAY_MS).toISOString();
            await eventually(
                'what is too old to be gone',
                async () => {
                    const answer = await get(door, `/logs?limit=1&${query}until=${until}`);
                    return answer.status === 200 && answer.json<Page>().logs.length === 0;
                },
                EXPIRED_MS,
            ).catch((error: unknown) => this.ledger.find(String(error)));
        }
    }

    private async readAll(door: Door): Promise<void> {
        let cursor = '';
        let above: Log | undefined;
        for (;;) {
            const answer = await get(door, `/logs?limit=1000${cursor}`);
            if (answer.status !== 200) {
                throw new Error(
                    `GET /logs at the end was answered ${answer.status}: ${answer.text}`,
                );
            }
            const { logs, next } = answer.json<Page>();
            for (const log of logs) {
                if (above !== undefined && compare(above, log) <= 0) {
                    this.ledger.find(`at the end: ${above.id} stands before ${log.id}`);
                }
                above = log;
                this.ids.push(log.id);
                this.note(log);
            }
            if (next === null) {
                return;
            }
            cursor = `&cursor=${encodeURIComponent(next)}`;
        }
    }

    private note(log: Log): void {
        const { w, n, k, pad } = log.attributes as { w: string; n: number; k: number; pad: string };
        const book = this.books.get(w);
        const sent = book?.sent[n];
        if (book === undefined) {
            this.ledger.count('logs of hostile clients stored');
            return;
        }
        const { message, level } = expected(book, n, k);
        if (
            sent === undefined ||
            k >= sent.logs ||
            log.message !== message ||
            log.level !== level ||
            pad !== 'p'.repeat(sent.padding)
        ) {
            this.ledger.find(`a log that nobody sent so: ${JSON.stringify(log).slice(0, 500)}`);
            return;
        }
        if (sent.id !== undefined && sent.id !== log.id) {
            this.ledger.find(`${w} ${n} was answered with id ${sent.id} and is there as ${log.id}`);
        }
        const found = this.found.get(w) ?? new Map<number, number[]>();
        this.found.set(w, found);
        const times = found.get(n) ?? new Array<number>(sent.logs).fill(0);
        found.set(n, times);
        times[k]!++;
    }

    /** Lost, repeated, there though refused, or there by half. */
    private judge(book: Book, found: Found): void {
        const wrong = new Map<string, string[]>();
        const say = (what: string, n: number, times: number[] | undefined): void => {
            const list = wrong.get(what) ?? [];
            wrong.set(what, list);
            list.push(`${n} (${JSON.stringify(times?.slice(0, 20))}, id ${book.sent[n]!.id})`);
        };
        for (const [n, sent] of book.sent.entries()) {
            const times = found.get(n);
            const counted = { [Fate.taken]: 'taken', [Fate.refused]: 'refused' } as Record<
                Fate,
                string
            >;
            this.ledger.count(`logs ${counted[sent.fate] ?? 'in doubt'}`, sent.logs);
            if (times?.some((t) => t > 1)) {
                say('is there more than once', n, times);
            } else if (sent.stay === Stay.goes) {
                this.ledger.count('logs deleted, or too old', sent.logs);
                if (times !== undefined) {
                    say('was deleted or is too old, and is there', n, times);
                }
            } else if (sent.stay === Stay.maybe) {
                this.ledger.count('logs that may have been deleted', sent.logs);
            } else if (times !== undefined && sent.fate === Fate.refused) {
                say('was refused, and is there', n, times);
            } else if (sent.fate === Fate.taken && (times === undefined || times.includes(0))) {
                say('was answered 201, and is lost', n, times);
            } else if (times?.includes(0)) {
                say('is there by half', n, times);
            }
            if (times !== undefined && sent.fate !== Fate.taken && sent.fate !== Fate.refused) {
                this.ledger.count('logs in doubt that are there', sent.logs);
            }
        }
        for (const [what, list] of wrong) {
            this.ledger.find(
                `${book.name} (${book.habit}): ${list.length} of ${book.sent.length} requests: each ` +
                    `${what}: ${list.slice(0, EXAMPLES).join(', ')}`,
            );
        }
    }
}
