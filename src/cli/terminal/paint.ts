/** Colours by meaning. Each returns the text, painted or as it is. */
export interface Paint {
  good(text: string): string;
  bad(text: string): string;
  open(text: string): string;
  heading(text: string): string;
  faint(text: string): string;
}

const same = (text: string) => text;

/** No colour. */
export const plainPaint: Paint = { good: same, bad: same, open: same, heading: same, faint: same };

/** The sixteen colours every terminal has. Whether colour is wanted is for the caller to know. */
export async function colouredPaint(): Promise<Paint> {
  const { Chalk } = await import('chalk');
  // The level is given, as chalk itself looks at FORCE_COLOR and not at NO_COLOR.
  const chalk = new Chalk({ level: 1 });
  return {
    good: (text) => chalk.green(text),
    bad: (text) => chalk.red(text),
    open: (text) => chalk.yellow(text),
    heading: (text) => chalk.bold(text),
    faint: (text) => chalk.dim(text),
  };
}

/** The colour of an order's status. */
export function paintStatus(paint: Paint, status: string, text = status): string {
  if (status === 'FINISHED') return paint.good(text);
  return status === 'CANCELED' ? paint.bad(text) : paint.open(text);
}
