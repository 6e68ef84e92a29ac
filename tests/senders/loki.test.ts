/* Loggers that push to Loki. */
import { type Log } from '../support/logs';
import { node, python, trial } from './trial';

const route = '`/loki/api/v1/push`';

/** The line is the logger's JSON. */
const inside = (log: Log): Record<string, any> => JSON.parse(log.message);

trial({
    name: 'pino-loki',
    title: 'pino-loki 3.0.0',
    route,
    send: node('pino', 'pino')('pino-loki'),
    levels: ['info', 'warning', 'error'],
    text: (log) => inside(log)['msg'],
    n: (log) => inside(log)['n'],
    attributes: { app: 'shop' },
    once: true,
    remark: 'what was not taken at once is lost',
});

trial({
    name: 'winston-loki',
    title: 'winston-loki 6.1.7',
    route,
    send: node('winston', 'winston-loki')('winston-loki'),
    levels: ['info', 'warn', 'error'],
    text: (log) => inside(log)['message'],
    n: (log) => inside(log)['n'],
    attributes: { app: 'shop' },
    remark: 'tries again after a minute; the logs are lost that it holds when it ends',
});

trial({
    name: 'python-logging-loki',
    title: 'python-logging-loki 0.3.1',
    route,
    logs: 2000,
    send: python('python-logging-loki')('python-logging-loki'),
    attributes: { app: 'shop', logger: 'orders' },
    once: true,
    remark: 'a log a request; what was not taken at once is lost',
});
