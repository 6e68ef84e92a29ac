/* Following logs as they are stored: live tail. */
import { strict as assert } from 'node:assert';

import { eventually, freePort } from '../integration/harness';
import { postLog, postLogs, stored } from '../integration/logs';
import { browserTest, end } from './browser';
import { LogPage } from './log_page';

browserTest(
    'a log that is sent over HTTP arrives in the open page',
    async ({ server, visitor }) => {
        const page = new LogPage(await visitor.open('?live=1'));
        await page.state.waitFor(); // empty
        await postLog(server, { message: 'the first', level: 'info' });
        await page.shows(['the first']);
        await postLog(server, { message: 'the second', level: 'error' });
        await page.shows(['the second', 'the first']);
    },
);

browserTest('only logs that match the filters arrive', async ({ server, visitor }) => {
    const page = new LogPage(await visitor.open('?live=1&level=error&not.attr.host=b'));
    await page.state.waitFor();
    await postLog(server, { message: 'chatter', level: 'info' });
    await postLog(server, { message: 'elsewhere', level: 'error', host: 'b' });
    await postLog(server, { message: 'wanted', level: 'ERROR', host: 'a' });
    await page.shows(['wanted']);
});

browserTest(
    'paused, it counts what is new, and shows it when it goes on',
    async ({ server, visitor }) => {
        await stored(server, await postLog(server, { message: 'old', level: 'info' }));
        const page = new LogPage(await visitor.open('?live=1'));
        await page.shows(['old']);
        await page.pause.click();
        await postLogs(
            server,
            [1, 2, 3].map((n) => ({ message: `new ${n}`, level: 'info' })),
        );
        await page.tab.getByRole('button', { name: /\b3 new\b/ }).waitFor();
        assert.deepEqual(await page.messages(), ['old']);
        await page.resume.click();
        await page.shows(['new 3', 'new 2', 'new 1', 'old']);
    },
);

browserTest(
    'after a restart of the server it goes on without a gap or a repeat',
    async ({ lab, visitor, server }) => {
        const settings = { PORT: String(await freePort()) };
        const dataDir = lab.folder();
        const first = await lab.start({ settings }, dataDir);
        visitor.visits(first);
        const page = new LogPage(await visitor.open('?live=1'));
        await page.state.waitFor();
        await postLog(first, { message: 'before', level: 'info' });
        await page.shows(['before']);
        await first.kill();
        await page.away.waitFor();

        const second = await lab.start({ settings }, dataDir);
        await postLogs(
            second,
            [1, 2, 3].map((n) => ({ message: `after ${n}`, level: 'info' })),
        );
        await page.shows(['after 3', 'after 2', 'after 1', 'before']);
        await page.away.waitFor({ state: 'hidden' });
        assert.ok(server.port !== second.port);
    },
);

browserTest(
    'a burst of 5,000 logs arrives whole and in order, and the page stays small',
    async ({ server, visitor }) => {
        const page = new LogPage(await visitor.open('?live=1'));
        await page.state.waitFor();
        for (let batch = 0; batch < 10; batch++) {
            await postLogs(
                server,
                Array.from({ length: 500 }, (_, n) => ({
                    message: `burst ${batch * 500 + n}`,
                    level: 'info',
                })),
            );
        }
        await eventually(
            'the newest on top',
            async () => (await page.messages())[0] === 'burst 4999',
        );
        const rows = await page.messages();
        assert.deepEqual(
            rows,
            rows.map((_, n) => `burst ${4999 - n}`),
        );
        assert.ok(rows.length < 200, `${rows.length} rows in the DOM`);
    },
);

end();
