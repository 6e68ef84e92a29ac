/** Every number that scaling, alarms and the dashboard go by, in one place. */
export const API = {
    cpu: 512,
    memoryMiB: 1024,
    minTasks: 2,
    maxTasks: 20,
    targetCpuPercent: 60,
    targetMemoryPercent: 70,
    targetRequestsPerMinute: 30_000, // per task: 500 a second
    alarmCpuPercent: 85,
    alarmMemoryPercent: 85,
    alarmRequestsPerMinute: 60_000, // per task: twice the target
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
};

/** Seconds between the lines of metrics that each task writes. */
export const METRICS_SECONDS = 60;

/**
 * Deliveries of a message before it becomes a dead letter. A database that cannot be reached costs
 * one at most, since workers then take no messages until it answers. One that answers but refuses
 * costs one a try, 1 to 60 s apart: with 100, that may last for an hour and a half. A message that
 * cannot be understood is tried less and less often, and is there for almost a day.
 */
export const QUEUE = { maxReceives: 100 };

export const DATABASE = {
    storageGiB: 50,
    maxStorageGiB: 1000,
    backupDays: 7,
    auroraMinAcu: 0.5,
    auroraMaxAcu: 16,
    alarmCpuPercent: 80,
    alarmFreeStorageBytes: 10 * 2 ** 30,
    alarmConnections: 150,
    alarmFreeMemoryBytes: 128 * 2 ** 20,
};

export const CACHE = { alarmMemoryPercent: 80, alarmCpuPercent: 80 };
