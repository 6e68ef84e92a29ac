/*
 * A real PostgreSQL server for a scenario: the newest that is installed, made with initdb in a
 * folder of its own, on a free port of the loopback, stopped by its pid. It refuses to run as root:
 * then it runs as the user that its package made.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';

import { Client, type QueryResultRow } from 'pg';

import { endChild, environment, eventually, freePort, type Lab, PATIENCE_MS, release } from '../harness';

const VERSIONS = '/usr/lib/postgresql';
const PASSWORD = 'p@ss word/1'; // with what is special in a URL

const running = new Set<ChildProcess>();
process.on('exit', () => running.forEach((child) => child.kill('SIGQUIT')));

/** The folder of the newest version's programs. */
function findPrograms(): string {
    const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS).map(Number) : [];
    const folder = path.join(VERSIONS, String(Math.max(0, ...versions)), 'bin');
    if (!existsSync(path.join(folder, 'postgres'))) {
        throw new Error('no PostgreSQL server is installed');
    }
    return folder;
}

interface User {
    uid: number;
    gid: number;
}

function otherUser(): User | undefined {
    if (process.getuid?.() !== 0) {
        return undefined;
    }
    const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres']).toString());
    return { uid: id('-u'), gid: id('-g') };
}

let made: string | undefined;

/** What initdb makes, which costs more than most of these tests: once a process. */
function emptyData(user: User | undefined): string {
    if (made !== undefined) {
        return made;
    }
    const folder = mkdtempSync(path.join(tmpdir(), 'logmill-postgres-'));
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
    if (user !== undefined) {
        chownSync(folder, user.uid, user.gid);
    }
    const data = path.join(folder, 'data');
    execFileSync(
        path.join(findPrograms(), 'initdb'),
        [
            ...['-D', data, '-U', 'postgres', '-E', 'UTF8', '--locale=C.UTF-8'],
            ...['--auth-local=trust', '--auth-host=scram-sha-256'],
            ...['--no-sync', '--no-instructions'],
        ],
        { ...user, cwd: folder, env: environment({}), stdio: 'pipe' },
    );
    made = data;
    return made;
}

function parentOf(pid: string): number {
    try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')')).split(' ')[2]);
    } catch {
        return 0; // it has ended meanwhile
    }
}

export interface PostgresOptions {
    /** Settings of the server, such as { max_connections: '20' }. */
    config?: Record<string, string>;
    /** Of the server's environment. */
    environment?: Record<string, string>;
}

export class PostgresServer {
    private child: ChildProcess | undefined;
    private log = '';
    private readonly user = otherUser();

    private constructor(
        readonly port: number,
        private readonly folder: string,
        private readonly options: PostgresOptions,
    ) {}

    /** Makes and starts a server that lives until the end of the scenario. */
    static async start(lab: Lab, options: PostgresOptions = {}): Promise<PostgresServer> {
        const folder = path.join(lab.folder(), 'postgres');
        mkdirSync(folder);
        const server = new PostgresServer(await freePort(), folder, options);
        lab.finally(() => server.kill());
        server.make();
        await server.start();
        await server.administer(`CREATE ROLE logmill LOGIN PASSWORD '${PASSWORD}'`);
        await server.administer('CREATE DATABASE logmill OWNER logmill');
        return server;
    }

    /** For DATABASE_URL. */
    get url(): string {
        return `postgresql://logmill:${encodeURIComponent(PASSWORD)}@127.0.0.1:${this.port}/logmill`;
    }

    /** The same as the settings of the original service. */
    get settings(): Record<string, string> {
        return {
            DATABASE_HOST: '127.0.0.1',
            DATABASE_PORT: String(this.port),
            DATABASE_NAME: 'logmill',
            DATABASE_USER: 'logmill',
            DATABASE_PASS: PASSWORD,
        };
    }

    /** What it has written to its log. */
    get said(): string {
        return this.log;
    }

    get pid(): number {
        if (this.child?.pid === undefined) {
            throw new Error('the PostgreSQL server does not run');
        }
        return this.child.pid;
    }

    private get data(): string {
        return path.join(this.folder, 'data');
    }

    private make(): void {
        if (this.user !== undefined) {
            // The scenario's folder above it must let the other user through.
            chownSync(path.dirname(this.folder), this.user.uid, this.user.gid);
            chownSync(this.folder, this.user.uid, this.user.gid);
        }
        execFileSync('cp', ['-a', emptyData(this.user), this.data]);
    }

    /** Starts it, again after a kill. */
    async start(): Promise<void> {
        // Without fsync: what these tests end is processes, not the machine.
        const config = { fsync: 'off', shared_buffers: '32MB', ...this.options.config };
        const child = spawn(
            path.join(findPrograms(), 'postgres'),
            [
                ...['-D', this.data, '-k', this.folder, '-p', String(this.port)],
                ...['-c', 'listen_addresses=127.0.0.1'],
                ...Object.entries(config).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
            ],
            {
                ...this.user,
                cwd: this.folder,
                env: environment(this.options.environment ?? {}),
                stdio: ['ignore', 'pipe', 'pipe'],
            },
        );
        this.child = child;
        running.add(child);
        release(child);
        child.on('close', () => running.delete(child));
        child.stdout.setEncoding('utf8').on('data', (text: string) => (this.log += text));
        child.stderr.setEncoding('utf8').on('data', (text: string) => (this.log += text));
        child.on('error', (error) => (this.log += String(error)));
        try {
            await eventually('start of PostgreSQL', async () => {
                if (child.exitCode !== null) {
                    return true;
                }
                return (await this.administer('SELECT 1')).length === 1;
            });
        } catch (error) {
            throw new Error(`PostgreSQL does not start:\n${this.log.slice(-4000)}`, {
                cause: error,
            });
        }
        if (child.exitCode !== null) {
            // After a kill, sessions that have not quite ended make it refuse to start.
            if (!this.log.slice(-2000).includes('still in use')) {
                throw new Error(`PostgreSQL ended at its start:\n${this.log.slice(-4000)}`);
            }
            await this.start();
        }
    }

    /** Starts it if it does not run. */
    async ensure(): Promise<void> {
        if (this.child === undefined) {
            await this.start();
        }
    }

    /** Over the Unix socket, where everyone is trusted. */
    private async run<T extends QueryResultRow>(
        user: string,
        database: string,
        sql: string,
        values: unknown[] = [],
    ): Promise<T[]> {
        const client = new Client({
            host: this.folder,
            port: this.port,
            user,
            database,
            connectionTimeoutMillis: PATIENCE_MS,
        });
        client.on('error', () => {}); // the query's promise tells
        try {
            await client.connect();
            return (await client.query<T>(sql, values)).rows;
        } finally {
            await client.end().catch(() => {});
        }
    }

    /** Runs SQL that belongs to no database of ours. */
    administer(sql: string): Promise<QueryResultRow[]> {
        return this.run('postgres', 'postgres', sql);
    }

    /** Runs SQL as the superuser where logmill's tables are; resolves with its rows. */
    query<T extends QueryResultRow = QueryResultRow>(
        sql: string,
        values?: unknown[],
    ): Promise<T[]> {
        return this.run<T>('postgres', 'logmill', sql, values);
    }

    /** The same as another role. */
    queryAs<T extends QueryResultRow = QueryResultRow>(
        role: string,
        sql: string,
        values?: unknown[],
    ): Promise<T[]> {
        return this.run<T>(role, 'logmill', sql, values);
    }

    /** Runs `body` while a transaction of the superuser that has done `sql` is open. */
    async holding(sql: string, body: () => Promise<void>): Promise<void> {
        const client = new Client({
            host: this.folder,
            port: this.port,
            user: 'postgres',
            database: 'logmill',
        });
        client.on('error', () => {}); // the query's promise tells
        await client.connect();
        try {
            for (let tries = 1; ; tries++) {
                try {
                    await client.query(`BEGIN; ${sql}`);
                    break;
                } catch (error) {
                    // A deadlock with a worker that makes a day's partition: this side was chosen to give way.
                    if ((error as { code?: string }).code !== '40P01' || tries === 5) {
                        throw error;
                    }
                    await client.query('ROLLBACK');
                }
            }
            await body();
            await client.query('ROLLBACK');
        } finally {
            await client.end().catch(() => {});
        }
    }

    /** Every stored log's message, oldest first. */
    async messages(): Promise<string[]> {
        const rows = await this.query<{ message: string }>(
            'SELECT message FROM logs ORDER BY "timestamp", id',
        );
        return rows.map((row) => row.message);
    }

    /** Ends all sessions of logmill's, as an administrator does. */
    async endSessions(): Promise<void> {
        await this.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'logmill'",
        );
    }

    /** Makes all new sessions of logmill's read-only, as those of a standby are, or no more so. */
    async setReadOnly(readOnly: boolean): Promise<void> {
        await this.query(
            `ALTER ROLE logmill SET default_transaction_read_only = ${readOnly ? 'on' : 'off'}`,
        );
        await this.endSessions();
    }

    private signal(signal: NodeJS.Signals): void {
        const { pid } = this;
        const own = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(name) === pid);
        process.kill(pid, signal);
        for (const child of own) {
            try {
                process.kill(Number(child), signal);
            } catch {
                continue; // it has ended meanwhile
            }
        }
    }

    /** SIGSTOP and SIGCONT, to it and to all its sessions: a server that hangs. */
    hang(): void {
        this.signal('SIGSTOP');
    }

    goOn(): void {
        this.signal('SIGCONT');
    }

    private async endBy(end: () => void): Promise<void> {
        const child = this.child;
        if (child !== undefined) {
            await endChild(child, end);
        }
        this.child = undefined;
    }

    /** A restart's first half: sessions are ended, what is committed is kept. */
    stop(): Promise<void> {
        return this.endBy(() => process.kill(this.pid, 'SIGINT'));
    }

    /** kill -9, with all its sessions. */
    kill(): Promise<void> {
        return this.endBy(() => this.signal('SIGKILL'));
    }
}
