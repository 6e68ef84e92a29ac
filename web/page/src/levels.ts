/* Levels are free text; the usual names, in any case, have a colour and a rank. */

export type Severity = 'debug' | 'info' | 'warning' | 'error' | 'critical' | 'other';

export const SEVERITIES: readonly Severity[] = [
    'debug', 'other', 'info', 'warning', 'error', 'critical',
];

const NAMES: Record<string, Severity> = {
    trace: 'debug', debug: 'debug', verbose: 'debug',
    info: 'info', information: 'info', notice: 'info',
    warn: 'warning', warning: 'warning',
    err: 'error', error: 'error',
    critical: 'critical', crit: 'critical', fatal: 'critical', panic: 'critical',
    alert: 'critical', emerg: 'critical', emergency: 'critical',
};

export function severityOf(level: string): Severity {
    const name = level.toLowerCase();
    return Object.hasOwn(NAMES, name) ? NAMES[name]! : 'other';
}

/** Always offered, whether or not there are logs of them. */
export const USUAL_LEVELS = ['debug', 'info', 'warning', 'error', 'critical'];

/** From the least to the most severe, as `level:>=` has them (docs/query.md). */
const RANKS = ['trace', 'debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];
/** Names that find each other. */
const OTHER_NAMES: Record<string, string> = { warn: 'warning', err: 'error', fatal: 'critical' };

/** The one name of a level that has two, or may be written in capitals. */
export function nameOfLevel(level: string): string {
    const name = level.toLowerCase();
    return Object.hasOwn(OTHER_NAMES, name) ? OTHER_NAMES[name]! : name;
}

/** Below 0: it is neither more nor less than others. */
export function rankOf(level: string): number {
    return RANKS.indexOf(nameOfLevel(level));
}
