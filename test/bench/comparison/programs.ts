import { graphileWorker } from './graphile-worker.ts';
import { pgBossPlain } from './pg-boss.ts';
import { pgBossTuned } from './pg-boss-tuned.ts';
import type { Program } from './program.ts';

/** The programs of the comparison, by name. */
export const programs: Readonly<Record<string, Program>> = {
  'pg-boss': pgBossPlain,
  'pg-boss-tuned': pgBossTuned,
  'graphile-worker': graphileWorker,
};
