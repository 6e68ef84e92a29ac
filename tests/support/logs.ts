/* Logs as the tests send and read them. */
import { strict as assert } from 'node:assert';
import { randomBytes } from 'node:crypto';

import { type Logmill, eventually } from './harness';
import { type Answer, get, post } from './http';

export interface Log {
    id: string;
    timestamp: string;
    level: string;
    message: string;
    attributes: Record<string, any>;
}

export interface Page {
    logs: Log[];
    next: string | null;
}

/** A client's own id: UUIDv7 of `ms`. */
export function uuid7(ms = Date.now()): string {
    const bytes = randomBytes(16);
    bytes.writeUIntBE(ms, 0, 6);
    bytes[6] = (bytes[6]! & 0x0f) | 0x70;
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    const hex = bytes.toString('hex');
    return [
        hex.slice(0, 8),
        hex.slice(8, 12),
        hex.slice(12, 16),
        hex.slice(16, 20),
        hex.slice(20),
    ].join('-');
}

/** The milliseconds that a UUIDv7 carries. */
export function uuid7Ms(id: string): number {
    return parseInt(id.replace(/-/g, '').slice(0, 12), 16);
}

/** Timestamps as numbers of microseconds, exactly. */
export function microseconds(timestamp: string): bigint {
    const match = /^(.{19})\.(\d{6})Z$/.exec(timestamp);
    assert.ok(match, `a timestamp with microseconds and Z: ${timestamp}`);
    return BigInt(Date.parse(`${match[1]}Z`)) * 1000n + BigInt(match[2]!);
}

/** Posts one log, expects 201, and returns its id. */
export async function postLog(server: Logmill, log: Record<string, unknown>): Promise<string> {
    const answer = await post(server, '/log', log);
    assert.equal(answer.status, 201, answer.text);
    const body = answer.json();
    assert.deepEqual(Object.keys(body).sort(), ['id', 'status']);
    assert.equal(body.status, 'queued');
    return body.id;
}

/** Posts many logs at once and expects 201. */
export async function postLogs(server: Logmill, logs: Record<string, unknown>[]): Promise<void> {
    const answer = await post(server, '/logs', logs);
    assert.equal(answer.status, 201, answer.text);
    assert.deepEqual(answer.json(), { status: 'queued', accepted: logs.length });
}

/** The log with `id`, once the worker has stored it. */
export function stored(server: Logmill, id: string): Promise<Log> {
    return eventually(`log ${id} to be stored`, async () => {
        const answer = await get(server, `/logs/${id}`);
        return answer.status === 200 ? answer.json<Log>() : undefined;
    });
}

/** GET /logs with these parameters; expects 200. */
export async function page(server: Logmill, query: string): Promise<Page> {
    const answer = await get(server, `/logs?${query}`);
    assert.equal(answer.status, 200, answer.text);
    return answer.json<Page>();
}

/** Every log that matches, newest first, by following the cursor. */
export async function allLogs(server: Logmill, query = '', limit = 1000): Promise<Log[]> {
    const logs: Log[] = [];
    let cursor = '';
    for (;;) {
        const got = await page(server, `limit=${limit}&${query}${cursor}`);
        logs.push(...got.logs);
        if (got.next === null) {
            return logs;
        }
        cursor = `&cursor=${encodeURIComponent(got.next)}`;
    }
}

/** Fails if `logs` are not strictly descending by (timestamp, id), which also rules out repeats. */
export function assertNewestFirst(logs: Log[]): void {
    for (let i = 1; i < logs.length; i++) {
        const [newer, older] = [logs[i - 1]!, logs[i]!];
        const ordered =
            newer.timestamp > older.timestamp ||
            (newer.timestamp === older.timestamp && newer.id > older.id);
        assert.ok(
            ordered,
            `${newer.timestamp} ${newer.id} stands before ${older.timestamp} ${older.id}`,
        );
    }
}

/** Samples of GET /metrics: `name` or `name{labels}` to value. */
export type Metrics = Map<string, number>;

/** Parses Prometheus text, failing if it is not that. */
export function parseMetrics(text: string): Metrics {
    const samples: Metrics = new Map();
    const types = new Map<string, string>();
    assert.ok(text.endsWith('\n'), 'the last line ends');
    for (const line of text.slice(0, -1).split('\n')) {
        if (line.startsWith('# TYPE ')) {
            const [, , name, type, ...rest] = line.split(' ');
            assert.ok(['counter', 'gauge', 'histogram'].includes(type ?? ''), line);
            assert.equal(rest.length, 0, line);
            assert.ok(!types.has(name!), `a second TYPE: ${line}`);
            types.set(name!, type!);
        } else if (!line.startsWith('# HELP ')) {
            const match =
                /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\]|\\.)*",?)*\})? (\S+)$/.exec(
                    line,
                );
            assert.ok(match, `a sample: ${line}`);
            const [, name, labels = '', value] = match;
            const base = name!.replace(/_(bucket|sum|count)$/, '');
            assert.ok(
                types.has(name!) || types.get(base) === 'histogram',
                `TYPE comes before: ${line}`,
            );
            assert.ok(value === '+Inf' || Number.isFinite(Number(value)), line);
            assert.ok(!samples.has(name! + labels), `a second sample: ${line}`);
            samples.set(name! + labels, Number(value));
        }
    }
    return samples;
}

export async function metrics(server: Logmill): Promise<Metrics> {
    const answer: Answer = await get(server, '/metrics');
    assert.equal(answer.status, 200);
    return parseMetrics(answer.text);
}

/** One metric's value, which must be there. */
export function metric(samples: Metrics, name: string): number {
    const value = samples.get(name);
    assert.ok(value !== undefined, `no metric ${name}`);
    return value;
}

/** How many answers of `status` were given. */
export function answers(samples: Metrics, status: number): number {
    return samples.get(`logmill_http_responses_total{code="${status}"}`) ?? 0;
}

/** Until nothing is left in the queue: everything answered 201 is stored or dead-lettered. */
export async function atRest(server: Logmill): Promise<Metrics> {
    return eventually('the queue to be empty', async () => {
        const samples = await metrics(server);
        /* It is missing if the queue has no time to tell. */
        return samples.get('logmill_queue_depth') === 0 ? samples : undefined;
    });
}
