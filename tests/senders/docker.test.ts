/*
 * Docker's log drivers, on the engine that runs here, or one started for it (as root). The engine is not
 * restarted: the container is.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as path from 'node:path';

import { ROOT, release } from '../support/harness';
import { block } from './blocks';
import { FOLDER, INSTALLED, Running, type Sender, trial } from './trial';

/** Says the lines; `date` knows seconds. */
const SAY = `i=$1; while [ $i -lt $2 ]; do
    echo "$0 #$i. at $(date +%s)000"; i=$((i + 1)); [ $((i % 50)) -ne 0 ] || usleep 20000; done`;

let host: Promise<string> | undefined;

/** What DOCKER_HOST has to be; fails if there is no engine. */
function engine(): Promise<string> {
    host ??= (async () => {
        const busybox = path.join(INSTALLED, 'debian', 'bin', 'busybox');
        const script = path.join(FOLDER, 'docker', 'engine.py');
        const child = spawn('python3', [script, ROOT, busybox], {
            stdio: ['pipe', 'pipe', 'inherit'],
        });
        release(child); // it ends when its standard input does, with this process
        const [said] = (await once(child.stdout!.setEncoding('utf8'), 'data')) as [string];
        if (!said.startsWith('engine ')) {
            throw new Error(said);
        }
        return said.slice('engine '.length).trim();
    })();
    return host;
}

function driver(sender: Omit<Sender, 'send' | 'prepare' | 'logs'>): void {
    const { name } = sender;
    let env: Record<string, string> = {};
    trial({
        ...sender,
        prepare: async () => {
            const where = await engine();
            env = where === '' ? {} : { DOCKER_HOST: where };
        },
        send: (place, first, count) => {
            const command = block(name, place.port)
                .replaceAll('\\\n', ' ')
                .replace('docker run', 'exec docker run --rm --network none')
                .replace('IMAGE', `logmill-senders sh -c '${SAY}' ${name} ${first} ${first + count}`);
            return new Running(['sh', '-c', command], env);
        },
        logs: 5000,
        lingers: true, // the engine sends on, of a container that has ended, too
        levels: ['info', 'info', 'info'],
        precisionMs: 1000,
    });
}

driver({
    name: 'docker-fluentd',
    title: "Docker's `fluentd` driver, async, ack",
    route: 'forward/TCP',
    protocol: 'fluent',
    settings: { FLUENT_LISTEN: 'tcp://127.0.0.1:PORT' },
    attributes: { source: 'stdout' },
    once: true,
    remark: 'what still waits when the container ends is lost',
});

driver({
    name: 'docker-splunk',
    title: "Docker's `splunk` driver",
    route: '`/services/collector`',
    remark: 'sends again every 5 s; what was refused when the container ends is lost',
});

driver({
    name: 'docker-gelf',
    title: "Docker's `gelf` driver, TCP",
    route: 'GELF/TCP',
    protocol: 'stream',
    settings: { GELF_LISTEN: 'tcp://127.0.0.1:PORT' },
    once: true,
    remark: 'what it has written to a connection that breaks is lost',
});

driver({
    name: 'docker-syslog',
    title: "Docker's `syslog` driver, TCP",
    route: 'syslog/TCP',
    protocol: 'stream',
    settings: { SYSLOG_LISTEN: 'tcp://127.0.0.1:PORT' },
    attributes: { facility: 'daemon' },
    once: true,
    remark: 'what it has written to a connection that breaks is lost',
});
