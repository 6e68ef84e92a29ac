/*
 * Each virtual user sends one batch of BATCH (100) logs after another, as NDJSON to POST /logs.
 * Environment otherwise: see script.js.
 */
import { check } from 'k6';
import exec from 'k6/execution';

import { logOf, optionsOf, post, ramping, summary } from './shared.js';

const BATCH = Number(__ENV.BATCH || 100);
const HEADERS = { 'Content-Type': 'application/x-ndjson' };

export const options = optionsOf({ write: ramping('write') });

export async function write() {
    const vu = exec.vu.idInTest;
    const first = exec.vu.iterationInScenario * BATCH;
    let body = '';
    for (let n = first; n < first + BATCH; n++) {
        body += `${JSON.stringify(logOf(vu, n))}\n`;
    }
    const answer = await post('/logs', body, HEADERS, vu, first, BATCH);
    check(answer, {
        'status is 201': (a) => a.status === 201,
        'all are accepted': (a) => a.body === `{"status":"queued","accepted":${BATCH}}`,
    });
}

export const handleSummary = summary;
