import { expect, test } from 'vitest';

import { Heights } from '../src/heights';

/** Numbers in [0, 1), the same in every run. */
function randoms(seed: number): () => number {
    let state = seed;
    return () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0), state / 2 ** 32);
}

test('rows stand where those above them end, whatever is measured, comes and goes', () => {
    const random = randoms(7);
    const heights = new Heights(24);
    let model: number[] = [];
    const some = (n: number): number => Math.floor(random() * n);
    for (let round = 0; round < 1000; round++) {
        const what = some(10);
        if (what === 0) {
            const length = some(60);
            while (model.length < length) model.push(24);
            model.length = length;
            heights.resize(length);
        } else if (what === 1) {
            const count = some(9);
            model = [...new Array<number>(count).fill(24), ...model];
            heights.shift(count);
        } else if (what === 2) {
            const count = some(Math.min(9, model.length + 1));
            model = model.slice(count);
            heights.shift(-count);
        } else if (model.length > 0) {
            const index = some(model.length);
            const height = 24 * (1 + some(5)) + some(3);
            expect(heights.set(index, height)).toBe(height - model[index]!);
            model[index] = height;
        }
        expect(heights.length).toBe(model.length);
        let top = 0;
        const wrong = model.findIndex((height, index) => {
            const isRight = heights.top(index) === top && heights.of(index) === height &&
                heights.at(top) === index && heights.at(top + height - 1) === index;
            top += height;
            return !isRight;
        });
        expect(wrong).toBe(-1);
        expect(heights.total).toBe(top);
        expect(heights.at(top + 99)).toBe(Math.max(0, model.length - 1));
        expect(heights.at(-1)).toBe(0);
    }
});

test('a row that is not there has no height to set', () => {
    const heights = new Heights(24);
    expect(heights.set(0, 50)).toBe(0);
    heights.resize(1);
    expect(heights.set(1, 50)).toBe(0);
    expect(heights.total).toBe(24);
});
