/*
 * Doors by TLS, to which clients bring keys, and what befalls both: keys are made and revoked, a
 * certificate is renewed, their files are half written for a time. What was there before goes on to
 * hold, and no connection is dropped for it; only a start refuses such a file.
 */
import { copyFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';

import { Authority, type Pair, replacePair } from '../support/certificates';
import { eventually, runLogmill, sleep } from '../support/harness';
import { Pools, requestOn } from '../support/http';
import type { Ledger } from './ledger';
import type { Fault, LaneOptions } from './plan';
import type { Role } from './role';
import type { Door, TortureLab } from './setups';

export const ACCESS_KINDS = [
    'a new key, the old one revoked',
    'a renewed certificate',
    'half a file of keys',
    'half a certificate',
] as const;

export const ACCESS_LANE: LaneOptions = {
    kinds: ACCESS_KINDS,
    lasts: [300, 3000],
    peace: [1000, 6000],
};

/** A start that fails began before the file was whole again. */
const START_MS = 3000;
/** A key that is added or revoked is so within two seconds of a process that runs. */
const PATIENCE_MS = 180_000; // it may be down, for others' faults
const CERTIFICATES = 3;

type KeyRole = 'write' | 'read';

/** What a request asks for. A reader's key may not write, and the other way about. */
const roleOf = (method: string): KeyRole => (method === 'GET' ? 'read' : 'write');

export class Access {
    /** Settings of every process that has a door by TLS, besides its TLS_PORT. */
    readonly settings: Record<string, string>;
    private readonly ca: string;
    private readonly pair: Pair;
    private readonly spare: Pair[];
    private readonly keysFile: string;
    private readonly keys: Record<KeyRole, string> = { write: '', read: '' };
    private readonly names: Record<KeyRole, string> = { write: '', read: '' };
    private readonly pools = new Pools(2);
    private made = 0;
    private spoiledUntil = 0;

    private constructor(
        lab: TortureLab,
        private readonly ledger: Ledger,
    ) {
        const folder = lab.folder();
        const authority = new Authority(folder, 'authority');
        this.ca = readFileSync(authority.cert, 'utf8');
        const sign = (): Pair => authority.sign('localhost', 'DNS:localhost,IP:127.0.0.1');
        this.pair = sign();
        this.spare = Array.from({ length: CERTIFICATES }, sign);
        this.keysFile = path.join(folder, 'keys');
        this.settings = {
            TLS_CERT_FILE: this.pair.cert,
            TLS_KEY_FILE: this.pair.key,
            KEYS_FILE: this.keysFile,
            ANONYMOUS: 'all', // the doors without TLS stay as they are
        };
        lab.finally(() => this.pools.destroy());
    }

    static async make(lab: TortureLab, ledger: Ledger): Promise<Access> {
        const access = new Access(lab, ledger);
        for (const role of ['write', 'read'] as const) {
            const { name, key } = await access.add(role);
            access.names[role] = name;
            access.keys[role] = key;
        }
        return access;
    }

    /** The door at `port`, which belongs to `role` or to what stands before it. */
    door(role: Role, port: number, direct: boolean): Door {
        return {
            role,
            port,
            direct,
            ca: this.ca,
            key: (method) => this.keys[roleOf(method)],
        };
    }

    /** May a start be refused for what lies in the files, now or a moment ago? */
    get isSpoiled(): boolean {
        return performance.now() < this.spoiledUntil;
    }

    private async spoiled(during: () => Promise<void> | void): Promise<void> {
        this.spoiledUntil = Infinity;
        try {
            await during();
        } finally {
            this.spoiledUntil = performance.now() + START_MS;
        }
    }

    private async run(...args: string[]): Promise<string> {
        const ran = await runLogmill(['keys', ...args], this.settings);
        if (ran.code !== 0) {
            this.ledger.find(`logmill keys ${args[0]} ended with ${ran.code}: ${ran.stderr}`);
        }
        return ran.stdout.trim();
    }

    private async add(role: KeyRole): Promise<{ name: string; key: string }> {
        const name = `${role}-${++this.made}`;
        return { name, key: await this.run('add', name, '--role', role) };
    }

    /** Until each door answers a request with `key` so that `isRight`. */
    private async everywhere(
        what: string,
        doors: Door[],
        role: KeyRole,
        key: string,
        isRight: (status: number) => boolean,
    ): Promise<void> {
        for (const door of doors) {
            // From an address of its own: trying keys that do not hold stops an address.
            const headers = { 'X-Forwarded-For': `10.0.${this.made >> 8}.${this.made & 255}` };
            const request =
                role === 'read'
                    ? { path: '/logs?limit=1', headers }
                    : { method: 'POST', path: '/log', body: '', headers };
            const target = { ...door, key: () => key };
            await eventually(
                what,
                async () =>
                    isRight((await requestOn(this.pools.of(door), target, request)).status),
                PATIENCE_MS,
            );
        }
    }

    /** `doors` are those that go straight to a process. */
    private async replaceKey(doors: Door[], role: KeyRole): Promise<void> {
        const old = { name: this.names[role], key: this.keys[role] };
        const { name, key } = await this.add(role);
        const isUsual = (status: number): boolean => status !== 401 && status < 500;
        await this.everywhere('a new key to hold', doors, role, key, isUsual);
        this.names[role] = name;
        this.keys[role] = key; // what was sent with the old one may still be under way
        await this.run('revoke', old.name);
        await this.everywhere('a revoked key to be refused', doors, role, old.key, (s) => s === 401);
    }

    /** For `ms` the file has only its first half. */
    private async half(file: string, ms: number): Promise<void> {
        const whole = `${file}.whole`;
        const text = readFileSync(file);
        copyFileSync(file, whole);
        await this.spoiled(async () => {
            writeFileSync(file, text.subarray(0, text.length / 2));
            await sleep(ms);
            renameSync(whole, file);
        });
    }

    async strike(doors: Door[], { kind, lasts, dice }: Fault): Promise<void> {
        switch (kind) {
            case 'a new key, the old one revoked':
                return this.replaceKey(doors, dice < 0.5 ? 'write' : 'read');
            case 'a renewed certificate': // for a moment key and certificate do not fit
                return this.spoiled(() =>
                    replacePair(this.spare[Math.floor(dice * CERTIFICATES)]!, this.pair),
                );
            case 'half a file of keys':
                return this.half(this.keysFile, lasts);
            case 'half a certificate':
                return this.half(this.pair.cert, lasts);
            default:
                throw new Error(`no such fault: ${kind}`);
        }
    }
}
