/*
 * Whatever the entrance takes, every store takes, through every queue, and gives back equal as JSON
 * values; the embedded store byte for byte. Logs are made at random from what is odd in JSON and
 * near the limits (src/record/limits.h). PROPERTY_SEED repeats a run, PROPERTY_LOGS makes more.
 */
import { strict as assert } from 'node:assert';

import { type Lab, type Logmill, scenario } from '../support/harness';
import { get, post } from '../support/http';
import { atRest, metric } from '../support/logs';
import { type Settings, type Site, sharedCloud } from '../support/servers/cloud';

const SEED = Number(process.env['PROPERTY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const LOGS = Number(process.env['PROPERTY_LOGS'] ?? 200);
const AT_ONCE = 16;
const DEPTH_MAX = 128;

/* ---- Chance ---- */

/** mulberry32 */
class Random {
    constructor(private state: number) {}

    /** Below 1. */
    next(): number {
        this.state = (this.state + 0x6d2b79f5) | 0;
        let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    }

    /** From..to, both included. */
    int(from: number, to: number): number {
        return from + Math.floor(this.next() * (to - from + 1));
    }

    chance(p: number): boolean {
        return this.next() < p;
    }

    pick<T>(items: readonly T[]): T {
        return items[this.int(0, items.length - 1)]!;
    }
}

/* ---- Texts of JSON, and what is kept of them ---- */

/** A JSON text as it is sent, and as the embedded store gives it back. */
interface Text {
    sent: string;
    kept: string;
}

const SHORT = new Map([...'\b\t\n\f\r"\\'].map((c, n) => [c, `\\${'btnfr"\\'[n]}`]));

function hex4(unit: number): string {
    return unit.toString(16).padStart(4, '0');
}

/** As it is kept: U+0000 replaced, and escaped what is no printable text everywhere. */
function keptString(plain: string): string {
    let text = '';
    for (const c of plain.replaceAll('\0', '\ufffd')) {
        const unit = c.charCodeAt(0);
        const odd = unit < 0x20 || unit === 0x7f || unit === 0xfffe || unit === 0xffff;
        text += SHORT.get(c) ?? (odd ? `\\u${hex4(unit)}` : c);
    }
    return `"${text}"`;
}

const CHARACTERS = [
    ...'abcxyz019 _-.:;,{}[]/\'"\\%$',
    ...['\0', '\x01', '\b', '\t', '\n', '\r', '\x1f', '\x7f', '\x80', '\xa0', 'é', 'ß', 'İ', '\u2028'],
    ...['\u0300', '\u200f', '日', '\ud7ff', '\ue000', '\ufeff', '\ufffd', '\ufffe', '\uffff'],
    ...['\u{10000}', '😀', '\u{1ffff}', '\u{10ffff}'],
];

function plainText(r: Random, bytesMax: number): string {
    let plain = '';
    for (let left = r.int(0, bytesMax); left > 0; ) {
        const c = r.chance(0.6) ? r.pick('etaoin shrdlu'.split('')) : r.pick(CHARACTERS);
        left -= Buffer.byteLength(c === '\0' ? '\ufffd' : c);
        if (left >= 0) {
            plain += c;
        }
    }
    return plain;
}

/** `plain`, in one of the ways to write it. */
function string(r: Random, plain: string): Text {
    let sent = '';
    for (const c of plain) {
        const unit = c.charCodeAt(0);
        if (unit < 0x20 || c === '"' || c === '\\' || r.chance(0.1)) {
            const escaped = SHORT.get(c);
            sent +=
                escaped !== undefined && r.chance(0.5)
                    ? escaped
                    : c === '/'
                      ? '\\/'
                      : [...Array(c.length).keys()]
                            .map((n) => `\\u${hex4(c.charCodeAt(n))}`)
                            .join('');
        } else {
            sent += c;
        }
    }
    return { sent: `"${sent}"`, kept: keptString(plain) };
}

const NUMBERS = [
    ...['0', '-0', '0.0', '-0.0', '0e0', '0e5', '0E-5', '0e999999999', '0e1000000000', '0e-16383', '0e-16384'],
    ...['1', '-1', '1.0', '1.10', '10.00', '1e2', '1E+2', '1e-2', '1.5e1', '1.50e1', '12e-1', '100e-2'],
    ...['9007199254740993', '18446744073709551616', '-9223372036854775809', '0.1', '2.5e-324', '1.7976931348623157e308'],
    ...['1e308', '1e309', '1e400', '-1e400', '1e-400', '1e+0000000000400', '123.456e-789', '123123e100000'],
    ...['1e131071', '1e131072', '12e131070', '12e131071', '0.01e131073', '0.001e131075', '1e200000', '-1e99999999999'],
    ...['1e-16383', '1e-16384', '1.5e-16382', '1.5e-16383', '1e-20000', '1e-99999999999', '0.0e-16383'],
];

function digits(r: Random, n: number): string {
    return Array.from({ length: n }, () => r.int(0, 9)).join('');
}

function number(r: Random): string {
    if (r.chance(0.4)) {
        return r.pick(NUMBERS);
    }
    const sign = r.chance(0.3) ? '-' : '';
    const lengths = r.chance(0.05) ? [16382, 16383, 16384, 131071, 131072, 131073] : [1, 2, 7, 19, 40, 300];
    const whole = r.chance(0.3) ? '0' : `${r.int(1, 9)}${digits(r, r.pick(lengths) - 1)}`;
    const fraction = r.chance(0.5) ? `.${digits(r, Math.min(r.pick(lengths), 17000))}` : '';
    const sizes = [1, 9, 99, 400, 16_000, 16_400, 131_000, 131_080];
    const exponent = r.chance(0.4) ? `${r.pick(['e', 'E', 'e+', 'e-', 'E-'])}${r.int(0, r.pick(sizes))}` : '';
    return sign + whole + fraction + exponent;
}

function space(r: Random): string {
    return r.chance(0.9) ? '' : r.pick([' ', '\n', '\t ', '\r\n']);
}

function array(r: Random, items: Text[]): Text {
    return {
        sent: `[${items.map(({ sent }) => space(r) + sent + space(r)).join(',')}]`,
        kept: `[${items.map(({ kept }) => kept).join(',')}]`,
    };
}

/** Of several members of one name the last is kept. */
function members(r: Random, list: [Text, Text][]): Text {
    const last = new Map(list.map(([name], n) => [name.kept, n]));
    return {
        sent: list.map(([name, value]) => `${name.sent}${space(r)}:${space(r)}${value.sent}`).join(','),
        kept: list
            .filter(([name], n) => last.get(name.kept) === n)
            .map(([name, value]) => `${name.kept}:${value.kept}`)
            .join(','),
    };
}

function object(r: Random, list: [Text, Text][]): Text {
    const { sent, kept } = members(r, list);
    return { sent: `{${sent}}`, kept: `{${kept}}` };
}

const NAMES = ['', 'a', 'b', 'A', 'é', '__proto__', 'constructor', 'v', 'logs', 'attributes', 'id', 'message', 'a\0', 'a\ufffd'];

function name(r: Random): Text {
    return string(r, r.chance(0.7) ? r.pick(NAMES) : plainText(r, 30));
}

/** Arrays and objects within each other, `depth` of them. */
function nested(r: Random, depth: number): Text {
    let text: Text = depth > 0 ? { sent: r.pick(['[]', '{}']), kept: '' } : { sent: '1', kept: '1' };
    text.kept ||= text.sent;
    for (let n = 1; n < depth; n++) {
        text = r.chance(0.5) ? array(r, [text]) : object(r, [[name(r), text]]);
    }
    return text;
}

function value(r: Random, depth: number): Text {
    const kind = r.int(0, depth > 0 ? 9 : 6);
    if (kind < 2) {
        const word = r.pick(['null', 'true', 'false']);
        return { sent: word, kept: word };
    }
    if (kind < 4) {
        const text = number(r);
        return { sent: text, kept: text };
    }
    if (kind < 7) {
        return string(r, plainText(r, 60));
    }
    if (kind === 7) {
        return array(r, Array.from({ length: r.int(0, 4) }, () => value(r, depth - 1)));
    }
    const list = Array.from({ length: r.int(0, 5) }, (): [Text, Text] => [name(r), value(r, depth - 1)]);
    return object(r, list);
}

/* ---- Logs ---- */

interface Sent {
    text: string;
    level: string;
    message: string;
    attributes: string; // as the embedded store keeps them
}

const TIMES = [
    ...['"0001-01-01T00:00:00Z"', '"9999-12-31T23:59:59.999999Z"', '"1969-12-31T23:59:59.999999Z"', '0'],
    ...['"1970-01-01"', '"2024-02-29T12:00:00.000001+14:00"', '-62135596800', '253402300799.999999'],
    ...['"1582-10-10"', '1700000000.5', '"2026-11-28T01:02:03"', 'null'],
];

const RESERVED = new Set(['message', 'level', 'timestamp', 'id', 'attributes']);

function attribute(r: Random): [Text, Text] {
    const named = r.chance(0.03) ? string(r, 'x'.repeat(r.int(1020, 1026))) : name(r);
    const deep = r.chance(0.06) ? nested(r, r.pick([100, DEPTH_MAX - 2, DEPTH_MAX - 1, DEPTH_MAX])) : undefined;
    return [named, deep ?? value(r, 3)];
}

function log(r: Random): Sent {
    const level = r.chance(0.1) ? 'l'.repeat(r.int(1020, 1026)) : plainText(r, 20);
    const message = plainText(r, r.chance(0.1) ? 20_000 : 100);
    const list = Array.from({ length: r.int(0, 6) }, () => attribute(r));
    const fields = [
        `"level":${string(r, level).sent}`,
        `"message":${string(r, message).sent}`,
        ...(r.chance(0.5) ? [`"timestamp":${r.pick(TIMES)}`] : []),
    ];
    let attributes: Text;
    if (r.chance(0.4)) {
        attributes = object(r, list);
        fields.push(`"attributes":${attributes.sent}`);
    } else {
        const others = list.filter(([key]) => !RESERVED.has(JSON.parse(key.kept)));
        attributes = object(r, others);
        if (others.length > 0) {
            fields.push(attributes.sent.slice(1, -1));
        }
    }
    return {
        text: `{${fields.join(`${space(r)},`)}}`,
        level: level.replaceAll('\0', '\ufffd'),
        message: message.replaceAll('\0', '\ufffd'),
        attributes: attributes.kept,
    };
}

/* ---- JSON values, compared exactly ---- */

type Value = null | boolean | string | Value[] | Map<string, Value>;

/** A number by its value: "number -15e-1". */
function exact(text: string): string {
    const [, sign, whole = '', fraction = '', exponent = '0'] =
        /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(text)!;
    const all = (whole + fraction).replace(/^0+/, '');
    const significant = all.replace(/0+$/, '');
    const power = BigInt(exponent) - BigInt(fraction.length) + BigInt(all.length - significant.length);
    return significant === '' ? 'number 0' : `number ${sign}${significant}e${power}`;
}

/** Values of `text`; strings begin with "string ", numbers with "number ". */
function parse(text: string): Value {
    const tokens = text.match(/"(?:[^"\\]|\\.)*"|-?\d[^,\]}\s]*|true|false|null|[[\]{},:]/gs) ?? [];
    let at = 0;
    const one = (): Value => {
        const token = tokens[at++]!;
        if (token === '[') {
            const items: Value[] = [];
            while (tokens[at] !== ']') {
                items.push(one());
                at += tokens[at] === ',' ? 1 : 0;
            }
            at++;
            return items;
        }
        if (token === '{') {
            const list: [string, Value][] = [];
            while (tokens[at] !== '}') {
                const key = JSON.parse(tokens[at]!) as string;
                at += 2;
                list.push([key, one()]);
                at += tokens[at] === ',' ? 1 : 0;
            }
            at++;
            return new Map(list.sort(([a], [b]) => (a < b ? -1 : 1)));
        }
        if (token.startsWith('"')) {
            return `string ${JSON.parse(token)}`;
        }
        return /^[tfn]/.test(token) ? (JSON.parse(token) as null | boolean) : exact(token);
    };
    return one();
}

/* ---- Set-ups ---- */

interface SetUp {
    name: string;
    server: Logmill;
    embedded: boolean;
}

const { cloud, end } = sharedCloud();

/** Both stores behind both queues, four programs. */
async function setUps(lab: Lab): Promise<{ all: SetUp[]; sites: Site[] }> {
    const sites = [await (await cloud()).site({ maxReceives: 3 })];
    const { postgres, sqs } = sites[0]!.cloud;
    const other = await sqs.createQueue({ maxReceives: 3 });
    const spare = `property_${Date.now()}`;
    await postgres.query(`CREATE DATABASE ${spare} OWNER logmill`);
    const queue = Object.fromEntries(
        Object.entries(sites[0]!.settings).filter(([key]) => !/^(DATABASE|REDIS)/.test(key)),
    );
    const start = async (title: string, settings: Settings, embedded: boolean): Promise<SetUp> => ({
        name: title,
        server: await lab.start({ settings }),
        embedded,
    });
    const all = await Promise.all([
        start('embedded', {}, true),
        start('embedded queue, PostgreSQL', postgres.settings, false),
        start('SQS, embedded store', { ...queue, SQS_QUEUE_URL: other.url }, true),
        start('SQS, PostgreSQL', { ...queue, ...postgres.settings, DATABASE_NAME: spare }, false),
    ]);
    return { all, sites };
}

/** Calls `body` for each of `items`, some at once. */
async function each<T>(items: T[], body: (item: T, n: number) => Promise<void>): Promise<void> {
    const queue = items.entries();
    await Promise.all(
        Array.from({ length: AT_ONCE }, async () => {
            for (const [n, item] of queue) {
                await body(item, n);
            }
        }),
    );
}

/** Fails if something became a dead letter. */
async function assertNoLetters({ name: title, server }: SetUp): Promise<void> {
    const samples = await atRest(server);
    for (const counter of ['logs_dead_lettered_total', 'queue_messages_rejected_total', 'queue_dead_letters']) {
        assert.equal(metric(samples, `logmill_${counter}`), 0, `${title}: ${counter}\n${server.stderr}`);
    }
}

scenario(
    `what is taken is stored and given back equal, by every store, through every queue (PROPERTY_SEED=${SEED})`,
    async (lab) => {
        const { all } = await setUps(lab);
        const r = new Random(SEED);
        const logs = Array.from({ length: LOGS }, () => log(r));
        const ids = all.map(() => new Map<number, string>());
        const refusals = new Map<string, number>();

        await each(logs, async ({ text }, n) => {
            const answers = await Promise.all(all.map(({ server }) => post(server, '/log', text)));
            const [first] = answers;
            answers.forEach((answer, k) => {
                const where = `log ${n} to ${all[k]!.name}: ${text.slice(0, 2000)}`;
                assert.equal(answer.status, first!.status, `${where}: ${answer.text}`);
                if (answer.status === 201) {
                    ids[k]!.set(n, answer.json().id);
                } else {
                    assert.equal(answer.status, 422, `${where}: ${answer.text}`);
                    assert.deepEqual(answer.json(), first!.json(), where);
                }
            });
            if (first!.status === 422) {
                const { type } = first!.json().detail[0];
                refusals.set(type, (refusals.get(type) ?? 0) + 1);
            }
        });
        const taken = ids[0]!.size;
        assert.ok(taken > LOGS / 2, `${taken} of ${LOGS} taken, ${JSON.stringify([...refusals])}`);
        assert.ok(!refusals.has('missing'), 'only limits are passed');

        for (const setUp of all) {
            await assertNoLetters(setUp);
        }
        await each(logs, async ({ level, message, attributes }, n) => {
            let timestamp: string | undefined;
            for (const [k, { name: title, server, embedded }] of all.entries()) {
                const id = ids[k]!.get(n);
                if (id === undefined) {
                    continue;
                }
                const where = `log ${n} from ${title} (PROPERTY_SEED=${SEED})`;
                const answer = await get(server, `/logs/${id}`);
                assert.equal(answer.status, 200, `${where}: ${answer.text}`);
                const [head, text] = answer.text.split(/(?<="),"attributes":(.*)$/s) as [string, string];
                const found = JSON.parse(`${head}}`);
                assert.equal(found.level, level, where);
                assert.equal(found.message, message, where);
                if (logs[n]!.text.includes('"timestamp":"')) {
                    timestamp ??= found.timestamp;
                    assert.equal(found.timestamp, timestamp, where);
                }
                const stored = text.slice(0, -1);
                if (embedded) {
                    assert.equal(stored, attributes, where);
                } else {
                    assert.deepEqual(parse(stored), parse(attributes), where);
                }
            }
        });
    },
);

scenario(
    'what passes a limit, and was acknowledged before it, or comes from others through SQS, is stored',
    async (lab) => {
        const { all, sites } = await setUps(lab);
        const deep = `${'['.repeat(300)}${']'.repeat(300)}`;
        const bodies = [
            `{"message":"deep","level":"info","a":${deep}}`,
            `{"v":1,"logs":[{"message":"deep batch","level":"info","attributes":{"a":${deep}}}]}`,
            `{"message":"level","level":"${'x'.repeat(5000)}"}`,
            `{"message":"name","level":"info","${'y'.repeat(5000)}":1}`,
            '{"message":"number","level":"info","a":[1e200000,-1e-20000,{"b":1e5}]}',
            `{"message":"numbers","level":"info","a":[${Array(600).fill('1e131071').join()}]}`,
        ];
        const { sqs } = sites[0]!.cloud;
        const [, , third, fourth] = all;
        for (const [setUp, queues] of [[third!, sqs], [fourth!, sqs]] as const) {
            await queues.queueAt(setUp.server.options.settings!['SQS_QUEUE_URL']!).sendBatch(bodies);
            await assertNoLetters(setUp);
            const page = await get(setUp.server, '/logs?limit=100');
            const logs = page.json().logs as { message: string; attributes: Record<string, any> }[];
            assert.deepEqual(
                logs.map(({ message }) => message).sort(),
                ['deep', 'deep batch', 'level', 'name', 'number', 'numbers'],
            );
            const { attributes } = logs.find(({ message }) => message === 'number')!;
            if (setUp === fourth) {
                // jsonb does not take them: their digits stay
                assert.deepEqual(attributes['a'], ['1e200000', '-1e-20000', { b: 100000 }]);
            }
        }
    },
);

end();
