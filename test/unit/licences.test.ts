import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { licencesPage, licencesPath, productionDependencies } from '../support/licences.ts';

/** What asks for nothing but its own text. */
const permissive = [
  'MIT',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  '0BSD',
  'BlueOak-1.0.0',
  '(MIT OR CC0-1.0)',
];

describe('the licences of dependencies', () => {
  it('are listed as the lockfile has them (npm run licences)', () => {
    expect(readFileSync(licencesPath, 'utf8')).to.equal(licencesPage());
  });

  it('are all permissive', () => {
    expect(productionDependencies().filter(({ licence }) => !permissive.includes(licence))).to.deep.equal([]);
  });
});
