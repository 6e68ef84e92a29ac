/* Certificates for tests, made by openssl(1) in a folder of the test's. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, renameSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';

export interface Pair {
    cert: string;
    key: string;
}

function openssl(...args: string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe' });
}

/** An authority and what it signs. */
export class Authority {
    readonly cert: string;
    private readonly key: string;

    constructor(
        private readonly folder: string,
        private readonly name: string,
    ) {
        this.cert = path.join(folder, `${name}.pem`);
        this.key = path.join(folder, `${name}.key`);
        openssl(
            'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
            '-keyout', this.key, '-out', this.cert, '-days', '2', '-subj', `/CN=${name}`,
            '-addext', 'keyUsage=critical,keyCertSign',
        ); // prettier-ignore
    }

    /**
     * A certificate for `commonName`, and for the names of `also` ("DNS:a,IP:127.0.0.1"), which ends in
     * `days`, or ended so many days ago where they are negative.
     */
    sign(commonName: string, also = '', days = 2): Pair {
        const at = path.join(this.folder, `${this.name}-${commonName}-${++signed}`);
        const pair = { cert: `${at}.pem`, key: `${at}.key` };
        const extensions = `${at}.ext`;
        openssl(
            'req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
            '-keyout', pair.key, '-out', `${at}.csr`, '-subj', `/CN=${commonName}`,
        ); // prettier-ignore
        writeFileSync(extensions, also === '' ? '' : `subjectAltName=${also}\n`);
        const signing = [
            'x509', '-req', '-in', `${at}.csr`, '-CA', this.cert, '-CAkey', this.key,
            '-CAcreateserial', '-out', pair.cert, '-extfile', extensions,
        ]; // prettier-ignore
        if (days > 0) {
            openssl(...signing, '-days', String(days));
        } else {
            // Made the day before it ended: one that ends before it begins is refused by openssl 3.5.
            const then = ['-f', `${days - 1}d`, 'openssl'];
            execFileSync('faketime', [...then, ...signing, '-days', '1'], { stdio: 'pipe' });
        }
        return pair;
    }
}

let signed = 0;

/** Puts `from` in the place of `to`, each file at once, as those who renew certificates do. */
export function replacePair(from: Pair, to: Pair): void {
    for (const which of ['cert', 'key'] as const) {
        copyFileSync(from[which], `${to[which]}.new`);
        renameSync(`${to[which]}.new`, to[which]);
    }
}
