/*
 * How quick rows are: 100,000 of them are scrolled through, and a log of 20,000 attributes is opened. What the page's
 * script takes of each frame is read from Chromium's trace: tools/row-paces. Timings are no tests.
 */
import type { CDPSession, Page } from 'playwright-core';

import { atRest, postLogs } from '../support/logs';
import { browserTest, end } from './browser';
import { LogPage } from './log_page';

const LOGS = Number(process.env['LOGS'] ?? 100_000);
const ATTRIBUTES = 20_000;
const ROUNDS = 7;

interface TraceEvent {
    name: string;
    ph: string;
    ts: number;
    dur?: number;
    /** The same by the processor: what others took of it meanwhile is not in it. */
    tdur?: number;
    tid: number;
}

const SCRIPT = new Set(['FunctionCall', 'EvaluateScript', 'RunMicrotasks', 'FireAnimationFrame', 'EventDispatch', 'TimerFire', 'v8.callFunction']);

function quantile(numbers: number[], part: number): number {
    const sorted = [...numbers].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

async function traced(cdp: CDPSession, act: () => Promise<void>): Promise<TraceEvent[]> {
    const events: TraceEvent[] = [];
    cdp.on('Tracing.dataCollected', ({ value }) => events.push(...(value as unknown as TraceEvent[])));
    await cdp.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: ['devtools.timeline', 'disabled-by-default-devtools.timeline', 'blink.user_timing'] } });
    await act();
    const complete = new Promise((resolve) => cdp.once('Tracing.tracingComplete', resolve));
    await cdp.send('Tracing.end');
    await complete;
    return events;
}

const FRAME = 'a frame of row-paces';

/** Lets the trace have a mark at the beginning of each frame: what the browser says of frames has other names each year. */
function markFrames(tab: Page): Promise<void> {
    return tab.evaluate((name) => {
        const mark = (): void => {
            performance.mark(name);
            requestAnimationFrame(mark);
        };
        requestAnimationFrame(mark);
    }, FRAME);
}

/** The script of each frame, in ms: what runs within each other counts once. */
function scriptOfFrames(events: TraceEvent[]): number[] {
    const frames = events.filter(({ name }) => name === FRAME).sort((a, b) => a.ts - b.ts);
    if (frames.length < 2) throw new Error('the trace has no frames');
    const main = frames[0]!.tid;
    const scripts = events.filter(({ name, ph, tid }) => ph === 'X' && tid === main && SCRIPT.has(name)).sort((a, b) => a.ts - b.ts);
    const spent = new Array<number>(Math.max(0, frames.length - 1)).fill(0);
    let frame = 0;
    let until = 0;
    for (const { ts, dur = 0, tdur = dur } of scripts) {
        while (frame < spent.length && frames[frame + 1]!.ts <= ts) frame++;
        if (frame >= spent.length || ts < frames[0]!.ts || ts < until) continue;
        until = ts + dur;
        spent[frame]! += tdur / 1000;
    }
    return spent;
}

async function scrollThrough(tab: Page, page: LogPage, last: string): Promise<void> {
    await page.list.hover();
    for (let n = 0; n < 4000; n++) {
        await tab.mouse.wheel(0, 2400);
        if (n % 20 === 0 && (await page.messages()).some((message) => message.startsWith(last))) return;
    }
    throw new Error(`the list does not come to ${last}`);
}

for (const wrap of ['', '&wrap=1']) {
    browserTest(
        `${LOGS} rows scrolled${wrap && ', whole messages'}`,
        async ({ server, visitor }) => {
            const begin = Date.now() - LOGS * 10;
            for (let n = 0; n < LOGS; n += 1000) {
                const logs = Array.from({ length: Math.min(1000, LOGS - n) }, (_, i) => ({
                    timestamp: new Date(begin + (n + i) * 10).toISOString(),
                    message: `log ${n + i} request of some length ${'and more '.repeat((n + i) % 30)}`,
                    level: i % 50 ? 'info' : 'error',
                    service: `service-${i % 7}`, host: `host-${i % 5}`, ms: i, http: { status: 200, path: '/x' },
                }));
                await postLogs(server, logs);
            }
            await atRest(server);
            const tab = await visitor.open(`?range=all&query=request${wrap}`);
            const page = new LogPage(tab);
            await page.rows.first().waitFor();
            await markFrames(tab);
            const cdp = await visitor.context.newCDPSession(tab);
            const events = await traced(cdp, () => scrollThrough(tab, page, 'log 0 '));
            const spent = scriptOfFrames(events);
            const quick = spent.filter((ms) => ms < 16).length;
            console.log(
                `${LOGS} rows${wrap && ', whole messages'}: ${spent.length} frames, script under 16 ms in ` +
                    `${((100 * quick) / spent.length).toFixed(2)} %; median ${quantile(spent, 0.5).toFixed(1)} ms, ` +
                    `95 % ${quantile(spent, 0.95).toFixed(1)} ms, most ${quantile(spent, 1).toFixed(1)} ms`,
            );
        },
        { context: { viewport: { width: 1440, height: 900 } }, timeoutMs: 1_200_000 },
    );
}

browserTest(
    'a log of 20,000 attributes',
    async ({ server, visitor }) => {
        const attributes = Object.fromEntries(Array.from({ length: ATTRIBUTES }, (_, n) => [`field_${n}`, n]));
        await postLogs(server, [{ message: 'many', level: 'info', ...attributes }, { message: 'few', level: 'info' }]);
        await atRest(server);
        const tab = await visitor.open('?range=all');
        const page = new LogPage(tab);
        await page.row('few').waitFor();
        const opened: number[] = [];
        for (let round = 0; round <= ROUNDS; round++) {
            // From the click to the frame in which its first fields are.
            const ms = await page.row('many').evaluate(async (row) => {
                const begin = performance.now();
                (row as HTMLElement).click();
                await new Promise<void>((resolve) => {
                    const look = (): void => {
                        if (document.querySelector('.details .field')) requestAnimationFrame(() => setTimeout(resolve));
                        else setTimeout(look);
                    };
                    look();
                });
                return performance.now() - begin;
            });
            if (round > 0) opened.push(ms);
            await page.closeDetails();
        }
        console.log(`a log of ${ATTRIBUTES} attributes: open in ${quantile(opened, 0.5).toFixed(0)} ms (median of ${ROUNDS}; most ${quantile(opened, 1).toFixed(0)} ms)`);
    },
    { context: { viewport: { width: 1440, height: 900 } } },
);

end();
