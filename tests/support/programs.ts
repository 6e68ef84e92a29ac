/* Other people's programs, which tests start and stop. */
import { type ChildProcess, spawn } from 'node:child_process';

/** What has not ended by then when it was told to is killed. */
const STOP_MS = 30_000;

/** A program, or a daemon, that runs. */
export class Running {
    said = '';
    ended = false;
    /** Its exit code; null: a signal ended it. */
    code: number | null = null;
    private readonly end: Promise<void>;
    private readonly child: ChildProcess;

    constructor(command: string[], env: Record<string, string> = {}, cwd?: string) {
        this.child = spawn(command[0]!, command.slice(1), {
            env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/', ...env },
            stdio: ['ignore', 'pipe', 'pipe'],
            ...(cwd === undefined ? {} : { cwd }),
        });
        const hear = (text: string): void => {
            this.said = (this.said + text).slice(-20_000);
        };
        this.child.stdout!.setEncoding('utf8').on('data', hear);
        this.child.stderr!.setEncoding('utf8').on('data', hear);
        this.end = new Promise((resolve) => {
            this.child.on('close', (code) => {
                this.code = code;
                this.ended = true;
                resolve();
            });
            this.child.on('error', (error) => {
                this.said += String(error);
                this.ended = true;
                resolve();
            });
        });
    }

    get pid(): number {
        return this.child.pid!;
    }

    async stop(signal: NodeJS.Signals): Promise<void> {
        if (this.ended) {
            return;
        }
        const late = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
        this.child.kill(signal);
        await this.end;
        clearTimeout(late);
    }

    wait(): Promise<void> {
        return this.end;
    }
}
