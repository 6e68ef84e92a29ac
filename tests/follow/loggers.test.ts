/* Loggers that people run, in pinned versions, rotate their files while they are followed. */
import { after, describe } from 'node:test';

import { DAEMONS } from './loggers/daemons';
import { LIBRARIES } from './loggers/libraries';
import { table, trial } from './loggers/trial';

/** Of each; a single one leaves out those that take long to install or to rotate. */
const RUNS = Number(process.env['FOLLOW_RUNS'] ?? 1);
const LINES = Number(process.env['FOLLOW_LINES'] ?? (RUNS > 1 ? 20_000 : 8000));
const FIRST_SEED = Number(process.env['FOLLOW_SEED'] ?? Date.now() % 1_000_000);
/** Loggers by their names or titles. */
const ONLY = new RegExp(process.env['FOLLOW_ONLY'] ?? '');
/** `plain`: nobody is killed. */
const IS_PLAIN = process.env['FOLLOW_VARIANTS'] === 'plain';
/** They mostly wait: for writers that are slow on purpose. */
const AT_ONCE = Number(process.env['FOLLOW_JOBS'] ?? 4);

void describe('loggers', { concurrency: AT_ONCE }, () => {
    for (const logger of [...LIBRARIES, ...DAEMONS]) {
        const isAsked = process.env['FOLLOW_ONLY'] !== undefined || RUNS > 1;
        if (
            !(ONLY.test(logger.name) || ONLY.test(logger.title)) ||
            (logger.isLong === true && !isAsked)
        ) {
            continue;
        }
        for (let run = 0; run < RUNS; run++) {
            // One run of several, and the only one of what only an open file has, is undisturbed.
            const isQuiet = IS_PLAIN || (RUNS > 1 ? run === 0 : logger.isHeld === true);
            trial(logger, LINES, isQuiet ? undefined : FIRST_SEED + run);
        }
    }
    after(() => console.log(table()));
});
