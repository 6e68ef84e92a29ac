/* Names that are written alike. */

/** So many characters may differ: in a short name one. */
const SHORT = 4;

/** In how many steps one becomes the other, of a character put in, left out, replaced, or two that change places. */
export function distance(a: string, b: string): number {
    let before: number[] = [];
    let last = Array.from({ length: b.length + 1 }, (_, n) => n);
    for (let i = 1; i <= a.length; i++) {
        const next = [i];
        for (let j = 1; j <= b.length; j++) {
            const isSame = a[i - 1] === b[j - 1];
            let least = Math.min(last[j]! + 1, next[j - 1]! + 1, last[j - 1]! + (isSame ? 0 : 1));
            const turned = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
            if (turned) least = Math.min(least, before[j - 2]! + 1);
            next.push(least);
        }
        [before, last] = [last, next];
    }
    return last[b.length]!;
}

/** The one of `names` that is most like `name`, or null: none is. Those that are equal in that go by their order. */
export function nearestName(name: string, names: readonly string[]): string | null {
    const most = name.length <= SHORT ? 1 : 2;
    let [found, least]: [string | null, number] = [null, most + 1];
    for (const other of names) {
        if (Math.abs(other.length - name.length) > most) continue;
        const steps = distance(name.toLowerCase(), other.toLowerCase());
        if (steps < least) [found, least] = [other, steps];
    }
    return found;
}
