import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';

import type { View } from './address';
import type { Bucket, StatsAnswer } from './api';
import { SEVERITIES, type Severity, severityOf } from './levels';
import { formatTick, formatTime } from './time';
import type { Stats } from './use_stats';

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

/** The bars, in a width of `answer`'s time in seconds and a height of HEIGHT. */
function Bars({ answer }: { answer: StatsAnswer }): JSX.Element {
    const since = Date.parse(answer.since);
    const most = Math.max(1, ...answer.buckets.map(({ total }) => total));
    const width = answer.bucket_seconds;
    return (
        <>
            {answer.buckets.map((bucket) => {
                const counts = bySeverity(bucket);
                const x = (Date.parse(bucket.timestamp) - since) / 1000;
                let y = HEIGHT;
                return SEVERITIES.filter((severity) => counts.has(severity)).map((severity) => {
                    const height = Math.max((counts.get(severity)! / most) * HEIGHT, 1);
                    y -= height;
                    return <rect class={`is-${severity}`} x={x + width * 0.06} y={y} width={width * 0.88} height={height} />;
                });
            })}
        </>
    );
}

function describe(bucket: Bucket, utc: boolean): string {
    const levels = Object.entries(bucket.levels).map(([level, n]) => `${level} ${n.toLocaleString()}`);
    return `${formatTime(bucket.timestamp, utc).slice(0, 19)} · ${levels.slice(0, 6).join(' · ')}`;
}

export function Histogram({ view, setView, stats: { answer, failed } }: Props): JSX.Element {
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
            class="histogram"
            data-testid="histogram"
            role="img"
            aria-label={`Histogram of ${(answer?.total ?? 0).toLocaleString()} logs over time by level`}
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
            {answer && (
                <svg viewBox={`0 0 ${Math.max(1, (until - since) / 1000)} ${HEIGHT}`} preserveAspectRatio="none">
                    <Bars answer={answer} />
                </svg>
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
                        <span>{formatTick(at(part), view.utc, until - since)}</span>
                    ))}
                </div>
            )}
            <div class="pointed">{failed ? `No histogram: ${failed}` : bucket && describe(bucket, view.utc)}</div>
        </div>
    );
}
