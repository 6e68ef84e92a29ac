/* systemd-journal-upload, started again whenever it ends, as systemd does it. */
import { mkdirSync } from 'node:fs';
import * as path from 'node:path';

import { block } from './blocks';
import { FOLDER, INSTALLED, type Place, Running, trial } from './trial';

const DEBIAN = path.join(INSTALLED, 'debian');
const LIBRARIES = path.join(DEBIAN, 'usr/lib/x86_64-linux-gnu');
const env = { LD_LIBRARY_PATH: `${LIBRARIES}:${LIBRARIES}/systemd` };
const program = (name: string): string => path.join(DEBIAN, 'lib/systemd', name);

const journal = (place: Place): string => {
    const folder = path.join(place.folder, 'journal');
    mkdirSync(folder, { recursive: true });
    return folder;
};

trial({
    name: 'journal-upload',
    title: 'systemd-journal-upload 252',
    route: '`/upload`',
    send: (place, first, count) =>
        new Running(
            [
                'python3',
                path.join(FOLDER, 'python', 'journal.py'),
                program('systemd-journal-remote'),
                path.join(journal(place), 'shop.journal'),
                'journal-upload',
                String(first),
                String(count),
            ],
            env,
        ),
    daemon: (place) => {
        const url = /^URL=(.*)$/m.exec(block('journal-upload', place.port))![1]!;
        return new Running(
            [
                'python3',
                path.join(FOLDER, 'python', 'again.py'),
                program('systemd-journal-upload'),
                `--url=${url}`,
                `--directory=${journal(place)}`,
                `--save-state=${path.join(place.folder, 'state')}`,
                '--follow',
            ],
            env,
        );
    },
    n: (log) => log.attributes['N'],
    numbers: 'text',
    attributes: { SYSLOG_IDENTIFIER: 'shop' },
    once: true,
    all: true,
    remark: 'keeps its place in the journal; an entry that comes again is known by its cursor',
});
