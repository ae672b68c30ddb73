/** Chromium for the end-to-end tests, and a page that reports every fault it has. */
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { findTool } from '../../support/requires.ts';

/** As root there is no sandbox; nothing shall go to the network by itself. */
const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function launchBrowser(): Promise<Browser> {
  const executablePath = findTool('chromium');
  if (executablePath === undefined) throw new Error('chromium is not installed');
  return chromium.launch({ executablePath, args: flags });
}

export interface WatchedPage {
  readonly page: Page;
  /** Uncaught errors, policy violations and console warnings so far. */
  readonly faults: readonly string[];
}

/** A page of its own browser context: nothing is remembered from an earlier one. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(message.text());
  });
  return { page, faults };
}
