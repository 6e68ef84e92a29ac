/* What a histogram shows of counts: bars of a few series, stacked, in a width and a height. */
import type { Bucket, StatsAnswer } from './api';
import { GROUPS, type Groups } from './groups';
import { SEVERITIES, severityOf } from './levels';
import { linesOf } from './scale';

export const WIDTH = 1000;
export const HEIGHT = 100;
/** Of the strip that errors have for themselves. */
export const STRIP = 10;

export interface Series {
    /** For the stylesheet: is-error, is-group-3. */
    class: string;
    /** null: all others. */
    name: string | null;
    count: number;
}

export interface Column {
    ms: number;
    total: number;
    /** By the place of the series. */
    counts: number[];
}

export interface Chart {
    series: Series[];
    columns: Column[];
    /** What was asked for. */
    since: number;
    until: number;
    /** The axis: whole bars. */
    from: number;
    to: number;
    step: number;
}

interface Counted {
    since: string;
    until: string;
    bucket_seconds: number;
}

/** Bars lie at multiples of their length somewhere in the day: where the first one that is known tells. */
function frame({ since, until, bucket_seconds }: Counted, first: string | undefined): Omit<Chart, 'series' | 'columns'> {
    const [begin, end, step] = [Date.parse(since), Math.max(Date.parse(until), Date.parse(since) + 1), bucket_seconds * 1000];
    const known = first === undefined ? begin : Date.parse(first);
    const from = known - Math.ceil((known - begin) / step) * step;
    return { since: begin, until: end, step, from, to: Math.max(end, from + Math.ceil((end - from) / step) * step) };
}

function bySeverity(bucket: Bucket): number[] {
    const counts = SEVERITIES.map(() => 0);
    for (const [level, count] of Object.entries(bucket.levels)) counts[SEVERITIES.indexOf(severityOf(level))]! += count;
    return counts;
}

export function chartOfLevels(answer: StatsAnswer): Chart {
    const columns = answer.buckets.map((bucket) => ({ ms: Date.parse(bucket.timestamp), total: bucket.total, counts: bySeverity(bucket) }));
    const series = SEVERITIES.map((name, n) => ({
        class: `is-${name}`, name, count: columns.reduce((sum, { counts }) => sum + counts[n]!, 0),
    }));
    return { ...frame(answer, answer.buckets[0]?.timestamp), series, columns };
}

/** The colours of groups follow from their names, so that one keeps its own while counts change their order. */
function coloursOf(names: readonly (string | null)[]): Map<string | null, number> {
    const colours = new Map<string | null, number>();
    const taken = new Set<number>();
    for (const name of [...names].sort()) {
        let hash = 0;
        for (const letter of name ?? '') hash = Math.imul(hash, 31) + letter.codePointAt(0)!;
        let colour = Math.abs(hash) % GROUPS;
        while (taken.has(colour) && taken.size < GROUPS) colour = (colour + 1) % GROUPS;
        taken.add(colour);
        colours.set(name, colour);
    }
    return colours;
}

export function chartOfGroups(groups: Groups): Chart {
    const colours = coloursOf(groups.groups.map(({ value }) => value));
    const series: Series[] = groups.groups.map(({ value, count }) => ({ class: `is-group-${colours.get(value)}`, name: value, count }));
    series.push({ class: 'is-rest', name: null, count: groups.other });
    const columns = groups.buckets.map(({ timestamp, counts, other }) => {
        const all = [...groups.groups.map((_, n) => counts[n] ?? 0), other];
        return { ms: Date.parse(timestamp), total: all.reduce((a, b) => a + b, 0), counts: all };
    });
    return { ...frame(groups, groups.buckets[0]?.timestamp), series, columns };
}

export interface Bar {
    class: string;
    x: number;
    y: number;
    width: number;
    height: number;
}

/** Bars of some series, each on top of the one before. `top`: what the height stands for. */
function stack(chart: Chart, series: number[], top: number, height: number, least: number): Bar[] {
    const scale = WIDTH / (chart.to - chart.from);
    const width = chart.step * scale;
    return chart.columns.flatMap(({ ms, counts }) => {
        // The last one may be cut short, and still is to be seen.
        const x = Math.min((ms - chart.from) * scale + width * 0.06, WIDTH - 1);
        let y = height;
        return series.filter((n) => counts[n]! > 0).map((n) => {
            const tall = Math.max((counts[n]! / top) * height, least);
            y -= tall;
            return { class: chart.series[n]!.class, x, y, width: Math.min(width * 0.88, WIDTH - x), height: tall };
        });
    });
}

/** Round numbers at which the scale has lines; the last one is its top. */
export function linesOfChart({ columns }: Chart): number[] {
    return linesOf(Math.max(1, ...columns.map(({ total }) => total)));
}

/**
 * The bars in a WIDTH and a HEIGHT: browsers clamp lengths in an SVG (Chromium at 2^25), so time itself is no measure
 * for them.
 */
export function barsOf(chart: Chart): Bar[] {
    return stack(chart, chart.series.map((_, n) => n), linesOfChart(chart).at(-1)!, HEIGHT, 1);
}

/** Errors and worse alone, on a scale of their own: a few beside thousands of others are seen. None if all are. */
export function errorsOf(chart: Chart): Bar[] {
    const series = ['is-error', 'is-critical'].map((name) => chart.series.findIndex((one) => one.class === name)).filter((n) => n >= 0);
    const most = Math.max(0, ...chart.columns.map(({ counts }) => series.reduce((sum, n) => sum + counts[n]!, 0)));
    const hasOthers = chart.series.some(({ count }, n) => count > 0 && !series.includes(n));
    return most === 0 || !hasOthers ? [] : stack(chart, series, most, STRIP, STRIP * 0.3);
}

export interface Shape {
    class: string;
    /** Its bars, as the data of one path. */
    d: string;
}

/** One bar in the data of a path. Many as one path are drawn in far less time than as many elements. */
export function barPath({ x, y, width, height }: Omit<Bar, 'class'>): string {
    const [left, top, w, h] = [x, y, width, height].map((n) => Math.round(n * 100) / 100);
    return `M${left} ${top}h${w}v${h}h${-w!}z`;
}

/** Bars by their series. */
export function shapesOf(bars: readonly Bar[]): Shape[] {
    const shapes = new Map<string, string>();
    for (const bar of bars) shapes.set(bar.class, (shapes.get(bar.class) ?? '') + barPath(bar));
    return [...shapes].map(([name, d]) => ({ class: name, d }));
}

/** The bar at a moment, by its number; those without logs have one, too. */
export function barAt(chart: Chart, ms: number): number {
    return Math.max(0, Math.min(barCount(chart) - 1, Math.floor((ms - chart.from) / chart.step)));
}

export function barCount({ from, to, step }: Chart): number {
    return Math.max(1, Math.round((to - from) / step));
}

export function columnAt(chart: Chart, bar: number): Column {
    const ms = chart.from + bar * chart.step;
    const found = chart.columns.find((column) => Math.abs(column.ms - ms) < chart.step / 2);
    return found ?? { ms, total: 0, counts: chart.series.map(() => 0) };
}

/* ---- Times ---- */

export interface Span {
    since: number;
    until: number;
}

/** From bar `first` to bar `last`, as far as it was asked for. */
export function spanOf(chart: Chart, first: number, last: number): Span {
    return {
        since: Math.max(chart.since, chart.from + Math.min(first, last) * chart.step),
        until: Math.min(chart.until, chart.from + (Math.max(first, last) + 1) * chart.step),
    };
}

/** Twice as long, around its middle; what is after `now` is of no use. */
export function widened({ since, until }: Span, now: number): Span {
    const length = Math.max(1000, until - since);
    const end = until >= now ? until : Math.min(until + length / 2, now);
    return { since: end - 2 * length, until: end };
}

export function shifted({ since, until }: Span, by: number): Span {
    return { since: since + by * (until - since), until: until + by * (until - since) };
}
