import { userArgument } from '../arguments.ts';
import { readRecent } from '../recent.ts';
import { ask, type Choice, confirm, search } from '../terminal/ask.ts';
import type { Session } from './session.ts';

/** Who is offered where nobody was seen yet. */
const firstUser = 'alice';

/** Lets a person say whom it is about: somebody this machine has seen, or anybody; and creates their account. */
export async function pickUser(session: Session): Promise<void> {
  const { users } = readRecent(session.client.config.home);
  session.user =
    users.length === 0
      ? await ask(userArgument, { ...session.asking, initial: firstUser })
      : await search('User (type to search, or a new one):', (typed) => find(users, typed), session.asking);
  if ((await session.account()) !== undefined) return;
  const create = `User ${session.user} has no account. Create it?`;
  if (await confirm(create, { ...session.asking, initial: true })) {
    await session.perform(['create-account', session.user]);
  }
}

/** The users whose id has this in it, and the one that was typed, if it can be one. */
function find(users: readonly string[], typed: string): Choice<string>[] {
  const found = users
    .filter((user) => user.toLowerCase().includes(typed.toLowerCase()))
    .map((user) => ({ name: user, value: user }));
  if (users.includes(typed) || userArgument.read(typed) === undefined) return found;
  return [...found, { name: typed, value: typed, description: 'not seen on this machine yet' }];
}
