/** The window in a real Chromium, served by `stackscope serve` with the example lab. */
import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { requires } from '../support/requires.ts';
import { launchBrowser, openPage } from './support/browser.ts';
import { labWindow, type LabWindow } from './support/lab-window.ts';
import { exampleLab, serveLab, type ServedLab } from './support/served-lab.ts';
import { violations } from './support/violations.ts';

describe.skipIf(requires({ tools: ['chromium'] }))('the window', () => {
  let browser: Browser;
  let lab: ServedLab;
  let page: Page;
  let view: LabWindow;
  let faults: readonly string[];

  beforeAll(async () => {
    lab = await serveLab(exampleLab('two-nodes'));
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await lab?.stop();
  });
  beforeEach(async () => {
    ({ page, faults } = await openPage(browser));
    view = labWindow(page);
    await page.goto(lab.url);
    await view.onMap('alpha').waitFor();
  });
  afterEach(async () => {
    await page.context().close();
    expect(faults).toEqual([]);
  });

  it('shows the lab: its map, its outline, its state', async () => {
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('two-nodes');
    expect(await page.getByRole('banner').getByText('running').isVisible()).toBe(true);
    expect(await view.onMap('alpha').getAttribute('aria-label')).toContain('en0 10.0.0.1/24, node, en0 up');
    expect(await view.onMap('beta').getAttribute('aria-label')).toContain('en0 10.0.0.2/24, node, en0 up');
    expect(await view.onMap('link wire').getAttribute('aria-label')).toContain('alpha:en0 to beta:en0');
    expect(await page.getByRole('treeitem', { name: /10\.0\.0\.2\/24/ }).count()).toBe(1);
  });

  it('keeps the token out of the address bar', () => {
    expect(page.url()).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
  });

  it('runs ping in a console, with its packets in the list and its rate on the link', async () => {
    await view.openConsole('alpha');
    await view.type('ping -c 3 10.0.0.2');
    await page.locator('.overlay text', { hasText: 'bit/s' }).first().waitFor();
    await view.terminalShows(/3 packets transmitted, 3 packets received/);
    await view.tab('Packets').click();
    await view.packetRows().filter({ hasText: 'ICMP' }).first().waitFor();
    const shown = await view.packetRows().allTextContents();
    expect(shown.some((row) => row.includes('10.0.0.1') && row.includes('10.0.0.2'))).toBe(true);
  });

  it('recalls earlier lines and completes commands in a console', async () => {
    await view.openConsole('beta');
    await view.type('echo recalled-$((1))');
    await view.terminalShows('recalled-');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Home');
    await page.keyboard.press('End');
    await page.keyboard.type('-again');
    await page.keyboard.press('Enter');
    await view.terminalShows(/recalled-.*-again/s);
    await page.keyboard.type('ifcon');
    await page.keyboard.press('Tab');
    await view.terminalShows('ifconfig');
    await page.keyboard.press('Control+c');
  });

  it('ties layers and bytes of a packet together', async () => {
    await view.openConsole('alpha');
    await view.type('ping -c 1 10.0.0.2');
    await view.terminalShows('1 packets received');
    await view.tab('Packets').click();
    await page.getByRole('searchbox', { name: 'Filter packets' }).fill('proto:icmp');
    await view.packetRows().first().click();
    const layers = page.getByRole('tree', { name: 'Decoded layers' });
    await layers.getByRole('treeitem', { name: /^Type IPv4/ }).click();
    const marked = page.locator('.bytes .hex .selected');
    expect((await marked.allTextContents()).join(' ')).toBe('08 00');
    await page.locator('.bytes .hex [data-offset="23"]').click();
    await page.locator('.tree .line.selected', { hasText: /Protocol.*ICMP/i }).waitFor();
  });

  it('shows the journey of a packet that was followed', async () => {
    await view.tab('Packets').click();
    await page.getByRole('combobox', { name: 'Packets to follow' }).selectOption('all');
    // They are followed from here on; the second of two is no ping of another test.
    await page.locator('select.on').waitFor();
    await view.openConsole('alpha');
    await view.type('ping -c 2 -i 0.1 10.0.0.2');
    await view.terminalShows('2 packets received');
    await view.tab('Packets').click();
    await view
      .packetRows()
      .filter({ hasText: /Echo \(ping\) request.*seq=1/ })
      .last()
      .click();
    await page.getByRole('button', { name: 'Journey', exact: true }).click();
    const journey = page.getByRole('region', { name: 'Journey' });
    await journey.getByText('used by the stack: ICMP Echo (ping) request').waitFor();
    expect(await journey.getByRole('heading').allTextContents()).toEqual(['alpha', 'link:wire', 'beta']);
    expect(await violations(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await violations(page)).toEqual([]);
    await page.getByRole('combobox', { name: 'Packets to follow' }).selectOption('');
  });

  it('exports packets as pcapng and opens the file for viewing', async () => {
    await view.openConsole('alpha');
    await view.type('ping -c 1 10.0.0.2');
    await view.terminalShows('1 packets received');
    await view.tab('Packets').click();
    await view.packetRows().first().waitFor();
    const downloading = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Export' }).click();
    const file = await (await downloading).path();
    expect((await readFile(file)).subarray(0, 4).toString('hex')).toBe('0a0d0d0a');
    await page.locator('input[data-purpose="capture"]').setInputFiles({
      name: 'exported.pcapng',
      mimeType: 'application/octet-stream',
      buffer: await readFile(file),
    });
    await page.getByText('exported.pcapng', { exact: true }).waitFor();
    await view.packetRows().filter({ hasText: 'ICMP' }).first().waitFor();
    await page.getByRole('button', { name: 'Back to live' }).click();
    await page.getByRole('button', { name: 'Follow' }).waitFor();
  });

  it('says what is wrong with a file that is no capture', async () => {
    const buffer = Buffer.from('this is no capture file, whatever its name says');
    const file = { name: 'notes.pcap', mimeType: 'application/octet-stream', buffer };
    await page.locator('input[data-purpose="capture"]').setInputFiles(file);
    await page.getByRole('log', { name: 'Notices' }).getByText('notes.pcap').waitFor();
  });

  it('lists the problems of a lab file by line and keeps the lab', async () => {
    const buffer = Buffer.from('name: broken\nnodes:\n  alpha: { stack: io-pkt-v9 }\n');
    const file = { name: 'broken.lab.yaml', mimeType: 'text/yaml', buffer };
    await page.locator('input[data-purpose="lab"]').setInputFiles(file);
    const dialog = page.getByRole('dialog', { name: 'Problems in broken.lab.yaml' });
    await dialog
      .getByText(/line 3/)
      .first()
      .waitFor();
    await page.keyboard.press('Escape');
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('two-nodes');
  });

  it('is worked by the keyboard alone', async () => {
    await page.locator('.map [tabindex="0"]').first().focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    expect(await page.locator(':focus').getAttribute('aria-label')).toMatch(/^beta /);
    await page.keyboard.press(' ');
    await page.getByRole('region', { name: 'Details of node beta' }).waitFor();
    await page.keyboard.press('Shift+Enter');
    await view.tab('beta').waitFor();
    expect(await page.locator(':focus').getAttribute('aria-label')).toMatch(/^beta /);
    await page.keyboard.press('Enter');
    await page.locator('.xterm-helper-textarea:focus').waitFor();
    await page.keyboard.press('Control+`');
    expect(await page.locator(':focus').getAttribute('aria-label')).toMatch(/^beta /);
    await page.keyboard.press('Escape');
    await page.getByRole('region', { name: 'The lab' }).waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
  });

  it('stops and starts the lab', async () => {
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('banner').getByText('stopped').waitFor();
    await page.getByRole('button', { name: 'Run' }).click();
    await page.getByRole('banner').getByText('running').waitFor();
  });

  it('remembers the theme', async () => {
    await page.getByRole('button', { name: 'Theme: system' }).click();
    await page.getByRole('button', { name: 'Theme: light' }).click();
    const background = (): Promise<string> =>
      page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await background();
    await page.reload();
    await page.getByRole('button', { name: 'Theme: dark' }).waitFor();
    expect(await background()).toBe(dark);
  });

  it.each(['light', 'dark'] as const)('is accessible in the %s theme', async (scheme) => {
    await page.emulateMedia({ colorScheme: scheme });
    await view.openConsole('alpha');
    await view.type('ping -c 2 10.0.0.2');
    await view.terminalShows('2 packets received');
    expect(await violations(page)).toEqual([]);
    await view.tab('System log').click();
    expect(await violations(page)).toEqual([]);
    await view.tab('Packets').click();
    await view.packetRows().first().click();
    await page.getByRole('tree', { name: 'Decoded layers' }).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Open', exact: true }).click();
    await page.getByRole('menuitem').first().waitFor();
    expect(await violations(page)).toEqual([]);
  });

  it('moves nothing on the map when the user wants no motion', async () => {
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await view.openConsole('alpha');
    await view.type('ping -c 3 10.0.0.2');
    const flow = page.locator('.flow').first();
    await flow.waitFor({ state: 'attached' });
    expect(await flow.evaluate((path) => getComputedStyle(path).animationName)).toBe('none');
  });
});

describe.skipIf(requires({ tools: ['chromium'] }))('the program', () => {
  it('ends with Ctrl-C, and an open window says so', async () => {
    const lab = await serveLab(exampleLab('two-nodes'));
    const browser = await launchBrowser();
    const { page } = await openPage(browser);
    await page.goto(lab.url);
    await labWindow(page).onMap('alpha').waitFor();
    expect(await lab.stop()).toBe(0);
    await page.getByRole('banner').getByText('connection lost').waitFor();
    await browser.close();
  });
});
