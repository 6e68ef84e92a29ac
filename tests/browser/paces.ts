/*
 * How quick the page is on a logmill that runs and has many logs: tools/page-paces URL. Timings are no
 * tests; each is told as the median of some rounds, after those that warm up.
 *
 * The page itself marks when its first rows, and its bars, have been drawn (performance.mark). A browser to which
 * anybody listens does more work and keeps no compiled scripts, so it is asked only when the page stands.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { chromium } from 'playwright-core';

import { program } from './browser';

const ROUNDS = 9;
/** After two loads, or three, a browser has the script compiled. */
const WARM_UPS = 4;
/** By then the page stands. */
const READ_MS = 3000;
/** By then nobody listens any more. */
const LEFT_MS = 500;

function tell(what: string, numbers: number[]): void {
    numbers.sort((a, b) => a - b);
    const [least, median] = [numbers[0]!, numbers[Math.floor(numbers.length / 2)]!];
    console.log(`${what}: ${median.toFixed(0)} ms (least ${least.toFixed(0)}, of ${numbers.length})`);
}

/** Where a browser's DevTools listen. */
function listening(errors: NodeJS.ReadableStream): Promise<string> {
    return new Promise((resolve, reject) => {
        let text = '';
        errors.on('data', (data) => {
            text += String(data);
            const found = /DevTools listening on ws:\/\/([\d.:]+)\//.exec(text);
            if (found) resolve(`http://${found[1]}`);
        });
        errors.on('end', () => reject(new Error(text)));
    });
}

/** A page that leads to the address a while after it was opened: when nobody listens any more. */
async function springboard(address: string): Promise<Server> {
    const text = `<!doctype html><title>-</title><script>setTimeout(() => location.assign(${JSON.stringify(address)}), ${LEFT_MS})</script>`;
    const server = createServer((_, response) => void response.setHeader('content-type', 'text/html').end(text));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return server;
}

/** From the address being entered until there are rows, and bars: in ms by the page's own clock. */
async function firstView(devTools: string, board: string): Promise<Record<string, number>> {
    const before = await chromium.connectOverCDP(devTools);
    await before.contexts()[0]!.pages()[0]!.goto(board);
    await before.close();
    await new Promise((resolve) => setTimeout(resolve, LEFT_MS + READ_MS));
    const after = await chromium.connectOverCDP(devTools);
    const marks = await after.contexts()[0]!.pages()[0]!.evaluate(() =>
        performance.getEntriesByType('mark').map(({ name, startTime }) => [name, startTime] as const));
    await after.close();
    return Object.fromEntries([...marks].reverse()); // the first of each name
}

async function main(): Promise<void> {
    const profile = mkdtempSync(join(tmpdir(), 'logmill-paces-'));
    const flags = ['--headless', '--disable-gpu', '--no-first-run', '--remote-debugging-port=0', '--window-size=1440,987'];
    if (process.getuid?.() === 0) flags.push('--no-sandbox');
    const board = await springboard(new URL(process.argv[2]!).href);
    const browser = spawn(program(), [...flags, `--user-data-dir=${profile}`, 'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'] });
    try {
        const devTools = await listening(browser.stderr);
        const views: Record<string, number>[] = [];
        for (let round = 0; round < WARM_UPS + ROUNDS; round++) {
            const view = await firstView(devTools, `http://127.0.0.1:${(board.address() as AddressInfo).port}/`);
            if (round >= WARM_UPS) views.push(view);
        }
        tell('first view, rows', views.map(({ rows }) => rows!));
        tell('first view, histogram', views.map(({ bars }) => bars!));
    } finally {
        browser.kill();
        board.close();
        board.closeAllConnections();
        await new Promise((resolve) => browser.once('exit', resolve));
        rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    }
}

void main();
