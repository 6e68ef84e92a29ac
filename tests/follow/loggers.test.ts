/* Loggers that people run, in pinned versions, rotate their files while they are followed. */
import { after, describe } from 'node:test';

import { DAEMONS } from './loggers/daemons';
import { LIBRARIES } from './loggers/libraries';
import { table, trial } from './loggers/trial';

/** RUNS of each: 1 leaves out those that take long to install or to rotate. */
const RUNS = Number(process.env['RUNS'] ?? 1);
const LINES = Number(process.env['LINES'] ?? (RUNS > 1 ? 20_000 : 8000));
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const ONLY = (process.env['ONLY'] ?? '').split(' ').filter((name) => name !== '');
/** They mostly wait: for writers that are slow on purpose. */
const AT_ONCE = 4;

void describe('loggers', { concurrency: AT_ONCE }, () => {
    for (const logger of [...LIBRARIES, ...DAEMONS]) {
        if (ONLY.length > 0 ? !ONLY.includes(logger.name) : RUNS === 1 && logger.isLong === true) {
            continue;
        }
        for (let run = 0; run < RUNS; run++) {
            // One run of several, and the only one of what only an open file has, is undisturbed.
            const isQuiet = RUNS > 1 ? run === 0 : logger.isHeld === true;
            trial(logger, LINES, isQuiet ? undefined : SEED + run);
        }
    }
    after(() => console.log(table()));
});
