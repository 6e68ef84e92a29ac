/* Loggers that are a part of a program. */
import * as path from 'node:path';

import { INSTALLED, type Logger, byJava, byNode, byPython, complete } from './logger';

const GO = path.join(INSTALLED, 'go', 'write');
const RUST = path.join(INSTALLED, 'rust', 'write');

export const LIBRARIES: Logger[] = [
    {
        name: 'rotating',
        title: 'Python RotatingFileHandler',
        args: ['app.log'],
        write: (place) => complete(place, byPython(place, 'rotating', 'app.log')),
    },
    {
        name: 'rotating-two',
        title: 'Python RotatingFileHandler, two processes',
        args: ['app.log'],
        thrown: 'in a file that the other process has removed, since both rotated at a time',
        write: async (place) => {
            await Promise.all([
                complete(place, byPython(place, 'rotating', 'app.log', { first: 0, step: 2 })),
                complete(
                    place,
                    byPython(place, 'rotating', 'app.log', { first: 1, step: 2, seconds: 3 }),
                ),
            ]);
        },
    },
    {
        name: 'timed',
        title: 'Python TimedRotatingFileHandler',
        args: ['app.log'],
        write: (place) => complete(place, byPython(place, 'timed', 'app.log', { seconds: 7 })),
    },
    {
        name: 'loguru',
        title: 'loguru 0.7.3',
        args: ['app.log'],
        write: (place) => complete(place, byPython(place, 'loguru', 'app.log')),
    },
    {
        name: 'loguru-gz',
        title: 'loguru 0.7.3, gz',
        args: ['app.log'],
        write: (place) => complete(place, byPython(place, 'loguru gz', 'app.log')),
    },
    {
        name: 'concurrent',
        title: 'concurrent-log-handler 0.9.31, gzip, two processes',
        args: ['app.log'],
        write: async (place) => {
            await Promise.all(
                [0, 1].map((first) =>
                    complete(place, byPython(place, 'concurrent', 'app.log', { first, step: 2 })),
                ),
            );
        },
    },
    {
        name: 'winston',
        title: 'winston-daily-rotate-file 5.0.0, zippedArchive',
        args: ['app-*.log*'],
        write: (place) => complete(place, byNode(place, 'winston')),
    },
    {
        name: 'pino',
        title: 'pino-roll 4.0.0',
        args: ['app.*.log'],
        write: (place) => complete(place, byNode(place, 'pino')),
    },
    {
        name: 'rfs',
        title: 'rotating-file-stream 3.2.10, gzip',
        args: ['app.log'],
        write: (place) => complete(place, byNode(place, 'rfs')),
    },
    {
        name: 'logback',
        title: 'logback 1.5.38, SizeAndTimeBased, gz',
        args: ['app.log'],
        needs: 'java',
        write: (place) =>
            complete(
                place,
                byJava(place, 'Logback', 'logback.configurationFile', 'logback-size-and-time.xml'),
            ),
    },
    {
        name: 'logback-window',
        title: 'logback 1.5.38, FixedWindow, gz',
        args: ['app.log'],
        needs: 'java',
        isLong: true,
        lines: 8000, // of 20 files, more than which no window has, none is thrown away
        write: (place) =>
            complete(
                place,
                byJava(place, 'Logback', 'logback.configurationFile', 'logback-window.xml'),
            ),
    },
    {
        name: 'log4j2',
        title: 'log4j2 2.26.1, RollingFile, gz',
        args: ['app.log'],
        needs: 'java',
        write: (place) =>
            complete(
                place,
                byJava(place, 'Log4j2', 'log4j2.configurationFile', 'log4j2-rolling.xml'),
            ),
    },
    {
        name: 'log4j2-direct',
        title: 'log4j2 2.26.1, direct write, gz',
        args: ['app-*.log'],
        needs: 'java',
        write: (place) =>
            complete(
                place,
                byJava(place, 'Log4j2', 'log4j2.configurationFile', 'log4j2-direct.xml'),
            ),
    },
    {
        name: 'lumberjack',
        title: 'lumberjack 2.2.1, Compress',
        args: ['app.log'],
        needs: GO,
        write: (place) =>
            complete(place, [
                GO,
                path.join(place.folder, 'app.log'),
                place.name,
                '0',
                String(place.lines),
            ]),
    },
    ...['log4rs', 'file-rotate'].map((kind): Logger => ({
        name: kind,
        title: kind === 'log4rs' ? 'log4rs 1.4.0, gz' : 'file-rotate 0.8.0, BytesSurpassed, gz',
        args: ['app.log'],
        needs: RUST,
        isLong: true,
        write: (place) =>
            complete(place, [RUST, kind, place.folder, place.name, '0', String(place.lines)]),
    })),
];
