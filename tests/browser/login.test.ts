/* Logging in at the page: what was asked for is there afterwards, and nothing is lost when a session ends. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import * as path from 'node:path';

import type { Locator, Page, Request } from 'playwright-core';

import { type Lab, type Logmill, eventually, run, runLogmill } from '../support/harness';
import { post } from '../support/http';
import { faults } from './axe';
import { type Scene, Visitor, browserTest, end } from './browser';
import { LogPage } from './log_page';

class Shop {
    private constructor(
        readonly file: string,
        readonly server: Logmill,
        readonly boss: string,
    ) {}

    static async open(lab: Lab, visitor: Visitor, settings: Record<string, string> = {}): Promise<Shop> {
        const shop = await Shop.openEmpty(lab, visitor, settings);
        await shop.send('first');
        return shop;
    }

    static async openEmpty(lab: Lab, visitor: Visitor, settings: Record<string, string> = {}): Promise<Shop> {
        const file = path.join(lab.folder(), 'keys');
        const boss = await keys(file, 'add', 'boss', '--role', 'admin');
        const server = await lab.start({ settings: { KEYS_FILE: file, ...settings } });
        visitor.visits(server);
        return new Shop(file, server, boss);
    }

    add(name: string, role: string, ...more: string[]): Promise<string> {
        return keys(this.file, 'add', name, '--role', role, ...more);
    }

    revoke(name: string): Promise<string> {
        return keys(this.file, 'revoke', name);
    }

    /** Sends it, and waits until it can be read. */
    async send(message: string, level = 'info'): Promise<void> {
        const by = { Authorization: `Bearer ${this.boss}` };
        const sent = await post(this.server, '/log', { message, level, service: 'shop' }, by);
        assert.equal(sent.status, 201, sent.text);
        await eventually('it is stored', async () => {
            const answer = await fetch(`http://127.0.0.1:${this.server.port}/logs/${sent.json().id}`, { headers: by });
            return answer.status === 200;
        });
    }

    /** Until the server has read the file of keys anew, and knows this one or not. */
    async knows(key: string, status: number): Promise<void> {
        await eventually(`the key is told ${status}`, async () => {
            const answer = await fetch(`http://127.0.0.1:${this.server.port}/whoami`, { headers: { 'X-API-Key': key } });
            return answer.status === status;
        });
    }
}

async function keys(file: string, ...args: string[]): Promise<string> {
    const ran = await runLogmill(['keys', ...args], { KEYS_FILE: file });
    assert.equal(ran.code, 0, ran.stderr);
    return ran.stdout.trim();
}

/** The form, as a person finds it. */
class Form {
    readonly dialog: Locator;
    readonly key: Locator;

    constructor(readonly tab: Page) {
        this.dialog = tab.getByRole('dialog', { name: 'Log in' });
        this.key = this.dialog.getByLabel('Key');
    }

    async enter(key: string): Promise<void> {
        await this.key.fill(key);
        await this.key.press('Enter');
    }

    async logIn(key: string): Promise<void> {
        await this.enter(key);
        await this.dialog.waitFor({ state: 'hidden' });
    }
}

const button = (tab: Page, name: string): Locator => tab.getByRole('button', { name, exact: true });

/** What is in the menu for who looks. */
async function inMenu(tab: Page, name: string): Promise<Locator> {
    return (await new LogPage(tab).openMenu()).getByRole('button', { name, exact: true });
}

browserTest('who has a key logs in and sees what was asked for, also after a reload', async ({ lab, visitor }) => {
    const shop = await Shop.open(lab, visitor);
    const anna = await shop.add('anna', 'read', '--only', 'level:info', '--expires', '90d');
    await shop.knows(anna, 200);
    await shop.send('second', 'error');
    const tab = await visitor.open('?query=first');
    const page = new LogPage(tab);
    const form = new Form(tab);
    await form.dialog.waitFor();
    assert.equal(await form.key.getAttribute('type'), 'password');
    assert.equal(await form.key.getAttribute('autocomplete'), 'current-password');
    assert.equal(await page.rows.count(), 0);
    // It cannot be passed by.
    await tab.keyboard.press('Escape');
    await tab.keyboard.press('Escape');
    await form.dialog.waitFor();

    await form.enter(`${anna}x`);
    await form.dialog.getByRole('alert').getByText('unknown, has expired or was revoked').waitFor();
    assert.equal(await form.key.inputValue(), '');
    assert.ok(await form.key.evaluate((element) => element === document.activeElement));
    await form.logIn(anna);
    await page.shows(['first']);
    await page.asks('first');
    await tab.getByTestId('count').getByText('1 log').waitFor();
    await page.openMenu();
    assert.equal(await tab.getByTestId('who').innerText(), 'anna read');
    assert.match((await tab.getByTestId('who').getAttribute('title'))!, /^sees level:info, until 20/);
    // No script of the page, nor what it keeps, has the key or the cookie.
    assert.equal(await tab.evaluate(() => document.cookie), '');
    assert.doesNotMatch(await tab.evaluate(() => JSON.stringify([localStorage, sessionStorage])), /lm_/);

    await tab.reload();
    await page.shows(['first']);
    await tab.goto(new URL('/', tab.url()).href);
    await page.shows(['first']); // --only leaves the other out
    const other = await visitor.open();
    await new LogPage(other).shows(['first']);
});

browserTest('live tails, downloads and open logs work for who is logged in', async ({ lab, visitor }) => {
    const shop = await Shop.open(lab, visitor);
    const tab = await visitor.open('?live=1');
    const page = new LogPage(tab);
    await new Form(tab).logIn(shop.boss);
    await tab.getByText('live', { exact: true }).waitFor();
    await page.shows(['first']);
    await shop.send('came live');
    await page.row('came live').waitFor();
    const link = await page.downloadLink('NDJSON');
    const [file] = await Promise.all([tab.waitForEvent('download'), link.click()]);
    assert.match(readFileSync(await file.path(), 'utf8'), /came live/);
    await page.open('first');
    await page.details.getByText('shop').first().waitFor();
});

browserTest('a session that ends in the midst shows the form and loses nothing', async ({ lab, visitor }) => {
    const shop = await Shop.open(lab, visitor);
    const anna = await shop.add('anna', 'read');
    await shop.knows(anna, 200);
    for (let n = 0; n < 3; n++) await shop.send(`log ${n}`);
    // Nothing but the tail is asked for by itself.
    const tab = await visitor.open('?live=1&query=level:info&range=all');
    const page = new LogPage(tab);
    const form = new Form(tab);
    await form.logIn(anna);
    await page.row('log 2').waitFor();
    await page.open('log 1');
    await shop.revoke('anna');
    await shop.knows(anna, 401);
    await form.dialog.getByText('Your session has ended').waitFor(); // by its tail
    assert.equal(await page.rows.count(), 4);
    assert.ok(await page.details.isVisible());
    await shop.send('meanwhile');

    // The name is the same, the key another.
    const again = await shop.add('anna', 'read');
    await shop.knows(again, 200);
    await tab.evaluate(() => ((globalThis as any).wasHere = true));
    await form.logIn(again);
    await page.row('meanwhile').waitFor();
    assert.ok(await page.details.isVisible());
    await page.asks('level:info');
    assert.equal(await tab.evaluate(() => (globalThis as any).wasHere), true);
    await shop.send('goes on');
    await page.row('goes on').waitFor();
});

browserTest('what one has seen is not shown to another who logs in', async ({ lab, visitor }) => {
    const shop = await Shop.open(lab, visitor);
    const anna = await shop.add('anna', 'read');
    const bob = await shop.add('bob', 'read', '--only', 'level:error');
    await shop.knows(bob, 200);
    await shop.send('for bob', 'error');
    const tab = await visitor.open('?live=1&range=all');
    const page = new LogPage(tab);
    const form = new Form(tab);
    await form.logIn(anna);
    await page.shows(['for bob', 'first']);
    await shop.revoke('anna');
    await shop.knows(anna, 401);
    await form.dialog.waitFor();
    assert.equal(await page.rows.count(), 2); // the same screen, as yet
    await form.enter(bob);
    await page.shows(['for bob']);
});

/** Also if the form is there already, by something that the page has asked for of itself. */
async function readAnew(tab: Page): Promise<void> {
    await button(tab, 'Reload').dispatchEvent('click');
}

browserTest('who logs out has to log in again, in every tab', async ({ lab, visitor }) => {
    const shop = await Shop.open(lab, visitor);
    const tab = await visitor.open('?query=first');
    const page = new LogPage(tab);
    await new Form(tab).logIn(shop.boss);
    await page.shows(['first']);
    const other = await visitor.open();
    await new LogPage(other).shows(['first']);
    await (await inMenu(tab, 'Log out')).click();
    await new Form(tab).dialog.waitFor();
    assert.equal(await page.rows.count(), 0);
    await page.asks('first');
    await readAnew(other);
    await new Form(other).dialog.waitFor();
    // One tab logs in for all.
    await new Form(tab).logIn(shop.boss);
    await new Form(other).dialog.waitFor({ state: 'hidden' });
    await new LogPage(other).shows(['first']);
});

browserTest('the cookie of a session that has ended goes before the form comes', async ({ lab, visitor }) => {
    const shop = await Shop.open(lab, visitor);
    const tab = await visitor.open();
    const form = new Form(tab);
    await form.logIn(shop.boss);
    await new LogPage(tab).shows(['first']);
    let letGo = (): void => {};
    const hold = new Promise<void>((done) => (letGo = done));
    await tab.route('**/logout', async (route) => {
        await hold;
        await route.continue();
    });
    const leaves = tab.waitForRequest('**/logout');
    const [cookie] = await visitor.context.cookies();
    await visitor.context.addCookies([{ ...cookie!, value: 'gone' }]);
    await readAnew(tab);
    await leaves;
    assert.equal(await form.dialog.isVisible(), false);
    letGo();
    await form.logIn(shop.boss);
    await new LogPage(tab).shows(['first']);
});

browserTest('a tab that lets go of its cookie late goes on with what another tab has logged in for', async ({ lab, visitor }) => {
    const shop = await Shop.open(lab, visitor);
    const tab = await visitor.open();
    await new Form(tab).logIn(shop.boss);
    const late = await visitor.open();
    await new LogPage(late).shows(['first']);
    let letGo = (): void => {};
    const hold = new Promise<void>((done) => (letGo = done));
    await late.route('**/logout', async (route) => {
        await hold;
        await route.fulfill({ status: 204 });
    });
    const leaves = late.waitForRequest('**/logout');
    const [cookie] = await visitor.context.cookies();
    await visitor.context.addCookies([{ ...cookie!, value: 'gone' }]);
    await readAnew(late);
    await leaves;
    await readAnew(tab);
    await new Form(tab).logIn(shop.boss);
    assert.equal(await new LogPage(late).rows.count(), 0);
    letGo();
    await new LogPage(late).shows(['first']);
    await new Form(late).dialog.waitFor({ state: 'hidden' });
});

browserTest('where everybody may read, logging in is offered and not asked for', async ({ lab, visitor }) => {
    const shop = await Shop.open(lab, visitor, { ANONYMOUS: 'read', HOST: '0.0.0.0' });
    const tab = await visitor.open();
    const page = new LogPage(tab);
    const form = new Form(tab);
    await page.shows(['first']);
    assert.match(await tab.getByTestId('everybody').innerText(), /^Everybody .* may read logs without a key\.$/);
    await (await inMenu(tab, 'Log in')).click();
    await form.dialog.waitFor();
    await button(tab, 'Go on without a key').click();
    await form.dialog.waitFor({ state: 'hidden' });
    await (await inMenu(tab, 'Log in')).click();
    await tab.keyboard.press('Escape');
    await form.dialog.waitFor({ state: 'hidden' });
    await (await inMenu(tab, 'Log in')).click();
    await form.enter(shop.boss);
    await page.openMenu();
    await tab.getByTestId('who').getByText('boss').waitFor();
    await page.shows(['first']);
    // A cookie that does not hold any more is told once, and then is none.
    const [cookie] = await visitor.context.cookies();
    await visitor.context.addCookies([{ ...cookie!, value: 'gone' }]);
    await tab.reload();
    await button(tab, 'Go on without a key').click();
    await page.shows(['first']);
    await (await inMenu(tab, 'Log in')).waitFor();
    assert.deepEqual(await visitor.context.cookies(), []);
});

browserTest('a key that may not read logs nobody in', async ({ lab, visitor }) => {
    const shop = await Shop.open(lab, visitor);
    const writer = await shop.add('agents', 'write');
    await shop.knows(writer, 200);
    const tab = await visitor.open();
    const form = new Form(tab);
    await form.enter(writer);
    await form.dialog.getByRole('alert').getByText('“agents” may send logs, but not read them').waitFor();
    await eventually('no cookie', async () => (await visitor.context.cookies()).length === 0);
});

browserTest('without keys nobody is asked, and who reaches it is told who may', async ({ lab, visitor }) => {
    const tab = await visitor.open();
    await new LogPage(tab).isIn('empty');
    assert.equal(await (await inMenu(tab, 'Log in')).count(), 0);
    assert.equal(await tab.getByTestId('everybody').count(), 0);
    await tab.close();
    const open = await lab.start({ settings: { HOST: '0.0.0.0' } });
    visitor.visits(open);
    const there = await visitor.open();
    await there.getByTestId('everybody').getByText('may read and write logs without a key').waitFor();
    assert.equal(await (await inMenu(there, 'Log in')).count(), 0);
});

browserTest('where there are no logs, only who may send one is shown how', async ({ lab, visitor }) => {
    const shop = await Shop.openEmpty(lab, visitor, { ANONYMOUS: 'read' });
    const anna = await shop.add('anna', 'read');
    await shop.knows(anna, 200);
    const tab = await visitor.open();
    const page = new LogPage(tab);
    const form = new Form(tab);
    const curl = tab.getByTestId('curl');
    await page.state.getByText('There are none yet that may be read without a key.').waitFor();
    assert.equal(await curl.count(), 0);
    await (await inMenu(tab, 'Log in')).click();
    await form.logIn(anna);
    await page.state.getByText('There are none yet that the key “anna” may read.').waitFor();
    assert.equal(await curl.count(), 0);
    await (await inMenu(tab, 'Log out')).click();
    await page.state.getByText('without a key').waitFor();
    await (await inMenu(tab, 'Log in')).click();
    await form.logIn(shop.boss);
    const ran = await run(['sh', '-c', `LOGMILL_KEY=${shop.boss}; ${await curl.innerText()}`]);
    assert.match(ran.stdout, /"status":"queued"/, ran.stderr);
    await page.shows(['hello, logmill']);
});

/** Presses what can be pressed and is not in `pressed`, until nothing new is there, and asks for what links lead to. */
async function pressAll(tab: Page, pressed: Set<string>, prepare: (isFresh: boolean) => Promise<void>): Promise<void> {
    let isFresh = true;
    for (let presses = 0; presses < 150; presses++) {
        await prepare(isFresh);
        const name = await tab.evaluate(async (pressed) => {
            const within = document.querySelector('dialog[open]') ?? document;
            for (const control of within.querySelectorAll<HTMLElement>('button:enabled, a[href], summary, [role=checkbox], input[type=checkbox]')) {
                const label = control.getAttribute('aria-label') ?? control.innerText;
                const name = label.split(/[\n:]/)[0]!.trim().replace(/\d+/g, '#'); // each filter but once
                if (!control.checkVisibility() || pressed.includes(name)) continue;
                if (control instanceof HTMLAnchorElement) await (await fetch(control.href)).text();
                else if (name !== 'Log in' && name !== 'Log out') control.click();
                return name;
            }
            document.querySelector<HTMLDialogElement>('dialog[open]')?.close();
            return null;
        }, [...pressed]);
        if (name === null && isFresh) return;
        isFresh = name === null;
        if (name !== null) pressed.add(name);
    }
    assert.fail(`there is always more to press: ${[...pressed].join(', ')}`);
}

for (const isSomebody of [true, false]) {
    const who = isSomebody ? 'who may read some logs' : 'who has no key';
    browserTest(`nothing that the page offers is refused: ${who}`, async ({ lab, visitor }) => {
        const shop = await Shop.open(lab, visitor, { ANONYMOUS: 'read', OPS_ACCESS: 'admin' });
        await shop.send('second', 'error');
        const tab = await visitor.open();
        const page = new LogPage(tab);
        await page.shows(['second', 'first']);
        if (isSomebody) {
            const anna = await shop.add('anna', 'read', '--only', 'level:info');
            await shop.knows(anna, 200);
            await (await inMenu(tab, 'Log in')).click();
            await new Form(tab).logIn(anna);
            await page.shows(['first']);
        }
        const refused: string[] = [];
        const asked = new Set<Request>();
        tab.on('request', (request) => request.url().includes('/tail') || asked.add(request));
        tab.on('requestfinished', (request) => asked.delete(request));
        tab.on('requestfailed', (request) => asked.delete(request));
        tab.on('response', (answer) => [401, 403].includes(answer.status()) && refused.push(`${answer.status()} ${answer.url()}`));
        const offered = new Set<string>();
        const all = `${visitor.origin}?range=all`;
        const nothing = async (): Promise<void> => {};
        const openLog = async (): Promise<void> => {
            if (await page.details.isVisible()) return;
            if ((await page.row('first').count()) === 0) await tab.goto(all);
            await page.open('first');
        };
        for (const [address, show] of [
            [all, nothing], [all, openLog], [all, () => page.openMenu()], [all, () => page.openTimes()],
            [`${all}&tab=patterns`, nothing],
        ] as const) {
            await pressAll(tab, offered, async (isFresh) => {
                if (isFresh) await tab.goto(address, { waitUntil: 'networkidle' });
                await eventually('all is answered', async () => asked.size === 0);
                await show();
            });
        }
        assert.deepEqual(refused, []);
        for (const name of ['logmill', 'NDJSON', 'CSV', 'Save this view…', 'Reload', 'Patterns', 'Copy as curl', 'Without this pattern']) {
            assert.ok(offered.has(name), `${name} of ${[...offered].join(', ')}`);
        }
        assert.equal(offered.has('API'), false);
        assert.equal(offered.has('Log in'), !isSomebody);
        // Whom the server shows itself to, it is offered to.
        if (!isSomebody) {
            await (await inMenu(tab, 'Log in')).click();
            await new Form(tab).logIn(shop.boss);
            await tab.waitForLoadState();
            await (await page.openMenu()).getByRole('link', { name: 'API' }).click();
            await tab.getByText('/logs/tail').first().waitFor();
        }
    });
}

for (const colorScheme of ['light', 'dark'] as const) {
    for (const viewport of [
        { width: 1280, height: 800 },
        { width: 360, height: 740 },
    ]) {
        browserTest(
            `axe finds no serious fault in logging in: ${colorScheme}, ${viewport.width} px wide`,
            async ({ lab, visitor }: Scene) => {
                const shop = await Shop.open(lab, visitor, { ANONYMOUS: 'write', HOST: '0.0.0.0' });
                const tab = await visitor.open();
                const page = new LogPage(tab);
                const form = new Form(tab);
                await form.dialog.waitFor();
                assert.deepEqual(await faults(tab), [], 'the form');
                assert.ok(await page.fitsInWidth(), 'the form');
                await form.enter('lm_wrong');
                await form.dialog.getByRole('alert').getByText('unknown').waitFor();
                assert.deepEqual(await faults(tab), [], 'a wrong key');
                await form.logIn(shop.boss);
                await page.shows(['first']);
                await tab.getByTestId('everybody').waitFor();
                assert.deepEqual(await faults(tab), [], 'logged in');
                assert.ok(await page.fitsInWidth(), 'logged in');
            },
            { context: { colorScheme, viewport, bypassCSP: true } },
        );
    }
}

end();
