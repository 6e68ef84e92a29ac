/* Syslog over TCP and UDP: nobody is told that a log is safe. */
import * as path from 'node:path';

import { programs, rsyslog, syslogNg } from './daemons';
import { FOLDER, Running, type Sender, java, node, python, trial } from './trial';

const settings = { SYSLOG_LISTEN: 'tcp://127.0.0.1:PORT' };

type Given = Pick<Sender, 'name' | 'title' | 'send' | 'remark'> & Partial<Sender>;

function syslog(sender: Given): void {
    trial({
        route: 'syslog/TCP',
        protocol: 'stream',
        settings,
        levels: ['info', 'warning', 'error'],
        precisionMs: 1000,
        ...sender,
    });
}

const DAEMON = 'what it has written to a connection that breaks is lost; the rest waits on disk';

syslog({
    name: 'rsyslog-tcp',
    title: 'rsyslog 8.2302, omfwd',
    send: programs('rsyslog-tcp'),
    daemon: rsyslog('rsyslog-tcp'),
    attributes: { app: 'shop', facility: 'user' },
    once: true,
    remark: DAEMON,
});

syslog({
    name: 'rsyslog-octet',
    title: 'rsyslog 8.2302, omfwd, octet counting, RFC 5424',
    send: programs('rsyslog-octet'),
    daemon: rsyslog('rsyslog-syslog'),
    attributes: { app: 'shop', facility: 'user' },
    once: true,
    remark: DAEMON,
});

syslog({
    name: 'syslog-ng-syslog',
    title: 'syslog-ng 3.38, syslog()',
    send: programs('syslog-ng-syslog'),
    daemon: syslogNg('syslog-ng-syslog'),
    attributes: { app: 'shop', facility: 'user' },
    remark: DAEMON,
});

syslog({
    name: 'syslog-ng-network',
    title: 'syslog-ng 3.38, network()',
    send: programs('syslog-ng-network'),
    daemon: syslogNg('syslog-ng-network'),
    attributes: { app: 'shop', facility: 'user' },
    remark: DAEMON,
});

syslog({
    name: 'logger',
    title: 'logger of util-linux, TCP',
    send: (place, first, count) =>
        new Running([
            'sh',
            '-c',
            `python3 "$0" "$@" | logger --tcp --server 127.0.0.1 --port ${place.port} --tag shop --prio-prefix`,
            path.join(FOLDER, 'python', 'prefixed.py'),
            'logger',
            String(first),
            String(count),
        ]),
    attributes: { app: 'shop', facility: 'user' },
    once: true,
    remark: 'never connects again',
});

syslog({
    name: 'sysloghandler-tcp',
    title: "Python's SysLogHandler, TCP",
    send: python('sysloghandler-tcp')('sysloghandler-tcp'),
    attributes: { facility: 'user' },
    once: true,
    remark: 'never connects again',
});

syslog({
    name: 'winston-syslog',
    title: 'winston-syslog 2.7.1, TCP, `eol`',
    send: node('winston', 'winston-syslog')('winston-syslog'),
    text: (log) => JSON.parse(log.message).message,
    n: (log) => JSON.parse(log.message).n,
    once: true,
    remark: 'what it has written to a connection that breaks is lost',
});

syslog({
    name: 'logstash-tcp',
    title: 'logstash-logback-encoder 9.0, TCP',
    route: 'JSON lines to syslog/TCP',
    send: java.logback('logstash-tcp'),
    levels: ['INFO', 'WARN', 'ERROR'],
    n: (log) => log.attributes['n'],
    numbers: 'text',
    attributes: { logger_name: 'orders' },
    once: true,
    remark: 'what it has written to a connection that breaks is lost',
});

const UDP: Partial<Sender> = {
    route: 'syslog/UDP',
    settings: { SYSLOG_LISTEN: 'udp://127.0.0.1:PORT' },
    once: true,
};

syslog({
    name: 'rsyslog-udp',
    title: 'rsyslog 8.2302, omfwd, UDP',
    send: programs('rsyslog-udp'),
    daemon: rsyslog('rsyslog-udp'),
    attributes: { app: 'shop', facility: 'user' },
    remark: 'what is sent while logmill is away, or the disk is full, is lost',
    ...UDP,
});

syslog({
    name: 'sysloghandler-udp',
    title: "Python's SysLogHandler, UDP",
    send: python('sysloghandler-udp')('sysloghandler-udp'),
    attributes: { facility: 'user' },
    remark: 'what is sent while logmill is away, or the disk is full, is lost',
    ...UDP,
});
