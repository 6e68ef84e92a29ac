const pino = require('pino');
const stream = require('pino-elasticsearch')({
    node: 'http://logs.example.com:8000',
    index: 'logs-shop-default',
    opType: 'create',
    esVersion: 8,
    flushBytes: 20000,
    flushInterval: 500,
});
for (const event of ['error', 'insertError', 'unknown']) {
    stream.on(event, (error) => console.error(event, String(error)));
}
const logger = pino({ timestamp: pino.stdTimeFunctions.isoTime }, stream);
