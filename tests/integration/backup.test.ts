/* `logmill backup` and `logmill restore`: what they promise, also while logs come, and what they refuse. */
import { strict as assert } from 'node:assert';
import { randomBytes } from 'node:crypto';
import {
    createWriteStream,
    existsSync,
    mkdirSync,
    readFileSync,
    readdirSync,
    rmSync,
    statSync,
    symlinkSync,
    writeFileSync,
} from 'node:fs';
import * as path from 'node:path';

import { BINARY, type Lab, type Logmill, eventually, run, runLogmill, scenario, sleep, sqlite } from '../support/harness';
import { get } from '../support/http';
import { allLogs, assertNewestFirst, atRest, postLog, postLogs, stored, uuid7 } from '../support/logs';
import { motoProgram, startMoto } from '../support/servers/moto';

const SENDERS = 6;

type Settings = Record<string, string>;

/** Takes a backup that has to succeed, and returns its file. */
async function backUp(dataDir: string, file: string, settings: Settings = {}): Promise<string> {
    const ran = await runLogmill(['backup', file], { ...settings, DATA_DIR: dataDir });
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stderr, /"msg":"backed up"/);
    return file;
}

/** Restores into a new folder, and returns it. */
async function restored(lab: Lab, file: string): Promise<string> {
    const dataDir = path.join(lab.folder(), 'data');
    const ran = await runLogmill(['restore', file], { DATA_DIR: dataDir });
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stderr, /"msg":"restored"/);
    return dataDir;
}

/** The one line with which a command failed. */
async function refusal(args: string[], settings: Settings): Promise<string> {
    const ran = await runLogmill(args, settings);
    assert.equal(ran.code, 1, ran.stderr);
    assert.equal(ran.stderr.trim().split('\n').length, 1, ran.stderr);
    return (JSON.parse(ran.stderr) as { msg: string }).msg;
}

/** Clients that post single logs one after the other, and what was answered 201. */
class Senders {
    readonly taken: string[] = [];
    private going = true;
    private readonly loops: Promise<void>[];

    constructor(server: Logmill) {
        this.loops = Array.from({ length: SENDERS }, async (_, client) => {
            for (let n = 0; this.going; n++) {
                this.taken.push(await postLog(server, { message: 'during', level: 'info', client, n }));
            }
        });
    }

    async stop(): Promise<void> {
        this.going = false;
        await Promise.all(this.loops);
    }
}

/** Enough that a copy takes a while. */
async function fill(server: Logmill, batches = 12): Promise<void> {
    for (let batch = 0; batch < batches; batch++) {
        await postLogs(
            server,
            Array.from({ length: 1000 }, (_, n) => ({
                message: `before ${batch} ${n} ${'x'.repeat(1000)}`,
                level: 'info',
            })),
        );
    }
    await atRest(server);
}

scenario(
    'a backup taken while logs come holds every log answered 201 before it began, once',
    async (lab) => {
        const server = await lab.start();
        await fill(server);
        const senders = new Senders(server);
        const folder = lab.folder();
        const backups: { file: string; before: string[] }[] = [];
        for (let round = 0; round < 5; round++) {
            await sleep(100);
            const before = [...senders.taken];
            backups.push({ before, file: await backUp(server.dataDir, path.join(folder, `${round}`)) });
        }
        await senders.stop();
        assert.ok(backups[0]!.before.length > 0);
        for (const { file, before } of backups) {
            const copy = await lab.start({}, await restored(lab, file));
            await atRest(copy);
            const logs = await allLogs(copy);
            assertNewestFirst(logs);
            const ids = new Set(logs.map((log) => log.id));
            assert.deepEqual(before.filter((id) => !ids.has(id)), []);
            assert.equal(logs.filter((log) => log.message.startsWith('before ')).length, 12_000);
            // A client sends a log when the one before it was answered 201: none is there without it.
            for (let client = 0; client < SENDERS; client++) {
                const numbers = logs
                    .filter((log) => log.attributes['client'] === client)
                    .map((log) => Number(log.attributes['n']))
                    .sort((a, b) => a - b);
                assert.deepEqual(numbers, numbers.map((_, n) => n));
            }
            const sent = new Set(senders.taken);
            assert.ok(logs.every((log) => log.message !== 'during' || sent.has(log.id)));
            await copy.stop();
        }
    },
    { timeoutMs: 900_000 },
);

scenario('the same where api and worker are processes of their own', async (lab) => {
    const dataDir = lab.folder();
    const api = await lab.start({ command: 'api' }, dataDir);
    const waiting = await postLog(api, { message: 'in the queue', level: 'info' });
    const early = await backUp(dataDir, path.join(lab.folder(), 'early'));
    await lab.start({ command: 'worker' }, dataDir);
    await stored(api, waiting);
    const senders = new Senders(api);
    await eventually('some logs', async () => senders.taken.length > 50);
    const before = [...senders.taken];
    const late = await backUp(dataDir, path.join(lab.folder(), 'late'));
    await senders.stop();

    const first = await lab.start({}, await restored(lab, early));
    await atRest(first);
    assert.deepEqual((await allLogs(first)).map((log) => log.id), [waiting]);
    const second = await lab.start({}, await restored(lab, late));
    await atRest(second);
    const ids = new Set((await allLogs(second)).map((log) => log.id));
    assert.deepEqual([waiting, ...before].filter((id) => !ids.has(id)), []);
});

/** Blocks so small that a few logs fill many, segments of them too. */
const SMALL = { LOGMILL_STORE_SIZES: 'block_rows=20,segment_blocks=4,seal_rows=60,keep_rows=10' };

/** `logmill store verify` reads all of DATA_DIR and finds nothing wrong. */
async function isSound(dataDir: string): Promise<void> {
    const verified = await runLogmill(['store', 'verify'], { DATA_DIR: dataDir });
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
}

/** What is restored of `file` is sound, and has these logs. */
async function isWhole(lab: Lab, file: string, ids: string[]): Promise<void> {
    const dataDir = await restored(lab, file);
    await isSound(dataDir);
    const copy = await lab.start({ settings: SMALL }, dataDir);
    await atRest(copy);
    const found = new Set((await allLogs(copy)).map((log) => log.id));
    assert.deepEqual(ids.filter((id) => !found.has(id)), []);
    await copy.stop();
    await isSound(dataDir);
}

/** Ids of logs, some of which are in many blocks and some in the queue. */
async function inBlocks(server: Logmill, round: number): Promise<string[]> {
    const ids = Array.from({ length: 300 }, () => uuid7());
    await postLogs(server, ids.map((id, n) => ({ id, message: `${round} ${n}`, level: 'info', n })));
    return ids;
}

scenario('a backup of blocks is whole though what runs is killed meanwhile, by store verify', async (lab) => {
    const dataDir = lab.folder();
    let server = await lab.start({ settings: SMALL }, dataDir);
    const ids: string[] = [];
    for (let round = 0; round < 4; round++) {
        ids.push(...(await inBlocks(server, round)));
        const before = [...ids];
        const backup = backUp(dataDir, path.join(lab.folder(), 'x'));
        // Goes on until it is killed; what is not answered is not counted.
        const during = inBlocks(server, -1).catch(() => []);
        await sleep(15 * round);
        await server.kill();
        const file = await backup;
        ids.push(...(await during));
        await isWhole(lab, file, before);
        await isSound(dataDir);
        server = await lab.start({ settings: SMALL }, dataDir);
    }
    await server.stop();
    await isWhole(lab, await backUp(dataDir, path.join(lab.folder(), 'last')), ids);
});

scenario('a backup that is killed leaves FILE and the data as they were, and the next one is whole', async (lab) => {
    const server = await lab.start({ settings: SMALL });
    const ids = await inBlocks(server, 0);
    await atRest(server);
    const folder = lab.folder();
    const file = path.join(folder, 'x');
    const settings = { DATA_DIR: server.dataDir };
    let killed = 0;
    let done = 0;
    // Each time it is given longer, until it has had the time to end.
    for (let ms = 5; done === 0; ms = Math.ceil(ms * 1.5)) {
        writeFileSync(file, 'older');
        const ran = await run(['timeout', '--signal=KILL', String(ms / 1000), BINARY, 'backup', file], { settings });
        if (ran.code === 0) {
            done++;
        } else {
            killed++;
            assert.equal(ran.stderr.includes('"level":"error"'), false, ran.stderr);
        }
        const text = readFileSync(file);
        if (ran.code === 0 || text.toString('latin1') !== 'older') {
            await isWhole(lab, file, ids); // killed behind the moment in which FILE got its name
        }
        const left = readdirSync(folder).filter((name) => name !== 'x');
        assert.ok(left.every((name) => /^x\.(part|copy)-/.test(name)), left.join());
    }
    assert.ok(killed > 0);
    await isSound(server.dataDir);
    await isWhole(lab, await backUp(server.dataDir, file), ids);
});

/** So many logs that no compression makes small, of 8 KB each. */
function noise(count: number): Record<string, unknown>[] {
    return Array.from({ length: count }, () => ({
        message: randomBytes(8000).toString('base64'),
        level: 'info',
    }));
}

scenario('a backup goes to S3 and comes back from there, while logs come', async (lab) => {
    const endpoint = `http://127.0.0.1:${await startMoto(lab)}`;
    const python = path.join(path.dirname(motoProgram()), 'python3');
    // As `aws s3 cp` does it, in parts where the file is large.
    const copy = async (method: 'upload_file' | 'download_file', args: string[]): Promise<void> => {
        const script = [
            'import sys, boto3',
            'from boto3.s3.transfer import TransferConfig',
            'method, url, *args = sys.argv[1:]',
            's3 = boto3.client("s3", endpoint_url=url, region_name="us-east-1",',
            '                  aws_access_key_id="x", aws_secret_access_key="x")',
            'if method == "upload_file": s3.create_bucket(Bucket="backups")',
            'parts = TransferConfig(multipart_threshold=5 * 2**20, multipart_chunksize=5 * 2**20)',
            'getattr(s3, method)(*args, Config=parts)',
        ].join('\n');
        const ran = await run([python, '-c', script, method, endpoint, ...args]);
        assert.equal(ran.code, 0, ran.stderr);
    };
    const server = await lab.start({ settings: SMALL });
    const ids = await inBlocks(server, 0);
    for (let n = 0; n < 10; n++) {
        await postLogs(server, noise(90));
    }
    await atRest(server);
    const senders = new Senders(server);
    const folder = lab.folder();
    const file = await backUp(server.dataDir, path.join(folder, 'x'));
    assert.ok(statSync(file).size > 5 * 2 ** 20);
    await copy('upload_file', [file, 'backups', 'logmill/x']);
    await senders.stop();
    const back = path.join(folder, 'back');
    await copy('download_file', ['backups', 'logmill/x', back]);
    await isWhole(lab, back, ids);
});

scenario('dead letters and the order of storing are in it; a stopped logmill can be copied', async (lab) => {
    const server = await lab.start();
    await stored(server, await postLog(server, { message: 'one', level: 'info' }));
    await sqlite(
        path.join(server.dataDir, 'queue.db'),
        `INSERT INTO messages(seq, sent_us, body)
         SELECT 1 + max(coalesce((SELECT max(seq) FROM messages), 0), last_seq), 1, 'no JSON' FROM sequence`,
    );
    await atRest(server);
    await server.stop();
    const file = await backUp(server.dataDir, path.join(lab.folder(), 'x'));
    const dataDir = await restored(lab, file);
    const letters = await runLogmill(['dead-letters'], { DATA_DIR: dataDir });
    assert.match(letters.stdout, /no JSON/);
    const recent = 'SELECT last, stored, hex(logs) AS logs FROM recent ORDER BY last';
    assert.deepEqual(
        await sqlite(path.join(dataDir, 'logs.db'), recent),
        await sqlite(path.join(server.dataDir, 'logs.db'), recent),
    );
});

scenario('what is restored is its owner\'s alone, and the archive too; nothing else is left', async (lab) => {
    const server = await lab.start();
    await stored(server, await postLog(server, { message: 'secret', level: 'info' }));
    const folder = lab.folder();
    const file = await backUp(server.dataDir, path.join(folder, 'x.tar'));
    assert.deepEqual(readdirSync(folder), ['x.tar']);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const dataDir = await restored(lab, file);
    assert.equal(statSync(dataDir).mode & 0o777, 0o700);
    for (const name of readdirSync(dataDir)) {
        assert.equal(statSync(path.join(dataDir, name)).mode & 0o777, 0o600, name);
    }
    assert.deepEqual(readdirSync(dataDir).filter((name) => !name.endsWith('.lock')).sort(), [
        'logs.db',
        'queue.db',
    ]);
});

scenario('tar and sha256sum read it, and a new backup takes the place of an older one', async (lab) => {
    const server = await lab.start();
    const file = path.join(lab.folder(), 'x.tar');
    writeFileSync(file, 'older');
    await stored(server, await postLog(server, { message: 'one', level: 'info' }));
    await backUp(server.dataDir, file);
    const out = lab.folder();
    const ran = await run(['sh', '-c', 'cd "$1" && tar xf "$2" && sha256sum -c SHA256SUMS', 'sh', out, file]);
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(ran.stdout, 'logmill-backup: OK\nqueue.db: OK\nlogs.db: OK\n');
    const rows = await sqlite(path.join(out, 'logs.db'), 'SELECT rows FROM recent');
    assert.deepEqual(rows, [{ rows: 1 }]);
});

scenario('restore refuses a DATA_DIR with data, and one in use', async (lab) => {
    const server = await lab.start();
    const id = await postLog(server, { message: 'kept', level: 'info' });
    await stored(server, id);
    const file = await backUp(server.dataDir, path.join(lab.folder(), 'x'));
    const inUse = await refusal(['restore', file], { DATA_DIR: server.dataDir });
    assert.match(inUse, /^DATA_DIR: .* holds data: there is a queue\.db in it/);
    await server.stop();
    assert.match(await refusal(['restore', file], { DATA_DIR: server.dataDir }), /holds data/);
    const half = lab.folder();
    writeFileSync(path.join(half, 'logs.db'), '');
    assert.match(await refusal(['restore', file], { DATA_DIR: half }), /there is a logs\.db in it/);
    const again = await lab.start({}, server.dataDir);
    await stored(again, id);
});

scenario('an archive that is cut or has one wrong bit is refused, and leaves nothing', async (lab) => {
    const server = await lab.start();
    await fill(server, 1);
    const folder = lab.folder();
    const whole = readFileSync(await backUp(server.dataDir, path.join(folder, 'whole')));
    const file = path.join(folder, 'damaged');
    const dataDir = path.join(folder, 'data');
    const heads = [0, 1024, 512 * (2 + 1 + Math.ceil(sizeAt(whole, 1024) / 512))];
    const cuts = [0, 1, 511, 600, 1024, 5000, whole.length >> 1, whole.length - 1024, whole.length - 1];
    for (const cut of cuts) {
        writeFileSync(file, whole.subarray(0, cut));
        const reason = await refusal(['restore', file], { DATA_DIR: dataDir });
        assert.match(reason, /is cut: it ends too early$|is no backup made by logmill$/, `cut at ${cut}`);
    }
    const flips = [...heads.map((at) => at + 3), 512 + 20, whole.length >> 1, whole.length - 1100, whole.length - 1400];
    for (const at of [...flips, ...Array.from({ length: 8 }, (_, n) => 2048 + n * 40_013)]) {
        if (isPadding(whole, at)) {
            continue;
        }
        const bytes = Buffer.from(whole);
        bytes[at]! ^= 1;
        writeFileSync(file, bytes);
        const reason = await refusal(['restore', file], { DATA_DIR: dataDir });
        assert.match(reason, /is damaged|is no backup made by logmill$/, `byte ${at}: ${reason}`);
    }
    if (existsSync(dataDir)) {
        assert.deepEqual(readdirSync(dataDir).filter((name) => !name.endsWith('.lock')), []);
    }
    for (const [other, text] of [
        ['/etc/passwd', /is no backup made by logmill/],
        [folder, /is a directory/],
        [path.join(folder, 'none'), /No such file/],
    ] as const) {
        assert.match(await refusal(['restore', other], { DATA_DIR: dataDir }), text);
    }
});

/** The size in the head of the member at `at`. */
function sizeAt(archive: Buffer, at: number): number {
    return parseInt(archive.toString('latin1', at + 124, at + 135), 8);
}

/** Whether a byte is none of any member's: it fills up a block, or comes after the end. */
function isPadding(archive: Buffer, at: number): boolean {
    for (let head = 0; archive[head] !== 0 && head < archive.length; ) {
        const end = head + 512 + sizeAt(archive, head);
        const next = Math.ceil(end / 512) * 512;
        if (at < next) {
            return at >= end;
        }
        head = next;
    }
    return false;
}

scenario('a sound tar around a damaged file is refused by SQLite\'s own check', async (lab) => {
    const server = await lab.start();
    await fill(server, 1);
    const folder = lab.folder();
    const file = await backUp(server.dataDir, path.join(folder, 'x'));
    const script = `cd "$1" && tar xf x && dd if=/dev/urandom of=logs.db bs=4096 seek=3 count=4 conv=notrunc 2>dd.log &&
        sha256sum logmill-backup queue.db logs.db >SHA256SUMS &&
        tar cf made --format=ustar logmill-backup queue.db logs.db SHA256SUMS`;
    assert.equal((await run(['sh', '-c', script, 'sh', folder])).code, 0);
    const dataDir = path.join(folder, 'data');
    assert.match(
        await refusal(['restore', path.join(folder, 'made')], { DATA_DIR: dataDir }),
        /logs\.db\.restoring is damaged/,
    );
    assert.deepEqual(readdirSync(dataDir).filter((name) => !name.endsWith('.lock')), []);
    assert.equal(existsSync(file), true);
});

scenario('an archive of a newer format is told from a damaged one', async (lab) => {
    const server = await lab.start();
    const folder = lab.folder();
    await backUp(server.dataDir, path.join(folder, 'x'));
    const script = `cd "$1" && tar xf x && sed -i 's/backup 1/backup 2/' logmill-backup &&
        sha256sum logmill-backup queue.db logs.db >SHA256SUMS &&
        tar cf made --format=ustar logmill-backup queue.db logs.db SHA256SUMS`;
    assert.equal((await run(['sh', '-c', script, 'sh', folder])).code, 0);
    assert.match(
        await refusal(['restore', path.join(folder, 'made')], { DATA_DIR: path.join(folder, 'data') }),
        /made by a newer logmill: it begins with "logmill backup 2"/,
    );
});

scenario('a restore that was stopped half-way lets nothing start on what there is', async (lab) => {
    const server = await lab.start();
    await server.stop();
    const file = await backUp(server.dataDir, path.join(lab.folder(), 'x'));
    const dataDir = lab.folder();
    writeFileSync(path.join(dataDir, 'queue.db.restoring'), 'half');
    for (const command of ['serve', 'api', 'worker'] as const) {
        const started = lab.launch({ command }, dataDir);
        assert.equal((await started.refuses()).code, 1);
        assert.match(started.stderr, /a restore into .* was stopped before it was done/);
    }
    writeFileSync(path.join(dataDir, 'logs.db'), readFileSync(path.join(server.dataDir, 'logs.db')));
    assert.match(
        await refusal(['backup', path.join(lab.folder(), 'half')], { DATA_DIR: dataDir }),
        /a restore into .* was stopped before it was done/,
    );
    rmSync(path.join(dataDir, 'logs.db'));
    const ran = await runLogmill(['restore', file], { DATA_DIR: dataDir });
    assert.equal(ran.code, 0, ran.stderr);
    await lab.start({}, dataDir);
});

scenario('what comes into DATA_DIR while it is restored stays, and nothing is mixed', async (lab) => {
    const server = await lab.start();
    await fill(server, 1);
    await server.stop();
    const file = await backUp(server.dataDir, path.join(lab.folder(), 'x'));
    const dataDir = path.join(lab.folder(), 'data');
    const pipe = path.join(lab.folder(), 'pipe');
    assert.equal((await run(['mkfifo', pipe])).code, 0);
    const refused = refusal(['restore', pipe], { DATA_DIR: dataDir });
    const writer = createWriteStream(pipe);
    const bytes = readFileSync(file);
    writer.write(bytes.subarray(0, bytes.length / 2));
    await eventually('a file', async () => existsSync(path.join(dataDir, 'logs.db.restoring')));
    assert.equal((await runLogmill(['migrate'], { DATA_DIR: dataDir })).code, 0);
    writer.end(bytes.subarray(bytes.length / 2));
    assert.match(await refused, /holds data: there is a logs\.db in it/);
    assert.deepEqual(readdirSync(dataDir).filter((name) => !name.endsWith('.lock')), ['logs.db']);
    await lab.start({}, dataDir);
});

scenario('restore refuses a DATA_DIR with a journal, which SQLite would undo the data with', async (lab) => {
    const server = await lab.start();
    await server.stop();
    const file = await backUp(server.dataDir, path.join(lab.folder(), 'x'));
    const dataDir = lab.folder();
    writeFileSync(path.join(dataDir, 'logs.db-journal'), 'of a file that is gone');
    assert.match(
        await refusal(['restore', file], { DATA_DIR: dataDir }),
        /holds data: there is a logs\.db-journal in it/,
    );
});

scenario('a backup that would take the place of a file of DATA_DIR is refused', async (lab) => {
    const server = await lab.start();
    const id = await postLog(server, { message: 'kept', level: 'info' });
    await stored(server, id);
    const link = path.join(lab.folder(), 'link');
    symlinkSync(server.dataDir, link);
    for (const name of ['queue.db', 'logs.db', 'logs.db-wal', 'queue.db-shm', 'api.lock']) {
        for (const folder of [server.dataDir, `${server.dataDir}/.`, link]) {
            const told = await refusal(['backup', `${folder}/${name}`], { DATA_DIR: server.dataDir });
            assert.match(told, /is a file of DATA_DIR: choose another name$/);
        }
    }
    const inside = await run(
        ['sh', '-c', 'cd "$1" && exec "$0" backup logs.db', BINARY, server.dataDir],
        { settings: { DATA_DIR: '.' } },
    );
    assert.equal(inside.code, 1, inside.stderr);
    await backUp(server.dataDir, path.join(server.dataDir, 'backup.tar'));
    await server.stop();
    await stored(await lab.start({}, server.dataDir), id);
});

scenario('a backup that cannot be written leaves what was there', async (lab) => {
    const server = await lab.start();
    await fill(server, 2);
    const folder = lab.folder();
    const file = path.join(folder, 'x');
    writeFileSync(file, 'older');
    const limited = await run(
        ['prlimit', '--fsize=1000000', BINARY, 'backup', file],
        { settings: { DATA_DIR: server.dataDir } },
    );
    assert.equal(limited.code, 1, limited.stderr);
    assert.match(limited.stderr, /no space left for/);
    assert.equal(readFileSync(file, 'utf8'), 'older');
    assert.deepEqual(readdirSync(folder), ['x']);
    const there = path.join(folder, 'folder');
    mkdirSync(there);
    assert.match(await refusal(['backup', there], { DATA_DIR: server.dataDir }), /is no file$/);
    assert.match(
        await refusal(['backup', path.join(folder, 'none', 'x')], { DATA_DIR: server.dataDir }),
        /^cannot make .*No such file or directory$/,
    );
    assert.equal((await get(server, '/ready')).status, 200);
});

/** Runs a command once for each point of `kind` at which something can fail, until all have been met. */
async function walk(
    kind: string,
    args: string[],
    settings: () => Settings,
    after: (failed: boolean, dataDir: string) => Promise<void>,
): Promise<number> {
    for (let point = 1; ; point++) {
        const at: Settings = { ...settings(), LOGMILL_FAULT: `${kind}:${point}` };
        const ran = await runLogmill(args, at);
        const met = ran.stderr.includes(`fault: ${kind} ${point}`);
        assert.ok(ran.code === 0 || (ran.code === 1 && met), `${kind} ${point}: ${ran.stderr}`);
        if (ran.code === 1) {
            assert.equal(ran.stderr.match(/"level":"error"/g)?.length, 1, ran.stderr);
        }
        await after(ran.code !== 0, at['DATA_DIR']!);
        if (!met) {
            return point - 1;
        }
    }
}

scenario(
    'whatever write, sync or allocation fails: backup leaves a whole archive, restore all or nothing',
    async (lab) => {
        const server = await lab.start();
        await stored(server, await postLog(server, { message: 'x', level: 'info' }));
        await server.stop();
        const folder = lab.folder();
        const file = path.join(folder, 'x');
        const good = await backUp(server.dataDir, path.join(lab.folder(), 'good'));
        for (const kind of ['write', 'sync', 'input']) {
            const points = await walk(
                kind,
                ['backup', file],
                () => {
                    writeFileSync(file, 'older');
                    return { DATA_DIR: server.dataDir };
                },
                async (failed) => {
                    assert.deepEqual(readdirSync(folder), ['x'], 'nothing else is left');
                    const bytes = readFileSync(file);
                    const isOlder = bytes.toString('latin1') === 'older';
                    assert.ok(failed || !isOlder);
                    assert.ok(isOlder || bytes.length === statSync(good).size, 'it is whole');
                },
            );
            assert.ok(points > 0, kind);
            const restored = await walk(
                kind,
                ['restore', good],
                () => ({ DATA_DIR: path.join(lab.folder(), 'data') }),
                async (failed, dataDir) => {
                    const names = existsSync(dataDir) ? readdirSync(dataDir).filter((name) => name.includes('.db')) : [];
                    const whole = names.join() === 'logs.db,queue.db';
                    assert.ok(whole || (failed && (names.length === 0 || names.some((name) => name.endsWith('.restoring')))), names.join());
                },
            );
            assert.ok(restored > 0, kind);
        }
    },
    { timeoutMs: 900_000 },
);

scenario('settings without files in DATA_DIR are told what to use; with one of two, what is missing', async (lab) => {
    const cloud = {
        SQS_QUEUE_URL: 'http://127.0.0.1:1/q',
        DATABASE_URL: 'postgresql://127.0.0.1:1/x',
        AWS_REGION: 'eu-central-1',
    };
    const folder = lab.folder();
    const file = path.join(folder, 'x');
    const none = await refusal(['backup', file], { ...cloud, DATA_DIR: folder });
    assert.match(none, /pg_dump.*SQS keeps its messages itself/);
    assert.match(await refusal(['restore', file], { ...cloud, DATA_DIR: folder }), /pg_restore/);
    assert.deepEqual(readdirSync(folder), []);
    assert.match(await refusal(['backup', file], { DATA_DIR: folder }), /holds no data/);

    const server = await lab.start();
    await stored(server, await postLog(server, { message: 'x', level: 'info' }));
    await server.stop();
    const { DATABASE_URL } = cloud;
    const half = await runLogmill(['backup', file], { DATABASE_URL, DATA_DIR: server.dataDir });
    assert.equal(half.code, 0, half.stderr);
    assert.match(half.stderr, /the stored logs are not in it: use pg_dump/);
    assert.equal((await run(['tar', 'tf', file])).stdout, 'logmill-backup\nqueue.db\nSHA256SUMS\n');
    await backUp(server.dataDir, file);
    const dataDir = path.join(folder, 'data');
    assert.match(
        await refusal(['restore', file], { DATABASE_URL, DATA_DIR: dataDir }),
        /has logs\.db, which would not be used/,
    );
});

scenario('wrong usage is one line and exit code 2; --help and completion know both', async (lab) => {
    for (const args of [['backup'], ['restore'], ['backup', 'a', 'b'], ['restore', 'a', 'b']]) {
        const ran = await runLogmill(args, { DATA_DIR: lab.folder() });
        assert.equal(ran.code, 2);
        assert.match(ran.stderr, /^logmill: (backup|restore): .*FILE.*\n$/);
    }
    for (const command of ['backup', 'restore']) {
        const help = await runLogmill([command, '--help']);
        assert.equal(help.code, 0);
        assert.match(help.stdout, new RegExp(`^  ${command} +\\S.*\`${command} FILE\``, 'm'));
    }
    const man = await runLogmill(['man']);
    assert.ok(man.stdout.includes('logmill backup\nFILE'), 'the manual page has it');
    const zsh = await runLogmill(['completion', 'zsh']);
    assert.ok(zsh.stdout.includes('backup|restore)'), 'zsh completes files');
});
