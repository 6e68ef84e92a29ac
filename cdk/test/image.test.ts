import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { App, Stack } from 'aws-cdk-lib';
import { DockerImageAsset } from 'aws-cdk-lib/aws-ecr-assets';
import { assetOptions, repository } from '../lib/image';
import { LogmillStack } from '../lib/logmill-stack';
import { DEFAULTS, Settings } from '../lib/settings';
import { one, refs, template, temporary } from './helper';

const IMAGE = '111122223333.dkr.ecr.eu-central-1.amazonaws.com/tools/logmill';

/** What a deployment is told to build, from which directory, and for which images of tasks. */
function built(settings: Partial<Settings> = {}): { image: any; directory: string; used: string[] } {
    const outdir = temporary();
    const app = new App({ outdir });
    new LogmillStack(app, 'logmill', { ...DEFAULTS, ...settings });
    app.synth();
    const read = (name: string) => JSON.parse(readFileSync(join(outdir, name), 'utf8'));
    const images = Object.values<any>(read('logmill.assets.json').dockerImages);
    assert.equal(images.length, 1);
    const used = Object.values<any>(read('logmill.template.json').Resources)
        .filter((r) => r.Type === 'AWS::ECS::TaskDefinition')
        .map((r) => JSON.stringify(r.Properties.ContainerDefinitions[0].Image));
    return { image: images[0], directory: join(outdir, images[0].source.directory), used };
}

test('by default the image is built from the Dockerfile of the repository, for the processor of the tasks', () => {
    const { image, directory, used } = built();
    assert.equal(image.source.platform, 'linux/arm64');
    assert.equal(built({ cpuArchitecture: 'X86_64' }).image.source.platform, 'linux/amd64');
    assert.equal(
        readFileSync(join(directory, 'Dockerfile'), 'utf8'),
        readFileSync(join(repository(), 'Dockerfile'), 'utf8'),
    );
    const tag = Object.values<any>(image.destinations)[0].imageTag;
    assert.equal(used.length, 2);
    for (const name of used) assert.match(name, new RegExp(`:${tag}"`));
});

/** What the Dockerfile does once the files are there, in the stage that builds. */
function buildCommands(): string[] {
    const text = readFileSync(join(repository(), 'Dockerfile'), 'utf8').replaceAll(/\\\n/g, ' ');
    const [stage] = text.slice(text.indexOf('COPY . .')).split(/^FROM /m);
    return [...stage!.matchAll(/^RUN (.*)$/gm)].map((match) => match[1]!);
}

test('what the image is built from is all that its build needs, and nothing of what lies beside it', () => {
    const { directory } = built();
    const files = readdirSync(directory, { recursive: true }).map(String);
    for (const file of files)
        assert.doesNotMatch(
            file,
            /^(cdk|build|logmill-data|[.]git)(\/|$)|node_modules|^[^/]+[.]md$|[.]test[.]ts$/,
        );
    const dockerfile = readFileSync(join(directory, 'Dockerfile'), 'utf8');
    for (const [, file] of dockerfile.matchAll(/^COPY --from=build \/logmill\/(\S+)/gm))
        assert.ok(files.includes(file!), file);

    // As in a container, but that what is made does not go to /out.
    const out = temporary();
    assert.ok(buildCommands().length >= 3);
    for (const command of buildCommands()) {
        const { status, stdout, stderr } = spawnSync('sh', ['-c', command.replaceAll('/out', out)], {
            cwd: directory,
            encoding: 'utf8',
        });
        assert.equal(status, 0, `${command}\n${stdout}\n${stderr}`);
    }
    assert.match(readFileSync(join(out, 'packages'), 'utf8'), /^libcurl/m);
    assert.match(readFileSync(join(out, 'rds.pem'), 'utf8'), /BEGIN CERTIFICATE/);
    const program = join(out, 'usr/bin/logmill');
    assert.equal(spawnSync(program, ['config'], { encoding: 'utf8' }).status, 0);
});

test('the name of the image changes with its source, and with nothing else', () => {
    const hash = (files: Record<string, string>) => {
        const root = temporary();
        const all = {
            '.dockerignore': readFileSync(join(repository(), '.dockerignore'), 'utf8'),
            Dockerfile: 'FROM scratch',
            ...files,
        };
        for (const [name, text] of Object.entries(all)) {
            mkdirSync(dirname(join(root, name)), { recursive: true });
            writeFileSync(join(root, name), text);
        }
        const stack = new Stack(new App({ outdir: temporary() }), 'logmill');
        return new DockerImageAsset(stack, 'Image', { directory: root, ...assetOptions(DEFAULTS) }).assetHash;
    };
    const source = { 'src/main.c': 'int main(void) {}', 'src/base/a.c': '' };
    const beside = {
        'README.md': 'x',
        'build/logmill': 'x',
        '.git/HEAD': 'x',
        'cdk/cdk.out/x': 'x',
        'logmill-data/logs.db': 'x',
        'web/node_modules/x/x.js': 'x',
        'tests/integration/x.test.ts': 'x',
    };
    assert.equal(hash(source), hash({ ...source, ...beside }));
    assert.notEqual(hash(source), hash({ ...source, 'src/base/a.c': 'int a;' }));
});

for (const [named, reference] of [
    ['a tag', ':1.2'],
    ['a digest', `@sha256:${'a'.repeat(64)}`],
])
    test(`an image in ECR is used as it is named, by ${named}, and both tasks may pull it`, () => {
        const t = template({ imageUri: IMAGE + reference });
        for (const which of ['Api', 'Worker']) {
            const image = JSON.stringify(
                one(t, 'AWS::ECS::TaskDefinition', `Services${which}`)[1].Properties.ContainerDefinitions[0]
                    .Image,
            );
            assert.match(image, /111122223333[.]dkr[.]ecr[.]eu-central-1[.]/);
            assert.ok(image.includes(`/tools/logmill${reference}"`), image);
            const pull = one(
                t,
                'AWS::IAM::Policy',
                `Services${which}TaskExecutionRole`,
            )[1].Properties.PolicyDocument.Statement.find((s: any) => s.Action.includes('ecr:BatchGetImage'));
            assert.match(
                JSON.stringify(pull.Resource),
                /:ecr:eu-central-1:111122223333:repository\/tools\/logmill"/,
            );
        }
    });

test('of the default image, both tasks may pull what CDK has put into its repository', () => {
    for (const which of ['Api', 'Worker']) {
        const pull = one(
            template(),
            'AWS::IAM::Policy',
            `Services${which}TaskExecutionRole`,
        )[1].Properties.PolicyDocument.Statement.find((s: any) => s.Action.includes('ecr:BatchGetImage'));
        assert.match(JSON.stringify(pull.Resource), /container-assets/);
        assert.deepEqual(
            refs(pull.Resource).filter((id) => !id.startsWith('AWS::')),
            [],
        );
    }
});

test('the image has the authorities of RDS, by which tasks verify the database', () => {
    assert.match(
        readFileSync(join(repository(), 'Dockerfile'), 'utf8'),
        /tools\/rds-certificates >\/out\/rds[.]pem[^]*COPY --from=build \/out\/rds[.]pem \/usr\/share\/logmill\//,
    );
    const made = spawnSync(join(repository(), 'tools/rds-certificates'), { encoding: 'utf8' });
    assert.equal(made.status, 0, made.stderr);
    const certificates = made.stdout
        .split(/(?<=-----END CERTIFICATE-----\n)/)
        .filter((one) => one.includes('BEGIN'))
        .map((one) => new X509Certificate(one));
    const regions = certificates
        .map((one) => /CN=Amazon RDS (\S+) Root CA/.exec(one.subject)?.[1])
        .filter(Boolean);
    for (const region of ['eu-central-1', 'us-east-1', 'ap-southeast-2'])
        assert.ok(regions.includes(region), region);
    for (const one of certificates) {
        assert.ok(one.ca, one.subject);
        assert.match(one.subject, /OU=Amazon RDS/);
    }
});
