import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { chooseAccount, runAs } from './account.ts';
import { findBinaries } from './binaries.ts';
import { administratorUrl } from './data.ts';
import { findPlace, passwordOf } from './place.ts';
import { runningPostmaster } from './postmaster.ts';

/** How it stands with the embedded server of a folder, which is neither started nor changed by the look. */
export interface EmbeddedInspection {
  /** Its programs: their version, or why they cannot be run here. */
  binaries: { version: string } | { problem: string };
  /** Where the data really lie; undefined when there are none yet. */
  dataFolder: string | undefined;
  /** Administrator URL when the server runs. */
  url: string | undefined;
  /** Why a server with data cannot be opened. */
  problem: string | undefined;
}

const versionLimitMs = 10_000;

/** Looks at the embedded server in `folder` (TILLBOX_HOME/postgres). Never rejects. */
export async function inspectEmbeddedPostgres(folder: string): Promise<EmbeddedInspection> {
  const found: EmbeddedInspection = {
    binaries: await inspectBinaries(),
    dataFolder: undefined,
    url: undefined,
    problem: undefined,
  };
  try {
    const place = await findPlace(folder);
    const data = place && join(place.folder, 'data');
    if (place === undefined || data === undefined || !(await stat(data).catch(() => undefined))) return found;
    found.dataFolder = data;
    const password = await passwordOf(place);
    const postmaster = runningPostmaster(place);
    if (postmaster !== undefined) found.url = administratorUrl(postmaster.port, password, 'tillbox');
  } catch (error) {
    found.problem = (error as Error).message;
  }
  return found;
}

async function inspectBinaries(): Promise<EmbeddedInspection['binaries']> {
  try {
    const account = await chooseAccount();
    const { pgCtl } = await findBinaries(account);
    const { output } = await runAs(account, pgCtl, ['--version'], { limitMs: versionLimitMs });
    return { version: /\d+(\.\d+)*/.exec(output)?.[0] ?? output };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}
