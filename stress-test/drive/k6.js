/* The module `k6`. */
import { rate } from './metrics.js';

const checks = rate('checks');

export function check(value, tests) {
    let passed = true;
    for (const name of Object.keys(tests)) {
        const ok = Boolean(tests[name](value));
        checks.add(ok, { check: name });
        passed &&= ok;
    }
    return passed;
}
