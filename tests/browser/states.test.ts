/* What the page says when there is nothing to show, and what can be taken away from it. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';

import type { Locator, Page } from 'playwright-core';

import { freePort, run } from '../support/harness';
import { allLogs, atRest, postLog, postLogs, stored } from '../support/logs';
import { PostgresServer } from '../support/servers/postgres';
import { Visitor, browserTest, end } from './browser';
import { LogPage } from './log_page';

browserTest(
    'without logs it shows the line that sends a first one, which works',
    async ({ server, visitor }) => {
        const tab = await visitor.open();
        const page = new LogPage(tab);
        await page.isIn('empty');
        const line = await tab.getByTestId('curl').innerText();
        assert.match(line, /^curl /);
        const ran = await run(['sh', '-c', line]);
        assert.equal(ran.code, 0, ran.stderr);
        assert.match(ran.stdout, /"status":"queued"/);
        await page.rows.first().waitFor();
        const [log] = await allLogs(server);
        await page.shows([log!.message]);
    },
);

browserTest('where no log matches it says so, and how to see more', async ({ server, visitor }) => {
    await stored(server, await postLog(server, { message: 'a log', level: 'info' }));
    const tab = await visitor.open('?q=nothing-like-it&level=error');
    const page = new LogPage(tab);
    await page.isIn('nomatch');
    await page.state.getByRole('button', { name: /clear/i }).click();
    await page.shows(['a log']);
});

browserTest('where a field is written with =, and so is a text, the field is offered', async ({ server, visitor }) => {
    await stored(server, await postLog(server, { message: 'a log', level: 'info', service: 'pay', status: 503 }));
    const page = new LogPage(await visitor.open('?query=service%3Dpay status>%3D500'));
    await page.isIn('nomatch');
    await page.state.getByText('“service=pay” is searched for as a text').waitFor();
    await page.state.getByRole('button', { name: 'service:pay', exact: true }).click();
    await page.asks('service:pay status:>=500');
    await page.shows(['a log']);
});

browserTest('where a field is not found, one that is written much like it is offered', async ({ server, visitor }) => {
    await postLogs(server, [{ message: 'one', level: 'info', service: 'x' }, { message: 'two', level: 'info', service: 'y' }]);
    await atRest(server);
    const page = new LogPage(await visitor.open('?query=servce:x one'));
    await page.isIn('nomatch');
    await page.state.getByText('No field “servce” was found').waitFor();
    await page.state.getByRole('button', { name: 'service:x', exact: true }).click();
    await page.asks('service:x one');
    await page.shows(['one']);
});

browserTest('where words are in no message, all attributes are offered, too', async ({ server, visitor }) => {
    await postLogs(server, [{ message: 'one', level: 'info', host: 'paym-2' }, { message: 'two', level: 'info', host: 'web-1' }]);
    await atRest(server);
    const page = new LogPage(await visitor.open('?query=level:info paym-2'));
    await page.isIn('nomatch');
    await page.state.getByText('Words are looked for in messages').waitFor();
    await page.state.getByRole('button', { name: 'level:info any:paym-2', exact: true }).click();
    await page.asks('level:info any:paym-2');
    await page.shows(['one']);
});

browserTest('where logs have stopped it says when the last one came', async ({ server, visitor }) => {
    await postLogs(server, [{ message: 'old', level: 'info', timestamp: new Date(Date.now() - 5.5 * 3_600_000).toISOString() }]);
    await atRest(server);
    const tab = await visitor.open();
    const page = new LogPage(tab);
    const silence = tab.getByTestId('silence');
    await page.row('old').waitFor();
    await silence.getByText('last log 5 h ago', { exact: true }).waitFor();
    await postLogs(server, [{ message: 'new', level: 'info' }]);
    await atRest(server);
    await tab.getByRole('button', { name: 'Reload' }).click();
    await page.row('new').waitFor();
    assert.equal(await silence.count(), 0);
    // Many logs an hour, and none for half an hour.
    const logs = Array.from({ length: 1000 }, (_, n) => ({ message: `busy ${n}`, level: 'info', timestamp: new Date(Date.now() - (31 + n / 100) * 60_000).toISOString() }));
    await postLogs(server, logs);
    await atRest(server);
    await page.search.fill('busy');
    await silence.getByText('last log 31 min ago', { exact: true }).waitFor();
});

browserTest('a first log that comes just after the list was read is shown', async ({ server, visitor }) => {
    // The list is read, and then it is asked whether there is any log at all.
    let isSent = false;
    const isForAny = ({ pathname, searchParams }: URL): boolean =>
        pathname === '/logs' && searchParams.get('limit') === '1' && !searchParams.has('since');
    await visitor.context.route(isForAny, async (route) => {
        if (!isSent) {
            isSent = true;
            await postLog(server, { message: 'the first of all', level: 'info' });
            await atRest(server);
        }
        await route.continue();
    });
    await new LogPage(await visitor.open()).shows(['the first of all']);
});

browserTest('a range of the address that is none is told, as are times that no log can have', async ({ server, visitor }) => {
    await stored(server, await postLog(server, { message: 'a log', level: 'info' }));
    const page = new LogPage(await visitor.open('?range=5y'));
    await page.shows(['a log']);
    await page.tab.getByRole('status').getByText('range=5y is none').waitFor();
    await page.chooseRange('1h');
    await page.tab.getByText('range=5y').waitFor({ state: 'detached' });

    const to = async (address: string): Promise<void> => void (await page.tab.goto(`${new URL('/', page.tab.url()).href}?${address}`));
    await to('range=99999w');
    await page.shows(['a log']);
    await to('since=2026-11-30T00:00:00Z&until=2026-11-29T00:00:00Z');
    await page.isIn('nomatch');
    await page.state.getByText('It ends before it begins').waitFor();
    for (const wrong of ['since=10000-01-01T00:00:00Z', 'until=2026-99-99', 'since=0000-01-01']) {
        await to(wrong);
        await page.isIn('error');
        const [name = ''] = wrong.split('=');
        await page.state.getByText(`${name}: Input should be a valid date`).waitFor();
        await page.tab.getByText(`No histogram: ${name}: Input should be a valid date`).waitFor();
    }
});

browserTest('a filter that the server refuses is explained', async ({ visitor }) => {
    const page = new LogPage(await visitor.open('?since=whenever'));
    await page.isIn('error');
    assert.match(await page.state.innerText(), /since|time/i);
});

browserTest(
    'while the server is away it says so, and goes on by itself',
    async ({ lab, visitor }) => {
        const settings = { PORT: String(await freePort()) };
        const dataDir = lab.folder();
        const first = await lab.start({ settings }, dataDir);
        visitor.visits(first);
        await stored(first, await postLog(first, { message: 'kept', level: 'info' }));
        const page = new LogPage(await visitor.open());
        await page.shows(['kept']);
        await first.kill();
        await page.search.fill('kept');
        await page.search.press('Enter');
        await page.isIn('away');
        await lab.start({ settings }, dataDir);
        await page.shows(['kept']);
    },
);

async function download(tab: Page, link: Locator): Promise<string> {
    const [file] = await Promise.all([tab.waitForEvent('download'), link.click()]);
    return readFileSync(await file.path(), 'utf8');
}

browserTest('what is downloaded is what is shown', async ({ server, visitor }) => {
    await postLogs(
        server,
        Array.from({ length: 1500 }, (_, n) => ({
            message: `log ${n}, "quoted"\nsecond line`,
            level: n % 3 === 0 ? 'error' : 'info',
            n,
        })),
    );
    await atRest(server);
    const tab = await visitor.open('?level=error&not.attr.n=3&range=all');
    const page = new LogPage(tab);
    await page.row('log 1497').waitFor();
    const expected = await allLogs(server, 'level=error&not.attr.n=3');
    assert.equal(expected.length, 499);

    const ndjson = await download(tab, await page.downloadLink('NDJSON'));
    assert.deepEqual(
        ndjson
            .trimEnd()
            .split('\n')
            .map((line) => JSON.parse(line)),
        expected,
    );
    const csv = await download(tab, await page.downloadLink('CSV'));
    for (const log of [expected[0]!, expected[498]!]) {
        assert.ok(csv.includes(log.id), log.id);
    }
    assert.equal(csv.split(', ""quoted""\n').length, expected.length + 1);
});

browserTest('a download has the filter and the time of the view, and around a log its values', async ({ server, visitor }) => {
    const ago = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();
    await postLogs(server, [
        { timestamp: ago(1), level: 'error', message: 'card refused', service: 'pay' },
        { timestamp: ago(2), level: 'info', message: 'card taken', service: 'pay' },
        { timestamp: ago(3), level: 'error', message: 'basket lost', service: 'cart' },
        { timestamp: ago(4), level: 'error', message: 'card lost', service: 'pay' },
        { timestamp: ago(90), level: 'error', message: 'card of before', service: 'pay' },
    ]);
    await atRest(server);
    const page = new LogPage(await visitor.open('?query=level:error card&range=1h&off=service:cart'));
    const messages = async (): Promise<[string[], string[]]> => {
        const ndjson = await download(page.tab, await page.downloadLink('NDJSON'));
        const csv = await download(page.tab, await page.downloadLink('CSV'));
        await page.closeMenu();
        const [head, ...lines] = csv.trimEnd().split(/\r?\n/);
        const place = head!.split(',').indexOf('message');
        return [ndjson.trimEnd().split('\n').map((line) => JSON.parse(line).message), lines.map((line) => JSON.parse(line.split(',')[place]!))];
    };
    const both = (...texts: string[]): [string[], string[]] => [texts, texts];
    await page.shows(['card refused', 'card lost']);
    assert.deepEqual(await messages(), both('card refused', 'card lost'));

    await page.chooseTimes(ago(5), ago(1.5));
    await page.shows(['card lost']);
    assert.deepEqual(await messages(), both('card lost'));

    await page.open('card lost');
    await page.details.getByRole('button', { name: 'Show around' }).click();
    await page.closeDetails();
    await page.shows(['card refused', 'card taken', 'card lost', 'card of before']);
    assert.deepEqual(await messages(), both('card taken', 'card lost'));
});

browserTest('over PostgreSQL it is the same page', async ({ lab, visitor }) => {
    const postgres = await PostgresServer.start(lab);
    const server = await lab.start({ settings: { DATABASE_URL: postgres.url } });
    await postLogs(
        server,
        Array.from({ length: 1200 }, (_, n) => ({
            message: `log ${n}`,
            level: n % 2 === 0 ? 'info' : 'error',
            n,
        })),
    );
    await atRest(server);
    visitor.visits(server);
    const tab = await visitor.open('?range=all&live=1');
    const page = new LogPage(tab);
    await page.row('log 1199').waitFor();
    await postLog(server, { message: 'live', level: 'error' });
    await page.row('live').waitFor();
    await page.open('live');
    await page.details.getByRole('button', { name: 'Filter for level', exact: true }).click();
    await page.asks('level:error');
    const expected = await allLogs(server, 'level=error');
    const messages = await page.messages();
    assert.deepEqual(
        messages,
        expected.slice(0, messages.length).map((log) => log.message),
    );
    const other = new LogPage(
        await (await Visitor.arrive(lab, server)).open(`?id=${expected[600]!.id}`),
    );
    await other.details.getByText(expected[600]!.message).first().waitFor();
    await visitor.context.close();
    await server.stop();
});

end();
