/*
 * Agents that follow what programs write, with queues on disk: the OpenTelemetry Collector and
 * vlagent. All that was written has to be there.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';

import { block } from './blocks';
import { FOLDER, INSTALLED, type Place, Running, trial } from './trial';

const writer =
    (script: string, to: (place: Place) => string, name: string) =>
    (place: Place, first: number, count: number): Running =>
        new Running([
            'python3',
            path.join(FOLDER, 'python', script),
            to(place),
            name,
            String(first),
            String(count),
        ]);

trial({
    name: 'otelcol',
    title: 'OpenTelemetry Collector 0.165.0, filelog and file_storage',
    route: '`/v1/logs`',
    send: writer('lines.py', (place) => path.join(place.folder, 'shop.log'), 'otelcol'),
    daemon: (place) => {
        const [config, storage] = ['otelcol.yaml', 'storage'].map((name) =>
            path.join(place.folder, name),
        );
        mkdirSync(storage!, { recursive: true });
        writeFileSync(
            config!,
            block('otelcol', place.port, {
                '/var/log/shop/*.log': path.join(place.folder, '*.log'),
                '/var/lib/otelcol': storage!,
                '4318': 0,
            }),
        );
        return new Running([path.join(INSTALLED, 'go', 'otelcol', 'otelcol'), '--config', config!]);
    },
    levels: ['info', 'warn', 'error'],
    n: (log) => log.attributes['n'],
    all: true,
    remark: 'tries again for as long as it takes; queue and place in the file are on disk',
});

const LISTEN = 19429;
trial({
    name: 'vlagent',
    title: 'vlagent 1.52.1, `-remoteWrite.format=jsonline`',
    route: '`/insert/jsonline`',
    send: writer('posts.py', () => `http://127.0.0.1:${LISTEN}/insert/jsonline`, 'vlagent'),
    daemon: (place) =>
        new Running([
            path.join(INSTALLED, 'go', 'vlagent'),
            `-httpListenAddr=127.0.0.1:${LISTEN}`,
            `-remoteWrite.url=http://127.0.0.1:${place.port}/insert/jsonline`,
            '-remoteWrite.format=jsonline',
            `-tmpDataPath=${path.join(place.folder, 'data')}`,
        ]),
    n: (log) => log.attributes['n'],
    numbers: 'text',
    all: true,
    remark: 'tries again for as long as it takes; makes texts of numbers',
});
