import type { TraceDocument, TraceStep } from '../../tools/trace/trace-document.ts';
import { formatStanding, formatSteps, formatTraceHead, type PageSettings } from './trace-text.ts';

/** A trace that is printed while it grows: each thing that happened once, where it stands when that changes. */
export class FollowedTrace {
  readonly #page: PageSettings;
  readonly #printed = new Set<string>();
  #standing = '';
  #begun = false;

  constructor(page: PageSettings) {
    this.#page = page;
  }

  /** What is new in a document for people; undefined when nothing is. */
  news(document: TraceDocument): string | undefined {
    const parts: string[] = [];
    const steps = document.steps.filter((step) => !this.#printed.has(keyOf(step)));
    for (const step of steps) this.#printed.add(keyOf(step));
    if (!this.#begun) parts.push(formatTraceHead(document, this.#page), '');
    if (steps.length > 0) parts.push(formatSteps(steps, this.#page, { heading: !this.#begun }));
    this.#begun = true;
    const standing = document.standing;
    // Its age grows at every look, which is no news.
    const place =
      standing === null
        ? ''
        : JSON.stringify([standing.place, standing.reasons.map(({ reason, since }) => [reason, since])]);
    if (place !== this.#standing && standing !== null) parts.push(formatStanding(standing, this.#page));
    if (document.final) parts.push('', formatTraceHead(document, this.#page));
    const isNews = steps.length > 0 || place !== this.#standing || document.final;
    this.#standing = place;
    return isNews ? parts.join('\n') : undefined;
  }
}

function keyOf({ step, number, at, job_id, dead_letter_id }: TraceStep): string {
  return JSON.stringify([step, number, at, job_id, dead_letter_id]);
}
