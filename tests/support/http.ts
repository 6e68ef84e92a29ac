/* HTTP clients: Node's own, and bare sockets for what Node's client would not send. */
import { strict as assert } from 'node:assert';
import * as http from 'node:http';
import * as net from 'node:net';

export interface Target {
    port: number;
}

export interface Answer {
    status: number;
    headers: http.IncomingHttpHeaders;
    text: string;
    /** The body as JSON. */
    json<T = any>(): T;
}

export interface Request {
    method?: string;
    path: string;
    headers?: http.OutgoingHttpHeaders;
    body?: string | Buffer;
    /** Sends the body in these pieces, chunked. */
    pieces?: (string | Buffer)[];
}

/** Waits that end early in any normal run. */
const PATIENCE_MS = 60_000;

/** One keep-alive pool for all tests of a file. It does not keep the process alive. */
export const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });

function answer(status: number, headers: http.IncomingHttpHeaders, body: Buffer): Answer {
    const text = body.toString('utf8');
    return {
        status,
        headers,
        text,
        json: () => {
            try {
                return JSON.parse(text);
            } catch {
                throw new Error(`not JSON (status ${status}): ${text.slice(0, 500)}`);
            }
        },
    };
}

export function requestOn(via: http.Agent, target: Target, request: Request): Promise<Answer> {
    return new Promise((resolve, reject) => {
        const client = http.request(
            {
                agent: via,
                host: '127.0.0.1',
                port: target.port,
                method: request.method ?? 'GET',
                path: request.path,
                headers: {
                    ...(request.body === undefined
                        ? {}
                        : { 'Content-Length': Buffer.byteLength(request.body) }),
                    ...request.headers,
                },
                timeout: PATIENCE_MS,
            },
            (response) => {
                const pieces: Buffer[] = [];
                response.on('data', (piece: Buffer) => pieces.push(piece));
                response.on('error', reject);
                response.on('aborted', () => reject(new Error('the answer was cut off')));
                response.on('end', () =>
                    resolve(
                        answer(response.statusCode ?? 0, response.headers, Buffer.concat(pieces)),
                    ),
                );
            },
        );
        client.on('error', reject);
        client.on('timeout', () => client.destroy(new Error('no answer')));
        for (const piece of request.pieces ?? []) {
            client.write(piece);
        }
        client.end(request.body);
    });
}

export function request(target: Target, options: Request): Promise<Answer> {
    return requestOn(agent, target, options);
}

export function get(
    target: Target,
    path: string,
    headers: http.OutgoingHttpHeaders = {},
): Promise<Answer> {
    return request(target, { path, headers });
}

/** POST of a value as JSON (a string or Buffer goes as it is). */
export function post(
    target: Target,
    path: string,
    body: unknown,
    headers: http.OutgoingHttpHeaders = {},
): Promise<Answer> {
    return request(target, {
        method: 'POST',
        path,
        headers: { 'Content-Type': 'application/json', ...headers },
        body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
    });
}

/** A bare connection that reads answers one by one. */
export class RawConnection {
    closed = false;
    private received = Buffer.alloc(0);
    private wake: (() => void) | undefined;

    private constructor(readonly socket: net.Socket) {
        socket.on('data', (piece: Buffer) => {
            this.received = Buffer.concat([this.received, piece]);
            this.wake?.();
        });
        const close = (): void => {
            this.closed = true;
            this.wake?.();
        };
        socket.on('close', close);
        socket.on('end', close);
        socket.on('error', () => {}); // 'close' follows
    }

    static open(target: Target): Promise<RawConnection> {
        return new Promise((resolve, reject) => {
            const socket = net.connect(target.port, '127.0.0.1');
            socket.once('error', reject);
            socket.once('connect', () => {
                socket.off('error', reject);
                socket.setNoDelay(true);
                resolve(new RawConnection(socket));
            });
        });
    }

    /** What was received and not yet taken as an answer. */
    get unread(): string {
        return this.received.toString('latin1');
    }

    send(data: string | Buffer): void {
        this.socket.write(data);
    }

    close(): void {
        this.socket.destroy();
    }

    private async until(what: string, found: () => boolean, patienceMs: number): Promise<void> {
        const end = Date.now() + patienceMs;
        while (!found()) {
            if (this.closed) {
                throw new Error(
                    `closed before ${what}; received: ${this.received.toString('latin1')}`,
                );
            }
            const left = end - Date.now();
            if (left <= 0) {
                throw new Error(`no ${what} after ${patienceMs} ms`);
            }
            await new Promise<void>((resolve) => {
                const timer = setTimeout(resolve, left);
                this.wake = () => {
                    clearTimeout(timer);
                    resolve();
                };
            });
        }
    }

    /** The next answer, interim ones (1xx) included. `bodyless`: it answers a HEAD. */
    async answer({ bodyless = false, patienceMs = PATIENCE_MS } = {}): Promise<Answer> {
        const headEnd = (): number => this.received.indexOf('\r\n\r\n');
        await this.until('the head of an answer', () => headEnd() >= 0, patienceMs);
        const head = this.received.subarray(0, headEnd()).toString('latin1').split('\r\n');
        const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head[0] ?? '')?.[1]);
        assert.ok(status >= 100, `status line: ${head[0]}`);
        const headers: http.IncomingHttpHeaders = {};
        for (const line of head.slice(1)) {
            const colon = line.indexOf(':');
            headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
        }
        const length = bodyless || status < 200 ? 0 : Number(headers['content-length'] ?? 0);
        const start = headEnd() + 4;
        await this.until(
            'the body of an answer',
            () => this.received.length >= start + length,
            patienceMs,
        );
        const body = this.received.subarray(start, start + length);
        this.received = this.received.subarray(start + length);
        return answer(status, headers, body);
    }

    /** Resolves when the server has closed the connection. */
    async end(patienceMs = PATIENCE_MS): Promise<void> {
        if (!this.closed) {
            await this.until('close', () => this.closed, patienceMs);
        }
    }
}

/** A POST as raw text. */
export function rawPost(
    path: string,
    body: string,
    headers = 'Content-Type: application/json\r\n',
): string {
    return (
        `POST ${path} HTTP/1.1\r\nHost: test\r\n${headers}` +
        `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
    );
}

/** Sends a request, and the end of what there is to send: answered after one turn. */
export async function halfClosed(server: Target, path: string): Promise<Answer> {
    const client = await RawConnection.open(server);
    client.socket.end(`GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`);
    const answer = await client.answer();
    client.close();
    return answer;
}
