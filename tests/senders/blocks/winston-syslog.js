const winston = require('winston');
const { Syslog } = require('winston-syslog');

const transport = new Syslog({ host: 'logs.example.com', port: 5514, protocol: 'tcp4', eol: '\n', type: '5424' });
const logger = winston.createLogger({ levels: winston.config.syslog.levels, transports: [transport] });
logger.log = ((log) => (it) => log.call(logger, { ...it, level: it.level.replace(/^warn$/, 'warning') }))(logger.log);
logger.on('error', (error) => console.error(String(error)));
transport.on('error', (error) => console.error(String(error)));
