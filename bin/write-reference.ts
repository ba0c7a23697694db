/** `npm run reference`: writes docs/reference.md anew from the definitions of the commands. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createProgram } from '../src/cli/program.ts';
import { referenceText } from '../src/cli/reference.ts';

mkdirSync('docs', { recursive: true });
writeFileSync('docs/reference.md', await referenceText(createProgram()));
