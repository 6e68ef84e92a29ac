/* The panel of fields: what there is in the logs that are shown, and the way from a value to its logs. */
import { strict as assert } from 'node:assert';

import type { Page } from 'playwright-core';

import { eventually } from '../support/harness';
import { atRest, postLog, postLogs } from '../support/logs';
import { faults } from './axe';
import { type Scene, browserTest, end } from './browser';
import { FieldsPanel } from './fields_panel';
import { LogPage } from './log_page';

const wide = { context: { viewport: { width: 1440, height: 900 } } };
const narrow = { context: { viewport: { width: 1000, height: 800 } } };
const phone = { context: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true } };

const SHOP = [
    { message: 'one', level: 'info', service: 'pay', http: { status: 200 } },
    { message: 'two', level: 'info', service: 'pay', http: { status: 500 }, retry: true },
    { message: 'three', level: 'error', service: 'cart', http: { status: 500 } },
    { message: 'four', level: 'info', service: 'pay' },
];

async function shop({ server }: Scene): Promise<void> {
    const logs = SHOP.map((log, n) => ({ ...log, timestamp: new Date(Date.now() - n * 1000).toISOString() }));
    await postLogs(server, logs);
    await atRest(server);
}

interface Opened {
    tab: Page;
    page: LogPage;
    fields: FieldsPanel;
}

async function open({ visitor }: Scene, address = ''): Promise<Opened> {
    const tab = await visitor.open(address);
    return { tab, page: new LogPage(tab), fields: new FieldsPanel(tab) };
}

/** Answers whatever part of the panel's questions `answer` has an answer to. */
async function answered(tab: Page, answer: (params: URLSearchParams, asked: number) => unknown): Promise<URLSearchParams[]> {
    const asked: URLSearchParams[] = [];
    await tab.route(/\/logs\/fields\?/, (route) => {
        const params = new URL(route.request().url()).searchParams;
        asked.push(params);
        return route.fulfill({ json: answer(params, asked.length) });
    });
    return asked;
}

/** One field, as the server tells it. */
function fieldOf(path: string, values: Record<string, number>): unknown {
    const logs = Object.values(values).reduce((sum, count) => sum + count, 0);
    const list = Object.entries(values).map(([value, count]) => ({ value, count }));
    return { path, logs, types: { string: logs }, distinct: list.length, values: list, approximate: null };
}

function survey(total: number, fields: unknown[], more: object = {}): unknown {
    return { since: '', until: '', total, fields, approximate: null, next: null, searched_to: null, ...more };
}

browserTest('of one log the panel speaks as of one', async ({ server, visitor }) => {
    await postLogs(server, [{ message: 'alone', level: 'info', service: 'pay' }]);
    await atRest(server);
    const tab = await visitor.open();
    await tab.getByTestId('fields-note').getByText('In 1 log', { exact: true }).waitFor();
    await tab.getByText('1 log · 1 value', { exact: true }).waitFor();
});

browserTest('fields have their share of the logs, and their values unfold with counts', async (scene) => {
    await shop(scene);
    const { fields } = await open(scene);
    await fields.note.getByText('In 4 logs').waitFor();
    assert.deepEqual(await fields.names.allInnerTexts(), ['level', 'service', 'http.status', 'retry']);
    assert.deepEqual(
        await fields.panel.locator('.facet-share').allInnerTexts(), ['100 %', '100 %', '75 %', '25 %'],
    );
    assert.equal(await fields.field('http.status').locator('.facet-type').innerText(), '123');
    assert.deepEqual(await fields.values('level'), ['info 3', 'error 1']);
    await fields.unfold('http.status');
    assert.deepEqual(await fields.values('http.status'), ['500 2', '200 1']);
    await fields.field('http.status').getByText('3 logs · 2 values').waitFor();
    await fields.header('http.status').click();
    assert.equal(await fields.field('http.status').locator('.facet-body').count(), 0);
}, wide);

browserTest('a click on a value includes it, − leaves it out, and another click takes that back', async (scene) => {
    await shop(scene);
    const { page, fields } = await open(scene);
    await fields.unfold('service');
    await fields.include('service', 'pay').click();
    await page.shows(['one', 'two', 'four']);
    await page.addressHas('query', 'service:pay');
    assert.equal(await fields.include('service', 'pay').getAttribute('aria-pressed'), 'true');
    // The numbers are of what is shown now.
    await fields.note.getByText('In 3 logs').waitFor();
    assert.deepEqual(await fields.values('level'), ['info 3']);
    await fields.include('service', 'pay').click();
    await page.addressHas('query');
    await page.shows(['one', 'two', 'three', 'four']);
    await fields.unfold('http.status');
    await fields.exclude('http.status', '500').click();
    await page.addressHas('query', '-http.status:500');
    await page.shows(['one', 'four']);
}, wide);

/** The panel's questions for the values of one field: its path, and the query. */
function askedForValues(tab: Page): string[] {
    const asked: string[] = [];
    tab.on('request', (request) => {
        const { pathname, searchParams } = new URL(request.url());
        const [, path] = /^\/logs\/fields\/(.+)$/.exec(pathname) ?? [];
        if (path) asked.push(`${decodeURIComponent(path)}: ${searchParams.get('query')}`);
    });
    return asked;
}

browserTest('values of a field gather in one chip, and the others stay to be chosen, with their counts', async (scene) => {
    await shop(scene);
    const { tab, page, fields } = await open(scene);
    await fields.unfold('service');
    await fields.include('service', 'pay').click();
    await page.shows(['one', 'two', 'four']);
    await fields.note.getByText('In 3 logs').waitFor();
    assert.deepEqual(await fields.values('service'), ['pay 3', 'cart 1']);
    await fields.field('service').getByText('4 logs · 2 values').waitFor();
    assert.deepEqual(await fields.marked('service'), ['pay']);
    await fields.include('service', 'cart').click();
    await page.addressHas('query', 'service:(pay OR cart)');
    await page.shows(['one', 'two', 'three', 'four']);
    assert.equal(await tab.getByTestId('chip').count(), 1);
    assert.deepEqual(await fields.marked('service'), ['pay', 'cart']);
    await fields.include('service', 'pay').click();
    await page.addressHas('query', 'service:cart');
    await page.shows(['three']);
    assert.deepEqual(await fields.marked('service'), ['cart']);
    assert.deepEqual(await fields.values('service'), ['pay 3', 'cart 1']);
    await fields.include('service', 'cart').click();
    await page.addressHas('query');
    await page.shows(['one', 'two', 'three', 'four']);
    assert.deepEqual(await fields.marked('service'), []);
}, wide);

browserTest('what is left out gathers as well, and can be taken back where it stands', async (scene) => {
    await shop(scene);
    const { page, fields } = await open(scene);
    await fields.unfold('service');
    await fields.exclude('service', 'pay').click();
    await page.addressHas('query', '-service:pay');
    await page.shows(['three']);
    assert.deepEqual(await fields.values('service'), ['pay 3', 'cart 1']);
    assert.deepEqual(await fields.marked('service', 'exclude'), ['pay']);
    await fields.exclude('service', 'cart').click();
    await page.addressHas('query', '-service:(pay OR cart)');
    // No log has any more of it, and it is there all the same.
    await fields.note.getByText('In 0 logs').waitFor();
    assert.deepEqual(await fields.marked('service', 'exclude'), ['pay', 'cart']);
    await fields.exclude('service', 'pay').click();
    await page.addressHas('query', '-service:cart');
    await page.shows(['one', 'two', 'four']);
    // What is asked for is not left out.
    await fields.include('service', 'cart').click();
    await page.addressHas('query', 'service:cart');
    assert.deepEqual([await fields.marked('service'), await fields.marked('service', 'exclude')], [['cart'], []]);
}, wide);

browserTest('counts are of the logs that all else leaves, and what is chosen is listed even if it leaves none', async (scene) => {
    await shop(scene);
    const { page, fields } = await open(scene, '?query=level:error service:pay');
    await page.isIn('nomatch');
    await fields.unfold('service');
    await eventually('the values that errors have', async () => (await fields.values('service')).join() === 'cart 1,pay 0');
    assert.deepEqual(await fields.values('level'), ['info 3', 'error 0']);
    await fields.include('service', 'cart').click();
    await page.addressHas('query', 'level:error service:(pay OR cart)');
    await page.shows(['three']);
    await eventually('levels of both', async () => (await fields.values('level')).join() === 'info 3,error 1');
}, wide);

browserTest('names and values that need quotes, numbers, truths and paths gather, also with what was typed', async (scene) => {
    const { server } = scene;
    await postLogs(server, [
        { message: 'one', level: 'info', 'a b': 'x "y"', n: 1.5, ok: true, path: '/api/users' },
        { message: 'two', level: 'info', 'a b': 'OR', n: -7, ok: false, path: '/api' },
        { message: 'three', level: 'WARN', 'a b': '', n: '1e400', ok: true, path: '/' },
    ].map((log, n) => ({ ...log, timestamp: new Date(Date.now() - n * 1000).toISOString() })));
    // No number of JavaScript is that.
    await fetch(`http://127.0.0.1:${server.port}/log`, {
        method: 'POST', headers: { 'Content-Type': 'application/json' },
        body: `{"message":"four","level":"err","timestamp":"${new Date(Date.now() - 9000).toISOString()}","attributes":{"n":9007199254740993}}`,
    });
    await atRest(server);
    const { tab, page, fields } = await open(scene);
    const gathers = async (query: string, name: string, value: string, wanted: string, shows: string[]): Promise<void> => {
        await page.search.fill(query);
        await page.search.press('Enter');
        await fields.unfold(name);
        await fields.include(name, value).click();
        await page.addressHas('query', wanted);
        await page.shows(shows);
        assert.equal((await fields.marked(name)).length, 2, wanted);
        await tab.getByRole('button', { name: /^Remove filter/ }).click();
        await page.addressHas('query');
        await page.shows(['one', 'two', 'three', 'four']);
    };
    await gathers('"a b":"x \\"y\\""', 'a b', 'OR', '"a b":("x \\"y\\"" OR "OR")', ['one', 'two']);
    await gathers('"a b":OR', 'a b', 'empty', '"a b":("OR" OR "")', ['two', 'three']);
    await gathers('n:9007199254740993', 'n', '-7', 'n:(9007199254740993 OR -7)', ['two', 'four']);
    await gathers('n:"1e400"', 'n', '9007199254740993', 'n:(1e400 OR 9007199254740993)', ['three', 'four']);
    await gathers('ok:true', 'ok', 'false', 'ok:(true OR false)', ['one', 'two', 'three']);
    await gathers('path:/api/users', 'path', '/api', 'path:("/api/users" OR "/api")', ['one', 'two']);
    await gathers('level:error', 'level', 'info', 'level:(error OR info)', ['one', 'two', 'four']);
}, wide);

browserTest('ranges, wildcards and what is asked for twice stay as they are', async (scene) => {
    await shop(scene);
    const { page, fields } = await open(scene, '?query=http.status:>100');
    await fields.unfold('http.status');
    await fields.include('http.status', '500').click();
    await page.addressHas('query', 'http.status:>100 http.status:500');
    await page.shows(['two', 'three']);
    await fields.include('http.status', '200').click();
    await page.addressHas('query', 'http.status:>100 http.status:(500 OR 200)');
    await page.search.fill('service:pa* service:pay service:"pay"');
    await page.search.press('Enter');
    await page.addressHas('query', 'http.status:>100 http.status:(500 OR 200) service:pa* service:pay service:"pay"');
    await fields.unfold('service');
    await eventually('the values that are shown', async () => (await fields.values('service')).join() === 'pay 2');
    await fields.include('service', 'pay').click();
    await page.addressHas('query', 'http.status:>100 http.status:(500 OR 200) service:pa* service:"pay"');
}, wide);

browserTest('back, forward and a chip that is switched off are what is chosen', async (scene) => {
    await shop(scene);
    const { tab, page, fields } = await open(scene);
    await fields.unfold('service');
    await fields.include('service', 'pay').click();
    await fields.include('service', 'cart').click();
    await page.addressHas('query', 'service:(pay OR cart)');
    await tab.goBack();
    await page.addressHas('query', 'service:pay');
    assert.deepEqual(await fields.marked('service'), ['pay']);
    await tab.goForward();
    await eventually('both again', async () => (await fields.marked('service')).join() === 'pay,cart');
    await tab.getByRole('button', { name: /^Switch off/ }).click();
    await page.addressHas('off', 'service:(pay OR cart)');
    await eventually('none is chosen', async () => (await fields.marked('service')).length === 0);
    await fields.include('service', 'cart').click();
    await page.addressHas('query', 'service:cart');
    await page.addressHas('off', 'service:(pay OR cart)');
    await page.shows(['three']);
    // As one opens such an address.
    await tab.reload();
    await fields.unfold('service');
    await eventually('all its values', async () => (await fields.values('service')).join() === 'pay 3,cart 1');
    assert.deepEqual(await fields.marked('service'), ['cart']);
}, wide);

browserTest('the row that is clicked stays under the pointer, whatever becomes of those above it', async (scene) => {
    const logs = Array.from({ length: 40 }, (_, n) => ({ message: `m ${n}`, level: ['info', 'error', 'debug'][n % 3]!, service: `s${n % 4}`, n: n % 7 }));
    await postLogs(scene.server, [...logs, { message: 'alone', level: 'notice', service: 'alone' }]);
    await atRest(scene.server);
    const { tab, page, fields } = await open(scene);
    await fields.unfold('service');
    await fields.note.getByText('In 41 logs').waitFor();
    const row = fields.include('service', 'alone');
    const top = async (): Promise<number> => Math.round((await row.boundingBox())!.y);
    const before = await top();
    await row.click();
    await page.shows(['alone']);
    await fields.note.getByText('In 1 log').waitFor();
    assert.equal(await fields.field('level').locator('.facet-value').count(), 1); // there were four
    assert.equal(await top(), before);
    await row.click();
    await fields.note.getByText('In 41 logs').waitFor();
    assert.equal(await fields.field('level').locator('.facet-value').count(), 4);
    assert.equal(await top(), before);
    // Where the list is scrolled, too, and to its end.
    await tab.setViewportSize({ width: 1440, height: 480 });
    await tab.mouse.move(0, 0);
    await fields.panel.locator('.fields-list').evaluate((list) => list.scrollTo(0, 10_000));
    const low = await top();
    await row.click();
    await fields.note.getByText('In 1 log').waitFor();
    assert.equal(await top(), low);
    // Nothing of it stays once one looks elsewhere.
    await tab.mouse.move(700, 400);
    assert.equal(await fields.panel.locator('.fields-list').evaluate((list: HTMLElement) => list.style.paddingTop + list.style.paddingBottom), '');
}, wide);

browserTest('no more is asked for than the values of each field that has a chip, and nothing twice', async (scene) => {
    await shop(scene);
    // Times that stand still: what is known of them is not old after a while.
    const [since, until] = [-3_600_000, 60_000].map((ms) => new Date(Date.now() + ms).toISOString());
    const { tab, fields } = await open(scene, `?since=${since}&until=${until}`);
    const asked = askedForValues(tab);
    await fields.unfold('service');
    await fields.unfold('http.status');
    await fields.note.getByText('In 4 logs').waitFor();
    await fields.include('service', 'pay').click();
    await fields.note.getByText('In 3 logs').waitFor();
    await fields.include('service', 'cart').click();
    await fields.note.getByText('In 4 logs').waitFor();
    assert.deepEqual(asked, []); // they were known
    await fields.include('http.status', '500').click();
    await fields.note.getByText('In 2 logs').waitFor();
    await eventually('one is asked', async () => asked.length > 0);
    assert.deepEqual(asked, ['service: http.status:500 service:*']);
    // One that is folded has no values to show.
    await fields.header('service').click();
    await fields.header('http.status').click();
    await tab.reload();
    await fields.note.getByText('In 2 logs').waitFor();
    await tab.waitForLoadState('networkidle');
    assert.equal(asked.length, 1);
    await fields.unfold('service');
    await eventually('all its values', async () => (await fields.values('service')).sort().join() === 'cart 1,pay 1');
    assert.deepEqual(asked.slice(1), ['service: http.status:500 service:*']);
}, wide);

browserTest('values that were counted a while ago are counted again, and stand there meanwhile', async (scene) => {
    await shop(scene);
    const { tab, page, fields } = await open(scene, '?query=nothing');
    await tab.clock.install();
    await tab.goto(new URL('/', tab.url()).href);
    await eventually('the fields are there', async () => {
        await tab.clock.runFor(200);
        return (await fields.note.innerText()) === 'In 4 logs';
    });
    await fields.unfold('service');
    const asked = askedForValues(tab);
    let letThrough = (): void => {};
    const wait = new Promise<void>((resolve) => (letThrough = resolve));
    await tab.route(/\/logs\/fields\/service\?/, async (route) => {
        await wait;
        await route.continue();
    });
    await tab.clock.runFor(11_000);
    await postLog(scene.server, { message: 'five', level: 'info', service: 'auth' });
    await atRest(scene.server);
    await fields.include('service', 'cart').click();
    await page.addressHas('query', 'service:cart');
    await eventually('they are asked for', async () => {
        await tab.clock.runFor(200);
        return asked.length === 1;
    });
    assert.deepEqual(await fields.values('service'), ['pay 3', 'cart 1']);
    letThrough();
    await eventually('the new one is there', async () => {
        await tab.clock.runFor(200);
        return (await fields.values('service')).sort().join() === 'auth 1,cart 1,pay 3';
    });
}, wide);

browserTest('values that take long are told as far as they go, and go on', async (scene) => {
    await shop(scene);
    const { tab, fields } = await open(scene, '?query=nothing');
    const asked: URLSearchParams[] = [];
    await tab.route(/\/logs\/fields\/service\?/, (route) => {
        const params = new URL(route.request().url()).searchParams;
        asked.push(params);
        const isFirst = asked.length === 1;
        const values = isFirst ? [{ value: 'pay', count: 60 }, { value: 'cart', count: 40 }] : [{ value: 'cart', count: 50 }];
        const next = isFirst ? { next: 'second', searched_to: '2026-11-27T14:00:00.000000Z' } : { next: null, searched_to: null };
        return route.fulfill({ json: { total: isFirst ? 100 : 50, values, other: null, approximate: null, ...next } });
    });
    await tab.goto(new URL('/?query=service:pay', tab.url()).href);
    const field = await fields.unfold('service');
    await field.getByText('Counted back to 2026-11-27 14:00:00.').waitFor();
    assert.deepEqual(await fields.values('service'), ['pay 60', 'cart 40']);
    await fields.header('service').focus();
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowDown', 'Enter']) await tab.keyboard.press(key); // Go on
    await field.getByText('150 logs · 2 values').waitFor();
    assert.deepEqual(await fields.values('service'), ['cart 90', 'pay 60']);
    assert.equal(await field.getByText('Counted').count(), 0);
    const { cursor, ...second } = Object.fromEntries(asked[1]!);
    assert.deepEqual([cursor, second], ['second', Object.fromEntries(asked[0]!)]);
}, wide);

browserTest('values that there is no room to count are told to be so, and asked for again', async (scene) => {
    await shop(scene);
    const { tab, fields } = await open(scene, '?query=nothing');
    let fails = true;
    await tab.route(/\/logs\/fields\/service\?/, (route) =>
        fails ? route.fulfill({ status: 503, json: { detail: 'no room for it now' } }) : route.continue(),
    );
    await tab.goto(new URL('/?query=service:pay', tab.url()).href);
    const field = await fields.unfold('service');
    await field.getByText('no room for it now').waitFor();
    assert.deepEqual(await fields.values('service'), ['pay 3']); // of the logs that are shown
    fails = false;
    await field.getByRole('button', { name: 'Try again' }).click();
    await eventually('all its values', async () => (await fields.values('service')).join() === 'pay 3,cart 1');
    assert.equal(await field.getByText('no room for it now').count(), 0);
}, wide);

browserTest('by keyboard: Enter on one value after the other gathers them, and the focus stays', async (scene) => {
    await shop(scene);
    const { tab, page, fields } = await open(scene);
    await fields.unfold('service');
    await fields.note.getByText('In 4 logs').waitFor();
    await fields.header('service').focus();
    await tab.keyboard.press('ArrowDown');
    await tab.keyboard.press('Enter');
    await page.shows(['one', 'two', 'four']);
    await fields.note.getByText('In 3 logs').waitFor();
    assert.ok(await fields.include('service', 'pay').evaluate((element) => element === document.activeElement));
    await tab.keyboard.press('ArrowDown');
    await tab.keyboard.press('Enter');
    await page.addressHas('query', 'service:(pay OR cart)');
    await tab.keyboard.press('ArrowRight');
    await tab.keyboard.press('Enter');
    await page.addressHas('query', 'service:pay -service:cart');
    assert.ok(await fields.exclude('service', 'cart').evaluate((element) => element === document.activeElement));
    await fields.panel.getByRole('button', { name: /^pay ?3$/, pressed: true }).waitFor();
    await fields.panel.getByRole('button', { name: 'Leave out cart', exact: true, pressed: true }).waitFor();
}, wide);

browserTest('a field becomes a column beside those that the list has by itself', async (scene) => {
    const logs = Array.from({ length: 20 }, (_, n) => ({ message: `log ${n}`, level: 'info', service: `s${n % 3}`, n }));
    await postLogs(scene.server, logs);
    await atRest(scene.server);
    const { page, fields } = await open(scene);
    await page.rows.first().locator('.cell').waitFor();
    const field = await fields.unfold('n');
    await field.getByRole('button', { name: 'Column' }).click();
    await page.addressHas('column', 'service', 'n');
});

browserTest('a field becomes a column, groups the histogram, and is asked for to be there', async (scene) => {
    await shop(scene);
    const { page, fields } = await open(scene);
    const status = await fields.unfold('http.status');
    await status.getByRole('button', { name: 'Column' }).click();
    await page.addressHas('column', 'service', 'http.status'); // service has one by itself
    await status.getByRole('button', { name: 'Group by' }).click();
    await page.addressHas('by', 'http.status');
    await status.getByRole('button', { name: 'Has it' }).click();
    await page.addressHas('query', 'http.status:*');
    await page.shows(['one', 'two', 'three']);
    // The level has its place in the row and the histogram.
    assert.deepEqual(await fields.field('level').locator('.facet-tools button').allInnerTexts(), ['Group by']);
}, wide);

browserTest('each value leads to as many logs as are counted for it, whatever it holds', async (scene) => {
    const { server } = scene;
    const values: unknown[] = [
        ...['', ' ', '*', '\\"', '(x)', 'OR', '-a', '/a/', '[1 TO 2]', '>=1', 'ä\n\tb', '<img src=x onerror=alert(1)>', '\u202egnp.exe', '\u0000'],
        ...['x'.repeat(256), 'x'.repeat(300), '🙂'.repeat(90), 1.5, 9007199254740993, true, null, 'null', {}, [1, 'two', 'two']],
    ];
    const names = ['a b', 'a"b\\', 'a:b', 'timestamp.x', 'since', '<b>', '-x', '/x', '__proto__', 'a*'];
    await postLogs(server, [
        ...values.map((value) => ({ message: 'value', level: 'info', plain: value })),
        ...names.map((name, n) => ({ message: 'name', level: n < 4 ? name : 'info', attributes: { [name]: 'here' } })),
    ]);
    await atRest(server);
    const { tab, page, fields } = await open(scene);
    await fields.note.getByText(/^In \d/).waitFor(); // not "Looking…"
    let pressed = 0;
    for (const name of await fields.names.allInnerTexts()) {
        const field = await fields.unfold(name);
        const all = field.getByRole('button', { name: 'All values' });
        const isLong = (await field.locator('.facet-body').innerText()).includes('other value');
        if (isLong) {
            await all.click();
            await field.locator('.values.is-all .facet-value').first().waitFor();
        }
        const total = await field.locator('.facet-value').count();
        for (let n = 0; n < total; n++) {
            const row = field.locator('.facet-value').nth(n);
            // In one go, since there are many: its count, and the query that a click leads to.
            const { count, query } = await row.evaluate((row) => {
                const button = row.querySelector<HTMLElement>('button.value-include');
                const count = row.querySelector<HTMLElement>('.value-count')!.innerText;
                button?.click();
                return { count: Number(count), query: button && new URL(location.href).searchParams.get('query') };
            });
            if (query === null) continue; // nothing can ask for it
            const answer = await fetch(`http://127.0.0.1:${server.port}/logs/stats?${new URLSearchParams({ query })}`);
            assert.equal(answer.status, 200, `${query}: ${await answer.clone().text()}`);
            assert.equal(((await answer.json()) as any).total, count, query);
            pressed++;
            await tab.evaluate(() => history.back());
            await eventually('all values are back', async () => !page.query.get('query') && (await field.locator('.facet-value').count()) === total);
        }
        await fields.header(name).click();
    }
    assert.ok(pressed > 30, `${pressed} values were tried`);
    assert.equal(await tab.locator('img, b:not(.who b)').count(), 0);
}, wide);

browserTest('a field is found by a part of its name, and its values by how they begin', async (scene) => {
    const { server } = scene;
    await postLogs(server, Array.from({ length: 60 }, (_, n) => ({
        message: 'm', level: 'info', Path: `/user/${n}`, other: 'x', ...(n < 50 ? { deep: { path: n } } : {}),
    })));
    await atRest(server);
    const { page, fields } = await open(scene);
    await fields.search.fill('PATH');
    await eventually('two are left', async () => (await fields.names.count()) === 2);
    assert.deepEqual(await fields.names.allInnerTexts(), ['Path', 'deep.path']);
    const path = await fields.unfold('Path');
    assert.equal(await path.locator('.facet-value').count(), 10);
    await path.getByText('50 other values').waitFor();
    await path.getByRole('button', { name: 'All values' }).click();
    await eventually('all are there', async () => (await path.locator('.facet-value').count()) === 60);
    await path.getByLabel('Values of Path that begin with').fill('/user/5');
    await eventually('eleven are left', async () => (await path.locator('.facet-value').count()) === 11);
    await fields.include('Path', '/user/59').click();
    await page.addressHas('query', 'Path:"/user/59"');
    await fields.search.fill('nowhere');
    await fields.panel.getByText('No field has such a name').waitFor();
}, wide);

browserTest('the panel is open where there is room, and stays as somebody left it', async (scene) => {
    await shop(scene);
    const { tab, fields } = await open(scene);
    await fields.names.first().waitFor();
    await fields.panel.getByRole('button', { name: 'Close fields' }).click();
    assert.equal(await fields.panel.count(), 0);
    assert.equal(await fields.toggle.getAttribute('aria-expanded'), 'false');
    await tab.reload();
    await new LogPage(tab).row('one').waitFor();
    assert.equal(await fields.panel.count(), 0);
    await fields.toggle.click();
    await fields.names.first().waitFor();
    await tab.setViewportSize({ width: 1000, height: 800 });
    await tab.reload();
    await fields.names.first().waitFor();
}, wide);

browserTest('where there is no room it is closed, and nothing is asked for it', async (scene) => {
    await shop(scene);
    const { tab, page, fields } = await open(scene);
    const asked = await answered(tab, () => survey(0, []));
    await tab.reload();
    await page.row('one').waitFor();
    await tab.waitForLoadState('networkidle');
    assert.deepEqual(asked, []);
    assert.equal(await fields.panel.count(), 0);
}, narrow);

browserTest('on a phone it is a sheet, where values are chosen one after the other, and leads back to the list', async (scene) => {
    await shop(scene);
    const { tab, page, fields } = await open(scene);
    await page.row('one').waitFor();
    await fields.toggle.click();
    await fields.names.first().waitFor();
    assert.ok(await page.fitsInWidth());
    await tab.keyboard.press('Escape');
    await fields.panel.waitFor({ state: 'hidden' });
    assert.ok(await fields.toggle.evaluate((element) => element === document.activeElement));
    await fields.toggle.click();
    await fields.unfold('http.status');
    await fields.include('http.status', '500').tap();
    await fields.panel.getByRole('button', { name: 'Show 2 logs' }).waitFor();
    await fields.include('http.status', '200').tap();
    await fields.panel.getByRole('button', { name: 'Show 3 logs' }).tap();
    await fields.panel.waitFor({ state: 'hidden' });
    await page.addressHas('query', 'http.status:(500 OR 200)');
    await page.shows(['one', 'two', 'three']);
    // It is not there by itself another time.
    await tab.reload();
    await page.shows(['one', 'two', 'three']);
    assert.equal(await fields.panel.count(), 0);
}, phone);

browserTest('nothing is asked for before the list has its first page, and no more for a view that is left', async (scene) => {
    await shop(scene);
    const { tab, page } = await open(scene, '?query=nothing');
    await page.isIn('nomatch');
    let letThrough = (): void => {};
    const first = new Promise<void>((resolve) => (letThrough = resolve));
    await tab.route(/\/logs\?/, async (route) => {
        await first;
        await route.continue();
    });
    const asked: string[] = [];
    const left: string[] = [];
    await tab.route(/\/logs\/fields\?/, (route) => void asked.push(route.request().url())); // and no answer
    tab.on('requestfailed', (request) => request.url().includes('/logs/fields?') && left.push(request.url()));
    await tab.goto(new URL('/?query=service:pay', tab.url()).href);
    await tab.waitForResponse(/\/logs\/stats/);
    await tab.waitForTimeout(500);
    assert.deepEqual(asked, []);
    letThrough();
    await page.row('one').waitFor();
    await eventually('the panel asks', async () => asked.length === 1);
    assert.match(asked[0]!, /query=service%3Apay/);
    await tab.evaluate(() => {
        history.pushState(null, '', '/?query=service:cart');
        dispatchEvent(new PopStateEvent('popstate'));
    });
    await page.shows(['three']);
    await eventually('the first question is given up', async () => left.includes(asked[0]!));
    await eventually('another is asked', async () => asked.length === 2);
}, wide);

browserTest('what was looked at is said, the rest is looked at if asked for, and adds up', async (scene) => {
    await shop(scene);
    const { tab, fields } = await open(scene, '?query=nothing');
    const asked = await answered(tab, (_, n) =>
        n === 1
            ? survey(100, [fieldOf('service', { pay: 80, cart: 20 }), fieldOf('id', Object.fromEntries(Array.from({ length: 25 }, (_, n) => [`v${n}`, 4])))], {
                  next: 'second', searched_to: '2026-11-27T14:00:00.000000Z',
              })
            : survey(50, [fieldOf('service', { pay: 30, auth: 20 }), fieldOf('id', { v0: 1, other: 1 })]),
    );
    await tab.goto(new URL('/', tab.url()).href);
    await fields.note.getByText('In the newest 100 logs, back to 2026-11-27 14:00:00').waitFor();
    await fields.note.getByRole('button', { name: 'Go on' }).click();
    await fields.note.getByText('In 150 logs').waitFor();
    assert.equal(await fields.note.getByRole('button').count(), 0);
    assert.equal(asked[1]!.get('cursor'), 'second');
    // Parts belong together only if they were asked for alike.
    const { cursor: _, ...second } = Object.fromEntries(asked[1]!);
    assert.deepEqual(second, Object.fromEntries(asked[0]!));
    await fields.unfold('service');
    assert.deepEqual(await fields.values('service'), ['pay 110', 'cart 20', 'auth 20']);
    await fields.field('service').getByText('150 logs · 3 values').waitFor();
    assert.equal(await fields.field('service').locator('.facet-share').innerText(), '100 %');
}, wide);

browserTest('what does not add up is told as a bound', async (scene) => {
    await shop(scene);
    const { tab, fields } = await open(scene, '?query=nothing');
    const many = Object.fromEntries(Array.from({ length: 25 }, (_, n) => [`v${n}`, 4]));
    await answered(tab, (_, n) => {
        const field = { ...(fieldOf('user', many) as any), logs: 200, distinct: 50 }; // of which half are listed
        return n === 1 ? survey(200, [field], { next: 'second', searched_to: '2026-11-27T14:00:00Z' }) : survey(1, [fieldOf('user', { new: 1 })]);
    });
    await tab.goto(new URL('/', tab.url()).href);
    await fields.note.getByRole('button', { name: 'Go on' }).click();
    await fields.note.getByText('In 201 logs').waitFor();
    const user = await fields.unfold('user');
    await user.getByText('201 logs · ≥ 50 values').waitFor();
    assert.equal((await fields.values('user'))[0], 'v0 4');
    await user.getByText('≥ 40 other values').waitFor();
    assert.match((await fields.include('user', 'v0').getAttribute('title'))!, /4 logs/);
}, wide);

browserTest('numbers of the view before are greyed at once', async (scene) => {
    await shop(scene);
    const { tab, page, fields } = await open(scene);
    await fields.note.getByText('In 4 logs').waitFor();
    await tab.route(/\/logs\/fields\?/, () => {}); // no answer any more
    await fields.unfold('service');
    await fields.include('service', 'cart').click();
    await page.shows(['three']);
    assert.equal(await fields.panel.locator('.fields-list.is-old').count(), 1);
    assert.equal(await fields.note.innerText(), 'Looking…');
}, wide);

browserTest('a read that fails says why, and is asked for again', async (scene) => {
    await shop(scene);
    const { tab, fields } = await open(scene, '?query=nothing');
    let fails = true;
    await tab.route(/\/logs\/fields\?/, (route) =>
        fails ? route.fulfill({ status: 503, json: { detail: 'no room for it now' } }) : route.continue(),
    );
    await tab.goto(new URL('/', tab.url()).href);
    await fields.note.getByText('no room for it now').waitFor();
    fails = false;
    await fields.note.getByRole('button', { name: 'Try again' }).click();
    await fields.note.getByText('In 4 logs').waitFor();
}, wide);

browserTest('while live it is asked again, and not with each log', async (scene) => {
    const { server } = scene;
    await shop(scene);
    const { tab, page, fields } = await open(scene, '?query=nothing');
    await tab.clock.install();
    let asked = 0;
    tab.on('request', (request) => (asked += Number(request.url().includes('/logs/fields?'))));
    await tab.goto(new URL('/?live=1', tab.url()).href);
    await tab.clock.runFor(1000);
    await eventually('the fields are there', async () => {
        await tab.clock.runFor(200);
        return (await fields.note.innerText()) === 'In 4 logs';
    });
    const before = asked;
    for (let n = 0; n < 3; n++) {
        await postLog(server, { message: `live ${n}`, level: 'debug' });
        await eventually(`live ${n}`, async () => {
            await tab.clock.runFor(200);
            return (await page.row(`live ${n}`).count()) === 1;
        });
    }
    assert.equal(asked, before);
    await eventually('they are of the new logs, too', async () => {
        await tab.clock.runFor(5000);
        return (await fields.note.innerText()) === 'In 7 logs';
    });
    assert.equal(asked, before + 1);
    // Where nothing came, nothing is asked.
    await tab.clock.runFor(120_000);
    assert.equal(asked, before + 1);
}, wide);

browserTest('by keyboard: one stop of Tab, and arrows from there to each value', async (scene) => {
    await shop(scene);
    const { tab, page, fields } = await open(scene);
    await fields.note.getByText('In 4 logs').waitFor();
    await fields.search.focus();
    const focused = (): Promise<string> =>
        tab.evaluate(() => {
            const element = document.activeElement!;
            return element.getAttribute('aria-label') ?? element.querySelector('.facet-path, .value-text')?.textContent ?? element.textContent!;
        });
    await tab.keyboard.press('Tab');
    assert.equal(await focused(), 'Close fields');
    await tab.keyboard.press('Tab');
    assert.equal(await focused(), 'level');
    const goes = async (key: string, to: string): Promise<void> => {
        await tab.keyboard.press(key);
        assert.equal(await focused(), to, key);
    };
    await goes('ArrowDown', 'info');
    await goes('ArrowRight', 'Leave out info');
    await goes('ArrowDown', 'error');
    await goes('ArrowDown', 'service');
    await goes('ArrowRight', 'service'); // unfolds
    await goes('ArrowDown', 'pay');
    await goes('ArrowDown', 'cart');
    await goes('ArrowDown', 'Column');
    await goes('ArrowRight', 'Group by');
    await goes('Home', 'level');
    await goes('ArrowDown', 'info');
    await goes('ArrowDown', 'error');
    await goes('ArrowDown', 'service');
    await goes('ArrowLeft', 'service'); // folds
    assert.equal(await fields.header('service').getAttribute('aria-expanded'), 'false');
    await goes('End', 'retry');
    await goes('Home', 'level');
    // The list of logs is one Tab away, and back leads to where one was.
    await goes('ArrowDown', 'info');
    await tab.keyboard.press('Tab');
    assert.ok(await tab.evaluate(() => !document.activeElement!.closest('#fields')));
    await tab.keyboard.press('Shift+Tab');
    assert.equal(await focused(), 'info');
    await goes('ArrowDown', 'error');
    await tab.keyboard.press('Enter');
    await page.addressHas('query', 'level:error');
    await page.shows(['three']);
}, wide);

browserTest('a thousand fields with a hundred values each can be used', async (scene) => {
    await shop(scene);
    const { tab, fields } = await open(scene, '?query=nothing');
    const values = Object.fromEntries(Array.from({ length: 25 }, (_, n) => [`value ${n}`, 100 - n]));
    await answered(tab, () => survey(5000, Array.from({ length: 1000 }, (_, n) => ({ ...(fieldOf(`field.${n}`, values) as any), distinct: 100 }))));
    await tab.goto(new URL('/', tab.url()).href);
    await fields.note.getByText('In 5,000 logs').waitFor();
    assert.equal(await fields.names.count(), 1000);
    await fields.header('field.0').focus();
    await tab.keyboard.press('End');
    assert.ok(await fields.header('field.999').evaluate((element) => element === document.activeElement));
    await tab.keyboard.press('Enter');
    assert.equal((await fields.values('field.999'))[0], 'value 0 100');
    await fields.search.fill('field.77');
    await eventually('few are left', async () => (await fields.names.count()) === 11);
}, wide);

for (const colorScheme of ['light', 'dark'] as const) {
    for (const viewport of [{ width: 1440, height: 900 }, { width: 390, height: 844 }]) {
        browserTest(
            `axe finds no serious fault in the panel: ${colorScheme}, ${viewport.width} px wide`,
            async (scene) => {
                await postLogs(scene.server, Array.from({ length: 20 }, (_, n) => ({ message: `m ${n}`, level: 'info', user: n })));
                await shop(scene);
                const { tab, page, fields } = await open(scene);
                await page.row('one').waitFor();
                if (viewport.width < 1000) await fields.toggle.click();
                await fields.unfold('service');
                const user = await fields.unfold('user');
                await user.getByRole('button', { name: 'All values' }).click();
                await user.locator('.is-all .facet-value').first().waitFor();
                assert.deepEqual(await faults(tab), []);
                assert.ok(await page.fitsInWidth());
                await fields.include('service', 'pay').hover();
                assert.deepEqual(await faults(tab), [], 'under the pointer');
                await fields.include('service', 'pay').click();
                await fields.exclude('service', 'cart').click();
                await eventually('both are marked', async () =>
                    (await fields.marked('service')).length + (await fields.marked('service', 'exclude')).length === 2);
                await fields.note.getByText('In 3 logs').waitFor();
                assert.deepEqual(await faults(tab), [], 'chosen');
            },
            { context: { colorScheme, viewport, bypassCSP: true } },
        );
    }
}

end();
