import { render } from 'preact';

import { App } from './app';
import { askClock } from './clock';
import { fetchParts } from './parts';
import { learnWho, watchOtherTabs } from './session';
import { applyTheme } from './theme';

/** So long the page waits for the server's clock, and for who looks, before it begins with the browser's. */
const CLOCK_MS = 1000;
/** So long after that the rest of the page is fetched, if nobody has wanted it sooner. */
const REST_MS = 500;

async function begin(): Promise<void> {
    applyTheme();
    watchOtherTabs();
    const asked = Promise.all([learnWho(), askClock()].map((asks) => asks.catch(() => {})));
    await Promise.race([asked, new Promise((resolve) => setTimeout(resolve, CLOCK_MS))]);
    const root = document.getElementById('app')!;
    root.replaceChildren();
    render(<App />, root);
    setTimeout(() => void fetchParts(), REST_MS);
}

void begin();
