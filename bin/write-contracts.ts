/** `npm run contracts`: writes docs/asyncapi.json and docs/schemas anew from the schemas that validate. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { contractFiles } from '../src/messaging/asyncapi.ts';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
rmSync('docs/schemas', { recursive: true, force: true });
for (const [path, text] of Object.entries(contractFiles(version))) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
