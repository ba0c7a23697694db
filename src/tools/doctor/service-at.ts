const answerMsMax = 2_500;

/** Which daemon of ours answers at an URL (`gateway`, `orders`, `payments`); 'stranger' for another program, undefined for none. */
export async function serviceAt(url: string): Promise<string | undefined> {
  try {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(answerMsMax) });
    const { service } = (await answer.json().catch(() => ({}))) as { service?: unknown };
    return typeof service === 'string' ? service : 'stranger';
  } catch {
    return undefined;
  }
}
