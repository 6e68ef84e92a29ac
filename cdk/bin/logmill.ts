#!/usr/bin/env node
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { LogmillStack } from '../lib/logmill-stack';
import { settingsFromContext } from '../lib/settings';

const app = new App();
const settings = settingsFromContext(app.node);
new LogmillStack(app, app.node.tryGetContext('stackName') ?? 'logmill', settings, {
    terminationProtection: settings.deletionProtection,
    description: 'logmill: takes logs over HTTP, keeps them, finds them again',
});
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
