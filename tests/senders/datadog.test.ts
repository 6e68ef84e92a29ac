/* Datadog's intake. */
import { node, trial } from './trial';

trial({
    name: 'datadog-winston',
    title: 'datadog-winston 1.6.0',
    route: '`/v1/input/{key}`',
    logs: 2000,
    send: node('winston', 'datadog-winston')('datadog-winston'),
    levels: ['info', 'warn', 'error'],
    n: (log) => log.attributes['n'],
    attributes: { service: 'shop', hostname: 'web-1', ddsource: 'node' },
    once: true,
    remark: 'a log a request; the answer is not looked at',
});
