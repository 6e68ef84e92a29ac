/* The list: thousands of logs in a small page, fetched by cursor. */
import { strict as assert } from 'node:assert';

import { eventually } from '../support/harness';
import { allLogs, atRest, postLogs } from '../support/logs';
import { browserTest, end } from './browser';
import { LogPage } from './log_page';

/** Far fewer than there are logs: what is visible, and some around it. */
const ROWS_MAX = 300;

browserTest(
    '10,000 logs scroll by in order, none missing and none twice, and back again',
    async ({ server, visitor }) => {
        const LOGS = 10_000;
        for (let n = 0; n < LOGS; n += 1000) {
            await postLogs(
                server,
                Array.from({ length: 1000 }, (_, i) => ({
                    message: `log ${n + i}`,
                    level: 'info',
                })),
            );
        }
        await atRest(server);
        const expected = (await allLogs(server)).map((log) => log.id);
        assert.equal(expected.length, LOGS);
        const tab = await visitor.open('?range=all');
        const page = new LogPage(tab);
        await page.row(`log ${LOGS - 1}`).waitFor();
        let rowsMost = 0;

        /** The place in `expected` of the first and last row in the DOM, which has all between them. */
        const place = async (): Promise<[number, number]> => {
            const ids = await page.idsFromTop();
            rowsMost = Math.max(rowsMost, ids.length);
            const first = expected.indexOf(ids[0]!);
            assert.ok(first >= 0, `a row that is no log: ${ids[0]}`);
            assert.deepEqual(ids, expected.slice(first, first + ids.length));
            return [first, first + ids.length - 1];
        };

        let [first, last] = await place();
        assert.equal(first, 0);
        await page.list.hover();
        while (last < LOGS - 1) {
            const seen = last;
            await tab.mouse.wheel(0, 1400);
            [first, last] = await eventually(`rows after number ${seen}`, async () => {
                const now = await place();
                assert.ok(
                    now[0] <= seen + 1,
                    `the rows from ${seen + 1} to ${now[0]} were left out`,
                );
                return now[1] > seen && now;
            });
        }
        for (let previous = first; first > 0; previous = first) {
            await tab.mouse.wheel(0, -12_000);
            [first, last] = await eventually(`rows before number ${previous}`, async () => {
                const now = await place();
                return now[0] < previous && now;
            });
        }
        assert.ok(rowsMost < ROWS_MAX, `${rowsMost} rows in the DOM`);
    },
    { context: { viewport: { width: 1280, height: 1800 } } },
);

browserTest(
    'logs are fetched by cursor, as far as they are scrolled to',
    async ({ server, visitor }) => {
        for (let n = 0; n < 3; n++) {
            await postLogs(
                server,
                Array.from({ length: 1000 }, (_, i) => ({
                    message: `log ${n * 1000 + i}`,
                    level: 'info',
                })),
            );
        }
        await atRest(server);
        const reads: URLSearchParams[] = [];
        visitor.context.on('request', (request) => {
            const url = new URL(request.url());
            if (url.pathname === '/logs') {
                reads.push(url.searchParams);
            }
        });
        const tab = await visitor.open('?range=all');
        const page = new LogPage(tab);
        await page.row('log 2999').waitFor();
        await tab.waitForLoadState('networkidle');
        assert.ok(reads.length <= 2, `${reads.length} reads for what is visible`);

        await page.list.hover();
        await eventually('the oldest log', async () => {
            await tab.mouse.wheel(0, 5000);
            return (await page.messages()).includes('log 0');
        });
        for (const read of reads.slice(1)) {
            assert.ok(read.has('cursor') && !read.has('offset'), read.toString());
        }
        const asked = reads.reduce((sum, read) => sum + Number(read.get('limit')), 0);
        assert.ok(asked <= 4000, `${asked} logs asked for, of 3,000`);
    },
);

browserTest('the first list and its bars are asked for first, once, and drawn without waiting for more', async ({ server, visitor }) => {
    await postLogs(server, Array.from({ length: 150 }, (_, n) => ({ message: `log ${n}`, level: 'info' })));
    await atRest(server);
    const tab = await visitor.context.newPage();
    const asked: URL[] = [];
    tab.on('request', (request) => asked.push(new URL(request.url())));
    const page = new LogPage(tab);
    // Who looks is answered late, the rest of the logs not before the first are there.
    let answerWho = (): void => {};
    let answerRest = (): void => {};
    await tab.route('**/whoami', async (route) => {
        await new Promise<void>((resolve) => (answerWho = resolve));
        await route.continue();
    });
    await tab.route(/limit=500/, async (route) => {
        await new Promise<void>((resolve) => (answerRest = resolve));
        await route.continue();
    });
    await tab.goto(visitor.origin);
    await eventually('who looks to be asked for', async () => asked.some(({ pathname }) => pathname === '/whoami'));
    const wanted = asked.filter(({ pathname }) => /^.(logs|whoami)/.test(pathname));
    assert.deepEqual(wanted.slice(0, 3).map(({ pathname }) => pathname), ['/logs', '/logs/stats', '/whoami']);
    answerWho();
    await page.row('log 149').waitFor();
    await tab.locator('[data-testid=histogram] svg path').first().waitFor({ state: 'attached' });
    await eventually('the rest to be asked for', async () => asked.some(({ search }) => search.includes('limit=500')));
    const limits = asked.filter(({ pathname }) => pathname === '/logs').map(({ searchParams }) => searchParams.get('limit'));
    assert.deepEqual(limits, ['100', '500']);
    assert.equal(asked.filter(({ searchParams }) => searchParams.get('align') === '1').length, 1);
    answerRest();
    await page.list.hover();
    await eventually('the oldest log', async () => {
        await tab.mouse.wheel(0, 5000);
        return (await page.messages()).includes('log 0');
    });
});

browserTest(
    'an open log stays open, whole, while the list scrolls',
    async ({ server, visitor }) => {
        await postLogs(
            server,
            Array.from({ length: 900 }, (_, n) => ({ message: `log ${n}`, level: 'info', n })),
        );
        await atRest(server);
        const tab = await visitor.open('?range=all');
        const page = new LogPage(tab);
        await page.open('log 890');
        assert.match(await page.details.innerText(), /\bn\b\s*890/);
        await page.list.hover();
        await tab.mouse.wheel(0, 8000);
        await eventually('other rows', async () => !(await page.messages()).includes('log 899'));
        await tab.mouse.wheel(0, -20_000);
        await page.row('log 899').waitFor();
        await page.details.waitFor();
    },
);

end();
