import { readdirSync, readFileSync } from 'node:fs';

/** Every process that a process has started, and those have, by /proc: on Linux; elsewhere none is found. */
export function descendantsOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of names()) {
    const [, parent] = /^\d+ \(.*\) \S (\d+) /s.exec(read(`/proc/${name}/stat`)) ?? [];
    if (parent === undefined) continue;
    children.set(Number(parent), [...(children.get(Number(parent)) ?? []), Number(name)]);
  }
  const found: number[] = [];
  for (const waiting = [pid]; waiting.length > 0; ) {
    const own = children.get(waiting.shift() as number) ?? [];
    found.push(...own);
    waiting.push(...own);
  }
  return found;
}

/** Those of these processes that still run. */
export function alive(pids: readonly number[]): number[] {
  return pids.filter((pid) => {
    const state = /^\d+ \(.*\) (\S) /s.exec(read(`/proc/${pid}/stat`))?.[1];
    return state !== undefined && state !== 'Z';
  });
}

function names(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
