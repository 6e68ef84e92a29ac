/*
 * Logs as a small web shop makes them, for the screenshots: four services in the last hour, and an
 * outage of their database in it. The same every time, but for the hour.
 */

export type SampleLog = { timestamp: string; level: string; message: string } & Record<
    string,
    unknown
>;

/** Numbers in [0, 1), the same in every run (mulberry32). */
function randoms(seed: number): () => number {
    let state = seed;
    return () => {
        state = (state + 0x6d2b79f5) | 0;
        let mixed = Math.imul(state ^ (state >>> 15), state | 1);
        mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** The outage: so long before the end. */
const OUTAGE = { from: 24 * MINUTE, until: 18 * MINUTE };

const PATHS = [
    '/cart',
    '/cart/items',
    '/checkout',
    '/products/4711',
    '/products/815',
    '/search?q=kettle',
];
const TRACE = [
    'Error: connect ECONNREFUSED 10.0.4.17:5432',
    '    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1611:16)',
    '    at async Orders.reserve (/srv/checkout/orders.js:88:23)',
    '    at async POST /checkout (/srv/checkout/routes.js:41:17)',
].join('\n');

/** `count` logs of the hour before `end` (Unix milliseconds), oldest first. */
export function sampleLogs(count: number, end: number): SampleLog[] {
    const random = randoms(20_26);
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
    const hex = (digits: number): string =>
        Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join('');

    const request = (): Omit<SampleLog, 'timestamp'> => {
        const ms = Math.round(4 + random() ** 4 * 900);
        const path = pick(PATHS);
        const status = random() < 0.03 ? 404 : 200;
        return {
            level: status === 404 ? 'warning' : 'info',
            message: `GET ${path} ${status} in ${ms} ms`,
            service: 'gateway',
            http: { method: 'GET', path, status },
            duration_ms: ms,
            trace_id: hex(16),
        };
    };
    const job = (): Omit<SampleLog, 'timestamp'> => ({
        level: random() < 0.7 ? 'debug' : 'info',
        message: pick([
            '\x1b[32m✔\x1b[0m mailer: order confirmation sent \x1b[2m(attempt 1)\x1b[0m',
            'cache refreshed: 1,204 products in 83 ms',
            '\x1b[36msearch\x1b[0m index is \x1b[1mup to date\x1b[0m',
            'session store: 318 sessions, 12 expired',
        ]),
        service: pick(['mailer', 'search']),
        host: pick(['blue-1', 'blue-2', 'green-1']),
    });
    const slow = (): Omit<SampleLog, 'timestamp'> => ({
        level: 'warning',
        message: `slow query: ${Math.round(800 + random() * 3000)} ms for SELECT … FROM stock WHERE sku = $1`,
        service: 'checkout',
        host: pick(['blue-1', 'blue-2']),
    });
    const failure = (): Omit<SampleLog, 'timestamp'> => ({
        level: random() < 0.06 ? 'critical' : 'error',
        message:
            random() < 0.4 ? TRACE : 'payment declined by the bank: gateway timeout after 5,000 ms',
        service: 'checkout',
        host: pick(['blue-1', 'blue-2']),
        order: { id: Math.floor(10_000 + random() * 9000), items: 3, total: '64.90 EUR' },
        trace_id: hex(16),
    });

    const logs: SampleLog[] = [];
    for (let n = 0; n < count; n++) {
        // More in waves, as visitors come.
        const age = HOUR * (1 - (n + random()) / count) + 40_000 * Math.sin(n / 240);
        const isOutage = age < OUTAGE.from && age > OUTAGE.until;
        const what = random();
        const make =
            what < (isOutage ? 0.45 : 0.004)
                ? failure
                : what < (isOutage ? 0.6 : 0.03)
                  ? slow
                  : what < 0.78
                    ? request
                    : job;
        const timestamp = new Date(end - Math.max(age, 0)).toISOString();
        logs.push({ timestamp, ...make() } as SampleLog);
    }
    return logs.sort((a, b) => a.timestamp.localeCompare(b.timestamp));
}
