/* How the page looks and who can use it: light and dark, phone, keyboard, screen readers. */
import { strict as assert } from 'node:assert';

import type { Page } from 'playwright-core';

import { atRest, postLogs } from '../support/logs';
import { faults } from './axe';
import { type Scene, browserTest, end } from './browser';
import { FieldsPanel } from './fields_panel';
import { LogPage } from './log_page';
import { sampleLogs } from './sample';

async function shop({ server }: Scene): Promise<void> {
    await postLogs(server, sampleLogs(600, Date.now()));
    await postLogs(server, [{ timestamp: '2099-01-01', message: 'later', level: 'info' }]);
    await atRest(server);
}

/** 0 black to 1 white: of the page's ground and of its text. */
function brightness(tab: Page): Promise<{ ground: number; text: number }> {
    return tab.evaluate(() => {
        const of = (colour: string): number => {
            const context = document.createElement('canvas').getContext('2d')!;
            context.fillStyle = colour;
            context.fillRect(0, 0, 1, 1);
            const [r, g, b] = context.getImageData(0, 0, 1, 1).data;
            return (0.3 * r! + 0.6 * g! + 0.1 * b!) / 255;
        };
        const style = getComputedStyle(document.body);
        return { ground: of(style.backgroundColor), text: of(style.color) };
    });
}

browserTest(
    'light or dark as the system is, or as chosen, which is remembered',
    async ({ visitor }) => {
        const tab = await visitor.open();
        const page = new LogPage(tab);
        const isDark = async (): Promise<boolean> => {
            const { ground, text } = await brightness(tab);
            assert.ok(Math.abs(ground - text) > 0.5, `text ${text} on ${ground}`);
            return ground < 0.5;
        };
        await page.state.waitFor();
        assert.equal(await isDark(), false);
        await tab.emulateMedia({ colorScheme: 'dark' });
        assert.equal(await isDark(), true);
        await page.chooseTheme('light');
        assert.equal(await isDark(), false);
        await tab.reload();
        await page.state.waitFor();
        assert.equal(await isDark(), false);
        await page.chooseTheme('dark');
        await tab.emulateMedia({ colorScheme: 'light' });
        assert.equal(await isDark(), true);
    },
);

for (const [name, viewport, most] of [
    ['at 1440 × 900', { width: 1440, height: 900 }, 170],
    ['on a phone', { width: 390, height: 844 }, 260],
] as const) {
    browserTest(
        `the first log stands at most ${most} px from the top ${name}`,
        async (scene) => {
            await shop(scene);
            for (const chips of ['', '&off=level:debug']) {
                const page = new LogPage(await scene.visitor.open(`?range=1h${chips}`));
                await page.rows.first().waitFor();
                const [first] = await page.idsFromTop();
                const { y } = (await page.tab.locator(`[data-id="${first}"]`).boundingBox())!;
                assert.ok(y <= most, `${y} px ${chips}`);
                const header = (await page.tab.locator('header').boundingBox())!;
                assert.ok(header.height <= (viewport.width < 720 ? 92 : 46), `the header: ${header.height} px ${chips}`);
            }
        },
        { context: { viewport } },
    );
}

browserTest(
    'on a phone many chips have one line, which is scrolled to what is typed and to each of them',
    async (scene) => {
        await shop(scene);
        const off = Array.from({ length: 12 }, (_, n) => `off=field_${n}:value-${n}`).join('&');
        const tab = await scene.visitor.open(`?range=1h&${off}`);
        const page = new LogPage(tab);
        await page.rows.first().waitFor();
        const [first] = await page.idsFromTop();
        const { y } = (await tab.locator(`[data-id="${first}"]`).boundingBox())!;
        assert.ok(y <= 260, `${y} px`);
        assert.ok(await page.fitsInWidth());
        await page.search.tap();
        await tab.keyboard.type('word');
        const { x, width } = (await page.search.boundingBox())!;
        assert.ok(x >= 0 && x + width <= 390 && width >= 150, `the field: ${x}, ${width} px`);
        await tab.locator('.chip-toggle').nth(7).tap();
        await page.addressHas('query', 'field_7:value-7 word');
    },
    { context: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true } },
);

browserTest(
    'on a phone nothing is wider than the screen',
    async (scene) => {
        await shop(scene);
        await postLogs(scene.server, [
            {
                message: `wide${'_wide'.repeat(400)}`,
                level: 'a-level-of-quite-some-length',
                ['k'.repeat(300)]: 'v'.repeat(900),
            },
        ]);
        await atRest(scene.server);
        const tab = await scene.visitor.open();
        const page = new LogPage(tab);
        await page.row('wide_wide').waitFor();
        assert.ok(await page.fitsInWidth(), 'the list');
        await page.row('wide_wide').tap();
        await page.details.waitFor();
        assert.ok(await page.fitsInWidth(), 'an open log');
        await page.details.getByRole('button', { name: 'Filter for level', exact: true }).tap();
        await page.shows([`wide${'_wide'.repeat(400)}`]);
        assert.ok(await page.fitsInWidth(), 'a filter');
    },
    { context: { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true } },
);

browserTest('all of it by the keyboard alone', async ({ server, visitor }) => {
    await postLogs(server, [
        {
            timestamp: new Date(Date.now() - 2000).toISOString(),
            message: 'kettle ordered',
            level: 'info',
        },
        {
            timestamp: new Date(Date.now() - 1000).toISOString(),
            message: 'kettle burnt',
            level: 'error',
            k: 'v',
        },
        { timestamp: new Date(Date.now()).toISOString(), message: 'tea served', level: 'info' },
    ]);
    await atRest(server);
    const tab = await visitor.open();
    const page = new LogPage(tab);
    await page.row('tea served').waitFor();
    const press = (key: string): Promise<void> => tab.keyboard.press(key);

    await press('/');
    await tab.keyboard.type('kettle');
    await press('Enter');
    await page.shows(['kettle burnt', 'kettle ordered']);
    await press('Escape');
    await press('j');
    await press('j');
    await press('Enter');
    await page.details.getByText('kettle ordered').first().waitFor();
    await press('Escape');
    await page.details.waitFor({ state: 'hidden' });
    await press('k');
    await press('Enter');
    await page.details.getByText('kettle burnt').first().waitFor();

    // Tab goes to the buttons of the open log.
    await page.tabTo('Filter out level');
    await press('Enter');
    await page.shows(['kettle ordered']);

    await press('?');
    const help = tab.getByRole('dialog', { name: 'Keyboard shortcuts' });
    await help.waitFor();
    await press('Escape');
    await help.waitFor({ state: 'hidden' });
    await press('l');
    await page.addressHas('live', '1');

    // A key that comes before a dialog, just closed, has given the focus back.
    await press('?');
    await help.waitFor();
    await help.evaluate((dialog) => {
        (dialog as HTMLDialogElement).close();
        const key = new KeyboardEvent('keydown', { key: 'l', bubbles: true });
        dialog.querySelector('button')!.dispatchEvent(key);
    });
    await page.addressHas('live');
});

for (const colorScheme of ['light', 'dark'] as const) {
    for (const viewport of [
        { width: 1280, height: 800 },
        { width: 360, height: 740 },
    ]) {
        browserTest(
            `axe finds no serious fault: ${colorScheme}, ${viewport.width} px wide`,
            async (scene) => {
                const tab = await scene.visitor.open();
                const page = new LogPage(tab);
                await page.state.waitFor();
                assert.deepEqual(await faults(tab), [], 'without logs');
                await shop(scene);
                await tab.goto(`${new URL('/', tab.url()).href}?not.level=debug&range=1h`);
                await page.rows.first().waitFor();
                await tab.getByRole('link', { name: 'in the future' }).waitFor();
                assert.deepEqual(await faults(tab), [], 'the list');
                await page.rows.nth(3).click();
                await page.details.waitFor();
                assert.deepEqual(await faults(tab), [], 'an open log');
                await tab.keyboard.press('?');
                await tab.getByRole('dialog').waitFor();
                assert.deepEqual(await faults(tab), [], 'help');
            },
            // axe makes markup to look at, which the page's policy forbids.
            { context: { colorScheme, viewport, bypassCSP: true } },
        );
    }
}

/** What can be pressed, is there, and is smaller than a fingertip needs (WCAG 2.2, 2.5.8); links amid text may be. */
function smallTargets(tab: Page): Promise<string[]> {
    return tab.evaluate(() => {
        const isShown = (target: Element): boolean =>
            target.checkVisibility({ visibilityProperty: true }) && (target as HTMLElement).offsetWidth > 1;
        return [...document.querySelectorAll('a, button, select, input, [role=option]')]
            .filter((target) => isShown(target) && !(target.matches('a') && getComputedStyle(target).display === 'inline'))
            .map((target): [Element, DOMRect] => [target, target.getBoundingClientRect()])
            .filter(([, { width, height }]) => width < 24 || height < 24)
            .map(([target, { width, height }]) => `${target.outerHTML.slice(0, 120)}: ${width} × ${height}`);
    });
}

for (const [name, context] of [
    ['on a wide screen', { viewport: { width: 1440, height: 900 } }],
    ['on a phone', { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }],
] as const) {
    browserTest(
        `what can be pressed is at least 24 px wide and high ${name}`,
        async (scene) => {
            await shop(scene);
            const tab = await scene.visitor.open('?range=1h&column=service&column=host&off=service:x&by=service');
            const page = new LogPage(tab);
            const fields = new FieldsPanel(tab);
            const found: string[] = [];
            const look = async (where: string): Promise<void> => {
                found.push(...(await smallTargets(tab)).map((target) => `${where}: ${target}`));
            };
            await page.rows.first().waitFor();
            await tab.getByRole('button', { name: /^Grouped by/ }).waitFor();
            await look('the list');
            if (!(await fields.panel.isVisible())) await fields.toggle.click();
            await fields.unfold('service');
            await look('fields');
            await fields.panel.getByRole('button', { name: 'Close' }).click();
            await page.openMenu();
            await look('the menu');
            await page.closeMenu();
            await page.openTimes();
            await look('times');
            await tab.keyboard.press('Escape');
            await tab.goto(`${new URL('/', tab.url()).href}?range=1h&query=http.status:200`);
            await page.rows.first().click();
            await page.details.getByRole('button', { name: 'Filter for level', exact: true }).waitFor();
            await look('an open log');
            await page.details.getByRole('button', { name: 'Show around' }).click();
            await tab.getByRole('region', { name: 'Around a log' }).getByRole('button').first().waitFor();
            await look('around it');
            await tab.goto(`${new URL('/', tab.url()).href}?range=1h&tab=patterns`);
            await tab.getByTestId('pattern').first().waitFor();
            await look('patterns');
            assert.deepEqual(found, []);
        },
        { context },
    );
}

end();
