import { render } from 'preact';

import { App } from './app';
import { askClock } from './clock';
import { learnWho, watchOtherTabs } from './session';
import { applyTheme } from './theme';

applyTheme();

/** So long the page waits for the server's clock, and for who looks, before it begins with the browser's. */
const CLOCK_MS = 1000;

watchOtherTabs();
const asked = Promise.all([learnWho(), askClock()].map((asks) => asks.catch(() => {})));
await Promise.race([asked, new Promise((resolve) => setTimeout(resolve, CLOCK_MS))]);

const root = document.getElementById('app')!;
root.replaceChildren();
render(<App />, root);
