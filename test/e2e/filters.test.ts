/** The packet filter in the window: rules are written, checked while typing, loaded, counted, taken back. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { requires } from '../support/requires.ts';
import { launchBrowser, openPage } from './support/browser.ts';
import { labWindow, type LabWindow } from './support/lab-window.ts';
import { exampleLab, serveLab, type ServedLab } from './support/served-lab.ts';
import { violations } from './support/violations.ts';

describe.skipIf(requires({ tools: ['chromium'] }))('filters in the window', () => {
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
    await view.tab('Filters').click();
    await page.getByRole('combobox', { name: 'Node' }).selectOption('beta');
  });
  afterEach(async () => {
    await page.context().close();
    expect(faults).toEqual([]);
  });

  const editor = () => page.getByRole('textbox', { name: 'pf.conf' });
  const rule = (text: string) => page.locator('.rules tr', { hasText: text });

  async function write(text: string): Promise<void> {
    await editor().click();
    await page.keyboard.press('Control+a');
    await page.keyboard.insertText(text);
  }

  it('mounts PF, loads rules, and counts what they do', async () => {
    await page.getByRole('button', { name: 'Mount lsm-pf' }).click();
    await write('block return in proto icmp\npass in proto tcp\n');
    await page.getByRole('button', { name: 'Load', exact: true }).click();
    await rule('block return in proto icmp').waitFor();
    await page.getByRole('button', { name: 'Disabled' }).click();
    await page.getByRole('button', { name: 'Enabled' }).waitFor();
    await view.openConsole('alpha');
    await view.type('ping -c 2 10.0.0.2');
    await view.terminalShows('2 packets transmitted, 0 packets received');
    await view.tab('Filters').click();
    await page.getByRole('combobox', { name: 'Node' }).selectOption('beta');
    await rule('block return in proto icmp').locator('.packets', { hasText: '2' }).waitFor();
    expect(await rule('pass in proto tcp').locator('.packets').textContent()).toBe('0');
  });

  it('shows what is wrong where it is wrong, and loads nothing of it', async () => {
    await write('block in\npass in proto tpc\n');
    await page.locator('[data-purpose="problems"]', { hasText: /^line 2: / }).waitFor();
    await page.locator('.cm-lintRange-error').first().waitFor();
    expect(await page.getByRole('button', { name: 'Load', exact: true }).isDisabled()).toBe(true);
    await write('block in\npass in proto tcp\n');
    await page.locator('[data-purpose="problems"]', { hasText: 'no problems' }).waitFor();
  });

  it('takes back what was loaded', async () => {
    await write('pass in proto udp\n');
    await page.locator('[data-purpose="problems"]', { hasText: 'no problems' }).waitFor();
    await page.getByRole('button', { name: 'Load', exact: true }).click();
    await rule('pass in proto udp').waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    await rule('block return in proto icmp').waitFor();
    expect(await rule('pass in proto udp').count()).toBe(0);
  });

  it('lists states and removes them', async () => {
    await write('pass in proto icmp keep state\n');
    await page.locator('[data-purpose="problems"]', { hasText: 'no problems' }).waitFor();
    await page.getByRole('button', { name: 'Load', exact: true }).click();
    await rule('pass in proto icmp all keep state').waitFor();
    await view.openConsole('alpha');
    await view.type('ping -c 1 10.0.0.2');
    await view.terminalShows('1 packets received');
    await view.tab('Filters').click();
    await page.getByRole('combobox', { name: 'Node' }).selectOption('beta');
    await page.getByRole('button', { name: 'States', exact: true }).click();
    await page.locator('.states td', { hasText: '10.0.0.1' }).first().waitFor();
    await page.getByRole('button', { name: 'Remove all' }).click();
    await page.getByText('There are no states.').waitFor();
  });

  it('says which of the packets in the list a text would pass, before it is loaded', async () => {
    await view.openConsole('alpha');
    await view.type('ping -c 2 10.0.0.2; nc -z 10.0.0.2 81');
    await view.terminalShows('2 packets received');
    await view.tab('Packets').click();
    await view.packetRows().filter({ hasText: 'ICMP' }).first().waitFor();
    await view.tab('Filters').click();
    await page.getByRole('combobox', { name: 'Node' }).selectOption('beta');
    await write('block in\npass in proto icmp keep state\n');
    await page.locator('[data-purpose="problems"]', { hasText: 'no problems' }).waitFor();
    await page.getByRole('button', { name: 'What-if', exact: true }).click();
    await page.getByRole('button', { name: 'Try on the live packets' }).click();
    await page
      .locator('.what-if tr.pass', { hasText: 'Echo (ping) request' })
      .first()
      .waitFor({ timeout: 20_000 });
    await page.locator('.what-if tr.block', { hasText: '81' }).first().waitFor();
    await page.locator('.what-if tr.pass', { hasText: '@1, line 2' }).first().waitFor();
    expect(await violations(page)).toEqual([]);
  });

  it('leads from a packet that was tried to the list', async () => {
    await write('block in proto icmp\n');
    await page.locator('[data-purpose="problems"]', { hasText: 'no problems' }).waitFor();
    await page.getByRole('button', { name: 'What-if', exact: true }).click();
    await page.getByRole('button', { name: 'Try on the live packets' }).click();
    const blocked = page.locator('.what-if tr.block', { hasText: 'Echo (ping) request' }).last();
    await blocked.waitFor({ timeout: 20_000 });
    const number = (await blocked.locator('.number').textContent())!.trim();
    await view.tab('Packets').click();
    await page.getByRole('searchbox', { name: 'Filter packets' }).fill('proto:tcp');
    await view.tab('Filters').click();
    await blocked.getByRole('button', { name: `Packet ${number} in the list` }).click();
    const row = page.locator('[role="row"][aria-selected="true"]');
    await row.filter({ hasText: 'Echo (ping) request' }).waitFor();
    expect(await row.getByRole('gridcell').first().textContent()).toBe(number);
    await page.getByText(`Packet ${number}`, { exact: true }).waitFor();
  });

  it('leads from a rule to the packets that it decided, and from a packet to its rules', async () => {
    await write('pass all\nblock in proto tcp\npass in proto icmp keep state\n');
    await page.locator('[data-purpose="problems"]', { hasText: 'no problems' }).waitFor();
    await page.getByRole('button', { name: 'Load', exact: true }).click();
    await rule('pass in proto icmp all keep state').waitFor();
    await view.tab('Packets').click();
    await page.getByRole('combobox', { name: 'Packets to follow' }).selectOption('all');
    await page.locator('select.on').waitFor();
    await view.openConsole('alpha');
    await view.type('ping -c 2 -i 0.1 10.0.0.2; nc -w 1 -z 10.0.0.2 81');
    await view.terminalShows('2 packets received');
    await view.tab('Filters').click();
    await page.getByRole('combobox', { name: 'Node' }).selectOption('beta');
    const counted = rule('pass in proto icmp all keep state').locator('.packets button');
    await counted.filter({ hasText: /^\s*4\s*$/ }).waitFor();
    await counted.click();
    await page.getByText('@2 of beta').waitFor();
    const rows = view.packetRows();
    await expect.poll(() => rows.count()).toBe(4);
    expect(await page.locator('[role="grid"] .protocol').allTextContents()).toEqual(Array(4).fill('ICMP'));
    expect(await violations(page)).toEqual([]);
    await rows.first().click();
    await page.getByRole('button', { name: 'Rules', exact: true }).click();
    const decided = page.getByRole('region', { name: 'Rules that decided' });
    await decided.getByText('pass in proto icmp all keep state').waitFor();
    expect(await decided.locator('.pass', { hasText: 'beta:en0' }).count()).toBe(1);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await violations(page)).toEqual([]);
    }
    await decided.getByRole('button', { name: '@2' }).click();
    await page.locator('.rules tr.marked', { hasText: 'pass in proto icmp all keep state' }).waitFor();
    expect(await page.locator('.rules tr.marked').count()).toBe(1);
    expect(await violations(page)).toEqual([]);
    await view.tab('Packets').click();
    await page.getByRole('button', { name: 'Show all' }).click();
    await expect.poll(() => rows.count()).toBeGreaterThan(4);
    await page.getByRole('combobox', { name: 'Packets to follow' }).selectOption('');
  });

  it('shows queues below their parents, with what went through them', async () => {
    await write(
      [
        'altq on en0 cbq bandwidth 10Mb queue { whole }',
        'queue whole bandwidth 100% { usual, pings }',
        'queue usual bandwidth 75% cbq(default)',
        'queue pings bandwidth 25% priority 5',
        'pass out proto icmp keep state queue pings',
        'pass in proto icmp keep state queue pings\n',
      ].join('\n'),
    );
    await page.locator('[data-purpose="problems"]', { hasText: 'no problems' }).waitFor();
    await page.getByRole('button', { name: 'Load', exact: true }).click();
    await page.getByText('rules loaded on beta').waitFor();
    await view.openConsole('alpha');
    await view.type('ping -c 2 -i 0.1 10.0.0.2');
    await view.terminalShows('2 packets received');
    await view.tab('Filters').click();
    await page.getByRole('combobox', { name: 'Node' }).selectOption('beta');
    await page.getByRole('button', { name: 'Queues', exact: true }).click();
    const queue = (name: string) => page.locator('.queues tbody tr').filter({ hasText: name });
    await queue('pings').filter({ hasText: '2.50 Mbit/s' }).waitFor();
    await expect
      .poll(async () => (await queue('pings').locator('td').allTextContents()).map((text) => text.trim()))
      .toEqual(['en0', 'cbq', '2.50 Mbit/s', '5', '2', '196 B', '0', '0 of 50']);
    expect(await queue('usual').textContent()).toContain('default');
    expect(await page.locator('.queues tbody tr').count()).toBe(3);
    expect(await violations(page)).toEqual([]);
  });

  it('completes what fits', async () => {
    await write('');
    await page.keyboard.type('pass in on e');
    await page.locator('.cm-tooltip-autocomplete li', { hasText: 'en0' }).waitFor();
  });

  it('is accessible, as far as axe can tell', async () => {
    for (const name of ['Rules', 'States', 'Tables and reasons', 'Queues']) {
      await page.getByRole('button', { name, exact: true }).click();
      expect(await violations(page)).toEqual([]);
    }
  });
});
