import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';

import type { View } from './address';
import type { Bucket, StatsAnswer } from './api';
import { SEVERITIES, type Severity, severityOf } from './levels';
import { formatTick, formatTime } from './time';
import type { Stats } from './use_stats';

const WIDTH = 1000;
const HEIGHT = 100;
/** Shorter is a click. */
const DRAG_MIN = 0.005;

interface Props {
    view: View;
    setView: (view: View) => void;
    stats: Stats;
}

function bySeverity(bucket: Bucket): Map<Severity, number> {
    const counts = new Map<Severity, number>();
    for (const [level, count] of Object.entries(bucket.levels)) {
        const severity = severityOf(level);
        counts.set(severity, (counts.get(severity) ?? 0) + count);
    }
    return counts;
}

interface Bar {
    severity: Severity;
    x: number;
    y: number;
    width: number;
    height: number;
}

/**
 * The bars of an answer in a WIDTH and a HEIGHT: browsers clamp lengths in an SVG (Chromium at 2^25), so time itself
 * is no measure for them.
 */
export function barsOf(answer: StatsAnswer): Bar[] {
    const since = Date.parse(answer.since);
    const scale = WIDTH / Math.max(1, Date.parse(answer.until) - since);
    const most = Math.max(1, ...answer.buckets.map(({ total }) => total));
    const width = answer.bucket_seconds * 1000 * scale;
    return answer.buckets.flatMap((bucket) => {
        const counts = bySeverity(bucket);
        // The last one may be cut short, and still is to be seen.
        const x = Math.min((Date.parse(bucket.timestamp) - since) * scale + width * 0.06, WIDTH - 1);
        let y = HEIGHT;
        return SEVERITIES.filter((severity) => counts.has(severity)).map((severity) => {
            const height = Math.max((counts.get(severity)! / most) * HEIGHT, 1);
            y -= height;
            return { severity, x, y, width: Math.min(width * 0.88, WIDTH - x), height };
        });
    });
}

function describe(bucket: Bucket, zone: string): string {
    const levels = Object.entries(bucket.levels).map(([level, n]) => `${level} ${n.toLocaleString()}`);
    return `${formatTime(bucket.timestamp, zone).slice(0, 19)} · ${levels.slice(0, 6).join(' · ')}`;
}

export function Histogram({ view, setView, stats }: Props): JSX.Element {
    const { answer, old, isCounting, failed } = stats;
    const shown = answer ?? (failed ? null : old);
    const [drag, setDrag] = useState<[number, number] | null>(null);
    const [pointed, setPointed] = useState<number | null>(null);
    const box = useRef<HTMLDivElement>(null);
    const since = Date.parse(answer?.since ?? '');
    const until = Date.parse(answer?.until ?? '');
    const at = (fraction: number): number => since + fraction * (until - since);
    const fraction = (event: PointerEvent): number => {
        const { left, width } = box.current!.getBoundingClientRect();
        return Math.min(1, Math.max(0, (event.clientX - left) / width));
    };
    const end = (): void => {
        if (drag && answer && Math.abs(drag[1] - drag[0]) > DRAG_MIN) {
            const [from, to] = drag.map(at).sort((a, b) => a - b);
            setView({
                ...view,
                since: new Date(from!).toISOString(),
                until: new Date(to!).toISOString(),
                live: false,
            });
        }
        setDrag(null);
    };
    const bucket = pointed === null ? undefined : answer?.buckets.find(({ timestamp }) => {
        const start = Date.parse(timestamp);
        return start <= at(pointed) && at(pointed) < start + answer.bucket_seconds * 1000;
    });
    return (
        <div
            class={answer ? 'histogram' : 'histogram is-old'}
            data-testid="histogram"
            role="img"
            aria-label={`Histogram of ${answer ? answer.total.toLocaleString() : '…'} logs over time by level`}
            aria-busy={isCounting}
            ref={box}
            onPointerDown={(event) => {
                if (event.button !== 0) return;
                box.current!.setPointerCapture(event.pointerId);
                setDrag([fraction(event), fraction(event)]);
            }}
            onPointerMove={(event) => {
                setPointed(fraction(event));
                if (drag) setDrag([drag[0], fraction(event)]);
            }}
            onPointerUp={end}
            onPointerCancel={() => setDrag(null)}
            onPointerLeave={() => setPointed(null)}
        >
            {shown && (
                <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none">
                    {barsOf(shown).map(({ severity, ...place }) => (
                        <rect class={`is-${severity}`} {...place} />
                    ))}
                </svg>
            )}
            {answer?.next && answer.searched_to && (
                <div class="uncounted" style={{ width: `${((Date.parse(answer.searched_to) - since) / (until - since)) * 100}%` }} />
            )}
            {drag && (
                <div
                    class="selection"
                    style={{
                        left: `${Math.min(...drag) * 100}%`,
                        width: `${Math.abs(drag[1] - drag[0]) * 100}%`,
                    }}
                />
            )}
            {answer && (
                <div class="ticks">
                    {[0, 0.25, 0.5, 0.75, 1].map((part) => (
                        <span>{formatTick(at(part), view.zone, until - since)}</span>
                    ))}
                </div>
            )}
            <div class="pointed">{failed ? `No histogram: ${failed}` : bucket && describe(bucket, view.zone)}</div>
        </div>
    );
}
