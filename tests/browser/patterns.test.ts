/* The Patterns tab: what messages have in common, what of it is new, and the logs behind it. */
import { strict as assert } from 'node:assert';

import type { Locator } from 'playwright-core';

import { eventually } from '../support/harness';
import { atRest, postLogs } from '../support/logs';
import { faults } from './axe';
import { browserTest, end } from './browser';
import { LogPage } from './log_page';

const HOUR = 3_600_000;

const ago = (ms: number): string => new Date(Date.now() - ms).toISOString();

const LOGS = [
    { timestamp: ago(20 * HOUR), level: 'info', message: 'GET /a/1 in 12 ms' },
    { timestamp: ago(10 * HOUR), level: 'info', message: 'GET /a/22 in 7 ms' },
    { timestamp: ago(9 * HOUR), level: 'error', message: 'GET /a/3 in 8 ms' },
    { timestamp: ago(19 * HOUR), level: 'info', message: 'user u170 said "<*>" \\ left' },
    { timestamp: ago(60_000), level: 'error', message: 'disk 7 of 9 is <b>gone</b>' },
    { timestamp: ago(30_000), level: 'error', message: 'disk 8 of 9 is <b>gone</b>' },
];

/** The pattern of this text. */
function pattern(page: LogPage, text: string): Locator {
    return page.tab.getByTestId('pattern').filter({ hasText: text });
}

browserTest('patterns have counts, shares, levels, times and a mark if they are new; a click finds their logs', async ({ server, visitor }) => {
    await postLogs(server, LOGS);
    await atRest(server);
    const page = new LogPage(await visitor.open());
    await page.rows.first().waitFor();
    await page.tab.getByRole('link', { name: 'Patterns' }).click();
    await page.addressHas('tab', 'patterns');
    const get = pattern(page, 'GET /a/');
    await get.waitFor();
    assert.equal(await page.tab.getByTestId('pattern').count(), 3);
    assert.match((await get.innerText()).replace(/\s+/g, ' '), /3 50 % error 33 % info 67 % first \d{4}-.* last \d{4}-/);
    await get.locator('.spark path[d*="v"]').first().waitFor();
    assert.equal(await get.locator('.gap').count(), 2);
    assert.equal(await get.getByText('new', { exact: true }).count(), 0);
    await pattern(page, 'is <b>gone</b>').getByText('new', { exact: true }).waitFor();

    await pattern(page, 'user u').getByRole('button').first().click();
    await page.shows(['user u170 said "<*>" \\ left']);
    await page.tab.goBack();
    await pattern(page, 'GET /a/').getByRole('button').first().click();
    await page.asks('pattern:"GET /a/<*> in <*> ms"');
    await page.shows(['GET /a/3 in 8 ms', 'GET /a/22 in 7 ms', 'GET /a/1 in 12 ms']);
});

browserTest('what is seen too often is taken away', async ({ server, visitor }) => {
    await postLogs(server, LOGS);
    await atRest(server);
    const page = new LogPage(await visitor.open('?tab=patterns'));
    await pattern(page, 'GET').getByRole('button', { name: /^Without this pattern/ }).click();
    await pattern(page, 'GET').waitFor({ state: 'detached' });
    await page.addressHas('tab', 'patterns');
    assert.equal(await page.tab.getByTestId('pattern').count(), 2);
    await page.tab.getByTestId('count').getByText('3 logs', { exact: true }).waitFor();
});

browserTest('those that are new since a time are told from those that were there before', async ({ server, visitor }) => {
    await postLogs(server, [
        ...LOGS,
        { timestamp: ago(50 * HOUR), level: 'info', message: 'once in 3 days' },
        { timestamp: ago(2000), level: 'info', message: 'once in 4 days' },
    ]);
    await atRest(server);
    const page = new LogPage(await visitor.open('?tab=patterns'));
    await pattern(page, 'once in').waitFor();
    await page.tab.getByLabel('Which patterns').selectOption('1h');
    await page.tab.getByText(/^1 new pattern since/).waitFor();
    await pattern(page, 'disk').waitFor();
    await page.addressHas('new', '1h');
    await page.tab.reload();
    await page.tab.getByText(/^1 new pattern since/).waitFor();
    await page.tab.getByLabel('Which patterns').selectOption('range');
    await page.tab.getByText(/^3 new patterns since/).waitFor();
    assert.equal(await pattern(page, 'once in').count(), 0);
    await page.tab.goto(`${new URL(page.tab.url()).origin}/?tab=patterns&query=once`);
    await pattern(page, 'once in').waitFor();
    await page.tab.getByLabel('Which patterns').selectOption('1h');
    await page.tab.getByTestId('no-patterns').getByText(/No pattern is new/).waitFor();
    // Of no logs none can be told to be new, or not to be.
    await page.tab.goto(`${new URL(page.tab.url()).origin}/?tab=patterns&query=nothinglikeit`);
    await page.tab.getByTestId('no-patterns').getByText('No log matches').waitFor();
    await page.tab.getByLabel('Which patterns').selectOption('1h');
    await page.tab.getByText(/^0 new patterns since/).waitFor();
    await page.tab.getByTestId('no-patterns').getByText('No log matches').waitFor();
});

browserTest('patterns have an order, which is one click away, and which the address keeps', async ({ server, visitor }) => {
    await postLogs(server, LOGS);
    await atRest(server);
    const page = new LogPage(await visitor.open('?tab=patterns'));
    const inOrder = (...texts: string[]): Promise<unknown> =>
        eventually(`the order ${texts}`, async () => {
            const rows = await page.tab.getByTestId('pattern').allInnerTexts();
            return rows.length === texts.length && texts.every((text, n) => rows[n]!.includes(text));
        });
    const first = (name: string): Promise<void> =>
        page.tab.getByRole('group', { name: 'What comes first' }).getByRole('button', { name, exact: true }).click();
    await inOrder('GET', 'disk', 'user');
    await first('Most severe');
    await inOrder('disk', 'GET', 'user');
    await page.addressHas('sort', 'severity');
    await first('Newest');
    await inOrder('disk', 'user', 'GET');
    await first('Rarest');
    await inOrder('user', 'disk', 'GET');
    await page.tab.reload();
    await inOrder('user', 'disk', 'GET');
    await first('Most logs');
    await page.addressHas('sort');
});

const TIMES = { since: '2026-11-24T00:00:00.000000Z', until: '2026-11-25T00:00:00.000000Z' };

function part(count: number, at: string, next: string | null): object {
    const one = (pattern: string, count: number): object => ({
        pattern, count, levels: { info: count }, first_seen: at, last_seen: at, example: pattern,
    });
    const patterns = [one('first <*>', count), ...(next ? [] : [one('second <*>', 100)])];
    return { ...TIMES, total: next ? count : count + 100, patterns, other: null, approximate: null, next, searched_to: next && at };
}

browserTest('parts of a long search are put together as they come', async ({ server, visitor }) => {
    await postLogs(server, [{ timestamp: TIMES.since, level: 'info', message: 'm' }]);
    await atRest(server);
    let goOn = (): void => {};
    const mayEnd = new Promise<void>((resolve) => (goOn = resolve));
    await visitor.context.route(/\/logs\/patterns\?/, async (route) => {
        const isSecond = new URL(route.request().url()).searchParams.get('cursor') === 'more';
        if (isSecond) await mayEnd;
        await route.fulfill({ json: isSecond ? part(5, '2026-11-24T01:00:00.000000Z', null) : part(7, '2026-11-24T12:00:00.000000Z', 'more') });
    });
    const page = new LogPage(await visitor.open(`?tab=patterns&since=${TIMES.since}&until=${TIMES.until}&zone=utc`));
    await page.tab.getByText('searched back to 2026-11-24 12:00…').waitFor();
    assert.equal(await page.tab.getByTestId('pattern').count(), 1);
    goOn();
    await pattern(page, 'second').waitFor();
    const texts = await page.tab.getByTestId('pattern').allInnerTexts();
    assert.match(texts[0]!, /second/);
    assert.match(texts[1]!.replace(/\s+/g, ' '), /12 11 %.*first 2026-11-24 01:00:00 last 2026-11-24 12:00:00/);
});

browserTest('without logs, and without an answer, it says so', async ({ visitor }) => {
    let isBusy = false;
    await visitor.context.route(/\/logs\/patterns\?/, (route) =>
        isBusy ? route.fulfill({ status: 503, headers: { 'Retry-After': '1' }, json: { detail: 'too many reads wait' } }) : route.continue());
    const page = new LogPage(await visitor.open('?tab=patterns&since=2026-01-01&until=2026-01-02'));
    await page.tab.getByTestId('no-patterns').getByText('No log matches').waitFor();
    isBusy = true;
    await page.tab.reload();
    await page.tab.getByTestId('patterns-failed').getByText('too many reads wait').waitFor();
    isBusy = false;
    await page.tab.getByTestId('no-patterns').waitFor();
});

browserTest(
    'on a phone they are as wide as the screen',
    async ({ server, visitor }) => {
        await postLogs(server, [...LOGS, { level: 'info', message: `wide${'_wide'.repeat(200)}` }]);
        await atRest(server);
        const page = new LogPage(await visitor.open('?tab=patterns'));
        await pattern(page, 'wide').waitFor();
        assert.ok(await page.fitsInWidth());
        await pattern(page, 'disk').getByRole('button').first().tap();
        await page.row('disk 8').waitFor();
    },
    { context: { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true } },
);

for (const colorScheme of ['light', 'dark'] as const) {
    browserTest(
        `axe finds no serious fault in patterns and groups: ${colorScheme}`,
        async ({ server, visitor }) => {
            await postLogs(server, LOGS.map((log, n) => ({ ...log, service: `service ${n}` })));
            await atRest(server);
            const tab = await visitor.open('?tab=patterns&by=service');
            await pattern(new LogPage(tab), 'disk').locator('.spark').waitFor();
            await tab.getByRole('button', { name: /^service 1/ }).waitFor();
            assert.deepEqual(await faults(tab), []);
        },
        { context: { colorScheme, bypassCSP: true } },
    );
}

end();
