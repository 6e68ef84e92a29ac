/* Searches that take long: what is shown meanwhile, how far they are, and what ends them. */
import { strict as assert } from 'node:assert';

import type { Route } from 'playwright-core';

import { eventually } from '../support/harness';
import { atRest, postLogs } from '../support/logs';
import { type Visitor, browserTest, end } from './browser';
import { LogPage, barsIn } from './log_page';

const LOGS = [
    { message: 'apple', level: 'info' },
    { message: 'pear', level: 'error' },
    { message: 'apple pie', level: 'error' },
];

/** Holds back answers to requests whose query has `text`, until they are let go. */
async function holdBack(visitor: Visitor, text: string): Promise<() => void> {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    await visitor.context.route(
        (url) => url.pathname.startsWith('/logs') && url.search.includes(text),
        async (route) => {
            await released;
            await route.continue().catch(() => {}); // it may be given up
        },
    );
    return release;
}

browserTest('numbers of the search before are not taken for the one that runs', async ({ server, visitor }) => {
    await postLogs(server, LOGS);
    await atRest(server);
    const release = await holdBack(visitor, 'query=apple');
    const page = new LogPage(await visitor.open());
    const count = page.tab.getByTestId('count');
    const errors = page.tab.getByRole('checkbox', { name: 'error' }).locator('.count');
    await count.getByText('3 logs').waitFor();
    assert.equal(await errors.innerText(), '2');
    await page.search.fill('apple');
    await page.search.press('Enter');
    await page.asks('apple');
    for (const old of [count, errors, page.histogram.locator('svg').first()]) {
        await eventually('what is old to be grey', () => old.evaluate((old) => Number(getComputedStyle(old).opacity) < 0.5));
    }
    assert.equal(await page.histogram.getAttribute('aria-busy'), 'true');
    release();
    await count.getByText('2 logs').waitFor();
    assert.equal(await errors.innerText(), '1');
    assert.equal(await page.histogram.getAttribute('aria-busy'), 'false');
});

/** Types key by key, in no time: no pause between two keys is one in which typing rests. */
async function typeQuickly(page: LogPage, text: string): Promise<void> {
    await page.search.evaluate((field, text) => {
        for (const key of text) {
            (field as HTMLInputElement).value += key;
            field.dispatchEvent(new InputEvent('input', { bubbles: true }));
        }
    }, text);
}

browserTest('a search that is typed over is given up', async ({ server, visitor }) => {
    await postLogs(server, LOGS);
    await atRest(server);
    await holdBack(visitor, 'query=app&');
    const begun: string[] = [];
    const ended: string[] = [];
    const query = (url: string): string => new URL(url).searchParams.get('query') ?? '';
    visitor.context.on('request', (request) => begun.push(query(request.url())));
    visitor.context.on('requestfailed', (request) => ended.push(query(request.url())));
    const page = new LogPage(await visitor.open());
    await page.shows(['apple pie', 'pear', 'apple']);
    await typeQuickly(page, 'app');
    await page.asks('app');
    await typeQuickly(page, 'le pie');
    await page.shows(['apple pie']);
    const searched = new Set(begun.filter((text) => text));
    assert.deepEqual([...searched], ['app', 'apple pie'], 'nothing is asked for at each key');
    const asked = begun.filter((text) => text === 'app').length;
    await eventually('what was asked for "app" to be given up', async () =>
        ended.filter((text) => text === 'app').length === asked);
});

browserTest('what is searched for is given up as soon as other text is typed', async ({ server, visitor }) => {
    await postLogs(server, LOGS);
    await atRest(server);
    const release = await holdBack(visitor, 'query=apple');
    let given = 0;
    visitor.context.on('requestfailed', () => given++);
    const page = new LogPage(await visitor.open('?query=apple'));
    await page.state.waitFor();
    await page.search.press('End');
    await page.tab.keyboard.press('x');
    await page.tab.keyboard.press('Backspace'); // it is wanted after all
    await eventually('list and numbers to be given up', async () => given >= 2);
    release();
    await page.shows(['apple pie', 'apple']);
    await page.tab.getByTestId('count').getByText('2 logs', { exact: true }).waitFor();
    await page.asks('apple');
});

browserTest('a search that meets a server without time goes on where it was', async ({ visitor }) => {
    let isBusy = true;
    const slice = slices(6);
    await visitor.context.route(/\/logs(\/stats)?\?.*query=rare/, (route) => {
        const isThird = new URL(route.request().url()).searchParams.get('cursor') === '3';
        if (!isThird || !isBusy) return slice(route);
        return route.fulfill({ status: 503, json: { detail: 'too many reads wait' } });
    });
    const page = new LogPage(await visitor.open(SEARCH));
    await page.tab.getByText('too many reads wait; trying again…').waitFor();
    assert.deepEqual(await page.messages(), ['slice 0', 'slice 1', 'slice 2']);
    isBusy = false;
    await page.shows(['slice 0', 'slice 1', 'slice 2', 'slice 3', 'slice 4', 'slice 5']);
    await page.tab.getByTestId('count').getByText('6 logs', { exact: true }).waitFor();
});

const SLICE = { since: '2026-11-24T00:00:00Z', until: '2026-11-25T00:00:00Z', bucket_seconds: 900 };

/** A gate: what waits for `opened` goes on once it is opened. */
function gate(): { opened: Promise<void>; open: () => void } {
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => (open = resolve));
    return { opened, open };
}

/**
 * A server that takes long to search: slice `n` gets `n` hours back, and finds one log. The last half of them waits for
 * `mayEnd`, so that the search goes on for as long as it is looked at.
 */
function slices(of: number, mayEnd?: Promise<void>): (route: Route) => Promise<void> {
    return async (route) => {
        const url = new URL(route.request().url());
        const n = Number(url.searchParams.get('cursor') ?? 0);
        const hour = (n: number): string => new Date(Date.UTC(2026, 10, 25) - n * 3_600_000).toISOString();
        const isLast = n + 1 === of;
        const log = { id: `0${n}`, timestamp: hour(n + 0.5), level: 'info', message: `slice ${n}`, attributes: {} };
        const bucket = { timestamp: log.timestamp, total: 1, levels: { info: 1 } };
        const found = url.pathname === '/logs' ? { logs: [log] } : { ...SLICE, total: 1, buckets: [bucket] };
        await new Promise((resolve) => setTimeout(resolve, 100));
        if (2 * n >= of) await mayEnd;
        const json = { ...found, next: isLast ? null : `${n + 1}`, searched_to: isLast ? null : hour(n + 1) };
        await route.fulfill({ json }).catch(() => {});
    };
}

const SEARCH = `?q=rare&since=${SLICE.since}&until=${SLICE.until}&zone=utc`;

browserTest('a long search shows what it has and how far it is, to its end', async ({ visitor }) => {
    const { opened, open } = gate();
    await visitor.context.route(/\/logs(\/stats)?\?.*query=rare/, slices(20, opened));
    const page = new LogPage(await visitor.open(SEARCH));
    const progress = page.tab.getByTestId('progress');
    await progress.getByText(/searched back to 2026-11-24 \d\d:00/).waitFor();
    await page.tab.getByTestId('count').getByText(/^\d+ found$/).waitFor();
    await page.tab.getByTestId('uncounted').waitFor();
    open();
    await page.shows(Array.from({ length: 20 }, (_, n) => `slice ${n}`));
    await page.tab.getByTestId('count').getByText('20 logs', { exact: true }).waitFor();
    await progress.waitFor({ state: 'hidden' });
    assert.equal(await page.tab.getByTestId('uncounted').count(), 0);
    assert.equal((await barsIn(page.histogram.locator('path'))).length, 20);
});

browserTest('a long search can be stopped, and goes on', async ({ visitor }) => {
    let asked = 0;
    visitor.context.on('request', () => asked++);
    const { opened, open } = gate();
    await visitor.context.route(/\/logs(\/stats)?\?.*query=rare/, slices(24, opened));
    const page = new LogPage(await visitor.open(SEARCH));
    await page.row('slice 2').waitFor();
    await page.tab.getByRole('button', { name: 'Stop' }).click();
    const progress = page.tab.getByTestId('progress');
    await progress.getByText(/^stopped, searched back to 2026-11-24/).waitFor();
    const found = (await page.messages()).length;
    assert.ok(found >= 3 && found < 24, `${found} logs`);
    asked = 0;
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(asked, 0, 'nothing is asked for');
    open();
    await page.tab.getByRole('button', { name: 'Go on' }).click();
    await page.shows(Array.from({ length: 24 }, (_, n) => `slice ${n}`));
    await page.tab.getByTestId('count').getByText('24 logs', { exact: true }).waitFor();
});

browserTest('a search that has found nothing yet says how far it is, and can be stopped', async ({ visitor }) => {
    const { opened, open } = gate();
    await visitor.context.route(/\/logs(\/stats)?\?.*query=rare/, async (route) => {
        const url = new URL(route.request().url());
        const hasCursor = url.searchParams.has('cursor');
        if (hasCursor) await opened;
        const found = url.pathname === '/logs' ? { logs: [] } : { ...SLICE, total: 0, buckets: [] };
        const further = { next: '1', searched_to: '2026-11-24T20:00:00.000000Z' };
        await route.fulfill({ json: { ...found, ...(hasCursor ? { next: null, searched_to: null } : further) } }).catch(() => {});
    });
    const page = new LogPage(await visitor.open(SEARCH));
    await page.state.getByText('Nothing found back to 2026-11-24 20:00; looking further…').waitFor();
    await page.tab.getByRole('button', { name: 'Stop' }).click();
    await page.state.getByText('Nothing found back to 2026-11-24 20:00').waitFor();
    open();
    await page.state.getByRole('button', { name: 'Go on' }).click();
    await page.state.getByText(/No log matches|No logs yet/).waitFor();
});

browserTest('a server that has no room says when it is asked again', async ({ visitor }) => {
    let asked = 0;
    const slice = slices(2);
    await visitor.context.route(/\/logs(\/stats)?\?.*query=rare/, (route) => {
        const isList = new URL(route.request().url()).pathname === '/logs';
        if (!isList || ++asked > 1) return slice(route);
        return route.fulfill({ status: 429, headers: { 'Retry-After': '3' }, json: { detail: 'the key asks too much' } });
    });
    const page = new LogPage(await visitor.open(SEARCH));
    await page.state.getByText('the key asks too much; trying again in 3 s…').waitFor();
    await page.shows(['slice 0', 'slice 1']);
    assert.equal(asked, 3);
});

browserTest('an error amid a search leaves what was found, says why, and lets it go on', async ({ visitor }) => {
    let isWrong = true;
    const slice = slices(4);
    await visitor.context.route(/\/logs(\/stats)?\?.*query=rare/, (route) => {
        const url = new URL(route.request().url());
        if (url.pathname !== '/logs' || url.searchParams.get('cursor') !== '2' || !isWrong) return slice(route);
        return route.fulfill({ status: 422, json: { detail: 'a regular expression takes too long' } });
    });
    const page = new LogPage(await visitor.open(SEARCH));
    const trouble = page.tab.getByTestId('trouble');
    await trouble.getByText('a regular expression takes too long').waitFor();
    await page.shows(['slice 0', 'slice 1']);
    isWrong = false;
    await trouble.getByRole('button', { name: 'Go on from here' }).click();
    await page.shows(['slice 0', 'slice 1', 'slice 2', 'slice 3']);
});

end();
