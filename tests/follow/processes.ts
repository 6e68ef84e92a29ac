/* `logmill serve` and `logmill send --follow`, both of which are killed and come back. */
import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import * as path from 'node:path';

import {
    BINARY,
    type Lab,
    type Logmill,
    type Ran,
    STOP_MS,
    endChild,
    environment,
    eventually,
    freePort,
    release,
    run,
    sleep,
} from '../support/harness';
import { get } from '../support/http';
import type { Log } from '../support/logs';

/** The follower, if it is to be another program than the server. */
const FOLLOWER = process.env['FOLLOW_BIN'] ?? BINARY;

const SANITIZER_REPORT = /ERROR: \w+Sanitizer|SUMMARY: \w+Sanitizer|runtime error:/;

/** What can be killed, and comes back by itself. */
abstract class Mortal {
    kills = 0;
    private fate: Promise<void> | undefined;

    protected abstract end(): Promise<void>;
    protected abstract begin(): Promise<void>;

    /** kill -9 after `delayMs`, and a new life `downMs` later; nothing while that is going on. */
    strike(delayMs: number, downMs: number): void {
        this.fate ??= (async () => {
            await sleep(delayMs);
            await this.end();
            this.kills++;
            await sleep(downMs);
            await this.begin();
        })().finally(() => (this.fate = undefined));
        this.fate.catch(() => {}); // whoever waits for it is told
    }

    /** Until it lives again. */
    async recovered(): Promise<void> {
        await this.fate;
    }
}

/** A server that has the same address and data in each of its lives. */
export class Server extends Mortal {
    readonly port: number;
    private life: Logmill | undefined;

    private constructor(
        private readonly lab: Lab,
        port: number,
        private readonly dataDir: string,
    ) {
        super();
        this.port = port;
    }

    static async make(lab: Lab): Promise<Server> {
        return new Server(lab, await freePort(), lab.folder());
    }

    async begin(): Promise<void> {
        this.life = await this.lab.start({ settings: { PORT: String(this.port) } }, this.dataDir);
    }

    async end(): Promise<void> {
        await this.life?.kill();
    }

    /** How many logs of the scene there are; undefined while it is away. */
    async count(scene: string): Promise<number | undefined> {
        return this.ask(async () => {
            const answer = await get(
                this,
                `/logs/stats?since=2020-01-01&bucket=86400000&attr.scene=${scene}`,
            );
            assert.equal(answer.status, 200, answer.text);
            return answer.json<{ total: number }>().total;
        });
    }

    /** All logs of the scene, oldest first. */
    async logs(scene: string): Promise<Log[] | undefined> {
        return this.ask(async () => {
            const answer = await get(this, `/logs?format=ndjson&attr.scene=${scene}`);
            assert.equal(answer.status, 200, answer.text);
            const lines = answer.text.split('\n').slice(0, -1);
            return lines.map((line) => JSON.parse(line) as Log).reverse();
        });
    }

    private async ask<T>(question: () => Promise<T>): Promise<T | undefined> {
        try {
            return await question();
        } catch (error) {
            if (error instanceof assert.AssertionError) {
                throw error;
            }
            return undefined; // it was killed meanwhile
        }
    }
}

export interface FollowerOptions {
    /** What is followed, and flags; relative to the folder of the scene. */
    args: string[];
    folder: string;
    /** Where the state is. */
    state: string;
    scene: string;
    /** Put before the program; must exec it. */
    wrapper?: string[];
    /** As another user than root. */
    uid?: number;
}

/** What --status says of all files together. */
export interface Behind {
    followed: number;
    behind_bytes: number;
    deleted: number;
    deleted_bytes: number;
    finished: number;
    copies: number;
    passed: number;
    pid: number | null;
}

export class Follower extends Mortal {
    /** Of all lives. */
    stderr = '';
    lives = 0;
    private child: ChildProcess | undefined;
    private wasKilled = false;

    constructor(
        lab: Lab,
        private readonly server: { port: number },
        private readonly options: FollowerOptions,
    ) {
        super();
        lab.finally(async () => {
            const { child } = this;
            if (child !== undefined) {
                this.wasKilled = true;
                await endChild(child, () => child.kill('SIGKILL'));
            }
        });
    }

    private environment(): Record<string, string> {
        return environment({
            LOGMILL_URL: `http://127.0.0.1:${this.server.port}`,
            XDG_STATE_HOME: path.dirname(this.options.state),
        });
    }

    private command(args: string[]): string[] {
        const { state, wrapper = [] } = this.options;
        return [...wrapper, FOLLOWER, 'send', '--follow', ...args, '--state', state];
    }

    async begin(): Promise<void> {
        const { args, folder, scene, uid } = this.options;
        const command = this.command([...args, '--attr', `scene=${scene}`]);
        this.wasKilled = false;
        this.lives++;
        const child = spawn(command[0]!, command.slice(1), {
            cwd: folder,
            env: this.environment(),
            stdio: ['ignore', 'pipe', 'pipe'],
            ...(uid === undefined ? {} : { uid, gid: uid }),
        });
        this.child = child;
        release(child);
        child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
        child.stdout!.on('data', () => {});
        child.on('error', (error) => (this.stderr += String(error)));
    }

    get pid(): number {
        return this.child!.pid!;
    }

    get isRunning(): boolean {
        return this.child !== undefined && !this.wasKilled;
    }

    /** kill -9. */
    async end(): Promise<void> {
        const child = this.child!;
        this.checkRunning();
        this.wasKilled = true;
        await endChild(child, () => child.kill('SIGKILL'));
    }

    /** Until it has a file of the folder open. */
    async hasOpened(patienceMs: number): Promise<void> {
        await eventually(
            'the follower to open a file',
            async () => {
                this.checkRunning();
                const fds = `/proc/${this.pid}/fd`;
                return readdirSync(fds).some((fd) => {
                    try {
                        return readlinkSync(`${fds}/${fd}`).startsWith(this.options.folder);
                    } catch {
                        return false; // it was closed meanwhile
                    }
                });
            },
            patienceMs,
        );
    }

    /** Until it has the state, and so knows what to do when it is told to end. */
    async isUp(patienceMs: number): Promise<void> {
        await eventually(
            'the follower to be up',
            async () => {
                this.checkRunning();
                return (await this.behind())?.pid === this.pid;
            },
            patienceMs,
        );
    }

    /** SIGTERM: it has to end by itself, with 0. */
    async stop(): Promise<void> {
        const child = this.child!;
        this.checkRunning();
        this.wasKilled = true;
        const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
        await endChild(child, () => child.kill('SIGTERM'));
        clearTimeout(late);
        assert.deepEqual(
            { code: child.exitCode, signal: child.signalCode },
            { code: 0, signal: null },
            `the follower's end after SIGTERM\n${this.stderr.slice(-2000)}`,
        );
        assert.doesNotMatch(this.stderr, SANITIZER_REPORT);
    }

    /** Fails if it ended by itself. */
    checkRunning(): void {
        const { child } = this;
        if (child === undefined || this.wasKilled) {
            return;
        }
        assert.ok(
            child.exitCode === null && child.signalCode === null,
            `the follower ended by itself: ${child.exitCode} ${child.signalCode}\n` +
                this.stderr.slice(-4000),
        );
    }

    private ask(): Promise<Ran> {
        const { state, uid } = this.options;
        // What root makes beside the state is root's for a moment.
        const user =
            uid === undefined
                ? []
                : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
        const command = [...user, FOLLOWER, 'send', '--status', '--state', state];
        return run(command, { settings: this.environment() });
    }

    /** What --status prints. */
    async status(): Promise<string> {
        const { stdout, stderr } = await this.ask();
        return stdout.slice(0, 4000) + stderr;
    }

    /** What --status says in all; undefined where it has nothing to say yet. */
    async behind(): Promise<Behind | undefined> {
        const { code, stdout } = await this.ask();
        const last = stdout.trimEnd().split('\n').pop();
        return code === 0 && last !== undefined ? (JSON.parse(last) as Behind) : undefined;
    }

    /** Until --status says that nothing is left. */
    async isThrough(patienceMs: number): Promise<void> {
        await eventually(
            'the follower to be 0 bytes behind',
            async () => {
                this.checkRunning();
                const behind = await this.behind();
                return behind?.pid === this.pid && behind.behind_bytes === 0;
            },
            patienceMs,
        );
    }
}
