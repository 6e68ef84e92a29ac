/* Whether people can use what they see, as far as a program can tell. */
import { readFileSync } from 'node:fs';

import type { Page } from 'playwright-core';

const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

/**
 * What axe finds that keeps people from using the page: serious or critical. It makes markup to look at, so the
 * context needs bypassCSP.
 */
export async function faults(tab: Page): Promise<string[]> {
    await tab.evaluate(AXE);
    return tab.evaluate(async () => {
        const { axe } = globalThis as any;
        const { violations } = await axe.run(document, { resultTypes: ['violations'] });
        return violations
            .filter(({ impact }: any) => impact === 'serious' || impact === 'critical')
            .map(
                ({ id, nodes }: any) =>
                    `${id}: ${nodes.map((node: any) => `${node.target} (${node.failureSummary})`)}`,
            );
    });
}
