/*
 * An HTTP proxy in front of an SQS server that makes faults: for each request a test says what
 * becomes of it, by its action ("SendMessage").
 */
import * as http from 'node:http';
import type * as net from 'node:net';

import type { Lab } from '../harness';

export type Fault =
    /** Answered with this status, and an error as SQS words it; not passed on. */
    | { status: number; type?: string }
    /** Passed on or not, no answer ever comes. */
    | 'hang'
    /** The connection is closed, before or after the server has done it. */
    | 'drop before'
    | 'drop after'
    /** Done twice; the second answer is the one that is given. */
    | 'twice'
    /** A batch that is said to have succeeded, and is not passed on. */
    | 'swallow'
    /** A batch that is answered 200 with every entry in Failed[], and is not passed on. */
    | 'fail entries';

interface Passed {
    status: number;
    headers: http.IncomingHttpHeaders;
    body: Buffer;
}

export class SqsProxy {
    /** What becomes of a request; undefined: it is passed on as it is. */
    fault: (action: string, body: string) => Fault | undefined = () => undefined;
    /** May change the answer to a request that the server has done: parsed JSON, in place. */
    amend: (action: string, answer: any) => void = () => {};
    /** A request is passed on when this has come true. */
    pace: (action: string) => Promise<void> = () => Promise.resolve();
    /** Requests so far, and faults made, by action. */
    readonly requests = new Map<string, number>();
    readonly faults = new Map<string, number>();

    private server: http.Server | undefined;
    private readonly sockets = new Set<net.Socket>();
    private readonly agent = new http.Agent({ keepAlive: true });

    private constructor(private readonly target: number) {}

    port = 0;

    static async start(lab: Lab, target: number): Promise<SqsProxy> {
        const proxy = new SqsProxy(target);
        lab.finally(() => proxy.refuse().then(() => proxy.agent.destroy()));
        await proxy.accept();
        return proxy;
    }

    /** `url` through this proxy. */
    through(url: string): string {
        const changed = new URL(url);
        changed.port = String(this.port);
        return changed.toString();
    }

    /** Listens (again, on the port it had). */
    async accept(): Promise<void> {
        const server = http.createServer({ keepAliveTimeout: 0, requestTimeout: 0 });
        server.on('connection', (socket) => {
            this.sockets.add(socket);
            socket.on('close', () => this.sockets.delete(socket));
        });
        server.on('request', (request, response) => void this.serve(request, response));
        await new Promise<void>((resolve, reject) => {
            server.on('error', reject);
            server.listen(this.port, '127.0.0.1', resolve);
        });
        this.port = (server.address() as net.AddressInfo).port;
        this.server = server;
    }

    /** Connections are refused from now on, and those there are reset. */
    async refuse(): Promise<void> {
        const { server } = this;
        this.server = undefined;
        if (server !== undefined) {
            const closed = new Promise((resolve) => server.close(resolve));
            this.reset();
            await closed;
        }
    }

    /** Breaks every connection there is. */
    reset(): void {
        this.sockets.forEach((socket) => socket.destroy());
    }

    private async serve(
        request: http.IncomingMessage,
        response: http.ServerResponse,
    ): Promise<void> {
        const action = String(request.headers['x-amz-target']).replace(/^.*\./, '');
        this.requests.set(action, (this.requests.get(action) ?? 0) + 1);
        try {
            const body = await read(request);
            await this.pace(action);
            const fault = this.fault(action, body.toString('utf8'));
            if (fault !== undefined) {
                this.faults.set(action, (this.faults.get(action) ?? 0) + 1);
            }
            if (fault === 'hang') {
                return;
            }
            if (fault === 'drop before') {
                request.socket.destroy();
            } else if (typeof fault === 'object') {
                this.refuseRequest(response, fault);
            } else if (fault === 'swallow' || fault === 'fail entries') {
                pretend(response, body, fault === 'swallow');
            } else {
                if (fault === 'twice') {
                    await this.pass(request, response, body);
                }
                const passed = await this.pass(request, response, body);
                if (fault === 'drop after') {
                    request.socket.destroy();
                } else {
                    this.answer(response, action, passed);
                }
            }
        } catch {
            request.socket.destroy(); // the client or the server has gone
        }
    }

    private answer(response: http.ServerResponse, action: string, passed: Passed): void {
        const { 'transfer-encoding': _chunked, ...headers } = passed.headers;
        let { body } = passed;
        if (passed.status === 200 && body.length > 0) {
            const json = JSON.parse(body.toString('utf8')) as unknown;
            this.amend(action, json);
            body = Buffer.from(JSON.stringify(json));
        }
        response.writeHead(passed.status, {
            ...headers,
            connection: 'keep-alive',
            'content-length': body.length,
        });
        response.end(body);
    }

    private refuseRequest(
        response: http.ServerResponse,
        {
            status,
            type = status >= 500 ? 'InternalFailure' : 'ThrottlingException',
        }: {
            status: number;
            type?: string;
        },
    ): void {
        const answer = JSON.stringify({
            __type: `com.amazonaws.sqs#${type}`,
            message: 'a fault of the tests',
        });
        response.writeHead(status, {
            'content-type': 'application/x-amz-json-1.0',
            'content-length': Buffer.byteLength(answer),
        });
        response.end(answer);
    }

    private pass(
        request: http.IncomingMessage,
        response: http.ServerResponse,
        body: Buffer,
    ): Promise<Passed> {
        return new Promise((resolve, reject) => {
            const { connection: _connection, ...headers } = request.headers;
            const upstream = http.request(
                {
                    agent: this.agent,
                    host: '127.0.0.1',
                    port: this.target,
                    method: request.method,
                    path: request.url,
                    headers: { ...headers, host: `127.0.0.1:${this.target}` },
                },
                (answer) => {
                    read(answer).then(
                        (bytes) =>
                            resolve({
                                status: answer.statusCode ?? 502,
                                headers: answer.headers,
                                body: bytes,
                            }),
                        reject,
                    );
                },
            );
            upstream.on('error', reject);
            upstream.end(body);
            // A long poll whose client has gone must not take messages with it.
            response.once('close', () => upstream.destroy());
        });
    }
}

/** Answers a batch call as if all of it had succeeded, or failed. */
function pretend(response: http.ServerResponse, body: Buffer, success: boolean): void {
    const { Entries } = JSON.parse(body.toString('utf8')) as { Entries: { Id: string }[] };
    const entries = Entries.map(({ Id }) =>
        success
            ? { Id }
            : { Id, Code: 'InternalError', SenderFault: false, Message: 'a fault of the tests' },
    );
    const answer = JSON.stringify(
        success ? { Successful: entries, Failed: [] } : { Successful: [], Failed: entries },
    );
    response.writeHead(200, {
        'content-type': 'application/x-amz-json-1.0',
        'content-length': Buffer.byteLength(answer),
    });
    response.end(answer);
}

function read(stream: http.IncomingMessage): Promise<Buffer> {
    return new Promise((resolve, reject) => {
        const pieces: Buffer[] = [];
        stream.on('data', (piece: Buffer) => pieces.push(piece));
        stream.on('end', () => resolve(Buffer.concat(pieces)));
        stream.on('error', reject);
        stream.on('aborted', () => reject(new Error('cut off')));
    });
}
