import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';

/** What Chromium and those made of it are called where they are installed. */
const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'microsoft-edge'];
const places = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/** The browser to test with: TILLBOX_TEST_BROWSER, else an installed one; undefined where there is none. */
export function findBrowser(): string | undefined {
  const given = process.env['TILLBOX_TEST_BROWSER'];
  if (given) return given;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const candidates = [...names.flatMap((name) => folders.map((folder) => join(folder, name))), ...places];
  return candidates.find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A page under watch: what a user would find in the console, and whatever it asks of other hosts. */
export interface WatchedPage {
  page: Page;
  complaints: string[];
  strangers: string[];
}

/** Gives the tests of a describe block a headless browser; where none is installed they are left out, and that is said. */
export function useBrowser() {
  let browser: Browser | undefined;
  before(async function () {
    this.timeout(60_000);
    const executablePath = findBrowser();
    if (executablePath === undefined) {
      console.log('    (no Chromium is installed, and TILLBOX_TEST_BROWSER names none: left out)');
      this.skip();
    }
    browser = await puppeteer.launch({
      executablePath,
      pipe: true,
      // Its sandbox refuses root.
      args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
    });
  });
  after(() => browser?.close());

  /** Opens a page in a profile of its own. */
  return async function open(
    url: string,
    look: { width?: number; scheme?: 'light' | 'dark'; motion?: 'reduce' | 'no-preference' } = {},
  ): Promise<WatchedPage> {
    const { width = 1_280, scheme = 'light', motion = 'no-preference' } = look;
    if (browser === undefined) throw new Error('no browser');
    const page = await (await browser.createBrowserContext()).newPage();
    const watched: WatchedPage = { page, complaints: [], strangers: [] };
    page.on('console', (message) => {
      if (['error', 'warn'].includes(message.type())) watched.complaints.push(message.text());
    });
    page.on('pageerror', (error) => watched.complaints.push(String(error)));
    page.on('request', (request) => {
      const { origin, protocol } = new URL(request.url());
      if (protocol !== 'data:' && origin !== new URL(url).origin) watched.strangers.push(request.url());
    });
    await page.setViewport({ width, height: 844 });
    await page.emulateMediaFeatures([
      { name: 'prefers-color-scheme', value: scheme },
      { name: 'prefers-reduced-motion', value: motion },
    ]);
    await page.goto(url);
    return watched;
  };
}
