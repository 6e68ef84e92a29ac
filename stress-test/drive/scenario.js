/* The executor ramping-vus: the number of running users follows the stages, linearly within each. */
import exec from './execution.js';

const TICK_MS = 20;

/** '1m', '20s', '1m30s', '500ms' in milliseconds. */
function milliseconds(text) {
    const UNITS = { ms: 1, s: 1000, m: 60000, h: 3600000 };
    if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) {
        throw new Error(`"${text}" is no duration, such as 1m30s`);
    }
    return [...text.matchAll(/([\d.]+)(ms|s|m|h)/g)].reduce((sum, [, n, unit]) => sum + n * UNITS[unit], 0);
}

/** How many users are to run `at` milliseconds after the start; -1 once the stages are over. */
function targetAt(stages, startVUs, at) {
    let from = startVUs;
    let began = 0;
    for (const { duration, target } of stages) {
        const length = milliseconds(duration);
        if (at < began + length) {
            return Math.round(from + ((target - from) * (at - began)) / length);
        }
        began += length;
        from = target;
    }
    return -1;
}

/** Resolves when the stages are over and every user has ended its last iteration. */
export function runScenario({ stages, startVUs = 0 }, iterate, firstId, iterations) {
    const users = [];
    let wanted = 0;

    const live = async (user, index) => {
        while (index < wanted) {
            exec.vu = user;
            await iterate();
            user.iterationInScenario++;
            iterations.add(1);
        }
        user.alive = undefined;
    };
    const follow = (target) => {
        wanted = target;
        for (let i = 0; i < wanted; i++) {
            users[i] ??= { idInTest: firstId + i, iterationInScenario: 0, alive: undefined };
            users[i].alive ??= live(users[i], i);
        }
    };
    return new Promise((resolve, reject) => {
        const began = performance.now();
        const timer = setInterval(() => {
            const target = targetAt(stages, startVUs, performance.now() - began);
            follow(Math.max(target, 0));
            if (target < 0) {
                clearInterval(timer);
                Promise.all(users.map((user) => user.alive)).then(resolve, reject);
            }
        }, TICK_MS);
    });
}
