/*
 * A client of GET /logs/tail (Server-Sent Events). As a browser's does, it comes back by itself
 * if a stream ends, with the id that came last, unless it is told not to. It does not keep the
 * process alive.
 */
import * as http from 'node:http';

import { setTimeout as delay } from 'node:timers/promises';

import { eventually } from './harness';
import type { Target } from './http';
import type { Log } from './logs';

export interface TailOptions {
    query?: string;
    headers?: http.OutgoingHttpHeaders;
    /** Where to begin; as the header Last-Event-ID. */
    lastId?: string;
    /** False: the first stream is the only one. */
    comesBack?: boolean;
}

const RETRY_MS = 100; // what the server asks for is more; tests need not wait for it

export class Tail {
    readonly logs: Log[] = [];
    /** The events that are no logs: their names. */
    readonly events: string[] = [];
    readonly comments: string[] = [];
    missed = 0;
    lastId: string;
    /** Of the last answer. */
    status = 0;
    headers: http.IncomingHttpHeaders = {};
    /** Of an answer that is no stream. */
    body = '';
    streams = 0;
    /** How the last stream ended. */
    end: 'whole' | 'broken' | undefined;
    private going = true;
    private rest = '';
    private request: http.ClientRequest | undefined;
    private response: http.IncomingMessage | undefined;

    /** `target` tells where the server is now; undefined if there is none. */
    constructor(
        private readonly target: () => Target | undefined,
        private readonly options: TailOptions = {},
    ) {
        this.lastId = options.lastId ?? '';
        void this.follow();
    }

    /** A tail whose stream has begun. */
    static async open(target: Target, options: TailOptions = {}): Promise<Tail> {
        const tail = new Tail(() => target, options);
        await eventually('a stream to begin', async () => tail.lastId !== '' || tail.status >= 300);
        return tail;
    }

    private async follow(): Promise<void> {
        do {
            const target = this.target();
            if (target !== undefined) {
                await this.stream(target);
            }
            await delay(RETRY_MS, undefined, { ref: false });
        } while (this.going && this.options.comesBack !== false);
    }

    private stream(target: Target): Promise<void> {
        this.rest = '';
        return new Promise((resolve) => {
            const request = http.get(
                {
                    agent: false,
                    host: '127.0.0.1',
                    port: target.port,
                    path: `/logs/tail?${this.options.query ?? ''}`,
                    headers: {
                        Accept: 'text/event-stream',
                        ...(this.lastId === '' ? {} : { 'Last-Event-ID': this.lastId }),
                        ...this.options.headers,
                    },
                },
                (response) => {
                    this.status = response.statusCode ?? 0;
                    this.headers = response.headers;
                    this.response = response;
                    this.end = undefined;
                    this.streams++;
                    response.setEncoding('utf8').on('data', (text: string) => this.take(text));
                    response.on('error', () => {}); // 'close' follows
                    response.on('close', () => {
                        this.end = response.complete ? 'whole' : 'broken';
                        resolve();
                    });
                },
            );
            this.request = request;
            request.on('socket', (socket) => socket.unref());
            request.on('error', () => resolve());
        });
    }

    private take(text: string): void {
        if (this.status !== 200) {
            this.body += text;
            return;
        }
        const blocks = (this.rest + text).split('\n\n');
        this.rest = blocks.pop()!;
        blocks.forEach((block) => this.takeBlock(block));
    }

    private takeBlock(block: string): void {
        let name = '';
        let data: string | undefined;
        for (const line of block.split('\n')) {
            const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line)!;
            if (field === '') {
                this.comments.push(value!);
            } else if (field === 'id') {
                this.lastId = value!;
            } else if (field === 'event') {
                name = value!;
            } else if (field === 'data') {
                data = value;
            }
        }
        if (name === 'missed') {
            this.missed += JSON.parse(data!).missed;
        }
        if (name !== '') {
            this.events.push(name);
        } else if (data !== undefined) {
            this.logs.push(JSON.parse(data) as Log);
        }
    }

    get messages(): string[] {
        return this.logs.map((log) => log.message);
    }

    /** Until it has `n` logs. */
    async has(n: number, patienceMs?: number): Promise<Log[]> {
        await eventually(
            `${n} logs in the tail`,
            async () => this.logs.length >= n,
            patienceMs,
        ).catch((error: Error) => {
            throw new Error(`${error.message}: ${this.logs.length} came`, { cause: error });
        });
        return this.logs;
    }

    /** Takes nothing from the socket any more, or takes it again. */
    pause(): void {
        this.response?.pause();
    }

    resume(): void {
        this.response?.resume();
    }

    close(): void {
        this.going = false;
        this.request?.destroy();
    }
}
