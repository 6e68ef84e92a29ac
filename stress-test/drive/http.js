/*
 * The module `k6/http`: HTTP/1.1, plain or by TLS, with keep-alive, as many connections as requests are under way. It
 * understands answers with Content-Length, which all of logmill's are, and no others.
 */
import { createConnection, isIP } from 'node:net';
import { connect } from 'node:tls';

import { counter, rate, trend } from './metrics.js';

const TIMEOUT_MS = 60000;
const HEAD_END = Buffer.from('\r\n\r\n');

const requests = counter('http_reqs');
const failed = rate('http_req_failed');
const duration = trend('http_req_duration');

/** A connection, and the request that is under way on it, if any. */
class Connection {
    received = [];
    length = 0;
    needed = 0; // bytes of the whole answer, once its head is there
    answered = undefined;

    constructor(pool, isTls, host, port) {
        this.pool = pool;
        this.socket = isTls
            ? connect({ host, port, ...(isIP(host) ? {} : { servername: host }) }).setNoDelay()
            : createConnection({ host, port, noDelay: true });
        this.socket.setTimeout(TIMEOUT_MS, () => this.socket.destroy(new Error('timeout')));
        this.socket.on('data', (bytes) => this.take(bytes));
        this.socket.on('error', (error) => (this.error = error.message));
        this.socket.on('close', () => this.end({ status: 0, body: null, error: this.error ?? 'closed' }));
    }

    send(text) {
        return new Promise((resolve) => {
            this.answered = resolve;
            this.socket.write(text);
        });
    }

    take(bytes) {
        this.received.push(bytes);
        this.length += bytes.length;
        if (this.needed === 0) {
            const all = Buffer.concat(this.received);
            const headEnd = all.indexOf(HEAD_END);
            if (headEnd < 0) {
                return;
            }
            const head = all.latin1Slice(0, headEnd);
            const [, bodyLength] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? [];
            if (bodyLength === undefined || this.answered === undefined) {
                this.socket.destroy(new Error('an answer that is not understood'));
                return;
            }
            this.status = Number(head.slice(9, 12));
            this.bodyAt = headEnd + HEAD_END.length;
            this.needed = this.bodyAt + Number(bodyLength);
            this.isLast = /\r\nconnection: *close/i.test(head);
        }
        if (this.length >= this.needed) {
            const body = Buffer.concat(this.received).toString('utf8', this.bodyAt, this.needed);
            this.received = [];
            this.length = this.needed = 0;
            this.end({ status: this.status, body, error: '' }, !this.isLast);
        }
    }

    end(answer, isReusable = false) {
        const answered = this.answered;
        this.answered = undefined;
        if (isReusable) {
            this.pool.push(this);
        } else {
            const at = this.pool.indexOf(this);
            if (at >= 0) {
                this.pool.splice(at, 1);
            }
            this.socket.destroy();
        }
        answered?.(answer);
    }
}

const pools = new Map(); // scheme://host:port to its idle connections

function connectionTo(scheme, host) {
    const at = `${scheme}://${host}`;
    let pool = pools.get(at);
    if (pool === undefined) {
        pools.set(at, (pool = []));
    }
    const isTls = scheme === 'https';
    const [, name, port = isTls ? '443' : '80'] = /^(.*?)(?::(\d+))?$/.exec(host);
    return pool.pop() ?? new Connection(pool, isTls, name.replace(/^\[|\]$/g, ''), Number(port));
}

async function asyncRequest(method, url, body, params = {}) {
    const [, scheme, host, path] = /^(https?):\/\/([^/]+)(\/.*)?$/.exec(url);
    let head = `${method} ${path ?? '/'} HTTP/1.1\r\nHost: ${host}\r\n`;
    for (const [name, value] of Object.entries(params.headers ?? {})) {
        head += `${name}: ${value}\r\n`;
    }
    if (body !== null) {
        head += `Content-Length: ${Buffer.byteLength(body)}\r\n`;
    }
    const began = performance.now();
    const answer = await connectionTo(scheme, host).send(`${head}\r\n${body ?? ''}`);
    duration.add(performance.now() - began, params.tags);
    requests.add(1, params.tags);
    failed.add(!(params.responseCallback ?? isFine)(answer.status), params.tags);
    return answer;
}

const isFine = (status) => status >= 200 && status < 400;

const expectedStatuses =
    (...statuses) =>
    (status) =>
        statuses.includes(status);

export default { asyncRequest, expectedStatuses };
