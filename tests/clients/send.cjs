/*
 * Sends N logs as NAME, a client that people use, to logmill on PORT:
 *
 *   node send.cjs NAME PORT N [slow]
 *
 * The message of each is "NAME i" for i from 0 on, its level a warning, its attribute n is i. Ends
 * when the client has been told that all are safe. `slow`: in slices, a moment apart, going on
 * whatever becomes of them; says on stdout, as a JSON array, of which the client was told that they
 * are safe.
 */
'use strict';

const [name, port, count] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const slow = process.argv[5] === 'slow';
const url = `http://127.0.0.1:${port}`;

const SLICE = 50;
const PAUSE_MS = 50;

/** The numbers that are safe, as far as the client knows. */
const told = [];

/** Calls `send(message, n)` for each log, and `flush` behind all, or behind each slice. */
async function sendAll(send, flush) {
    for (let n = 0; n < count; n++) {
        send(`${name} ${n}`, n);
        if (slow && n % SLICE === SLICE - 1) {
            await flush().catch(() => {}); // it is not told that these are safe
            await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
        }
    }
    if (!slow) {
        await flush();
    }
}

async function otlp(exporter) {
    const { LoggerProvider, BatchLogRecordProcessor } = require('@opentelemetry/sdk-logs');
    const { resourceFromAttributes } = require('@opentelemetry/resources');
    const send = exporter.export.bind(exporter);
    exporter.export = (records, done) =>
        send(records, (result) => {
            if (result.code === 0) {
                told.push(...records.map((record) => record.attributes.n));
            }
            done(result);
        });
    const provider = new LoggerProvider({
        resource: resourceFromAttributes({ 'service.name': 'shop' }),
        processors: [new BatchLogRecordProcessor({ exporter, maxQueueSize: count })],
    });
    const logger = provider.getLogger('orders');
    await sendAll(
        (body, n) =>
            logger.emit({ severityNumber: 13, severityText: 'WARN', body, attributes: { n } }),
        () => provider.forceFlush(),
    );
    await provider.shutdown();
}

const clients = {
    'otlp-json': () => {
        const { OTLPLogExporter } = require('@opentelemetry/exporter-logs-otlp-http');
        return otlp(new OTLPLogExporter({ url: `${url}/v1/logs` }));
    },

    'otlp-proto': () => {
        const { OTLPLogExporter } = require('@opentelemetry/exporter-logs-otlp-proto');
        return otlp(new OTLPLogExporter({ url: `${url}/v1/logs`, compression: 'gzip' }));
    },

    elasticsearch: async () => {
        const { Client } = require('@elastic/elasticsearch');
        const client = new Client({ node: url });
        let documents = [];
        await sendAll(
            (message, n) => {
                const now = new Date().toISOString();
                documents.push({ '@timestamp': now, level: 'warn', message, n });
            },
            async () => {
                const datasource = documents;
                documents = [];
                const { failed } = await client.helpers.bulk({
                    datasource,
                    flushBytes: 20000,
                    onDocument: () => ({ create: { _index: 'logs-shop-default' } }),
                    onSuccess: ({ document }) => told.push(document.n),
                });
                if (failed !== 0) {
                    throw new Error(`${failed} refused`);
                }
            },
        );
        await client.close();
    },

    'pino-loki': async () => {
        const pino = require('pino');
        const { pinoLoki } = require('pino-loki');
        const stream = pinoLoki({ host: url, batching: { interval: 1 }, labels: { app: 'shop' } });
        const logger = pino(stream);
        await sendAll(
            (message, n) => logger.warn({ n }, message),
            async () => {
                stream.end();
                await new Promise((resolve) => stream.once('close', resolve));
            },
        );
    },

    'winston-loki': async () => {
        const winston = require('winston');
        const LokiTransport = require('winston-loki');
        const transport = new LokiTransport({
            host: url,
            format: winston.format.json(),
            labels: { app: 'shop' },
            interval: 1,
        });
        const logger = winston.createLogger({ transports: [transport] });
        await sendAll(
            (message, n) => logger.warn(message, { n }),
            async () => {
                await transport.flush();
                await new Promise((resolve) => setImmediate(resolve));
                await transport.flush();
            },
        );
        process.exit(0); // it has a timer that never ends
    },

    splunk: async () => {
        const { Logger } = require('splunk-logging');
        const logger = new Logger({ token: 'x', url, maxBatchCount: 0, maxRetries: 5 });
        let waiting = [];
        await sendAll(
            (message, n) => {
                waiting.push(n);
                logger.send({
                    message: { message, n },
                    severity: 'warn',
                    metadata: { host: 'web-1' },
                });
            },
            () => {
                const these = waiting;
                waiting = [];
                return new Promise((resolve, reject) => {
                    logger.flush((error, response, body) => {
                        if (error || body.code !== 0) {
                            reject(error ?? new Error(body.text));
                            return;
                        }
                        told.push(...these);
                        resolve();
                    });
                });
            },
        );
    },
};

clients[name]().then(
    () => {
        if (slow) {
            console.log(JSON.stringify(told));
        }
    },
    (error) => {
        console.error(error);
        process.exit(1);
    },
);
