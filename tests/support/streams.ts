/* Clients of the addresses that are not HTTP (GELF_LISTEN and its like). */
import { readFileSync } from 'node:fs';
import * as dgram from 'node:dgram';
import * as net from 'node:net';
import * as path from 'node:path';

import { type Logmill, ROOT } from './harness';

export interface Place {
    host: string;
    port: number;
}

/** Where `server` takes `protocol` ("gelf") over `scheme`, as it says at its start. */
export function place(server: Logmill, protocol: string, scheme: 'tcp' | 'udp' | 'tls'): Place {
    const listening = server.diagnostics().find((line) => line.msg === 'listening');
    const found = new RegExp(`${scheme}://(\\[[^\\]]*\\]|[^,:]*):(\\d+)`).exec(
        String(listening?.[protocol]),
    );
    if (!found) {
        throw new Error(`no ${scheme} of ${protocol}: ${JSON.stringify(listening)}`);
    }
    return { host: found[1]!.replace(/[[\]]/g, ''), port: Number(found[2]) };
}

/** The bytes of a capture that came over a socket. */
export function capturedBytes(name: string): Buffer {
    return readFileSync(path.join(ROOT, 'tests', 'captures', `${name}.bin`));
}

export function connect(to: Place): Promise<net.Socket> {
    return new Promise((resolve, reject) => {
        const socket = net.connect({ ...to, allowHalfOpen: true }, () => resolve(socket));
        socket.setNoDelay(true);
        socket.on('error', reject);
    });
}

/** Resolves when the kernel has taken the bytes. */
export function write(socket: net.Socket, bytes: Buffer | string): Promise<void> {
    return new Promise((resolve, reject) => {
        socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
}

/** Ends our side, and waits until the other side has closed, too: all that was sent is safe. */
export function finish(socket: net.Socket): Promise<void> {
    return new Promise((resolve, reject) => {
        socket.on('error', reject);
        socket.on('close', () => resolve());
        socket.resume();
        socket.end();
    });
}

/** Sends `bytes` on a connection of their own. */
export async function sendStream(to: Place, bytes: Buffer | string): Promise<void> {
    const socket = await connect(to);
    await write(socket, bytes);
    await finish(socket);
}

/** Sends each as a datagram of its own, one after the other, from one port. */
export async function sendDatagrams(to: Place, datagrams: (Buffer | string)[]): Promise<void> {
    const socket = dgram.createSocket(to.host.includes(':') ? 'udp6' : 'udp4');
    try {
        for (const datagram of datagrams) {
            await new Promise<void>((resolve, reject) => {
                socket.send(datagram, to.port, to.host, (error) =>
                    error ? reject(error) : resolve(),
                );
            });
        }
    } finally {
        socket.close();
    }
}
