/* Following logs as they are stored: live tail. */
import { strict as assert } from 'node:assert';
import { setTimeout as delay } from 'node:timers/promises';

import type { Page, Request } from 'playwright-core';

import { eventually, freePort } from '../support/harness';
import { atRest, postLog, postLogs, stored } from '../support/logs';
import { type Visitor, browserTest, end } from './browser';
import { LogPage } from './log_page';

browserTest(
    'a log that is sent over HTTP arrives in the open page',
    async ({ server, visitor }) => {
        const page = new LogPage(await visitor.open('?live=1'));
        await page.state.waitFor(); // empty
        await postLog(server, { message: 'the first', level: 'info' });
        await page.shows(['the first']);
        await postLog(server, { message: 'the second', level: 'error' });
        await page.shows(['the second', 'the first']);
    },
);

browserTest('only logs that match the filters arrive', async ({ server, visitor }) => {
    const page = new LogPage(await visitor.open('?live=1&level=error&not.attr.host=b'));
    await page.state.waitFor();
    await postLog(server, { message: 'chatter', level: 'info' });
    await postLog(server, { message: 'elsewhere', level: 'error', host: 'b' });
    await postLog(server, { message: 'wanted', level: 'ERROR', host: 'a' });
    await page.shows(['wanted']);
});

browserTest(
    'paused, it counts what is new, and shows it when it goes on',
    async ({ server, visitor }) => {
        await stored(server, await postLog(server, { message: 'old', level: 'info' }));
        const page = new LogPage(await visitor.open('?live=1'));
        await page.shows(['old']);
        await page.pause.click();
        await postLogs(
            server,
            [1, 2, 3].map((n) => ({ message: `new ${n}`, level: 'info' })),
        );
        await page.tab.getByRole('button', { name: /\b3 new\b/ }).waitFor();
        assert.deepEqual(await page.messages(), ['old']);
        await page.resume.click();
        await page.shows(['new 3', 'new 2', 'new 1', 'old']);
    },
);

browserTest(
    'after a restart of the server it goes on without a gap or a repeat',
    async ({ lab, visitor, server }) => {
        const settings = { PORT: String(await freePort()) };
        const dataDir = lab.folder();
        const first = await lab.start({ settings }, dataDir);
        visitor.visits(first);
        const page = new LogPage(await visitor.open('?live=1'));
        await page.state.waitFor();
        await postLog(first, { message: 'before', level: 'info' });
        await page.shows(['before']);
        await first.kill();
        await page.away.waitFor();

        const second = await lab.start({ settings }, dataDir);
        await postLogs(
            second,
            [1, 2, 3].map((n) => ({ message: `after ${n}`, level: 'info' })),
        );
        await page.shows(['after 3', 'after 2', 'after 1', 'before']);
        await page.away.waitFor({ state: 'hidden' });
        assert.ok(server.port !== second.port);
    },
);

browserTest(
    'a burst of 5,000 logs arrives whole and in order, and the page stays small',
    async ({ server, visitor }) => {
        const page = new LogPage(await visitor.open('?live=1'));
        await page.state.waitFor();
        for (let batch = 0; batch < 10; batch++) {
            await postLogs(
                server,
                Array.from({ length: 500 }, (_, n) => ({
                    message: `burst ${batch * 500 + n}`,
                    level: 'info',
                })),
            );
        }
        await eventually(
            'the newest on top',
            async () => (await page.messages())[0] === 'burst 4999',
        );
        const rows = await page.messages();
        assert.deepEqual(
            rows,
            rows.map((_, n) => `burst ${4999 - n}`),
        );
        assert.ok(rows.length < 200, `${rows.length} rows in the DOM`);
    },
);

for (const [data, words] of [
    ['{"missed":1234}', '1,234 logs came too fast'],
    ['{"missed":1234,"at_most":true}', 'Up to 1,234 logs came too fast'],
] as const) {
    browserTest(`what a tail has missed is told: ${data}`, async ({ visitor }) => {
        await visitor.context.route(/\/logs\/tail/, (route) =>
            route.fulfill({
                contentType: 'text/event-stream',
                body: `id: 1-0-0\n\nevent: missed\nid: 2-0-0\ndata: ${data}\n\n`,
            }),
        );
        const page = new LogPage(await visitor.open('?live=1'));
        await page.tab.getByText(words).waitFor();
    });
}

/** Tails that are open now, of all tabs of the visitor. */
function openTails(visitor: Visitor): Set<Request> {
    const open = new Set<Request>();
    const ends = (request: Request): void => void open.delete(request);
    visitor.context.on('request', (request) => {
        if (request.url().includes('/logs/tail')) open.add(request);
    });
    visitor.context.on('requestfinished', ends);
    visitor.context.on('requestfailed', ends);
    return open;
}

/** As a browser tells a tab that another one is in front of it. */
function setHidden(tab: Page, hidden: boolean): Promise<void> {
    return tab.evaluate((hidden) => {
        Object.defineProperty(document, 'hidden', { configurable: true, value: hidden });
        Object.defineProperty(document, 'visibilityState', {
            configurable: true,
            value: hidden ? 'hidden' : 'visible',
        });
        document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
}

browserTest(
    'eight live tabs side by side: each shows all that comes, and the browser has connections left',
    async ({ server, visitor }) => {
        const open = openTails(visitor);
        const pages: LogPage[] = [];
        for (let n = 0; n < 8; n++) {
            const filter = n % 2 === 0 ? '' : '&level=info';
            const page = new LogPage(await visitor.open(`?live=1${filter}`));
            await page.state.waitFor();
            pages.push(page);
        }
        await eventually('two tails', async () => open.size <= 2);
        const messages: string[] = [];
        for (let n = 0; n < 30; n++) {
            messages.unshift(`log ${n}`);
            await postLog(server, { message: `log ${n}`, level: 'info' });
            // Those that just end are counted until the browser says so, which it does when it can.
            await eventually('two tails again', async () => open.size <= 2);
            await delay(100);
        }
        await Promise.all(pages.map((page) => page.shows(messages)));
        await new LogPage(await visitor.open('?range=15m')).shows(messages);
    },
);

browserTest(
    'of many tabs with one view, those that wait for their turn show at once what others read',
    async ({ server, visitor }) => {
        const pages: LogPage[] = [];
        for (let n = 0; n < 6; n++) {
            pages.push(new LogPage(await visitor.open('?live=1')));
            await pages[n]!.state.waitFor();
        }
        await postLog(server, { message: 'first', level: 'info' });
        await Promise.all(pages.map((page) => page.shows(['first'])));
        await delay(5000); // each had its turn
        /** When the row of that number came, by the browser's clock. */
        const cameAt = (page: LogPage, rows: number): Promise<number> =>
            page.tab.evaluate(
                (rows) =>
                    new Promise<number>((resolve) => {
                        const look = (): void => {
                            if (document.querySelectorAll('.row').length === rows) resolve(Date.now());
                            else setTimeout(look, 10);
                        };
                        look();
                    }),
                rows,
            );
        // Those that waited for their turn would have it 1.5 s later, each time; a machine that is busy is so at times.
        const shown = ['first'];
        await eventually('all tabs to show a log within 1.4 s', async () => {
            shown.unshift(`log ${shown.length + 1}`);
            const seen = pages.map((page) => cameAt(page, shown.length));
            await postLog(server, { message: shown[0]!, level: 'info' });
            const times = await Promise.all(seen);
            return Math.max(...times) - Math.min(...times) < 1400;
        });
        for (const page of pages) await page.shows(shown);
    },
);

browserTest(
    'a tab that nobody sees follows nothing, and misses nothing when it is seen again',
    async ({ server, visitor }) => {
        const open = openTails(visitor);
        const page = new LogPage(await visitor.open('?live=1'));
        await page.state.waitFor();
        await eventually('a tail', async () => open.size === 1);
        await setHidden(page.tab, true);
        await eventually('no tail', async () => open.size === 0);
        await postLogs(
            server,
            [1, 2, 3].map((n) => ({ message: `hidden ${n}`, level: 'info' })),
        );
        await postLog(server, { timestamp: '2024-01-01', message: 'of old', level: 'info' });
        await delay(1000);
        assert.equal(open.size, 0);
        await setHidden(page.tab, false);
        await page.shows(['hidden 3', 'hidden 2', 'hidden 1']);
        await postLog(server, { message: 'seen', level: 'info' });
        await page.shows(['seen', 'hidden 3', 'hidden 2', 'hidden 1']);
    },
);

browserTest('a tab that is opened behind another follows when it is seen', async ({ server, visitor }) => {
    const open = openTails(visitor);
    await visitor.context.addInitScript(() => {
        Object.defineProperty(document, 'hidden', { configurable: true, value: true });
    });
    await stored(server, await postLog(server, { message: 'before', level: 'info' }));
    const page = new LogPage(await visitor.open('?live=1'));
    await page.shows(['before']);
    assert.equal(open.size, 0);
    await postLog(server, { message: 'meanwhile', level: 'info' });
    await setHidden(page.tab, false);
    await page.shows(['meanwhile', 'before']);
});

for (const viewport of [{ width: 1280, height: 800 }, { width: 360, height: 740 }]) {
    browserTest(
        `Live and Pause stay under the pointer that has pressed them, ${viewport.width} px wide`,
        async ({ server, visitor }) => {
            await postLogs(server, [{ message: 'a log', level: 'info' }]);
            await atRest(server);
            const page = new LogPage(await visitor.open());
            await page.shows(['a log']);
            const before = await page.live.boundingBox();
            await page.live.click();
            await page.tab.locator('.live-sign').getByText('live', { exact: true }).waitFor();
            assert.deepEqual(await page.live.boundingBox(), before);
            const pause = await page.pause.boundingBox();
            await page.pause.click();
            assert.deepEqual(await page.resume.boundingBox(), pause);
            assert.deepEqual(await page.live.boundingBox(), before);
        },
        { context: { viewport } },
    );
}

end();
