/* The menu: views that are kept by name. */
import { strict as assert } from 'node:assert';

import type { Page } from 'playwright-core';

import { eventually } from '../support/harness';
import { atRest, postLogs } from '../support/logs';
import { type Scene, browserTest, end } from './browser';
import { LogPage } from './log_page';

const HOSTILE = '<img src=x onerror=alert(1)>\u202e "x"';
async function shop({ server }: Scene): Promise<void> {
    await postLogs(server, [
        { message: 'one', level: 'error', service: 'pay' },
        { message: 'two', level: 'info', service: 'pay' },
    ].map((log, n) => ({ ...log, timestamp: new Date(Date.now() - (n + 1) * 1000).toISOString() })));
    await atRest(server);
}

class Menu {
    readonly page: LogPage;

    constructor(readonly tab: Page) {
        this.page = new LogPage(tab);
    }

    async save(name: string): Promise<void> {
        const menu = await this.page.openMenu();
        await menu.getByRole('button', { name: 'Save this view…' }).click();
        await menu.getByLabel('Name of the view').fill(name);
        await menu.getByLabel('Name of the view').press('Enter');
    }

    async names(): Promise<string[]> {
        const menu = await this.page.openMenu();
        return menu.locator('.saved .item').allInnerTexts();
    }

    async open(name: string): Promise<void> {
        const menu = await this.page.openMenu();
        await menu.getByRole('button', { name, exact: true }).click();
        await menu.waitFor({ state: 'hidden' });
    }

    async press(button: string): Promise<void> {
        await (await this.page.openMenu()).getByRole('button', { name: button, exact: true }).click();
    }
}

browserTest('a view is kept by its name, opened, renamed and deleted', async (scene) => {
    await shop(scene);
    const { visitor } = scene;
    const tab = await visitor.open('?query=level%3Aerror&range=7d');
    const menu = new Menu(tab);
    await menu.page.shows(['one']);
    await menu.page.open('one');
    await menu.save('  What   fails ');
    await menu.page.menu.getByText('Saved “What fails”').waitFor();
    assert.deepEqual(await menu.names(), ['What fails']);
    await menu.page.closeMenu();

    await tab.goto(new URL('/', tab.url()).href);
    await menu.page.shows(['one', 'two']);
    await menu.open('What fails');
    await menu.page.shows(['one']);
    await menu.page.addressHas('range', '7d');
    await menu.page.addressHas('id'); // the log that happened to be open is no part of it
    await tab.goBack();
    await menu.page.shows(['one', 'two']);

    await menu.press('Rename “What fails”');
    await menu.page.menu.getByLabel('Name of the view').fill('A failure');
    await tab.keyboard.press('Enter');
    await eventually('it has the name', async () => String(await menu.names()) === 'A failure');
    // Another tab knows it at once.
    const other = new Menu(await visitor.open());
    assert.deepEqual(await other.names(), ['A failure']);
    await menu.press('Delete “A failure”');
    await menu.page.menu.getByText('Deleted “A failure”').waitFor();
    await eventually('it is gone everywhere', async () => (await other.names()).length === 0);
    await menu.press('Undo');
    assert.deepEqual(await menu.names(), ['A failure']);
    await tab.reload();
    assert.deepEqual(await menu.names(), ['A failure']);
});

browserTest('a name that is there already is asked about before it stands for another view', async (scene) => {
    await shop(scene);
    const tab = await scene.visitor.open('?query=level%3Aerror');
    const menu = new Menu(tab);
    await menu.save('mine');
    await menu.save('another');
    await tab.goto(new URL('/?query=level%3Ainfo', tab.url()).href);
    await menu.save('mine');
    await menu.page.menu.getByText('There is a view “mine” already').waitFor();
    await menu.press('Cancel');
    await menu.open('mine');
    await menu.page.addressHas('query', 'level:error');
    await tab.goBack();
    await menu.save('mine');
    await menu.press('Replace it');
    await menu.open('another');
    await menu.page.addressHas('query', 'level:error');
    await menu.open('mine');
    await menu.page.addressHas('query', 'level:info');
    // So is a name that is given to one that had another.
    await menu.press('Rename “another”');
    await menu.page.menu.getByLabel('Name of the view').fill('mine');
    await tab.keyboard.press('Enter');
    await menu.press('Replace it');
    await eventually('one is left', async () => String(await menu.names()) === 'mine');
    await menu.page.closeMenu();
    await menu.open('mine');
    await menu.page.addressHas('query', 'level:error');
});

browserTest('what is stored may be anything, and a name is text', async (scene) => {
    await shop(scene);
    const tab = await scene.visitor.open();
    const menu = new Menu(tab);
    for (const [stored, names] of [
        ['{{{', []],
        ['null', []],
        ['{"name":"x"}', []],
        [JSON.stringify([null, 7, { name: 'a' }, { name: 'good', search: '?query=level:error' }, { name: '', search: '' }, { name: {}, search: [] }]), ['good']],
        [JSON.stringify([{ name: 'foreign', search: '//evil.example/?query=level:error' }]), ['foreign']],
    ] as const) {
        await tab.evaluate((stored) => localStorage.setItem('logmill.views', stored), stored);
        await tab.reload();
        assert.deepEqual(await menu.names(), names, stored);
    }
    await menu.open('foreign');
    assert.ok(tab.url().startsWith(scene.visitor.origin));
    await menu.save(HOSTILE);
    assert.ok((await menu.names()).includes('<img src=x onerror=alert(1)>‹U+202E› "x"'));
    assert.equal(await tab.locator('img').count(), 0);
});

browserTest('where nothing can be stored, all else works', async (scene) => {
    await shop(scene);
    const tab = await scene.visitor.open('?query=nothing');
    await tab.context().addInitScript(() => {
        for (const name of ['getItem', 'setItem'] as const) {
            Storage.prototype[name] = () => {
                throw new DOMException('denied', 'SecurityError');
            };
        }
    });
    await tab.goto(new URL('/', tab.url()).href);
    const menu = new Menu(tab);
    await menu.page.shows(['one', 'two']);
    await menu.save('mine');
    await menu.page.menu.getByText('The browser lets the page keep nothing').waitFor();
    await menu.press('Cancel');
    await menu.page.chooseTheme('dark');
    await menu.page.chooseZone('UTC');
    await menu.page.addressHas('zone', 'utc');
});

end();
