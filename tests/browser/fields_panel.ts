/* The panel of fields as a test uses it. */
import type { Locator, Page } from 'playwright-core';

export class FieldsPanel {
    readonly panel: Locator;
    readonly toggle: Locator;
    readonly note: Locator;
    readonly names: Locator;
    readonly search: Locator;

    constructor(readonly tab: Page) {
        this.panel = tab.locator('#fields');
        this.toggle = tab.getByRole('button', { name: 'Fields', exact: true });
        this.note = tab.getByTestId('fields-note');
        this.names = this.panel.locator('.facet-path');
        this.search = this.panel.getByLabel('Search fields');
    }

    field(name: string): Locator {
        return this.panel.locator('.facet-box').filter({ has: this.tab.locator('.facet-path').getByText(name, { exact: true }) });
    }

    header(name: string): Locator {
        return this.field(name).locator('.facet-name');
    }

    async unfold(name: string): Promise<Locator> {
        const field = this.field(name);
        if ((await this.header(name).getAttribute('aria-expanded')) === 'false') await this.header(name).click();
        await field.locator('.facet-body').waitFor();
        return field;
    }

    /** Values and counts of a field that is unfolded, from the top. */
    async values(name: string): Promise<string[]> {
        const rows = this.field(name).locator('.facet-value');
        return rows.evaluateAll((rows) => // in one go: they may change
            rows.map((row) => ['.value-text', '.value-count'].map((part) => row.querySelector<HTMLElement>(part)!.innerText).join(' ')),
        );
    }

    value(name: string, value: string): Locator {
        return this.field(name).locator('.facet-value').filter({ has: this.tab.locator('.value-text').getByText(value, { exact: true }) });
    }

    include(name: string, value: string): Locator {
        return this.value(name, value).locator('.value-include');
    }

    exclude(name: string, value: string): Locator {
        return this.value(name, value).getByRole('button', { name: /^Leave out/ });
    }

    /** The values that are asked for, or left out. */
    async marked(name: string, which: 'include' | 'exclude' = 'include'): Promise<string[]> {
        const rows = this.field(name).locator('.facet-value').filter({ has: this.tab.locator(`.value-${which}[aria-pressed=true]`) });
        return rows.locator('.value-text').allInnerTexts();
    }
}
