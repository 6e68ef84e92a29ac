/*
 * Sends N logs as NAME, a client that people use, to logmill on PORT:
 *
 *   node send.cjs NAME PORT N
 *
 * The message of each is "NAME i" for i from 0 on, its level a warning, its attribute n is i. Ends
 * when the client has been told that all are safe.
 */
'use strict';

const [name, port, count] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const url = `http://127.0.0.1:${port}`;

function forEach(send) {
    for (let i = 0; i < count; i++) {
        send(`${name} ${i}`, i);
    }
}

async function otlp(exporter) {
    const { LoggerProvider, BatchLogRecordProcessor } = require('@opentelemetry/sdk-logs');
    const { resourceFromAttributes } = require('@opentelemetry/resources');
    const provider = new LoggerProvider({
        resource: resourceFromAttributes({ 'service.name': 'shop' }),
        processors: [new BatchLogRecordProcessor({ exporter, maxQueueSize: count })],
    });
    const logger = provider.getLogger('orders');
    forEach((body, n) =>
        logger.emit({ severityNumber: 13, severityText: 'WARN', body, attributes: { n } }),
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
        const documents = [];
        forEach((message, n) => {
            documents.push({ '@timestamp': new Date().toISOString(), level: 'warn', message, n });
        });
        const { successful, failed } = await client.helpers.bulk({
            datasource: documents,
            flushBytes: 20000,
            onDocument: () => ({ create: { _index: 'logs-shop-default' } }),
        });
        if (successful !== count || failed !== 0) {
            throw new Error(`${successful} taken, ${failed} refused`);
        }
        await client.close();
    },

    'pino-loki': async () => {
        const pino = require('pino');
        const { pinoLoki } = require('pino-loki');
        const stream = pinoLoki({ host: url, batching: { interval: 1 }, labels: { app: 'shop' } });
        const logger = pino(stream);
        forEach((message, n) => logger.warn({ n }, message));
        stream.end();
        await new Promise((resolve) => stream.once('close', resolve));
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
        forEach((message, n) => logger.warn(message, { n }));
        await transport.flush();
        await new Promise((resolve) => setImmediate(resolve));
        await transport.flush();
        process.exit(0); // it has a timer that never ends
    },

    splunk: async () => {
        const { Logger } = require('splunk-logging');
        const logger = new Logger({ token: 'x', url, maxBatchCount: 0 });
        forEach((message, n) =>
            logger.send({ message: { message, n }, severity: 'warn', metadata: { host: 'web-1' } }),
        );
        await new Promise((resolve, reject) => {
            logger.flush((error, response, body) =>
                error || body.code !== 0 ? reject(error ?? new Error(body.text)) : resolve(),
            );
        });
    },
};

clients[name]().catch((error) => {
    console.error(error);
    process.exit(1);
});
