/* Server-Sent Events, read from a stream of text: EventSource hides the place of a stream that has sent no event yet. */

export interface SseEvent {
    /** "" if it has none. */
    id: string;
    name: string;
    /** "" for what only tells its id. */
    data: string;
}

export class SseReader {
    private rest = '';
    private event: SseEvent = { id: '', name: '', data: '' };

    /** The events that are whole now. */
    take(text: string): SseEvent[] {
        const lines = (this.rest + text).split('\n');
        this.rest = lines.pop()!;
        return lines.flatMap((line) => this.takeLine(line.replace(/\r$/, '')));
    }

    private takeLine(line: string): SseEvent[] {
        if (line === '') {
            const { event } = this;
            this.event = { id: '', name: '', data: '' };
            return [event];
        }
        const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line)!;
        if (field === 'id') this.event.id = value!;
        if (field === 'event') this.event.name = value!;
        if (field === 'data') this.event.data += value!;
        return [];
    }
}
