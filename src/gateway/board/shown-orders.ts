/** Rows of orders on the board. */
export const shownMax = 8;
/** A row stays so long, so that its order can be followed; at thousands a second the rows are a sample. */
const shownMsMin = 5_000;
/** New rows at a time, so that the others can still be read. */
const replacedMax = 3;

/** An order on the board, and since when (monotonic milliseconds). */
export interface Shown {
  id: string;
  since: number;
}

/**
 * Which orders the board shows next, newest first. Newer ones take the place of those that were there longest. Pure.
 * @param known ids of the orders that could be shown, newest first; ids rise with time
 */
export function chooseShown(shown: readonly Shown[], known: readonly string[], now: number): Shown[] {
  const there = new Set(shown.map(({ id }) => id));
  const newest = shown[0]?.id ?? '';
  const others = known.filter((id) => !there.has(id));
  const room = others.slice(0, shownMax - shown.length);
  const newer = others.filter((id) => id > newest && !room.includes(id));
  const due = shown
    .filter(({ since }) => now - since >= shownMsMin)
    .sort((a, b) => a.since - b.since || order(b, a));
  const leaving = new Set(due.slice(0, Math.min(newer.length, replacedMax)));
  const coming = [...room, ...newer.slice(0, leaving.size)].map((id) => ({ id, since: now }));
  return [...shown.filter((one) => !leaving.has(one)), ...coming].sort(order);
}

/** Newest first. */
function order(one: Shown, other: Shown): number {
  return one.id < other.id ? 1 : -1;
}
