/*
 * SQS at its worst, with numbered logs sent throughout: whatever the queue does, each log that was
 * answered 201 is stored exactly once, in order, and the counts of the processes add up.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';

import { type Lab, type Logmill, eventually, runLogmill, scenario, sleep } from '../support/harness';
import { get, post } from '../support/http';
import { Load } from '../support/load';
import { metric, metrics, postLog, postLogs } from '../support/logs';
import { type Site, assertBalanced, sharedCloud } from '../support/servers/cloud';
import { CREDENTIALS } from '../support/servers/elasticmq';
import type { Fault, SqsProxy } from '../support/servers/proxy';

const { cloud, end } = sharedCloud();

/** In a second or two; more only where the machine is busy with something else. */
const SOON_MS = 100_000;

/** Without the habit `retry`, nothing is repeated by clients. */
const HABITS = ['single', 'single', 'single', 'batch', 'batch'] as const;

interface Under {
    site: Site;
    proxy: SqsProxy;
    api: Logmill;
    worker: Logmill;
    load: Load;
}

/** Numbered logs through a proxy while `body` makes faults; at the end all is there. */
async function underLoad(
    lab: Lab,
    body: (under: Under) => Promise<void>,
    settings: Record<string, string> = {},
): Promise<Under> {
    const site = await (await cloud()).site({ visibilityTimeout: 2 });
    const proxy = await site.proxy(lab);
    const [api, worker] = await Promise.all([site.api(lab, settings), site.worker(lab)]);
    const load = new Load(() => api, [...HABITS]);
    const under = { site, proxy, api, worker, load };
    try {
        await taken(load, 100);
        await body(under);
        proxy.fault = () => undefined;
        await taken(load, 100);
    } finally {
        proxy.fault = () => undefined;
        await load.stop();
    }
    assert.deepEqual(
        load.refusals.filter((status) => status !== 503),
        [],
        'nothing but 503 is answered',
    );
    assert.equal(load.failures, 0, 'no connection of a client was broken');
    await site.verify(load);
    assert.equal((await get(api, '/ready')).status, 200);
    return under;
}

/** Until more than `n` requests of this kind were given a fault. */
async function failed(proxy: SqsProxy, action: string, n: number): Promise<void> {
    await eventually('faults', async () => (proxy.faults.get(action) ?? 0) > n);
}

/** Until `n` more logs were answered 201. */
async function taken(load: Load, n: number): Promise<void> {
    const before = load.acknowledged;
    await eventually('logs to be taken', async () => load.acknowledged >= before + n);
}

scenario('while SQS is silent /ready says so in its own time, and /metrics waits for nobody', async (lab) => {
    const site = await (await cloud()).site();
    const api = await site.api(lab, { READY_TIMEOUT: '1', SQS_TIMEOUT: '600' });
    assert.equal(metric(await metrics(api), 'logmill_queue_up'), 1);
    site.cloud.sqs.hang();
    try {
        const started = Date.now();
        const ready = await get(api, '/ready');
        assert.equal(ready.status, 503);
        assert.deepEqual(ready.json(), {
            detail: 'the queue does not answer within 1 s (READY_TIMEOUT)',
        });
        assert.equal(metric(await metrics(api), 'logmill_queue_up'), 0);
        assert.equal((await get(api, '/health')).status, 200);
        assert.ok(Date.now() - started < SOON_MS, `after ${Date.now() - started} ms, not SQS_TIMEOUT`);
    } finally {
        site.cloud.sqs.goOn();
    }
    await eventually('/ready again', async () => (await get(api, '/ready')).status === 200);
    await eventually('the numbers of the queue again', async () => {
        return metric(await metrics(api), 'logmill_queue_up') === 1;
    });
});

scenario(
    'SQS refuses connections: 503 within SQS_TIMEOUT, /ready says so, and it goes on by itself',
    async (lab) => {
        const { api, load, site, worker } = await underLoad(
            lab,
            async ({ proxy, api, worker, load }) => {
                await proxy.refuse();
                await eventually('503', async () => load.answers(503) > 5);
                const started = Date.now();
                const refused = await post(api, '/log', { message: 'refused', level: 'info' });
                assert.equal(refused.status, 503, refused.text);
                assert.ok(Date.now() - started < SOON_MS, `after ${Date.now() - started} ms`);
                assert.ok(Number(refused.headers['retry-after']) > 0, 'Retry-After');
                assert.equal((await get(api, '/ready')).status, 503);
                assert.equal((await get(api, '/health')).status, 200);
                assert.equal(metric(await metrics(api), 'logmill_queue_up'), 0);
                // its own SQS_TIMEOUT is the usual one, and what is under way is tried until then
                await eventually('the worker to say so, too', async () =>
                    /the queue cannot be read now|could not be acknowledged/.test(worker.stderr),
                );
                await proxy.accept();
            },
            { SQS_TIMEOUT: '1' },
        );
        // A send that was refused may have been done all the same if its answer was lost.
        const account = await site.account([api, worker]);
        assert.equal(account.accepted, load.acknowledged);
        assert.equal(account.stored, (await site.rows()).length);
        assert.ok(account.stored >= account.accepted, JSON.stringify(account));
        assert.equal(account.dead, 0);
        assert.match(api.stderr, /the queue takes no logs now/);
    },
);

const STORMS: [string, Fault][] = [
    ['answers 500', { status: 500 }],
    ['answers 503', { status: 503, type: 'ServiceUnavailable' }],
    ['throttles', { status: 400, type: 'ThrottlingException' }],
    ['closes connections before it has done anything', 'drop before'],
];

for (const [what, fault] of STORMS) {
    scenario(
        `SQS ${what} to two requests of three: retries hide it, and no log is there twice`,
        async (lab) => {
            let n = 0;
            const { site, api, worker, load } = await underLoad(
                lab,
                async ({ proxy, load }) => {
                    proxy.fault = () => (n++ % 3 > 0 ? fault : undefined);
                    await taken(load, 150);
                    await failed(proxy, 'SendMessage', 10);
                },
            );
            assert.equal(load.answers(503), 0, 'no client saw it');
            const account = await site.account([api, worker]);
            assert.equal(account.accepted, load.acknowledged);
            assert.equal(account.stored, account.accepted);
            assert.equal(account.repeated, 0);
            assertBalanced(account);
        },
    );
}

scenario(
    'SQS does not answer for a while: 503 in time, and all that was in doubt is there at most once',
    async (lab) => {
        const { site, api, worker, load } = await underLoad(
            lab,
            async ({ proxy, load, api }) => {
                proxy.fault = (action) => (action === 'SendMessage' ? 'hang' : undefined);
                const started = Date.now();
                const refused = await post(api, '/log', { message: 'in doubt', level: 'info' });
                assert.equal(refused.status, 503, refused.text);
                assert.match(refused.text, /not confirmed/, 'it may have been accepted');
                assert.ok(Date.now() - started < SOON_MS, `after ${Date.now() - started} ms`);
                await eventually('503', async () => load.answers(503) > 3);
            },
            { SQS_TIMEOUT: '1' },
        );
        const account = await site.account([api, worker]);
        assert.equal(account.accepted, load.acknowledged);
        assertBalanced(account); // what hangs here was never passed on
    },
);

scenario(
    'connections dropped after SQS has accepted the send: the api sends again, and it is stored once',
    async (lab) => {
        let n = 0;
        const { site, api, worker, load } = await underLoad(lab, async ({ proxy, load }) => {
            proxy.fault = (action) =>
                action === 'SendMessage' && n++ % 2 === 0 ? 'drop after' : undefined;
            await taken(load, 200);
            await failed(proxy, 'SendMessage', 10);
        });
        assert.equal(load.answers(503), 0, 'no client saw it');
        const account = await site.account([api, worker]);
        assert.equal(account.accepted, load.acknowledged);
        assert.equal(account.stored, account.accepted);
        assert.ok(account.repeated > 0, 'what was sent twice is told');
        assert.equal(account.dead, 0);
    },
);

scenario('every message is in the queue twice: each log is stored once', async (lab) => {
    const { site, api, worker, load } = await underLoad(lab, async ({ proxy, load }) => {
        proxy.fault = (action) => (action === 'SendMessage' ? 'twice' : undefined);
        await taken(load, 600);
    });
    const account = await site.account([api, worker]);
    assert.equal(account.stored, load.acknowledged);
    // Not all 600: some were on their way when the fault began.
    assert.ok(account.repeated + account.redelivered >= 400, JSON.stringify(account));
});

scenario(
    'what is damaged on its way to SQS is not answered 201, and on its way back it is not stored: it comes again whole',
    async (lab) => {
        const damaged = { sends: 0, messages: 0 };
        const { api, site, load } = await underLoad(lab, async ({ proxy, worker }) => {
            let turn = 0;
            proxy.amend = (action, answer: { MD5OfMessageBody?: string; Messages?: { Body: string }[] }) => {
                const isTurn = ++turn % 3 === 0;
                if (isTurn && action === 'SendMessage') {
                    damaged.sends++;
                    answer.MD5OfMessageBody = '0'.repeat(32);
                } else if (isTurn && action === 'ReceiveMessage') {
                    for (const message of answer.Messages ?? []) {
                        damaged.messages++;
                        message.Body = message.Body.replaceAll('"message":"', '"message":"damaged ');
                    }
                }
            };
            await eventually('damage', async () => damaged.sends > 5 && damaged.messages > 5);
            proxy.amend = () => {};
            await eventually('a word of it', async () => worker.stderr.includes('a message came damaged from SQS'));
        });
        assert.ok(load.answers(503) > 0, 'no send was told as failed');
        const { logs } = (await get(api, '/logs?query=damaged')).json() as { logs: unknown[] };
        assert.deepEqual(logs, []);
        await site.verify(load);
    },
);

scenario(
    'acknowledgements are lost, so that every message is delivered again: counted apart, stored once',
    async (lab) => {
        const { site, api, worker, load } = await underLoad(
            lab,
            async ({ site, proxy, worker, load }) => {
                proxy.fault = (action) => (action === 'DeleteMessageBatch' ? 'swallow' : undefined);
                await taken(load, 300);
                await eventually('what was stored to come again', async () => {
                    return (await site.account([worker])).redelivered >= 200;
                });
            },
        );
        const account = await site.account([api, worker]);
        assert.equal(account.accepted, load.acknowledged);
        assert.equal(account.stored, account.accepted);
        assert.equal(account.repeated, 0);
        assertBalanced(account);
    },
);

scenario(
    'batches that are answered 200 with failed entries are tried again until they are done',
    async (lab) => {
        let n = 0;
        const { site, api, worker, load } = await underLoad(lab, async ({ proxy, load }) => {
            proxy.fault = (action) =>
                action === 'DeleteMessageBatch' && n++ % 2 === 0 ? 'fail entries' : undefined;
            await taken(load, 300);
            await failed(proxy, 'DeleteMessageBatch', 3);
        });
        const account = await site.account([api, worker]);
        assert.equal(account.stored, load.acknowledged);
        assert.equal(account.redelivered, 0, 'none came again');
        assertBalanced(account);
    },
);

scenario(
    'work that takes longer than the visibility timeout: heartbeats keep the messages',
    async (lab) => {
        const site = await (await cloud()).site({ visibilityTimeout: 9 });
        const proxy = await site.proxy(lab);
        const [api, first, second] = await Promise.all([
            site.api(lab),
            site.worker(lab),
            site.worker(lab),
        ]);
        const load = new Load(() => api, [...HABITS]);
        try {
            await taken(load, 100);
            await site.cloud.postgres.holding('LOCK TABLE logs IN EXCLUSIVE MODE', async () => {
                await taken(load, 200);
                await sleep(19_000);
            });
            await taken(load, 50);
        } finally {
            await load.stop();
        }
        assert.ok((proxy.requests.get('ChangeMessageVisibilityBatch') ?? 0) >= 2, 'heartbeats');
        await site.verify(load);
        const account = await site.account([api, first, second]);
        assert.equal(account.stored, load.acknowledged);
        assert.equal(account.redelivered, 0, 'no other worker got them meanwhile');
        assertBalanced(account);
    },
);

scenario('where heartbeats fail, too, what is delivered again is stored once', async (lab) => {
    const site = await (await cloud()).site({ visibilityTimeout: 1 });
    const { postgres } = site.cloud;
    const proxy = await site.proxy(lab);
    proxy.fault = (action) =>
        action === 'ChangeMessageVisibilityBatch' ? { status: 500 } : undefined;
    let again = 0;
    proxy.amend = (_action, answer) => {
        const messages: { Attributes: Record<string, string> }[] = answer.Messages ?? [];
        again += messages.filter(
            ({ Attributes }) => Number(Attributes['ApproximateReceiveCount']) > 1,
        ).length;
    };
    // One thread: what it waits with is all that it takes.
    const [api, first] = await Promise.all([
        site.api(lab),
        site.worker(lab, { WORKER_THREADS: '1' }),
    ]);
    const workers = [first];
    const logs = Array.from({ length: 20 }, (_, n) => ({ message: `m${n}`, level: 'info', n }));
    await postgres.holding('LOCK TABLE logs IN EXCLUSIVE MODE', async () => {
        await postLogs(api, logs);
        await eventually('the worker to wait with the logs', async () => {
            const waiting = await postgres.query(
                `SELECT FROM pg_stat_activity
                 WHERE usename = 'logmill' AND wait_event_type = 'Lock'`,
            );
            return waiting.length > 0;
        });
        // There is nothing else in the queue.
        workers.push(await site.worker(lab));
        await eventually('another worker to be given them, too', async () => again > 0);
    });
    await site.atRest();
    const rows = await site.rows();
    assert.deepEqual(
        rows.map((row) => row.message),
        logs.map((log) => log.message),
    );
    const account = await site.account([api, ...workers]);
    assert.equal(account.stored, logs.length);
    // Whoever stores them first, the other finds them there.
    const found = account.repeated + account.redelivered;
    assert.ok(found > 0, JSON.stringify(account));
    assert.equal(account.conflicting + account.dead, 0, JSON.stringify(account));
});

scenario('two workers on one queue share the work and store each log once', async (lab) => {
    const site = await (await cloud()).site();
    const [api, first, second] = await Promise.all([
        site.api(lab),
        site.worker(lab),
        site.worker(lab),
    ]);
    const load = new Load(() => api, ['single', 'single', 'single', 'single', 'batch', 'batch']);
    try {
        await taken(load, 1500);
        for (const worker of [first, second]) {
            await eventually('both to work', async () => {
                return (await site.account([worker])).stored > 0;
            });
        }
    } finally {
        await load.stop();
    }
    await site.verify(load);
    const account = await site.account([api, first, second]);
    assert.equal(account.accepted, load.acknowledged);
    assert.equal(account.stored, account.accepted);
    assertBalanced(account);
});

scenario(
    'heartbeats of one consumer that SQS does not answer delay none of the others',
    async (lab) => {
        const site = await (await cloud()).site({ visibilityTimeout: 60 });
        const proxy = await site.proxy(lab);
        assert.equal((await runLogmill(['migrate'], site.settings)).code, 0);
        const worker = await site.worker(lab, { WORKER_THREADS: '4' });
        const beats = new Map<string, number>(); // the first of each message
        proxy.fault = (action, body) => {
            if (action !== 'ChangeMessageVisibilityBatch') {
                return undefined;
            }
            const [{ ReceiptHandle }] = JSON.parse(body).Entries;
            beats.set(ReceiptHandle, beats.get(ReceiptHandle) ?? Date.now());
            return 'hang';
        };
        await site.cloud.postgres.holding('LOCK TABLE logs IN EXCLUSIVE MODE', async () => {
            for (let n = 1; n <= 4; n++) {
                const before = metric(await metrics(worker), 'logmill_queue_messages_received_total');
                await site.queue.send(JSON.stringify({ message: `m${n}`, level: 'info' }));
                await eventually('a consumer to have it', async () => {
                    const now = await metrics(worker);
                    return metric(now, 'logmill_queue_messages_received_total') > before;
                });
            }
            await eventually('four heartbeats', async () => beats.size >= 4);
        });
        proxy.fault = () => undefined;
        // Each is due a third of the visibility timeout after its message, and hangs for 10 s.
        const times = [...beats.values()];
        assert.ok(times[3]! - times[0]! < 25_000, `the fourth after ${times[3]! - times[0]!} ms`);
        await site.stored(4);
        await site.atRest();
    },
);

/* ---- Refusals ---- */

scenario(
    'a log that SQS refuses for what is in it is answered 400 alone; those sent with it are taken',
    async (lab) => {
        const site = await (await cloud()).site();
        const proxy = await site.proxy(lab);
        const api = await site.api(lab, { WEB_CONCURRENCY: '1' });
        let together = 0;
        proxy.fault = (action, body) => {
            if (action !== 'SendMessage' || !body.includes('guilty')) {
                return undefined;
            }
            const message = (JSON.parse(body) as { MessageBody: string }).MessageBody;
            together = Math.max(together, (JSON.parse(message) as { logs: [] }).logs.length);
            return { status: 400, type: 'InvalidMessageContents' };
        };
        const expected = new Map<string, number>();
        const send = async (n: number): Promise<void> => {
            const message = n % 50 === 7 ? `guilty ${n}` : `m${n}`;
            const log = { message, level: 'info', n };
            const many = n % 3 === 0;
            const answer = await post(api, many ? '/logs' : '/log', many ? [log, log] : log);
            expected.set(message, many ? 2 : 1);
            if (message.startsWith('guilty')) {
                assert.equal(answer.status, 400, answer.text);
                assert.match(answer.json().detail, /refused by the queue .*not accepted/);
            } else {
                assert.equal(answer.status, 201, answer.text);
            }
        };
        await Promise.all(Array.from({ length: 400 }, (_, n) => send(n)));
        assert.ok(together > 3, `a refused message had ${together} logs`);
        assert.match(api.stderr, /refuses a log for what is in it/);
        const worker = await site.worker(lab);
        await site.atRest();
        const rows = await site.rows();
        for (const [message, times] of expected) {
            const found = rows.filter((row) => row.message === message).length;
            assert.equal(found, message.startsWith('guilty') ? 0 : times, message);
        }
        assertBalanced(await site.account([api, worker]));
    },
);

scenario('what SQS refuses for certain is told as not accepted, what it may have as that', async (lab) => {
    const site = await (await cloud()).site();
    const proxy = await site.proxy(lab);
    const api = await site.api(lab, { SQS_TIMEOUT: '3' });
    let first = true;
    const cases: [Fault | (() => Fault), RegExp][] = [
        [{ status: 403, type: 'AccessDenied' }, /not accepted/],
        [{ status: 400, type: 'KmsDisabled' }, /not accepted/],
        [{ status: 400, type: 'QueueDoesNotExist' }, /not accepted/],
        [{ status: 400, type: 'ThrottlingException' }, /not accepted/],
        [{ status: 500 }, /not confirmed/],
        [{ status: 200 }, /not confirmed/], // by whoever stands between, and names no message
        ['hang', /not confirmed/],
        ['drop after', /not confirmed/],
        [
            (): Fault => {
                const fault: Fault = first ? { status: 500 } : { status: 403, type: 'AccessDenied' };
                first = false;
                return fault;
            },
            /not confirmed/, // by the first attempt
        ],
    ];
    for (const [fault, text] of cases) {
        proxy.fault = (action) =>
            action === 'SendMessage' ? (typeof fault === 'function' ? fault() : fault) : undefined;
        const refused = await post(api, '/log', { message: 'refused', level: 'info' });
        assert.equal(refused.status, 503, `${JSON.stringify(fault)} ${refused.text}`);
        assert.match(refused.text, text, JSON.stringify(fault));
    }
    proxy.fault = () => undefined;
});

/* ---- Poison ---- */

interface Letter {
    id: string;
    died: string;
    reason: string;
    body: string;
}

async function letters(site: Site): Promise<Letter[]> {
    const ran = await runLogmill(['dead-letters'], site.settings);
    assert.equal(ran.code, 0, ran.stderr);
    return ran.stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Letter);
}

scenario(
    'messages that cannot be understood end in the dead-letter queue and hold nobody up',
    async (lab) => {
        const site = await (await cloud()).site({ maxReceives: 2 });
        const [api, worker] = await Promise.all([site.api(lab), site.worker(lab)]);
        const load = new Load(() => api, [...HABITS]);
        const poison = ['this is not JSON', '{"v":1,"logs":[{"message":"cut', '42', '{"v":99}'];
        try {
            for (const body of poison) {
                await taken(load, 30);
                await site.queue.send(body);
            }
            await taken(load, 50);
        } finally {
            await load.stop();
        }
        await eventually(
            'the poison in the dead-letter queue',
            async () => (await site.queue.letters()) === poison.length,
        );
        await site.verify(load);
        const found = await letters(site);
        assert.deepEqual(found.map((letter) => letter.body).sort(), [...poison].sort());
        assert.equal(await site.queue.letters(), poison.length, 'listing consumes nothing');
        assert.deepEqual(await letters(site), found, 'and hides nothing');
        assert.ok(metric(await metrics(worker), 'logmill_queue_messages_rejected_total') >= 4);
        await eventually('the number of dead letters on /metrics', async () => {
            return metric(await metrics(api), 'logmill_queue_dead_letters') === poison.length;
        });
        assert.equal((await metrics(api)).get('logmill_queue_oldest_age_microseconds'), undefined);
        assertBalanced(await site.account([api, worker]));
    },
);

scenario('a dead letter that is damaged on either way stays where it is', async (lab) => {
    // So long that no poll which the worker has left there makes a letter of what is sent, too.
    const site = await (await cloud()).site({ maxReceives: 1, visibilityTimeout: 60 });
    const proxy = await site.proxy(lab);
    const worker = await site.worker(lab);
    await site.queue.send('this is not JSON');
    await eventually('the letter', async () => (await site.queue.letters()) === 1);
    await worker.stop();
    const [letter] = await letters(site);
    proxy.amend = (action, answer: { MD5OfMessageBody?: string }) => {
        if (action === 'SendMessage') answer.MD5OfMessageBody = '0'.repeat(32);
    };
    const sent = await runLogmill(['dead-letters', 'requeue', letter!.id], site.settings);
    assert.notEqual(sent.code, 0);
    assert.match(sent.stderr, /the message was damaged on its way/);
    assert.equal(await site.queue.letters(), 1);
    proxy.amend = (action, answer: { Messages?: { Body: string }[] }) => {
        if (action === 'ReceiveMessage') answer.Messages?.forEach((message) => (message.Body += 'x'));
    };
    const came = await runLogmill(['dead-letters', 'requeue', letter!.id], site.settings);
    assert.notEqual(came.code, 0);
    assert.match(came.stderr, /a message came damaged from SQS/);
    assert.equal(await site.queue.letters(), 1);
});

scenario('dead letters that come round before all were seen are not taken for all', async (lab) => {
    const site = await (await cloud()).site({ maxReceives: 1 });
    const proxy = await site.proxy(lab);
    const worker = await site.worker(lab);
    await site.queue.send('this is not JSON');
    await eventually('the letter', async () => (await site.queue.letters()) === 1);
    await worker.stop();
    const seen: unknown[] = [];
    proxy.amend = (action, answer: { Messages?: unknown[] }) => {
        if (action !== 'ReceiveMessage') {
            return;
        }
        if (answer.Messages?.length) {
            seen.push(...answer.Messages);
        } else {
            answer.Messages = seen; // as if the time for which they are hidden were over
        }
    };
    const listed = await runLogmill(['dead-letters'], site.settings);
    assert.deepEqual([listed.code, listed.stdout.trim().split('\n').length], [1, 1]);
    assert.match(listed.stderr, /there may be more than these 1/);
    const sent = await runLogmill(['dead-letters', 'requeue', 'another'], site.settings);
    assert.equal(sent.code, 1);
    assert.match(sent.stderr, /there may be more than these 1/);
});

scenario(
    'logs that PostgreSQL refuses for their data go to the dead letters alone, with the reason, and are stored when requeued after the cure',
    async (lab) => {
        const site = await (await cloud()).site({ maxReceives: 5 });
        const { postgres } = site.cloud;
        assert.equal((await runLogmill(['migrate'], site.settings)).code, 0);
        await postgres.query(`
            ALTER TABLE logs ADD CONSTRAINT no_poison CHECK (message NOT LIKE 'poison%');
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF NEW.level = 'venom' THEN RAISE EXCEPTION 'no venom in here'; END IF;
                RETURN NEW;
            END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON logs FOR EACH ROW EXECUTE FUNCTION refuse()`);
        const [api, worker] = await Promise.all([site.api(lab), site.worker(lab)]);
        const logs = Array.from({ length: 200 }, (_, n) => ({
            message: n % 50 === 7 ? `poison ${n}` : `fine ${n}`,
            level: n === 120 ? 'venom' : 'info',
            n,
        }));
        await postLogs(api, logs);
        await site.stored(195);
        await site.atRest();
        await eventually('five dead letters', async () => (await site.queue.letters()) === 5);
        assert.equal((await site.rows()).length, 195);
        const account = await site.account([api, worker]);
        assert.deepEqual(account, {
            accepted: 200,
            stored: 195,
            repeated: 0,
            redelivered: 0,
            conflicting: 0,
            dead: 5,
        });
        assertBalanced(account);
        const found = await letters(site);
        assert.equal(found.length, 5);
        for (const letter of found) {
            const venom = letter.body.includes('venom');
            const { logs: alone } = JSON.parse(letter.body) as { logs: unknown[] };
            assert.equal(alone.length, 1);
            assert.match(letter.reason, venom ? /no venom in here/ : /no_poison/);
        }

        // Not cured: they die again, and are not lost.
        const again = await runLogmill(['dead-letters', 'requeue'], site.settings);
        assert.equal(again.code, 0, again.stderr);
        assert.match(again.stdout, /requeued 5\b/);
        await eventually('the same again', async () => (await site.queue.letters()) === 5);
        await site.atRest();

        await postgres.query(
            'ALTER TABLE logs DROP CONSTRAINT no_poison; DROP TRIGGER refuse ON logs',
        );
        const [one] = await letters(site);
        const moved = await runLogmill(['dead-letters', 'requeue', one!.id], site.settings);
        assert.equal(moved.code, 0, moved.stderr);
        await site.stored(196);
        assert.equal((await runLogmill(['dead-letters', 'requeue'], site.settings)).code, 0);
        const rows = await site.stored(200);
        await site.atRest();
        assert.deepEqual(
            rows.map((row) => row.attributes['n']),
            logs.map((log) => log.n),
            'with the timestamps and ids they had',
        );
        assert.equal(await site.queue.letters(), 0);
        const unknown = await runLogmill(['dead-letters', 'requeue', 'no-such-id'], site.settings);
        assert.notEqual(unknown.code, 0);
        assert.match(unknown.stderr, /no-such-id/);
    },
);

scenario(
    'where there is no dead-letter queue, the start says so, and a log that cannot be stored takes back its own message alone',
    async (lab) => {
        const site = await (await cloud()).site({ visibilityTimeout: 30 });
        assert.equal((await runLogmill(['migrate'], site.settings)).code, 0);
        await site.cloud.postgres.query(
            `ALTER TABLE logs ADD CONSTRAINT no_poison CHECK (message NOT LIKE 'poison%')`,
        );
        const bodies = Array.from({ length: 10 }, (_, n) =>
            JSON.stringify({ message: n === 4 ? 'poison' : `m${n}`, level: 'info', n }),
        );
        await site.queue.sendBatch(bodies);
        const [api, worker] = await Promise.all([site.api(lab), site.worker(lab)]);
        for (const process of [api, worker]) {
            const said = process.diagnostics().filter((line) => /no dead-letter queue/.test(line.msg));
            assert.equal(said.length, 1, process.stderr);
            assert.match(said[0]!.msg, /redrive policy/);
        }
        await site.stored(9);
        await eventually('the poison alone in the queue', async () => (await site.queue.depth()) === 1);
        await eventually('the poison to have come again', async () => {
            return (worker.stderr.match(/dead letters could not be kept/g) ?? []).length >= 2;
        });
        const account = await site.account([worker]);
        assert.equal(account.stored, 9);
        assert.equal(account.redelivered + account.repeated, 0, 'no neighbour came again');
        assert.equal(await site.queue.depth(), 1);
        await site.queue.purge();
    },
);

scenario('a redrive policy that a queue gets while it is in use is seen', async (lab) => {
    const site = await (await cloud()).site({ maxReceives: 1 });
    const proxy = await site.proxy(lab);
    proxy.amend = (action, answer: { Attributes?: Record<string, string> }) => {
        if (action === 'GetQueueAttributes') {
            delete answer.Attributes?.['RedrivePolicy'];
        }
    };
    const api = await site.api(lab);
    assert.match(api.stderr, /no dead-letter queue/);
    await site.worker(lab);
    await site.queue.send('this is not JSON');
    await eventually('the letter', async () => (await site.queue.letters()) === 1);
    assert.equal(metric(await metrics(api), 'logmill_queue_dead_letters'), 0);
    proxy.amend = () => {};
    await eventually('it to be counted', async () => {
        return metric(await metrics(api), 'logmill_queue_dead_letters') === 1;
    });
});

scenario('without a dead-letter queue `logmill dead-letters` says what to do', async () => {
    const site = await (await cloud()).site();
    const ran = await runLogmill(['dead-letters'], site.settings);
    assert.notEqual(ran.code, 0);
    assert.equal(ran.stderr.trim().split('\n').length, 1, ran.stderr);
    assert.match(ran.stderr, /redrive policy/);
});

/* ---- What is set up wrongly ---- */

/** Fails if a secret is in what a process says or in how it is called. */
function assertNoSecrets(process: Logmill, secrets: string[]): void {
    const told = [process.stderr, process.stdout];
    if (process.ended === undefined) {
        told.push(readFileSync(`/proc/${process.pid}/cmdline`, 'utf8'));
    }
    for (const secret of secrets) {
        assert.ok(!told.join('\n').includes(secret), `a secret is told:\n${told.join('\n')}`);
    }
}

scenario('a queue that does not exist is named in one line, and the start fails', async (lab) => {
    const site = await (await cloud()).site();
    site.settings['SQS_QUEUE_URL'] += '-missing';
    for (const command of ['api', 'worker', 'serve'] as const) {
        const process = lab.launch({ command, settings: site.settings });
        assert.equal((await process.refuses()).code, 1);
        assert.equal(process.stderr.trim().split('\n').length, 1, process.stderr);
        assert.match(process.stderr, /there is no such queue/);
        assertNoSecrets(process, [CREDENTIALS.AWS_SECRET_ACCESS_KEY]);
    }
});

scenario('credentials that are wrong are named in one line, and the start fails', async (lab) => {
    const site = await (await cloud()).site();
    const proxy = await site.proxy(lab);
    const session = 'session-token-of-the-tests';
    site.settings['AWS_SESSION_TOKEN'] = session;
    for (const type of ['InvalidClientTokenId', 'SignatureDoesNotMatch', 'ExpiredToken']) {
        proxy.fault = () => ({ status: 403, type });
        const process = lab.launch({ command: 'api', settings: site.settings });
        assert.equal((await process.refuses()).code, 1);
        assert.equal(process.stderr.trim().split('\n').length, 1, process.stderr);
        assert.match(process.stderr, /credentials (are wrong|have expired)/);
        assertNoSecrets(process, [CREDENTIALS.AWS_SECRET_ACCESS_KEY, session]);
    }
});

scenario(
    'credentials that are revoked while it runs: 503, said once and not with every request, and it goes on when they are good again',
    async (lab) => {
        const { api, worker } = await underLoad(lab, async ({ proxy, load }) => {
            proxy.fault = () => ({ status: 403, type: 'InvalidClientTokenId' });
            await eventually('503', async () => load.answers(503) > 50);
            await sleep(1000);
        });
        for (const process of [api, worker]) {
            const said = process.diagnostics().filter((line) => line.level !== 'info');
            assert.ok(said.length < 40, `${said.length} lines:\n${process.stderr.slice(0, 4000)}`);
            assertNoSecrets(process, [CREDENTIALS.AWS_SECRET_ACCESS_KEY]);
        }
        assert.match(worker.stderr, /the AWS credentials are wrong/);
        assert.match(api.stderr, /the AWS credentials are wrong/);
    },
);

scenario('no credentials at all is said in one line', async (lab) => {
    const site = await (await cloud()).site();
    const { AWS_ACCESS_KEY_ID: _id, AWS_SECRET_ACCESS_KEY: _key, ...settings } = site.settings;
    const process = lab.launch({
        command: 'api',
        settings: { ...settings, AWS_EC2_METADATA_DISABLED: 'true', HOME: lab.folder() },
    });
    assert.equal((await process.refuses()).code, 1);
    assert.equal(process.stderr.trim().split('\n').length, 1, process.stderr);
    assert.match(process.stderr, /credentials/);
});

scenario('SQS is away at the start: it is waited for, for SQS_TIMEOUT', async (lab) => {
    const site = await (await cloud()).site();
    const proxy = await site.proxy(lab);
    await proxy.refuse();
    const late = lab.launch({ command: 'api', settings: { ...site.settings, SQS_TIMEOUT: '1' } });
    assert.equal((await late.refuses()).code, 1);
    assert.equal(late.stderr.trim().split('\n').length, 1, late.stderr);
    assert.match(late.stderr, /SQS GetQueueAttributes/);
    const early = lab.launch({ command: 'api', settings: site.settings });
    await sleep(500);
    await proxy.accept();
    await early.ready();
});

scenario('a lone log waits for no time-out of a batch', async (lab) => {
    const site = await (await cloud()).site();
    const api = await site.api(lab);
    const median = async (what: () => Promise<unknown>): Promise<number> => {
        const times: number[] = [];
        for (let n = 0; n < 20; n++) {
            const started = Date.now();
            await what();
            times.push(Date.now() - started);
        }
        return times.sort((a, b) => a - b)[10]!;
    };
    // What the machine takes for a request at its fastest belongs to nobody's time-out.
    const alone = await median(() => get(api, '/health'));
    const lone = await median(() => postLog(api, { message: 'lone', level: 'info' }));
    assert.ok(lone < 100 + 20 * alone, `a median of ${lone} ms; of /health ${alone} ms`);
    const worker = await site.worker(lab);
    await site.stored(20);
    await worker.stop();
});

end();
