/** What can be chosen when the template is made: `npx cdk deploy -c NAME=VALUE`, or cdk.json. */
import { Node } from 'constructs';

export interface Settings {
    /** Image in Amazon ECR, with tag or digest; empty: built from the repository's Dockerfile. */
    readonly imageUri: string;
    /** ACM certificate of the load balancer; empty: plain HTTP. */
    readonly certificateArn: string;
    /** Secret whose text is what a file of keys says; empty: whoever reaches the load balancer may. */
    readonly keysSecretArn: string;
    readonly cpuArchitecture: 'ARM64' | 'X86_64';
    /** `rds`: one PostgreSQL instance; `aurora`: Aurora Serverless v2. */
    readonly database: 'rds' | 'aurora';
    /** A standby of the database, and a replica of the cache, in a second zone. */
    readonly multiAz: boolean;
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

export const DEFAULTS: Settings = {
    imageUri: '',
    certificateArn: '',
    keysSecretArn: '',
    cpuArchitecture: 'ARM64',
    database: 'rds',
    multiAz: false,
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
    const count = (name: keyof Settings): number => {
        if (!/^\d{1,6}$/.test(text(name)))
            throw new Error(`context ${name} is "${text(name)}", allowed: 0 to 999999`);
        return Number(text(name));
    };
    const image = (): string => {
        const value = text('imageUri');
        if (value && !ECR_IMAGE.test(value))
            throw new Error(
                `context imageUri is "${value}", allowed: ` +
                    'ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG, or nothing, which builds the Dockerfile',
            );
        return value;
    };
    const secret = (): string => {
        const value = text('keysSecretArn');
        if (value && !SECRET.test(value))
            throw new Error(
                `context keysSecretArn is "${value}", allowed: the whole ARN of a secret in Secrets Manager, ` +
                    'arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-XXXXXX, or nothing',
            );
        return value;
    };
    return {
        imageUri: image(),
        certificateArn: text('certificateArn'),
        keysSecretArn: secret(),
        cpuArchitecture: oneOf('cpuArchitecture', ['ARM64', 'X86_64']),
        database: oneOf('database', ['rds', 'aurora']),
        multiAz: oneOf('multiAz', ['true', 'false']) === 'true',
        deletionProtection: oneOf('deletionProtection', ['true', 'false']) === 'true',
        natGateways: Number(oneOf('natGateways', ['0', '1', '2', '3'])),
        s3PrefixListId: text('s3PrefixListId'),
        retentionDays: count('retentionDays'),
    };
}
