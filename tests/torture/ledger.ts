/*
 * What clients sent and what they were answered; and what was found wrong. The ledger is what the
 * end of a run is judged by.
 */

/** What is known of a request's logs. */
export const enum Fate {
    /** Not answered yet. */
    open,
    /** No answer, or one that leaves it open: there or not, all of them or none, once. */
    doubted,
    /** Answered 201: there, once. */
    taken,
    /** Refused: not there. */
    refused,
}

/** Whether logs that were taken are there at the end. */
export const enum Stay {
    stays,
    /** Deleted, or too old: gone. */
    goes,
    /** Whoever was to delete it has not said that it is done. */
    maybe,
}

export interface Sent {
    fate: Fate;
    stay: Stay;
    /** How many logs it held. */
    logs: number;
    /** Length of each log's padding. */
    padding: number;
    /** Of its one log: the client's, or as answered. */
    id: string | undefined;
}

/** One writer's requests, by number. */
export class Book {
    readonly sent: Sent[] = [];

    constructor(
        readonly name: string,
        readonly habit: string,
    ) {}

    open(logs: number, padding: number, id?: string, stay = Stay.stays): number {
        return this.sent.push({ fate: Fate.open, stay, logs, padding, id }) - 1;
    }

    /** One of its tries was taken: that settles it. */
    taken(n: number, id?: string): void {
        const sent = this.sent[n]!;
        sent.fate = Fate.taken;
        sent.id = id ?? sent.id;
    }

    /** One of its tries may have been taken. */
    doubted(n: number): void {
        const sent = this.sent[n]!;
        if (sent.fate !== Fate.taken) {
            sent.fate = Fate.doubted;
        }
    }

    /** One of its tries was not taken. */
    refused(n: number): void {
        const sent = this.sent[n]!;
        if (sent.fate === Fate.open) {
            sent.fate = Fate.refused;
        }
    }
}

export class Ledger {
    readonly books: Book[] = [];
    private readonly named = new Map<string, Book>();
    /** Answers by what was asked ("POST single", "GET newest") and status; 0: none came. */
    readonly answers = new Map<string, Map<number, number>>();
    /** What was done, counted: faults, checks, hostile clients. */
    readonly done = new Map<string, number>();
    readonly findings: string[] = [];
    /** Figures for the report. */
    readonly figures: Record<string, number> = {};

    private static readonly FINDINGS_MAX = 200;

    book(habit: string): Book {
        const book = new Book(`w${this.books.length}`, habit);
        this.books.push(book);
        this.named.set(book.name, book);
        return book;
    }

    /** Whether the log of request `n` of the writer `name` stays; those of others do. */
    stay(name: string | undefined, n: number): Stay {
        return this.named.get(name ?? '')?.sent[n]?.stay ?? Stay.stays;
    }

    answer(asked: string, status: number): void {
        const statuses = this.answers.get(asked) ?? new Map<number, number>();
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        this.answers.set(asked, statuses);
    }

    count(what: string, n = 1): void {
        this.done.set(what, (this.done.get(what) ?? 0) + n);
    }

    /** Something is wrong. */
    find(finding: string): void {
        if (this.findings.length < Ledger.FINDINGS_MAX) {
            this.findings.push(finding);
            console.error(`torture: FOUND ${new Date().toISOString()} ${finding.slice(0, 2000)}`);
        }
    }

    /** Logs answered 201 so far. */
    get taken(): number {
        let logs = 0;
        for (const book of this.books) {
            for (const sent of book.sent) {
                logs += sent.fate === Fate.taken ? sent.logs : 0;
            }
        }
        return logs;
    }
}
