/** The samplers of `OTEL_TRACES_SAMPLER`, by the name they have there. */
export const samplerNames = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;
export type SamplerName = (typeof samplerNames)[number];

/** Which traces are recorded. */
export interface SamplingConfig {
  /** Undefined for the default: what began elsewhere as it was begun, and a bounded number a second of either. */
  sampler: SamplerName | undefined;
  /** Share of the traces, for those samplers that take one. */
  ratio: number;
}

/** Traces begun in a second that are recorded when nobody configured how many: enough to look at, and cheap. */
const begunPerSecondMax = 100;
/** Traces that clients ask for: more than anybody looks at, and some 7 % of a core at most. */
const clientsPerSecondMax = 1_000;
const ratioDigits = 13;

/** Decides whether spans are recorded. */
export class Sampling {
  /** Whether a trace that was begun elsewhere is recorded as was decided there. */
  readonly #byParent: boolean;
  readonly #samplesRoot: (traceId: string, now: number) => boolean;
  readonly #hasRoomForClients: (now: number) => boolean;

  constructor({ sampler, ratio }: SamplingConfig) {
    this.#byParent = sampler === undefined || sampler.startsWith('parentbased_');
    const hasRoom = perSecond(begunPerSecondMax);
    this.#samplesRoot = sampler === undefined ? (_, now) => hasRoom(now) : rootOf(sampler, ratio);
    this.#hasRoomForClients = sampler === undefined ? perSecond(clientsPerSecondMax) : () => true;
  }

  /**
   * Whether a span is recorded.
   * @param parentSampled whether the trace it belongs to is; undefined where it begins one
   * @param now performance.now(); left out for this moment
   */
  samples(traceId: string, parentSampled: boolean | undefined, now?: number): boolean {
    if (this.#byParent && parentSampled !== undefined) return parentSampled;
    return this.#samplesRoot(traceId, now ?? performance.now());
  }

  /** The same where a trace comes in from a client, who decides for itself, and not for everybody else's time. */
  samplesOfClient(traceId: string, clientSampled: boolean, now = performance.now()): boolean {
    return this.samples(traceId, clientSampled, now) && (!clientSampled || this.#hasRoomForClients(now));
  }
}

function rootOf(sampler: SamplerName, ratio: number): (traceId: string) => boolean {
  if (sampler.endsWith('always_on')) return () => true;
  if (sampler.endsWith('always_off')) return () => false;
  // By the trace's last digits, which W3C wants random: every daemon comes to the same decision.
  const below = ratio * 16 ** ratioDigits;
  return (traceId) => Number.parseInt(traceId.slice(-ratioDigits), 16) < below;
}

/** The first so many of each second. */
function perSecond(max: number): (now: number) => boolean {
  let second = Number.NEGATIVE_INFINITY;
  let count = 0;
  return (now) => {
    if (now - second >= 1_000) {
      second = now;
      count = 0;
    }
    count += 1;
    return count <= max;
  };
}
