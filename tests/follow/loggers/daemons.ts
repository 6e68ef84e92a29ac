/* Loggers that are programs of their own: what others write to, or what rotates others' files. */
import { strict as assert } from 'node:assert';
import { chownSync, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import * as http from 'node:http';
import * as path from 'node:path';

import { eventually, freePort, run, sleep } from '../../support/harness';
import { Running } from '../../support/programs';
import { PostgresServer } from '../../support/servers/postgres';
import { INSTALLED, type Logger, PADDING, type Place, byPython, piped, textOf } from './logger';

const SIZE = '100000';

/** Until the writer has ended: `rotate`, and a pause. */
async function rotated(
    writer: Running,
    pauseMs: number,
    rotate: () => Promise<void>,
): Promise<void> {
    while (!writer.ended) {
        await sleep(pauseMs);
        if (!writer.ended) {
            await rotate();
        }
    }
    assert.equal(writer.code, 0, writer.said);
}

/** logrotate with these directives, while a program writes that reopens its file late, or never. */
async function logrotate(
    place: Place,
    kind: string,
    directives: string[],
    pauseMs = 450,
): Promise<void> {
    const configuration = path.join(place.aside, 'logrotate.conf');
    const writer = new Running(byPython(place, kind, 'app.log', { seconds: (14 * pauseMs) / 1000 }));
    place.lab.finally(() => writer.stop('SIGKILL'));
    writeFileSync(
        configuration,
        [
            `${path.join(place.folder, 'app.log')} {`,
            'rotate 1000',
            ...directives,
            ...(kind.startsWith('reopen')
                ? ['postrotate', `kill -HUP ${writer.pid} 2>/dev/null || true`, 'endscript']
                : []),
            '}\n',
        ].join('\n'),
        { mode: 0o644 },
    );
    const state = path.join(place.aside, 'logrotate.state');
    await eventually('the file of the writer', () =>
        Promise.resolve(
            statSync(path.join(place.folder, 'app.log'), { throwIfNoEntry: false }) !== undefined,
        ),
    );
    await rotated(writer, pauseMs, async () => {
        const ran = await run(['/usr/sbin/logrotate', '-f', '-s', state, configuration]);
        assert.equal(ran.code, 0, ran.stderr);
    });
}

/** A service of runit, s6 or daemontools, which logs to the folder. */
const service = (name: string, title: string, command: (folder: string) => string[]): Logger => ({
    name,
    title,
    args: ['current'],
    needs: name.split('-')[0] === 's6' ? 's6-log' : name.split('-')[0]!,
    write: (place) => piped(place, command(place.folder), 2),
});

/** nginx, asked for each line. */
async function nginx(place: Place): Promise<void> {
    const [port, configuration] = [await freePort(), path.join(place.aside, 'nginx.conf')];
    const log = path.join(place.folder, 'access.log');
    const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    writeFileSync(
        configuration,
        `daemon off; worker_processes 2; pid ${place.aside}/pid; error_log ${place.aside}/error.log;
        ${process.getuid?.() === 0 ? 'user root;' : ''}
        events { worker_connections 64; }
        http {
            ${folders.map((name) => `${name}_temp_path ${place.aside}/${name};`).join('\n')}
            log_format numbered '$remote_addr [$time_local] ${place.name} #$arg_n. ${PADDING} $arg_n;';
            access_log ${log} numbered;
            keepalive_requests 1000000; keepalive_timeout 3600s;
            server { listen 127.0.0.1:${port}; return 204; }
        }`,
    );
    const server = new Running(['/usr/sbin/nginx', '-c', configuration, '-p', place.aside]);
    place.lab.finally(() => server.stop('SIGTERM'));
    const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
    const ask = (n: number): Promise<void> =>
        new Promise((resolve, reject) => {
            http.get({ port, host: '127.0.0.1', agent, path: `/?n=${n}` }, (answer) => {
                answer.resume().on('end', resolve);
            }).on('error', reject);
        });
    await eventually('nginx', async () => ask(0).then(() => true));
    let next = 1; // the first line is there
    const clients = Promise.all(
        Array.from({ length: 8 }, async () => {
            while (next < place.lines) {
                await ask(next++);
                await sleep(1);
            }
        }),
    );
    for (let rotation = 1; rotation < 8; rotation++) {
        await eventually('more lines', () => Promise.resolve(next >= (place.lines * rotation) / 8));
        renameSync(log, `${log}.${rotation}`);
        process.kill(server.pid, 'SIGUSR1');
        await eventually('its new file', () =>
            Promise.resolve(statSync(log, { throwIfNoEntry: false }) !== undefined),
        );
    }
    await clients;
    agent.destroy();
    await server.stop('SIGQUIT');
    assert.equal(server.code, 0, server.said);
}

async function postgres(place: Place): Promise<void> {
    if (process.getuid?.() === 0) {
        const [uid, gid] = [await idOf('-u'), await idOf('-g')];
        chownSync(path.dirname(place.folder), uid, gid);
        chownSync(place.folder, uid, gid);
    }
    const server = await PostgresServer.start(place.lab, {
        config: {
            logging_collector: 'on',
            log_directory: place.folder,
            log_filename: 'postgresql-%Y-%m-%d_%H%M%S.log',
            log_rotation_size: '100kB',
            log_error_verbosity: 'terse',
            log_min_error_statement: 'panic', // LOG is above FATAL there
        },
    });
    const seconds = 8;
    await server.administer(
        `DO $$ BEGIN FOR n IN 0..${place.lines - 1} LOOP
            RAISE LOG '${textOf(place.name, '%')}', n, n;
            IF n % 50 = 49 THEN PERFORM pg_sleep(${(seconds * 50) / place.lines}); END IF;
        END LOOP; END $$`,
    );
    await server.stop();
}

async function idOf(flag: string): Promise<number> {
    return Number((await run(['id', flag, 'postgres'])).stdout);
}

async function supervisor(place: Place): Promise<void> {
    const configuration = path.join(place.aside, 'supervisord.conf');
    writeFileSync(
        configuration,
        `[supervisord]
nodaemon=true
logfile=${place.aside}/supervisord.log
pidfile=${place.aside}/pid
childlogdir=${place.aside}
[program:app]
command=${byPython(place, 'pipe', '-', { seconds: 2 }).join(' ')}
autorestart=false
startsecs=0
stdout_logfile=${place.folder}/app.log
stdout_logfile_maxbytes=${SIZE}
stdout_logfile_backups=1000
`,
    );
    const daemon = new Running([
        path.join(INSTALLED, 'python', 'bin', 'supervisord'),
        '-c',
        configuration,
    ]);
    place.lab.finally(() => daemon.stop('SIGKILL'));
    await eventually('the end of the program', () => {
        assert.ok(!daemon.ended, daemon.said);
        return Promise.resolve(daemon.said.includes('exited: app'));
    });
    await daemon.stop('SIGTERM');
    assert.match(daemon.said, /exited: app \(exit status 0; expected\)/);
}

export const DAEMONS: Logger[] = [
    {
        name: 'logrotate',
        title: 'logrotate, create, delaycompress, olddir; the writer reopens 0.3 s late',
        args: ['app.log'],
        needs: 'logrotate',
        write: async (place) => {
            mkdirSync(path.join(place.folder, 'old'));
            await logrotate(place, 'reopen 0.3', [
                'create',
                'compress',
                'delaycompress',
                `olddir ${path.join(place.folder, 'old')}`,
            ]);
        },
    },
    {
        name: 'logrotate-date',
        title: 'logrotate, create, dateext, compress; the writer reopens 0.3 s late',
        args: ['app.log'],
        needs: 'logrotate',
        thrown: 'written by the late writer when gzip had read the file, which is then deleted',
        isHeld: true,
        write: (place) =>
            logrotate(
                place,
                'reopen 0.3',
                ['create', 'compress', 'dateext', 'dateformat -%Y%m%d-%s'],
                1100, // a name is good for a second
            ),
    },
    {
        name: 'logrotate-renamecopy',
        title: 'logrotate, renamecopy, olddir; the writer reopens 0.3 s late',
        args: ['app.log'],
        needs: 'logrotate',
        thrown: 'written by the late writer when the file had been copied, which is then deleted',
        isHeld: true,
        write: async (place) => {
            mkdirSync(path.join(place.folder, 'old'));
            await logrotate(place, 'reopen 0.3', [
                'create',
                'renamecopy',
                `olddir ${path.join(place.folder, 'old')}`,
            ]);
        },
    },
    {
        name: 'logrotate-copy',
        title: 'logrotate, copytruncate, compress',
        args: ['app.log'],
        needs: 'logrotate',
        thrown: 'written between the last read of the copy and the truncation',
        write: (place) => logrotate(place, 'keep', ['copytruncate', 'compress']),
    },
    service('svlogd', 'svlogd (runit), processor gzip', (folder) => {
        writeFileSync(path.join(folder, 'config'), `s${SIZE}\nn0\n!gzip\n`);
        return ['svlogd', '-tt', folder];
    }),
    service('s6-log', 's6-log', (folder) => ['s6-log', 'n1000', `s${SIZE}`, folder]),
    service('multilog', 'multilog (daemontools)', (folder) => [
        'multilog',
        `s${SIZE}`,
        'n1000',
        folder,
    ]),
    {
        name: 'rotatelogs',
        title: 'rotatelogs, names of seconds',
        args: ['app.*.log'],
        needs: 'rotatelogs',
        write: (place) =>
            piped(
                place,
                ['rotatelogs', path.join(place.folder, 'app.%Y-%m-%d_%H-%M-%S.log'), '100K'],
                8,
            ),
    },
    {
        name: 'rotatelogs-ring',
        title: 'rotatelogs, -n 3',
        args: ['app.log', 'app.log.1', 'app.log.2'],
        needs: 'rotatelogs',
        isRing: true,
        thrown: 'overwritten',
        write: (place) =>
            piped(place, ['rotatelogs', '-n', '3', path.join(place.folder, 'app.log'), '100K'], 3),
    },
    {
        name: 'nginx',
        title: 'nginx, USR1, two workers',
        args: ['access.log'],
        needs: 'nginx',
        write: nginx,
    },
    {
        name: 'postgres',
        title: 'PostgreSQL, logging_collector',
        args: ['postgresql-*.log'],
        write: postgres,
        others: /(LOG|HINT|ERROR|FATAL): {2}(?!postgres #)/,
    },
    {
        name: 'supervisor',
        title: 'supervisor 4.3.0',
        args: ['app.log'],
        write: supervisor,
    },
];
