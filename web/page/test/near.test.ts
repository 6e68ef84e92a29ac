import { expect, test } from 'vitest';

import { nearestName } from '../src/near';
import { nearFields, termOfField } from '../src/near_fields';

const PATHS = ['service', 'host', 'http.status', 'http.method', 'ms', 'Trace ID', 'level'];

test('a name that is written much like another leads to it', () => {
    for (const name of ['servce', 'sevrice', 'services', 'Service', 'srvic']) expect(nearestName(name, PATHS)).toBe('service');
    expect(nearestName('htp.status', PATHS)).toBe('http.status');
    for (const name of ['customer', 'x', 'st']) expect(nearestName(name, PATHS)).toBe(null);
});

test('of a query each field that no log has is offered another, its value as it was written', () => {
    expect(nearFields('status:502', PATHS).map(({ path }) => path)).toEqual(['http.status']);
    const found = nearFields('servce:x -hots:(a OR "b c") http.method:GET http:* timeout any:y', PATHS);
    expect(found.map(({ term, path }) => termOfField(term, path))).toEqual(['service:x', '-host:(a OR "b c")']);
    expect(termOfField(nearFields('attr.levle:up', PATHS)[0]!.term, 'level')).toBe('attr.level:up');
    expect(termOfField(nearFields('"Trace I":1', PATHS)[0]!.term, 'Trace ID')).toBe('"Trace ID":1');
});
