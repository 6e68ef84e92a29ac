/*
 * Clients that mean no good: spoiled bytes, requests that come by the byte or never end, answers
 * that nobody takes, bombs. What becomes of them does not matter; what they do to others does.
 */
import * as zlib from 'node:zlib';

import { sleep } from '../support/harness';
import { hostile } from '../support/hostile';
import { RawConnection } from '../support/http';
import type { Ledger } from './ledger';
import type { Dice } from './plan';
import type { Setup } from './setups';

interface HostileOptions {
    setup: Setup;
    ledger: Ledger;
    dice: Dice;
    going: () => boolean;
}

const HEAD = 'POST /log HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n';
const BOMB = zlib.gzipSync(Buffer.alloc(50 << 20, 0x20));

class Finding extends Error {}

type Habit = (client: RawConnection, dice: Dice, going: () => boolean) => Promise<void>;

/** Waits in small steps, so that the end of the run is not held up. */
async function whileGoing(
    going: () => boolean,
    ms: number,
    step: () => void,
    every = 200,
): Promise<void> {
    for (const end = Date.now() + ms; Date.now() < end && going(); ) {
        step();
        await sleep(every);
    }
}

const HABITS: Record<string, Habit> = {
    'a request by the byte': async (client, dice, going) => {
        const text = `${HEAD}Content-Length: 40\r\n\r\n{"message":"by the byte","level":"slow"} `;
        let at = 0;
        await whileGoing(
            going,
            dice.between(1000, 20_000),
            () => client.send(text.slice(at, ++at)),
            50,
        );
    },
    'a request that never ends': async (client, dice, going) => {
        client.send(`${HEAD}Content-Length: 100000\r\n\r\n{"message":"`);
        await whileGoing(going, dice.between(1000, 15_000), () => client.send('x'.repeat(50)));
    },
    'chunks without end': async (client, dice, going) => {
        client.send(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
        const chunk = `8000\r\n${'{'.repeat(0x8000)}\r\n`;
        await whileGoing(going, dice.between(500, 3000), () => client.send(chunk), 20);
    },
    'a header without end': async (client, dice, going) => {
        client.send('GET /health HTTP/1.1\r\nX: ');
        await whileGoing(going, dice.between(500, 5000), () => client.send('y'.repeat(900)), 100);
    },
    'answers that nobody takes': async (client, dice, going) => {
        client.socket.pause();
        client.send('GET /logs?limit=1000 HTTP/1.1\r\nHost: test\r\n\r\n'.repeat(60));
        await whileGoing(going, dice.between(2000, 14_000), () => {});
    },
    'a bomb': async (client) => {
        client.send(`${HEAD}Content-Encoding: gzip\r\nContent-Length: ${BOMB.length}\r\n\r\n`);
        client.send(BOMB);
        await client.answer({ patienceMs: 5000 });
    },
    'a large body, announced and broken off': async (client, dice) => {
        client.send(
            `${HEAD}Content-Length: 1000000\r\n\r\n{"message":"${'m'.repeat(dice.int(1, 900_000))}`,
        );
        await sleep(dice.between(0, 500));
        client.reset();
    },
    'a key that nobody has': async (client) => {
        const head = `${HEAD}Authorization: Bearer lm_${'0'.repeat(49)}\r\n`;
        client.send(`${head}Content-Length: 32\r\n\r\n{"message":"no key","level":"x"}`);
        const { status } = await client.answer({ patienceMs: 5000 });
        if (status !== 401 && status !== 503) {
            throw new Finding(`a key that nobody has was answered ${status}`);
        }
    },
    silence: async (_client, dice, going) => {
        await whileGoing(going, dice.between(1000, 12_000), () => {});
    },
};

/** One client after another with one of these habits. */
async function wicked({ setup, ledger, dice, going }: HostileOptions): Promise<void> {
    while (going()) {
        const habit = dice.pick(Object.keys(HABITS));
        try {
            const client = await RawConnection.open(dice.pick(setup.doors));
            ledger.count(`hostile: ${habit}`);
            await HABITS[habit]!(client, dice, going).catch((error: unknown) => {
                if (error instanceof Finding) {
                    ledger.find(error.message);
                } // else it was cut off
            });
            client.close();
        } catch {
            await sleep(100); // nobody listens now
        }
    }
}

/** Spoiled bytes, on and on. */
async function spoiler({ setup, ledger, dice, going }: HostileOptions): Promise<void> {
    while (going()) {
        try {
            ledger.count('hostile: spoiled bytes, clients in a row');
            let left = 20;
            const some = (): boolean => going() && left-- > 0;
            await hostile(dice.pick(setup.doors), dice.int(0, 1 << 30), some);
        } catch {
            await sleep(100);
        }
        await sleep(100);
    }
}

export function hostiles(options: HostileOptions): Promise<void>[] {
    return [spoiler(options), ...Array.from({ length: 6 }, () => wicked(options))];
}
