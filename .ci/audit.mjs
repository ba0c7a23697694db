#!/usr/bin/env node
// Known advisories against what is installed for production make CI red. A registry that answers no audit does not:
// then nothing was checked, and that is what is said.
import { spawnSync } from 'node:child_process';

const args = ['audit', '--omit=dev', '--json'];
const { stdout, error } = spawnSync('npm', args, {
  encoding: 'utf8',
  timeout: 60_000,
  maxBuffer: 64 * 1024 * 1024,
});
const report = parsed(stdout);
const counts = report?.metadata?.vulnerabilities;
if (counts === undefined) {
  const why = report?.message ?? report?.error?.summary ?? error?.message ?? 'no report';
  console.log(`npm audit: NOT CHECKED, the registry answers no audit (${why})`);
} else if (counts.total > 0) {
  for (const { name, severity, range } of Object.values(report.vulnerabilities)) {
    console.error(`npm audit: ${severity}: ${name} ${range}`);
  }
  process.exitCode = 1;
} else {
  console.log(
    `npm audit: no known advisory against ${report.metadata.dependencies.prod} production dependencies`,
  );
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
