/*
 * Sends logs FIRST … FIRST + COUNT - 1 as the program of BLOCK does, a block of docs/senders.md or one
 * of blocks/ here, which makes a `logger`:
 *
 *   node send.cjs KIND BLOCK NAME FIRST COUNT
 *
 * KIND says how the logger is called, and how it is told to send what it holds. In slices, a moment
 * apart: a trial needs time in which things happen.
 */
'use strict';

const { readFileSync } = require('node:fs');

const [kind, block, name] = process.argv.slice(2);
const [first, count] = process.argv.slice(5).map(Number);

const SLICE = 50;
const PAUSE_MS = 20;
/** How long a sender may go on trying to send what it holds. */
const PATIENCE_MS = 90_000;

const levels = ['info', 'warn', 'error'];
const numbers = [9, 13, 17]; // of OpenTelemetry

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** By kind: `[call(level, text, n), end]`; either may wait. */
const kinds = {
    pino: ({ logger, stream }) => [
        (level, text, n) => logger[levels[level]]({ n }, text),
        async () => {
            if (stream !== undefined) {
                stream.end();
                await new Promise((resolve) => stream.once('close', resolve));
            } else {
                await new Promise((resolve) => logger.flush(resolve));
            }
        },
    ],
    winston: ({ logger, transport }) => [
        (level, text, n) => logger.log({ level: levels[level], message: text, n }),
        async () => {
            await transport?.flush?.();
            await new Promise((resolve) => {
                logger.on('finish', resolve);
                logger.end();
            });
            await sleep(3000); // many are asked to end before the last has left
        },
    ],
    otel: ({ logger, provider }) => [
        (level, text, n) =>
            logger.emit({
                severityNumber: numbers[level],
                severityText: levels[level].toUpperCase(),
                body: text,
                attributes: { n },
            }),
        () => provider.shutdown(),
    ],
    calls: ({ send, end }) => [send, end],
};

async function main() {
    const names = '[typeof logger, typeof stream, typeof transport, typeof provider, typeof send, typeof end]';
    void names;
    const made = new Function(
        'require',
        'levels',
        `${readFileSync(block, 'utf8')}
        const it = {};
        try { it.logger = logger; } catch {}
        try { it.stream = stream; } catch {}
        try { it.transport = transport; } catch {}
        try { it.provider = provider; } catch {}
        try { it.send = send; it.end = end; } catch {}
        return it;`,
    )(require, levels);
    const [call, end] = kinds[kind](made);
    for (let n = first; n < first + count; n++) {
        await call(n % 3, `${name} #${n}. at ${Date.now()}`, n);
        if (n % SLICE === SLICE - 1) {
            await sleep(PAUSE_MS);
        }
    }
    setTimeout(() => process.exit(3), PATIENCE_MS).unref();
    await end();
    process.exit(0); // some have timers that never end
}

/* What a sender throws out of a timer of its own ends a program that does not look. */
process.on('uncaughtException', (error) => console.error('uncaught:', String(error)));
process.on('unhandledRejection', (error) => console.error('unhandled:', String(error)));

void main();
