import pg from 'pg';

/** Texts prepared on a connection at most; what sends a few always sends the same ones. */
const preparedMax = 50;
/**
 * How long a plan is used. One made when the queue was empty would go on reading all of it when it has grown;
 * Postgres itself makes new ones only when it has analysed the table, a minute later.
 */
const planMsMax = 5_000;

/**
 * A connection that prepares what is sent to it with values, for a library that gives its statements no names
 * although planning them costs twice what running them does.
 */
export class PreparedClient extends pg.Client {
  readonly #names = new Map<string, string>();
  #plannedAt = performance.now();

  // biome-ignore lint/suspicious/noExplicitAny: pg's query has many signatures, all of them passed on
  override query(...args: any[]): any {
    const [text, values, ...rest] = args;
    const query = super.query as (...args: unknown[]) => unknown;
    if (typeof text !== 'string' || !Array.isArray(values)) return query.apply(this, args);
    if (performance.now() - this.#plannedAt > planMsMax) {
      this.#plannedAt = performance.now();
      // Queued before the statement; should it fail, so does that.
      query.call(this, 'discard plans', () => {});
    }
    const name = this.#nameOf(text);
    return query.call(this, name === undefined ? text : { name, text }, values, ...rest);
  }

  #nameOf(text: string): string | undefined {
    const known = this.#names.get(text);
    if (known !== undefined || this.#names.size === preparedMax) return known;
    // Says in errors and on the wire what it is; the number makes it unique.
    const beginning = text.trim().replaceAll(/\s+/g, ' ').slice(0, 40);
    const name = `${this.#names.size} ${beginning}`;
    this.#names.set(text, name);
    return name;
  }
}
