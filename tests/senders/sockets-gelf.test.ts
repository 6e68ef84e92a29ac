/* GELF over UDP and TCP: nobody is told that a log is safe. */
import { java, python, trial, type Sender } from './trial';

const settings = { GELF_LISTEN: 'udp://127.0.0.1:PORT,tcp://127.0.0.1:PORT' };

const common: Omit<Sender, 'name' | 'title' | 'route' | 'send' | 'remark'> = {
    protocol: 'stream',
    settings,
    n: (log) => log.attributes['n'],
};
const UDP = 'what is sent while logmill is away, or the disk is full, is lost';
const TCP = 'loses what it has written to a connection that breaks';

trial({ ...common, name: 'graypy-udp', title: 'graypy 2.1.0, UDP', route: 'GELF/UDP', send: python('graypy-udp')('graypy-udp'), once: true, remark: UDP });
trial({ ...common, name: 'graypy-tcp', title: 'graypy 2.1.0, TCP', route: 'GELF/TCP', send: python('graypy-tcp')('graypy-tcp'), once: true, remark: TCP });
trial({ ...common, name: 'pygelf-udp', title: 'pygelf 0.4.3, UDP', route: 'GELF/UDP', send: python('pygelf-udp')('pygelf-udp'), once: true, remark: UDP });
trial({ ...common, name: 'pygelf-tcp', title: 'pygelf 0.4.3, TCP', route: 'GELF/TCP', send: python('pygelf-tcp')('pygelf-tcp'), once: true, remark: TCP });
trial({ ...common, name: 'logback-gelf-udp', title: 'logback-gelf 6.1.2, UDP', route: 'GELF/UDP', send: java.logback('logback-gelf-udp'), once: true, remark: UDP });
trial({ ...common, name: 'logback-gelf-tcp', title: 'logback-gelf 6.1.2, TCP', route: 'GELF/TCP', send: java.logback('logback-gelf-tcp'), remark: TCP });
