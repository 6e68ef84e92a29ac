/* The one bar: what is asked for, in words, terms and chips; and the times that are looked at. */
import { strict as assert } from 'node:assert';

import type { Locator, Page, Route } from 'playwright-core';

import { type Logmill, eventually } from '../support/harness';
import { get } from '../support/http';
import { atRest, postLogs } from '../support/logs';
import { browserTest, end } from './browser';
import { LogPage } from './log_page';

const MINUTE = 60_000;

/** Five logs of the last minutes, the newest first; their messages. */
async function someLogs(server: Logmill): Promise<string[]> {
    const logs = [
        { level: 'info', message: 'payment taken', service: 'pay', http: { status: 200 } },
        { level: 'error', message: 'payment refused', service: 'pay', http: { status: 502 }, trace_id: 'a1' },
        { level: 'warning', message: 'basket is empty', service: 'cart', http: { status: 404 } },
        { level: 'error', message: 'Basket not found', service: 'cart', host: 'web 1' },
        { level: 'info', message: 'mail sent', service: 'post', note: 'payment' },
    ];
    await postLogs(server, logs.map((log, n) => ({ timestamp: new Date(Date.now() - (n + 1) * MINUTE).toISOString(), ...log })));
    await atRest(server);
    return logs.map(({ message }) => message);
}

function chips(tab: Page): Locator {
    return tab.getByTestId('chip');
}

/** What the bar offers to go on with. */
function option(page: LogPage, name?: string | RegExp): Locator {
    return page.tab.getByRole('listbox', { name: 'Completions' }).getByRole('option', name === undefined ? {} : { name });
}

async function enter(page: LogPage, query: string): Promise<void> {
    await page.search.fill(query);
    await page.search.press('Enter');
}

/** What the option that the arrows have reached says. */
async function activeOption(page: LogPage): Promise<string | null> {
    const id = await page.search.getAttribute('aria-activedescendant');
    return id === null ? null : page.tab.locator(`#${id}`).innerText();
}

browserTest('all that is asked for is cleared by one click', async ({ server, visitor }) => {
    const all = await someLogs(server);
    const page = new LogPage(await visitor.open('?query=service:pay payment&off=host:x'));
    const clear = page.tab.getByRole('button', { name: 'Clear all filters' });
    await page.shows(['payment taken', 'payment refused']);
    await clear.click();
    await page.shows(all);
    await page.addressHas('query');
    await page.addressHas('off');
    assert.equal(await page.search.inputValue(), '');
    assert.ok(await page.search.evaluate((field) => field === document.activeElement));
    await page.tab.goBack();
    await page.shows(['payment taken', 'payment refused']);
    await page.chip('host').click();
    await page.tab.keyboard.press('Escape');
    await page.chip('service').click();
    await clear.waitFor({ state: 'detached' }); // one thing has its own ×
});

browserTest('terms of fields become chips, and words stay in the field', async ({ server, visitor }) => {
    await someLogs(server);
    const page = new LogPage(await visitor.open());
    await enter(page, 'service:pay payment -http.status:>=500');
    await page.shows(['payment taken']);
    assert.deepEqual(await chips(page.tab).locator('.chip-text').allInnerTexts(), ['service:pay', '-http.status:>=500']);
    assert.equal(await page.search.inputValue(), 'payment');
    await page.addressHas('query', 'service:pay payment -http.status:>=500');

    const other = new LogPage(await visitor.open(new URL(page.tab.url()).search));
    await other.shows(['payment taken']);
    assert.equal(await chips(other.tab).count(), 2);
    assert.equal(await other.search.inputValue(), 'payment');
});

browserTest('a chip is switched off and on, removed, and edited', async ({ server, visitor }) => {
    const all = await someLogs(server);
    const page = new LogPage(await visitor.open('?query=service:pay level:error'));
    const { tab } = page;
    await page.shows(['payment refused']);

    await tab.getByRole('button', { name: 'Switch off filter: level:error' }).click();
    await page.shows(['payment taken', 'payment refused']);
    await page.addressHas('query', 'service:pay');
    await page.addressHas('off', 'level:error');
    const text = tab.getByRole('button', { name: 'Edit filter: level:error' });
    assert.match(await text.evaluate((button) => getComputedStyle(button).textDecorationLine), /line-through/);
    await tab.reload();
    await tab.getByRole('button', { name: 'Switch on filter: level:error' }).click();
    await page.shows(['payment refused']);
    await page.addressHas('off');

    await tab.getByRole('button', { name: 'Remove filter: level:error' }).click();
    await page.shows(['payment taken', 'payment refused']);

    await tab.getByRole('button', { name: 'Edit filter: service:pay' }).click();
    assert.equal(await page.search.inputValue(), 'service:pay');
    assert.equal(await chips(tab).count(), 0);
    await page.addressHas('query', 'service:pay'); // until Enter
    await tab.keyboard.press('Escape');
    assert.equal(await page.search.inputValue(), '');
    assert.equal(await chips(tab).count(), 1, 'it was not edited after all');

    await tab.getByRole('button', { name: 'Edit filter: service:pay' }).click();
    await enter(page, 'service:cart');
    await page.shows(['basket is empty', 'Basket not found']);
    await page.addressHas('query', 'service:cart');

    await page.search.press('Backspace');
    assert.equal(await page.search.inputValue(), 'service:cart');
    await enter(page, '');
    await page.shows(all);
    await page.addressHas('query');
});

browserTest('a chip that leaves logs out looks different from one that finds them', async ({ server, visitor }) => {
    await someLogs(server);
    const { tab } = new LogPage(await visitor.open('?query=service:pay -level:error NOT host:x&off=-service:cart'));
    const look = (term: string, state = 'off'): Promise<string[]> =>
        tab.getByRole('button', { name: `Switch ${state} filter: ${term}`, exact: true }).evaluate((box) => {
            const { content, backgroundColor } = getComputedStyle(box, '::before');
            return [content, backgroundColor, getComputedStyle(box.parentElement!).backgroundColor];
        });
    const [finds, leavesOut, isOff] = [await look('service:pay'), await look('-level:error'), await look('-service:cart', 'on')];
    assert.deepEqual(await look('NOT host:x'), leavesOut);
    assert.equal(leavesOut[0], '"−"');
    for (const n of [0, 1, 2]) assert.notEqual(leavesOut[n], finds[n]);
    for (const n of [0, 1, 2]) assert.notEqual(isOff[n], leavesOut[n]);
});

browserTest('all of the bar is chosen at once, chips and text, and what is typed takes its place', async ({ server, visitor }) => {
    const all = await someLogs(server);
    const page = new LogPage(await visitor.open('?query=service:pay (refused OR taken)&off=level:error'));
    const { tab } = page;
    const chosen = (): Promise<string> => page.search.evaluate((field: HTMLInputElement) =>
        field.value.slice(field.selectionStart!, field.selectionEnd!));
    await page.shows(['payment taken', 'payment refused']);
    await page.search.press('ControlOrMeta+a');
    await chips(tab).first().waitFor({ state: 'detached' });
    assert.equal(await chosen(), 'service:pay level:error (refused OR taken)');
    await tab.keyboard.press('Escape');
    await chips(tab).nth(1).waitFor();
    assert.equal(await page.search.inputValue(), '(refused OR taken)');
    await page.addressHas('off', 'level:error');

    await page.search.press('ControlOrMeta+a');
    await tab.keyboard.type('basket');
    await page.shows(['basket is empty', 'Basket not found']);
    await page.asks('basket');
    await page.addressHas('off');
    assert.equal(await page.search.inputValue(), 'basket');

    await tab.goto(`${visitor.origin}?query=service:pay level:error`);
    await page.shows(['payment refused']);
    await page.search.press('ControlOrMeta+a');
    await tab.keyboard.press('Delete');
    await page.shows(all);
    await page.asks('');
});

browserTest('words are searched for when typing rests, all else at Enter', async ({ server, visitor }) => {
    await someLogs(server);
    await visitor.context.clock.install();
    const asked: string[] = [];
    visitor.context.on('request', (request) => {
        const url = new URL(request.url());
        if (url.pathname === '/logs') asked.push(url.searchParams.get('query') ?? '');
    });
    const page = new LogPage(await visitor.open());
    await page.rows.first().waitFor();
    for (const text of ['service:pay', '"payment', 'payment OR', '(basket', '-basket', '/basket']) {
        await page.search.fill(text);
        await page.tab.clock.runFor(5000);
        await page.addressHas('query');
        assert.deepEqual([...new Set(asked)], [''], text);
    }
    await page.search.fill('basket');
    await page.shows(['basket is empty', 'Basket not found']);
    await page.addressHas('query', 'basket');
    await page.search.fill('service:pay');
    await page.tab.getByRole('button', { name: 'Search', exact: true }).click(); // as Enter, where a phone has none
    await page.shows(['payment taken', 'payment refused']);
});

browserTest('a blank behind a word is not taken from who goes on typing', async ({ server, visitor }) => {
    await someLogs(server);
    const page = new LogPage(await visitor.open());
    await page.search.pressSequentially('payment ');
    await page.addressHas('query', 'payment');
    await page.search.pressSequentially('taken');
    await page.shows(['payment taken']);
    assert.equal(await page.search.inputValue(), 'payment taken');
});

browserTest('names of fields are offered, with types and counts, and asked for once', async ({ server, visitor }) => {
    await someLogs(server);
    let asked = 0;
    visitor.context.on('request', (request) => {
        if (new URL(request.url()).pathname === '/logs/fields') asked++;
    });
    const page = new LogPage(await visitor.open());
    const { tab } = page;
    await page.rows.first().waitFor();
    const before = asked;
    await tab.keyboard.press('/');
    await tab.keyboard.type('s');
    await option(page, 'service').waitFor();
    assert.match(await option(page).first().innerText(), /service\s+string · 5/);
    assert.match(await option(page, 'http.status').innerText(), /number · 3/);
    assert.equal(await page.search.getAttribute('aria-expanded'), 'true');
    assert.equal(await activeOption(page), null, 'Enter would search for what is typed');

    await tab.keyboard.press('ArrowDown');
    assert.match((await activeOption(page))!, /^service/);
    await tab.keyboard.press('ArrowUp');
    assert.equal(await activeOption(page), null);
    await tab.keyboard.press('ArrowDown');
    await tab.keyboard.press('Enter');
    assert.equal(await page.search.inputValue(), 'service:');

    await page.search.fill('ho');
    await option(page, 'host').waitFor();
    await tab.keyboard.press('Tab');
    assert.equal(await page.search.inputValue(), 'host:');
    assert.equal(asked - before, 1);

    await page.search.fill('tr');
    await option(page, 'trace_id').waitFor();
    await tab.keyboard.press('Escape');
    await option(page).first().waitFor({ state: 'hidden' });
    assert.equal(await page.search.getAttribute('aria-expanded'), 'false');
    assert.ok(await page.search.evaluate((field) => field === document.activeElement), 'the field keeps the focus');
}, { context: { viewport: { width: 1000, height: 800 } } });

browserTest('values are offered with their counts, and levels', async ({ server, visitor }) => {
    await someLogs(server);
    const page = new LogPage(await visitor.open());
    const { tab } = page;
    await page.search.fill('service:');
    await option(page, 'cart').waitFor();
    assert.match(await option(page, 'cart').innerText(), /cart\s+2/);
    await page.search.pressSequentially('p');
    await option(page, 'cart').waitFor({ state: 'hidden' });
    await option(page, 'post').click();
    assert.equal(await page.search.inputValue(), 'service:post ');
    await page.search.press('Enter');
    await page.shows(['mail sent']);

    await tab.getByRole('button', { name: 'Remove filter: service:post' }).click();
    await page.search.fill('host:w');
    await option(page, 'web 1').waitFor();
    await page.search.press('Tab');
    assert.equal(await page.search.inputValue(), 'host:"web 1" ');
    await page.search.fill('-level:>=');
    await option(page, /^error\s*2$/).waitFor();
    await option(page, 'critical').click();
    assert.equal(await page.search.inputValue(), '-level:>=critical ');
    await page.search.fill('service:(pay OR c');
    await option(page, 'cart').click();
    assert.equal(await page.search.inputValue(), 'service:(pay OR cart');
});

browserTest('completions are of the logs that the chips leave', async ({ server, visitor }) => {
    await someLogs(server);
    const page = new LogPage(await visitor.open('?query=service:pay'));
    await page.search.fill('level:');
    await option(page, /^error\s*1$/).waitFor();
    await page.search.fill('service:');
    await option(page, /^cart\s*2$/).waitFor(); // another value of the same field
});

browserTest('a rest amid the name of a field leaves its values to be offered', async ({ server, visitor }) => {
    await someLogs(server);
    const page = new LogPage(await visitor.open());
    await page.search.pressSequentially('serv');
    await page.asks('serv'); // as a word
    await page.search.pressSequentially('ice:c');
    await option(page, /^cart\s*2$/).waitFor();
});

browserTest('without an answer there is nothing to complete, and searching goes on', async ({ server, visitor }) => {
    await someLogs(server);
    await visitor.context.route(/\/logs\/fields/, (route) => route.abort());
    const page = new LogPage(await visitor.open());
    await page.search.fill('trace');
    await page.search.fill('service:pay');
    await page.search.press('Enter');
    await page.shows(['payment taken', 'payment refused']);
    assert.equal(await option(page).count(), 0);
    assert.equal(await page.tab.getByRole('alert').count(), 0);
});

browserTest('a mistake is underlined where it is, and the list stays', async ({ server, visitor }) => {
    const all = await someLogs(server);
    const page = new LogPage(await visitor.open('?query=-service:none'));
    const { tab } = page;
    await page.shows(all);
    const mistake = tab.getByTestId('mistake');
    for (const [query, at, why] of [
        ['http.status:>fast', 'fast', /expected a number, met fast/],
        ['ünï 🎉 service:(pay cart)', 'cart', /expected OR, AND or \), met cart/],
        ['"pool', '"', /quote is not closed/],
        ['(payment', '\u00a0', /met the end/],
        ['  level:>=custom', 'custom', /no level that is more or less/],
    ] as const) {
        await enter(page, query);
        await tab.getByRole('alert').getByText(why).waitFor();
        assert.equal((await mistake.textContent())!.slice(0, at.length), at, query);
        assert.equal(await page.search.getAttribute('aria-invalid'), 'true');
        assert.equal(await page.search.inputValue(), query);
        await page.addressHas('query', '-service:none');
        assert.deepEqual(await page.messages(), all);
        await page.search.press('End');
        await page.search.press('x');
        await tab.getByRole('alert').waitFor({ state: 'hidden' });
        assert.equal(await mistake.count(), 0);
    }
    await enter(page, 'level:error');
    await page.shows(['payment refused', 'Basket not found']);
});

browserTest('a mistake is brought into sight in a long text, and its mark lies under it', async ({ server, visitor }) => {
    await someLogs(server);
    const page = new LogPage(await visitor.open());
    const mark = page.tab.getByTestId('mistake');
    const isSeen = async (): Promise<boolean> => {
        const [field, box] = [(await page.search.boundingBox())!, (await mark.boundingBox())!];
        return box.x >= field.x && box.x + box.width <= field.x + field.width;
    };
    const words = 'word '.repeat(60);
    for (const query of [`${words}ms:>fast`, `ms:>fast ${words}`]) {
        await enter(page, query);
        await mark.waitFor();
        assert.ok(await isSeen(), query.slice(0, 10));
        const scrolled = (await mark.boundingBox())!.x;
        await page.search.evaluate((field) => (field.scrollLeft += field.scrollLeft > 200 ? -100 : 100));
        await eventually('the mark to go with the text', async () => Math.abs((await mark.boundingBox())!.x - scrolled) > 90);
    }
});

browserTest('a mistake in an address is marked, in the text or in its chip', async ({ server, visitor }) => {
    await someLogs(server);
    const page = new LogPage(await visitor.open('?query=' + encodeURIComponent('payment "x')));
    await page.isIn('error');
    await page.tab.getByRole('alert').waitFor();
    assert.equal(await page.tab.getByTestId('mistake').count(), 1);
    assert.equal(await page.search.inputValue(), 'payment "x');

    await page.tab.goto(`${visitor.origin}?query=${encodeURIComponent('payment level:>=custom service:pay')}`);
    await page.tab.getByRole('alert').getByText(/custom is no level/).waitFor();
    assert.deepEqual(await page.tab.locator('.chip.is-wrong').allInnerTexts().then((all) => all.map((text) => text.split('\n')[0])), ['level:>=custom']);
    await page.tab.getByRole('button', { name: 'Remove filter: level:>=custom' }).click();
    await page.shows(['payment taken', 'payment refused']);
    assert.equal(await page.tab.getByRole('alert').count(), 0);
});

browserTest('what is typed while a query is looked at is kept', async ({ server, visitor }) => {
    await someLogs(server);
    let look = (): void => {};
    const mayLook = new Promise<void>((resolve) => (look = resolve));
    await visitor.context.route(/\/logs\/stats.*since=9999/, async (route) => {
        if (route.request().url().includes('query=')) await mayLook;
        await route.continue().catch(() => {});
    });
    const page = new LogPage(await visitor.open());
    await page.rows.first().waitFor();
    await enter(page, 'service:pay');
    await page.search.pressSequentially(' refused');
    look();
    await page.search.press('Enter');
    await page.shows(['payment refused']);
    await page.addressHas('query', 'service:pay refused');
});

browserTest('what is chosen while something is awaited stays', async ({ server, visitor }) => {
    await someLogs(server);
    const waits: (() => void)[] = [];
    const held = async (route: Route): Promise<void> => {
        await new Promise<void>((resolve) => waits.push(resolve));
        await route.continue().catch(() => {});
    };
    await visitor.context.route(/\/logs\/stats\?(?=.*since=9999)(?=.*query=)/, held);
    const page = new LogPage(await visitor.open());
    await page.rows.first().waitFor();
    await enter(page, 'service:pay');
    await eventually('the query to be looked at', async () => waits.length === 1);
    await page.chooseRange('7d');
    await page.toggleLevel('error');
    await page.addressHas('range', '7d');
    waits.pop()!();
    await page.asks('level:error service:pay');
    await page.addressHas('range', '7d');
    await page.shows(['payment refused']);

    await visitor.context.route(/\/logs\?(?=.*limit=1(&|$))/, held);
    await page.list.focus();
    await page.tab.keyboard.press('n');
    await eventually('an error to be looked for', async () => waits.length === 1);
    await page.tab.getByRole('button', { name: 'Wrap' }).click();
    await page.addressHas('wrap', '1');
    waits.pop()!();
    await page.details.waitFor();
    await page.addressHas('wrap', '1');
});

browserTest('the focus stays where one was, though what had it is gone', async ({ server, visitor }) => {
    await someLogs(server);
    const page = new LogPage(await visitor.open('?query=service:pay level:error host:*&off=host:*&column=service&column=host'));
    const { tab } = page;
    const press = async (name: string | RegExp): Promise<void> => {
        await tab.getByRole('button', { name }).focus();
        await tab.keyboard.press('Enter');
    };
    const isAt = (name: string): Promise<unknown> =>
        eventually(`the focus to be at ${name}`, () =>
            tab.evaluate((name) => {
                const at = document.activeElement!;
                return [at.id, at.getAttribute('aria-label'), at.textContent].includes(name);
            }, name));
    await press('Switch off filter: host:*');
    await isAt('Switch on filter: host:*');
    await page.shows(['payment refused']);
    await press('Switch off filter: service:pay');
    await isAt('Switch on filter: service:pay');
    await press('Remove filter: host:*');
    await isAt('Remove filter: service:pay');
    await tab.keyboard.press('Enter');
    await isAt('Remove filter: level:error');
    await press('All levels');
    await eventually('the focus to be in the legend', () => tab.evaluate(() => document.activeElement!.matches('.legend button')));
    await page.search.fill('service:pay');
    await page.search.press('Enter');
    await press('Remove filter: service:pay');
    await isAt('search');

    await press('Move service right');
    await isAt('Move service left'); // there is none to the right of it
    await tab.keyboard.press('Enter');
    await isAt('Move service right');
    await press('Remove column service');
    await isAt('Remove column host');
    await tab.keyboard.press('Enter');
    await isAt('logs');

    await page.open('payment taken');
    await press('Show around');
    await press('Back');
    await isAt('logs');
    await page.open('payment taken');
    await page.details.getByRole('button', { name: 'Filter for service', exact: true }).focus();
    await tab.keyboard.press('Enter');
    await isAt('logs');
});

browserTest('examples below the bar are written into it, and lead to the whole language', async ({ server, visitor }) => {
    await someLogs(server);
    const page = new LogPage(await visitor.open());
    const { tab } = page;
    await page.rows.first().waitFor();
    await page.search.click();
    await tab.getByRole('button', { name: 'level:>=warning' }).click();
    assert.equal(await page.search.inputValue(), 'level:>=warning');
    await page.search.press('Enter');
    await page.shows(['payment refused', 'basket is empty', 'Basket not found']);

    await page.search.click();
    await tab.getByRole('button', { name: 'The whole language' }).click();
    const language = tab.getByRole('dialog', { name: 'The query language' });
    const examples = await language.locator('code').allInnerTexts();
    assert.ok(examples.length > 15, `${examples.length} examples`);
    for (const query of examples) {
        const { status } = await get(server, `/logs?query=${encodeURIComponent(query)}`);
        assert.equal(status, 200, query);
    }
    await language.getByRole('button', { name: '-level:debug' }).click();
    await language.waitFor({ state: 'hidden' });
    assert.equal(await page.search.inputValue(), '-level:debug');
});

async function goesBack(page: LogPage): Promise<void> {
    const press = (key: string): Promise<void> => page.search.press(key);
    await enter(page, 'service:pay');
    await page.shows(['payment taken', 'payment refused']);
    await enter(page, 'refused');
    await page.shows(['payment refused']);
    await page.search.fill('');
    await press('ArrowUp');
    assert.equal(await page.search.inputValue(), 'service:pay refused');
    assert.equal(await chips(page.tab).count(), 0, 'it takes the place of the chips');
    await press('ArrowUp');
    assert.equal(await page.search.inputValue(), 'service:pay');
    await press('ArrowUp');
    assert.equal(await page.search.inputValue(), 'service:pay', 'there is none before');
    await press('ArrowDown');
    assert.equal(await page.search.inputValue(), 'service:pay refused');
    await press('ArrowUp');
    await press('Enter');
    await page.shows(['payment taken', 'payment refused']);
    await page.addressHas('query', 'service:pay');
}

browserTest('arrow up brings the queries of before, those of earlier visits, too', async ({ server, visitor }) => {
    await someLogs(server);
    const page = new LogPage(await visitor.open());
    await goesBack(page);
    const later = new LogPage(await visitor.open());
    await later.rows.first().waitFor();
    await later.search.press('ArrowUp');
    assert.equal(await later.search.inputValue(), 'service:pay');
    await later.search.press('ArrowDown');
    assert.equal(await later.search.inputValue(), '');
});

browserTest('without storage the bar works, and has no queries of before', async ({ server, visitor }) => {
    await someLogs(server);
    await visitor.context.addInitScript(() => {
        Object.defineProperty(window, 'localStorage', { get: () => { throw new DOMException('forbidden', 'SecurityError'); } });
    });
    const page = new LogPage(await visitor.open());
    await enter(page, 'service:pay');
    await page.shows(['payment taken', 'payment refused']);
    await page.search.press('ArrowUp');
    assert.equal(await page.search.inputValue(), '');
});

browserTest('whatever the language has can be asked for', async ({ server, visitor }) => {
    await someLogs(server);
    const page = new LogPage(await visitor.open());
    for (const [query, messages] of [
        ['any:payment', ['payment taken', 'payment refused', 'mail sent']],
        ['/(?i)^basket (is|not)/', ['basket is empty', 'Basket not found']],
        ['http.status:[400 TO 502]', ['payment refused', 'basket is empty']],
        ['payment taken OR mail', ['payment taken', 'mail sent']],
        ['NOT (service:pay OR service:cart)', ['mail sent']],
        ['host:"web 1"', ['Basket not found']],
        ['trace_id:*', ['payment refused']],
    ] as const) {
        for (const chip of await page.tab.getByRole('button', { name: /^Remove filter/ }).all()) await chip.click();
        await enter(page, query);
        await page.shows([...messages]);
        await page.addressHas('query', query);
    }
});

/* ---- Times ---- */

async function manyTimes(server: Logmill): Promise<void> {
    await postLogs(server, [
        { timestamp: '2026-11-20T19:49:59.999Z', level: 'info', message: 'just before' },
        { timestamp: '2026-11-20T19:50:00Z', level: 'info', message: 'at ten to eight' },
        { timestamp: '2026-11-20T20:00:00Z', level: 'info', message: 'at eight' },
        { level: 'info', message: 'now' },
    ]);
    await atRest(server);
}

browserTest('times are said in words, told as they were taken, and stand on the button', async ({ server, visitor }) => {
    await manyTimes(server);
    const page = new LogPage(await visitor.open('?zone=utc'));
    await page.shows(['now']);
    assert.match(await page.time.innerText(), /^Last 24 hours\s+UTC$/);
    const times = await page.openTimes();
    const words = times.getByLabel('Time in words');
    assert.ok(await words.evaluate((field) => field === document.activeElement), 'it has the focus');
    await words.fill('20 Nov 2026 19:50 – 20:00');
    await times.getByText('2026-11-20 19:50:00.000 – 2026-11-20 20:00:00.000').waitFor();
    await words.press('Enter');
    await page.shows(['at ten to eight']);
    await times.waitFor({ state: 'hidden' });
    assert.match(await page.time.innerText(), /^20 Nov (2026 )?19:50 – 20:00\s+UTC$/);
    await page.addressHas('since', '2026-11-20T19:50:00.000Z');
    await page.addressHas('until', '2026-11-20T20:00:00.000Z');

    await page.openTimes();
    await words.fill('half past ten');
    await times.getByText(/^Not understood/).waitFor();
    assert.equal(await words.getAttribute('aria-invalid'), 'true');
    await words.press('Enter');
    assert.ok(await times.isVisible(), 'nothing is applied');
    await page.addressHas('since', '2026-11-20T19:50:00.000Z');
    await words.fill('45m');
    await times.getByText('Last 45 minutes').waitFor();
    await words.press('Enter');
    await page.shows(['now']);
    await page.addressHas('range', '45m');
});

browserTest('from and to are written as times stand in the rows, in the zone of the view', async ({ server, visitor }) => {
    await manyTimes(server);
    const page = new LogPage(await visitor.open('?since=2026-11-20T19:50:00Z&until=2026-11-20T20:00:00Z'));
    await page.shows(['at ten to eight']);
    assert.match(await page.time.innerText(), /21 Nov (2026 )?01:20 – 01:30\s+UTC\+5:30$/);
    const times = await page.openTimes();
    const [from, to] = [times.getByLabel('From'), times.getByLabel('To', { exact: true })];
    assert.equal(await from.inputValue(), '2026-11-21 01:20:00.000');
    await times.getByText('Times in UTC+5:30, Asia/').waitFor();
    await from.fill('2026-11-21 01:19:59.999');
    await times.getByRole('button', { name: 'Apply' }).click();
    await page.shows(['at ten to eight', 'just before']);
    await page.addressHas('until', '2026-11-20T20:00:00Z'); // it was not changed

    await page.openTimes();
    await from.fill('2026-02-31 00:00:00.000');
    await times.getByRole('button', { name: 'Apply' }).click();
    await times.getByText(/^From: no time/).waitFor();
    assert.equal(await from.getAttribute('aria-invalid'), 'true');
    assert.equal(await to.getAttribute('aria-invalid'), 'false');
    assert.equal(await from.inputValue(), '2026-02-31 00:00:00.000');
    await from.fill('2026-11-22');
    await times.getByRole('button', { name: 'Apply' }).click();
    await times.getByText('It ends before it begins').waitFor();
    await from.fill('2026-11-21 01:20');
    await to.fill('');
    await times.getByRole('button', { name: 'Apply' }).click();
    await page.shows(['now', 'at eight', 'at ten to eight']);
    assert.match(await page.time.innerText(), /^Since 21 Nov/);
}, { context: { timezoneId: 'Asia/Kolkata' } });

browserTest('the times are left by Esc, by a click elsewhere and by Tab, with the focus in order', async ({ server, visitor }) => {
    await manyTimes(server);
    const page = new LogPage(await visitor.open());
    await page.shows(['now']);
    const { tab } = page;
    const focused = (): Promise<string | null> => tab.evaluate(() => document.activeElement!.getAttribute('data-testid'));
    const times = await page.openTimes();
    await tab.keyboard.press('j'); // is written
    await tab.keyboard.press('Escape');
    await times.waitFor({ state: 'hidden' });
    assert.equal(await focused(), 'time');
    await tab.keyboard.press('Enter');
    await times.waitFor();
    await page.list.click();
    await times.waitFor({ state: 'hidden' });
    await page.openTimes();
    await tab.keyboard.press('Shift+Tab');
    assert.equal(await focused(), 'time');
    await page.tabTo('Apply');
    await tab.keyboard.press('Tab');
    await times.waitFor({ state: 'hidden' });
});

browserTest('live has no end, and a time with an end is not live', async ({ server, visitor }) => {
    await manyTimes(server);
    const page = new LogPage(await visitor.open('?since=2026-11-20&until=2026-11-21&zone=utc'));
    await page.shows(['at eight', 'at ten to eight', 'just before']);
    await page.live.click();
    await page.addressHas('until');
    await page.addressHas('live', '1');
    await page.writeTimes('20 Nov 2026');
    await page.addressHas('live');
    await page.shows(['at eight', 'at ten to eight', 'just before']);
});

/* ---- Looks ---- */

/** What can be clicked in the top of the page and is less than 24 px high or wide. */
function smallTargets(tab: Page): Promise<string[]> {
    return tab.locator('header').evaluate((header) =>
        [...header.querySelectorAll('button, a, input, [role=option]')]
            .map((target) => ({ target, box: target.getBoundingClientRect() }))
            .filter(({ box }) => box.width > 0 && (box.width < 24 || box.height < 24))
            .map(({ target, box }) => `${target.getAttribute('aria-label') ?? target.textContent}: ${box.width} × ${box.height}`),
    );
}

for (const viewport of [{ width: 1440, height: 900 }, { width: 390, height: 844 }]) {
    browserTest(`what can be clicked in the bar is large enough: ${viewport.width} px`, async ({ server, visitor }) => {
        await someLogs(server);
        const page = new LogPage(await visitor.open('?query=service:pay level:error&off=host:x'));
        await page.rows.first().waitFor();
        await page.search.click();
        await option(page).first().waitFor();
        assert.deepEqual(await smallTargets(page.tab), [], 'the bar');
        await enter(page, 'ms:>fast'); // its message lies below what is opened
        await page.tab.getByRole('alert').waitFor();
        const times = await page.openTimes();
        await times.getByRole('button', { name: 'Today' }).click({ trial: true });
        await times.getByRole('button', { name: 'Last hour' }).click({ trial: true });
        assert.match(await page.time.innerText(), /Last 24 hours/);
        const { width } = (await page.time.locator('.time-text').boundingBox())!;
        assert.ok(width > 80, `${width} px of the time are seen`);
        assert.deepEqual(await smallTargets(page.tab), [], 'times');
        assert.ok(await page.fitsInWidth());
    }, { context: { viewport } });
}

browserTest('chips that are many or long stay within the bar', async ({ server, visitor }) => {
    await someLogs(server);
    const terms = Array.from({ length: 12 }, (_, n) => `-k${n}:${'v'.repeat(60)}`);
    const page = new LogPage(await visitor.open(`?query=${terms.join(' ')}`));
    await page.rows.first().waitFor();
    assert.equal(await chips(page.tab).count(), 12);
    assert.ok(await page.fitsInWidth());
    const { height } = (await page.tab.locator('.query-box').boundingBox())!;
    assert.ok(height <= 142, `${height} px`);
    await page.search.click();
    assert.ok(await page.search.isVisible());
}, { context: { viewport: { width: 390, height: 844 } } });

end();
