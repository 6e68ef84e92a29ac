const { Logger } = require('splunk-logging');

const client = new Logger({ token: 'x', url: 'http://logs.example.com:8000', maxBatchCount: 50, maxRetries: 5 });
client.error = (error) => console.error(String(error));

function send(level, message, n) {
    client.send({ message: { message, n }, severity: levels[level], metadata: { host: 'web-1' } });
}

function end() {
    return new Promise((resolve) => client.flush(resolve));
}
