/* Daemons of Debian that programs log to by /dev/log, with their queues on disk. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';

import { block } from './blocks';
import { FOLDER, INSTALLED, type Place, Running, type Sender } from './trial';

const DEBIAN = path.join(INSTALLED, 'debian');
const LIBRARIES = ['usr/lib/x86_64-linux-gnu', 'usr/lib/syslog-ng', 'lib/x86_64-linux-gnu']
    .map((folder) => path.join(DEBIAN, folder))
    .join(':');

const socketOf = (place: Place): string => path.join(place.folder, 'log');

/** Programs that log by syslog(3). */
export function programs(name: string): Sender['send'] {
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
export function rsyslog(name: string): (place: Place) => Running {
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
export function syslogNg(name: string): (place: Place) => Running {
    return (place) => {
        const config = path.join(place.folder, 'syslog-ng.conf');
        const dir = path.join(place.folder, 'disk-buffer');
        mkdirSync(dir, { recursive: true });
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
        const syslogNgs = path.join(DEBIAN, 'usr/lib/syslog-ng');
        const version = readdirSync(syslogNgs).find((name) => /^\d/.test(name))!;
        const modules = path.join(syslogNgs, version);
        const under = (file: string): string => path.join(place.folder, file);
        return new Running(
            [
                path.join(DEBIAN, 'usr/sbin/syslog-ng'),
                '-F',
                '-f',
                config,
                '--no-caps',
                `--module-path=${modules}`,
                `--pidfile=${under('pid')}`,
                `--persist-file=${under('persist')}`,
                `--control=${under('ctl')}`,
            ],
            { LD_LIBRARY_PATH: LIBRARIES },
        );
    };
}
