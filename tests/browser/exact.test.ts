/* The page shows what the API said: digits, times, numbers and places, to the last of them. */
import { strict as assert } from 'node:assert';

import type { Page } from 'playwright-core';

import { eventually } from '../support/harness';
import { get, post } from '../support/http';
import { atRest, page as logsOf, postLogs } from '../support/logs';
import { browserTest, end } from './browser';
import { LogPage, barsIn } from './log_page';

const DAY = 86_400_000;

const NUMBERS = {
    big: '9007199254740993',
    price: '1.10',
    huge: '1E400',
    zero: '-0',
    power: '1e2',
};

browserTest('numbers keep their digits, and are filtered for as they are', async ({ server, visitor }) => {
    const fields = Object.entries(NUMBERS).map(([name, digits]) => `"${name}":${digits}`);
    const body = `{"message":"exact","level":"info",${fields},"nested":{"n":[1.10,9007199254740993]}}`;
    const headers = { 'content-type': 'application/json' };
    assert.equal((await post(server, '/log', body, headers)).status, 201);
    await postLogs(server, [{ message: 'another', level: 'info', big: 7, price: 7, huge: 7, zero: 7, power: 7 }]);
    await atRest(server);
    await visitor.context.grantPermissions(['clipboard-write']);
    const page = new LogPage(await visitor.open());
    await page.open('exact');
    const shown = await page.details.innerText();
    for (const [name, digits] of Object.entries(NUMBERS)) {
        assert.ok(shown.includes(`${name}\n${digits}\n`), `${name} ${digits} in ${shown}`);
    }
    assert.ok(/\[\s*1\.10,\s*9007199254740993\s*\]/.test(shown), shown);

    await page.details.getByRole('button', { name: /copy as json/i }).click();
    await page.search.focus();
    await page.tab.keyboard.press('ControlOrMeta+V');
    const { id } = (await logsOf(server, 'q=exact')).logs[0]!;
    assert.equal(await page.search.inputValue(), (await get(server, `/logs/${id}`)).text);
    await page.search.fill('');
    await page.tab.keyboard.press('Escape'); // what is offered there lies over the rows

    for (const [name, digits] of Object.entries(NUMBERS)) {
        await page.open('exact');
        await page.details.getByRole('button', { name: `Filter for ${name}`, exact: true }).click();
        await page.asks(`${name}:${digits}`);
        await page.shows(['exact']);
        await page.chip(name).click();
        await page.shows(['another', 'exact']);
    }
});

browserTest('a filter for an empty value stays', async ({ server, visitor }) => {
    await postLogs(server, [
        { message: 'none', level: 'info', seq: '' },
        { message: 'one', level: 'info', seq: '1' },
    ]);
    await atRest(server);
    const page = new LogPage(await visitor.open('?query=seq:""'));
    await page.shows(['none']);
    await page.toggleLevel('info');
    await page.asks('seq:"" level:info');
    await page.shows(['none']);
});

/** Where the middles of the bars stand, in parts of the histogram's width. */
async function bars(page: LogPage): Promise<number[]> {
    const { x, width } = (await page.histogram.boundingBox())!;
    const bars = await barsIn(page.histogram.locator('path'));
    return bars.map((bar) => (bar.x + bar.width / 2 - x) / width);
}

browserTest('bars stand where their time is, over years, too', async ({ server, visitor }) => {
    const since = Date.UTC(2020, 0, 1);
    const length = 2000 * DAY;
    const parts = [0.1, 0.5, 0.9];
    await postLogs(
        server,
        parts.map((part) => ({
            timestamp: new Date(since + part * length).toISOString(), message: `${part}`, level: 'info',
        })),
    );
    await atRest(server);
    const range = `since=${new Date(since).toISOString()}&until=${new Date(since + length).toISOString()}`;
    const page = new LogPage(await visitor.open(`?${range}`));
    await page.shows(['0.9', '0.5', '0.1']);
    const places = await eventually('bars', async () => {
        const places = await bars(page);
        return places.length === parts.length && places;
    });
    places.forEach((place, n) => {
        assert.ok(Math.abs(place - parts[n]!) < 0.02, `a bar at ${place} in place of ${parts[n]}`);
    });
});

function count(page: LogPage, text: string): Promise<void> {
    return page.tab.getByTestId('count').getByText(text, { exact: true }).waitFor();
}

browserTest(
    'a range ends now: what lies in the future is told, and one click away; all time has it all',
    async ({ server, visitor }) => {
        await postLogs(server, [
            { timestamp: '1969-07-20T20:17:40Z', message: 'landed', level: 'info' },
            { message: 'now', level: 'info' },
            { timestamp: '2031-01-01T00:00:00Z', message: 'later', level: 'info' },
            { timestamp: '2099-01-01T00:00:00Z', message: 'much later', level: 'error' },
        ]);
        await atRest(server);
        const page = new LogPage(await visitor.open());
        await page.shows(['now']);
        await count(page, '1 log');
        await page.tab.getByRole('link', { name: '2 logs lie in the future' }).click();
        await page.shows(['much later', 'later']);
        await count(page, '2 logs');
        await page.tab.goBack();
        await page.shows(['now']);
        await page.toggleLevel('error');
        await page.isIn('nomatch');
        await page.tab.getByRole('link', { name: '1 log lies in the future' }).waitFor();
        await page.toggleLevel('error');
        await page.chooseRange('all');
        await page.shows(['much later', 'later', 'now', 'landed']);
        await count(page, '4 logs');
    },
);

browserTest('the first and the last moment that there is are counted, too', async ({ server, visitor }) => {
    await postLogs(server, [
        { timestamp: '0001-01-01T00:00:00Z', message: 'first', level: 'info' },
        { timestamp: '9999-12-31T23:59:59.999999Z', message: 'last', level: 'info' },
    ]);
    await atRest(server);
    const page = new LogPage(await visitor.open('?range=all'));
    await page.shows(['last', 'first']);
    await count(page, '2 logs');
    await page.open('last');
    await page.details.getByRole('button', { name: /show around/i }).click();
    await page.addressHas('around', '');
    await page.shows(['last', 'first']);
    await isInSight(page, 'last');
    await count(page, '2 logs');
});

browserTest('times in other forms are those that the server takes them for', async ({ server, visitor }) => {
    await postLogs(server, [
        { timestamp: '2024-02-29T23:30:00Z', message: 'a leap day', level: 'info' },
        { timestamp: '2024-03-01T00:00:00Z', message: 'a day later', level: 'info' },
    ]);
    await atRest(server);
    const page = new LogPage(await visitor.open('?since=2024-02-29&until=1709251200'));
    await page.addressHas('since', '2024-02-29T00:00:00.000000Z');
    await page.addressHas('until', '2024-03-01T00:00:00.000000Z');
    await page.shows(['a leap day']);
    await count(page, '1 log');
}, { context: { timezoneId: 'America/New_York' } });

browserTest('live, too, what lies in the future is not on top', async ({ server, visitor }) => {
    const page = new LogPage(await visitor.open('?live=1'));
    await page.state.waitFor();
    await postLogs(server, [
        { message: 'now', level: 'info' },
        { timestamp: '2031-01-01T00:00:00Z', message: 'later', level: 'info' },
    ]);
    await page.shows(['now']);
    await page.tab.getByRole('link', { name: '1 log lies in the future' }).waitFor();
    await postLogs(server, [{ message: 'now again', level: 'info' }]);
    await page.shows(['now again', 'now']);
});

browserTest(
    'Apply without a change keeps the moments, in the hour that comes twice, too',
    async ({ visitor }) => {
        const since = '2026-10-25T01:30:00.123456Z'; // 2:30 for the second time
        const until = '2026-10-25T01:45:00.987Z';
        const page = new LogPage(await visitor.open(`?since=${since}&until=${until}`));
        await page.state.waitFor();
        const apply = async (to: string): Promise<void> => {
            const times = await page.openTimes();
            if (to) await times.getByLabel('To', { exact: true }).fill(to);
            await times.getByRole('button', { name: 'Apply' }).click();
        };
        await apply('');
        await page.addressHas('since', since);
        await page.addressHas('until', until);
        await apply('2026-10-25 04:00');
        await page.addressHas('until', '2026-10-25T03:00:00.000Z');
        await page.addressHas('since', since);
    },
    { context: { timezoneId: 'Europe/Berlin' } },
);

browserTest(
    'in the hour that comes twice a time has its offset, which it can be written with',
    async ({ server, visitor }) => {
        await postLogs(server, [
            { timestamp: '2026-10-25T00:30:00Z', message: 'summer', level: 'info' },
            { timestamp: '2026-10-25T01:30:00Z', message: 'winter', level: 'info' },
        ]);
        const page = new LogPage(await visitor.open('?since=2026-10-24T22:00:00Z&until=2026-10-25T03:00:00Z'));
        await page.shows(['winter', 'summer']);
        const time = page.row('winter').locator('time');
        assert.equal(await time.innerText(), '2026-10-25 02:30:00.000+01:00');
        const level = (await page.row('winter').locator('.level').boundingBox())!;
        const box = (await time.boundingBox())!;
        assert.ok(box.x + box.width <= level.x, 'the time ends before the level');
        await page.open('summer');
        await page.details.getByText('2026-10-25 02:30:00.000+02:00').waitFor();
        await page.chooseTimes('2026-10-25 02:30:00.000+01:00', '2026-10-25 04:00');
        await page.shows(['winter']);
        await page.addressHas('since', '2026-10-25T01:30:00.000Z');
        assert.equal(await (await page.openTimes()).getByLabel('From').inputValue(), '2026-10-25 02:30:00.000+01:00');
    },
    { context: { timezoneId: 'Europe/Berlin' } },
);

/** Until the row of this log can be seen, and is the one that is marked. */
async function isInSight(page: LogPage, message: string): Promise<void> {
    const row = page.tab.locator('[data-testid=log-row][aria-selected=true]');
    await row.getByText(message, { exact: true }).waitFor();
    await eventually(`${message} to be in sight`, async () => {
        const list = (await page.list.boundingBox())!;
        const { y, height } = (await row.boundingBox())!;
        return y >= list.y && y + height <= list.y + list.height;
    });
}

function permalink(page: LogPage): Promise<string | null> {
    return page.details.getByRole('link', { name: /permalink/i }).getAttribute('href');
}

async function opensIn(tab: Page, address: string): Promise<LogPage> {
    await tab.goto(new URL(address, tab.url()).href);
    return new LogPage(tab);
}

browserTest(
    'Show around and Permalink show the log in the list, among very many, too',
    async ({ server, visitor }) => {
        const begin = Date.UTC(2024, 1, 29, 12);
        // 12,000 logs in the minute after it.
        for (let n = 0; n < 14; n++) {
            await postLogs(
                server,
                Array.from({ length: 1000 }, (_, i) => ({
                    timestamp: new Date(begin + (n * 1000 + i) * 5).toISOString(),
                    message: `log ${n * 1000 + i}`,
                    level: 'info',
                })),
            );
        }
        await atRest(server);
        const tab = await visitor.open(`?since=2024-01-01&until=2025-01-01&q=log+2000`);
        let page = new LogPage(tab);
        await page.open('log 2000');
        const link = (await permalink(page))!;
        await page.details.getByRole('button', { name: /show around/i }).click();
        await page.asks('');
        await isInSight(page, 'log 2000');
        const ids = await page.idsFromTop();
        assert.ok(ids.length > 20, 'logs before and after it');

        page = await opensIn(tab, link);
        await isInSight(page, 'log 2000');
        await page.details.waitFor();
        await tab.goBack();
        await isInSight(new LogPage(tab), 'log 2000');
    },
);

browserTest('a log of today is shown in the list of today', async ({ server, visitor }) => {
    await postLogs(
        server,
        Array.from({ length: 900 }, (_, n) => ({
            timestamp: new Date(Date.now() - n * 1000).toISOString(), message: `log ${n}`, level: 'info',
        })),
    );
    await atRest(server);
    const [log] = (await logsOf(server, 'q=log+700')).logs;
    const page = new LogPage(await visitor.open(`?id=${log!.id}`));
    await isInSight(page, 'log 700');
    await page.addressHas('since');
});

for (const timestamp of ['0001-01-01T00:00:00.000001Z', '1969-12-31T23:59:59.5Z', '9999-12-31T23:59:59.999999Z']) {
    browserTest(`Show around and Permalink work at ${timestamp}`, async ({ server, visitor }) => {
        const logs = [{ timestamp, message: 'at the edge', level: 'info' }, { message: 'now', level: 'info' }];
        await postLogs(server, logs);
        await atRest(server);
        const tab = await visitor.open('?range=all');
        let page = new LogPage(tab);
        await page.open('at the edge');
        const link = (await permalink(page))!;
        await page.details.getByRole('button', { name: /show around/i }).click();
        const both = timestamp < '2' ? ['now', 'at the edge'] : ['at the edge', 'now'];
        await page.addressHas('around', '');
        await page.shows(both);
        await isInSight(page, 'at the edge');
        page = await opensIn(tab, link);
        await isInSight(page, 'at the edge');
        await page.addressHas('around', '');
        await page.shows(both);
    });
}

end();
