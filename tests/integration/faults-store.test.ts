/*
 * PostgreSQL and Redis killed, restarted, refusing and lying, with numbered logs sent throughout:
 * what was answered 201 is stored exactly once, in order, clients notice nothing, and nothing needs
 * a restart.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';

import { type Lab, type Logmill, eventually, runLogmill, scenario, sleep } from '../support/harness';
import { RawConnection, get } from '../support/http';
import { Load } from '../support/load';
import { allLogs, atRest, metric, metrics, postLog } from '../support/logs';
import { type Site, assertBalanced, sharedCloud } from '../support/servers/cloud';

/** For how long the embedded queue has to stand in for PostgreSQL. */
const OUTAGE_MS = Number(process.env['OUTAGE_SECONDS'] ?? 10) * 1000;

const { cloud, end } = sharedCloud();

interface Under {
    site: Site;
    api: Logmill;
    worker: Logmill;
    load: Load;
}

async function taken(load: Load, n: number): Promise<void> {
    const before = load.acknowledged;
    await eventually('logs to be taken', async () => load.acknowledged >= before + n);
}

/** More logs in PostgreSQL than there were: the worker stores again. */
async function storing(site: Site, worker: Logmill): Promise<void> {
    const before = (await site.account([worker])).stored;
    await eventually('the worker to go on by itself', async () => {
        return (await site.account([worker])).stored > before;
    });
}

/** Numbered logs while `body` makes faults; at the end all is there and adds up. */
async function underLoad(lab: Lab, body: (under: Under) => Promise<void>): Promise<Under> {
    const site = await (await cloud()).site({ visibilityTimeout: 3 });
    const [api, worker] = await Promise.all([site.api(lab), site.worker(lab)]);
    const load = new Load(() => api, ['single', 'single', 'single', 'batch', 'batch']);
    const under = { site, api, worker, load };
    load.pauseMs = 5;
    try {
        await storing(site, worker);
        await body(under);
        await storing(site, worker);
        await taken(load, 50);
    } finally {
        await load.stop();
    }
    assert.deepEqual(load.refusals, [], 'clients noticed nothing');
    assert.equal(load.failures, 0);
    await site.verify(load);
    const account = await site.account([api, worker]);
    assert.equal(account.accepted, load.acknowledged);
    assert.equal((await site.rows()).length, account.accepted);
    // What was committed and not confirmed is met again, and counted then.
    const { accepted, stored, repeated, redelivered } = account;
    assert.ok(stored <= accepted, JSON.stringify(account));
    assert.ok(accepted <= stored + repeated + redelivered, JSON.stringify(account));
    assert.equal(account.dead, 0);
    return under;
}

scenario('kill -9 of PostgreSQL in the middle of batches, and its restart, twice', async (lab) => {
    await underLoad(lab, async ({ site, worker, load }) => {
        for (let round = 0; round < 2; round++) {
            await sleep(Math.random() * 500);
            await site.cloud.postgres.kill();
            await taken(load, 200);
            await sleep(1000);
            await site.cloud.postgres.start();
            await storing(site, worker);
        }
    });
});

scenario('PostgreSQL ends all sessions (a fast restart), and hangs for a while', async (lab) => {
    await underLoad(lab, async ({ site, worker, load }) => {
        const { postgres } = site.cloud;
        await postgres.endSessions();
        await storing(site, worker);
        await postgres.stop();
        await postgres.start();
        await storing(site, worker);
        postgres.hang();
        try {
            await taken(load, 200);
            await sleep(4000);
        } finally {
            postgres.goOn();
        }
    });
});

scenario('PostgreSQL is read-only for a while, as after a failover', async (lab) => {
    const { worker } = await underLoad(lab, async ({ site, api, worker, load }) => {
        await site.cloud.postgres.setReadOnly(true);
        try {
            await taken(load, 200);
            await said(worker, /read-only/);
            await sleep(1500);
            assert.equal((await get(api, '/logs?limit=5&q=client')).status, 200, 'it can be read');
        } finally {
            await site.cloud.postgres.setReadOnly(false);
        }
    });
    assertSaidCalmly(worker);
});

scenario('PostgreSQL is out of connections for a while', async (lab) => {
    const { worker } = await underLoad(lab, async ({ site, worker, load }) => {
        const { postgres } = site.cloud;
        await postgres.query('ALTER ROLE logmill CONNECTION LIMIT 0');
        try {
            await postgres.endSessions();
            await taken(load, 200);
            await said(worker, /too many connections/);
            await sleep(1500);
        } finally {
            await postgres.query('ALTER ROLE logmill CONNECTION LIMIT -1');
        }
    });
    assertSaidCalmly(worker);
});

async function said(process: Logmill, what: RegExp): Promise<void> {
    await eventually(`${what} to be told`, async () => what.test(process.stderr));
}

/** Faults are told, and not with every try. */
function assertSaidCalmly(process: Logmill): void {
    const said = process.diagnostics().filter((line) => line.level !== 'info');
    assert.ok(said.length > 0 && said.length < 60, `${said.length} lines\n${process.stderr}`);
}

scenario(
    'a read that PostgreSQL does not answer is given up after QUERY_TIMEOUT: 503',
    async (lab) => {
        const site = await (await cloud()).site();
        const { REDIS_URL: _redis, ...settings } = site.settings;
        const [api] = await Promise.all([
            lab.start({ command: 'api', settings: { ...settings, QUERY_TIMEOUT: '1' } }),
            site.worker(lab),
        ]);
        await postLog(api, { message: 'there', level: 'info' });
        await site.stored(1);
        await site.cloud.postgres.holding('LOCK TABLE logs', async () => {
            const answers = await Promise.all(
                ['/logs', '/logs/stats'].map((path) => get(api, path)),
            );
            assert.deepEqual(
                answers.map((answer) => answer.status),
                [503, 503],
            );
            assert.equal((await get(api, '/health')).status, 200);
            await postLog(api, { message: 'meanwhile', level: 'info' });
        });
        assert.equal((await get(api, '/logs')).status, 200);
        await site.stored(2);
    },
);

for (const [what, limits, named] of [
    ['of all clients', { MAX_READS: '20' }, '20 (MAX_READS)'],
    ['of one', { MAX_READS_PER_CLIENT: '20' }, '20 of one client (MAX_READS_PER_CLIENT)'],
] as const) {
    scenario(`reads wait for a silent store, so many ${what}; one more is answered 503`, async (lab) => {
        const site = await (await cloud()).site();
        const { REDIS_URL: _redis, ...settings } = site.settings;
        const [api] = await Promise.all([
            lab.start({ command: 'api', settings: { ...settings, ...limits } }),
            site.worker(lab),
        ]);
        await postLog(api, { message: 'there', level: 'info' });
        await site.stored(1);
        const clients = await Promise.all(
            Array.from({ length: 25 }, () => RawConnection.open(api)),
        );
        lab.finally(() => clients.forEach((client) => client.close()));
        await site.cloud.postgres.holding('LOCK TABLE logs', async () => {
            clients.forEach((client) => client.send('GET /logs HTTP/1.1\r\nHost: h\r\n\r\n'));
            await eventually('five that are refused', async () => {
                const refused = clients.filter((c) => c.unread.startsWith('HTTP/1.1 503'));
                return refused.length === 5;
            });
            assert.equal((await get(api, '/health')).status, 200);
            assert.equal(
                metric(await metrics(api), `logmill_reads_refused_total{reason="${
                    'MAX_READS' in limits ? 'all' : 'client'
                }"}`),
                5,
            );
        });
        const refusal = { detail: `too many reads wait: at most ${named}, try again later` };
        for (const client of clients) {
            const answer = await client.answer();
            if (answer.status === 503) {
                assert.deepEqual(answer.json(), refusal);
                assert.ok(Number(answer.headers['retry-after']) >= 1);
            } else {
                assert.equal(answer.status, 200);
            }
        }
    });
}

scenario('the table is locked for longer than the visibility timeout', async (lab) => {
    const { site, api, worker } = await underLoad(lab, async ({ site, load }) => {
        await site.cloud.postgres.holding('LOCK TABLE logs IN EXCLUSIVE MODE', async () => {
            await taken(load, 100);
            await sleep(4000);
        });
    });
    assertBalanced(await site.account([api, worker]));
});

scenario('Redis is away from the start on: all goes on without it', async (lab) => {
    const site = await (await cloud()).site();
    await site.cloud.redis.kill();
    lab.finally(() => site.cloud.redis.ensure());
    const [api, worker] = await Promise.all([site.api(lab), site.worker(lab)]);
    const load = new Load(() => api, ['single', 'batch']);
    try {
        await taken(load, 100);
        await storing(site, worker);
        const answer = await get(api, '/logs?limit=5');
        assert.equal(answer.status, 200, answer.text);
        assert.equal(answer.headers['x-cache'], 'bypass');
    } finally {
        await load.stop();
    }
    await site.verify(load);
    assertSaidCalmly(worker);
});

scenario(
    'Redis killed, hanging, back with old data: writes and reads go on, and no answer stays wrong',
    async (lab) => {
        const { site, api } = await underLoad(lab, async ({ site, api, worker, load }) => {
            const { redis } = site.cloud;
            const reads = async (): Promise<void> => {
                for (let n = 0; n < 10; n++) {
                    const answer = await get(api, '/logs?limit=20');
                    assert.equal(answer.status, 200, answer.text);
                    assert.equal(answer.json().logs.length, 20);
                }
            };
            await redis.save();
            await taken(load, 200);
            await redis.kill();
            await taken(load, 100);
            await reads();
            await storing(site, worker);
            await redis.start(); // with what it held before
            await taken(load, 100);
            await reads();
            redis.hang();
            try {
                await storing(site, worker);
                await reads();
            } finally {
                redis.goOn();
            }
        });
        const rows = (await site.rows()).reverse();
        await eventually('a hit that is right', async () => {
            const answer = await get(api, '/logs?limit=1000');
            assert.equal(answer.status, 200);
            if (answer.headers['x-cache'] !== 'hit') {
                return false;
            }
            assert.deepEqual(answer.json().logs, rows.slice(0, 1000));
            return true;
        });
    },
);

/* ---- The embedded queue in front of PostgreSQL ---- */

/** Settings of `serve` with the embedded queue over PostgreSQL, without a cache. */
function embedded(site: Site): Record<string, string> {
    const { SQS_QUEUE_URL: _url, REDIS_URL: _redis, ...settings } = site.settings;
    return settings;
}

scenario(
    `the embedded queue stands in for a PostgreSQL that is down for ${OUTAGE_MS / 1000} s, kill -9 included`,
    async (lab) => {
        const site = await (await cloud()).site();
        const { postgres } = site.cloud;
        const folder = lab.folder();
        const start = (): Promise<Logmill> => lab.start({ settings: embedded(site) }, folder);
        let server: Logmill | undefined = await start();
        const load = new Load(() => server, ['single', 'single', 'batch', 'batch', 'retry']);
        try {
            await taken(load, 100);
            await postgres.kill();
            load.pauseMs = 20;
            const end = Date.now() + OUTAGE_MS;
            await taken(load, 500);
            assert.ok(metric(await metrics(server!), 'logmill_queue_depth') > 0);
            assert.equal((await get(server!, '/ready')).status, 200, 'it takes logs');
            assert.equal((await get(server!, '/logs')).status, 503, 'and says it cannot read');
            const killed: Logmill = server!;
            server = undefined;
            await killed.kill();
            server = await start(); // while PostgreSQL is away
            await taken(load, 100);
            await sleep(end - Date.now());
            await postgres.start();
            await site.stored(600);
            await taken(load, 100);
        } finally {
            await load.stop();
        }
        assert.deepEqual(load.refusals, [], 'clients noticed only the kill');
        await atRest(server!);
        await site.verify(load);
        assert.deepEqual((await allLogs(server!)).reverse(), await site.rows());
        await server!.stop();
    },
    { timeoutMs: 900_000 + OUTAGE_MS },
);

scenario('PostgreSQL is away at the start of all processes, and comes later', async (lab) => {
    const site = await (await cloud()).site({ visibilityTimeout: 3 });
    const { postgres } = site.cloud;
    await postgres.kill();
    lab.finally(() => postgres.ensure());
    const [api, worker, serve] = await Promise.all([
        site.api(lab),
        site.worker(lab),
        lab.start({ settings: embedded(site) }),
    ]);
    const loads = [api, serve].map((target) => new Load(() => target, ['single', 'batch']));
    try {
        for (const load of loads) {
            await taken(load, 100);
        }
        await sleep(500);
        await postgres.start();
        await site.stored(200);
    } finally {
        await Promise.all(loads.map((load) => load.stop()));
    }
    await site.atRest();
    await atRest(serve);
    const rows = await site.rows();
    assert.equal(rows.length, loads[0]!.acknowledged + loads[1]!.acknowledged);
    const account = await site.account([api, worker, serve]);
    assert.equal(account.stored, rows.length);
    assertBalanced(account);
});

/* ---- What is set up wrongly ---- */

scenario('a wrong password of PostgreSQL is told clearly, and the password is not', async (lab) => {
    const site = await (await cloud()).site();
    const right = site.settings['DATABASE_PASS']!;
    const wrong = 'wrong-password-of-the-tests';
    const { url } = site.cloud.postgres;
    const {
        DATABASE_HOST: _host,
        DATABASE_PORT: _port,
        DATABASE_NAME: _name,
        DATABASE_USER: _user,
        DATABASE_PASS: _pass,
        ...rest
    } = site.settings;
    const ways = [
        { ...site.settings, DATABASE_PASS: wrong },
        { ...rest, DATABASE_URL: url.replace(encodeURIComponent(right), wrong) },
    ];
    for (const settings of ways) {
        const ran = await runLogmill(['migrate'], settings);
        assert.equal(ran.code, 1);
        assert.equal(ran.stderr.trim().split('\n').length, 1, ran.stderr);
        assert.match(ran.stderr, /password authentication failed for user/);
        assert.ok(!ran.stderr.includes(wrong), ran.stderr);

        const worker = await lab.start({ command: 'worker', settings });
        await eventually('it to be told', async () =>
            worker.stderr.includes('password authentication failed for user'),
        );
        await sleep(1000);
        const cmdline = readFileSync(`/proc/${worker.pid}/cmdline`, 'utf8');
        assert.ok(!(worker.stderr + worker.stdout + cmdline).includes(wrong), worker.stderr);
        assertSaidCalmly(worker);
        await worker.stop();
        const shown = await runLogmill(['config'], settings);
        assert.equal(shown.code, 0);
        assert.ok(!shown.stdout.includes(wrong), 'config masks it');
    }
});

scenario(
    'a database that does not exist and a server that is not there are told clearly',
    async () => {
        const site = await (await cloud()).site();
        const missing = await runLogmill(['migrate'], {
            ...site.settings,
            DATABASE_NAME: 'nowhere',
        });
        assert.equal(missing.code, 1);
        assert.match(missing.stderr, /database \\"nowhere\\" does not exist/);
        assert.equal(missing.stderr.trim().split('\n').length, 1, missing.stderr);
        const away = await runLogmill(['migrate'], { ...site.settings, DATABASE_PORT: '1' });
        assert.equal(away.code, 1);
        assert.match(away.stderr, /refused/);
        assert.equal(away.stderr.trim().split('\n').length, 1, away.stderr);
    },
);

end();
