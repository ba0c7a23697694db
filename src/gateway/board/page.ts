import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { style } from './page-style.ts';

/** The page of the board: one document that brings all it needs and loads nothing but its own event stream. */
export interface BoardPage {
  html: string;
  headers: Readonly<Record<string, string>>;
}

/** The scripts as they lie in `page/`, each after those it imports. */
const scripts = ['dom', 'format', 'chart', 'stream', 'figures', 'orders', 'main'];

/** @param identityRequired whether the figures need a token: then the page asks for one before anything else */
export function boardPage({ identityRequired }: { identityRequired: boolean }): BoardPage {
  const script = scripts.map(readScript).join('\n');
  const policy = [
    "default-src 'none'",
    `script-src '${sourceHash(script)}'`,
    `style-src '${sourceHash(style)}'`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; ');
  return {
    html: documentOf(script, identityRequired),
    headers: {
      'content-security-policy': policy,
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cache-control': 'no-cache',
    },
  };
}

/** One module of the page: what it imports stands above it, so the words that tie modules together go. */
function readScript(name: string): string {
  const text = readFileSync(new URL(`page/${name}.js`, import.meta.url), 'utf8');
  return text
    .replaceAll(/^import [^;]*;$/gm, '')
    .replaceAll(/^export (\{\};)?/gm, '')
    .trim();
}

function sourceHash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

const icon =
  "%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='8' fill='%231d6b4f'/%3E%3Cpath d='M8 12h16M8 12v10h16V12M13 17h6' fill='none' stroke='white' stroke-width='2.4' stroke-linecap='round' stroke-linejoin='round'/%3E%3C/svg%3E";

function documentOf(script: string, identityRequired: boolean): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>tillbox</title>
<link rel="icon" href="data:image/svg+xml,${icon}">
<style>${style}</style>
</head>
<body data-state="waiting" data-identity="${identityRequired ? 'required' : 'none'}">
<header>
<h1><svg viewBox="0 0 32 32" aria-hidden="true"><path d="M4 10h24M4 10v15h24V10M12 17h8"/></svg>tillbox</h1>
<p id="status" role="status">Connecting</p>
<button type="button" id="pause" hidden>Pause</button>
<button type="button" id="sign-out" hidden>Sign out</button>
</header>
<main>
<noscript><p>This page needs JavaScript. The same figures are in the terminal: <code>tillbox top</code>.</p></noscript>
${signIn}
<div id="board" hidden>
<div id="blind" role="status"></div>
${nowSection}
${stepsSection()}
<section aria-labelledby="orders-title">
<h2 id="orders-title">Recent orders</h2>
<p id="no-orders">None yet. Create one: <code>tillbox create-order alice 5 --wait</code></p>
<ol id="orders" aria-labelledby="orders-title"></ol>
</section>
</div>
</main>
<footer><p>Read-only. <a href="/docs">HTTP</a> <a href="/openapi.json">OpenAPI</a></p></footer>
<script type="module">${script}</script>
</body>
</html>
`;
}

const signIn = `<section id="sign-in" aria-labelledby="sign-in-title" hidden>
<h2 id="sign-in-title">Whoever watches sees everyone’s orders</h2>
<p>So the board needs the token of an operator. It stays in this tab, until you close it.</p>
<form id="sign-in-form">
<label for="token">Operator token</label>
<input id="token" type="password" required autocomplete="off" spellcheck="false" aria-describedby="token-hint token-error">
<button type="submit">Watch</button>
<p id="token-error" role="alert"></p>
<p id="token-hint">For example what <code>tillbox token ops --scope operator --expires 8h</code> prints.</p>
</form>
</section>`;

const nowSection = `<section class="now" aria-labelledby="now-title">
<h2 id="now-title" class="unseen">Now</h2>
<dl>
<div class="created"><dt>Created</dt><dd><b id="created" data-unit="/s">–</b></dd></div>
<div class="settled"><dt>Settled</dt><dd><b id="settled" data-unit="/s">–</b></dd></div>
<div><dt>Order to final</dt><dd><b id="median">–</b><small id="p95"></small></dd></div>
<div><dt>Messages waiting</dt><dd><b id="waiting">–</b><small id="oldest"></small></dd></div>
<div><dt>Dead letters</dt><dd><b id="letters">–</b><small id="letters-note"></small></dd></div>
</dl>
<figure>
<svg id="chart" viewBox="0 0 600 100" preserveAspectRatio="none" role="img" aria-label="Orders created and settled a second, lately">
<path class="created" d=""/><path class="settled" d=""/>
</svg>
<figcaption><span id="chart-begin">a minute ago</span><span>full height: <span id="ceiling">1/s</span></span><span>now</span></figcaption>
</figure>
</section>`;

const steps = [
  { service: 'orders', name: 'Create', text: 'order and payment request, one commit' },
  { service: 'orders', name: 'Publish', text: 'outbox to queue' },
  { service: 'payments', name: 'Receive', text: 'queue to inbox, duplicates dropped' },
  { service: 'payments', name: 'Pay', text: 'decision, debit and result, one commit' },
  { service: 'payments', name: 'Publish', text: 'outbox to queue' },
  { service: 'orders', name: 'Settle', text: 'FINISHED or CANCELED, for ever' },
];

/** What waits behind each step but the last. */
const places = [
  { name: 'orders-outbox', text: 'outbox' },
  { name: 'payment-requests', text: 'queue' },
  { name: 'payments-inbox', text: 'inbox' },
  { name: 'payments-outbox', text: 'outbox' },
  { name: 'payment-results', text: 'queue' },
];

function stepsSection(): string {
  const items = steps.flatMap(({ service, name, text }, index) => {
    const number = index + 1;
    const place = places[index];
    const step = `<li class="step ${service}" id="step-${number}">
<h3><span class="number">${number}</span>${name}</h3>
<p class="rate"><b>–</b><small>/s</small></p>
<svg viewBox="0 0 600 100" preserveAspectRatio="none" aria-hidden="true"><path d=""/></svg>
<p class="text">${text}</p><p class="note"></p>
</li>`;
    if (place === undefined) return [step];
    return [
      step,
      `<li class="place" id="place-${number}" data-name="${place.name}">
<p><b class="depth">–</b> <span class="what"><span class="unseen">messages in the </span>${place.text}</span></p>
<svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect width="0" height="4"/></svg>
<p class="age">–</p>
</li>`,
    ];
  });
  return `<section aria-labelledby="steps-title">
<h2 id="steps-title">The six steps of an order</h2>
<div class="track">
<p class="lane orders"><span>orders service</span> <span class="instances" id="orders-instances"></span></p>
<p class="lane payments"><span>payments service</span> <span class="instances" id="payments-instances"></span></p>
<ol>
${items.join('\n')}
</ol>
</div>
</section>`;
}
