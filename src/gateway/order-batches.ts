import { CodedError } from '../platform/errors.ts';
import { GroupCommit } from '../platform/group-commit.ts';
import {
  type BatchedAnswer,
  type BatchedRequest,
  batchMediaType,
  batchSizeMax,
  decodeAnswers,
  encodeRequests,
} from '../platform/http-batch.ts';
import type { Spans } from '../platform/telemetry/spans.ts';
import type { Answer } from './instance.ts';
import { tracedBatch } from './traced-batch.ts';
import type { Upstreams } from './upstreams.ts';

/** One is with the service's database while the next is on its way. */
const batchesInFlightMax = 2;
/** What the services take in a second or two; beyond it, waiting only makes the next wait. */
const gatheringMax = 4_000;
/** After it, more than enough of the time an answer may take is left for the service. */
const gatheringMsMax = 1_500;

interface Gathered extends BatchedRequest {
  since: number;
}

/**
 * Gathers orders while earlier ones are on their way, and sends them to an instance as one request: for a
 * single one, gateway and service would spend most of their time on HTTP. Idle, an order goes at once and alone.
 */
export class OrderBatches {
  readonly #upstreams: Upstreams;
  /** Apart, because a batch that got no answer can be sent again only if every order of it can. */
  readonly #repeatable: GroupCommit<Gathered, BatchedAnswer | CodedError>;
  readonly #unrepeatable: GroupCommit<Gathered, BatchedAnswer | CodedError>;

  /** @param spans records each batch; without it none is */
  constructor(upstreams: Upstreams, spans?: Spans) {
    this.#upstreams = upstreams;
    const gather = (repeatable: boolean) =>
      new GroupCommit({
        write: (orders: Gathered[]) => {
          const send = () => this.#send(orders, repeatable);
          return spans === undefined ? send() : tracedBatch(spans, orders, send);
        },
        batchSizeMax,
        writesInFlightMax: batchesInFlightMax * upstreams.size,
        waitingMax: gatheringMax,
        waitingMsMax: gatheringMsMax,
      });
    this.#repeatable = gather(true);
    this.#unrepeatable = gather(false);
  }

  /**
   * Resolves with what the service answers to this order, whatever becomes of those sent with it.
   * Throws as `Upstreams.request` does.
   */
  async submit(request: BatchedRequest): Promise<BatchedAnswer> {
    const group = 'idempotency-key' in request.headers ? this.#repeatable : this.#unrepeatable;
    const answer = await group.submit({ ...request, since: performance.now() });
    if (answer instanceof CodedError) throw answer;
    return answer;
  }

  async #send(orders: Gathered[], repeatable: boolean): Promise<(BatchedAnswer | CodedError)[]> {
    const { result: answers, doubtful } = await this.#upstreams.deliver(
      {
        method: 'POST',
        path: '/orders/batch',
        headers: { 'content-type': batchMediaType },
        body: encodeRequests(orders),
        repeatable,
        since: orders[0]?.since ?? performance.now(),
        extraMs: 0,
      },
      (answer) => readAnswers(answer, orders.length),
    );
    // An instance that refused one did not do it; the one that gave no answer may still.
    return doubtful
      ? answers.map((answer) => (answer.status < 500 ? answer : this.#upstreams.outcomeUnknown()))
      : answers;
  }
}

/** What is no batch of answers is no answer. */
async function readAnswers({ body }: Answer, count: number): Promise<BatchedAnswer[]> {
  return decodeAnswers(Buffer.from(await body.arrayBuffer()), count);
}
