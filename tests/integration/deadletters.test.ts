/* Logs and messages that can never be stored: kept with the reason, in nobody's way, sent again on demand. */
import { strict as assert } from 'node:assert';
import * as path from 'node:path';

import { BINARY, type Logmill, eventually, run, runLogmill, scenario, sqlite } from '../support/harness';
import { allLogs, atRest, metric, metrics, postLog, postLogs, stored, uuid7Ms } from '../support/logs';

interface Letter {
    id: string;
    died: string;
    reason: string;
    body: string;
}

/** What `logmill dead-letters` prints: a JSON object a line. */
async function deadLetters(server: Logmill): Promise<Letter[]> {
    const ran = await runLogmill(['dead-letters'], { DATA_DIR: server.dataDir });
    assert.equal(ran.code, 0, ran.stderr);
    return ran.stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Letter);
}

function requeue(server: Logmill, ...ids: string[]): ReturnType<typeof runLogmill> {
    return runLogmill(['dead-letters', 'requeue', ...ids], { DATA_DIR: server.dataDir });
}

/** Puts a message into the queue as a foreign producer would. */
async function putMessage(
    server: Logmill,
    body: string,
    sentUs = BigInt(Date.now()) * 1000n,
): Promise<void> {
    await sqlite(
        path.join(server.dataDir, 'queue.db'),
        `INSERT INTO messages(seq, sent_us, body)
         SELECT 1 + max(coalesce((SELECT max(seq) FROM messages), 0), last_seq),
                ${sentUs}, '${body.replaceAll("'", "''")}'
         FROM sequence`,
    );
}

/** Makes the store refuse logs whose message begins with 'poison', for a reason of their own. */
async function poison(server: Logmill): Promise<void> {
    await sqlite(
        path.join(server.dataDir, 'logs.db'),
        `CREATE TRIGGER poison BEFORE INSERT ON recent WHEN instr(NEW.logs, CAST('poison' AS BLOB)) > 0
         BEGIN SELECT RAISE(ABORT, 'the store will not have this'); END`,
    );
}

async function cure(server: Logmill): Promise<void> {
    await sqlite(path.join(server.dataDir, 'logs.db'), 'DROP TRIGGER poison');
}

scenario(
    'a message that is no JSON goes to the dead letters with the reason; its neighbours are stored',
    async (lab) => {
        const server = await lab.start();
        const before = await postLog(server, { message: 'before', level: 'info' });
        const bodies = [
            'this is not JSON',
            '{"v":1,"logs":[{"message":"cut',
            '42',
            '{"v":99,"logs":[]}',
            // A message as logmill sends it, whose checksum is of another.
            'v2 0123456789abcdef\nAAYnRxxxxcABk0Vniat83o8BI0VniavN 4 7 0\ninfodamaged\n',
        ];
        for (const body of bodies) {
            await putMessage(server, body);
        }
        const after = await postLog(server, { message: 'after', level: 'info' });
        await stored(server, before);
        await stored(server, after);
        await atRest(server);

        const letters = await deadLetters(server);
        assert.deepEqual(
            letters.map((letter) => letter.body),
            bodies,
        );
        assert.match(letters.at(-1)!.reason, /the batch is damaged/);
        for (const letter of letters) {
            assert.ok(letter.reason.length > 0);
            assert.doesNotMatch(letter.reason, /\n/);
            assert.match(letter.died, /^\d{4}-\d\d-\d\dT.*Z$/);
        }
        assert.equal(new Set(letters.map((letter) => letter.id)).size, letters.length);
        assert.deepEqual(
            (await allLogs(server)).map((log) => log.id),
            [after, before],
        );
        const samples = await metrics(server);
        assert.equal(metric(samples, 'logmill_queue_messages_rejected_total'), bodies.length);
        assert.equal(metric(samples, 'logmill_queue_dead_letters'), bodies.length);
    },
);

scenario(
    'bare records and arrays of them by a foreign producer are stored, a redelivery once',
    async (lab) => {
        const server = await lab.start();
        const bare =
            '{"timestamp":"2026-01-02T03:04:05.000006Z","message":"bare, it\'s","level":"info"}';
        await putMessage(server, bare);
        const sentUs = BigInt(Date.parse('2026-02-01T00:00:00Z')) * 1000n + 7n;
        await putMessage(
            server,
            '[{"message":"one","level":"info"},{"message":"two","level":"info","x":[1]}]',
            sentUs,
        );
        const logs = await eventually('three logs', async () => {
            const found = await allLogs(server);
            return found.length >= 3 ? found : undefined;
        });
        assert.equal(logs.length, 3);
        const byMessage = new Map(logs.map((log) => [log.message, log]));
        assert.equal(byMessage.get("bare, it's")!.timestamp, '2026-01-02T03:04:05.000006Z');
        assert.equal(byMessage.get('one')!.timestamp, '2026-02-01T00:00:00.000007Z');
        assert.deepEqual(byMessage.get('two')!.attributes, { x: [1] });
        for (const log of logs) {
            assert.equal(uuid7Ms(log.id), Date.parse(log.timestamp));
        }
        assert.deepEqual(await deadLetters(server), []);
    },
);

scenario(
    'of a message with good and bad records the good ones are stored, the bad one kept with the reason',
    async (lab) => {
        const server = await lab.start();
        await putMessage(
            server,
            '[{"message":"good","level":"info"},{"message":"no level"},{"message":"also good","level":"info"}]',
        );
        await eventually('two logs', async () => (await allLogs(server)).length === 2);
        await atRest(server);
        const letters = await deadLetters(server);
        assert.equal(letters.length, 1);
        assert.match(letters[0]!.body, /no level/);
        assert.match(letters[0]!.reason, /level/);
    },
);

scenario(
    'a log that the store refuses goes to the dead letters alone, and is stored when requeued after the cure',
    async (lab) => {
        const server = await lab.start();
        await poison(server);
        const logs = Array.from({ length: 100 }, (_, n) => ({
            message: n === 37 || n === 38 || n === 99 ? `poison ${n}` : `fine ${n}`,
            level: 'info',
            n,
        }));
        await postLogs(server, logs);
        const samples = await atRest(server);
        assert.equal((await allLogs(server)).length, 97);
        assert.equal(metric(samples, 'logmill_logs_stored_total'), 97);
        assert.equal(metric(samples, 'logmill_logs_dead_lettered_total'), 3);
        assert.equal(metric(samples, 'logmill_logs_accepted_total'), 100);

        const letters = await deadLetters(server);
        assert.equal(letters.length, 3);
        for (const letter of letters) {
            assert.match(letter.reason, /the store will not have this/);
            assert.match(letter.body, /poison/);
        }
        assert.equal(server.diagnostics().filter((line) => line.level === 'warn').length > 0, true);

        // Not cured: it dies again, and is not lost.
        assert.equal((await requeue(server)).code, 0);
        await eventually(
            'the same three again',
            async () => (await deadLetters(server)).length === 3,
        );

        await cure(server);
        const [one] = await deadLetters(server);
        const moved = await requeue(server, one!.id);
        assert.equal(moved.code, 0, moved.stderr);
        assert.match(moved.stdout, /\b1\b/);
        await eventually('one more log', async () => (await allLogs(server)).length === 98);
        assert.equal((await deadLetters(server)).length, 2);

        assert.equal((await requeue(server)).code, 0);
        await eventually('all logs', async () => (await allLogs(server)).length === 100);
        assert.deepEqual(await deadLetters(server), []);
        assert.deepEqual(
            (await allLogs(server)).map((log) => log.attributes['n']).reverse(),
            logs.map((log) => log.n),
            'with the timestamps and ids they had',
        );
    },
);

scenario(
    'dead letters survive kill -9 and can be listed and requeued while nothing runs',
    async (lab) => {
        const folder = lab.folder();
        const first = await lab.start({}, folder);
        await poison(first);
        await postLogs(first, [
            { message: 'poison', level: 'info' },
            { message: 'fine', level: 'info' },
        ]);
        await eventually('a dead letter', async () => (await deadLetters(first)).length === 1);
        await first.kill();
        assert.equal((await deadLetters(first)).length, 1);
        await cure(first);
        assert.equal((await requeue(first)).code, 0);
        assert.deepEqual(await deadLetters(first), []);
        const second = await lab.start({}, folder);
        await atRest(second);
        assert.deepEqual((await allLogs(second)).map((log) => log.message).sort(), [
            'fine',
            'poison',
        ]);
    },
);

scenario("an id that names no dead letter is said so, with a failure's exit code", async (lab) => {
    const server = await lab.start();
    const ran = await requeue(server, '12345');
    assert.notEqual(ran.code, 0);
    assert.match(ran.stderr, /12345/);
    assert.equal(ran.stderr.trim().split('\n').length, 1, ran.stderr);
    const unknown = await runLogmill(['dead-letters', 'bury'], { DATA_DIR: server.dataDir });
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /bury.*list.*requeue/);
});

scenario('a list of dead letters that cannot be written to its end is a failure', async (lab) => {
    const server = await lab.start();
    await putMessage(server, 'this is not JSON');
    await atRest(server);
    const { code, stderr } = await run(['sh', '-c', 'exec "$0" dead-letters > /dev/full', BINARY], {
        settings: { DATA_DIR: server.dataDir },
    });
    assert.deepEqual([code, /cannot write to standard output: No space/.test(stderr)], [1, true], stderr);
});

scenario('dead letters past a limit are told, and dropped only where that is set', async (lab) => {
    const folder = lab.folder();
    const first = await lab.start({}, folder);
    await putMessage(first, 'this is not JSON');
    await atRest(first);
    assert.equal((await deadLetters(first)).length, 1);
    await first.stop();

    const settings = { DEAD_LETTERS_MAX_BYTES: '10' };
    const keeping = await lab.start({ settings }, folder);
    await eventually('it to be told', async () =>
        keeping.diagnostics().find((line) => /DEAD_LETTERS_MAX_BYTES/.test(line.msg)),
    );
    assert.equal((await deadLetters(keeping)).length, 1);
    await keeping.stop();

    const dropping = await lab.start(
        { settings: { ...settings, DEAD_LETTERS_EXCESS: 'drop' } },
        folder,
    );
    await eventually('it to be dropped', async () => {
        return metric(await metrics(dropping), 'logmill_dead_letters_dropped_total') === 1;
    });
    assert.deepEqual(await deadLetters(dropping), []);
});
