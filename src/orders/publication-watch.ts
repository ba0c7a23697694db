import type { Database } from '../platform/database.ts';
import type { Logger } from '../platform/logging.ts';
import { OrderWatch } from './order-watch.ts';
import { findPublished } from './publication-store.ts';

/** How soon a publication is noticed: it is for people who look on. */
const pollMs = 50;
/** Lets requests wait for the publication (step 2) of orders. */
export class PublicationWatch extends OrderWatch<Date> {
  constructor({ database, log }: { database: Database; log: Logger }) {
    super({ name: 'publication-watch', find: (ids) => findPublished(database, ids), pollMs, log });
  }
}
