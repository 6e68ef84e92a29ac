const client = require('fluent-logger').createFluentSender('shop', {
    host: 'logs.example.com',
    port: 24224,
    timeout: 3,
    reconnectInterval: 500,
    requireAckResponse: true,
    milliseconds: true,
});
client.on('error', (error) => console.error(String(error)));

function send(level, message, n) {
    client.emit('orders', { level: levels[level], message, n }, Date.now());
}

function end() {
    return new Promise((resolve) => client.end(null, null, resolve));
}
