import { render } from 'preact';

import { fetchStats } from './api';
import { App } from './app';
import { learnClock } from './clock';
import { applyTheme } from './theme';
import { LAST } from './time';

applyTheme();

/** So long the page waits for the server's clock, before it begins with the browser's. */
const CLOCK_MS = 1000;

/** Without `until` the server answers until when it has counted: now. */
const askedMs = Date.now();
const asked = fetchStats(new URLSearchParams({ since: LAST })).then(({ until }) => learnClock(until, askedMs));
await Promise.race([asked.catch(() => {}), new Promise((resolve) => setTimeout(resolve, CLOCK_MS))]);

const root = document.getElementById('app')!;
root.replaceChildren();
render(<App />, root);
