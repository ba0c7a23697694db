import { countConnections } from './database-usage.ts';
import type { Figure } from './figures.ts';
import { residentMegabytes } from './process-usage.ts';
import type { SystemUnderTest } from './system-under-test.ts';

const intervalMs = 500;

/** Looks at memory and connections of a system while something else happens, and remembers the most it saw. */
export class Sampler {
  readonly #system: SystemUnderTest;
  readonly #megabytes = new Map<string, number>();
  #connections = 0;
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> = Promise.resolve();

  constructor(system: SystemUnderTest) {
    this.#system = system;
    this.#timer = setInterval(() => {
      this.#looking = this.#looking.then(() => this.#look());
    }, intervalMs);
  }

  async #look(): Promise<void> {
    for (const { name, pid } of this.#system.processes) {
      if (name === 'postgres') continue;
      this.#megabytes.set(name, Math.max(this.#megabytes.get(name) ?? 0, residentMegabytes(pid)));
    }
    this.#connections = Math.max(this.#connections, await countConnections(this.#system.admin));
  }

  /** Ends it; answers the most seen. */
  async stop(): Promise<Figure[]> {
    clearInterval(this.#timer);
    await this.#looking;
    await this.#look();
    return [
      ...[...this.#megabytes].map(
        ([name, value]): Figure => ({ name: `memory, ${name}`, value, unit: 'MB', goal: '≤ 150' }),
      ),
      { name: 'connections', value: this.#connections, unit: '', goal: '≤ 20' },
    ];
  }
}
