import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { LogmillStack } from '../lib/logmill-stack';
import { DEFAULTS, Settings } from '../lib/settings';

const scratch = mkdtempSync(join(tmpdir(), 'logmill-cdk-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

/** A directory that is gone when the tests have ended. */
export function temporary(): string {
    return mkdtempSync(join(scratch, 'x'));
}

const outdir = temporary();
const made = new Map<string, Template>();

/** The template that these settings give; each is made once. */
export function template(settings: Partial<Settings> = {}): Template {
    const key = JSON.stringify(settings);
    let found = made.get(key);
    if (!found) {
        /* The image's source is not copied for each of them. */
        const app = new App({
            outdir: join(outdir, String(made.size)),
            context: { 'aws:cdk:disable-asset-staging': true },
        });
        /* CDK's own checks take longer than all else here; rules.test.ts has them. */
        process.env.CDK_VALIDATION = 'false';
        found = Template.fromStack(new LogmillStack(app, 'logmill', { ...DEFAULTS, ...settings }));
        delete process.env.CDK_VALIDATION;
        made.set(key, found);
    }
    return found;
}

export type Resource = { Type: string; Properties: any; [other: string]: any };

export function resources(t: Template, type: string): [string, Resource][] {
    return Object.entries(t.findResources(type)) as [string, Resource][];
}

/** The one resource of this type whose logical id starts so. */
export function one(t: Template, type: string, start: string): [string, Resource] {
    const found = resources(t, type).filter(([id]) => id.startsWith(start));
    if (found.length !== 1) throw new Error(`${found.length} of ${type} ${start}…`);
    return found[0];
}

/** Logical ids that a value refers to. */
export function refs(value: unknown): string[] {
    if (typeof value !== 'object' || value === null) return [];
    return Object.entries(value).flatMap(([key, inner]) =>
        key === 'Ref' && typeof inner === 'string'
            ? [inner]
            : key === 'Fn::GetAtt' && Array.isArray(inner)
              ? [inner[0]]
              : refs(inner),
    );
}

/** A value as one text, in which what it refers to is named by its logical id without the hash. */
export function plain(value: any): string {
    if (typeof value !== 'object' || value === null) return String(value);
    if (Array.isArray(value)) return value.map(plain).join();
    const [[key, inner], ...more] = Object.entries<any>(value);
    if (more.length) return Object.entries(value).map(([name, of]) => plain({ [name]: of })).join('; ');
    if (key === 'Ref') return String(inner).replace(/[0-9A-F]{8}$/, '');
    if (key === 'Fn::GetAtt') return `${plain({ Ref: inner[0] })}.${inner[1]}`;
    if (key === 'Fn::Join') return inner[1].map(plain).join(inner[0]);
    if (key === 'Fn::Select') return `${plain(inner[1])}[${inner[0]}]`;
    if (key === 'Fn::Split') return plain(inner[1]);
    return `${key} ${plain(inner)}`;
}

/** Who may do what on what, a line for each statement of a policy. */
export function said(policy: any): string[] {
    return policy.Statement.map(({ Effect, Principal, Action, Resource, Condition }: any) =>
        [
            Effect,
            ...(Principal ? [plain(Principal)] : []),
            [Action].flat().sort().join(' '),
            `on ${plain(Resource)}`,
            ...(Condition ? [`if ${plain(Condition)}`] : []),
        ].join(' '),
    );
}

export const KEYS = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:logmill-keys-AbCdEf';
export const CERTIFICATE = 'arn:aws:acm:eu-central-1:111122223333:certificate/x';
