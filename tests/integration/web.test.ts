/*
 * How the files built into the program are sent. What they say is tested in read.test.ts, what the
 * page does in tests/browser.
 */
import { strict as assert } from 'node:assert';

import { type Logmill, freePort, scenario, shared } from '../support/harness';
import { type Answer, type Target, get as ask, post, request } from '../support/http';

const FILES = ['/', '/openapi.json', '/docs', '/docs/start.js', '/docs/swagger-ui.css'];

const { check, end } = shared();

/** As a browser asks: at / there is another answer for who takes no HTML. */
function get(
    target: Target,
    path: string,
    headers: Record<string, string> = {},
): Promise<Answer> {
    return ask(target, path, { Accept: 'text/html,*/*;q=0.8', ...headers });
}

/** What the page at / loads: its scripts and styles, whose names hold a hash of their content. */
async function assets(server: Logmill): Promise<string[]> {
    const { text } = await get(server, '/');
    return Array.from(
        text.matchAll(/<(?:script|link)\b[^>]* (?:src|href)="([^"]+)"/g),
        (match) => match[1]!,
    );
}

check('a file is sent compressed to who takes gzip, plain to who does not', async (server) => {
    for (const file of FILES) {
        const plain = await get(server, file);
        assert.equal(plain.status, 200, file);
        assert.equal(plain.headers['content-encoding'], undefined, file);

        const packed = await fetch(`http://127.0.0.1:${server.port}${file}`, {
            headers: { Accept: 'text/html,*/*;q=0.8' },
        });
        assert.equal(packed.headers.get('content-encoding'), 'gzip', file);
        assert.equal(await packed.text(), plain.text, file);
        for (const headers of [plain.headers['vary'], packed.headers.get('vary')]) {
            assert.equal(
                headers,
                file === '/' ? 'Accept, Accept-Encoding' : 'Accept-Encoding',
                file,
            );
        }
    }
});

check('HEAD tells the length that GET sends', async (server) => {
    for (const encoding of ['identity', 'gzip']) {
        const head = await request(server, {
            method: 'HEAD',
            path: '/docs/swagger-ui.js',
            headers: { 'Accept-Encoding': encoding },
        });
        assert.equal(head.status, 200);
        assert.equal(head.text, '');
        const length = Number(head.headers['content-length']);
        assert.ok(encoding === 'gzip' ? length < 1e6 : length > 1e6, `${encoding}: ${length}`);
    }
});

check('a file that the client has already is answered 304 without a body', async (server) => {
    for (const file of FILES) {
        const etag = String((await get(server, file)).headers['etag']);
        for (const held of [etag, `"other", ${etag}`, '*']) {
            const again = await get(server, file, { 'If-None-Match': held });
            assert.equal(again.status, 304, file);
            assert.equal(again.text, '', file);
            assert.equal(again.headers['etag'], etag, file);
        }
        assert.equal((await get(server, file, { 'If-None-Match': '"other"' })).status, 200, file);
    }
});

check('the page is asked for anew each time, what it loads is kept for ever', async (server) => {
    const page = await get(server, '/');
    assert.equal(page.headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(page.headers['cache-control'], 'no-cache');

    const loaded = await assets(server);
    assert.ok(
        loaded.some((file) => file.endsWith('.js')) && loaded.some((f) => f.endsWith('.css')),
    );
    for (const file of loaded) {
        assert.match(file, /^\/assets\/[\w.-]+-[\w-]{8}\.\w+$/, 'from here, by a name with a hash');
        const { status, headers } = await get(server, file);
        assert.equal(status, 200, file);
        assert.equal(headers['cache-control'], 'public, max-age=31536000, immutable', file);
        assert.equal((await get(server, file, { 'If-None-Match': '*' })).status, 304, file);
    }
    const gone = await get(server, '/assets/index-00000000.js');
    assert.deepEqual([gone.status, gone.json()], [404, { detail: 'Not Found' }]);
});

check('the pages may load nothing from elsewhere and run nothing inline', async (server) => {
    for (const file of ['/', '/docs']) {
        const { headers, text } = await get(server, file);
        const policy = String(headers['content-security-policy']).split('; ');
        const wanted = [
            ...["default-src 'none'", "base-uri 'none'", "form-action 'none'"],
            ...["frame-ancestors 'none'", "script-src 'self'", "style-src 'self'"],
            ...["connect-src 'self'", "img-src 'self' data:"],
            // The page makes no markup of text; Swagger UI does.
            ...(file === '/' ? ["require-trusted-types-for 'script'", "trusted-types 'none'"] : []),
        ];
        assert.deepEqual(policy.sort(), wanted.sort(), file);
        assert.doesNotMatch(text, /<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|https?:/i, file);
    }
});

check('every file says how a browser may treat it', async (server) => {
    for (const file of [...FILES, ...(await assets(server))]) {
        const { headers } = await get(server, file);
        assert.equal(headers['x-content-type-options'], 'nosniff', file);
        assert.equal(headers['referrer-policy'], 'no-referrer', file); // an address holds filters
        assert.equal(headers['cross-origin-opener-policy'], 'same-origin', file);
        assert.equal(headers['cross-origin-resource-policy'], 'same-origin', file);
        assert.match(String(headers['permissions-policy']), /(^|, )camera=\(\)(,|$)/, file);
    }
});

check('the page is only read', async (server) => {
    const refused = await post(server, '/docs', {});
    assert.deepEqual([refused.status, refused.headers['allow']], [405, 'GET, HEAD']);
});

check('a file that does not exist is not found, whatever its name', async (server) => {
    for (const file of [
        '/assets/',
        '/assets/../docs',
        '/index.html',
        '/docs/x',
        '/docs/..%2Fopenapi.json',
        '/docs/%00',
        '/docs/a/b',
    ]) {
        const answer = await get(server, file);
        assert.equal(answer.status, 404, file);
        assert.deepEqual(answer.json(), { detail: 'Not Found' });
    }
});

end();

scenario(
    'the half that takes and reads logs has the page, the half that stores them has not',
    async (lab) => {
        const dataDir = lab.folder();
        const worker = await lab.start(
            { command: 'worker', settings: { METRICS_PORT: String(await freePort()) } },
            dataDir,
        );
        const api = await lab.start({ command: 'api' }, dataDir);
        assert.deepEqual(
            [(await get(api, '/')).status, (await get(worker, '/')).status],
            [200, 404],
        );
    },
);
