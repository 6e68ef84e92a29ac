/*
 * Clients that number their logs, in all the ways there are to send them, and write down what they
 * were answered. Each goes on whatever happens, until it is told to stop.
 */
import { type Ran, runLogmill, sleep } from '../support/harness';
import { type Answer, Pools, type Request, requestOn } from '../support/http';
import { HABITS, PAUSES_MS } from './habits';
import type { Book, Ledger, Stay } from './ledger';
import type { Dice } from './plan';
import type { Door, Setup } from './setups';

const LEVELS = ['info', 'INFO', 'warning', 'Error', 'debug', 'größe'];
/** Answers that a client gets who has done nothing wrong. */
const USUAL = new Set([201, 503]);

export interface WriterOptions {
    setup: Setup;
    ledger: Ledger;
    dice: Dice;
    going: () => boolean;
}

/** What a log says follows from its number, so that the end can tell whether it came whole. */
export function expected(book: Book, n: number, k: number): { message: string; level: string } {
    return {
        message: `${book.name} log ${n}.${k} “ü”\t😀`,
        level: LEVELS[(n + k) % LEVELS.length]!,
    };
}

export class Writer {
    private readonly pools = new Pools(4);
    private readonly book: Book;

    constructor(
        private readonly habit: keyof typeof HABITS,
        private readonly options: WriterOptions,
    ) {
        this.book = options.ledger.book(habit);
    }

    async run(): Promise<void> {
        const { dice, going } = this.options;
        while (going()) {
            await HABITS[this.habit](this);
            await sleep(dice.between(...PAUSES_MS[this.habit]));
        }
        this.pools.destroy();
    }

    get dice(): Dice {
        return this.options.dice;
    }

    get isGoing(): boolean {
        return this.options.going();
    }

    get setup(): Setup {
        return this.options.setup;
    }

    door(): Door {
        return this.dice.pick(this.setup.doors);
    }

    log(n: number, k: number, padding: number, more: object = {}): object {
        const { message, level } = expected(this.book, n, k);
        return { message, level, w: this.book.name, n, k, pad: 'p'.repeat(padding), ...more };
    }

    open(logs: number, padding: number, id?: string, stay?: Stay): number {
        return this.book.open(logs, padding, id, stay);
    }

    /** A name for request `n` that nothing else has. */
    mark(n: number): string {
        return `${this.book.name}-${n}`;
    }

    /** Now it is known whether the logs of request `n` stay. */
    settle(n: number, stay: Stay): void {
        this.book.sent[n]!.stay = stay;
    }

    /** The padding of request `n` came out otherwise than said at first. */
    resize(n: number, padding: number): void {
        this.book.sent[n]!.padding = padding;
    }

    find(finding: string): void {
        this.options.ledger.find(`${this.book.name} (${this.habit}): ${finding}`);
    }

    count(what: string): void {
        this.options.ledger.count(what);
    }

    /** The answer to a GET; undefined if there was none, or the process has no room for it. */
    async read(path: string): Promise<Answer | undefined> {
        try {
            const door = this.door();
            const answer = await requestOn(this.pools.of(door), door, { path });
            this.options.ledger.answer(`GET ${this.habit}`, answer.status);
            return [401, 503].includes(answer.status) ? undefined : answer;
        } catch {
            this.options.ledger.answer(`GET ${this.habit}`, 0);
            return undefined;
        }
    }

    /** Runs `logmill delete` for what has the attribute. True where it says that it is done. */
    async delete(name: string, value: string): Promise<boolean> {
        const { setup } = this.options;
        const args = ['--attr', `${name}=${value}`, '--yes', '--reason', 'torture'];
        let mayFail = setup.mayFailToDelete();
        const ran: Ran | undefined = await runLogmill(['delete', ...args], setup.deleting).catch(
            (error: unknown) => {
                this.find(String(error));
                return undefined;
            },
        );
        mayFail ||= setup.mayFailToDelete();
        if (ran === undefined || ran.code === 0) {
            return ran !== undefined;
        }
        this.count('logmill delete failed');
        if (!mayFail) {
            this.find(`logmill delete ended with ${ran.code}: ${ran.stderr.slice(-2000)}`);
        }
        return false;
    }

    /** One try; undefined if no answer came. */
    private async ask(
        door: Door,
        request: Request,
    ): Promise<Answer | 'unsent' | 'revoked' | undefined> {
        const { ledger, setup } = this.options;
        const failed = door.role.begin(setup.silenceMs);
        const key = door.key?.('POST');
        const target = key === undefined ? door : { ...door, key: () => key };
        try {
            const answer = await requestOn(this.pools.of(door), target, {
                method: 'POST',
                ...request,
            });
            ledger.answer(`POST ${this.habit}`, answer.status);
            if (door.ca !== undefined) {
                ledger.count(`answers over TLS: ${answer.status}`);
            }
            if (answer.status === 401 && key !== door.key?.('POST')) {
                return 'revoked';
            }
            return answer;
        } catch (error) {
            const wrong = door.direct ? await failed(error) : undefined;
            if (wrong !== undefined) {
                const over = door.ca === undefined ? '' : ' over TLS';
                ledger.find(`${this.book.name} (${this.habit})${over}: ${wrong}`);
            }
            const isUnsent = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
            ledger.answer(`POST ${this.habit}`, 0);
            return isUnsent ? 'unsent' : undefined;
        }
    }

    /** Sends request `n`, and writes down what came of it. Returns true where it was taken. */
    async send(
        n: number,
        request: Request,
        unusual: number[] = [],
        door = this.door(),
    ): Promise<boolean> {
        const { ledger } = this.options;
        const answer = await this.ask(door, request);
        if (answer === undefined || answer === 'unsent' || answer === 'revoked') {
            if (answer === undefined) {
                this.book.doubted(n);
            } else {
                this.book.refused(n);
            }
            await sleep(this.dice.between(50, 300));
            return false;
        }
        if (!USUAL.has(answer.status) && !unusual.includes(answer.status)) {
            ledger.find(
                `${this.book.name} ${n} (${this.habit}) was answered ${answer.status}: ${answer.text}`,
            );
        }
        if (answer.status === 201) {
            const { id } = answer.json<{ id?: string }>();
            const wanted = this.book.sent[n]!.id;
            if (wanted !== undefined && id !== undefined && id !== wanted) {
                ledger.find(`${this.book.name} ${n}: sent with id ${wanted}, answered with ${id}`);
            }
            this.book.taken(n, id);
            return true;
        }
        if (answer.status !== 503 || this.setup.isDefinite(answer.text)) {
            this.book.refused(n);
        } else {
            this.book.doubted(n);
        }
        await sleep(this.dice.between(20, 200));
        return false;
    }

    /** A body that has to be refused with one of `statuses`; 503 may come first. */
    async wrong(n: number, request: Request, statuses: number[]): Promise<void> {
        if (await this.send(n, request, statuses)) {
            this.options.ledger.find(
                `${this.book.name} ${n} (${this.habit}) had to be refused, and was not`,
            );
        }
    }
}

const CROWD: (keyof typeof HABITS)[] = [
    ...(['single', 'single', 'single', 'single', 'array', 'ndjson', 'gzip', 'chunked'] as const),
    ...(['retry', 'retry', 'retry', 'dated', 'dated', 'limits', 'refused'] as const),
    ...(['deleted', 'deleted'] as const),
];

export function writers(options: WriterOptions): Writer[] {
    return CROWD.map((habit) => new Writer(habit, options));
}
