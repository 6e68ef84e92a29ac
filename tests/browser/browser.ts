/*
 * What the browser tests stand on: one headless Chromium for the tests of a file, and for each test
 * a server of its own and a visitor, who fails the test if the page did what no page of ours
 * may: a script error, a breach of its Content-Security-Policy, a dialog, a request to anywhere
 * else.
 */
import { strict as assert } from 'node:assert';
import { existsSync, mkdirSync } from 'node:fs';
import * as path from 'node:path';
import test from 'node:test';

import {
    type Browser,
    type BrowserContext,
    type BrowserContextOptions,
    type Page,
    chromium,
} from 'playwright-core';

import {
    type Lab,
    type Logmill,
    PATIENCE_MS,
    ROOT,
    type ScenarioOptions,
    scenario,
} from '../support/harness';

/** Where a failed test leaves a picture of its page. */
const FAILURES = path.join(ROOT, 'build', 'browser', 'failures');

const PROGRAMS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

let running: Promise<Browser> | undefined;

/** Chromium's. */
export function program(): string {
    const found = process.env['CHROMIUM'] ?? PROGRAMS.find((name) => existsSync(name));
    assert.ok(found, 'Chromium is not installed (or name it in CHROMIUM)');
    return found;
}

export function chromiumBrowser(): Promise<Browser> {
    return (running ??= chromium.launch({
        executablePath: program(),
        // It asks its makers for nothing; and as root it has no sandbox (playwright's default).
        args: [
            ...['--disable-gpu', '--disable-quic', '--no-first-run'],
            ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
        ],
    }));
}

/** Called last in a file: the browser of its tests is closed. */
export function end(): void {
    void test('the browser closes', async () => (await running)?.close());
}

/** A person with a browser of their own: cookies, storage, colour scheme, size of the window. */
export class Visitor {
    /** What no page of ours may do, as it happened. */
    readonly problems: string[] = [];

    private constructor(
        readonly context: BrowserContext,
        private server: Logmill,
    ) {}

    static async arrive(
        lab: Lab,
        server: Logmill,
        options: BrowserContextOptions = {},
    ): Promise<Visitor> {
        const browser = await chromiumBrowser();
        const context = await browser.newContext({
            viewport: { width: 1280, height: 800 },
            colorScheme: 'light',
            locale: 'en-GB',
            timezoneId: 'UTC',
            ...options,
        });
        lab.finally(() => context.close());
        context.setDefaultTimeout(PATIENCE_MS);
        const visitor = new Visitor(context, server);
        context.on('page', (page) => visitor.watch(page));
        return visitor;
    }

    private watch(page: Page): void {
        const problem = (text: string): number => this.problems.push(text);
        page.on('pageerror', (error) => problem(`script error: ${error.stack ?? error.message}`));
        page.on('dialog', (dialog) => {
            problem(`dialog: ${dialog.message()}`);
            void dialog.dismiss();
        });
        page.on('console', (message) => {
            // A failed request is told there too: which are all right, each test says itself.
            if (message.type() === 'error' && !/^Failed to load resource/.test(message.text())) {
                problem(`console: ${message.text()}`);
            }
        });
        page.on('request', (request) => {
            if (
                !/^(data|blob|about):/.test(request.url()) &&
                !request.url().startsWith(this.origin)
            ) {
                problem(`request to ${request.url()}`);
            }
        });
    }

    /** Goes to this server from now on. */
    visits(server: Logmill): void {
        this.server = server;
    }

    /** Somebody else, with another browser, at the same server. */
    friend(lab: Lab): Promise<Visitor> {
        return Visitor.arrive(lab, this.server);
    }

    get origin(): string {
        return `http://127.0.0.1:${this.server.port}/`;
    }

    /** Opens the page at `address`, such as "?level=error", in a tab of its own. */
    async open(address = ''): Promise<Page> {
        const page = await this.context.newPage();
        await page.goto(this.origin + address);
        return page;
    }

    /** Fails if the page did what it may not. */
    verify(): void {
        assert.deepEqual(this.problems, []);
    }
}

export interface Scene {
    lab: Lab;
    server: Logmill;
    visitor: Visitor;
}

export interface BrowserTestOptions extends ScenarioOptions {
    context?: BrowserContextOptions;
    /** The server's settings. */
    settings?: Record<string, string>;
}

/** A test of the page: `body` gets a server without logs and a visitor. */
export function browserTest(
    name: string,
    body: (scene: Scene) => Promise<void>,
    { context = {}, settings = {}, ...options }: BrowserTestOptions = {},
): void {
    scenario(
        name,
        async (lab) => {
            const server = await lab.start({ settings });
            const visitor = await Visitor.arrive(lab, server, context);
            try {
                await body({ lab, server, visitor });
                visitor.verify();
            } catch (error) {
                await takePictures(name, visitor.context);
                throw error;
            }
            await visitor.context.close(); // or a live tail would hold up the server's stop
        },
        options,
    );
}

async function takePictures(name: string, context: BrowserContext): Promise<void> {
    mkdirSync(FAILURES, { recursive: true });
    for (const [n, page] of context.pages().entries()) {
        const file = `${name.replace(/\W+/g, '-').slice(0, 60)}-${n}.png`;
        await page.screenshot({ path: path.join(FAILURES, file) }).catch(() => {});
    }
}
