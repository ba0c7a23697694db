import { randomUUID } from 'node:crypto';
import { CodedError } from '../../platform/errors.ts';
import { idempotencyKeyArgument, readArgument } from '../arguments.ts';
import type { Client } from './client.ts';
import { PendingWrites } from './pending-writes.ts';

/** A write as a command asks for it. */
export interface Write {
  path: string;
  body: object;
  /** The user's; without one a fresh one is made. */
  idempotencyKey: string | undefined;
  /** What a repetition does not create a second time: `order`. */
  noun: string;
}

/**
 * Sends a write under a key that is written down before, so that whatever happens it can be repeated and is
 * done once. An interruption and an unknown outcome tell the user the key.
 */
export async function writeOnce<Document>(client: Client, write: Write): Promise<Document> {
  const { gateway, terminal } = client;
  const given = write.idempotencyKey;
  const key = given === undefined ? randomUUID() : readArgument(idempotencyKeyArgument, given);
  const pending = new PendingWrites(client.config.home);
  if (given === undefined) await mentionEarlier(client, pending, write);
  const wasPending = await pending.has(key);
  const { path, body } = write;
  const started_at = new Date().toISOString();
  const entry = { idempotency_key: key, url: gateway.url, path, body, started_at, pid: process.pid };
  await pending.add(entry).catch((error: NodeJS.ErrnoException) => {
    terminal.note(
      `The key of this request could not be written down under ${client.config.home} (${error.code}).`,
    );
  });
  const notice = `Repeat with --idempotency-key ${key}: it creates no second ${write.noun}.`;
  client.interruptionNotice = notice;
  try {
    const document = await gateway.post<Document>(path, body, key);
    await pending.remove(key);
    return document;
  } catch (error) {
    if (isOutcomeUnknown(error)) terminal.note(notice);
    // A repetition that was not even heard says nothing about the first time.
    else if (!wasPending || !isUnreachable(error)) await pending.remove(key);
    throw error;
  } finally {
    client.interruptionNotice = undefined;
  }
}

function isOutcomeUnknown(error: unknown): boolean {
  if (!(error instanceof CodedError)) return true;
  // A bug behind the gateway may have struck after the commit.
  return error.code === 'outcome-unknown' || error.code === 'internal';
}

function isUnreachable(error: unknown): boolean {
  return error instanceof CodedError && (error.code === 'unavailable' || error.code === 'overloaded');
}

/** Somebody who repeats a command after a crash may mean the first one. */
async function mentionEarlier({ terminal }: Client, pending: PendingWrites, write: Write): Promise<void> {
  const earlier = await pending.findSame(write);
  if (earlier === undefined) return;
  terminal.note(
    `Note: the same ${write.noun} was sent at ${earlier.started_at} and its outcome is not known here; this is another one. To repeat that one instead: --idempotency-key ${earlier.idempotency_key}`,
  );
}
