/*
 * The SQS queue against two servers of its protocol: what every queue promises
 * (tests/unit/queue/queue_conformance.c), each request's signature checked on the way.
 */
import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as path from 'node:path';
import { promisify } from 'node:util';

import { BINARY, environment, type Lab, scenario } from '../support/harness';
import { ElasticMq } from '../support/servers/elasticmq';
import { startMoto } from '../support/servers/moto';
import { type Identity, Verifier } from '../support/servers/verifier';

const REGION = 'eu-central-1';
const CONFORMANCE = path.join(path.dirname(BINARY), 'tests', 'unit', 'queue_test_queue_sqs');
const CONFORMANCE_MS = 1_200_000;

async function conforms(
    lab: Lab,
    target: number,
    identity: Identity,
    settings: Record<string, string> = {},
): Promise<Verifier> {
    assert.ok(existsSync(CONFORMANCE), `${CONFORMANCE} has been built`);
    const verifier = await Verifier.start(lab, target, REGION, [identity]);
    await promisify(execFile)(CONFORMANCE, {
        env: environment({
            LOGMILL_TEST_SQS_URL: verifier.url,
            AWS_ENDPOINT_URL_SQS: verifier.url,
            AWS_REGION: REGION,
            AWS_ACCESS_KEY_ID: identity.accessKeyId,
            AWS_SECRET_ACCESS_KEY: identity.secretAccessKey,
            ...(identity.sessionToken === undefined
                ? {}
                : { AWS_SESSION_TOKEN: identity.sessionToken }),
            ...settings,
        }),
        timeout: CONFORMANCE_MS,
        killSignal: 'SIGKILL',
    }).catch((failure: { stdout?: string; stderr?: string }) =>
        assert.fail(`${failure.stdout}\n${failure.stderr}\n${verifier.refused.join('\n')}`),
    );
    assert.deepEqual(verifier.refused, []);
    assert.ok(verifier.seen.length > 100);
    for (const action of [
        'SendMessage',
        'ReceiveMessage',
        'DeleteMessageBatch',
        'ChangeMessageVisibilityBatch',
        'GetQueueAttributes',
        'GetQueueUrl',
    ]) {
        assert.ok(
            verifier.seen.some((seen) => seen.action === action),
            `${action} was called`,
        );
    }
    return verifier;
}

scenario(
    'at ElasticMQ the queue keeps what every queue promises; each request is signed rightly; connections are kept',
    async (lab) => {
        const server = await ElasticMq.start(lab);
        const verifier = await conforms(lab, server.port, {
            accessKeyId: 'AKIAEXAMPLE',
            secretAccessKey: 'a+secret/with=signs:and%25',
        });
        const connections = new Set(verifier.seen.map((seen) => seen.connection));
        assert.ok(
            verifier.seen.length > 8 * connections.size,
            `${verifier.seen.length} requests on ${connections.size} connections`,
        );
        assert.ok(verifier.seen.some((seen) => seen.action === 'StartMessageMoveTask'));
    },
    { timeoutMs: 1_300_000 },
);

scenario(
    'at moto the same, with a session token, and dead letters that are moved one by one',
    async (lab) => {
        await conforms(
            lab,
            await startMoto(lab),
            {
                accessKeyId: 'ASIAEXAMPLE',
                secretAccessKey: 'another+secret',
                sessionToken: `token/${'x+/='.repeat(300)}`,
            },
            { LOGMILL_TEST_SQS_MANY: '200' }, // moto takes longer the more messages it has
        );
    },
    { timeoutMs: 1_300_000 },
);
