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

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPENS = [0x5b, 0x7b];
const CLOSES = [0x5d, 0x7d];

/** What stands between the commas of an object or array. A log may have megabytes of it: code units are quickest. */
export function parts(json: string): string[] {
    const found: string[] = [];
    let depth = 0;
    let start = 0;
    for (let at = 0; at < json.length; at++) {
        const unit = json.charCodeAt(at);
        if (unit === QUOTE) {
            at = endOfString(json, at) - 1;
        } else if (unit === OPENS[0] || unit === OPENS[1]) {
            if (depth++ === 0) start = at + 1;
        } else if (unit === COMMA || unit === CLOSES[0] || unit === CLOSES[1]) {
            if (unit !== COMMA) depth--;
            if (depth > (unit === COMMA ? 1 : 0)) continue;
            const part = json.slice(start, at).trim();
            if (part) found.push(part);
            start = at + 1;
        }
    }
    return found;
}

/** Names and values of an object, each value as it was written. */
export function members(json: string): [name: string, value: string][] {
    return parts(json).map((part) => {
        const end = endOfString(part, 0);
        const name = JSON.parse(part.slice(0, end)) as string;
        return [name, part.slice(part.indexOf(':', end) + 1).trim()];
    });
}

export function member(json: string, name: string): string | undefined {
    return members(json).find(([found]) => found === name)?.[1];
}

const attributes = new WeakMap<object, [name: string, value: string][]>();

/** Names and values of a log's attributes, which are looked for once. */
export function attributesOf(log: { readonly json: string }): readonly [name: string, value: string][] {
    let found = attributes.get(log);
    if (!found) attributes.set(log, (found = members(member(log.json, 'attributes') ?? '{}')));
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
