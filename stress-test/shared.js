/*
 * What the scripts share. They run under k6, and under `drive/` if there is no k6; so they use
 * only what both have, and read exec.vu before their first await.
 *
 * Every log carries the number of its virtual user (vu) and its own number among those of that
 * user (n = 0, 1, 2, …), so that what is stored can be compared with what was answered: check.py.
 */
import { check } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Counter } from 'k6/metrics';

export const BASE_URL = __ENV.BASE_URL || 'http://127.0.0.1:8000';
const VUS = Number(__ENV.TARGET_VUS || 100);
const RUN = __ENV.RUN || 'stress';
const REPORT = __ENV.REPORT || 'report';

/** The header that bears a key; none where there is no key. */
const bearing = (key) => (key ? { Authorization: `Bearer ${key}` } : {});

/** For requests that read. A key that writes may not, but an admin's may both. */
export const READ_HEADERS = bearing(__ENV.LOGMILL_READ_KEY || __ENV.LOGMILL_KEY);
const WRITE_HEADERS = bearing(__ENV.LOGMILL_KEY);
const JSON_HEADERS = { 'Content-Type': 'application/json' };
const UUID7 = '[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}';
const QUEUED = new RegExp(`^\\{"status":"queued","id":"${UUID7}"\\}$`);

export const accepted = new Counter('logs_accepted'); // answered 201
export const refused = new Counter('logs_refused'); // any other answer, or none

/** A scenario of users that come, stay and leave again. */
export function ramping(exec_, vus = VUS) {
    return {
        executor: 'ramping-vus',
        exec: exec_,
        startVUs: 0,
        stages: [
            { duration: __ENV.RAMP_UP || '1m', target: vus },
            { duration: __ENV.STEADY || '3m', target: vus },
            { duration: __ENV.RAMP_DOWN || '1m', target: 0 },
        ],
        gracefulRampDown: '30s',
    };
}

/** The options of a script; a threshold that is not kept makes the run fail. */
export function optionsOf(scenarios, thresholds = {}) {
    return {
        scenarios,
        thresholds: {
            http_req_failed: ['rate<0.001'],
            http_req_duration: [`p(95)<${__ENV.P95_MS || 500}`],
            checks: ['rate>0.999'],
            ...thresholds,
        },
        summaryTrendStats: ['avg', 'min', 'med', 'max', 'p(95)', 'p(99)'],
    };
}

/** The log number `n` of user `vu`. */
export function logOf(vu, n) {
    return {
        level: 'info',
        message: 'GET /cart/items 200 in 12 ms for customer 48151623',
        service: 'shop',
        run: RUN,
        vu,
        n,
    };
}

/** Sends `body`, which is the logs `first` to `first + logs - 1` of user `vu`; returns the answer. */
export async function post(path, body, headers, vu, first, logs = 1) {
    const answer = await http.asyncRequest('POST', `${BASE_URL}${path}`, body, {
        headers: { ...headers, ...WRITE_HEADERS },
        tags: { kind: 'write' },
    });
    if (answer.status === 201) {
        accepted.add(logs);
    } else {
        refused.add(logs);
        // check.py reads these lines: what became of such logs is not promised.
        console.warn(`refused vu=${vu} first=${first} logs=${logs} status=${answer.status}`);
    }
    return answer;
}

/** Sends the next log of this user, and checks the answer. */
export async function postLog() {
    const vu = exec.vu.idInTest;
    const n = exec.vu.iterationInScenario;
    const answer = await post('/log', JSON.stringify(logOf(vu, n)), JSON_HEADERS, vu, n);
    check(answer, {
        'status is 201': (a) => a.status === 201,
        'body is {"status":"queued","id":…}': (a) => QUEUED.test(String(a.body)),
    });
    return answer;
}

/* ---- The summary ---- */

const number = (value) => (Number.isInteger(value) ? String(value) : value.toFixed(3));

/** One row for each metric: [name, text of its values, text of its thresholds, all kept]. */
function rowsOf(data) {
    return Object.keys(data.metrics)
        .sort()
        .map((name) => {
            const { values, thresholds = {} } = data.metrics[name];
            const rules = Object.entries(thresholds);
            return [
                name,
                Object.entries(values)
                    .map(([key, value]) => `${key}=${number(value)}`)
                    .join('  '),
                rules.map(([rule, { ok }]) => `${rule}: ${ok ? 'kept' : 'NOT KEPT'}`).join('; '),
                rules.every(([, { ok }]) => ok),
            ];
        });
}

const escape = (text) =>
    text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

function pageOf(rows) {
    const cells = rows.map(
        ([name, values, rules, ok]) =>
            `<tr class="${ok ? 'kept' : 'broken'}"><th>${escape(name)}</th>` +
            `<td>${escape(values)}</td><td>${escape(rules)}</td></tr>`,
    );
    return `<!doctype html><html lang="en"><meta charset="utf-8"><title>logmill stress test</title>
<style>body{font:15px sans-serif;margin:2em}table{border-collapse:collapse}
th,td{text-align:left;padding:.3em 1em;border-bottom:1px solid #ccc}
.broken{background:#fdd}</style>
<h1>logmill stress test</h1><p>${escape(BASE_URL)}, up to ${VUS} virtual users</p>
<table><tr><th>metric</th><th>values</th><th>thresholds</th></tr>
${cells.join('\n')}
</table></html>
`;
}

/** To the terminal, and to REPORT.html and REPORT.json. */
export function summary(data) {
    const rows = rowsOf(data);
    const lines = rows.map(([name, values, rules]) => `${name}: ${values}${rules && `  [${rules}]`}`);
    return {
        stdout: `${lines.join('\n')}\n`,
        [`${REPORT}.html`]: pageOf(rows),
        [`${REPORT}.json`]: `${JSON.stringify(data, null, 1)}\n`,
    };
}
