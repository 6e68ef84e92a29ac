/*
 * A proxy in front of an SQS server that checks each request's signature as AWS does: it is
 * computed anew with AWS's own JavaScript signer, from the secret key that belongs to the access key
 * in the request. A request that is not signed rightly is refused as AWS refuses it, and noted.
 */
import * as http from 'node:http';
import type * as net from 'node:net';

import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';

import type { Lab } from '../harness';

export interface Identity {
    accessKeyId: string;
    secretAccessKey: string;
    sessionToken?: string;
}

/** What must be signed, beside what is there at all. */
const ALWAYS_SIGNED = ['content-type', 'host', 'x-amz-date', 'x-amz-target'];
const CLOCK_SKEW_MS = 5 * 60_000;

interface Refusal {
    type: string;
    message: string;
}

export interface Seen {
    action: string;
    accessKeyId: string;
    region: string;
    /** The client's port: the same for requests of one connection. */
    connection: number;
}

/** Why a request would be refused; undefined if it is signed rightly. */
async function findFault(
    request: http.IncomingMessage,
    body: Buffer,
    identities: Map<string, Identity>,
    region: string,
): Promise<Refusal | undefined> {
    const match =
        /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
            request.headers.authorization ?? '',
        );
    if (match === null) {
        return { type: 'IncompleteSignature', message: 'no signature' };
    }
    const [, key, day, signedRegion, service, signedHeaders, signature] = match as string[];
    const identity = identities.get(key!);
    if (identity === undefined) {
        return {
            type: 'InvalidClientTokenId',
            message: 'The security token included in the request is invalid.',
        };
    }
    if (signedRegion !== region || service !== 'sqs') {
        return {
            type: 'SignatureDoesNotMatch',
            message: `Credential should be scoped to a valid region, not '${signedRegion}'. `,
        };
    }
    const date = String(request.headers['x-amz-date']);
    const time = Date.parse(
        date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'),
    );
    if (!(Math.abs(Date.now() - time) < CLOCK_SKEW_MS) || !date.startsWith(day!)) {
        return { type: 'SignatureDoesNotMatch', message: `Signature expired: ${date}` };
    }
    const token = request.headers['x-amz-security-token'];
    if (token !== identity.sessionToken) {
        return { type: 'InvalidClientTokenId', message: 'The security token is invalid.' };
    }
    const names = signedHeaders!.split(';');
    const needed = [...ALWAYS_SIGNED, ...(token === undefined ? [] : ['x-amz-security-token'])];
    if (needed.some((name) => !names.includes(name))) {
        return { type: 'SignatureDoesNotMatch', message: `signed are only ${signedHeaders}` };
    }
    const signer = new SignatureV4({
        credentials: identity,
        region,
        service: 'sqs',
        sha256: Sha256,
        applyChecksum: false,
    });
    const again = await signer.sign(
        {
            method: request.method!,
            protocol: 'http:',
            hostname: '127.0.0.1',
            path: request.url!,
            query: {},
            headers: Object.fromEntries(
                names.map((name) => [name, String(request.headers[name] ?? '')]),
            ),
            body,
        },
        { signingDate: new Date(time) },
    );
    const expected = `SignedHeaders=${signedHeaders}, Signature=${signature}`;
    if (!again.headers['authorization']!.endsWith(expected)) {
        return {
            type: 'SignatureDoesNotMatch',
            // As AWS does: with the request, token included, in it.
            message: `The request signature we calculated does not match.\n${again.headers['authorization']}\n${token}`,
        };
    }
    return undefined;
}

export class Verifier {
    port = 0;
    readonly identities = new Map<string, Identity>();
    /** Requests that were signed rightly. */
    readonly seen: Seen[] = [];
    /** Those that were not: "SendMessage: SignatureDoesNotMatch …". */
    readonly refused: string[] = [];
    private readonly agent = new http.Agent({ keepAlive: true });

    private constructor(
        private readonly target: number,
        private readonly region: string,
    ) {}

    /** A verifier in front of port `target`, until the end of the scenario. */
    static async start(
        lab: Lab,
        target: number,
        region: string,
        identities: Identity[],
    ): Promise<Verifier> {
        const verifier = new Verifier(target, region);
        identities.forEach((identity) =>
            verifier.identities.set(identity.accessKeyId, identity),
        );
        const server = http.createServer((request, response) => {
            verifier.serve(request, response).catch(() => request.socket.destroy());
        });
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        verifier.port = (server.address() as net.AddressInfo).port;
        lab.finally(() => {
            server.close();
            server.closeAllConnections();
            verifier.agent.destroy();
        });
        return verifier;
    }

    get url(): string {
        return `http://127.0.0.1:${this.port}/`;
    }

    private async serve(
        request: http.IncomingMessage,
        response: http.ServerResponse,
    ): Promise<void> {
        const pieces: Buffer[] = [];
        for await (const piece of request) {
            pieces.push(piece as Buffer);
        }
        const body = Buffer.concat(pieces);
        const action = String(request.headers['x-amz-target']).replace('AmazonSQS.', '');
        const fault = await findFault(request, body, this.identities, this.region);
        if (fault !== undefined) {
            this.refused.push(`${action}: ${fault.type} ${fault.message}`);
            const answer = JSON.stringify({
                __type: `com.amazon.coral.service#${fault.type}`,
                message: fault.message,
            });
            response.writeHead(403, { 'Content-Type': 'application/x-amz-json-1.0' }).end(answer);
            return;
        }
        const [, credential] = /Credential=([^,]+)/.exec(request.headers.authorization!)!;
        const [accessKeyId, , region] = credential!.split('/');
        this.seen.push({
            action,
            accessKeyId: accessKeyId!,
            region: region!,
            connection: request.socket.remotePort ?? 0,
        });
        this.pass(request, body, response);
    }

    private pass(
        request: http.IncomingMessage,
        body: Buffer,
        response: http.ServerResponse,
    ): void {
        const { expect: _expect, connection: _connection, ...headers } = request.headers;
        const upstream = http.request(
            {
                agent: this.agent,
                host: '127.0.0.1',
                port: this.target,
                method: request.method,
                path: request.url,
                headers,
            },
            (answer) => {
                const { connection: _, 'transfer-encoding': __, ...kept } = answer.headers;
                response.writeHead(answer.statusCode!, kept);
                answer.pipe(response);
            },
        );
        upstream.on('error', () => request.socket.destroy());
        upstream.end(body);
        response.on('close', () => upstream.destroy()); // a long poll must not outlive its client
    }
}
