/** Filter expressions above the packet list: written with completion and errors, applied to live packets and files, and run step by step on a packet. */
import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { requires } from '../support/requires.ts';
import { launchBrowser, openPage } from './support/browser.ts';
import { labWindow, type LabWindow } from './support/lab-window.ts';
import { exampleLab, serveLab, type ServedLab } from './support/served-lab.ts';
import { violations } from './support/violations.ts';

describe.skipIf(requires({ tools: ['chromium'] }))('filter expressions in the window', () => {
  let browser: Browser;
  let lab: ServedLab;
  let page: Page;
  let view: LabWindow;
  let faults: readonly string[];

  beforeAll(async () => {
    lab = await serveLab(exampleLab('two-nodes'));
    browser = await launchBrowser();
    const { page: first } = await openPage(browser);
    const before = labWindow(first);
    await first.goto(lab.url);
    await before.onMap('alpha').waitFor();
    await before.openConsole('alpha');
    await before.type('ping -c 2 10.0.0.2; nc -z 10.0.0.2 81');
    await before.terminalShows('2 packets received');
    await first.context().close();
  });
  afterAll(async () => {
    await browser?.close();
    await lab?.stop();
  });
  beforeEach(async () => {
    ({ page, faults } = await openPage(browser));
    view = labWindow(page);
    await page.goto(lab.url);
    await view.packetRows().filter({ hasText: 'ICMP' }).first().waitFor();
    await page.getByRole('combobox', { name: 'Language of the filter' }).selectOption('bpf');
  });
  afterEach(async () => {
    await page.context().close();
    expect(faults).toEqual([]);
  });

  const field = () => page.getByRole('textbox', { name: 'Filter expression' });
  const program = () => page.getByRole('region', { name: 'Program', exact: true });
  const openProgram = () => page.getByRole('button', { name: 'Program', exact: true }).first().click();

  async function write(text: string): Promise<void> {
    await field().click();
    await page.keyboard.press('Control+a');
    await page.keyboard.insertText(text);
  }

  async function apply(text: string): Promise<void> {
    await write(text);
    await page.keyboard.press('Enter');
  }

  async function protocols(): Promise<readonly string[]> {
    return [...new Set(await page.locator('[role="grid"] .protocol').allTextContents())];
  }

  it('chooses live packets, also those that come later, and what is exported', async () => {
    await apply('icmp[icmptype] = icmp-echoreply');
    await page.getByText(/^\d packets$/).waitFor();
    await expect.poll(protocols).toEqual(['ICMP']);
    const before = await view.packetRows().count();
    await view.openConsole('alpha');
    await view.type('nc -z 10.0.0.2 81; ping -c 1 10.0.0.2');
    await view.terminalShows('1 packets received');
    await view.tab('Packets').click();
    await expect.poll(() => view.packetRows().count()).toBe(before + 1);
    const downloading = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Export' }).click();
    const file = await (await downloading).path();
    await page.getByText(`${before + 1} packets exported`).waitFor();
    await page.getByRole('button', { name: 'Clear the filter' }).click();
    await expect.poll(async () => (await protocols()).length).toBeGreaterThan(1);
    await page.locator('input[data-purpose="capture"]').setInputFiles({
      name: 'replies.pcapng',
      mimeType: 'application/octet-stream',
      buffer: await readFile(file),
    });
    await page.getByText('replies.pcapng', { exact: true }).waitFor();
    await expect.poll(() => view.packetRows().count()).toBe(before + 1);
    await apply('icmp[6:2] = 1');
    await page.getByText(`1 of ${before + 1}`).waitFor();
    await apply('tcp');
    await page.getByText('No packet matches the filter.').waitFor();
    await page.getByRole('button', { name: 'Clear the filter' }).click();
    await expect.poll(() => view.packetRows().count()).toBe(before + 1);
  });

  it('marks what is wrong while it is typed, and applies nothing of it', async () => {
    const shown = await view.packetRows().count();
    await apply('icmp prt 80');
    await page.getByText(/^column 6: .*prt/).waitFor();
    await page.locator('.cm-lintRange-error', { hasText: 'prt' }).waitFor();
    expect(await field().getAttribute('aria-invalid')).toBe('true');
    expect(await page.getByRole('button', { name: 'Apply' }).isDisabled()).toBe(true);
    expect(await view.packetRows().count()).toBe(shown);
    expect(await violations(page)).toEqual([]);
    await write('icmp or port 80');
    await page.locator('.cm-lintRange-error').waitFor({ state: 'detached' });
    await expect.poll(() => field().getAttribute('aria-invalid')).toBe('false');
  });

  it('completes words of the language and names of the lab', async () => {
    await field().click();
    await page.keyboard.type('tcp and ho');
    const options = page.locator('.cm-tooltip-autocomplete li');
    await options.filter({ hasText: 'host' }).waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.type(' 10');
    await options.filter({ hasText: '10.0.0.2' }).waitFor();
    expect(await field().textContent()).toBe('tcp and host 10');
  });

  it('shows the program, optimised and as it was generated', async () => {
    await write('ip or ip');
    await openProgram();
    await page.getByText('4 instructions for EN10MB').waitFor();
    await page.getByRole('button', { name: 'As generated' }).click();
    await page.getByText(/^([5-9]|\d\d) instructions for EN10MB/).waitFor();
    await page.getByText('Select a packet to see what the program does with it.').waitFor();
  });

  it('runs the program step by step on the packet that is selected', async () => {
    await apply('tcp dst port 81');
    await openProgram();
    await view.packetRows().filter({ hasText: '[SYN]' }).first().click();
    await page.getByText('Accepts the packet').waitFor();
    await page.getByText('Bytes 12 to 13: 0x800').waitFor();
    const marked = page.locator('.bytes .hex .selected');
    expect((await marked.allTextContents()).join(' ')).toBe('08 00');
    await page.getByRole('button', { name: 'Step on' }).click();
    await page.getByText(/^(True|False): on to \d+$/).waitFor();
    await page.keyboard.press('End');
    expect(await program().locator('[aria-current="step"]').textContent()).toContain('ret');
    // A byte leads to the step that read it: the destination port.
    await page.locator('.bytes .hex [data-offset="36"]').click();
    await page.getByText('Bytes 36 to 37: 0x51').waitFor();
    expect((await marked.allTextContents()).join(' ')).toBe('00 51');
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await violations(page)).toEqual([]);
    }
    await page.getByRole('button', { name: 'Clear the filter' }).click();
    await write('arp');
    await page.getByText('Rejects the packet').waitFor();
  });
});
