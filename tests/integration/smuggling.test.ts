/*
 * Request smuggling: bytes in which two readers might see different requests. Each case is sent to
 * a socket of its own, once in one piece and once byte by byte; it says what is answered, whether
 * the connection then goes on, and which of its logs are stored: a request that hides in another
 * one's bytes, or follows one that was refused for its framing, is never executed. All of it is
 * asked over TLS, too, where records cut the bytes, and where a connection that breaks is told from
 * one that its client ends.
 *
 * A case's `first` is the log of its request, `hidden` a whole second request with a log of its own.
 */
import { strict as assert } from 'node:assert';

import { readFileSync } from 'node:fs';
import * as net from 'node:net';
import * as tls from 'node:tls';

import { Authority } from '../support/certificates';
import { type Lab, type StartOptions, eventually, shared } from '../support/harness';
import { RawConnection, type Target } from '../support/http';
import { allLogs, atRest, metric, metrics } from '../support/logs';

interface Parts {
    first: string;
    hidden: string;
    /** The length of `first`, and of `hidden`. */
    n: number;
    h: number;
}

interface Case {
    name: string;
    bytes: string;
    /** Where the hidden request begins in them; -1 if there is none. */
    hiddenAt: number;
    /** The statuses answered, in order. A 100 is one of them. */
    answers: number[];
    /** `goes on`: a further request is answered. `ends`: so it does once we say that no more comes. */
    then: 'closes' | 'goes on' | 'ends';
    stored: 'none' | 'first' | 'hidden' | 'both';
}

const cases: Case[] = [];
const JSON_TYPE = 'Content-Type: application/json\r\n';
const POST = `POST /log HTTP/1.1\r\nHost: h\r\n${JSON_TYPE}`;

function add(
    name: string,
    answers: number[],
    then: Case['then'],
    stored: Case['stored'],
    bytes: (parts: Parts) => string,
): void {
    const k = cases.length;
    const log = (what: string): string => JSON.stringify({ message: `${what} ${k}`, level: 'x' });
    const first = log('first');
    const second = log('hidden');
    const hidden = `${POST}Content-Length: ${second.length}\r\n\r\n${second}`;
    const all = bytes({ first, hidden, n: first.length, h: hidden.length });
    cases.push({ name, bytes: all, hiddenAt: all.indexOf(hidden), answers, then, stored });
}

const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
const chunked = (text: string): string => `${chunk(text)}0\r\n\r\n`;

/** Refused for what it is, and what follows is not read as a request. */
function refused(name: string, status: number, bytes: (parts: Parts) => string): void {
    add(name, [status], 'closes', 'none', bytes);
}

/** Is what RFC 9112 says it is, as is the request after it. */
function plain(name: string, bytes: (parts: Parts) => string): void {
    add(name, [201, 201], 'goes on', 'both', (p) => bytes(p) + p.hidden);
}

/* ---- Controls: they show that a hidden request would be seen ---- */

plain('a request with Content-Length, then another', ({ first, n }) => {
    return `${POST}Content-Length: ${n}\r\n\r\n${first}`;
});
plain('a chunked request, then another', ({ first }) => {
    return `${POST}Transfer-Encoding: chunked\r\n\r\n${chunked(first)}`;
});

/* ---- Content-Length and Transfer-Encoding together ---- */

for (const [name, lines] of [
    ['CL.TE', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n'],
    ['TE.CL', 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n'],
    [
        'CL.TE with another header between',
        'Content-Length: 4\r\nX: y\r\nTransfer-Encoding: chunked\r\n',
    ],
    ['CL 0 and TE', 'Content-Length: 0\r\nTransfer-Encoding: chunked\r\n'],
    ['TE identity and CL', 'Transfer-Encoding: identity\r\nContent-Length: 4\r\n'],
    ['an obfuscated TE and CL', 'Transfer-Encoding: xchunked\r\nContent-Length: 4\r\n'],
    [
        'CL, TE and an Upgrade',
        'Content-Length: 4\r\nTransfer-Encoding: chunked\r\nConnection: Upgrade\r\nUpgrade: x\r\n',
    ],
] as const) {
    refused(name, 400, ({ hidden }) => `${POST}${lines}\r\n0\r\n\r\n${hidden}`);
}
refused('CL.TE that ends before the hidden request', 400, ({ hidden }) => {
    return `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`;
});

/* ---- Transfer-Encoding in disguise ---- */

for (const value of ['Chunked', 'CHUNKED', 'chunked ', '\tchunked', '   chunked  ']) {
    plain(`Transfer-Encoding:${JSON.stringify(value)} is chunked`, ({ first }) => {
        return `${POST}Transfer-Encoding: ${value}\r\n\r\n${chunked(first)}`;
    });
}
for (const [value, status] of [
    ['xchunked', 501],
    ['chunkedx', 501],
    ['chunked, identity', 400],
    ['chunked,', 400],
    ['chunked;q=1', 501],
    ['"chunked"', 501],
    ["'chunked'", 501],
    ['identity', 501],
    ['gzip', 501],
    ['', 501],
    ['cow', 501],
    ['chu nked', 501],
    ['chunked\x0b', 400],
    ['\x0bchunked', 400],
    ['\x0cchunked', 400],
    ['\xa0chunked', 501],
    ['chunked\0', 400],
    ['\0chunked', 400],
    ['chunked\x7f', 400],
    ['gzip, chunked', 501],
    ['identity, chunked', 501],
    ['chunked, chunked', 400],
    [',chunked', 501],
    ['chunked\t', 400],
] as const) {
    refused(`Transfer-Encoding: ${JSON.stringify(value)}`, status, ({ first, hidden }) => {
        return `${POST}Transfer-Encoding: ${value}\r\n\r\n${chunked(first)}${hidden}`;
    });
}
for (const [one, other, status] of [
    ['chunked', 'identity', 400],
    ['identity', 'chunked', 501],
    ['chunked', 'chunked', 400],
    ['gzip', 'chunked', 501],
    ['chunked', '', 501],
    ['', 'chunked', 501],
] as const) {
    refused(`two Transfer-Encodings, "${one}" and "${other}"`, status, ({ first, hidden }) => {
        const lines = `Transfer-Encoding: ${one}\r\nTransfer-Encoding: ${other}\r\n`;
        return `${POST}${lines}\r\n${chunked(first)}${hidden}`;
    });
}
for (const [name, line] of [
    ['a space before the colon', 'Transfer-Encoding : chunked\r\n'],
    ['a tab before the colon', 'Transfer-Encoding\t: chunked\r\n'],
    ['a space before the name', ' Transfer-Encoding: chunked\r\n'],
    ['a tab before the name', 'X: y\r\n\tTransfer-Encoding: chunked\r\n'],
    ['folded into another header', 'X: y\r\n Transfer-Encoding: chunked\r\n'],
    ['its value folded', 'Transfer-Encoding:\r\n chunked\r\n'],
    ['its name folded', 'Transfer-\r\n Encoding: chunked\r\n'],
    ['the colon on the next line', 'Transfer-Encoding\r\n: chunked\r\n'],
    ['behind a bare LF', 'X: y\nTransfer-Encoding: chunked\r\n'],
    ['behind a bare CR', 'X: y\rTransfer-Encoding: chunked\r\n'],
    ['behind a NUL', 'X: y\0Transfer-Encoding: chunked\r\n'],
    ['a NUL in its name', 'Transfer-Encoding\0: chunked\r\n'],
    ['a control in its name', 'Transfer\x01-Encoding: chunked\r\n'],
    ['a byte above 127 in its name', 'Transf\xe9r-Encoding: chunked\r\n'],
    ['a quoted name', '"Transfer-Encoding": chunked\r\n'],
    ['no colon', 'Transfer-Encoding chunked\r\n'],
    ['no name', ': chunked\r\n'],
] as const) {
    for (const length of ['', 'Content-Length: 4\r\n']) {
        refused(`Transfer-Encoding, ${name}${length && ', beside Content-Length'}`, 400, (p) => {
            return `${POST}${length}${line}\r\n${chunked(p.first)}${p.hidden}`;
        });
    }
}
for (const name of ['Transfer_Encoding', 'TransferEncoding', 'X-Transfer-Encoding', 'TE']) {
    plain(`${name} is another header`, ({ first, n }) => {
        return `${POST}${name}: chunked\r\nContent-Length: ${n}\r\n\r\n${first}`;
    });
}
plain('Connection cannot name the framing away', ({ first, n }) => {
    return `${POST}Connection: keep-alive, content-length\r\nContent-Length: ${n}\r\n\r\n${first}`;
});

/* ---- Content-Length ---- */

for (const value of [
    '+4',
    '-4',
    '-0',
    '0x4',
    '4.0',
    '4e0',
    '4,4',
    '4, 4',
    '4 4',
    '4;',
    '4a',
    'a4',
    '"4"',
    '',
    ' ',
    '4\t',
    '4\0',
    '\0' + '4',
    '4\x0b',
    '\x0b4',
    '\xb2',
    'four',
    '18446744073709551616',
    '18446744073709551620',
    '99999999999999999999999999',
]) {
    refused(`Content-Length: ${JSON.stringify(value)}`, 400, ({ hidden }) => {
        return `${POST}Content-Length: ${value}\r\n\r\n1234${hidden}`;
    });
}
for (const value of [
    '18446744073709551615',
    '9223372036854775808',
    '9223372036854775807',
    '4294967300',
    '2147483648',
]) {
    refused(`Content-Length: ${value} is too large, not small`, 413, ({ hidden }) => {
        return `${POST}Content-Length: ${value}\r\n\r\n1234${hidden}`;
    });
}
for (const [one, other] of [
    ['4', '4'],
    ['4', '5'],
    ['0', '4'],
    ['4', '0'],
    ['4', ''],
    ['4', 'x'],
] as const) {
    refused(`two Content-Lengths, "${one}" and "${other}"`, 400, ({ hidden }) => {
        return `${POST}Content-Length: ${one}\r\nX: y\r\ncontent-length: ${other}\r\n\r\n1234${hidden}`;
    });
}
for (const [name, line] of [
    ['a space before the colon', 'Content-Length : 4\r\n'],
    ['folded into another header', 'X: y\r\n Content-Length: 4\r\n'],
    ['its value folded', 'Content-Length:\r\n 4\r\n'],
    ['a digit folded', 'Content-Length: 1\r\n 4\r\n'],
    ['behind a bare LF', 'X: y\nContent-Length: 4\r\n'],
    ['behind a bare CR', 'X: y\rContent-Length: 4\r\n'],
    ['no colon', 'Content-Length 4\r\n'],
] as const) {
    refused(`Content-Length, ${name}`, 400, ({ hidden }) => `${POST}${line}\r\n1234${hidden}`);
}
for (const zeros of ['0', '000000000000000000000000000000']) {
    plain(`Content-Length with ${zeros.length} zeros in front`, ({ first, n }) => {
        return `${POST}Content-Length: ${zeros}${n}\r\n\r\n${first}`;
    });
}
plain('Content-Length with spaces and tabs around it', ({ first, n }) => {
    return `${POST}Content-Length: \t ${n}  \r\n\r\n${first}`;
});
add('Content_Length is another header: the body is none', [422, 201], 'goes on', 'hidden', (p) => {
    return `${POST}Content_Length: ${p.n}\r\n\r\n${p.hidden}`;
});

/* ---- A body stays a body, whatever it looks like and whatever the answer is ---- */

for (const [name, request, answers] of [
    ['GET', 'GET /health HTTP/1.1\r\nHost: h\r\n', [200]],
    ['OPTIONS', 'OPTIONS /log HTTP/1.1\r\nHost: h\r\n', [405]],
    ['DELETE', 'DELETE /log HTTP/1.1\r\nHost: h\r\n', [405]],
    ['a path that is not there', 'POST /nowhere HTTP/1.1\r\nHost: h\r\n', [404]],
    ['a slash at the end', 'POST /log/ HTTP/1.1\r\nHost: h\r\n', [307]],
    ['a log that is none', POST, [422]],
    ['a Content-Encoding not known', `${POST}Content-Encoding: br\r\n`, [415]],
    ['no gzip at all', `${POST}Content-Encoding: gzip\r\n`, [400]],
] as const) {
    add(`${name}: the body is not a request`, [...answers], 'goes on', 'none', ({ hidden, h }) => {
        return `${request}Content-Length: ${h}\r\n\r\n${hidden}`;
    });
    add(`${name}: the chunked body is not a request`, [...answers], 'goes on', 'none', (p) => {
        return `${request}Transfer-Encoding: chunked\r\n\r\n${chunked(p.hidden)}`;
    });
    add(
        `${name}: the request after the body is one`,
        [...answers, 201],
        'goes on',
        'hidden',
        (p) => {
            return `${request}Content-Length: 8\r\n\r\n{"a": 1}${p.hidden}`;
        },
    );
}
add('a GET without a body, then a request', [200, 201], 'goes on', 'hidden', ({ hidden }) => {
    return `GET /health HTTP/1.1\r\nHost: h\r\n\r\n${hidden}`;
});

/* ---- Chunks ---- */

const TE = `${POST}Transfer-Encoding: chunked\r\n\r\n`;
for (const [name, size] of [
    ['beyond 64 bits', '10000000000000000'],
    ['beyond 64 bits, with the right low bits', '1000000000000000a'],
    ['signed', '-1'],
    ['with a plus', '+a'],
    ['with 0x', '0xa'],
    ['no number', 'g'],
    ['none', ''],
    ['after a space', ' a'],
    ['quoted', '"a"'],
    ['with a comma', 'a,a'],
    ['with a NUL', 'a\0'],
    ['with a bare CR', 'a\ra'],
] as const) {
    refused(
        `a chunk size ${name}`,
        400,
        ({ hidden }) => `${TE}${size}\r\n0123456789\r\n0\r\n\r\n${hidden}`,
    );
}
refused(
    'a chunk of 2^64 - 1 bytes',
    413,
    ({ hidden }) => `${TE}ffffffffffffffff\r\n${'1234\r\n0\r\n\r\n'}${hidden}`,
);
for (const [name, body] of [
    ['bare LF after the size', 'a\n0123456789\r\n0\r\n\r\n'],
    ['bare LF after the data', 'a\r\n0123456789\n0\r\n\r\n'],
    ['bare LF after the last chunk', 'a\r\n0123456789\r\n0\n\r\n'],
    ['bare LF at the very end', 'a\r\n0123456789\r\n0\r\n\n'],
    ['a CR alone after the data', 'a\r\n0123456789\r0\r\n\r\n'],
    ['nothing after the data', 'a\r\n01234567890\r\n\r\n'],
    ['data longer than the chunk', '5\r\n0123456789\r\n0\r\n\r\n'],
    ['a bare LF in an extension', 'a;x\ny\r\n0123456789\r\n0\r\n\r\n'],
    ['a bare LF in a quoted extension', 'a;x="\n"\r\n0123456789\r\n0\r\n\r\n'],
    ['a line end in a quoted extension', 'a;x="\r\n"\r\n0123456789\r\n0\r\n\r\n'],
    ['a NUL in an extension', 'a;\0\r\n0123456789\r\n0\r\n\r\n'],
    ['a folded trailer', 'a\r\n0123456789\r\n0\r\nX: y\r\n z\r\n\r\n'],
    ['a trailer without a colon', 'a\r\n0123456789\r\n0\r\nX\r\n\r\n'],
    ['a space before a trailer’s colon', 'a\r\n0123456789\r\n0\r\nX : y\r\n\r\n'],
    ['a bare LF after a trailer', 'a\r\n0123456789\r\n0\r\nX: y\n\r\n'],
] as const) {
    refused(
        `chunks: ${name}`,
        400,
        ({ hidden }) => TE + body.replace('0123456789', '{"a":"bcd"}'.slice(0, 10)) + hidden,
    );
}
for (const [name, write] of [
    ['an extension', (s: string) => `${s.length.toString(16)};a=b\r\n${s}\r\n0;c\r\n\r\n`],
    ['a quoted extension', (s: string) => `${s.length.toString(16)};a="b;c"\r\n${s}\r\n0\r\n\r\n`],
    [
        'a size in capitals with zeros in front',
        (s: string) => `0000${s.length.toString(16).toUpperCase()}\r\n${s}\r\n000\r\n\r\n`,
    ],
    ['a trailer', (s: string) => `${chunk(s)}0\r\nX: y\r\n\r\n`],
    [
        'trailers that are framing headers',
        (s: string) => `${chunk(s)}0\r\nHost: x\r\nX-Content-Length: 100\r\n\r\n`,
    ],
] as const) {
    plain(`chunks: ${name} changes nothing`, ({ first }) => TE + write(first));
}
for (const trailer of [
    'Content-Length: 100',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: x',
]) {
    refused(`chunks: a trailer may not be ${trailer}`, 400, ({ first, hidden }) => {
        return `${TE}${chunk(first)}0\r\n${trailer}\r\n\r\n${hidden}`;
    });
}
add('chunks: the trailer Connection: close is heeded', [201], 'closes', 'first', (p) => {
    return `${TE}${chunk(p.first)}0\r\nConnection: close\r\n\r\n${p.hidden}`;
});
for (const trailer of [
    'Host: x',
    'Expect: x',
    'Content-Encoding: br',
    'Connection: upgrade\r\nUpgrade: x',
]) {
    plain(`chunks: the trailer ${JSON.stringify(trailer)} is not heeded`, ({ first }) => {
        return `${TE}${chunk(first)}0\r\n${trailer}\r\n\r\n`;
    });
}
add('chunks without the last one swallow what follows', [400], 'ends', 'none', (p) => {
    return TE + chunk(p.first) + chunk(p.hidden);
});
refused(
    'a request where the next chunk should be',
    400,
    ({ first, hidden }) => TE + chunk(first) + hidden,
);

/* ---- The request line ---- */

for (const [name, line, status] of [
    ['no version (HTTP/0.9)', 'GET /health', 505],
    ['HTTP/0.9', 'GET /health HTTP/0.9', 505],
    ['HTTP/1.2', 'GET /health HTTP/1.2', 400],
    ['HTTP/2.0', 'GET /health HTTP/2.0', 505],
    ['HTTP/3.0', 'GET /health HTTP/3.0', 400],
    ['HTTP/1.10', 'GET /health HTTP/1.10', 400],
    ['HTTP/1', 'GET /health HTTP/1', 400],
    ['HTTP/11', 'GET /health HTTP/11', 400],
    ['HTTP/ 1.1', 'GET /health HTTP/ 1.1', 400],
    ['http/1.1', 'GET /health http/1.1', 400],
    ['HTTPS/1.1', 'GET /health HTTPS/1.1', 400],
    ['ICE/1.0', 'GET /health ICE/1.0', 400],
    ['RTSP/1.0', 'GET /health RTSP/1.0', 400],
    ['RTSP/1.1', 'GET /health RTSP/1.1', 400],
    ['SOURCE with ICE/1.0', 'SOURCE /health ICE/1.0', 400],
    ['a word after the version', 'GET /health HTTP/1.1 x', 400],
    ['a space after the version', 'GET /health HTTP/1.1 ', 400],
    ['a space in the target', 'GET /hea lth HTTP/1.1', 400],
    ['a tab for a space', 'GET\t/health HTTP/1.1', 405],
    ['a tab in the target', 'GET /health\tHTTP/1.1', 400],
    ['a NUL in the target', 'GET /health\0 HTTP/1.1', 400],
    ['a control in the target', 'GET /hea\x01lth HTTP/1.1', 400],
    ['a bare CR in the target', 'GET /health\r HTTP/1.1', 400],
    ['a bare LF in the target', 'GET /health\n HTTP/1.1', 400],
    ['no target', 'GET HTTP/1.1', 400],
    ['two spaces and no target', 'GET  HTTP/1.1', 400],
    ['no method', '/health HTTP/1.1', 400],
    ['a space before the method', ' GET /health HTTP/1.1', 400],
    ['a target that is no path', 'GET health HTTP/1.1', 400],
    ['an authority for a target', 'GET h:80 HTTP/1.1', 400],
    ['a mail address for a target', 'GET a@b HTTP/1.1', 400],
    ['CONNECT', 'CONNECT h:80 HTTP/1.1', 400],
    ['CONNECT to a path', 'CONNECT /log HTTP/1.1', 400],
    ['a method in small letters', 'get /health HTTP/1.1', 405],
    ['a method not known', 'SMUGGLE /health HTTP/1.1', 405],
    ['a method with a colon', 'GET: /health HTTP/1.1', 405],
] as const) {
    refused(`request line: ${name}`, status, ({ hidden }) => `${line}\r\nHost: h\r\n\r\n${hidden}`);
}
refused('the preface of HTTP/2', 400, ({ hidden }) => `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${hidden}`);
refused('TLS', 400, ({ hidden }) => `\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03${hidden}`);
for (const [name, target, status] of [
    ['of a URL', 'http://h/health', 200],
    ['of a URL on another host', 'http://elsewhere/health', 200],
    ['of a URL with a user', 'http://a:b@h/health', 200],
    ['of a URL without a path', 'http://h', 200],
    ['*', '*', 404],
    ['//h/health', '//h/health', 404],
    ['with a fragment', '/health#x', 200],
    ['with dots', '/logs/../health', 404],
    ['with an escaped slash', '/%2fhealth', 404],
    ['with a backslash', '\\health', 400],
] as const) {
    if (status === 400) {
        refused(
            `the target ${name}`,
            400,
            (p) => `GET ${target} HTTP/1.1\r\nHost: h\r\n\r\n${p.hidden}`,
        );
    } else {
        add(`the target ${name}`, [status, 201], 'goes on', 'hidden', (p) => {
            return `GET ${target} HTTP/1.1\r\nHost: h\r\n\r\n${p.hidden}`;
        });
    }
}
plain('empty lines before a request line', ({ first, n }) => {
    return `\r\n\r\n${POST}Content-Length: ${n}\r\n\r\n${first}\r\n`;
});

/* ---- Line ends and headers ---- */

refused('bare LF everywhere', 400, ({ first, hidden, n }) => {
    return `POST /log HTTP/1.1\nHost: h\nContent-Length: ${n}\n\n${first}${hidden}`;
});
for (const [name, lines] of [
    ['bare LF after the request line', 'GET /health HTTP/1.1\nHost: h\r\n\r\n'],
    ['bare CR after the request line', 'GET /health HTTP/1.1\rHost: h\r\n\r\n'],
    ['bare LF after a header', 'GET /health HTTP/1.1\r\nHost: h\nX: y\r\n\r\n'],
    ['bare CR after a header', 'GET /health HTTP/1.1\r\nHost: h\rX: y\r\n\r\n'],
    ['bare LF for the empty line', 'GET /health HTTP/1.1\r\nHost: h\r\n\n'],
    ['CR CR LF for the empty line', 'GET /health HTTP/1.1\r\nHost: h\r\n\r\r\n'],
    ['a NUL in a value', 'GET /health HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n'],
    ['a control in a value', 'GET /health HTTP/1.1\r\nHost: h\r\nX: a\x02b\r\n\r\n'],
    ['DEL in a value', 'GET /health HTTP/1.1\r\nHost: h\r\nX: a\x7fb\r\n\r\n'],
    ['a folded value', 'GET /health HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n'],
    ['a first header that begins with a space', 'GET /health HTTP/1.1\r\n Host: h\r\n\r\n'],
    ['a line of one space', 'GET /health HTTP/1.1\r\nHost: h\r\n \r\n\r\n'],
    ['a header without a colon', 'GET /health HTTP/1.1\r\nHost: h\r\nX\r\n\r\n'],
    ['a header without a name', 'GET /health HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n'],
    ['a space in a name', 'GET /health HTTP/1.1\r\nHost: h\r\nX Y: x\r\n\r\n'],
    ['parentheses in a name', 'GET /health HTTP/1.1\r\nHost: h\r\nX(Y): x\r\n\r\n'],
    ['no Host', 'GET /health HTTP/1.1\r\n\r\n'],
    ['two Hosts', 'GET /health HTTP/1.1\r\nHost: h\r\nhost: h\r\n\r\n'],
    ['two Hosts that differ', 'GET /health HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n'],
    ['no Host beside a URL', 'GET http://h/health HTTP/1.1\r\n\r\n'],
] as const) {
    refused(`headers: ${name}`, 400, ({ hidden }) => lines + hidden);
}

/* ---- HTTP/1.0 ---- */

refused('HTTP/1.0 with Transfer-Encoding', 400, ({ first, hidden }) => {
    return `POST /log HTTP/1.0\r\n${JSON_TYPE}Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n${chunked(first)}${hidden}`;
});
add('HTTP/1.0 ends with its answer', [201], 'closes', 'first', ({ first, hidden, n }) => {
    return `POST /log HTTP/1.0\r\n${JSON_TYPE}Content-Length: ${n}\r\n\r\n${first}${hidden}`;
});
plain('HTTP/1.0 with keep-alive goes on', ({ first, n }) => {
    return `POST /log HTTP/1.0\r\n${JSON_TYPE}Connection: keep-alive\r\nContent-Length: ${n}\r\n\r\n${first}`;
});

/* ---- Expect ---- */

add('Expect, and the body at once', [201, 201], 'goes on', 'both', ({ first, hidden, n }) => {
    return `${POST}Expect: 100-continue\r\nContent-Length: ${n}\r\n\r\n${first}${hidden}`;
});
refused('an Expect not known: the body is not read', 417, ({ hidden, h }) => {
    return `${POST}Expect: x\r\nContent-Length: ${h}\r\n\r\n${hidden}`;
});
refused('an Expect not known, chunked', 417, ({ hidden }) => {
    return `${POST}Expect: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunked(hidden)}`;
});
add('an Expect not known and no body', [417, 201], 'goes on', 'hidden', ({ hidden }) => {
    return `GET /health HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n${hidden}`;
});
add('100-continue without a body', [200, 201], 'goes on', 'hidden', ({ hidden }) => {
    return `GET /health HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n${hidden}`;
});
refused('100-continue where the answer is 404: the body is not read', 404, ({ hidden, h }) => {
    return `POST /nowhere HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: ${h}\r\n\r\n${hidden}`;
});
refused('100-continue where the answer is 405', 405, ({ hidden, h }) => {
    return `PUT /log HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: ${h}\r\n\r\n${hidden}`;
});
refused('100-continue with CL and TE', 400, ({ hidden }) => {
    return `${POST}Expect: 100-continue\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`;
});
refused('100-continue and a body too large', 413, ({ hidden }) => {
    return `${POST}Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n${hidden}`;
});

/* ---- Upgrade and Connection ---- */

for (const [name, lines] of [
    [
        'h2c',
        'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n',
    ],
    [
        'h2c, not named in Connection',
        'Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n',
    ],
    ['websocket', 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n'],
    ['TLS/1.0', 'Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n'],
] as const) {
    plain(`an Upgrade to ${name} is not taken up`, ({ first, n }) => {
        return `${POST}${lines}Content-Length: ${n}\r\n\r\n${first}`;
    });
    add(`nor on a GET (${name})`, [200, 201], 'goes on', 'hidden', ({ hidden }) => {
        return `GET /health HTTP/1.1\r\nHost: h\r\n${lines}\r\n${hidden}`;
    });
}
for (const value of ['close', 'Close', 'keep-alive, close', 'close, keep-alive', 'x,close']) {
    add(`Connection: ${value}: nothing after it`, [201], 'closes', 'first', (p) => {
        return `${POST}Connection: ${value}\r\nContent-Length: ${p.n}\r\n\r\n${p.first}${p.hidden}`;
    });
}

/* ---- What was refused, and what stood before it ---- */

add(
    'a request before the refused one is executed, none after',
    [201, 400],
    'closes',
    'first',
    (p) => {
        return `${POST}Content-Length: ${p.n}\r\n\r\n${p.first}GET /health HTTP/1.1\r\n\r\n${p.hidden}`;
    },
);
refused('a request line too long', 414, ({ hidden }) => {
    return `GET /${'a'.repeat(40_000)} HTTP/1.1\r\nHost: h\r\n\r\n${hidden}`;
});
refused('headers too large', 431, ({ hidden }) => {
    return `GET /health HTTP/1.1\r\nHost: h\r\nX: ${'a'.repeat(40_000)}\r\n\r\n${hidden}`;
});
refused('too many headers', 431, ({ hidden }) => {
    return `GET /health HTTP/1.1\r\nHost: h\r\n${'X: y\r\n'.repeat(200)}\r\n${hidden}`;
});
add('a body cut short is not executed', [400], 'ends', 'none', ({ first, n }) => {
    return `${POST}Content-Length: ${n + 1}\r\n\r\n${first}`;
});
add('a head cut short is not executed', [400], 'ends', 'none', ({ first }) => {
    return `POST /log HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nX: ${first}\r\n`;
});
add('chunks cut short are not executed', [400], 'ends', 'none', ({ first }) => {
    return `${TE}${chunk(first)}0\r\n`;
});

/** The first bytes of a client by TLS. */
async function clientHello(): Promise<Buffer> {
    const server = net.createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as net.AddressInfo;
    const client = tls.connect(port, '127.0.0.1').on('error', () => {});
    const hello = await new Promise<Buffer>((resolve) =>
        server.once('connection', (socket) => {
            socket.on('error', () => {}).once('data', (piece: Buffer) => {
                resolve(piece);
                socket.destroy();
            });
        }),
    );
    client.destroy();
    server.close();
    return hello;
}

/* ---- The tests ---- */

const SETTINGS = { IDLE_TIMEOUT: '30', REQUEST_TIMEOUT: '30' };

function byTls(lab: Lab): StartOptions {
    const authority = new Authority(lab.folder(), 'authority');
    const { cert, key } = authority.sign('localhost', 'DNS:localhost,IP:127.0.0.1');
    return {
        settings: { ...SETTINGS, TLS_CERT_FILE: cert, TLS_KEY_FILE: key },
        ca: readFileSync(authority.cert, 'utf8'),
    };
}

const servers = { '': shared({ settings: SETTINGS }), ' over TLS': shared(byTls) };

const PIECES_MAX = 4000; // a case longer than this goes byte by byte at its end only

async function send(raw: RawConnection, one: Case, byteByByte: boolean): Promise<void> {
    const bytes = Buffer.from(one.bytes, 'latin1');
    const from = byteByByte ? Math.max(0, bytes.length - PIECES_MAX) : bytes.length;
    // If the client said close itself, what it sends after the answer may cost it the answer.
    const to = one.then === 'closes' && one.answers.at(-1)! < 400 ? one.hiddenAt - 1 : bytes.length;
    raw.send(bytes.subarray(0, from));
    for (let at = from; at < to && !raw.closed; at++) {
        raw.send(bytes.subarray(at, at + 1));
        await new Promise((resolve) => setImmediate(resolve));
    }
    raw.send(bytes.subarray(Math.max(from, to)));
}

async function replay(server: Target, one: Case, byteByByte: boolean): Promise<void> {
    const raw = await RawConnection.open(server);
    try {
        await send(raw, one, byteByByte);
        if (one.then === 'ends') {
            raw.socket.end();
        }
        const statuses: number[] = [];
        for (let i = 0; i < one.answers.length; i++) {
            let answer = await raw.answer();
            if (answer.status === 100 && one.bytes.includes('100-continue')) {
                answer = await raw.answer(); // it was still its turn
            }
            statuses.push(answer.status);
            const last = i === one.answers.length - 1;
            const closes = last && one.then !== 'goes on';
            assert.equal(
                answer.headers['connection'] === 'close',
                closes,
                `Connection: ${answer.headers['connection']} with ${statuses.join()}`,
            );
        }
        assert.equal(statuses.join(), one.answers.join());
        if (one.then === 'goes on') {
            raw.send('GET /ready HTTP/1.1\r\nHost: h\r\n\r\n');
            const answer = await raw.answer();
            assert.deepEqual(answer.json(), { status: 'ready' }, 'what answers the next request');
        } else {
            await raw.end();
        }
        assert.equal(raw.unread, '', 'nothing else is said');
    } finally {
        raw.close();
    }
}

/** Which of the cases' logs are to be stored, as sorted messages. */
function expected(): string[] {
    return cases
        .flatMap(({ stored }, k) => [
            ...(stored === 'first' || stored === 'both' ? [`first ${k}`] : []),
            ...(stored === 'hidden' || stored === 'both' ? [`hidden ${k}`] : []),
        ])
        .sort();
}

for (const [over, { check }] of Object.entries(servers)) {
    for (const byteByByte of [false, true]) {
        const how = `${byteByByte ? 'byte by byte' : 'in one piece'}${over}`;
        check(
            `${cases.length} doubtful requests ${how}: each is answered as it must be`,
            async (server) => {
                const failures: string[] = [];
                await Promise.all(
                    Array.from({ length: 8 }, async (_, lane) => {
                        for (let k = lane; k < cases.length; k += 8) {
                            await replay(server, cases[k]!, byteByByte).catch((error: Error) => {
                                failures.push(`${cases[k]!.name}: ${error.message}`);
                            });
                        }
                    }),
                );
                assert.equal(
                    failures.length,
                    0,
                    `${failures.length} failed\n${failures.join('\n\n')}`,
                );
            },
        );

        check(`no hidden request of those sent ${how} was executed`, async (server) => {
            await atRest(server);
            const messages = (await allLogs(server, 'level=x')).map((log) => log.message).sort();
            const times = byteByByte ? 2 : 1;
            assert.deepEqual(
                messages,
                expected().flatMap((message) => Array<string>(times).fill(message)),
            );
        });
    }
}

/* ---- A connection by TLS that breaks ---- */

const { check } = servers[' over TLS'];

check('a request over TLS that is cut off at any byte is not executed, nor answered', async (server) => {
    const log = JSON.stringify({ message: 'cut', level: 'cut' });
    const bytes = `${TE}${chunk(log)}0\r\n\r\n`;
    const at = [1, TE.length - 2, TE.length, bytes.length - 5, bytes.length - 2, bytes.length - 1];
    for (const to of at) {
        const raw = await RawConnection.open(server);
        raw.send('GET /health HTTP/1.1\r\nHost: h\r\n\r\n');
        assert.equal((await raw.answer()).status, 200);
        raw.send(bytes.slice(0, to));
        await raw.cut(); // TCP's end, without TLS's
        await raw.end();
        assert.equal(raw.unread, '', `cut at ${to}`);
        raw.close();
    }
    // Told by TLS that it is the last, the server answers: so the silence is for the cut.
    const raw = await RawConnection.open(server);
    raw.send(bytes.slice(0, -1));
    raw.socket.end();
    assert.equal((await raw.answer()).status, 400);
    raw.close();
    await atRest(server);
    assert.deepEqual(await allLogs(server, 'level=cut'), []);
});

check('handshakes that are cut off at any byte leave nothing behind', async (server) => {
    const open = async (): Promise<number> =>
        metric(await metrics(server), 'logmill_http_connections_open');
    const before = await open();
    const hello = await clientHello();
    for (let to = 1; to <= hello.length; to += 13) {
        const raw = await RawConnection.open({ port: server.port }); // without TLS of its own
        raw.send(hello.subarray(0, to));
        raw.socket.end();
        await raw.end();
        raw.close();
    }
    await eventually('all to be closed', async () => (await open()) <= before);
});

for (const { end } of Object.values(servers)) {
    end();
}
