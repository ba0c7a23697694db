import { readFileSync } from 'node:fs';

/** Loaded before a daemon: its clock is wrong by the milliseconds in the file TEST_CLOCK, which may change. */

const path = process.env['TEST_CLOCK'] ?? '';
const RealDate = Date;

function shiftMs(): number {
  try {
    return Number(readFileSync(path, 'utf8')) || 0;
  } catch {
    return 0;
  }
}

let shift = shiftMs();
setInterval(() => {
  shift = shiftMs();
}, 100).unref();

class ShiftedDate extends RealDate {
  constructor(...values: unknown[]) {
    if (values.length === 0) super(RealDate.now() + shift);
    else super(...(values as [number]));
  }

  static override now(): number {
    return RealDate.now() + shift;
  }
}

globalThis.Date = ShiftedDate as DateConstructor;
