/* Clocks that jump: libfaketime, in a process that has no sanitizers (they want to come first). */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';

/** libfaketime's library, which lies where Debian puts it, or nowhere. */
export function findFaketime(): string | undefined {
    for (const folder of readdirSync('/usr/lib')) {
        const library = path.join('/usr/lib', folder, 'faketime', 'libfaketimeMT.so.1');
        if (existsSync(library)) {
            return library;
        }
    }
    return undefined;
}

/** The environment by which a process has the clock that `file` tells. */
export function clockSettings(faketime: string, file: string): Record<string, string> {
    return {
        LD_PRELOAD: faketime,
        FAKETIME_TIMESTAMP_FILE: file,
        FAKETIME_CACHE_DURATION: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        // its cure for an old glibc lets waits on the monotonic clock return at once
        FAKETIME_FORCE_MONOTONIC_FIX: '0',
    };
}

/** Sets the clock that `file` tells: "+3600" is an hour ahead of the machine's. */
export function setClock(file: string, offset: string): void {
    writeFileSync(file, `${offset}\n`);
}
