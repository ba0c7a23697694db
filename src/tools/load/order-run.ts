import type { Target } from './connection.ts';
import { Latencies } from './latencies.ts';
import { type PlannedOrder, postText } from './order-plan.ts';
import { type Pace, plannedMs, plannedOrders } from './pace.ts';
import { type Job, type JobEnd, type JobSource, Sender } from './sender.ts';
import { Timeline } from './timeline.ts';

/** A gateway that has answered nothing for so long is away: the run ends. */
const awayMsMax = 30_000;
/** An order is tried again for so long: a gateway and its services are started again in a few seconds. */
const giveUpMs = 15_000;
/** After Ctrl-C the answers under way are waited for as long. */
const hurriedMs = 2_000;
/** Accepted orders remembered, so that their settlement can be looked at: the newest. */
const rememberedMax = 500;
/** Of these the last ones, whose settlement ends the run where nothing else can be asked. */
const newestMax = 10;
const watchIntervalMs = 100;
const tickMsMax = 1_000;

/** An order on its way to being accepted. */
interface OrderJob extends Job {
  payable: boolean;
}

/**
 * The load itself: sends planned orders at a pace and counts what comes of them. Each has an idempotency key
 * of its own and the same one at every try.
 */
export class OrderRun implements JobSource<OrderJob> {
  readonly accepts = new Latencies();
  readonly timeline = new Timeline();
  /** Orders given up, by the last answer or the reason why there was none. */
  readonly errorsBy = new Map<string, number>();
  sent = 0;
  accepted = 0;
  errors = 0;
  /** Tries beyond the first of each order. */
  retries = 0;
  /** Orders given up that may be there all the same. */
  uncertain = 0;
  /** The last accepted orders, in any order. */
  readonly newest: string[] = [];
  /** Set when the run ended early because nothing answered any more. */
  gatewayAway = false;
  startedAt = 0;
  /** When the last order ended. */
  endedAt = 0;
  readonly #sender: Sender<OrderJob>;
  readonly #target: Target;
  readonly #runId: string;
  readonly #pace: Pace;
  readonly #ordersMax: number;
  readonly #nextOrder: () => PlannedOrder;
  #remembered: string[] = [];
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: {
    target: Target;
    runId: string;
    clients: number;
    pace: Pace;
    nextOrder: () => PlannedOrder;
  }) {
    const { target, clients } = options;
    this.#target = target;
    this.#runId = options.runId;
    this.#pace = options.pace;
    this.#ordersMax = plannedOrders(options.pace) ?? Number.POSITIVE_INFINITY;
    this.#nextOrder = options.nextOrder;
    this.#sender = new Sender({ target, clients, giveUpMs }, this);
  }

  /** How many orders there are to be; undefined when only time decides. */
  get planned(): number | undefined {
    return plannedOrders(this.#pace);
  }

  /** What was answered at every try, or why nothing was. */
  get answers(): ReadonlyMap<string, number> {
    return this.#sender.answers;
  }

  /** Orders that were due and never left, because no client was free in time. */
  get unsent(): number {
    return this.#pace.ratePerSecond === undefined
      ? 0
      : this.#dueBy(this.endedAt || performance.now()) - this.sent;
  }

  /** The newest accepted orders since the last call. */
  takeRemembered(): string[] {
    const taken = this.#remembered;
    this.#remembered = [];
    return taken;
  }

  /** Sends all orders and waits for what becomes of them; a signal that aborts ends it early. */
  async run(signal: AbortSignal): Promise<void> {
    this.startedAt = performance.now();
    this.#sender.lastAnswerAt = this.startedAt;
    const stop = () => this.#stop(true);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const { durationMs } = this.#pace;
    const end = durationMs === undefined ? undefined : setTimeout(() => this.#stop(false), durationMs);
    const watch = setInterval(() => this.#giveUpWhenAway(), watchIntervalMs);
    try {
      this.#tick();
      await this.#over();
      this.endedAt = performance.now();
    } finally {
      clearTimeout(end);
      clearInterval(watch);
      clearTimeout(this.#timer);
      signal.removeEventListener('abort', stop);
      this.#sender.close();
    }
  }

  next(now: number): OrderJob | undefined {
    if (this.#stopped || this.sent >= this.#ordersMax) return undefined;
    const dueMs = plannedMs(this.#pace, this.sent);
    const plannedAt = dueMs === undefined ? undefined : this.startedAt + dueMs;
    if (plannedAt !== undefined && plannedAt > now) return undefined;
    const { userId, amount, payable } = this.#nextOrder();
    this.sent += 1;
    const body = `{"user_id":"${userId}","amount":"${amount}","description":"load"}`;
    const text = postText(this.#target, '/orders', body, `${this.#runId}-${this.sent}`);
    return { text, plannedAt, sentAt: now, tries: 0, uncertain: false, payable };
  }

  ended(job: OrderJob, { response, ok, answer, at }: JobEnd): void {
    const seconds = (at - this.startedAt) / 1_000;
    this.retries += job.tries - 1;
    if (ok && response !== undefined) {
      this.accepted += 1;
      const ms = at - (job.plannedAt ?? job.sentAt);
      this.accepts.record(ms);
      this.timeline.record(seconds, ms);
      this.#remember(response.body);
    } else {
      this.errors += 1;
      if (job.uncertain) this.uncertain += 1;
      this.errorsBy.set(answer, (this.errorsBy.get(answer) ?? 0) + 1);
      this.timeline.recordError(seconds);
    }
  }

  /** In an open loop, wakes the sender whenever an order is due. */
  #tick(): void {
    this.#sender.wake();
    const dueMs = plannedMs(this.#pace, this.sent);
    if (dueMs === undefined || this.#stopped || this.sent >= this.#ordersMax) return;
    const waitMs = this.startedAt + dueMs - performance.now();
    this.#timer = setTimeout(() => this.#tick(), Math.min(tickMsMax, Math.max(1, Math.floor(waitMs))));
  }

  async #over(): Promise<void> {
    while (!this.#stopped && this.sent < this.#ordersMax) {
      await new Promise((resolve) => setTimeout(resolve, watchIntervalMs / 5));
    }
    await this.#sender.quiet();
  }

  #stop(hurry: boolean): void {
    this.#stopped = true;
    if (!hurry) return;
    this.#sender.giveUp();
    setTimeout(() => this.#sender.close(), hurriedMs).unref();
  }

  #giveUpWhenAway(): void {
    if (this.#sender.underWay === 0) this.#sender.lastAnswerAt = performance.now();
    if (performance.now() - this.#sender.lastAnswerAt < awayMsMax) return;
    this.gatewayAway = true;
    this.#stop(true);
  }

  #dueBy(now: number): number {
    const { ratePerSecond = 0, durationMs = Number.POSITIVE_INFINITY } = this.#pace;
    const ms = Math.min(now - this.startedAt, durationMs);
    return Math.max(this.sent, Math.min(this.#ordersMax, Math.floor((ms / 1_000) * ratePerSecond)));
  }

  #remember(body: Buffer): void {
    // The id comes first in an order; one that does not is only not looked at.
    if (body.length < 44) return;
    const id = body.toString('latin1', 7, 43);
    if (this.#remembered.length < rememberedMax) this.#remembered.push(id);
    else this.#remembered[this.accepted % rememberedMax] = id;
    this.newest[this.accepted % newestMax] = id;
  }
}
