/*
 * Every command of README.md's tour, run as a reader would, in one bash, against a server started
 * for it. The blocks are those fenced with ```sh or ```console in the section "A tour"; a comment
 * `# => TEXT` after a command means that the output since the last such group contains TEXT.
 */
import { strict as assert } from 'node:assert';
import { readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';

import { BINARY, ROOT, run, scenario } from '../support/harness';

/** A run of lines and what their output must contain. */
interface Step {
    lines: string[];
    expected: string[];
}

/** The lines of the tour's blocks. */
function tourLines(readme: string): string[] {
    const section = /^## A tour\b[^\n]*\n([\s\S]*?)(?=^## |(?![\s\S]))/m.exec(readme)?.[1];
    assert.ok(section !== undefined, 'README.md has a section "A tour"');
    const blocks = [...section.matchAll(/^```(sh|console)\n([\s\S]*?)^```$/gm)];
    return blocks.flatMap(([, language, text]) => {
        const lines = text!.trimEnd().split('\n');
        // in a console block commands stand after "$ ", the rest is output
        return language === 'sh'
            ? lines
            : lines.filter((l) => /^(\$ |# =>)/.test(l)).map((l) => l.replace(/^\$ /, ''));
    });
}

function steps(lines: string[]): Step[] {
    const all: Step[] = [{ lines: [], expected: [] }];
    for (const line of lines) {
        const expectation = /^\s*# => ?(.*)$/.exec(line)?.[1];
        let step = all[all.length - 1]!;
        if (expectation !== undefined) {
            step.expected.push(expectation.trim());
            continue;
        }
        if (step.expected.length > 0) {
            step = { lines: [], expected: [] };
            all.push(step);
        }
        step.lines.push(line);
    }
    return all.filter((step) => step.lines.some((line) => line.trim() !== ''));
}

const MARK = '--- logmill tour, end of step ';

/** The tour as one script: after each step a mark, and a wait for what was sent to be stored. */
function script(tour: Step[], port: number): string {
    const settle = `until curl -s http://127.0.0.1:${port}/metrics | grep -q '^logmill_queue_depth 0$'; do sleep 0.05; done`;
    const parts = tour.map((step, n) => {
        const text = step.lines
            .join('\n')
            .replace(/\b(127\.0\.0\.1|localhost):8000\b/g, `127.0.0.1:${port}`);
        return `${text}\necho; echo '${MARK}${n}'\n${settle}`;
    });
    return ['set -e -o pipefail', ...parts, ''].join('\n');
}

scenario("every command of README's tour works and prints what it says", async (lab) => {
    const tour = steps(tourLines(readFileSync(path.join(ROOT, 'README.md'), 'utf8')));
    assert.ok(tour.length >= 3, `the tour has steps: ${tour.length}`);
    assert.ok(
        tour.some((step) => step.expected.length > 0),
        'and says what they print',
    );

    const server = await lab.start();
    const folder = lab.folder();
    const file = path.join(folder, 'tour.sh');
    writeFileSync(file, script(tour, server.port));
    const ran = await run(['bash', '-c', `cd '${folder}' && exec bash '${file}'`], {
        settings: {
            DATA_DIR: server.dataDir, // for `logmill dead-letters` and the like
            PATH: `${path.dirname(BINARY)}:${process.env['PATH'] ?? '/usr/bin:/bin'}`,
        },
    });
    const outputs = ran.stdout.split(new RegExp(`^${MARK}\\d+\\n`, 'm'));
    for (const [n, step] of tour.entries()) {
        const output = outputs[n] ?? '';
        const shown = `${step.lines.join('\n')}\nprinted:\n${output}\n${ran.stderr}`;
        assert.ok(n < outputs.length - 1, `the tour stopped in: ${shown}`);
        for (const expected of step.expected) {
            assert.ok(
                output.includes(expected),
                `expected ${JSON.stringify(expected)} of:\n${shown}`,
            );
        }
    }
    assert.equal(ran.code, 0, ran.stderr);
});
