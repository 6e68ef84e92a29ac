/* Java: OpenTelemetry's SDK, logback and log4j2. */
import { readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';

import { block } from './blocks';
import { FOLDER, blockFile, java, trial } from './trial';

trial({
    name: 'otel-java',
    title: 'OpenTelemetry Java 1.68.0, gzip',
    route: '`/v1/logs`',
    send: (place, first, count) => {
        const lines = block('otel-java', place.port).split('\n');
        const imports = lines.filter((line) => line.startsWith('import '));
        const others = lines.filter((line) => !line.startsWith('import '));
        const source = path.join(place.folder, 'Otel.java');
        writeFileSync(
            source,
            readFileSync(path.join(FOLDER, 'java', 'Otel.java'), 'utf8')
                .replace('// IMPORTS OF THE BLOCK', imports.join('\n'))
                .replace('// THE BLOCK', others.join('\n')),
        );
        return java.source(source, 'otel-java', () => [])(place, first, count);
    },
    levels: ['INFO', 'WARN', 'ERROR'],
    n: (log) => log.attributes['n'],
    attributes: { 'service.name': 'shop', 'otel.scope.name': 'orders' },
    remark: 'gives up on a batch after some 8 s; sends again what had no answer',
});

trial({
    name: 'logback',
    title: 'logback 1.5.38, loki4j 2.1.0',
    route: '`/loki/api/v1/push`',
    send: java.logback('logback'),
    levels: ['INFO', 'WARN', 'ERROR'],
    n: (log) => log.attributes['n'],
    numbers: 'text',
    attributes: { app: 'shop', logger: 'orders' },
    remark: 'three tries in 2 s',
});

trial({
    name: 'logback-gelf-http',
    title: 'logback 1.5.38, logback-gelf 6.1.2, HTTP',
    route: '`/gelf`',
    logs: 1000,
    send: java.logback('logback-gelf-http'),
    n: (log) => log.attributes['n'], // it makes numbers of texts
    attributes: { host: 'web-1', logger_name: 'orders' },
    remark: 'a log a request, three tries in 6 s',
});

trial({
    name: 'log4j2',
    title: 'log4j2 2.26.1, Http with EcsLayout',
    route: '`/logs?format=auto`',
    logs: 2000,
    send: java.source('Log4j2.java', 'log4j2', (place) => [
        `-Dlog4j2.configurationFile=${blockFile(place, 'log4j2', {}, '.xml')}`,
    ]),
    levels: ['INFO', 'WARN', 'ERROR'],
    n: (log) => log.attributes['n'],
    numbers: 'text',
    attributes: { 'log.logger': 'orders' },
    once: true,
    remark: 'a log a request; what was not taken at once is lost',
});
