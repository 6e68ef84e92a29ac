/*
 * As script.js, while READ_VUS (10) virtual users read the newest logs, and one sends a log, reads
 * it by its id until it is there, and so on: metric `visible_after`, from the 201 on.
 * Environment otherwise: see script.js.
 */
import { check } from 'k6';
import http from 'k6/http';
import { Trend } from 'k6/metrics';

import { BASE_URL, READ_HEADERS, optionsOf, postLog, ramping, summary } from './shared.js';

const READERS = Number(__ENV.READ_VUS || 10);
const PATIENCE_MS = 10000;
const READ = { headers: READ_HEADERS, tags: { kind: 'read' } };
// Until the log is stored, 404 is what is to be expected.
const FIND = {
    headers: READ_HEADERS,
    tags: { kind: 'find' },
    responseCallback: http.expectedStatuses(200, 404),
};
const PATHS = ['/logs?limit=100', '/logs?limit=100&level=info', '/logs?limit=20&offset=50'];

const visibleAfter = new Trend('visible_after', true);

export const options = optionsOf(
    { write: ramping('write'), read: ramping('read', READERS), find: ramping('find', 1) },
    { 'http_req_duration{kind:read}': [`p(95)<${__ENV.P95_MS || 500}`] },
);

export async function write() {
    await postLog();
}

function isNewestFirst(body) {
    const times = JSON.parse(String(body)).logs.map((log) => log.timestamp + log.id);
    return times.every((time, i) => i === 0 || time < times[i - 1]);
}

export async function read() {
    const path = PATHS[Math.floor(Math.random() * PATHS.length)];
    const answer = await http.asyncRequest('GET', `${BASE_URL}${path}`, null, READ);
    check(answer, {
        'read: status is 200': (a) => a.status === 200,
        'read: newest first': (a) => a.status === 200 && isNewestFirst(a.body),
    });
}

export async function find() {
    const posted = await postLog();
    if (posted.status !== 201) {
        return;
    }
    const url = `${BASE_URL}/logs/${JSON.parse(String(posted.body)).id}`;
    const began = Date.now();
    let answer;
    do {
        answer = await http.asyncRequest('GET', url, null, FIND);
    } while (answer.status === 404 && Date.now() - began < PATIENCE_MS);
    visibleAfter.add(Date.now() - began);
    check(answer, { 'find: the log is there': (a) => a.status === 200 });
}

export const handleSummary = summary;
