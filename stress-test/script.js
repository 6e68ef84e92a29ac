/*
 * Each virtual user sends one log after another, as soon as it has the answer.
 *
 *   k6 run stress-test/script.js
 *
 * Environment: BASE_URL (http://127.0.0.1:8000), LOGMILL_KEY and LOGMILL_READ_KEY (none: keys that
 * write and read, the second one if it is another; with https:// BASE_URL), TARGET_VUS (100), RAMP_UP (1m), STEADY (3m),
 * RAMP_DOWN (1m), P95_MS (500), REPORT (report: files report.html and report.json).
 */
import { optionsOf, postLog, ramping, summary } from './shared.js';

export const options = optionsOf({ write: ramping('write') });

export async function write() {
    await postLog();
}

export const handleSummary = summary;
