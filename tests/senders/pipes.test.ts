/* Programs that print logs, and `logmill send` behind them. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';

import { BINARY } from '../support/harness';
import { block } from './blocks';
import { FOLDER, Running, trial } from './trial';

trial({
    name: 'slog',
    title: 'Go `slog`, `logmill send`',
    route: '`/logs`',
    send: (place, first, count) => {
        const program = path.join(place.folder, 'shop');
        if (!existsSync(program)) {
            const source = path.join(place.folder, 'main.go');
            const text = readFileSync(path.join(FOLDER, 'go', 'main.go'), 'utf8');
            writeFileSync(source, text.replace('// THE BLOCK', block('slog')));
            execFileSync('go', ['build', '-o', program, source]);
        }
        const url = `http://127.0.0.1:${place.port}`;
        const range = `slog ${first} ${count}`;
        return new Running(['sh', '-c', `${program} ${range} | ${BINARY} send --url ${url}`]);
    },
    lingers: true, // the shell alone is killed
    levels: ['INFO', 'WARN', 'ERROR'],
    n: (log) => log.attributes['n'],
    once: true,
    all: true,
    remark: 'tries again for as long as it takes, with ids of its own',
});
