/* Light or dark: as the system is, unless somebody chose. */

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'logmill.theme';

export function chosenTheme(): Theme {
    try {
        const theme = localStorage.getItem(KEY);
        return theme === 'light' || theme === 'dark' ? theme : 'system';
    } catch {
        return 'system'; // storage may be forbidden
    }
}

export function applyTheme(theme: Theme = chosenTheme()): void {
    if (theme === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
}

export function chooseTheme(theme: Theme): void {
    try {
        localStorage.setItem(KEY, theme);
    } catch {
        // it is forgotten with the page then
    }
    applyTheme(theme);
}
