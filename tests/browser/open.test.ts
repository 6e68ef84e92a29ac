/* The open log: all that it holds, as a tree, and what can be done with each value of it. */
import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import * as path from 'node:path';
import { promisify } from 'node:util';

import type { Locator, Page } from 'playwright-core';

import { eventually, runLogmill } from '../support/harness';
import { get, post } from '../support/http';
import { atRest, page as logsOf, postLogs } from '../support/logs';
import { type Scene, browserTest, end } from './browser';
import { LogPage, pasted } from './log_page';

const run = promisify(execFile);

const TRACE = ['Error: refused', ...Array.from({ length: 9 }, (_, n) => `    at Orders.step${n} (/srv/${'very/'.repeat(40)}deep.js:${n}:1)`)].join('\n');

async function postJson({ server }: Scene, body: string): Promise<void> {
    assert.equal((await post(server, '/log', body, { 'content-type': 'application/json' })).status, 201);
    await atRest(server);
}

const field = (page: LogPage, name: string): Locator =>
    page.details.locator('.field').filter({ has: page.tab.locator('.field-name', { hasText: new RegExp(`^${name}$`) }) }).first();

const button = (page: LogPage, name: string): Locator => page.details.getByRole('button', { name, exact: true });

/** What `act` copies. */
async function copied(tab: Page, act: () => Promise<void>): Promise<string> {
    await tab.evaluate(() => navigator.clipboard.writeText('nothing'));
    await act();
    return eventually('something is copied', async () => {
        const text = await pasted(tab);
        return text !== 'nothing' && text;
    });
}

async function choose(page: LogPage, of: string, item: string): Promise<void> {
    await button(page, `More for ${of}`).first().click();
    await page.tab.getByRole('menuitem', { name: item }).click();
}

browserTest('objects and arrays fold; values in them are as they were written, and are filtered for by their path', async (scene) => {
    const { server, visitor } = scene;
    await postLogs(server, [{ message: 'another', level: 'info', http: { status: 404 }, tags: ['fast'], items: [{ n: 2 }] }]);
    await postJson(scene, '{"message":"exact","level":"info","http":{"status":500,"deep":{"price":1.10}},"tags":["slow","d b"],"items":[{"n":9007199254740993}]}');
    const page = new LogPage(await visitor.open());
    await page.open('exact');
    assert.match(await field(page, 'status').innerText(), /500/);
    assert.match(await field(page, 'price').innerText(), /1\.10/);
    await button(page, 'http').click();
    assert.equal(await field(page, 'price').count(), 0);
    assert.ok((await field(page, 'http').innerText()).includes('{"status":500,"deep":{"price":1.10}}'));
    // The next log is folded the same way.
    await page.closeDetails();
    await page.open('another');
    assert.equal(await field(page, 'status').count(), 0);
    await button(page, 'http').click();
    await page.closeDetails();

    const finds = async (name: string, term: string): Promise<void> => {
        await button(page, name).first().click();
        await page.addressHas('query', term);
        await page.shows(['exact']);
        await page.tab.goto(visitor.origin);
        await page.shows(['exact', 'another']);
        await page.open('exact');
    };
    await page.open('exact');
    await finds('Filter for http.deep.price', 'http.deep.price:1.10');
    await finds('Filter for items.n', 'items.n:9007199254740993');
    await button(page, 'tags').click();
    await button(page, 'Filter for tags').nth(1).click();
    await page.addressHas('query', 'tags:"d b"');
    await page.shows(['exact']);
    await page.open('exact');
    await button(page, 'Filter out http.status').click();
    await page.shows([]);
    await page.addressHas('query', 'tags:"d b" -http.status:500');
});

browserTest('a value and its path are copied, become a column, and group the histogram', async (scene) => {
    const { visitor } = scene;
    await postJson(scene, '{"message":"exact","level":"info","http":{"price":1.10,"x y":{"a":[1.0]}},"text":"<b>\\u001b[31mred"}');
    await visitor.context.grantPermissions(['clipboard-write']);
    const tab = await visitor.open();
    const page = new LogPage(tab);
    await page.open('exact');
    assert.equal(await copied(tab, () => choose(page, 'http.price', 'Copy value')), '1.10');
    assert.equal(await copied(tab, () => choose(page, 'text', 'Copy value')), '<b>\x1b[31mred');
    assert.equal(await copied(tab, () => choose(page, 'http.x y', 'Copy path')), 'http.x y');
    await choose(page, 'http.price', 'As column');
    await page.addressHas('column', 'http.price');
    assert.equal(await page.row('exact').locator('.cell').innerText(), '1.10');
    await choose(page, 'http.price', 'Remove column');
    await page.addressHas('column', '');
    await choose(page, 'http.price', 'Group by');
    await page.addressHas('by', 'http.price');
    await choose(page, 'http.price', 'Group by level');
    await page.addressHas('by');
    await page.details.waitFor();
});

browserTest('the menu of a value is left by Escape, which gives the focus back and leaves the log open', async (scene) => {
    await postJson(scene, '{"message":"exact","level":"info","k":"v"}');
    const tab = await scene.visitor.open();
    const page = new LogPage(tab);
    await page.open('exact');
    await button(page, 'More for k').focus();
    await tab.keyboard.press('Enter');
    const item = (name: string): Locator => tab.getByRole('menuitem', { name });
    await item('Copy value').waitFor();
    await tab.keyboard.press('ArrowDown');
    assert.ok(await item('Copy path').evaluate((element) => element === document.activeElement));
    await tab.keyboard.press('Escape');
    await item('Copy path').waitFor({ state: 'hidden' });
    assert.ok(await button(page, 'More for k').evaluate((element) => element === document.activeElement));
    await page.details.waitFor();
});

browserTest('by keyboard: Tab stops at one line of the tree, arrows go through all of them', async (scene) => {
    await postJson(scene, '{"message":"exact","level":"info","a":"1","b":{"c":"2"},"d":"3"}');
    const tab = await scene.visitor.open();
    const page = new LogPage(tab);
    await page.open('exact');
    await page.tabTo('Filter for level');
    const focused = (): Promise<string | null> => tab.evaluate(() => document.activeElement!.getAttribute('aria-label') ?? document.activeElement!.textContent);
    const press = async (key: string, now: string): Promise<void> => {
        await tab.keyboard.press(key);
        assert.equal(await focused(), now);
    };
    await press('ArrowRight', 'Filter out level');
    await press('ArrowDown', 'Filter out a');
    await press('ArrowDown', 'More for b');
    await press('ArrowLeft', 'b');
    await tab.keyboard.press('Enter');
    await press('ArrowDown', 'Filter for d'); // what was in b is folded away
    await press('ArrowUp', 'b');
    await tab.keyboard.press('Enter');
    await press('ArrowDown', 'Filter for b.c');
    await press('Tab', 'Filter out b.c');
    await press('Tab', 'More for b.c');
    await tab.keyboard.press('Tab');
    assert.ok(!(await tab.evaluate(() => document.activeElement!.closest('.field'))), await focused() ?? '');
});

browserTest('what can be done with a value is shown where one points or is, and always where nothing can point', async (scene) => {
    await postJson(scene, '{"message":"exact","level":"info","k":"v"}');
    const tab = await scene.visitor.open();
    const page = new LogPage(tab);
    await page.open('exact');
    const opacity = (): Promise<string> => field(page, 'k').locator('.field-tools').evaluate((tools) => getComputedStyle(tools).opacity);
    assert.equal(await opacity(), '0');
    await field(page, 'k').hover();
    assert.equal(await opacity(), '1');
    await page.details.getByLabel('Message', { exact: true }).hover();
    assert.equal(await opacity(), '0');
    await button(page, 'Filter for k').focus();
    assert.equal(await opacity(), '1');

    const phone = await scene.visitor.friend(scene.lab);
    const context = await phone.context.browser()!.newContext({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
    scene.lab.finally(() => context.close());
    const small = new LogPage(await context.newPage());
    await small.tab.goto(scene.visitor.origin);
    await small.row('exact').tap();
    await small.details.waitFor();
    assert.equal(await field(small, 'k').locator('.field-tools').evaluate((tools) => getComputedStyle(tools).opacity), '1');
    const { x, y, width, height } = (await small.details.boundingBox())!;
    assert.deepEqual({ x, y, width, height }, { x: 0, y: 0, width: 390, height: 844 });
    const sizes = await small.details.locator('button').evaluateAll((all) => all.map((one) => one.getBoundingClientRect()).map(({ width, height }) => Math.min(width, height)));
    assert.ok(Math.min(...sizes) >= 22, sizes.join(' '));
    await context.close();
});

browserTest('traces scroll sideways and do not wrap; prose wraps; nothing is a box within the box', async ({ server, visitor }) => {
    await postLogs(server, [
        { message: TRACE, level: 'error' },
        { message: `prose ${'words that go on '.repeat(60)}`, level: 'info', stack: TRACE },
    ]);
    await atRest(server);
    const page = new LogPage(await visitor.open());
    await page.open('refused');
    const message = page.details.getByLabel('Message', { exact: true });
    const scrolls = (element: Locator): Promise<boolean> => element.evaluate((it) => it.scrollWidth > it.clientWidth);
    assert.ok(await scrolls(message));
    const lines = (await message.boundingBox())!.height / 19.5;
    assert.ok(lines < 12, `${lines} lines for 10`);
    assert.equal(await message.evaluate((it) => it.scrollHeight > it.clientHeight + 20), false, 'it does not scroll up and down');
    assert.equal(await message.evaluate((it) => getComputedStyle(it).borderTopWidth), '0px');
    await page.closeDetails();
    await page.open('prose');
    assert.ok(!(await scrolls(message)));
    assert.ok(await scrolls(page.details.getByLabel('Trace')));
    assert.ok(!(await scrolls(page.details)), 'the panel itself does not');
});

browserTest('of a long message the beginning is shown, as far as what was searched for, and all when asked', async ({ server, visitor }) => {
    const long = Array.from({ length: 500 }, (_, n) => `line ${n}${n === 200 ? ' needle' : ''}`).join('\n');
    await postLogs(server, [{ message: long, level: 'info' }]);
    await atRest(server);
    const page = new LogPage(await visitor.open());
    await page.open('line 0');
    const message = page.details.getByLabel('Message', { exact: true });
    assert.ok(!(await message.innerText()).includes('line 100'));
    await page.details.getByRole('button', { name: /show all/i }).click();
    assert.ok((await message.innerText()).endsWith('line 499'));
    await page.tab.goto(`${visitor.origin}?query=needle`);
    await page.open('needle');
    assert.equal(await message.locator('mark').innerText(), 'needle');
});

browserTest('the commands that are copied do what they say, in a real shell', async (scene) => {
    const { server, visitor, lab } = scene;
    const file = path.join(lab.folder(), 'pwned');
    const hostile = `'; touch ${file}; '$(touch ${file})\`touch ${file}\` "x" \\`;
    await postLogs(server, [
        { message: 'exact', level: 'info', k: hostile },
        { message: 'another', level: 'info', k: 'v' },
    ]);
    await atRest(server);
    await visitor.context.grantPermissions(['clipboard-write']);
    const tab = await visitor.open();
    const page = new LogPage(tab);
    await page.open('exact');
    await button(page, 'Filter for k').click();
    await page.shows(['exact']);
    await page.open('exact');
    const { id } = (await logsOf(server, 'q=exact')).logs[0]!;

    const curl = await copied(tab, () => button(page, 'Copy as curl').click());
    assert.ok(!curl.includes('LOGMILL_KEY'), curl);
    assert.equal((await run('bash', ['-c', curl])).stdout, (await get(server, `/logs/${id}`)).text);

    const query = await copied(tab, () => button(page, 'Copy as logmill query').click());
    assert.match(query, /^logmill query --since=24h --url=http:\/\/127\.0\.0\.1:\d+ '/);
    const bin = path.dirname(process.env['LOGMILL_BIN']!);
    const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}` };
    const found = (await run('bash', ['-c', query], { env })).stdout.trim().split('\n');
    assert.deepEqual(found.map((line) => JSON.parse(line).message), ['exact']);
    await assert.rejects(run('ls', [file]), 'nothing else was run');

    assert.equal(await copied(tab, () => button(page, 'Copy message').click()), 'exact');

    const link = await copied(tab, () => button(page, 'Copy link to this log').click());
    assert.equal(link, `${visitor.origin}?id=${id}`);
});

browserTest('around a log the command that is copied finds what lies around it', async ({ server, visitor }) => {
    await postLogs(server, ['pay', 'cart', 'pay', 'pay', 'cart'].map((service, n) => (
        { timestamp: new Date(Date.now() - (n + 1) * 60_000).toISOString(), level: 'info', message: `log ${n}`, service, host: '-h "1"' }
    )));
    await atRest(server);
    await visitor.context.grantPermissions(['clipboard-write']);
    const page = new LogPage(await visitor.open('?query="log 2"'));
    await page.open('log 2');
    await button(page, 'Show around').click();
    await page.shows(['log 0', 'log 2', 'log 3']);
    const { id } = (await logsOf(server, 'q=log%202')).logs[0]!;
    const command = await copied(page.tab, () => button(page, 'Copy as logmill query').click());
    assert.ok(command.startsWith(`logmill query --around=${id} --same=service,host --url=http://127.0.0.1:`), command);
    const bin = path.dirname(process.env['LOGMILL_BIN']!);
    const { stdout } = await run('bash', ['-c', command], { env: { ...process.env, PATH: `${bin}:${process.env['PATH']}` } });
    assert.deepEqual(stdout.trim().split('\n').map((line) => JSON.parse(line).message), (await page.messages()).reverse());

    // With a field let go of.
    await page.tab.getByRole('button', { name: 'service: pay', exact: true }).click();
    await page.shows(['log 0', 'log 1', 'log 2', 'log 3', 'log 4']);
    const wider = await copied(page.tab, () => button(page, 'Copy as logmill query').click());
    assert.match(wider, / --same=host /);
    const more = await run('bash', ['-c', wider], { env: { ...process.env, PATH: `${bin}:${process.env['PATH']}` } });
    assert.equal(more.stdout.trim().split('\n').length, 5);
});

browserTest('where a key is needed, the copied command takes it from the environment and does not hold it', async ({ lab, visitor }) => {
    const file = path.join(lab.folder(), 'keys');
    const added = await runLogmill(['keys', 'add', 'boss', '--role', 'admin'], { KEYS_FILE: file });
    const key = added.stdout.trim();
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    visitor.visits(server);
    const sent = await post(server, '/log', { message: 'exact', level: 'info' }, { Authorization: `Bearer ${key}` });
    assert.equal(sent.status, 201);
    await visitor.context.grantPermissions(['clipboard-write']);
    const tab = await visitor.open();
    const page = new LogPage(tab);
    await tab.getByLabel('Key', { exact: true }).fill(key);
    await tab.keyboard.press('Enter');
    await eventually('the log', async () => {
        if ((await page.rows.count()) > 0) return true;
        await tab.reload();
        return false;
    });
    await page.open('exact');
    const curl = await copied(tab, () => button(page, 'Copy as curl').click());
    assert.ok(!curl.includes(key));
    const { stdout } = await run('bash', ['-c', curl], { env: { ...process.env, LOGMILL_KEY: key } });
    assert.equal(JSON.parse(stdout).message, 'exact');
});

browserTest('the panel is as wide as somebody has made it, by pointer or keyboard', async (scene) => {
    await postJson(scene, '{"message":"exact","level":"info"}');
    const tab = await scene.visitor.open();
    const page = new LogPage(tab);
    await page.open('exact');
    const width = async (): Promise<number> => (await page.details.boundingBox())!.width;
    const edge = tab.getByRole('separator', { name: 'Width of the open log' });
    const before = await width();
    await edge.focus();
    await tab.keyboard.press('ArrowLeft');
    await tab.keyboard.press('ArrowLeft');
    assert.equal(await width(), before + 80);
    const { x, y } = (await page.details.boundingBox())!;
    await tab.mouse.move(x + 4, y + 200);
    await tab.mouse.down();
    await tab.mouse.move(x - 96, y + 220, { steps: 4 });
    await tab.mouse.up();
    const now = await width();
    assert.ok(Math.abs(now - before - 180) <= 6, `${before} to ${now}`);
    await tab.reload();
    await page.details.waitFor();
    assert.equal(await width(), now);
    for (let n = 0; n < 40; n++) await edge.press('ArrowLeft');
    assert.ok((await page.list.boundingBox())!.width >= 250, 'the list stays');
});

end();
