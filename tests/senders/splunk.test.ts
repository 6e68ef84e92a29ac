/* Splunk's HTTP Event Collector, and loggers that send to it. */
import { node, python, trial } from './trial';

const route = '`/services/collector`';

trial({
    name: 'splunk-logging',
    title: 'splunk-logging 0.11.1',
    route,
    send: node('calls', 'splunk-logging')('splunk-logging'),
    levels: ['info', 'warn', 'error'],
    n: (log) => log.attributes['message'].n,
    attributes: { host: 'web-1' },
    remark: 'tries again after broken connections, not after a refusal; times of milliseconds',
});

trial({
    name: 'splunk-handler',
    title: 'splunk-handler 3.0.0',
    route,
    send: python('splunk-handler')('splunk-handler'),
    levels: ['info', 'info', 'info'],
    attributes: { host: 'web-1', index: 'main', sourcetype: '_json' },
    remark: 'sends no level; five more tries in 30 s',
});

trial({
    name: 'splunk-hec-handler',
    title: 'splunk-hec-handler 1.2.0',
    route,
    logs: 2000,
    send: python('splunk-hec-handler')('splunk-hec-handler'),
    levels: ['INFO', 'WARNING', 'ERROR'],
    attributes: { host: 'web-1' },
    once: true,
    remark: 'a log a request; what was not taken raises in the program',
});
