/* HTTP clients: Node's own, and bare sockets for what Node's client would not send. */
import { strict as assert } from 'node:assert';
import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import { Duplex } from 'node:stream';
import * as tls from 'node:tls';

export interface Target {
    port: number;
    /** The authority, in PEM, that its certificate is of: then it speaks TLS. */
    ca?: string;
    /** The key that a request with this method bears. */
    key?: (method: string) => string;
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
const PATIENCE_MS = 240_000;

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

/** The pools of one client: of connections in plain, and of those by TLS. */
export class Pools {
    private readonly plain: http.Agent;
    private readonly tls: https.Agent;

    constructor(maxSockets: number) {
        this.plain = new http.Agent({ keepAlive: true, maxSockets });
        this.tls = new https.Agent({ keepAlive: true, maxSockets });
    }

    of(target: Target): http.Agent {
        return target.ca === undefined ? this.plain : this.tls;
    }

    destroy(): void {
        this.plain.destroy();
        this.tls.destroy();
    }
}

/** For all tests of a file. They do not keep the process alive. */
const pools = new Pools(256);

/** `via` is an https.Agent where `target` speaks TLS. */
export function requestOn(via: http.Agent, target: Target, request: Request): Promise<Answer> {
    const method = request.method ?? 'GET';
    const key = target.key?.(method);
    return new Promise((resolve, reject) => {
        const client = (target.ca === undefined ? http : https).request(
            {
                agent: via,
                host: '127.0.0.1',
                port: target.port,
                ...(target.ca === undefined ? {} : { ca: target.ca }),
                method,
                path: request.path,
                headers: {
                    ...(key === undefined ? {} : { Authorization: `Bearer ${key}` }),
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
    return requestOn(pools.of(target), target, options);
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

/**
 * A socket as a stream that TLS can go over, and that is not the socket: so this can be broken
 * under it (a TLSSocket right on a socket that is reset ends Node 20 by SIGSEGV).
 */
function streamOf(socket: net.Socket): Duplex {
    const stream = new Duplex({
        read: () => socket.resume(),
        write: (piece, _, done) => void socket.write(piece, done),
        final: (done) => void socket.end(done),
        destroy: (error, done) => {
            socket.destroy();
            done(error);
        },
    });
    socket.on('data', (piece: Buffer) => {
        if (!stream.push(piece)) {
            socket.pause();
        }
    });
    socket.on('end', () => stream.push(null));
    socket.on('error', (error) => stream.destroy(error));
    socket.on('close', () => stream.destroy());
    return stream;
}

/** What a record of TLS 1.3 has besides its bytes. */
const RECORD_OVERHEAD = 22;

/** A bare connection that reads answers one by one. */
export class RawConnection {
    closed = false;
    private received = Buffer.alloc(0);
    private wanted = 0; // bytes that are written when the last piece, over TLS, is
    private wake: (() => void) | undefined;

    /** `under` is what carries `socket`: itself, or what TLS goes over. */
    private constructor(
        readonly socket: net.Socket,
        readonly under: net.Socket,
    ) {
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
            const under = net.connect(target.port, '127.0.0.1');
            const { ca } = target;
            const socket =
                ca === undefined
                    ? under
                    : tls.connect({ socket: streamOf(under), ca, host: '127.0.0.1' });
            under.setNoDelay(true);
            socket.once('error', reject);
            socket.once('close', () => reject(new Error('closed in its handshake')));
            socket.once(ca === undefined ? 'connect' : 'secureConnect', () => {
                const raw = new RawConnection(socket, under); // which listens to errors
                socket.off('error', reject);
                resolve(raw);
            });
        });
    }

    /** Breaks the connection: nothing that is under way need arrive. */
    reset(): void {
        this.under.resetAndDestroy();
        this.socket.destroy();
    }

    /**
     * The end of what was sent, by TCP alone: TLS has said nothing of it. An answer has to have come
     * before the last piece, so that this alone is what is waited for: Node calls it written before
     * it is.
     */
    async cut(): Promise<void> {
        while (this.under.bytesWritten < this.wanted) {
            await new Promise((resolve) => setImmediate(resolve));
        }
        this.under.end();
    }

    /** What was received and not yet taken as an answer. */
    get unread(): string {
        return this.received.toString('latin1');
    }

    send(data: string | Buffer): void {
        this.wanted = this.under.bytesWritten + Buffer.byteLength(data) + RECORD_OVERHEAD;
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
