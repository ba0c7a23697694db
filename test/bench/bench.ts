import { BenchServer } from './bench-server.ts';
import { Figures } from './figures.ts';
import { type BenchOptions, readOptions, UsageError, usage } from './options.ts';
import { isUsageKnown } from './process-usage.ts';
import { describeMachine, formatMarkdown, formatReport, type Report } from './report.ts';
import { runParts } from './run-parts.ts';

/** `npm run bench`: measures, prints, and ends with 0, with 1 when something was lost or doubled, or with 2. */

const command = `npm run bench${process.argv.length > 2 ? ' -- ' : ''}${process.argv.slice(2).join(' ')}`;

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') {
    console.log(usage);
    return 0;
  }
  const report = await measure(options);
  const { output } = options;
  if (output === 'json') console.log(JSON.stringify(report, null, 2));
  else console.log(output === 'markdown' ? formatMarkdown(report) : formatReport(report));
  if (output === 'markdown') for (const failure of report.failures) console.error(failure);
  return report.ok ? 0 : 1;
}

async function measure(options: BenchOptions): Promise<Report> {
  const since = performance.now();
  const figures = new Figures();
  const notes = new Set<string>();
  const failures: string[] = [];
  if (!isUsageKnown) notes.add('CPU time and memory of processes are read on Linux only.');
  const server = await BenchServer.start();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void server.stop().finally(() => process.exit(130)));
  }
  try {
    const tell = (text: string) =>
      console.error(`${Math.round((performance.now() - since) / 1_000)} s  ${text}`);
    await runParts(server, options, {
      figures,
      tell,
      note: (text) => notes.add(text),
      fail: (text) => failures.push(text),
    });
    const machine = describeMachine(await server.version());
    const seconds = (performance.now() - since) / 1_000;
    const ok = failures.length === 0;
    return { ok, machine, command, seconds, rows: figures.rows(), notes: [...notes], failures };
  } finally {
    await server.stop();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n\n${usage}`);
  process.exitCode = 2;
}
