import { reportMsMax } from '../../platform/board-report.ts';
import { within } from '../../platform/within.ts';

/** How long a round waits for one source: whoever is slower must not hold back what the others say. */
const patienceMs = 700;
/** The first one: until a service has said that its database, or the broker, hangs, it would pass for one that is away. */
const firstPatienceMs = reportMsMax + 400;

/** One source of figures: asked again and again, never twice at a time. */
export class Sight<Value, Question = void> {
  readonly #ask: (question: Question) => Promise<Value | undefined>;
  #asking: Promise<void> | undefined;
  #value: Value | undefined;
  #patienceMs = firstPatienceMs;

  /** @param ask resolves in bounded time, with undefined when the source does not answer */
  constructor(ask: (question: Question) => Promise<Value | undefined>) {
    this.#ask = ask;
  }

  /** What it answered last; undefined when the last question got no answer. */
  get value(): Value | undefined {
    return this.#value;
  }

  /** Asks, unless an answer is still awaited; resolves when it is there, or does not come soon. Never rejects. */
  async look(question: Question): Promise<void> {
    this.#asking ??= this.#ask(question)
      .catch(() => undefined)
      .then((value) => {
        this.#value = value;
        this.#asking = undefined;
      });
    await within(this.#patienceMs, this.#asking);
    this.#patienceMs = patienceMs;
  }
}
