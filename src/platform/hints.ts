/**
 * What a loop is told of its next work besides that there is some, so that with little to do it need not read
 * first what was written a moment ago. Only ever a hint: the loop believes its table, and with much to do, or
 * when it is at work already, forgets what it was told.
 */
export class Hints<Item> {
  readonly #itemsMax: number;
  #items: Item[] = [];
  #open = true;

  /** @param itemsMax with more to do than this it is no time for hints */
  constructor(itemsMax: number) {
    this.#itemsMax = itemsMax;
  }

  add(items: readonly Item[]): void {
    if (!this.#open) return;
    if (this.#items.length + items.length > this.#itemsMax) this.close();
    else this.#items.push(...items);
  }

  /** Takes what was told since `open`, and listens to nothing more. */
  close(): Item[] {
    this.#open = false;
    return this.#items.splice(0);
  }

  open(): void {
    this.#open = true;
  }
}
