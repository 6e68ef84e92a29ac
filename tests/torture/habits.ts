/* The ways in which writers send logs, right and wrong. */
import type * as http from 'node:http';
import * as zlib from 'node:zlib';

import type { Request } from '../support/http';
import { sleep } from '../support/harness';
import { type Page, uuid7 } from '../support/logs';
import { Stay } from './ledger';
import { CLOCK_DAYS, DAY_MS, KEPT_DAYS } from './setups';
import type { Writer } from './writers';

/** MAX_HEADER_BYTES is 16384, of which Node's own headers take some; JSON may nest 128 deep. */
const HEADER_TAKEN = 15_500;
const HEADER_REFUSED = 16_500;
const DEPTH_TAKEN = 120;
const DEPTH_REFUSED = 130;

const JSON_TYPE = { 'Content-Type': 'application/json' };
const GZIP_TYPE = { ...JSON_TYPE, 'Content-Encoding': 'gzip' };
const NDJSON_TYPE = { 'Content-Type': 'application/x-ndjson' };

function single(w: Writer, padding = w.dice.int(0, 300)): Promise<unknown> {
    const n = w.open(1, padding);
    return w.send(n, {
        path: '/log',
        headers: JSON_TYPE,
        body: JSON.stringify(w.log(n, 0, padding)),
    });
}

/** Many logs as an array or NDJSON, some of them compressed or in chunks. */
function many(w: Writer, ndjson: boolean, coding: 'plain' | 'gzip' | 'chunks'): Promise<unknown> {
    const size = w.dice.chance(0.1) ? w.dice.int(100, 400) : w.dice.int(1, 12);
    const padding = w.dice.int(0, 150);
    const n = w.open(size, padding);
    const logs = Array.from({ length: size }, (_, k) => JSON.stringify(w.log(n, k, padding)));
    const body = Buffer.from(ndjson ? logs.join('\n') : `[${logs.join(',')}]`);
    const headers = ndjson ? NDJSON_TYPE : JSON_TYPE;
    const request = { path: '/logs', headers };
    switch (coding) {
        case 'plain':
            return w.send(n, { ...request, body });
        case 'gzip':
            return w.send(n, {
                path: '/logs',
                headers: { ...headers, 'Content-Encoding': 'gzip' },
                body: zlib.gzipSync(body),
            });
        case 'chunks': {
            const cut = w.dice.int(0, body.length);
            return w.send(n, { ...request, pieces: [body.subarray(0, cut), body.subarray(cut)] });
        }
    }
}

/** A log with the client's own id, sent until it is taken, now and then twice at once. */
async function retry(w: Writer): Promise<void> {
    const padding = w.dice.int(0, 300);
    const ms = Date.now() - (w.dice.chance(0.3) ? w.dice.int(0, 3 * DAY_MS) : 0);
    const id = uuid7(ms);
    const n = w.open(1, padding, id);
    const body = JSON.stringify(
        w.log(
            n,
            0,
            padding,
            w.dice.chance(0.5) ? { id } : { id, timestamp: new Date(ms).toISOString() },
        ),
    );
    const send = (): Promise<boolean> => w.send(n, { path: '/log', headers: JSON_TYPE, body });
    for (let tries = 0; tries < 300 && (tries === 0 || w.isGoing); tries++) {
        const taken = await (w.dice.chance(0.2) ? Promise.all([send(), send()]) : [await send()]);
        if (taken.includes(true)) {
            return;
        }
        await sleep(100);
    }
}

/** Days ago that are certainly kept, or not. */
const KEPT_LEAST = KEPT_DAYS.debug - CLOCK_DAYS;
const LONG_AGO = KEPT_DAYS.all + CLOCK_DAYS;

/** Milliseconds of what happened long ago, or will; `stay` says whether it is kept. */
function oddTime(w: Writer, stay: Stay): number {
    const now = Date.now();
    if (stay === Stay.goes) {
        return w.dice.chance(0.2)
            ? w.dice.int(-60_000 * DAY_MS, now - LONG_AGO * DAY_MS)
            : now - w.dice.int(LONG_AGO * DAY_MS, 2 * LONG_AGO * DAY_MS);
    }
    return w.dice.chance(0.1)
        ? w.dice.int(now, 100_000 * DAY_MS)
        : now - w.dice.int(0, KEPT_LEAST * DAY_MS);
}

/** Logs that happened long ago, or will; some are too old to be kept. */
function dated(w: Writer): Promise<unknown> {
    const size = w.dice.int(1, 5);
    const stay = w.dice.chance(0.3) ? Stay.goes : Stay.stays;
    const n = w.open(size, 10, undefined, stay);
    const logs = Array.from({ length: size }, (_, k) =>
        w.log(n, k, 10, { timestamp: new Date(oddTime(w, stay)).toISOString() }),
    );
    return w.send(n, { path: '/logs', headers: JSON_TYPE, body: JSON.stringify(logs) });
}

/** A log as old as logs of one level may not be, and others may. */
function datedLevel(w: Writer): Promise<unknown> {
    const n = w.open(1, 10);
    const ms =
        Date.now() -
        w.dice.int(
            (KEPT_DAYS.debug + CLOCK_DAYS) * DAY_MS,
            (KEPT_DAYS.all - CLOCK_DAYS) * DAY_MS,
        );
    const log = w.log(n, 0, 10, { timestamp: new Date(ms).toISOString() });
    w.settle(n, (log as { level: string }).level === 'debug' ? Stay.goes : Stay.stays);
    return w.send(n, { path: '/log', headers: JSON_TYPE, body: JSON.stringify(log) });
}

const DELETE_TRIES = 40;

/** Logs that are deleted by a filter once they are there, and sent again. */
async function deleted(w: Writer): Promise<void> {
    const size = w.dice.int(1, 30);
    const n = w.open(size, 20, undefined, Stay.maybe);
    const mark = w.mark(n);
    const ids: string[] = [];
    const logs = Array.from({ length: size }, (_, k) => {
        const ms = Date.now() - (w.dice.chance(0.5) ? w.dice.int(0, 3 * DAY_MS) : 0);
        ids.push(uuid7(ms));
        const more = { id: ids[k], timestamp: new Date(ms).toISOString(), mark };
        return w.log(n, k, 20, more);
    });
    const request = { path: '/logs', headers: JSON_TYPE, body: JSON.stringify(logs) };
    const found = async (): Promise<number | undefined> => {
        const answer = await w.read(`/logs?limit=100&attr.mark=${mark}`);
        return answer?.status === 200 ? answer.json<Page>().logs.length : undefined;
    };
    let taken = false;
    for (let tries = 0; !taken && w.isGoing && tries < DELETE_TRIES; tries++) {
        taken = await w.send(n, request);
    }
    let there = false; // until then the queue may have them
    for (let tries = 0; taken && !there && w.isGoing && tries < DELETE_TRIES; tries++) {
        await sleep(w.dice.between(50, 500));
        there = (await found()) === size;
    }
    if (!there) {
        return;
    }
    let done = false;
    while (!done && w.isGoing) {
        await sleep(w.dice.between(0, 2000)); // they get older, and into other segments
        done = await w.delete('mark', mark);
    }
    if (!done) {
        return;
    }
    w.settle(n, Stay.goes);
    w.count('logmill delete');
    await sleep(w.setup.staleMs);
    const left = await found();
    if (left !== undefined && left > 0) {
        w.find(`${mark}: ${left} of ${size} logs are there after they were deleted`);
    }
    const one = await w.read(`/logs/${w.dice.pick(ids)}`);
    if (one?.status === 200) {
        w.find(`${mark}: a deleted log is read by its id: ${one.text.slice(0, 300)}`);
    }
    if (w.dice.chance(0.7) && (await w.send(n, request))) {
        w.count('deleted logs sent again');
    }
}

/** Within `depth` arrays. */
function nested(depth: number): unknown {
    let value: unknown = 'deep';
    for (let n = 0; n < depth; n++) {
        value = [value];
    }
    return value;
}

/** A body just at, under or above what is taken, plain or compressed. */
async function largeBody(w: Writer): Promise<void> {
    const { takenBytes, refusedBytes } = w.setup;
    const above = w.dice.chance(0.4);
    const n = w.open(1, 0);
    const bare = Buffer.byteLength(JSON.stringify(w.log(n, 0, 0)));
    const length = above
        ? refusedBytes + w.dice.pick([1, 2, 1000])
        : takenBytes - w.dice.pick([0, 0, 1, 999]);
    const padding = length - bare;
    const body = JSON.stringify(w.log(n, 0, padding));
    w.resize(n, padding);
    const request: Request = w.dice.chance(0.3)
        ? { path: '/log', headers: GZIP_TYPE, body: zlib.gzipSync(body) }
        : { path: '/log', headers: JSON_TYPE, body };
    await (above ? w.wrong(n, request, [413]) : w.send(n, request));
}

/** A body, a header, or a depth of nesting at its limit. */
async function limits(w: Writer): Promise<void> {
    if (w.dice.chance(0.6)) {
        return largeBody(w);
    }
    const n = w.open(1, 0);
    const deep = w.dice.chance(0.5);
    const log = w.log(n, 0, 0, deep ? { deep: nested(DEPTH_TAKEN) } : {});
    const headers = deep ? JSON_TYPE : { ...JSON_TYPE, 'X-Long': 'h'.repeat(HEADER_TAKEN) };
    await w.send(n, { path: '/log', headers, body: JSON.stringify(log) });
}

/** What has to be refused, whole. */
function refused(w: Writer): Promise<void> {
    const n = w.open(3, 0);
    const logs: unknown[] = [0, 1, 2].map((k) => w.log(n, k, 0));
    const whole = JSON.stringify(logs);
    const wrong = (status: number, body: string, headers: http.OutgoingHttpHeaders = JSON_TYPE) =>
        w.wrong(n, { path: '/logs', headers, body }, [status]);
    switch (w.dice.int(0, 6)) {
        case 0:
            logs[w.dice.int(0, 3)] = { message: 5, level: 'info' };
            return wrong(422, JSON.stringify(logs));
        case 1:
            return wrong(422, whole.slice(0, -1));
        case 2:
            return wrong(422, whole, { 'Content-Type': 'text/plain' });
        case 3:
            return wrong(400, whole, GZIP_TYPE);
        case 4:
            logs[2] = w.log(n, 2, 0, { deep: nested(DEPTH_REFUSED) });
            return wrong(422, JSON.stringify(logs));
        default:
            return wrong(431, whole, { ...JSON_TYPE, 'X-Long': 'h'.repeat(HEADER_REFUSED) });
    }
}

export const HABITS = {
    single: (w: Writer) => single(w),
    array: (w: Writer) => many(w, false, 'plain'),
    ndjson: (w: Writer) => many(w, true, 'plain'),
    gzip: (w: Writer) => many(w, w.dice.chance(0.5), 'gzip'),
    chunked: (w: Writer) => many(w, w.dice.chance(0.5), 'chunks'),
    retry,
    deleted,
    dated: (w: Writer) => (w.dice.chance(0.3) ? datedLevel(w) : dated(w)),
    limits,
    refused,
} satisfies Record<string, (w: Writer) => Promise<unknown>>;

/** Milliseconds from one request to the next, at least and at most. */
export const PAUSES_MS: Record<keyof typeof HABITS, [number, number]> = {
    single: [0, 60],
    array: [20, 150],
    ndjson: [20, 150],
    gzip: [20, 150],
    chunked: [20, 150],
    retry: [0, 100],
    deleted: [500, 2000],
    dated: [50, 250],
    limits: [1000, 3000],
    refused: [100, 400],
};
