/* The page as a test uses it: what a person does there, by the names that they see or hear. */
import { strict as assert } from 'node:assert';

import type { Locator, Page } from 'playwright-core';

import { eventually } from '../support/harness';

/** What is in the clipboard, as it is pasted. */
export async function pasted(tab: Page): Promise<string> {
    await tab.evaluate(() => {
        const area = document.createElement('textarea');
        area.id = 'pasted';
        document.body.append(area);
        area.focus();
    });
    await tab.keyboard.press('ControlOrMeta+V');
    return tab.evaluate(() => {
        const area = document.getElementById('pasted') as HTMLTextAreaElement;
        area.remove();
        return area.value;
    });
}

/** Where a bar stands on the screen. */
export interface Bar {
    x: number;
    width: number;
    height: number;
    colour: string;
}

/** The bars that are drawn in some paths. */
export function barsIn(paths: Locator): Promise<Bar[]> {
    return paths.evaluateAll((paths) =>
        (paths as SVGPathElement[]).flatMap((path) => {
            const { viewBox } = path.ownerSVGElement!;
            const box = path.ownerSVGElement!.getBoundingClientRect();
            const [wide, high] = [box.width / viewBox.baseVal.width, box.height / viewBox.baseVal.height];
            const colour = getComputedStyle(path).fill;
            return [...path.getAttribute('d')!.matchAll(/M(\S+) \S+h(\S+?)v(\S+?)h/g)].map(([, x, width, height]) => ({
                x: box.x + Number(x) * wide, width: Number(width) * wide, height: Number(height) * high, colour,
            }));
        }),
    );
}

export class LogPage {
    readonly list: Locator;
    readonly rows: Locator;
    readonly search: Locator;
    /** What says which times are looked at. */
    readonly time: Locator;
    readonly details: Locator;
    readonly state: Locator;
    readonly histogram: Locator;
    readonly live: Locator;
    readonly pause: Locator;
    readonly resume: Locator;
    readonly away: Locator;
    readonly menu: Locator;
    readonly menuButton: Locator;

    constructor(readonly tab: Page) {
        this.list = tab.getByTestId('logs');
        this.rows = tab.getByTestId('log-row');
        this.search = tab.getByRole('combobox', { name: 'Search logs' });
        this.time = tab.getByTestId('time');
        this.details = tab.getByTestId('details');
        this.state = tab.getByTestId('state');
        this.histogram = tab.getByTestId('histogram');
        this.live = tab.getByRole('button', { name: /^live/i });
        this.pause = tab.getByRole('button', { name: /pause/i });
        this.resume = tab.getByRole('button', { name: /resume/i });
        this.menu = tab.getByRole('dialog', { name: 'Menu' });
        this.menuButton = tab.getByRole('button', { name: 'Menu', exact: true });
        this.away = tab.getByText(/cannot be reached|is away|reconnect/i).first();
    }

    /** The messages of the rows that are in the DOM, from the top. */
    async messages(): Promise<string[]> {
        return this.rows.getByTestId('message').allInnerTexts();
    }

    /** Until these messages, in this order, are the whole list. */
    async shows(messages: string[]): Promise<void> {
        let last: string[] = [];
        await eventually(`the list to be ${JSON.stringify(messages)}`, async () => {
            last = await this.messages();
            return JSON.stringify(last) === JSON.stringify(messages);
        }).catch((error: unknown) => {
            assert.deepEqual(last, messages);
            throw error;
        });
    }

    /** The query of the address. */
    get query(): URLSearchParams {
        return new URL(this.tab.url()).searchParams;
    }

    /** Until the address has just these values of parameter `name`. */
    async addressHas(name: string, ...values: string[]): Promise<void> {
        await eventually(
            `the address to have ${name}=${values.join(',')}: ${this.tab.url()}`,
            async () => JSON.stringify(this.query.getAll(name)) === JSON.stringify(values),
        );
    }

    /** Until the address asks for this query; "": for none. */
    async asks(query: string): Promise<void> {
        await this.addressHas('query', ...(query ? [query] : []));
    }

    row(message: string): Locator {
        return this.rows.filter({ hasText: message }).first();
    }

    /** Opens the log with this message to all its fields. */
    async open(message: string): Promise<void> {
        await this.row(message).click();
        await this.details.waitFor();
    }

    async closeDetails(): Promise<void> {
        await this.tab.keyboard.press('Escape');
        await this.details.waitFor({ state: 'hidden' });
    }

    /** The ids of the rows in the DOM, in the order in which they stand on the screen. */
    idsFromTop(): Promise<string[]> {
        return this.rows.evaluateAll((rows) =>
            rows
                .map((row) => ({
                    id: (row as HTMLElement).dataset['id']!,
                    y: row.getBoundingClientRect().y,
                }))
                .sort((a, b) => a.y - b.y)
                .map(({ id }) => id),
        );
    }

    /** Until there are no logs to show, for this reason. */
    async isIn(state: 'empty' | 'nomatch' | 'error' | 'away'): Promise<void> {
        await this.tab.locator(`[data-testid=state][data-state=${state}]`).waitFor();
    }

    async toggleLevel(level: string): Promise<void> {
        await this.tab.getByRole('checkbox', { name: level }).click();
    }

    /** What removes the filter by this field. */
    chip(field: string): Locator {
        return this.tab.getByRole('button', { name: new RegExp(`remove filter.*${field}`, 'i') });
    }

    async dragOverHistogram(from: number, until: number): Promise<void> {
        const { x, y, width, height } = (await this.histogram.boundingBox())!;
        const { mouse } = this.tab;
        await mouse.move(x + width * from, y + height / 2);
        await mouse.down();
        await mouse.move(x + width * ((from + until) / 2), y + height / 2);
        await mouse.move(x + width * until, y + height / 2);
        await mouse.up();
    }

    /** Opens what says which times are looked at, if it is not open. */
    async openTimes(): Promise<Locator> {
        const times = this.tab.getByRole('dialog', { name: 'Time range' });
        if (!(await times.isVisible())) await this.time.click();
        await times.waitFor();
        return times;
    }

    async chooseRange(range: string): Promise<void> {
        await (await this.openTimes()).locator(`[data-range="${range}"]`).click();
    }

    async chooseTimes(from: string, to: string): Promise<void> {
        const times = await this.openTimes();
        await times.getByLabel('From').fill(from);
        await times.getByLabel('To', { exact: true }).fill(to);
        await times.getByRole('button', { name: 'Apply' }).click();
    }

    /** Times as one says them: "30m", "yesterday". */
    async writeTimes(text: string): Promise<void> {
        const field = (await this.openTimes()).getByLabel('Time in words');
        await field.fill(text);
        await field.press('Enter');
    }

    /** What is not wanted all the time. */
    async openMenu(): Promise<Locator> {
        if (!(await this.menu.isVisible())) await this.menuButton.click();
        await this.menu.waitFor();
        return this.menu;
    }

    async closeMenu(): Promise<void> {
        await this.menuButton.click();
        await this.menu.waitFor({ state: 'hidden' });
    }

    /** "UTC", "local", or a name. */
    async chooseZone(zone: string): Promise<void> {
        const menu = await this.openMenu();
        const group = menu.getByRole('group', { name: 'Times in' }).getByRole('button');
        if (zone === 'UTC' || zone === 'local') {
            await group.nth(zone === 'UTC' ? 1 : 0).click();
        } else {
            await group.nth(2).click();
            await menu.getByLabel('Name of the time zone').fill(zone);
            await menu.getByRole('button', { name: 'Use' }).click();
        }
        await this.closeMenu();
    }

    async chooseTheme(theme: string): Promise<void> {
        const menu = await this.openMenu();
        await menu.getByRole('button', { name: new RegExp(`^${theme}$`, 'i') }).click();
        await this.closeMenu();
    }

    async downloadLink(form: string): Promise<Locator> {
        return (await this.openMenu()).getByRole('link', { name: form });
    }

    /** False if the page scrolls sideways. */
    fitsInWidth(): Promise<boolean> {
        return this.tab.evaluate(
            () => document.documentElement.scrollWidth <= document.documentElement.clientWidth,
        );
    }

    /** Presses Tab until what is named so has the focus. */
    async tabTo(name: string): Promise<void> {
        for (let presses = 0; presses < 60; presses++) {
            await this.tab.keyboard.press('Tab');
            const focused = await this.tab.evaluate(
                () =>
                    document.activeElement?.getAttribute('aria-label') ??
                    document.activeElement?.textContent,
            );
            if (focused?.trim() === name) {
                return;
            }
        }
        assert.fail(`Tab does not lead to "${name}"`);
    }
}
