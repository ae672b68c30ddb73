/**
 * Takes the README's pictures with the real program: `npm run screenshots` after `npm run build`. The pictures are
 * committed; run this again when the window changes its looks.
 */
import { mkdir } from 'node:fs/promises';
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

const pictures: readonly Picture[] = [
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
