/*
 * moto, a second server of the SQS protocol, that keeps the first one honest, and one of S3: on a
 * free port of the loopback, stopped by its pid. tools/moto installs it if it is missing.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import * as path from 'node:path';

import { ROOT, environment, eventually, freePort, type Lab } from '../harness';

const running = new Set<ChildProcess>();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** Where it is installed, beside boto3. */
export function motoProgram(): string {
    return execFileSync(path.join(ROOT, 'tools', 'moto'), { encoding: 'utf8' }).trim();
}

/** Starts a server that lives until the end of the scenario, and returns its port. */
export async function startMoto(lab: Lab): Promise<number> {
    const program = motoProgram();
    const port = await freePort();
    const child = spawn(program, ['-H', '127.0.0.1', '-p', String(port)], {
        env: environment({}),
        stdio: 'ignore',
    });
    running.add(child);
    const ended = new Promise((resolve) => {
        child.on('close', resolve);
        child.on('error', resolve);
    }).then(() => running.delete(child));
    lab.finally(async () => {
        child.kill('SIGKILL');
        await ended;
    });
    await eventually('start of moto', async () => {
        if (child.exitCode !== null || child.pid === undefined) {
            throw new Error('moto ended at its start');
        }
        return (await fetch(`http://127.0.0.1:${port}/moto-api/data.json`)).ok;
    });
    return port;
}
