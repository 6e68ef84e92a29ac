/*
 * A real Redis or Valkey server for a scenario: whichever program is installed, on a free port of
 * the loopback, with its files in a folder of its own, stopped by its pid.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import * as path from 'node:path';

import { Redis } from 'ioredis';

import { endChild, environment, eventually, freePort, type Lab, release } from '../harness';

const PROGRAMS = ['redis-server', 'valkey-server'];

/** The keys of the cache, as src/cache/redis/adapter.c names them. */
export const CACHE_KEYS = {
    set: 'logmill:{cache}:set',
    state: 'logmill:{cache}:state',
    lock: 'logmill:{cache}:lock',
} as const;

const running = new Set<ChildProcess>();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

function findProgram(): string {
    const folders = (process.env['PATH'] ?? '/usr/bin').split(':').concat('/usr/bin', '/usr/sbin');
    for (const program of PROGRAMS) {
        for (const folder of folders) {
            const file = path.join(folder, program);
            try {
                accessSync(file, constants.X_OK);
                return file;
            } catch {
                continue;
            }
        }
    }
    throw new Error(`none of ${PROGRAMS.join(', ')} is installed`);
}

export interface RedisOptions {
    /** Of the default user. */
    password?: string;
    /** Further arguments of the server. */
    args?: string[];
}

export class RedisServer {
    private child: ChildProcess | undefined;
    private log = '';

    private constructor(
        readonly port: number,
        private readonly folder: string,
        private readonly options: RedisOptions,
    ) {}

    /** Starts a server that lives until the end of the scenario. */
    static async start(lab: Lab, options: RedisOptions = {}): Promise<RedisServer> {
        const server = new RedisServer(await freePort(), lab.folder(), options);
        lab.finally(() => server.kill());
        await server.start();
        return server;
    }

    /** For REDIS_URL. */
    get url(): string {
        const { password } = this.options;
        const login = password === undefined ? '' : `:${encodeURIComponent(password)}@`;
        return `redis://${login}127.0.0.1:${this.port}/0`;
    }

    get pid(): number {
        if (this.child?.pid === undefined) {
            throw new Error('the Redis server does not run');
        }
        return this.child.pid;
    }

    /** Starts it, again after a kill: with what was on its disk then (see `save`). */
    async start(): Promise<void> {
        const { password, args = [] } = this.options;
        const child = spawn(
            findProgram(),
            [
                ...['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.folder],
                ...['--save', '', '--appendonly', 'no', '--daemonize', 'no'],
                ...(password === undefined ? [] : ['--requirepass', password]),
                ...args,
            ],
            { env: environment({}), stdio: ['ignore', 'pipe', 'pipe'] },
        );
        this.child = child;
        running.add(child);
        release(child);
        child.on('close', () => running.delete(child));
        child.stdout.setEncoding('utf8').on('data', (text: string) => (this.log += text));
        child.stderr.setEncoding('utf8').on('data', (text: string) => (this.log += text));
        child.on('error', (error) => (this.log += String(error)));
        await eventually('start of Redis', async () => {
            if (child.exitCode !== null || child.pid === undefined) {
                throw new Error(`the Redis server ended at its start:\n${this.log}`);
            }
            return (await this.ask((client) => client.ping())) === 'PONG';
        });
    }

    /** Starts it if it does not run. */
    async ensure(): Promise<void> {
        if (this.child === undefined) {
            await this.start();
        }
    }

    /** Talks to it over a connection of its own. */
    async ask<T>(question: (client: Redis) => Promise<T>): Promise<T> {
        const client = new Redis(this.url, {
            lazyConnect: true,
            retryStrategy: () => null,
            maxRetriesPerRequest: 0,
        });
        client.on('error', () => {}); // the question's promise tells
        try {
            await client.connect();
            return await question(client);
        } finally {
            client.disconnect();
        }
    }

    /** Writes what it holds to its disk, so that a later start() brings just that back. */
    async save(): Promise<void> {
        await this.ask((client) => client.save());
    }

    /** SIGSTOP and SIGCONT: a server that hangs. */
    hang(): void {
        process.kill(this.pid, 'SIGSTOP');
    }

    goOn(): void {
        process.kill(this.pid, 'SIGCONT');
    }

    /** kill -9. */
    async kill(): Promise<void> {
        const child = this.child;
        this.child = undefined;
        if (child !== undefined) {
            await endChild(child, () => child.kill('SIGKILL'));
        }
    }
}
