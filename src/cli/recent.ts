import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isUserId, isUuid } from '../platform/field-schemas.ts';
import { makeFolder } from '../platform/folders.ts';

/** Users and orders that commands had to do with on this machine, newest first: what one may mean again. */
export interface Recent {
  users: string[];
  /** Ids in lower case. */
  orders: string[];
}

/** Of each, so many are kept: enough to find something again, read in no time. */
const rememberedMax = 200;
/** A file larger than this is none of ours: twice what 200 of the longest of each take. */
const fileBytesMax = 64 * 1024;

const pathIn = (home: string) => join(home, 'recent.json');

/** What a home remembers. A file that is missing, broken or not ours is an empty memory; never throws. */
export function readRecent(home: string): Recent {
  try {
    if (statSync(pathIn(home)).size > fileBytesMax) return { users: [], orders: [] };
    const { users, orders } = JSON.parse(readFileSync(pathIn(home), 'utf8'));
    return { users: onlyValid(users, isUserId), orders: onlyValid(orders, isUuid) };
  } catch {
    return { users: [], orders: [] };
  }
}

/**
 * Remembers users and orders, the first of each as the newest. It is a convenience, so a home that cannot be
 * written is no error; of two commands at the same moment one may be forgotten. Never throws.
 */
export function remember(home: string, touched: Partial<Recent>): void {
  const known = readRecent(home);
  const recent: Recent = {
    users: newestFirst(touched.users, known.users),
    orders: newestFirst(touched.orders, known.orders),
  };
  if (JSON.stringify(recent) === JSON.stringify(known)) return;
  const partial = `${pathIn(home)}.${process.pid}`;
  try {
    makeFolder(home);
    writeFileSync(partial, `${JSON.stringify(recent)}\n`, { mode: 0o600 });
    renameSync(partial, pathIn(home));
  } catch {
    removeIfPossible(partial);
  }
}

/** Forgets everything, as when the databases are wiped. Never throws. */
export function forgetRecent(home: string): void {
  removeIfPossible(pathIn(home));
}

function removeIfPossible(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // It offers what is gone, and no more.
  }
}

function newestFirst(touched: readonly string[] = [], known: readonly string[]): string[] {
  return [...new Set([...touched, ...known])].slice(0, rememberedMax);
}

function onlyValid(values: unknown, isValid: (text: string) => boolean): string[] {
  if (!Array.isArray(values)) return [];
  return values.filter((value) => typeof value === 'string' && isValid(value)).slice(0, rememberedMax);
}
