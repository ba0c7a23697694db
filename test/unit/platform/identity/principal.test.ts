import { expect } from 'chai';
import {
  anyone,
  mayActFor,
  principalHeader,
  principalIn,
} from '../../../../src/platform/identity/principal.ts';

describe('a principal', () => {
  it('acts for itself as a user, for everybody as an operator or where nobody is asked', () => {
    const alice = { subject: 'alice', scope: 'user' } as const;
    expect([mayActFor(alice, 'alice'), mayActFor(alice, 'bob'), mayActFor(alice, 'Alice')]).to.deep.equal([
      true,
      false,
      false,
    ]);
    expect(mayActFor({ subject: 'ops', scope: 'operator' }, 'bob')).to.equal(true);
    expect(mayActFor(anyone, 'bob')).to.equal(true);
  });

  it('is the same behind the gateway, an operator without the name', () => {
    const alice = { subject: 'a.z_0@x:y-', scope: 'user' } as const;
    expect(principalIn(principalHeader(alice))).to.deep.equal(alice);
    expect(principalIn(principalHeader({ subject: 'Ö', scope: 'operator' }))?.scope).to.equal('operator');
    expect(principalIn(principalHeader(anyone))).to.equal(anyone);
  });

  it('is nobody where no gateway wrote it', () => {
    for (const header of [
      '',
      'user',
      'user ',
      'user al ice',
      'Operator',
      'anyone',
      ['operator', 'user alice'],
    ]) {
      expect(principalIn(header), String(header)).to.equal(undefined);
    }
  });
});
