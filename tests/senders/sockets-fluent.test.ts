/* Fluent's forward protocol: with acknowledgements what was acknowledged is there. */
import { node, python, trial } from './trial';

const settings = { FLUENT_LISTEN: 'tcp://127.0.0.1:PORT' };
const route = 'forward/TCP';
const levels: [string, string, string] = ['info', 'warn', 'error'];

trial({
    name: 'fluent-logger-py',
    title: 'fluent-logger 0.11.1 (Python)',
    route,
    protocol: 'stream',
    settings,
    send: python('fluent-logger-py')('fluent-logger-py'),
    n: (log) => log.attributes['n'],
    attributes: { tag: 'shop.orders' },
    once: true,
    remark: 'asks for no acknowledgement: what it has written to a connection that breaks is lost',
});

trial({
    name: 'fluent-logger-js',
    title: 'fluent-logger 3.4.1 (Node), `requireAckResponse`',
    route,
    protocol: 'fluent',
    settings,
    logs: 2000,
    send: node('calls', 'fluent-logger-js')('fluent-logger-js'),
    levels,
    n: (log) => log.attributes['n'],
    attributes: { tag: 'shop.orders' },
    once: true,
    remark: 'sends one at a time; most of what waited when the connection broke is lost',
});

trial({
    name: 'fluent-org-logger',
    title: '@fluent-org/logger 1.0.10, `ack`',
    route,
    protocol: 'fluent',
    settings,
    send: node('calls', 'fluent-org-logger')('fluent-org-logger'),
    levels,
    n: (log) => log.attributes['n'],
    attributes: { tag: 'shop.orders' },
    once: true,
    remark: 'does not send again what was not acknowledged',
});
