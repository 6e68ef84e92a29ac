/* `logmill migrate` makes the roles that workers and the api log in as, by one that may make roles. */
import { strict as assert } from 'node:assert';

import { type Lab, eventually, runLogmill, scenario } from '../support/harness';
import { get } from '../support/http';
import { postLog } from '../support/logs';
import { PostgresServer } from '../support/servers/postgres';

type Settings = Record<string, string>;

const WRITER = { DATABASE_WRITER_USER: 'Log "worker" $$', DATABASE_WRITER_PASS: "wr'1te \\ $$ %I" };
const READER = { DATABASE_READER_USER: 'logmill_api', DATABASE_READER_PASS: 'read only' };

/** As a managed database gives it: whose master user is no superuser, but may make roles. */
async function managed(lab: Lab): Promise<PostgresServer> {
    const server = await PostgresServer.start(lab);
    await server.administer('ALTER ROLE logmill CREATEROLE');
    return server;
}

async function migrates(settings: Settings): Promise<void> {
    const { code, stderr } = await runLogmill(['migrate'], settings);
    assert.equal(code, 0, stderr);
}

const asWriter = (server: PostgresServer): Settings => ({
    ...server.settings,
    DATABASE_USER: WRITER.DATABASE_WRITER_USER,
    DATABASE_PASS: WRITER.DATABASE_WRITER_PASS,
});

const asReader = (server: PostgresServer): Settings => ({
    ...server.settings,
    DATABASE_USER: READER.DATABASE_READER_USER,
    DATABASE_PASS: READER.DATABASE_READER_PASS,
});

async function owners(server: PostgresServer): Promise<string[]> {
    const rows = await server.query<{ owner: string }>(
        "SELECT DISTINCT pg_get_userbyid(relowner) AS owner FROM pg_class WHERE relnamespace = 'public'::regnamespace " +
            "UNION SELECT pg_get_userbyid(proowner) FROM pg_proc WHERE proname LIKE 'logmill\\_%'",
    );
    return rows.map(({ owner }) => owner);
}

scenario('a worker logs in as the writer, the api as the reader, who can change nothing', async (lab) => {
    const server = await managed(lab);
    await migrates({ ...server.settings, ...WRITER, ...READER });
    assert.deepEqual(await owners(server), [WRITER.DATABASE_WRITER_USER]);

    const writes = await lab.start({ settings: asWriter(server) });
    const id = await postLog(writes, { message: 'by its own role', level: 'error' });
    const reads = await lab.start({ command: 'api', settings: asReader(server) });
    await eventually('it is read', async () => (await get(reads, `/logs/${id}`)).status === 200);
    const found = await get(reads, '/logs?query=role&limit=10');
    assert.deepEqual(found.json<{ logs: { id: string }[] }>().logs.map((log) => log.id), [id]);
    assert.equal((await get(reads, '/logs/stats?since=2020-01-01T00:00:00Z&bucket=86400000')).status, 200);

    // What a worker makes later, such as the partition of a day, is the reader's to read as well.
    const rows = await server.queryAs<{ n: string }>('logmill_api', 'SELECT count(*) AS n FROM logs');
    assert.equal(rows[0]!.n, '1');
    await server.queryAs(WRITER.DATABASE_WRITER_USER, 'CREATE TABLE later (n int)');
    await server.queryAs('logmill_api', 'SELECT * FROM later');
    for (const sql of [
        "INSERT INTO logs VALUES (now(), gen_random_uuid(), 'info', 'no')",
        'DELETE FROM logs',
        'UPDATE erasures SET number = 7',
        'CREATE TABLE mine (n int)',
        'DROP TABLE logs',
        'SET ROLE logmill',
    ]) {
        await assert.rejects(server.queryAs('logmill_api', sql), /permission denied|must be owner/, sql);
    }
    const [powers] = await server.query(
        'SELECT bool_or(rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls) AS any ' +
            "FROM pg_roles WHERE rolname IN ('logmill_api', 'Log \"worker\" $$')",
    );
    assert.equal(powers!.any, false);
});

scenario('tables that the master user had are handed over, and who logs in as that one goes on', async (lab) => {
    const server = await managed(lab);
    const before = await lab.start({ settings: server.settings });
    await postLog(before, { message: 'before', level: 'info' });
    await eventually('it is stored', async () => (await server.messages()).length === 1);
    assert.deepEqual(await owners(server), ['logmill']);

    await migrates({ ...server.settings, ...WRITER });
    assert.deepEqual(await owners(server), [WRITER.DATABASE_WRITER_USER]);
    await postLog(before, { message: 'a worker of before', level: 'info' });
    await eventually('it stores on', async () => (await server.messages()).length === 2);
    const after = await lab.start({ settings: asWriter(server) });
    await postLog(after, { message: 'after', level: 'info' });
    await eventually('it stores', async () => (await server.messages()).length === 3);
});

scenario('again does no harm, by many at once either, and a new password holds', async (lab) => {
    const server = await managed(lab);
    const all = { ...server.settings, ...WRITER, ...READER };
    const ran = await Promise.all(Array.from({ length: 4 }, () => runLogmill(['migrate'], all)));
    ran.forEach(({ code, stderr }) => assert.equal(code, 0, stderr));
    await migrates(asWriter(server));
    await migrates({ ...all, DATABASE_WRITER_PASS: 'another' });
    assert.match((await runLogmill(['migrate'], asWriter(server))).stderr, /password authentication failed/);
    await migrates({ ...asWriter(server), DATABASE_PASS: 'another' });
});

scenario('roles that make no sense are told by the settings, and passwords are told nowhere', async (lab) => {
    const server = await managed(lab);
    const { DATABASE_WRITER_USER: user, DATABASE_WRITER_PASS: password } = WRITER;
    for (const [settings, told] of [
        [{ DATABASE_WRITER_USER: user }, /DATABASE_WRITER_USER and DATABASE_WRITER_PASS are needed together/],
        [{ DATABASE_READER_PASS: password }, /DATABASE_READER_USER and DATABASE_READER_PASS are needed together/],
        [{ ...WRITER, DATABASE_READER_USER: user, DATABASE_READER_PASS: password }, /are the same role/],
        [{ ...WRITER, DATABASE_WRITER_USER: 'logmill' }, /role \\"logmill\\" is the one that migrates/],
    ] as [Settings, RegExp][]) {
        const { code, stderr } = await runLogmill(['migrate'], { ...server.settings, ...settings });
        assert.equal(code, 1);
        assert.match(stderr, told);
        assert.ok(!stderr.includes(password), stderr);
    }
    assert.deepEqual(await owners(server), [], 'nothing is made by halves');

    // Who may not make roles is told so by the database, and nothing is half made.
    await server.administer('ALTER ROLE logmill NOCREATEROLE');
    const { code, stderr } = await runLogmill(['migrate'], { ...server.settings, ...WRITER });
    assert.equal(code, 1);
    assert.match(stderr, /permission denied to create role/);
    assert.deepEqual(await owners(server), []);
    // The server's own log, which may have statements, has never seen a password.
    assert.ok(!server.said.includes(password));
});
