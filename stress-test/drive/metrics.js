/* The module `k6/metrics`, and what becomes of metrics at the end: thresholds and the summary. */
import { createHistogram } from 'node:perf_hooks';

const all = new Map(); // name, perhaps with {tag:value}, to metric

class Metric {
    constructor(name, type, contains = 'default') {
        Object.assign(this, { name, type, contains, parts: [], thresholds: [] });
        all.set(name, this);
    }

    /** A part counts only what comes with its tag. */
    addPart(tag, value) {
        const part = new this.constructor(`${this.name}{${tag}:${value}}`, this.contains === 'time');
        this.parts.push({ tag, value, part });
    }

    add(value, tags = {}) {
        this.take(Number(value));
        for (const { tag, value: wanted, part } of this.parts) {
            if (tags[tag] === wanted) {
                part.take(Number(value));
            }
        }
    }
}

export class Counter extends Metric {
    count = 0;

    constructor(name) {
        super(name, 'counter');
    }

    take(value) {
        this.count += value;
    }

    values(seconds) {
        return { count: this.count, rate: this.count / seconds };
    }
}

export class Rate extends Metric {
    passes = 0;
    fails = 0;

    constructor(name) {
        super(name, 'rate');
    }

    take(value) {
        value ? this.passes++ : this.fails++;
    }

    values() {
        const { passes, fails } = this;
        return { rate: passes + fails && passes / (passes + fails), passes, fails };
    }
}

/** Keeps three digits of each value (milliseconds, if it is a time). */
export class Trend extends Metric {
    histogram = createHistogram({ lowest: 1, highest: 1e10, figures: 3 });

    constructor(name, isTime) {
        super(name, 'trend', isTime ? 'time' : 'default');
    }

    take(value) {
        this.histogram.record(Math.max(1, Math.round(value * 1000)));
    }

    values(seconds, wanted) {
        const h = this.histogram;
        if (h.count === 0) {
            return Object.fromEntries(wanted.map((stat) => [stat, 0]));
        }
        const of = { avg: () => h.mean, min: () => h.min, med: () => h.percentile(50), max: () => h.max };
        return Object.fromEntries(
            wanted.map((stat) => [stat, (of[stat]?.() ?? h.percentile(percentOf(stat))) / 1000]),
        );
    }
}

export const counter = (name) => new Counter(name);
export const rate = (name) => new Rate(name);
export const trend = (name) => new Trend(name, true);

function percentOf(stat) {
    const [, percent] = /^p\(([\d.]+)\)$/.exec(stat) ?? [];
    if (percent === undefined) {
        throw new Error(`"${stat}" is not known here`);
    }
    return Number(percent);
}

/** Takes a script's thresholds: { 'metric{tag:value}': ['p(95)<500', …] }. */
export function watchThresholds(thresholds) {
    for (const [key, rules] of Object.entries(thresholds)) {
        const [, name, tag, value] = /^(\w+)(?:\{(\w+):(\w+)\})?$/.exec(key) ?? [];
        const metric = all.get(name);
        if (metric === undefined) {
            throw new Error(`a threshold of "${key}", which is no metric`);
        }
        if (tag !== undefined) {
            metric.addPart(tag, value);
        }
        all.get(key).thresholds = rules;
    }
}

function isKept(rule, metric, seconds) {
    const [, stat, sign, limit] = /^([\w().]+)\s*(<|<=|>|>=)\s*([\d.]+)$/.exec(rule) ?? [];
    if (stat === undefined) {
        throw new Error(`the threshold "${rule}" is not understood here`);
    }
    const value = metric.values(seconds, [stat])[stat];
    const is = { '<': value < limit, '<=': value <= limit, '>': value > limit, '>=': value >= limit };
    return is[sign];
}

/** The metrics as handleSummary gets them, and whether every threshold was kept. */
export function summarise(seconds, trendStats) {
    const metrics = {};
    let allKept = true;
    for (const [name, metric] of all) {
        const { type, contains } = metric;
        metrics[name] = { type, contains, values: metric.values(seconds, trendStats) };
        for (const rule of metric.thresholds) {
            const ok = isKept(rule, metric, seconds);
            (metrics[name].thresholds ??= {})[rule] = { ok };
            allKept &&= ok;
        }
    }
    return { metrics, allKept };
}
