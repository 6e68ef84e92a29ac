/* The histogram: its bars, scale and legend, and the times and levels that are chosen by it. */
import { strict as assert } from 'node:assert';

import type { Locator } from 'playwright-core';

import { eventually } from '../support/harness';
import { atRest, postLogs } from '../support/logs';
import { browserTest, end } from './browser';
import { LogPage, barsIn } from './log_page';

const DAY = 86_400_000;
const START = Date.UTC(2026, 10, 20);
const WEEK = `since=${new Date(START).toISOString()}&until=${new Date(START + 7 * DAY).toISOString()}`;
const HOUR = `since=${new Date(START).toISOString()}&until=${new Date(START + 3_600_000).toISOString()}`;

interface Sent {
    at: number;
    level?: string;
    message?: string;
    [name: string]: unknown;
}

function log({ at, ...rest }: Sent): Record<string, unknown> {
    return { timestamp: new Date(START + at).toISOString(), level: 'info', message: 'm', ...rest };
}

function legend(page: LogPage, name: string): Locator {
    return page.tab.getByRole('checkbox', { name });
}

/** Until the legend says of a level that there are so many. */
function counts(page: LogPage, level: string, count: string): Promise<void> {
    return legend(page, level).locator('.count:not(.is-old)').getByText(count, { exact: true }).waitFor();
}

async function point(page: LogPage, part: number): Promise<string> {
    const { x, y, width } = (await page.histogram.boundingBox())!;
    await page.tab.mouse.move(x + width * part, y + 20);
    return page.tab.getByTestId('tip').innerText();
}

async function clickBar(page: LogPage, part: number): Promise<void> {
    const { x, y, width } = (await page.histogram.boundingBox())!;
    await page.tab.mouse.click(x + width * part, y + 20);
}

browserTest('bars lie at multiples of their length in the zone; pointed at, they tell their time and counts', async ({ server, visitor }) => {
    await postLogs(server, [
        log({ at: 2 * DAY + 40 * 60_000 }), log({ at: 2 * DAY + 50 * 60_000, level: 'error' }), log({ at: 5 * DAY }),
    ]);
    await atRest(server);
    const page = new LogPage(await visitor.open(`?${WEEK}&zone=Asia/Kolkata`));
    await counts(page, 'info', '2');
    // 00:40 UTC is 06:10 there; the axis begins at 04:00 there, an hour and a half before the range.
    const tip = await point(page, (2 * DAY + 135 * 60_000) / (7 * DAY + 120 * 60_000));
    assert.match(tip, /2026-11-22 06:00 – 08:00/);
    assert.match(tip, /2 logs, 67 %/);
    assert.match(tip, /error\s*1\s*50 %/);
    await page.tab.locator('.tick.is-date').getByText('22 Nov').waitFor();
    await page.tab.locator('.lines').getByText('2', { exact: true }).waitFor();
});

browserTest('bars stand still while the window slides', async ({ server, visitor }) => {
    await postLogs(server, [{ timestamp: new Date(Date.now() - 600_000).toISOString(), level: 'info', message: 'then' }]);
    await atRest(server);
    const asked: URLSearchParams[] = [];
    visitor.context.on('request', (request) => {
        const { pathname, searchParams } = new URL(request.url());
        if (pathname === '/logs/stats' && searchParams.has('align')) asked.push(searchParams);
    });
    const page = new LogPage(await visitor.open('?range=15m&live=1'));
    await page.row('then').waitFor();
    const before = asked.length;
    await postLogs(server, [{ level: 'info', message: 'now' }]);
    await page.row('now').waitFor();
    await eventually('it to be counted again', async () => asked.length > before);
    assert.notEqual(asked[0]!.get('until'), asked.at(-1)!.get('until'));
    for (const params of asked) {
        assert.equal(params.get('bucket'), '10');
        assert.equal(params.get('align'), '1');
    }
});

browserTest('a count is grey while logs have come that it does not have', async ({ server, visitor }) => {
    let goOn = (): void => {};
    const mayCount = new Promise<void>((resolve) => (goOn = resolve));
    await postLogs(server, [{ level: 'info', message: 'then' }]);
    await atRest(server);
    const page = new LogPage(await visitor.open('?live=1'));
    const count = page.tab.getByTestId('count');
    await page.tab.locator('[data-testid=count]:not(.is-old)').getByText('1 log', { exact: true }).waitFor();
    await visitor.context.route(/\/logs\/stats/, async (route) => {
        await mayCount;
        await route.continue().catch(() => {});
    });
    await postLogs(server, [{ level: 'info', message: 'now' }]);
    await page.row('now').waitFor();
    await page.tab.locator('[data-testid=count].is-old').waitFor();
    assert.equal(await count.innerText(), '1 log');
    goOn();
    await page.tab.locator('[data-testid=count]:not(.is-old)').getByText('2 logs', { exact: true }).waitFor();
});

browserTest('the legend is the level filter, and keeps the counts of all levels', async ({ server, visitor }) => {
    await postLogs(server, [
        log({ at: 1000, message: 'a' }), log({ at: 2000, level: 'warn', message: 'b' }),
        log({ at: 3000, level: 'WARNING', message: 'c' }), log({ at: 4000, level: 'error', message: 'd' }),
    ]);
    await atRest(server);
    const page = new LogPage(await visitor.open(`?${HOUR}`));
    await page.shows(['d', 'c', 'b', 'a']);
    await counts(page, 'warning', '2');
    await legend(page, 'error').click();
    await page.shows(['d']);
    assert.equal(await legend(page, 'error').getAttribute('aria-checked'), 'true');
    for (const [level, count] of [['info', '1'], ['warning', '2'], ['error', '1']] as const) await counts(page, level, count);
    await legend(page, 'warning').focus();
    await page.tab.keyboard.press('Space');
    await page.shows(['d', 'c', 'b']);
    await legend(page, 'info').click({ modifiers: ['Alt'] });
    await page.shows(['a']);
    await counts(page, 'error', '1');
    await page.search.fill('nothing-like-it');
    await page.search.press('Enter');
    await counts(page, 'info', '0'); // of the query, but for its levels
    await page.search.fill('');
    await page.search.press('Enter');
    await page.tab.getByRole('button', { name: 'All levels' }).click();
    await page.shows(['d', 'c', 'b', 'a']);
});

browserTest('whatever the query says of levels, the legend shows it, and goes on from there', async ({ server, visitor }) => {
    await postLogs(server, [
        log({ at: 1000, message: 'a' }), log({ at: 2000, level: 'warn', message: 'b' }), log({ at: 3000, level: '', message: 'c' }),
        log({ at: 4000, level: 'error', message: 'd' }), log({ at: 5000, level: 'Mine', message: 'e' }),
    ]);
    await atRest(server);
    const page = new LogPage(await visitor.open(`?${HOUR}&query=${encodeURIComponent('level:>=warning')}`));
    await page.shows(['d', 'b']);
    for (const [level, count] of [['info', '1'], ['warning', '1'], ['error', '1'], ['(empty)', '1'], ['Mine', '1']] as const) {
        await counts(page, level, count);
    }
    const checked = page.tab.getByRole('checkbox', { checked: true }).locator('visible=true');
    assert.deepEqual((await checked.allInnerTexts()).map((text) => text.split(/\s/)[0]), ['critical', 'error', 'warning']);
    await legend(page, 'info').click();
    await page.shows(['d', 'b', 'a']);
    await page.asks('level:(critical OR error OR warning OR info)');
    await page.search.fill('level:(error OR warn*)');
    await page.tab.getByRole('button', { name: /^Remove filter/ }).click();
    await page.search.fill('level:(error OR warn*)');
    await page.search.press('Enter');
    await page.shows(['d', 'b']);
    await legend(page, 'error').click();
    await page.shows(['b']);
    await page.asks('level:warning');
    await legend(page, '(empty)').click({ modifiers: ['Alt'] });
    await page.shows(['c']);
});

browserTest('a click on a bar is its time, out leads back, and arrows go on', async ({ server, visitor }) => {
    await postLogs(server, [log({ at: 10 * 60_000, message: 'early' }), log({ at: 45 * 60_000 + 2000, message: 'late' })]);
    await atRest(server);
    const page = new LogPage(await visitor.open(`?${HOUR}`));
    await page.shows(['late', 'early']);
    await counts(page, 'info', '2');
    await clickBar(page, 0.3); // there is no log, so there is no bar
    await clickBar(page, (45 * 60_000 + 10_000) / 3_600_000);
    await page.shows(['late']);
    await page.addressHas('since', '2026-11-20T00:45:00.000Z');
    await page.addressHas('until', '2026-11-20T00:45:30.000Z');
    await counts(page, 'info', '1');
    await page.tab.getByRole('button', { name: 'Zoom out' }).click();
    await page.shows(['late', 'early']);
    await page.addressHas('until', '2026-11-20T01:00:00.000Z');
    await counts(page, 'info', '2');
    await page.tab.getByRole('button', { name: 'Zoom out' }).click();
    await page.addressHas('since', '2026-11-19T23:30:00.000Z');
    await page.addressHas('until', '2026-11-20T01:30:00.000Z');
    await counts(page, 'info', '2');
    await page.tab.getByRole('button', { name: 'Earlier' }).click();
    await page.addressHas('until', '2026-11-19T23:30:00.000Z');
    await page.isIn('nomatch');
    await counts(page, 'info', '0');
    await page.tab.keyboard.press('Escape');
    await page.list.focus();
    await page.tab.keyboard.press('ArrowRight');
    await page.addressHas('until', '2026-11-20T01:30:00.000Z');
    await page.shows(['late', 'early']);
});

browserTest('all of it by keys, and told in words', async ({ server, visitor }) => {
    await postLogs(server, [log({ at: 10 * 60_000, message: 'early' }), log({ at: 59 * 60_000 + 40_000, level: 'error', message: 'late' })]);
    await atRest(server);
    const page = new LogPage(await visitor.open(`?${HOUR}`));
    await counts(page, 'info', '1');
    const slider = page.tab.getByRole('slider', { name: /^Histogram of 2 logs over time by level/ });
    await slider.focus();
    assert.equal(await slider.getAttribute('aria-valuetext'), '2026-11-20 00:59:30 – 01:00:00, 1 log, 50 %, error 1');
    await page.tab.keyboard.press('Home');
    for (let n = 0; n < 2; n++) await page.tab.keyboard.press('PageUp');
    await page.tab.getByTestId('tip').getByText('1 log, 50 %').waitFor();
    await page.tab.keyboard.press('Enter');
    await page.shows(['early']);
    await page.addressHas('since', '2026-11-20T00:10:00.000Z');
    await page.tab.keyboard.press('-');
    await page.shows(['late', 'early']);
});

browserTest('a few errors are seen beside thousands of others', async ({ server, visitor }) => {
    const logs = Array.from({ length: 4000 }, (_, n) => log({ at: 1_800_000 + n * 10, level: 'info' }));
    for (let n = 0; n < 4000; n += 1000) await postLogs(server, logs.slice(n, n + 1000));
    await postLogs(server, [log({ at: 1_801_000, level: 'error' }), log({ at: 1_802_000, level: 'error' }), log({ at: 600_000, level: 'critical' })]);
    await atRest(server);
    const page = new LogPage(await visitor.open(`?${HOUR}`));
    await counts(page, 'error', '2');
    const strip = page.tab.getByTestId('errors');
    const [error, ...errors] = await barsIn(strip.locator('path.is-error'));
    const [critical, ...criticals] = await barsIn(strip.locator('path.is-critical'));
    assert.equal(errors.length + criticals.length, 0);
    assert.ok(error!.height > 5, `errors on a scale of their own: ${error!.height}`);
    assert.ok(critical!.height >= 2, `one of them is seen, too: ${critical!.height}`);
    const [inBars] = await barsIn(page.histogram.locator('svg:not(.errors) path.is-error'));
    assert.ok(inBars!.height < 2, `they hardly are among the others: ${inBars!.height}`);
    assert.match(await point(page, 0.5001), /error\s*2/);
});

browserTest('grouped by a field it has a colour for each value, which is a click from being asked for', async ({ server, visitor }) => {
    await postLogs(server, [
        log({ at: 1000, message: 'a', service: 'pay' }), log({ at: 2000, message: 'b', service: 'pay' }),
        log({ at: 1_800_000, message: 'c', service: 'big cart' }), log({ at: 1_801_000, message: 'd' }),
        ...Array.from({ length: 9 }, (_, n) => log({ at: 3_000_000, message: `e${n}`, service: `s${n}` })),
    ]);
    await atRest(server);
    const page = new LogPage(await visitor.open(`?${HOUR}&by=service`));
    const pay = page.tab.getByRole('button', { name: /^pay\s*2$/ });
    await pay.waitFor();
    const bars = await barsIn(page.histogram.locator('path'));
    assert.equal(new Set(bars.map(({ colour }) => colour)).size, 9, 'eight values, and all others');
    await page.tab.locator('.legend').getByText('others').waitFor();
    assert.match(await point(page, 0.5001), /big cart\s*1/);
    await page.tab.getByRole('button', { name: /^big cart/ }).click();
    await page.shows(['c']);
    await page.asks('service:"big cart"');
    await page.tab.getByRole('button', { name: /^big cart/ }).click();
    await page.asks('');
    await page.tab.getByRole('button', { name: 'group by level again' }).click();
    await page.addressHas('by');
    await counts(page, 'info', '13');
});

browserTest('a drag goes over whole bars', async ({ server, visitor }) => {
    await postLogs(server, [log({ at: 1000 }), log({ at: 3_599_000 })]);
    await atRest(server);
    const page = new LogPage(await visitor.open(`?${HOUR}`));
    await page.histogram.locator('svg path').first().waitFor({ state: 'attached' });
    const bars = Number(await page.histogram.getAttribute('aria-valuemax')) + 1;
    // From amid the 11th bar to amid the 21st.
    await page.dragOverHistogram(10.5 / bars, 20.5 / bars);
    const step = 3_600_000 / bars;
    await page.addressHas('since', new Date(START + 10 * step).toISOString());
    await page.addressHas('until', new Date(START + 21 * step).toISOString());
});

end();
