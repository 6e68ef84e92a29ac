/*
 * Single logs that come while others are under way to SQS share a message, since each costs money.
 */
import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';

import { type Lab, type Logmill, eventually, scenario, sleep } from '../support/harness';
import { post } from '../support/http';
import { CREDENTIALS, ElasticMq } from '../support/servers/elasticmq';
import { SqsProxy } from '../support/servers/proxy';

/** As long as SQS takes, about. */
const LATENCY_MS = 14;

/** An api whose queue is behind a proxy, and the numbers of the logs of each confirmed message. */
async function start(
    lab: Lab,
    settings: Record<string, string> = {},
): Promise<{ api: Logmill; proxy: SqsProxy; confirmed: string[][] }> {
    const sqs = await ElasticMq.start(lab);
    const proxy = await SqsProxy.start(lab, sqs.port);
    const queue = await sqs.createQueue();
    const confirmed: string[][] = [];
    const sent = new Map<string, string[]>();
    proxy.fault = (action, body) => {
        if (action === 'SendMessage') {
            const { MessageBody } = JSON.parse(body) as { MessageBody: string };
            const { logs } = JSON.parse(MessageBody) as { logs: { message: string }[] };
            sent.set(
                createHash('md5').update(MessageBody).digest('hex'),
                logs.map(({ message }) => message),
            );
        }
        return undefined;
    };
    proxy.amend = (action, answer: { MD5OfMessageBody?: string }) => {
        if (action === 'SendMessage') {
            confirmed.push(sent.get(answer.MD5OfMessageBody!)!);
        }
    };
    proxy.pace = (action) =>
        action === 'SendMessage' ? sleep(LATENCY_MS) : Promise.resolve();
    const api = await lab.start({
        command: 'api',
        settings: {
            ...CREDENTIALS,
            SQS_QUEUE_URL: proxy.through(queue.url),
            WEB_CONCURRENCY: '1',
            ...settings,
        },
    });
    return { api, proxy, confirmed };
}

const postOne = (api: Logmill, message: string): Promise<number> =>
    post(api, '/log', { message, level: 'info' }).then(({ status }) => status);

scenario('many logs share few messages, and 201 is said when SQS has confirmed them', async (lab) => {
    const { api, proxy, confirmed } = await start(lab, { SQS_GATHER_MS: '200' });
    const logs = Array.from({ length: 400 }, (_, n) => `log ${n}`);
    await Promise.all(
        Array.from({ length: 20 }, async (_, client) => {
            for (const log of logs.slice(client * 20, client * 20 + 20)) {
                assert.equal(await postOne(api, log), 201);
                assert.ok(confirmed.flat().includes(log), `${log} was answered before SQS had it`);
            }
        }),
    );
    assert.deepEqual(confirmed.flat().sort(), [...logs].sort());
    const messages = proxy.requests.get('SendMessage')!;
    assert.ok(messages * 4 <= logs.length, `${messages} messages of ${logs.length} logs`);
});

scenario('at SIGTERM what gathers is sent and answered', async (lab) => {
    const { api, proxy, confirmed } = await start(lab, { SQS_GATHER_MS: '200' });
    const taken: string[] = [];
    const posted = Array.from({ length: 40 }, (_, n) => `log ${n}`).map(async (log) => {
        if ((await postOne(api, log).catch(() => 0)) === 201) {
            taken.push(log);
        }
    });
    await eventually('the first to be under way', async () => proxy.requests.has('SendMessage'));
    await api.stop();
    await Promise.all(posted);
    const all = confirmed.flat();
    assert.ok(taken.length > 0);
    assert.deepEqual(
        taken.filter((log) => !all.includes(log)),
        [],
    );
    assert.equal(new Set(all).size, all.length);
});
