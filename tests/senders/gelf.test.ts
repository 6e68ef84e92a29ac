/* GELF over HTTP. */
import { python, trial } from './trial';

const route = '`/gelf`';

trial({
    name: 'pygelf',
    title: 'pygelf 0.4.3, HTTP',
    route,
    logs: 2000,
    send: python('python-logging')('pygelf'),
    n: (log) => log.attributes['n'],
    once: true,
    remark: 'a log a request; the answer is not looked at',
});

trial({
    name: 'graypy',
    title: 'graypy 2.1.0, HTTP',
    route,
    logs: 2000,
    send: python('graypy')('graypy'),
    n: (log) => log.attributes['n'],
    once: true,
    remark: 'a log a request; the answer is not looked at',
});
