/*
 * What is JSON and what is not, after the cases of JSONTestSuite ("Parsing JSON is a minefield"):
 * its y_, n_ and i_ cases, made here by rules. A text that every parser must take (y) is sent as the
 * value of a log's attribute and comes back the same; as the message too, if it is a string. A text
 * that none may take (n) is answered as FastAPI answers what is no JSON, alone and within a log.
 * What parsers may do as they like with (i) is taken or refused as docs/api.md promises: any number keeps
 * its digits, text is Unicode or nothing.
 */
import { strict as assert } from 'node:assert';

import { shared } from '../support/harness';
import { type Answer, post } from '../support/http';
import { type Log, stored } from '../support/logs';

/** Bytes, one a character. */
type Text = string;

/** UTF-8, as bytes. */
const utf8 = (text: string): Text => Buffer.from(text, 'utf8').toString('latin1');

/** `[x]` for each of the words of `texts`. */
function inArrays(texts: string): Text[] {
    return texts
        .trim()
        .split(/\s+/)
        .map((text) => `[${text}]`);
}

const U = '\\u'; // of an escape in JSON

/* ---- y: every parser must take it ---- */

const NUMBERS = `0 -0 1 -1 -123 20e1 0e+1 0e1 0E1 0E+1 123.456789 123 123e65 123.456e78 1e1 1E1 1E+2
    1E-2 1e-2 1e+2 1e22 123.0 -1.5 -0.0 0.1 9007199254740993 123123e100
    -0.000000000000000000000000000000000000000000000000000000000000000000000000000001`;

const STRINGS = [
    'asd',
    ' ',
    '',
    'a/*b*/c/*d//e',
    '\\"',
    '\\\\',
    '\\/',
    '\\b\\f\\n\\r\\t',
    '\\"\\\\\\/\\b\\f\\n\\r\\t',
    '\\\\n',
    '\\\\a',
    '\\\\u0000',
    `${U}0000`,
    `${U}0012`,
    `${U}0020`,
    `${U}0022`,
    `${U}005C`,
    `${U}007F`,
    `${U}0060${U}012a${U}12AB`,
    `new${U}000Aline`,
    `${U}0061${U}30af${U}30EA${U}30b9`,
    `${U}D801${U}dc37`,
    `${U}d83d${U}de39${U}d83d${U}dc8d`,
    `${U}D834${U}Dd1e`,
    `${U}DBFF${U}DFFE`, // characters that Unicode keeps free
    `${U}D83F${U}DFFE`,
    `${U}FDD0`,
    `${U}FFFE`,
    `${U}FFFF`,
    `${U}200B`,
    `${U}2064`,
    `${U}A66D`,
    `${U}0821`,
    `${U}FEFF`,
    utf8('é'),
    utf8('π'),
    utf8('€𝄞'),
    utf8('⍂㈴⍂'),
    utf8('\u2028'),
    utf8('\u2029'),
    utf8('\u{1bfff}'),
    utf8('\u{10ffff}'),
    utf8('\uffff'),
    utf8('\ufeff'),
    utf8('\u0080'),
    '\x7f',
    'a\x7fa',
];

const Y: Text[] = [
    ...['true', 'false', 'null', '42', '-0.1', '"asd"', '""', '" "', '[]', '{}'],
    ...inArrays(NUMBERS),
    ...STRINGS.map((text) => `["${text}"]`),
    ...STRINGS.map((text) => `"${text}"`),
    ...STRINGS.map((text, n) => `{"${text} ${n}": 0}`),
    ...[
        '[[]   ]',
        '[""]',
        '["a"]',
        '[false]',
        '[null, 1, "1", {}]',
        '[null]',
        '[1\n]',
        ' [1]',
        '[2] ',
    ],
    ...['[1,null,null,null,2]', '[ true ]', '\t[true]\r\n', '[[[[[]]]]]', '[\n]', '[1 , 2]'],
    ...['{"a":[]}', '{"":0}', '{"a":"b","a":"c"}', '{"a":"b","a":"b"}', '{"a":{"a":{}}}'],
    ...['{"min": -1.0e+28, "max": 1.0e+28}', '{\n"a": "b"\n}', `{"a":"${U}041F ${U}0430"}`],
    ...['{"a":[{"id": "x"}], "id":"y"}', '{ "a" : "b" , "c" : "d" }', `{"foo${U}0000bar": 42}`],
    '{"message": 1, "level": {}, "timestamp": [], "attributes": 5}', // its own names, one level down
    `[${'1,'.repeat(5000)}1]`,
    `"${'x'.repeat(100_000)}"`,
    `${'['.repeat(120)}${']'.repeat(120)}`, // the limit is 128, the log and the array count
];

/* ---- n: no parser may take it ---- */

const NO_NUMBERS = `++1234 +1 +Inf -01 -1.0. -2. -NaN .-1 .2e-3 .123 0.1.2 0.3e+ 0.3e 0.e1 0e 0e+ 0E 0E+
    1.0e+ 1.0e- 1.0e 1eE2 1+2 2.e+3 2.e-3 2.e3 9.e+ Inf NaN Infinity -Infinity -foo -012 -.123 -1x 1ea
    1e1.5 1_000 0x1 0x42 0b1 0o7 012 00 01 123.456e 1.2a-3 1.8011670033376514H-308 - -- -0x 1e0e+-1
    - - 3.14f 1L 0,1. ${utf8('１')} ${utf8('1٣')} 1/2 1% $1 #1`;

const NO_WORDS = `nul tru fals truee True TRUE None NULL undefined nan a 'a' \`a\` "a "a\\" a" "\\" \\"x" @ * &
    ' " \\ : ; . / // /**/ # <null> <> ( ) (1) {1} ] } [ { ,`;

/** Of strings: with a character or an escape that may not be there. */
const NO_STRINGS = [
    ...Array.from({ length: 0x20 }, (_, code) => String.fromCharCode(code)),
    ...[
        '\\',
        '\\x00',
        '\\a',
        "\\'",
        '\\0',
        '\\v',
        '\\e',
        '\\ ',
        '\\\n',
        '\\\t',
        '\\{',
        `\\${utf8('🌀')}`,
    ],
    ...[
        U,
        `${U}0`,
        `${U}00`,
        `${U}00A`,
        `${U}00g0`,
        `${U}+123`,
        `${U} 123`,
        `${U}-123`,
        `${U}{41}`,
        '\\U0041',
    ],
    ...[
        `${U}D834${U}Dd`,
        `${U}D800${U}`,
        `${U}D800${U}1`,
        `${U}D800${U}1x`,
        '\\x',
        `${U}\xe5`,
        '\\\xe5',
    ],
];

const N: Text[] = [
    ...['', ' ', '\t\n'],
    ...inArrays(NO_NUMBERS),
    ...inArrays(NO_WORDS),
    ...NO_STRINGS.map((text) => `["${text}"]`),
    ...NO_STRINGS.slice(0, 0x20).map((text) => `{"a${text}": 1}`),
    ...[
        '[1 true]',
        '[1,,2]',
        '[1,,]',
        '[1,]',
        '[1,]]',
        '["a",]',
        '["a",,]',
        '[,1]',
        '[,]',
        '[1:2]',
    ],
    ...[
        '["": 1]',
        '[a',
        '["a"',
        '["a',
        '[1',
        '[1,',
        '[1,\n1\n,1',
        '[{}',
        '[,',
        '[1}',
        '{]',
        '[[1]',
        '1]',
    ],
    ...[
        '[""],',
        '[1]]',
        '[][]',
        '[1]x',
        '[1],',
        '[,[',
        '[-',
        '[3[4]]',
        '[[,',
        '["x", truth]',
        '[\n"a"',
    ],
    ...['["x"', '[x', '[x, 1', '["asd]', '[1,\x0b]', '[\x0c]', '[\x0b"a"]', '[\x1f1]', '[\xa0]'],
    ...[
        utf8('[⁠]'),
        utf8('[\u2028]'),
        utf8('[\u3000]'),
        utf8('⁠1'),
        utf8('[1\u00a0]'),
        '[\xe5]',
        '\xe5',
        '[a\xe5]',
    ],
    ...[
        '{"x"::"b"}',
        '{"a":"b",,"c":"d"}',
        '{,}',
        '{"a"',
        '{"a":',
        '{"a":"b"',
        '{"a":1,',
        '{"a":1,}',
        '{"id":0,,,}',
    ],
    ...[
        '{a: "b"}',
        "{'a':0}",
        '{"a":"b"',
        '{"a" b}',
        '{:"b"}',
        '{"a" "b"}',
        '{"x", null}',
        '{["x"]: 1}',
        '{1:1}',
    ],
    ...[
        '{9999E9999:1}',
        '{null:null,null:null}',
        '{key: 1}',
        '{"a": true} "x"',
        '{"a":"b"}#',
        '{"a":"b"}/**/',
    ],
    ...[
        '{"a":"b"}//',
        '{"a":"b"}/',
        '{"a":"b"}}',
        '{}}',
        '{"a":/*c*/"b"}',
        '{"a":"b"}{"c":1}',
        '{"a":1 "b":2}',
    ],
    ...[
        '{"a":"a',
        '{"":',
        '{"a": ',
        '{"a": nul}',
        '{,"a":1}',
        '{"a";1}',
        '{"a"=1}',
        `{"${U}D8":1`,
        '{"a":[}',
        '{ ',
    ],
    ...['"a"x', '"', '"asd', '"\\"', '"x"', "'x'"].filter((text) => text !== '"x"'),
    ...[
        '1 2',
        '2@',
        '123\0',
        '1,',
        'null,',
        'true false',
        '0 ""',
        '<.>',
        'a"b"',
        '*',
        '&',
        '{}{}',
        '[] {}',
    ],
    ...[
        '#{',
        '{}#',
        '[]//',
        'é',
        'abc',
        '[{"":[{"":[{"":',
        '[{"a":"b"},',
        '{"a":"b",{"c":1}}',
        '[{1}]',
        '{[}]',
    ],
    ...[
        '\xef\xbb',
        '\xef',
        '\xef\xbb{}',
        '\xef\xbb\xbf',
        '\xef\xbb\xbf\xef\xbb\xbf{}',
        '{}\xef\xbb\xbf',
    ],
    ...[`"${U}`, '["\\', '["\\u', '["', `["${U}00A`, '{"\xb9":"0",}', '["\\u\xff"]'],
    '['.repeat(100_000),
    '[{"":'.repeat(50_000),
    '['.repeat(500) + ']'.repeat(499),
    ']'.repeat(1000),
];

/* ---- i: as a parser likes; what this one does ---- */

const KEPT: Text[] =
    inArrays(`-1e+9999 1.5e+9999
    -123123e100000 123123e100000 123.456e-789 -237462374673276894279832749832423479823246327846
    100000000000000000000 -123123123123123123123123123123 0.${'1'.repeat(1000)} 1${'0'.repeat(4000)}
    1e-400 -1e-400 1e400 18446744073709551616 -9223372036854775809 2.5e-324`);

/** Larger or finer than what every store keeps: docs/api.md, "What a log may be". */
const PAST_LIMITS: Text[] = inArrays(
    '123e-10000000 0.4e00669999999999999999999999999999999999999999 1e131072 -1e-16384',
);

const NOT_UNICODE: [string, Text][] = [
    ['a first surrogate without a second', `["${U}DADA"]`],
    ['the same and a character', `["${U}d800abc"]`],
    ['a second surrogate alone', `["${U}DFAA"]`],
    ['the second before the first', `["${U}DD1e${U}D834"]`],
    ['two first ones', `["${U}D800${U}D800${U}n"]`.replace(`${U}n`, '\\n')],
    ['a first one, then another escape', `["${U}D888${U}1234"]`],
    ['a first one, then a short escape', `["${U}D800\\n"]`],
    ['a first one in a name', `{"${U}DFAA":0}`],
    ['a byte that is none of UTF-8', '["\xff"]'],
    ['Latin-1', '["\xe9"]'],
    ['a continuation alone', '["\x81"]'],
    ['a sequence cut short', '["\xe0\xff"]'],
    ['a sequence cut short by the quote', '["\xe4\xb8"]'],
    ['a surrogate as UTF-8', '["\xed\xa0\x80"]'],
    ['a pair as UTF-8 (CESU-8)', '["\xed\xa0\xbd\xed\xb8\x80"]'],
    ['beyond U+10FFFF', '["\xf4\xbf\xbf\xbf"]'],
    ['five bytes', '["\xfb\xbf\xbf\xbf\xbf"]'],
    ['six bytes', '["\xfc\x83\xbf\xbf\xbf\xbf"]'],
    ['overlong in two', '["\xc0\xaf"]'],
    ['overlong in three', '["\xe0\x80\xaf"]'],
    ['a NUL overlong', '["\xc0\x80"]'],
    ['not UTF-8 in a name', '{"\xe9":0}'],
];

/** `text` in UTF-16, with a byte order mark or without. */
function utf16(text: string, { mark = false, big = false } = {}): Text {
    const bytes = Buffer.from((mark ? '\ufeff' : '') + text, 'utf16le');
    return (big ? bytes.swap16() : bytes).toString('latin1');
}

/* ---- The tests ---- */

const { check, end } = shared();

const withField = (text: Text): Text => `{"message":"m","level":"l","x":${text}}`;
const show = (text: Text): string =>
    JSON.stringify(text.length < 80 ? text : `${text.slice(0, 77)}…`);
const send = (server: { port: number }, text: Text): Promise<Answer> =>
    post(server, '/log', Buffer.from(text, 'latin1'));

/** Calls `verify` for each, some at a time; fails if some did, naming all of them. */
async function each<T>(
    items: T[],
    name: (item: T) => string,
    verify: (item: T) => Promise<void>,
): Promise<void> {
    const failures: string[] = [];
    const left = [...items];
    await Promise.all(
        Array.from({ length: 8 }, async () => {
            for (let item = left.pop(); item !== undefined; item = left.pop()) {
                const now = item;
                await verify(now).catch((error: Error) => {
                    failures.push(`${name(now)}: ${error.message}`);
                });
            }
        }),
    );
    assert.equal(failures.length, 0, `${failures.length} failed\n${failures.join('\n\n')}`);
}

function assertTaken(answer: Answer): string {
    assert.equal(answer.status, 201, answer.text.slice(0, 200));
    return answer.json().id;
}

/** FastAPI's shape of an answer to what is no JSON. */
function assertNoJson(answer: Answer): void {
    assert.equal(answer.status, 422, answer.text.slice(0, 200));
    const { detail } = answer.json();
    assert.equal(detail.length, 1);
    const [{ type, loc, msg, input, ctx, ...rest }] = detail;
    assert.deepEqual([type, msg, input, rest], ['json_invalid', 'JSON decode error', {}, {}]);
    assert.deepEqual([loc.length, loc[0], Number.isInteger(loc[1])], [2, 'body', true]);
    assert.deepEqual([Object.keys(ctx), typeof ctx.error], [['error'], 'string']);
    assert.notEqual(ctx.error, 'Cannot be read as JSON'); // the parser and the one who explains agree
}

/** What `text` means: U+0000 is shown as U+FFFD. */
function meaning(text: Text): unknown {
    const shown = text.replace(/(?<!\\)((?:\\\\)*)\\u0000/g, '$1\\ufffd');
    return JSON.parse(Buffer.from(shown, 'latin1').toString('utf8'));
}

check(`${Y.length} texts that are JSON come back the same as an attribute`, async (server) => {
    await each(Y, show, async (text) => {
        const id = assertTaken(await send(server, withField(text)));
        const log: Log = await stored(server, id);
        assert.deepEqual(log.attributes, { x: meaning(text) });
    });
});

check(`${STRINGS.length} strings come back the same as a message`, async (server) => {
    await each(STRINGS, show, async (text) => {
        const id = assertTaken(await send(server, `{"message":"${text}","level":"l"}`));
        assert.equal((await stored(server, id)).message, meaning(`"${text}"`));
    });
});

check(`${N.length} texts that are no JSON are refused as FastAPI does`, async (server) => {
    await each(N, show, async (text) => {
        if (text.length > 0) {
            assertNoJson(await send(server, text));
        }
        assertNoJson(await send(server, withField(text)));
        assertNoJson(await send(server, `[${withField(text)}`));
    });
});

check('a body of nothing is missing, not wrong', async (server) => {
    const answer = await send(server, '');
    assert.equal(answer.status, 422);
    assert.deepEqual(answer.json().detail[0].type, 'missing');
});

check('a number past a double keeps its digits', async (server) => {
    await each(KEPT, show, async (text) => {
        const id = assertTaken(await send(server, withField(text)));
        await stored(server, id);
        const got = await fetch(`http://127.0.0.1:${server.port}/logs/${id}`);
        assert.ok((await got.text()).includes(`"attributes":{"x":${text}}`));
    });
});

check('a number past what every store keeps is refused at its place', async (server) => {
    await each(PAST_LIMITS, show, async (text) => {
        const answer = await send(server, withField(text));
        assert.equal(answer.status, 422, answer.text);
        const [{ type, loc }, ...rest] = answer.json().detail;
        assert.match(type, /^decimal_(whole_digits|max_places)$/);
        assert.deepEqual([loc, rest], [['body', 'x', 0], []]);
    });
});

check('what is not Unicode is refused as no JSON', async (server) => {
    await each(
        NOT_UNICODE,
        ([name]) => name,
        async ([, text]) => {
            assertNoJson(await send(server, withField(text)));
            assertNoJson(await send(server, `{"message":${text.slice(1, -1)},"level":"l"}`));
        },
    );
});

check('UTF-8 may begin with its mark; UTF-16 is no JSON', async (server) => {
    const log = withField('"ä"');
    assertTaken(await send(server, `\xef\xbb\xbf${utf8(log)}`));
    for (const options of [{}, { big: true }, { mark: true }, { mark: true, big: true }]) {
        assertNoJson(await send(server, utf16(log, options)));
    }
});

check('what is nested deeper than 128 is refused, however deep', async (server) => {
    for (const depth of [127, 128, 500, 5_000, 50_000]) {
        const answer = await send(server, withField('['.repeat(depth) + ']'.repeat(depth)));
        if (depth < 128) {
            assertTaken(answer);
        } else {
            assertNoJson(answer);
            assert.equal(answer.json().detail[0].ctx.error, 'Nested too deeply');
        }
    }
});

end();
