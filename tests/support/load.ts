/*
 * Clients that number their logs and go on whatever the server does, and the question that every
 * fault ends with: is each log that was answered 201 there exactly once, in order?
 */
import { strict as assert } from 'node:assert';
import * as http from 'node:http';

import { type Logmill, sleep } from './harness';
import { requestOn } from './http';
import { type Log, allLogs, assertNewestFirst, uuid7 } from './logs';

/**
 * single: each log is posted once, and whether it was taken is known only from its 201.
 * batch: the same with POST /logs of BATCH logs, which are taken together or not at all.
 * retry: a log carries its own id and is posted until it is answered 201, as a careful client does.
 */
export type Habit = 'single' | 'batch' | 'retry';
const BATCH = 7;

interface Client {
    name: string;
    habit: Habit;
    acknowledged: number[]; // numbers of logs (or batches) answered 201, in order
    sent: number; // numbers used
    /** Answers other than 201. */
    refused: Map<number, number>;
    failures: number; // connections that broke
}

export class Load {
    /** Between two posts of a client; for faults that last, so that fewer logs pile up. */
    pauseMs = 0;
    private readonly clients: Client[] = [];
    private readonly loops: Promise<void>[] = [];
    private readonly agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
    private going = true;

    /** `target` tells where to post to now; undefined if nothing is there. */
    constructor(
        private readonly target: () => Logmill | undefined,
        habits: Habit[],
        private readonly padding = '',
    ) {
        for (const [n, habit] of habits.entries()) {
            const client = {
                name: `client ${n}`,
                habit,
                acknowledged: [],
                sent: 0,
                refused: new Map(),
                failures: 0,
            };
            this.clients.push(client);
            this.loops.push(this.loop(client));
        }
    }

    private async loop(client: Client): Promise<void> {
        while (this.going) {
            const n = client.sent++;
            const body = this.body(client, n);
            let done = false;
            do {
                const status = await this.post(client, body);
                if (status === 201) {
                    client.acknowledged.push(n);
                }
                if (status !== 201 || this.pauseMs > 0) {
                    await sleep(status === 201 ? this.pauseMs : 20);
                }
                done = status === 201 || client.habit !== 'retry';
            } while (!done && this.going);
        }
    }

    private body(client: Client, n: number): string {
        const log = (k: number): object => ({
            message: `${client.name} log ${n}`,
            level: 'info',
            client: client.name,
            n,
            k,
            padding: this.padding,
            ...(client.habit === 'retry' ? { id: uuid7() } : {}),
        });
        return JSON.stringify(
            client.habit === 'batch' ? Array.from({ length: BATCH }, (_, k) => log(k)) : log(0),
        );
    }

    /** The status of the answer, or 0 if none came. */
    private async post(client: Client, body: string): Promise<number> {
        const target = this.target();
        if (target === undefined) {
            return 0;
        }
        try {
            const path = client.habit === 'batch' ? '/logs' : '/log';
            const headers = { 'Content-Type': 'application/json' };
            const answer = await requestOn(this.agent, target, {
                method: 'POST',
                path,
                headers,
                body,
            });
            if (answer.status !== 201) {
                client.refused.set(answer.status, (client.refused.get(answer.status) ?? 0) + 1);
            }
            return answer.status;
        } catch {
            client.failures++;
            return 0;
        }
    }

    /** Logs answered 201 so far. */
    get acknowledged(): number {
        return this.clients.reduce(
            (sum, client) =>
                sum + client.acknowledged.length * (client.habit === 'batch' ? BATCH : 1),
            0,
        );
    }

    /** Answers of this status so far. */
    answers(status: number): number {
        return this.clients.reduce((sum, client) => sum + (client.refused.get(status) ?? 0), 0);
    }

    /** Every status other than 201 that was answered. */
    get refusals(): number[] {
        return [...new Set(this.clients.flatMap((client) => [...client.refused.keys()]))].sort();
    }

    get failures(): number {
        return this.clients.reduce((sum, client) => sum + client.failures, 0);
    }

    async stop(): Promise<void> {
        this.going = false;
        await Promise.all(this.loops);
        this.agent.destroy();
    }

    /** Fails if a log answered 201 is missing, one is there twice, or they are out of order. */
    async verify(server: Logmill): Promise<void> {
        const logs = await allLogs(server);
        assertNewestFirst(logs);
        this.verifyLogs(logs.reverse());
    }

    /** The same for logs that were read elsewhere, oldest first. */
    verifyLogs(oldestFirst: Log[]): void {
        for (const client of this.clients) {
            this.verifyClient(
                client,
                oldestFirst.filter((log) => log.attributes['client'] === client.name),
            );
        }
    }

    private verifyClient(client: Client, logs: Log[]): void {
        const size = client.habit === 'batch' ? BATCH : 1;
        const count = new Map<number, number>();
        let latest = -1;
        for (const log of logs) {
            const { n, k, padding } = log.attributes as { n: number; k: number; padding: string };
            assert.equal(log.message, `${client.name} log ${n}`);
            assert.equal(padding, this.padding);
            const place = n * size + k;
            if (client.habit !== 'retry') {
                // a client's ids order by its own clock, to the millisecond
                assert.ok(place > latest, `${client.name}: ${n}.${k} comes after ${latest}`);
            }
            latest = place;
            count.set(n, (count.get(n) ?? 0) + 1);
        }
        const missing = client.acknowledged.filter((n) => !count.has(n));
        assert.deepEqual(missing, [], `${client.name} (${client.habit}): answered 201 and lost`);
        for (const [n, found] of count) {
            assert.equal(
                found,
                size,
                `${client.name} (${client.habit}): log ${n} is there ${found} times`,
            );
        }
    }
}
