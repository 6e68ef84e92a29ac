/* rsyslog and syslog-ng over HTTP: all that was written has to be there. */
import { programs, rsyslog, syslogNg } from './daemons';
import { trial } from './trial';

trial({
    name: 'rsyslog-es',
    title: 'rsyslog 8.2302, omelasticsearch',
    route: '`/_bulk`',
    send: programs('rsyslog-es'),
    daemon: rsyslog('rsyslog'),
    levels: ['info', 'warning', 'err'],
    precisionMs: 1000,
    attributes: { _index: 'system', program: 'shop' },
    once: true,
    all: true,
    remark: 'queue on disk, ids of its own',
});

trial({
    name: 'syslog-ng-http',
    title: 'syslog-ng 3.38, http()',
    route: '`/logs?format=auto`',
    send: programs('syslog-ng-http'),
    daemon: syslogNg('syslog-ng'),
    levels: ['info', 'warning', 'err'],
    precisionMs: 1000,
    attributes: { program: 'shop' },
    all: true,
    remark: 'buffer on disk',
});

trial({
    name: 'syslog-ng-es',
    title: 'syslog-ng 3.38, elasticsearch-http()',
    route: '`/_bulk`',
    send: programs('syslog-ng-es'),
    daemon: syslogNg('syslog-ng-elasticsearch'),
    levels: ['info', 'warning', 'err'],
    precisionMs: 1000,
    attributes: { _index: 'system', PROGRAM: 'shop' },
    all: true,
    remark: 'buffer on disk',
});
