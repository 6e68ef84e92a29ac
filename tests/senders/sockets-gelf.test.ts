/* GELF over UDP and TCP: nobody is told that a log is safe. */
import { type Sender, java, python, trial } from './trial';

const UDP = 'what is sent while logmill is away, or the disk is full, is lost';
const TCP = 'what it has written to a connection that breaks is lost';

function gelf(name: string, title: string, send: Sender['send'], route: 'UDP' | 'TCP'): void {
    trial({
        name,
        title,
        send,
        route: `GELF/${route}`,
        protocol: 'stream',
        settings: { GELF_LISTEN: `${route.toLowerCase()}://127.0.0.1:PORT` },
        n: (log) => log.attributes['n'],
        once: true,
        remark: route === 'UDP' ? UDP : TCP,
    });
}

gelf('graypy-tcp', 'graypy 2.1.0, TCP', python('graypy-tcp')('graypy-tcp'), 'TCP');
gelf('pygelf-tcp', 'pygelf 0.4.3, TCP', python('pygelf-tcp')('pygelf-tcp'), 'TCP');
gelf('logback-gelf-tcp', 'logback-gelf 6.1.2, TCP', java.logback('logback-gelf-tcp'), 'TCP');
gelf('graypy-udp', 'graypy 2.1.0, UDP', python('graypy-udp')('graypy-udp'), 'UDP');
gelf('pygelf-udp', 'pygelf 0.4.3, UDP', python('pygelf-udp')('pygelf-udp'), 'UDP');
gelf('logback-gelf-udp', 'logback-gelf 6.1.2, UDP', java.logback('logback-gelf-udp'), 'UDP');
