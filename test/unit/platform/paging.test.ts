import { expect } from 'chai';
import fc from 'fast-check';
import { cursorSchema, cutPage, keyInCursor, limitSchema } from '../../../src/platform/paging.ts';

describe('paging', () => {
  it('shows every row of a list once and in order, whatever the size of a page', () => {
    fc.assert(
      fc.property(fc.nat({ max: 60 }), fc.integer({ min: 1, max: 20 }), (length, limit) => {
        const list = Array.from({ length }, (_, index) => index);
        const seen: number[] = [];
        let cursor: string | null = null;
        let pages = 0;
        do {
          const after: number = cursor === null ? -1 : Number(keyInCursor(cursor));
          const page = cutPage(list.slice(after + 1, after + 2 + limit), limit, String);
          expect(page.rows.length).to.be.at.most(limit);
          seen.push(...page.rows);
          cursor = page.nextCursor;
          pages += 1;
        } while (cursor !== null);
        expect(seen).to.deep.equal(list);
        expect(pages).to.equal(Math.max(1, Math.ceil(length / limit)));
      }),
    );
  });

  it('gives out cursors that its own schema accepts, and reads their key back', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uuid(), fc.bigInt({ min: 1n, max: 2n ** 63n }).map(String)), (key) => {
        const { nextCursor } = cutPage([key, 'next'], 1, (row) => row);
        expect(nextCursor).to.match(new RegExp(cursorSchema.pattern));
        expect(keyInCursor(nextCursor ?? undefined)).to.equal(key);
      }),
    );
  });

  it('has no key without a cursor', () => {
    expect(keyInCursor(undefined)).to.equal(undefined);
  });

  it('allows from 1 to 500 rows', () => {
    const limit = new RegExp(limitSchema.pattern);
    for (const text of ['1', '9', '10', '99', '100', '499', '500']) expect(text).to.match(limit);
    for (const text of ['', '0', '01', '501', '1000', '-1', '1.0', '1e2', ' 1', '1\n', 'x']) {
      expect(text).not.to.match(limit);
    }
  });
});
