import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { repository } from '../lib/image';
import { LogmillStack } from '../lib/logmill-stack';
import { DEFAULTS, Settings, settingsFromContext } from '../lib/settings';
import { CERTIFICATE, KEYS, temporary } from './helper';

interface Report {
    readonly found: string[];
    readonly acknowledged: string[];
}

/** What validation finds: cdk-nag's AwsSolutions, and, if asked for, the checks that CDK has of its own. */
function validate(settings: Partial<Settings>, ofCdkToo = false): Report {
    const outdir = temporary();
    const exitCode = process.exitCode;
    if (!ofCdkToo) process.env.CDK_VALIDATION = 'false'; // they take longer than all else
    try {
        const app = new App({ outdir, context: { 'aws:cdk:disable-asset-staging': true } });
        new LogmillStack(app, 'logmill', { ...DEFAULTS, ...settings });
        Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
        app.synth();
        const { pluginReports } = JSON.parse(readFileSync(join(outdir, 'validation-report.json'), 'utf8'));
        assert.ok(pluginReports.some((p: any) => p.pluginName === 'AwsSolutions'));
        return {
            found: pluginReports.flatMap((p: any) => p.violations.map((v: any) => v.ruleName)),
            acknowledged: pluginReports
                .flatMap((p: any) => p.suppressedViolations ?? [])
                .map((v: any) => {
                    assert.ok(v.reason.length > 20);
                    return v.ruleName;
                }),
        };
    } finally {
        process.exitCode = exitCode;
        delete process.env.CDK_VALIDATION;
    }
}

/* Each choice with a value of each kind. */
const VALUES: { [K in keyof Settings]: readonly Settings[K][] } = {
    imageUri: ['', '111122223333.dkr.ecr.eu-central-1.amazonaws.com/logmill:1'],
    exposure: ['internal', 'internet'],
    clientRanges: [[], ['203.0.113.0/24']],
    certificateArn: ['', CERTIFICATE],
    keysSecretArn: [KEYS, ''],
    cpuArchitecture: ['ARM64', 'X86_64'],
    database: ['rds', 'aurora'],
    multiAz: [false, true],
    storageGiB: [50, 400],
    databaseSnapshot: ['', 'rds:logmill-2026-11-29-03-10'],
    deletionProtection: [true, false],
    natGateways: [0, 1, 2],
    s3PrefixListId: ['', 'pl-12345678'],
    retentionDays: [0, 30],
};

/** Few choices of all, in which each two values of two settings come together. */
function pairs(): Settings[] {
    const names = Object.keys(VALUES) as (keyof Settings)[];
    const value = (name: keyof Settings, n: number) => VALUES[name][n % VALUES[name].length];
    const missing = new Set<string>();
    const key = (a: keyof Settings, b: keyof Settings, of: Settings) => JSON.stringify([a, of[a], b, of[b]]);
    const each = (visit: (a: keyof Settings, b: keyof Settings) => void) =>
        names.forEach((a, i) => names.slice(i + 1).forEach((b) => visit(a, b)));
    each((a, b) => {
        for (const x of VALUES[a])
            for (const y of VALUES[b]) missing.add(key(a, b, { ...DEFAULTS, [a]: x, [b]: y }));
    });
    const found: Settings[] = [];
    /* The best of some that are made by a fixed rule, over and over. */
    for (let seed = 1; missing.size > 0; seed += 200) {
        let best: Settings = DEFAULTS;
        let most = -1;
        for (let n = seed; n < seed + 200; n++) {
            let state = n;
            const one = Object.fromEntries(
                names.map((name) => {
                    state = (state * 1103515245 + 12345) % 2 ** 31;
                    return [name, value(name, state >> 16)];
                }),
            ) as unknown as Settings;
            let covers = 0;
            each((a, b) => (covers += missing.has(key(a, b, one)) ? 1 : 0));
            if (covers > most) [best, most] = [one, covers];
        }
        each((a, b) => missing.delete(key(a, b, best)));
        if (most > 0) found.push(best);
    }
    return found;
}

test('AwsSolutions finds nothing in any two choices together but what is acknowledged with a reason', () => {
    const acknowledged = new Set<string>();
    for (const settings of pairs()) {
        const report = validate(settings);
        assert.deepEqual(report.found, [], JSON.stringify(settings));
        for (const rule of report.acknowledged)
            acknowledged.add(rule.replace(/^AwsSolutions-|\[.*/g, ''));
    }
    assert.deepEqual(
        [...acknowledged].sort(),
        ['AEC4', 'EC23', 'ECS2', 'IAM5', 'RDS10', 'RDS11', 'RDS3', 'RDS6', 'S1', 'SMG4'],
    );
    const byDefault = validate(DEFAULTS, true);
    assert.deepEqual(byDefault.found, []);
    for (const chosen of ['EC23', 'RDS10', 'F3021'])
        assert.ok(!byDefault.acknowledged.join().includes(chosen), chosen);
    const restored = validate({ database: 'aurora', databaseSnapshot: 'logmill-2026' }, true);
    assert.deepEqual(restored.found, []);
});

test('a bad setting is named, with what is allowed', () => {
    const from = (context: Record<string, unknown>) =>
        settingsFromContext(new App({ context: { keysSecretArn: KEYS, ...context } }).node);
    assert.deepEqual(from({}), { ...DEFAULTS, keysSecretArn: KEYS });
    assert.throws(() => from({ database: 'mysql' }), /context database is "mysql", allowed: rds, aurora/);
    assert.throws(
        () => from({ imageUri: 'debian:latest' }),
        /context imageUri is "debian:latest", allowed: ACCOUNT[.]dkr/,
    );
    assert.throws(
        () => from({ keysSecretArn: 'logmill-keys' }),
        /context keysSecretArn is "logmill-keys", allowed: the whole ARN/,
    );
    assert.throws(
        () => from({ clientRanges: '10.0.0.0/8, 300.1.1.1' }),
        /context clientRanges has "300.1.1.1\/32", allowed: IPv4 ranges/,
    );
    assert.throws(() => from({ clientRanges: '0.0.0.0/0' }), /context clientRanges has "0.0.0.0\/0", allowed/);
    assert.deepEqual(from({ clientRanges: '10.0.0.0/8, 203.0.113.7' }).clientRanges, [
        '10.0.0.0/8',
        '203.0.113.7/32',
    ]);
    assert.throws(
        () => from({ certificateArn: 'logs.example.com' }),
        /context certificateArn is "logs.example.com", allowed: .*arn:aws:acm:REGION/,
    );
    assert.throws(
        () => from({ s3PrefixListId: 'com.amazonaws.eu-central-1.s3' }),
        /context s3PrefixListId is "com[.].*", allowed: .*pl-/,
    );
    assert.equal(from({ certificateArn: CERTIFICATE }).certificateArn, CERTIFICATE);
    assert.equal(from({ s3PrefixListId: 'pl-6ea54007' }).s3PrefixListId, 'pl-6ea54007');
    assert.throws(() => from({ natGateways: 3 }), /context natGateways is "3", allowed: 0, 1, 2/);
    assert.throws(() => from({ retentionDays: '-1' }), /context retentionDays is "-1", allowed: 0 to 999999/);
    assert.equal(from({ deletionProtection: 'false' }).deletionProtection, false);
});

test('a snapshot is of the kind of database that is chosen', () => {
    const from = (database: string, databaseSnapshot: string) =>
        settingsFromContext(new App({ context: { keysSecretArn: KEYS, database, databaseSnapshot } }).node);
    const arn = (kind: string) => `arn:aws:rds:eu-central-1:111122223333:${kind}:logmill-2026`;
    for (const database of ['rds', 'aurora'])
        for (const name of ['logmill-snapshot-Database-1a2B', 'rds:logmill-2026-11-29-03-10', ''])
            assert.equal(from(database, name).databaseSnapshot, name);
    assert.equal(from('rds', arn('snapshot')).databaseSnapshot, arn('snapshot'));
    assert.equal(from('aurora', arn('cluster-snapshot')).databaseSnapshot, arn('cluster-snapshot'));
    for (const wrong of [arn('db'), '1st', 'a--b', 'ends-', 'two names', `snapshot:${arn('snapshot')}`])
        assert.throws(
            () => from('rds', wrong),
            /context databaseSnapshot is ".*", allowed: the name or the ARN of a snapshot/,
        );
    assert.throws(
        () => from('rds', arn('cluster-snapshot')),
        /context databaseSnapshot is a cluster's, and database is "rds": .*allowed: .*:snapshot:NAME/,
    );
    assert.throws(
        () => from('aurora', arn('snapshot')),
        /context databaseSnapshot is an instance's, and database is "aurora": .*allowed: .*:cluster-snapshot:NAME/,
    );
});

test('each choice is in cdk.json and in the README, with its default', () => {
    const file = (name: string) => readFileSync(join(repository(), 'cdk', name), 'utf8');
    const context = JSON.parse(file('cdk.json')).context;
    const known = Object.keys(context).filter((name) => !name.startsWith('@') && name !== 'stackName');
    assert.deepEqual(known.sort(), Object.keys(DEFAULTS).sort());
    for (const [name, value] of Object.entries(DEFAULTS)) {
        const text = String(value); // of none, empty
        assert.equal(String(context[name]), text, name);
        const row = new RegExp(`^[|] \`${name}\` [|] (\`(.*)\`|needed)? ?[|] `, 'm').exec(file('README.md'));
        assert.equal(row?.[2] ?? '', text, `README: ${name}`);
    }
});

test('nothing is open to everybody by default, nor by half of a choice', () => {
    const from = (context: Record<string, unknown>) => settingsFromContext(new App({ context }).node);
    assert.throws(() => from({}), /context keysSecretArn is "", allowed: the whole ARN .* or none/);
    assert.equal(from({ keysSecretArn: 'none' }).exposure, 'internal');
    const internet = { exposure: 'internet' };
    for (const [lacks, context] of [
        ['certificateArn', { keysSecretArn: KEYS }],
        ['certificateArn', { keysSecretArn: 'none' }],
        ['keysSecretArn', { keysSecretArn: 'none', certificateArn: CERTIFICATE }],
    ] as const)
        assert.throws(
            () => from({ ...internet, ...context }),
            new RegExp(`context exposure is "internet" without ${lacks}: .* clientRanges`),
        );
    for (const context of [
        { keysSecretArn: KEYS, certificateArn: CERTIFICATE },
        { keysSecretArn: KEYS, clientRanges: '203.0.113.0/24' },
        { keysSecretArn: 'none', clientRanges: '203.0.113.0/24' },
    ])
        assert.equal(from({ ...internet, ...context }).exposure, 'internet');
});
