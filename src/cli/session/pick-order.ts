import type { OrderView } from '../../orders/order.ts';
import { orderIdArgument } from '../arguments.ts';
import { readOrders } from '../orders.ts';
import { type Choice, search } from '../terminal/ask.ts';
import { visible } from '../terminal/terminal-text.ts';
import { padText, shortenText, textWidth } from '../terminal/text-width.ts';
import { formatShortTime } from '../terminal/times.ts';
import type { Session } from './session.ts';

/** Orders one can search in: the newest. */
const offeredMax = 500;
/** Columns the cursor and a margin take beside a choice. */
const marginColumns = 4;

/** Lets a person choose one of the user's orders; undefined when there is none to choose. */
export async function pickOrder(
  session: Session,
  orders: readonly OrderView[] | undefined = undefined,
): Promise<string | undefined> {
  const { client, user } = session;
  const offered = orders ?? (await readOrders(client, { userId: user, limit: offeredMax })).rows;
  if (offered.length === 0) {
    session.say(`User ${user} has no orders yet.\n`);
    return undefined;
  }
  const width = (client.terminal.columns ?? 80) - marginColumns;
  const choices = choicesOf(offered, width);
  return search('Order (type to search):', (typed) => find(choices, typed), session.asking);
}

type OrderChoice = Choice<string> & { searched: string };

function choicesOf(orders: readonly OrderView[], width: number): OrderChoice[] {
  const amountWidth = Math.max(...orders.map(({ amount }) => textWidth(amount)));
  const now = new Date();
  return orders.map(({ id, amount, status, reason, description, created_at }) => {
    const time = padText(formatShortTime(created_at, now), 10);
    const line = `${padText(visible(amount), amountWidth, 'right')}  ${padText(visible(status), 8)}  ${time}  ${visible(description)}`;
    return {
      name: shortenText(line.trimEnd(), width),
      value: id,
      short: visible(id),
      description: visible(id),
      searched: [id, amount, status, reason ?? '', description].join(' ').toLowerCase(),
    };
  });
}

/** Those that have every typed word in them; an id that was typed whole is one too. */
function find(choices: readonly OrderChoice[], typed: string): Choice<string>[] {
  const words = typed.toLowerCase().split(/\s+/);
  const found = choices.filter(({ searched }) => words.every((word) => searched.includes(word)));
  const id = orderIdArgument.read(typed);
  return found.length === 0 && id !== undefined ? [{ name: id, value: id }] : found;
}
