const winston = require('winston');
const LokiTransport = require('winston-loki');

const transport = new LokiTransport({
    host: 'http://logs.example.com:8000',
    format: winston.format.json(),
    labels: { app: 'shop' },
    interval: 1,
    clearOnError: false,
    onConnectionError: (error) => console.error(String(error)),
});
const logger = winston.createLogger({ transports: [transport] });
