/*
 * How high rows are, of which most were never drawn: so high as a row of one line, until one is measured. What
 * differs is kept in a Fenwick tree, so that where a row stands, and which row stands somewhere, takes log n.
 */
export class Heights {
    /** Beyond `row`, by number. */
    private more: number[] = [];
    /** sums[i]: of the (i & -i) rows up to number i - 1. */
    private sums: number[] = [0];

    constructor(readonly row: number) {}

    get length(): number {
        return this.more.length;
    }

    get total(): number {
        return this.top(this.length);
    }

    /** Where row number `index` begins. */
    top(index: number): number {
        let sum = index * this.row;
        for (let i = index; i > 0; i -= i & -i) sum += this.sums[i]!;
        return sum;
    }

    of(index: number): number {
        return this.row + (this.more[index] ?? 0);
    }

    /** The row that stands at `y`; the last one beyond all. */
    at(y: number): number {
        let index = 0;
        let left = y;
        for (let step = 2 ** Math.floor(Math.log2(Math.max(1, this.length))); step >= 1; step /= 2) {
            const next = index + step;
            if (next > this.length) continue;
            const height = step * this.row + this.sums[next]!;
            if (height > left) continue;
            index = next;
            left -= height;
        }
        return Math.max(0, Math.min(index, this.length - 1));
    }

    /** Returns by how much the row has grown. */
    set(index: number, height: number): number {
        const grown = height - this.of(index);
        if (index >= this.length || grown === 0) return 0;
        this.more[index]! += grown;
        for (let i = index + 1; i <= this.length; i += i & -i) this.sums[i]! += grown;
        return grown;
    }

    /** There are so many rows now; what is new stands at the end. */
    resize(length: number): void {
        if (length < this.length) {
            this.more.length = length;
            this.sums.length = length + 1;
        }
        while (this.length < length) {
            this.more.push(0);
            const i = this.length;
            let sum = 0;
            for (let j = i - 1; j > i - (i & -i); j -= j & -j) sum += this.sums[j]!;
            this.sums.push(sum);
        }
    }

    /** `count` rows more at the top, or fewer (negative). */
    shift(count: number): void {
        const more = count < 0 ? this.more.slice(-count) : [...new Array<number>(count).fill(0), ...this.more];
        this.more = more;
        this.sums = [0, ...more];
        for (let i = 1; i < this.sums.length; i++) {
            const above = i + (i & -i);
            if (above < this.sums.length) this.sums[above]! += this.sums[i]!;
        }
    }
}
