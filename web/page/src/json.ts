/*
 * JSON as the text that it is: what a log holds is shown, filtered for and copied as it was written.
 * JSON.parse would make 9007199254740992 of 9007199254740993, 1.1 of 1.10, and null of 1E400. The texts
 * are JSON, since the server made them.
 */

/** Just behind the string that begins at `at`. */
function endOfString(json: string, at: number): number {
    for (;;) {
        at = json.indexOf('"', at + 1);
        if (at < 0) return json.length;
        let slashes = 0;
        while (json[at - 1 - slashes] === '\\') slashes++;
        if (slashes % 2 === 0) return at + 1;
    }
}

/** A log of so many characters is read in one go; of a larger one what is seen first. */
const LARGE = 32_768;

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPENS = [0x5b, 0x7b];
const CLOSES = [0x5d, 0x7d];

/** Where a value ends that begins at `at` or, if there is none, what it is in. A log may have megabytes: code units are quickest. */
function endOfValue(json: string, at: number): number {
    let depth = 0;
    for (; at < json.length; at++) {
        const unit = json.charCodeAt(at);
        if (unit === QUOTE) {
            at = endOfString(json, at) - 1;
        } else if (unit === OPENS[0] || unit === OPENS[1]) {
            depth++;
        } else if (unit === CLOSES[0] || unit === CLOSES[1]) {
            if (depth === 0) return at;
            depth--;
        } else if (unit === COMMA && depth === 0) {
            return at;
        }
    }
    return at;
}

const SPACE = 0x20;

/** Without white space at its ends: mostly there is none. */
function stripped(json: string, from: number, until: number): string {
    while (from < until && json.charCodeAt(from) <= SPACE) from++;
    while (from < until && json.charCodeAt(until - 1) <= SPACE) until--;
    return json.slice(from, until);
}

/** Just behind what opens an object or array. */
function inside(json: string): number {
    return json.search(/[[{]/) + 1;
}

/** What stands between the commas of an object or array. */
export function parts(json: string): string[] {
    const found: string[] = [];
    for (let at = inside(json); at < json.length; ) {
        const end = endOfValue(json, at);
        const part = stripped(json, at, end);
        if (part) found.push(part);
        if (json.charCodeAt(end) !== COMMA) break;
        at = end + 1;
    }
    return found;
}

/** Calls `visit` with the names of an object, and where their values begin and end, until it returns true. */
function walk(json: string, visit: (name: string, from: number, until: () => number) => unknown): void {
    for (let at = inside(json); at < json.length; ) {
        const begin = json.indexOf('"', at);
        if (begin < 0) return;
        const end = endOfString(json, begin);
        const quoted = json.slice(begin, end);
        const name = quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
        const from = json.indexOf(':', end) + 1;
        let known: number | undefined;
        const until = (): number => (known ??= endOfValue(json, from));
        if (visit(name, from, until) === true || json.charCodeAt(until()) !== COMMA) return;
        at = until() + 1;
    }
}

type Member = [name: string, value: string];

/** Names and values of an object, each value as it was written; the first `most` of them. */
export function members(json: string, most = Infinity): Member[] {
    const found: Member[] = [];
    walk(json, (name, from, until) => found.push([name, stripped(json, from, until())]) >= most);
    return found;
}

export function member(json: string, name: string): string | undefined {
    let found: string | undefined;
    walk(json, (other, from, until) => {
        if (other === name) found = stripped(json, from, until());
        return other === name;
    });
    return found;
}

const attributes = new WeakMap<object, Member[]>();

/** Names and values of a log's attributes, which are looked for once. */
export function attributesOf(log: { readonly json: string }): readonly Member[] {
    let found = attributes.get(log);
    if (!found) attributes.set(log, (found = members(member(log.json, 'attributes') ?? '{}')));
    return found;
}

export function isLarge({ json }: { readonly json: string }): boolean {
    return json.length > LARGE;
}

/** The first `most` of a log's attributes: what comes after these is not read. */
export function firstAttributes(log: { readonly json: string }, most: number): readonly Member[] {
    let found: Member[] = [];
    walk(log.json, (name, from) => {
        if (name !== 'attributes') return false;
        found = members(log.json.slice(from), most);
        return true;
    });
    return found;
}

export function isNested(value: string): boolean {
    return value.startsWith('{') || value.startsWith('[');
}

/** A value laid out for people to read; a string without its quotes. */
export function readable(value: string): string {
    if (value.startsWith('"')) return JSON.parse(value) as string;
    return isNested(value) ? indent(value) : value;
}

function indent(json: string): string {
    const tokens = /["{}[\],:]|[^\s"{}[\],:]+/g;
    const laid: string[] = [];
    let depth = 0;
    const line = (): string => `\n${'  '.repeat(depth)}`;
    for (let match = tokens.exec(json); match; match = tokens.exec(json)) {
        const [token] = match;
        if (token === '"') {
            tokens.lastIndex = endOfString(json, match.index);
            laid.push(JSON.stringify(JSON.parse(json.slice(match.index, tokens.lastIndex))));
        } else if (token === '{' || token === '[') {
            depth++;
            laid.push(token, line());
        } else if (token === '}' || token === ']') {
            depth--;
            const isEmpty = /^[{[]$/.test(laid.at(-2) ?? '') && laid.at(-1)!.startsWith('\n');
            if (isEmpty) laid.pop();
            laid.push(isEmpty ? token : line() + token);
        } else {
            laid.push(token === ',' ? `,${line()}` : token === ':' ? ': ' : token);
        }
    }
    return laid.join('');
}
