import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';

import { NEWS, type News, SORTS, type Sort, type View, filterParams, withTerm } from './address';
import { barPath, chartOfGroups } from './bars';
import { serverNow } from './clock';
import { type Groups, countGroups } from './groups';
import { SEVERITIES, severityOf } from './levels';
import { countText, logsText } from './numbers';
import { type Pattern, type Patterns, SHOWN, SHOWN_MAX, findNewPatterns, findPatterns, isNew, patternTerm, piecesOf, sortPatterns } from './patterns';
import { barSeconds, share } from './scale';
import { cut, visible } from './text';
import { formatTime, iso } from './time';
import { useBeside } from './use_beside';
import type { Stats } from './use_stats';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** What is new was not met in so much time before. */
const LOOK_BACK_MS = 7 * DAY_MS;
/** A sparkline has so many times fewer bars than the histogram. */
const SPARK_FACTOR = 3;
const NEWS_OF: Record<News, { name: string; ms: number }> = {
    '': { name: 'All patterns', ms: 0 },
    '1h': { name: 'New in the last hour', ms: HOUR_MS },
    '24h': { name: 'New in the last 24 hours', ms: DAY_MS },
    '7d': { name: 'New in the last 7 days', ms: 7 * DAY_MS },
    range: { name: 'New in the time shown', ms: 0 },
};

const SORT_NAMES: Record<Sort, string> = { '': 'Most logs', severity: 'Most severe', newest: 'Newest', rarest: 'Rarest' };

interface Props {
    view: View;
    setView: (view: View, replace?: boolean) => void;
    stats: Stats;
}

/** Placeholders are quiet blanks. */
function Template({ pattern }: { pattern: string }): JSX.Element {
    return (
        <span class="template">
            {piecesOf(cut(pattern, 600)).map((piece) =>
                piece === null ? <span class="gap" role="img" aria-label="anything" /> : visible(piece))}
            {pattern === '' && <i>(an empty message)</i>}
        </span>
    );
}

function Spark({ counts }: { counts: number[] }): JSX.Element {
    const most = Math.max(1, ...counts);
    return (
        <svg class="spark" viewBox={`0 0 ${counts.length} 20`} preserveAspectRatio="none" aria-hidden="true">
            <path
                d={counts
                    .map((count, n) => ({ x: n + 0.1, width: 0.8, height: count > 0 ? Math.max(1.5, (count / most) * 20) : 0 }))
                    .map((bar) => (bar.height > 0 ? barPath({ ...bar, y: 20 - bar.height }) : ''))
                    .join('')}
            />
        </svg>
    );
}

/** Counts of each pattern over the time. */
function sparksOf(groups: Groups | null): Map<string, number[]> {
    const sparks = new Map<string, number[]>();
    if (!groups) return sparks;
    const { from, to, step } = chartOfGroups(groups);
    const bars = Math.max(1, Math.round((to - from) / step));
    for (const { timestamp, counts } of groups.buckets) {
        const place = Math.max(0, Math.min(bars - 1, Math.round((Date.parse(timestamp) - from) / step)));
        counts.forEach((count, n) => {
            const { value } = groups.groups[n]!;
            if (!count || value === null) return;
            const spark = sparks.get(value) ?? Array<number>(bars).fill(0);
            spark[place]! += count;
            sparks.set(value, spark);
        });
    }
    return sparks;
}

function Row({ one, all, spark, view, setView }: { one: Pattern; all: Patterns; spark: number[] | undefined; view: View; setView: (view: View) => void }): JSX.Element {
    const levels = Object.entries(one.levels)
        .map(([level, count]) => ({ level, count, severity: severityOf(level) }))
        .sort((a, b) => SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity));
    const time = (timestamp: string): string => formatTime(timestamp, view.zone).slice(0, 19);
    return (
        <li class="pattern" data-testid="pattern">
            <button
                class="pattern-text"
                title={`The logs of this pattern. For example: ${cut(visible(one.example), 300)}`}
                onClick={() => setView({ ...withTerm(view, patternTerm(one.pattern)), tab: 'logs', id: '' })}
            >
                {isNew(one, all) && <span class="new" title="First met in the last quarter of the time shown">new</span>}
                <Template pattern={one.pattern} />
            </button>
            <span class="pattern-count">
                <b>{countText(one.count)}</b>
                <span class="share">{share(one.count, all.total)}</span>
                <span class="share-bar" aria-hidden="true"><span style={{ width: `${(one.count / all.total) * 100}%` }} /></span>
            </span>
            <span class="pattern-spark">{spark && <Spark counts={spark} />}</span>
            <span class="pattern-levels">
                {levels.map(({ level, count, severity }) => (
                    <span class={`is-${severity}`} title={`${countText(count)} ${visible(level)}`}>
                        {cut(visible(level), 16)}{levels.length > 1 && ` ${share(count, one.count)}`}
                    </span>
                ))}
            </span>
            <span class="pattern-times">
                <span title="First seen"><span class="label">first </span>{time(one.first_seen)}</span>
                <span title="Last seen"><span class="label">last </span>{time(one.last_seen)}</span>
            </span>
            <button
                class="pattern-not"
                aria-label={`Without this pattern: ${cut(visible(one.pattern), 80)}`}
                title="Without these logs"
                onClick={() => setView(withTerm(view, patternTerm(one.pattern, true)))}
            >
                −
            </button>
        </li>
    );
}

export function PatternsView({ view, setView, stats }: Props): JSX.Element {
    const [since, until] = [stats.answer?.since ?? '', stats.answer?.until ?? ''];
    const choice = view.news;
    const [listed, setListed] = useState(SHOWN);
    const top = view.sort ? SHOWN_MAX : listed; // what comes first in another order may be anywhere in this one
    const [round, setRound] = useState(0);
    // The last hour is that of the time shown: a link with fixed times shows the same later.
    const newSince = choice === 'range' ? Date.parse(since) : Math.min(Date.parse(until) || Infinity, serverNow()) - NEWS_OF[choice].ms;
    const question = `${filterParams(view)}|${view.since}|${view.until}|${view.range}|${choice}|${top}|${round}`;
    const { value, isOld, isBusy, failed, stop } = useBeside<Patterns>(question, since && `${since}|${until}`, (signal, told) => {
        if (!choice) return findPatterns(view, since, until, top, signal, told);
        return findNewPatterns(view, iso(newSince - LOOK_BACK_MS), until, iso(newSince), top, signal);
    });
    const from = choice ? iso(newSince) : since;
    const bucket = barSeconds(SPARK_FACTOR * (Date.parse(until) - Date.parse(from)));
    const isComplete = value !== null && !isOld && value.next === null;
    const sparks = useBeside<Groups>(isComplete && value.patterns.length > 0 ? `${question}` : '', since && `${since}|${until}`, (signal, told) =>
        countGroups(view, 'pattern', { since: from, until, bucket_seconds: bucket }, Math.min(1000, 2 * top), signal, told));
    const drawn = sparksOf(sparks.isOld ? null : sparks.value);
    const shown = useMemo(() => sortPatterns(value?.patterns.slice(0, top) ?? [], view.sort), [value, top, view.sort]);
    const rest = value ? value.total - shown.reduce((sum, { count }) => sum + count, 0) : 0;
    const about = value?.isApproximate ? 'about ' : '';
    return (
        <section class="patterns" data-testid="patterns" aria-label="Patterns" aria-busy={isBusy}>
            <div class="patterns-head">
                <select aria-label="Which patterns" value={choice} onChange={({ currentTarget }) => setView({ ...view, news: currentTarget.value as News }, true)}>
                    {NEWS.map((news) => <option value={news}>{NEWS_OF[news].name}</option>)}
                </select>
                <span role="group" aria-label="What comes first">
                    {SORTS.map((sort) => (
                        <button class="toggle" aria-pressed={view.sort === sort} onClick={() => setView({ ...view, sort }, true)}>
                            {SORT_NAMES[sort]}
                        </button>
                    ))}
                </span>
                <span role="status" class={isOld && value ? 'is-old' : ''}>
                    {value && `${about}${countText(shown.length)} ${choice ? 'new ' : ''}${shown.length === 1 ? 'pattern' : 'patterns'}`}
                    {value && choice && ` since ${formatTime(iso(newSince), view.zone).slice(0, 16)}`}
                    {value && !choice && rest > 0 && `, and ${logsText(rest)} of others`}
                    {value?.searched_to && !isOld && `, ${choice ? 'compared' : 'searched'} back to ${formatTime(value.searched_to, view.zone).slice(0, 16)}${value.next && isBusy ? '…' : ' alone'}`}
                </span>
                {isBusy && value?.next && <button onClick={stop}>Stop</button>}
                {!isBusy && value?.next && !isOld && <button onClick={() => setRound(round + 1)}>Search all of it</button>}
                {failed && <span class="warning" data-testid="patterns-failed">No patterns: {failed}</span>}
            </div>
            {!value && !failed && <p class="patterns-state">Looking for what messages have in common…</p>}
            {value && isComplete && shown.length === 0 && (
                <p class="patterns-state" data-testid="no-patterns">
                    {choice && value.total > 0 ? 'No pattern is new: whatever came since was there in the 7 days before, too.' : 'No log matches, so there are no patterns.'}
                </p>
            )}
            {shown.length > 0 && (
                <ol class={isOld ? 'pattern-list is-old' : 'pattern-list'}>
                    {shown.map((one) => (
                        <Row key={one.pattern} one={one} all={value!} spark={drawn.get(one.pattern)} view={view} setView={setView} />
                    ))}
                </ol>
            )}
            {value && isComplete && !choice && rest > 0 && top < SHOWN_MAX && (
                <button class="patterns-more" onClick={() => setListed(SHOWN_MAX)}>More patterns</button>
            )}
        </section>
    );
}
