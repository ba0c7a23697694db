import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseUrls } from './migrate.ts';

/** What runs where, as `up` leaves it for the other commands. Holds administrator URLs: mode 0600. */
export interface Runtime {
  pid: number;
  /** `certificate`: the file with the one it shows, when it does TLS itself. */
  gateway: { url: string; pid: number; certificate?: string };
  orders: { url: string; pid: number }[];
  payments: { url: string; pid: number }[];
  databases: DatabaseUrls;
  embedded: boolean;
  ephemeral: boolean;
  /** Where the embedded data lie. */
  dataFolder: string | null;
}

const pathIn = (home: string) => join(home, 'runtime.json');

/** The runtime file of a home; undefined when there is none, or it is no runtime file. */
export function readRuntime(home: string): Runtime | undefined {
  try {
    const value = JSON.parse(readFileSync(pathIn(home), 'utf8'));
    return typeof value?.pid === 'number' && typeof value?.gateway?.url === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Writes it whole: a reader sees the old one or the new one. */
export function writeRuntime(home: string, runtime: Runtime): void {
  const temporary = `${pathIn(home)}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(runtime, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, pathIn(home));
}

export function removeRuntime(home: string): void {
  // A home that is no folder holds none.
  if (existsSync(pathIn(home))) rmSync(pathIn(home), { force: true });
}
