/*
 * AWS credentials, region and endpoint as the SDKs find them. Each source is a real one (files, a
 * program, a small HTTP server), and a verifier in front of an SQS server tells by the signatures
 * which credentials were used.
 */
import { strict as assert } from 'node:assert';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import * as path from 'node:path';

import { type Lab, eventually, type Ran, runLogmill, scenario } from '../support/harness';
import { post } from '../support/http';
import { ElasticMq, type Queue } from '../support/servers/elasticmq';
import { type Identity, Verifier } from '../support/servers/verifier';

const REGION = 'eu-central-1';
const SECRET = 'never/to+be=told';
const TOKEN = 'token/never+to=be=told';

interface Place {
    lab: Lab;
    queue: Queue;
    verifier: Verifier;
    home: string;
    /** Runs a command that asks SQS, with nothing of AWS in the environment but these. */
    ask: (settings: Record<string, string>) => Promise<Ran>;
    settings: Record<string, string>;
}

async function place(lab: Lab): Promise<Place> {
    const server = await ElasticMq.start(lab);
    const queue = await server.createQueue({ maxReceives: 3 });
    const verifier = await Verifier.start(lab, server.port, REGION, []);
    const home = lab.folder();
    const settings = {
        SQS_QUEUE_URL: queue.url,
        AWS_ENDPOINT_URL_SQS: verifier.url,
        AWS_REGION: REGION,
        AWS_EC2_METADATA_DISABLED: 'true',
        HOME: home,
        DATA_DIR: lab.folder(),
    };
    mkdirSync(path.join(home, '.aws'));
    return {
        lab,
        queue,
        verifier,
        home,
        settings,
        ask: async (more) => {
            const ran = await runLogmill(['dead-letters'], { ...settings, ...more });
            assert.doesNotMatch(ran.stderr + ran.stdout, /never.to/, 'a secret was told');
            return ran;
        },
    };
}

let made = 0;
function identity(verifier: Verifier, withToken = false): Identity {
    const fresh = {
        accessKeyId: `AKIA${++made}`,
        secretAccessKey: `${SECRET}${made}`,
        ...(withToken ? { sessionToken: `${TOKEN}${made}` } : {}),
    };
    verifier.identities.set(fresh.accessKeyId, fresh);
    return fresh;
}

/** Fails if not just these credentials were used, or a request was not signed rightly. */
async function uses(
    p: Place,
    { accessKeyId }: Identity,
    settings: Record<string, string>,
): Promise<void> {
    p.verifier.seen.length = 0;
    p.verifier.refused.length = 0;
    const ran = await p.ask(settings);
    assert.equal(ran.code, 0, `${ran.stderr}\n${p.verifier.refused.join('\n')}`);
    assert.deepEqual(p.verifier.refused, []);
    assert.deepEqual([...new Set(p.verifier.seen.map((seen) => seen.accessKeyId))], [accessKeyId]);
}

/** Fails if the command does not fail with one line that matches. */
async function fails(p: Place, line: RegExp, settings: Record<string, string>): Promise<void> {
    const ran = await p.ask(settings);
    assert.notEqual(ran.code, 0);
    assert.match(ran.stderr, line);
    assert.equal(ran.stderr.trim().split('\n').length, 1, ran.stderr);
}

interface Asked {
    method: string;
    url: string;
    headers: http.IncomingHttpHeaders;
    body: string;
}

/** A small HTTP server; `answer` gives a body, or a status. */
async function serve(
    lab: Lab,
    answer: (asked: Asked) => string | number,
): Promise<{ url: string; asked: Asked[] }> {
    const asked: Asked[] = [];
    const server = http.createServer((request, response) => {
        let body = '';
        request.setEncoding('utf8').on('data', (text: string) => (body += text));
        request.on('end', () => {
            const one = { method: request.method!, url: request.url!, headers: request.headers, body };
            asked.push(one);
            const given = answer(one);
            if (typeof given === 'number') {
                response.writeHead(given).end();
            } else {
                response.end(given);
            }
        });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    lab.finally(() => {
        server.close();
        server.closeAllConnections();
    });
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

function environmentOf(one: Identity): Record<string, string> {
    return {
        AWS_ACCESS_KEY_ID: one.accessKeyId,
        AWS_SECRET_ACCESS_KEY: one.secretAccessKey,
        ...(one.sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: one.sessionToken }),
    };
}

/** As container and instance endpoints, and (with another name for the token) programs, tell. */
function told(one: Identity, tokenName: 'Token' | 'SessionToken', lifeMs?: number): string {
    return JSON.stringify({
        ...(tokenName === 'SessionToken' ? { Version: 1 } : { Code: 'Success' }),
        AccessKeyId: one.accessKeyId,
        SecretAccessKey: one.secretAccessKey,
        [tokenName]: one.sessionToken,
        ...(lifeMs === undefined
            ? {}
            : { Expiration: new Date(Date.now() + lifeMs).toISOString() }),
    });
}

scenario('keys in the environment, with and without a session token, come first', async (lab) => {
    const p = await place(lab);
    writeFileSync(path.join(p.home, '.aws', 'credentials'), '[default]\naws_access_key_id = no\n');
    const plain = identity(p.verifier);
    const temporary = identity(p.verifier, true);
    await uses(p, plain, environmentOf(plain));
    await uses(p, temporary, environmentOf(temporary));
    await fails(p, /AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not/, {
        AWS_ACCESS_KEY_ID: 'AKIA',
    });
});

scenario('the shared files: profiles, both files, comments, the region', async (lab) => {
    const p = await place(lab);
    const main = identity(p.verifier);
    const other = identity(p.verifier, true);
    const elsewhere = identity(p.verifier);
    writeFileSync(
        path.join(p.home, '.aws', 'credentials'),
        `# what people have
[default]
aws_access_key_id=${main.accessKeyId}
aws_secret_access_key = ${main.secretAccessKey} ; not a part of it
[other]
aws_access_key_id = ${other.accessKeyId}
`,
    );
    writeFileSync(
        path.join(p.home, '.aws', 'config'),
        `[default]
region = us-east-1
s3 =
  aws_access_key_id = nested
[profile other]
region = ${REGION}
aws_access_key_id = overridden
aws_secret_access_key = ${other.secretAccessKey}
aws_session_token = ${other.sessionToken}
`,
    );
    await uses(p, main, {});
    await uses(p, other, { AWS_PROFILE: 'other', AWS_REGION: '' });
    await fails(p, /AWS region is wrong.*us-east-1/, { AWS_REGION: '' });
    await fails(p, /AWS_PROFILE: .*none.* is in neither/, { AWS_PROFILE: 'none' });

    const file = path.join(lab.folder(), 'keys');
    writeFileSync(
        file,
        `[default]\r\naws_access_key_id = ${elsewhere.accessKeyId}\r\naws_secret_access_key = ${elsewhere.secretAccessKey}\r\n`,
    );
    await uses(p, elsewhere, { AWS_SHARED_CREDENTIALS_FILE: file });
});

scenario('credential_process: what a program prints, and how it fails', async (lab) => {
    const p = await place(lab);
    const one = identity(p.verifier, true);
    const output = path.join(lab.folder(), 'output');
    const config = path.join(p.home, '.aws', 'config');
    writeFileSync(output, told(one, 'SessionToken', 3600_000));
    writeFileSync(config, `[default]\ncredential_process = cat '${output}'\n`);
    await uses(p, one, {});
    for (const [command, line] of [
        [`sh -c 'echo ${SECRET} >&2; exit 7'`, /credential_process failed with exit status 7/],
        [`echo '{"Version":1}'`, /credential_process: the answer holds no credentials/],
        ['echo nothing', /credential_process/],
    ] as const) {
        writeFileSync(config, `[default]\ncredential_process = ${command}\n`);
        await fails(p, line, {});
    }
    writeFileSync(config, '[default]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = other\n');
    await fails(p, /credential_process = aws configure export-credentials/, {});
});

scenario('web identity: the token file is exchanged at the security token service', async (lab) => {
    const p = await place(lab);
    const one = identity(p.verifier, true);
    const token = path.join(lab.folder(), 'token');
    writeFileSync(token, 'header.payload&signature\n');
    const sts = await serve(lab, (asked) =>
        new URLSearchParams(asked.body).get('RoleArn') === 'arn:aws:iam::1:role/x'
            ? `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
                 <AccessKeyId>${one.accessKeyId}</AccessKeyId>
                 <SecretAccessKey>${one.secretAccessKey}</SecretAccessKey>
                 <SessionToken>${one.sessionToken}</SessionToken>
                 <Expiration>${new Date(Date.now() + 3600_000).toISOString()}</Expiration>
               </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`
            : 403,
    );
    const settings = {
        AWS_WEB_IDENTITY_TOKEN_FILE: token,
        AWS_ROLE_ARN: 'arn:aws:iam::1:role/x',
        AWS_ROLE_SESSION_NAME: 'session',
        AWS_ENDPOINT_URL_STS: sts.url,
    };
    await uses(p, one, settings);
    const [asked] = sts.asked;
    assert.equal(asked!.method, 'POST');
    assert.equal(asked!.headers.authorization, undefined, 'it is not signed');
    assert.deepEqual(Object.fromEntries(new URLSearchParams(asked!.body)), {
        Action: 'AssumeRoleWithWebIdentity',
        Version: '2011-06-15',
        RoleArn: 'arn:aws:iam::1:role/x',
        RoleSessionName: 'session',
        WebIdentityToken: 'header.payload&signature',
    });
    await fails(p, /AssumeRoleWithWebIdentity: HTTP 403/, {
        ...settings,
        AWS_ROLE_ARN: 'arn:aws:iam::1:role/y',
    });
    await fails(p, /set AWS_ROLE_ARN/, { ...settings, AWS_ROLE_ARN: '' });
    writeFileSync(
        path.join(p.home, '.aws', 'config'),
        `[profile eks]\nrole_arn = arn:aws:iam::1:role/x\nweb_identity_token_file = ${token}\n`,
    );
    await uses(p, one, { AWS_PROFILE: 'eks', AWS_ENDPOINT_URL_STS: sts.url });
});

scenario('a container: its endpoint, its token, and no plain HTTP to anywhere else', async (lab) => {
    const p = await place(lab);
    const one = identity(p.verifier, true);
    const endpoint = await serve(lab, ({ headers }) =>
        headers.authorization === 'Bearer from-a-file' || headers.authorization === 'given'
            ? told(one, 'Token', 3600_000)
            : 401,
    );
    const token = path.join(lab.folder(), 'token');
    writeFileSync(token, 'Bearer from-a-file\n');
    const settings = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${endpoint.url}/v1/credentials?a=b` };
    await uses(p, one, { ...settings, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'given' });
    await uses(p, one, {
        ...settings,
        AWS_CONTAINER_AUTHORIZATION_TOKEN: 'not this one',
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: token,
        http_proxy: 'http://127.0.0.1:1',
        no_proxy: new URL(p.verifier.url).hostname,
    });
    assert.equal(endpoint.asked[0]!.url, '/v1/credentials?a=b');
    await fails(p, /container credentials: HTTP 401/, settings);
    await fails(p, /RELATIVE_URI does not begin with/, {
        AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '@example.com/',
    });
    await fails(p, /line break/, { ...settings, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'a\r\nb: c' });
    for (const url of [
        'http://example.com/',
        'http://169.254.170.3/',
        'http://127.0.0.1@example.com/',
        'http://127.0.0.1.example.com/',
        'http://[fd00:ec2::24]/',
        'ftp://127.0.0.1/',
    ]) {
        await fails(p, /without TLS only loopback/, { AWS_CONTAINER_CREDENTIALS_FULL_URI: url });
    }
});

scenario('instance metadata: version 2, and only that', async (lab) => {
    const p = await place(lab);
    const one = identity(p.verifier, true);
    let isOld = false;
    const metadata = await serve(lab, ({ method, url, headers }) => {
        if (method === 'PUT' && url === '/latest/api/token' && !isOld) {
            return headers['x-aws-ec2-metadata-token-ttl-seconds'] === '21600' ? 'a-token' : 400;
        }
        if (headers['x-aws-ec2-metadata-token'] !== 'a-token' && !isOld) {
            return 401;
        }
        switch (url) {
            case '/latest/meta-data/iam/security-credentials/':
                return 'a-role';
            case '/latest/meta-data/iam/security-credentials/a-role':
                return told(one, 'Token', 3600_000);
            default:
                return 404;
        }
    });
    const settings = {
        AWS_EC2_METADATA_DISABLED: '',
        AWS_EC2_METADATA_SERVICE_ENDPOINT: `${metadata.url}/`,
    };
    await uses(p, one, settings);
    isOld = true;
    await fails(p, /instance metadata gives none: HTTP 404/, settings);
    await fails(p, /no AWS credentials/, { ...settings, AWS_EC2_METADATA_DISABLED: 'true' });
});

scenario(
    'credentials that expire are refreshed before; while that fails, those in use stay',
    async (lab) => {
        const p = await place(lab);
        const [first, second] = [identity(p.verifier, true), identity(p.verifier, true)];
        let now = first;
        let broken = false;
        const endpoint = await serve(lab, () => (broken ? 500 : told(now, 'Token', 6000)));
        const server = await lab.start({
            settings: {
                ...p.settings,
                HOME: p.home,
                AWS_CONTAINER_CREDENTIALS_FULL_URI: endpoint.url,
                LOG_FORMAT: 'json',
            },
        });
        const used = (one: Identity): boolean =>
            p.verifier.seen.at(-1)?.accessKeyId === one.accessKeyId;
        const log = { message: 'hello', level: 'info' };
        assert.equal((await post(server, '/log', log)).status, 201);
        assert.ok(used(first));
        broken = true;
        await eventually('a refresh to fail', async () =>
            server.diagnostics().some((line) => /cannot be refreshed/.test(line.msg)),
        );
        assert.equal((await post(server, '/log', log)).status, 201, 'with those in use');
        broken = false;
        now = second;
        await eventually('the new ones to be used', async () => {
            assert.equal((await post(server, '/log', log)).status, 201);
            return used(second);
        });
        assert.deepEqual(p.verifier.refused, []);
        assert.doesNotMatch(server.stderr, /never.to/, 'a secret was told');
        assert.doesNotMatch(
            readFileSync(`/proc/${server.pid}/cmdline`, 'latin1'),
            /never.to/,
        );
    },
);

scenario('wrong credentials, a wrong region and a missing queue are told in one line', async (lab) => {
    const p = await place(lab);
    const one = identity(p.verifier, true);
    const right = environmentOf(one);
    await fails(p, /AWS credentials are wrong.*InvalidClientTokenId.*from the environment/, {
        ...right,
        AWS_ACCESS_KEY_ID: 'AKIANOBODY',
    });
    await fails(p, /AWS credentials are wrong.*SignatureDoesNotMatch/, {
        ...right,
        AWS_SECRET_ACCESS_KEY: 'wrong',
    });
    await fails(p, /AWS region is wrong.*us-west-2/, { ...right, AWS_REGION: 'us-west-2' });
    await fails(p, /set AWS_REGION/, { ...right, AWS_REGION: '' });
    await fails(p, /no such queue/, { ...right, SQS_QUEUE_URL: `${p.queue.url}-missing` });
    await fails(p, /FIFO/, { ...right, SQS_QUEUE_URL: `${p.queue.url}.fifo` });
    await fails(p, /is not an http or https URL/, { ...right, SQS_QUEUE_URL: 'logs' });
    await uses(p, one, { ...right, AWS_ENDPOINT_URL_SQS: '', AWS_ENDPOINT_URL: p.verifier.url });
    const throughHost = new URL(p.queue.url);
    throughHost.port = String(p.verifier.port);
    await uses(p, one, {
        ...right,
        AWS_ENDPOINT_URL_SQS: '',
        SQS_QUEUE_URL: throughHost.toString(),
    });
});
