import { readFileSync } from 'node:fs';

import { type Plugin, defineConfig } from 'vite';

/** What is bundled is redistributed, so its licences go with it. */
function licences(): Plugin {
    return {
        name: 'licences',
        apply: 'build',
        generateBundle() {
            const text = (name: string, file: string): string =>
                readFileSync(`node_modules/${name}/${file}`, 'utf8');
            // ansi-sequence-parser has no file of its own: MIT, as its package.json says.
            const parser = JSON.parse(text('ansi-sequence-parser', 'package.json'));
            const source = [
                `preact\n\n${text('preact', 'LICENSE')}`,
                `ansi-sequence-parser: ${parser.license}, ${JSON.stringify(parser.author)}\n`,
            ].join('\n\n');
            this.emitFile({ type: 'asset', fileName: 'assets/licences.txt', source });
        },
    };
}

export default defineConfig({
    build: { target: 'es2022', modulePreload: false, assetsInlineLimit: 0 },
    plugins: [licences()],
});
