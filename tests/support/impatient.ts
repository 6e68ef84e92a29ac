/* A server whose answers are those of one turn: whoever asks it gets them in parts. */
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Lab, Logmill } from './harness';
import { halfClosed } from './http';

/** Stands between a client and a server, which answers each request after one turn. */
export async function impatient(lab: Lab, server: Logmill): Promise<{ url: string; parts: () => number }> {
    let parts = 0;
    const proxy = http.createServer((request, response) => {
        parts++;
        void halfClosed(server, request.url!).then(
            (answer) => response.writeHead(answer.status, { 'Content-Type': 'application/json' }).end(answer.text),
            (error: unknown) => response.destroy(error as Error),
        );
    });
    await new Promise<void>((resolve) => {
        proxy.listen(0, '127.0.0.1', resolve);
    });
    lab.finally(() => {
        proxy.closeAllConnections();
        proxy.close();
    });
    return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, parts: () => parts };
}
