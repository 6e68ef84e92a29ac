/*
 * Daemons of Debian that programs log to by /dev/log, with their queues on disk: all that was written
 * has to be there.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';

import { block } from './blocks';
import { FOLDER, INSTALLED, type Place, Running, type Sender, trial } from './trial';

const DEBIAN = path.join(INSTALLED, 'debian');
const LIBRARIES = ['usr/lib/x86_64-linux-gnu', 'usr/lib/syslog-ng', 'lib/x86_64-linux-gnu']
    .map((folder) => path.join(DEBIAN, folder))
    .join(':');

const socketOf = (place: Place): string => path.join(place.folder, 'log');

/** Programs that log by syslog(3). */
function programs(name: string): Sender['send'] {
    return (place, first, count) =>
        new Running([
            'python3',
            path.join(FOLDER, 'python', 'devlog.py'),
            socketOf(place),
            name,
            String(first),
            String(count),
        ]);
}

/** rsyslogd with the block `name`. */
function rsyslog(name: string): (place: Place) => Running {
    return (place) => {
        const config = path.join(place.folder, 'rsyslog.conf');
        const modules = path.join(DEBIAN, 'usr/lib/x86_64-linux-gnu/rsyslog');
        writeFileSync(
            config,
            `global(workDirectory="${place.folder}")
            module(load="imuxsock" SysSock.Use="off")
            input(type="imuxsock" socket="${socketOf(place)}" rateLimit.Interval="0" unlink="on")
            ${block(name, place.port)}`,
        );
        const pid = path.join(place.folder, 'pid');
        return new Running(
            ['/usr/sbin/rsyslogd', '-n', '-f', config, '-i', pid, '-M', `${modules}:/usr/lib/x86_64-linux-gnu/rsyslog`],
        );
    };
}

/** syslog-ng with the block `name`. */
function syslogNg(name: string): (place: Place) => Running {
    return (place) => {
        const config = path.join(place.folder, 'syslog-ng.conf');
        const dir = path.join(place.folder, 'disk-buffer');
        if (!existsSync(dir)) {
            mkdirSync(dir);
        }
        writeFileSync(
            config,
            [
                '@version: 3.38',
                `@define scl-root "${path.join(DEBIAN, 'usr/share/syslog-ng/include/scl')}"`,
                `@include "${path.join(DEBIAN, 'usr/share/syslog-ng/include/scl/elasticsearch/*.conf')}"`,
                'options { keep-hostname(yes); frac-digits(6); };',
                `source s_src { unix-dgram("${socketOf(place)}" so-rcvbuf(1048576)); };`,
                block(name, place.port, { 'disk-buffer(': `disk-buffer(dir("${dir}") ` }),
            ].join('\n'),
        );
        const under = (file: string): string => path.join(place.folder, file);
        return new Running(
            [
                path.join(DEBIAN, 'usr/sbin/syslog-ng'),
                '-F',
                '-f',
                config,
                '--no-caps',
                `--module-path=${path.join(DEBIAN, 'usr/lib/syslog-ng/3.38')}`,
                `--pidfile=${under('pid')}`,
                `--persist-file=${under('persist')}`,
                `--control=${under('ctl')}`,
            ],
            { LD_LIBRARY_PATH: LIBRARIES },
        );
    };
}

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
