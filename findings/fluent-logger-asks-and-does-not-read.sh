#!/bin/bash
# fluent-logger for Node asks for an acknowledgement of every packed message and never reads one; and
# what it calls "size" are bytes.
#
# The forward protocol: a message with "chunk" is answered by {"ack": the same}, which clients send
# when they want that answer; "size" is the number of events, by which a server may know it without
# decoding them. In its modes PackedForward and CompressedPackedForward fluent-logger sends a chunk
# with requireAckResponse: false, too, and reads its socket no further than Node does by itself. A
# server that answers each chunk, and takes no more from who does not take its answers, stops some
# day: here after less than 8 MiB of answers, while the program goes on logging into its own memory.
# Its size is that of the packed bytes, which for gzip is less than the events are long;
# @fluent-org/logger counts events.
set -euo pipefail
FLUENT_LOGGER=3.4.1
FLUENT_ORG=1.0.10
echo "fluent-logger $FLUENT_LOGGER, @fluent-org/logger $FLUENT_ORG"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts "fluent-logger@$FLUENT_LOGGER" \
    "@fluent-org/logger@$FLUENT_ORG"
cat >ask.cjs <<'JS'
const net = require('net');
const msgpack = require('msgpack-lite'); // fluent-logger's own
const EVENTS = 3;

/** The first message of a client, and its connection. */
async function hear(client) {
    let heard;
    const message = new Promise((resolve) => { heard = resolve; });
    const server = net.createServer((socket) => {
        let bytes = Buffer.alloc(0);
        socket.on('error', () => {});
        socket.on('data', (data) => {
            bytes = Buffer.concat([bytes, data]);
            try { heard({ message: msgpack.decode(bytes), socket }); } catch { /* not whole yet */ }
        });
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { emit, end } = client(server.address().port);
    for (let n = 0; n < EVENTS; n++)
        emit({ message: 'x'.repeat(100) });
    const got = await message;
    return { ...got, end: () => { end(); server.close(); got.socket.destroy(); } };
}

const fluentLogger = (eventMode) => (port) => {
    const sender = require('fluent-logger').createFluentSender('t', {
        host: '127.0.0.1', port, eventMode, flushInterval: 50, requireAckResponse: false });
    return { emit: (data) => sender.emit('l', data), end: () => sender.end() };
};
const fluentOrg = (eventMode) => (port) => {
    const { FluentClient } = require('@fluent-org/logger');
    const client = new FluentClient('t', { eventMode, socket: { host: '127.0.0.1', port }, flushInterval: 50 });
    return { emit: (data) => client.emit('l', data).catch(() => {}), end: () => client.disconnect() };
};

const clients = {
    'fluent-logger PackedForward': fluentLogger('PackedForward'),
    'fluent-logger CompressedPackedForward': fluentLogger('CompressedPackedForward'),
    '@fluent-org/logger PackedForward': fluentOrg('PackedForward'),
    '@fluent-org/logger CompressedPackedForward': fluentOrg('CompressedPackedForward'),
};

(async () => {
    for (const [name, client] of Object.entries(clients)) {
        const { message: [, entries, options], end } = await hear(client);
        const size = options.size === EVENTS ? 'events' : options.size === entries.length ? 'packed bytes' : '?';
        console.log(`${name}: size in ${size}, a chunk: ${'chunk' in options}`);
        end();
    }
    const { message: [, , { chunk }], socket, end } = await hear(clients['fluent-logger PackedForward']);
    const ack = msgpack.encode({ ack: chunk });
    const answers = Buffer.concat(new Array(Math.ceil((8 << 20) / ack.length)).fill(ack));
    const taken = await Promise.race([
        new Promise((resolve) => socket.write(answers, () => resolve('all'))),
        new Promise((resolve) => setTimeout(resolve, 10000, 'a part')),
    ]);
    console.log(`of 8 MiB of answers to fluent-logger it took, in 10 s: ${taken}`);
    end();
    process.exit(0);
})();
JS
node ask.cjs | tee said
diff - said <<'TEXT'
fluent-logger PackedForward: size in packed bytes, a chunk: true
fluent-logger CompressedPackedForward: size in packed bytes, a chunk: true
@fluent-org/logger PackedForward: size in events, a chunk: false
@fluent-org/logger CompressedPackedForward: size in events, a chunk: false
of 8 MiB of answers to fluent-logger it took, in 10 s: a part
TEXT
echo "as described"
