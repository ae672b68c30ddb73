/**
 * Takes the README's pictures with the real program: `npm run screenshots` after `npm run build`. The pictures are
 * committed; run this again when the window changes its looks.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { launchBrowser, openPage } from './support/browser.ts';
import { labWindow, type LabWindow } from './support/lab-window.ts';
import { exampleLab, serveLab } from './support/served-lab.ts';

interface Picture {
  readonly file: string;
  readonly lab: string;
  readonly scheme: 'light' | 'dark';
  /** Brings the window into the state to show. */
  prepare(page: Page, view: LabWindow): Promise<void>;
}

const folder = join(import.meta.dirname, '..', '..', 'main', 'assets');
const viewport = { width: 1360, height: 850 };

const rules = await readFile(
  join(import.meta.dirname, '..', '..', 'main', 'examples', 'router.pf.conf'),
  'utf8',
);

/** Rules of the shipped example on the router, with traffic on both sides. */
async function filter(page: Page, view: LabWindow): Promise<void> {
  await view.openConsole('left');
  await view.type('ping -i 0.2 10.2.0.2 > /dev/null &');
  await view.openConsole('right');
  await view.type('ping -i 0.5 10.2.0.1 > /dev/null &');
  await view.type('nc -z 10.2.0.1 23');
  await view.tab('Filters').click();
  await page.getByRole('combobox', { name: 'Node' }).selectOption('router');
  await page.getByRole('button', { name: 'Mount lsm-pf' }).click();
  await page.getByRole('textbox', { name: 'pf.conf' }).click();
  await page.keyboard.press('Control+a');
  await page.keyboard.insertText(rules);
  await page.getByRole('button', { name: 'Load', exact: true }).click();
  await page.locator('.rules tr', { hasText: 'scrub in all' }).waitFor();
  await page.getByRole('button', { name: 'Disabled' }).click();
  await page.getByRole('textbox', { name: 'pf.conf' }).click();
  await page.keyboard.press('Control+Home');
  await page.getByRole('button', { name: 'Maximise the dock' }).click();
  await page.getByText('rules loaded on router').waitFor({ state: 'detached' });
  await page.locator('.rules .packets', { hasText: /^\d\d/ }).first().waitFor();
}

const pictures: readonly Picture[] = [
  { file: 'filters-light.png', lab: 'router', scheme: 'light', prepare: filter },
  {
    file: 'window-light.png',
    lab: 'two-nodes',
    scheme: 'light',
    prepare: async (page, view) => {
      await view.openConsole('alpha');
      await view.type('http get http://10.0.0.2/ > /tmp/page; ping -i 0.2 -c 400 10.0.0.2 &');
      await view.tab('Packets').click();
      const request = view.packetRows().filter({ hasText: 'GET /' }).first();
      await request.click();
      await page.getByRole('tree', { name: 'Decoded layers' }).getByRole('treeitem').last().click();
    },
  },
  {
    file: 'window-dark.png',
    lab: 'chain',
    scheme: 'dark',
    prepare: async (page, view) => {
      await view.openConsole('n1');
      await view.type('traceroute 10.0.7.2');
      await view.terminalShows(/ 7 +10\.0\.7\.2/);
      await view.type('ping -i 0.2 10.0.7.2');
      await view.terminalShows(/icmp_seq=8/);
      await page.locator('.overlay text').first().waitFor();
    },
  },
];

async function take(browser: Browser, picture: Picture): Promise<void> {
  const lab = await serveLab(exampleLab(picture.lab));
  const { page } = await openPage(browser, { viewport, colorScheme: picture.scheme, deviceScaleFactor: 2 });
  await page.goto(lab.url);
  const view = labWindow(page);
  await page.locator('[data-key^="node:"]').first().waitFor();
  await picture.prepare(page, view);
  await page.screenshot({ path: join(folder, picture.file) });
  await page.context().close();
  await lab.stop();
  console.log(`${picture.file}: ${picture.lab}, ${picture.scheme}`);
}

await mkdir(folder, { recursive: true });
const browser = await launchBrowser();
for (const picture of pictures) await take(browser, picture);
await browser.close();
