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

/** The Collector with the block `name`. */
function collector(name: string, mine: (place: Place) => Record<string, string | number>) {
    return (place: Place): Running => {
        const config = path.join(place.folder, 'otelcol.yaml');
        const storage = path.join(place.folder, 'storage');
        mkdirSync(storage, { recursive: true });
        const replaced = { '/var/lib/otelcol': storage, ...mine(place) };
        writeFileSync(config, block(name, place.port, replaced));
        return new Running([path.join(INSTALLED, 'go', 'otelcol', 'otelcol'), '--config', config]);
    };
}

trial({
    name: 'otelcol',
    title: 'OpenTelemetry Collector 0.165.0, filelog and file_storage',
    route: '`/v1/logs`',
    send: writer('lines.py', (place) => path.join(place.folder, 'shop.log'), 'otelcol'),
    daemon: collector('otelcol', (place) => ({
        '/var/log/shop/*.log': path.join(place.folder, '*.log'),
        '4318': 0,
    })),
    levels: ['info', 'warn', 'error'],
    n: (log) => log.attributes['n'],
    all: true,
    remark: 'tries again for as long as it takes; queue and place in the file are on disk',
});

const podLog = (place: Place): string => {
    const folder = path.join(place.folder, 'pods', 'shop_orders-1_0a1b2c3d', 'orders');
    mkdirSync(folder, { recursive: true });
    return path.join(folder, '0.log');
};

trial({
    name: 'otelcol-kubernetes',
    title: 'OpenTelemetry Collector 0.165.0, what containers print',
    route: '`/v1/logs`',
    send: writer('lines.py', podLog, 'otelcol-kubernetes'),
    daemon: collector('otelcol-kubernetes', (place) => ({
        '/var/log/pods': path.join(place.folder, 'pods'),
    })),
    levels: ['info', 'info', 'info'],
    attributes: { 'k8s.namespace.name': 'shop', 'k8s.pod.name': 'orders-1', 'log.iostream': 'stdout' },
    all: true,
    remark: 'the same; no level, unless it is read from the line',
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
