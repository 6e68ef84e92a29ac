/* The menu: views that are kept by name, links that show the same to others, and zones by name. */
import { strict as assert } from 'node:assert';

import type { Page } from 'playwright-core';

import { eventually } from '../support/harness';
import { atRest, postLogs } from '../support/logs';
import { faults } from './axe';
import { type Scene, Visitor, browserTest, end } from './browser';
import { LogPage, pasted } from './log_page';

const HOSTILE = '<img src=x onerror=alert(1)>\u202e "x"';
/** saved.ts: SAVED_VIEWS_MAX, SAVED_NAME_MAX */
const VIEWS_MAX = 50;
const NAME_MAX = 80;

const clipboard = { context: { permissions: ['clipboard-write'] } };

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

browserTest('so many views are kept, with names so long, and no more', async (scene) => {
    const tab = await scene.visitor.open();
    const menu = new Menu(tab);
    await tab.evaluate(
        (count) => localStorage.setItem('logmill.views', JSON.stringify(Array.from({ length: count }, (_, n) => ({ name: `view ${n}`, search: '?live=1' })))),
        VIEWS_MAX - 1,
    );
    await menu.save('x'.repeat(NAME_MAX + 20));
    assert.equal((await menu.names()).length, VIEWS_MAX);
    assert.ok((await menu.names()).includes('x'.repeat(NAME_MAX)));
    await menu.save('one more');
    await menu.page.menu.getByText(`At most ${VIEWS_MAX} views are kept: delete one first`).waitFor();
    await menu.press('Cancel');
    await menu.save('view 7');
    await menu.press('Replace it');
    await menu.page.menu.getByText('Saved “view 7”').waitFor();
    await menu.save(' ');
    await menu.page.menu.getByText('Give it a name').waitFor();
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

browserTest('a copied link shows the same to somebody elsewhere, also after more has come', async (scene) => {
    const { server, visitor, lab } = scene;
    await shop(scene);
    const hour = (n: number): string => new Date(Date.now() + n * 3_600_000).toISOString();
    await postLogs(server, [{ message: 'in the future', level: 'info', timestamp: hour(1) }]);
    await atRest(server);
    const seen: { link: string; messages: string[]; times: string[] }[] = [];
    for (const [address, messages] of [
        ['?query=level%3Aerror', ['one']], ['?range=1h', ['one', 'two']], ['?range=all', ['in the future', 'one', 'two']],
        ['?live=1', ['in the future', 'one', 'two']],
    ] as const) {
        const tab = await visitor.open(address);
        const menu = new Menu(tab);
        await menu.page.shows([...messages].slice(address === '?live=1' ? 1 : 0));
        await tab.getByRole('button', { name: 'Copy link', exact: true }).click();
        await tab.getByText(/^Copied: /).waitFor();
        const shown = await menu.page.messages();
        const times = await menu.page.rows.locator('time').allInnerTexts();
        seen.push({ link: await pasted(tab), messages: shown, times });
        await tab.close();
    }
    await postLogs(server, [{ message: 'came after', level: 'error', timestamp: hour(2) }]);
    await atRest(server);
    const friend = await Visitor.arrive(lab, server, { timezoneId: 'Asia/Kathmandu' });
    for (const { link, messages, times } of seen) {
        const there = await friend.open(link.slice(friend.origin.length));
        const page = new LogPage(there);
        await page.shows(messages);
        assert.deepEqual(await page.rows.locator('time').allInnerTexts(), times, link);
        assert.deepEqual([page.query.get('zone'), page.query.get('range'), page.query.get('live')], ['utc', null, null]);
        await there.close();
    }
    friend.verify();
}, clipboard);

browserTest('a link that cannot be copied is shown, to be copied by hand', async (scene) => {
    await shop(scene);
    const tab = await scene.visitor.open('?query=nothing');
    await tab.context().addInitScript(() => {
        Object.defineProperty(navigator, 'clipboard', { value: { writeText: () => Promise.reject(new Error('no')) } });
    });
    await tab.goto(new URL('/?query=level%3Aerror', tab.url()).href);
    const menu = new Menu(tab);
    await menu.page.shows(['one']);
    await tab.getByRole('button', { name: 'Copy link', exact: true }).click();
    const byHand = tab.getByRole('textbox', { name: 'Link' });
    assert.match(await byHand.inputValue(), /^http:\/\/127\.0\.0\.1:\d+\/\?query=level%3Aerror&since=20.*&until=20.*&zone=utc$/);
});

browserTest('times are shown in any zone that has a name, and what is none is told', async (scene) => {
    const { server, visitor } = scene;
    await postLogs(server, [{ message: 'summer', level: 'info', timestamp: '2026-07-01T12:00:00Z' }]);
    await atRest(server);
    const tab = await visitor.open('?range=all');
    const menu = new Menu(tab);
    await menu.page.row('summer').waitFor();
    const shows = (time: string): Promise<void> => menu.page.row('summer').locator('time').getByText(time).waitFor();
    await shows('12:00:00.000');
    await menu.page.chooseZone('europe/berlin');
    await menu.page.addressHas('zone', 'Europe/Berlin');
    await shows('14:00:00.000');
    await menu.page.chooseZone('Asia/Kathmandu');
    await menu.page.addressHas('zone', 'Asia/Kathmandu');
    await shows('17:45:00.000');
    await tab.reload();
    await shows('17:45:00.000');
    const open = await menu.page.openMenu();
    await open.getByRole('button', { name: /^Asia\/Kathmandu \(UTC\+5:45\)$/ }).click();
    await open.getByLabel('Name of the time zone').fill('Middle/Earth');
    await open.getByRole('button', { name: 'Use' }).click();
    await open.getByText('“Middle/Earth” is no time zone').waitFor();
    await menu.page.addressHas('zone', 'Asia/Kathmandu');
    await menu.page.closeMenu();
    await menu.page.chooseZone('local');
    await menu.page.addressHas('zone');
    await shows('12:00:00.000');
});

browserTest('by keyboard: arrows through the menu, Esc out of it, and back to where one was', async (scene) => {
    const tab = await scene.visitor.open();
    const menu = new Menu(tab);
    await menu.page.menuButton.focus();
    await tab.keyboard.press('Enter');
    await menu.page.menu.waitFor();
    const focused = (): Promise<string> => tab.evaluate(() => (document.activeElement as HTMLElement).innerText.split('\n')[0]!);
    assert.equal(await focused(), 'Save this view…');
    await tab.keyboard.press('ArrowDown');
    assert.match(await focused(), /^Browser/);
    await tab.keyboard.press('ArrowUp');
    await tab.keyboard.press('ArrowUp');
    assert.equal(await focused(), 'API'); // from the first to the last
    await tab.keyboard.press('Escape');
    await menu.page.menu.waitFor({ state: 'hidden' });
    assert.ok(await menu.page.menuButton.evaluate((element) => element === document.activeElement));
    // Esc leaves the name, and then the menu.
    await tab.keyboard.press('Enter');
    await menu.press('Save this view…');
    await tab.keyboard.press('Escape');
    assert.ok(await menu.page.menu.isVisible());
    await menu.page.list.click({ position: { x: 5, y: 5 } });
    await menu.page.menu.waitFor({ state: 'hidden' });
});

for (const colorScheme of ['light', 'dark'] as const) {
    for (const viewport of [{ width: 1280, height: 800 }, { width: 360, height: 740 }]) {
        browserTest(
            `axe finds no serious fault in the menu: ${colorScheme}, ${viewport.width} px wide`,
            async (scene) => {
                await shop(scene);
                const tab = await scene.visitor.open();
                const menu = new Menu(tab);
                await menu.save('mine');
                await menu.save('mine');
                await menu.press('Rename “mine”');
                await menu.press('Other…');
                await menu.page.menu.getByLabel('Name of the time zone').fill('Nowhere');
                await menu.press('Use');
                assert.deepEqual(await faults(tab), []);
                assert.ok(await menu.page.fitsInWidth());
                await menu.page.closeMenu();
                await menu.page.openMenu();
                assert.deepEqual(await faults(tab), [], 'with a view');
            },
            { context: { colorScheme, viewport, bypassCSP: true } },
        );
    }
}

end();
