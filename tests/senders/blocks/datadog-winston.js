const winston = require('winston');
const DatadogTransport = require('datadog-winston');

const transport = new DatadogTransport({ apiKey: 'x', hostname: 'web-1', service: 'shop', ddsource: 'node' });
transport.api = 'http://logs.example.com:8000/v1/input/x?service=shop&ddsource=node&hostname=web-1'; // it has no option
const logger = winston.createLogger({ transports: [transport] });
