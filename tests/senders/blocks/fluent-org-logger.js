const { FluentClient, EventTime } = require('@fluent-org/logger');

const client = new FluentClient('shop', {
    socket: { host: 'logs.example.com', port: 24224, timeout: 3000, reconnect: { delay: 200 } },
    ack: { ackTimeout: 3000 },
});

function send(level, message, n) {
    client
        .emit('orders', { level: levels[level], message, n }, EventTime.fromTimestamp(Date.now()))
        .catch((error) => console.error(String(error)));
}

async function end() {
    await client.flush();
    await client.disconnect();
}
