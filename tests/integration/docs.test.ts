/* How the files built into the program are sent; what they say is tested in read.test.ts. */
import { strict as assert } from 'node:assert';

import { shared } from './harness';
import { get, request } from './http';

const FILES = ['/openapi.json', '/docs', '/docs/start.js', '/docs/swagger-ui.css'];

const { check, end } = shared();

check('a file is sent compressed to who takes gzip, plain to who does not', async (server) => {
    for (const file of FILES) {
        const plain = await get(server, file);
        assert.equal(plain.status, 200, file);
        assert.equal(plain.headers['content-encoding'], undefined, file);

        const packed = await fetch(`http://127.0.0.1:${server.port}${file}`);
        assert.equal(packed.headers.get('content-encoding'), 'gzip', file);
        assert.equal(await packed.text(), plain.text, file);
        for (const headers of [plain.headers['vary'], packed.headers.get('vary')]) {
            assert.equal(headers, 'Accept-Encoding', file);
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

check('the page may load nothing from elsewhere and run no inline script', async (server) => {
    const policy = String((await get(server, '/docs')).headers['content-security-policy']);
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /script-src 'self'(;|$)/);
    assert.doesNotMatch(policy, /unsafe|https?:/);
});

check('a file that does not exist is not found, whatever its name', async (server) => {
    for (const file of ['/docs/x', '/docs/..%2Fopenapi.json', '/docs/%00', '/docs/a/b']) {
        const answer = await get(server, file);
        assert.equal(answer.status, 404, file);
        assert.deepEqual(answer.json(), { detail: 'Not Found' });
    }
});

end();
