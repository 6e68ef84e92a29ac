/*
 * What stands between a sender and logmill, and hears who was told what: a proxy that passes bytes on
 * as they are and reads along. Of each HTTP request that was answered with a success it knows which
 * logs were in it, whatever the protocol and the compression: each text of a log has its number in it,
 * "NAME #12." (numbersIn). So "told" is what the sender was told, not what it made of it.
 *
 * While logmill is down nobody listens here either: a sender is refused as it would be by logmill.
 */
import { execFileSync } from 'node:child_process';
import * as net from 'node:net';
import * as zlib from 'node:zlib';

import { type Lab, freePort, sleep } from '../support/harness';

const QUIET_MS = 500;

/** Bytes so far that make no whole message yet. */
class Stream {
    bytes: Buffer = Buffer.alloc(0);

    push(piece: Buffer): void {
        this.bytes = this.bytes.length === 0 ? piece : Buffer.concat([this.bytes, piece]);
    }

    take(length: number): Buffer {
        const taken = this.bytes.subarray(0, length);
        this.bytes = this.bytes.subarray(length);
        return taken;
    }
}

interface Message {
    line: string;
    headers: Map<string, string>;
    body: Buffer;
}

/** The body in chunks at `start` of `bytes` and where it ends, or undefined: it is not whole. */
function chunked(bytes: Buffer, start: number): { body: Buffer; end: number } | undefined {
    const pieces: Buffer[] = [];
    for (let at = start; ; ) {
        const line = bytes.indexOf('\r\n', at);
        if (line < 0) {
            return undefined;
        }
        const length = parseInt(bytes.toString('latin1', at, line), 16);
        const end = line + 2 + length + 2;
        if (bytes.length < end) {
            return undefined;
        }
        if (length === 0) {
            return { body: Buffer.concat(pieces), end }; // nobody here sends trailers
        }
        pieces.push(bytes.subarray(line + 2, end - 2));
        at = end;
    }
}

/** Takes one request or answer from the head of `stream`, if it is whole. */
function takeMessage(stream: Stream, bodyless: boolean): Message | undefined {
    const headEnd = stream.bytes.indexOf('\r\n\r\n');
    if (headEnd < 0) {
        return undefined;
    }
    const [line = '', ...fields] = stream.bytes.toString('latin1', 0, headEnd).split('\r\n');
    const headers = new Map<string, string>();
    for (const field of fields) {
        const colon = field.indexOf(':');
        headers.set(field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim());
    }
    const start = headEnd + 4;
    if (!bodyless && /chunked/i.test(headers.get('transfer-encoding') ?? '')) {
        const found = chunked(stream.bytes, start);
        if (found === undefined) {
            return undefined;
        }
        stream.take(found.end);
        return { line, headers, body: found.body };
    }
    const length = bodyless ? 0 : Number(headers.get('content-length') ?? 0);
    if (stream.bytes.length < start + length) {
        return undefined;
    }
    return { line, headers, body: stream.take(start + length).subarray(start) };
}

/** A block of snappy, decompressed. */
export function snappy(block: Buffer): Buffer {
    let at = 0;
    const varint = (): number => {
        let [value, shift, byte] = [0, 0, 0];
        do {
            byte = block[at++]!;
            value += (byte & 0x7f) * 2 ** shift;
            shift += 7;
        } while (byte & 0x80);
        return value;
    };
    const out = Buffer.alloc(varint());
    let filled = 0;
    while (at < block.length) {
        const tag = block[at++]!;
        let length = (tag >> 2) + 1;
        let offset = 0;
        if ((tag & 3) === 0) {
            if (length > 60) {
                const bytes = length - 60;
                length = block.readUIntLE(at, bytes) + 1;
                at += bytes;
            }
            block.copy(out, filled, at, at + length);
            at += length;
            filled += length;
            continue;
        }
        if ((tag & 3) === 1) {
            length = ((tag >> 2) & 7) + 4;
            offset = ((tag >> 5) << 8) | block[at++]!;
        } else {
            offset = (tag & 3) === 2 ? block.readUInt16LE(at) : block.readUInt32LE(at);
            at += (tag & 3) === 2 ? 2 : 4;
        }
        for (const end = filled + length; filled < end; filled++) {
            out[filled] = out[filled - offset]!;
        }
    }
    return out;
}

/** A body as it was before it was compressed; told by its first bytes, as some name it wrongly. */
function plain(path: string, message: Message): Buffer {
    const { body, headers } = message;
    const first = body.length >= 4 ? body.readUInt32BE(0) : 0;
    if (first >>> 16 === 0x1f8b) {
        return zlib.gunzipSync(body);
    }
    if (first === 0x28b52ffd) {
        return execFileSync('zstd', ['-d', '-c'], { input: body, maxBuffer: 1 << 28 });
    }
    if ([0x7801, 0x789c, 0x78da, 0x785e].includes(first >>> 16)) {
        return zlib.inflateSync(body);
    }
    const isProtobuf = /protobuf/.test(headers.get('content-type') ?? '');
    return path.includes('/push') && isProtobuf ? snappy(body) : body;
}

/** The numbers of all logs of `name` in these bytes. */
export function numbersIn(name: string, bytes: Buffer): number[] {
    const numbers: number[] = [];
    for (const match of bytes.toString('latin1').matchAll(new RegExp(`${name} #(\\d+)\\.`, 'g'))) {
        numbers.push(Number(match[1]));
    }
    return numbers;
}

/** Of `{"ack": CHUNK}` in MessagePack, as Fluent's protocol has it, the chunk's length and place. */
const ACK = Buffer.from('\x81\xa3ack', 'latin1');

/** Breaks a connection. Node would keep one that is ending for ever if it were told to reset it. */
function reset(socket: net.Socket): void {
    if (socket.writableEnded || socket.destroyed) {
        socket.destroy();
    } else {
        socket.resetAndDestroy();
    }
}

export class Tap {
    /** The logs that a sender was told are safe. */
    readonly told = new Set<number>();
    /** Logs in requests that were whole, whatever the answer. */
    readonly asked = new Set<number>();
    /** Requests by their answer: "POST /_bulk 200". */
    readonly answers = new Map<string, number>();
    connections = 0;
    private passed = 0;

    private server: net.Server | undefined;
    private readonly sockets = new Set<net.Socket>();

    private constructor(
        readonly name: string,
        readonly port: number,
        private readonly protocol: 'http' | 'fluent' | 'stream',
    ) {}

    /** Nobody listens yet (`up`). Ends with `lab`. */
    static async of(lab: Lab, name: string, protocol: Tap['protocol'] = 'http'): Promise<Tap> {
        const tap = new Tap(name, await freePort(), protocol);
        lab.finally(() => tap.down());
        return tap;
    }

    /** Listens, in front of `target`, a port of logmill's. */
    async up(target: number): Promise<void> {
        const server = net.createServer((client) => this.join(client, target));
        this.server = server;
        await new Promise<void>((resolve, reject) => {
            server.on('error', reject);
            server.listen(this.port, '127.0.0.1', resolve);
        });
    }

    /** Connections are refused, and those there are reset. */
    async down(): Promise<void> {
        const { server } = this;
        this.server = undefined;
        if (server !== undefined) {
            const closed = new Promise((resolve) => server.close(resolve));
            this.sockets.forEach(reset);
            await closed;
        }
    }

    /** Resolves when all connections have ended, or nothing has passed for a moment. */
    async quiet(): Promise<void> {
        for (let last = -1; this.sockets.size > 0 && last !== this.passed; ) {
            last = this.passed;
            await sleep(QUIET_MS);
        }
    }

    private join(client: net.Socket, target: number): void {
        this.connections++;
        const server = net.connect({ port: target, host: '127.0.0.1', allowHalfOpen: true });
        const hear = this.protocol === 'http' ? this.http() : this.fluent();
        const pass = (from: net.Socket, to: net.Socket, heard: (piece: Buffer) => void): void => {
            this.sockets.add(from);
            from.setNoDelay(true);
            from.unref(); // a trial has a timer that keeps it awake
            from.on('data', (piece: Buffer) => {
                this.passed++;
                heard(piece);
                if (!to.write(piece)) {
                    from.pause();
                    to.once('drain', () => from.resume());
                }
            });
            from.on('end', () => to.end());
            from.on('error', () => reset(to));
            from.on('close', () => {
                this.sockets.delete(from);
                to.end();
            });
        };
        pass(client, server, hear.asked);
        pass(server, client, hear.answered);
    }

    private http(): { asked: (piece: Buffer) => void; answered: (piece: Buffer) => void } {
        const [requests, answers] = [new Stream(), new Stream()];
        const waiting: { line: string; numbers: number[] }[] = [];
        return {
            asked: (piece) => {
                requests.push(piece);
                for (let message; (message = takeMessage(requests, false)) !== undefined; ) {
                    const line = message.line.replace(/ HTTP.*/, '').replace(/\?.*/, '');
                    const numbers =
                        message.body.length === 0
                            ? []
                            : numbersIn(this.name, plain(line, message));
                    numbers.forEach((number) => this.asked.add(number));
                    waiting.push({ line, numbers });
                }
            },
            answered: (piece) => {
                answers.push(piece);
                for (;;) {
                    const isHead = waiting[0]?.line.startsWith('HEAD ') === true;
                    const message = takeMessage(answers, isHead);
                    if (message === undefined) {
                        return;
                    }
                    const status = Number(message.line.split(' ')[1]);
                    if (status >= 200) {
                        this.answered(waiting.shift(), status, message.body);
                    }
                }
            },
        };
    }

    private answered(
        request: { line: string; numbers: number[] } | undefined,
        status: number,
        body: Buffer,
    ): void {
        const key = `${request?.line ?? '?'} ${status}`;
        this.answers.set(key, (this.answers.get(key) ?? 0) + 1);
        if (status < 300 && request !== undefined && !body.includes('"errors":true')) {
            request.numbers.forEach((number) => this.told.add(number));
        }
    }

    /** What came before a chunk that is acknowledged is safe; not looked into if compressed. */
    private fluent(): { asked: (piece: Buffer) => void; answered: (piece: Buffer) => void } {
        const [sent, answers] = [new Stream(), new Stream()];
        return {
            asked: (piece) => sent.push(piece),
            answered: (piece) => {
                answers.push(piece);
                for (let at; (at = answers.bytes.indexOf(ACK)) >= 0; ) {
                    const head = answers.bytes[at + ACK.length] ?? 0;
                    const start = at + ACK.length + (head === 0xd9 ? 2 : 1);
                    const length =
                        head === 0xd9 ? answers.bytes[start - 1]! : head & 0x1f;
                    if (answers.bytes.length < start + length) {
                        return;
                    }
                    const chunk = Buffer.from(answers.bytes.subarray(start, start + length));
                    answers.take(start + length);
                    const place = sent.bytes.indexOf(chunk);
                    const numbers = numbersIn(this.name, sent.take(Math.max(place, 0)));
                    numbers.forEach((number) => this.told.add(number));
                }
            },
        };
    }
}
