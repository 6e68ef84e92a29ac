/*
 * A reader as anybody would write it: it looks at a name each time that there was time to, goes on
 * where it was if the file is the same one and not shorter, and begins anew otherwise. It shows
 * that the operations of the scenes do what they are there for: which lines such a reader loses.
 */
import { readFileSync, statSync } from 'node:fs';
import * as path from 'node:path';

import type { Audience, Stage } from './stage';

export class Naive implements Audience {
    readonly lines: string[] = [];
    private names: string[] = [];
    private readonly files = new Map<string, { inode: number; offset: number; rest: string }>();

    constructor(private readonly stage: () => Stage) {}

    async start(args: string[]): Promise<void> {
        if (args.length > 0) {
            this.names = args.filter((name) => !name.startsWith('-'));
        }
        this.look();
    }

    async stop(): Promise<void> {
        this.look();
    }

    async crash(): Promise<void> {
        this.look();
    }

    async mayCatchUp(): Promise<void> {
        this.look();
    }

    async caughtUp(): Promise<void> {
        this.look();
    }

    async pause(): Promise<void> {
        this.look();
    }

    strike(): void {}

    look(): void {
        for (const name of this.names) {
            const file = path.join(this.stage().folder, name);
            let inode: number;
            let bytes: Buffer;
            try {
                inode = statSync(file).ino;
                bytes = readFileSync(file);
            } catch {
                continue; // it is not there now
            }
            let at = this.files.get(name);
            if (at?.inode !== inode || bytes.length < at.offset) {
                at = { inode, offset: 0, rest: '' };
                this.files.set(name, at);
            }
            const pieces = (at.rest + bytes.subarray(at.offset).toString('utf8')).split('\n');
            at.offset = bytes.length;
            at.rest = pieces.pop()!;
            this.lines.push(...pieces);
        }
    }
}
