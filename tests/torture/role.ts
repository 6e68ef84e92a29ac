/*
 * A logmill process that is ended and started over and over: one of its lives has sanitizers, the
 * next is the optimised binary, whose memory is measured and whose clock can be made to jump.
 */
import { readFileSync } from 'node:fs';
import * as path from 'node:path';

import { clockSettings, setClock } from '../support/clock';
import {
    BINARY,
    type Lab,
    type Logmill,
    OPTIMISED,
    SANITIZED,
    sleep,
} from '../support/harness';
import type { Ledger } from './ledger';

export interface RoleOptions {
    name: string;
    command: 'serve' | 'api' | 'worker';
    settings: Record<string, string>;
    port: number;
    dataDir: string;
    /** libfaketime's library; undefined: clocks do not jump. */
    faketime: string | undefined;
    /** Kilobytes that the optimised binary may take. */
    memoryBound: number;
}

/** What SIGTERM may take here, if others want the cores, too: SHUTDOWN_TIMEOUT is 8 s. */
const STOP_MS = 20_000;
const START_TRIES = 60;

export class Role {
    life: Logmill | undefined;
    /** True while it is being ended or started on purpose: clients may see broken connections. */
    changing = true;
    /** Is there a reason why a start may fail now, such as a full disk? */
    mayRefuseToStart = (): boolean => false;
    private hungMs = 0;
    private lives = 0;
    private optimised = false;
    private readonly clock: string;

    constructor(
        private readonly lab: Lab,
        private readonly ledger: Ledger,
        readonly options: RoleOptions,
    ) {
        this.clock = path.join(lab.folder(), 'clock');
        setClock(this.clock, '+0');
    }

    get port(): number {
        return this.options.port;
    }

    /** The settings by which libfaketime gives the process the clock that this.clock tells. */
    private clockSettings(): Record<string, string> {
        const { faketime } = this.options;
        return faketime === undefined ? {} : clockSettings(faketime, this.clock);
    }

    private launch(): Logmill {
        const { command, settings, dataDir, port } = this.options;
        return this.lab.launch(
            {
                command,
                binary: this.optimised ? OPTIMISED : BINARY,
                settings: {
                    ...settings,
                    ...(command === 'worker'
                        ? { METRICS_PORT: String(port) }
                        : { PORT: String(port) }),
                    ...(this.optimised ? this.clockSettings() : {}),
                },
            },
            dataDir,
        );
    }

    /** Starts it, until it is up. */
    async start(): Promise<void> {
        this.optimised = !SANITIZED || this.lives++ % 2 === 0;
        for (let n = 0; ; n++) {
            const life = this.launch();
            this.life = life;
            try {
                await this.listening(life);
                break;
            } catch (error) {
                if (!this.mayRefuseToStart() || !isRefusal(life)) {
                    this.ledger.find(`${this.options.name} does not start: ${String(error)}`);
                }
                if (n >= START_TRIES) {
                    throw error;
                }
                this.ledger.count(`${this.options.name}: start refused`);
                life.abandon();
                await life.refuses();
                await sleep(300);
            }
        }
        this.changing = false;
    }

    /** Until the process says that it serves: with its queue away it may not be ready yet. */
    private async listening(life: Logmill): Promise<void> {
        const end = Date.now() + 30_000;
        while (!/"msg":"(listening|storing)"/.test(life.stderr)) {
            if (life.ended !== undefined) {
                throw new Error(
                    `it ended: ${JSON.stringify(life.ended)}\n${life.stderr.slice(-3000)}`,
                );
            }
            if (Date.now() > end) {
                throw new Error(`nothing heard of it for 30 s\n${life.stderr.slice(-3000)}`);
            }
            await sleep(20);
        }
        life.port = this.port;
    }

    /** kill -9, `down` ms without it, a start; `again`: the first start is killed in its middle. */
    async kill(down: number, again: boolean): Promise<void> {
        this.changing = true;
        await this.verified(() => this.life!.kill());
        await sleep(down);
        if (again) {
            const early = this.launch();
            await sleep(down / 4);
            if (early.ended !== undefined && this.mayRefuseToStart() && isRefusal(early)) {
                await early.refuses();
            } else {
                await this.verified(() => early.kill());
            }
            this.ledger.count(`${this.options.name}: kill -9 at its start`);
        }
        await this.start();
    }

    /** SIGTERM, which has to end in time and with exit code 0, and a start. */
    async restart(down: number): Promise<void> {
        this.changing = true;
        await this.verified(() => this.terminate());
        await sleep(down);
        await this.start();
    }

    async terminate(): Promise<void> {
        const life = this.life!;
        this.changing = true;
        life.signal('SIGTERM');
        await life.waitForEnd(STOP_MS);
        await life.stop();
    }

    /** SIGSTOP for `ms`. */
    async hang(ms: number): Promise<void> {
        const life = this.life!;
        life.signal('SIGSTOP');
        await sleep(ms);
        life.signal('SIGCONT');
        this.hungMs += ms;
    }

    /**
     * For a request that begins now and goes straight to the process: the result, called when it
     * was not answered, tells what is wrong about that, or undefined if the process was ended.
     * Even then it should not have taken longer than `silenceMs` until that.
     */
    begin(silenceMs: number): (error: unknown) => Promise<string | undefined> {
        const { life, changing, hungMs } = this;
        const began = performance.now();
        return async (error) => {
            const waited = performance.now() - began - (this.hungMs - hungMs);
            await sleep(50); // an end is seen a moment later than the broken connection
            if (!changing && !this.changing && this.life === life && life?.ended === undefined) {
                return `no answer, and nobody was killed: ${String(error)}`;
            }
            return waited > silenceMs ? `no answer for ${Math.round(waited)} ms` : undefined;
        };
    }

    /** Makes the clock jump, if this life has one that can: "+3600", "-2". */
    jump(offset: string): boolean {
        setClock(this.clock, offset);
        return this.optimised && this.options.faketime !== undefined;
    }

    private async verified(end: () => Promise<void>): Promise<void> {
        try {
            await end();
        } catch (error) {
            this.ledger.find(`${this.options.name}: ${String(error)}`);
        }
    }

    /** Looks after it: an end that nobody wanted is found, and so is too much memory. */
    watch(): void {
        const { life } = this;
        const { name, memoryBound } = this.options;
        if (life === undefined || this.changing) {
            return;
        }
        if (life.ended !== undefined) {
            this.changing = true;
            this.ledger.find(
                `${name} died: ${JSON.stringify(life.ended)}\n${life.stderr.slice(-4000)}`,
            );
            void life.refuses();
            this.start().catch(() => {}); // it was said why
        } else if (this.optimised) {
            const peak = peakKilobytes(life.pid);
            const figure = `${name}: peak memory, KiB`;
            const before = this.ledger.figures[figure] ?? 0;
            this.ledger.figures[figure] = Math.max(before, peak);
            if (peak > memoryBound && before <= memoryBound) {
                this.ledger.find(
                    `${name} took ${peak} KiB of memory: the bound is ${memoryBound} KiB`,
                );
            }
        }
    }
}

/** It ended by itself, and said why in one line. */
function isRefusal(life: Logmill): boolean {
    const errors = life.diagnostics().filter(({ level }) => level === 'error');
    return life.ended?.code === 1 && errors.length === 1;
}

/** The most resident memory that a process has had; 0 if it has just ended. */
function peakKilobytes(pid: number): number {
    try {
        return Number(
            /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0,
        );
    } catch {
        return 0;
    }
}
