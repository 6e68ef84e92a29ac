/*
 * Loggers that rotate their files: what each of them is started with, and what is followed. They
 * write numbered lines of some hundred bytes, and rotate at 100 kB.
 */
import { strict as assert } from 'node:assert';
import { existsSync } from 'node:fs';
import * as path from 'node:path';

import { type Lab, ROOT } from '../../support/harness';
import { Running } from '../../support/programs';

export const FOLDER = path.join(ROOT, 'tests', 'follow', 'loggers');
/** Where tools/loggers has installed them. */
export const INSTALLED = path.join(ROOT, 'build', 'loggers');

/** Where a logger writes. */
export interface Place {
    lab: Lab;
    /** Its files alone are here. */
    folder: string;
    /** For all else. */
    aside: string;
    /** Each line has it. */
    name: string;
    /** Of so many lines, numbered from 0. */
    lines: number;
}

export interface Logger {
    name: string;
    /** As the table names it. */
    title: string;
    /** What is followed; relative to the folder. */
    args: string[];
    /** Writes all lines; resolves when they are in the files. */
    write: (place: Place) => Promise<void>;
    /** A program or folder that is not on each machine. */
    needs?: string;
    /** A part of long runs alone. */
    isLong?: boolean;
    /** So many lines, whatever a run has. */
    lines?: number;
    /** Why lines are in no file in the end. */
    thrown?: string;
    /** Such lines are there for who has the file open. */
    isHeld?: boolean;
    /** Lines of the logger's own. */
    others?: RegExp;
    /** Files are truncated and used again: rotations cannot be counted by files. */
    isRing?: boolean;
}

/** The text of line `n`. */
export const PADDING = 'x'.repeat(60);
export const textOf = (name: string, n: number | string): string =>
    `${name} #${n}. ${PADDING} ${n};`;

/** Runs a program to its end, which has to be a good one. */
export async function complete(
    place: Place,
    command: string[],
    env: Record<string, string> = {},
    cwd?: string,
): Promise<void> {
    const running = new Running(command, env, cwd);
    place.lab.finally(() => running.stop('SIGKILL'));
    await running.wait();
    assert.equal(running.code, 0, `${command.join(' ')}\n${running.said}`);
}

export const PYTHON = path.join(INSTALLED, 'python', 'bin', 'python');

/** python/write.py: `kind` to the file `file`, each `step`th line from `first` on. */
export function byPython(
    place: Place,
    kind: string,
    file: string,
    { first = 0, step = 1, seconds = 0 } = {},
): string[] {
    return [
        PYTHON,
        path.join(FOLDER, 'python', 'write.py'),
        kind,
        path.join(place.folder, file),
        place.name,
        ...[first, place.lines, step, seconds].map(String),
    ];
}

export function byNode(place: Place, kind: string): string[] {
    return [
        process.execPath,
        path.join(INSTALLED, 'node', 'write.cjs'),
        kind,
        place.folder,
        place.name,
        '0',
        String(place.lines),
    ];
}

/** java/CLASS.java with a configuration of java/. */
export function byJava(
    place: Place,
    name: string,
    property: string,
    configuration: string,
): string[] {
    const installed = path.join(INSTALLED, 'java');
    return [
        'java',
        '-Xmx256m',
        '-XX:TieredStopAtLevel=1',
        '-cp',
        `${path.join(installed, 'classes')}:${path.join(installed, 'lib', '*')}`,
        `-Dfolder=${place.folder}`,
        `-D${property}=${path.join(FOLDER, 'java', configuration)}`,
        name,
        place.name,
        '0',
        String(place.lines),
    ];
}

const quoted = (words: string[]): string =>
    words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');

/** What write.py says goes through a pipe to `command`, until its end. */
export function piped(place: Place, command: string[], seconds = 0): Promise<void> {
    const writer = byPython(place, 'pipe', '-', { seconds });
    return complete(place, [
        'bash',
        '-c',
        `set -o pipefail; ${quoted(writer)} | ${quoted(command)}`,
    ]);
}

/** What of it is missing here, as the reason to skip it. */
export function missing({ needs }: Logger): string | false {
    if (needs === undefined) {
        return false;
    }
    const places = needs.includes('/')
        ? [needs]
        : [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin'].map((at) =>
              path.join(at, needs),
          );
    return places.some((file) => existsSync(file)) ? false : `${needs} is not installed`;
}
