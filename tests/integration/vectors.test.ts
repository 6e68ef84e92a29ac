/*
 * The answers of a real FastAPI application with the original's models, case by case: status, body,
 * Allow and Location must be the same (see tests/vectors/README.md). Where logmill departs on
 * purpose, a case says so in `differs`, and DEPARTURES here says what is expected instead.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import * as path from 'node:path';

import { ROOT, shared } from '../support/harness';
import { type Answer, request } from '../support/http';
import { microseconds, stored } from '../support/logs';

interface Vector {
    name: string;
    method: string;
    path: string;
    headers: Record<string, string>;
    body?: string;
    body_base64?: string;
    status: number;
    response_headers: Record<string, string>;
    response: any;
    differs?: string;
    logs?: { message: string; level: string; timestamp: number | null; id: string | null }[];
}

const FILE = path.join(ROOT, 'tests', 'vectors', 'fastapi.json');
const vectors = JSON.parse(readFileSync(FILE, 'utf8')) as Vector[];

function assertJsonInvalid(answer: Answer): void {
    assert.equal(answer.status, 422, answer.text);
    assert.equal(answer.json().detail[0].type, 'json_invalid');
}

function assertMethods(...allowed: string[]): (answer: Answer) => void {
    return (answer) => {
        assert.equal(answer.status, 405);
        const allow = String(answer.headers['allow']).split(/,\s*/).sort();
        assert.deepEqual(
            allow.filter((name) => name !== 'HEAD'),
            allowed,
        );
    };
}

/** What is expected if a case differs, by what the case says. */
const DEPARTURES: [RegExp, (answer: Answer, vector: Vector) => void][] = [
    [
        /^logmill takes NDJSON/,
        (answer) => assert.deepEqual([answer.status, answer.json().accepted], [201, 2]),
    ],
    [/422 json_invalid/, assertJsonInvalid],
    [
        /422 datetime_parsing/,
        (answer) => {
            assert.equal(answer.status, 422, answer.text);
            assert.equal(answer.json().detail[0].type, 'datetime_parsing');
        },
    ],
    [/^bodies are UTF-8/, assertJsonInvalid],
    [
        /^U\+0000 is shown as U\+FFFD/,
        (answer, { status, response }) => {
            assert.equal(answer.status, status, answer.text);
            assert.equal(answer.text.includes('\\u0000'), false);
            const shown = JSON.stringify(response).replaceAll('\\u0000', '\ufffd');
            assert.deepEqual(answer.json(), JSON.parse(shown));
        },
    ],
    [
        /^an id whose time is after the year 9999/,
        (answer) => {
            assert.equal(answer.status, 422, answer.text);
            assert.deepEqual(answer.json().detail[0].loc, ['body', 'id']);
        },
    ],
    [/^a time relative to now/, (answer) => assert.equal(answer.status, 200, answer.text)],
    [
        /422 extra_forbidden/,
        (answer) => {
            assert.equal(answer.status, 422, answer.text);
            const types = answer.json().detail.map((error: any) => error.type);
            assert.deepEqual([...new Set(types)], ['extra_forbidden']);
        },
    ],
    [/^an integer is an attribute/, (answer) => assert.equal(answer.status, 201, answer.text)],
    [/echoed as text/, (answer) => assert.equal(answer.status, 422, answer.text)],
    [
        /^a cursor must be/,
        (answer) => {
            assert.equal(answer.status, 422, answer.text);
            assert.ok(
                answer.json().detail.some((error: any) => error.loc[1] === 'cursor'),
                answer.text,
            );
        },
    ],
    [
        /^one path is one resource/,
        (answer, { path: at }) =>
            assertMethods(...(at === '/logs' ? ['DELETE', 'GET', 'POST'] : ['GET']))(answer),
    ],
    [/^HEAD goes with GET/, (answer) => assert.deepEqual([answer.status, answer.text], [200, ''])],
    [/^GET \/ is the page/, (answer) => assert.equal(answer.status, 200, answer.text)],
    [/^%2F is part of the id/, (answer) => assert.equal(answer.status, 422, answer.text)],
    [/^paths are compared as sent/, (answer) => assert.equal(answer.status, 404, answer.text)],
];

/** What logmill says besides FastAPI's words if a time of a query cannot be read. */
const RELATIVE = /; or a time relative to now: [^"]*/g;

/** Fails if logmill's answer is not what FastAPI's was. */
function verify(vector: Vector, answer: Answer): void {
    if (vector.differs !== undefined) {
        const departure = DEPARTURES.find(([text]) => text.test(vector.differs!));
        assert.ok(departure, `what is expected where "${vector.differs}"?`);
        departure[1](answer, vector);
        return;
    }
    if (vector.status === 200 && /^\/logs\/[^s]/.test(vector.path)) {
        assert.ok([200, 404].includes(answer.status), answer.text); // the original's stub has every log
        return;
    }
    assert.equal(answer.status, vector.status, answer.text);
    for (const [name, value] of Object.entries(vector.response_headers)) {
        assert.equal(answer.headers[name], value, name);
    }
    if (vector.method === 'HEAD') {
        assert.equal(answer.text, '');
    } else if (vector.status === 201) {
        const { id: _, ...rest } = answer.json();
        assert.deepEqual(rest, vector.response);
    } else if (vector.status === 200 && vector.path.startsWith('/logs')) {
        assert.equal(typeof answer.json(), 'object'); // what it holds depends on what is stored
    } else if (vector.response !== null) {
        assert.deepEqual(JSON.parse(answer.text.replace(RELATIVE, '')), vector.response);
    }
}

const { server, check, end } = shared();

async function replay(vector: Vector): Promise<void> {
    const at = await server();
    const body =
        vector.body_base64 === undefined
            ? (vector.body ?? '')
            : Buffer.from(vector.body_base64, 'base64');
    const answer = await request(at, {
        method: vector.method,
        path: vector.path,
        headers: vector.headers,
        ...(body.length > 0 || vector.method === 'POST' ? { body } : {}),
    });
    verify(vector, answer);

    const log = vector.logs?.length === 1 ? vector.logs[0]! : undefined;
    const id = answer.status === 201 ? answer.json().id : undefined;
    if (log !== undefined && log.id === null && id !== undefined) {
        const found = await stored(at, id);
        assert.equal(found.message, log.message.replaceAll('\0', '\ufffd'));
        assert.equal(found.level, log.level.replaceAll('\0', '\ufffd'));
        if (log.timestamp !== null) {
            // JSON.parse rounds microseconds past 2^53 (the year 2255)
            const off = Number(microseconds(found.timestamp)) - log.timestamp;
            assert.ok(
                Math.abs(off) <= Math.abs(log.timestamp) / 2 ** 52,
                `${found.timestamp} ${log.timestamp}`,
            );
        }
    }
}

const groups = new Map<string, Vector[]>();
for (const vector of vectors) {
    const route = vector.path.split('?')[0]!.replace(/^\/logs\/(?!stats).*/, '/logs/…');
    const name = `${vector.method} ${route} as FastAPI: ${vector.status}`;
    groups.set(name, [...(groups.get(name) ?? []), vector]);
}
assert.ok(vectors.length > 100, 'the vectors are there');

for (const [name, group] of groups) {
    check(`${name} (${group.length} cases)`, async () => {
        const failures: string[] = [];
        for (const vector of group) {
            try {
                await replay(vector);
            } catch (error) {
                failures.push(`${vector.name}: ${(error as Error).message}`);
            }
        }
        assert.equal(
            failures.length,
            0,
            `${failures.length} failed\n${failures.slice(0, 20).join('\n\n')}`,
        );
    });
}

end();
