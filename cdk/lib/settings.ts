/** What can be chosen when the template is made: `npx cdk deploy -c NAME=VALUE`, or cdk.json. */
import { Node } from 'constructs';
import { DATABASE } from './thresholds';

export interface Settings {
    /** Image in Amazon ECR, with tag or digest; empty: built from the repository's Dockerfile. */
    readonly imageUri: string;
    /** `internal`: the load balancer has addresses of the VPC; `internet`: public ones. */
    readonly exposure: 'internal' | 'internet';
    /** IPv4 ranges of clients; none: internal those of the VPC, with a certificate everybody. */
    readonly clientRanges: readonly string[];
    /** ACM certificate of the load balancer; empty: plain HTTP. */
    readonly certificateArn: string;
    /** Secret whose text is what a file of keys says; empty (`none`): who reaches the load balancer may. */
    readonly keysSecretArn: string;
    readonly cpuArchitecture: 'ARM64' | 'X86_64';
    /** `rds`: one PostgreSQL instance; `aurora`: Aurora Serverless v2. */
    readonly database: 'rds' | 'aurora';
    /** A standby of the database, and a replica of the cache, in a second zone. */
    readonly multiAz: boolean;
    /** Of RDS, to begin with; it grows by itself. */
    readonly storageGiB: number;
    /** What the database is made of, and stays so; empty: it begins without a log. */
    readonly databaseSnapshot: string;
    readonly deletionProtection: boolean;
    /** 0: tasks reach AWS by endpoints, and nothing else. */
    readonly natGateways: number;
    /** Prefix list of S3 in the region, to narrow the one egress rule that is wider than its arrow. */
    readonly s3PrefixListId: string;
    /** Logs older than this many days are deleted; 0 keeps them for ever. */
    readonly retentionDays: number;
}

/** ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG or NAME@DIGEST: tasks reach no other registry. */
export const ECR_IMAGE = new RegExp(
    '^(?<account>[0-9]{12})[.]dkr[.]ecr[.](?<region>[a-z0-9-]+)[.]amazonaws[.]com(?:[.]cn)?' +
        '/(?<name>[a-z0-9._/-]+)(?::(?<tag>[A-Za-z0-9_.-]+)|@(?<digest>sha256:[0-9a-f]{64}))?$',
);

/** Whole, with the six letters at its end: without them a task's role would not be the secret's. */
const SECRET = /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6}$/;

const CERTIFICATE = /^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate\/[A-Za-z0-9-]+$/;

/** A name, which RDS begins with rds: if it made the snapshot by itself, or an ARN, which says of what it is one. */
const SNAPSHOT = new RegExp(
    '^(?:arn:aws[a-z-]*:rds:[a-z0-9-]+:[0-9]{12}:(?<kind>snapshot|cluster-snapshot):)?' +
        '(?:rds:)?[A-Za-z](?:-?[A-Za-z0-9]){0,254}$',
);

/** 203.0.113.0/24; an address alone is a /32. */
const RANGE = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:[.](?!$|\/)|(?=\/))){4}\/(?:[1-9]|[12]\d|3[0-2])$/;

export const DEFAULTS: Settings = {
    imageUri: '',
    exposure: 'internal',
    clientRanges: [],
    certificateArn: '',
    keysSecretArn: '',
    cpuArchitecture: 'ARM64',
    database: 'rds',
    multiAz: false,
    storageGiB: 50,
    databaseSnapshot: '',
    deletionProtection: true,
    natGateways: 0,
    s3PrefixListId: '',
    retentionDays: 0,
};

/** The context of an app; a bad value is an error that names what is allowed. */
export function settingsFromContext(node: Node): Settings {
    const text = (name: keyof Settings) => String(node.tryGetContext(name) ?? DEFAULTS[name]);
    const oneOf = <T extends string>(name: keyof Settings, allowed: readonly T[]): T => {
        const value = text(name) as T;
        if (!allowed.includes(value))
            throw new Error(`context ${name} is "${value}", allowed: ${allowed.join(', ')}`);
        return value;
    };
    const count = (name: keyof Settings, least: number, most: number): number => {
        const value = /^\d{1,6}$/.test(text(name)) ? Number(text(name)) : -1;
        if (value < least || value > most)
            throw new Error(`context ${name} is "${text(name)}", allowed: ${least} to ${most}`);
        return value;
    };
    /** What is like `pattern`, or `none`, which is empty in the settings. */
    const like = (name: keyof Settings, pattern: RegExp, allowed: string, none = ''): string => {
        const value = text(name);
        if (value === none) return '';
        if (!pattern.test(value)) throw new Error(`context ${name} is "${value}", allowed: ${allowed}`);
        return value;
    };
    const ranges = (): string[] => {
        const all = text('clientRanges')
            .split(/[\s,]+/)
            .filter((one) => one !== '')
            .map((one) => (one.includes('/') ? one : `${one}/32`));
        for (const one of all)
            if (!RANGE.test(one))
                throw new Error(
                    `context clientRanges has "${one}", allowed: IPv4 ranges such as 203.0.113.0/24, ` +
                        'separated by commas, of /1 to /32',
                );
        return all;
    };
    return guarded({
        imageUri: like(
            'imageUri',
            ECR_IMAGE,
            'ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG, or nothing, which builds the Dockerfile',
        ),
        exposure: oneOf('exposure', ['internal', 'internet']),
        clientRanges: ranges(),
        certificateArn: like(
            'certificateArn',
            CERTIFICATE,
            'the ARN of a certificate in ACM, arn:aws:acm:REGION:ACCOUNT:certificate/ID, or nothing',
        ),
        keysSecretArn: like(
            'keysSecretArn',
            SECRET,
            'the whole ARN of a secret in Secrets Manager, ' +
                'arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-XXXXXX, or none, with which ' +
                'whoever reaches the load balancer may read and write',
            'none',
        ),
        cpuArchitecture: oneOf('cpuArchitecture', ['ARM64', 'X86_64']),
        database: oneOf('database', ['rds', 'aurora']),
        storageGiB: count('storageGiB', 20, DATABASE.maxStorageGiB - 1),
        databaseSnapshot: like(
            'databaseSnapshot',
            SNAPSHOT,
            'the name or the ARN of a snapshot of RDS or Aurora, or nothing, which makes an empty database',
        ),
        multiAz: oneOf('multiAz', ['true', 'false']) === 'true',
        deletionProtection: oneOf('deletionProtection', ['true', 'false']) === 'true',
        natGateways: Number(oneOf('natGateways', ['0', '1', '2'])),
        s3PrefixListId: like('s3PrefixListId', /^pl-[0-9a-f]+$/, 'the id of a prefix list, pl-…, or nothing'),
        retentionDays: count('retentionDays', 0, 999_999),
    });
}

/** What would be open to everybody is refused, however it was put together, and what cannot be made. */
function guarded(settings: Settings): Settings {
    const { exposure, clientRanges, certificateArn, keysSecretArn, database, databaseSnapshot } = settings;
    const ofCluster = SNAPSHOT.exec(databaseSnapshot)?.groups?.kind?.startsWith('cluster');
    if (ofCluster !== undefined && ofCluster !== (database === 'aurora'))
        throw new Error(
            `context databaseSnapshot is ${ofCluster ? "a cluster's" : "an instance's"}, and database is ` +
                `"${database}": it is brought back as what it was; allowed: arn:aws:rds:REGION:ACCOUNT:` +
                `${ofCluster ? '' : 'cluster-'}snapshot:NAME`,
        );
    if (exposure === 'internet' && clientRanges.length === 0 && !(certificateArn && keysSecretArn))
        throw new Error(
            `context exposure is "internet" without ${certificateArn ? 'keysSecretArn' : 'certificateArn'}: ` +
                'allowed with certificateArn and a keysSecretArn, or with clientRanges, the addresses ' +
                'that may reach the load balancer; else leave it "internal"',
        );
    return settings;
}
