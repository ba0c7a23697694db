import { expect } from 'chai';
import { PreparedClient } from '../../../src/platform/prepared-client.ts';
import { useDatabases } from '../../support/databases.ts';

describe('platform: prepared client', () => {
  const databases = useDatabases();
  let client: PreparedClient;

  beforeEach(async () => {
    client = new PreparedClient({ connectionString: databases.adminUrls.orders });
    await client.connect();
  });
  afterEach(() => client.end());

  async function prepared(): Promise<string[]> {
    const { rows } = await client.query('select statement from pg_prepared_statements order by name');
    return rows.map((row: { statement: string }) => row.statement);
  }

  it('prepares what comes with values, once, and nothing else', async () => {
    for (const value of [1, 2, 3]) {
      const { rows } = await client.query('select $1::int + 1 as next', [value]);
      expect(rows).to.deep.equal([{ next: value + 1 }]);
    }
    await client.query('select 2', []);
    await client.query('select 3');
    await client.query({ text: 'select 4', values: [] });
    expect(await prepared()).to.deep.equal(['select $1::int + 1 as next', 'select 2']);
  });

  it('stops preparing when there is no end of new texts, and still answers', async () => {
    for (let text = 0; text < 60; text += 1) {
      const { rows } = await client.query(`select $1::int + ${text} as sum`, [1]);
      expect(rows).to.deep.equal([{ sum: text + 1 }]);
    }
    expect(await prepared()).to.have.length(50);
  });

  it('answers errors as any client does, and goes on', async () => {
    const failed = await client.query('select 1 / $1::int', [0]).catch((error: Error) => error);
    expect(failed).to.have.property('code', '22012'); // division_by_zero
    expect((await client.query('select 1 / $1::int as one', [1])).rows).to.deep.equal([{ one: 1 }]);
  });
});
