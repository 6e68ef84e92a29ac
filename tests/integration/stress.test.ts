/*
 * The stress test's own parts: its scripts, run for a moment by stress-test/drive, and the check of
 * the store. `make stress` itself is no test.
 */
import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import * as path from 'node:path';
import test from 'node:test';

import { Authority } from '../support/certificates';
import { type Lab, ROOT, environment, eventually, runLogmill, scenario } from '../support/harness';
import { metrics } from '../support/logs';

const STRESS = path.join(ROOT, 'stress-test');
const THRESHOLD_NOT_KEPT = 99;

interface Report {
    status: number;
    output: string;
    html: string;
    metrics: Record<string, { values: Record<string, number> }>;
}

/** Two users for two seconds; times are not judged unless `settings` say so. */
async function drive(
    lab: Lab,
    script: string,
    port: number,
    settings: Record<string, string> = {},
): Promise<Report> {
    const report = path.join(lab.folder(), 'report');
    const env = environment({
        BASE_URL: `http://127.0.0.1:${port}`,
        REPORT: report,
        TARGET_VUS: '2',
        READ_VUS: '1',
        RAMP_UP: '500ms',
        STEADY: '1s',
        RAMP_DOWN: '500ms',
        P95_MS: '60000',
        ...settings,
    });
    const args = [path.join(STRESS, 'drive', 'main.js'), path.join(STRESS, script)];
    const [status, output] = await new Promise<[number, string]>((resolve) => {
        execFile(process.execPath, args, { env, maxBuffer: 2 ** 28 }, (error, out, err) =>
            resolve([error === null ? 0 : Number(error.code), out + err]),
        );
    });
    assert.ok([0, THRESHOLD_NOT_KEPT].includes(status), output.slice(-4000));
    const json = JSON.parse(readFileSync(`${report}.json`, 'utf8')) as Pick<Report, 'metrics'>;
    return { status, output, html: readFileSync(`${report}.html`, 'utf8'), ...json };
}

const count = (report: Report, metric: string): number => report.metrics[metric]!.values['count']!;

for (const script of ['script.js', 'batch.js', 'read-while-write.js']) {
    scenario(`${script} passes, and counts what the service stores`, async (lab) => {
        const logmill = await lab.start();
        const report = await drive(lab, script, logmill.port);
        assert.equal(report.status, 0, report.output);
        assert.equal(count(report, 'logs_refused'), 0);
        assert.ok(count(report, 'logs_accepted') > 0);
        assert.ok(report.metrics['http_req_duration']!.values['p(99)']! > 0);
        assert.match(report.html, /logs_accepted/);
        await eventually('all logs to be stored', async () => {
            const stored = (await metrics(logmill)).get('logmill_logs_stored_total');
            return stored === count(report, 'logs_accepted');
        });
    });
}

scenario('the scripts send and read by TLS with keys, and are refused without', async (lab) => {
    const folder = lab.folder();
    const authority = new Authority(folder, 'authority');
    const { cert, key } = authority.sign('localhost', 'DNS:localhost,IP:127.0.0.1');
    const keysFile = path.join(folder, 'keys');
    const make = async (role: string): Promise<string> => {
        const ran = await runLogmill(['keys', 'add', role, '--role', role], { KEYS_FILE: keysFile });
        return ran.stdout.trim();
    };
    const keys = { LOGMILL_KEY: await make('write'), LOGMILL_READ_KEY: await make('read') };
    const logmill = await lab.start({
        settings: { TLS_CERT_FILE: cert, TLS_KEY_FILE: key, KEYS_FILE: keysFile },
        ca: readFileSync(authority.cert, 'utf8'),
    });
    const by = {
        BASE_URL: `https://localhost:${logmill.port}`,
        NODE_EXTRA_CA_CERTS: authority.cert,
    };
    const report = await drive(lab, 'read-while-write.js', logmill.port, { ...by, ...keys });
    assert.equal(report.status, 0, report.output);
    assert.equal(count(report, 'logs_refused'), 0);
    assert.ok(count(report, 'logs_accepted') > 0);
    const none = await drive(lab, 'script.js', logmill.port, by);
    assert.equal(none.status, THRESHOLD_NOT_KEPT);
    assert.equal(count(none, 'logs_accepted'), 0);
    assert.match(none.output, /refused vu=\d+ first=\d+ logs=1 status=401/);
});

/** A service that gives the `n`th request of all an answer: status and body. */
async function fake(lab: Lab, answer: (n: number) => [number, string]): Promise<number> {
    let n = 0;
    const server = http.createServer((request, response) => {
        request.resume().on('end', () => {
            const [status, body] = answer(n++);
            response.writeHead(status, { 'Content-Length': Buffer.byteLength(body) }).end(body);
        });
    });
    lab.finally(() => {
        server.close();
        server.closeAllConnections();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
}

const QUEUED = '{"status":"queued","id":"01890a5d-ac96-774b-bcce-b302099a8057"}';

scenario('the script fails where one of a hundred answers is an error, and tells which', async (lab) => {
    const port = await fake(lab, (n) => (n % 100 === 7 ? [503, '{}'] : [201, QUEUED]));
    const report = await drive(lab, 'script.js', port);
    assert.equal(report.status, THRESHOLD_NOT_KEPT);
    assert.match(report.output, /http_req_failed: .*rate<0\.001: NOT KEPT/);
    const told = report.output.match(/refused vu=[12] first=\d+ logs=1 status=503/g) ?? [];
    assert.equal(told.length, count(report, 'logs_refused'));
    assert.ok(told.length > 0);
});

scenario('the script fails where an answer is 201 with the wrong body', async (lab) => {
    const port = await fake(lab, () => [201, '{"status":"queued"}']);
    const report = await drive(lab, 'script.js', port);
    assert.equal(report.status, THRESHOLD_NOT_KEPT);
    assert.match(report.output, /checks: .*rate>0\.999: NOT KEPT/);
});

scenario('the script fails where answers are slower than its threshold', async (lab) => {
    const port = await fake(lab, () => [201, QUEUED]);
    const report = await drive(lab, 'script.js', port, { P95_MS: '0.0001' });
    assert.equal(report.status, THRESHOLD_NOT_KEPT);
    assert.match(report.output, /http_req_duration: .*p\(95\)<0\.0001: NOT KEPT/);
});

void test('the check of the store finds what is lost and what is doubled', async () => {
    const [error, output] = await new Promise<[Error | null, string]>((resolve) => {
        execFile('python3', [path.join(STRESS, 'test_check.py')], (e, _, err) => resolve([e, err]));
    });
    assert.equal(error, null, output);
    assert.match(output, /Ran [1-9]\d* tests/);
});
