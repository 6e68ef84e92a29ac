/*
 * What a real browser lets the pages of others do with us: one whose name was pointed at our
 * address, one of another site, and one whose origin is allowed. And that our own page works on,
 * also behind a reverse proxy.
 */
import { strict as assert } from 'node:assert';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'node:test';

import { type Browser, type Page, chromium } from 'playwright-core';

import { type Lab, type Logmill, scenario } from '../support/harness';
import { atRest, metric, postLog, stored } from '../support/logs';
import { program } from './browser';

const NAMES = ['rebound.example', 'app.example', 'other.example', 'logs.example'];

let running: Promise<Browser> | undefined;

/** A tab of a browser to which all of NAMES are 127.0.0.1. */
async function tab(lab: Lab): Promise<Page> {
    running ??= chromium.launch({
        executablePath: program(),
        args: [
            `--host-resolver-rules=${NAMES.map((name) => `MAP ${name} 127.0.0.1`).join(',')}`,
            '--disable-gpu',
            '--disable-background-networking',
        ],
    });
    const context = await (await running).newContext();
    lab.finally(() => context.close());
    return context.newPage();
}

async function serve(lab: Lab, handler: http.RequestListener): Promise<number> {
    const server = http.createServer(handler).listen(0, '127.0.0.1');
    lab.finally(() => {
        server.closeAllConnections();
        server.close();
    });
    await new Promise((resolve) => server.once('listening', resolve));
    return (server.address() as AddressInfo).port;
}

/** A site of somebody else's, with one page. */
function site(lab: Lab): Promise<number> {
    return serve(lab, (_, response) => {
        response.setHeader('Content-Type', 'text/html');
        response.end('<!doctype html><title>a page</title>');
    });
}

/** What the page can do with the server; each is what a script there got. */
function attempts(page: Page, origin: string): Promise<Record<string, string>> {
    return page.evaluate(async (to) => {
        const log = JSON.stringify({ message: 'from a page', level: 'error' });
        const type = { 'Content-Type': 'application/json' };
        const got = async (promise: Promise<Response>): Promise<string> => {
            try {
                const answer = await promise;
                return `${answer.type} ${answer.status}`;
            } catch {
                return 'refused';
            }
        };
        const post = { method: 'POST', body: log };
        return {
            post: await got(fetch(`${to}/log`, { ...post, headers: type })),
            keepalive: await got(fetch(`${to}/log`, { ...post, headers: type, keepalive: true })),
            blind: await got(fetch(`${to}/log`, { ...post, mode: 'no-cors' })),
            beacon: String(navigator.sendBeacon(`${to}/log`, log)),
            read: await got(fetch(`${to}/logs`)),
            tail: await new Promise<string>((resolve) => {
                const tail = new EventSource(`${to}/logs/tail`);
                tail.onopen = () => (tail.close(), resolve('open'));
                tail.onerror = () => (tail.close(), resolve('refused'));
            }),
            image: await new Promise<string>((resolve) => {
                const image = new Image();
                image.onload = image.onerror = (event) => resolve(String((event as Event).type));
                image.src = `${to}/logs`;
            }),
        };
    }, origin);
}

async function accepted(server: Logmill): Promise<number> {
    return metric(await atRest(server), 'logmill_logs_accepted_total');
}

scenario('a page whose name was pointed at our address gets nothing', async (lab) => {
    const server = await lab.start({ settings: { ALLOWED_HOSTS: '' } });
    const page = await tab(lab);
    const answer = await page.goto(`http://rebound.example:${server.port}/`);
    assert.equal(answer!.status(), 421);
    const { post, read, tail } = await attempts(page, `http://rebound.example:${server.port}`);
    assert.deepEqual({ post, read, tail }, { post: 'basic 421', read: 'basic 421', tail: 'refused' });
    assert.equal(await accepted(server), 0);
});

scenario('a page of another site neither sends nor reads', async (lab) => {
    const server = await lab.start({ settings: { ALLOWED_HOSTS: '' } });
    const page = await tab(lab);
    await page.goto(`http://other.example:${await site(lab)}/`);
    const got = await attempts(page, `http://127.0.0.1:${server.port}`);
    assert.deepEqual(got, {
        ...{ post: 'refused', keepalive: 'refused', read: 'refused', tail: 'refused' },
        ...{ blind: 'refused', beacon: 'true', image: 'error' },
    });
    assert.equal(await accepted(server), 0);

    await page.evaluate((to) => (location.href = to), `http://127.0.0.1:${server.port}/`);
    await page.waitForURL(/127\.0\.0\.1/); // a link to our page is followed
    await page.getByRole('searchbox').first().waitFor();
});

scenario('a page of an origin in CORS_ORIGINS sends and reads', async (lab) => {
    const origin = `http://app.example:${await site(lab)}`;
    const settings = { ALLOWED_HOSTS: '', CORS_ORIGINS: origin };
    const server = await lab.start({ settings });
    const page = await tab(lab);
    await page.goto(origin);
    const got = await attempts(page, `http://127.0.0.1:${server.port}`);
    assert.deepEqual(
        { post: got['post'], keepalive: got['keepalive'], read: got['read'], tail: got['tail'] },
        { post: 'cors 201', keepalive: 'cors 201', read: 'cors 200', tail: 'open' },
    );
    assert.equal(await accepted(server), 2); // what says it is text is none: 422
});

scenario('our page works behind a reverse proxy that passes the Host on', async (lab) => {
    const server = await lab.start({ settings: { ALLOWED_HOSTS: 'logs.example' } });
    await stored(server, await postLog(server, { message: 'through a proxy', level: 'info' }));
    const port = await serve(lab, (request, response) => {
        const onward = http.request(
            {
                host: '127.0.0.1',
                port: server.port,
                method: request.method,
                path: request.url,
                headers: { ...request.headers, 'x-forwarded-proto': 'http' },
            },
            (answer) => {
                response.writeHead(answer.statusCode!, answer.headers);
                answer.pipe(response);
            },
        );
        onward.on('error', () => response.destroy());
        response.on('close', () => onward.destroy());
        request.pipe(onward);
    });
    const page = await tab(lab);
    await page.goto(`http://logs.example:${port}/`);
    await page.getByText('through a proxy').first().waitFor();
    const answer = await page.goto(`http://logs.example:${port}/docs`);
    assert.equal(answer!.status(), 200);
    await page.getByText('/logs/tail').first().waitFor();
});

void test('the browser closes', async () => (await running)?.close());
