/* Runs all tests in one process: loading the CDK takes longer than most of them. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

for (const file of readdirSync(__dirname)
    .filter((name) => name.endsWith('.test.js'))
    .sort())
    require(join(__dirname, file));
