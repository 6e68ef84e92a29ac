/* Elasticsearch's clients, and loggers that use them: _bulk. */
import { node, python, trial } from './trial';

const route = '`/_bulk`';
const levels: [string, string, string] = ['info', 'warn', 'error'];

trial({
    name: 'elasticsearch-js',
    title: '@elastic/elasticsearch 9.4.3, `helpers.bulk`',
    route,
    send: node('calls', 'elasticsearch-js')('elasticsearch-js'),
    levels,
    n: (log) => log.attributes['n'],
    attributes: { _index: 'logs-shop-default' },
    remark: 'four tries, then the program has the error; times of milliseconds',
});

trial({
    name: 'elasticsearch-py',
    title: 'elasticsearch-py 9.5.1, `helpers.bulk`',
    route,
    send: python('elasticsearch-py')('elasticsearch-py'),
    n: (log) => log.attributes['n'],
    attributes: { _index: 'logs-shop-default' },
    once: true,
    remark: 'four tries at once, then the program has the error',
});

trial({
    name: 'pino-elasticsearch',
    title: 'pino-elasticsearch 9.0.0',
    route,
    send: node('pino', 'pino-elasticsearch')('pino-elasticsearch'),
    n: (log) => log.attributes['n'],
    attributes: { _index: 'logs-shop-default' },
    remark: 'ends for good after an error',
});

trial({
    name: 'winston-elasticsearch',
    title: 'winston-elasticsearch 0.19.0',
    route,
    send: node('winston', 'winston')('winston-elasticsearch'),
    levels,
    n: (log) => log.attributes['fields']?.n,
    attributes: { _index: 'logs-app-default' },
    remark: 'keeps what was refused and sends it again',
});
