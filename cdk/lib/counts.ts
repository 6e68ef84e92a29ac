/** What tasks count themselves, by lines in CloudWatch's Embedded Metric Format; the namespace is the stack's name. */
import { Duration, Stack } from 'aws-cdk-lib';
import * as cw from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';

export type Count = 'LogsAccepted' | 'LogsStored' | 'LogsDeadLettered' | 'RequestsFailed' | 'StoreFailures';

/** The sum over all tasks. */
export function count(scope: Construct, metricName: Count, label?: string, minutes = 1): cw.Metric {
    return new cw.Metric({
        namespace: namespace(scope),
        metricName,
        statistic: 'Sum',
        period: Duration.minutes(minutes),
        label,
    });
}

export function namespace(scope: Construct): string {
    return Stack.of(scope).stackName;
}
