import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { LogmillStack } from '../lib/logmill-stack';
import { DEFAULTS, Settings, settingsFromContext } from '../lib/settings';
import { CERTIFICATE, temporary } from './helper';

interface Report {
    readonly found: string[];
    readonly acknowledged: string[];
}

/** What validation finds: cdk-nag's AwsSolutions, and the checks that CDK has of its own. */
function validate(settings: Partial<Settings>): Report {
    const outdir = temporary();
    const exitCode = process.exitCode;
    try {
        const app = new App({ outdir });
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
    }
}

const CHOICES: [string, Partial<Settings>, string[]][] = [
    ['by default', {}, ['AEC4', 'EC23', 'ECS2', 'IAM5', 'RDS11', 'RDS3', 'S1', 'SMG4']],
    [
        'with every choice taken',
        {
            database: 'aurora',
            multiAz: true,
            certificateArn: CERTIFICATE,
            cpuArchitecture: 'X86_64',
            natGateways: 1,
        },
        ['EC23', 'ECS2', 'IAM5', 'RDS6', 'S1', 'SMG4'],
    ],
];
for (const [name, settings, acknowledged] of CHOICES)
    test(`AwsSolutions finds nothing ${name} but what is acknowledged with a reason`, () => {
        const report = validate(settings);
        assert.deepEqual(report.found, []);
        assert.deepEqual(
            [...new Set(report.acknowledged.map((r) => r.replace(/^AwsSolutions-|\[.*/g, '')))].sort(),
            acknowledged,
        );
    });

test('a bad setting is named, with what is allowed', () => {
    const from = (context: Record<string, unknown>) => settingsFromContext(new App({ context }).node);
    assert.deepEqual(from({}), DEFAULTS);
    assert.throws(() => from({ database: 'mysql' }), /context database is "mysql", allowed: rds, aurora/);
    assert.throws(
        () => from({ imageUri: 'debian:latest' }),
        /context imageUri is "debian:latest", allowed: ACCOUNT[.]dkr/,
    );
    assert.throws(
        () => from({ keysSecretArn: 'logmill-keys' }),
        /context keysSecretArn is "logmill-keys", allowed: the whole ARN/,
    );
    assert.throws(() => from({ retentionDays: '-1' }), /context retentionDays is "-1", allowed: 0 to 999999/);
    assert.equal(from({ deletionProtection: 'false' }).deletionProtection, false);
});
