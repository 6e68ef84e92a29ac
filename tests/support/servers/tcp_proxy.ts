/*
 * A TCP proxy that makes faults: connections that are reset, refused, slow, or cut in the middle of
 * what they carry. It knows nothing of what passes through it.
 */
import * as net from 'node:net';

import { type Lab, freePort } from '../harness';

interface Pair {
    client: net.Socket;
    server: net.Socket;
}

export class TcpProxy {
    /** Milliseconds by which all that passes is held up, in either direction. */
    delayMs = 0;
    /** After so many bytes of the server's a connection is reset; 0: never. Asked once for each. */
    cutAfter: () => number = () => 0;
    /** Connections so far, and those that were reset or cut. */
    connections = 0;
    broken = 0;

    private server: net.Server | undefined;
    private readonly pairs = new Set<Pair>();

    private constructor(
        readonly port: number,
        private readonly target: number,
    ) {}

    /** Listens in front of port `target` of the loopback until the end of the scenario. */
    static async start(lab: Lab, target: number): Promise<TcpProxy> {
        const proxy = new TcpProxy(await freePort(), target);
        lab.finally(() => proxy.refuse());
        await proxy.accept();
        return proxy;
    }

    /** Listens (again). */
    async accept(): Promise<void> {
        if (this.server !== undefined) {
            return;
        }
        const server = net.createServer((client) => this.join(client));
        this.server = server;
        await new Promise<void>((resolve, reject) => {
            server.on('error', reject);
            server.listen(this.port, '127.0.0.1', resolve);
        });
    }

    /** Connections are refused from now on, and those there are reset. */
    async refuse(): Promise<void> {
        const { server } = this;
        this.server = undefined;
        if (server !== undefined) {
            const closed = new Promise((resolve) => server.close(resolve));
            this.reset();
            await closed;
        }
    }

    /** Breaks every connection there is. */
    reset(): void {
        for (const pair of [...this.pairs]) {
            this.break(pair);
        }
    }

    private break({ client, server }: Pair): void {
        this.broken++;
        client.resetAndDestroy();
        server.resetAndDestroy();
    }

    private join(client: net.Socket): void {
        const server = net.connect(this.target, '127.0.0.1');
        const pair = { client, server };
        let left = this.cutAfter() || Infinity;
        this.connections++;
        this.pairs.add(pair);
        client.setNoDelay(true);
        server.setNoDelay(true);
        this.pass(client, server, () => {});
        this.pass(server, client, (bytes) => {
            left -= bytes;
            if (left <= 0 && this.pairs.has(pair)) {
                this.break(pair);
            }
        });
        for (const [end, other] of [
            [client, server],
            [server, client],
        ] as const) {
            end.on('error', () => other.resetAndDestroy());
            end.on('close', () => {
                this.pairs.delete(pair);
                setTimeout(() => other.destroy(), this.delayMs + 1); // what is held up still goes
            });
        }
    }

    /** In order, each piece held up by what `delayMs` is when it comes. */
    private pass(from: net.Socket, to: net.Socket, passed: (bytes: number) => void): void {
        let free = 0; // when the piece before has gone
        const later = (action: () => void): void => {
            const now = Date.now();
            free = Math.max(free, now + this.delayMs);
            if (free <= now) {
                action();
            } else {
                setTimeout(action, free - now);
            }
        };
        from.on('data', (piece: Buffer) => {
            from.pause(); // so that no more than one piece is held
            later(() => {
                const more = to.destroyed || to.write(piece);
                passed(piece.length);
                if (more) {
                    from.resume();
                } else {
                    to.once('drain', () => from.resume());
                }
            });
        });
        from.on('end', () => later(() => to.end()));
    }
}
