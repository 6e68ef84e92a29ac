/* Rows: who and what a log is of, what was searched for, how bad it is, and all of it in its order. */
import { strict as assert } from 'node:assert';

import type { Locator } from 'playwright-core';

import { eventually } from '../support/harness';
import { post } from '../support/http';
import { atRest, postLogs } from '../support/logs';
import { browserTest, end } from './browser';
import { LogPage } from './log_page';

const ago = (ms: number): string => new Date(Date.now() - ms).toISOString();

/** Logs of a second each, newest first. */
function series(count: number, more: (n: number) => object): Record<string, unknown>[] {
    return Array.from({ length: count }, (_, n) => ({ timestamp: ago(n * 1000), message: `log ${n}`, level: 'info', ...more(n) }));
}

function cells(row: Locator): Promise<string[]> {
    return row.locator('.cell').allInnerTexts();
}

browserTest('columns of the address show values as they were written, and go away and move by the keyboard', async ({ server, visitor }) => {
    const fields = '"service":"pay","n":9007199254740993,"http":{"status":200},"tags":["slow","db"],"strange name":"<b>x</b>"';
    const body = `{"message":"exact","level":"info",${fields}}`;
    assert.equal((await post(server, '/log', body, { 'content-type': 'application/json' })).status, 201);
    await atRest(server);
    const tab = await visitor.open('?column=n&column=http.status&column=tags&column=strange+name&column=none');
    const page = new LogPage(tab);
    const row = page.row('exact');
    await row.waitFor();
    assert.deepEqual(await cells(row), ['9007199254740993', '200', 'slow, db', '<b>x</b>', '']);
    const head = tab.getByRole('group', { name: 'Columns' });
    assert.deepEqual(await head.locator('.head-name').allInnerTexts(), ['n', 'http.status', 'tags', 'strange name', 'none']);

    await head.getByRole('button', { name: 'Move http.status left' }).focus();
    await tab.keyboard.press('Enter');
    await page.addressHas('column', 'http.status', 'n', 'tags', 'strange name', 'none');
    await head.getByRole('button', { name: 'Move tags right' }).focus();
    await tab.keyboard.press('Enter');
    await page.addressHas('column', 'http.status', 'n', 'strange name', 'tags', 'none');
    await head.getByRole('button', { name: 'Remove column none' }).focus();
    await tab.keyboard.press('Enter');
    await page.addressHas('column', 'http.status', 'n', 'strange name', 'tags');
    assert.deepEqual(await cells(row), ['200', '9007199254740993', '<b>x</b>', 'slow, db']);
    await tab.goBack();
    await page.addressHas('column', 'http.status', 'n', 'strange name', 'tags', 'none');
});

browserTest('by itself the list says who: the columns stay while it is scrolled and goes on live', async ({ server, visitor }) => {
    await postLogs(server, series(900, (n) => ({ service: `s${n % 3}`, host: `h${n % 4}`, n })));
    await atRest(server);
    const tab = await visitor.open('?live=1');
    const page = new LogPage(tab);
    await page.row('log 5').waitFor();
    assert.deepEqual(await cells(page.row('log 5')), ['s2', 'h1']);
    assert.equal(await tab.getByRole('group', { name: 'Columns' }).count(), 0, 'no line is taken for their names');

    await postLogs(server, Array.from({ length: 40 }, (_, n) => ({ message: `other ${n}`, level: 'info', zone: `z${n % 2}` })));
    await page.row('other 39').waitFor();
    assert.deepEqual(await cells(page.row('other 39')), ['', '']);
    await page.list.hover();
    await eventually('rows far down, with the same columns', async () => {
        if (!(await page.messages()).includes('log 700')) await tab.mouse.wheel(0, 600);
        return JSON.stringify(await cells(page.row('log 700'))) === '["s1","h0"]';
    });
});

browserTest('what was searched for is marked in the row and in the open log', async ({ server, visitor }) => {
    await postLogs(server, [
        { message: 'Pool exhausted after \x1b[31mpo\x1b[32mol\x1b[0m <b>', level: 'info', timestamp: ago(0) },
        { message: 'first line\nsecond\nthe POOL is here', level: 'error', timestamp: ago(1000) },
        { message: 'another', level: 'info', timestamp: ago(2000) },
    ]);
    await atRest(server);
    const tab = await visitor.open('?query=pool');
    const page = new LogPage(tab);
    await page.row('exhausted').waitFor();
    assert.deepEqual(await page.row('exhausted').locator('mark').allInnerTexts(), ['Pool', 'po', 'ol']);
    // Of many lines that one is shown which has it.
    assert.match(await page.row('first line').innerText(), /first line … the POOL is here\s*\+2 lines/);
    assert.deepEqual(await page.row('first line').locator('mark').allInnerTexts(), ['POOL']);
    await page.row('first line').click();
    await page.details.waitFor();
    assert.deepEqual(await page.details.getByLabel('Message', { exact: true }).locator('mark').allInnerTexts(), ['POOL']);
});

browserTest('how bad a log is stands at its edge in colour, and in words', async ({ server, visitor }) => {
    const levels = ['trace', 'info', 'WARN', 'error', 'fatal', 'audit'];
    await postLogs(server, levels.map((level, n) => ({ message: `of ${level}`, level, timestamp: ago(n * 1000) })));
    await atRest(server);
    const page = new LogPage(await visitor.open());
    await page.rows.nth(5).waitFor();
    const edges = await page.rows.evaluateAll((rows) => rows.map((row) => getComputedStyle(row, '::before').backgroundColor));
    assert.equal(new Set(edges).size, levels.length, edges.join(' '));
    assert.deepEqual(await page.rows.locator('.level').allInnerTexts(), levels);
});

browserTest('where the day changes a line says which comes, by the clock of the view', async ({ server, visitor }) => {
    await postLogs(server, ['2024-03-01T02:00:00Z', '2024-03-01T00:30:00Z', '2024-02-29T22:00:00Z', '2024-02-28T12:00:00Z'].map((timestamp, n) => ({
        timestamp, message: `log ${n}`, level: 'info',
    })));
    await atRest(server);
    const tab = await visitor.open('?range=all&zone=UTC');
    const page = new LogPage(tab);
    const lines = (): Promise<string[]> => page.list.locator('.day, [data-testid=message]').allInnerTexts();
    await page.shows(['log 0', 'log 1', 'log 2', 'log 3']);
    assert.deepEqual(await lines(), ['log 0', 'log 1', 'Thursday 2024-02-29', 'log 2', 'Wednesday 2024-02-28', 'log 3']);
    await tab.goto(`${visitor.origin}?range=all&zone=Asia/Tokyo`);
    await page.shows(['log 0', 'log 1', 'log 2', 'log 3']);
    assert.deepEqual(await lines(), ['log 0', 'log 1', 'log 2', 'Wednesday 2024-02-28', 'log 3']);
});

browserTest('rows that come again have the line of their day, and all below them their place', async ({ server, visitor }) => {
    const begin = Date.UTC(2026, 10, 20, 0, 0, 0);
    const LOGS = 3600;
    const NEXT_DAY = 350; // amid the second page
    const ROW = 24;
    for (let n = 0; n < LOGS; n += 900) {
        await postLogs(server, Array.from({ length: 900 }, (_, i) => ({
            // The newest are of the next day.
            timestamp: new Date(begin - (LOGS - NEXT_DAY - n - i) * 1000).toISOString(), message: `log ${n + i}.`, level: 'info',
        })));
    }
    await atRest(server);
    const tab = await visitor.open('?range=all&zone=utc');
    const page = new LogPage(tab);
    await page.row(`log ${LOGS - 1}.`).waitFor();
    const rowTop = async (message: string): Promise<number> => (await page.row(message).boundingBox())!.y;
    const below = `log ${LOGS - NEXT_DAY - 10}.`;
    const lookThere = (): Promise<number> => page.list.evaluate((list, top) => (list.scrollTop = top), (NEXT_DAY - 5) * ROW);
    await eventually('the change of the day', async () => {
        await lookThere();
        return (await page.row(below).count()) === 1;
    });
    const before = await rowTop(below);
    await eventually('the oldest log', async () => {
        await page.list.evaluate((list) => (list.scrollTop = list.scrollHeight));
        return (await page.row('log 0.').count()) === 1;
    });
    const height = await page.list.evaluate((list) => list.scrollHeight);
    let answer = (): void => {};
    await tab.route(/limit=500&/, async (route) => {
        await new Promise<void>((resolve) => (answer = resolve));
        await route.continue();
    });
    const asked = tab.waitForRequest(/limit=500&/);
    await lookThere();
    await asked;
    await eventually('rows without logs', async () => (await page.rows.count()) === 0);
    answer();
    await page.row(below).waitFor();
    await eventually('the height of before', async () => (await page.list.evaluate((list) => list.scrollHeight)) === height);
    assert.equal(await rowTop(below), before);
});

browserTest('of a message of many lines the row says how many more there are; a click shows them', async ({ server, visitor }) => {
    const message = ['Error: refused', ...Array.from({ length: 11 }, (_, n) => `    at step ${n} (x.js:${n}:1)`)].join('\n');
    await postLogs(server, [{ message, level: 'error' }, { message: 'one\ntwo', level: 'info' }]);
    await atRest(server);
    const page = new LogPage(await visitor.open());
    const row = page.row('refused');
    await row.waitFor();
    assert.equal(await row.getByTestId('message').innerText(), 'Error: refused');
    await page.row('one').getByText('+1 line', { exact: true }).waitFor();
    await row.getByText('+11 lines').click();
    await page.details.getByText('at step 10').waitFor();
});

/** Rows and what is between them, from the top, as far as they are drawn. */
function boxes(page: LogPage): Promise<{ id: string; top: number; bottom: number; message: string }[]> {
    return page.list.evaluate((list) =>
        [...list.querySelectorAll<HTMLElement>('[data-testid=log-row], .day')].map((row) => {
            const { top, bottom } = row.getBoundingClientRect();
            return { id: row.dataset['id'] ?? '', top, bottom, message: row.querySelector('[data-testid=message]')?.textContent ?? '' };
        }),
    );
}

/** Fails if rows overlap, leave gaps, or are not those of the numbers between the first and the last. */
async function inOrder(page: LogPage): Promise<[first: number, last: number]> {
    const drawn = await boxes(page);
    drawn.forEach(({ top }, n) => n > 0 && assert.ok(Math.abs(top - drawn[n - 1]!.bottom) < 1, `a gap at ${n}`));
    const numbers = drawn.filter(({ id }) => id).map(({ message }) => Number(/^log (\d+)/.exec(message)![1]));
    numbers.forEach((number, n) => assert.equal(number, numbers[0]! + n));
    const list = (await page.list.boundingBox())!;
    assert.ok(drawn[0]!.top <= list.y + 1 && drawn.at(-1)!.bottom >= list.y + list.height - 1, 'the list is filled');
    return [numbers[0]!, numbers.at(-1)!];
}

const LINES = 'a line that is long enough to need some room, and more of it than there is in one line of the list: ';

browserTest('whole messages: thousands of rows of many heights scroll by in order, down and up again', async ({ server, visitor }) => {
    const LOGS = 3000;
    const logs = series(LOGS, (n) => ({ message: `log ${n} ${LINES.repeat(n % 5)}${n % 7 === 0 ? '\nand\nlines' : ''}` }));
    for (let n = 0; n < LOGS; n += 1000) await postLogs(server, logs.slice(n, n + 1000));
    await atRest(server);
    const tab = await visitor.open('?range=all&wrap=1');
    const page = new LogPage(tab);
    await page.row('log 0').waitFor();
    const heights = new Set((await boxes(page)).map(({ top, bottom }) => Math.round(bottom - top)));
    assert.ok(heights.size > 3, [...heights].join(' '));
    assert.match(await page.row('log 7').innerText(), /and\nlines/);
    await page.list.hover();
    let [first, last] = await inOrder(page);
    assert.equal(first, 0);
    while (last < LOGS - 1) {
        const seen = last;
        await tab.mouse.wheel(0, 1500);
        [first, last] = await eventually(`rows after ${seen}`, async () => {
            const now = await inOrder(page).catch(() => undefined); // a page may just be fetched
            if (now) assert.ok(now[0] <= seen + 1, `${seen + 1} to ${now[0]} were left out`);
            return now && now[1] > seen && now;
        });
    }
    // Rows that stand in sight do not move when those above are measured.
    while (first > 0) {
        const seen = first;
        await tab.mouse.wheel(0, -4000);
        [first, last] = await eventually(`rows before ${seen}`, async () => {
            const now = await inOrder(page).catch(() => undefined);
            return now && now[0] < seen && now;
        });
    }
});

browserTest('whole messages or one line each: the row at the top stays there', async ({ server, visitor }) => {
    await postLogs(server, series(900, (n) => ({ message: `log ${n} ${LINES.repeat(n % 4)}` })));
    await atRest(server);
    const tab = await visitor.open('?range=all');
    const page = new LogPage(tab);
    await page.row('log 0').waitFor();
    await page.list.evaluate((list) => (list.scrollTop = 24 * 300));
    await page.row('log 300').waitFor();
    const topRow = async (): Promise<string> => {
        const { y } = (await page.list.boundingBox())!;
        return /^log \d+/.exec((await boxes(page)).find(({ bottom }) => bottom > y + 1)!.message)![0];
    };
    assert.equal(await topRow(), 'log 300');
    const wrap = async (search: string): Promise<void> => {
        await tab.evaluate((search) => {
            history.pushState(null, '', search);
            dispatchEvent(new PopStateEvent('popstate'));
        }, search);
    };
    const isWhole = (whole: boolean): Promise<unknown> =>
        eventually('rows of the other kind', async () => {
            const heights = (await boxes(page)).map(({ top, bottom }) => bottom - top);
            return heights.some((height) => height > 30) === whole;
        });
    await wrap('/?range=all&wrap=1');
    await isWhole(true);
    assert.equal(await topRow(), 'log 300');
    await wrap('/?range=all');
    await isWhole(false);
    assert.equal(await topRow(), 'log 300');
});

browserTest('whole messages: what is sought by keyboard comes into sight, however high the rows above are', async ({ server, visitor }) => {
    await postLogs(server, series(600, (n) => ({ message: `log ${n} ${LINES.repeat(1 + (n % 6))}` })));
    await atRest(server);
    const tab = await visitor.open('?range=all&wrap=1');
    const page = new LogPage(tab);
    await page.row('log 0').waitFor();
    await page.list.focus();
    for (let n = 0; n < 60; n++) await tab.keyboard.press('ArrowDown');
    const active = page.list.locator('.is-active');
    await active.getByText('log 59').waitFor();
    const [list, row] = [(await page.list.boundingBox())!, (await active.boundingBox())!];
    assert.ok(row.y >= list.y - 1 && row.y + row.height <= list.y + list.height + 1, JSON.stringify([list, row]));
    await tab.keyboard.press('Enter');
    await page.details.getByText('log 59').first().waitFor();
});

browserTest('a message without end has a row that ends', async ({ server, visitor }) => {
    await postLogs(server, [
        { message: `wide ${'W'.repeat(300_000)}`, level: 'info' },
        { message: `high\n${'x\n'.repeat(50_000)}`, level: 'info' },
    ]);
    await atRest(server);
    const page = new LogPage(await visitor.open('?wrap=1'));
    await page.row('wide').waitFor();
    for (const name of ['wide', 'high']) {
        const { height } = (await page.row(name).boundingBox())!;
        assert.ok(height > 100 && height < 2500, `${name}: ${height}`);
    }
    assert.match(await page.row('high').innerText(), /\+49,9\d\d lines/);
    assert.ok(await page.fitsInWidth());
});

browserTest('a high window is full of rows from the beginning', async ({ server, visitor }) => {
    let mayRead = (): void => {};
    const held = new Promise<void>((resolve) => (mayRead = resolve));
    await visitor.context.route(/\/logs\?/, async (route) => {
        await held; // the list is laid out without logs first
        await route.continue().catch(() => {});
    });
    await postLogs(server, series(300, () => ({})));
    await atRest(server);
    const tab = await visitor.open('?range=all');
    const page = new LogPage(tab);
    await page.list.waitFor();
    mayRead();
    await page.row('log 0').waitFor();
    await eventually('rows down to the end', async () => {
        const { y, height } = (await page.list.boundingBox())!;
        return (await boxes(page)).at(-1)!.bottom >= y + height;
    });
}, { context: { viewport: { width: 1280, height: 2400 } } });

browserTest('where there is little room a row has two lines: the message, and all else', async ({ server, visitor }) => {
    await postLogs(server, series(20, (n) => ({ service: `s${n % 3}`, message: `log ${n} ${LINES}` })));
    await atRest(server);
    const tab = await visitor.open('?range=all');
    const page = new LogPage(tab);
    const lines = async (): Promise<{ height: number; isAbove: boolean }> => {
        const row = page.row('log 3');
        const [box, message, level] = await Promise.all([row, row.getByTestId('message'), row.locator('.level')].map((part) => part.boundingBox()));
        return { height: box!.height, isAbove: message!.y + message!.height <= level!.y + 4 };
    };
    await page.row('log 3').waitFor();
    assert.deepEqual(await lines(), { height: 24, isAbove: false });
    await tab.setViewportSize({ width: 390, height: 800 });
    await eventually('two lines', async () => (await lines()).isAbove);
    assert.equal((await lines()).height, 46);
    assert.deepEqual(await cells(page.row('log 3')), ['s0']);
    assert.ok(await page.fitsInWidth());
});

end();
