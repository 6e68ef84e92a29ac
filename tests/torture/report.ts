/* The table of what was done and found, for people and as JSON. */
import { mkdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';

import { ROOT } from '../support/harness';
import type { Ledger } from './ledger';

export interface Outcome {
    setup: string;
    seed: number;
    minutes: number;
    seconds: number;
    leftOut: string[];
    ledger: Ledger;
    data: string;
}

function answersOf(ledger: Ledger): Record<string, Record<string, number>> {
    return Object.fromEntries(
        [...ledger.answers].map(([asked, statuses]) => [
            asked,
            Object.fromEntries([...statuses].map(([s, n]) => [s === 0 ? 'none' : String(s), n])),
        ]),
    );
}

function table(title: string, rows: [string, string | number][]): string {
    const width = Math.max(0, ...rows.map(([name]) => name.length));
    const lines = rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`);
    return [title, ...lines].join('\n');
}

/** Prints it, writes build/torture/SETUP.json, and returns whether nothing was found. */
export function report(outcome: Outcome): boolean {
    const { setup, seed, minutes, seconds, leftOut, ledger, data } = outcome;
    const { findings, figures } = ledger;
    const done = Object.fromEntries([...ledger.done].sort(([a], [b]) => (a < b ? -1 : 1)));
    const answers = answersOf(ledger);
    const result = { setup, seed, minutes, seconds, leftOut, done, answers, figures, findings };
    const file = path.join(ROOT, 'build', 'torture', `${setup}.json`);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify(result, undefined, 2)}\n`);

    console.log(`\ntorture of the ${setup} set-up: seed ${seed}, ${Math.round(seconds)} s in all`);
    console.log(table('done', Object.entries(done)));
    console.log(
        table(
            'answers (none: the connection broke)',
            Object.entries(answers).map(([asked, statuses]) => [
                asked,
                Object.entries(statuses)
                    .map(([status, n]) => `${status}: ${n}`)
                    .join(', '),
            ]),
        ),
    );
    console.log(table('figures', Object.entries(figures)));
    if (leftOut.length > 0) {
        console.log(
            table(
                'left out',
                leftOut.map((what) => [what, '']),
            ),
        );
    }
    if (findings.length === 0) {
        console.log(`found: nothing (${path.relative(ROOT, file)})`);
    } else {
        console.log(`found: ${findings.length} (${path.relative(ROOT, file)}; data: ${data})`);
        findings.slice(0, 20).forEach((finding) => console.log(`- ${finding}`));
        console.log(
            `the same schedule again: make torture SETUPS=${setup} MINUTES=${minutes} SEED=${seed}`,
        );
    }
    return findings.length === 0;
}
