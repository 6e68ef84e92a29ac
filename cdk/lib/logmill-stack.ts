/** The whole system: clients → load balancer → api → queue → worker → database, cache. */
import { CfnParameter, Stack, StackProps } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledgements';
import { Alarms } from './alarms';
import { Cache } from './cache';
import { Dashboard } from './dashboard';
import { Database } from './database';
import { imageOf } from './image';
import { Network } from './network';
import { Queue } from './queue';
import { Scaling } from './scaling';
import { Services } from './services';
import { Settings } from './settings';

export class LogmillStack extends Stack {
    constructor(scope: Construct, id: string, settings: Settings, props?: StackProps) {
        super(scope, id, props);
        const email = new CfnParameter(this, 'AlarmEmail', {
            type: 'String',
            default: '',
            description: 'who gets alarms and scaling events; empty: nobody',
        });
        const network = new Network(this, 'Network', settings);
        const queue = new Queue(this, 'Queues');
        const database = new Database(this, 'Database', { network, settings });
        const cache = new Cache(this, 'Cache', network, settings);
        const services = new Services(this, 'Services', {
            network,
            queue,
            database,
            cache,
            settings,
            image: imageOf(this, settings),
        });
        const scaling = new Scaling(this, 'Scaling', services, queue, database);
        const alarms = new Alarms(this, 'Alarms', { services, scaling, queue, database, cache, email });
        services.watch(alarms);
        new Dashboard(this, 'Dashboard', { services, scaling, queue, database, cache });
        acknowledge(this);
    }
}
