/*
 * What containers and systemd run logmill by: `logmill health`, and the files at the top of the tree
 * and in deploy/, as far as they can be checked without a container engine (`make compose-test` has
 * one).
 */
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import * as path from 'node:path';

import { Authority } from '../support/certificates';
import { post } from '../support/http';
import { ROOT, eventually, freePort, runLogmill, scenario, type Lab } from '../support/harness';

/** A user that is nobody else's here. */
const OTHER = 10001;

function file(name: string): string {
    return readFileSync(path.join(ROOT, name), 'utf8');
}

function match(text: string, pattern: RegExp): string {
    const found = pattern.exec(text)?.[1];
    assert.ok(found !== undefined, `nothing is like ${pattern}`);
    return found;
}

/** `logmill config`: the names of all settings with their defaults. */
async function settings(): Promise<Map<string, string>> {
    const { stdout } = await runLogmill(['config']);
    return new Map(
        [...stdout.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]),
    );
}

// ---- logmill health ----

scenario('health succeeds, in silence, while serve is alive, and fails when it is gone', async (lab) => {
    const ipv6 = existsSync('/proc/net/if_inet6') ? ['::'] : [];
    for (const HOST of ['127.0.0.1', '0.0.0.0', ...ipv6]) {
        const server = await lab.start({ settings: { HOST } });
        const at = { HOST, PORT: String(server.port) };
        for (const args of [['health'], ['health', 'api']]) {
            assert.deepEqual(await said(args, at), { code: 0, text: '' });
        }
        await server.stop();
        const { code, text } = await said(['health'], at);
        assert.equal(code, 1);
        assert.match(text, new RegExp(`:${server.port}/health`));
    }
});

scenario('health of a worker asks METRICS_PORT, and needs no role to be told', async (lab) => {
    const at = { METRICS_PORT: String(await freePort()), PORT: String(await freePort()) };
    const worker = await lab.start({ command: 'worker', settings: at });
    assert.equal((await said(['health'], at)).code, 0);
    assert.equal((await said(['health', 'worker'], at)).code, 0);
    assert.equal((await said(['health', 'api'], at)).code, 1, 'there is no api');
    await worker.stop();
    assert.equal((await said(['health'], at)).code, 1);
});

scenario('health fails where the answer is not 200, is none, or cannot be asked for', async (lab) => {
    const refusing = await listen(lab, http.createServer((_, answer) => answer.writeHead(503).end()));
    const { code, text } = await said(['health'], { PORT: refusing });
    assert.equal(code, 1);
    assert.match(text, /answered 503/);
    const silent = await listen(lab, net.createServer());
    assert.equal((await said(['health', 'api'], { PORT: silent })).code, 1, 'within its time-out');
    for (const args of [['health'], ['health', 'api'], ['health', 'worker']]) {
        const ran = await said(args, { PORT: '0' });
        assert.equal(ran.code, 1);
        assert.match(ran.text, /PORT is 0/);
    }
    assert.equal((await said(['health', 'database'], {})).code, 2);
});

scenario('health asks by TLS where PORT speaks it, and of whom clients need certificates', async (lab) => {
    const authority = new Authority(lab.folder(), 'authority');
    const { cert, key } = authority.sign('somebody else', 'DNS:elsewhere', -1); // it asks not whose
    const at: Record<string, string> = {
        PORT: String(await freePort()),
        TLS_CERT_FILE: cert,
        TLS_KEY_FILE: key,
    };
    const answers = async (settings: Record<string, string>): Promise<void> => {
        const server = lab.launch({ settings });
        await eventually('to listen', async () => /"msg":"listening"/.test(server.stderr));
        assert.deepEqual(await said(['health'], settings), { code: 0, text: '' });
        await server.stop();
        assert.equal((await said(['health'], settings)).code, 1);
    };
    await answers(at);
    for (const TLS_CLIENT_CERTIFICATES of ['required', 'optional']) {
        await answers({ ...at, TLS_CLIENT_CA_FILE: authority.cert, TLS_CLIENT_CERTIFICATES });
    }
    await answers({ ...at, TLS_CLIENT_CA_FILE: authority.cert, TLS_PORT: String(await freePort()) });
    // Who answers 503 by TLS, and who asks for a certificate where we know of none, is not well.
    const tlsServer = (requestCert: boolean): Promise<string> => {
        const options = { cert: readFileSync(cert), key: readFileSync(key), requestCert };
        return listen(lab, https.createServer(options, (_, answer) => answer.writeHead(503).end()));
    };
    const refusing = { ...at, PORT: await tlsServer(false), TLS_CLIENT_CA_FILE: authority.cert };
    assert.match((await said(['health'], refusing)).text, /answered 503/);
    const asking = { ...at, PORT: await tlsServer(true) };
    assert.equal((await said(['health'], asking)).code, 1);
});

scenario('health never goes through a proxy', async (lab) => {
    const server = await lab.start();
    const nobody = `http://127.0.0.1:${await freePort()}`;
    const ran = await said(['health'], { PORT: String(server.port), http_proxy: nobody });
    assert.deepEqual(ran, { code: 0, text: '' });
});

async function said(
    args: string[],
    environment: Record<string, string>,
): Promise<{ code: number | null; text: string }> {
    const { code, stdout, stderr } = await runLogmill(args, environment);
    return { code, text: stdout + stderr };
}

/** The port of a server that ends with the scenario. */
async function listen(lab: Lab, server: net.Server): Promise<string> {
    const sockets = new Set<net.Socket>();
    server.on('connection', (socket: net.Socket) => sockets.add(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    lab.finally(() => {
        sockets.forEach((socket) => socket.destroy());
        server.close();
    });
    return String((server.address() as net.AddressInfo).port);
}

// ---- Dockerfile, docker-compose.yml, deploy/ ----

scenario('every name that the image and the compose file set is a setting', async () => {
    const known = await settings();
    const image = match(file('Dockerfile'), /^ENV (.*)$/m).split(' ');
    const block = match(file('docker-compose.yml'), /^ {2}environment: &settings\n((?: {4}.*\n)+)/m);
    const compose = [...block.matchAll(/^ {4}([A-Z_]+):/gm)].map(([, name]) => name!);
    assert.ok(compose.includes('SQS_QUEUE_URL') && compose.includes('DATABASE_USER'));
    for (const name of [...image.map((pair) => pair.split('=')[0]!), ...compose]) {
        assert.ok(known.has(name) || /^AWS_(REGION|(SECRET_)?ACCESS_KEY(_ID)?)$/.test(name), name);
    }
});

scenario('the compose file names the queue that deploy/elasticmq.conf makes', async () => {
    const compose = file('docker-compose.yml');
    const conf = file('deploy/elasticmq.conf');
    const host = match(conf, /node-address \{\s*host = (\S+)/);
    const queue = match(compose, new RegExp(`SQS_QUEUE_URL: http://${host}:9324/000000000000/(\\S+)`));
    const declared = match(conf, new RegExp(`^ {2}${queue} \\{((?:.|\\n)*?)^ {2}\\}`, 'm'));
    const letters = match(declared, /deadLettersQueue \{\s*name = (\S+)/);
    assert.match(conf, new RegExp(`^ {2}${letters} \\{`, 'm'));
    assert.match(compose, new RegExp(`^ {2}${host}:$`, 'm'), 'a service of that name');
    assert.equal(
        match(compose, /elasticmq-native:(\S+)/),
        match(file('tools/elasticmq'), /^version=(\S+)/m),
        'the release that the tests run with',
    );
});

scenario('containers and unit wait for a stop longer than logmill takes, and have room', async () => {
    const known = await settings();
    const stop = Number(known.get('SHUTDOWN_TIMEOUT'));
    const unit = file('deploy/logmill.service');
    const logmill = match(file('docker-compose.yml'), /^(x-logmill:(?:.|\n)*?)^services:/m);
    assert.ok(Number(match(logmill, /stop_grace_period: (\d+)s/)) > stop + 1);
    assert.ok(Number(match(unit, /^TimeoutStopSec=(\d+)$/m)) > stop + 1);
    const files = Number(match(unit, /^LimitNOFILE=(\d+)$/m));
    assert.ok(files > Number(known.get('MAX_CONNECTIONS')) + 64);
});

/** The documents of a file of deploy/kubernetes by their kind and name. */
function manifests(name: string): Map<string, string> {
    const documents = file(`deploy/kubernetes/${name}`).split(/^---$/m);
    return new Map(
        documents.map((text) => [`${match(text, /^kind: (.*)$/m)} ${match(text, /^ {2}name: (.*)$/m)}`, text]),
    );
}

const PODS = [
    ['serve.yaml', 'StatefulSet logmill'],
    ['cloud.yaml', 'Deployment logmill-api'],
    ['cloud.yaml', 'Deployment logmill-worker'],
] as const;

scenario('pods of Kubernetes run as the image does, may write to their volumes alone, and are told settings', async () => {
    const known = await settings();
    const user = match(file('Dockerfile'), /^USER (\d+):\1$/m);
    const config = manifests('cloud.yaml').get('ConfigMap logmill')!;
    const named = [...config.matchAll(/^ {2}([A-Z_]+):/gm)].map(([, name]) => name!);
    assert.ok(named.includes('SQS_QUEUE_URL'));
    for (const [name, pod] of PODS) {
        const text = manifests(name).get(pod)!;
        for (const line of [
            'runAsNonRoot: true',
            `runAsUser: ${user}`,
            `fsGroup: ${user}`,
            'readOnlyRootFilesystem: true',
            'allowPrivilegeEscalation: false',
            'capabilities: {drop: [ALL]}',
            'automountServiceAccountToken: false',
            'seccompProfile: {type: RuntimeDefault}',
        ]) {
            assert.match(text, new RegExp(`^ +${line.replace(/[{[]/g, '\\$&')}$`, 'm'), pod);
        }
        named.push(...[...text.matchAll(/^ +- \{name: ([A-Z_]+), value/gm)].map(([, env]) => env!));
    }
    for (const name of named) {
        assert.ok(known.has(name) || /^(AWS_REGION|PGSSL(MODE|ROOTCERT))$/.test(name), name);
    }
    assert.ok(file('Dockerfile').includes(match(config, /PGSSLROOTCERT: \/usr\/share\/logmill\/(\S+)/)));
    // Each thread gathers messages of its own.
    assert.match(manifests('cloud.yaml').get('Deployment logmill-api')!, /name: WEB_CONCURRENCY, value: "1"/);
});

scenario('pods of Kubernetes have time to stop, are asked where they answer, and need keys', async () => {
    const known = await settings();
    const image = match(file('Dockerfile'), /^ENV (.*)$/m);
    for (const [name, pod] of PODS) {
        const text = manifests(name).get(pod)!;
        const before = Number(/command: \[sleep, "(\d+)"\]/.exec(text)?.[1] ?? 0);
        const grace = Number(match(text, /terminationGracePeriodSeconds: (\d+)/));
        assert.ok(grace > before + Number(known.get('SHUTDOWN_TIMEOUT')) + 1, pod);
        const port = Number(match(text, /\{name: http, containerPort: (\d+)\}/));
        const role = match(text, /args: \[(.*)\]/);
        assert.equal(port, Number(match(image, role === 'worker' ? /METRICS_PORT=(\d+)/ : /\bPORT=(\d+)/)));
        const probes = [...text.matchAll(/(\w+)Probe:\n +httpGet: \{path: (\S+), port: http\}((?:\n {12}.*)*)/g)];
        assert.deepEqual(
            probes.map(([, of, at]) => `${of} ${at}`),
            [
                // What a roll-out waits for, where it does not stop the old pod first.
                role === 'api' ? 'startup /ready' : 'startup /health',
                'liveness /health',
                // A silent database is all pods', and none of those that take logs is to go for it.
                role === 'worker' ? 'readiness /ready' : 'readiness /health',
            ],
        );
        for (const [, , , more] of probes.filter(([, , at]) => at === '/ready')) {
            assert.ok(Number(match(more!, /timeoutSeconds: (\d+)/)) > Number(known.get('READY_TIMEOUT')), pod);
        }
        if (role !== 'worker') {
            const folder = match(text, /name: KEYS_FILE, value: (\S+)\/keys\}/);
            assert.ok(text.includes(`{name: keys, mountPath: ${folder}, readOnly: true}`));
            assert.match(text, /- name: keys.*\n +secret: \{secretName: logmill-keys, defaultMode: 0440\}/);
        }
    }
    // As on AWS: what each may do to the database and the queue is no more than it has to do.
    for (const role of ['api', 'worker']) {
        const text = manifests('cloud.yaml').get(`Deployment logmill-${role}`)!;
        assert.equal(match(text, /secretRef: \{name: (\S+)\}/), `logmill-${role}`);
        assert.equal(match(text, /serviceAccountName: (\S+)/), `logmill-${role}`);
        assert.ok(manifests('cloud.yaml').has(`ServiceAccount logmill-${role}`));
    }
    // A label that nothing has would select nothing, in silence.
    for (const name of ['serve.yaml', 'cloud.yaml']) {
        const all = [...manifests(name).values()].join('');
        const labels = new Set(PODS.filter(([of]) => of === name).map(([, pod]) => pod.split(/[ -]/)[2] ?? 'serve'));
        for (const [, component] of all.matchAll(/component: (\w+)\}/g)) {
            assert.ok(labels.has(component!), component);
        }
        for (const [, target] of all.matchAll(/kind: Deployment, name: (\S+)\}/g)) {
            assert.ok(manifests(name).has(`Deployment ${target}`), target);
        }
    }
});

scenario('what the README of Kubernetes has one run makes roles and Secrets, with no password for ps and history', async (lab) => {
    const readme = file('deploy/kubernetes/README.md');
    const commands = match(readme, /^((?: {4}.*\n)*? {4}export DATABASE_HOST(?:.*\n {4})*.*)$/m);
    const folder = lab.folder();
    for (const name of ['logmill', 'kubectl']) {
        const to = path.join(folder, name);
        const script = `#!/bin/sh\necho "$(basename "$0") $*" >>calls
            case $0 in *kubectl) cat >"$4" ;; *) env >env ;; esac\n`;
        writeFileSync(to, script, { mode: 0o755 });
    }
    const ran = spawnSync('bash', ['--norc', '-euc', commands], {
        cwd: folder,
        env: { PATH: `${folder}:${process.env['PATH']}` },
        input: 'of the owner\n',
        encoding: 'utf8',
    });
    assert.equal(ran.status, 0, ran.stderr);
    const made = (name: string): Map<string, string> =>
        new Map(
            readFileSync(path.join(folder, name), 'utf8')
                .trim()
                .split('\n')
                .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
        );
    const told = made('env');
    assert.equal(told.get('DATABASE_PASS'), 'of the owner');
    const passwords = ['of the owner'];
    for (const [role, is] of [
        ['worker', 'WRITER'],
        ['api', 'READER'],
    ] as const) {
        const secret = made(`logmill-${role}`);
        assert.deepEqual([...secret.keys()], ['DATABASE_USER', 'DATABASE_PASS']);
        assert.equal(secret.get('DATABASE_USER'), told.get(`DATABASE_${is}_USER`));
        const password = secret.get('DATABASE_PASS')!;
        assert.equal(password, told.get(`DATABASE_${is}_PASS`));
        assert.ok(password.length >= 32 && !passwords.includes(password));
        passwords.push(password);
    }
    const calls = readFileSync(path.join(folder, 'calls'), 'utf8');
    assert.equal(calls.match(/^logmill migrate$/gm)?.length, 1);
    const given = '--namespace logs --from-env-file=/dev/stdin';
    assert.equal(calls.match(new RegExp(`^kubectl create secret generic logmill-\\w+ ${given}$`, 'gm'))?.length, 2);
    assert.ok(passwords.every((one) => !calls.includes(one) && !commands.includes(one)));
    assert.doesNotMatch(readme, /--from-literal|PASS=…/);
});

scenario('the unit that follows files has room for them, and time to send what was read', async () => {
    const unit = file('deploy/logmill-follow.service');
    const limit = (header: string, name: string): number =>
        Number(match(file(`src/${header}`), new RegExp(`\\b${name} = (\\d+)`)));
    assert.ok(
        Number(match(unit, /^TimeoutStopSec=(\d+)$/m)) * 1000 >
            limit('cli/dispatch.h', 'DELIVERY_STOP_MS') + 1000,
    );
    assert.ok(
        Number(match(unit, /^LimitNOFILE=(\d+)$/m)) >
            limit('follow/follower.h', 'FOLLOW_OPEN_MAX') + 64,
    );
    assert.equal(match(unit, /%S\/([a-z-]+)\//), match(unit, /^StateDirectory=(.*)$/m));
    assert.equal(match(unit, /^Type=(.*)$/m), 'notify');
});

scenario('what the unit and the compose file say of keys and TLS are settings, and files', async () => {
    const known = await settings();
    const unit = file('deploy/logmill.service');
    const pairs = match(unit, /^#Environment=(KEYS_FILE=.*)$/m).split(' ');
    const credentials = [...unit.matchAll(/^#LoadCredential=([^:]+):\/etc\/logmill\/\1$/gm)];
    assert.deepEqual(
        pairs.map((pair) => pair.split('=%d/')[1]),
        credentials.map(([, name]) => name),
    );
    const compose = file('deploy/compose-secrets.yml');
    const set = [...compose.matchAll(/^ {6}([A-Z_]+): \/run\/secrets\/(\S+)$/gm)];
    const made = [...compose.matchAll(/^ {2}(\S+): \{file: \.\/secrets\/\1\}$/gm)];
    const names = set.map(([, , name]) => name!);
    assert.deepEqual(made.map(([, name]) => name), names);
    assert.equal(match(compose, /^ {4}secrets: \[(.*)\]$/m), names.join(', '));
    for (const name of [...pairs.map((pair) => pair.split('=')[0]!), ...set.map(([, n]) => n!)]) {
        assert.ok(known.has(name), name);
    }
    assert.equal(pairs.length, 3);
    assert.equal(set.length, 3);
});

/** What containers and systemd hand to a process: files of another user, which its own may read. */
scenario(
    'a process whose user may only read its keys and its certificate has both',
    async (lab) => {
        const folder = lab.folder();
        const authority = new Authority(folder, 'authority');
        const { cert, key } = authority.sign('localhost', 'DNS:localhost,IP:127.0.0.1');
        const keysFile = path.join(folder, 'keys');
        const made = await runLogmill(['keys', 'add', 'shop', '--role', 'write'], { KEYS_FILE: keysFile });
        const dataDir = lab.folder();
        chownSync(dataDir, OTHER, OTHER);
        chmodSync(folder, 0o755);
        for (const [name, mode, group] of [
            [keysFile, 0o444, 0],
            [key, 0o440, OTHER],
            [cert, 0o444, 0],
        ] as const) {
            chownSync(name, 0, group);
            chmodSync(name, mode);
        }
        const server = lab.launch(
            {
                settings: { KEYS_FILE: keysFile, TLS_CERT_FILE: cert, TLS_KEY_FILE: key },
                wrapper: ['setpriv', `--reuid=${OTHER}`, `--regid=${OTHER}`, '--clear-groups'],
                ca: readFileSync(authority.cert, 'utf8'),
            },
            dataDir,
        );
        await server.ready();
        const body = { message: 'm', level: 'info' };
        const bearer = { Authorization: `Bearer ${made.stdout.trim()}` };
        assert.equal((await post(server, '/log', body, bearer)).status, 201);
        assert.equal((await post(server, '/log', body)).status, 401);
    },
    { skip: process.getuid!() === 0 ? false : 'only root can make files of others' },
);

scenario("the image's label has the version of the program", async () => {
    const { stdout } = await runLogmill(['--version']);
    const label = match(file('Dockerfile'), /image\.version="(.*)"/);
    assert.equal(stdout.trim(), `logmill ${label}`);
});
