/** Every number that scaling, alarms and the dashboard go by, in one place. */
export const API = {
    cpu: 512,
    memoryMiB: 1024,
    minTasks: 2,
    maxTasks: 20,
    targetCpuPercent: 60,
    targetMemoryPercent: 70,
    /* Per task: 2,000 a second. The more logs one process takes, the more share a request to SQS. */
    targetRequestsPerMinute: 120_000,
    alarmCpuPercent: 85,
    alarmMemoryPercent: 85,
    alarmRequestsPerMinute: 240_000, // per task: twice the target
    alarm5xxPercent: 1,
    alarmP99Seconds: 0.5,
};

export const WORKER = {
    cpu: 512,
    memoryMiB: 1024,
    minTasks: 1,
    maxTasks: 10,
    targetBacklogPerTask: 100, // messages visible / running tasks
    alarmBacklogPerTask: 1_000,
    scaleAgeSeconds: 60, // oldest message: one more task,
    scaleAgeMuchSeconds: 300, // three more
    alarmAgeSeconds: 600,
    alarmCpuPercent: 90,
    alarmMemoryPercent: 85,
    /* Of all workers, in 15 minutes. A database that cannot be reached makes one for each thread. */
    alarmStoreFailures: 100,
    /* The same in 5 minutes, by which a deployment is rolled back. */
    deployStoreFailures: 35,
};

/** Days that access logs are kept. They name what was searched for, since queries are in URLs. */
export const ACCESS_LOG_DAYS = 7;

/** Of a task's diagnostics while CloudWatch does not take them; then they are lost, and logs go on. */
export const DIAGNOSTICS_BUFFER_MIB = 10;

/** Seconds between the lines of metrics that each task writes. */
export const METRICS_SECONDS = 60;

/**
 * Deliveries of a message before it becomes a dead letter. A database that cannot be reached costs
 * one at most, since workers then take no messages until it answers. One that answers but refuses
 * costs one a try, 1 to 60 s apart: with 100, that may last for an hour and a half. A message that
 * cannot be understood is tried less and less often, and is there for almost a day.
 */
export const QUEUE = { maxReceives: 100, maxMessageBytes: 1_048_576 };

/** Connections to the database that one task may have open: readers, writers, tails, deleting, /ready. */
export const TASK_CONNECTIONS = 7;

export const DATABASE = {
    maxStorageGiB: 1000,
    backupDays: 7,
    logDays: 30,
    auroraMinAcu: 0.5,
    auroraMaxAcu: 16,
    alarmCpuPercent: 80,
    alarmFreeStoragePercent: 15, // RDS lets it grow when 10 % are free
    alarmConnectionsPercent: 80,
    auroraConnections: 2_000, // what Aurora has where the smallest capacity is 0.5
    alarmFreeMemoryBytes: 128 * 2 ** 20,
    alarmCredits: 30, // of processors of the classes t: some minutes of full speed are left
    alarmCapacityPercent: 90, // of Aurora's largest capacity
    alarmTransactionIds: 1_000_000_000, // PostgreSQL stops at 2.1 billion
    alarmDiskQueue: 64,
};

/** GiB of memory of the instance classes that may be chosen; connections follow from it. */
const MEMORY_GIB: Record<string, number> = Object.fromEntries([
    ...['micro', 'small', 'medium', 'large', 'xlarge', '2xlarge'].map((size, n) => [`db.t4g.${size}`, 2 ** n]),
    ...['m7g', 'm8g'].flatMap((family) =>
        ['large', 'xlarge', '2xlarge', '4xlarge', '8xlarge'].map((size, n) => [`db.${family}.${size}`, 8 * 2 ** n]),
    ),
    ...['r7g', 'r8g'].flatMap((family) =>
        ['large', 'xlarge', '2xlarge', '4xlarge', '8xlarge'].map((size, n) => [
            `db.${family}.${size}`,
            16 * 2 ** n,
        ]),
    ),
]);

export interface ClassLimits {
    readonly connections: number; // max_connections
    readonly alarmConnections: number;
    readonly apiTasks: number;
    readonly workerTasks: number;
}

/**
 * How many connections and tasks an instance class stands. While a deployment runs there may be
 * twice the tasks; together they stay below the alarm.
 */
export const CLASSES: Record<string, ClassLimits> = Object.fromEntries(
    Object.entries(MEMORY_GIB).map(([name, gib]) => {
        const connections = Math.min(90 * gib, 2_000); // less than RDS's own default, which has no such end
        const alarmConnections = Math.floor((connections * DATABASE.alarmConnectionsPercent) / 100);
        const tasks = Math.floor(alarmConnections / (2 * TASK_CONNECTIONS));
        const apiTasks = Math.min(API.maxTasks, Math.floor((tasks * 2) / 3));
        return [
            name,
            {
                connections,
                alarmConnections,
                apiTasks,
                workerTasks: Math.min(WORKER.maxTasks, tasks - apiTasks),
            },
        ];
    }),
);

export const CACHE = { alarmMemoryPercent: 80, alarmCpuPercent: 80 };
