/*
 * How quick the page is on a logmill that runs and has many logs: tools/page-paces URL. Timings are no
 * tests; each is told as the median of some rounds, after one that warms up.
 */
import { type Page, chromium } from 'playwright-core';

import { program } from './browser';

const ROUNDS = 7;

function median(numbers: number[]): number {
    return numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

function tell(what: string, numbers: number[], unit = 'ms'): void {
    const least = Math.min(...numbers);
    console.log(`${what}: ${median(numbers).toFixed(0)} ${unit} (least ${least.toFixed(0)}, of ${numbers.length})`);
}

/** From the address being entered until there are rows, and bars: in ms by the page's own clock. */
async function firstView(page: Page, address: string): Promise<{ rows: number; bars: number }> {
    await page.addInitScript(() => {
        const seen = ((globalThis as any).seen = { rows: 0, bars: 0 });
        const look = (): void => {
            if (!seen.rows && document.querySelector('[data-testid=log-row]')) seen.rows = performance.now();
            if (!seen.bars && document.querySelector('[data-testid=histogram] svg path')) seen.bars = performance.now();
            if (!seen.rows || !seen.bars) requestAnimationFrame(look);
        };
        look();
    });
    await page.goto(address);
    await page.waitForFunction(() => (globalThis as any).seen.rows && (globalThis as any).seen.bars);
    return page.evaluate(() => (globalThis as any).seen);
}

async function main(): Promise<void> {
    const [address] = process.argv.slice(2);
    const browser = await chromium.launch({ executablePath: program(), args: ['--disable-gpu'] });
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    const rows: number[] = [];
    const bars: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
        const page = await context.newPage();
        const seen = await firstView(page, address!);
        if (round > 0) {
            rows.push(seen.rows);
            bars.push(seen.bars);
        }
        await page.close();
    }
    tell('first view, rows', rows);
    tell('first view, histogram', bars);
    await browser.close();
}

void main();
