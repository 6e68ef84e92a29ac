/* OpenTelemetry: its SDKs and its Collector, over OTLP/HTTP. */
import { type Sender, node, python, trial } from './trial';

const route = '`/v1/logs`';
const GIVES_UP = 'gives up on a batch after some 10 s; sends again what had no answer';

const senders: (Omit<Sender, 'send' | 'route'> & { by: (name: string) => Sender['send'] })[] = [
    {
        name: 'otel-js',
        title: 'OpenTelemetry JS 0.301.0, protobuf, gzip',
        by: node('otel', 'otel-js'),
        levels: ['INFO', 'WARN', 'ERROR'],
        n: (log) => log.attributes['n'],
        attributes: { 'service.name': 'shop', 'otel.scope.name': 'orders' },
        remark: GIVES_UP,
    },
    {
        name: 'otel-js-json',
        title: 'OpenTelemetry JS 0.301.0, JSON',
        by: node('otel', 'otel-js-json'),
        levels: ['INFO', 'WARN', 'ERROR'],
        n: (log) => log.attributes['n'],
        attributes: { 'service.name': 'shop', 'otel.scope.name': 'orders' },
        remark: GIVES_UP,
    },
    {
        name: 'otel-python',
        title: 'OpenTelemetry Python 1.45.0, `logging`',
        by: python('otel-python'),
        levels: ['INFO', 'WARN', 'ERROR'],
        n: (log) => log.attributes['n'],
        attributes: { 'service.name': 'shop', 'otel.scope.name': 'orders' },
        remark: GIVES_UP,
    },
];

for (const sender of senders) {
    trial({ ...sender, route, send: sender.by(sender.name) });
}
