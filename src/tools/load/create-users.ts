import { CodedError } from '../../platform/errors.ts';
import { formatAmount, amountMax as topupMax } from '../../platform/money.ts';
import type { Target } from './connection.ts';
import { type OrderMix, postText, usersOf } from './order-plan.ts';
import { type Reply, Requests } from './requests.ts';

const clients = 32;
/** A gateway that is not there is not waited for; one that is started again is. */
const firstGiveUpMs = 3_000;
const giveUpMs = 15_000;
/** A user gets money in up to so many top-ups of the largest amount. */
const topupsMax = 50;

/**
 * Creates the accounts of a run and funds those that are to have money, so that they could pay all its orders.
 * Every write has a key of its own and is repeated until its outcome is known.
 * @param options.orders how many orders there will be at most
 * @throws CodedError `unavailable` when there is no gateway, or it stays away
 */
export async function createUsers(
  target: Target,
  mix: OrderMix,
  options: { orders: number; onProgress(done: number, all: number): void; signal: AbortSignal },
): Promise<void> {
  const { rich, poor } = usersOf(mix);
  const all = [...rich, ...poor];
  await createFirst(target, all[0] as string);
  const requests = new Requests({ target, clients, giveUpMs });
  const stop = () => requests.close();
  options.signal.addEventListener('abort', stop, { once: true });
  let done = 1;
  const progress = () => {
    done += 1;
    options.onProgress(done, all.length + rich.length);
  };
  const topups = topupsFor(mix, options.orders);
  try {
    await Promise.all(
      all.slice(1).map(async (user) => {
        if (options.signal.aborted) return;
        judge(await requests.send(accountText(target, user)), user);
        progress();
      }),
    );
    await Promise.all(
      rich.map(async (user) => {
        for (let index = 0; index < topups.length && !options.signal.aborted; index += 1) {
          const body = `{"amount":"${topups[index]}"}`;
          const text = postText(target, `/accounts/${user}/topups`, body, `${user}-topup-${index}`);
          judge(await requests.send(text), user);
        }
        progress();
      }),
    );
  } catch (error) {
    if (!options.signal.aborted) throw error;
  } finally {
    options.signal.removeEventListener('abort', stop);
    requests.close();
  }
}

/** The first account says soon and in words when there is no gateway. */
async function createFirst(target: Target, user: string): Promise<void> {
  const requests = new Requests({ target, clients: 1, giveUpMs: firstGiveUpMs });
  const reply = await requests.send(accountText(target, user));
  requests.close();
  if (reply.response === undefined) {
    const detail = `No gateway answers at ${target.authority} (${reply.answer}). Start the system with tillbox up, or say where it is with TILLBOX_URL.`;
    throw new CodedError('unavailable', detail);
  }
  judge(reply, user);
}

function accountText(target: Target, user: string): string {
  return postText(target, '/accounts', `{"user_id":"${user}"}`, `${user}-account`);
}

/** The top-ups, as decimals, that pay all orders of a run from one account. */
function topupsFor({ amountMax }: OrderMix, orders: number): string[] {
  const needed = BigInt(Math.ceil(orders)) * amountMax;
  const count = Math.min(topupsMax, Math.max(1, Math.ceil(Number(needed) / Number(topupMax))));
  return new Array(count).fill(formatAmount(topupMax));
}

function judge({ response, answer }: Reply, user: string): void {
  if (response?.status === 201) return;
  const detail =
    response !== undefined && !response.body.includes('"code"')
      ? `The server at TILLBOX_URL answered ${answer}, and not as tillbox does. Check TILLBOX_URL, or start the system with tillbox up.`
      : `The account of ${user} could not be created and funded: the gateway answered ${answer}. Look at tillbox status.`;
  const isRefused = response?.status === 401 || response?.status === 403;
  throw new CodedError(isRefused ? 'unauthorized' : 'unavailable', detail);
}
