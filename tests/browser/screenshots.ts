/* Takes README's pictures: tools/screenshots. */
import * as path from 'node:path';

import type { BrowserContextOptions, Page } from 'playwright-core';

import { ROOT } from '../support/harness';
import { atRest, postLogs } from '../support/logs';
import { browserTest, end } from './browser';
import { LogPage } from './log_page';
import { sampleLogs } from './sample';

const LOGS = 12_000;

function picture(
    name: string,
    context: BrowserContextOptions,
    prepare: (page: LogPage) => Promise<void>,
): void {
    browserTest(
        `docs/${name}.png`,
        async ({ server, visitor }) => {
            const logs = sampleLogs(LOGS, Date.now());
            for (let n = 0; n < LOGS; n += 1000) {
                await postLogs(server, logs.slice(n, n + 1000));
            }
            await atRest(server);
            const tab: Page = await visitor.open('?range=1h');
            const page = new LogPage(tab);
            await page.rows.first().waitFor();
            await tab.waitForLoadState('networkidle');
            await prepare(page);
            await tab.screenshot({ path: path.join(ROOT, 'docs', `${name}.png`) });
        },
        { context },
    );
}

const wide = { viewport: { width: 1280, height: 800 } };

picture('page-light', { ...wide, colorScheme: 'light' }, async () => {});

picture('page-dark', { ...wide, colorScheme: 'dark' }, async (page) => {
    await page.toggleLevel('error');
    await page.rows.nth(3).click();
    await page.details.waitFor();
});

picture(
    'page-phone',
    { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, colorScheme: 'light' },
    async () => {},
);

end();
