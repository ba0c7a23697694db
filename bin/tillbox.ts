#!/usr/bin/env node
/**
 * The executable. On a Node that is too old it starts itself again with the Node 24 that comes with the
 * package; so this file, and nothing it imports before it knows, must run on old Nodes.
 */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major > 22 || (major === 22 && minor >= 12)) {
  const { runProgram } = await import('../src/cli/program.ts');
  await runProgram(process.argv.slice(2));
} else {
  const { runWithBundledNode } = await import('../src/cli/bundled-node.ts');
  runWithBundledNode(import.meta.url);
}
