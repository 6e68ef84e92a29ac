/* What the colours of the histogram are, with counts; and what is shown: levels, or values of the field it is grouped by. */
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';

import { type View, hasLevels, levelFilter, levelsNamed, withLevels, withTerm, withoutTerm } from './address';
import type { Chart } from './bars';
import type { Levels } from './count';
import { useFocusNext } from './focus';
import { USUAL_LEVELS, nameOfLevel, severityOf } from './levels';
import { countText } from './numbers';
import { existsTerm, fieldTerm, termsOf } from './query';
import { cut, visible } from './text';

const LEVELS_MAX = 16;

interface Item {
    key: string;
    class: string;
    name: string;
    count: number | undefined;
    isChosen: boolean;
    title: string;
    /** `only`: it alone. */
    toggle: (only: boolean) => void;
}

function LegendItem({ item, isOld, role }: { item: Item; isOld: boolean; role: 'checkbox' | 'button' }): JSX.Element {
    const { isChosen, count } = item;
    return (
        <button
            role={role}
            {...(role === 'checkbox' ? { 'aria-checked': isChosen } : { 'aria-pressed': isChosen })}
            class={`legend-item ${item.class} ${isChosen ? 'is-chosen' : ''} ${count === 0 ? 'is-none' : ''}`}
            title={item.title}
            onClick={(event) => item.toggle(event.altKey)}
        >
            <span class="swatch" aria-hidden="true" />
            {cut(visible(item.name), 24)}
            {count !== undefined && <span class={isOld ? 'count is-old' : 'count'}>{countText(count)}</span>}
        </button>
    );
}

interface Props {
    view: View;
    setView: (view: View) => void;
    levels: Levels | null;
    /** They are of the search before. */
    isOld: boolean;
}

/** The level filter. Its counts are those of all levels, whichever are chosen. */
export function LevelLegend({ view, setView, levels, isOld }: Props): JSX.Element {
    const legend = useRef<HTMLDivElement>(null);
    const focusNext = useFocusNext();
    const counts = new Map<string, number>();
    /** How each is written, by its one name. */
    const spellings = new Map<string, string[]>(USUAL_LEVELS.map((name) => [name, [name]]));
    const spell = (level: string): string => {
        const name = nameOfLevel(level);
        spellings.set(name, [...(spellings.get(name) ?? []), level]);
        return name;
    };
    const named = levelsNamed(view).map(spell);
    for (const [level, count] of Object.entries(levels ?? {})) {
        const name = spell(level);
        counts.set(name, (counts.get(name) ?? 0) + count);
    }
    const seen = [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)!);
    const usual = [...USUAL_LEVELS].reverse(); // on a phone the first ones are seen
    const names = [...new Set([...usual, ...named, ...seen])];
    const isLet = levelFilter(view);
    const chosen = [...new Set([...named, ...names])].filter((name) => spellings.get(name)!.some(isLet));
    const choose = (names: readonly string[]): void => setView(withLevels(view, names.map((name) => spellings.get(name)![0]!)));
    return (
        <div class="legend" role="group" aria-label="Levels" ref={legend}>
            {names.slice(0, LEVELS_MAX).map((name) => {
                const others = chosen.filter((other) => other !== name);
                const isChosen = others.length < chosen.length;
                const toggle = (only: boolean): void => choose(only ? [name] : isChosen ? others : [...others, name]);
                const text = spellings.get(name)![0] || '(empty)';
                const title = 'Shows this level, or not (with Alt: it alone)';
                const count = levels ? (counts.get(name) ?? 0) : undefined;
                return (
                    <LegendItem
                        key={name}
                        item={{ key: name, class: `is-${severityOf(name)}`, name: text, count, isChosen, title, toggle }}
                        isOld={isOld}
                        role="checkbox"
                    />
                );
            })}
            {hasLevels(view) && (
                <button
                    class="legend-item"
                    onClick={() => {
                        focusNext(() => legend.current?.querySelector('button'));
                        choose([]);
                    }}
                >
                    All levels
                </button>
            )}
        </div>
    );
}

/** The values of the field that the histogram is grouped by; a click asks for one. */
export function GroupLegend({ view, setView, chart, isOld }: { view: View; setView: (view: View) => void; chart: Chart; isOld: boolean }): JSX.Element {
    const on = termsOf(view.query).map(({ text }) => text);
    return (
        <div class="legend" role="group" aria-label={`Values of ${visible(view.by)}`}>
            {chart.series.map(({ class: name, name: value, count }, n) => {
                const isRest = n === chart.series.length - 1;
                if (isRest) {
                    return count > 0 && (
                        <span class={`legend-item ${name}`}>
                            <span class="swatch" aria-hidden="true" />
                            others
                            <span class={isOld ? 'count is-old' : 'count'}>{countText(count)}</span>
                        </span>
                    );
                }
                const term = value === null ? existsTerm(view.by, true) : fieldTerm(view.by, value);
                const isChosen = on.includes(term);
                const toggle = (): void => setView(isChosen ? withoutTerm(view, term) : withTerm(view, term));
                const text = value === null ? 'without' : value || '(empty)';
                return (
                    <LegendItem
                        key={term}
                        item={{ key: term, class: name, name: text, count, isChosen, title: visible(term), toggle }}
                        isOld={isOld}
                        role="button"
                    />
                );
            })}
        </div>
    );
}
