import { render } from 'preact';

import { parseView } from './address';
import { dropAhead } from './api';
import { App } from './app';
import { askClock } from './clock';
import { askFirst } from './early';
import { fetchParts } from './parts';
import { learnWho, watchOtherTabs } from './session';
import { besides, nowStands } from './standing';
import { applyTheme } from './theme';

/** So long the page waits for the server's clock, and for who looks, before it begins with the browser's. */
const CLOCK_MS = 1000;
/** So long it waits for the list: what is drawn at once with its rows need not be drawn twice. */
const LIST_MS = 100;
/** So long what stands beside the rows waits for them to be drawn. */
const ROWS_MS = 200;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function begin(): Promise<void> {
    const list = askFirst(parseView(location.search));
    const asked = Promise.all([learnWho(), askClock()].map((asks) => asks.catch(() => {})));
    applyTheme();
    watchOtherTabs();
    await Promise.race([asked, wait(CLOCK_MS)]);
    await Promise.race([list, wait(LIST_MS)]);
    const root = document.getElementById('app')!;
    root.replaceChildren();
    render(<App />, root);
    setTimeout(dropAhead);
    setTimeout(nowStands, ROWS_MS);
    void besides.then(fetchParts);
}

void begin();
