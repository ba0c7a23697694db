import { amountArgument, descriptionArgument } from '../arguments.ts';
import type { TillboxCommand } from '../command.ts';
import { tryOnce } from '../gateway/gateway-request.ts';
import { ask, type Choice, choose, confirm } from '../terminal/ask.ts';
import { browseOrders } from './browse-orders.ts';
import { pickOrder } from './pick-order.ts';
import { pickUser } from './pick-user.ts';
import { exitCodeOfLeaving, type RunCommand, Session } from './session.ts';

/** Amounts that are offered first. */
const firstTopup = '100.00';
const firstAmount = '10.00';

type Action =
  | 'create-account'
  | 'order'
  | 'topup'
  | 'orders'
  | 'look'
  | 'watch'
  | 'statement'
  | 'user'
  | 'leave';

/**
 * `tillbox` alone on a terminal: asks what to do, does it, shows the command that does the same, and asks again.
 * Sets the exit code: 0 when it is left, with Ctrl-D too; 130 with Ctrl-C.
 * @throws CodedError `unavailable` when there is no gateway and none was started
 */
export async function runSession(program: TillboxCommand, run: RunCommand): Promise<void> {
  try {
    const session = await Session.open(program, run);
    await findGateway(session);
    session.say(`tillbox at ${session.client.gateway.url}. Ctrl-D leaves.\n`);
    await pickUser(session);
    let last: Action | undefined;
    do {
      last = await chooseAction(session, last);
      await session.goingOn(actions[last]);
    } while (last !== 'leave');
    process.exitCode = 0;
  } catch (error) {
    process.exitCode = exitCodeOfLeaving(error);
  }
}

/** Offers to start a system where none answers; one that was named must be there. */
async function findGateway(session: Session): Promise<void> {
  const { gateway, config } = session.client;
  const outcome = await tryOnce(gateway.access, { method: 'GET', path: '/livez' });
  if (outcome.kind === 'never-sent' && config.url === undefined) {
    session.say(`No gateway answers at ${gateway.url}.`);
    const start = 'Start Postgres, gateway and services here?';
    if (await confirm(start, { ...session.asking, initial: true })) await session.perform(['up', '--detach']);
  }
  // Throws what is wrong, if it still is.
  await session.client.gateway.get('/livez');
}

async function chooseAction(session: Session, last: Action | undefined): Promise<Action> {
  const account = await session.account();
  const balance = account?.balance;
  const about =
    account === undefined ? 'no account' : account === null ? 'balance unknown' : `balance ${balance}`;
  const choices: Choice<Action>[] = [
    ...(account === undefined ? [{ name: 'Create the account', value: 'create-account' as const }] : []),
    { name: 'Order something', value: 'order' },
    { name: 'Top up', value: 'topup' },
    { name: 'List orders', value: 'orders' },
    { name: 'Look at an order', value: 'look' },
    { name: 'Watch an order', value: 'watch' },
    { name: 'Statement', value: 'statement' },
    { name: 'Another user', value: 'user' },
    { name: 'Leave', value: 'leave' },
  ];
  const natural = account === undefined ? 'create-account' : balance === '0.00' ? 'topup' : 'order';
  const initial = last === undefined || last === 'user' || last === 'create-account' ? natural : last;
  return choose(`${session.user} (${about}):`, choices, { ...session.asking, initial });
}

const actions: Record<Action, (session: Session) => Promise<unknown>> = {
  'create-account': (session) => session.perform(['create-account', session.user]),
  order: async (session) => {
    const initial = session.amount ?? firstAmount;
    session.amount = await askAmount(session, initial);
    const description = await ask(
      { ...descriptionArgument, question: 'Description (may be empty)' },
      session.asking,
    );
    const words = ['create-order', session.user, session.amount];
    // Behind `--` a description may begin with a dash.
    if (description.startsWith('-')) words.push('--wait', '--', description);
    else words.push(...(description === '' ? [] : [description]), '--wait');
    await session.perform(words);
  },
  topup: async (session) => {
    await session.perform(['topup', session.user, await askAmount(session, firstTopup)]);
  },
  orders: browseOrders,
  look: (session) => withOrder(session, (id) => ['order', id]),
  watch: (session) => withOrder(session, (id) => ['order', id, '--watch']),
  statement: (session) => session.perform(['statement', session.user]),
  user: pickUser,
  leave: async () => {},
};

async function askAmount(session: Session, initial: string): Promise<string> {
  const text = await ask(amountArgument, { ...session.asking, initial });
  return amountArgument.read(text) ?? text;
}

async function withOrder(session: Session, words: (id: string) => string[]): Promise<void> {
  const id = await pickOrder(session);
  if (id !== undefined) await session.perform(words(id));
}
