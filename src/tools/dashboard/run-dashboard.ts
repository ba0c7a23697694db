import { pathToFileURL } from 'node:url';

/**
 * The main program of the process that pg-boss's dashboard runs in; its argument is the dashboard's. It ends when
 * who started it does, even when that is killed.
 */
process.once('disconnect', () => process.exit(0));
await import(pathToFileURL(process.argv[2] ?? '').href);
