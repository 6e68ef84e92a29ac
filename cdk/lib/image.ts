/** Where the container image comes from: the Dockerfile of this repository, or Amazon ECR. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { IgnoreMode, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import { DockerImageAssetOptions, Platform } from 'aws-cdk-lib/aws-ecr-assets';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import { ECR_IMAGE, Settings } from './settings';

/** Tasks are allowed to pull it by CDK itself, whichever of both it is. */
export function imageOf(stack: Stack, settings: Settings): ecs.ContainerImage {
    if (!settings.imageUri) return ecs.ContainerImage.fromAsset(repository(), assetOptions(settings));
    const { account, region, name, tag, digest } = ECR_IMAGE.exec(settings.imageUri)!.groups!;
    return ecs.ContainerImage.fromEcrRepository(
        ecr.Repository.fromRepositoryAttributes(stack, 'Repository', {
            repositoryName: name,
            repositoryArn: stack.formatArn({
                service: 'ecr',
                account,
                region,
                resource: 'repository',
                resourceName: name,
            }),
        }),
        digest ?? tag ?? 'latest',
    );
}

/**
 * The image is built when it is deployed, and not before: making the template takes no Docker.
 * What goes into it is what .dockerignore lets through, so that nothing else makes it built anew.
 */
export function assetOptions(settings: Settings): DockerImageAssetOptions {
    return {
        platform: settings.cpuArchitecture === 'ARM64' ? Platform.LINUX_ARM64 : Platform.LINUX_AMD64,
        ignoreMode: IgnoreMode.DOCKER,
    };
}

/** The directory of the Dockerfile: above cdk/lib, or cdk/build/lib. */
export function repository(): string {
    for (let at = __dirname; at !== dirname(at); at = dirname(at))
        if (existsSync(join(at, 'Dockerfile'))) return at;
    throw new Error(
        'there is no Dockerfile above cdk/; context imageUri names an image that was built elsewhere',
    );
}
