/** Where the container image comes from: a parameter, or the Dockerfile of this repository. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Arn, ArnFormat, CfnParameter, Fn, Stack } from 'aws-cdk-lib';
import { Platform } from 'aws-cdk-lib/aws-ecr-assets';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Settings } from './settings';

export interface Image {
  readonly image: ecs.ContainerImage;
  /** Lets the role pull it. */
  grantPull(role: iam.IGrantable): void;
}

export function imageOf(stack: Stack, settings: Settings): Image {
  if (settings.imageUri === 'build') return builtImage(settings);
  const uri = new CfnParameter(stack, 'ImageUri', {
    type: 'String',
    description: 'image of logmill in Amazon ECR, with its tag or digest',
    default: settings.imageUri || undefined,
    allowedPattern: '^[0-9]{12}[.]dkr[.]ecr[.][a-z0-9-]+[.]amazonaws[.]com/.+$',
    constraintDescription: 'must be an image in Amazon ECR: tasks reach no other registry',
  }).valueAsString;
  /* ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG or NAME@DIGEST */
  const host = Fn.split('.', uri);
  const path = Fn.select(1, Fn.split('.amazonaws.com/', uri));
  const name = Fn.select(0, Fn.split(':', Fn.select(0, Fn.split('@', path))));
  const repository = Arn.format({
    service: 'ecr', account: Fn.select(0, host), region: Fn.select(3, host),
    resource: 'repository', resourceName: name, arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
  }, stack);
  return {
    image: ecs.ContainerImage.fromRegistry(uri),
    grantPull(role) {
      const principal = role.grantPrincipal;
      principal.addToPrincipalPolicy(new iam.PolicyStatement({
        actions: ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
        resources: [repository],
      }));
      principal.addToPrincipalPolicy(new iam.PolicyStatement({
        actions: ['ecr:GetAuthorizationToken'], resources: ['*'],
      }));
    },
  };
}

function builtImage(settings: Settings): Image {
  let root = __dirname; // cdk/lib, or cdk/build/lib
  while (!existsSync(join(root, 'Dockerfile'))) {
    if (join(root, '..') === root) throw new Error('imageUri is "build", and there is no Dockerfile');
    root = join(root, '..');
  }
  return {
    image: ecs.ContainerImage.fromAsset(root, {
      platform: settings.cpuArchitecture === 'ARM64' ? Platform.LINUX_ARM64 : Platform.LINUX_AMD64,
      exclude: ['.git', 'build', 'cdk', 'logmill-data', '**/node_modules'],
    }),
    grantPull() { /* the asset's repository is known, so CDK does it */ },
  };
}
