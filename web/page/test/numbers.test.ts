import { expect, test } from 'vitest';

import { countText, logsText } from '../src/numbers';

test('thousands have commas, whatever the language of the browser is', () => {
    expect([0, 7, 999, 1000, 12_345, 999_999, 1_234_567, 20_000_000].map(countText)).toEqual(
        ['0', '7', '999', '1,000', '12,345', '999,999', '1,234,567', '20,000,000'],
    );
    expect([logsText(1), logsText(2000)]).toEqual(['1 log', '2,000 logs']);
});
