/* Tells Node where the modules of k6 are: here. */
const OURS = { k6: 'k6', 'k6/execution': 'execution', 'k6/http': 'http', 'k6/metrics': 'metrics' };

export function resolve(specifier, context, next) {
    return Object.hasOwn(OURS, specifier)
        ? { url: new URL(`./${OURS[specifier]}.js`, import.meta.url).href, shortCircuit: true }
        : next(specifier, context);
}
