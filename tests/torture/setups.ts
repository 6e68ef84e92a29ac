/* What both set-ups have: doors that clients go through, a small disk, and the usual faults. */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, statfsSync } from 'node:fs';
import * as path from 'node:path';

import { Lab, sleep } from '../support/harness';
import type { Target } from '../support/http';
import type { TcpProxy } from '../support/servers/tcp_proxy';
import type { Ledger } from './ledger';
import type { Dice, Fault, LaneOptions } from './plan';
import type { Role } from './role';

/** A way to a process that takes and reads logs. */
export interface Door extends Target {
    role: Role;
    /** Nothing stands between that breaks connections. */
    direct: boolean;
}

export interface Setup {
    roles: Role[];
    doors: Door[];
    lanes: Record<string, LaneOptions>;
    /** Faults that cannot be made here, with the reason. */
    leftOut: string[];
    /** Milliseconds after which a log that was read once is in every answer. */
    staleMs: number;
    /** Milliseconds that a process which is not stopped may leave a POST without an answer. */
    silenceMs: number;
    /** Largest body that is always taken (but for overload); past `refusedBytes` it is refused. */
    takenBytes: number;
    refusedBytes: number;
    /** Does a 503 with this detail mean that the logs are not there? */
    isDefinite: (detail: string) => boolean;
    /** Makes a fault, and takes it back before it resolves. */
    strike: (fault: Fault) => Promise<void>;
    /** All is up, and nothing is in the way. */
    calm: () => Promise<void>;
    /** Until all that was taken is stored. */
    atRest: () => Promise<void>;
    /** Of `logmill delete`. */
    deleting: Record<string, string>;
    /** Is there a reason why it may fail now? */
    mayFailToDelete: () => boolean;
    /** Every id as the store itself tells it, newest first. */
    ids: () => Promise<string[]>;
    /** What else has to hold at the end, the processes still running. */
    inspect: () => Promise<void>;
    /** Stops the processes, and looks at the files they leave. */
    close: () => Promise<void>;
}

export interface SetupOptions {
    lab: TortureLab;
    ledger: Ledger;
    dice: Dice;
}

/** A lab whose folders all lie in one, which is kept if something was found. */
export class TortureLab extends Lab {
    /** What lies on disks that are unmounted is copied into `base` first. */
    keepsData = false;
    private made = 0;

    constructor(readonly base: string) {
        super();
        mkdirSync(base, { recursive: true });
        chmodSync(base, 0o755); // PostgreSQL runs as another user
    }

    override folder(): string {
        const folder = path.join(this.base, String(this.made++));
        mkdirSync(folder);
        return folder;
    }
}

/** What a start may take. */
const START_MS = 3000;

const mounted = new Set<string>();
process.on('exit', () => mounted.forEach((at) => execFileSync('umount', ['--lazy', at])));

/** A file system of its own that can be made full at once, by taking away the room that is free. */
export class SmallDisk {
    /** Also for a moment after it was: a start that fails began before that. */
    isFull = false;

    private constructor(readonly at: string) {}

    /** Undefined if mounting is not allowed. */
    static mount(lab: TortureLab): SmallDisk | undefined {
        const at = path.join(lab.folder(), 'disk');
        mkdirSync(at);
        try {
            execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SmallDisk.ROOM}`, 'tmpfs', at], {
                stdio: 'ignore',
            });
        } catch {
            return undefined;
        }
        mounted.add(at);
        lab.finally(() => {
            if (lab.keepsData) {
                cpSync(at, `${at}-kept`, { recursive: true });
            }
            execFileSync('umount', ['--lazy', at]);
            mounted.delete(at);
        });
        return new SmallDisk(at);
    }

    private static readonly ROOM = '4g';

    private resize(size: string): void {
        execFileSync('mount', ['-o', `remount,size=${size}`, this.at], { stdio: 'pipe' });
    }

    /** Takes the free room away but for `spare` bytes. What is written meanwhile needs some more. */
    private squeeze(spare: number): void {
        for (let more = 64; ; more *= 2) {
            const { blocks, bfree, bsize } = statfsSync(this.at);
            try {
                this.resize(`${Math.ceil(((blocks - bfree) * bsize + spare) / 1024) + more}k`);
                return;
            } catch (error) {
                if (more > 1 << 16) {
                    throw error;
                }
            }
        }
    }

    /** For `ms` there is room for no more than about `spare` bytes. */
    async full(ms: number, spare: number): Promise<void> {
        this.isFull = true;
        try {
            this.squeeze(spare);
            await sleep(ms);
        } finally {
            this.resize(SmallDisk.ROOM);
            setTimeout(() => (this.isFull = false), START_MS);
        }
    }
}

export const PROCESS_KINDS = ['kill', 'kill', 'kill', 'hang', 'terminate'] as const;

/** kill -9, SIGTERM and SIGSTOP. */
export async function strikeRole(role: Role, { kind, lasts, dice }: Fault): Promise<void> {
    switch (kind) {
        case 'kill':
            return role.kill(lasts / 3, dice < 0.3);
        case 'terminate':
            return role.restart(lasts / 3);
        case 'hang':
            return role.hang(lasts);
        default:
            throw new Error(`no such fault: ${kind}`);
    }
}

/** Offsets from the true time, in seconds: a moment, minutes, days, more than a month, a year. */
const CLOCKS = [
    '+0',
    '-2',
    '+1',
    '-90',
    '+3600',
    '-86400',
    '+172800',
    '-3456000',
    '+34560000',
    '-0.3',
];

/** Clocks jump, and stay so until the next jump. */
export function strikeClocks(roles: Role[], ledger: Ledger, { dice }: Fault): void {
    const offset = CLOCKS[Math.floor(dice * CLOCKS.length)]!;
    for (const role of roles) {
        if (role.jump(offset)) {
            ledger.count(`clock jump felt by ${role.options.name}`);
        }
    }
}

export const NETWORK_KINDS = ['delay', 'reset', 'refuse', 'cut'] as const;

/** What a bad network does to the connections of `proxy`. */
export async function strikeNetwork(proxy: TcpProxy, { kind, lasts, dice }: Fault): Promise<void> {
    switch (kind) {
        case 'delay':
            proxy.delayMs = 5 + 300 * dice * dice;
            await sleep(lasts);
            proxy.delayMs = 0;
            break;
        case 'reset':
            for (let n = 0; n < 4; n++) {
                proxy.reset();
                await sleep(lasts / 4);
            }
            break;
        case 'refuse':
            await proxy.refuse();
            await sleep(lasts);
            await proxy.accept();
            break;
        case 'cut':
            proxy.cutAfter = () => 1 + Math.floor(Math.random() * 4000);
            proxy.reset(); // so that new connections are made, which are cut
            await sleep(lasts);
            proxy.cutAfter = () => 0;
            proxy.reset();
            break;
        default:
            throw new Error(`no such fault: ${kind}`);
    }
}

export const QUERY_TIMEOUT_MS = 10_000;

export const DAY_MS = 86_400_000;

/** Days for which logs are kept: clocks jump back by 40, and what processes stamp then stays. */
export const KEPT_DAYS = { all: 100, debug: 60 } as const;

/** Days by which a clock that jumps moves what is kept, at most: larger jumps are doubted. */
export const CLOCK_DAYS = 5;

/** Settings of every process here: limits low enough to be met, time-outs short. */
export const SETTINGS = {
    WEB_CONCURRENCY: '2',
    ALLOWED_HOSTS: '*', // hostile clients name none that is meant
    MAX_INFLIGHT_BYTES: String(32 << 20),
    REQUEST_TIMEOUT: '10',
    WRITE_TIMEOUT: '10',
    QUERY_TIMEOUT: String(QUERY_TIMEOUT_MS / 1000),
    RETENTION_DAYS: String(KEPT_DAYS.all),
    RETENTION_DAYS_BY_LEVEL: `debug:${KEPT_DAYS.debug}`,
};
