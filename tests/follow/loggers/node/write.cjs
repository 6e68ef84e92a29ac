/*
 * Writes the lines FIRST … END - 1 by one of Node's loggers, which rotates its file:
 *
 *     node write.cjs KIND FOLDER NAME FIRST END
 *
 * In slices, a moment apart: a trial needs time in which things happen.
 */
const path = require('node:path');

const SLICE = 50;
const PAUSE_MS = 10;
const SIZE = '100k'; // a file, about

const [kind, folder, name, first, end] = process.argv.slice(2);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const kinds = {
    async winston() {
        const winston = require('winston');
        const Daily = require('winston-daily-rotate-file');
        const transport = new Daily({
            dirname: folder,
            filename: 'app-%DATE%.log',
            datePattern: 'YYYY-MM-DD',
            maxSize: SIZE,
            zippedArchive: true,
        });
        const { combine, timestamp, printf } = winston.format;
        const logger = winston.createLogger({
            format: combine(
                timestamp(),
                printf(({ timestamp, level, message }) => `${timestamp} ${level}: ${message}`),
            ),
            transports: [transport],
        });
        return {
            write: (text) => logger.info(text),
            finish: () =>
                new Promise((resolve) => {
                    transport.on('finish', resolve);
                    logger.end();
                }),
        };
    },

    async pino() {
        const pino = require('pino');
        const transport = pino.transport({
            target: 'pino-roll',
            options: { file: path.join(folder, 'app'), extension: '.log', size: SIZE },
        });
        const logger = pino(transport);
        await new Promise((resolve) => transport.on('ready', resolve));
        return {
            write: (text) => logger.info(text),
            finish: () =>
                new Promise((resolve) => {
                    transport.on('close', resolve);
                    transport.end();
                }),
        };
    },

    async rfs() {
        const rfs = require('rotating-file-stream');
        const stream = rfs.createStream('app.log', {
            path: folder,
            size: '100K',
            compress: 'gzip',
        });
        return {
            write: (text) => stream.write(`${new Date().toISOString()} ${text}\n`),
            finish: () => new Promise((resolve) => stream.end(resolve)),
        };
    },
};

(async () => {
    const { write, finish } = await kinds[kind]();
    const padding = 'x'.repeat(60);
    for (let n = Number(first); n < Number(end); n++) {
        write(`${name} #${n}. ${padding} ${n};`);
        if (n % SLICE === SLICE - 1) {
            await sleep(PAUSE_MS);
        }
    }
    await finish();
})();
