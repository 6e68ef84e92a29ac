/*
 * Runs one of the scripts if there is no k6:
 *
 *   node stress-test/drive/main.js SCRIPT
 *
 * It knows as much of k6 as the scripts use: scenarios of the executor ramping-vus, thresholds,
 * handleSummary, and the modules k6, k6/execution, k6/http and k6/metrics. Virtual users are loops on
 * one thread. As with k6, status 99 tells that a threshold was not kept.
 */
import { writeFileSync } from 'node:fs';
import { register } from 'node:module';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';

import { counter, summarise, watchThresholds } from './metrics.js';
import { runScenario } from './scenario.js';

const THRESHOLD_NOT_KEPT = 99;

register('./resolve.js', import.meta.url);
globalThis.__ENV = process.env;

const script = await import(pathToFileURL(path.resolve(process.argv[2])).href);
const { scenarios, thresholds, summaryTrendStats } = script.options;
const began = performance.now();
watchThresholds(thresholds);
const iterations = counter('iterations');
let vus = 0;
await Promise.all(
    Object.values(scenarios).map((scenario) => {
        const firstId = vus + 1;
        vus += Math.max(...scenario.stages.map((stage) => stage.target));
        return runScenario(scenario, script[scenario.exec], firstId, iterations);
    }),
);
const seconds = (performance.now() - began) / 1000;
const { metrics, allKept } = summarise(seconds, summaryTrendStats);
const data = { metrics, state: { testRunDurationMs: seconds * 1000 } };
for (const [file, text] of Object.entries(script.handleSummary(data))) {
    writeFileSync(file === 'stdout' ? 1 : file, text);
}
process.exit(allKept ? 0 : THRESHOLD_NOT_KEPT);
