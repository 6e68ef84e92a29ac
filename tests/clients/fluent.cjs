/*
 * Sends N logs as NAME, a client of Fluent's forward protocol, to logmill on PORT:
 *
 *   node fluent.cjs NAME PORT N [slow|quick [KEY]]
 *
 * The message of each is "NAME i" for i from 0 on, its level a warning, its attribute n is i, its
 * tag "shop.NAME". Each has an EventTime of its own, `slow`: a moment after the one before. KEY is
 * a shared key. Says on stdout, as a JSON array, which were acknowledged, when all were or have
 * failed.
 */
'use strict';

const [name, port, count] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const slow = process.argv[5] === 'slow';
const key = process.argv[6];

const PAUSE_MS = 10;
const ACK_TIMEOUT_MS = slow ? 5_000 : 50_000; /* what is lost by a kill is waited for */

const security = key && { clientHostname: 'shop-1', sharedKey: key };

/** `emit(label, data)`, which returns a promise that ends as the event does, and `end()`. */
function fluentLogger(eventMode) {
    const { EventTime, createFluentSender } = require('fluent-logger');
    const sender = createFluentSender('shop', {
        host: '127.0.0.1',
        port,
        eventMode,
        requireAckResponse: true,
        ackResponseTimeout: ACK_TIMEOUT_MS,
        flushInterval: 20,
        reconnectInterval: 100,
        security,
        internalLogger: { info: () => {}, error: () => {} },
    });
    sender.on('error', () => {}); // the callbacks are told, too
    return {
        emit: (data, at) =>
            new Promise((resolve, reject) =>
                sender.emit(name, data, EventTime.fromTimestamp(at), (error) =>
                    error ? reject(error) : resolve(),
                ),
            ),
        end: () => sender.end(),
    };
}

function fluentOrg(eventMode) {
    const { FluentClient, EventTime } = require('@fluent-org/logger');
    const client = new FluentClient('shop', {
        eventMode,
        socket: { host: '127.0.0.1', port, reconnect: { minBackoff: 100, maxBackoff: 300 } },
        ack: { ackTimeout: ACK_TIMEOUT_MS },
        flushInterval: 20,
        security,
    });
    client.socketOn('error', () => {}); // the promises are told, too
    return {
        emit: (data, at) => client.emit(name, data, EventTime.fromTimestamp(at)),
        end: () => client.disconnect(),
    };
}

const clients = {
    'fluent-logger': () => fluentLogger('Message'),
    'fluent-logger-packed': () => fluentLogger('PackedForward'),
    'fluent-logger-gzip': () => fluentLogger('CompressedPackedForward'),
    'fluent-org': () => fluentOrg('Message'),
    'fluent-org-forward': () => fluentOrg('Forward'),
    'fluent-org-packed': () => fluentOrg('PackedForward'),
    'fluent-org-gzip': () => fluentOrg('CompressedPackedForward'),
};

async function main() {
    const client = clients[name]();
    const begun = Date.now();
    const told = [];
    const sent = [];
    for (let n = 0; n < count; n++) {
        const data = { message: `${name} ${n}`, level: 'warn', n };
        sent.push(
            client.emit(data, begun + n).then(
                () => told.push(n),
                () => {},
            ),
        );
        if (slow) {
            await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
        }
    }
    await Promise.all(sent);
    await client.end();
    console.log(JSON.stringify(told));
    process.exit(0);
}

main();
