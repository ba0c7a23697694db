import { CodedError } from '../../platform/errors.ts';
import { createLogger } from '../../platform/logging.ts';
import { PassLoop } from '../../platform/pass-loop.ts';
import { type AuditOptions, audit } from '../audit/audit.ts';
import type { Invariant } from '../audit/findings.ts';
import { isQuiet } from '../audit/in-flight.ts';
import type { ChaosSystem } from './chaos-system.ts';

/** Between two audits of what must hold at every instant. */
const auditMs = 2_000;

/** Something that must not be. */
export interface Failure {
  invariant: string;
  id: string;
  detail: string;
}

/** Audits what must hold at every instant, again and again. A server that is down cannot be read: counted. */
export class ContinuousAudit {
  readonly #loop: PassLoop;
  readonly failures: Failure[] = [];
  done = 0;
  unreadable = 0;

  constructor(system: ChaosSystem) {
    const pass = async () => {
      try {
        this.failures.push(...(await violations(system, {})));
        this.done += 1;
      } catch (error) {
        if (error instanceof CodedError && error.code === 'unavailable') this.unreadable += 1;
        else this.failures.push({ invariant: 'audited', id: '', detail: `the audit failed: ${error}` });
      }
      return false;
    };
    this.#loop = new PassLoop({ name: 'audit', pass, idleMs: auditMs, log: createLogger('chaos', 'silent') });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }
}

/** Dead letters are what poison becomes: they are counted one by one, not by the audit. */
const expected: readonly Invariant[] = ['no-contradiction', 'dead-letters-acknowledged'];

/** What the audit finds broken. Rejects when a database cannot be read. */
export async function violations(
  system: Pick<ChaosSystem, 'urls'>,
  options: AuditOptions,
): Promise<Failure[]> {
  const report = await audit(system.urls, options);
  const found: Failure[] = report.violations.filter(({ invariant }) => !expected.includes(invariant));
  if (options.waitMs !== undefined && !isQuiet(report.in_flight)) {
    const detail = `not quiet within ${options.waitMs / 1_000} s: ${JSON.stringify(report.in_flight)}`;
    found.push({ invariant: 'liveness', id: '', detail });
  }
  return found;
}
