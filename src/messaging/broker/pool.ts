import type { PgBoss } from 'pg-boss';
import type { Connections } from '../../platform/database.ts';

/** The connections of an instance of pg-boss now, without the one that listens; none while it is not started. */
export function poolOf(boss: PgBoss): Connections {
  const counts = boss.getDb().poolCounts?.();
  if (counts == null) return { used: 0, idle: 0, wanted: 0 };
  const { total, idle, waiting } = counts;
  return { used: total - idle, idle, wanted: waiting };
}
