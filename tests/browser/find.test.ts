/* Finding logs: filters, time, and the address that holds them. */
import { strict as assert } from 'node:assert';

import { type Logmill, eventually } from '../support/harness';
import { allLogs, atRest, page as logsOf, postLogs } from '../support/logs';
import { browserTest, end } from './browser';
import { LogPage } from './log_page';

const HOUR = 3_600_000;

/** Three logs an hour ago, one now. */
async function someLogs(server: Logmill): Promise<void> {
    const at = (ms: number): string => new Date(Date.now() - ms).toISOString();
    await postLogs(server, [
        {
            timestamp: at(3000),
            level: 'info',
            message: 'payment taken',
            service: 'pay',
            user: { id: 7 },
        },
        {
            timestamp: at(2000),
            level: 'error',
            message: 'payment refused',
            service: 'pay',
            user: { id: 8 },
        },
        { timestamp: at(1000), level: 'warning', message: 'basket is empty', service: 'shop' },
        {
            timestamp: at(0),
            level: 'error',
            message: 'Basket not found',
            service: 'shop',
            a: 'x&y=z é',
        },
    ]);
    await atRest(server);
}

const NEWEST_FIRST = ['Basket not found', 'basket is empty', 'payment refused', 'payment taken'];

browserTest('logs are filtered by text, by level and by both', async ({ server, visitor }) => {
    await someLogs(server);
    const page = new LogPage(await visitor.open());
    await page.shows(NEWEST_FIRST);

    await page.search.fill('basket');
    await page.search.press('Enter');
    await page.shows(['Basket not found', 'basket is empty']);
    await page.asks('basket');

    await page.toggleLevel('error');
    await page.shows(['Basket not found']);
    await page.asks('level:error basket');

    await page.search.fill('');
    await page.search.press('Enter');
    await page.shows(['Basket not found', 'payment refused']);

    await page.toggleLevel('warning');
    await page.shows(['Basket not found', 'basket is empty', 'payment refused']);
    await page.asks('level:(error OR warning)');
});

browserTest('a value of an open log filters for it, and out', async ({ server, visitor }) => {
    await someLogs(server);
    const page = new LogPage(await visitor.open());
    await page.open('payment taken');
    await page.details.getByRole('button', { name: 'Filter for service', exact: true }).click();
    await page.shows(['payment refused', 'payment taken']);
    await page.asks('service:pay');

    await page.open('payment refused');
    await page.details.getByRole('button', { name: 'Filter out level', exact: true }).click();
    await page.shows(['payment taken']);
    await page.asks('service:pay -level:error');

    await page.chip('service').click();
    await page.asks('-level:error');
    await page.shows(['basket is empty', 'payment taken']);
});

browserTest(
    'a value with special characters is filtered for as it is',
    async ({ server, visitor }) => {
        await someLogs(server);
        const page = new LogPage(await visitor.open());
        await page.open('Basket not found');
        await page.details.getByRole('button', { name: 'Filter for a', exact: true }).click();
        await page.shows(['Basket not found']);
        await page.asks('a:"x&y=z é"');
    },
);

browserTest(
    'the address is the view: another person who opens it sees the same',
    async ({ lab, server, visitor }) => {
        await someLogs(server);
        const page = new LogPage(await visitor.open());
        await page.toggleLevel('error');
        await page.search.fill('payment');
        await page.search.press('Enter');
        await page.shows(['payment refused']);

        const address = new URL(page.tab.url()).search;
        const other = await visitor.friend(lab);
        const theirs = new LogPage(await other.open(address));
        await theirs.shows(['payment refused']);
        assert.equal(await theirs.search.inputValue(), 'payment');
        assert.equal(new URL(theirs.tab.url()).search, address);
        other.verify();
    },
);

browserTest('back and forward go through the views', async ({ server, visitor }) => {
    await someLogs(server);
    const page = new LogPage(await visitor.open());
    await page.shows(NEWEST_FIRST);
    await page.toggleLevel('error');
    await page.shows(['Basket not found', 'payment refused']);
    await page.search.fill('basket');
    await page.search.press('Enter');
    await page.shows(['Basket not found']);

    await page.tab.goBack();
    await page.shows(['Basket not found', 'payment refused']);
    assert.equal(await page.search.inputValue(), '');
    await page.tab.goBack();
    await page.shows(NEWEST_FIRST);
    await page.tab.goForward();
    await page.shows(['Basket not found', 'payment refused']);
});

browserTest('a permalink opens its log, however old', async ({ lab, server, visitor }) => {
    await postLogs(server, [
        {
            timestamp: '2024-02-29T12:00:00Z',
            level: 'info',
            message: 'a leap day',
            deep: { a: [1, { b: null }] },
        },
        ...Array.from({ length: 50 }, (_, n) => ({ level: 'info', message: `later ${n}` })),
    ]);
    await atRest(server);
    const page = new LogPage(await visitor.open('?range=all'));
    await page.search.fill('leap');
    await page.search.press('Enter');
    await page.shows(['a leap day']);
    await page.open('a leap day');
    const link = page.details.getByRole('link', { name: /permalink/i });
    const address = new URL((await link.getAttribute('href'))!, page.tab.url()).search;

    const [log] = (await logsOf(server, 'q=leap')).logs;
    assert.equal(new URLSearchParams(address).get('id'), log!.id);
    const other = new LogPage(await (await visitor.friend(lab)).open(address));
    await other.details.waitFor();
    const text = await other.details.innerText();
    for (const part of ['a leap day', log!.id, 'deep', 'null']) {
        assert.ok(text.includes(part), `${part} in ${text}`);
    }
});

browserTest('a permalink to no log says so', async ({ visitor }) => {
    const page = new LogPage(await visitor.open('?id=01890a5d-ac96-774b-bcce-b302099a8057'));
    await page.tab
        .getByText(/no such log|not found|is not here/i)
        .first()
        .waitFor();
});

browserTest('a drag over the histogram zooms to that time', async ({ server, visitor }) => {
    const start = Date.now() - HOUR;
    await postLogs(
        server,
        Array.from({ length: 60 }, (_, n) => ({
            timestamp: new Date(start + n * 60_000 + 500).toISOString(),
            level: n % 7 === 0 ? 'error' : 'info',
            message: `minute ${n}`,
        })),
    );
    await atRest(server);
    const page = new LogPage(
        await visitor.open(
            `?since=${new Date(start).toISOString()}&until=${new Date(start + HOUR).toISOString()}`,
        ),
    );
    await page.row('minute 59').waitFor();
    await page.dragOverHistogram(0.5, 0.75);
    await page.row('minute 40').waitFor();

    const since = Date.parse(page.query.get('since')!);
    const until = Date.parse(page.query.get('until')!);
    const slack = 3 * 60_000; // it may widen to whole bars
    assert.ok(Math.abs(since - (start + HOUR / 2)) < slack, `since ${page.query.get('since')}`);
    assert.ok(
        Math.abs(until - (start + (HOUR * 3) / 4)) < slack,
        `until ${page.query.get('until')}`,
    );
    const expected = await allLogs(
        server,
        `since=${page.query.get('since')}&until=${page.query.get('until')}`,
    );
    await page.shows(expected.map((log) => log.message));

    await page.tab.goBack();
    await page.row('minute 59').waitFor();
});

browserTest(
    'ranges of time: the last minutes, all of it, or from one time to another',
    async ({ server, visitor }) => {
        await postLogs(server, [
            {
                timestamp: new Date(Date.now() - 40 * 60_000).toISOString(),
                level: 'info',
                message: '40 minutes ago',
            },
            { timestamp: '2024-02-29T12:00:00Z', level: 'info', message: 'a leap day' },
            { level: 'info', message: 'now' },
        ]);
        await atRest(server);
        const page = new LogPage(await visitor.open());
        await page.chooseRange('15m');
        await page.shows(['now']);
        await page.chooseRange('1h');
        await page.shows(['now', '40 minutes ago']);
        await page.chooseRange('all');
        await page.shows(['now', '40 minutes ago', 'a leap day']);
        await page.chooseTimes('2024-02-29T00:00', '2024-03-01T00:00');
        await page.shows(['a leap day']);
    },
);

browserTest(
    'a time that is being written is left alone, whatever becomes known meanwhile',
    async ({ server, visitor }) => {
        await postLogs(server, [
            { timestamp: '2024-02-29T12:00:00Z', level: 'info', message: 'a leap day' },
            { timestamp: '2024-03-29T12:00:00Z', level: 'info', message: 'a month later' },
        ]);
        await atRest(server);
        let count = (): void => {};
        let mayCount = Promise.resolve();
        const hold = (): void => {
            mayCount = new Promise((resolve) => (count = resolve));
        };
        hold();
        await visitor.context.route(/\/logs\/stats/, async (route) => {
            await mayCount;
            await route.continue().catch(() => {});
        });
        const page = new LogPage(await visitor.open('?range=all'));
        await page.shows(['a month later', 'a leap day']);
        const times = await page.openTimes();
        const [from, to] = [times.getByLabel('From'), times.getByLabel('To', { exact: true })];
        await from.fill('2024-02-29T00:00');
        count(); // the ends of "all time" are known by that
        const isCounted = async (): Promise<boolean> => (await to.inputValue()) !== '';
        await eventually('the end of the range', isCounted);
        assert.equal(await from.inputValue(), '2024-02-29T00:00');
        await to.fill('2024-03-01T00:00');
        await times.getByRole('button', { name: 'Apply' }).click();
        await page.shows(['a leap day']);

        await page.openTimes();
        await from.fill('2024-02-01T00:00');
        await page.chooseRange('24h'); // what was written is not wanted any more
        await page.shows([]);
        await page.openTimes();
        const begin = Date.parse(`${(await from.inputValue()).replace(' ', 'T')}Z`);
        assert.ok(begin > Date.now() - 48 * HOUR, await from.inputValue());

        hold();
        await page.chooseRange('all');
        await page.shows(['a month later', 'a leap day']);
        await page.openTimes();
        await from.press('2'); // a beginning, and no whole time yet
        count();
        await eventually('the end of the range', isCounted);
        assert.equal(await from.inputValue(), '2');
    },
);

browserTest('what is typed right after a search has begun is kept', async ({ server, visitor }) => {
    await someLogs(server);
    const page = new LogPage(await visitor.open());
    await page.shows(NEWEST_FIRST);
    await page.search.evaluate(async (input) => {
        const type = (text: string): void => {
            (input as HTMLInputElement).value = text;
            input.dispatchEvent(new InputEvent('input', { bubbles: true }));
        };
        type('payment');
        input.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
        await new Promise((resolve) => setTimeout(resolve, 0)); // sooner than the next frame
        type('payment ta');
    });
    await page.shows(['payment taken']);
    assert.equal(await page.search.inputValue(), 'payment ta');
    await page.asks('payment ta');
});

browserTest(
    'times are shown in UTC or in the zone of the browser',
    async ({ server, visitor }) => {
        await postLogs(server, [
            { timestamp: '2024-02-29T12:34:56.789Z', level: 'info', message: 'a leap day' },
        ]);
        await atRest(server);
        const page = new LogPage(await visitor.open('?range=all'));
        const row = page.row('a leap day');
        await page.chooseZone('UTC');
        assert.match(await row.innerText(), /12:34:56\.789/);
        await page.chooseZone('local');
        assert.match(await row.innerText(), /18:04:56\.789/);
    },
    { context: { timezoneId: 'Asia/Kolkata' } },
);

end();
