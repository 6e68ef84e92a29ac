/*
 * The query language as far as the page needs it: what a query is ANDed together of, so that each part can be
 * a chip that is switched off or removed, and how a term is written. The server alone decides what a query
 * means (docs/query.md); what cannot be read here is one term, and left as it is.
 */

/** One of the parts that all of a query is ANDed with. */
export interface Term {
    /** All of it: `-service:pay`. */
    text: string;
    not: boolean;
    /**
     * The field that it asks for, without quotes: ours (`level`), or the path of an attribute (`http.status`;
     * `attr.level` if it is named as one of ours). null: words, texts, regular expressions and groups.
     */
    field: string | null;
    /** What stands behind the colon, as it is written. */
    value: string | null;
    /** Where it stands in the query. */
    from: number;
    until: number;
}

export const OURS = ['message', 'pattern', 'level', 'timestamp', 'id', 'any', 'since', 'until'];
const RESERVED = /^(AND|OR|NOT|TO|&&|\|\||[=!<>]=?|==|<>|-)$/;
const BLANK = /[ \t-\r]/;

export class Scanner {
    at = 0;

    constructor(readonly text: string) {}

    get isAtEnd(): boolean {
        return this.at >= this.text.length;
    }

    sees(character: string): boolean {
        return this.text[this.at] === character;
    }

    /** At the end of a term: a blank, a closing parenthesis, or the end. */
    private ends(at: number): boolean {
        return at >= this.text.length || this.text[at] === ')' || BLANK.test(this.text[at]!);
    }

    skipBlanks(): void {
        while (!this.isAtEnd && BLANK.test(this.text[this.at]!)) this.at++;
    }

    takeWord(word: string): boolean {
        const next = this.text[this.at + word.length];
        const is = this.text.startsWith(word, this.at) && (next === undefined || BLANK.test(next) || '()"'.includes(next));
        if (is) this.at += word.length;
        return is;
    }

    /** Past the text in quotes that begins here; false: it is not closed. */
    passQuoted(): boolean {
        for (let i = this.at + 1; i < this.text.length; i++) {
            if (this.text[i] === '\\') i++;
            else if (this.text[i] === '"') {
                this.at = i + 1;
                return true;
            }
        }
        return false;
    }

    /** Past a regular expression; false: it is none, but a word. */
    passRegex(): boolean {
        let hasSlash = false;
        for (let i = this.at + 1; i < this.text.length; i++) {
            const c = this.text[i]!;
            if (c === '/' && i > this.at + 1 && this.ends(i + 1)) {
                this.at = i + 1;
                return true;
            }
            if (hasSlash && BLANK.test(c)) return false;
            hasSlash ||= c === '/';
            if (c === '\\') i++;
        }
        return false;
    }

    /** Past words and quotes that stand one behind the other; false: a quote is not closed. */
    passText(): boolean {
        while (!this.ends(this.at) && !this.sees('(')) {
            if (!this.sees('"')) this.at++;
            else if (!this.passQuoted()) return false;
        }
        return true;
    }

    /** Past all up to what closes the bracket that is here. */
    passBracket(open: string, close: string): boolean {
        for (let depth = 0; !this.isAtEnd; ) {
            const c = this.text[this.at]!;
            const before = this.text[this.at - 1] ?? ' ';
            if (c === '"') {
                if (!this.passQuoted()) return false;
                continue;
            }
            if (c === '/' && (BLANK.test(before) || '(:'.includes(before)) && this.passRegex()) continue;
            this.at++;
            if (c === open) depth++;
            if (close.includes(c) && --depth === 0) return true;
        }
        return false;
    }

    /** The name and colon that are next, or null. */
    takeName(): string | null {
        const start = this.at;
        if (/\d/.test(this.text[start] ?? '')) return null;
        let name = '';
        let plain = -1;
        while (!this.isAtEnd && !this.ends(this.at) && !this.sees('(') && !this.sees(':')) {
            const from = this.at;
            if (this.sees('"')) {
                if (plain < 0) plain = name.length;
                if (!this.passQuoted()) break;
                name += this.text.slice(from + 1, this.at - 1).replace(/\\(["\\])/g, '$1');
            } else {
                name += this.text[this.at++];
            }
        }
        const rest = this.text.slice(this.at);
        const isPartOfText = plain < 0 && (rest.startsWith('::') || rest.startsWith('://'));
        if (this.at === start || !rest.startsWith(':') || isPartOfText) {
            this.at = start;
            return null;
        }
        this.at++;
        if (plain < 0 && OURS.includes(name)) return name;
        const hasPrefix = (plain < 0 || plain >= 5) && name.length > 5 && name.startsWith('attr.');
        return attributeField(hasPrefix ? name.slice(5) : name);
    }

    private passValue(): boolean {
        if (this.sees('(')) return this.passBracket('(', ')');
        if (this.sees('[') || this.sees('{')) return this.passBracket(this.text[this.at]!, ']}');
        if (this.sees('/') && this.passRegex()) return true;
        const start = this.at;
        return this.passText() && this.at > start;
    }

    /** The next term; null: it cannot be read. */
    takeTerm(): Term | null {
        const from = this.at;
        let not = false;
        for (;;) {
            if (this.takeWord('NOT')) this.skipBlanks();
            else if (this.sees('-') && !this.ends(this.at + 1)) this.at++;
            else break;
            not = !not;
        }
        const start = this.at;
        const field = this.sees('(') || this.sees('/') ? null : this.takeName();
        const behind = this.at;
        if (!this.passValue() || this.at === start) return null;
        const text = this.text.slice(from, this.at);
        const value = this.text.slice(behind, this.at);
        if (field === null && RESERVED.test(value)) return null;
        return { text, not, field, value: field === null ? null : value, from, until: this.at };
    }
}

/** What is ANDed in `query`; null: there is an OR at its top, or it cannot be read. */
function conjunction(query: string): Term[] | null {
    const scanner = new Scanner(query);
    const terms: Term[] = [];
    for (;;) {
        scanner.skipBlanks();
        if (terms.length > 0 && scanner.takeWord('AND')) scanner.skipBlanks();
        else if (scanner.isAtEnd) return terms;
        const term = scanner.takeTerm();
        if (!term) return null;
        terms.push(term);
    }
}

/** What all of a query is ANDed with. With an OR at its top, or a mistake, it is one term. */
export function termsOf(query: string): Term[] {
    const text = query.trim();
    const whole = { text, not: false, field: null, value: null, from: 0, until: query.length };
    return text ? (conjunction(query) ?? [whole]) : [];
}

/** The terms together; one with an OR at its top gets parentheses. */
export function queryOf(terms: readonly string[]): string {
    const texts = terms.map((term) => term.trim()).filter(Boolean);
    if (texts.length < 2) return texts.join('');
    return texts.map((text) => (conjunction(text) || !conjunction(`(${text})`) ? text : `(${text})`)).join(' ');
}

/** A text in quotes. */
export function quoteText(text: string): string {
    return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** What messages are to hold: as a word if it is one. */
export function searchText(text: string): string {
    return /^[\w.@%+,#~][\w.@%+,#~/=-]*$/.test(text) && !RESERVED.test(text) ? text : quoteText(text);
}

/** An attribute as a field: one that is named as one of ours has `attr.` before it. */
export function attributeField(path: string): string {
    return OURS.includes(path) || path.startsWith('attr.') ? `attr.${path}` : path;
}

/** A field as it stands before the colon. */
export function fieldText(field: string): string {
    if (OURS.includes(field)) return field;
    const isPrefixed = field.startsWith('attr.') && field.length > 5;
    const path = isPrefixed ? field.slice(5) : field;
    const text = /^[^\s()"*:\-/\d][^\s()"*:]*$/.test(path) ? path : quoteText(path);
    return isPrefixed ? `attr.${text}` : text;
}

/** A value that stands for itself alone, as it is written behind the colon. */
export function valueText(value: string): string {
    const isWord = /^[\w.@%+,;$#~-][\w.@%+,;$#~:/=-]*$/.test(value) && !RESERVED.test(value);
    return isWord ? value : quoteText(value);
}

/** The field equals the value; `level` is ours, attributes are as attributeField() has them. */
export function fieldTerm(field: string, value: string, not = false): string {
    return `${not ? '-' : ''}${fieldText(field)}:${valueText(value)}`;
}

/** The field is there. */
export function existsTerm(field: string, not = false): string {
    return `${not ? '-' : ''}${fieldText(field)}:*`;
}

/** One of the values. */
export function oneOf(field: string, values: readonly string[]): string {
    const texts = values.map(valueText);
    return `${fieldText(field)}:${texts.length === 1 ? texts[0] : `(${texts.join(' OR ')})`}`;
}

export function opposite(term: string): string {
    const [read] = termsOf(term);
    if (read?.not) return term.trim().replace(/^(-|NOT\s+)/, '');
    return conjunction(term)?.length === 1 ? `-${term}` : `-(${term})`;
}

/** The text that a word or a text in quotes stands for; null: it is neither. */
export function plainValue(value: string): string | null {
    if (/^"([^"\\]|\\.)*"$/s.test(value)) return value.slice(1, -1).replace(/\\(["\\])/g, '$1');
    return /^[^\s"()*<>[{/][^\s"()*]*$/.test(value) ? value : null;
}

/** The values of a term that says that its field equals one of them; null: it says something else. */
export function valuesOf({ not, field, value }: Term): string[] | null {
    if (not || field === null || value === null) return null;
    if (!value.startsWith('(')) {
        const plain = plainValue(value);
        return plain === null ? null : [plain];
    }
    const scanner = new Scanner(value.slice(1, -1));
    const values: string[] = [];
    for (;;) {
        scanner.skipBlanks();
        const from = scanner.at;
        if (!scanner.passText() || scanner.at === from) return null;
        const text = scanner.text.slice(from, scanner.at);
        const plain = plainValue(text);
        if (plain === null || RESERVED.test(text)) return null;
        values.push(plain);
        scanner.skipBlanks();
        if (scanner.isAtEnd) return values;
        if (!scanner.takeWord('OR')) return null;
    }
}

/** The texts that messages are searched for, also as one of several; without what is excluded. */
export function soughtOf(query: string): string[] {
    const found: string[] = [];
    const take = (value: string): void => {
        const plain = plainValue(value.replace(/^\*|\*$/g, ''));
        if (plain) found.push(plain);
    };
    const scanner = new Scanner(query);
    for (;;) {
        scanner.skipBlanks();
        if (scanner.isAtEnd) return found;
        if (scanner.takeWord('AND') || scanner.takeWord('OR')) continue;
        const term = scanner.takeTerm();
        if (!term) return found;
        if (term.not) continue;
        if (term.field === 'message' || term.field === 'any') {
            (valuesOf(term) ?? [term.value!]).forEach(take);
        } else if (term.field === null && term.text.startsWith('(')) {
            found.push(...soughtOf(term.text.slice(1, -1)));
        } else if (term.field === null && !term.text.startsWith('/')) {
            (term.text.match(/"(?:[^"\\]|\\.)*"|[^"]+/gs) ?? []).forEach(take);
        }
    }
}

/**
 * Other languages have `service=payments` and `status>=500`, which are texts here: the first such word, the term that may
 * have been meant, and the query with all of them so; null: there is none.
 */
export function asFields(query: string): { text: string; term: string; query: string } | null {
    let [found, until, all]: [{ text: string; term: string } | null, number, string] = [null, 0, ''];
    for (const { text, field, from, until: end } of termsOf(query)) {
        const [, not, name, sign, value] = /^(-?)([A-Za-z_@][\w.@-]*?)(==?|!=|<>|[<>]=?)([^=<>()\s].*)$/s.exec(text) ?? [];
        if (field !== null || !name || !value) continue;
        const isNot = Boolean(not) !== /!|<>/.test(sign!);
        const compared = /^[<>]=?$/.test(sign!) ? `${sign}${value}` : value.startsWith('"') ? value : valueText(value);
        const term = `${isNot ? '-' : ''}${fieldText(name)}:${compared}`;
        found ??= { text, term };
        all += query.slice(until, from) + term;
        until = end;
    }
    return found && { ...found, query: all + query.slice(until) };
}
