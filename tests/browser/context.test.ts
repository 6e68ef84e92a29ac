/* What lies around a log, from error to error, all of a trace, and where values lead. */
import { strict as assert } from 'node:assert';
import * as path from 'node:path';

import { eventually } from '../support/harness';
import { allLogs, atRest, postLogs } from '../support/logs';
import { faults } from './axe';
import { browserTest, end } from './browser';
import { LogPage } from './log_page';

const START = Date.UTC(2026, 2, 4, 14);
const SERVICES = ['pay', 'cart', 'web'];

/** A log a second, of three services on two hosts; every hundredth of pay is an error. */
function logs(count: number): Record<string, unknown>[] {
    return Array.from({ length: count }, (_, n) => ({
        timestamp: new Date(START + n * 1000).toISOString(),
        level: n % 300 === 150 ? 'error' : 'info',
        message: `log ${n}`,
        service: SERVICES[n % 3],
        host: { name: `h${n % 2}` },
        trace_id: `t-${n % 400}`,
    }));
}

async function fill(server: Parameters<typeof postLogs>[0], count = 2000): Promise<void> {
    const all = logs(count);
    for (let at = 0; at < count; at += 1000) {
        await postLogs(server, all.slice(at, at + 1000));
    }
    await atRest(server);
}

/** The numbers of the logs in the DOM, from the top. */
async function numbers(page: LogPage): Promise<number[]> {
    const texts = await page.rows.evaluateAll((rows) =>
        rows
            .map((row) => ({ y: row.getBoundingClientRect().y, text: row.querySelector('[data-testid=message]')!.textContent! }))
            .sort((a, b) => a.y - b.y)
            .map(({ text }) => text),
    );
    return texts.map((text) => Number(/log (\d+)/.exec(text)![1]));
}

function assertSteps(rows: number[], step: number): void {
    assert.deepEqual(rows, rows.map((_, n) => rows[0]! + n * step));
}

/** Until the open log is seen in the list, about in its middle. */
async function isInTheMiddle(page: LogPage, message: string): Promise<void> {
    const row = page.tab.locator('[data-testid=log-row][aria-selected=true]');
    await row.getByText(message, { exact: true }).waitFor();
    await eventually(`${message} in the middle`, async () => {
        const list = (await page.list.boundingBox())!;
        const box = await row.boundingBox();
        return box && box.y > list.y + list.height * 0.2 && box.y < list.y + list.height * 0.8;
    });
}

const sharing = (page: LogPage, name: string) => page.tab.getByRole('button', { name, exact: true });

browserTest('Around shows the log in the middle of its service and host, each of which can be let go', async ({ server, visitor }) => {
    await fill(server);
    const page = new LogPage(await visitor.open('?range=all&query="log 1000"'));
    await page.open('log 1000');
    await page.details.getByRole('button', { name: /show around/i }).click();
    await isInTheMiddle(page, 'log 1000');
    assertSteps(await numbers(page), -6);
    await page.addressHas('around', 'service,host.name');
    await page.addressHas('query');
    await page.addressHas('off', '"log 1000"');
    assert.equal(await sharing(page, 'service: cart').getAttribute('aria-pressed'), 'true');

    await sharing(page, 'service: cart').click();
    await eventually('all of its host', async () => (await numbers(page)).includes(1002));
    await isInTheMiddle(page, 'log 1000');
    assertSteps(await numbers(page), -2);
    await sharing(page, 'host.name: h0').click();
    await eventually('all logs', async () => (await numbers(page)).includes(1001));
    assertSteps(await numbers(page), -1);
    await page.addressHas('around', '');
    await page.tab.reload();
    await isInTheMiddle(page, 'log 1000');
    assertSteps(await numbers(page), -1);

    await page.tab.getByRole('button', { name: 'Back', exact: true }).click();
    await page.shows(['log 1000']);
    await page.addressHas('around');
    await page.addressHas('query', '"log 1000"');
});

browserTest('back from around a log leads to exactly what was asked for, also after a reload and another query', async ({ server, visitor }) => {
    await fill(server);
    const page = new LogPage(await visitor.open('?since=2026-03-04T14:00:00Z&until=2026-03-04T14:30:00Z&query=service:cart "log 1000"&off=level:error'));
    const isBefore = async (): Promise<void> => {
        await page.asks('service:cart "log 1000"');
        await page.addressHas('off', 'level:error');
        await page.addressHas('since', '2026-03-04T14:00:00Z');
        for (const name of ['around', 'center', 'back']) await page.addressHas(name);
    };
    const around = async (): Promise<void> => {
        await page.open('log 1000');
        await page.details.getByRole('button', { name: /show around/i }).click();
        await page.addressHas('off', 'level:error', 'service:cart', '"log 1000"');
        await isInTheMiddle(page, 'log 1000');
        await page.tab.reload();
        await isInTheMiddle(page, 'log 1000');
        await page.search.fill('"log 99"');
        await page.search.press('Enter');
        await page.asks('"log 99"');
    };
    await around();
    await page.tab.getByRole('button', { name: 'Back', exact: true }).click();
    await page.shows(['log 1000']);
    await isBefore();

    await page.closeDetails();
    await around();
    await page.menuButton.click();
    await page.menu.getByRole('button', { name: /Save this view/ }).click();
    await page.menu.getByLabel('Name of the view').fill('mine');
    await page.menu.getByRole('button', { name: 'Save', exact: true }).click();
    await page.menu.getByRole('button', { name: 'mine', exact: true }).click();
    await page.shows(['log 1000']);
    await isBefore();

    await around();
    await page.tab.getByRole('link', { name: 'Patterns' }).click();
    await page.tab.getByTestId('pattern').waitFor();
    await isBefore();
});

browserTest('around a log the list goes on at both ends, and what is seen stays where it is', async ({ server, visitor }) => {
    await fill(server);
    const all = (await allLogs(server)).length;
    const page = new LogPage(await visitor.open('?range=all&query="log 1000"'));
    await page.open('log 1000');
    await page.details.getByRole('button', { name: /show around/i }).click();
    await sharing(page, 'service: cart').click();
    await sharing(page, 'host.name: h0').click();
    await eventually('all logs', async () => (await numbers(page)).includes(1001));
    await page.list.hover();
    for (const [wheel, last] of [[-600, all - 1], [1500, 0], [-1500, all - 1]] as const) {
        let seen = await numbers(page);
        while (!seen.includes(last)) {
            const before = seen;
            await page.tab.mouse.wheel(0, wheel);
            seen = await eventually(`other rows than ${before[0]} to ${before.at(-1)}`, async () => {
                const now = await numbers(page);
                assertSteps(now, -1);
                assert.ok(now.some((n) => before.includes(n)) || Math.abs(wheel) > 1000, `${before[0]} ${now[0]}: a jump`);
                return (now[0] !== before[0] || now.includes(last)) && now;
            });
        }
    }
    await page.tab.keyboard.press('Escape');
    await page.addressHas('center', (await page.query).get('center')!);
    await page.tab.getByRole('button', { name: 'Open it' }).click();
    await page.details.getByText('log 1000', { exact: true }).waitFor();
});

browserTest('around a log a query narrows, and another time leads out', async ({ server, visitor }) => {
    await fill(server);
    const [log] = (await allLogs(server, 'q=log+1000')).filter(({ message }) => message === 'log 1000');
    const page = new LogPage(await visitor.open(`?around=&id=${log!.id}&query=level:error`));
    await eventually('errors around it', async () => {
        const [seen] = [await numbers(page)];
        return seen.includes(1000) && seen.includes(750) && seen.includes(1050) && !seen.includes(999);
    });
    await page.dragOverHistogram(0.2, 0.6);
    await page.addressHas('around');
});

browserTest('around a log of the oldest first, newer ones are below', async ({ server, visitor }) => {
    await fill(server, 400);
    const [log] = (await allLogs(server, 'q=log+200')).filter(({ message }) => message === 'log 200');
    const page = new LogPage(await visitor.open(`?around=service&id=${log!.id}&order=oldest`));
    await isInTheMiddle(page, 'log 200');
    assertSteps(await numbers(page), 3);
});

browserTest('oldest first begins with the oldest, and what comes live stands at the end', async ({ server, visitor }) => {
    await fill(server, 1200);
    const page = new LogPage(await visitor.open('?range=all&order=oldest'));
    await page.row('log 0').waitFor();
    assert.equal((await numbers(page))[0], 0);
    assertSteps(await numbers(page), 1);
    await page.list.hover();
    let seen = await numbers(page);
    while (!seen.includes(1199)) {
        const last = seen.at(-1)!;
        await page.tab.mouse.wheel(0, 1200);
        seen = await eventually('newer rows', async () => {
            const now = await numbers(page);
            assertSteps(now, 1);
            return now.at(-1)! > last && now;
        });
    }
    const live = new LogPage(await visitor.open('?range=all&order=oldest&live=1&query=service:new'));
    await live.state.waitFor();
    for (const message of ['first', 'second', 'third']) {
        await postLogs(server, [{ level: 'info', message, service: 'new' }]);
        await live.row(message).waitFor();
    }
    await live.shows(['first', 'second', 'third']);
});

browserTest('j and k move the open log; n and N lead from error to error, also where the list does not reach', async ({ server, visitor }) => {
    await fill(server);
    const page = new LogPage(await visitor.open('?range=all'));
    const shows = (message: string): Promise<void> =>
        page.details.getByRole('group', { name: 'Message' }).or(page.details.getByLabel('Message')).getByText(message, { exact: true }).waitFor();
    await page.open('log 1990');
    await page.tab.keyboard.press('j');
    await shows('log 1989');
    await page.tab.keyboard.press('k');
    await page.tab.keyboard.press('k');
    await shows('log 1991');
    for (const n of [1950, 1650, 1350]) {
        await page.tab.keyboard.press('n');
        await shows(`log ${n}`);
    }
    await eventually('the row', async () => (await numbers(page)).includes(1350));
    await page.tab.keyboard.press('N');
    await shows('log 1650');
    await page.tab.keyboard.press('N');
    await shows('log 1950');
    await page.tab.keyboard.press('N');
    await page.tab.getByText('No error after 2026-03-04 14:32:30').waitFor();
    await shows('log 1950');
    await page.tab.keyboard.press('Escape');
    await page.tab.getByText(/^No error/).waitFor({ state: 'hidden' });

    // Of what the view asks for, and no other.
    const narrow = new LogPage(await visitor.open('?range=all&query=-"log 1950" -"log 1650"'));
    await narrow.rows.first().waitFor();
    await narrow.tab.keyboard.press('n');
    await narrow.details.getByText('log 1350', { exact: true }).waitFor();
});

browserTest('from oldest first, n leads to newer errors', async ({ server, visitor }) => {
    await fill(server, 1000);
    const page = new LogPage(await visitor.open('?range=all&order=oldest'));
    await page.open('log 3');
    for (const n of [150, 450, 750]) {
        await page.tab.keyboard.press('n');
        await page.details.getByText(`log ${n}`, { exact: true }).first().waitFor();
    }
    await page.tab.keyboard.press('n');
    await page.tab.getByText('No error after 2026-03-04 14:12:30').waitFor();
});

browserTest('all of a trace is shown, wherever it is, in its own time, the oldest first', async ({ server, visitor }) => {
    await fill(server);
    const [log] = (await allLogs(server, 'q=log+1000')).filter(({ message }) => message === 'log 1000');
    const page = new LogPage(await visitor.open(`?id=${log!.id}`));
    await page.details.getByRole('button', { name: /all of this trace/i }).click();
    await page.shows(['log 200', 'log 600', 'log 1000', 'log 1400', 'log 1800']);
    await page.addressHas('query', 'trace_id:t-200');
    await page.addressHas('order', 'oldest');
    await page.addressHas('since', '2026-03-04T14:02:00.000000Z');
    await page.addressHas('until', '2026-03-04T14:31:20.000000Z');
    await page.shows(['log 200', 'log 600', 'log 1000', 'log 1400', 'log 1800']);
    await page.tab.locator('[data-testid=log-row][aria-selected=true]').getByText('log 1000').waitFor();
    await page.chooseRange('all');
    await page.addressHas('range', 'all');
    await eventually('counts of all time', async () => (await page.tab.getByTestId('count').innerText()) === '5 logs');
    await page.addressHas('since');
    await page.tab.goBack();
    await page.tab.goBack();
    await page.addressHas('query');
    await postLogs(server, [{ level: 'info', message: 'without a trace', trace_id: '0000' }]);
    await atRest(server);
    const other = new LogPage(await visitor.open());
    await other.open('without a trace');
    assert.equal(await other.details.getByRole('button', { name: /all of this trace/i }).count(), 0);
});

browserTest(
    'values lead where whoever runs the server says, whatever they hold',
    async ({ server, visitor }) => {
        await postLogs(server, [
            {
                level: 'info',
                message: 'linked',
                trace_id: 'a/b?c#d" onclick=x',
                user: { id: 9007199254740993n.toString() },
                sku: '..',
                url: 'javascript:alert(1)',
            },
        ]);
        await atRest(server);
        const page = new LogPage(await visitor.open());
        await page.open('linked');
        const links = (): Promise<string[]> =>
            page.details.locator('a[target=_blank]').evaluateAll((all) => all.map((a) => a.getAttribute('href')!));
        await eventually('links', async () => (await links()).length === 3);
        assert.deepEqual(await links(), [
            'https://traces.example/a%2Fb%3Fc%23d%22%20onclick%3Dx?from=logmill',
            'https://users.example/9007199254740993',
            'http://x.example/?u=javascript%3Aalert(1)',
        ]);
        for (const link of await page.details.locator('a[target=_blank]').all()) {
            assert.equal(await link.getAttribute('rel'), 'noreferrer noopener');
        }
    },
    {
        settings: {
            LINK_trace_id: 'https://traces.example/{value}?from=logmill',
            LINKS: 'user.id=https://users.example/{value} sku=https://shop.example/a/{value} url=http://x.example/?u={value}',
        },
    },
);

for (const [name, context] of Object.entries({
    wide: { viewport: { width: 1440, height: 900 } },
    phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
})) {
    for (const colorScheme of ['light', 'dark'] as const) {
        browserTest(
            `around a log, the page has no serious faults and fits: ${name}, ${colorScheme}`,
            async ({ server, visitor }) => {
                await fill(server, 300);
                const [log] = (await allLogs(server, 'q=log+150')).filter(({ message }) => message === 'log 150');
                const page = new LogPage(await visitor.open(`?around=service,host.name&center=${log!.id}`));
                await page.row('log 150').waitFor();
                assert.ok(await page.fitsInWidth());
                assert.deepEqual(await faults(page.tab), []);
                const pictures = process.env['PICTURES'];
                if (pictures) {
                    await page.tab.screenshot({ path: path.join(pictures, `around-${name}-${colorScheme}.png`) });
                }
            },
            { context: { ...context, colorScheme, bypassCSP: true } },
        );
    }
}

end();
